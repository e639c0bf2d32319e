"""train_step(..., threads=n): the mean of the gradients of n parts of a batch, whatever the threads do."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import fnn
from fnn.training.parts import Crew, Parts

loose: Any = fnn  # for calls that the types refuse
OPT = fnn.Adam(0.01)


def mlp() -> Any:
    return loose.Dense(5, 8) >> fnn.tanh >> fnn.Dropout(0.3) >> fnn.Dense(8, 3)


def start(model: Any, dtype: Any = np.float64) -> Any:
    params, state = fnn.init(model, fnn.key(0))
    return fnn.train_state(fnn.tree.astype(params, dtype), state, OPT, fnn.key(1))


def batch(rows: int, dtype: Any = np.float64) -> tuple[Any, Any]:
    rng = np.random.default_rng(rows)
    return rng.normal(size=(rows, 5)).astype(dtype), rng.integers(0, 3, rows)


def after_three_steps() -> tuple[Any, Any, Any, Any]:
    """A step in two threads that has been planned, a TrainState, and a batch."""
    step = loose.train_step(fnn.supervised(mlp(), fnn.cross_entropy), OPT, threads=2)
    x, y = batch(8)
    ts = start(mlp())
    for _ in range(3):
        ts, _ = step(ts, x, y)
    return step, ts, x, y


def bits(ts: Any, loss: Any) -> Any:
    return [(a.dtype.str, a.tobytes()) for a in fnn.tree.leaves((ts.params, dict(ts.opt.slots), loss))], ts.step


def by_hand(loss: Any, ts: Any, n: int, x: Any, y: Any) -> tuple[Any, Any]:
    """(loss, gradient): what the docstring says."""
    rows = len(x)
    bounds = [rows * i // n for i in range(n + 1)]
    mode = fnn.Train(ts.key.fold(ts.step))
    value: Any = 0.0
    grads = None
    for i, (a, b) in enumerate(pairwise(bounds)):
        one = fnn.value_and_grad(loss, has_aux=True)
        (part, _), g = one(ts.params, ts.state, mode.fold(i), x[a:b], y[a:b])
        share = (b - a) / rows
        value += part * share
        scaled = fnn.tree.map(partial(np.multiply, share), g)
        grads = scaled if grads is None else fnn.tree.map(np.add, grads, scaled)
    return value, grads


@pytest.mark.parametrize(("rows", "n"), [(2, 2), (5, 2), (8, 2), (33, 2), (5, 3), (9, 3), (33, 3)])
def test_the_step_is_that_of_the_mean_over_the_parts(rows: int, n: int) -> None:
    model = mlp()
    loss: Any = fnn.supervised(model, fnn.cross_entropy)
    step = loose.train_step(loss, OPT, threads=n)
    ts = start(model)
    x, y = batch(rows)
    for _ in range(4):  # the first by tape, the others planned
        value, grads = by_hand(loss, ts, n, x, y)
        params = fnn.update(OPT, grads, ts.opt, ts.params)[0]
        ts, found = step(ts, x, y)
        np.testing.assert_allclose(found, value, rtol=1e-14)
        for a, b in zip(fnn.tree.leaves(ts.params), fnn.tree.leaves(params), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("criterion", [fnn.cross_entropy, lambda logits, y: np.mean(logits[:, 0] * y)])
def test_without_noise_it_is_the_gradient_of_the_whole_batch(criterion: Any) -> None:
    model: Any = loose.Dense(5, 8) >> fnn.LayerNorm(8) >> fnn.relu >> fnn.Dense(8, 3)
    loss: Any = fnn.supervised(model, criterion)
    one, two = fnn.train_step(loss, OPT), loose.train_step(loss, OPT, threads=2)
    ts = other = start(model)
    for rows in (7, 8, 8, 8):
        x, y = batch(rows)
        ts, a = one(ts, x, y)
        other, b = two(other, x, y)
        np.testing.assert_allclose(a, b, rtol=1e-12)
        for p, q in zip(fnn.tree.leaves(ts.params), fnn.tree.leaves(other.params), strict=True):
            np.testing.assert_allclose(p, q, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_planned_and_first_steps_have_the_same_bits_however_often(dtype: Any) -> None:
    model = mlp()
    loss: Any = fnn.supervised(model, fnn.cross_entropy)
    step = loose.train_step(loss, OPT, threads=2)
    ts = start(model, dtype)
    for i in range(12):
        x, y = batch(9 if i == 6 else 16, dtype)
        first = bits(*loose.train_step(loss, OPT, threads=2)(ts, x, y))
        ts_new, value = step(ts, x, y)
        assert bits(ts_new, value) == first
        assert value.dtype == dtype
        ts = ts_new


def test_a_loss_of_ones_own_runs_in_parts_too() -> None:
    @dataclass(frozen=True)
    class Net:
        w: fnn.Array1

    seen = []

    def loss(p: Net, state: None, mode: fnn.Mode, x: fnn.Array2, y: fnn.Array1) -> tuple[fnn.Scalar, None]:
        seen.append((len(x), threading.current_thread().name))
        return np.mean((x @ p.w - y) ** 2), state

    ts = fnn.train_state(Net(np.zeros(5)), None, OPT, fnn.key(0))
    x = np.ones((6, 5))
    ts, value = fnn.train_step(loss, OPT, threads=3)(ts, x, np.ones(6))
    assert value == 1
    assert sorted(n for n, _ in seen) == [2, 2, 2]
    assert {name for _, name in seen} >= {"fnn.train_step"}


def test_trees_and_fewer_rows_than_threads() -> None:
    def loss(w: Any, state: None, mode: fnn.Mode, both: Any) -> tuple[fnn.Scalar, None]:
        return np.mean((both["x"] @ w - both["y"]) ** 2), state

    ts: Any = fnn.train_state(np.zeros(5), None, OPT, fnn.key(0))
    step = loose.train_step(loss, OPT, threads=4)
    for rows in (1, 3, 4):
        ts, value = step(ts, {"x": np.ones((rows, 5)), "y": np.ones(rows)})
        assert np.isfinite(value)


# What is refused


def test_a_state_that_changes_is_refused() -> None:
    model: Any = loose.Dense(5, 3) >> fnn.BatchNorm(3)
    step = loose.train_step(fnn.supervised(model, fnn.cross_entropy), OPT, threads=2)
    with pytest.raises(ValueError, match=r"with threads=2 each part .* a state of its own.*BatchNormState.*leave threads out"):
        step(fnn.start(model, OPT, fnn.key(0)), *batch(8, np.float32))


@pytest.mark.parametrize("bad", [(np.ones((4, 5)), np.zeros(3, int)), (np.float64(1), None)])
def test_arrays_of_other_lengths_are_refused(bad: Any) -> None:
    model = mlp()
    step = loose.train_step(fnn.supervised(model, fnn.cross_entropy), OPT, threads=2)
    with pytest.raises(ValueError, match=r"with threads=2 every array of a batch is cut along its first axis.*lengths are \["):
        step(start(model), *bad)


def test_a_number_of_threads_is_an_int_of_at_least_1_and_there_is_no_aux() -> None:
    loss: Any = fnn.supervised(mlp(), fnn.cross_entropy)
    for bad in (0, -1):
        with pytest.raises(ValueError, match=r"train_step: threads is -?\d, expected at least 1"):
            loose.train_step(loss, OPT, threads=bad)
    for wrong in (2.0, True, "2"):
        with pytest.raises(TypeError, match="train_step: threads is"):
            loose.train_step(loss, OPT, threads=wrong)
    with pytest.raises(ValueError, match="with threads=2 each part of a batch would have an aux"):
        loose.train_step(loss, OPT, threads=2, has_aux=True)


def test_an_error_in_a_part_is_that_of_the_loss_and_the_step_goes_on() -> None:
    step, ts, x, y = after_three_steps()
    wrong = y.copy()
    wrong[-1] = 7
    with pytest.raises(ValueError, match="label 7 is out of range"):
        step(ts, x, wrong)
    with pytest.raises(ValueError, match="last axis of x must be 5"):
        step(ts, x[:, :4], y)
    again = bits(*step(ts, x, y))
    assert again == bits(*loose.train_step(fnn.supervised(mlp(), fnn.cross_entropy), OPT, threads=2)(ts, x, y))


def test_the_context_of_the_caller_is_that_of_the_parts() -> None:
    def loss(w: Any, state: None, mode: fnn.Mode, x: Any) -> tuple[fnn.Scalar, None]:
        return np.mean(np.log(x * w)), state

    ts: Any = fnn.train_state(np.ones(1), None, OPT, fnn.key(0))
    step = loose.train_step(loss, OPT, threads=2)
    x = np.ones((4, 1))
    x[3] = 0
    with np.errstate(divide="ignore", invalid="ignore"):
        _, value = step(ts, x)
        assert value == -np.inf
        with fnn.debug_nans(), pytest.raises(FloatingPointError, match=r"np\.log gave -inf"):
            step(ts, x)


def of_options(p: Any, state: None, mode: fnn.Mode, x: Any, *, y: Any, power: Any = 2) -> tuple[fnn.Scalar, None]:
    return np.mean(np.abs(x @ p - np.asarray(y)) ** power), state


def test_keyword_arrays_are_cut_too_and_numbers_belong_to_every_part() -> None:
    opt = fnn.Sgd(1.0)
    ts: Any = fnn.train_state(np.ones(3), None, opt, fnn.key(0))
    x, y = np.arange(12.0).reshape(4, 3), np.arange(4.0)
    one, two = loose.train_step(of_options, opt), loose.train_step(of_options, opt, threads=2)
    for options in ({"y": y}, {"y": y, "power": 2.0}, {"y": y, "power": np.float64(2)}, {"y": y, "power": np.array(2.0)}):
        np.testing.assert_allclose(two(ts, x, **options)[0].params, one(ts, x, **options)[0].params, rtol=1e-12)
    with pytest.raises(TypeError, match=r"a batch is cut, and \[.*\] has no array; write np.asarray"):
        two(ts, x, y=y.tolist())


def test_an_empty_batch_is_one_part() -> None:
    def loss(w: Any, state: None, mode: fnn.Mode, x: Any) -> tuple[fnn.Scalar, None]:
        return np.sum(x @ w) + np.sum(w**2), state

    ts: Any = fnn.train_state(np.ones(3), None, fnn.Sgd(0.25), fnn.key(0))
    found, value = loose.train_step(loss, fnn.Sgd(0.25), threads=2)(ts, np.ones((0, 3)))
    assert value == 3
    np.testing.assert_array_equal(found.params, 0.5)


# Threads


def test_the_crew_gives_what_jobs_give_in_order_and_the_first_error() -> None:
    crew = Crew(2)

    def late(i: int) -> Callable[[], int]:
        def job() -> int:
            time.sleep(0.002 * (3 - i))
            return i

        return job

    for _ in range(20):
        assert crew.run([late(0), late(1), late(2)]) == [0, 1, 2]

    def fails(what: str) -> Callable[[], int]:
        def job() -> int:
            raise ValueError(what)

        return job

    with pytest.raises(ValueError, match="second"):
        crew.run([late(0), fails("second"), fails("third")])
    assert crew.run([late(0)]) == [0]
    assert crew.run([late(0), late(1)]) == [0, 1]


def test_after_a_fork_there_are_threads_again() -> None:
    crew = Crew(1)
    assert crew.run([lambda: 1, lambda: 2]) == [1, 2]
    crew._process = -1  # as a forked process finds it: the threads are the parent's
    assert crew.run([lambda: 3, lambda: 4]) == [3, 4]


def test_threads_end_with_the_step() -> None:
    before = set(threading.enumerate())
    parts = Parts(3)
    parts.mean(lambda *given: (np.float64(1), None, np.zeros(2), None), None, fnn.EVAL, [np.ones(6)], {})
    crew = set(threading.enumerate()) - before
    assert [thread.name for thread in crew] == ["fnn.train_step"] * 2
    assert all(thread.daemon for thread in crew)
    del parts
    gc.collect()
    for thread in crew:
        thread.join(10)
        assert not thread.is_alive()


def test_no_thread_keeps_a_batch_alive() -> None:
    step, _, x, _ = after_three_steps()
    gone = weakref.ref(x)
    del x
    gc.collect()
    for _ in range(500):
        if gone() is None:
            break
        time.sleep(0.01)
    assert gone() is None
    del step  # until here its threads were waiting


def test_no_error_keeps_a_batch_alive() -> None:
    model, opt = fnn.Dense(3, 3), fnn.Sgd(0.1)
    step, ts = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), opt, threads=2), fnn.start(model, opt, fnn.key(0))
    x = np.ones((4, 3), np.float32)
    gone = weakref.ref(x)
    gc.collect()
    gc.disable()  # not by its collector either
    try:
        with pytest.raises(ValueError, match="label 9"):
            step(ts, x, np.array([0, 1, 9, 0]))
        del x
        assert gone() is None
    finally:
        gc.enable()


def test_a_step_inside_of_its_own_loss_does_not_wait_for_itself() -> None:
    opt = fnn.Sgd(0.5)

    def loss(w: Any, state: None, mode: fnn.Mode, x: Any, depth: Any) -> tuple[fnn.Scalar, None]:
        if depth > 0:
            inner: Any = fnn.train_state(np.ones(3), None, opt, fnn.key(1))
            step(inner, x, depth - 1)
        return np.sum(x @ w), state

    step = loose.train_step(loss, opt, threads=2)
    ts: Any = fnn.train_state(np.ones(3), None, opt, fnn.key(0))
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(step(ts, np.ones((4, 3)), np.array(2))[1]), daemon=True)
    thread.start()
    thread.join(60)
    assert found == [6.0]


def test_threads_that_begin_at_the_same_time_make_one_crew(monkeypatch: pytest.MonkeyPatch) -> None:
    crew = Crew(1)
    begun: list[int] = []
    begin = Crew._begin

    def slowly(self: Crew) -> None:
        begun.append(1)
        time.sleep(0.05)
        begin(self)

    monkeypatch.setattr(Crew, "_begin", slowly)
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(crew.run([lambda: 1, lambda: 2]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[1, 2]] * 4
    assert begun == [1]


def test_steps_at_the_same_time_share_a_crew() -> None:
    model = mlp()
    loss: Any = fnn.supervised(model, fnn.cross_entropy)
    step = loose.train_step(loss, OPT, threads=2)

    def run(seed: int, out: dict[int, Any]) -> None:
        ts = start(model)
        x, y = batch(8 + seed)
        out[seed] = bits(*fnn.repeat(20, step, ts, x, y))

    expected: dict[int, Any] = {}
    for seed in range(3):
        run(seed, expected)
    found: dict[int, Any] = {}
    threads = [threading.Thread(target=run, args=(seed, found)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected
