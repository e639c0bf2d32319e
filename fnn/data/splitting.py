"""Splitting data by key: into parts, and into folds for cross-validation. Disjoint, and nothing is left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias, TypeVar, overload

import numpy as np

from fnn.arrays import Int1, read_only
from fnn.data.ordering import Labels, check_order, deal, find_order
from fnn.data.rows import D, Reader, Rows
from fnn.functional.checks import check_int, check_number
from fnn.random import Key

B = TypeVar("B")
Pair: TypeAlias = tuple[float, float]
Triple: TypeAlias = tuple[float, float, float]


@overload
def split(data: int, fractions: Pair, key: Key | None, *, stratify: Labels | None = None) -> tuple[Int1, Int1]: ...
@overload
def split(data: D, fractions: Pair, key: Key | None, *, stratify: Labels | None = None) -> tuple[D, D]: ...
@overload
def split(  # type: ignore[overload-overlap]  # an array is Rows too, and then D and B are the same
    data: Rows[B], fractions: Pair, key: Key | None, *, stratify: Labels | None = None
) -> tuple[B, B]: ...
@overload
def split(data: int, fractions: Triple, key: Key | None, *, stratify: Labels | None = None) -> tuple[Int1, Int1, Int1]: ...
@overload
def split(data: D, fractions: Triple, key: Key | None, *, stratify: Labels | None = None) -> tuple[D, D, D]: ...
@overload
def split(  # type: ignore[overload-overlap]  # an array is Rows too, and then D and B are the same
    data: Rows[B], fractions: Triple, key: Key | None, *, stratify: Labels | None = None
) -> tuple[B, B, B]: ...
@overload
def split(data: int, fractions: Sequence[float], key: Key | None, *, stratify: Labels | None = None) -> tuple[Int1, ...]: ...
@overload
def split(data: D, fractions: Sequence[float], key: Key | None, *, stratify: Labels | None = None) -> tuple[D, ...]: ...
@overload
def split(data: Rows[B], fractions: Sequence[float], key: Key | None, *, stratify: Labels | None = None) -> tuple[B, ...]: ...
def split(data: Any, fractions: Sequence[float], key: Key | None, *, stratify: Labels | None = None) -> tuple[Any, ...]:
    """The data in parts of these fractions of its rows, drawn by key; without a key (None) the first rows, the next, ...

    Every row is in one part, rows keep their order in each, and sizes differ by at most 1 from the fraction. With
    `stratify`, a label for every row, each part has its share of each label, to less than 2 rows.

    A number of rows in place of data gives the numbers of the rows in each part, which `fnn.data.subset` reads without
    copying them into memory.

    Raises ValueError unless the fractions add up to 1.

    >>> import fnn
    >>> train, validation, test = split(np.arange(10), (0.6, 0.2, 0.2), fnn.key(0))
    >>> train, validation, test
    (array([1, 3, 4, 7, 8, 9]), array([2, 6]), array([0, 5]))
    """
    reader = None if _is_count("split", data) else Reader[Any]("split", data)
    n = data if reader is None else len(reader)
    if not isinstance(fractions, (Sequence, np.ndarray)):
        raise TypeError(
            f"split: the fractions are {fractions!r}, expected one for each part, as (0.8, 0.2): split(data, (0.8, 0.2), key)"
        )
    for fraction in fractions:
        check_number("split", "a fraction", fraction)
    shares = [float(fraction) for fraction in fractions]
    if not shares or min(shares) < 0 or not abs(sum(shares) - 1) < 1e-6:
        raise ValueError(f"split: the fractions are {tuple(shares)}, expected numbers of at least 0 that add up to 1")
    sums = np.cumsum(shares)
    ends = [*np.rint(sums[:-1] * n).astype(int).tolist(), n]
    parts = _parts("split", n, ends, key, stratify)
    return tuple(parts) if reader is None else tuple([reader.rows(rows) for rows in parts])


@overload
def k_fold(data: int, k: int, key: Key | None, *, stratify: Labels | None = None) -> Iterator[tuple[Int1, Int1]]: ...
@overload
def k_fold(data: D, k: int, key: Key | None, *, stratify: Labels | None = None) -> Iterator[tuple[D, D]]: ...
@overload
def k_fold(data: Rows[B], k: int, key: Key | None, *, stratify: Labels | None = None) -> Iterator[tuple[B, B]]: ...
def k_fold(data: Any, k: int, key: Key | None, *, stratify: Labels | None = None) -> Iterator[tuple[Any, Any]]:
    """k pairs (train, validation) of the data for cross-validation: every row is in one of the k validation parts.

    Validation parts differ by at most 1 row in size, and with `stratify` in their rows of each label too. Without a key
    (None) row i is in part i modulo k. A number of rows in place of data: as for `split`.

    Raises ValueError unless 2 <= k <= rows.

    >>> import fnn
    >>> for train, validation in k_fold(5, 2, fnn.key(0)):
    ...     print(train, validation)
    [1 2] [0 3 4]
    [0 3 4] [1 2]
    """
    reader = None if _is_count("k_fold", data) else Reader[Any]("k_fold", data)
    n = data if reader is None else len(reader)
    check_int("k_fold", "k", k, 2)
    if k > n:
        raise ValueError(f"k_fold: k is {k}, but there are {n} rows; every fold needs one")
    check_order("k_fold", n, 1, key, 0, None, stratify)
    rows = find_order(n, 1, key, 0, None, None)
    if stratify is not None:  # one label after the other, and then dealt out in turn
        rows = rows[np.argsort(np.unique(np.asarray(stratify), return_inverse=True)[1][rows], kind="stable")]
    return _folds(n, [_ascending(rows[i::k]) for i in range(k)], reader)


def _folds(n: int, parts: list[Int1], reader: Reader[Any] | None) -> Iterator[tuple[Any, Any]]:
    for part in parts:
        rest = np.ones(n, bool)
        rest[part] = False
        pair = read_only(np.flatnonzero(rest)), part
        yield pair if reader is None else (reader.rows(pair[0]), reader.rows(pair[1]))


def _is_count(name: str, data: object) -> bool:
    if isinstance(data, (int, np.integer)):
        check_int(name, "the number of rows", data, 0)
        return True
    return False


def _parts(name: str, n: int, ends: list[int], key: Key | None, stratify: Any) -> list[Int1]:
    """The rows of each part, ascending."""
    check_order(name, n, 1, key, 0, None, stratify)
    rows = find_order(n, 1, key, 0, None, None)
    parts = np.split(rows, ends[:-1]) if stratify is None else deal(rows, stratify, ends, None)
    return [_ascending(part) for part in parts]


def _ascending(rows: Int1) -> Int1:
    return read_only(np.sort(rows).astype(np.int64))  # type: ignore[no-any-return]  # a Value is untyped
