"""Batches of data, in an order that is a pure function of (key, epoch)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Generic, Literal, TypeVar, overload

import numpy as np

from fnn.arrays import Int1
from fnn.data.ordering import Labels, Weights, check_order, find_order
from fnn.data.rows import D, Reader, Rows, stacked
from fnn.functional.checks import check_int
from fnn.random import Key

B = TypeVar("B")
Item = TypeVar("Item")


class Batches(Generic[B]):
    """The batches of one epoch, as `batches` describes them: a value without a place of its own.

    `len` counts them. Every `for` loop over it begins at the start and gives the same bits.
    """

    __slots__ = ("_arguments", "_count", "_last", "_reader", "_size", "_start")

    def __init__(
        self, reader: Reader[B], size: int, last: str, start: int, arguments: tuple[Key | None, int, Any, Any], /
    ) -> None:
        n = len(reader)
        count = n // size if last == "drop" else -(-n // size)
        if start > count:
            raise ValueError(f"batches: start is {start}, but {n} rows make {count} batches of {size}")
        self._reader = reader
        self._size = size
        self._last = last
        self._start = start
        self._count = count
        self._arguments = arguments

    def __len__(self) -> int:
        return self._count - self._start

    def skip(self, n: int, /) -> Batches[B]:
        """Those without the first n, which are not read: for a run that has done them."""
        return Batches(self._reader, self._size, self._last, self._start + n, self._arguments)

    def __iter__(self) -> Iterator[B]:
        if not len(self):
            return
        rows = find_order(len(self._reader), self._size, *self._arguments)
        for i in range(self._start, self._count):
            yield self._reader.rows(self._rows_of(i, rows))

    def _rows_of(self, i: int, rows: Int1) -> Int1:
        chosen = rows[i * self._size : (i + 1) * self._size]
        if self._last == "pad" and len(chosen) < self._size:
            return np.concatenate([chosen, np.resize(rows, self._size - len(chosen))])
        return chosen

    def __repr__(self) -> str:
        key, epoch, _, _ = self._arguments
        n = len(self._reader)
        return f"Batches(of {self._size} of {n} rows, key={key!r}, epoch={epoch}, last={self._last!r}, start={self._start})"


@overload
def batches(
    data: D,
    size: int,
    key: Key | None = None,
    epoch: int = 0,
    *,
    last: Literal["keep", "drop", "pad"] = "keep",
    weights: Weights | None = None,
    stratify: Labels | None = None,
    start: int = 0,
) -> Batches[D]: ...
@overload
def batches(
    data: Rows[B],
    size: int,
    key: Key | None = None,
    epoch: int = 0,
    *,
    last: Literal["keep", "drop", "pad"] = "keep",
    weights: Weights | None = None,
    stratify: Labels | None = None,
    start: int = 0,
) -> Batches[B]: ...
def batches(
    data: Any,
    size: int,
    key: Key | None = None,
    epoch: int = 0,
    *,
    last: Literal["keep", "drop", "pad"] = "keep",
    weights: Weights | None = None,
    stratify: Labels | None = None,
    start: int = 0,
) -> Batches[Any]:
    """One epoch of `data` in batches of `size` rows, each of the type of the data, with arrays of its own that are read-only.

    data: an array, a tree of arrays with equal first axes (tuples, dicts, frozen dataclasses), memory maps among them, or an
    object with `len(data)` that reads `data[rows]` for an integer array of rows (`fnn.data.examples` makes one of single
    examples). Rows of a memory map are read from front to back, batch by batch, so that no more than a batch is in memory.

    key, epoch: without a key the rows come in their order. With one they are shuffled: each comes once in every epoch, and
    the order is a function of (key, epoch) alone.

    last: the last batch may be smaller ("keep"), is left out where it would be ("drop"), or is filled up with the rows that
    began the epoch ("pad"): in batch i of a pass over n rows, row j repeats another where i * size + j >= n.

    weights, stratify: see `fnn.data.order`.

    start: how many batches of this epoch have been done; they are not read. A run that stopped in the middle of an epoch
    goes on with the same bits.

    Raises ValueError where parts differ in their number of rows or an argument is out of range, TypeError for other kinds.

    >>> import fnn
    >>> x, y = np.arange(10.0).reshape(5, 2), np.arange(5)
    >>> for xs, ys in fnn.batches((x, y), 2, fnn.key(0), epoch=3):
    ...     print(ys, xs[:, 0])
    [2 1] [4. 2.]
    [3 4] [6. 8.]
    [0] [0.]
    >>> [ys.tolist() for _, ys in fnn.batches((x, y), 2, fnn.key(0), epoch=3, start=1)]
    [[3, 4], [0]]
    """
    if last not in ("keep", "drop", "pad"):
        raise ValueError(f"batches: last is {last!r}, expected 'keep', 'drop' or 'pad'")
    reader: Reader[Any] = Reader("batches", data)
    check_order("batches", len(reader), size, key, epoch, weights, stratify)
    check_int("batches", "start", start, 0)
    return Batches(reader, size, last, start, (key, epoch, weights, stratify))


@overload
def batches_of(examples: Iterable[Any], size: int, *, last: Literal["keep", "drop"] = "keep") -> Iterator[Any]: ...
@overload
def batches_of(
    examples: Iterable[Item],
    size: int,
    *,
    last: Literal["keep", "drop"] = "keep",
    collate: Callable[[Sequence[Item]], B],
) -> Iterator[B]: ...
def batches_of(
    examples: Iterable[Any],
    size: int,
    *,
    last: Literal["keep", "drop"] = "keep",
    collate: Callable[[Sequence[Any]], Any] = stacked,
) -> Iterator[Any]:
    """Batches of a stream of single examples, in the order in which they come. Reads no further than the batch it gives.

    collate makes a batch of a list of examples, and says its type; the default, `fnn.data.stacked`, stacks their arrays and
    numbers, and its batches are Any to a type checker.

    >>> for x, label in batches_of(((np.full(2, i), i % 2) for i in range(3)), 2):
    ...     print(x.tolist(), label)
    [[0, 0], [1, 1]] [0 1]
    [[2, 2]] [0]
    """
    check_int("batches_of", "size", size, 1)
    if last not in ("keep", "drop"):
        raise ValueError(f"batches_of: last is {last!r}, expected 'keep' or 'drop'; the end of a stream cannot be padded")
    return _collect(iter(examples), size, last == "drop", collate)


def _collect(examples: Iterator[Any], size: int, drop: bool, collate: Callable[[Sequence[Any]], Any]) -> Iterator[Any]:
    while found := list(islice(examples, size)):
        if len(found) == size or not drop:
            yield collate(found)
