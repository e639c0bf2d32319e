"""The state machines of a loop: early stopping, the k best, stop on NaN."""

from __future__ import annotations

import pickle
from math import inf, isnan, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn

model, opt = fnn.Dense(2, 2), fnn.Adam(0.1)
ts = fnn.start(model, opt, fnn.key(0))
loose: Any = fnn  # for calls that the types refuse
values = st.lists(st.one_of(st.integers(-5, 5).map(float), st.sampled_from([nan, inf, -inf])), max_size=30)


@given(values, st.integers(1, 4), st.sampled_from([0.0, 0.5, 2.0]), st.booleans())
def test_early_stopping_is_the_loop_by_hand(found: list[float], patience: int, min_delta: float, maximize: bool) -> None:
    machine = fnn.EarlyStopping(patience, -1, min_delta=min_delta, maximize=maximize)
    best, best_at, waited = None, -1, 0
    for i, value in enumerate(found):
        before = machine
        machine = machine.update(value, i)
        assert before.waited == waited
        better = not isnan(value) and (best is None or (value > best + min_delta if maximize else value < best - min_delta))
        if better:
            best, best_at, waited = value, i, 0
        else:
            waited += 1
        assert (machine.best, machine.best_state, machine.waited) == (best, best_at, waited)
        assert machine.stopped == (waited >= patience)


def test_better_is_by_more_than_min_delta() -> None:
    for sign, maximize in ((1, False), (-1, True)):
        machine = fnn.EarlyStopping(9, "a", min_delta=0.5, maximize=maximize).update(sign * 3.0, "b")
        assert machine.update(sign * 2.5, "c").best_state == machine.update(sign * 3.25, "c").best_state == "b"
        assert machine.update(sign * 2.25, "c").best_state == "c"


def test_early_stopping_waits_just_as_long_and_restores_the_best() -> None:
    machine = fnn.EarlyStopping(2, ts)
    other = fnn.start(model, opt, fnn.key(1))
    machine = machine.update(np.float32(1.0), other).update(1.0, ts)
    assert not machine.stopped
    machine = machine.update(2.0, ts)
    assert machine.stopped
    assert machine.best_state is other
    assert type(machine.best) is float
    again = pickle.loads(pickle.dumps(machine))
    assert (again.best, again.waited, again.patience) == (1.0, 2, 2)


@given(values, st.integers(1, 4), st.booleans())
def test_keep_best_is_sorting(found: list[float], k: int, maximize: bool) -> None:
    kept = fnn.KeepBest(k, -1, maximize=maximize)
    for i, value in enumerate(found):
        kept = kept.update(value, i)
    pairs = [(value, i) for i, value in enumerate(found) if not isnan(value)]
    expected = sorted(pairs, key=lambda pair: (-pair[0] if maximize else pair[0], pair[1]))[:k]
    assert kept.entries == tuple(expected)
    assert kept.states == tuple(i for _, i in expected)


def test_stop_on_nan_says_where() -> None:
    guard = fnn.StopOnNan()
    assert guard.update(0.5, ts) is guard
    loss = guard.update(nan, ts)
    assert (loss.stopped, loss.step) == (True, 0)
    assert loss.message.startswith("after step 0 the loss is nan: run that step again inside `with fnn.debug_nans():`")
    weight = ts.params.weight.copy()
    weight[1, 0] = inf
    bad = fnn.TrainState(fnn.DenseParams(weight, ts.params.bias), None, ts.opt, ts.key, 7)
    found = guard.update(0.5, bad)
    assert found.step == 7
    assert "params.weight has 1 of 4 entries that are not finite, first at [1, 0] of f32[2,2]: run" in found.message
    assert found.update(0.5, ts) is found.update(nan, ts) is found
    slots = {name: np.full_like(slot, nan) for name, slot in ts.opt.slots.items()}
    everything = fnn.TrainState(bad.params, None, fnn.OptState(0, slots, ts.opt.layout, "Adam"), ts.key, 7)
    assert guard.update(inf, everything).message.startswith("after step 7 the loss is inf, params.weight ")
    assert " more: run" in guard.update(inf, everything).message


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: loose.EarlyStopping(0, ts), ValueError, "EarlyStopping: patience is 0"),
        (lambda: loose.EarlyStopping(1, ts, min_delta=-1), ValueError, "EarlyStopping: min_delta is -1"),
        (lambda: loose.EarlyStopping(1, ts).update("low", ts), TypeError, "EarlyStopping.update: the value is 'low'"),
        (lambda: loose.KeepBest(0, ts), ValueError, "KeepBest: k is 0"),
        (lambda: loose.KeepBest(1, ts).update(None, ts), TypeError, "KeepBest.update: the value is None"),
    ],
)
def test_errors(call: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_the_k_best_are_always_as_many_arrays() -> None:
    kept = start = fnn.KeepBest(3, ts)
    assert kept.entries == kept.states == ()
    assert [state is ts for _, state in kept.places] == [True] * 3
    for value in (1.0, nan, 0.5, inf, 2.0):
        kept = kept.update(value, fnn.start(model, opt, fnn.key(1)))
        assert len(fnn.tree.leaves(kept)) == len(fnn.tree.leaves(start)) == 3 * len(fnn.tree.leaves(ts))
    assert [value for value, _ in kept.entries] == [0.5, 1.0, 2.0]
    again = pickle.loads(pickle.dumps(kept))
    assert again == kept
    assert again.update(0.1, ts).entries[0] == (0.1, ts)
