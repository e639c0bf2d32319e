# pyright: strict
"""A net whose length is known only at run time: loosely typed, and it trains."""

from itertools import pairwise
from typing import Any, assert_type

import numpy as np

import fnn


def mlp(widths: list[int]) -> fnn.Chain[Any, Any, Any, Any]:
    parts: list[fnn.Layer[Any, Any, Any, Any]] = []
    for n, m in pairwise(widths):
        parts += [fnn.Dense(n, m), fnn.Function(fnn.relu)]
    return fnn.chain(parts[:-1])


model = mlp([2, 8, 8, 1])
opt = fnn.Adam(1e-2)
step = fnn.train_step(fnn.supervised(model, fnn.mse), opt)
ts = fnn.start(model, opt, fnn.key(0))
x: fnn.Array2 = np.ones((4, 2), np.float32)
ts, loss = step(ts, x, np.zeros((4, 1), np.float32))
assert_type(loss, fnn.Scalar)

mixed = fnn.chain([fnn.Dense(2, 4), fnn.relu, fnn.Dense(4, 1)])
params, state = fnn.init(mixed, fnn.key(0))
y: fnn.Array2 = fnn.predict(mixed, params, state, x)

longer = fnn.Dense(2, 2) >> fnn.relu >> fnn.chain([fnn.Dense(2, 2), fnn.tanh])
assert_type(fnn.init(longer, fnn.key(0))[0], tuple[fnn.DenseParams, None, Any])
