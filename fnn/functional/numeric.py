"""Typed twins of NumPy functions whose own stubs say Any: the same values, and the rank is kept for the checker.

They run NumPy's functions, so that in code that is differentiated either spelling works.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, overload

import numpy as np

from fnn.arrays import (
    Array,
    Array1,
    Array2,
    Array3,
    Bools,
    Int1,
    Int2,
    Ints,
    SameRank,
    SameRankOrScalar,
    Scalar,
    Traced,
    Value,
)
from fnn.autodiff.rules import reductions
from fnn.autodiff.tracer import value_of
from fnn.functional.checks import check_array

_numpy: Any = np  # untyped, because the stubs' overloads of reductions differ from version to version


def exp(x: SameRankOrScalar, /) -> SameRankOrScalar:
    """np.exp, typed."""
    return np.exp(x)  # type: ignore[return-value]  # NumPy's stubs do not keep the rank


def log(x: SameRankOrScalar, /) -> SameRankOrScalar:
    """np.log, typed."""
    return np.log(x)  # type: ignore[return-value]  # NumPy's stubs do not keep the rank


def sqrt(x: SameRankOrScalar, /) -> SameRankOrScalar:
    """np.sqrt, typed. The slope at 0 is 0."""
    return np.sqrt(x)  # type: ignore[return-value]  # NumPy's stubs do not keep the rank


def square(x: SameRankOrScalar, /) -> SameRankOrScalar:
    """np.square, typed."""
    return np.square(x)  # type: ignore[return-value]  # NumPy's stubs do not keep the rank


def abs(x: SameRankOrScalar, /) -> SameRankOrScalar:
    """np.abs, typed. The slope at 0 is 0."""
    return np.abs(x)  # type: ignore[return-value]  # NumPy's stubs do not keep the rank


Axis = int | tuple[int, ...] | None


@overload
def sum(x: Array, /, axis: None = None, *, keepdims: Literal[False] = False) -> Scalar: ...
@overload
def sum(x: SameRank, /, axis: Axis = None, *, keepdims: Literal[True]) -> SameRank: ...
@overload
def sum(x: Array2, /, axis: int, *, keepdims: Literal[False] = False) -> Array1: ...
@overload
def sum(x: Array3, /, axis: int, *, keepdims: Literal[False] = False) -> Array2: ...
@overload
def sum(x: Array, /, axis: int | tuple[int, ...], *, keepdims: Literal[False] = False) -> Array: ...
def sum(x: Value, /, axis: Axis = None, *, keepdims: bool = False) -> Value:
    """np.sum, typed."""
    return _numpy.sum(x, axis=axis, keepdims=keepdims)


@overload
def mean(x: Array, /, axis: None = None, *, keepdims: Literal[False] = False) -> Scalar: ...
@overload
def mean(x: SameRank, /, axis: Axis = None, *, keepdims: Literal[True]) -> SameRank: ...
@overload
def mean(x: Array2, /, axis: int, *, keepdims: Literal[False] = False) -> Array1: ...
@overload
def mean(x: Array3, /, axis: int, *, keepdims: Literal[False] = False) -> Array2: ...
@overload
def mean(x: Array, /, axis: int | tuple[int, ...], *, keepdims: Literal[False] = False) -> Array: ...
def mean(x: Value, /, axis: Axis = None, *, keepdims: bool = False) -> Value:
    """np.mean, typed."""
    return _numpy.mean(x, axis=axis, keepdims=keepdims)


@overload
def max(x: Array, /, axis: None = None, *, keepdims: Literal[False] = False) -> Scalar: ...
@overload
def max(x: SameRank, /, axis: Axis = None, *, keepdims: Literal[True]) -> SameRank: ...
@overload
def max(x: Array2, /, axis: int, *, keepdims: Literal[False] = False) -> Array1: ...
@overload
def max(x: Array3, /, axis: int, *, keepdims: Literal[False] = False) -> Array2: ...
@overload
def max(x: Array, /, axis: int | tuple[int, ...], *, keepdims: Literal[False] = False) -> Array: ...
def max(x: Value, /, axis: Axis = None, *, keepdims: bool = False) -> Value:
    """np.max, typed. The gradient is split evenly among entries that tie."""
    return _numpy.max(x, axis=axis, keepdims=keepdims)


@overload
def min(x: Array, /, axis: None = None, *, keepdims: Literal[False] = False) -> Scalar: ...
@overload
def min(x: SameRank, /, axis: Axis = None, *, keepdims: Literal[True]) -> SameRank: ...
@overload
def min(x: Array2, /, axis: int, *, keepdims: Literal[False] = False) -> Array1: ...
@overload
def min(x: Array3, /, axis: int, *, keepdims: Literal[False] = False) -> Array2: ...
@overload
def min(x: Array, /, axis: int | tuple[int, ...], *, keepdims: Literal[False] = False) -> Array: ...
def min(x: Value, /, axis: Axis = None, *, keepdims: bool = False) -> Value:
    """np.min, typed. The gradient is split evenly among entries that tie."""
    return _numpy.min(x, axis=axis, keepdims=keepdims)


@overload
def var(x: Array, /, axis: None = None, *, keepdims: Literal[False] = False) -> Scalar: ...
@overload
def var(x: SameRank, /, axis: Axis = None, *, keepdims: Literal[True]) -> SameRank: ...
@overload
def var(x: Array2, /, axis: int, *, keepdims: Literal[False] = False) -> Array1: ...
@overload
def var(x: Array3, /, axis: int, *, keepdims: Literal[False] = False) -> Array2: ...
@overload
def var(x: Array, /, axis: int | tuple[int, ...], *, keepdims: Literal[False] = False) -> Array: ...
def var(x: Value, /, axis: Axis = None, *, keepdims: bool = False) -> Value:
    """np.var, typed: the biased variance."""
    return _numpy.var(x, axis=axis, keepdims=keepdims)


@overload
def logsumexp(x: Array, /, axis: None = None, *, keepdims: Literal[False] = False) -> Scalar: ...
@overload
def logsumexp(x: SameRank, /, axis: Axis = None, *, keepdims: Literal[True]) -> SameRank: ...
@overload
def logsumexp(x: Array2, /, axis: int, *, keepdims: Literal[False] = False) -> Array1: ...
@overload
def logsumexp(x: Array3, /, axis: int, *, keepdims: Literal[False] = False) -> Array2: ...
@overload
def logsumexp(x: Array, /, axis: int | tuple[int, ...], *, keepdims: Literal[False] = False) -> Array: ...
def logsumexp(x: Value, /, axis: Axis = None, *, keepdims: bool = False) -> Value:
    """log(sum(exp(x))) over the axis or axes, without overflow; of nothing, or of -inf alone, it is -inf.

    The gradient is the softmax of x; where the result is infinite, equal parts for the entries that are infinite with it.
    Raises TypeError where x is not floating.

    >>> logsumexp(np.array([1000.0, 1000.0]))
    np.float64(1000.693147180...)
    """
    check_array("logsumexp", "x", x)
    return reductions.logsumexp(x, axes=reductions.axes_of(x, axis), keepdims=keepdims)


def where(condition: Bools, x: Array | float, y: SameRank, /) -> SameRank:
    """np.where, typed: x where the condition holds, else y. A Python number takes the dtype of y.

    The gradient goes to the branch that was taken. A branch that is not taken is computed all the same: where its
    derivative is infinite or NaN, so is the gradient: `safe_where` is for that.
    """
    return np.where(condition, x, y)  # type: ignore[return-value]  # NumPy's stubs do not keep the rank


def safe_where(condition: Bools, f: Callable[[SameRank], SameRank], x: SameRank, other: Array | float, /) -> SameRank:
    """f(x) where the condition holds, else `other`; values of x where it doesn't hold never reach f.

    For an elementwise f that has no value or no finite slope there: `np.where(x > 0, np.log(x), 0.0)` has a NaN gradient at
    x = 0, though log is not chosen. In those places f sees an entry of x for which the condition holds.

    >>> import fnn
    >>> def f(x: Array1) -> Scalar:
    ...     return np.sum(safe_where(x > 0, fnn.log, x, 0.0))
    >>> fnn.grad(f)(np.array([0.0, 2.0]))
    array([0. , 0.5])
    """
    holds, values = np.broadcast_arrays(value_of(condition), value_of(x))
    chosen = values[holds]
    seen: Any = _numpy.where(condition, x, chosen[0] if chosen.size else 0.0)
    # where nothing is chosen, f has nothing to see
    return _numpy.where(condition, f(seen) if chosen.size else seen, other)  # type: ignore[no-any-return]  # see _numpy


def concatenate(arrays: Sequence[SameRank], /, axis: int = 0) -> SameRank:
    """np.concatenate, typed."""
    return np.concatenate(arrays, axis)  # type: ignore[return-value]  # NumPy's stubs do not keep the rank


@overload
def take(table: Array2, ids: Int1, /) -> Array2: ...
@overload
def take(table: Array2, ids: Int2, /) -> Array3: ...
@overload
def take(table: Array, ids: Ints, /) -> Array: ...
def take(table: Value, ids: Value, /) -> Value:
    """Rows of a table: table[ids]. ids: integers in [0, rows); the gradient of a row adds up where it is taken twice.

    Raises TypeError where ids are not integers, ValueError where one is out of range.
    """
    if isinstance(ids, Traced) or not isinstance(ids, np.ndarray) or ids.dtype.kind not in "iu":
        raise TypeError(f"take: ids are {getattr(ids, 'dtype', type(ids).__name__)}, expected an integer array of row numbers")
    if ids.size and (ids.min() < 0 or ids.max() >= len(table)):
        raise ValueError(f"take: ids go from {ids.min()} to {ids.max()}, but the table has rows 0 to {len(table) - 1}")
    return table[ids]


@overload
def matmul(a: Array2, b: Array2, /) -> Array2: ...
@overload
def matmul(a: Array3, b: Array2, /) -> Array3: ...
@overload
def matmul(a: Array, b: Array, /) -> Array: ...
def matmul(a: Value, b: Value, /) -> Value:
    """np.matmul, typed: products over the last two axes."""
    return np.matmul(a, b)


def einsum(subscripts: str, /, *operands: Array) -> Array:
    """np.einsum, typed."""
    made: Any = np.einsum(subscripts, *operands)
    return made  # type: ignore[no-any-return]  # NumPy's stubs say Any
