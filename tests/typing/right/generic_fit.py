# pyright: strict
"""A training function of the user's own that takes any model and any optimiser and keeps their types."""

from collections.abc import Callable
from typing import TypeAlias, TypeVar, assert_type

import numpy as np

import fnn
from fnn.tree import PyTree

P = TypeVar("P", bound=PyTree)
S = TypeVar("S", bound=PyTree)
Criterion: TypeAlias = Callable[[fnn.Array2, fnn.Array2], fnn.Scalar]


def fit(
    model: fnn.Layer[fnn.Array2, fnn.Array2, P, S],
    criterion: Criterion,
    opt: fnn.Optimizer,
    x: fnn.Array2,
    y: fnn.Array2,
) -> tuple[fnn.TrainState[P, S], list[float]]:
    step = fnn.train_step(fnn.supervised(model, criterion), opt)
    ts = fnn.start(model, opt, fnn.key(0))
    losses: list[float] = []
    for _ in range(2):
        ts, loss = step(ts, x, y)
        losses.append(float(loss))
    return ts, losses


def moving_average(average: P, params: P, decay: float) -> P:
    return fnn.tree.map(lambda a, p: decay * a + (1 - decay) * p, average, params)


def noisy(params: P, key: fnn.Key) -> P:
    vector, unravel = fnn.tree.ravel(params)
    return unravel(vector + 0.01 * key.generator().standard_normal(vector.shape).astype(vector.dtype))


x = np.ones((3, 4), np.float32)
y = np.zeros((3, 1), np.float32)
model = fnn.Dense(4, 4) >> fnn.residual(fnn.Dense(4, 4) >> fnn.relu) >> fnn.Dense(4, 1)
optimizers: list[fnn.Optimizer] = [fnn.Sgd(0.1), fnn.Adam(1e-3), fnn.AdamW(1e-3)]
for opt in optimizers:
    ts, losses = fit(model, fnn.mse, opt, x, y)
    assert_type(ts.params, tuple[fnn.DenseParams, tuple[fnn.DenseParams, None], fnn.DenseParams])
    assert_type(moving_average(ts.params, ts.params, 0.9)[1][0].weight, fnn.Array2)
    assert_type(noisy(ts.params, fnn.key(1)), tuple[fnn.DenseParams, tuple[fnn.DenseParams, None], fnn.DenseParams])
single, _ = fit(fnn.Dense(4, 1), fnn.huber, fnn.Sgd(0.1), x, y)
assert_type(single, fnn.TrainState[fnn.DenseParams, None])
