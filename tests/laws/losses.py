"""The table of losses, and how their arguments are drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.random import Generator

import fnn
from tests.laws.operations.case import Draw, away_from_zero, positive


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
    """A loss, how prediction and target are drawn for a shape, and its formula per element or row in plain NumPy.

    `per_example` is the form that gives the values of the formula.
    """

    name: str
    f: Callable[[Any, Any], Any]
    prediction: Draw
    target: Draw
    formula: Callable[[Any, Any], Any]
    per_example: Callable[[Any, Any], Any] | None = None


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


def log_probabilities(rng: Generator, shape: tuple[int, ...]) -> Any:
    """Rows whose exp adds up to 1."""
    return np.log(rows_of_probabilities(rng, shape))


def small_counts(rng: Generator, shape: tuple[int, ...]) -> Any:
    """Counts and what lies between, on both sides of 1, where Stirling's formula begins."""
    return rng.choice([0.4, 2.3, 4.7], shape)


def signs(rng: Generator, shape: tuple[int, ...]) -> Any:
    """-1 or +1, as integers."""
    return rng.choice([-1, 1], shape)


def signs_of_rows(rng: Generator, shape: tuple[int, ...]) -> Any:
    """-1 or +1 for each row, as integers."""
    return rng.choice([-1, 1], shape[:-1])


def _huber(p: Any, t: Any, delta: float) -> Any:
    d = np.abs(p - t)
    return np.where(d <= delta, 0.5 * d * d, delta * (d - 0.5 * delta))


def _softplus(x: Any) -> Any:
    return np.log(1 + np.exp(x))


def _focal(z: Any, t: Any, gamma: float, alpha: float) -> Any:
    p = 1 / (1 + np.exp(-z))
    return -alpha * t * (1 - p) ** gamma * np.log(p) - (1 - alpha) * (1 - t) * p**gamma * np.log(1 - p)


def _focal_rows(x: Any, y: Any, gamma: float) -> Any:
    log_p = np.sum(_one_hot(y, 3) * _log_softmax(x), -1)
    return -((1 - np.exp(log_p)) ** gamma) * log_p


def _margins(x: Any, y: Any, margin: float, p: int) -> Any:
    own = _one_hot(y, 3)
    excess = np.maximum(0, margin - np.sum(own * x, -1, keepdims=True) + x)
    return np.sum((1 - own) * excess**p, -1) / 3


def _similarity(a: Any, b: Any) -> Any:
    return np.sum(a * b, -1) / np.sqrt((np.sum(a * a, -1) + 1e-12) * (np.sum(b * b, -1) + 1e-12))


def _distance(a: Any, b: Any) -> Any:
    return np.linalg.norm(a - b + 1e-6, axis=-1)


def _stirling(t: Any) -> Any:
    return np.where(t > 1, t * np.log(t) - t + 0.5 * np.log(2 * np.pi * t), 0)


def _of_others(a: Any, b: Any) -> Any:
    """A third array of rows, from those of two."""
    return 0.5 * a - 1.5 * b * b


def _overlap(p: Any, t: Any, smooth: float) -> Any:
    axes = tuple(range(1, p.ndim))
    return 1 - (2 * np.sum(p * t, axes) + smooth) / (np.sum(p, axes) + np.sum(t, axes) + smooth)


def _with_a_third(loss: Any, p: Any, t: Any, **options: Any) -> Any:
    return loss(p, t, _of_others(p, t), **options)


def _with_signs(loss: Any, p: Any, y: Any, **options: Any) -> Any:
    """Pairs of p and what is made of it."""
    return loss(p, _of_others(p, p), y, **options)


def _with_more_keys(loss: Any, p: Any, t: Any, **options: Any) -> Any:
    """In the shape that info_nce takes, and with keys that no query belongs to."""
    return loss(p.reshape(-1, 3), np.concatenate([t.reshape(-1, 3), -_KEYS.astype(t.dtype)]), **options)


_KEYS: Any = np.array([[0.5, 1.0, -0.25], [1.0, 0.0, 0.5]], np.float32)


def _info_nce(p: Any, t: Any, temperature: float) -> Any:
    p, t = p.reshape(-1, 3), np.concatenate([t.reshape(-1, 3), -_KEYS])
    logits = _similarity(p[:, np.newaxis], t) / temperature
    return -np.diagonal(_log_softmax(logits))


def _variance(p: Any, t: Any) -> Any:
    return 0.5 + t * t


def _with_a_variance(loss: Any, p: Any, t: Any, **options: Any) -> Any:
    return loss(p, t, _variance(p, t), **options)


def _gaussian(p: Any, t: Any) -> Any:
    return 0.5 * (np.log(_variance(p, t)) + (p - t) ** 2 / _variance(p, t))


def _case(
    name: str, options: Any, prediction: Draw, target: Draw, formula: Callable[[Any, Any], Any], through: Any = None
) -> LossCase:
    """A case of `fnn.losses` with both forms; `through(loss, prediction, target, **options)` makes further arguments."""
    forms: list[Any] = [getattr(fnn.losses, name), getattr(fnn.losses, f"{name}_per_example")]
    bound: list[Any] = [partial(f, **options) if through is None else partial(through, f, **options) for f in forms]
    title = ", ".join([name, *[f"{option} {value}" for option, value in options.items()]])
    return LossCase(title, bound[0], prediction, target, formula, bound[1])


_REAL = (away_from_zero, positive)

_LATER: list[LossCase] = [
    _case("log_cosh", {}, *_REAL, lambda p, t: np.log(np.cosh(p - t))),
    _case("quantile", {}, *_REAL, lambda p, t: 0.5 * np.abs(t - p)),
    _case("quantile", {"q": 0.9}, *_REAL, lambda p, t: np.maximum(0.9 * (t - p), 0.1 * (p - t))),
    _case(
        "bce_with_logits",
        {"pos_weight": 3.0},
        away_from_zero,
        unit,
        lambda z, t: 3 * t * _softplus(-z) + (1 - t) * _softplus(z),
    ),
    _case(
        "bce_with_logits",
        {"pos_weight": WEIGHTS},
        away_from_zero,
        unit,
        lambda z, t: WEIGHTS * t * _softplus(-z) + (1 - t) * _softplus(z),
    ),
    _case(
        "kl_divergence",
        {},
        log_probabilities,
        rows_of_probabilities,
        lambda x, t: np.sum(t * (np.log(t) - x), -1),
    ),
    _case("poisson_nll", {}, away_from_zero, small_counts, lambda z, t: np.exp(z) - t * z),
    _case("poisson_nll", {"full": True}, away_from_zero, small_counts, lambda z, t: np.exp(z) - t * z + _stirling(t)),
    _case(
        "poisson_nll",
        {"log_input": False, "eps": 0.1},
        positive,
        small_counts,
        lambda r, t: r - t * np.log(r + 0.1),
    ),
    _case("gaussian_nll", {}, *_REAL, _gaussian, _with_a_variance),
    _case("gaussian_nll", {"full": True}, *_REAL, lambda p, t: _gaussian(p, t) + 0.5 * np.log(2 * np.pi), _with_a_variance),
    _case("hinge", {}, away_from_zero, signs, lambda x, t: np.maximum(0, 1 - t * x)),
    _case("squared_hinge", {}, away_from_zero, signs, lambda x, t: np.maximum(0, 1 - t * x) ** 2),
    _case("multi_margin", {}, away_from_zero, class_labels, partial(_margins, margin=1.0, p=1)),
    _case("multi_margin", {"margin": 0.3, "p": 2}, away_from_zero, class_labels, partial(_margins, margin=0.3, p=2)),
    _case("focal", {}, away_from_zero, unit, partial(_focal, gamma=2.0, alpha=0.25)),
    _case("focal", {"gamma": 0.5, "alpha": None}, away_from_zero, unit, lambda z, t: 2 * _focal(z, t, 0.5, 0.5)),
    _case("focal_cross_entropy", {}, away_from_zero, class_labels, partial(_focal_rows, gamma=2.0)),
    _case("focal_cross_entropy", {"gamma": 0.5}, away_from_zero, class_labels, partial(_focal_rows, gamma=0.5)),
    _case("dice", {}, unit, unit, partial(_overlap, smooth=1.0)),
    _case("dice", {"smooth": 0.01}, unit, unit, partial(_overlap, smooth=0.01)),
    _case("cosine", {}, away_from_zero, away_from_zero, lambda p, t: 1 - _similarity(p, t)),
    _case(
        "cosine_embedding",
        {"margin": -0.4},
        away_from_zero,
        signs_of_rows,
        lambda p, y: np.where(
            y > 0, 1 - _similarity(p, _of_others(p, p)), np.maximum(0, _similarity(p, _of_others(p, p)) + 0.4)
        ),
        _with_signs,
    ),
    _case(
        "triplet",
        {},
        away_from_zero,
        away_from_zero,
        lambda p, t: np.maximum(0, _distance(p, t) - _distance(p, _of_others(p, t)) + 1),
        _with_a_third,
    ),
    _case(
        "triplet",
        {"margin": 4.0, "swap": True},
        away_from_zero,
        away_from_zero,
        lambda p, t: np.maximum(
            0, _distance(p, t) - np.minimum(_distance(p, _of_others(p, t)), _distance(t, _of_others(p, t))) + 4
        ),
        _with_a_third,
    ),
    _case("info_nce", {}, away_from_zero, away_from_zero, partial(_info_nce, temperature=0.1), _with_more_keys),
    _case(
        "info_nce", {"temperature": 0.7}, away_from_zero, away_from_zero, partial(_info_nce, temperature=0.7), _with_more_keys
    ),
]


LOSSES: list[LossCase] = [
    _case("mse", {}, *_REAL, lambda p, t: (p - t) ** 2),
    _case("half_mse", {}, *_REAL, lambda p, t: 0.5 * (p - t) ** 2),
    _case("mae", {}, *_REAL, lambda p, t: np.abs(p - t)),
    _case("huber", {}, *_REAL, partial(_huber, delta=1.0)),
    _case("huber", {"delta": 0.3}, *_REAL, partial(_huber, delta=0.3)),
    _case("bce", {}, unit, unit, lambda p, t: -(t * np.log(p) + (1 - t) * np.log(1 - p))),
    _case("bce_with_logits", {}, away_from_zero, unit, lambda z, t: np.log(1 + np.exp(z)) - t * z),
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
    *_LATER,
]
