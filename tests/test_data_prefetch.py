"""Reading ahead: the same items, never too many of them, errors with their traceback, and no thread left in any case."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn
from fnn.data import Prefetched, prefetch

WAIT = 10.0


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.001)


class Counting:
    """An endless stream that knows how many items were made and by which thread, and whether it was closed."""

    def __init__(self) -> None:
        self.made = 0
        self.threads: set[str] = set()
        self.closed = False

    def __iter__(self) -> Iterator[int]:
        try:
            while True:
                self.threads.add(threading.current_thread().name)
                self.made += 1
                yield self.made
        finally:
            self.closed = True


def two_then_fail(error: BaseException) -> Iterator[int]:
    yield 1
    yield 2
    raise error


@given(st.lists(st.integers(), max_size=20), st.integers(1, 30))
def test_items_and_their_order_are_those_of_the_iterable(items: list[int], size: int) -> None:
    assert list(prefetch(items, size)) == items
    assert list(prefetch(iter(items), size)) == items
    assert threading.active_count() == len(threading.enumerate())


def test_batches_read_ahead_are_the_same() -> None:
    data = (np.arange(20.0).reshape(10, 2), np.arange(10))
    expected = list(fnn.batches(data, 3, fnn.key(0)))
    assert fnn.tree.equal(list(fnn.prefetch(fnn.batches(data, 3, fnn.key(0)))), expected)
    assert list(prefetch(prefetch(prefetch(range(9))), 1)) == list(range(9))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_as_many_items_as_asked_for_are_made_ahead_and_no_more(size: int) -> None:
    stream = Counting()
    ahead = prefetch(stream, size)
    assert stream.made == 0, "it began before it was asked"
    for taken in range(1, 4):
        assert next(ahead) == taken
        wait_until(lambda taken=taken: stream.made == taken + size)  # type: ignore[misc]  # binds the loop's variable
        time.sleep(0.01)
        assert stream.made == taken + size
    assert stream.threads == {"fnn.data.prefetch"}
    ahead.close()
    assert stream.closed
    assert list(ahead) == []
    ahead.close()


def test_an_error_of_the_worker_is_raised_with_its_traceback_after_the_items_before_it() -> None:
    error = ZeroDivisionError("in the worker")
    found: list[int] = []
    ahead = prefetch(two_then_fail(error))
    with pytest.raises(ZeroDivisionError, match="in the worker") as caught:
        found.extend(ahead)
    assert found == [1, 2]
    assert caught.value is error
    assert "two_then_fail" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert list(ahead) == []


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), MemoryError()])
def test_whatever_the_worker_raises_arrives(error: BaseException) -> None:
    with pytest.raises(type(error)):
        list(prefetch(two_then_fail(error)))


def test_an_error_when_iteration_begins_arrives() -> None:
    class Bad:
        def __iter__(self) -> Iterator[int]:
            raise OSError("no such data")

    with pytest.raises(OSError, match="no such data"):
        next(prefetch(Bad()))


def test_break_stops_the_thread_at_once() -> None:
    stream, before = Counting(), threading.active_count()
    for item in prefetch(stream):
        assert threading.active_count() == before + 1
        if item == 3:
            break
    assert threading.active_count() == before
    assert stream.closed


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_an_error_in_the_loop_stops_the_thread(error: type[BaseException]) -> None:
    stream, before = Counting(), threading.active_count()
    with contextlib.suppress(error):
        for _ in prefetch(stream):
            raise error
    assert threading.active_count() == before
    assert stream.closed


def test_with_closes_even_where_a_variable_holds_the_iterator() -> None:
    stream, before = Counting(), threading.active_count()
    with contextlib.suppress(KeyboardInterrupt), prefetch(stream, 4) as ahead:
        for _ in ahead:
            raise KeyboardInterrupt
    assert threading.active_count() == before
    assert stream.closed
    assert isinstance(ahead, Prefetched)


def test_closing_a_generator_that_prefetches_stops_the_thread() -> None:
    def doubled() -> Iterator[int]:
        for item in prefetch(Counting()):
            yield 2 * item

    it, before = doubled(), threading.active_count()
    assert [next(it), next(it)] == [2, 4]
    assert threading.active_count() == before + 1
    it.close()  # type: ignore[attr-defined]  # it is a generator
    assert threading.active_count() == before


def test_a_cycle_that_only_the_collector_finds_is_closed_by_it() -> None:
    stream, before = Counting(), threading.active_count()
    ahead = prefetch(stream)
    next(ahead)
    cycle: list[object] = [ahead]
    cycle.append(cycle)
    del ahead, cycle
    assert threading.active_count() == before + 1
    gc.collect()
    assert threading.active_count() == before


def test_ctrl_c_while_waiting_for_a_slow_item_stops_the_thread() -> None:
    release = threading.Event()

    def slow() -> Iterator[int]:
        yield 1
        release.wait(WAIT)
        yield 2

    def interrupt() -> None:
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        release.set()

    before = threading.active_count()
    ahead, other = prefetch(slow()), threading.Thread(target=interrupt)
    assert next(ahead) == 1
    other.start()
    with pytest.raises(KeyboardInterrupt):
        next(ahead)
    other.join()
    assert threading.active_count() == before
    assert list(ahead) == []


SCRIPT = """
import sys, time
import fnn

def stream():
    i = 0
    while True:
        yield i
        i += 1

ahead = fnn.prefetch(stream(), 3)
for i in ahead:
    if i == 5:
        print("running", flush=True)
        {what}
"""


@pytest.mark.parametrize(("what", "code"), [("time.sleep(60)", -signal.SIGINT), ("sys.exit(4)", 4), ("raise ValueError", 1)])
def test_a_program_ends_at_once_also_by_ctrl_c(what: str, code: int) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(fnn.__file__).parents[1])}
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", SCRIPT.replace("{what}", what)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "running\n"
        if code < 0:
            process.send_signal(signal.SIGINT)
        try:
            assert process.wait(WAIT) == code
        finally:
            process.kill()
        told = process.stderr.read()
    assert "ResourceWarning" not in told
    assert "Fatal" not in told
    assert told.count("Traceback") == (0 if code == 4 else 1)


def test_the_callers_context_holds_in_the_thread() -> None:
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        list(prefetch(np.ones(1) / x for x in [np.zeros(1)]))


def test_an_item_is_not_kept_after_it_was_taken() -> None:
    class Item:
        alive = 0

        def __init__(self) -> None:
            Item.alive += 1

        def __del__(self) -> None:
            Item.alive -= 1

    most = 0
    for _ in prefetch((Item() for _ in range(50)), 2):
        most = max(most, Item.alive)
    assert most <= 5
    assert Item.alive <= 1


def test_errors_of_the_arguments() -> None:
    with pytest.raises(ValueError, match="prefetch: size is 0, expected at least 1"):
        prefetch([], 0)
    with pytest.raises(TypeError, match="prefetch: got a int, expected something to iterate over"):
        prefetch(3)  # type: ignore[arg-type]  # what the test is about
