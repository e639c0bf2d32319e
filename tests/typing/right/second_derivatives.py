# pyright: strict
"""grad of grad: a Hessian times a vector, of the parameters' type."""

from dataclasses import dataclass
from typing import assert_type

import numpy as np

import fnn


@dataclass(frozen=True)
class Net:
    a: fnn.DenseParams
    b: fnn.DenseParams


def loss(p: Net, x: fnn.Array2, y: fnn.Array2) -> fnn.Scalar:
    return fnn.mse(fnn.dense(p.b, fnn.tanh(fnn.dense(p.a, x))), y)


def dot(p: Net, q: Net) -> fnn.Scalar:
    total = np.sum(p.a.weight * q.a.weight) + np.sum(p.a.bias * q.a.bias)
    return total + np.sum(p.b.weight * q.b.weight) + np.sum(p.b.bias * q.b.bias)


def hessian_vector_product(p: Net, v: Net, x: fnn.Array2, y: fnn.Array2) -> Net:
    def directional(q: Net) -> fnn.Scalar:
        return dot(fnn.grad(loss)(q, x, y), v)

    return fnn.grad(directional)(p)


k1, k2 = fnn.key(0).split()
p = fnn.tree.astype(Net(fnn.DenseParams.init(k1, 3, 5), fnn.DenseParams.init(k2, 5, 2)), np.float64)
x: fnn.Array2 = np.ones((7, 3))
y: fnn.Array2 = np.zeros((7, 2))
assert_type(hessian_vector_product(p, p, x, y), Net)
