# pyright: strict
"""Branches, bodies over time, tied and frozen parameters: params keep their types, and so do gradients."""

from typing import assert_type

import numpy as np

import fnn

x = np.ones((4, 3), np.float32)

wide_and_deep = fnn.parallel(fnn.Dense(3, 1), fnn.Dense(3, 8) >> fnn.relu >> fnn.Dense(8, 1))
params, state = fnn.init(wide_and_deep, fnn.key(0))
assert_type(params, tuple[fnn.DenseParams, tuple[fnn.DenseParams, None, fnn.DenseParams]])
assert_type(fnn.predict(wide_and_deep, params, state, x), fnn.Array2)
step = fnn.train_step(fnn.supervised(wide_and_deep, fnn.mse), fnn.Adam(1e-3))
ts, loss = step(fnn.start(wide_and_deep, fnn.Adam(1e-3), fnn.key(0)), x, np.zeros((4, 1), np.float32))
assert_type(ts.params[1][2].bias, fnn.Array1)

three = fnn.parallel(fnn.Dense(3, 2), fnn.BatchNorm(3), fnn.Dense(3, 3) >> fnn.tanh, join="concatenate") >> fnn.Dense(8, 2)
assert_type(fnn.init(three, fnn.key(0))[1], tuple[tuple[None, fnn.BatchNormState, tuple[None, None]], None])

sequence = np.ones((2, 5, 3), np.float32)
tokens_mlp = fnn.residual(fnn.over_time(fnn.Dense(3, 8) >> fnn.relu >> fnn.Dense(8, 3)))
assert_type(fnn.init(tokens_mlp, fnn.key(0))[0], tuple[fnn.DenseParams, None, fnn.DenseParams])
assert_type(fnn.predict(tokens_mlp, *fnn.init(tokens_mlp, fnn.key(0)), sequence), fnn.Array3)


def project(p: fnn.DenseParams, h: fnn.Array2) -> fnn.Array2:
    return fnn.matmul(h, p.weight.T)


autoencoder = fnn.tied(fnn.Dense(3, 2), fnn.BatchNorm(2) >> fnn.tanh, project)
both = fnn.init(autoencoder, fnn.key(0))
assert_type(both[0], tuple[fnn.DenseParams, tuple[fnn.NormParams, None]])
assert_type(fnn.forward(autoencoder, *both, x)[0], fnn.Array2)

transfer = fnn.frozen(fnn.Dense(3, 8) >> fnn.relu) >> fnn.Dense(8, 1)
assert_type(fnn.init(transfer, fnn.key(0))[0], tuple[tuple[fnn.DenseParams, None], fnn.DenseParams])

table = fnn.summary(transfer, (4, 3))
assert_type(table.parameters, int)
