"""The fused losses that are not those of a small net."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator

from fnn.functional import distribution_losses, imbalance_losses, margin_losses
from tests.laws.families.case import KernelCase, LayerCase
from tests.laws.operations.case import away_from_zero, positive

LAYERS: list[LayerCase] = []


def _binary(rng: Generator) -> tuple[Any, Any]:
    return away_from_zero(rng, (2, 3)), rng.uniform(0, 1, (2, 3))


def _normals(rng: Generator) -> tuple[Any, Any, Any]:
    variance = positive(rng, (2, 3))
    variance[0, 0] = 1e-3  # below the bound
    return rng.normal(size=(2, 3)), rng.normal(size=(2, 3)), variance


def _logits(rng: Generator) -> tuple[Any]:
    return (away_from_zero(rng, (4, 3)),)


_LABELS = (np.array([0, 2, 1, 2]),)

KERNELS: list[KernelCase] = [
    KernelCase("focal", imbalance_losses._focal, _binary, {"gamma": 2.0, "one": 0.25, "zero": 0.75}),
    KernelCase("focal, gamma 0.5", imbalance_losses._focal, _binary, {"gamma": 0.5, "one": 1.0, "zero": 1.0}),
    KernelCase("gaussian_nll", distribution_losses._gaussian, _normals, {"constant": 1.0, "eps": 1e-2}),
    KernelCase("multi_margin", margin_losses._margins, _logits, {"margin": 1.0, "p": 1}, _LABELS),
    KernelCase("multi_margin, squares", margin_losses._margins, _logits, {"margin": 0.3, "p": 2}, _LABELS),
]
