"""From the losses of examples to one number: the plain mean, and one with a weight for each example."""

from __future__ import annotations

from math import prod

import numpy as np

from fnn.arrays import Array, Scalar, Value
from fnn.autodiff.tracer import value_of
from fnn.functional.checks import check_array, check_not_empty, check_not_wider


def weighted_mean(values: Array, weights: Array, /) -> Scalar:
    """sum_i w_i v_i / sum_i w_i: the mean of the values of a per-example loss, each with the weight of its example.

    values: [batch, ...]. weights: the first axes of the values, [batch] for one weight for each row, whatever axes follow;
    or these and axes of length 1. A weight is finite and 0 or more; only the ratios of weights matter. For a weighted sum
    write np.sum(weights * values).

    Raises ValueError where the weights do not fit the values, are negative or not finite, or add up to 0; TypeError where
    one is not floating, or the weights are wider than the values.

    >>> import fnn
    >>> prediction, target = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 1.0], [1.0, 1.0]])
    >>> weighted_mean(fnn.losses.mse_per_example(prediction, target), np.array([3.0, 1.0]))
    np.float64(2.0)
    """
    name = "weighted_mean"
    v, w = value_of(values), value_of(weights)
    check_array(name, "values", v)
    check_array(name, "weights", w)
    check_not_empty(name, v)
    n = w.ndim
    while n and w.shape[:n] != v.shape[:n] and w.shape[n - 1] == 1:
        n -= 1
    if not n or w.ndim > v.ndim or w.shape[:n] != v.shape[:n]:
        raise ValueError(
            f"{name}: values have shape {v.shape} but weights have {w.shape}, expected the first axes of the values: "
            f"{v.shape[:1]} for one weight for each row"
        )
    check_not_wider(name, "weights", w, "values", v)
    if not (np.isfinite(w) & (w >= 0)).all():
        raise ValueError(f"{name}: weights go from {w.min()} to {w.max()}, expected finite numbers, 0 or more")
    u: Value = weights
    weight = np.sum(u)
    if not value_of(weight) > 0:
        raise ValueError(f"{name}: the {w.size} weights add up to 0; a mean of nothing does not exist")
    u = u / weight  # first, so that the sum of large weights and values doesn't overflow
    u = u.reshape(*w.shape[:n], *[1] * (v.ndim - n))
    counted = np.where(value_of(u) > 0, values, 0)  # what has weight 0 may be anything, infinite or no number too
    mean: Scalar = np.sum(counted * u) / prod(v.shape[n:])
    return mean


def mean_of(name: str, values: Value) -> Scalar:
    """The mean of the values of a loss by this name; ValueError where there are none."""
    check_not_empty(name, values)
    mean: Scalar = np.mean(values)
    return mean
