"""fnn.summary: shapes, parameters and multiply-adds without running, and what it says of wrong compositions."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import fnn
from fnn.autodiff.abstract import Abstract, abstract
from tests.laws.registry import LAYERS


def quiet(model: Any, shape: Any, **options: Any) -> fnn.Summary:
    return fnn.summary(model, shape, printer=None, **options)


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.name)
def test_shapes_are_those_of_running_the_layer(case: Any) -> None:
    layer = case.make(3)
    params, state = fnn.init(layer, fnn.key(0))
    rng = np.random.default_rng(0)
    x = case.draw(rng) if case.draw else rng.normal(size=(*(4,) * (case.ranks[0] - 1), 3))
    x = fnn.tree.map(lambda leaf: leaf.astype(np.float32) if leaf.dtype.kind == "f" else leaf, x)
    y = fnn.forward(layer, params, state, x)[0]
    tally = [0]
    hollow = fnn.tree.flatten((params, state, x))[1].unflatten(
        [abstract(leaf.shape, leaf.dtype.type(0), tally) for leaf in fnn.tree.leaves((params, state, x))]
    )
    z = layer.forward(*hollow, fnn.EVAL)[0]
    for a, b in zip(fnn.tree.leaves(y), fnn.tree.leaves(z), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
    if isinstance(x, np.ndarray):
        table = quiet(layer, x.shape, dtype=x.dtype)
        assert table.parameters == sum(leaf.size for leaf in fnn.tree.leaves(params))
        assert table.bytes == 4 * table.parameters
        if isinstance(y, np.ndarray):
            assert table.rows[-1].output == str(list(y.shape)) or len(table.rows) > 1


def test_multiply_adds_are_those_of_the_products() -> None:
    model = fnn.Dense(64, 128) >> fnn.relu >> fnn.residual(fnn.Dense(128, 128)) >> fnn.Dense(128, 10)
    table = quiet(model, (32, 64))
    assert [row.multiply_adds for row in table.rows] == [32 * 64 * 128, 0, 32 * 128 * 128, 32 * 128 * 10]
    assert [row.path for row in table.rows] == ["[0]", "[1]", "[2].body", "[3]"]
    assert table.multiply_adds == 32 * (64 * 128 + 128 * 128 + 128 * 10)


def test_a_stack_is_one_row_for_each_layer_of_its_body() -> None:
    table = quiet(fnn.stack(3, fnn.Dense(8, 8) >> fnn.relu), (5, 8))
    assert [(row.path, row.layer, row.parameters) for row in table.rows] == [
        (".body[0]", "Dense(8, 8) x 3", 3 * 72),
        (".body[1]", "relu x 3", 0),
    ]
    assert table.multiply_adds == 3 * 5 * 64


def test_parameters_that_are_used_twice_count_once_and_products_twice() -> None:
    def project(p: fnn.DenseParams, h: fnn.Array2) -> fnn.Array2:
        return fnn.matmul(h, p.weight.T)

    table = quiet(fnn.tied(fnn.Dense(3, 2), fnn.BatchNorm(2), project), (4, 3))
    assert table.parameters == 3 * 2 + 2 + 2 + 2
    assert table.multiply_adds == 2 * 4 * 3 * 2
    assert table.rows[0].layer == "tied, of its own"


def test_paths_reach_the_layers() -> None:
    model: Any = fnn.Dense(3, 4) >> fnn.parallel(fnn.Dense(4, 2), fnn.residual(fnn.Dense(4, 4) >> fnn.relu) >> fnn.Dense(4, 2))
    for row in quiet(model, (1, 3)).rows:
        assert repr(eval(f"model{row.path}")) == row.layer


def test_a_big_batch_costs_neither_memory_nor_time() -> None:
    model = fnn.Dense(64, 1024) >> fnn.gelu >> fnn.BatchNorm(1024) >> fnn.Dense(1024, 10) >> fnn.softmax
    tracemalloc.start()
    table = quiet(model, (10_000_000, 64))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert table.rows[-1].output == "[10000000, 10]"
    assert peak < 10_000_000


@dataclass(frozen=True)
class Own(fnn.Composable):
    """A user's layer in plain NumPy, with a part of its own."""

    inner: fnn.Dense[fnn.DenseParams]

    def init(self, key: fnn.Key, /) -> tuple[Any, None]:
        return {"inner": self.inner.init(key)[0], "scale": np.ones(4, np.float32)}, None

    def forward(self, params: Any, state: None, x: fnn.Array2, mode: fnn.Mode, /) -> tuple[fnn.Array2, None]:
        y, _ = self.inner.forward(params["inner"], None, x, mode)
        return np.einsum("bi,i->bi", y, params["scale"]) / np.sqrt(np.mean(y**2)), None


def test_layers_of_ones_own_are_in_the_table_with_what_is_their_own() -> None:
    table = quiet(Own(fnn.Dense(3, 4)) >> fnn.Dense(4, 1), (7, 3))
    assert [(row.path, row.parameters, row.multiply_adds) for row in table.rows] == [
        ("[0]", 4, 28),
        ("[0].inner", 16, 84),
        ("[1]", 5, 28),
    ]


@pytest.mark.parametrize(
    ("model", "shape", "error", "message"),
    [
        (
            fnn.Dense(3, 8) >> fnn.relu >> fnn.Dense(10, 5),
            (32, 3),
            ValueError,
            r"summary: \[2\] Dense\(10, 5\) does not take \[32, 8\], which \[1\] relu gives: dense: x has shape \(32, 8\)",
        ),
        (fnn.Dense(3, 8), (32, 4), ValueError, r"summary: Dense\(3, 8\) does not take the input, \[32, 4\]: "),
        (
            fnn.Dense(3, 8) >> fnn.residual(fnn.Dense(8, 4)),
            (2, 3),
            ValueError,
            r"summary: \[1\] residual\(Dense\(8, 4\)\) does not take \[2, 8\], which \[0\] Dense\(3, 8\) gives: residual: ",
        ),
        (
            fnn.Dense(3, 4) >> fnn.parallel(fnn.Dense(4, 2), fnn.Dense(3, 2)),
            (2, 3),
            ValueError,
            r"summary: \[1\]\.branches\[1\] Dense\(3, 2\) does not take \[2, 4\], which \[0\] Dense\(3, 4\) gives: dense",
        ),
        (
            fnn.Embedding(3, 2) >> fnn.relu,
            (2, 3),
            TypeError,
            "does not take the input, .*; for labels or tokens say dtype=np.int64",
        ),
        (fnn.Dense(3, 8), (-1, 3), ValueError, r"input_shape is \(-1, 3\)"),
        (fnn.Dense(3, 8), 3, TypeError, "input_shape is 3, expected a tuple"),
        (fnn.Dense(3, 8), (None, 3), TypeError, r"input_shape is \(None, 3\), expected a tuple of ints, batch first"),
        (fnn.Dense(3, 8), (), TypeError, r"input_shape is \(\), expected a tuple"),
        (fnn.relu, (2, 3), TypeError, "summary: relu is not a layer"),
    ],
)
def test_a_wrong_composition_is_reported_at_the_layer_that_breaks(model: Any, shape: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        quiet(model, shape)


def test_it_prints_the_table_and_returns_it(capsys: pytest.CaptureFixture[str]) -> None:
    table = fnn.summary(fnn.Dense(2, 1), (1, 2))
    assert capsys.readouterr().out == f"{table}\n"
    assert "total" in str(table)
    assert repr(table) == "Summary(1 layers, 3 parameters, 2 multiply-adds)"
    assert fnn.summary(fnn.Dense(2, 1), (1, 2), printer=None) == table
    assert capsys.readouterr().out == ""


# The abstract arrays underneath

SHAPED: list[Any] = [
    lambda x: np.exp(x) + 1,
    lambda x: np.mean(x, axis=(0, 2)),
    lambda x: np.var(x, axis=-1, keepdims=True),
    lambda x: np.sum(x),
    lambda x: np.max(x, axis=1),
    lambda x: x.reshape(-1, 4),
    lambda x: np.transpose(x, (2, 0, 1)),
    lambda x: np.concatenate([x, x], axis=1),
    lambda x: np.stack([x, x], axis=-1),
    lambda x: np.pad(x, ((0, 0), (1, 2), (0, 0))),
    lambda x: np.where(x > 0, x, np.float32(0)),
    lambda x: np.einsum("abc,adc->abd", x, x),
    lambda x: x[:, 1:, ::2],
    lambda x: x[:, np.array([0, 2, 1, 1])],
    lambda x: x @ np.swapaxes(x, -1, -2),
    lambda x: x @ np.ones(4, np.float32),
    lambda x: np.split(x, 3, axis=1)[2],
    lambda x: np.unstack(x, axis=1)[0],
    lambda x: np.take(x, np.array([1, 0]), axis=2),
    lambda x: np.cumsum(x, axis=1),
    lambda x: np.argmax(x, axis=-1),
    lambda x: x.astype(np.float64) * 2,
    lambda x: np.modf(x)[0],
    lambda x: np.linalg.norm(x, axis=-1),
    lambda x: np.broadcast_to(x[:, :1], x.shape),
    lambda x: np.repeat(x, 2, axis=1),
    lambda x: np.tensordot(x, x, axes=([2], [2])),
    lambda x: np.add.accumulate(x, axis=0),
    lambda x: np.mean(x.astype(np.float32)),
    lambda x: np.zeros_like(x, dtype=np.float64),
    lambda x: np.ones_like(x[:, 0]),
]


@pytest.mark.parametrize("f", SHAPED)
def test_abstract_arrays_have_the_shapes_and_dtypes_of_real_ones(f: Any) -> None:
    real = f(np.ones((2, 3, 4), np.float32))
    hollow = f(abstract((2, 3, 4), np.float32(1), [0]))
    assert isinstance(hollow, Abstract)
    assert (hollow.shape, hollow.dtype) == (np.shape(real), real.dtype)
    assert set(hollow.strides) <= {0}


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x @ x,
        lambda x: np.concatenate([x, x[:, :1]], axis=0),
        lambda x: np.einsum("abc,acd->abd", x, x),
        lambda x: np.max(x[:0], axis=0),
        lambda x: np.sum(x, axis=3),
        lambda x: x + np.ones(3),
        lambda x: x.reshape(5, 5),
    ],
)
def test_what_does_not_fit_fails_as_on_real_arrays(f: Any) -> None:
    for x in (np.ones((2, 3, 4), np.float32), abstract((2, 3, 4), np.float32(1), [0])):
        with pytest.raises((ValueError, IndexError)):
            f(x)
