"""Class labels: what losses and metrics check of them, and the weights of rows that class weights and ignored labels make."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from fnn.arrays import Traced, Value, describe, largest
from fnn.autodiff.tracer import value_of
from fnn.functional.checks import check_array, check_not_empty, check_not_wider


def check_labels(name: str, logits: Value, labels: Value) -> None:
    """TypeError unless labels are integers; ValueError unless they fit [..., classes], some, and lie in [0, classes)."""
    check_label_shapes(name, "logits", logits, labels)
    check_not_empty(name, logits)
    check_several_classes(name, logits)
    check_label_range(name, logits, labels)


def check_label_shapes(name: str, what: str, x: Value, labels: Value) -> None:
    """TypeError unless labels are integers; ValueError unless there is one for each row of x [..., classes]."""
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu":
        found = describe(labels) if isinstance(labels, (np.ndarray, np.generic, Traced)) else f"a {type(labels).__name__}"
        raise TypeError(f"{name}: labels are {found}, expected an integer array of class numbers, as labels.astype(int)")
    if x.ndim == 0 or labels.shape != x.shape[:-1]:
        raise ValueError(
            f"{name}: {what} have shape {x.shape} but labels have {labels.shape}, expected {x.shape[:-1]}: "
            "one class number per row"
        )


def check_label_range(name: str, x: Value, labels: Value) -> None:
    """ValueError unless labels lie in [0, classes)."""
    # read as unsigned, a negative label is larger than all that are not: one pass finds both
    unsigned, most = unsigned_form(labels.dtype)
    classes = x.shape[-1]
    if labels.size and largest(labels.view(unsigned), None) >= (classes if classes < most else most):
        wrong = labels[(labels < 0) | (labels >= classes)].flat[0]
        raise ValueError(f"{name}: label {wrong} is out of range, expected class numbers from 0 to {classes - 1}")


@cache
def unsigned_form(dtype: np.dtype[Any]) -> tuple[np.dtype[Any], int]:
    """Integers of this size without sign, and the first that is too large for the dtype itself."""
    return np.dtype(dtype.str.replace("i", "u")), int(np.iinfo(dtype).max) + 1


def check_several_classes(name: str, logits: Value) -> None:
    """ValueError for logits of one class."""
    if logits.shape[-1] == 1:
        raise ValueError(
            f"{name}: logits have shape {logits.shape}, one class, of which the probability is always 1; for two "
            "classes by one logit use bce_with_logits"
        )


def weighted_labels(
    name: str, what: str, x: Value, labels: Value, class_weights: Value, ignore_index: int | None
) -> tuple[Value, Value, Value, Value]:
    """Labels with 0 in place of those that are ignored, which are kept, the weights of classes and of rows: all checked."""
    check_label_shapes(name, what, x, labels)
    kept = np.ones(labels.shape, bool)
    if ignore_index is not None:
        if not isinstance(ignore_index, (int, np.integer)) or isinstance(ignore_index, bool):
            raise TypeError(f"{name}: ignore_index is {ignore_index!r}, a {type(ignore_index).__name__}, expected an integer")
        kept = labels != int(ignore_index)
        labels = np.where(kept, labels, 0)
    check_label_range(name, x, labels)
    if class_weights is None:
        return labels, kept, np.ones(x.shape[-1], x.dtype), kept.astype(x.dtype)
    w = checked_class_weights(name, class_weights, what, x)
    return labels, kept, w, w[labels] * kept


def checked_class_weights(name: str, class_weights: Value, what: str, x: Value) -> Value:
    """One weight for each class, finite and not negative (else a ValueError), in the dtype of x (not a wider one)."""
    w = value_of(class_weights)
    check_array(name, "class_weights", w)
    if w.shape != x.shape[-1:]:
        raise ValueError(f"{name}: class_weights have shape {w.shape}, expected {x.shape[-1:]}, a weight for each class")
    check_not_wider(name, "class_weights", w, what, x)
    if not (np.isfinite(w) & (w >= 0)).all():
        raise ValueError(f"{name}: class_weights go from {w.min()} to {w.max()}, expected finite numbers, 0 or more")
    return class_weights if w.dtype == x.dtype else class_weights.astype(x.dtype)


def mean_of_kept(name: str, values: Value, u: Value) -> Value:
    """The sum of the rows' values divided by that of their weights u."""
    weight = np.sum(u)
    if not value_of(weight) > 0:
        raise ValueError(
            f"{name}: the weights of the {u.size} rows add up to 0 (all are ignored, or their classes have the weight 0); "
            "their mean does not exist"
        )
    return np.sum(values) / weight
