"""Activation functions: any shape in, the same shape and dtype out.

Each is a forward function of plain arrays and a backward rule `rule(g, y, x)`, written in operations that can be
differentiated again. s(x) below is the logistic function 1 / (1 + exp(-x)).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Protocol

import numpy as np

from fnn.arrays import SameRank, SameRankOrScalar, Value, constant, largest, read_only, total
from fnn.autodiff.primitive import KernelPull, checked_form_of, elementary, fused
from fnn.autodiff.tracer import value_of
from fnn.functional.checks import check_array

# Klambauer et al. 2017, "Self-normalizing neural networks", equation 14: the fixed point with mean 0 and variance 1
_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805

_SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
_GELU_CUBIC = 0.044715


class _Activation(Protocol):
    """What `elementary` makes of an activation: it keeps the rank, and takes its options by position."""

    def __call__(self, x: SameRankOrScalar, /, *options: float) -> SameRankOrScalar: ...


def identity(x: SameRankOrScalar, /) -> SameRankOrScalar:
    """x itself."""
    return x


_ZEROS = read_only(np.zeros(32_768, np.float32))


@lru_cache(maxsize=64)
def _zeros(shape: tuple[int, ...]) -> Value:
    return _ZEROS[: math.prod(shape)].reshape(shape)


def _relu_forward(x: Value) -> Value:
    # np.maximum takes a third of the time against an array, if there are enough numbers to pay for the preparation
    n = x.size
    if n < 1_024 or x.dtype is not _ZEROS.dtype or not x.flags.c_contiguous:
        return np.maximum(x, constant(0.0, x.dtype))
    return np.maximum(x, _zeros(x.shape)) if n <= len(_ZEROS) else _relu_of_many(x)


def _relu_of_many(x: Value) -> Value:
    n = x.size
    y = np.empty(x.shape, x.dtype)
    whole, done = x.reshape(-1), y.reshape(-1)
    for i in range(0, n, len(_ZEROS)):
        part = whole[i : i + len(_ZEROS)]
        np.maximum(part, _ZEROS[: len(part)], out=done[i : i + len(_ZEROS)])
    return y


def _relu_rule(g: Value, y: Value, x: Value) -> Value:
    # the slope is 1 for x > 0 and 0 otherwise, at 0 too; NumPy converts and multiplies in less time than it multiplies by bools
    v = value_of(y)
    slope = (v > constant(0.0, v.dtype)).astype(v.dtype)
    if g.__class__ is slope.__class__ is np.ndarray and g.dtype is slope.dtype:
        slope *= g
        return slope
    return g * slope


_relu: _Activation = elementary(_relu_forward, _relu_rule)


@checked_form_of(_relu)
def relu(x: SameRankOrScalar, /) -> SameRankOrScalar:
    """max(x, 0). The slope at 0 is 0."""
    check_array("relu", "x", x)
    return _relu(x)


def _where(condition: Value, x: Value, y: Value) -> Value:
    """np.where, but that scalars stay scalars."""
    made: Value = np.where(condition, x, y)
    return made if made.ndim else made[()]


_leaky_relu: _Activation = elementary(
    lambda x, slope: _where(x > 0, x, slope * x),
    lambda g, y, x, slope: np.where(value_of(x) > 0, g, g * slope),
)


def leaky_relu(x: SameRankOrScalar, /, slope: float = 0.01) -> SameRankOrScalar:
    """x where x > 0, slope * x elsewhere. The slope at 0 is `slope`."""
    check_array("leaky_relu", "x", x)
    return _leaky_relu(x, float(slope))


def _sigmoid_forward(x: Value) -> Value:
    # exp of a negative number never overflows: s(x) = 1 / (1 + e) for x >= 0 and e / (1 + e) for x < 0, e = exp(-|x|)
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, e.dtype.type(1), e) / (1 + e)


_sigmoid: _Activation = elementary(_sigmoid_forward, lambda g, y, x: g * (y * (1 - y)))


@checked_form_of(_sigmoid)
def sigmoid(x: SameRankOrScalar, /) -> SameRankOrScalar:
    """The logistic function 1 / (1 + exp(-x)), without overflow, accurate in both tails."""
    check_array("sigmoid", "x", x)
    return _sigmoid(x)


_tanh: _Activation = elementary(np.tanh, lambda g, y, x: g * (constant(1.0, y.dtype) - y * y))


@checked_form_of(_tanh)
def tanh(x: SameRankOrScalar, /) -> SameRankOrScalar:
    """The hyperbolic tangent."""
    check_array("tanh", "x", x)
    return _tanh(x)


_softplus: _Activation = elementary(lambda x: np.logaddexp(x, np.zeros((), x.dtype)), lambda g, y, x: g * _sigmoid(x))


@checked_form_of(_softplus)
def softplus(x: SameRankOrScalar, /) -> SameRankOrScalar:
    """log(1 + exp(x)), without overflow. Its slope is sigmoid(x)."""
    check_array("softplus", "x", x)
    return _softplus(x)


_elu: _Activation = elementary(
    lambda x, alpha: _where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
    # below 0, d alpha (e^x - 1) = alpha e^x = y + alpha
    lambda g, y, x, alpha: np.where(value_of(x) > 0, g, g * (y + alpha)),
)


def elu(x: SameRankOrScalar, /, alpha: float = 1.0) -> SameRankOrScalar:
    """x where x > 0, alpha * (exp(x) - 1) elsewhere (Clevert et al. 2016)."""
    check_array("elu", "x", x)
    return _elu(x, float(alpha))


def selu(x: SameRankOrScalar, /) -> SameRankOrScalar:
    """1.0507 * elu(x, 1.6733): the scaled elu that keeps mean 0 and variance 1 (Klambauer et al. 2017)."""
    check_array("selu", "x", x)
    y: Value = _elu(x, _SELU_ALPHA)
    return y * _SELU_SCALE  # type: ignore[no-any-return]  # a Value is untyped, see arrays.Value


_GELU_BOUND = 25.0  # e^(-2u) overflows before x = -25, in float64 too: there h below is exactly 0


def _bounded(x: Value) -> Value:
    """x within the bound, beyond which the gelu is 0 or x and the cube might overflow."""
    return np.clip(x, -_GELU_BOUND, _GELU_BOUND)


def _gelu_inner(x: Value) -> Value:
    return np.tanh(_SQRT_2_OVER_PI * (x + _GELU_CUBIC * (x * x * x)))


# As many numbers at a time as stay in the cache of a core from one pass over them to the next.
_PIECE = 2**18


def _gelu_and_slope(x: Value, with_slope: bool) -> tuple[Value, Value]:
    """The tanh form; and its slope, flat, where it is asked for."""
    # y = x h with h = (1 + tanh u) / 2 = 1 / (1 + e^(-2u)), u = c (x + a x^3), so that dh/du = 2 h (1 - h):
    #   dy/dx = h + x dh/dx = h + y (1 - h) 2 c (1 + 3 a x^2)
    # exp takes half the time of tanh, and h keeps its digits where 1 + tanh u would cancel. Where e^(-2u) overflows, h is 0.
    y = np.empty(x.shape, x.dtype)
    xs, ys = x.reshape(-1), y.reshape(-1)
    slopes = np.empty(len(xs) if with_slope else 0, x.dtype)
    room = np.empty(min(len(xs), _PIECE), x.dtype)
    for i in range(0, len(xs), _PIECE):
        part = xs[i : i + _PIECE]
        h, slope = room[: len(part)], slopes[i : i + _PIECE]
        with np.errstate(over="ignore"):
            np.multiply(part, part, out=h)
        near = part
        if not largest(h) <= _GELU_BOUND**2:  # or NaN
            near = _bounded(part)
            np.multiply(near, near, out=h)
        if with_slope:
            np.multiply(h, 6 * _GELU_CUBIC * _SQRT_2_OVER_PI, out=slope)
        h *= -2 * _GELU_CUBIC * _SQRT_2_OVER_PI
        h -= 2 * _SQRT_2_OVER_PI
        h *= near
        with np.errstate(over="ignore"):
            np.exp(h, out=h)
        h += 1
        np.reciprocal(h, out=h)
        product = np.multiply(part, h, out=ys[i : i + _PIECE])
        if with_slope:
            slope += 2 * _SQRT_2_OVER_PI
            slope *= product if near is part else near * h  # far out 1 - h is 0, and x might overflow
            slope *= 1 - h
            slope += h
    return y if x.ndim else y[()], slopes


@fused(1, lambda x: 0.5 * x * (1 + _gelu_inner(_bounded(x))))
def _gelu_tanh(x: Value) -> tuple[Value, KernelPull]:
    y, slopes = _gelu_and_slope(x, True)
    return y, lambda g, wanted: (g * slopes.reshape(x.shape),)


def _erfc_forward(x: Value) -> Value:
    x = np.asarray(x)
    return np.array([math.erfc(v) for v in x.ravel().tolist()], x.dtype).reshape(x.shape)


def _erfc_rule(g: Value, y: Value, x: Value) -> Value:
    b = np.clip(x, -40, 40)  # exp(-1600) is 0, and the square of more might overflow
    return g * ((-2 / math.sqrt(math.pi)) * np.exp(-b * b))


_erfc: _Activation = elementary(_erfc_forward, _erfc_rule)


@checked_form_of(_gelu_tanh)
def gelu(x: SameRankOrScalar, /, *, approximate: bool = True) -> SameRankOrScalar:
    """x times the normal distribution function of x (Hendrycks and Gimpel 2016).

    approximate=True is their tanh form, 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), within 5e-4 of the exact one.
    approximate=False is exact, 0.5 x erfc(-x / sqrt 2), and slow: NumPy has no erfc, so it runs element by element.
    """
    check_array("gelu", "x", x)
    if approximate:
        made: SameRankOrScalar = _gelu_and_slope(x, False)[0] if x.__class__ is np.ndarray else _gelu_tanh(x)
        return made
    v: Value = x
    return 0.5 * v * _erfc(v * -math.sqrt(0.5))  # type: ignore[no-any-return]  # a Value is untyped, see arrays.Value


def _silu_rule(g: Value, y: Value, x: Value) -> Value:
    # y = x s(x), s' = s (1 - s):  dy/dx = s + x s (1 - s) = s + y (1 - s)
    s = _sigmoid(x)
    return g * (s + y * (1 - s))


_silu: _Activation = elementary(lambda x: x * _sigmoid_forward(x), _silu_rule)


@checked_form_of(_silu)
def silu(x: SameRankOrScalar, /) -> SameRankOrScalar:
    """x * sigmoid(x), also called swish (Elfwing et al. 2018)."""
    check_array("silu", "x", x)
    return _silu(x)


def _softmax_forward(x: Value, axis: int) -> Value:
    y = x - largest(x, axis, keepdims=True)
    np.exp(y, y)
    y /= total(y, axis, keepdims=True)
    return y


# y_i = exp(x_i) / sum_k exp(x_k), so dy_i/dx_j = y_i (delta_ij - y_j), and dL/dx_j = y_j (g_j - sum_i g_i y_i)
_softmax: _Activation = elementary(
    _softmax_forward,
    lambda g, y, x, axis: y * (g - np.sum(g * y, axis=axis, keepdims=True)),
)


def softmax(x: SameRank, /, axis: int = -1) -> SameRank:
    """exp(x_i) / sum_k exp(x_k) along an axis, without overflow: positive numbers that add up to 1."""
    _check_axis("softmax", x)
    return _softmax(x, axis)


def _log_softmax_forward(x: Value, axis: int) -> Value:
    y = x - largest(x, axis, keepdims=True)
    y -= np.log(total(np.exp(y), axis, keepdims=True))
    return y


# y_i = x_i - log sum_k exp(x_k), so dy_i/dx_j = delta_ij - exp(y_j), and dL/dx_j = g_j - exp(y_j) sum_i g_i
_log_softmax: _Activation = elementary(
    _log_softmax_forward,
    lambda g, y, x, axis: g - np.exp(y) * np.sum(g, axis=axis, keepdims=True),
)


def log_softmax(x: SameRank, /, axis: int = -1) -> SameRank:
    """log(softmax(x)) along an axis, exact also where the softmax underflows."""
    _check_axis("log_softmax", x)
    return _log_softmax(x, axis)


def _check_axis(name: str, x: Value) -> None:
    check_array(name, "x", x)
    if x.ndim == 0:
        raise ValueError(f"{name}: x is a scalar, expected an axis of classes")
