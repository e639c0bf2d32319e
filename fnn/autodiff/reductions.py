"""Derivative rules of reductions: sums, means, extremes and what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, TypeAlias

import numpy as np

from fnn.arrays import Value
from fnn.autodiff import registry
from fnn.autodiff.primitive import elementary
from fnn.autodiff.registry import implements
from fnn.autodiff.tracer import value_of

Axis: TypeAlias = int | Sequence[int] | None


def _axes(x: Value, axis: Axis) -> tuple[int, ...]:
    """The reduced axes as a sorted tuple of non-negative numbers."""
    if axis is None:
        return tuple(range(x.ndim))
    return tuple(sorted(np.lib.array_utils.normalize_axis_tuple(axis, x.ndim)))


def _kept(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a result with keepdims=True."""
    return tuple([1 if i in axes else n for i, n in enumerate(shape)])


def _spread(g: Value, x: Value, axes: tuple[int, ...]) -> Value:
    """y = sum over axes of x: every x gets the cotangent of its y."""
    return np.broadcast_to(g.reshape(_kept(x.shape, axes)), x.shape)


_sum = elementary(
    lambda x, *, axes, keepdims: np.add.reduce(x, axes, keepdims=keepdims),
    lambda g, y, x, axes, keepdims: _spread(g, x, axes),
)

_mean = elementary(
    lambda x, *, axes, keepdims: np.mean(x, axes, keepdims=keepdims),
    lambda g, y, x, axes, keepdims: _spread(g / prod([x.shape[i] for i in axes]), x, axes),
)


def _extreme_rule(g: Value, y: Value, x: Value, axes: tuple[int, ...], keepdims: bool) -> Value:
    """The cotangent goes to the entries that attain the extreme, in equal parts where several do."""
    attains = value_of(x) == value_of(y).reshape(_kept(x.shape, axes))
    share = attains / np.add.reduce(attains, axes, keepdims=True)
    return g.reshape(_kept(x.shape, axes)) * share.astype(g.dtype)


_max = elementary(lambda x, *, axes, keepdims: np.maximum.reduce(x, axes, keepdims=keepdims), _extreme_rule)
_min = elementary(lambda x, *, axes, keepdims: np.minimum.reduce(x, axes, keepdims=keepdims), _extreme_rule)


def _cast_first(a: Value, dtype: Any) -> Value:
    return a if dtype is None or np.dtype(dtype) == a.dtype else a.astype(dtype)


@implements(np.sum)
def _np_sum(a: Value, axis: Axis = None, dtype: Any = None, out: None = None, keepdims: bool = False) -> Value:
    return _sum(_cast_first(a, dtype), axes=_axes(a, axis), keepdims=bool(keepdims))


@implements(np.mean)
def _np_mean(a: Value, axis: Axis = None, dtype: Any = None, out: None = None, keepdims: bool = False) -> Value:
    return _mean(_cast_first(a, dtype), axes=_axes(a, axis), keepdims=bool(keepdims))


@implements(np.max, np.amax)
def _np_max(a: Value, axis: Axis = None, out: None = None, keepdims: bool = False) -> Value:
    return _max(a, axes=_axes(a, axis), keepdims=bool(keepdims))


@implements(np.min, np.amin)
def _np_min(a: Value, axis: Axis = None, out: None = None, keepdims: bool = False) -> Value:
    return _min(a, axes=_axes(a, axis), keepdims=bool(keepdims))


@implements(np.var)
def _np_var(a: Value, axis: Axis = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: bool = False) -> Value:
    """By its definition, mean((x - mean x)^2) n / (n - ddof): each step has a rule of its own."""
    x = _cast_first(a, dtype)
    axes = _axes(x, axis)
    n = prod([x.shape[i] for i in axes])
    centred = x - _mean(x, axes=axes, keepdims=True)
    return _sum(centred * centred, axes=axes, keepdims=bool(keepdims)) / (n - ddof)


@implements(np.std)
def _np_std(a: Value, axis: Axis = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: bool = False) -> Value:
    return np.sqrt(_np_var(a, axis, dtype, out, ddof, keepdims))


registry.REDUCTIONS.update({np.add: np.sum, np.maximum: np.max, np.minimum: np.min})
