"""Writing entries of arrays without writing into arrays: what x[index] = values and x[index] += values are in pure code."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from fnn.arrays import Array, SameRank, Scalar, Traced, Value, describe
from fnn.autodiff.rules import indexing

# What NumPy takes between brackets: integers, slices, ..., None, masks, arrays and lists of integers, and tuples of these.
Index: TypeAlias = Any


def set_at(x: SameRank, index: Index, values: Array | Scalar | float, /) -> SameRank:
    """A new array: x with `values` at `index`, as x[index] = values would write them in place.

    index: what NumPy takes, integers, slices, masks, arrays of integers, tuples of these. values broadcast to the shape
    of x[index], and are cast to the dtype of x. Where an index occurs more than once the last of its values stays.

    Differentiable in x and in values: entries of x that are written over have gradient 0, and so have values that don't
    stay.

    Raises ValueError where the shapes don't fit, TypeError where the dtypes don't.

    >>> set_at(np.zeros(4), slice(1, 3), np.array([5.0, 6.0]))
    array([0., 5., 6., 0.])
    >>> set_at(np.zeros((2, 2)), (0, [1, 1]), np.array([7.0, 8.0]))
    array([[0., 8.],
           [0., 0.]])
    """
    made: SameRank = indexing.set_at(*_checked("set_at", x, index, values), key=index)
    return made


def add_at(x: SameRank, index: Index, values: Array | Scalar | float, /) -> SameRank:
    """A new array: x with `values` added at `index`, as np.add.at(x, index, values) would do in place.

    As `set_at`, but what is there stays and, where an index occurs more than once, all of its values are added.

    >>> add_at(np.ones(3), [0, 2, 2], np.array([10.0, 20.0, 30.0]))
    array([11.,  1., 51.])
    """
    made: SameRank = indexing.add_at(*_checked("add_at", x, index, values), key=index)
    return made


def _checked(name: str, x: Value, index: Index, values: Value) -> tuple[Value, Value]:
    """x and values as arrays, and that these fit into x[index]."""
    indexing.check_index(index)
    x = x if isinstance(x, Traced) else np.asarray(x)
    if isinstance(values, (int, float)):
        values = np.asarray(values, x.dtype if x.dtype.kind == "f" else None)
    elif not isinstance(values, Traced):
        values = np.asarray(values)
    # on an array of this shape without memory of its own: what is read is an array or one entry
    target = np.broadcast_to(np.False_, x.shape)[index].shape
    try:
        fits = np.broadcast_shapes(values.shape, target) == target
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{name}: the values are {describe(values)}, but x[index] has shape {list(target)}")
    if not np.can_cast(values.dtype, x.dtype, "same_kind"):
        raise TypeError(
            f"{name}: the values are {describe(values)} and x is {describe(x)}, which keeps its dtype; "
            "cast one of them with .astype"
        )
    return x, values
