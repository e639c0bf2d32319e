"""Convolutions and poolings without their checks, and the two as one: the bits of their forward and of the tape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnn
from fnn.functional import windows as sliding
from fnn.layers.convolution import PooledConv
from fnn.layers.pullback import bind
from fnn.promises import beside
from tests.laws.families.convolution import LAYERS as CONVOLUTIONS
from tests.laws.families.pooling import LAYERS as POOLINGS
from tests.laws.test_layers import made
from tests.laws.test_vjp import bits, cast, into_like

loose: Any = fnn
TRAIN = fnn.Train(fnn.key(0))


@pytest.mark.parametrize("case", [*CONVOLUTIONS, *POOLINGS], ids=lambda case: case.name)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_evaluator_is_the_forward(case: Any, dtype: Any) -> None:
    layer, params, state, x = made(case, 0)
    params, x = cast((params, x), dtype)
    kind: Any = type(layer)
    evaluator = beside(kind, "forward", "evaluator")
    if evaluator is not None:
        assert bits(evaluator(layer, params, state)(x)) == bits(layer.forward(params, state, x, fnn.EVAL)[0])


@pytest.mark.parametrize(
    "layer",
    [
        *[fnn.Conv1d(2, 3, 3), fnn.Conv2d(2, 3, 3, bias=False), fnn.Conv3d(1, 2, 2), fnn.Conv2d(4, 4, 3, groups=4)],
        *[fnn.MaxPool1d(2), fnn.MaxPool2d(2), fnn.MaxPool3d(2), fnn.AvgPool1d(2), fnn.AvgPool2d(2), fnn.AvgPool3d(2)],
    ],
    ids=repr,
)
def test_all_of_them_have_the_quick_ways(layer: Any) -> None:
    kind: Any = type(layer)
    for name in ("vjp", "evaluator", "ignores_mode"):
        assert beside(kind, "forward", name)


# The convolution, the pooling behind it, the input; whether they run as one.
PAIRS: list[tuple[Any, Any, tuple[int, ...], bool]] = [
    (fnn.Conv2d(1, 4, 3), fnn.MaxPool2d(2), (5, 6, 8, 1), True),
    (fnn.Conv2d(5, 3, 3, bias=False), fnn.MaxPool2d((2, 3)), (3, 4, 6, 5), True),
    (fnn.Conv2d(4, 6, 2, groups=2, stride=2), fnn.MaxPool2d(2), (3, 8, 8, 4), True),
    (fnn.Conv2d(32, 32, 3), fnn.MaxPool2d(2), (3, 14, 14, 32), True),
    (fnn.Conv2d(32, 33, 3, padding="valid"), fnn.MaxPool2d((3, 1)), (2, 17, 17, 32), False),
    (fnn.Conv2d(32, 33, 3, padding="valid"), fnn.MaxPool2d(2), (2, 20, 12, 32), True),
    (fnn.Conv1d(2, 3, 3, padding="causal"), fnn.MaxPool1d(4), (3, 8, 2), True),
    (fnn.Conv3d(2, 3, 3), fnn.MaxPool3d(2), (2, 4, 4, 4, 2), True),
    (fnn.Conv2d(1, 4, 3), fnn.MaxPool2d(2), (5, 7, 8, 1), False),
    (fnn.Conv2d(1, 4, 3), fnn.MaxPool2d(3, stride=1), (5, 6, 8, 1), False),
    (fnn.Conv2d(1, 4, 3), fnn.MaxPool2d(2, padding="same"), (5, 5, 8, 1), False),
    (fnn.Conv2d(4, 4, 3, groups=4), fnn.MaxPool2d(2), (3, 4, 6, 4), False),
    (fnn.Conv2d(1, 4, 3), fnn.MaxPool2d(1), (3, 4, 6, 1), False),
]


@pytest.mark.parametrize("block", [2_000_000, 30_000, 1_000])
@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("conv", "pool", "shape", "at_once"), PAIRS, ids=lambda a: None if isinstance(a, bool) else repr(a))
def test_a_convolution_and_its_pooling_as_one(
    monkeypatch: pytest.MonkeyPatch, conv: Any, pool: Any, shape: Any, at_once: bool, dtype: Any, wanted: bool, block: int
) -> None:
    monkeypatch.setattr(sliding, "BLOCK", block)
    rng = np.random.default_rng(0)
    x = cast(rng.integers(-1, 2, size=shape), np.float64).astype(dtype)  # many equal maxima
    params: Any = cast(fnn.tree.map(lambda a: np.round(3 * rng.normal(size=a.shape)), fnn.init(conv, fnn.key(0))[0]), dtype)
    both: Any = conv.pooled(pool)
    assert isinstance(both, PooledConv)
    assert (both.geometries(x.shape, params.kernel.shape)[1] is not None) == at_once

    def one_after_the_other(p: Any, x: Any) -> Any:
        return pool.forward(None, None, conv.forward(p, None, x, TRAIN)[0], TRAIN)[0]

    expected = one_after_the_other(params, x)
    y, state, pull = both.vjp(params, None, x, TRAIN, wanted)
    assert state is None
    assert bits(y) == bits(expected) == bits(both.evaluator(params, None)(x))
    g = rng.normal(size=y.shape).astype(dtype)
    into, _ = into_like(params)
    dx = pull(g, into)
    if wanted:
        by_tape = loose.vjp(lambda a: one_after_the_other(*a), (params, x))[1](g)
        assert bits((into, dx)) == bits(by_tape)
    else:
        assert dx is None
        assert bits(into) == bits(loose.vjp(lambda p: one_after_the_other(p, x), params)[1](g))


def test_a_window_with_a_nan_as_one() -> None:
    x = np.ones((1, 4, 4, 1))
    x[0, 1, 2] = np.nan
    conv, pool = fnn.Conv2d(1, 1, 1), fnn.MaxPool2d(2)
    params = fnn.ConvParams(np.ones((1, 1, 1, 1)), np.zeros(1))
    y, _, pull = PooledConv(conv, pool).vjp(params, None, x, TRAIN, True)
    assert np.isnan(y).ravel().tolist() == [False, True, False, False]
    assert pull(np.ones_like(y), into_like(params)[0])[0, :, :, 0].tolist() == [
        [1, 0, 1, 0],
        [0, 0, 0, 0],
        [1, 0, 1, 0],
        [0, 0, 0, 0],
    ]


def test_a_chain_joins_a_convolution_and_its_pooling() -> None:
    model = (
        fnn.Conv2d(1, 32, 3)
        >> fnn.relu
        >> fnn.MaxPool2d(2)
        >> fnn.Conv2d(32, 32, 3)
        >> fnn.MaxPool2d(2)
        >> fnn.tanh
        >> fnn.MaxPool2d(1)
        >> fnn.flatten
        >> fnn.Dense(49 * 32, 3)
    )
    assert [type(part.layer).__name__ for part in model._joined] == [
        *("PooledConv", "Function", "PooledConv", "Function", "MaxPool2d", "Function", "Dense")
    ]
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 28, 28, 1)).astype(np.float32)
    params, state = fnn.init(model, fnn.key(0))
    expected = model.forward(params, state, x, fnn.EVAL)[0]
    assert bits(model.evaluator(params, state)(x)) == bits(expected)
    into, _ = into_like(params)
    y, _, pull = bind(model, into, False)(fnn.tree.leaves(params), state, x, TRAIN)
    assert bits(y) == bits(expected)
    pull(np.cos(y))
    assert bits(into) == bits(fnn.vjp(lambda p: model.forward(p, state, x, TRAIN)[0], params)[1](np.cos(y)))
