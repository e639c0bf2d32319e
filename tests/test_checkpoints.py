"""Saving and loading trees: what comes back, what is refused, and that nothing saved is lost, whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import random
import resource
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import numpy as np
import pytest

import fnn
from fnn.arrays import is_frozen
from fnn.io.atomic import write_atomically
from fnn.io.header import BadFileError
from fnn.io.safetensors import opened

MODEL = fnn.Dense(4, 8) >> fnn.BatchNorm(8) >> fnn.relu >> fnn.Dropout(0.5) >> fnn.Dense(8, 3)
OPT = fnn.Adam(1e-2)
STEP = fnn.train_step(fnn.supervised(MODEL, fnn.cross_entropy), OPT)


def train_state(seed: int = 0, *, steps: int = 0) -> Any:
    ts: Any = fnn.start(MODEL, OPT, fnn.key(seed))
    x = np.random.default_rng(seed).normal(size=(6, 4)).astype(np.float32)
    for _ in range(steps):
        ts, _ = STEP(ts, x, np.arange(6) % 3)
    return ts


# What comes back


@dataclass(frozen=True)
class Mixed:
    weight: Any
    name: str
    rate: float
    flag: bool
    nothing: None
    inner: Any


class Pair(NamedTuple):
    a: Any
    b: Any


def test_a_train_state_comes_back_bit_by_bit_and_with_its_types(tmp_path: Path) -> None:
    ts = train_state(steps=3)
    fnn.save(tmp_path / "ts", ts)
    back = fnn.load(tmp_path / "ts", train_state(seed=1))
    assert back == ts
    assert (back.step, back.opt.step, back.opt.made_by, back.key) == (3, 3, "Adam", ts.key)
    assert type(back.params) is tuple
    assert type(back.opt.slots) is dict
    for kept, leaf in zip(fnn.tree.leaves(ts), fnn.tree.leaves(back), strict=True):
        assert leaf.tobytes() == kept.tobytes()
        assert not leaf.flags.writeable
        assert is_frozen(leaf)


NANS = [
    (2, [0x7E01, 0x7C01, 0xFE55]),
    (4, [0x7FC00001, 0x7F800001, 0xFFC12345]),
    (8, [0x7FF8000000000001, 0x7FF0000000000001, 0xFFF8123456789ABC]),
]
VALUES = [
    *[
        np.arange(6).reshape(2, 3).astype(code)
        for code in ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]
    ],
    np.arange(24.0).reshape(4, 6)[::2, ::-3],
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.broadcast_to(np.arange(3.0), (4, 3)),
    np.arange(5, dtype=">f8"),
    np.arange(6, dtype=">i2").reshape(2, 3).T,
    np.array(3.5),
    np.zeros((0, 3), np.float32),
    np.zeros((2, 0, 0), np.int8),
    np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324]),
    # every NaN has a payload: quiet, signalling, negative
    *[np.array(bits, f">u{n}" if big else f"=u{n}").view(f">f{n}" if big else f"f{n}") for n, bits in NANS for big in (0, 1)],
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{value.dtype.str}{list(value.shape)}")
def test_every_kind_of_array_comes_back(value: Any, tmp_path: Path) -> None:
    fnn.save(tmp_path / "file", (value, value))
    back = fnn.load(tmp_path / "file", (np.zeros_like(value), value))[0]
    assert type(back) is np.ndarray
    assert (back.shape, back.dtype) == (value.shape, value.dtype.newbyteorder("="))
    same = value.byteswap() if value.dtype.byteorder == ">" else value
    assert back.tobytes() == same.tobytes()  # astype would quieten a NaN
    assert back.flags.aligned


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "i2", "u2", "f2", "i4", "u4", "f4", "i8", "u8", "f8"])
def test_arrays_with_any_strides_come_back(dtype: str, tmp_path: Path) -> None:
    base = np.arange(4 * 5 * 6).reshape(4, 5, 6) % 7 % 2 if dtype == "?" else np.arange(4 * 5 * 6).reshape(4, 5, 6)
    cuts = (slice(None), slice(None, None, -1), slice(None, None, 2), slice(3, 0, -2), slice(2, 3), slice(0), 1)
    views = []
    for code in (f"={dtype}", f">{dtype}"):
        whole: Any = base.astype(code)
        views += [whole[cut] for cut in product(cuts, repeat=3)] + [whole[cut].T for cut in product(cuts, repeat=3)]
        views += [np.broadcast_to(whole[:1, 0, 0], 3), np.broadcast_to(whole[:, :1, 0], (4, 3))]
    values = [np.asarray(view) for view in views]
    assert {value.ndim for value in values} == {0, 1, 2, 3}
    fnn.save(tmp_path / "file", values)
    for back, value in zip(fnn.load(tmp_path / "file", values), values, strict=True):
        assert (back.shape, back.dtype) == (value.shape, value.dtype.newbyteorder("="))
        assert back.tolist() == value.tolist()


def test_scalars_containers_and_static_values_come_back(tmp_path: Path) -> None:
    def tree(n: int) -> Any:
        mixed = Mixed(np.full(2, float(n)), f"n{n}", n / 3, n > 1, None, [np.float32(n), np.int64(n), np.bool_(n)])
        named = {"a.b": np.ones(n and 1), "": np.ones(1), "ü x": n, "'q'": -n, 3: np.ones(1), "__metadata__": np.ones(1)}
        nested = {"a": {"b": np.zeros(1)}, "\ud800": n, "[0]": n, "e": (), "f": {}, "g": 2.0**n, "big": 2**127 + n}
        return {
            "m": mixed,
            "p": Pair(np.ones(1), (n, "\n\x00\ud800é")),
            "d": named,
            "n": nested,
            "floats": [1e308 * n, -0.0 * n],
        }

    fnn.save(tmp_path / "file", tree(2))
    back = fnn.load(tmp_path / "file", tree(1))
    assert fnn.tree.equal(back, tree(2))
    assert type(back["m"].inner[0]) is np.float32
    assert type(back["p"]) is Pair


def test_nan_and_infinity_as_static_values_come_back(tmp_path: Path) -> None:
    fnn.save(tmp_path / "file", {"x": float("nan"), "y": float("-inf")})
    back = fnn.load(tmp_path / "file", {"x": 0.0, "y": 0.0})
    assert np.isnan(back["x"])
    assert back["y"] == -np.inf


@pytest.mark.parametrize("value", [np.arange(3.0), None, 7, (), {}], ids=repr)
def test_a_root_that_is_no_container_of_arrays_comes_back(value: Any, tmp_path: Path) -> None:
    fnn.save(tmp_path / "file", value)
    assert fnn.tree.equal(fnn.load(tmp_path / "file", value), value)


def test_functions_are_kept_by_name_and_must_be_the_same(tmp_path: Path) -> None:
    fnn.save(tmp_path / "file", {"f": fnn.relu, "w": np.ones(1), "d": np.dtype(np.float32)})
    assert fnn.load(tmp_path / "file", {"f": fnn.relu, "w": np.zeros(1), "d": np.dtype(np.float32)})["f"] is fnn.relu
    with pytest.raises(ValueError, match=r"at \['f'\] it has name fnn.*relu, expected name fnn.*tanh"):
        fnn.load(tmp_path / "file", {"f": fnn.tanh, "w": np.zeros(1), "d": np.dtype(np.float32)})


def test_names_are_those_that_pytorch_would_give() -> None:
    params, _ = fnn.init(MODEL, fnn.key(0))
    names = ["0.weight", "0.bias", "1.scale", "1.shift", "4.weight", "4.bias"]
    assert list(fnn.io.to_dict(params)) == names
    odd: Any = {"a.b": np.ones(1), 3: np.ones(2), "x": [np.ones(3)], "'": np.ones(4), "step": 3}
    assert {name: a.size for name, a in fnn.io.to_dict(odd).items()} == {"'a.b'": 1, "[3]": 2, "x.0": 3, '"\'"': 4}


def test_arrays_by_name_go_back_into_a_tree() -> None:
    params, _ = fnn.init(MODEL, fnn.key(0))
    like, _ = fnn.init(MODEL, fnn.key(1))
    assert fnn.io.from_dict(fnn.io.to_dict(params), like) == params
    mine = np.ones(2)
    kept = fnn.io.from_dict({"a": mine}, {"a": np.zeros(2), "n": 3})
    mine[0] = 5
    assert fnn.tree.equal(kept, {"a": np.ones(2), "n": 3})
    with pytest.raises(ValueError, match=r"from_dict: the dict does not fit: at b it has f64\[1\], expected nothing"):
        fnn.io.from_dict({"a": mine, "b": np.ones(1)}, {"a": mine})
    with pytest.raises(TypeError, match="from_dict: 'a' is a list, expected an array"):
        fnn.io.from_dict({"a": [1.0]}, {"a": mine})  # type: ignore[dict-item]  # what the test is about


def test_metadata_and_contents_are_read_without_the_arrays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    fnn.save(path, train_state(), metadata={"epoch": "7", "ü\n": '"'}, spec=MODEL)
    expected = {"epoch": "7", "ü\n": '"', "fnn.version": fnn.__version__, "fnn.spec": repr(MODEL)}
    assert fnn.io.read_metadata(path) == expected
    info = fnn.io.inspect(path)
    assert info.metadata == expected
    assert tuple(info.arrays["params.0.weight"]) == ((4, 8), np.float32)
    assert info.values["step"] == "0"
    assert info.values["opt.made_by"] == '"Adam"'


@pytest.mark.parametrize(
    ("metadata", "error", "message"),
    [
        ({"a": 1}, TypeError, "save: the metadata have 'a': 1, expected texts"),
        ({1: "a"}, TypeError, "expected texts"),
        ({"fnn.version": "9"}, ValueError, "'fnn.version', but what begins with 'fnn.' is fnn's own"),
    ],
)
def test_metadata_are_texts_of_ones_own(metadata: Any, error: type[Exception], message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        fnn.save(tmp_path / "file", (), metadata=metadata)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": np.ones(2, complex)}, r"save: \['a'\] is c128\[2\], and .*; save its .real and .imag"),
        ((np.array(["a"]),), r"save: \[0\] is str32\[1\], and a file holds bool"),
        ((np.ones(2, np.longdouble),), r"save: \[0\] is f128"),
        ({"a": object()}, r"save: \['a'\] is <object.*, a object, and a file holds arrays, None"),
        ({"a": b"x"}, "is b'x', a bytes"),
    ],
)
def test_what_a_file_cannot_hold_is_a_type_error_with_its_path(value: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=message):
        fnn.save(tmp_path / "file", value)
    assert not any(tmp_path.iterdir())


# What does not fit


BASE = {"w": np.ones((2, 3), np.float32), "t": (np.zeros(2), 1), "o": None, "s": "x"}


@pytest.mark.parametrize(
    ("like", "message"),
    [
        ({**BASE, "w": np.ones((3, 2), np.float32)}, r"at \['w'\] it has f32\[2,3\], expected f32\[3,2\]"),
        ({**BASE, "w": np.ones((2, 3))}, r"at \['w'\] it has f32\[2,3\], expected f64\[2,3\]"),
        ({**BASE, "v": np.ones(1)}, r"at \['v'\] it has nothing, expected f64\[1\]"),
        ({k: v for k, v in BASE.items() if k != "w"}, r"at w it has f32\[2,3\], expected nothing"),
        ({**BASE, "t": [np.zeros(2), 1]}, r"at \['t'\] it has a tuple, expected a list$"),
        ({**BASE, "t": Pair(np.zeros(2), 1)}, r"at \['t'\] it has a tuple, expected a Pair$"),
        ({**BASE, "t": (np.zeros(2), 1.0)}, r"at \['t'\]\[1\] it has 1, expected a float"),
        ({**BASE, "t": (np.zeros(2), True)}, r"at \['t'\]\[1\] it has 1, expected a bool"),
        ({**BASE, "t": (np.zeros(2), None)}, r"at \['t'\]\[1\] it has 1, expected None"),
        ({**BASE, "t": (np.zeros(2), np.ones(1))}, r"at \['t'\]\[1\] it has 1, expected f64\[1\]"),
        ({**BASE, "t": (np.zeros(2),)}, r"at t.1 it has 1, expected nothing"),
        ({**BASE, "o": np.ones(1)}, r"at \['o'\] it has None, expected f64\[1\]"),
        ({**BASE, "o": (1, 2)}, r"at \['o'\] it has None, expected a tuple$"),
        ({**BASE, "w": None}, r"at \['w'\] it has f32\[2,3\], expected None"),
        ({**BASE, "s": 3}, r"at \['s'\] it has \"x\", expected an int"),
        ((1, 2), "at the root it has a dict, expected a tuple$"),
        ({**{f"x{i}": np.ones(1) for i in range(6)}, **BASE}, r"expected f64\[1\]; and 1 more$"),
    ],
)
def test_a_mismatch_says_where_what_there_is_and_what_was_expected(like: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    fnn.save(path, BASE)
    with pytest.raises(ValueError, match=f"^load: {path} does not fit: .*{message}"):
        fnn.load(path, like)


def test_the_state_of_another_optimizer_or_of_other_parameters_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    fnn.save(path, train_state().opt)
    params = train_state().params
    with pytest.raises(ValueError, match=r'at \.made_by it has "Adam", expected "AdamW"'):
        fnn.load(path, fnn.AdamW(1e-2).init(params))
    renamed = fnn.OptState(0, train_state().opt.slots, OPT.init({"other": params}).layout, "Adam")
    with pytest.raises(ValueError, match=r"at \.layout it has layout float32 \[0\]\.weight\[4, 8\]"):
        fnn.load(path, renamed)


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    def forge(bits: int) -> Any:
        key = fnn.key(0)
        key.__dict__["bits"] = bits
        return key

    for bits in (-1, 2**128):
        fnn.save(tmp_path / "file", forge(bits))
        with pytest.raises(ValueError, match=r"at \.bits it has -?\d+, expected an int of 128 bits"):
            fnn.load(tmp_path / "file", fnn.key(0))


def test_records_with_other_names_and_the_same_fields_fit(tmp_path: Path) -> None:
    fnn.save(tmp_path / "file", Pair(np.ones(2), 3))
    Other = NamedTuple("Other", [("a", Any), ("b", Any)])  # noqa: UP014
    assert fnn.tree.equal(fnn.load(tmp_path / "file", Other(np.zeros(2), 0)), Other(np.ones(2), 3))


# What a class leaves open


C = TypeVar("C")


class Told(NamedTuple):
    word: str | None
    more: tuple[str, ...]


NOT_TOLD = Told(None, ())


@dataclass(frozen=True)
class Loop:
    best: float | None = None
    rate: float = 0.0
    losses: tuple[float, ...] = ()
    notes: list[str | None] = field(default_factory=list)
    steps: Sequence[int] = ()
    told: Told = NOT_TOLD
    mode: Literal["min", "max"] = "min"
    pair: tuple[float | None, int] = (None, 0)
    by_name: dict[str, int | None] | None = field(default_factory=lambda: dict.fromkeys("a"))
    several: tuple[tuple[int, ...], ...] = ((), ())


LONG = Loop(
    0.5, 1, (1.0, float("inf"), 3), ["a", None, "b.0"], (1, 2), Told("x", ("y", "z")), "max", (0.5, 2), {"a": 3}, ((1, 2), (3,))
)  # fmt: skip


@pytest.mark.parametrize("saved", [Loop(), LONG])
@pytest.mark.parametrize("like", [Loop(), LONG])
def test_what_a_class_leaves_open_the_file_decides(saved: Loop, like: Loop, tmp_path: Path) -> None:
    fnn.save(tmp_path / "file", (saved, saved))
    back = fnn.load(tmp_path / "file", (like, LONG))
    assert back == (saved, saved)
    for name in saved.__dataclass_fields__:
        assert type(getattr(back[0], name)) is type(getattr(saved, name))
    assert repr(back[0]) == repr(saved)


loose_loop: Any = Loop


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        (loose_loop(best="x"), r'at \.best it has "x", expected a float or None'),
        (loose_loop(best=True), r"at \.best it has true, expected a float or None"),
        (loose_loop(best=np.ones(1)), r"at \.best it has f64\[1\], expected a float or None"),
        (loose_loop(best=(1.0,)), r"at \.best it has a tuple, expected a float or None$"),
        (loose_loop(rate=None), r"at \.rate it has None, expected a float"),
        (loose_loop(losses=(1.0, "x")), r'at \.losses\[1\] it has "x", expected a float$'),
        (loose_loop(losses=(1.0, np.ones(1))), r"at losses\.1 it has f64\[1\], expected nothing"),
        (loose_loop(losses=[1.0]), r"at \.losses it has a list, expected a tuple$"),
        (loose_loop(losses=None), r"at \.losses it has None, expected a tuple$"),
        (loose_loop(losses=((1.0,),)), r"at losses\.0 it has a tuple, expected nothing"),
        (loose_loop(notes=["a", 3]), r"at \.notes\[1\] it has 3, expected a str or None"),
        (loose_loop(mode="sum"), r'at \.mode it has "sum", expected "min" or "max"'),
        (loose_loop(pair=(1.0, 2, 3)), r"at pair\.2 it has 3, expected nothing"),
        (loose_loop(pair=(1.0, None)), r"at \.pair\[1\] it has None, expected an int"),
        (loose_loop(by_name={"a": "x"}), r"at \.by_name\['a'\] it has \"x\", expected an int or None"),
        (loose_loop(by_name={"b": 1}), r"at \.by_name\['a'\] it has nothing, expected an int or None; at by_name\.b it has 1"),
        (loose_loop(several=((1,), (2,), (3,))), r"at several\.2 it has a tuple, expected nothing"),
        (loose_loop(several=((1,), (2.5,))), r"at \.several\[1\]\[0\] it has 2.5, expected an int"),
        (loose_loop(told=Told(3, ())), r"at \.told\.word it has 3, expected a str or None"),  # type: ignore[arg-type]  # as the others
    ],
)
def test_what_a_class_does_not_allow_is_refused(saved: Any, message: str, tmp_path: Path) -> None:
    fnn.save(tmp_path / "file", saved)
    with pytest.raises(ValueError, match=message):
        fnn.load(tmp_path / "file", Loop())


@dataclass(frozen=True)
class Vague(Generic[C]):
    anything: Any
    generic: tuple[C, ...]
    trees: tuple[Pair, ...] = ()


@dataclass(frozen=True)
class Unknown:
    best: OnlyForCheckers | None  # type: ignore[name-defined]  # noqa: F821 (what the test is about)
    other: float | None = None


def test_where_nothing_is_declared_the_file_must_have_what_like_has(tmp_path: Path) -> None:
    path = tmp_path / "file"
    pair = Pair(np.ones(1), 2)
    fnn.save(path, Vague(1, ("a", "b"), (pair,)))
    back = fnn.load(path, Vague(0, ("x",), (pair,)))
    assert (back.anything, back.generic) == (1, ("a", "b"))
    for like, message in (
        (Vague(None, ("x",), (pair,)), r"at \.anything it has 1, expected None"),
        (Vague(0, (1,), (pair,)), r'at \.generic\[0\] it has "a", expected an int'),
        (Vague(0, (1, "x"), (pair,)), r'at \.generic\[0\] it has "a", expected an int$'),
        (Vague(0, (), (pair,)), r'at generic\.0 it has "a", expected nothing'),
        (Vague(0, ("x",)), r"at trees\.0 it has a Pair, expected nothing"),
    ):
        with pytest.raises(ValueError, match=message):
            fnn.load(path, like)
    fnn.save(path, Unknown(0.5))
    with pytest.raises(ValueError, match=r"at \.best it has 0.5, expected None"):
        fnn.load(path, Unknown(None))
    for saved, bare in (({"n": 1}, {"n": None}), ((1.0, 2.0), (1.0,)), ([1.0], [])):
        fnn.save(path, saved)
        with pytest.raises(ValueError, match="does not fit: at"):
            fnn.load(path, bare)


def test_a_part_that_is_not_what_was_declared_comes_back_as_it_is(tmp_path: Path) -> None:
    fnn.save(tmp_path / "file", loose_loop(pair=(1.0, 2, 3), rate="x"))
    back = fnn.load(tmp_path / "file", loose_loop(pair=(0.0, 0, 0), rate=""))
    assert (back.pair, back.rate) == ((1.0, 2, 3), "x")


def test_a_forged_item_is_refused(tmp_path: Path) -> None:
    kinds = {"fnn.kind:": "Loop", "fnn.kind:losses": "tuple"}
    for text in ("", "x", "[1]", "9" * 5000):
        (tmp_path / "file").write_bytes(with_metadata({**kinds, "fnn.value:losses.0": text}))
        with pytest.raises(ValueError, match=r"at \.losses\[0\] it has .*, expected a float"):
            fnn.load(tmp_path / "file", Loop())


def machines(ts: Any, done: int) -> Any:
    """All that decides in a loop, after so many values."""
    stopping = fnn.EarlyStopping(3, ts, maximize=True)
    kept = fnn.KeepBest(3, ts)
    plateau, guard = fnn.optim.ReduceOnPlateau(patience=1, cooldown=2), fnn.StopOnNan()
    for i, value in enumerate([0.5, 0.25, 0.75, 0.5, 1.0][:done]):
        ts = train_state(i + 1, steps=1)
        stopping, kept, plateau = stopping.update(value, ts), kept.update(value, ts), plateau.update(value)
        guard = guard.update(np.nan if i == 3 else value, ts)
    words = fnn.data.OneHot.fit(["a", "b", "c"] if done else ["?"])
    numbers = fnn.data.OneHot.fit(list(range(done + 1)), unseen="zeros" if done else "error")
    return {"ts": ts, "machines": (stopping, kept, plateau, guard), "maps": [words, numbers]}


@pytest.mark.parametrize("done", range(6))
def test_what_decides_in_a_loop_goes_on_from_what_the_loop_begins_with(done: int, tmp_path: Path) -> None:
    checkpoints = fnn.io.Checkpoints(tmp_path)
    new, later = machines(train_state(), 0), machines(train_state(), done)
    assert checkpoints.resume(new) is new
    checkpoints.save(later, step=done)
    back = checkpoints.resume(new)
    assert back["ts"] == later["ts"]
    assert (back["machines"], back["maps"]) == (later["machines"], later["maps"])
    assert repr(back) == repr(later)
    for value in (2.0, 0.1, 0.1):
        for way in (later, back):
            stopping, kept, plateau, _ = way["machines"]
            way["machines"] = stopping.update(value, way["ts"]), kept.update(value, way["ts"]), plateau.update(value), None
        assert back["machines"] == later["machines"]


# The package safetensors and PyTorch


def test_the_package_reads_what_fnn_writes(tmp_path: Path) -> None:
    safe = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    tree = {f"a{i}": value for i, value in enumerate(VALUES)}
    fnn.save(tmp_path / "file", tree, metadata={"ü": "x"})
    found = safe.load_file(tmp_path / "file")
    assert found.keys() == tree.keys()
    for name, value in tree.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].shape == value.shape
    with pytest.importorskip("safetensors").safe_open(tmp_path / "file", "numpy") as file:
        assert file.metadata()["ü"] == "x"


def test_fnn_reads_what_the_package_writes(tmp_path: Path) -> None:
    safe = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    tree = {f"a{i}": np.array(value, value.dtype.newbyteorder("="), order="C") for i, value in enumerate(VALUES)}
    safe.save_file(tree, tmp_path / "file", metadata={"ü": "\n"})
    back = fnn.load(tmp_path / "file", {**tree, "mine": 3})
    assert fnn.tree.equal(back, {**tree, "mine": 3})
    assert fnn.tree.equal(
        fnn.io.read_arrays(tmp_path / "file"), {name: back[name] for name in fnn.io.read_arrays(tmp_path / "file")}
    )
    assert fnn.io.read_metadata(tmp_path / "file") == {"ü": "\n"}


def test_pytorch_reads_parameters(tmp_path: Path) -> None:
    torch_files = pytest.importorskip(
        "safetensors.torch", reason="PyTorch or safetensors is not installed", exc_type=ImportError
    )
    params = train_state(steps=1).params
    fnn.save(tmp_path / "file", params)
    found = torch_files.load_file(tmp_path / "file")
    assert found.keys() == fnn.io.to_dict(params).keys()
    for name, array in fnn.io.to_dict(params).items():
        np.testing.assert_array_equal(found[name].numpy(), array)


# Files of strangers


def file_of(header: bytes | str, data: bytes = b"", length: int | None = None) -> bytes:
    raw = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def entry(dtype: str = "F32", shape: str = "[1]", offsets: str = "[0,4]") -> str:
    return f'{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}'


HOSTILE: list[tuple[bytes, str]] = [
    (b"", "it has 0 bytes, and a safetensors file at least 8"),
    (b"1234567", "it has 7 bytes"),
    (file_of("{}", length=2**64 - 1), "claims 18446744073709551615 bytes, and 2 follow: the file is torn"),
    (file_of("{}", length=3), "claims 3 bytes, and 2 follow"),
    (file_of(""), "the header has '' at character 0, expected an opening brace"),
    (file_of("[]"), "expected an opening brace"),
    (file_of('{"a":1}'), "expected an object, the entry of 'a'"),
    (file_of("{} x"), "' x' at character 2, expected its end"),
    (file_of('{"a":' + entry()), "expected a comma or a closing brace"),
    (file_of('{"a":' + entry() + ",}", b"1234"), "expected a string"),
    (file_of(b'{"\xff":{}}'), "no UTF-8: invalid start byte at byte 2"),
    (file_of('{"\\ud800":' + entry() + "}", b"1234"), "broken string at character 1"),
    (file_of('{"\n":' + entry() + "}", b"1234"), "broken string"),
    (file_of('{"\\x":' + entry() + "}", b"1234"), "broken string"),
    (file_of('{"a'), "broken string"),
    (file_of('{"a":' + entry() + ',"a":' + entry() + "}", b"1234"), "the name 'a' twice"),
    (file_of('{"__metadata__":{},"__metadata__":{}}'), "the name '__metadata__' twice"),
    (file_of('{"__metadata__":{"a":"b","a":"c"}}'), "the metadata have the key 'a' twice"),
    (file_of('{"__metadata__":{"a":1}}'), "expected a string"),
    (file_of('{"__metadata__":{"a":{"b":"c"}}}'), "expected a string"),
    (file_of('{"__metadata__":[]}'), "expected an object of texts"),
    (file_of('{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', b"1234"), "'a' has its dtype twice"),
    (file_of('{"a":{"dtype":"F32","shape":[1]}}'), r"'a' has \['dtype', 'shape'\], expected"),
    (file_of('{"a":{}}'), "expected dtype, shape or data_offsets of 'a'"),
    (file_of('{"a":{"dtype":"F32","shape":[1],"x":[0]}}'), "expected dtype, shape or data_offsets of 'a'"),
    (file_of('{"a":' + entry("BF16", "[2]") + "}", b"1234"), "'a' is BF16, which NumPy does not have"),
    (
        file_of('{"a":' + entry(shape="[2]") + "}", b"1234"),
        r"shape \[2\], which is 8 bytes, but its data_offsets \[0, 4\] leave 4",
    ),
    (file_of('{"a":' + entry(shape="[-1]") + "}", b"1234"), "expected dtype, shape"),
    (file_of('{"a":' + entry(shape="[1.0]") + "}", b"1234"), "expected dtype, shape"),
    (file_of('{"a":' + entry(shape="[01]") + "}", b"1234"), "expected whole numbers of at most 19 digits"),
    (file_of('{"a":' + entry(shape="[1,]") + "}", b"1234"), "expected whole numbers"),
    (file_of('{"a":' + entry(shape="[1 1]") + "}", b"1234"), "expected whole numbers"),
    (file_of('{"a":' + entry(shape="[٣]") + "}", b"1234"), "expected dtype, shape"),
    (file_of('{"a":' + entry(shape=f"[{'9' * 5000}]") + "}", b"1234"), "expected dtype, shape"),
    (file_of('{"a":' + entry(shape="[4611686018427387904]") + "}", b"1234"), "which is 18446744073709551616 bytes"),
    (file_of('{"a":' + entry(shape="[0,9223372036854775807,9]", offsets="[0,0]") + "}"), "'a' has the shape"),
    (file_of('{"a":' + entry(shape=f"[{','.join('1' * 65)}]") + "}", b"1234"), "has 65 axes"),
    (file_of('{"a":' + entry(offsets="[4,0]") + "}", b"1234"), r"data_offsets \[4, 0\], expected where"),
    (file_of('{"a":' + entry(offsets="[0]") + "}", b"1234"), r"data_offsets \[0\], expected where"),
    (file_of('{"a":' + entry(offsets="[4,8]") + "}", b"12345678"), "begins at byte 4, which leaves a gap behind byte 0"),
    (file_of('{"a":' + entry() + ',"b":' + entry() + "}", b"1234"), "'b' begins at byte 0, which overlaps with another"),
    (file_of('{"a":' + entry() + ',"b":' + entry(offsets="[2,6]") + "}", b"123456"), "overlaps"),
    (file_of('{"a":' + entry() + "}", b"123"), "take 4 bytes, but 3 follow the header: the file is torn"),
    (file_of('{"a":' + entry() + "}", b"12345"), "but 5 follow the header: the file is longer than it should be"),
    (file_of('{"a":' + entry("BOOL", "[4]") + "}", b"\0\1\2\1"), "'a' is BOOL, but one of its bytes is 2"),
    (file_of('{"__metadata__":{"fnn.version":"1"},"a":' + entry() + "}", b"1234"), "fnn wrote it, but not with this checksum"),
    (file_of("[" * 100_000), "expected an opening brace"),
    (file_of('{"a":' * 100_000), "expected dtype, shape"),
]


@pytest.mark.parametrize(("content", "message"), HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_file_is_refused_with_its_path_and_the_reason(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(BadFileError, match=f"^{path}: .*{message}"):
        fnn.io.read_arrays(path)
    with pytest.raises(ValueError, match=f"^{path}: "):
        fnn.load(path, {"a": np.ones(1)})


def test_spaces_and_any_order_of_fields_are_fine(tmp_path: Path) -> None:
    header = ' { "b" : {"data_offsets" : [ 4 , 8 ], "shape":[ 1, 1 ] , "dtype" : "F32"} ,\n"a":' + entry("I32", "[]") + "}\t "
    (tmp_path / "file").write_bytes(file_of(header, struct.pack("<if", 7, 0.5)))
    found = fnn.io.read_arrays(tmp_path / "file")
    assert list(found) == ["b", "a"]
    assert found["a"].tolist() == 7
    assert found["b"].tolist() == [[0.5]]


def with_metadata(texts: dict[str, str]) -> bytes:
    """A file with these metadata and the checksum that is right for it."""
    raw = json.dumps({"__metadata__": {"fnn.checksum": "crc32:00000000", **texts}}, separators=(",", ":")).encode()
    raw = struct.pack("<Q", len(raw)) + raw
    return raw.replace(b"crc32:00000000", b"crc32:%08x" % zlib.crc32(raw), 1)


@pytest.mark.parametrize(
    "text", ["", "x", "[]", "{}", "[" * 10_000, "9" * 5000, "1e5", "true", '"a', "null", "layout"], ids=lambda text: text[:9]
)
def test_a_forged_static_value_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(with_metadata({"fnn.kind:": "dict", "fnn.value:n": text}))
    with pytest.raises(ValueError, match=r"does not fit: at \['n'\] it has .*, expected an int"):
        fnn.load(tmp_path / "file", {"n": 3})
    assert len(fnn.io.inspect(tmp_path / "file").values["n"]) == len(text)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(ValueError, match=f"^{path}: this is no regular file"):
            fnn.io.read_arrays(path)
    with pytest.raises(FileNotFoundError):
        fnn.load(tmp_path / "nothing", ())


@pytest.mark.parametrize(
    "header", ['{"a":' * 400_000, "[" * 2_000_000, '{"__metadata__":{"' + "x" * 2_000_000], ids=["a", "b", "c"]
)
def test_reading_allocates_in_proportion_to_the_file(header: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(file_of(header))
    tracemalloc.start()
    with pytest.raises(BadFileError):
        fnn.io.read_arrays(tmp_path / "file")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * len(header)


EMPTY = '":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
LARGE_HEADERS: dict[str, Callable[[int], str]] = {
    "arrays": lambda n: "{" + ",".join([f'"{i:x}{EMPTY}' for i in range(n // 60)]) + "}",
    "axes": lambda n: "{" + ",".join([f'"{i:x}{EMPTY}'.replace("[0]", str([0] * 64)) for i in range(n // 250)]) + "}",
    "metadata": lambda n: '{"__metadata__":{' + ",".join([f'"{i:x}":""' for i in range(n // 10)]) + "}}",
    "values": lambda n: with_metadata({f"fnn.value:{i:x}": "1" for i in range(n // 20)})[8:].decode(),
    "wide text": lambda n: '{"__metadata__":{"a":"\U0001f600' + "x" * n + '"}}',
    "wide key": lambda n: '{"__metadata__":{"\U0001f600' + "x" * n + '":""}}',
    "escapes": lambda n: '{"__metadata__":{"a":"' + "\\n" * (n // 2) + '"}}',
    "name": lambda n: '{"' + "x" * n + EMPTY + "}",
    "spaces": lambda n: '{"x' + EMPTY + "}" + " " * n,
}


@pytest.mark.parametrize("name", LARGE_HEADERS)
def test_a_large_header_allocates_no_more_than_a_multiple_of_itself(name: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(file_of(LARGE_HEADERS[name](400_000)))
    size = path.stat().st_size
    assert size > 300_000
    for read in (lambda: fnn.io.read_arrays(path), lambda: fnn.io.inspect(path), lambda: fnn.load(path, {"a": np.ones(1)})):
        tracemalloc.start()
        with suppress(ValueError):
            read()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 16 * size


@pytest.mark.parametrize("claim", [2**31, 2**40, 2**62, 2**63 - 8])
def test_what_a_header_claims_is_not_allocated(claim: int, tmp_path: Path) -> None:
    path, like = tmp_path / "file", {"a": np.ones(1, np.int8)}
    claims = [
        file_of("{}", length=claim),
        file_of('{"a":' + entry("I8", f"[{claim}]", f"[0,{claim}]") + "}", b"1234"),
        file_of('{"a":' + entry("I8", f"[0,{claim}]", "[0,0]") + "}"),
        file_of('{"a":' + entry("F64", f"[{claim},0,0]", "[0,0]") + "}"),
    ]
    for content in claims:
        path.write_bytes(content)
        for read in (lambda: fnn.io.read_arrays(path), lambda: fnn.io.inspect(path), lambda: fnn.load(path, like)):
            tracemalloc.start()
            with suppress(ValueError):
                read()
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 100_000


def test_a_message_says_a_strange_name_shortly_and_without_control_characters(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(file_of('{"\\u001b[2J' + "x" * 100_000 + EMPTY + "}"))
    with pytest.raises(ValueError, match=r"x{100}") as caught:
        fnn.load(path, {})
    message = str(caught.value).removeprefix(f"load: {path}")
    assert message.isprintable()
    assert len(message) < 500


def test_reading_a_large_file_allocates_it_once(tmp_path: Path) -> None:
    tree = [np.ones(1_000_000), np.ones(1_000_000)]
    fnn.save(tmp_path / "file", tree)
    for read in (lambda: fnn.io.read_arrays(tmp_path / "file"), lambda: fnn.load(tmp_path / "file", tree)):
        tracemalloc.start()
        read()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 16_300_000


def test_writing_a_large_tree_copies_nothing(tmp_path: Path) -> None:
    tree = [np.ones(1_000_000), np.ones(1_000_000)]
    tracemalloc.start()
    fnn.save(tmp_path / "file", tree)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300_000


def test_each_array_begins_at_a_multiple_of_its_items_size(tmp_path: Path) -> None:
    for n in range(1, 9):  # names of other lengths move what follows
        fnn.save(tmp_path / "file", {"a" * n: np.ones(1, bool), "b": np.ones(3, np.int16), "c": np.ones(1), "d": np.float32(1)})
        with opened(tmp_path / "file") as (_, contents):
            for each in contents.entries.values():
                assert (len(contents.raw) + each.start) % each.dtype.itemsize == 0


def mutated(content: bytes, rng: random.Random) -> bytes:
    """A file like this one, with damage of one of many kinds."""
    header_end = 8 + struct.unpack("<Q", content[:8])[0]
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 8])):
        kind = rng.randrange(7)
        place = rng.randrange(header_end if rng.random() < 0.8 else len(data)) if data else 0
        if kind == 0 and data:
            data[place % len(data)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[place:]
        elif kind == 2:
            del data[place : place + rng.randrange(1, 9)]
        elif kind == 3:
            data[place:place] = rng.choice([b"{", b"[", b'"', b"9" * 20, b"0", b",", b"\\u0000", b"\xff", b"-", b"e5"])
        elif kind == 4:
            start = rng.randrange(len(data) + 1)
            data[place:place] = data[start : start + rng.randrange(64)]
        elif kind == 5:
            data[:8] = struct.pack("<Q", rng.choice([0, 1, len(data), 2**63, 2**64 - 1, rng.randrange(400)]))
        else:
            digits = [i for i in range(8, min(header_end, len(data))) if chr(data[i]).isdigit()]
            if digits:
                data[rng.choice(digits)] = ord(rng.choice("0123456789"))
    if rng.random() < 0.5:  # else most would stop at the length
        end = max(header_end + len(data) - len(content), 8)
        data[:8] = struct.pack("<Q", end - 8)
    return bytes(data)


def fuzz(count: int, folder: Path) -> None:
    like = {"w": np.ones((2, 3), np.float32), "n": 3, "b": np.ones(4, bool), "t": (np.ones(2), "x"), "e": np.ones((0, 2))}
    path = folder / "file"
    fnn.save(path, like)
    ours = path.read_bytes()
    # the same without a checksum, as other programs write it, so that damage gets further
    entries = ",".join(
        [
            '"w":' + entry("F32", "[2,3]", "[16,40]"),
            '"b":' + entry("BOOL", "[4]", "[40,44]"),
            '"t.0":' + entry("F64", "[2]", "[0,16]"),
            '"e":' + entry("F64", "[0,2]", "[0,0]"),
        ]
    )
    other = file_of('{"__metadata__":{"a":"b"},' + entries + "}", bytes(40) + b"\0\1\0\1")
    path.write_bytes(other)
    fnn.load(path, like)
    rng = random.Random(0)
    fine = 0
    tracemalloc.start()
    for i in range(count):
        content = mutated((ours, other)[i % 2], rng)
        path.write_bytes(content)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        began = time.monotonic()
        for read in (lambda: fnn.load(path, like), lambda: fnn.io.inspect(path), lambda: fnn.io.read_arrays(path)):
            try:
                read()
                fine += 1
            except ValueError as error:
                assert str(path) in str(error)  # noqa: PT017 (it may also give none)
        assert tracemalloc.get_traced_memory()[1] - before < 200_000
        assert time.monotonic() - began < 5
        if i % 2 == 0 and content != ours:  # every damage of a file of fnn's is found
            with pytest.raises(ValueError, match=str(path)):
                fnn.load(path, like)
    tracemalloc.stop()
    assert 0 < fine < 2 * count


def test_damaged_files_give_a_value_error(tmp_path: Path) -> None:
    fuzz(400, tmp_path)


@pytest.mark.slow
def test_ten_thousand_damaged_files_give_a_value_error(tmp_path: Path) -> None:
    fuzz(10_000, tmp_path)


def test_every_flipped_bit_and_every_torn_end_is_found(tmp_path: Path) -> None:
    path, tree = tmp_path / "file", {"a": np.arange(4, dtype=np.int16), "n": 3}
    fnn.save(path, tree)
    content = path.read_bytes()
    bad = [content[:n] for n in range(len(content))]
    bad += [content[:i] + bytes([content[i] ^ (1 << bit)]) + content[i + 1 :] for i in range(len(content)) for bit in range(8)]
    for damaged in bad:
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=str(path)):
            fnn.load(path, tree)
    path.write_bytes(content)
    assert fnn.tree.equal(fnn.load(path, tree), tree)


def test_text_like_the_checksum_in_the_metadata_does_not_confuse_it(tmp_path: Path) -> None:
    fnn.save(tmp_path / "file", {"crc32:00000000": 1}, metadata={"a": "crc32:00000000"})
    assert fnn.load(tmp_path / "file", {"crc32:00000000": 0}) == {"crc32:00000000": 1}


# Nothing saved is lost


def names_in(folder: Path) -> list[str]:
    return sorted([path.name for path in folder.iterdir()])


SAVE_IN_A_LOOP = """
import sys, numpy as np, fnn
for i in range(200):
    fnn.save(sys.argv[1], {"w": np.full(40_000, i), "i": i})
    print("saved", flush=True)
"""


def test_a_process_that_is_killed_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    like: dict[str, Any] = {"w": np.zeros(40_000, int), "i": 0}
    fnn.save(path, like)
    rng = random.Random(0)
    for _ in range(8):
        process = subprocess.Popen([sys.executable, "-c", SAVE_IN_A_LOOP, path], stdout=subprocess.PIPE)
        with process:
            assert process.stdout is not None
            at_least = rng.randrange(1, 40)
            for _ in range(at_least):
                process.stdout.readline()
            time.sleep(rng.uniform(0.0, 0.003))  # somewhere in the middle of a save
            process.kill()
        found = fnn.load(path, like)
        assert np.all(found["w"] == found["i"])
        assert found["i"] >= at_least - 1
    fnn.save(path, like)
    assert names_in(tmp_path) == ["file"]


def test_what_a_dead_writer_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from fnn.io.atomic import write_atomically\n"
        "def pieces():\n    yield b'half'\n    print('ready', flush=True)\n    time.sleep(60)\n    yield b'more'\n"
        "write_atomically('test', Path(sys.argv[1]), pieces())"
    )
    process = subprocess.Popen([sys.executable, "-c", code, tmp_path / "theirs"], stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        (theirs,) = names_in(tmp_path)
        assert theirs.startswith(".theirs.")
        fnn.save(tmp_path / "mine", ())
        assert names_in(tmp_path) == [theirs, "mine"]
        process.kill()
    fnn.save(tmp_path / "mine", ())
    assert names_in(tmp_path) == ["mine"]


def test_writers_of_one_path_do_not_get_in_each_others_way(tmp_path: Path) -> None:
    path, failed = tmp_path / "file", []

    def work(n: int) -> None:
        try:
            for _ in range(25):
                fnn.save(path, {"w": np.full(1000, n), "n": n})
                found = fnn.load(path, {"w": np.zeros(1000, int), "n": 0})
                assert np.all(found["w"] == found["n"])
        except BaseException as error:  # to be told in the main thread
            failed.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert names_in(tmp_path) == ["file"]


def check_that_the_old_file_stays(folder: Path, error: type[OSError], message: str, big: Any) -> None:
    path, before = folder / "file", names_in(folder)
    with pytest.raises(
        error, match=f"save: .*{message}.*nothing was written, and what was there before is unchanged"
    ) as caught:
        fnn.save(path, big)
    assert caught.value.filename == str(path)
    assert fnn.load(path, {"i": 0}) == {"i": 7}
    assert names_in(folder) == before == ["file"]


@contextmanager
def tmpfs(folder: Path) -> Iterator[None]:
    options = ["-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small file system, and not everywhere")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_a_clear_error_and_the_old_file_stays(tmp_path: Path) -> None:
    with tmpfs(tmp_path):
        fnn.save(tmp_path / "file", {"i": 7})
        check_that_the_old_file_stays(tmp_path, OSError, "No space left on device", {"i": 8, "w": np.ones(100_000)})
        fnn.save(tmp_path / "file", {"i": 9})


def test_a_limit_on_the_size_of_files_is_a_clear_error_and_the_old_file_stays(tmp_path: Path) -> None:
    fnn.save(tmp_path / "file", {"i": 7})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        check_that_the_old_file_stays(tmp_path, OSError, "File too large", {"i": 8, "w": np.ones(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_missing_folder_and_a_read_only_one_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"save: No such file or directory; is the folder there\? \(nothing was written"
    ):
        fnn.save(tmp_path / "nothing" / "file", ())
    fnn.save(tmp_path / "file", {"i": 7})
    if os.geteuid():
        tmp_path.chmod(0o500)
        check_that_the_old_file_stays(tmp_path, PermissionError, "Permission denied", {"i": 8})
        tmp_path.chmod(0o700)
        return
    options = ["-o", "bind,ro", str(tmp_path), str(tmp_path)]
    if subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
        pytest.skip("root writes everywhere, and cannot mount here")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(tmp_path)], check=True)
        check_that_the_old_file_stays(tmp_path, OSError, "Read-only file system", {"i": 8})
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_an_error_or_a_break_while_writing_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    def pieces(error: BaseException) -> Iterator[bytes]:
        yield b"half"
        raise error

    (tmp_path / "file").write_text("old")
    for error in (KeyboardInterrupt(), ValueError("x")):
        with pytest.raises(type(error)):
            write_atomically("test", tmp_path / "file", pieces(error))
        assert names_in(tmp_path) == ["file"]
        assert (tmp_path / "file").read_text() == "old"


def test_bytes_reach_the_disk_before_the_name_and_the_folder_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace_file = os.fsync, os.replace

    def sync(fd: int) -> None:
        done.append("folder" if os.path.isdir(f"/proc/self/fd/{fd}") else f"file of {os.fstat(fd).st_size > 100}")
        fsync(fd)

    def rename(old: Any, new: Any) -> None:
        done.append("rename")
        replace_file(old, new)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", rename)
    fnn.save(tmp_path / "file", {"w": np.ones(100)})
    assert done == ["file of True", "rename", "folder"]


@pytest.mark.parametrize("name", ["ü ñ\n'\"[0].{}%", "\U0001f600" * 60, "a" * 255, "é" * 127, "\udcff"], ids=range(5))
def test_any_name_that_a_file_may_have_will_do(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    for i in range(2):
        fnn.save(path, (i,))
        fnn.save(str(path), (i,))
        assert fnn.load(path, (-1,)) == (i,)
    assert names_in(tmp_path) == [name]


def test_long_names_of_arrays_come_back(tmp_path: Path) -> None:
    tree: Any = {"x" * 100_000: np.ones(1), "\U0001f600" * 10_000: np.zeros(2), "." * 1000: {"." * 1000: np.ones(3)}}
    for _ in range(50):
        tree = {"deep": tree, "a.b": (np.ones(1),), "a": {"b": np.zeros(1)}}
    fnn.save(tmp_path / "file", tree)
    assert fnn.tree.equal(fnn.load(tmp_path / "file", fnn.tree.zeros_like(tree)), tree)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    fnn.save(tmp_path / "folder" / "real", (1,))
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "real")
    fnn.save(tmp_path / "link", (2,))
    assert (tmp_path / "link").is_symlink()
    assert fnn.load(tmp_path / "folder" / "real", (0,)) == (2,)


# A folder of checkpoints


def at(step: int) -> Any:
    return {"w": np.full(2, float(step)), "n": step}


def steps_of(checkpoints: fnn.io.Checkpoints) -> list[int]:
    return [checkpoint.step for checkpoint in checkpoints.all()]


def test_the_last_and_the_best_are_kept(tmp_path: Path) -> None:
    checkpoints = fnn.io.Checkpoints(tmp_path / "a" / "b", keep_last=2, keep_best=2)
    metrics = {1: 0.5, 2: 0.1, 3: 0.9, 4: float("nan"), 5: 0.3, 6: 0.8, 7: None, 8: 0.3}
    left = [steps_of(checkpoints) for n, m in metrics.items() if checkpoints.save(at(n), step=n, metric=m)]
    assert left == [[1], [1, 2], [1, 2, 3], [1, 2, 3, 4], [2, 4, 5], [2, 5, 6], [2, 5, 6, 7], [2, 5, 7, 8]]
    assert checkpoints.best(at(0))["n"] == 2
    assert checkpoints.restore(at(0))["n"] == 8
    assert checkpoints.restore(at(0), step=5)["n"] == 5
    latest = checkpoints.latest()
    assert latest == (8, tmp_path / "a" / "b" / "step-0000000008.safetensors", 0.3)
    higher = replace(checkpoints, maximize=True)
    assert higher.best(at(0))["n"] == 5
    assert names_in(tmp_path / "a" / "b") == [f"step-000000000{n}.safetensors" for n in (2, 5, 7, 8)]


def test_an_old_checkpoint_is_deleted_only_when_the_new_one_is_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = fnn.io.Checkpoints(tmp_path, keep_last=1)
    checkpoints.save(at(1), step=1)

    def fail(fd: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="save: Input/output error"):
            checkpoints.save(at(2), step=2)
    assert checkpoints.restore(at(0))["n"] == 1
    checkpoints.save(at(2), step=2)
    assert steps_of(checkpoints) == [2]


SAVE_STEPS = """
import sys, numpy as np, fnn
checkpoints = fnn.io.Checkpoints(sys.argv[1], keep_last=2)
n = checkpoints.resume({"w": np.zeros(2), "n": 0})["n"]
while True:
    n += 1
    checkpoints.save({"w": np.full(2, float(n)), "n": n}, step=n)
    print("saved", flush=True)
"""


def test_a_folder_whose_writer_is_killed_has_the_last_ones(tmp_path: Path) -> None:
    rng, checkpoints, last = random.Random(1), fnn.io.Checkpoints(tmp_path, keep_last=2), 0
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", SAVE_STEPS, tmp_path], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(rng.randrange(3, 20)):
                process.stdout.readline()
            time.sleep(rng.uniform(0.0, 0.003))
            process.kill()
        found = checkpoints.restore(at(0))
        assert fnn.tree.equal(found, at(found["n"]))
        assert found["n"] > last
        last = found["n"]
        assert steps_of(checkpoints) in ([last - 1, last], [last - 2, last - 1, last])


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    others = ["step-1.safetensors", "step-00000000001.safetensors", "xstep-0000000001.safetensors", "notes.txt", ".hidden"]
    for name in others:
        (tmp_path / name).write_text("x")
    checkpoints = fnn.io.Checkpoints(tmp_path, keep_last=1)
    for n in (1, 2, 10**10):
        checkpoints.save(at(n), step=n)
    assert names_in(tmp_path) == sorted([*others, "step-10000000000.safetensors"])


def test_an_empty_folder_has_nothing_to_restore(tmp_path: Path) -> None:
    checkpoints = fnn.io.Checkpoints(tmp_path / "missing")
    assert checkpoints.latest() is None
    assert checkpoints.all() == []
    like = at(3)
    assert checkpoints.resume(like) is like
    with pytest.raises(FileNotFoundError, match=r"Checkpoints.restore: there is no checkpoint in .*missing$"):
        checkpoints.restore(like)
    checkpoints.save(like, step=3)
    with pytest.raises(FileNotFoundError, match=r"no checkpoint of step 4 in .*, but those of the steps \[3\]"):
        checkpoints.restore(like, step=4)
    with pytest.raises(FileNotFoundError, match=r"Checkpoints.best: none in .* has a metric; save with .save\(ts, metric="):
        checkpoints.best(like)
    assert checkpoints.resume(at(0))["n"] == 3


def test_a_damaged_checkpoint_is_an_error_that_names_the_others(tmp_path: Path) -> None:
    checkpoints = fnn.io.Checkpoints(tmp_path)
    checkpoints.save(at(1), step=1)
    checkpoints.save(at(2), step=2)
    path = checkpoints.save(at(3), step=3)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"^{path}: .*checksum.*There are also the steps \[1, 2\], for .restore\(like, step="):
        checkpoints.restore(at(0))
    assert checkpoints.restore(at(0), step=2)["n"] == 2
    path.write_bytes(b"torn")
    assert checkpoints.all()[-1].metric is None


def test_steps_only_go_up_unless_the_later_ones_are_dropped(tmp_path: Path) -> None:
    checkpoints = fnn.io.Checkpoints(tmp_path)
    for n in (1, 5, 9):
        checkpoints.save(at(n), step=n)
    with pytest.raises(ValueError, match=r"step is 5, but .* has the later \[9\], .*\.drop_after\(5\)"):
        checkpoints.save(at(5), step=5)
    checkpoints.drop_after(5)
    checkpoints.save({**at(5), "n": 55}, step=5)
    assert steps_of(checkpoints) == [1, 5]
    assert checkpoints.restore(at(0))["n"] == 55


def test_checkpoints_are_checked_when_made_and_when_saved(tmp_path: Path) -> None:
    make: Any = fnn.io.Checkpoints
    with pytest.raises(ValueError, match="Checkpoints: keep_last is 0, expected at least 1"):
        make(tmp_path, keep_last=0)
    with pytest.raises(ValueError, match="Checkpoints: keep_best is -1, expected at least 0"):
        make(tmp_path, keep_best=-1)
    with pytest.raises(TypeError, match="Checkpoints: keep_last is True, a bool, expected an int"):
        make(tmp_path, keep_last=True)
    assert make(str(tmp_path)) == make(tmp_path)
    with pytest.raises(TypeError, match=r"the step is None, expected an int: save a TrainState, or say step=\.\.\."):
        make(tmp_path).save(at(1))
    with pytest.raises(ValueError, match="the step is -1"):
        make(tmp_path).save(at(1), step=-1)
    with pytest.raises(TypeError, match="save: the metric is '1', a str"):
        make(tmp_path).save(at(1), step=1, metric="1")
    path = make(tmp_path).save(at(1), step=np.int64(1), metric=np.float32(0.5), metadata={"a": "b"}, spec=MODEL)
    assert fnn.io.read_metadata(path) == {
        "a": "b",
        "fnn.version": fnn.__version__,
        "fnn.spec": repr(MODEL),
        "fnn.metric": "0.5",
    }


# Resuming


def batches(ts: Any, x: Any, labels: Any) -> Iterator[tuple[Any, Any]]:
    """The batches that are left of the epoch, in the order of its key, which is a function of the TrainState alone."""
    epoch, done = divmod(ts.step, 4)
    key = ts.key.fold(epoch)
    order = key.generator().permutation(len(x))
    noise = key.fold(1).generator().normal(scale=0.1, size=x.shape).astype(np.float32)
    for rows in np.split(order, 4)[done:]:
        yield (x + noise)[rows], labels[rows]


def train(ts: Any, until: int, checkpoints: fnn.io.Checkpoints | None = None) -> tuple[Any, list[float]]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 24)
    x = rng.normal(labels[:, None], size=(24, 4)).astype(np.float32)
    losses = []
    while ts.step < until:
        for batch in batches(ts, x, labels):
            ts, loss = STEP(ts, *batch)
            losses.append(float(loss))
            if checkpoints:
                checkpoints.save(ts, metric=loss)
            if ts.step == until:
                break
    return ts, losses


@pytest.mark.parametrize("stop", [4, 7])
def test_a_run_that_is_resumed_has_the_same_bits_as_one_that_never_stopped(stop: int, tmp_path: Path) -> None:
    """With dropout, batch norm, Adam, shuffling and augmentation, stopped at the end and in the middle of an epoch."""
    whole, losses = train(train_state(), 13)
    checkpoints = fnn.io.Checkpoints(tmp_path, keep_best=1)
    train(checkpoints.resume(train_state()), stop, checkpoints)
    resumed = checkpoints.resume(train_state(seed=5))
    assert resumed.step == stop
    resumed, rest = train(resumed, 13, checkpoints)
    assert resumed == whole
    assert rest == losses[stop:]
    assert all(a.tobytes() == b.tobytes() for a, b in zip(fnn.tree.leaves(resumed), fnn.tree.leaves(whole), strict=True))
    assert checkpoints.best(whole).step == 1 + int(np.argmin(losses))


def test_a_run_with_machines_that_is_resumed_anywhere_ends_with_the_same_bits(tmp_path: Path) -> None:
    """`fit` with early stopping, a plateau that lowers the rate, and the k best, left after every step and resumed."""
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(24, 4)).astype(np.float32), rng.integers(0, 3, 24)

    def go(name: str, most: int) -> Any:
        """So many records more, from what was saved before; whether that was the end, and all that there is then."""
        checkpoints, ts = fnn.io.Checkpoints(tmp_path / name, keep_last=1), train_state(seed=5)
        new = (ts, fnn.EarlyStopping(7, ts), fnn.optim.ReduceOnPlateau(0.5, patience=1), fnn.KeepBest(2, ts))
        ts, stopping, plateau, kept = checkpoints.resume(new)
        run = fnn.fit(STEP, ts, (x, labels), epochs=12, batch_size=8, log_every=1, progress=False)
        for record in run:
            ts = record.state
            stopping, kept = stopping.update(record.loss, ts), kept.update(record.loss, ts)
            plateau = plateau.update(record.loss)
            if plateau.reduced:
                ts = replace(ts, opt=ts.opt.scale_learning_rate(plateau.factor))
                run.send(ts)
            checkpoints.save((ts, stopping, plateau, kept), step=ts.step)
            most -= 1
            if stopping.stopped or not most:
                break
        return stopping.stopped, (ts, stopping, plateau, kept)

    done, whole = go("whole", -1)
    assert done
    assert whole[0].opt.learning_rate < 0.005
    while not (parts := go("parts", 1))[0]:
        pass
    assert parts == (True, whole)
    last = [path.read_bytes() for name in ("whole", "parts") for path in (tmp_path / name).iterdir()]
    assert last[0] == last[1]


DIGITS = [sys.executable, str(Path(__file__).resolve().parents[1] / "examples" / "digits_fit.py"), "--folder"]


def run_digits(folder: Path, epochs: int) -> list[str]:
    command = [*DIGITS, str(folder), "--epochs", str(epochs)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def digits_is_killed(tmp_path: Path, epochs: int, kills: list[int]) -> list[str]:
    """examples/digits_fit.py, killed after some lines, again and again, ends with the same files as one that never was."""
    whole = run_digits(tmp_path / "whole", epochs)
    for lines in kills:
        command = [*DIGITS, str(tmp_path / "parts"), "--epochs", str(epochs)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            for _ in range(lines):
                process.stdout.readline()
            process.kill()
        assert process.returncode == -9
    rest = run_digits(tmp_path / "parts", epochs)
    assert rest[0].startswith("goes on at step ")
    assert "test accuracy" in whole[-2]
    assert rest[-2] == whole[-2]
    check_same_files(tmp_path / "parts", tmp_path / "whole")
    return whole


def check_same_files(a: Path, b: Path) -> None:
    assert names_in(a) == names_in(b)
    assert [(a / name).read_bytes() for name in names_in(a)] == [(b / name).read_bytes() for name in names_in(b)]


def test_the_digits_that_are_killed_end_with_the_same_bits(tmp_path: Path) -> None:
    digits_is_killed(tmp_path, 7, [4])


@pytest.mark.slow
def test_the_digits_that_are_killed_again_and_again_end_with_the_same_bits(tmp_path: Path) -> None:
    whole = digits_is_killed(tmp_path, 60, [5, 2, 1, 9, 3])
    assert whole[-3].startswith("no better for 8 epochs")
    assert any(["the learning rate is now" in line for line in whole])
    # what has ended does not go on
    assert run_digits(tmp_path / "parts", 60)[1:] == [line.replace("whole", "parts") for line in whole[-2:]]
    check_same_files(tmp_path / "parts", tmp_path / "whole")


@pytest.mark.skipif(sys.platform == "win32", reason="files have no such modes there")
def test_who_may_read_a_file_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    fnn.save(path, np.ones(1))
    path.chmod(0o600)
    fnn.save(path, np.ones(2))
    assert path.stat().st_mode & 0o777 == 0o600


def test_steps_that_latest_would_not_find_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="below 1e19"):
        fnn.io.Checkpoints(tmp_path).save(np.ones(1), step=10**19)
