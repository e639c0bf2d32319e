"""Derivative rules of what moves entries without changing them: shape, indexing and joining.

Each is linear with coefficients 0 and 1, so that its backward rule is the move back.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType
from typing import Any

import numpy as np

from fnn.arrays import Value
from fnn.autodiff import registry
from fnn.autodiff.primitive import elementary, shape_of
from fnn.autodiff.registry import implements
from fnn.autodiff.tape import sum_to
from fnn.autodiff.tracer import Tracer

_reshape = elementary(lambda x, *, shape: np.reshape(x, shape), lambda g, y, x, shape: g.reshape(x.shape))
_transpose = elementary(
    lambda x, *, axes: np.transpose(x, axes),
    lambda g, y, x, axes: np.transpose(g, tuple(np.argsort(axes).tolist())),
)
_broadcast_to = elementary(lambda x, *, shape: np.broadcast_to(x, shape), lambda g, y, x, shape: sum_to(g, x.shape))


@implements(np.reshape)
def _np_reshape(a: Value, /, shape: Any = None, order: str = "C", *, copy: bool | None = None) -> Value:
    if order != "C":
        registry.refuse("np.reshape with order= other than 'C'")
    return _reshape(a, shape=shape)


@implements(np.ravel)
def _ravel(a: Value, order: str = "C") -> Value:
    return _np_reshape(a, -1, order)


@implements(np.transpose, np.permute_dims)
def _np_transpose(a: Value, axes: Sequence[int] | None = None) -> Value:
    n = a.ndim
    order = range(n)[::-1] if axes is None else np.lib.array_utils.normalize_axis_tuple(axes, n)
    return _transpose(a, axes=tuple(order))


@implements(np.swapaxes)
def _swapaxes(a: Value, axis1: int, axis2: int) -> Value:
    axes = list(range(a.ndim))
    axes[axis1], axes[axis2] = axes[axis2], axes[axis1]
    return _transpose(a, axes=tuple(axes))


@implements(np.matrix_transpose)
def _matrix_transpose(x: Value, /) -> Value:
    return _swapaxes(x, -1, -2)


@implements(np.moveaxis)
def _moveaxis(a: Value, source: int | Sequence[int], destination: int | Sequence[int]) -> Value:
    order = np.moveaxis(np.empty(range(2, a.ndim + 2), np.bool_), source, destination).shape
    return _transpose(a, axes=tuple([n - 2 for n in order]))


@implements(np.expand_dims)
def _expand_dims(a: Value, axis: int | Sequence[int]) -> Value:
    return _reshape(a, shape=np.expand_dims(np.broadcast_to(False, a.shape), tuple(np.atleast_1d(axis))).shape)


@implements(np.squeeze)
def _squeeze(a: Value, axis: int | tuple[int, ...] | None = None) -> Value:
    return _reshape(a, shape=np.squeeze(np.broadcast_to(False, a.shape), axis).shape)


@implements(np.broadcast_to)
def _np_broadcast_to(array: Value, shape: int | tuple[int, ...], subok: bool = False) -> Value:
    return _broadcast_to(array, shape=shape)


# Indexing. y = x[key]: the cotangent of x is zero but for the places that were read, and adds up where one was read twice.


def _scatter(g: Value, *, key: Any, shape: tuple[int, ...]) -> Value:
    out = np.zeros(shape, g.dtype)
    if _reads_once(key):
        out[key] = g
    else:
        np.add.at(out, key, g)
    return out


def _reads_once(key: Any) -> bool:
    """Whether an index can read no entry twice: basic indices and boolean masks can't, integer arrays can."""
    parts = key if isinstance(key, tuple) else (key,)
    return all(
        part is None
        or isinstance(part, (int, np.integer, slice, EllipsisType))
        or (isinstance(part, np.ndarray) and part.dtype == np.bool_)
        for part in parts
    )


_scatter_op = elementary(_scatter, lambda g, y, x, key, shape: g[key])
_getitem = elementary(
    lambda x, *, key: x[key],
    lambda g, y, x, key: _scatter_op(g, key=key, shape=x.shape),
)


@implements(registry.getitem)
def _index(x: Value, key: Any) -> Value:
    parts = key if isinstance(key, tuple) else (key,)
    if any(part.__class__ is Tracer for part in parts):
        raise TypeError("fnn: an index is an array that is being differentiated; an index must be integers, slices or a mask")
    y = _getitem(x, key=key)
    return y


@implements(np.take)
def _take(a: Value, indices: Value, axis: int | None = None, out: None = None, mode: str = "raise") -> Value:
    if mode != "raise":
        registry.refuse(f"np.take with mode={mode!r}")
    indices = np.asarray(indices)
    if axis is None:
        return _index(_ravel(a), indices)
    return _index(a, (*[slice(None)] * (axis % a.ndim), indices))


# Joining


def _pieces(g: Value, sizes: Sequence[int], axis: int) -> list[Value]:
    """g cut along the axis into pieces of these sizes."""
    ends = np.cumsum(sizes).tolist()
    front = (slice(None),) * axis
    return [g[(*front, slice(end - size, end))] for size, end in zip(sizes, ends, strict=True)]


def _concatenate_rule(k: int, g: Value, arrays: Sequence[Value], axis: int) -> Value:
    return _pieces(g, [a.shape[axis] for a in arrays], axis)[k]


_joins: dict[int, Any] = {}


def _join(n: int) -> Any:
    """Concatenation of n arrays as an operation with n rules."""
    made = _joins.get(n)
    if made is None:
        rules = [lambda g, y, *arrays, k=k, axis: _concatenate_rule(k, g, arrays, axis) for k in range(n)]
        made = _joins[n] = elementary(lambda *arrays, axis: np.concatenate(arrays, axis), *rules)
    return made


@implements(np.concatenate)
def _concatenate(
    arrays: Sequence[Value], /, axis: int | None = 0, out: None = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Value:
    if dtype is not None:
        registry.refuse("np.concatenate with dtype=")
    parts = [a if isinstance(a, Tracer) else np.asarray(a) for a in arrays]
    if axis is None:
        parts, axis = [np.ravel(a) for a in parts], 0
    return _join(len(parts))(*parts, axis=np.lib.array_utils.normalize_axis_index(axis, parts[0].ndim))


@implements(np.stack)
def _stack(arrays: Sequence[Value], axis: int = 0, out: None = None, *, dtype: Any = None, casting: str = "same_kind") -> Value:
    parts = list(arrays)
    shapes = {shape_of(a) for a in parts}
    if len(shapes) != 1:
        raise ValueError("np.stack: all input arrays must have the same shape")
    place = np.lib.array_utils.normalize_axis_index(axis, len(shapes.pop()) + 1)
    return _concatenate([np.expand_dims(a, place) for a in parts], axis=place, dtype=dtype)
