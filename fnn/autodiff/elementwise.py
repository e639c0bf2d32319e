"""Derivative rules of NumPy's elementwise functions.

Each is `rule(g, y, x)` or, for two arguments, a pair of `rule(g, y, a, b)`: the cotangent of the argument from g, that of
the result y. Where a derivative does not exist the rule takes the subgradient that the design fixes: 0 for |x|, sqrt and
the like at their kink, ties of maximum and minimum split evenly. Masks are made from plain values: they have no gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from fnn.arrays import Value
from fnn.autodiff.primitive import constant, elementary
from fnn.autodiff.registry import implements
from fnn.autodiff.tracer import Tracer, value_of

_LN2 = math.log(2)
_LN10 = math.log(10)


def _share(g: Value, mine: Value, other: Value, wins: np.ufunc) -> Value:
    """For maximum and minimum: all of g where mine wins, half of it in a tie."""
    mine, other = value_of(mine), value_of(other)
    weight = np.asarray(wins(mine, other), g.dtype)
    weight += mine == other
    half = np.asarray(0.5, g.dtype)
    return g * np.where(mine == other, half, weight)


def _where_positive(g: Value, x: Value, slope: Callable[[Value], Value]) -> Value:
    """g * slope(x) where x > 0, and 0 at the kink x = 0, where the slope is infinite. NaN below, as the function gives."""
    kink = value_of(x) == 0
    if not np.any(kink):
        return g * slope(x)
    return np.where(kink, np.zeros((), g.dtype), g * slope(np.where(kink, np.ones((), x.dtype), x)))


def _power_base(g: Value, y: Value, a: Value, b: Value) -> Value:
    """d a^b / da = b a^(b-1), and 0 where b = 0, also at a = 0."""
    if isinstance(b, (int, float)):
        return g * (b * a ** (b - 1)) if b else g * np.zeros((), g.dtype)
    zero = value_of(b) == 0
    if not np.any(zero):
        return g * (b * np.power(a, b - 1))
    return np.where(
        zero,
        np.zeros((), g.dtype),
        g * (b * np.power(a, np.where(zero, np.ones((), np.result_type(value_of(b))), b - 1))),
    )


def _power_exponent(g: Value, y: Value, a: Value, b: Value) -> Value:
    """d a^b / db = a^b ln a, and 0 where a = 0 and b >= 0 (the limit for b > 0; a convention at b = 0)."""
    zero = (value_of(a) == 0) & (value_of(b) >= 0)
    if not np.any(zero):
        return g * (y * np.log(a))
    base = np.where(zero, np.ones((), np.result_type(value_of(a))), a)
    return np.where(zero, np.zeros((), g.dtype), g * (y * np.log(base)))


# x -> f(x)
_UNARY: dict[np.ufunc, Callable[..., Value]] = {
    np.negative: lambda g, y, x: -g,
    np.positive: lambda g, y, x: g,
    np.absolute: lambda g, y, x: g * np.sign(value_of(x)),
    np.fabs: lambda g, y, x: g * np.sign(value_of(x)),
    np.square: lambda g, y, x: g * (2 * x),
    np.sqrt: lambda g, y, x: _where_positive(g, x, lambda x: 0.5 / np.sqrt(x)),
    np.reciprocal: lambda g, y, x: -g * (y * y),
    np.exp: lambda g, y, x: g * y,
    np.exp2: lambda g, y, x: g * (y * _LN2),
    np.expm1: lambda g, y, x: g * (y + 1),
    np.log: lambda g, y, x: g / x,
    np.log2: lambda g, y, x: g / (x * _LN2),
    np.log10: lambda g, y, x: g / (x * _LN10),
    np.log1p: lambda g, y, x: g / (x + 1),
    np.sin: lambda g, y, x: g * np.cos(x),
    np.cos: lambda g, y, x: -g * np.sin(x),
    np.tan: lambda g, y, x: g * (1 + y * y),
    np.arctan: lambda g, y, x: g / (1 + x * x),
    np.sinh: lambda g, y, x: g * np.cosh(x),
    np.cosh: lambda g, y, x: g * np.sinh(x),
    np.tanh: lambda g, y, x: g * (1 - y * y),
}

# (a, b) -> f(a, b): the rule of a, the rule of b
_BINARY: dict[np.ufunc, tuple[Callable[..., Value], Callable[..., Value]]] = {
    np.add: (lambda g, y, a, b: g, lambda g, y, a, b: g),
    np.subtract: (lambda g, y, a, b: g, lambda g, y, a, b: -g),
    np.multiply: (lambda g, y, a, b: g * b, lambda g, y, a, b: g * a),
    np.divide: (lambda g, y, a, b: g / b, lambda g, y, a, b: -g * y / b),
    np.power: (_power_base, _power_exponent),
    np.maximum: (
        lambda g, y, a, b: _share(g, a, b, np.greater),
        lambda g, y, a, b: _share(g, b, a, np.greater),
    ),
    np.minimum: (
        lambda g, y, a, b: _share(g, a, b, np.less),
        lambda g, y, a, b: _share(g, b, a, np.less),
    ),
    # log(e^a + e^b): the derivatives are the softmax of (a, b)
    np.logaddexp: (lambda g, y, a, b: g * np.exp(a - y), lambda g, y, a, b: g * np.exp(b - y)),
    np.arctan2: (
        lambda g, y, a, b: g * (b / (a * a + b * b)),
        lambda g, y, a, b: -g * (a / (a * a + b * b)),
    ),
    np.hypot: (
        lambda g, y, a, b: g * (a / np.where(value_of(y) == 0, np.ones((), y.dtype), y)),
        lambda g, y, a, b: g * (b / np.where(value_of(y) == 0, np.ones((), y.dtype), y)),
    ),
}

# Piecewise constant: the derivative is zero where it exists, and the result is a constant
_CONSTANT: tuple[np.ufunc, ...] = (
    np.sign, np.floor, np.ceil, np.rint, np.trunc, np.floor_divide,
    np.isfinite, np.isnan, np.isinf, np.signbit,
    np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal,
    np.logical_and, np.logical_or, np.logical_xor, np.logical_not,
)  # fmt: skip

for _ufunc, _rule in _UNARY.items():
    implements(_ufunc)(elementary(_ufunc, _rule))
for _ufunc, _rules in _BINARY.items():
    implements(_ufunc)(elementary(_ufunc, *_rules))
for _ufunc in _CONSTANT:
    implements(_ufunc)(constant(_ufunc))

add = elementary(np.add, *_BINARY[np.add])


_select = elementary(
    lambda a, b, *, mask: np.where(mask, a, b),
    lambda g, y, a, b, mask: np.where(mask, g, np.zeros((), g.dtype)),
    lambda g, y, a, b, mask: np.where(mask, np.zeros((), g.dtype), g),
)


@implements(np.where)
def _where(condition: Value, *branches: Value) -> Value:
    """The cotangent goes to the branch that was taken. A number is taken in the dtype of the other branch."""
    if not branches:
        return np.where(value_of(condition))
    a, b = branches
    if condition.__class__ is Tracer:
        condition = value_of(condition)
    return _select(a, b, mask=condition)


_clip = elementary(
    lambda x, *, low, high: np.clip(x, low, high),
    # the slope is 1 inside and at the bounds, 0 outside
    lambda g, y, x, low, high: g * _inside(value_of(x), low, high).astype(g.dtype),
)


def _inside(x: Value, low: Value, high: Value) -> Value:
    inside = np.ones(np.shape(x), bool)
    if low is not None:
        inside = inside & (x >= low)
    if high is not None:
        inside = inside & (x <= high)
    return inside


@implements(np.clip)
def _np_clip(a: Value, a_min: Value = None, a_max: Value = None, *, min: Value = None, max: Value = None) -> Value:
    low = a_min if a_min is not None else min
    high = a_max if a_max is not None else max
    if low.__class__ is Tracer or high.__class__ is Tracer:
        # bounds that are differentiated too: the definition
        a = a if low is None else np.maximum(a, low)
        return a if high is None else np.minimum(a, high)
    return _clip(a, low=low, high=high)


@implements(np.copy)
def _copy(a: Value, order: str = "K", subok: bool = False) -> Value:
    return _identity(a)


_identity = elementary(lambda x: x.copy(), lambda g, y, x: g)

_cast = elementary(lambda x, *, dtype: x.astype(dtype), lambda g, y, x, dtype: g.astype(x.dtype))


@implements(np.astype)
def _astype(x: Value, dtype: Value, /, *, copy: bool = True, device: None = None) -> Value:
    if np.dtype(dtype).kind != "f":
        return value_of(x).astype(dtype)
    return _cast(x, dtype=np.dtype(dtype))


for _function in (
    np.zeros_like, np.ones_like, np.empty_like, np.shape, np.ndim, np.size, np.result_type, np.isclose,
    np.allclose, np.array_equal, np.argmax, np.argmin, np.argsort, np.all, np.any, np.round, np.around, np.count_nonzero,
    np.nonzero, np.isscalar, np.can_cast, np.iscomplexobj, np.searchsorted, np.array_repr, np.array_str, np.fix,
):  # fmt: skip
    implements(_function)(constant(_function))
