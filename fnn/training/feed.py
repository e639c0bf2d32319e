"""Where a loop's batches come from, and where in them a run that has done some steps goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, cast

import numpy as np

from fnn.data.batching import batches
from fnn.random import Key
from fnn.tree import leaves
from fnn.tree.structure import is_leaf


class Feed:
    """The batches of every epoch, as a function of its number; or one stream, which cannot begin again.

    data: as for `fnn.fit`. `is_stream` says that it is an iterator.
    """

    def __init__(self, name: str, data: Any, batch_size: int, key: Key | None) -> None:
        self._name = name
        self._has_rows = has_rows(data)
        self.is_stream = False
        self._epoch: Callable[..., Iterable[Any]] = lambda epoch: data
        if self._has_rows:
            self._epoch = lambda epoch, start=0: batches(data, batch_size, key, epoch, start=start)
            self._count(0)
        elif callable(data):
            self._epoch = cast("Callable[..., Iterable[Any]]", data)  # what it gives is checked when it is read
        elif hasattr(data, "__iter__"):
            self.is_stream = iter(data) is data
        else:
            raise TypeError(
                f"{name}: the data is a {type(data).__name__}, expected arrays (a tuple of them, as (x, y)), a function that "
                "gives the batches of an epoch, or an iterable of batches"
            )

    def place(self, step: int) -> tuple[int, int]:
        """(epoch, batch) of the step after `step` steps. A stream goes on where it stands."""
        if self.is_stream:
            return 0, 0
        if self._has_rows:  # all epochs are of one length
            return divmod(step, self._count(0))
        epoch = 0
        while step:
            n = self._count(epoch, step + 1)
            if step < n:
                return epoch, step
            step -= n
            epoch += 1
        return epoch, 0

    def _count(self, epoch: int, most: int = 0) -> int:
        """How many batches an epoch has; one whose length only reading tells is read, up to `most`. ValueError where none."""
        made: Any = self._epoch(epoch)
        n: int = len(made) if hasattr(made, "__len__") else sum([1 for _ in islice(iter(made), most)])
        if n == 0:
            raise ValueError(f"{self._name}: epoch {epoch} has no batches")
        return n

    def total(self, epochs: int | None, done: int) -> int | None:
        """How many steps are left to the end of all epochs, None where that is not known."""
        if epochs is None or not self._has_rows:
            return None
        return max(epochs * self._count(0) - done, 0)

    def read(self, epoch: int, start: int) -> tuple[Iterator[Any], int | None]:
        """The batches of an epoch without the first `start`, and how many the whole epoch has, if that is known."""
        if self._has_rows:
            made: Any = self._epoch(epoch, start)
            return iter(made), len(made) + start
        made = self._epoch(epoch)
        n = len(made) if hasattr(made, "__len__") else None
        found = iter(made)
        return (islice(found, start, None) if start else found), n


def has_rows(data: Any) -> bool:
    """Whether this is data to be cut into batches: arrays, trees of arrays, what is read by rows. A list is one of batches."""
    cls = type(data)
    if isinstance(data, (list, type)):
        return False
    is_tree = isinstance(data, (tuple, dict)) or is_leaf(data) or (hasattr(cls, "__dataclass_fields__") and not callable(data))
    return is_tree or (hasattr(cls, "__len__") and hasattr(cls, "__getitem__"))


def rows_of(batch: Any) -> int:
    """How many examples a batch has: the first axis of its first array."""
    first = batch[0] if isinstance(batch, tuple) and batch else batch
    if not isinstance(first, np.ndarray):
        found = leaves(first)
        first = found[0] if found else ()
    shape: tuple[int, ...] = getattr(first, "shape", ())
    return shape[0] if shape else 1
