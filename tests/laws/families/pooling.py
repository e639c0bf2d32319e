"""Pooling: over windows and over all positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

import fnn
from fnn.functional import pooling
from fnn.functional.sweeps import Windows
from tests.laws.families.case import KernelCase, LayerCase
from tests.laws.operations.case import distinct


def _of(*shape: int) -> Callable[[Generator], Any]:
    return lambda rng: distinct(rng, shape)


def _layer(name: str, make: Callable[[], Any], *shape: int) -> LayerCase:
    return LayerCase(name, lambda n: make(), draw=_of(*shape))


LAYERS: list[LayerCase] = [
    _layer("MaxPool1d", lambda: fnn.MaxPool1d(2), 2, 5, 3),
    _layer("MaxPool1d, causal", lambda: fnn.MaxPool1d(3, stride=1, padding="causal", dilation=2), 2, 5, 2),
    _layer("MaxPool2d", lambda: fnn.MaxPool2d(2), 2, 4, 4, 1),
    _layer("MaxPool2d, what is left over", lambda: fnn.MaxPool2d(2), 2, 3, 5, 2),
    _layer("MaxPool2d, overlapping", lambda: fnn.MaxPool2d(3, stride=2, padding=1), 1, 5, 4, 2),
    _layer("MaxPool2d, two sizes", lambda: fnn.MaxPool2d((3, 1), stride=(1, 2), padding="same"), 2, 3, 4, 1),
    _layer("MaxPool2d, dilation", lambda: fnn.MaxPool2d(2, stride=1, padding=((1, 0), 1), dilation=(1, 2)), 2, 3, 3, 1),
    _layer("MaxPool2d, ceil_mode", lambda: fnn.MaxPool2d((2, 3), ceil_mode=True), 2, 3, 4, 2),
    _layer("MaxPool3d", lambda: fnn.MaxPool3d(2, stride=(2, 1, 1)), 1, 4, 3, 3, 1),
    _layer("AvgPool1d", lambda: fnn.AvgPool1d(3, stride=2, padding="same"), 2, 6, 2),
    _layer("AvgPool2d", lambda: fnn.AvgPool2d(2), 2, 4, 4, 1),
    _layer("AvgPool2d, overlapping", lambda: fnn.AvgPool2d(3, stride=2, padding=1), 1, 5, 4, 2),
    _layer("AvgPool2d, zeros", lambda: fnn.AvgPool2d(2, stride=1, padding=1, count_include_pad=True), 2, 3, 3, 2),
    _layer("AvgPool2d, ceil_mode", lambda: fnn.AvgPool2d(2, ceil_mode=True, padding=((0, 1), (1, 0))), 2, 4, 2, 2),
    _layer("AvgPool3d", lambda: fnn.AvgPool3d((2, 1, 2), dilation=(1, 1, 2)), 2, 2, 2, 4, 1),
    LayerCase("global_max_pool", lambda n: fnn.Function(fnn.global_max_pool), ranks=(3, 4), draw=_of(2, 3, 2, 2)),
    LayerCase("global_avg_pool", lambda n: fnn.Function(fnn.global_avg_pool), ranks=(3, 4)),
]


def _geometry(
    rank: int, size: Any, *, stride: Any = None, padding: Any = "valid", dilation: Any = 1, ceil: bool = False
) -> Any:
    """A kernel case's options for its input of 4 x 5 x 3 positions."""
    return pooling._geometry("f", np.ones((2, *(4, 5, 3)[:rank], 2)), rank, size, stride, padding, dilation, ceil)


def _case(name: str, geometry: Windows) -> list[KernelCase]:
    def draw(rng: Generator) -> tuple[Any]:
        return (distinct(rng, (2, *geometry.sizes, 2)),)

    return [
        KernelCase(f"max pool, {name}", pooling._max_pool, draw, {"geometry": geometry}),
        KernelCase(f"avg pool, {name}", pooling._avg_pool, draw, {"geometry": geometry, "count_include_pad": False}),
        KernelCase(f"avg pool with zeros, {name}", pooling._avg_pool, draw, {"geometry": geometry, "count_include_pad": True}),
    ]


KERNELS: list[KernelCase] = [
    *_case("2", _geometry(2, 2)),
    *_case("1", _geometry(1, 1, stride=2)),
    *_case("3 of stride 2 with padding", _geometry(2, 3, stride=2, padding=1)),
    *_case("2 of stride 1 with padding", _geometry(2, 2, stride=1, padding=((0, 1), (1, 0)))),
    *_case("dilation", _geometry(2, (2, 3), stride=1, padding="same", dilation=(2, 1))),
    *_case("ceil_mode", _geometry(1, 3, stride=2, dilation=1, padding=((1, 0),), ceil=True)),
    *_case("gaps", _geometry(2, (2, 1), stride=(3, 2))),
    *_case("volumes", _geometry(3, (2, 3, 2), stride=(2, 2, 1), padding="same")),
    KernelCase("global max pool", pooling._global_max, lambda rng: (distinct(rng, (3, 4, 2)),)),
]
