"""Negative log-likelihood: log-probabilities against class labels."""

from __future__ import annotations

import numpy as np

from fnn.arrays import Array, Array1, Ints, Scalar, Value
from fnn.autodiff.tracer import value_of
from fnn.functional.checks import check_array, check_not_empty
from fnn.functional.labels import mean_of_kept, weighted_labels


def nll(
    log_probabilities: Array, labels: Ints, /, *, class_weights: Array1 | None = None, ignore_index: int | None = None
) -> Scalar:
    """Negative log-likelihood: the mean of -log p[label] over all rows. `cross_entropy` takes the logits, and is exact.

    log_probabilities: [..., classes], as `log_softmax` gives. labels: integers [...] in [0, classes). class_weights
    [classes] make it a weighted mean, sum_i w_i (-log p_i) / sum_i w_i, with the w of each row's label, as in PyTorch.
    Rows with the label ignore_index (any integer, in [0, classes) or not) don't count, and have gradient 0.

    Raises ValueError where the shapes do not fit or are empty, a label is out of range, or no row is left to take the
    mean of; TypeError where labels are not integers, or class weights are wider than the log-probabilities.

    >>> nll(np.log(np.array([[0.5, 0.5], [0.25, 0.75]])), np.array([0, 1])).round(4)
    np.float64(0.4904)
    """
    values, u = _rows("nll", log_probabilities, labels, class_weights, ignore_index)
    check_not_empty("nll", values)
    mean: Scalar = mean_of_kept("nll", values, u)
    return mean


def nll_per_example(
    log_probabilities: Array, labels: Ints, /, *, class_weights: Array1 | None = None, ignore_index: int | None = None
) -> Array:
    """-log p[label] of each row: an array of the labels' shape. Ignored rows have value and gradient 0.

    Arguments are those of `nll`; class weights are in the values. Raises as `nll` does; but there may be no rows.

    >>> nll_per_example(np.log(np.array([[0.5, 0.5], [0.25, 0.75]])), np.array([0, 1])).round(4)
    array([0.6931, 0.2877])
    """
    values: Array = _rows("nll_per_example", log_probabilities, labels, class_weights, ignore_index)[0]
    return values


def _rows(name: str, x: Value, labels: Value, class_weights: Value, ignore_index: int | None) -> tuple[Value, Value]:
    """The loss of each row, and its weight."""
    check_array(name, "log_probabilities", value_of(x))
    labels, kept, _, u = weighted_labels(name, "log_probabilities", x, labels, class_weights, ignore_index)
    picked = x.reshape(-1, x.shape[-1])[np.arange(labels.size), labels.reshape(-1)].reshape(labels.shape)
    # 0 times an infinity that is ignored would be NaN
    return np.where(kept, picked, 0) * -u, u
