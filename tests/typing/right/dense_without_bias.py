# pyright: strict
"""bias=False gives parameters of another class, so that .bias is never Optional."""

from typing import assert_type

import numpy as np

import fnn

with_bias = fnn.Dense(3, 2)
without = fnn.Dense(3, 2, bias=False, weight_init=fnn.initializers.orthogonal)
assert_type(with_bias, fnn.Dense[fnn.DenseParams])
assert_type(without, fnn.Dense[fnn.LinearParams])
assert_type(fnn.Dense(3, 2, bias=True), fnn.Dense[fnn.DenseParams])

p, none = fnn.init(with_bias, fnn.key(0))
q, _ = fnn.init(without, fnn.key(0))
assert_type(p, fnn.DenseParams)
assert_type(p.bias, fnn.Array1)
assert_type(q, fnn.LinearParams)
assert_type(q.weight, fnn.Array2)


def outputs(x: fnn.Array2) -> None:
    assert_type(fnn.dense(p, x), fnn.Array2)
    assert_type(fnn.dense(q, x), fnn.Array2)
    assert_type(fnn.predict(without, q, None, x), fnn.Array2)


x = np.ones((5, 3), np.float32)
outputs(x)

model = fnn.Dense(3, 4, bias=False) >> fnn.relu >> fnn.Dense(4, 1, bias=False)
params, state = fnn.init(model, fnn.key(1))
assert_type(params, tuple[fnn.LinearParams, None, fnn.LinearParams])

opt = fnn.Sgd(0.1)
step = fnn.train_step(fnn.supervised(model, fnn.mae), opt)
ts, loss = step(fnn.train_state(params, state, opt, fnn.key(2)), x, np.ones((5, 1), np.float32))
assert_type(ts.params[2].weight, fnn.Array2)
