# pyright: strict
"""grad, value_and_grad with and without aux, and update, without train_step: gradients have the parameters' type."""

from dataclasses import dataclass, replace
from typing import assert_type

import numpy as np

import fnn


@dataclass(frozen=True)
class Model:
    a: fnn.DenseParams
    b: fnn.DenseParams


def predict(m: Model, x: fnn.Array2) -> fnn.Array2:
    return fnn.dense(m.b, fnn.relu(fnn.dense(m.a, x)))


def loss(m: Model, x: fnn.Array2, y: fnn.Array2, *, power: float = 2.0) -> fnn.Scalar:
    return np.mean(np.abs(predict(m, x) - y) ** power)


def loss_and_metrics(m: Model, x: fnn.Array2, y: fnn.Array2) -> tuple[fnn.Scalar, dict[str, fnn.Scalar]]:
    prediction = predict(m, x)
    error = fnn.mse(prediction, y)
    return error, {"mse": error, "mae": fnn.mae(prediction, y)}


def only_b(b: fnn.DenseParams, m: Model, x: fnn.Array2, y: fnn.Array2) -> fnn.Scalar:
    return loss(replace(m, b=b), x, y)


k1, k2 = fnn.key(3).split()
m = Model(fnn.DenseParams.init(k1, 2, 16), fnn.DenseParams.init(k2, 16, 1))
rng = np.random.default_rng(0)
x = rng.normal(size=(64, 2)).astype(np.float32)
y = np.square(x).sum(axis=1, keepdims=True)

assert_type(fnn.grad(loss)(m, x, y), Model)
assert_type(fnn.grad(loss)(m, x, y, power=3.0), Model)
assert_type(fnn.grad(only_b)(m.b, m, x, y), fnn.DenseParams)
assert_type(fnn.value_and_grad(loss)(m, x, y), tuple[fnn.Scalar, Model])
assert_type(fnn.grad(loss_and_metrics, has_aux=True)(m, x, y), tuple[Model, dict[str, fnn.Scalar]])

opt = fnn.Adam(1e-2, b1=0.8)
opt_state = opt.init(m)
average = m
value_and_grad = fnn.value_and_grad(loss_and_metrics, has_aux=True)
for _ in range(3):
    (value, metrics), grads = value_and_grad(m, x, y)
    assert_type(value, fnn.Scalar)
    assert_type(metrics, dict[str, fnn.Scalar])
    assert_type(grads, Model)
    m, opt_state = fnn.update(opt, grads, opt_state, m)
    average = fnn.tree.map(lambda e, p: 0.9 * e + 0.1 * p, average, m)

assert_type(opt_state, fnn.OptState[Model])
assert_type(opt_state.moment("mu").a.weight, fnn.Array2)
assert_type(average, Model)


def two_arguments(ab: tuple[fnn.DenseParams, fnn.NormParams], x: fnn.Array2) -> fnn.Scalar:
    return np.mean(fnn.dense(ab[0], x) * ab[1].scale + fnn.stop_gradient(ab[1].shift))


assert_type(fnn.grad(two_arguments)((m.a, fnn.NormParams.init(16)), x), tuple[fnn.DenseParams, fnn.NormParams])
