"""Derivative rules of NumPy's elementwise functions.

Each is `rule(g, y, x)` or, for two arguments, a pair of `rule(g, y, a, b)`: the cotangent of the argument from g, that of
the result y; None where nothing flows. Where a derivative does not exist the rule takes the subgradient that the design
fixes: 0 where the slope jumps or is infinite though the value is finite (|x|, sqrt, arcsin, hypot and the like), ties of
maximum and minimum split evenly. Masks are made from plain values: they have no gradient.
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
_DEGREE = math.pi / 180


def _divide(g: Value, d: Value) -> Value:
    """g / d, and 0 where d = 0: the subgradient at a kink where the slope is infinite or has no direction."""
    kink = value_of(d) == 0
    if not np.any(kink):
        return g / d
    return np.where(kink, 0.0, g / np.where(kink, 1.0, d))


def _floats(x: Value, y: Value) -> Value:
    """A number, a list or integers as an array of the dtype of the result y; floating arrays as they are."""
    return x if isinstance(x, (Tracer, np.ndarray, np.generic)) and x.dtype.kind == "f" else np.asarray(x, y.dtype)


def _share(g: Value, mine: Value, other: Value, wins: Callable[..., Value]) -> Value:
    """For maximum and minimum: all of g where mine wins, half of it in a tie."""
    mine, other = value_of(mine), value_of(other)
    weight = np.subtract(wins(mine, other), wins(other, mine), dtype=g.dtype)
    return g * ((weight + 1) * 0.5)


def _greater(a: Value, b: Value) -> Value:
    return np.greater(a, b) | np.isnan(b)


def _less(a: Value, b: Value) -> Value:
    return np.less(a, b) | np.isnan(b)


def _power_base(g: Value, y: Value, a: Value, b: Value) -> Value:
    """d a^b / da = b a^(b-1), and 0 where b = 0, also at a = 0, or where a = 0 and 0 < b < 1, as for the square root."""
    if isinstance(b, (int, float)) and not 0 <= b < 1:
        return g * (b * a ** (b - 1))
    b = _floats(b, y)
    exponent = value_of(b)
    flat = (exponent == 0) | ((value_of(a) == 0) & (exponent > 0) & (exponent < 1))
    if not np.any(flat):
        return g * (b * np.power(a, b - 1))
    return np.where(flat, 0.0, g * (b * np.power(a, np.where(flat, 1.0, b - 1))))


def _power_exponent(g: Value, y: Value, a: Value, b: Value) -> Value:
    """d a^b / db = a^b ln a, and 0 where a = 0 and b >= 0 (the limit for b > 0; a convention at b = 0)."""
    a = _floats(a, y)
    zero = (value_of(a) == 0) & (value_of(b) >= 0)
    if not np.any(zero):
        return g * (y * np.log(a))
    return np.where(zero, 0.0, g * (y * np.log(np.where(zero, 1.0, a))))


def _softmax(g: Value, y: Value, mine: Value, other: Value, exp: np.ufunc, logaddexp: np.ufunc) -> Value:
    """y = log(e^mine + e^other): dy / dmine = 1 / (1 + e^(other - mine)). Equal infinities share, as for the maximum."""
    same = np.isinf(value_of(mine)) & (value_of(mine) == value_of(other))
    if np.any(same):
        mine, other = np.where(same, 0.0, _floats(mine, y)), np.where(same, 0.0, _floats(other, y))
    return g * exp(-logaddexp(0, other - mine))


# sinc'(x) / pi is the odd function (cos u - sin u / u) / u of u = pi x, in which almost everything cancels for small u:
# there its series, sum over k of (-1)^k 2k u^(2k-1) / (2k+1)!, whose last term is below 1e-18 for |u| < 1.
_SINC = [(-1) ** k * 2 * k / math.factorial(2 * k + 1) for k in range(10, 0, -1)]


def _sinc_rule(g: Value, y: Value, x: Value) -> Value:
    small = np.abs(value_of(x)) < 1 / math.pi
    u = math.pi * np.where(small, x, 0.0)
    series: Value = 0.0
    for coefficient in _SINC:
        series = series * (u * u) + coefficient
    z = np.where(small, 1.0, x)
    return g * np.where(small, math.pi * (series * u), (np.cos(math.pi * z) - np.sinc(z)) / z)


def _mantissa_rule(g: Value, y: Value, x: Value) -> Value:
    return np.ldexp(g, -np.frexp(value_of(x))[1])


# x -> f(x)
_UNARY: dict[Callable[..., Value], Callable[..., Value]] = {
    np.negative: lambda g, y, x: -g,
    np.positive: lambda g, y, x: g,
    np.conjugate: lambda g, y, x: g,
    np.absolute: lambda g, y, x: g * np.sign(value_of(x)),
    np.fabs: lambda g, y, x: g * np.sign(value_of(x)),
    np.square: lambda g, y, x: g * (2 * x),
    np.sqrt: lambda g, y, x: _divide(g, 2 * y),
    np.cbrt: lambda g, y, x: _divide(g, 3 * (y * y)),
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
    np.arcsin: lambda g, y, x: _divide(g, np.sqrt((1 - x) * (1 + x))),
    np.arccos: lambda g, y, x: _divide(-g, np.sqrt((1 - x) * (1 + x))),
    # 1 + x^2 is hypot(1, x)^2, which does not overflow
    np.arctan: lambda g, y, x: g / np.hypot(1, x) / np.hypot(1, x),
    np.sinh: lambda g, y, x: g * np.cosh(x),
    np.cosh: lambda g, y, x: g * np.sinh(x),
    np.tanh: lambda g, y, x: g * (1 - y * y),
    np.arcsinh: lambda g, y, x: g / np.hypot(1, x),
    np.arccosh: lambda g, y, x: _divide(g, np.sqrt(x - 1) * np.sqrt(x + 1)),
    np.arctanh: lambda g, y, x: g / ((1 - x) * (1 + x)),
    np.deg2rad: lambda g, y, x: g * _DEGREE,
    np.radians: lambda g, y, x: g * _DEGREE,
    np.rad2deg: lambda g, y, x: g / _DEGREE,
    np.degrees: lambda g, y, x: g / _DEGREE,
    np.sinc: _sinc_rule,
}

# (a, b) -> f(a, b): the rule of a, the rule of b
_BINARY: dict[np.ufunc, tuple[Callable[..., Value], Callable[..., Value]]] = {
    np.add: (lambda g, y, a, b: g, lambda g, y, a, b: g),
    np.subtract: (lambda g, y, a, b: g, lambda g, y, a, b: -g),
    np.multiply: (lambda g, y, a, b: g * b, lambda g, y, a, b: g * a),
    np.divide: (lambda g, y, a, b: g / b, lambda g, y, a, b: -g * y / b),
    np.power: (_power_base, _power_exponent),
    np.float_power: (
        lambda g, y, a, b: _power_base(g, y, _floats(a, y).astype(y.dtype), b),
        lambda g, y, a, b: _power_exponent(g, y, _floats(a, y).astype(y.dtype), b),
    ),
    np.maximum: (
        lambda g, y, a, b: _share(g, a, b, np.greater),
        lambda g, y, a, b: _share(g, b, a, np.greater),
    ),
    np.minimum: (
        lambda g, y, a, b: _share(g, a, b, np.less),
        lambda g, y, a, b: _share(g, b, a, np.less),
    ),
    # as maximum and minimum, but a number wins against NaN
    np.fmax: (lambda g, y, a, b: _share(g, a, b, _greater), lambda g, y, a, b: _share(g, b, a, _greater)),
    np.fmin: (lambda g, y, a, b: _share(g, a, b, _less), lambda g, y, a, b: _share(g, b, a, _less)),
    np.logaddexp: (
        lambda g, y, a, b: _softmax(g, y, a, b, np.exp, np.logaddexp),
        lambda g, y, a, b: _softmax(g, y, b, a, np.exp, np.logaddexp),
    ),
    np.logaddexp2: (
        lambda g, y, a, b: _softmax(g, y, a, b, np.exp2, np.logaddexp2),
        lambda g, y, a, b: _softmax(g, y, b, a, np.exp2, np.logaddexp2),
    ),
    # y = atan(a / b): dy / da = b / r^2, dy / db = -a / r^2 with r = hypot(a, b); 0 at the origin
    np.arctan2: (
        lambda g, y, a, b: _divide(_divide(g * b, np.hypot(a, b)), np.hypot(a, b)),
        lambda g, y, a, b: _divide(_divide(-g * a, np.hypot(a, b)), np.hypot(a, b)),
    ),
    np.hypot: (lambda g, y, a, b: _divide(g * a, y), lambda g, y, a, b: _divide(g * b, y)),
    # y = a - b n with a whole number n, the quotient rounded down or towards 0
    np.remainder: (lambda g, y, a, b: g, lambda g, y, a, b: -g * np.floor_divide(value_of(a), value_of(b))),
    np.fmod: (lambda g, y, a, b: g, lambda g, y, a, b: -g * np.rint((value_of(a) - value_of(y)) / value_of(b))),
    # |a| with the sign of b
    np.copysign: (
        lambda g, y, a, b: g * (np.sign(value_of(a)) * np.sign(value_of(y))),
        lambda g, y, a, b: None,
    ),
    # 0, b or 1 as a is negative, 0 or positive
    np.heaviside: (lambda g, y, a, b: None, lambda g, y, a, b: g * (value_of(a) == 0)),
}

# Piecewise constant: the derivative is zero where it exists, and the result is a constant
_CONSTANT: tuple[Callable[..., Value], ...] = (
    np.sign, np.floor, np.ceil, np.rint, np.trunc, np.round, np.around, np.fix, np.floor_divide,
    np.isfinite, np.isnan, np.isinf, np.signbit, np.isclose, np.allclose, np.array_equal,
    np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal,
    np.logical_and, np.logical_or, np.logical_xor, np.logical_not,
    np.zeros_like, np.ones_like, np.empty_like, np.shape, np.ndim, np.size, np.result_type, np.argmax, np.argmin,
    np.argsort, np.nonzero, np.isscalar, np.can_cast, np.iscomplexobj, np.searchsorted, np.array_repr, np.array_str,
)  # fmt: skip

for _function, _rule in _UNARY.items():
    implements(_function)(elementary(_function, _rule))
for _ufunc, _rules in _BINARY.items():
    implements(_ufunc)(elementary(_ufunc, *_rules))
for _function in _CONSTANT:
    implements(_function)(constant(_function))

add = elementary(np.add, *_BINARY[np.add])

# The parts of a number: a whole one is constant, and the rest is differentiated
_fraction = elementary(lambda x: np.modf(x)[0], lambda g, y, x: g)
_mantissa = elementary(lambda x: np.frexp(x)[0], _mantissa_rule)


@implements(np.modf)
def _modf(x: Value) -> tuple[Value, Value]:
    return _fraction(x), np.trunc(x)


@implements(np.frexp)
def _frexp(x: Value) -> tuple[Value, Value]:
    return _mantissa(x), np.frexp(value_of(x))[1]


@implements(np.divmod)
def _divmod(a: Value, b: Value) -> tuple[Value, Value]:
    return np.floor_divide(a, b), np.remainder(a, b)


_ldexp = elementary(lambda x, n: np.ldexp(x, n), lambda g, y, x, n: np.ldexp(g, n))


@implements(np.ldexp)
def _np_ldexp(x: Value, n: Value) -> Value:
    return _ldexp(x, value_of(n))


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


def _between(low: Value, x: Value, high: Value) -> Value:
    """Whether low <= x <= high, where a bound that is None holds always."""
    low, x, high = value_of(low), value_of(x), value_of(high)
    inside = True if low is None else np.less_equal(low, x)
    return inside if high is None else inside & np.less_equal(x, high)


# The slope is 1 inside and at the bounds. Below, y is the lower bound, unless the bounds cross: then y is the upper one.
_clip = elementary(
    lambda x, low, high: np.clip(x, low, high),
    lambda g, y, x, low, high: g * _between(low, x, high),
    lambda g, y, x, low, high: g * (np.less(value_of(x), value_of(low)) & _between(None, low, high)),
    lambda g, y, x, low, high: g * (np.greater(value_of(x), value_of(high)) | np.logical_not(_between(low, high, None))),
)


@implements(np.clip)
def _np_clip(a: Value, a_min: Value = None, a_max: Value = None, *, min: Value = None, max: Value = None) -> Value:
    return _clip(a, a_min if a_min is not None else min, a_max if a_max is not None else max)


_nan_to_num = elementary(
    lambda x, **options: np.nan_to_num(x, **options),
    lambda g, y, x, **options: g * np.isfinite(value_of(x)),
)


@implements(np.nan_to_num)
def _np_nan_to_num(x: Value, copy: bool = True, nan: Value = 0.0, posinf: Value = None, neginf: Value = None) -> Value:
    return _nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


_identity = elementary(lambda x: x.copy(), lambda g, y, x: g)
_cast = elementary(lambda x, *, dtype: x.astype(dtype), lambda g, y, x, dtype: g.astype(x.dtype))


@implements(np.copy)
def _copy(a: Value, order: str = "K", subok: bool = False) -> Value:
    return _identity(a)


@implements(np.astype)
def _astype(x: Value, dtype: Value, /, *, copy: bool = True, device: None = None) -> Value:
    if np.dtype(dtype).kind in "iub":  # piecewise constant
        return value_of(x).astype(dtype)
    return _cast(x, dtype=np.dtype(dtype))
