"""Arrays: finite, away from kinks, broadcastable; labels and batches."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache
from itertools import pairwise
from math import ceil, floor, log2, prod
from typing import Any, Literal, TypeAlias, TypedDict, Unpack, overload

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.strategies import DrawFn, SearchStrategy

from fnn.arrays import Array, Array1, Array2, Array3, Array4, Int1, read_only

FloatType: TypeAlias = type[np.floating[Any]] | np.dtype[np.floating[Any]]
Shape: TypeAlias = tuple[int, ...]

# Entries are drawn one by one up to this size, so that each shrinks by itself; larger arrays repeat a value, as Hypothesis
# does, to be drawn and shrunk in less time.
_DENSE_SIZE = 16


class Entries(TypedDict, total=False):
    """What the entries of floating arrays are: keyword arguments of `arrays` and of all that draws such arrays.

    - dtype: np.float32 (the default), np.float64 or np.float16
    - low, high: the range, both ends included; -2 and 2
    - away_from: the kinks; (0.0,)
    - gap: no entry is nearer to a kink than this, after rounding to the dtype; 0.1
    - apart: two entries of one array differ by at least this, so that max, sort and pooling have no ties; 0, which allows ties
    """

    dtype: FloatType
    low: float
    high: float
    away_from: Collection[float]
    gap: float
    apart: float


def shapes(*, min_rank: int = 1, max_rank: int = 3, min_side: int = 1, max_side: int = 3) -> SearchStrategy[Shape]:
    """Shapes of arrays. The simplest is (1,).

    >>> from hypothesis import find
    >>> find(shapes(), lambda shape: len(shape) == 2)
    (1, 1)
    """
    return hnp.array_shapes(min_dims=min_rank, max_dims=max_rank, min_side=min_side, max_side=max_side)


@overload
def arrays(shape: tuple[int], **entries: Unpack[Entries]) -> SearchStrategy[Array1]: ...
@overload
def arrays(shape: tuple[int, int], **entries: Unpack[Entries]) -> SearchStrategy[Array2]: ...
@overload
def arrays(shape: tuple[int, int, int], **entries: Unpack[Entries]) -> SearchStrategy[Array3]: ...
@overload
def arrays(shape: tuple[int, int, int, int], **entries: Unpack[Entries]) -> SearchStrategy[Array4]: ...
@overload
def arrays(shape: Shape | SearchStrategy[Shape] | None = None, **entries: Unpack[Entries]) -> SearchStrategy[Array]: ...
def arrays(shape: Shape | SearchStrategy[Shape] | None = None, **entries: Unpack[Entries]) -> SearchStrategy[Any]:
    """Finite floating arrays away from kinks, where gradients can be compared with finite differences.

    shape: a shape, or a strategy of shapes; `shapes()` where it is left out. See `Entries` for the keyword arguments.
    The simplest array is of ones, and 1 is the simplest entry wherever the range has it.

    Raises ValueError where no number of the dtype is left, or not enough that are `apart`.

    >>> from hypothesis import find
    >>> find(arrays(), lambda x: x.ndim == 2 and bool((x > 1).any()))
    array([[2.]], dtype=float32)
    >>> find(arrays((3,), dtype=np.float64, apart=0.1), lambda x: True)
    array([ 1.,  2., -1.])
    """
    draws = _of_shape(**entries)
    if isinstance(shape, tuple):
        return draws(shape)
    return (shapes() if shape is None else shape).flatmap(draws)


@overload
def broadcastable(
    n: Literal[1], *, min_rank: int = 0, max_rank: int = 3, max_side: int = 3, **entries: Unpack[Entries]
) -> SearchStrategy[tuple[Array]]: ...
@overload
def broadcastable(
    n: Literal[2] = 2, *, min_rank: int = 0, max_rank: int = 3, max_side: int = 3, **entries: Unpack[Entries]
) -> SearchStrategy[tuple[Array, Array]]: ...
@overload
def broadcastable(
    n: Literal[3], *, min_rank: int = 0, max_rank: int = 3, max_side: int = 3, **entries: Unpack[Entries]
) -> SearchStrategy[tuple[Array, Array, Array]]: ...
@overload
def broadcastable(
    n: int, *, min_rank: int = 0, max_rank: int = 3, max_side: int = 3, **entries: Unpack[Entries]
) -> SearchStrategy[tuple[Array, ...]]: ...
def broadcastable(
    n: int = 2, *, min_rank: int = 0, max_rank: int = 3, max_side: int = 3, **entries: Unpack[Entries]
) -> SearchStrategy[Any]:
    """n arrays whose shapes broadcast with one another: of different ranks, with axes of size 1.

    >>> from hypothesis import find
    >>> find(broadcastable(2, min_rank=1), lambda pair: pair[0].shape != pair[1].shape)
    (array([1.], dtype=float32), array([[1.]], dtype=float32))
    """
    draws = _of_shape(**entries)
    together = hnp.mutually_broadcastable_shapes(num_shapes=n, min_dims=min_rank, max_dims=max_rank, max_side=max_side)
    return together.flatmap(lambda drawn: st.tuples(*[draws(shape) for shape in drawn.input_shapes]))


def labels(n_rows: int | SearchStrategy[int] | None = None, classes: int = 3) -> SearchStrategy[Int1]:
    """Labels: integer arrays [n_rows] with entries in [0, classes). One to four rows where n_rows is left out.

    >>> from hypothesis import find
    >>> find(labels(3, classes=5), lambda y: y.max() == 4)
    array([0, 0, 4])
    """
    if classes < 1:
        raise ValueError(f"labels: classes is {classes}, expected at least 1")
    rows = st.integers(1, 4) if n_rows is None else st.just(n_rows) if isinstance(n_rows, int) else n_rows
    return rows.flatmap(lambda n: integers((n,), 0, classes - 1))


@st.composite
def _batch(
    draw: DrawFn, features: int | None, classes: int, min_rows: int, max_rows: int, entries: Entries
) -> tuple[Array2, Int1]:
    n = draw(st.integers(min_rows, max_rows))
    width = draw(st.integers(1, 3)) if features is None else features
    return draw(arrays((n, width), **entries)), draw(labels(n, classes))


def batches(
    features: int | None = None, classes: int = 3, *, min_rows: int = 1, max_rows: int = 4, **entries: Unpack[Entries]
) -> SearchStrategy[tuple[Array2, Int1]]:
    """(x, labels) with x [rows, features] and labels [rows] in [0, classes). One to three features where they are left out.

    >>> from hypothesis import find
    >>> find(batches(2), lambda batch: batch[1].max() == 1)
    (array([[1., 1.]], dtype=float32), array([1]))
    """
    return _batch(features, classes, min_rows, max_rows, entries)


def integers(shape: Shape, low: int, high: int, dtype: Any = np.int64) -> SearchStrategy[Any]:
    """Integer arrays with entries in [low, high]."""
    return _filled(dtype, shape, st.integers(low, high))


def bools(shape: Shape) -> SearchStrategy[Any]:
    """Boolean arrays."""
    return _filled(np.bool_, shape, st.booleans())


# A strategy is an immutable value, and dear: Hypothesis looks through each new one. So those of drawn shapes are kept.
@lru_cache(1024)
def _filled(dtype: Any, shape: Shape, elements: SearchStrategy[Any]) -> SearchStrategy[Any]:
    fill = st.nothing() if prod(shape) <= _DENSE_SIZE else None
    return hnp.arrays(dtype, shape, elements=elements, fill=fill).map(read_only)


def _of_shape(
    *,
    dtype: FloatType = np.float32,
    low: float = -2.0,
    high: float = 2.0,
    away_from: Collection[float] = (0.0,),
    gap: float = 0.1,
    apart: float = 0.0,
) -> Callable[[Shape], SearchStrategy[Array]]:
    """What draws arrays of a given shape."""
    kinks = tuple(sorted(away_from))
    dtype = np.dtype(dtype)
    if dtype.kind != "f" or dtype.itemsize > 8:
        raise TypeError(f"arrays: dtype is {dtype}, expected np.float16, np.float32 or np.float64")
    if apart <= 0:
        elements = numbers(dtype, low, high, kinks, gap)
        return lambda shape: _filled(dtype, shape, elements)
    choice = points(dtype, low, high, kinks, gap, apart)
    return lambda shape: _distinct(dtype, shape, choice, apart)


@lru_cache
def numbers(dtype: np.dtype[Any], low: float, high: float, kinks: tuple[float, ...], gap: float) -> SearchStrategy[float]:
    """Numbers of a dtype in [low, high], none nearer than `gap` to a kink. The simplest is 1 where the range has it."""
    stretches = []
    for left, right in pairwise([-np.inf, *kinks, np.inf]):
        first = _inwards(dtype, max(left + gap, low), left, gap, np.inf)
        last = _inwards(dtype, min(right - gap, high), right, gap, -np.inf)
        if first <= last:
            stretches.append((first, last))
    if not stretches:
        raise ValueError(
            f"arrays: no {dtype} between low={low} and high={high} is {gap} away from {kinks}: widen the range or lower gap"
        )
    stretches.sort(key=lambda ends: max(ends[0] - 1, 1 - ends[1], 0))
    width: Any = dtype.itemsize * 8
    return st.one_of([st.floats(first, last, width=width, allow_subnormal=False) for first, last in stretches])


def _inwards(dtype: np.dtype[Any], start: float, kink: float, gap: float, towards: float) -> float:
    """The first number of a dtype at or after `start`, on the way to an infinity, with at least `gap` from the kink."""
    x = dtype.type(start)
    sign = np.sign(towards)
    while (float(x) - start) * sign < 0 or abs(float(x) - kink) < gap:
        x = np.nextafter(x, dtype.type(towards))
    return float(x)


@lru_cache
def points(
    dtype: np.dtype[Any], low: float, high: float, kinks: tuple[float, ...], gap: float, apart: float
) -> tuple[float, ...]:
    """Numbers in [low, high] that are `apart` from one another and `gap` from the kinks, the simplest first.

    Their distance is a power of two, so that the numbers print short and the differences are exact.
    """
    step = 2.0 ** ceil(log2(apart))
    grid = [k * step for k in range(ceil(low / step), floor(high / step) + 1)]
    kept = [x for x in grid if all([abs(x - k) >= gap for k in kinks]) and float(dtype.type(x)) == x]
    return tuple(sorted(kept, key=lambda x: (not x.is_integer(), x <= 0, abs(x))))


@lru_cache(1024)
def _distinct(dtype: np.dtype[Any], shape: Shape, choice: tuple[float, ...], apart: float) -> SearchStrategy[Array]:
    n = prod(shape)
    if n > len(choice):
        raise ValueError(
            f"arrays: the shape {shape} has {n} entries but the range only {len(choice)} numbers that are {apart} apart: "
            "widen the range or lessen apart"
        )
    if n == 0:
        return st.just(read_only(np.zeros(shape, dtype)))
    picked = st.lists(st.sampled_from(choice), min_size=n, max_size=n, unique=True)
    return picked.map(lambda entries: read_only(np.array(np.reshape(entries, shape), dtype)))
