"""Derivative rules of numerical methods: differences, integrals, interpolation, convolution, polynomials, grids.

Most are made of operations that have rules. Where NumPy rounds in another way than the composition, the value is NumPy's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fnn.arrays import Value
from fnn.autodiff import registry
from fnn.autodiff.primitive import elementary, shape_of
from fnn.autodiff.registry import implements
from fnn.autodiff.rules.moves import array_of, scatter_sum
from fnn.autodiff.tracer import Tracer, value_of

_numpy: Any = np  # untyped, because the stubs' overloads ask for literals
_normalize_axis = np.lib.array_utils.normalize_axis_index
# The value that NumPy gives to what a composition differentiates.
_with_value = elementary(lambda x, *, value: value, lambda g, y, x, value: g)


def _along(axis: int, part: slice | int) -> tuple[slice | int, ...]:
    return (*[slice(None)] * axis, part)


# Differences and integrals


@implements(np.diff)
def _diff(a: Value, n: int = 1, axis: int = -1, prepend: Value = np._NoValue, append: Value = np._NoValue) -> Value:
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n!r}")
    if n == 0:
        return a
    a = array_of(a)
    axis = _normalize_axis(axis, a.ndim)
    edge = (*a.shape[:axis], 1, *a.shape[axis + 1 :])
    parts = [
        part if part is a or shape_of(part) else np.broadcast_to(part, edge)
        for part in (prepend, a, append)
        if part is not np._NoValue
    ]
    y = np.concatenate(parts, axis) if len(parts) > 1 else a
    for _ in range(n):
        y = y[_along(axis, slice(1, None))] - y[_along(axis, slice(None, -1))]
    return y


@implements(np.ediff1d)
def _ediff1d(ary: Value, to_end: Value = None, to_begin: Value = None) -> Value:
    ary = np.ravel(ary)
    edges = [None if edge is None else np.ravel(edge) for edge in (to_begin, to_end)]
    return np.concatenate([part for part in (edges[0], ary[1:] - ary[:-1], edges[1]) if part is not None], dtype=ary.dtype)


@implements(np.trapezoid)
def _trapezoid(y: Value, x: Value = None, dx: Value = 1.0, axis: int = -1) -> Value:
    y = array_of(y)
    axis = _normalize_axis(axis, y.ndim)
    width = dx
    if x is not None:
        x = array_of(x)
        width = np.reshape(np.diff(x), (-1, *[1] * (y.ndim - 1 - axis))) if x.ndim == 1 else np.diff(x, axis=axis - y.ndim)
    return (width * (y[_along(axis, slice(1, None))] + y[_along(axis, slice(None, -1))]) / 2.0).sum(axis)


@implements(np.gradient)
def _gradient(f: Value, *varargs: Value, axis: Any = None, edge_order: int = 1) -> Any:
    plain = value_of(f)
    if any(value_of(h) is not None and np.asarray(value_of(h)).dtype.kind == "b" for h in varargs):
        registry.refuse("np.gradient with a spacing of booleans")
    values = _numpy.gradient(plain, *[value_of(h) for h in varargs], axis=axis, edge_order=edge_order)  # checks the arguments
    axes = range(f.ndim) if axis is None else np.lib.array_utils.normalize_axis_tuple(axis, f.ndim)
    spacings = list(varargs or (1.0,)) * (len(axes) if len(varargs) < 2 else 1)
    made = [_gradient_along(array_of(f), i, array_of(h), edge_order) for i, h in zip(axes, spacings, strict=True)]
    if not isinstance(values, (list, tuple)):
        return _with_value(made[0], value=values)
    return tuple([_with_value(z, value=v) for z, v in zip(made, values, strict=True)])


def _gradient_along(f: Value, axis: int, spacing: Value, edge_order: int) -> Value:
    """The slopes at the points of the parabola (at the ends: of the line, for edge_order 1) through them and their neighbours.

    With steps a to the left and b to the right of a point, y' = (a/b (y+ - y) + b/a (y - y-)) / (a + b).
    """

    def at(y: Value, start: int | None, stop: int | None) -> Value:
        return y[_along(axis, slice(start, stop))]

    n = f.shape[axis]
    steps = np.diff(spacing) if spacing.ndim else np.broadcast_to(spacing, (n - 1,))
    h = np.reshape(steps, (-1, *[1] * (f.ndim - 1 - axis)))  # the axis is the first of h
    slope = (at(f, 1, None) - at(f, None, -1)) / h
    a, b = h[:-1], h[1:]
    left, right = at(slope, None, -1), at(slope, 1, None)
    inner = (b * left + a * right) / (a + b)
    first, last = at(slope, None, 1), at(slope, -1, None)
    if edge_order == 2:
        first = first - a[:1] * (at(right, None, 1) - at(left, None, 1)) / (a[:1] + b[:1])
        last = last + b[-1:] * (at(right, -1, None) - at(left, -1, None)) / (a[-1:] + b[-1:])
    return np.concatenate([first, inner, last], axis)


# Convolution: y_k = sum_n a_(n + k) v_n. The cotangent of a is g convolved with v, that of v is g correlated with a.


def _whole(g: Value, a: Value, v: Value, mode: str) -> Value:
    """The cotangent of the whole correlation from that of the part which `mode` keeps: zeros for what is cut off."""
    n, m = a.shape[0], v.shape[0]
    short = min(n, m)
    left = {"full": 0, "same": short - 1 - short // 2, "valid": short - 1}[mode]
    right = n + m - 1 - left - g.shape[0]
    return np.pad(g, (left, right) if n >= m else (right, left))


_correlate = elementary(
    lambda a, v, *, mode: np.correlate(a, v, mode),
    lambda g, y, a, v, mode: np.convolve(_whole(g, a, v, mode), v, "valid"),
    lambda g, y, a, v, mode: np.correlate(_whole(g, a, v, mode), a, "valid")[::-1],
)


@implements(np.correlate)
def _np_correlate(a: Value, v: Value, mode: Any = "valid") -> Value:
    return _correlate(np.atleast_1d(a), np.atleast_1d(v), mode=_mode(mode))


@implements(np.convolve)
def _np_convolve(a: Value, v: Value, mode: Any = "full") -> Value:
    a, v = np.atleast_1d(a), np.atleast_1d(v)
    if v.size > a.size:
        a, v = v, a
    return _correlate(a, v[::-1], mode=_mode(mode))


def _mode(mode: Any) -> Any:
    """NumPy takes the number or the first letter of a mode as well."""
    for i, name in enumerate(("valid", "same", "full")):
        if mode == i or (isinstance(mode, str) and mode[:1] == name[0]):
            return name
    return mode


# Polynomials and grids


@implements(np.polyval)
def _polyval(p: Value, x: Value) -> Value:
    p, x = array_of(p), array_of(x)
    y = np.zeros_like(x)
    for c in p:
        y = y * x + c
    return y


def _weights(y: Value, num: int, endpoint: bool) -> Value:
    """The share t of stop in each point of a grid along the first axis of y; that of start is 1 - t."""
    return np.linspace(0, 1, num, endpoint, dtype=y.dtype).reshape(-1, *[1] * (y.ndim - 1))


def _grid(
    function: Callable[..., Value], start_rule: Callable[..., Value], stop_rule: Callable[..., Value]
) -> Callable[..., Value]:
    """A function from start and stop to the points between, along a new first axis: rule(g, y, end, share of the end)."""
    return elementary(
        lambda a, b, *, num, endpoint, **options: function(a, b, num, endpoint, **options),
        lambda g, y, a, b, num, endpoint, **_: start_rule(g, y, a, 1 - _weights(g, num, endpoint)),
        lambda g, y, a, b, num, endpoint, **_: stop_rule(g, y, b, _weights(g, num, endpoint)),
    )


# y = (1 - t) a + t b
_linspace = _grid(np.linspace, lambda g, y, a, t: g * t, lambda g, y, b, t: g * t)
# y = a^(1 - t) b^t
_geomspace = _grid(np.geomspace, lambda g, y, a, t: g * (t * y / a), lambda g, y, b, t: g * (t * y / b))


@implements(np.linspace)
def _np_linspace(
    start: Value,
    stop: Value,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    points = np.moveaxis(_linspace(start, stop, num=num, endpoint=endpoint, dtype=dtype), 0, axis)
    if not retstep:
        return points
    sections = num - 1 if endpoint else num
    value = _numpy.linspace(value_of(start), value_of(stop), num, endpoint, True, dtype)[1]
    return points, _with_value((stop - start) / max(sections, 1), value=value) if sections > 0 else value


@implements(np.logspace)
def _np_logspace(
    start: Value, stop: Value, num: int = 50, endpoint: bool = True, base: Value = 10.0, dtype: Any = None, axis: int = 0
) -> Value:
    points = np.linspace(start, stop, num, endpoint, axis=axis)
    value = np.logspace(value_of(start), value_of(stop), num, endpoint, value_of(base), dtype, axis)
    base = np.expand_dims(base, axis) if shape_of(base) else base
    return _with_value(np.power(base, points), value=value)


@implements(np.geomspace)
def _np_geomspace(start: Value, stop: Value, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Value:
    return np.moveaxis(_geomspace(start, stop, num=num, endpoint=endpoint, dtype=dtype), 0, axis)


@implements(np.interp)
def _interp(x: Value, xp: Value, fp: Value, left: Value = None, right: Value = None, period: Value = None) -> Value:
    """On the line through the two points around x; at a point that is the one to its right, beyond the ends a constant."""
    plain = [value_of(a) for a in (x, xp, fp, left, right, period)]
    value = np.interp(*plain)  # in float64, whatever its arguments are
    x, xp, fp = [array_of(a).astype(np.float64) for a in (x, xp, fp)]
    if period is not None:
        period = abs(period)
        x, xp = [a - period * np.floor(a / period) for a in (x, xp)]
        order = np.argsort(xp)
        xp, fp = xp[order], fp[order]
        xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = np.concatenate([fp[-1:], fp, fp[:1]])
        left = right = None
    n = xp.shape[0]
    at, points = value_of(x), value_of(xp)
    low, high = at < points[0], at > points[-1]
    j = np.clip(np.searchsorted(points, at, "right") - 1, 0, max(n - 2, 0))
    y = fp[j]
    if n > 1:
        y = y + (fp[j + 1] - fp[j]) / (xp[j + 1] - xp[j]) * (x - xp[j])
    y = np.where(low, fp[0] if left is None else left, np.where(high, fp[-1] if right is None else right, y))
    return _with_value(y, value=value)


@implements(np.bincount)
def _bincount(x: Value, /, weights: Value = None, minlength: int = 0) -> Value:
    if weights.__class__ is not Tracer:
        return np.bincount(value_of(x), weights, minlength)
    size = np.bincount(value_of(x), minlength=minlength).size
    return scatter_sum(weights.astype(np.float64), np.asarray(x, np.intp), size)


@implements(np.apply_along_axis)
def _apply_along_axis(func1d: Callable[..., Value], axis: int, arr: Value, *args: Any, **kwargs: Any) -> Value:
    axis = _normalize_axis(axis, arr.ndim)
    rows = np.moveaxis(arr, axis, -1)
    if rows.size == 0:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    front: Sequence[int] = rows.shape[:-1]
    made = [func1d(rows[i], *args, **kwargs) for i in np.ndindex(*front)]
    inner = shape_of(made[0])
    y = np.reshape(np.stack(made), (*front, *inner))
    # the axes of a result stand where the axis was
    return np.moveaxis(y, range(len(front), y.ndim), range(axis, axis + len(inner)))
