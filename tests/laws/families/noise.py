"""Noise in training besides Dropout."""

from __future__ import annotations

import fnn
from tests.laws.families.case import KernelCase, LayerCase

LAYERS: list[LayerCase] = [
    LayerCase("SpatialDropout", lambda n: fnn.SpatialDropout(0.4), ranks=(3, 2, 4), draws=True, aliases=True),
    LayerCase("SpatialDropout of nothing", lambda n: fnn.SpatialDropout(0), ranks=(3,), aliases=True),
    LayerCase("DropPath", lambda n: fnn.DropPath(0.4), ranks=(2, 1, 3, 4), draws=True, aliases=True),
    LayerCase("GaussianNoise", lambda n: fnn.GaussianNoise(0.3), ranks=(2, 1, 4), draws=True, aliases=True),
    LayerCase("GaussianNoise of nothing", lambda n: fnn.GaussianNoise(0.0), ranks=(2,), aliases=True),
    LayerCase("residual with DropPath", lambda n: fnn.residual(fnn.Dense(n, n) >> fnn.tanh >> fnn.DropPath(0.5)), draws=True),
]

KERNELS: list[KernelCase] = []
