# pyright: strict
"""An activation gives what it gets: an array of the same rank and dtype, or a scalar."""

from typing import assert_type

import numpy as np

import fnn


def keep(v: fnn.Array1, m: fnn.Array2, t: fnn.Array3, q: fnn.Array4) -> None:
    assert_type(fnn.identity(q), fnn.Array4)
    assert_type(fnn.relu(m), fnn.Array2)
    assert_type(fnn.leaky_relu(t, 0.2), fnn.Array3)
    assert_type(fnn.sigmoid(v), fnn.Array1)
    assert_type(fnn.tanh(q), fnn.Array4)
    assert_type(fnn.softplus(m), fnn.Array2)
    assert_type(fnn.elu(m, alpha=0.5), fnn.Array2)
    assert_type(fnn.selu(m), fnn.Array2)
    assert_type(fnn.gelu(t, approximate=False), fnn.Array3)
    assert_type(fnn.silu(m), fnn.Array2)
    assert_type(fnn.softmax(m, axis=0), fnn.Array2)
    assert_type(fnn.log_softmax(t), fnn.Array3)
    assert_type(fnn.dropout(q, 0.5, fnn.EVAL), fnn.Array4)
    assert_type(fnn.tanh(fnn.mean(m)), fnn.Scalar)
    assert_type(fnn.sigmoid(fnn.sum(m)), fnn.Scalar)
    assert_type(fnn.softplus(fnn.sum(m)), fnn.Scalar)
    assert_type(fnn.leaky_relu(fnn.sum(m)), fnn.Scalar)
    assert_type(fnn.stop_gradient(t), fnn.Array3)
    assert_type(fnn.stop_gradient(fnn.mean(t)), fnn.Scalar)


def sharper(x: fnn.Array2) -> fnn.Array2:
    return fnn.softmax(2.0 * x)


keep(np.ones(3), np.ones((2, 3)), np.ones((2, 3, 4)), np.ones((1, 2, 3, 4)))
model = (
    fnn.Dense(3, 3)
    >> fnn.relu
    >> fnn.leaky_relu
    >> fnn.sigmoid
    >> fnn.tanh
    >> fnn.softplus
    >> fnn.elu
    >> fnn.selu
    >> fnn.gelu
    >> fnn.silu
    >> fnn.log_softmax
    >> fnn.identity
    >> sharper
)
out = fnn.predict(model, *fnn.init(model, fnn.key(0)), np.ones((2, 3), np.float32))
assert_type(out, fnn.Array2)
