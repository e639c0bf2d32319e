"""Derivative rules of reductions: sums, products, means, extremes, variances, log(sum(exp)).

An operation takes `axes`, a sorted tuple, and of NumPy's further arguments those that were given; its rule takes the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, TypeAlias

import numpy as np

from fnn.arrays import Value
from fnn.autodiff import registry
from fnn.autodiff.primitive import constant, elementary
from fnn.autodiff.registry import implements
from fnn.autodiff.rules.cumulative import as_dtype, products_before
from fnn.autodiff.tracer import Tracer, value_of

_numpy: Any = np  # untyped, because the stubs' overloads ask for literals

Axis: TypeAlias = int | Sequence[int] | None


def axes_of(x: Value, axis: Axis) -> tuple[int, ...]:
    """The reduced axes as a sorted tuple of non-negative numbers."""
    if axis is None:
        return tuple(range(x.ndim))
    return tuple(sorted(np.lib.array_utils.normalize_axis_tuple(axis, x.ndim)))


def kept(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a result with keepdims=True."""
    return tuple([1 if i in axes else n for i, n in enumerate(shape)])


def reduce_by(
    op: Callable[..., Value],
    a: Value,
    axis: Axis,
    keepdims: bool,
    *,
    dtype: Any = None,
    initial: Value = None,
    where: Value = True,
    join: Callable[[Value, Value], Value] | None = None,
    **options: Any,
) -> Value:
    """Run an operation with those of NumPy's arguments that were given. `join` adds an initial value that is differentiated."""
    if dtype is not None:
        options["dtype"] = np.dtype(dtype)
        if options["dtype"].kind in "iub":  # whole numbers are piecewise constant
            a = value_of(a)
    if where is not True:
        options["where"] = np.asarray(value_of(where))
    if join is not None and initial.__class__ is Tracer:
        return join(op(a, axes=axes_of(a, axis), keepdims=bool(keepdims), **options), initial)
    if initial is not None:
        options["initial"] = initial
    return op(a, axes=axes_of(a, axis), keepdims=bool(keepdims), **options)


def _spread(g: Value, x: Value, axes: tuple[int, ...], where: Value = True) -> Value:
    """y = sum over axes of x: every x that took part gets the cotangent of its y."""
    spread = np.broadcast_to(g.reshape(kept(x.shape, axes)), x.shape)
    return spread if where is True else np.where(where, spread, 0.0)


def _count(x: Value, axes: tuple[int, ...], where: Value) -> Value:
    """How many entries take part in each result."""
    if where is True:
        return prod([x.shape[i] for i in axes])
    return np.add.reduce(np.broadcast_to(where, x.shape), axes, keepdims=True)


def sum_rule(g: Value, y: Value, x: Value, axes: tuple[int, ...], keepdims: bool, where: Value = True, **_: Any) -> Value:
    """y = sum over axes of x: see `_spread`."""
    return _spread(g, x, axes, where)


def mean_rule(g: Value, y: Value, x: Value, axes: tuple[int, ...], keepdims: bool, where: Value = True, **_: Any) -> Value:
    """y = (sum over axes of x) / n."""
    n = max(_count(x, axes, where), 1) if where is True else np.maximum(_count(x, axes, where), 1).astype(g.dtype)
    return _spread(g.reshape(kept(x.shape, axes)) / n, x, axes, where)


def shares(attains: Value, axes: tuple[int, ...], dtype: Any, others: Value = None) -> Value:
    """Equal parts of 1 for the entries that attain an extreme, and for `others`; NaN where there are none: y is NaN."""
    n = np.add.reduce(attains, axes, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.divide(attains, n if others is None else n + others, dtype=dtype)


def _attained(y: Value, x: Value, axes: tuple[int, ...], dtype: Any, initial: Value = None, where: Value = True) -> Value:
    """The share of each entry in the extreme y, which has the kept shape."""
    extreme = value_of(y)
    attains = value_of(x) == extreme
    return shares(attains if where is True else attains & where, axes, dtype, None if initial is None else extreme == initial)


def extreme_rule(
    g: Value,
    y: Value,
    x: Value,
    axes: tuple[int, ...],
    keepdims: bool,
    initial: Value = None,
    where: Value = True,
    **_: Any,
) -> Value:
    """The cotangent goes to the entries that attain the extreme, in equal parts where several do."""
    shape = kept(x.shape, axes)
    return g.reshape(shape) * _attained(y.reshape(shape), x, axes, g.dtype, initial, where)


def prod_rule(
    g: Value,
    y: Value,
    x: Value,
    axes: tuple[int, ...],
    keepdims: bool,
    initial: Value = None,
    where: Value = True,
    **_: Any,
) -> Value:
    """dy / dx_i is the product of the others: of those before i and those behind. Nothing is divided, so zeros are right."""
    x = as_dtype(y.dtype, x)
    order = (*[i for i in range(x.ndim) if i not in axes], *axes)
    factors = np.transpose(x if where is True else np.where(where, x, 1.0), order)
    rows = factors.reshape(*factors.shape[: x.ndim - len(axes)], prod([x.shape[i] for i in axes]))
    others = products_before(rows) * products_before(rows[..., ::-1])[..., ::-1]
    others = np.transpose(others.reshape(factors.shape), tuple(np.argsort(order).tolist()))
    return _spread(g if initial is None else g * np.asarray(initial, g.dtype), x, axes, where) * others


def variance_rule(
    g: Value,
    y: Value,
    x: Value,
    mean: Value,
    axes: tuple[int, ...],
    keepdims: bool,
    ddof: float,
    where: Value = True,
    **_: Any,
) -> Value:
    """y = sum (x_i - mean)^2 / (n - ddof): dy / dx_i = 2 (x_i - mean) / (n - ddof); the term of the mean itself sums to 0."""
    if mean is None:
        mean = np.mean(x, axes, keepdims=True, where=where)
    n = np.maximum(_count(x, axes, where) - ddof, 0).astype(g.dtype)
    centred = x - mean if where is True else np.where(where, x - mean, 0.0)
    return _spread(g.reshape(kept(x.shape, axes)) * 2 / n, x, axes, where) * centred


def _variance(x: Value, mean: Value, *, axes: tuple[int, ...], **options: Any) -> Value:
    return np.var(x, axes, **options) if mean is None else np.var(x, axes, mean=mean, **options)


def of_axes(function: Callable[..., Value]) -> Callable[..., Value]:
    """A NumPy function as an operation calls it."""
    return lambda x, *, axes, **options: function(x, axes, **options)


_sum = elementary(of_axes(np.add.reduce), sum_rule)
_prod = elementary(of_axes(np.multiply.reduce), prod_rule)
_mean = elementary(of_axes(np.mean), mean_rule)
_max = elementary(of_axes(np.maximum.reduce), extreme_rule)
_min = elementary(of_axes(np.minimum.reduce), extreme_rule)
# where a mean is given, y is a function of it too
_var = elementary(_variance, variance_rule, lambda g, y, x, mean, **options: -variance_rule(g, y, x, mean, **options))


def register_sum(op: Callable[..., Value], join: Callable[..., Value], *functions: Callable[..., Value]) -> None:
    """Register an operation for functions with the signature of np.sum."""

    @implements(*functions)
    def sum_of(
        a: Value,
        axis: Axis = None,
        dtype: Any = None,
        out: None = None,
        keepdims: bool = False,
        initial: Value = None,
        where: Value = True,
    ) -> Value:
        return reduce_by(op, a, axis, keepdims, dtype=dtype, initial=initial, where=where, join=join)


def register_extreme(op: Callable[..., Value], join: Callable[..., Value], *functions: Callable[..., Value]) -> None:
    """Register an operation for functions with the signature of np.max."""

    @implements(*functions)
    def extreme_of(
        a: Value, axis: Axis = None, out: None = None, keepdims: bool = False, initial: Value = None, where: Value = True
    ) -> Value:
        return reduce_by(op, a, axis, keepdims, initial=initial, where=where, join=join)


register_sum(_sum, np.add, np.sum)
register_sum(_prod, np.multiply, np.prod)
register_extreme(_max, np.maximum, np.max, np.amax)
register_extreme(_min, np.minimum, np.min, np.amin)


@implements(np.mean)
def _np_mean(
    a: Value, axis: Axis = None, dtype: Any = None, out: None = None, keepdims: bool = False, *, where: Value = True
) -> Value:
    return reduce_by(_mean, a, axis, keepdims, dtype=dtype, where=where)


@implements(np.ptp)
def _ptp(a: Value, axis: Axis = None, out: None = None, keepdims: bool = False) -> Value:
    return _numpy.max(a, axis, keepdims=keepdims) - _numpy.min(a, axis, keepdims=keepdims)


@implements(np.var)
def _np_var(
    a: Value,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Value = True,
    mean: Value = None,
    correction: float | None = None,
) -> Value:
    ddof = degrees(ddof, correction)
    return reduce_by(lambda a, **options: _var(a, mean, **options), a, axis, keepdims, dtype=dtype, where=where, ddof=ddof)


def degrees(ddof: float, correction: float | None) -> float:
    """NumPy has two names for one argument of var and std."""
    if correction is not None and ddof != 0:
        raise ValueError("ddof and correction can't be provided simultaneously.")
    return ddof if correction is None else correction


@implements(np.std)
def _np_std(
    a: Value, axis: Axis = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: bool = False, **more: Any
) -> Value:
    return np.sqrt(_np_var(a, axis, dtype, out, ddof, keepdims, **more))


# log(sum(exp(x)))


def _logsumexp_rule(
    g: Value,
    y: Value,
    x: Value,
    axes: tuple[int, ...],
    keepdims: bool,
    initial: Value = None,
    where: Value = True,
    **_: Any,
) -> Value:
    """dy / dx_i is the softmax e^x_i / sum_j e^x_j, shifted by y. Where y is infinite it is the maximum, and so is its rule."""
    top = value_of(y).reshape(kept(x.shape, axes))
    infinite = np.isinf(top)
    shift = np.where(infinite, np.zeros((), top.dtype), top)
    e = np.exp(np.where(infinite | np.logical_not(where), -np.inf, x) - shift)
    total = _numpy.sum(e, axes, keepdims=True) + (0 if initial is None else np.exp(initial - shift))
    softmax = e / np.where(infinite, 1.0, total)
    if np.any(infinite):
        softmax = np.where(infinite, _attained(top, x, axes, g.dtype, initial, where), softmax)
    return _spread(g, x, axes, where) * softmax


def _logsumexp(x: Value, *, axes: tuple[int, ...], keepdims: bool) -> Value:
    """Shifted by the maximum, so that nothing overflows; of nothing, or of -inf alone, it is -inf."""
    top = np.maximum.reduce(x, axes, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, np.zeros((), x.dtype))
    with np.errstate(divide="ignore", under="ignore"):
        y = np.log(np.add.reduce(np.exp(x - top), axes, keepdims=True)) + top
    return y if keepdims else y.reshape([n for i, n in enumerate(x.shape) if i not in axes])[()]


logsumexp = elementary(_logsumexp, _logsumexp_rule)
_logaddexp_reduce = elementary(of_axes(np.logaddexp.reduce), _logsumexp_rule)


register_sum(_logaddexp_reduce, np.logaddexp, np.logaddexp.reduce)

for _function in (np.all, np.any, np.count_nonzero, np.logical_and.reduce, np.logical_or.reduce):
    implements(_function)(constant(_function))

registry.REDUCTIONS.update(
    {
        np.add: np.sum,
        np.multiply: np.prod,
        np.maximum: np.max,
        np.minimum: np.min,
        np.logaddexp: np.logaddexp.reduce,
        np.logical_and: np.logical_and.reduce,
        np.logical_or: np.logical_or.reduce,
    }
)
