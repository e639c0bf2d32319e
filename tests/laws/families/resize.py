"""Upsampling, padding, flattening."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

import fnn
from fnn.functional import resize
from tests.laws.families.case import KernelCase, LayerCase


def _of(*shape: int) -> Callable[[Generator], Any]:
    return lambda rng: rng.normal(size=shape)


LAYERS: list[LayerCase] = [
    LayerCase("Upsample1d", lambda n: fnn.Upsample1d(3), draw=_of(2, 3, 2)),
    LayerCase("Upsample1d, linear", lambda n: fnn.Upsample1d(3, method="linear"), draw=_of(2, 3, 2)),
    LayerCase("Upsample2d", lambda n: fnn.Upsample2d(2), draw=_of(2, 2, 3, 1)),
    LayerCase("Upsample2d, bilinear", lambda n: fnn.Upsample2d((3, 2), method="bilinear"), draw=_of(2, 2, 3, 1)),
    LayerCase("Upsample3d", lambda n: fnn.Upsample3d((1, 2, 2), method="trilinear"), draw=_of(1, 2, 2, 2, 1)),
    LayerCase("Pad", lambda n: fnn.Pad(1), draw=_of(2, 2, 3, 2)),
    LayerCase("Pad, reflect", lambda n: fnn.Pad(((2, 1),), mode="reflect"), draw=_of(2, 3, 2)),
    LayerCase("Pad, edge", lambda n: fnn.Pad((1, (0, 3)), mode="edge"), draw=_of(2, 2, 2, 2)),
    LayerCase("Pad, wrap", lambda n: fnn.Pad(2, mode="wrap"), draw=_of(1, 2, 2, 3, 1)),
    LayerCase("flatten", lambda n: fnn.Function(fnn.flatten), ranks=(2, 3, 4), aliases=True),
    LayerCase("last_step", lambda n: fnn.Function(fnn.last_step), ranks=(3,)),
    LayerCase("last_step of lengths", lambda n: fnn.Function(_last_of_lengths), draw=_of(3, 4, 2)),
]


def _last_of_lengths(x: fnn.Array3) -> fnn.Array2:
    # the same length for all: the batch may be permuted
    return fnn.last_step(x, np.full(len(x), 2))


def _image(rng: Generator) -> tuple[Any]:
    return (rng.normal(size=(2, *rng.integers(1, 5, 2).tolist(), 2)),)


KERNELS: list[KernelCase] = [
    KernelCase("upsample", resize._upsample, _image, {"scale": (2, 3), "linear": False}),
    KernelCase("upsample, linear", resize._upsample, _image, {"scale": (2, 3), "linear": True}),
    KernelCase("upsample, linear, 1 and 4", resize._upsample, _image, {"scale": (1, 4), "linear": True}),
    KernelCase("pad", resize._pad, _image, {"pairs": ((1, 2), (0, 1)), "mode": "constant"}),
    KernelCase("pad by nothing", resize._pad, _image, {"pairs": ((0, 0), (0, 0)), "mode": "constant"}),
    KernelCase("pad, edge", resize._pad, _image, {"pairs": ((1, 2), (0, 3)), "mode": "edge"}),
    KernelCase("pad, reflect", resize._pad, lambda rng: (rng.normal(size=(2, 3, 2)),), {"pairs": ((2, 1),), "mode": "reflect"}),
    KernelCase("pad, wrap", resize._pad, lambda rng: (rng.normal(size=(2, 3, 2)),), {"pairs": ((3, 2),), "mode": "wrap"}),
]
