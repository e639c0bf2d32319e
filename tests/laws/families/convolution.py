"""Convolutions and transposed convolutions of one, two and three spatial axes, over their options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.random import Generator

import fnn
from fnn.functional import convolution, transposed_convolution
from fnn.functional.windows import Geometry
from tests.laws.families.case import KernelCase, LayerCase


def _layer(name: str, make: Callable[[], Any], *shape: int) -> LayerCase:
    return LayerCase(name, lambda n: make(), draw=lambda rng: rng.normal(size=shape))


LAYERS: list[LayerCase] = [
    _layer("Conv1d", lambda: fnn.Conv1d(2, 3, 3), 2, 4, 2),
    _layer("Conv1d, causal", lambda: fnn.Conv1d(2, 2, 3, padding="causal", dilation=2), 2, 5, 2),
    _layer("Conv2d", lambda: fnn.Conv2d(1, 2, 3), 2, 3, 4, 1),
    _layer("Conv2d without bias", lambda: fnn.Conv2d(2, 1, 2, bias=False), 2, 3, 3, 2),
    _layer("Conv2d, strides", lambda: fnn.Conv2d(1, 2, 3, stride=(2, 1)), 2, 5, 3, 1),
    _layer("Conv2d, pairs", lambda: fnn.Conv2d(1, 2, 2, padding=((1, 0), 2), dilation=(1, 2)), 2, 3, 3, 1),
    _layer("Conv2d, groups", lambda: fnn.Conv2d(4, 4, 2, groups=2, padding="valid"), 2, 2, 3, 4),
    _layer("Conv2d, depthwise", lambda: fnn.Conv2d(3, 3, 2, groups=3, stride=2), 2, 3, 3, 3),
    _layer("Conv3d", lambda: fnn.Conv3d(1, 2, 2, padding="valid"), 2, 3, 2, 3, 1),
    _layer("ConvTranspose1d", lambda: fnn.ConvTranspose1d(2, 2, 3, stride=2), 2, 3, 2),
    _layer("ConvTranspose1d, causal", lambda: fnn.ConvTranspose1d(1, 2, 4, stride=2, padding="causal"), 2, 3, 1),
    _layer("ConvTranspose2d", lambda: fnn.ConvTranspose2d(2, 1, 3), 2, 3, 2, 2),
    _layer("ConvTranspose2d without bias", lambda: fnn.ConvTranspose2d(1, 2, 2, stride=3, bias=False), 2, 2, 2, 1),
    _layer(
        "ConvTranspose2d, output padding",
        lambda: fnn.ConvTranspose2d(1, 2, 3, stride=2, padding=1, output_padding=(1, 0)),
        *(2, 2, 2, 1),
    ),
    _layer("ConvTranspose2d, groups", lambda: fnn.ConvTranspose2d(4, 2, 2, groups=2, dilation=2), 2, 2, 2, 4),
    _layer("ConvTranspose3d", lambda: fnn.ConvTranspose3d(1, 2, 2, stride=(1, 2, 1), padding="valid"), 2, 2, 2, 2, 1),
]


def _draw(*shape: int, kernel: tuple[int, ...], bias: bool = True) -> Callable[[Generator], tuple[Any, ...]]:
    def draw(rng: Generator) -> tuple[Any, ...]:
        arrays = rng.normal(size=shape), rng.normal(size=kernel), rng.normal(size=kernel[-1])
        return arrays if bias else arrays[:2]

    return draw


def _conv(name: str, geometry: Geometry, *shape: int, kernel: tuple[int, ...]) -> list[KernelCase]:
    options = {"geometry": geometry}
    without = convolution._conv_without_bias_op
    return [
        KernelCase(f"convolution, {name}", convolution._conv_op, _draw(*shape, kernel=kernel), options),
        KernelCase(f"convolution without bias, {name}", without, _draw(*shape, kernel=kernel, bias=False), options),
    ]


def _transposed(
    name: str, geometry: Geometry, sizes: tuple[int, ...], *shape: int, kernel: tuple[int, ...]
) -> list[KernelCase]:
    options = {"geometry": geometry, "sizes": sizes}
    op, without = transposed_convolution._transposed_op, transposed_convolution._transposed_without_bias_op
    return [
        KernelCase(f"transposed convolution, {name}", op, _draw(*shape, kernel=kernel), options),
        KernelCase(f"transposed convolution without bias, {name}", without, _draw(*shape, kernel=kernel, bias=False), options),
    ]


KERNELS: list[KernelCase] = [
    *_conv("1-D", Geometry((1,), ((2, 0),), (2,), 1), 3, 6, 5, kernel=(2, 5, 3)),
    *_conv("2-D", Geometry((1, 1), ((1, 1), (0, 2)), (1, 2), 1), 3, 6, 5, 4, kernel=(3, 2, 4, 3)),
    *_conv("few inputs", Geometry((1, 1), ((1, 1), (1, 1)), (1, 1), 1), 3, 6, 5, 1, kernel=(3, 3, 1, 9)),
    *_conv("few outputs", Geometry((1, 1), ((1, 1), (0, 0)), (1, 1), 1), 2, 4, 5, 9, kernel=(3, 3, 9, 1)),
    *_conv("strides", Geometry((2, 3), ((1, 0), (1, 1)), (1, 1), 1), 3, 6, 7, 4, kernel=(3, 2, 4, 3)),
    *_conv("far padding", Geometry((1, 1), ((3, 2), (0, 4)), (1, 1), 1), 2, 3, 3, 4, kernel=(2, 2, 4, 4)),
    *_conv("one tap", Geometry((1, 1), ((0, 0), (0, 0)), (1, 1), 1), 3, 4, 3, 5, kernel=(1, 1, 5, 2)),
    *_conv("groups", Geometry((1, 1), ((1, 1), (1, 1)), (1, 1), 2), 3, 4, 3, 8, kernel=(3, 3, 4, 6)),
    *_conv("groups, strides", Geometry((2, 1), ((1, 1), (0, 1)), (1, 2), 2), 3, 4, 5, 4, kernel=(3, 2, 2, 6)),
    *_conv("depthwise", Geometry((1, 1), ((1, 1), (1, 2)), (1, 2), 3), 3, 4, 5, 3, kernel=(3, 2, 1, 3)),
    *_conv("depthwise, strides", Geometry((2, 3), ((1, 1), (1, 0)), (1, 1), 3), 3, 5, 5, 3, kernel=(3, 2, 1, 3)),
    *_conv("depthwise, several outputs", Geometry((1, 2), ((1, 1), (1, 0)), (1, 1), 3), 3, 5, 5, 3, kernel=(3, 2, 1, 6)),
    *_conv("3-D", Geometry((1, 1, 2), ((1, 1), (0, 0), (1, 0)), (1, 2, 1), 1), 2, 3, 4, 4, 2, kernel=(3, 2, 2, 2, 3)),
    *_transposed("1-D", Geometry((1,), ((1, 1),), (1,), 1), (5,), 3, 5, 4, kernel=(3, 4, 3)),
    *_transposed("strides", Geometry((2, 3), ((1, 0), (0, 1)), (1, 1), 1), (8, 8), 3, 4, 3, 4, kernel=(3, 3, 4, 3)),
    *_transposed("reaching on", Geometry((2, 2), ((0, -1), (1, -2)), (1, 3), 1), (8, 9), 3, 4, 3, 2, kernel=(1, 2, 2, 3)),
    *_transposed("groups", Geometry((2, 1), ((0, 0), (1, 1)), (1, 1), 2), (7, 3), 2, 3, 3, 4, kernel=(3, 3, 2, 6)),
    *_transposed("depthwise", Geometry((2, 1), ((0, 0), (1, 1)), (1, 1), 3), (7, 3), 2, 3, 3, 3, kernel=(3, 3, 1, 3)),
]
