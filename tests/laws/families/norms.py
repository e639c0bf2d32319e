"""Layer norm, RMS norm, group norm and instance norm."""

from __future__ import annotations

from typing import Any

from numpy.random import Generator

import fnn
from fnn.functional import layer_norms
from tests.laws.families.case import KernelCase, LayerCase


def _images(channels: int, *ranks: int) -> Any:
    """[batch, ..., channels] of one of these ranks, with at least two places."""
    return lambda rng: rng.normal(size=(2, *rng.integers(2, 4, rng.choice(ranks) - 2).tolist(), channels))


LAYERS: list[LayerCase] = [
    LayerCase("LayerNorm", lambda n: fnn.LayerNorm(n), ranks=(2, 3, 4), plain=True),
    LayerCase("LayerNorm, another eps", lambda n: fnn.LayerNorm(n, eps=0.1), plain=True),
    LayerCase("RMSNorm", lambda n: fnn.RMSNorm(n), ranks=(2, 3, 4), plain=True),
    LayerCase("RMSNorm, another eps", lambda n: fnn.RMSNorm(n, eps=0.1), plain=True),
    LayerCase("GroupNorm of one group", lambda n: fnn.GroupNorm(1, n), plain=True, draw=_images(3, 2, 3, 4)),
    LayerCase("GroupNorm", lambda n: fnn.GroupNorm(2, n + 1, eps=1e-3), plain=True, draw=_images(4, 2, 3, 4)),
    LayerCase("InstanceNorm", lambda n: fnn.InstanceNorm(n), plain=True, draw=_images(3, 3, 4)),
    LayerCase(
        "a block of tokens",
        lambda n: fnn.residual(fnn.LayerNorm(n) >> fnn.Dense(n, 4) >> fnn.gelu >> fnn.RMSNorm(4) >> fnn.Dense(4, n)),
    ),
]


def _tokens(rng: Generator) -> tuple[Any, Any, Any]:
    front = rng.integers(1, 5, rng.integers(0, 4)).tolist()
    return rng.normal(size=(*front, 5)), rng.normal(size=5), rng.normal(size=5)


def _volumes(rng: Generator) -> tuple[Any, Any, Any]:
    front = rng.integers(1, 4, rng.integers(1, 5)).tolist()
    return rng.normal(size=(*front, 6)), rng.normal(size=6), rng.normal(size=6)


def _with_places(rng: Generator) -> tuple[Any, Any, Any]:
    return rng.normal(size=(3, *rng.integers(2, 4, rng.integers(1, 3)).tolist(), 6)), rng.normal(size=6), rng.normal(size=6)


KERNELS: list[KernelCase] = [
    KernelCase("layer_norm", layer_norms._layer_norm, _tokens, {"eps": 1e-5}),
    KernelCase("rms_norm", layer_norms._rms_norm, lambda rng: _tokens(rng)[:2], {"eps": 1e-5}),
    KernelCase("group_norm, 1 group", layer_norms._group_norm, _volumes, {"groups": 1, "eps": 1e-5}),
    KernelCase("group_norm, 3 groups", layer_norms._group_norm, _volumes, {"groups": 3, "eps": 1e-5}),
    KernelCase("instance_norm", layer_norms._group_norm, _with_places, {"groups": 6, "eps": 1e-5}),
]
