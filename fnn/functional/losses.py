"""Loss functions: (prediction, target) -> a scalar, the mean over the batch.

Prediction and target have the same shape, and broadcasting is refused: comparing [n, 1] with [n] would compare every
prediction with every target. Both may be differentiated. Each loss is one fused operation: kernel, derivation, reference.

The form `..._per_example` gives the values that the loss is the mean of, an array of the prediction's shape, which may be
empty; else it takes and raises what the loss does. It is a plain composition, and what the kernel is tested against.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fnn.arrays import Array1, SameRank, Scalar, Value, constant, sum_of_all
from fnn.autodiff.primitive import KernelPull, checked_form_of, fused
from fnn.autodiff.tracer import value_of
from fnn.functional.activations import softplus
from fnn.functional.checks import check_array, check_not_wider, check_number, check_range
from fnn.functional.half import in_float32
from fnn.functional.loss_checks import check_alike, check_positive, check_probabilities, check_same_shape


def _both(d: Value, wanted: Sequence[bool]) -> tuple[Value, Value]:
    """The cotangents of a function of prediction - target, from that of the prediction."""
    return d, -d if wanted[1] else None


def _of_same_shapes(op: Any) -> Callable[..., tuple[Value, Callable[[Value], Value]]]:
    """The vjp of a loss, which still refuses to broadcast: a model may give other shapes for other values of its input."""
    kernel = op.kernel

    def of_same_shapes(p: Value, t: Value) -> tuple[Value, Callable[[Value], Value]]:
        if p.shape != t.shape or p.dtype.kind != "f" or t.dtype.itemsize > p.dtype.itemsize:
            raise ValueError("the prediction is not like the target")  # the ordinary way says more
        y, pull = kernel(p, t)
        return y, lambda g: pull(g, (True, False))[0]

    return of_same_shapes


# mean of (p - t)^2 / 2 over n entries: dL/dp = (p - t) / n
@fused(2, lambda p, t, *, factor=1.0: factor * np.mean(np.square(p - t)))
def _squares(p: Value, t: Value, *, factor: float = 1.0) -> tuple[Value, KernelPull]:
    if p.dtype.itemsize == 2:
        return in_float32(_squares, p, t, factor=factor)
    d = p - t
    loss = sum_of_all(np.square(d)) * (factor / d.size)
    return loss, lambda g, wanted: _both(d * (g * (2 * factor / d.size)), wanted)


@checked_form_of(_of_same_shapes(_squares))
def mse(prediction: SameRank, target: SameRank, /) -> Scalar:
    """Mean squared error: the mean of (prediction - target)^2 over all elements.

    Raises ValueError where the shapes differ or are empty, TypeError where one is not floating or target is the wider.

    >>> mse(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    np.float64(2.0)
    """
    check_same_shape("mse", prediction, target)
    return _squares(prediction, target)  # type: ignore[no-any-return]  # a Value is untyped, see arrays.Value


def half_mse(prediction: SameRank, target: SameRank, /) -> Scalar:
    """Half the mean squared error, the mean of (prediction - target)^2 / 2: its gradient is (prediction - target) / n.

    Raises as `mse` does.

    >>> half_mse(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    np.float64(1.0)
    """
    check_same_shape("half_mse", prediction, target)
    return _squares(prediction, target, factor=0.5)  # type: ignore[no-any-return]  # a Value is untyped, see arrays.Value


def mse_per_example(prediction: SameRank, target: SameRank, /) -> SameRank:
    """(prediction - target)^2 of each element.

    >>> mse_per_example(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    array([0., 4.])
    """
    check_alike("mse_per_example", prediction=prediction, target=target)
    values: Value = np.square(prediction - target)
    return values  # type: ignore[no-any-return]  # a Value is untyped, see arrays.Value


def half_mse_per_example(prediction: SameRank, target: SameRank, /) -> SameRank:
    """(prediction - target)^2 / 2 of each element.

    >>> half_mse_per_example(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    array([0., 2.])
    """
    check_alike("half_mse_per_example", prediction=prediction, target=target)
    values: Value = 0.5 * np.square(prediction - target)
    return values  # type: ignore[no-any-return]  # a Value is untyped, see arrays.Value


# mean of |p - t| over n entries: dL/dp = sign(p - t) / n, 0 where they are equal
@fused(2, lambda p, t: np.mean(np.abs(p - t)))
def _absolutes(p: Value, t: Value) -> tuple[Value, KernelPull]:
    if p.dtype.itemsize == 2:
        return in_float32(_absolutes, p, t)
    d = p - t
    loss = sum_of_all(np.abs(d)) / d.size
    return loss, lambda g, wanted: _both(np.sign(d) * (g / d.size), wanted)


@checked_form_of(_of_same_shapes(_absolutes))
def mae(prediction: SameRank, target: SameRank, /) -> Scalar:
    """Mean absolute error: the mean of |prediction - target| over all elements. The slope at 0 is 0.

    Raises as `mse` does.

    >>> mae(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    np.float64(1.0)
    """
    check_same_shape("mae", prediction, target)
    return _absolutes(prediction, target)  # type: ignore[no-any-return]  # a Value is untyped, see arrays.Value


def mae_per_example(prediction: SameRank, target: SameRank, /) -> SameRank:
    """|prediction - target| of each element. The slope at 0 is 0.

    >>> mae_per_example(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    array([0., 2.])
    """
    check_alike("mae_per_example", prediction=prediction, target=target)
    values: Value = np.abs(prediction - target)
    return values  # type: ignore[no-any-return]  # a Value is untyped, see arrays.Value


def _huber_values(p: Value, t: Value, *, delta: float) -> Value:
    size = np.abs(p - t)
    inside = np.minimum(size, delta)
    return inside * (size - 0.5 * inside)


# d = p - t, c = d clipped to [-delta, delta]: L = mean of c (d - c / 2), which is d^2 / 2 inside and delta (|d| - delta / 2)
# outside; dL/dp = c / n
@fused(2, lambda p, t, *, delta: np.mean(_huber_values(p, t, delta=delta)))
def _huber(p: Value, t: Value, *, delta: float) -> tuple[Value, KernelPull]:
    if p.dtype.itemsize == 2:
        return in_float32(_huber, p, t, delta=delta)
    d = p - t
    c = np.clip(d, -delta, delta)
    loss = sum_of_all(c * (d - 0.5 * c)) / d.size
    return loss, lambda g, wanted: _both(c * (g / d.size), wanted)


def huber(prediction: SameRank, target: SameRank, /, *, delta: float = 1.0) -> Scalar:
    """Huber's loss: d^2 / 2 where |d| <= delta, delta * (|d| - delta / 2) beyond, with d = prediction - target; the mean.

    Raises as `mse` does, and ValueError where delta is not positive. Source: Huber 1964.

    >>> huber(np.array([0.5, 3.0]), np.array([0.0, 0.0]))
    np.float64(1.3125)
    """
    check_positive("huber", "delta", delta)
    check_same_shape("huber", prediction, target)
    return _huber(prediction, target, delta=float(delta))  # type: ignore[no-any-return]  # a Value is untyped, see arrays.Value


def huber_per_example(prediction: SameRank, target: SameRank, /, *, delta: float = 1.0) -> SameRank:
    """Huber's loss of each element.

    >>> huber_per_example(np.array([0.5, 3.0]), np.array([0.0, 0.0]))
    array([0.125, 2.5  ])
    """
    check_positive("huber_per_example", "delta", delta)
    check_alike("huber_per_example", prediction=prediction, target=target)
    values: SameRank = _huber_values(prediction, target, delta=float(delta))
    return values


def _bce_values(p: Value, t: Value, *, eps: float) -> Value:
    p = np.clip(p, eps, 1 - eps)
    return -(t * np.log(p) + (1 - t) * np.log1p(-p))


# L = -mean of t log p + (1 - t) log(1 - p): dL/dp = (p - t) / (p (1 - p)) / n inside the clip, 0 outside;
# dL/dt = (log(1 - p) - log p) / n
@fused(2, lambda p, t, *, eps: np.mean(_bce_values(p, t, eps=eps)))
def _bce(p: Value, t: Value, *, eps: float) -> tuple[Value, KernelPull]:
    if p.dtype.itemsize == 2:
        return in_float32(_bce, p, t, eps=eps)
    c = np.clip(p, eps, 1 - eps)
    log_p, log_q = np.log(c), np.log1p(-c)
    loss = sum_of_all(t * log_p + (1 - t) * log_q) / -p.size

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
    check_same_shape("bce", probability, target)
    eps = _checked_eps("bce", probability, eps)
    return _bce(probability, target, eps=eps)  # type: ignore[no-any-return]  # a Value is untyped, see arrays.Value


def bce_per_example(probability: SameRank, target: SameRank, /, *, eps: float = 1e-7) -> SameRank:
    """The binary cross-entropy of each probability.

    >>> bce_per_example(np.array([0.5, 0.25]), np.array([1.0, 0.0])).round(4)
    array([0.6931, 0.2877])
    """
    check_alike("bce_per_example", probability=probability, target=target)
    eps = _checked_eps("bce_per_example", probability, eps)
    values: SameRank = _bce_values(probability, target, eps=eps)
    return values


def _checked_eps(name: str, probability: Value, eps: float) -> float:
    """eps, at least the rounding of 1; and the probabilities are in [0, 1]."""
    check_range(name, "eps", eps, 0, 0.5)
    check_probabilities(name, probability, name.replace("bce", "bce_with_logits"))
    return max(float(eps), float(np.finfo(probability.dtype).epsneg))


def _logits_values(z: Value, t: Value, pos_weight: Value = 1.0) -> Value:
    return pos_weight * t * softplus(-z) + (1 - t) * softplus(z)


# With p = s(z): -(t log p + (1 - t) log(1 - p)) = t log(1 + e^-z) + (1 - t) log(1 + e^z)
#   = (max(z, 0) - t z) + log(1 + e^-|z|), in this order: the first part is exactly 0 where a 1 is sure to be one, and the
#   second, however small, is the loss;
# dL/dz = (s(z) - t) / n, dL/dt = -z / n
@fused(2, lambda z, t: np.mean(_logits_values(z, t)))
def _bce_with_logits(z: Value, t: Value) -> tuple[Value, KernelPull]:
    if z.dtype.itemsize == 2:
        return in_float32(_bce_with_logits, z, t)
    zero = constant(0.0, z.dtype)
    values, negative = np.maximum(z, zero), np.minimum(z, zero)
    rest = np.log1p(np.exp(negative - values))  # log(1 + e^-|z|)
    values -= t * z
    values += rest
    loss = sum_of_all(values) / z.size

    def pull(g: Value, wanted: Sequence[bool]) -> Sequence[Value]:
        scale = g / z.size
        dz = None
        if wanted[0]:
            dz = np.exp(negative - rest)  # s(z) = e^(z - log(1 + e^z))
            dz -= t
            dz *= scale
        return dz, z * -scale if wanted[1] else None

    return loss, pull


@checked_form_of(_of_same_shapes(_bce_with_logits))
def bce_with_logits(logits: SameRank, target: SameRank, /, *, pos_weight: Array1 | float | None = None) -> Scalar:
    """Binary cross-entropy of sigmoid(logits): the mean of log(1 + exp(z)) - t z, stable for any finite z.

    logits and target have the same shape; targets are 0 or 1, or probabilities between. That is not checked: for others, as
    labels -1 and +1, the loss has no lower bound. pos_weight w, a number or one for each column (the last axis), multiplies
    the part of the positives: the mean of w t log(1 + exp(-z)) + (1 - t) log(1 + exp(z)), as in PyTorch. With
    w = negatives / positives both kinds count the same.

    Raises as `mse` does, and ValueError where pos_weight doesn't fit, is negative or not finite.

    >>> bce_with_logits(np.array([0.0, 1e4]), np.array([1.0, 1.0])).round(4)
    np.float64(0.3466)
    >>> bce_with_logits(np.array([0.0, 1e4]), np.array([1.0, 1.0]), pos_weight=2.0).round(4)
    np.float64(0.6931)
    """
    check_same_shape("bce_with_logits", logits, target)
    if pos_weight is not None:
        loss: Scalar = np.mean(_weighted_logits_values("bce_with_logits", logits, target, pos_weight))
        return loss
    return _bce_with_logits(logits, target)  # type: ignore[no-any-return]  # a Value is untyped, see arrays.Value


def bce_with_logits_per_example(logits: SameRank, target: SameRank, /, *, pos_weight: Array1 | float | None = None) -> SameRank:
    """The binary cross-entropy of each logit.

    >>> bce_with_logits_per_example(np.array([0.0, 1e4]), np.array([1.0, 1.0])).round(4)
    array([0.6931, 0.    ])
    """
    name = "bce_with_logits_per_example"
    check_alike(name, logits=logits, target=target)
    plain = pos_weight is None
    values: SameRank = _logits_values(logits, target) if plain else _weighted_logits_values(name, logits, target, pos_weight)
    return values


def _weighted_logits_values(name: str, z: Value, t: Value, pos_weight: Value) -> Value:
    w = value_of(pos_weight)
    if isinstance(w, np.ndarray):
        check_array(name, "pos_weight", w)
        check_not_wider(name, "pos_weight", w, "logits", z)
        if w.shape != z.shape[-1:]:
            raise ValueError(
                f"{name}: pos_weight has shape {w.shape}, expected a number, or {z.shape[-1:]}, one for each column"
            )
    else:
        check_number(name, "pos_weight", w)
        pos_weight = float(w)  # a NumPy number would widen float32
    if not (np.isfinite(w) & (np.asarray(w) >= 0)).all():
        raise ValueError(f"{name}: pos_weight is {w}, expected finite numbers, 0 or more")
    return _logits_values(z, t, pos_weight)
