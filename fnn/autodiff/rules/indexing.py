"""Derivative rules of indexing: reading entries, and what writes entries into a new array."""

from __future__ import annotations

from collections.abc import Callable
from types import EllipsisType
from typing import Any, NoReturn

import numpy as np

from fnn.arrays import Value
from fnn.autodiff import registry
from fnn.autodiff.primitive import elementary
from fnn.autodiff.registry import implements
from fnn.autodiff.rules.moves import moved
from fnn.autodiff.tracer import Tracer

# y = x[key]: the cotangent of x is zero but for the places that were read, and adds up where one was read twice.


def _scatter(g: Value, *, key: Any, shape: tuple[int, ...]) -> Value:
    out = np.zeros(shape, g.dtype)
    if reads_once(key):
        out[key] = g
    else:
        np.add.at(out, key, g)
    return out


def reads_once(key: Any) -> bool:
    """Whether an index can read no entry twice: basic indices and boolean masks can't, integer arrays can."""
    parts = key if isinstance(key, tuple) else (key,)
    return all(
        part is None
        or isinstance(part, (int, np.integer, slice, EllipsisType))
        or (isinstance(part, np.ndarray) and part.dtype == np.bool_)
        for part in parts
    )


_scatter_op: Callable[..., Value] = elementary(_scatter, lambda g, y, x, key, shape: _getitem(g, key=key))
_getitem: Callable[..., Value] = elementary(
    lambda x, *, key: x[key],
    lambda g, y, x, key: _scatter_op(g, key=key, shape=x.shape),
)


def check_index(key: Any) -> None:
    """Raise for an index that is being differentiated."""
    if any(part.__class__ is Tracer for part in (key if isinstance(key, tuple) else (key,))):
        raise TypeError("fnn: an index is an array that is being differentiated; an index must be integers, slices or a mask")


@implements(registry.getitem)
def _index(x: Value, key: Any) -> Value:
    check_index(key)
    return _getitem(x, key=key)


@implements(np.take)
def _take(a: Value, indices: Value, axis: int | None = None, out: None = None, mode: str = "raise") -> Value:
    check_index(indices)
    if mode != "raise" or np.asarray(indices).dtype.kind not in "iu":  # where taking is not indexing: NumPy decides
        return moved(lambda v: np.take(v, indices, axis, mode=mode), a)  # type: ignore[call-overload]  # mode is any str here
    indices = np.asarray(indices)
    if axis is None:
        return _getitem(np.ravel(a), key=indices)
    axis = np.lib.array_utils.normalize_axis_index(axis, a.ndim)
    return _getitem(a, key=(*[slice(None)] * axis, indices))


# New arrays with some entries written, as assignment does in place


def _set(x: Value, values: Value, *, key: Any) -> Value:
    y = np.array(x)
    y[key] = values
    return y


def _add(x: Value, values: Value, *, key: Any) -> Value:
    y = np.array(x)
    np.add.at(y, key, values)
    return y


def _where_it_stays(g: Value, key: Any, shape: tuple[int, ...]) -> Value:
    """g[key] for what is still there in the end, 0 for what was overwritten: of several writes to one place, all but one."""
    read = _getitem(g, key=key)
    if reads_once(key):
        return read
    number = np.arange(read.size).reshape(read.shape)
    owner = np.empty(shape, np.intp)
    owner[key] = number
    return np.where(owner[key] == number, read, np.zeros((), g.dtype))


# y = x, but y[key] = values
set_at: Callable[..., Value] = elementary(
    _set,
    lambda g, y, x, values, key: set_at(g, np.zeros((), g.dtype), key=key),
    lambda g, y, x, values, key: _where_it_stays(g, key, x.shape),
)
# y = x, but y[key] += values, for every time that an entry occurs in key
add_at: Callable[..., Value] = elementary(
    _add, lambda g, y, x, values, key: g, lambda g, y, x, values, key: _getitem(g, key=key)
)


def _writes(function: Callable[..., Any]) -> None:
    """Register a function that writes into its first argument: refused, with what to use."""

    def rule(*args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(
            f"fnn: {registry.name_of(function)} writes into an array, which has no gradient. Use the new array that "
            "fnn.set_at(x, index, values), fnn.add_at or np.where gives"
        )

    rule.kind = "refused"  # type: ignore[attr-defined]  # for the generated table of operations
    implements(function)(rule)


for _function in (np.copyto, np.put, np.place, np.putmask, np.put_along_axis, np.fill_diagonal):
    _writes(_function)
