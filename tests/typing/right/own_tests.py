# pyright: strict
"""Tests of gradients and of the laws of a user's own layer, loss and optimiser."""

from dataclasses import dataclass
from typing import assert_type

import numpy as np

import fnn
from fnn.testing import GradReport, check_grads, check_layer, check_loss, check_optimizer, check_taylor


@dataclass(frozen=True)
class Scale:
    n: int

    def init(self, key: fnn.Key, /) -> tuple[fnn.Array1, None]:
        return np.ones(self.n, np.float32), None

    def forward(self, params: fnn.Array1, state: None, x: fnn.Array2, mode: fnn.Mode, /) -> tuple[fnn.Array2, None]:
        return x * params, None


def loss(prediction: fnn.Array2, target: fnn.Array2) -> fnn.Scalar:
    return np.mean((prediction - target) ** 2)


def energy(p: fnn.DenseParams, x: fnn.Array2, labels: fnn.Int1) -> fnn.Scalar:
    return fnn.cross_entropy(fnn.dense(p, x), labels)


x = np.random.default_rng(0).normal(size=(4, 3))
params = fnn.init(fnn.Dense(3, 2), fnn.key(0))[0]

report = check_grads(energy, params, x, np.array([0, 1, 1, 0]))
assert_type(report, GradReport)
assert report.leaves == ("args[0].weight", "args[0].bias", "args[1]")
check_grads(fnn.tanh, x, order=1, modes=("rev",))
check_grads(lambda a, b: a @ b, x, np.ones((3, 2)))
assert_type(check_taylor(loss, x, x + 1).rates, dict[str, float])
assert_type(check_layer(Scale(3), x), tuple[str, ...])
check_layer(fnn.Dense(3, 4) >> fnn.BatchNorm(4) >> fnn.Dropout(0.5), x, skip=("aliasing",))
check_loss(loss, x, x + 1)
check_loss(fnn.cross_entropy, x, np.array([0, 1, 2, 0]))
check_optimizer(fnn.Adam(0.05), params)
