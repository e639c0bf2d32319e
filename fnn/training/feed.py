"""Where a loop's batches come from, and where in them a run that has done some steps goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from inspect import signature
from itertools import islice
from operator import length_hint
from typing import Any

import numpy as np

from fnn.data.batching import Batches, batches
from fnn.data.rows import Reader
from fnn.random import Key
from fnn.tree import leaves, show
from fnn.tree.structure import is_leaf


class Feed:
    """The batches of every epoch, as a function of its number; or one stream, which cannot begin again.

    data, steps (`steps_per_epoch`): as for `fnn.fit`. batch_size, key and last are for arrays. `is_stream` says that the data
    is an iterator.
    """

    def __init__(self, name: str, data: Any, steps: int | None, batch_size: int, key: Key | None, last: Any) -> None:
        self._name = name
        self._steps = steps
        self._data = data
        self.is_stream = False
        # what gives the batches of an epoch but for the first `start`
        self._open: Callable[[int, int], Any] = lambda epoch, start: _without(data, start)
        if has_rows(data):
            self._open = lambda epoch, start: batches(data, batch_size, key, epoch, last=last, start=start)
            n = self._steps_of(0, 1)
            if steps is None:
                self._steps = n  # all epochs are of one length
            elif steps > n:
                raise ValueError(f"{name}: steps_per_epoch is {steps}, but the data makes {n} batches of {batch_size} rows")
        elif callable(data):
            self._open = _opener(name, data)
        elif hasattr(data, "__iter__"):
            self.is_stream = iter(data) is data
        else:
            raise TypeError(
                f"{name}: the data is a {type(data).__name__}, expected arrays (a tuple of them, as (x, y)), a function that "
                "gives the batches of an epoch, or an iterable of batches"
            )

    def place(self, step: int) -> tuple[int, int]:
        """(epoch, batch) of the step after `step` steps. A stream goes on where it stands."""
        if self._steps is not None:
            return divmod(step, self._steps)
        epoch = 0
        while step and not self.is_stream:
            n = self._steps_of(epoch, step + 1)
            if step < n:
                return epoch, step
            step -= n
            epoch += 1
        return epoch, 0

    def _steps_of(self, epoch: int, most: int) -> int:
        """How many batches an epoch has; one whose length only reading tells is read, up to `most`. ValueError where none."""
        made = self._open(epoch, 0)
        n = length_hint(made, -1)
        if n < 0:
            n = sum([1 for _ in islice(iter(made), most)])
        if n == 0:
            found = f": {made}" if isinstance(made, Batches) else ""
            raise ValueError(f"{self._name}: epoch {epoch} has no batches{found}")
        return n

    def read(self, epoch: int, start: int) -> tuple[Iterator[Any], int | None]:
        """The batches of an epoch without the first `start`, and how many the whole epoch has, if that is known."""
        if self.is_stream:
            return self._data, self._steps
        made = self._open(epoch, start)
        left = length_hint(made, -1)
        return iter(made), self._steps if self._steps is not None or left < 0 else start + left


def _opener(name: str, f: Callable[..., Any]) -> Callable[[int, int], Any]:
    """What a user's function gives for an epoch, checked, without the batches that are done.

    A function that requires two arguments, or has one named `start`, leaves them out itself.
    """
    try:
        found = signature(f)
    except (TypeError, ValueError):  # some functions written in C
        found = signature(lambda epoch: None)
    parameters = list(found.parameters.values())
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty]
    by_place = len(positional) == 2  # epoch and start
    by_name = any([p.name == "start" and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in parameters])
    try:
        found.bind(*(0, 0) if by_place else (0,))
    except TypeError as error:
        raise TypeError(
            f"{name}: the data is a function of {found}, expected one of the number of the epoch, as "
            "lambda epoch: fnn.batches((x, y), 32, key, epoch)"
        ) from error

    def of_epoch(epoch: int, start: int) -> Any:
        made = f(epoch, start) if by_place else f(epoch, start=start) if by_name else f(epoch)
        is_data = isinstance(made, (np.ndarray, dict)) or (
            isinstance(made, tuple) and any([isinstance(part, np.ndarray) for part in made])
        )
        if is_data or not hasattr(made, "__iter__"):
            raise TypeError(
                f"{name}: the function of the epoch gave {show(made)}, expected an iterable of batches, as "
                "fnn.batches((x, y), 32, key, epoch)"
            )
        return made if by_place or by_name else _without(made, start)

    return of_epoch


def _without(made: Iterable[Any], start: int) -> Iterable[Any]:
    return made.skip(start) if isinstance(made, Batches) else _Rest(made, start) if start else made


class _Rest:
    """What follows the first `start` items, which have to be read."""

    def __init__(self, made: Iterable[Any], start: int) -> None:
        self._made = made
        self._start = start

    def __iter__(self) -> Iterator[Any]:
        return islice(iter(self._made), self._start, None)

    def __length_hint__(self) -> Any:
        n = length_hint(self._made, -1)
        return NotImplemented if n < 0 else max(n - self._start, 0)


def has_rows(data: Any) -> bool:
    """Whether this is data to be cut into batches: arrays, trees of arrays, what is read by rows. A list is one of batches."""
    cls = type(data)
    if isinstance(data, (list, type)):
        return False
    is_tree = isinstance(data, (tuple, dict)) or is_leaf(data) or (hasattr(cls, "__dataclass_fields__") and not callable(data))
    return is_tree or (hasattr(cls, "__len__") and hasattr(cls, "__getitem__"))


def pieces(name: str, data: Any, size: int) -> Iterator[Any]:
    """Data for evaluation, in its order: what has rows in pieces of `size` (one, if empty), batches as they come."""
    if has_rows(data):
        reader: Reader[Any] = Reader(name, data)
        n = len(reader)
        for i in range(0, max(n, 1), size):
            yield reader.rows(np.arange(i, min(i + size, n)))
    elif hasattr(data, "__iter__"):
        yield from data
    else:
        raise TypeError(f"{name}: the data is a {type(data).__name__}, expected arrays, or an iterable of batches of them")


def rows_of(batch: Any) -> int:
    """How many examples a batch has: the first axis of its first array."""
    first = batch[0] if isinstance(batch, tuple) and batch else batch
    if not isinstance(first, np.ndarray):
        found = leaves(first)
        first = found[0] if found else ()
    shape: tuple[int, ...] = getattr(first, "shape", ())
    return shape[0] if shape else 1
