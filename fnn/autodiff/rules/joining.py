"""Derivative rules of joining and cutting. Each is the way back of the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fnn.arrays import Value
from fnn.autodiff.registry import implements
from fnn.autodiff.rules.moves import array_of, jointly, way_back
from fnn.autodiff.tracer import value_of

_normalize_axis = np.lib.array_utils.normalize_axis_index


@implements(np.concatenate)
def _concatenate(arrays: Sequence[Value], /, axis: int | None = 0, out: None = None, **options: Any) -> Value:
    parts = [array_of(a) for a in arrays]
    if axis is None:
        parts, axis = [np.ravel(a) for a in parts], 0
    axis = _normalize_axis(axis, parts[0].ndim)
    front = (slice(None),) * axis
    sizes = [a.shape[axis] for a in parts]  # and not the parts: the tape keeps `pull`, and must not keep its own tracers alive

    def pull(g: Value) -> list[Value]:
        ends = np.cumsum(sizes).tolist()
        return [g[(*front, slice(end - size, end))] for size, end in zip(sizes, ends, strict=True)]

    return jointly(lambda *parts: np.concatenate(parts, axis, **options), pull, *parts)


@implements(np.stack)
def _stack(arrays: Sequence[Value], axis: int = 0, out: None = None, **options: Any) -> Value:
    parts = [array_of(a) for a in arrays]
    front = (slice(None),) * _normalize_axis(axis, parts[0].ndim + 1)
    n = len(parts)
    return jointly(lambda *parts: np.stack(parts, axis, **options), lambda g: [g[(*front, i)] for i in range(n)], *parts)


@implements(np.vstack)
def _vstack(tup: Sequence[Value], **options: Any) -> Value:
    return np.concatenate([np.atleast_2d(a) for a in tup], 0, **options)


@implements(np.hstack)
def _hstack(tup: Sequence[Value], **options: Any) -> Value:
    parts: list[Value] = [np.atleast_1d(a) for a in tup]
    return np.concatenate(parts, 0 if parts[0].ndim == 1 else 1, **options)


@implements(np.dstack)
def _dstack(tup: Sequence[Value]) -> Value:
    return np.concatenate([np.atleast_3d(a) for a in tup], 2)


@implements(np.column_stack)
def _column_stack(tup: Sequence[Value]) -> Value:
    parts = [array_of(a) for a in tup]
    return np.concatenate([np.reshape(a, (-1, 1)) if a.ndim < 2 else a for a in parts], 1)


@implements(np.append)
def _append(arr: Value, values: Value, axis: int | None = None) -> Value:
    return np.concatenate((arr, values), axis)


# Cutting


def _cut(function: Callable[..., Any], ary: Value, *args: Any, axis: int) -> Any:
    """Pieces: their cotangents are joined where the pieces make up the whole, as they do unless told otherwise."""
    axis = _normalize_axis(axis, ary.ndim)
    n = ary.shape[axis]

    def cut(v: Value) -> list[Value]:
        pieces: list[Value] = function(v, *args)
        return pieces

    def pull(gs: list[Value]) -> Sequence[Value]:
        # Pieces overlap or come out of order only where their lengths add up to something else.
        if sum([g.shape[axis] for g in gs]) == n:
            return [np.concatenate(gs, axis)]
        return back(gs)

    back = way_back(cut, ary)
    return jointly(cut, pull, ary)


@implements(np.split)
def _split(ary: Value, indices_or_sections: Any, axis: int = 0) -> Any:
    return _cut(lambda v: np.split(v, value_of(indices_or_sections), axis), ary, axis=axis)


@implements(np.array_split)
def _array_split(ary: Value, indices_or_sections: Any, axis: int = 0) -> Any:
    return _cut(lambda v: np.array_split(v, value_of(indices_or_sections), axis), ary, axis=axis)


@implements(np.hsplit)
def _hsplit(ary: Value, indices_or_sections: Any) -> Any:
    return _cut(lambda v: np.hsplit(v, value_of(indices_or_sections)), ary, axis=1 if ary.ndim > 1 else 0)


@implements(np.vsplit)
def _vsplit(ary: Value, indices_or_sections: Any) -> Any:
    return _cut(lambda v: np.vsplit(v, value_of(indices_or_sections)), ary, axis=0)


@implements(np.dsplit)
def _dsplit(ary: Value, indices_or_sections: Any) -> Any:
    return _cut(lambda v: np.dsplit(v, value_of(indices_or_sections)), ary, axis=2)


@implements(np.unstack)
def _unstack(x: Value, /, *, axis: int = 0) -> Any:
    return jointly(lambda v: np.unstack(v, axis=axis), lambda gs: [np.stack(gs, axis)], x)
