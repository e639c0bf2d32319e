"""A batch in parts, each in a thread of its own: their gradients at the same time, and the mean of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextvars import ContextVar, copy_context
from functools import partial
from itertools import pairwise
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeAlias
from weakref import finalize

import numpy as np

from fnn.arrays import Array1, Scalar
from fnn.mode import Mode
from fnn.tree import leaves, show
from fnn.tree import map as tree_map

# Loss, new state, gradient, and what a plan wants back.
Gradient: TypeAlias = tuple[Scalar, Any, Array1, Any]
Job: TypeAlias = Callable[[], Any]


class Parts:
    """Means of gradients over n parts of a batch.

    NumPy lets other threads run inside of its loops and products, so that n of them compute on n cores. What comes out does
    not depend on which is the first: parts are added up in their order.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self._crew = Crew(n - 1)

    def mean(
        self,
        gradient: Callable[[Mode, Sequence[Any], dict[str, Any]], Gradient | None],
        state: Any,
        mode: Mode,
        batch: Sequence[Any],
        options: dict[str, Any],
    ) -> Gradient | None:
        """The mean of gradient(mode, batch, options) over the parts, each by its number of rows; None where one of them is.

        The i-th part runs in mode.fold(i). ValueError where arrays of the batch have no rows or not the same number, and where
        a part changes the state: two parts would each have their own.
        """
        parts, weights = _cut([*batch, *options.values()], self.n)
        k = len(batch)

        def job(i: int) -> Gradient | None:
            part = parts[i]
            made = gradient(mode.fold(i), part[:k], dict(zip(options, part[k:], strict=True)))
            if made is not None:
                vector = made[2]
                vector *= weights[i]
            return made

        found = self._crew.run([partial(job, i) for i in range(len(parts))])
        if any([made is None for made in found]):
            return None
        for made in found:
            if made[1] is not state:
                raise ValueError(
                    f"train_step: with threads={self.n} each part of a batch would make a state of its own, but the loss turns "
                    f"{show(state)} into {show(made[1])}, as batch norm does; leave threads out, or use a norm without a state"
                )
        total, _, vector, _ = found[0]
        total = total * total.dtype.type(weights[0])
        for weight, (loss, _, other, _) in zip(weights[1:], found[1:], strict=True):
            total += loss * loss.dtype.type(weight)
            vector += other
        return total, state, vector, [made[3] for made in found]


def _cut(batch: Sequence[Any], n: int) -> tuple[list[tuple[Any, ...]], list[float]]:
    """At most n parts of a batch along the first axes of its arrays, and the share of each in the rows. What has no axis
    belongs to all parts."""
    sizes = sorted({len(leaf) for given in batch for leaf in leaves(given) if leaf.ndim})
    if len(sizes) != 1:
        raise ValueError(
            f"train_step: with threads={n} every array of a batch is cut along its first axis, and here their lengths are "
            f"{sizes}; give batches of arrays with as many rows each"
        )
    for given in batch:
        if isinstance(given, (list, tuple, dict)) and given and not leaves(given):
            raise TypeError(
                f"train_step: with threads={n} a batch is cut, and {show(given)} has no array; write np.asarray(...)"
            )
    (rows,) = sizes
    n = max(1, min(n, rows))
    bounds = [rows * i // n for i in range(n + 1)]
    cuts = [slice(a, b) for a, b in pairwise(bounds)]
    parts = [tuple([_rows_of(given, cut) for given in batch]) for cut in cuts]
    return parts, [1.0] if n == 1 else [(b - a) / rows for a, b in pairwise(bounds)]


def _rows_of(given: Any, cut: slice) -> Any:
    if isinstance(given, np.ndarray):
        return given[cut] if given.ndim else given
    return tree_map(lambda leaf: leaf[cut] if leaf.ndim else leaf, given)


class Crew:
    """Threads that wait for work, until nobody holds the crew any more."""

    def __init__(self, n: int) -> None:
        self.n = n
        self._process: int | None = None
        self._beginning = Lock()

    def run(self, jobs: Sequence[Job]) -> list[Any]:
        """What the jobs give, in their order: the first runs here. An error is that of the first that has one."""
        if _working.get():  # a step inside of another's loss: all may be waiting for this one
            return [job() for job in jobs]
        if self._process != os.getpid():  # none have begun, or a fork has left them behind
            with self._beginning:
                if self._process != os.getpid():
                    self._begin()
        done: SimpleQueue[tuple[int, Any, BaseException | None]] = SimpleQueue()
        for i, job in enumerate(jobs[1:]):
            self._work.put((copy_context(), job, i, done))
        outcomes = [copy_context().run(_outcome, jobs[0]), *[(None, None)] * (len(jobs) - 1)]
        for _ in jobs[1:]:
            i, made, error = done.get()
            outcomes[i + 1] = made, error
        made, errors = zip(*outcomes, strict=True)
        del outcomes, jobs  # an error holds this frame, which would hold the batch
        for error in errors:
            if error is not None:
                try:
                    raise error
                finally:
                    del error, errors
        return list(made)

    def _begin(self) -> None:
        work: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self.n):
            Thread(target=_serve, args=(work,), name="fnn.train_step", daemon=True).start()
        finalize(self, _dismiss, work, self.n)
        self._work = work
        self._process = os.getpid()


def _serve(work: SimpleQueue[Any]) -> None:
    while (order := work.get()) is not None:
        context, job, i, done = order
        done.put((i, *context.run(_outcome, job)))
        del order, context, job, done  # nothing of a batch stays alive


def _dismiss(work: SimpleQueue[Any], n: int) -> None:
    for _ in range(n):
        work.put(None)


# Whether this context is that of a part.
_working: ContextVar[bool] = ContextVar("fnn.train_step", default=False)


def _outcome(job: Job) -> tuple[Any, BaseException | None]:
    _working.set(True)  # in the copy of a context that is the job's own
    try:
        return job(), None
    except BaseException as error:
        return None, error
