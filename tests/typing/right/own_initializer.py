# pyright: strict
"""Initialisers are values and functions with one signature, the user's own among them."""

from dataclasses import dataclass
from typing import Any, assert_type

import numpy as np
from numpy.typing import DTypeLike

import fnn


def diagonal(key: fnn.Key, shape: tuple[int, ...], dtype: DTypeLike = np.float32, /) -> np.ndarray[Any, Any]:
    return np.eye(shape[0], shape[1], dtype=dtype)


@dataclass(frozen=True)
class Tiny:
    scale: float

    def __call__(self, key: fnn.Key, shape: tuple[int, ...], dtype: DTypeLike = np.float32, /) -> np.ndarray[Any, Any]:
        return np.asarray(key.generator().standard_normal(shape) * self.scale, dtype)


chosen: list[fnn.Initializer] = [
    fnn.initializers.he_normal,
    fnn.initializers.glorot_uniform,
    fnn.initializers.orthogonal,
    fnn.initializers.constant(0.5),
    fnn.initializers.truncated_normal(0.02),
    fnn.initializers.uniform(-0.1, 0.1),
    diagonal,
    Tiny(0.1),
]
for init in chosen:
    layer = fnn.Dense(3, 2, weight_init=init, bias_init=fnn.initializers.constant(0.1))
    params, _ = fnn.init(layer, fnn.key(0))
    assert_type(params, fnn.DenseParams)
    assert_type(fnn.LinearParams.init(fnn.key(0), 3, 2, weight_init=init), fnn.LinearParams)
    named: fnn.Array2 = init(fnn.key(1), (3, 2))
