# pyright: strict
"""A function written with nothing but NumPy, over a frozen dataclass of arrays."""

from dataclasses import dataclass
from typing import assert_type

import numpy as np

import fnn


@dataclass(frozen=True)
class Net:
    w: fnn.Array2
    b: fnn.Array1
    v: fnn.Array2


def loss(p: Net, x: fnn.Array2, y: fnn.Array2) -> fnn.Scalar:
    h = np.tanh(x @ p.w + p.b)
    residual = h @ p.v - y
    return np.mean(residual**2) + 1e-3 * np.sum(p.w**2)


rng = np.random.default_rng(0)
p = Net(rng.normal(size=(2, 8)), np.zeros(8), rng.normal(size=(8, 1)))
x = rng.normal(size=(20, 2))
y = x[:, :1] * x[:, 1:]

value, grads = fnn.value_and_grad(loss)(p, x, y)
assert_type(value, fnn.Scalar)
assert_type(grads, Net)
assert_type(grads.w, fnn.Array2)
assert_type(grads.b, fnn.Array1)

opt = fnn.Sgd(0.05)
opt_state = opt.init(p)
for _ in range(5):
    p, opt_state = fnn.update(opt, fnn.grad(loss)(p, x, y), opt_state, p)
assert_type(p, Net)
assert loss(p, x, y) < value


def polynomial(x: fnn.Scalar) -> fnn.Scalar:
    return x * x * x - 2.0 * x


slope = fnn.grad(polynomial)
assert_type(slope(np.float64(2.0)), fnn.Scalar)
assert_type(fnn.grad(slope)(np.float64(2.0)), fnn.Scalar)


def norm_of(w: dict[str, fnn.Array1]) -> fnn.Scalar:
    return fnn.sqrt(np.sum(w["a"] ** 2) + np.sum(w["b"] ** 2))


assert_type(fnn.grad(norm_of)({"a": np.ones(2), "b": np.ones(3)}), dict[str, fnn.Array1])
