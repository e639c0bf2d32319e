"""Maps of .npy and .npz files: what cannot be mapped says why, whatever bytes it has."""

from __future__ import annotations

import random
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fnn
from fnn.data import map_npy, map_npz


@pytest.mark.parametrize("dtype", ["u1", "i8", "f4", ">f8", "U3", "c8"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4), (0,), (2, 0)])
def test_maps_are_the_arrays_that_were_saved(dtype: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    x = np.arange(24)[: int(np.prod(shape))].reshape(shape).astype(dtype)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", first=x, second=x.copy(order="F"))
    for found in (map_npy(tmp_path / "x.npy"), *map_npz(tmp_path / "x.npz").values()):
        assert found.dtype == x.dtype
        assert found.shape == x.shape
        assert np.array_equal(found, x)
        assert not found.flags.writeable


def shortened_npz(path: Path) -> Path:
    """Forty bytes are cut out near its start, so that its first entry seems to begin before the file does."""
    np.savez(path, x=np.arange(100))
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + whole[44:64] + bytes(4) + whole[68:])
    return path


def spoilt_npz(path: Path) -> Path:
    np.savez(path, x=np.arange(100))
    path.write_bytes(path.read_bytes().replace(b"PK\x03\x04", b"PK\x03\x05"))
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda p: np.savez_compressed(p, x=np.ones(9)),
            "x.npy in .* is compressed and cannot be mapped; write it with np.savez",
        ),
        (lambda p: p.write_bytes(b"nothing"), "is not an .npz file, or damaged"),
        (lambda p: np.savez(p, good=np.ones(2), bad=np.array([{}], object)), r"bad.npy in .*a.npz holds Python objects"),
        (shortened_npz, "damaged"),
        (spoilt_npz, "is damaged: no entry begins at byte 0"),
    ],
)
def test_archives_that_cannot_be_mapped_say_why(make: Callable[[Path], Any], message: str, tmp_path: Path) -> None:
    make(tmp_path / "a.npz")
    with pytest.raises(ValueError, match=f"map_npz: {message}|map_npz: .*{message}"):
        map_npz(tmp_path / "a.npz")


def test_files_that_cannot_be_mapped_say_why(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.arange(100))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(ValueError, match=r"map_npy: .*x\.npy is too short: an array int64\[100\] takes 800 bytes of 799"):
        map_npy(path)
    np.savez(tmp_path / "x.npz", np.ones(2))
    with pytest.raises(
        ValueError, match=r"map_npy: .* has no header of an \.npy array: .*; it is an archive, which map_npz reads"
    ):
        map_npy(tmp_path / "x.npz")
    path.write_bytes(whole[:20])
    with pytest.raises(ValueError, match=r"map_npy: .* has no header of an \.npy array"):
        map_npy(path)
    with pytest.raises(FileNotFoundError):
        map_npy(tmp_path / "nothing.npy")


def mutated(source: bytes, draw: random.Random) -> bytes:
    data = bytearray(source)
    for _ in range(draw.randint(0, 2)):
        i = draw.randrange(len(data) + 1)
        match draw.randrange(4):
            case 0:
                data[i : i + 1] = [draw.choice([*b"()[]{}',-9LOV|", draw.randrange(256)])]
            case 1:
                del data[i : i + draw.randint(1, 4)]
            case 2:
                data[i:i] = draw.choice([b"9" * 9, b"-", b"(" * 50, b"\0", b"'"])
            case _:
                del data[i:]
    return bytes(data)


def fuzz(n: int, folder: Path) -> None:
    x = np.arange(12.0).reshape(3, 4)
    np.save(folder / "x.npy", x)
    np.savez(folder / "x.npz", x=x, y=np.arange(3))
    whole = [((folder / f"x.{kind}").read_bytes(), kind) for kind in ("npy", "npz")]
    draw, read = random.Random(0), 0
    tracemalloc.start()
    try:
        for _ in range(n):
            source, kind = draw.choice(whole)
            path = folder / f"damaged.{kind}"
            path.write_bytes(mutated(source, draw))
            tracemalloc.reset_peak()
            before, began = tracemalloc.get_traced_memory()[0], time.perf_counter()
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # NumPy takes some damaged headers for those of Python 2, and says so
                    found = [map_npy(path)] if kind == "npy" else [*map_npz(path).values()]
                assert sum([part.tobytes() is not None and part.nbytes for part in found]) <= 2 * len(source)
                read += 1
            except ValueError as error:
                assert str(error).startswith(f"map_{kind}: "), error  # noqa: PT017 (what else was read is fine)
            path.unlink()
            assert time.perf_counter() - began < 5
            assert tracemalloc.get_traced_memory()[1] - before < 500_000
    finally:
        tracemalloc.stop()
    assert 0.1 * n < read < 0.9 * n


def test_damaged_files_are_mapped_or_refused(tmp_path: Path) -> None:
    fuzz(400, tmp_path)


@pytest.mark.slow
def test_ten_thousand_damaged_files_are_mapped_or_refused(tmp_path: Path) -> None:
    fuzz(10_000, tmp_path)


# what is taken for data, but has no rows


def test_an_archive_that_is_not_mapped_says_what_to_do(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.ones((3, 2)))
    with (
        np.load(tmp_path / "x.npz") as archive,
        pytest.raises(TypeError, match=r"batches: the data is a NpzFile, a mapping that is no dict; .* write dict\(it\)"),
    ):
        fnn.batches(archive, 2)
    assert [batch["x"].shape for batch in fnn.batches(map_npz(tmp_path / "x.npz"), 2)] == [(2, 2), (1, 2)]


def test_a_list_of_labels_is_not_the_same_in_every_batch() -> None:
    x = np.ones((3, 2))
    with pytest.raises(
        TypeError, match=r"batches: \[1\] is a list of 3 values, as many as there are rows; write np.array\(it\)"
    ):
        fnn.batches((x, [0, 1, 1]), 2)
    with pytest.raises(TypeError, match=r"\['y'\] is a list of 3 values"):
        fnn.batches({"x": x, "y": ["a", "b", "c"]}, 2)
    assert [note for _, note in fnn.batches((x, ["made", "by hand"]), 2)] == [["made", "by hand"]] * 2
    with pytest.raises(TypeError, match=r"for a list of numbers: np.array\(it\), of examples: fnn.data.examples\(it\)"):
        fnn.batches([0, 1, 1], 2)


class Columns:
    """As a table of another library: rows are not what it is indexed with."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, name: Any) -> Any:
        raise KeyError(name)


def test_a_table_of_columns_says_what_to_do() -> None:
    with pytest.raises(KeyError) as caught:
        next(iter(fnn.batches(Columns(), 2)))
    assert "it.to_numpy()" in caught.value.__notes__[0]
