"""The layers and kernels of a small net: dense, batch norm, dropout, losses, and the combinators."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator

import fnn
from fnn.functional import activations, cross_entropy, linear, losses, norms
from tests.laws.families.case import KernelCase, LayerCase
from tests.laws.operations.case import away_from_zero, distinct


def _scale_init(key: fnn.Key) -> fnn.Array1:
    return np.ones(3, np.float32) + key.generator().random(3, np.float32)


def _scale(weight: fnn.Array1, x: fnn.Array2) -> fnn.Array2:
    return x * np.mean(weight)


LAYERS: list[LayerCase] = [
    LayerCase("Dense", lambda n: fnn.Dense(n, 3)),
    LayerCase("Dense without bias", lambda n: fnn.Dense(n, 3, bias=False)),
    LayerCase("BatchNorm", lambda n: fnn.BatchNorm(n), ranks=(2, 3, 4), plain=True),
    LayerCase("BatchNorm, other options", lambda n: fnn.BatchNorm(n, momentum=0.3, eps=1e-3), ranks=(2, 3), plain=True),
    LayerCase("Dropout", lambda n: fnn.Dropout(0.4), ranks=(2, 1, 4), draws=True, aliases=True),
    LayerCase("Dropout of nothing", lambda n: fnn.Dropout(0.0), ranks=(2,), aliases=True),
    LayerCase("Function", lambda n: fnn.Function(fnn.tanh)),
    LayerCase("layer(init, apply)", lambda n: fnn.layer(_scale_init, _scale)),
    LayerCase("residual", lambda n: fnn.residual(fnn.Dense(n, n) >> fnn.tanh)),
    LayerCase("stack", lambda n: fnn.stack(2, fnn.Dense(n, n) >> fnn.silu)),
    LayerCase("chain", lambda n: fnn.Dense(n, 4) >> fnn.tanh >> fnn.Dense(4, 2)),
    LayerCase("norm behind dense", lambda n: fnn.Dense(n, 4) >> fnn.BatchNorm(4) >> fnn.gelu >> fnn.Dense(4, 1)),
    LayerCase(
        "all together",
        lambda n: (
            fnn.Dense(n, 4)
            >> fnn.BatchNorm(4)
            >> fnn.Dropout(0.3)
            >> fnn.residual(fnn.Dense(4, 4) >> fnn.softplus >> fnn.Dropout(0.2))
            >> fnn.Dense(4, 2)
        ),
        draws=True,
    ),
    LayerCase("chain(list)", lambda n: fnn.chain([fnn.Dense(n, 4), fnn.tanh, fnn.BatchNorm(4)])),
]


def _pair_of_rows(rng: Generator) -> tuple[Any, Any]:
    shape = tuple(rng.integers(1, 5, 2).tolist())
    return distinct(rng, shape), away_from_zero(rng, shape)


def _rows(rng: Generator) -> tuple[Any]:
    return (away_from_zero(rng, (2, 3)),)


def _weighted_labels() -> tuple[Any, Any, Any, Any]:
    """Weights of rows and classes, labels, which are kept."""
    return np.array([2.0, 0.0]), np.array([0.5, 1.0, 2.0]), np.array([2, 0]), np.array([True, False])


def _norm(rng: Generator) -> tuple[Any, Any, Any]:
    front = rng.integers(2, 5, rng.integers(1, 4)).tolist()
    return rng.normal(size=(*front, 5)), rng.normal(size=5), rng.normal(size=5)


def _affine(rng: Generator) -> tuple[Any, Any, Any]:
    front = rng.integers(1, 5, rng.integers(1, 3)).tolist()
    return rng.normal(size=(*front, 3)), rng.normal(size=(3, 4)), rng.normal(size=4)


KERNELS: list[KernelCase] = [
    KernelCase("gelu", activations._gelu_tanh, lambda rng: (rng.normal(size=(3, 4)) * 3,)),
    KernelCase("squares", losses._squares, _pair_of_rows, {"factor": 0.5}),
    KernelCase("absolutes", losses._absolutes, _pair_of_rows),
    KernelCase("huber", losses._huber, _pair_of_rows, {"delta": 0.7}),
    KernelCase("bce_with_logits", losses._bce_with_logits, _pair_of_rows),
    KernelCase("cross_entropy", cross_entropy._probabilities, _pair_of_rows, {"smoothing": 0.1}),
    KernelCase("cross_entropy of labels", cross_entropy._labels, _rows, {"smoothing": 0.1}, (np.array([2, 0]),)),
    KernelCase("cross_entropy by row", cross_entropy._label_rows, _rows, {"smoothing": 0.1}, _weighted_labels()),
    KernelCase("cross_entropy by row, no smoothing", cross_entropy._label_rows, _rows, {"smoothing": 0.0}, _weighted_labels()),
    KernelCase("cross_entropy of probabilities by row", cross_entropy._probability_rows, _pair_of_rows),
    KernelCase("dense", linear._affine_op, _affine),
    KernelCase("dense without bias", linear._linear_op, lambda rng: _affine(rng)[:2]),
    KernelCase("batch_norm", norms._batch_norm, _norm, {"eps": 1e-5}),
]
