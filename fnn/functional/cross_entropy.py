"""Cross-entropy: logits against class labels or class probabilities.

The plain mean over rows is one fused operation, kernel, derivation, reference. Values by row are another one, from which
class weights and ignored rows make a weighted mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fnn.arrays import Array, Array1, Ints, Scalar, Traced, Value, constant, largest, multiples, ones, sum_of_all, total
from fnn.autodiff.primitive import KernelPull, checked_form_of, fused
from fnn.autodiff.tracer import value_of
from fnn.functional.activations import log_softmax
from fnn.functional.checks import check_array, check_not_empty, check_not_wider, check_range
from fnn.functional.half import in_float32
from fnn.functional.labels import (
    check_label_range,
    check_labels,
    check_several_classes,
    checked_class_weights,
    mean_of_kept,
    weighted_labels,
)

# Cross-entropy of row i with classes k: z_k = x_k - max x, l = log sum_k e^z_k, log p_k = z_k - l.
# With target q (the one-hot of the label, mixed with the uniform distribution by label smoothing s):
#   L = -mean_i sum_k q_k log p_k,  dL/dx_k = (p_k sum_j q_j - q_k) / rows,  dL/dq_k = -log p_k / rows.
# For labels q_k = (1 - s) [k = label] + s / K, so that L_i = l - (1 - s) z_label - s mean_k z_k.


def _labels_reference(x: Value, labels: Value, *, smoothing: float) -> Value:
    log_p = log_softmax(x).reshape(-1, x.shape[-1])
    picked = log_p[np.arange(labels.size), labels.reshape(-1)]
    loss = -np.mean(picked)
    return (1 - smoothing) * loss - smoothing * np.mean(log_p) if smoothing else loss


@fused(1, _labels_reference)
def _labels(x: Value, labels: Value, *, smoothing: float) -> tuple[Value, KernelPull]:
    if x.dtype.itemsize == 2:
        return in_float32(_labels, x, labels, smoothing=smoothing)
    k = x.shape[-1]
    rows = x if x.ndim == 2 else x.reshape(-1, k)
    n = len(rows)
    labels = labels.reshape(-1).astype(np.intp, copy=False)
    # All matrices are [classes, n]. With few classes they lie so in memory, too: NumPy takes long for short rows. `at` is
    # where the labels' entries lie in memory.
    if n >= 32 >= k:
        z = rows.T.copy()
        z -= largest(z, 0)
        at = labels * constant(n, labels.dtype)  # half the time of labels * n
        at += multiples(1, n)
    else:
        z = np.subtract(rows, largest(rows, 1)[:, np.newaxis], order="C").T
        at = multiples(k, n) + labels
    e = np.exp(z)
    sums = ones(k, e.dtype).dot(e)
    flat = z.ravel("K")
    picked = flat[at]
    if smoothing:
        picked *= 1 - smoothing
    loss = sum_of_all(np.log(sums) - picked)
    if smoothing:
        loss -= smoothing / k * sum_of_all(flat)

    def pull(g: Value, wanted: Sequence[bool]) -> Sequence[Value]:
        scale = g / n
        dz = e * (scale / sums)
        dz.ravel("K")[at] -= (1 - smoothing) * scale if smoothing else scale
        if smoothing:
            dz -= smoothing / k * scale
        return (dz.T if x.ndim == 2 else dz.T.reshape(x.shape),)

    return loss / n, pull


def _probabilities_reference(x: Value, q: Value, *, smoothing: float) -> Value:
    return np.sum(_smooth(q, smoothing) * log_softmax(x)) / -(x.size // x.shape[-1])


@fused(2, _probabilities_reference)
def _probabilities(x: Value, q: Value, *, smoothing: float) -> tuple[Value, KernelPull]:
    if x.dtype.itemsize == 2:
        return in_float32(_probabilities, x, q, smoothing=smoothing)
    n = x.size // x.shape[-1]
    mixed = _smooth(q, smoothing)
    log_p = log_softmax(x)
    loss = sum_of_all(mixed * log_p) / -n

    def pull(g: Value, wanted: Sequence[bool]) -> Sequence[Value]:
        scale = g / n
        dx = (np.exp(log_p) * total(mixed, -1, keepdims=True) - mixed) * scale if wanted[0] else None
        return dx, log_p * (-(1 - smoothing) * scale) if wanted[1] else None

    return loss, pull


def _smooth(q: Value, smoothing: float) -> Value:
    return (1 - smoothing) * q + smoothing / q.shape[-1] if smoothing else q


# By row, with class weights w: L_i = -sum_k w_k q_k log p_k. For labels, with u_i = w_label:
#   L_i = (1 - s) u_i (l - z_label) + s / K (l sum_k w_k - sum_k w_k z_k)
#   dL_i/dx_k = m_i p_k - (1 - s) u_i [k = label] - s / K w_k,  where m_i = (1 - s) u_i + s / K sum_k w_k
# Rows that are not kept have value and gradient 0, whatever their logits are.


def _label_rows_reference(x: Value, u: Value, w: Value, labels: Value, kept: Value, *, smoothing: float) -> Value:
    log_p = log_softmax(np.where(kept[..., np.newaxis], x, 0)).reshape(-1, x.shape[-1])
    picked = log_p[np.arange(labels.size), labels.reshape(-1)].reshape(labels.shape)
    if not smoothing:
        return -u * picked
    spread = np.sum(w * log_p, -1).reshape(labels.shape)
    return -((1 - smoothing) * u * picked) - kept * (smoothing / x.shape[-1] * spread)


@fused(1, _label_rows_reference)
def _label_rows(x: Value, u: Value, w: Value, labels: Value, kept: Value, *, smoothing: float) -> tuple[Value, KernelPull]:
    k = x.shape[-1]
    at = np.flatnonzero(kept)
    z = x.reshape(-1, k)[at]
    z = z - largest(z, 1, keepdims=True)
    rows, columns = np.arange(len(z)), labels.reshape(-1)[at]
    e = np.exp(z)
    sums = total(e, 1)
    log_sums = np.log(sums)
    mass = label_mass = (1 - smoothing) * u.reshape(-1)[at]
    loss = label_mass * (log_sums - z[rows, columns])
    if smoothing:
        w_sum = total(w)
        mass = mass + smoothing / k * w_sum
        loss += smoothing / k * (log_sums * w_sum - z @ w)
    values = np.zeros(labels.size, loss.dtype)
    values[at] = loss

    def pull(g: Value, wanted: Sequence[bool]) -> Sequence[Value]:
        g = g.reshape(-1)[at]
        dz = e * (g * mass / sums)[:, np.newaxis]
        dz[rows, columns] -= g * label_mass
        if smoothing:
            dz -= (smoothing / k * g)[:, np.newaxis] * w
        dx = np.zeros((labels.size, k), x.dtype)
        dx[at] = dz
        return (dx.reshape(x.shape),)

    return values.reshape(labels.shape), pull


@fused(2, lambda x, q: -np.sum(q * log_softmax(x), -1))
def _probability_rows(x: Value, q: Value) -> tuple[Value, KernelPull]:
    log_p = log_softmax(x)

    def pull(g: Value, wanted: Sequence[bool]) -> Sequence[Value]:
        g = g[..., np.newaxis]
        dx = (np.exp(log_p) * total(q, -1, keepdims=True) - q) * g if wanted[0] else None
        return dx, log_p * -g if wanted[1] else None

    return -total(q * log_p, -1), pull


def _cross_entropy_vjp(x: Value, q: Value, *, label_smoothing: float = 0.0) -> tuple[Value, Callable[[Value], Value]]:
    """(loss, pull) of arguments like those that were checked before; labels are checked each time."""
    if q.dtype.kind == "f":
        return _probabilities_vjp(x, q, float(label_smoothing))
    if q.shape != x.shape[:-1] or x.dtype.kind != "f":
        raise ValueError("the logits are not like the labels")  # the ordinary way says more
    check_label_range("cross_entropy", x, q)
    kernel: Any = _labels
    y, pull = kernel.kernel(x, q, smoothing=float(label_smoothing))
    return y, lambda g: pull(g, (True,))[0]


def _probabilities_vjp(x: Value, q: Value, smoothing: float) -> tuple[Value, Callable[[Value], Value]]:
    if q.shape != x.shape or x.dtype.kind != "f":
        raise ValueError("the logits are not like the probabilities")  # as above
    kernel: Any = _probabilities
    y, pull = kernel.kernel(x, q, smoothing=smoothing)
    return y, lambda g: pull(g, (True, False))[0]


@checked_form_of(_cross_entropy_vjp, "label_smoothing")
def cross_entropy(
    logits: Array,
    target: Array | Ints,
    /,
    *,
    label_smoothing: float = 0.0,
    class_weights: Array1 | None = None,
    ignore_index: int | None = None,
) -> Scalar:
    """Cross-entropy of softmax(logits) against class labels or class probabilities, the mean over all rows.

    logits: [..., classes]. target: integer labels [...] in [0, classes), or probabilities [..., classes], whose rows
    should add up to 1. With label_smoothing s the target is q = (1 - s) * target + s / classes (Szegedy et al. 2016).

    class_weights [classes] make the loss of a row -sum_k w_k q_k log p_k, and, for labels, the mean a weighted one: the
    sum of these divided by the sum of the w of the rows' labels, as in PyTorch. With probabilities it stays the mean over
    all rows. Rows with the label ignore_index (any integer, in [0, classes) or not) don't count, and have gradient 0.

    Raises ValueError where the shapes do not fit or are empty, a label is out of range, s is not in [0, 1], no row is
    left to take the mean of, or ignore_index is given with probabilities; TypeError where labels are not integers, or
    probabilities or class weights are wider than the logits.

    >>> logits = np.array([[0.0, 0.0], [0.0, 1e4]])
    >>> cross_entropy(logits, np.array([0, 1])).round(4)
    np.float64(0.3466)
    >>> cross_entropy(logits, np.array([[1.0, 0.0], [0.0, 1.0]])).round(4)
    np.float64(0.3466)
    >>> cross_entropy(logits, np.array([0, 1]), class_weights=np.array([3.0, 1.0])).round(4)
    np.float64(0.5199)
    >>> cross_entropy(logits, np.array([0, -1]), ignore_index=-1).round(4)
    np.float64(0.6931)
    """
    check_range("cross_entropy", "label_smoothing", label_smoothing)
    x: Value = logits
    q: Value = target
    loss: Scalar
    plain = class_weights is None and ignore_index is None
    if _check_probabilities("cross_entropy", x, q):
        if plain:
            check_not_empty("cross_entropy", x)
            loss = _probabilities(x, q, smoothing=float(label_smoothing))
            return loss
    elif plain:
        check_labels("cross_entropy", value_of(x), q)
        loss = _labels(x, q, smoothing=float(label_smoothing))
        return loss
    values, u = _rows("cross_entropy", x, q, float(label_smoothing), class_weights, ignore_index)
    check_not_empty("cross_entropy", x)
    loss = np.mean(values) if u is None else mean_of_kept("cross_entropy", values, u)
    return loss


def cross_entropy_per_example(
    logits: Array,
    target: Array | Ints,
    /,
    *,
    label_smoothing: float = 0.0,
    class_weights: Array1 | None = None,
    ignore_index: int | None = None,
) -> Array:
    """The cross-entropy of each row: an array [...] for logits [..., classes].

    Arguments are those of `cross_entropy`. Class weights are in the values; ignored rows have value and gradient 0.

    Raises as `cross_entropy` does; but there may be no rows.

    >>> x, labels = np.array([[0.0, 0.0], [0.0, 1e4]]), np.array([0, 0])
    >>> cross_entropy_per_example(x, labels).round(4)
    array([6.931e-01, 1.000e+04])
    >>> cross_entropy_per_example(x, labels, class_weights=np.array([2.0, 1.0])).round(4)
    array([1.3863e+00, 2.0000e+04])
    """
    name = "cross_entropy_per_example"
    check_range(name, "label_smoothing", label_smoothing)
    _check_probabilities(name, logits, target)
    values: Array = _rows(name, logits, target, float(label_smoothing), class_weights, ignore_index)[0]
    return values


def _check_probabilities(name: str, x: Value, q: Value) -> bool:
    """Whether the target is probabilities, which fit then."""
    check_array(name, "logits", value_of(x))
    if not isinstance(q, (np.ndarray, Traced)) or q.dtype.kind != "f" or q.shape == x.shape[:-1]:
        return False
    if q.shape != x.shape:
        raise ValueError(f"{name}: logits have shape {x.shape} but the probabilities have {q.shape}")
    check_not_wider(name, "target", q, "logits", x)
    return True


def _rows(
    name: str, x: Value, q: Value, smoothing: float, class_weights: Value, ignore_index: int | None
) -> tuple[Value, Value]:
    """The loss of each row, and the weight of each (None for probabilities, of which the mean is not a weighted one)."""
    if isinstance(q, (np.ndarray, Traced)) and q.shape == x.shape and q.dtype.kind == "f":
        if ignore_index is not None:
            raise ValueError(
                f"{name}: ignore_index is {ignore_index} but the target is probabilities, of which none has a label; "
                "leave it out, or give integer labels"
            )
        q = _smooth(q, smoothing)
        if class_weights is not None:
            q = q * checked_class_weights(name, class_weights, "logits", x)
        return _probability_rows(x, q), None
    labels, kept, w, u = weighted_labels(name, "logits", x, q, class_weights, ignore_index)
    check_several_classes(name, x)
    return _label_rows(x, u, w, labels, kept, smoothing=smoothing), u
