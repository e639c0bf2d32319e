# pyright: strict
"""A layer made of an init and an apply function, at the head of a chain and inside of one."""

from dataclasses import dataclass
from typing import assert_type

import numpy as np

import fnn


@dataclass(frozen=True)
class ScaleParams:
    weight: fnn.Array1


def make(key: fnn.Key) -> ScaleParams:
    return ScaleParams(np.ones(4, np.float32))


def scale(p: ScaleParams, x: fnn.Array2) -> fnn.Array2:
    return x * p.weight


part = fnn.layer(make, scale)
inside = fnn.Dense(2, 4) >> part >> fnn.relu
at_head = part >> fnn.Dense(4, 1)

assert_type(fnn.init(part, fnn.key(0)), tuple[ScaleParams, None])
assert_type(fnn.init(inside, fnn.key(0))[0], tuple[fnn.DenseParams, ScaleParams, None])
params, state = fnn.init(at_head, fnn.key(0))
assert_type(params, tuple[ScaleParams, fnn.DenseParams])
assert_type(fnn.predict(at_head, params, state, np.ones((3, 4), np.float32)), fnn.Array2)


def one_weight(key: fnn.Key) -> fnn.Array2:
    return np.ones((4, 2), np.float32)


def project(w: fnn.Array2, x: fnn.Array2) -> fnn.Array2:
    return x @ w


projection = fnn.layer(one_weight, project)
assert_type(fnn.init(fnn.Dense(2, 4) >> projection, fnn.key(0))[0], tuple[fnn.DenseParams, fnn.Array2])
