# pyright: strict
"""What may stand in a chain: functions that change the rank, partials, and layers that keep it, at the head too."""

from functools import partial
from typing import TypeAlias, assert_type

import numpy as np

import fnn


def to_sequence(x: fnn.Array2) -> fnn.Array3:
    return x.reshape(len(x), 2, -1)


def last(x: fnn.Array3) -> fnn.Array2:
    return x[:, -1]


def per_row(x: fnn.Array2) -> fnn.Array1:
    return fnn.sum(x, axis=1)


def squares(prediction: fnn.Array1, target: fnn.Array1) -> fnn.Scalar:
    return np.mean((prediction - target) ** 2)


x = np.ones((3, 8), np.float32)

there_and_back = fnn.Dense(8, 8) >> fnn.tanh >> to_sequence >> fnn.Dense(4, 4) >> fnn.relu >> last >> fnn.Dense(4, 2)
params, state = fnn.init(there_and_back, fnn.key(0))
assert_type(params, tuple[fnn.DenseParams, None, None, fnn.DenseParams, None, None, fnn.DenseParams])
assert_type(fnn.predict(there_and_back, params, state, x), fnn.Array2)
assert_type(fnn.Dense(8, 8) >> to_sequence, fnn.Chain[fnn.Array2, fnn.Array3, tuple[fnn.DenseParams, None], tuple[None, None]])

one_number = fnn.Dense(8, 4) >> fnn.relu >> per_row
opt = fnn.Sgd(0.1)
step = fnn.train_step(fnn.supervised(one_number, squares), opt)
ts, loss = step(fnn.start(one_number, opt, fnn.key(0)), x, np.zeros(3, np.float32))
assert_type(fnn.predict(one_number, ts.params, ts.state, x), fnn.Array1)

steep = fnn.Dense(8, 4) >> partial(fnn.leaky_relu, slope=0.3) >> fnn.Dense(4, 1)
assert_type(fnn.init(steep, fnn.key(0))[0], tuple[fnn.DenseParams, None, fnn.DenseParams])

noisy = fnn.Dropout(0.1) >> fnn.Dense(8, 4) >> fnn.BatchNorm(4)
assert_type(fnn.init(noisy, fnn.key(0))[1], tuple[None, None, fnn.BatchNormState])
normed = fnn.BatchNorm(8) >> fnn.Dropout(0.1) >> fnn.relu >> fnn.Dense(8, 1)
assert_type(fnn.init(normed, fnn.key(0))[0], tuple[fnn.NormParams, None, None, fnn.DenseParams])
normed_step = fnn.train_step(fnn.supervised(normed, fnn.mse), opt)
after, loss = normed_step(fnn.start(normed, opt, fnn.key(0)), x, np.zeros((3, 1), np.float32))
assert_type(after.state[0].var, fnn.Array1)

# a model's type can be written down
Net: TypeAlias = fnn.Layer[fnn.Array2, fnn.Array2, tuple[fnn.DenseParams, None, fnn.DenseParams], tuple[None, None, None]]
net: Net = fnn.Dense(8, 4) >> fnn.relu >> fnn.Dense(4, 1)
assert_type(fnn.init(net, fnn.key(0))[0][2].bias, fnn.Array1)
