# pyright: strict
"""A net in float64: the types are the same, the dtype is a matter of values."""

from typing import TypeAlias, assert_type

import numpy as np

import fnn

model = fnn.Dense(2, 4) >> fnn.BatchNorm(4) >> fnn.tanh >> fnn.Dense(4, 1)
params, state = fnn.tree.astype(fnn.init(model, fnn.key(0)), np.float64)
assert_type(params, tuple[fnn.DenseParams, fnn.NormParams, None, fnn.DenseParams])
assert_type(state, tuple[None, fnn.BatchNormState, None, None])

rng = np.random.default_rng(0)
x = rng.normal(size=(6, 2))
y = rng.normal(size=(6, 1))
assert_type(fnn.predict(model, params, state, x), fnn.Array2)

opt = fnn.Sgd(0.1)
step = fnn.train_step(fnn.supervised(model, fnn.mse), opt)
ts = fnn.train_state(params, state, opt, fnn.key(1))
ts, loss = step(ts, x, y)
assert loss.dtype == np.float64
assert ts.params[0].weight.dtype == np.float64


Single: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.float32]]
Double: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.float64]]


def narrower(single: Single, double: Double) -> None:
    assert_type(fnn.relu(single), Single)
    assert_type(fnn.dropout(double, 0.5, fnn.EVAL), Double)
    assert_type(fnn.predict(model, params, state, single), fnn.Array2)
    assert_type(step(ts, double, y)[1], fnn.Scalar)


narrower(np.ones((6, 2), np.float32), np.ones((6, 2)))
