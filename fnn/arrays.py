"""The array types of every signature, and what makes an array an immutable value.

The aliases are for type checkers: they say floating or integer, and the rank. `Array` has any or an unknown rank and
passes where a rank is asked for, so plain NumPy code needs no casts. `Scalar` is what `np.mean` and `np.sum` of an
`Array` are typed as, and what a loss returns.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, TypeAlias, TypeVar

import numpy as np

# Spelt out as numpy.typing.NDArray is defined: importing numpy.typing would take longer than the rest of fnn.
_AnyRank: TypeAlias = tuple[Any, ...]
_Floats: TypeAlias = np.dtype[np.floating[Any]]
_Integers: TypeAlias = np.dtype[np.integer[Any]]

Array: TypeAlias = np.ndarray[_AnyRank, _Floats]
Array1: TypeAlias = np.ndarray[tuple[int], _Floats]
Array2: TypeAlias = np.ndarray[tuple[int, int], _Floats]
Array3: TypeAlias = np.ndarray[tuple[int, int, int], _Floats]
Array4: TypeAlias = np.ndarray[tuple[int, int, int, int], _Floats]
Array5: TypeAlias = np.ndarray[tuple[int, int, int, int, int], _Floats]
Scalar: TypeAlias = np.floating[Any]
Ints: TypeAlias = np.ndarray[_AnyRank, _Integers]
Int1: TypeAlias = np.ndarray[tuple[int], _Integers]
Int2: TypeAlias = np.ndarray[tuple[int, int], _Integers]
Bools: TypeAlias = np.ndarray[_AnyRank, np.dtype[np.bool_]]

SameRank = TypeVar("SameRank", bound=Array)
SameRankOrScalar = TypeVar("SameRankOrScalar", bound="Array | Scalar")
# [batch, features] or [batch, time, features], not images: what a dense layer maps
Tokens = TypeVar("Tokens", bound="Array2 | Array3")

# An ndarray, a NumPy scalar or what stands for one while it is differentiated. No static type says "or a tracer"
# (a tracer is not an ndarray, though user code is typed as if it were), so the inside of the library says Any.
Value: TypeAlias = Any

# np.add.reduce and np.maximum.reduce, which skip the wrappers of np.sum and np.max; untyped, because NumPy's stubs of
# them differ from version to version.
total: Callable[..., Value] = np.add.reduce
largest: Callable[..., Value] = np.maximum.reduce


@lru_cache(maxsize=16)
def ones(n: int, dtype: np.dtype[Any]) -> Value:
    """A read-only vector of n ones: `ones(n, g.dtype).dot(g)` sums the n rows of g twice as fast as `g.sum(0)`."""
    return read_only(np.ones(n, dtype))


@lru_cache(maxsize=16)
def multiples(k: int, n: int) -> Value:
    """A read-only vector 0, k, 2 k, ... of n numbers: where the rows of an [n, k] array begin."""
    return read_only(np.arange(0, n * k, k))


@lru_cache(maxsize=256)
def constant(value: float, dtype: np.dtype[Any]) -> Value:
    """A number as a read-only array without axes: NumPy takes as long to convert a number as to compute with a few.

    For the few numbers of a formula that are the same at every step; they are kept.
    """
    return read_only(np.array(value, dtype))


@lru_cache(maxsize=256)
def rounded(value: float, dtype: np.dtype[Any]) -> float:
    """The number that an array of this dtype holds in the place of another."""
    return float(np.array(value, dtype))


# With fewer entries than this a product with ones takes half the time of np.add.reduce, and adds up in as many partial sums.
_FEW = 1024


def sum_of_all(x: Value) -> Value:
    """The sum of all entries, a NumPy scalar of x's dtype."""
    n = x.size
    if not 0 < n <= _FEW:
        return total(x, None)
    return ones(n, x.dtype).dot(x.ravel())


@cache
def reuse_large_blocks() -> None:
    """Makes the C library keep the memory of large arrays that are freed, for the next ones.

    glibc takes a block from the system, anew and page by page, if it is larger than any block of up to 32 MB that was freed
    before. So one of almost 32 MB is allocated and freed. A second one then comes from what glibc keeps, and NumPy asks for
    large pages for it. Neither is written to, so no memory is used.
    """
    np.empty((32 << 20) - 8_192, np.uint8)
    np.empty(30 << 20, np.uint8)


class Traced:
    """Base of what stands for an array while it is differentiated: trees know such a leaf by this class."""

    __slots__ = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an ndarray."""
        raise NotImplementedError

    @property
    def dtype(self) -> np.dtype[Any]:
        """As of an ndarray."""
        raise NotImplementedError


def is_frozen(x: np.ndarray[Any, Any]) -> bool:
    """Whether x cannot be written to, neither through x itself nor through an array that x is a view of.

    A writable view that somebody took before the flag of its base was cleared does not show.
    """
    owner: object = x
    while isinstance(owner, np.ndarray):
        if owner.flags.writeable:
            return False
        owner = owner.base
    return True


def frozen(x: Value) -> Value:
    """The same values, read-only: x itself where nobody can write to it, else a copy. The caller's flag stays as it is."""
    if not isinstance(x, np.ndarray) or (x.__class__ is np.ndarray and is_frozen(x)):
        return x
    return read_only(np.array(x))  # a plain array, also of a memory map


def read_only(x: Value) -> Value:
    """x itself with its flag set: for an array that the library has just made and nobody else has seen."""
    if x.__class__ is np.ndarray:
        x.setflags(write=False)
    return x


_SHORT_KIND = {"f": "f", "i": "i", "u": "u", "c": "c"}


def describe(x: Value) -> str:
    """dtype and shape in short, as `f32[64,128]`."""
    dtype = x.dtype
    name = f"{_SHORT_KIND[dtype.kind]}{dtype.itemsize * 8}" if dtype.kind in _SHORT_KIND else dtype.name
    return f"{name}[{','.join(map(str, x.shape))}]"
