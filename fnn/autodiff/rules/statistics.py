"""Derivative rules of averages, order statistics, and the functions that leave NaN out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fnn.arrays import Value
from fnn.autodiff import registry
from fnn.autodiff.primitive import elementary, shape_of
from fnn.autodiff.registry import implements
from fnn.autodiff.rules.reductions import (
    Axis,
    axes_of,
    degrees,
    extreme_rule,
    kept,
    mean_rule,
    of_axes,
    prod_rule,
    reduce_by,
    register_extreme,
    register_sum,
    shares,
    sum_rule,
    variance_rule,
)
from fnn.autodiff.tracer import Tracer, value_of

_numpy: Any = np  # untyped, because the stubs' overloads ask for literals


def _array(x: Value) -> Value:
    return x if x.__class__ is Tracer else np.asarray(x)


@implements(np.average)
def _average(
    a: Value, axis: Axis = None, weights: Value = None, returned: bool = False, *, keepdims: bool = False
) -> Value | tuple[Value, Value]:
    """sum(a w) / sum(w), a function of both."""
    a = _array(a)
    if weights is None:
        y = _numpy.mean(a, axis, keepdims=keepdims)
        scale: Value = np.asarray(a.size / y.size, y.dtype)
    else:
        w = _weights(a, axis, _array(weights))
        dtype = np.result_type(a.dtype, w.dtype, *([np.float64] if a.dtype.kind in "iub" else []))
        scale = _numpy.sum(w, axis, dtype, keepdims=keepdims)
        if np.any(value_of(scale) == 0):
            raise ZeroDivisionError("np.average: the weights sum to 0, so they can't be normalized")
        y = _numpy.sum(np.multiply(a, w, dtype=dtype), axis, keepdims=keepdims) / scale
    return (y, np.copy(np.broadcast_to(scale, shape_of(y)))) if returned else y


def _weights(a: Value, axis: Axis, weights: Value) -> Value:
    """The weights with the axes of a. They may have the averaged axes alone, in the order in which `axis` names them."""
    if weights.shape == a.shape:
        return weights
    if axis is None:
        raise TypeError("np.average: an axis must be given where a and the weights have different shapes")
    axes = np.lib.array_utils.normalize_axis_tuple(axis, a.ndim)
    if weights.shape != tuple([a.shape[i] for i in axes]):
        raise ValueError(f"np.average: the weights have shape {weights.shape}, but the axes {axes} of a are of {a.shape}")
    in_order = np.transpose(weights, tuple(np.argsort(axes).tolist()))
    return in_order.reshape(tuple([n if i in axes else 1 for i, n in enumerate(a.shape)]))


# Order statistics. A quantile lies between two neighbours in sorted order: y = (1 - t) x_(k) + t x_(k+1). The cotangent goes
# to the entries that are equal to x_(k) and to those equal to x_(k+1), in equal parts where several are (as for a maximum).


def _order_rule(
    quantile: Callable[..., Value],
    g: Value,
    y: Value,
    x: Value,
    q: Value,
    axes: tuple[int, ...],
    keepdims: bool,
    skip_nan: bool,
    **options: Any,
) -> Value:
    values = value_of(x)
    shape = kept(x.shape, axes)
    size = math.prod([x.shape[i] for i in axes])
    rows = np.sort(np.moveaxis(values, axes, range(-len(axes), 0)).reshape(*shape, size), -1)  # NaN comes last
    counts = np.sum(~np.isnan(rows), -1) if skip_nan else np.full(shape, size)
    g = g.reshape(np.size(q), *shape)
    undefined = np.isnan(value_of(y)).reshape(g.shape)
    total: Value = 0
    # The quantile of 0, 1, ..., n - 1 is the place k + t itself, whatever the method.
    places = np.zeros((len(g), *shape))
    for n in np.unique(counts):
        places[:, counts == n] = np.reshape(quantile(np.arange(max(n, 1), dtype=np.float64), q, **options), (-1, 1))
    for k in range(len(places)):
        low, high = np.floor(places[k]).astype(int), np.ceil(places[k]).astype(int)
        t = (places[k] - low).astype(g.dtype)
        weight: Value = 0
        for place, part in ((low, 1 - t), (high, t)):
            attained = np.take_along_axis(rows, place[..., None], -1)[..., 0]
            weight = weight + part * shares(values == attained, axes, g.dtype)
        total = total + g[k] * np.where(undefined[k], np.asarray(np.nan, g.dtype), weight)
    return total


def _all_or(axes: tuple[int, ...], x: Value) -> tuple[int, ...] | None:
    """None for all axes: NumPy's order statistics don't take the empty tuple for those of a single number."""
    return None if len(axes) == x.ndim else axes


def _quantiles(function: Callable[..., Value], plain: Callable[..., Value]) -> Callable[..., Value]:
    """np.quantile or one of its kin as an operation; `plain` is the form of it that knows no NaN."""
    skip_nan = function is not plain

    def value(x: Value, *, q: Value, axes: tuple[int, ...], keepdims: bool, **options: Any) -> Value:
        return function(x, q, _all_or(axes, x), keepdims=keepdims, **options)

    def rule(g: Value, y: Value, x: Value, **options: Any) -> Value:
        return _order_rule(plain, g, y, x, skip_nan=skip_nan, **options)

    op = elementary(value, rule)

    @implements(function)
    def quantiles(
        a: Value,
        q: Value,
        axis: Axis = None,
        out: None = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: bool = False,
        *,
        weights: None = None,
    ) -> Value:
        if q.__class__ is Tracer:
            registry.refuse(f"np.{function.__name__} with respect to q")
        if weights is not None:
            registry.refuse(f"np.{function.__name__} with weights=")
        return op(a, q=q, axes=axes_of(a, axis), keepdims=bool(keepdims), method=method)

    return quantiles


_quantiles(np.quantile, np.quantile)
_quantiles(np.percentile, np.percentile)
_quantiles(np.nanquantile, np.quantile)
_quantiles(np.nanpercentile, np.percentile)


def _medians(function: Callable[..., Value]) -> None:
    """np.median or np.nanmedian: the quantile of 1/2."""
    op = elementary(
        lambda x, *, axes, keepdims: function(x, _all_or(axes, x), keepdims=keepdims),
        lambda g, y, x, axes, keepdims: _order_rule(
            np.quantile, g, y, x, 0.5, axes, keepdims, skip_nan=function is np.nanmedian
        ),
    )

    @implements(function)
    def medians(a: Value, axis: Axis = None, out: None = None, overwrite_input: bool = False, keepdims: bool = False) -> Value:
        return op(a, axes=axes_of(a, axis), keepdims=bool(keepdims))


_medians(np.median)
_medians(np.nanmedian)


# Without NaN: the rule of the plain function, in which those entries take no part.


def _skipping(function: Callable[..., Value], rule: Callable[..., Value]) -> Callable[..., Value]:
    def rule_of_numbers(g: Value, y: Value, x: Value, where: Value = True, **options: Any) -> Value:
        numbers = ~np.isnan(value_of(x)) & where
        return rule(g, y, np.where(numbers, x, 0.0), where=numbers, **options)

    return elementary(of_axes(function), rule_of_numbers)


register_sum(_skipping(np.nansum, sum_rule), np.add, np.nansum)
register_sum(_skipping(np.nanprod, prod_rule), np.multiply, np.nanprod)
register_sum(_skipping(np.nanmean, mean_rule), np.add, np.nanmean)
register_extreme(_skipping(np.nanmax, extreme_rule), np.fmax, np.nanmax)
register_extreme(_skipping(np.nanmin, extreme_rule), np.fmin, np.nanmin)
registry.REDUCTIONS.update({np.fmax: np.nanmax, np.fmin: np.nanmin})

_nanvar_of = _skipping(np.nanvar, lambda g, y, x, **options: variance_rule(g, y, x, None, **options))


@implements(np.nanvar)
def _nanvar(
    a: Value,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Value = True,
    correction: float | None = None,
) -> Value:
    return reduce_by(_nanvar_of, a, axis, keepdims, dtype=dtype, where=where, ddof=degrees(ddof, correction))


@implements(np.nanstd)
def _nanstd(
    a: Value,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Value = True,
    correction: float | None = None,
) -> Value:
    return np.sqrt(_nanvar(a, axis, dtype, out, ddof, keepdims, where=where, correction=correction))


@implements(np.nancumsum)
def _nancumsum(a: Value, axis: int | None = None, dtype: Any = None, out: None = None) -> Value:
    return np.cumsum(np.where(np.isnan(a), 0.0, a), axis, dtype)


@implements(np.nancumprod)
def _nancumprod(a: Value, axis: int | None = None, dtype: Any = None, out: None = None) -> Value:
    return np.cumprod(np.where(np.isnan(a), 1.0, a), axis, dtype)
