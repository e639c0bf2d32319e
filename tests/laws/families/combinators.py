"""Layers made of layers: branches, bodies over time, tied and frozen parameters."""

from __future__ import annotations

from typing import Any

from numpy.random import Generator

import fnn
from tests.laws.families.case import KernelCase, LayerCase
from tests.laws.operations.case import away_from_zero


def _project(p: fnn.DenseParams, h: fnn.Array2) -> fnn.Array2:
    return fnn.matmul(h, p.weight.T)


def _sequence(rng: Generator) -> Any:
    return away_from_zero(rng, (2, 3, 3))


LAYERS: list[LayerCase] = [
    LayerCase("parallel", lambda n: fnn.parallel(fnn.Dense(n, 2), fnn.Dense(n, 3) >> fnn.tanh >> fnn.Dense(3, 2))),
    LayerCase(
        "parallel, concatenated",
        lambda n: fnn.parallel(fnn.Function(fnn.tanh), fnn.Dense(n, 2), fnn.BatchNorm(n), join="concatenate"),
    ),
    LayerCase("over_time", lambda n: fnn.over_time(fnn.Dense(n, 2) >> fnn.BatchNorm(2)), draw=_sequence),
    LayerCase("over_time, drawing", lambda n: fnn.over_time(fnn.Dense(n, 4) >> fnn.Dropout(0.5)), draws=True, draw=_sequence),
    LayerCase("tied", lambda n: fnn.tied(fnn.Dense(n, 2), fnn.BatchNorm(2) >> fnn.tanh, _project)),
    LayerCase("first part of a chain", lambda n: (fnn.Dense(n, 2) >> fnn.BatchNorm(2) >> fnn.Dense(2, 1))[:2]),
]

KERNELS: list[KernelCase] = []
