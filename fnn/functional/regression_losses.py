"""Losses of real-valued predictions beside squared, absolute and Huber's: log-cosh and quantile."""

from __future__ import annotations

import math

import numpy as np

from fnn.arrays import SameRank, Scalar, Value
from fnn.autodiff.primitive import elementary
from fnn.functional.activations import relu
from fnn.functional.checks import check_number
from fnn.functional.loss_checks import check_alike
from fnn.functional.reduction import mean_of


# log cosh d = log(1 + 2 sinh^2(d / 2)), which loses nothing for small d, and = |d| + log(1 + e^-2|d|) - log 2, which can't
# overflow; its slope is tanh d
def _log_cosh_forward(d: Value) -> Value:
    size = np.abs(d)
    near = np.sinh(0.5 * np.minimum(size, 1))
    return np.where(size < 1, np.log1p(2 * near * near), size + np.log1p(np.exp(-2 * size)) - math.log(2))


_log_cosh = elementary(_log_cosh_forward, lambda g, y, d: g * np.tanh(d))


def log_cosh(prediction: SameRank, target: SameRank, /) -> Scalar:
    """The mean of log(cosh(d)) over all elements, d = prediction - target: about d^2 / 2 near 0, |d| - log 2 far away.

    A smooth Huber loss without a parameter; its slope is tanh(d). Exact for any finite d.

    Raises as `mse` does.

    >>> log_cosh(np.array([1.0, 1e4]), np.array([1.0, 0.0])).round(4)
    np.float64(4999.6534)
    """
    return mean_of("log_cosh", _log_cosh_values("log_cosh", prediction, target))


def log_cosh_per_example(prediction: SameRank, target: SameRank, /) -> SameRank:
    """log(cosh(prediction - target)) of each element: an array of the prediction's shape, which may be empty.

    >>> log_cosh_per_example(np.array([0.0, 1.0]), np.array([0.0, 0.0])).round(4)
    array([0.    , 0.4338])
    """
    values: SameRank = _log_cosh_values("log_cosh_per_example", prediction, target)
    return values


def _log_cosh_values(name: str, p: Value, t: Value) -> Value:
    check_alike(name, prediction=p, target=t)
    return _log_cosh(p - t)


def quantile(prediction: SameRank, target: SameRank, /, *, q: float = 0.5) -> Scalar:
    """The quantile (or pinball) loss: the mean of q * d where d > 0 and (q - 1) * d elsewhere, d = target - prediction.

    Its minimum is the q-quantile of the targets, 0 < q < 1: a prediction that is too low costs q, one that is too high
    1 - q. With q = 0.5, the median, it is half the absolute error. The slope at 0 is 0. Source: Koenker and Bassett 1978.

    Raises as `mse` does, and ValueError where q is not in (0, 1).

    >>> quantile(np.array([1.0, 5.0]), np.array([3.0, 3.0]), q=0.9)
    np.float64(1.0)
    """
    return mean_of("quantile", _quantile_values("quantile", prediction, target, q))


def quantile_per_example(prediction: SameRank, target: SameRank, /, *, q: float = 0.5) -> SameRank:
    """The `quantile` loss of each element: an array of the prediction's shape, which may be empty.

    >>> quantile_per_example(np.array([1.0, 5.0]), np.array([3.0, 3.0]), q=0.75)
    array([1.5, 0.5])
    """
    values: SameRank = _quantile_values("quantile_per_example", prediction, target, q)
    return values


def _quantile_values(name: str, p: Value, t: Value, q: float) -> Value:
    check_number(name, "q", q)
    if not 0 < q < 1:
        raise ValueError(f"{name}: q is {q}, expected a number between 0 and 1, as 0.9 for the value that 90 % stay below")
    check_alike(name, prediction=p, target=t)
    d = t - p
    return float(q) * relu(d) + (1 - float(q)) * relu(-d)
