"""Toy data sets as functions of a key, and IDX files: whole, cut off, damaged and hostile ones."""

from __future__ import annotations

import gzip
import random
import struct
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import fnn
from fnn.datasets import Mnist, blobs, bowl, friedman, mnist, read_idx, ripple, sine, spirals, two_moons

KEY = fnn.key(0)
TYPES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
TOYS: dict[str, Callable[..., Any]] = {f.__name__: f for f in (two_moons, spirals, blobs, sine, bowl, ripple, friedman)}


def idx(x: Any) -> bytes:
    """An array in the IDX format."""
    head = struct.pack(">BBBB", 0, 0, TYPES[x.dtype.str[1:]], x.ndim) + struct.pack(f">{x.ndim}I", *x.shape)
    numbers: bytes = x.astype(x.dtype.newbyteorder(">")).tobytes()
    return head + numbers


def packed(content: bytes) -> bytes:
    """Through gzip, without the time of day."""
    return gzip.compress(content, mtime=0)


# toys


@pytest.mark.parametrize("name", TOYS)
def test_toys_are_functions_of_key_and_n(name: str) -> None:
    f = TOYS[name]
    one = f(KEY, 50)
    assert fnn.tree.equal(one, f(KEY, 50))
    assert not fnn.tree.equal(one, f(fnn.key(1), 50))
    assert one.x.shape[0] == one.y.shape[0] == 50
    assert one.x.dtype == np.float32
    assert one.y.dtype == (np.float32 if one.y.ndim == 2 else np.int64)
    assert not any([leaf.flags.writeable for leaf in one])
    assert len(f(KEY).x) == 200
    assert len(f(KEY, 0).y) == 0
    for bad, error in ((-1, ValueError), (2.5, TypeError)):
        with pytest.raises(error, match=f"{name}: n is {bad}"):
            f(KEY, bad)
    with pytest.raises(TypeError, match=f"{name}: the key is 0"):
        f(0)
    with pytest.raises(ValueError, match=f"{name}: noise is -1"):
        f(KEY, **{"std" if name == "blobs" else "noise": -1})


@pytest.mark.parametrize("toy", [lambda: two_moons(KEY, 101), lambda: spirals(KEY, 101, n_classes=3), lambda: blobs(KEY, 101)])
def test_classes_are_as_frequent_and_in_no_order(toy: Callable[[], Any]) -> None:
    y = toy().y
    counts = np.bincount(y)
    assert counts.max() - counts.min() <= 1
    assert 20 < np.sum(y[1:] != y[:-1]) < 90


def test_moons_lie_on_their_half_circles() -> None:
    x, y = two_moons(KEY, 500, noise=0)
    upper, lower = x[y == 0], x[y == 1] - [1, 0.5]
    for half, side in ((upper, 1), (lower, -1)):
        np.testing.assert_allclose(np.hypot(*half.T), 1, rtol=1e-5)
        assert (side * half[:, 1] >= -1e-6).all()
        assert half[:, 0].min() < -0.95
        assert half[:, 0].max() > 0.95
    noisy = two_moons(KEY, 5000, noise=0.2).x - two_moons(KEY, 5000, noise=0).x
    np.testing.assert_allclose(noisy.std(axis=0), 0.2, rtol=0.05)


@pytest.mark.parametrize("n_classes", [1, 2, 5])
def test_spirals_wind_around_the_centre(n_classes: int) -> None:
    x, y = spirals(KEY, 400, n_classes=n_classes, turns=1.5, noise=0)
    radius, angle = np.hypot(*x.T), np.arctan2(x[:, 1], x[:, 0])
    assert radius.max() <= 1
    turns = angle / (2 * np.pi) - 1.5 * radius - y / n_classes
    np.testing.assert_allclose(turns, np.rint(turns), atol=1e-4)


def test_blobs_are_clouds_around_their_centres() -> None:
    x, y = blobs(KEY, 3000, n_classes=3, n_features=4, std=0.5)
    assert x.shape == (3000, 4)
    for i in range(3):
        np.testing.assert_allclose(x[y == i].std(axis=0), 0.5, rtol=0.1)
        assert np.abs(x[y == i].mean(axis=0)).max() < 10.1


def test_functions_have_their_values() -> None:
    x, y = sine(KEY, noise=0)
    np.testing.assert_allclose(y, np.sin(x), atol=1e-6)
    assert np.abs(x).max() <= np.float32(np.pi)
    x, y = bowl(KEY, n_features=3)
    np.testing.assert_allclose(y[:, 0], (x**2).sum(axis=1), rtol=1e-5)
    x, y = ripple(KEY)
    r = np.hypot(*x.T)
    np.testing.assert_allclose(y[:, 0], np.sin(r) / r, atol=1e-5)
    x, y = friedman(KEY, noise=0)
    expected = [10 * np.sin(np.pi * a * b) + 20 * (c - 0.5) ** 2 + 10 * d + 5 * e for a, b, c, d, e in x[:, :5].tolist()]
    np.testing.assert_allclose(y[:, 0], expected, rtol=1e-4)
    np.testing.assert_allclose((friedman(KEY, 9000).y - friedman(KEY, 9000, noise=0).y).std(), 1, rtol=0.05)
    with pytest.raises(ValueError, match="friedman: n_features is 4, expected at least 5"):
        friedman(KEY, n_features=4)


# IDX files


@given(kind=st.sampled_from(list(TYPES)), zipped=st.booleans(), data=st.data())
def test_what_is_written_is_read(kind: str, zipped: bool, data: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    x = data.draw(arrays(np.dtype(kind), array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4)))
    path = tmp_path_factory.mktemp("idx") / "x"
    path.write_bytes(packed(idx(x)) if zipped else idx(x))
    found = read_idx(path)
    assert found.dtype == np.dtype(kind)
    assert found.dtype.isnative
    assert found.shape == x.shape
    assert np.array_equal(found, x, equal_nan=kind[0] == "f")
    assert not found.flags.writeable


def images(n: int) -> Any:
    return KEY.generator().integers(0, 256, (n, 4, 5), dtype=np.uint8)


@pytest.mark.parametrize("zipped", [False, True])
def test_mnist_reads_its_four_files(zipped: bool, tmp_path: Path) -> None:
    for part, n in (("train", 6), ("t10k", 3)):
        for name, x in (("images-idx3", images(n)), ("labels-idx1", np.arange(n, dtype=np.uint8))):
            path = tmp_path / f"{part}-{name}-ubyte{'.gz' if zipped else ''}"
            path.write_bytes(packed(idx(x)) if zipped else idx(x))
    data = mnist(tmp_path)
    assert isinstance(data, Mnist)
    assert repr(data) == "Mnist(train_x=f32[6,4,5,1], train_y=i64[6], test_x=f32[3,4,5,1], test_y=i64[3])"
    np.testing.assert_allclose(data.train_x[..., 0] * 255, images(6), rtol=1e-6)
    assert data.train_x.max() <= 1
    assert data.test_y.tolist() == [0, 1, 2]
    labels = tmp_path / f"t10k-labels-idx1-ubyte{'.gz' if zipped else ''}"
    labels.write_bytes(idx(np.arange(4, dtype=np.uint8)))
    with pytest.raises(ValueError, match=r"mnist: .*t10k-images.* has uint8\[3, 4, 5\] and .* has uint8\[4\]"):
        mnist(tmp_path)
    labels.unlink()
    with pytest.raises(FileNotFoundError, match=r"mnist: neither t10k-labels-idx1-ubyte nor t10k-labels-idx1-ubyte\.gz is in"):
        mnist(tmp_path)


WHOLE = idx(images(3))
HUGE = b"\0\0\x08\x03" + struct.pack(">III", 2**31, 2**16, 2**10) + b"abc"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"x.idx is empty; .*it is no IDX file"),
        (b"\0\0\x08", r"begins with the bytes \[00 00 08\]"),
        (b"\1\0\x08\1\0\0\0\0", "it is no IDX file"),
        (b"\0\0\x0a\1\0\0\0\0", "it is no IDX file"),
        (b"\0\0\x08\0", "it is no IDX file"),
        (b"\0\0\x08\x21" + b"\0" * 200, "it is no IDX file"),
        (b"\0\0\x08\3\0\0\0\1", "x.idx ends in its header, which should have the lengths of 3 axes"),
        (WHOLE[:-1], r"x.idx is cut off or damaged: its header says \[3, 4, 5\] numbers of 1 bytes, 76 bytes in all"),
        (WHOLE + b"x", r"x.idx is damaged: its header says .* 76 bytes in all, but the file has 77"),
        (HUGE, "x.idx is cut off or damaged: .* more than there can be in the file"),
        (packed(HUGE), "x.idx is cut off or damaged: .* more than there can be in the file"),
        (b"\0\0\x08\3" + struct.pack(">III", 0, 2**32 - 1, 2**32 - 1), "x.idx is cut off or damaged"),
        (packed(WHOLE[:-1]), "x.idx is cut off: its header says .* 76 bytes in all, but it ends after 75"),
        (packed(WHOLE + b"x"), "x.idx is damaged: .*, but more follows"),
        (packed(WHOLE)[:-9], "x.idx is a damaged gzip file: Compressed file ended"),
        (packed(WHOLE)[:-1] + b"\xff", "x.idx is a damaged gzip file"),
        (packed(WHOLE)[:10] + b"\xff" * 20, "x.idx is a damaged gzip file"),
        (packed(WHOLE) + b"rest", "x.idx is a damaged gzip file"),
        (b"\x1f\x8b", "x.idx is a damaged gzip file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_files_that_are_not_whole_say_so(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.idx"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^read_idx: .*{message}"):
        read_idx(path)


def test_a_small_file_that_unpacks_to_much_is_read_no_further_than_its_header_says(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(packed(idx(np.zeros(10, np.uint8)) + bytes(200_000_000)))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="but more follows"):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "nothing")


def test_reading_takes_the_memory_of_the_content(tmp_path: Path) -> None:
    x = np.zeros((300, 100, 100), np.uint8)
    for name, content in (("x", idx(x)), ("x.gz", packed(idx(x)))):
        (tmp_path / name).write_bytes(content)
        tracemalloc.start()
        try:
            assert read_idx(tmp_path / name).shape == x.shape
            assert tracemalloc.get_traced_memory()[1] < 2.5 * x.nbytes + 3_000_000
        finally:
            tracemalloc.stop()


def mutated(source: bytes, draw: random.Random) -> bytes:
    data = bytearray(source)
    for _ in range(draw.randint(0, 3)):
        # half of them in the header, where they do most
        i = draw.randrange(min(len(data), 20) + 1) if draw.random() < 0.5 else draw.randrange(len(data) + 1)
        match draw.randrange(4):
            case 0:
                data[i : i + 1] = bytes([draw.choice([0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)])])
            case 1:
                del data[i : i + draw.randint(1, 9)]
            case 2:
                data[i:i] = bytes([draw.randrange(256) for _ in range(draw.randint(1, 9))])
            case _:
                del data[i:]
    return bytes(data)


def fuzz(n: int, path: Path) -> None:
    draw = random.Random(0)
    sources = [
        idx(images(2)),
        idx(np.arange(7, dtype=np.uint8)),
        idx(np.ones((2, 3), np.float64)),
        idx(np.arange(4, dtype="i4")),
    ]
    read = 0
    tracemalloc.start()
    try:
        for _ in range(n):
            source, zipped = draw.choice(sources), draw.random() < 0.5
            content = mutated(packed(source) if zipped and draw.random() < 0.5 else source, draw)
            path.write_bytes(packed(content) if zipped and content[:2] == b"\0\0" else content)
            tracemalloc.reset_peak()
            before, began = tracemalloc.get_traced_memory()[0], time.perf_counter()
            try:
                found = read_idx(path)
                read += 1
                assert found.nbytes <= 1000
            except ValueError as error:
                assert str(error).startswith("read_idx: "), error  # noqa: PT017 (what else was read is fine)
            assert time.perf_counter() - began < 5
            assert tracemalloc.get_traced_memory()[1] - before < 300_000
    finally:
        tracemalloc.stop()
    assert 0.1 * n < read < 0.9 * n


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    fuzz(500, tmp_path / "x")


@pytest.mark.slow
def test_ten_thousand_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    fuzz(10_000, tmp_path / "x")
