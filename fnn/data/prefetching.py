"""Reading ahead in a background thread."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable
from contextvars import copy_context
from operator import length_hint
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Generic, TypeVar

from fnn.functional.checks import check_int

T = TypeVar("T")


class Prefetched(Generic[T]):
    """An iterator whose items are made ahead by a thread, see `prefetch`. Closed at its end, by `close`, by `with`, or when
    nothing refers to it any more, such as after a `break` or an error in the loop over it.
    """

    def __init__(self, iterable: Iterable[T], size: int, /) -> None:
        self._work = _Work(iterable, size)
        self._left = length_hint(iterable, -1)
        # Also runs when the interpreter exits. The thread knows the work, not this object: it does not keep it alive.
        self._close = weakref.finalize(self, self._work.stop)

    def __iter__(self) -> Prefetched[T]:
        return self

    def __next__(self) -> T:
        if not self._close.alive:
            raise StopIteration
        try:
            kind, item = self._work.take()
        except BaseException:  # Ctrl-C while it waited
            self.close()
            raise
        if kind == "item":
            self._left -= self._left > 0
            made: T = item
            return made
        self.close()
        if kind == "end":
            raise StopIteration
        try:
            raise item
        finally:
            del item  # an exception that its own traceback refers to would live on

    def __length_hint__(self) -> int:
        """How many items are left, where the iterable tells its length."""
        return NotImplemented if self._left < 0 else self._left if self._close.alive else 0

    def close(self) -> None:
        """Stop the thread, and wait until it has ended: at most until the item that it is making is made."""
        self._close()

    def __enter__(self) -> Prefetched[T]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()


class _Work:
    """What the thread and its consumer share: a queue, and how many more items may be made."""

    def __init__(self, iterable: Iterable[Any], size: int) -> None:
        self.iterable: Iterable[Any] | None = iterable
        self.room = threading.Semaphore(size)
        self.ready: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self.stopped = False
        self.thread: threading.Thread | None = None

    def take(self) -> tuple[str, Any]:
        if self.thread is None:
            # A daemon, because Python joins other threads at exit before anything can tell this one to stop. The caller's
            # context goes with it: np.errstate and the like hold in the thread too.
            self.thread = threading.Thread(target=copy_context().run, args=(self.run,), name="fnn.data.prefetch", daemon=True)
            self.thread.start()
        found = self.ready.get()
        self.room.release()
        return found

    def run(self) -> None:
        try:
            items = iter(self.iterable or ())
            self.iterable = None
            while self.room.acquire() and not self.stopped:
                try:
                    self.ready.put(("item", next(items)))
                except StopIteration:
                    self.ready.put(("end", None))
                    return
        except BaseException as error:
            self.ready.put(("error", error))

    def stop(self) -> None:
        self.stopped = True
        self.room.release()
        # the garbage collector may have come to this in the thread itself
        if self.thread is not None and self.thread is not threading.current_thread():
            self.thread.join()


def prefetch(iterable: Iterable[T], size: int = 2) -> Prefetched[T]:
    """The items of an iterable, made up to `size` ahead by a background thread while the consumer works.

    It pays where making an item waits for a disk or computes in NumPy, which runs beside Python code. The items and their
    order are those of the iterable; an exception there is raised here, with its traceback. The thread begins with the first
    item, and it has ended when the loop is over: at the end, after an error, `break` or Ctrl-C. To be sure where something
    else still refers to the iterator (a variable, a traceback), write

        with fnn.prefetch(batches) as ahead:
            for batch in ahead: ...

    >>> list(prefetch([1, 2, 3]))
    [1, 2, 3]
    """
    check_int("prefetch", "size", size, 1)
    if not isinstance(iterable, Iterable):
        raise TypeError(f"prefetch: got a {type(iterable).__name__}, expected something to iterate over, as fnn.batches gives")
    return Prefetched(iterable, size)
