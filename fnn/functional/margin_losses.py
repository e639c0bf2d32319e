"""Losses that ask for a margin between classes: hinge, squared hinge, and the multi-class margin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from fnn.arrays import Array, Ints, Scalar, Value, total
from fnn.autodiff.primitive import KernelPull, fused
from fnn.autodiff.tracer import value_of
from fnn.functional.activations import relu
from fnn.functional.checks import check_array, check_number
from fnn.functional.labels import check_label_range, check_label_shapes, check_several_classes
from fnn.functional.loss_checks import checked_signs
from fnn.functional.reduction import mean_of


def hinge(scores: Array, target: Array | Ints, /) -> Scalar:
    """The hinge loss of support-vector machines: the mean of max(0, 1 - target * score) over all elements.

    scores and target have the same shape; targets are -1 or +1, floating or integers. The slope at the margin is 0.
    Source: Cortes and Vapnik 1995.

    Raises ValueError where the shapes differ or are empty, or a target is not -1 or +1; TypeError where the scores are not
    floating.

    >>> hinge(np.array([0.5, 2.0, -1.0]), np.array([1, 1, 1])).round(4)
    np.float64(0.8333)
    """
    return mean_of("hinge", _hinge_values("hinge", scores, target))


def hinge_per_example(scores: Array, target: Array | Ints, /) -> Array:
    """The `hinge` loss of each element: an array of the scores' shape, which may be empty.

    >>> hinge_per_example(np.array([0.5, 2.0, -1.0]), np.array([1, 1, 1]))
    array([0.5, 0. , 2. ])
    """
    values: Array = _hinge_values("hinge_per_example", scores, target)
    return values


def squared_hinge(scores: Array, target: Array | Ints, /) -> Scalar:
    """The mean of max(0, 1 - target * score)^2 over all elements: the hinge loss without its kink. Else as `hinge`.

    >>> squared_hinge(np.array([0.5, 2.0, -1.0]), np.array([1, 1, 1])).round(4)
    np.float64(1.4167)
    """
    return mean_of("squared_hinge", np.square(_hinge_values("squared_hinge", scores, target)))


def squared_hinge_per_example(scores: Array, target: Array | Ints, /) -> Array:
    """The `squared_hinge` loss of each element: an array of the scores' shape, which may be empty.

    >>> squared_hinge_per_example(np.array([0.5, 2.0, -1.0]), np.array([1, 1, 1]))
    array([0.25, 0.  , 4.  ])
    """
    values: Array = np.square(_hinge_values("squared_hinge_per_example", scores, target))
    return values


def _hinge_values(name: str, x: Value, target: Value) -> Value:
    check_array(name, "scores", value_of(x))
    return relu(1 - checked_signs(name, target, x.dtype, x.shape) * x)


def _margins_reference(x: Value, labels: Value, *, margin: float, p: int) -> Value:
    rows = np.arange(len(x))
    others = np.ones(x.shape, x.dtype)
    others[rows, labels] = 0
    excess = relu(margin - x[rows, labels][:, np.newaxis] + x) * others
    return np.sum(excess if p == 1 else excess * excess, -1) / x.shape[-1]


# e_k = max(0, margin - x_y + x_k) for k != y, e_y = 0: y_i = sum_k e_k^p / K; dy_i/dx_k = p e_k^(p - 1) [e_k > 0] / K for
# k != y, and minus the sum of these for k = y
@fused(1, _margins_reference)
def _margins(x: Value, labels: Value, *, margin: float, p: int) -> tuple[Value, KernelPull]:
    k = x.shape[-1]
    rows = np.arange(len(x))
    e = x + (margin - x[rows, labels])[:, np.newaxis]
    e[rows, labels] = 0
    np.maximum(e, 0, out=e)

    def pull(g: Value, wanted: Sequence[bool]) -> Sequence[Value]:
        dx = (e > 0 if p == 1 else 2 * e) * (g / k)[:, np.newaxis]
        dx[rows, labels] = -total(dx, 1)
        return (dx,)

    return total(e if p == 1 else e * e, 1) / k, pull


def multi_margin(logits: Array, labels: Ints, /, *, margin: float = 1.0, p: Literal[1, 2] = 1) -> Scalar:
    """The multi-class hinge loss: the mean over all rows of sum_{k != y} max(0, margin - x_y + x_k)^p / classes.

    logits x: [..., classes]. labels y: integers [...] in [0, classes). p is 1 or 2. Options and defaults are those of
    PyTorch's MultiMarginLoss; its class weights w, of which the mean is over the number of rows, are written
    np.mean(w[y] * multi_margin_per_example(x, y)). Source: Weston and Watkins 1999, divided by the number of classes.

    Raises ValueError where the shapes do not fit or are empty, a label is out of range, there is one class, or p is another
    number; TypeError where the logits are not floating or the labels not integers.

    >>> multi_margin(np.array([[1.0, 0.5, -1.0]]), np.array([0])).round(4)
    np.float64(0.1667)
    """
    return mean_of("multi_margin", _multi_margin_values("multi_margin", logits, labels, margin, p))


def multi_margin_per_example(logits: Array, labels: Ints, /, *, margin: float = 1.0, p: Literal[1, 2] = 1) -> Array:
    """The `multi_margin` loss of each row: an array of the labels' shape, which may be empty.

    >>> multi_margin_per_example(np.array([[1.0, 0.5, -1.0], [0.0, 0.0, 3.0]]), np.array([0, 2])).round(4)
    array([0.1667, 0.    ])
    """
    values: Array = _multi_margin_values("multi_margin_per_example", logits, labels, margin, p)
    return values


def _multi_margin_values(name: str, x: Value, labels: Value, margin: float, p: int) -> Value:
    check_array(name, "logits", value_of(x))
    check_label_shapes(name, "logits", x, labels)
    check_several_classes(name, x)
    check_label_range(name, x, labels)
    check_number(name, "margin", margin)
    if p not in (1, 2):
        raise ValueError(f"{name}: p is {p!r}, expected 1 or 2")
    return _margins(x.reshape(-1, x.shape[-1]), labels.reshape(-1), margin=float(margin), p=p).reshape(labels.shape)
