"""The tables that the laws run over. A new activation, layer, loss or optimiser is tested by being listed. Operations have a
table of their own, `tests.laws.operations`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

import fnn
from tests.laws.families import attention, combinators, convolution, core, embedding, noise, norms, pooling, recurrence, resize
from tests.laws.families.case import KernelCase, LayerCase
from tests.laws.operations.case import Draw, away_from_zero, positive

FAMILIES: list[Any] = [core, combinators, convolution, recurrence, noise, pooling, resize, norms, embedding, attention]


@dataclass(frozen=True)
class Activation:
    """An elementwise or row-wise function; `aliases` where it may return its input."""

    name: str
    f: Callable[[Any], Any]
    aliases: bool = False


ACTIVATIONS: list[Activation] = [
    Activation("identity", fnn.identity, aliases=True),
    Activation("relu", fnn.relu),
    Activation("leaky_relu", fnn.leaky_relu),
    Activation("leaky_relu 0.3", lambda x: fnn.leaky_relu(x, 0.3)),
    Activation("sigmoid", fnn.sigmoid),
    Activation("tanh", fnn.tanh),
    Activation("softplus", fnn.softplus),
    Activation("elu", fnn.elu),
    Activation("elu 0.5", lambda x: fnn.elu(x, alpha=0.5)),
    Activation("selu", fnn.selu),
    Activation("gelu", fnn.gelu),
    Activation("gelu exact", lambda x: fnn.gelu(x, approximate=False)),
    Activation("silu", fnn.silu),
    Activation("softmax", fnn.softmax),
    Activation("softmax axis 0", lambda x: fnn.softmax(x, axis=0)),
    Activation("log_softmax", fnn.log_softmax),
    Activation("log_softmax axis 0", lambda x: fnn.log_softmax(x, 0)),
]


LAYERS: list[LayerCase] = [case for family in FAMILIES for case in family.LAYERS]

KERNELS: list[KernelCase] = [case for family in FAMILIES for case in family.KERNELS]


def unit(rng: Generator, shape: tuple[int, ...]) -> Any:
    """Probabilities away from 0 and 1."""
    return rng.uniform(0.1, 0.9, shape)


def rows_of_probabilities(rng: Generator, shape: tuple[int, ...]) -> Any:
    """Positive, adding up to 1 along the last axis."""
    x = rng.uniform(0.1, 1.0, shape)
    return x / x.sum(-1, keepdims=True)


def class_labels(rng: Generator, shape: tuple[int, ...]) -> Any:
    """A class number for each row."""
    return rng.integers(0, shape[-1], shape[:-1])


@dataclass(frozen=True)
class LossCase:
    """A loss, how prediction and target are drawn for a shape, and its formula per element or row in plain NumPy."""

    name: str
    f: Callable[[Any, Any], Any]
    prediction: Draw
    target: Draw
    formula: Callable[[Any, Any], Any]


def _log_softmax(x: Any) -> Any:
    return x - np.log(np.sum(np.exp(x), -1, keepdims=True))


def _one_hot(labels: Any, n: int) -> Any:
    return np.eye(n)[labels]


def _smooth(q: Any, s: float) -> Any:
    return (1 - s) * q + s / q.shape[-1]


# exact in float32, so that the weights widen nothing
WEIGHTS: Any = np.array([0.5, 2.0, 1.25], np.float32)


def some_kept_labels(rng: Generator, shape: tuple[int, ...]) -> Any:
    """Class numbers of which the first isn't 2, which may be ignored."""
    labels = rng.integers(0, shape[-1], shape[:-1])
    labels.flat[0] = 1
    return labels


def _weighted_rows(x: Any, y: Any, s: float = 0.0) -> Any:
    return -np.sum(WEIGHTS * _smooth(_one_hot(y, 3), s) * _log_softmax(x), -1)


def _as_weighted_mean(values: Any, u: Any) -> Any:
    """Values of which the plain mean is the mean weighted by u."""
    return values * u.size / np.sum(u)


LOSSES: list[LossCase] = [
    LossCase("mse", fnn.mse, away_from_zero, positive, lambda p, t: (p - t) ** 2),
    LossCase("half_mse", fnn.half_mse, away_from_zero, positive, lambda p, t: 0.5 * (p - t) ** 2),
    LossCase("mae", fnn.mae, away_from_zero, positive, lambda p, t: np.abs(p - t)),
    LossCase(
        "huber",
        fnn.huber,
        away_from_zero,
        positive,
        lambda p, t: np.where(np.abs(p - t) <= 1, 0.5 * (p - t) ** 2, np.abs(p - t) - 0.5),
    ),
    LossCase(
        "huber 0.3",
        lambda p, t: fnn.huber(p, t, delta=0.3),
        away_from_zero,
        positive,
        lambda p, t: np.where(np.abs(p - t) <= 0.3, 0.5 * (p - t) ** 2, 0.3 * (np.abs(p - t) - 0.15)),
    ),
    LossCase("bce", fnn.bce, unit, unit, lambda p, t: -(t * np.log(p) + (1 - t) * np.log(1 - p))),
    LossCase("bce_with_logits", fnn.bce_with_logits, away_from_zero, unit, lambda z, t: np.log(1 + np.exp(z)) - t * z),
    LossCase(
        "cross_entropy, labels",
        fnn.cross_entropy,
        away_from_zero,
        class_labels,
        lambda x, y: -np.sum(_one_hot(y, x.shape[-1]) * _log_softmax(x), -1),
    ),
    LossCase(
        "cross_entropy, smoothed labels",
        lambda x, y: fnn.cross_entropy(x, y, label_smoothing=0.2),
        away_from_zero,
        class_labels,
        lambda x, y: -np.sum(_smooth(_one_hot(y, x.shape[-1]), 0.2) * _log_softmax(x), -1),
    ),
    LossCase(
        "cross_entropy, probabilities",
        fnn.cross_entropy,
        away_from_zero,
        rows_of_probabilities,
        lambda x, q: -np.sum(q * _log_softmax(x), -1),
    ),
    LossCase(
        "cross_entropy, smoothed probabilities",
        lambda x, q: fnn.cross_entropy(x, q, label_smoothing=0.1),
        away_from_zero,
        rows_of_probabilities,
        lambda x, q: -np.sum(_smooth(q, 0.1) * _log_softmax(x), -1),
    ),
    LossCase(
        "cross_entropy, weighted classes",
        lambda x, y: fnn.cross_entropy(x, y, class_weights=WEIGHTS),
        away_from_zero,
        class_labels,
        lambda x, y: _as_weighted_mean(_weighted_rows(x, y), WEIGHTS[y]),
    ),
    LossCase(
        "cross_entropy, some ignored",
        lambda x, y: fnn.cross_entropy(x, y, ignore_index=2),
        away_from_zero,
        some_kept_labels,
        lambda x, y: _as_weighted_mean(-np.sum(_one_hot(y, 3) * _log_softmax(x), -1) * (y != 2), y != 2),
    ),
    LossCase(
        "cross_entropy, everything",
        lambda x, y: fnn.cross_entropy(x, y, label_smoothing=0.2, class_weights=WEIGHTS, ignore_index=2),
        away_from_zero,
        some_kept_labels,
        lambda x, y: _as_weighted_mean(_weighted_rows(x, y, 0.2) * (y != 2), WEIGHTS[y] * (y != 2)),
    ),
    LossCase(
        "cross_entropy, weighted probabilities",
        lambda x, q: fnn.cross_entropy(x, q, label_smoothing=0.2, class_weights=WEIGHTS),
        away_from_zero,
        rows_of_probabilities,
        lambda x, q: -np.sum(WEIGHTS * _smooth(q, 0.2) * _log_softmax(x), -1),
    ),
    LossCase(
        "cross_entropy_per_example, labels",
        lambda x, y: np.mean(fnn.cross_entropy_per_example(x, y, label_smoothing=0.2, class_weights=WEIGHTS)),
        away_from_zero,
        class_labels,
        lambda x, y: _weighted_rows(x, y, 0.2),
    ),
    LossCase(
        "cross_entropy_per_example, probabilities",
        lambda x, q: np.mean(fnn.cross_entropy_per_example(x, q)),
        away_from_zero,
        rows_of_probabilities,
        lambda x, q: -np.sum(q * _log_softmax(x), -1),
    ),
    LossCase("nll", fnn.nll, away_from_zero, class_labels, lambda x, y: -np.sum(_one_hot(y, 3) * x, -1)),
    LossCase(
        "nll, everything",
        lambda x, y: fnn.nll(x, y, class_weights=WEIGHTS, ignore_index=2),
        away_from_zero,
        some_kept_labels,
        lambda x, y: _as_weighted_mean(-np.sum(WEIGHTS * _one_hot(y, 3) * x, -1) * (y != 2), WEIGHTS[y] * (y != 2)),
    ),
    LossCase(
        "nll_per_example",
        lambda x, y: np.mean(fnn.nll_per_example(x, y, class_weights=WEIGHTS)),
        away_from_zero,
        class_labels,
        lambda x, y: -np.sum(WEIGHTS * _one_hot(y, 3) * x, -1),
    ),
]
