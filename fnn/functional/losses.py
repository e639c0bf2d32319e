"""Loss functions: (prediction, target) -> a scalar, the mean over the batch.

Prediction and target have the same shape, and broadcasting is refused: comparing [n, 1] with [n] would compare every
prediction with every target. Both may be differentiated. Each loss is one fused operation: kernel, derivation, reference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from fnn.arrays import SameRank, Scalar, Value, total
from fnn.autodiff.primitive import fused
from fnn.autodiff.tracer import value_of
from fnn.functional.checks import check_number, check_range, check_same_shape

_Pull: TypeAlias = Callable[[Value, Sequence[bool]], Sequence[Value]]


def _both(d: Value, wanted: Sequence[bool]) -> tuple[Value, Value]:
    """The cotangents of a function of prediction - target, from that of the prediction."""
    return d, -d if wanted[1] else None


# mean of (p - t)^2 / 2 over n entries: dL/dp = (p - t) / n
@fused(2, lambda p, t, *, factor: factor * np.mean(np.square(p - t)))
def _squares(p: Value, t: Value, *, factor: float) -> tuple[Value, _Pull]:
    d = p - t
    loss = total(np.square(d), None) * (factor / d.size)
    return loss, lambda g, wanted: _both(d * (g * (2 * factor / d.size)), wanted)


def mse(prediction: SameRank, target: SameRank, /) -> Scalar:
    """Mean squared error: the mean of (prediction - target)^2 over all elements.

    Raises ValueError where the shapes differ or are empty, TypeError where one is not floating or target is the wider.

    >>> mse(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    np.float64(2.0)
    """
    check_same_shape("mse", prediction, target)
    return _squares(prediction, target, factor=1.0)  # type: ignore[no-any-return]  # a Value is untyped, see arrays.Value


def half_mse(prediction: SameRank, target: SameRank, /) -> Scalar:
    """Half the mean squared error, the mean of (prediction - target)^2 / 2: its gradient is (prediction - target) / n.

    Raises as `mse` does.

    >>> half_mse(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    np.float64(1.0)
    """
    check_same_shape("half_mse", prediction, target)
    return _squares(prediction, target, factor=0.5)  # type: ignore[no-any-return]  # a Value is untyped, see arrays.Value


# mean of |p - t| over n entries: dL/dp = sign(p - t) / n, 0 where they are equal
@fused(2, lambda p, t: np.mean(np.abs(p - t)))
def _absolutes(p: Value, t: Value) -> tuple[Value, _Pull]:
    d = p - t
    loss = total(np.abs(d), None) / d.size
    return loss, lambda g, wanted: _both(np.sign(d) * (g / d.size), wanted)


def mae(prediction: SameRank, target: SameRank, /) -> Scalar:
    """Mean absolute error: the mean of |prediction - target| over all elements. The slope at 0 is 0.

    Raises as `mse` does.

    >>> mae(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    np.float64(1.0)
    """
    check_same_shape("mae", prediction, target)
    return _absolutes(prediction, target)  # type: ignore[no-any-return]  # a Value is untyped, see arrays.Value


def _huber_reference(p: Value, t: Value, *, delta: float) -> Value:
    size = np.abs(p - t)
    inside = np.minimum(size, delta)
    return np.mean(inside * (size - 0.5 * inside))


# d = p - t, c = d clipped to [-delta, delta]: L = mean of c (d - c / 2), which is d^2 / 2 inside and delta (|d| - delta / 2)
# outside; dL/dp = c / n
@fused(2, _huber_reference)
def _huber(p: Value, t: Value, *, delta: float) -> tuple[Value, _Pull]:
    d = p - t
    c = np.clip(d, -delta, delta)
    loss = total(c * (d - 0.5 * c), None) / d.size
    return loss, lambda g, wanted: _both(c * (g / d.size), wanted)


def huber(prediction: SameRank, target: SameRank, /, *, delta: float = 1.0) -> Scalar:
    """Huber's loss: d^2 / 2 where |d| <= delta, delta * (|d| - delta / 2) beyond, with d = prediction - target; the mean.

    Raises as `mse` does, and ValueError where delta is not positive. Source: Huber 1964.

    >>> huber(np.array([0.5, 3.0]), np.array([0.0, 0.0]))
    np.float64(1.3125)
    """
    check_number("huber", "delta", delta)
    if not delta > 0:
        raise ValueError(f"huber: delta is {delta}, expected a positive number")
    check_same_shape("huber", prediction, target)
    return _huber(prediction, target, delta=float(delta))  # type: ignore[no-any-return]  # a Value is untyped, see arrays.Value


def _bce_reference(p: Value, t: Value, *, eps: float) -> Value:
    p = np.clip(p, eps, 1 - eps)
    return -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))


# L = -mean of t log p + (1 - t) log(1 - p): dL/dp = (p - t) / (p (1 - p)) / n inside the clip, 0 outside;
# dL/dt = (log(1 - p) - log p) / n
@fused(2, _bce_reference)
def _bce(p: Value, t: Value, *, eps: float) -> tuple[Value, _Pull]:
    c = np.clip(p, eps, 1 - eps)
    log_p, log_q = np.log(c), np.log(1 - c)
    loss = total(t * log_p + (1 - t) * log_q, None) / -p.size

    def pull(g: Value, wanted: Sequence[bool]) -> Sequence[Value]:
        scale = g / p.size
        dp = (c - t) / (c * (1 - c)) * ((c == p) * scale) if wanted[0] else None
        return dp, (log_q - log_p) * scale if wanted[1] else None

    return loss, pull


def bce(probability: SameRank, target: SameRank, /, *, eps: float = 1e-7) -> Scalar:
    """Binary cross-entropy of probabilities: the mean of -(t log p + (1 - t) log(1 - p)).

    p is clipped to [eps, 1 - eps], outside of which the gradient is 0; eps is at least the rounding of 1 in p's dtype. Where
    the probability comes from a sigmoid, `bce_with_logits` is exact and never stuck.

    Raises as `mse` does, and ValueError where a probability is not in [0, 1].

    >>> bce(np.array([0.5, 0.25]), np.array([1.0, 0.0])).round(4)
    np.float64(0.4904)
    """
    check_range("bce", "eps", eps, 0, 0.5)
    check_same_shape("bce", probability, target)
    p = value_of(probability)
    eps = max(float(eps), float(np.finfo(p.dtype).epsneg))
    if p.min() < 0 or p.max() > 1:
        raise ValueError(f"bce: probabilities go from {p.min()} to {p.max()}, expected [0, 1]; for logits use bce_with_logits")
    return _bce(probability, target, eps=eps)  # type: ignore[no-any-return]  # a Value is untyped, see arrays.Value


# With p = s(z): -(t log p + (1 - t) log(1 - p)) = log(1 + e^z) - t z = max(z, 0) + log(1 + e^-|z|) - t z;
# dL/dz = (s(z) - t) / n, dL/dt = -z / n
@fused(2, lambda z, t: np.mean(np.logaddexp(z, np.zeros((), z.dtype)) - t * z))
def _bce_with_logits(z: Value, t: Value) -> tuple[Value, _Pull]:
    e = np.exp(-np.abs(z))
    loss = total(np.maximum(z, 0) + np.log1p(e) - t * z, None) / z.size

    def pull(g: Value, wanted: Sequence[bool]) -> Sequence[Value]:
        scale = g / z.size
        dz = None
        if wanted[0]:
            dz = np.where(z >= 0, e.dtype.type(1), e)  # s(z) = 1 / (1 + e) for z >= 0, e / (1 + e) for z < 0
            dz /= 1 + e
            dz -= t
            dz *= scale
        return dz, z * -scale if wanted[1] else None

    return loss, pull


def bce_with_logits(logits: SameRank, target: SameRank, /) -> Scalar:
    """Binary cross-entropy of sigmoid(logits): the mean of log(1 + exp(z)) - t z, exact for any finite z.

    logits and target have the same shape; targets are 0 or 1, or probabilities between.

    Raises as `mse` does.

    >>> bce_with_logits(np.array([0.0, 1e4]), np.array([1.0, 1.0])).round(4)
    np.float64(0.3466)
    """
    check_same_shape("bce_with_logits", logits, target)
    return _bce_with_logits(logits, target)  # type: ignore[no-any-return]  # a Value is untyped, see arrays.Value
