# pyright: strict
"""Norms keep the rank, whatever it is, and have no state."""

from dataclasses import dataclass
from typing import assert_type

import numpy as np

import fnn

params, state = fnn.init(fnn.LayerNorm(4), fnn.key(0))
assert_type(params, fnn.NormParams)
assert_type(state, None)
scale, _ = fnn.init(fnn.RMSNorm(4, eps=1e-6), fnn.key(0))
assert_type(scale, fnn.ScaleParams)
assert_type(scale.scale, fnn.Array1)


def keep_the_rank(rows: fnn.Array2, sequences: fnn.Array3, images: fnn.Array4, volumes: fnn.Array5) -> None:
    assert_type(fnn.layer_norm(params, rows), fnn.Array2)
    assert_type(fnn.layer_norm(params, images, eps=1e-6), fnn.Array4)
    assert_type(fnn.rms_norm(scale, sequences), fnn.Array3)
    assert_type(fnn.group_norm(params, volumes, 2), fnn.Array5)
    assert_type(fnn.group_norm(params, rows, 2, eps=1e-3), fnn.Array2)
    assert_type(fnn.instance_norm(params, images), fnn.Array4)
    assert_type(fnn.predict(fnn.LayerNorm(4), params, None, sequences), fnn.Array3)
    assert_type(fnn.predict(fnn.RMSNorm(4), scale, None, rows), fnn.Array2)
    assert_type(fnn.predict(fnn.GroupNorm(2, 4), params, None, images), fnn.Array4)
    assert_type(fnn.predict(fnn.InstanceNorm(4), params, None, volumes), fnn.Array5)
    assert_type(fnn.grad(loss)((params, scale), rows), tuple[fnn.NormParams, fnn.ScaleParams])


def loss(p: tuple[fnn.NormParams, fnn.ScaleParams], x: fnn.Array2) -> fnn.Scalar:
    return fnn.mean(fnn.square(fnn.rms_norm(p[1], fnn.layer_norm(p[0], x))))


x = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
keep_the_rank(x, np.ones((2, 3, 4), np.float32), np.ones((2, 3, 3, 4), np.float32), np.ones((2, 2, 2, 2, 4), np.float32))

# rows, with a norm in front of every block
block = fnn.residual(fnn.LayerNorm(4) >> fnn.Dense(4, 8) >> fnn.gelu >> fnn.Dense(8, 4))
model = fnn.Dense(3, 4) >> fnn.stack(2, block) >> fnn.RMSNorm(4) >> fnn.Dense(4, 1)
model_params, model_state = fnn.init(model, fnn.key(1))
assert_type(
    model_params,
    tuple[
        fnn.DenseParams,
        tuple[tuple[fnn.NormParams, fnn.DenseParams, None, fnn.DenseParams], ...],
        fnn.ScaleParams,
        fnn.DenseParams,
    ],
)
rows = np.ones((5, 3), np.float32)
step = fnn.train_step(fnn.supervised(model, fnn.mse), fnn.Adam(1e-2))
ts, value = step(fnn.start(model, fnn.Adam(1e-2), fnn.key(0)), rows, np.ones((5, 1), np.float32))
assert_type(value, fnn.Scalar)


# a norm may start a chain, which then takes what its next part takes
@dataclass(frozen=True)
class Named:
    norm: fnn.NormParams
    head: fnn.DenseParams


def forward(p: Named, images: fnn.Array4) -> fnn.Array2:
    h = fnn.relu(fnn.group_norm(p.norm, images, 2))
    return fnn.dense(p.head, fnn.mean(h, axis=(1, 2)))


named = Named(fnn.NormParams.init(4), fnn.DenseParams.init(fnn.key(0), 4, 2))
print(forward(named, np.ones((2, 3, 3, 4), np.float32)).shape)
first = fnn.LayerNorm(3) >> fnn.Dense(3, 2)
assert_type(fnn.init(first, fnn.key(0))[0], tuple[fnn.NormParams, fnn.DenseParams])
