"""A train step that runs by a plan is the step without one: the same bits, errors, notes and warnings, in any order of calls.

The step without a plan is made anew for every call: it remembers nothing, and the first step of its kind is never planned.
"""

from __future__ import annotations

import copy
import gc
import pickle
import re
import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial, wraps
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn
from fnn import specialise
from fnn.autodiff.primitive import elementary
from fnn.layers import pullback
from fnn.layers.spec import Spec
from fnn.training import plan as planning
from fnn.training.plan import Plan
from fnn.training.supervised import Supervised
from tests.laws.losses import (
    LOSSES,
    WEIGHTS,
    LossCase,
    class_labels,
    log_probabilities,
    rows_of_probabilities,
    unit,
)
from tests.laws.operations.case import away_from_zero, positive
from tests.laws.optimizers import OPTIMIZERS

seeds = st.integers(0, 2**32)
loose: Any = fnn  # for calls that the types refuse
TRAIN = fnn.key(7)


# What runs and what comes out


@pytest.fixture(autouse=True, params=["called", "written out"])
def written_out(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Every test twice: with plans as they were bound, and written out at their first run."""
    monkeypatch.setattr(specialise, "AFTER", 1 if request.param == "written out" else -1)
    return bool(request.param == "written out")


class Watched:
    """What the plans gave while this was watching: for each run a gradient vector, or None."""

    def __init__(self) -> None:
        self.runs: list[Any] = []
        self.plans: list[Plan] = []

    @property
    def planned(self) -> int:
        return sum(run is not None for run in self.runs)

    def spare(self) -> list[Any]:
        """The gradient vectors that the plans will write to again."""
        return [vector for plan in self.plans for *_, vector, _ in plan._spare]


@contextmanager
def watching() -> Iterator[Watched]:
    found = Watched()
    original = Plan.run

    def run(self: Plan, *args: Any) -> Any:
        made = original(self, *args)
        found.runs.append(None if made is None else made[1][2])
        if not any(self is plan for plan in found.plans):
            found.plans.append(self)
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plan, "run", run)
        yield found


def without_plan(model: Any, criterion: Any, opt: Any) -> Callable[..., Any]:
    """The same step that never plans and remembers nothing."""
    loss: Any = fnn.supervised(model, criterion)
    return lambda ts, *batch: loose.train_step(loss, opt)(ts, *batch)


def parts(ts: Any) -> tuple[Any, ...]:
    return ts.params, ts.state, dict(ts.opt.slots)


def bits(ts: Any, loss: Any = None) -> Any:
    """All of a result, in a form that is equal only where every bit is, and that shares no memory with it."""
    arrays = [(leaf.dtype.str, leaf.shape, leaf.tobytes()) for leaf in fnn.tree.leaves((parts(ts), loss))]
    return fnn.tree.flatten((ts.params, ts.state))[1], arrays, type(loss), ts.step, ts.opt.step, sorted(ts.opt.slots), ts.key


def check_read_only(ts: Any, found: Watched) -> None:
    """Nothing of a TrainState can be written to, or will be by the next step."""
    leaves = fnn.tree.leaves(parts(ts))
    assert not any(leaf.flags.writeable for leaf in leaves)
    assert not any(np.shares_memory(leaf, vector) for leaf in leaves for vector in found.spare())


# Nets, criteria, optimisers


@dataclass(frozen=True)
class Centred(fnn.Composable, Spec):
    """No parameters, but a state of plain writable arrays, one of them a view of x."""

    def init(self, key: fnn.Key, /) -> Any:
        return None, (np.zeros(3, np.float32), np.zeros(3, np.float32))

    def forward(self, params: None, state: Any, x: Any, mode: Any, /) -> Any:
        return x - state[0], (0.5 * np.mean(x, axis=0), x[0])


@dataclass(frozen=True)
class Tally(fnn.Composable, Spec):
    """A state that is made of parameters, and an integer that counts."""

    def init(self, key: fnn.Key, /) -> Any:
        return np.ones(3, np.float32), (np.zeros(3, np.float32), np.zeros((), np.int64))

    def forward(self, params: Any, state: Any, x: Any, mode: Any, /) -> Any:
        return x * params, (state[0] + params, state[1] + 1)


@dataclass(frozen=True)
class Scaled(fnn.Composable, Spec):
    """With a rule of its own, and a state that it leaves writable."""

    def init(self, key: fnn.Key, /) -> Any:
        return np.full(3, 1.5, np.float32), np.zeros(3, np.float32)

    def forward(self, params: Any, state: Any, x: Any, mode: Any, /) -> Any:
        return x * params, state + 1

    def vjp(self, params: Any, state: Any, x: Any, mode: Any, wanted: bool, /) -> Any:
        def pull(g: Any, into: Any) -> Any:
            into[...] = (g * x).sum(0)
            return g * params if wanted else None

        return x * params, state + 1, pull


def dense() -> Any:
    return fnn.Dense(3, 3)


def wave(key: fnn.Key) -> Any:
    return np.arange(1, 4, dtype=np.float32)


BODIES: dict[str, Callable[[], Any]] = {
    "mlp": lambda: fnn.Dense(3, 5) >> fnn.relu >> fnn.Dense(5, 3),
    "norm and dropout": lambda: fnn.Dense(3, 4) >> fnn.BatchNorm(4) >> fnn.relu >> fnn.Dropout(0.3) >> fnn.Dense(4, 3),
    "bare": lambda: fnn.Dense(3, 4, bias=False) >> fnn.gelu >> fnn.Dense(4, 3, bias=False),
    "functions": lambda: fnn.Function(fnn.tanh) >> fnn.Dropout(0.2) >> dense() >> np.sin >> dense() >> fnn.silu,
    "by tape": lambda: fnn.residual(dense() >> fnn.tanh) >> fnn.LayerNorm(3) >> fnn.stack(2, dense() >> fnn.BatchNorm(3)),
    "nested": lambda: dense() >> (dense() >> fnn.BatchNorm(3) >> fnn.softplus) >> (dense() >> fnn.Dropout(0.5)),
    "branches": lambda: dense() >> fnn.parallel(dense(), dense() >> fnn.sigmoid) >> fnn.frozen(dense() >> fnn.BatchNorm(3)),
    "tied": lambda: fnn.tied(dense(), fnn.relu >> fnn.BatchNorm(3), lambda p, h: fnn.matmul(h, p.weight.T)) >> dense(),
    "stopped": lambda: dense() >> fnn.BatchNorm(3) >> fnn.stop_gradient >> dense(),
    "ignored": lambda: dense() >> loose.layer(wave, lambda w, x: x * 2) >> dense(),
    "states": lambda: Centred() >> dense() >> Tally() >> dense(),
    "a rule of its own": lambda: dense() >> Scaled() >> fnn.relu >> dense(),
    "one layer": dense,
}

ENDS: dict[Any, Any] = {
    unit: fnn.sigmoid,
    positive: fnn.softplus,
    rows_of_probabilities: fnn.softmax,
    log_probabilities: fnn.log_softmax,
}


def _more(name: str, f: Any, target: Any = away_from_zero) -> LossCase:
    return LossCase(name, f, away_from_zero, target, f)  # the formula is not used here


_MORE: list[LossCase] = [
    _more("partial", partial(fnn.cross_entropy, label_smoothing=0.1), class_labels),
    _more("plain mse", fnn.mse),
    _more("plain mae", fnn.mae),
    _more("plain bce_with_logits", fnn.bce_with_logits, unit),
    _more("weights", partial(fnn.cross_entropy, class_weights=WEIGHTS), class_labels),
    _more("one column", lambda p, t: fnn.mse(p[:, :1], t[:, :1])),
    _more("plain NumPy", lambda p, t: np.mean(np.abs(p - t) ** 3)),
    _more("an array", lambda p, t: np.sum((p - t) ** 2, keepdims=True).reshape(())),
    _more("an array of einsum", lambda p, t: np.einsum("ij,ij->", p, t)),
    _more("no gradient", lambda p, t: np.mean(t * t)),
]
CRITERIA: list[LossCase] = [*LOSSES, *_MORE]


def model_for(body: str, case: LossCase) -> Any:
    end = ENDS.get(case.prediction)
    model = BODIES[body]()
    return model if end is None else model >> end


@dataclass(frozen=True)
class Keeps(fnn.Optimizer):
    """A user's optimiser that keeps what it makes of the gradient as a moment, without a copy."""

    kept: Callable[[Any], Any]

    def init_flat(self, params: Any, segments: Any, /) -> Any:
        return {"last": np.array(self.kept(np.zeros_like(params)))}

    def update_flat(self, grads: Any, slots: Any, params: Any, step: int, segments: Any, /) -> Any:
        kept = self.kept(grads)
        return -0.1 * grads - 0.01 * np.sum(slots["last"]), {"last": kept}


@dataclass(frozen=True)
class Gives(fnn.Optimizer):
    """Adds the gradient itself to the parameters, and has no moments."""

    def init_flat(self, params: Any, segments: Any, /) -> Any:
        return {}

    def update_flat(self, grads: Any, slots: Any, params: Any, step: int, segments: Any, /) -> Any:
        return grads, slots


class Marked(np.ndarray[Any, Any]):
    """An array of a class of its own, whose views NumPy bases on one another."""


def strided(g: Any) -> Any:
    return np.lib.stride_tricks.as_strided(g, (2,), (g.itemsize,))


OPTS: list[Any] = [
    *[case.opt for case in OPTIMIZERS],
    Keeps(lambda g: g),
    Keeps(lambda g: g[:2]),
    Keeps(lambda g: g[1:][:3]),
    Keeps(lambda g: g.reshape(1, -1)[0, ::-1]),
    Gives(),
]


def batch_of(case: LossCase, n: int, seed: int, dtype: Any = np.float32) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3)).astype(dtype)
    target = case.target(rng, (n, 3))
    return x, target.astype(dtype) if target.dtype.kind == "f" else target


def start_of(model: Any, opt: Any, seed: int, dtype: Any = np.float32) -> Any:
    params, state = fnn.init(model, fnn.key(seed))
    floats = fnn.tree.map(lambda s: s.astype(dtype if s.dtype.kind == "f" else s.dtype), state)
    return fnn.train_state(fnn.tree.astype(params, dtype), floats, opt, fnn.key(seed))


def named(name: str) -> LossCase:
    return next(case for case in CRITERIA if case.name == name)


MSE, CE = named("plain mse"), named("cross_entropy, labels")


# The same bits


@pytest.mark.parametrize("case", CRITERIA, ids=lambda case: case.name)
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
def test_every_criterion(case: LossCase, dtype: Any) -> None:
    model, opt = model_for("norm and dropout", case), fnn.Adam(0.01)
    step, reference = fnn.train_step(fnn.supervised(model, case.f), opt), without_plan(model, case.f, opt)
    results = []
    ts = start_of(model, opt, 1, dtype)
    with watching() as found:
        for i in range(5):
            batch = batch_of(case, 4, i, dtype)
            expected = bits(*reference(ts, *batch))
            ts, loss = step(ts, *batch)
            assert bits(ts, loss) == expected
            check_read_only(ts, found)
            results.append((ts, loss, expected))
    # a criterion without a gradient is one that the plan does not suit
    assert found.planned == (0 if case.name == "no gradient" else 4)
    assert all(bits(ts, loss) == expected for ts, loss, expected in results)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
def test_every_body(body: str, dtype: Any) -> None:
    opt = fnn.Sgd(0.01, momentum=0.9)
    for case in (MSE, CE, named("partial")):
        model = model_for(body, case)
        step, reference = fnn.train_step(fnn.supervised(model, case.f), opt), without_plan(model, case.f, opt)
        ts = start_of(model, opt, 2, dtype)
        results = []
        with watching() as found:
            for i in range(5):
                x, target = batch_of(case, 4, i, dtype)
                expected = bits(*reference(ts, x, target))
                ts, loss = step(ts, x, target)
                assert bits(ts, loss) == expected
                x[...] = np.nan  # the batch is the caller's again
                check_read_only(ts, found)
                results.append((ts, loss, expected))
        assert found.planned == 4
        assert all(bits(ts, loss) == expected for ts, loss, expected in results)


@pytest.mark.parametrize("number", range(len(OPTS)))
def test_every_optimizer(number: int) -> None:
    opt = OPTS[number]
    model = model_for("norm and dropout", CE)
    step, reference = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), opt), without_plan(model, fnn.cross_entropy, opt)
    ts = start_of(model, opt, 3)
    results = []
    with watching() as found:
        for i in range(7):
            batch = batch_of(CE, 4, i)
            expected = bits(*reference(ts, *batch))
            ts, loss = step(ts, *batch)
            assert bits(ts, loss) == expected
            check_read_only(ts, found)
            results.append((ts, loss, expected))
    assert found.planned == 6
    assert all(bits(ts, loss) == expected for ts, loss, expected in results)


@pytest.mark.parametrize(
    "kept",
    [strided, lambda g: g.view(Marked)[1:][:2].view(np.ndarray), lambda g: np.frombuffer(memoryview(g), g.dtype)],
    ids=["strided", "of another class", "of a memoryview"],
)
def test_a_moment_that_shares_memory_with_the_gradient_in_any_way_stays_as_it_is(kept: Callable[[Any], Any]) -> None:
    opt = Keeps(kept)
    model = model_for("mlp", MSE)
    step = fnn.train_step(fnn.supervised(model, fnn.mse), opt)
    ts = start_of(model, opt, 3)
    results = []
    with watching() as found:
        for i in range(5):
            ts, loss = step(ts, *batch_of(MSE, 4, i))
            results.append((ts, loss, bits(ts, loss)))
    assert found.planned == 4
    assert all(bits(ts, loss) == expected for ts, loss, expected in results)


Move = tuple[str, int, int]
MOVES = (
    ["step"] * 6 + ["other"] * 2 + ["rewind", "key", "params", "same params", "state", "same state", "opt", "strides", "twice"]
)
moves = st.lists(
    st.tuples(st.sampled_from(MOVES), st.sampled_from([4, 4, 4, 2, 5]), st.integers(0, 1000)), min_size=4, max_size=14
)


@given(
    body=st.sampled_from(sorted(BODIES)),
    case=st.sampled_from(CRITERIA),
    opt=st.sampled_from(OPTS),
    dtype=st.sampled_from([np.float32, np.float64]),
    moves=moves,
    seed=seeds,
)
def test_any_sequence_of_steps(body: str, case: LossCase, opt: Any, dtype: Any, moves: list[Move], seed: int) -> None:
    model = model_for(body, case)
    step, reference = fnn.train_step(fnn.supervised(model, case.f), opt), without_plan(model, case.f, opt)
    now = [start_of(model, opt, seed, dtype), start_of(model, opt, seed + 1, dtype)]
    results: list[Any] = []
    with watching() as found, np.errstate(all="ignore"):  # adding gradients diverges
        for move, n, number in moves:
            which = int(move == "other")
            ts = now[which]
            batch: Any = batch_of(case, n, number, dtype)
            match move:
                case "rewind":
                    ts = results[number % len(results)][0] if results else ts
                case "key":
                    ts = replace(ts, key=fnn.key(number))
                case "params":
                    ts = replace(ts, params=fnn.tree.map(lambda p: p * p.dtype.type(0.9), ts.params))
                case "same params":
                    ts = replace(ts, params=fnn.tree.map(np.copy, ts.params))
                case "state":
                    ts = replace(ts, state=fnn.tree.map(lambda s: s + s.dtype.type(1), ts.state))
                case "same state":
                    ts = replace(ts, state=fnn.tree.map(np.copy, ts.state))
                case "opt":
                    ts = replace(ts, opt=opt.init(ts.params))
                case "strides":
                    batch = tuple([np.asfortranarray(np.repeat(a, 2, 0))[::2] for a in batch])
            for _ in range(1 + (move == "twice")):
                expected = bits(*reference(ts, *batch))
                after, loss = step(ts, *batch)
                assert bits(after, loss) == expected
                check_read_only(after, found)
                results.append((after, loss, expected))
            now[which] = results[-1][0]
    for after, loss, expected in results:
        assert bits(after, loss) == expected
        check_read_only(after, found)


REPLACED: dict[str, Callable[[Any, Any], Any]] = {
    "params": lambda ts, opt: replace(ts, params=fnn.tree.map(lambda p: p * p.dtype.type(0.5), ts.params)),
    "equal params": lambda ts, opt: replace(ts, params=fnn.tree.map(np.copy, ts.params)),
    "state": lambda ts, opt: replace(ts, state=fnn.tree.map(lambda s: s + s.dtype.type(2), ts.state)),
    "equal state": lambda ts, opt: replace(ts, state=fnn.tree.map(np.copy, ts.state)),
    "key": lambda ts, opt: replace(ts, key=fnn.key(77)),
    "step": lambda ts, opt: replace(ts, step=40),
    "opt": lambda ts, opt: replace(ts, opt=opt.init(ts.params)),
    "opt and params": lambda ts, opt: replace(ts, opt=opt.init(ts.params), params=fnn.tree.map(np.copy, ts.params)),
}


@pytest.mark.parametrize("name", REPLACED)
@pytest.mark.parametrize("body", ["norm and dropout", "states"])
@pytest.mark.parametrize("rest", ["rebuilt", "the same objects"])
def test_a_part_that_is_replaced_is_what_the_next_steps_use(name: str, body: str, rest: str) -> None:
    model, opt = model_for(body, CE), fnn.Adam(0.01)
    step, reference, ts = after(3, model, CE, opt)
    new = REPLACED[name](ts, opt)
    if rest == "the same objects":  # `replace` makes every tree anew
        changed = {field: getattr(new, field) for field in name.replace("equal ", "").split(" and ")}
        new = object.__new__(fnn.TrainState)
        new.__dict__.update({**vars(ts), **changed})
    ts = new
    for i in range(3):
        batch = batch_of(CE, 4, i)
        expected = bits(*reference(ts, *batch))
        ts, loss = step(ts, *batch)
        assert bits(ts, loss) == expected


def test_batches_of_several_shapes_are_planned_each_from_its_second_on() -> None:
    model, opt = model_for("norm and dropout", CE), fnn.Adam(0.01)
    step, reference = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), opt), without_plan(model, fnn.cross_entropy, opt)
    ts = start_of(model, opt, 0)
    planned = []
    with watching() as found:
        for i, n in enumerate([4, 4, 4, 3, 4, 3, 2, 3]):
            batch = batch_of(CE, n, i)
            expected = bits(*reference(ts, *batch))
            ts, loss = step(ts, *batch)
            assert bits(ts, loss) == expected
            planned.append(found.planned)
    assert planned == [0, 1, 2, 2, 3, 4, 4, 5]


@dataclass(frozen=True)
class Remembers(fnn.Composable, Spec):
    """A state of the shape of the last batch."""

    def init(self, key: fnn.Key, /) -> Any:
        return None, np.zeros((1, 3), np.float32)

    def forward(self, params: None, state: Any, x: Any, mode: Any, /) -> Any:
        return x + 0.5 * np.mean(state, axis=0), x * 1


def test_what_is_known_of_batches_ends_where_the_state_has_another_shape() -> None:
    model: Any = Remembers() >> loose.Dense(3, 3)
    opt = fnn.Sgd(0.1)
    step, reference = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), opt), without_plan(model, fnn.cross_entropy, opt)
    ts, planned = start_of(model, opt, 0), []
    with watching() as found:
        for i, n in enumerate([4, 4, 4, 1, 1, 1, 3, 3, 3]):
            batch = batch_of(CE, n, i)
            expected = bits(*reference(ts, *batch))
            ts, loss = step(ts, *batch)
            assert bits(ts, loss) == expected
            planned.append(found.planned)
    assert planned == [0, 0, 1, 1, 1, 2, 2, 2, 3]
    # the state of the run, put in place of that of the last step, was checked with no batch
    other = replace(ts, state=start_of(model, opt, 0).state)
    assert other.params is ts.params
    with watching() as found:
        step(other, *batch_of(CE, 3, 0))
    assert found.runs == []


def test_what_goes_on_with_another_key_or_learning_rate_is_planned() -> None:
    model = model_for("norm and dropout", CE)
    step, reference, ts = after(3, model, CE, fnn.Adam(0.01))
    batch = batch_of(CE, 4, 0)
    changes: list[Callable[[Any], Any]] = [
        lambda ts: replace(ts, key=fnn.key(5)),
        lambda ts: replace(ts, opt=ts.opt.with_learning_rate(0.5)),
        lambda ts: replace(ts, step=70),
    ]
    for change in changes:
        other = change(ts)
        with watching() as found:
            assert bits(*step(other, *batch)) == bits(*reference(other, *batch))
        assert found.planned == 1
        ts, _ = step(ts, *batch)


def test_steps_do_not_remember_shapes_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["fnn.training.train_step"], "_MOST_SHAPES", 3)
    model, opt = model_for("norm and dropout", CE), fnn.Sgd(0.1)
    step, ts = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), opt), start_of(model, opt, 0)
    planned = []
    with watching() as found:
        for i, n in enumerate([2, 3, 4, 2, 5, 5, 2, 3, 2]):
            ts, _ = step(ts, *batch_of(CE, n, i))
            planned.append(found.planned)
    assert planned == [0, 0, 0, 1, 1, 2, 2, 2, 3]


def test_a_planned_step_refuses_a_state_of_the_optimiser_with_other_moments() -> None:
    model = model_for("norm and dropout", CE)
    step, reference, ts = after(3, model, CE, fnn.Sgd(0.1, momentum=0.9))
    batch = batch_of(CE, 4, 0)
    more = {**ts.opt.slots, "more": np.zeros(3, np.float32)}
    for slots, message in (({}, "the state has the moments .* and no"), (more, "the moments are .* expected those of the")):
        other = replace(ts, opt=replace(ts.opt, slots=slots))
        for f in (step, reference):
            with pytest.raises(ValueError, match=message):
                f(other, *batch)


@dataclass(frozen=True)
class Gain(fnn.optim.Transform):
    """Scales updates by a gain that a run may put into the state."""

    def init_flat(self, params: Any, segments: Any, /) -> Any:
        return {}

    def update_flat(self, grads: Any, slots: Any, params: Any, step: int, segments: Any, /) -> Any:
        return (grads * slots["gain"] if "gain" in slots else grads), slots


def test_a_moment_that_a_run_adds_is_seen_by_the_next_step() -> None:
    model = model_for("norm and dropout", CE)
    step, reference, ts = after(3, model, CE, Gain() >> fnn.Sgd(0.1))
    gain = np.full(ts.opt.layout.size, 10, np.float32)
    more = replace(ts, opt=replace(ts.opt, slots={**ts.opt.slots, "0.gain": gain}))
    batch = batch_of(CE, 4, 0)
    for _ in range(2):  # from what was replaced, and on from there
        expected = bits(*reference(more, *batch))
        more, loss = step(more, *batch)
        assert bits(more, loss) == expected


def test_what_is_planned_runs_without_tracers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every part has a rule, a planned step makes no tape."""
    model, opt = model_for("norm and dropout", CE), fnn.Adam(0.01)
    for case in (CE, MSE, named("plain mae"), named("plain bce_with_logits")):
        step = fnn.train_step(fnn.supervised(model, case.f), opt)
        ts, _ = step(start_of(model, opt, 0), *batch_of(case, 4, 0))
        with monkeypatch.context() as patch:
            patch.setattr(pullback, "Tape", None)
            patch.setattr("fnn.autodiff.transforms.Tape", None)
            assert step(ts, *batch_of(case, 4, 1))[0].step == 2


def test_float64_parameters_with_float32_data() -> None:
    model, opt = model_for("norm and dropout", MSE), fnn.Adam(0.01)
    narrow = loose.chain([dense(), lambda x: x.astype(np.float32), fnn.sigmoid, dense(), fnn.BatchNorm(3)])
    for net in (model, narrow):
        step, reference = fnn.train_step(fnn.supervised(net, fnn.mse), opt), without_plan(net, fnn.mse, opt)
        ts = start_of(net, opt, 0, np.float64)
        for i in range(4):
            batch = batch_of(MSE, 4, i, np.float32)
            expected = bits(*reference(ts, *batch))
            ts, loss = step(ts, *batch)
            assert bits(ts, loss) == expected


def test_tokens_of_integers() -> None:
    model: Any = fnn.Embedding(5, 4) >> fnn.LSTM(4, 3) >> fnn.last_step >> fnn.Dense(3, 3)
    opt = fnn.Adam(0.01)
    step, reference = (
        loose.train_step(fnn.supervised(model, fnn.cross_entropy), opt),
        without_plan(model, fnn.cross_entropy, opt),
    )
    ts = start_of(model, opt, 0)
    rng = np.random.default_rng(0)
    with watching() as found:
        for _ in range(4):
            batch = rng.integers(0, 5, (2, 6)), rng.integers(0, 3, 2)
            expected = bits(*reference(ts, *batch))
            ts, loss = step(ts, *batch)
            assert bits(ts, loss) == expected
    assert found.planned == 3


def test_a_criterion_that_wraps_another_does_not_inherit_its_rule() -> None:
    @wraps(fnn.mse)
    def tenfold(prediction: Any, target: Any) -> Any:
        return 10 * fnn.mse(prediction, target)

    model, opt = model_for("mlp", MSE), fnn.Sgd(0.01)
    step, reference = fnn.train_step(fnn.supervised(model, tenfold), opt), without_plan(model, tenfold, opt)
    ts = start_of(model, opt, 0)
    for i in range(3):
        batch = batch_of(MSE, 4, i)
        expected = bits(*reference(ts, *batch))
        ts, loss = step(ts, *batch)
        assert bits(ts, loss) == expected


# Errors and warnings


def outcome(step: Any, ts: Any, *batch: Any) -> Any:
    """The bits of the result, or the error with its notes (but for the line that calls the step); and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            told: Any = bits(*step(ts, *batch))
        except Exception as error:
            notes = [re.sub(r"at \S+:\d+: .*?; it", "at a line; it", note) for note in getattr(error, "__notes__", [])]
            told = type(error), str(error), notes
    return told, sorted([(w.category, str(w.message)) for w in caught], key=repr)


def after(n: int, model: Any, case: LossCase, opt: Any, criterion: Any = None) -> tuple[Any, Any, Any]:
    """A step that has been planned, the one without a plan, and the TrainState after n steps."""
    f = criterion or case.f
    step, reference = fnn.train_step(fnn.supervised(model, f), opt), without_plan(model, f, opt)
    ts = start_of(model, opt, 0)
    with watching() as found:
        for i in range(n):
            ts, _ = step(ts, *batch_of(case, 4, i))
    assert found.planned == n - 1
    return step, reference, ts


X, LABELS = batch_of(CE, 4, 99)
BAD: dict[str, tuple[Any, ...]] = {
    "label": (X, np.array([0, 1, 3, 0])),
    "negative label": (X, np.array([0, -1, 1, 0])),
    "label of another integer": (X, np.array([0, 1, 200, 0], np.uint8)),
    "floats for labels": (X, np.zeros(4, np.float32)),
    "fewer labels": (X, LABELS[:3]),
    "columns": (X[:, :2], LABELS),
    "rank": (X[0], LABELS),
    "dtype": (X.astype(np.float64), LABELS),
    "integers": (np.ones((4, 3), int), LABELS),
    "a list": (X.tolist(), LABELS),
    "labels in a list": (X, LABELS.tolist()),
    "one row": (X[:1], LABELS[:1]),
    "no target": (X,),
    "too many": (X, LABELS, LABELS),
    "nothing": (),
    "None": (None, None),
    "complex": (X.astype(complex), LABELS),
    "empty": (X[:0], LABELS[:0]),
}


@pytest.mark.parametrize("bad", BAD)
def test_an_error_is_that_of_the_step_without_a_plan_and_planning_goes_on(bad: str) -> None:
    model, opt = model_for("norm and dropout", CE), fnn.Adam(0.01)
    step, reference, ts = after(3, model, CE, opt)
    before = bits(ts)
    expected = outcome(reference, ts, *BAD[bad])
    assert outcome(step, ts, *BAD[bad]) == expected
    assert bits(ts) == before
    with watching() as found:
        for i in range(2):
            batch = batch_of(CE, 4, i)
            expected = outcome(reference, ts, *batch)[0]
            ts, loss = step(ts, *batch)
            assert bits(ts, loss) == expected
    assert found.planned == 2


@pytest.mark.parametrize("criterion", ["bce", "poisson_nll", "multi_margin", "nll", "cross_entropy, some ignored"])
def test_targets_of_bad_values(criterion: str) -> None:
    case = named(criterion)
    model, opt = model_for("mlp", case), fnn.Adam(0.01)
    step, reference, ts = after(3, model, case, opt)
    x, target = batch_of(case, 4, 5)
    for value in (-3, 7, np.nan) if target.dtype.kind == "f" else (-3, 7):
        worse = target.copy()
        worse.flat[-1] = value
        assert outcome(step, ts, x, worse) == outcome(reference, ts, x, worse)


def test_the_notes_of_an_error_in_a_layer_and_of_one_on_the_way_back() -> None:
    def fussy(x: Any) -> Any:
        if np.max(np.abs(fnn.stop_gradient(x))) > 50:
            raise ValueError("too large")
        return x * 2

    def forbid(g: Any, y: Any, x: Any) -> Any:
        if np.max(np.abs(fnn.stop_gradient(x))) > 50:
            raise ValueError("too large on the way back")
        return g

    strict: Any = elementary(lambda x: x + 0, forbid)
    ways: list[Any] = [fussy, strict, fnn.Function(fnn.tanh) >> strict >> fussy]
    for part in ways:
        model: Any = (
            fnn.Dense(3, 3, weight_init=fnn.initializers.ones) >> (loose.Function(fnn.identity) >> part) >> fnn.Dense(3, 3)
        )
        step, reference, ts = after(3, model, CE, fnn.Sgd(0.0))
        batch = X * np.float32(1e4), LABELS
        with watching() as found:
            told, caught = outcome(step, ts, *batch)
        assert len(found.runs) == 1
        assert (told, caught) == outcome(reference, ts, *batch)
        assert outcome(step, ts, X, LABELS) == outcome(reference, ts, X, LABELS)
        if part is fussy or part is strict:
            assert told[0] is ValueError
            assert told[2]


def test_warnings_are_the_same_and_come_as_often() -> None:
    def chatty(x: Any) -> Any:
        warnings.warn("a word", UserWarning, stacklevel=2)
        return x * 1

    model: Any = fnn.Dense(3, 4) >> chatty >> np.exp >> fnn.BatchNorm(4) >> fnn.Dense(4, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step, reference, ts = after(3, model, CE, fnn.Sgd(0.01))
        batches = [(X, LABELS), (X * np.float32(1e3), LABELS), (X * np.float32(np.inf), LABELS), (X, LABELS)]
        for batch in batches:
            expected = outcome(reference, ts, *batch)
            with watching() as found:
                assert outcome(step, ts, *batch) == expected
            assert found.planned == 1
            ts = step(ts, *batch_of(CE, 4, 0))[0]  # what is planned goes on from here


def test_warnings_before_an_error() -> None:
    """Both ways run into the error, so that what they warn of before comes once or twice."""
    model: Any = fnn.Dense(3, 4) >> np.exp >> fnn.Dense(4, 3)
    step, reference, ts = after(3, model, CE, fnn.Sgd(0.01))
    batch = X * np.float32(1e4), np.array([0, 1, 3, 0])
    (told, found), (expected, once) = outcome(step, ts, *batch), outcome(reference, ts, *batch)
    assert told == expected
    assert set(found) == set(once)


def test_warnings_as_errors() -> None:
    model: Any = fnn.Dense(3, 4) >> np.exp >> fnn.Dense(4, 3)
    step, reference, ts = after(3, model, CE, fnn.Sgd(0.01))
    bad = X * np.float32(1e4), LABELS

    def told(f: Any) -> tuple[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(RuntimeWarning) as caught:
                f(ts, *bad)
        return str(caught.value), getattr(caught.value, "__notes__", [])

    assert told(step) == told(reference)
    assert outcome(step, ts, X, LABELS) == outcome(reference, ts, X, LABELS)


def test_debug_nans_after_planned_steps_and_planning_goes_on_behind_it() -> None:
    opt: Any = fnn.Sgd(0.0)
    ones = fnn.Dense(3, 4, weight_init=fnn.initializers.ones)
    model: Any = (
        fnn.Function(np.abs) >> (lambda x: x * np.sign(np.max(x) - 100)) >> ones >> (lambda x: np.log(-x)) >> fnn.Dense(4, 3)
    )
    step, reference, ts = after(3, model, CE, opt)
    bad = X * np.float32(1e4), LABELS
    with np.errstate(all="ignore"):
        with fnn.debug_nans():
            expected, found = outcome(reference, ts, *bad), outcome(step, ts, *bad)
        assert found == expected
        assert found[0][0] is FloatingPointError
        assert "np.log gave" in found[0][1]
        for batch in (bad, (X, LABELS)):
            assert outcome(step, ts, *batch) == outcome(reference, ts, *batch)

    step, reference, ts = after(3, model_for("mlp", CE), CE, opt)
    with fnn.debug_nans(), watching() as watched:
        expected = outcome(reference, ts, X, LABELS)
        assert outcome(step, ts, X, LABELS) == expected
    assert watched.planned == 0
    with watching() as watched:
        for i in range(3):
            ts, _ = step(ts, *batch_of(CE, 4, i))
    assert watched.planned >= 2


# Layers and criteria that a plan does not suit


def pair(x: Any) -> Any:
    return x, 2 * x


def of_pair(both: Any) -> Any:
    return both[0] * both[1]


def _largest(x: Any) -> Any:
    return np.argmax(fnn.stop_gradient(x), axis=-1)


UNSUITED: dict[str, tuple[Callable[[], Any], Any]] = {
    "a pair in the middle": (lambda: dense() >> pair >> of_pair >> dense(), fnn.mse),
    "a pair at the end": (lambda: dense() >> pair, lambda p, t: fnn.mse(p[0], t) + fnn.mae(p[1], t)),
    "a pair in front": (lambda: loose.Function(pair) >> of_pair >> dense(), fnn.mse),
    "integers in the middle": (lambda: dense() >> _largest >> fnn.Embedding(3, 3), fnn.mse),
    "a list in the middle": (lambda: dense() >> (lambda x: [x, x]) >> (lambda xs: xs[0] + xs[1]) >> dense(), fnn.mse),
    "a loss of nothing": (dense, lambda p, t: np.float32(1)),
    "a loss of the target": (lambda: dense() >> fnn.relu >> dense(), lambda p, t: np.mean(t)),
}


@pytest.mark.parametrize("name", UNSUITED)
def test_what_the_plan_does_not_suit_trains_all_the_same(name: str) -> None:
    make, criterion = UNSUITED[name]
    model, opt = make(), fnn.Adam(0.01)
    step, reference = loose.train_step(loose.supervised(model, criterion), opt), without_plan(model, criterion, opt)
    ts = start_of(model, opt, 0)
    with watching() as found:
        for i in range(5):
            batch = batch_of(MSE, 4, i)
            expected = outcome(reference, ts, *batch)[0]
            ts, loss = step(ts, *batch)
            assert bits(ts, loss) == expected
    # in front of all parameters any value will do, and an embedding takes integers anywhere; else the plan is given up
    suits = name in ("a pair in front", "integers in the middle")
    assert found.planned == 4 if suits else (len(found.runs), found.planned) == (1, 0)


def test_a_prediction_whose_shape_depends_on_numbers() -> None:
    """A plan that does not check shapes would broadcast what the loss refuses."""

    def positives(x: Any) -> Any:
        return x[fnn.stop_gradient(x)[:, 0] > 0]

    model: Any = fnn.Function(positives) >> fnn.Dense(3, 2)
    for criterion in (fnn.mse, fnn.mae, fnn.bce_with_logits):
        opt = fnn.Sgd(0.01)
        step, reference = fnn.train_step(fnn.supervised(model, criterion), opt), without_plan(model, criterion, opt)
        ts = start_of(model, opt, 0)
        one, two = -np.ones((3, 3), np.float32), np.ones((3, 3), np.float32)
        one[2] = 1
        target = np.ones((1, 2), np.float32)
        for x in (one, one, two, one):
            expected = outcome(reference, ts, x, target)
            if x is two:
                assert outcome(step, ts, x, target) == expected
                continue
            ts, loss = step(ts, x, target)
            assert bits(ts, loss) == expected[0]


def test_a_state_of_another_kind_at_a_later_step_is_refused() -> None:
    @dataclass(frozen=True)
    class Drifts(fnn.Composable, Spec):
        def init(self, key: fnn.Key, /) -> Any:
            return np.ones(3, np.float32), np.zeros(1, np.float32)

        def forward(self, params: Any, state: Any, x: Any, mode: Any, /) -> Any:
            large = fnn.stop_gradient(x).max() > 50
            return x * params, np.zeros(1, np.float64) if large else state + 1

    model: Any = dense() >> Drifts()
    x, target = batch_of(MSE, 4, 0)
    for scale in (1, 1e4, -1e4):
        step, reference, ts = after(3, model, MSE, fnn.Sgd(0.0))
        batch = x * np.float32(scale), target
        assert outcome(step, ts, *batch) == outcome(reference, ts, *batch)


def test_a_criterion_that_fails_now_and_then(written_out: bool) -> None:
    calls = [0]
    failing: set[int] = set()

    def criterion(p: Any, t: Any) -> Any:
        calls[0] += 1
        if calls[0] in failing:
            raise ValueError(f"at {calls[0]}")
        return fnn.mse(p, t)

    model, opt = model_for("norm and dropout", MSE), fnn.Adam(0.01)
    step, reference = fnn.train_step(fnn.supervised(model, criterion), opt), without_plan(model, fnn.mse, opt)
    ts = start_of(model, opt, 0)
    for i in range(12):
        batch = batch_of(MSE, 4, i)
        expected = bits(*reference(ts, *batch))
        if i == 4:  # all ways
            failing.update(range(calls[0] + 1, calls[0] + (4 if written_out else 3)))
            with pytest.raises(ValueError, match="at"):
                step(ts, *batch)
        if i == 7:  # only the first of them
            failing.add(calls[0] + 1)
        ts, loss = step(ts, *batch)
        assert bits(ts, loss) == expected


def test_a_loss_of_another_kind_is_not_planned() -> None:
    """Keyword options, has_aux and plain functions go the ordinary way."""
    model, opt = model_for("mlp", MSE), fnn.Sgd(0.01)
    ts = start_of(model, opt, 0)
    supervised: Any = fnn.supervised(model, fnn.mse)

    def plain(params: Any, state: Any, mode: Any, x: Any, target: Any) -> Any:
        return supervised(params, state, mode, x, target)

    def with_aux(params: Any, state: Any, mode: Any, x: Any, target: Any, *, scale: float = 1.0) -> Any:
        loss, state = supervised(params, state, mode, x, target)
        return scale * loss, (state, {"scale": scale})

    with watching() as found:
        for step in (loose.train_step(plain, opt), loose.train_step(with_aux, opt, has_aux=True)):
            now = ts
            for i in range(3):
                now, _ = step(now, *batch_of(MSE, 4, i))
    assert found.runs == []


# Threads, nesting, interruption


def test_threads_give_the_bits_of_one_after_the_other() -> None:
    model, opt = model_for("norm and dropout", CE), Keeps(lambda g: g[:2])
    step = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), opt)

    def run(seed: int, results: list[Any]) -> None:
        ts = start_of(model, opt, seed)
        for i in range(40):
            ts, loss = step(ts, *batch_of(CE, 3 if i % 9 == 8 else 4, 100 * seed + i))
            results.append((ts, loss))

    alone: list[list[Any]] = [[] for _ in range(4)]
    together: list[list[Any]] = [[] for _ in range(4)]
    for seed in range(4):
        run(seed, alone[seed])
    with switching_often():
        threads = [threading.Thread(target=run, args=(seed, together[seed])) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for a, b in zip(alone, together, strict=True):
        assert [bits(*result) for result in a] == [bits(*result) for result in b]


@contextmanager
def switching_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def test_two_planned_steps_at_the_same_time() -> None:
    """Each waits for the other on the way forward, and again between its gradient and its update."""
    barrier = threading.Barrier(2)
    waits = [False]

    def meet() -> None:
        if waits[0]:
            barrier.wait(30)

    def criterion(p: Any, t: Any) -> Any:
        meet()
        return fnn.mse(p, t)

    @dataclass(frozen=True)
    class Meets(fnn.Optimizer):
        def init_flat(self, params: Any, segments: Any, /) -> Any:
            return {}

        def update_flat(self, grads: Any, slots: Any, params: Any, step: int, segments: Any, /) -> Any:
            meet()
            return -0.1 * grads, slots

    model, opt = model_for("norm and dropout", MSE), Meets()
    step, reference, ts = after(3, model, MSE, opt, criterion)
    batches = [batch_of(MSE, 4, 50), batch_of(MSE, 4, 51)]
    expected = [bits(*reference(ts, *batch)) for batch in batches]
    found: list[Any] = [None, None]

    def run(i: int) -> None:
        found[i] = step(ts, *batches[i])

    with watching() as watched:
        waits[0] = True
        threads = [threading.Thread(target=run, args=(i,)) for i in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        waits[0] = False
    assert watched.planned == 2
    a, b = watched.runs
    assert a is not b
    assert not np.shares_memory(a, b)
    assert [bits(*result) for result in found] == expected


def test_a_step_inside_the_loss_of_another() -> None:
    model, opt = model_for("norm and dropout", MSE), Keeps(lambda g: g)
    inside: dict[str, Any] = {"deep": True, "ts": start_of(model, opt, 5), "results": []}

    def criterion(p: Any, t: Any) -> Any:
        if not inside["deep"]:
            inside["deep"] = True
            for i in range(2):
                inside["ts"], loss = step(inside["ts"], *batch_of(MSE, 4, i))
                inside["results"].append((inside["ts"], loss, bits(inside["ts"], loss)))
            inside["deep"] = False
        return fnn.mse(p, t)

    step, reference = fnn.train_step(fnn.supervised(model, criterion), opt), without_plan(model, fnn.mse, opt)
    ts = start_of(model, opt, 0)
    for i in range(8):
        batch = batch_of(MSE, 4, 10 + i)
        expected = bits(*reference(ts, *batch))
        inside["deep"] = i % 3 != 2
        ts, loss = step(ts, *batch)
        assert bits(ts, loss) == expected
    assert len(inside["results"]) >= 4
    assert all(bits(now, loss) == before for now, loss, before in inside["results"])
    other = start_of(model, opt, 5)
    for i, (now, loss, _) in enumerate(inside["results"]):
        other, alone = reference(other, *batch_of(MSE, 4, i % 2))
        assert bits(other, alone) == bits(now, loss)


@pytest.mark.parametrize("where", ["forward", "backward"])
def test_an_interruption_is_passed_on_and_leaves_everything_as_it_was(where: str) -> None:
    interrupted = [""]

    def forward(x: Any) -> Any:
        if interrupted[0] == "forward":
            interrupted[0] = ""
            raise KeyboardInterrupt
        return x * 2

    def rule(g: Any, y: Any, x: Any) -> Any:
        if interrupted[0] == "backward":
            interrupted[0] = ""
            raise KeyboardInterrupt
        return g * 2

    model: Any = dense() >> elementary(forward, rule) >> dense()
    step, reference, ts = after(3, model, MSE, fnn.Adam(0.01))
    before = bits(ts)
    interrupted[0] = where
    with pytest.raises(KeyboardInterrupt):
        step(ts, *batch_of(MSE, 4, 0))
    assert bits(ts) == before
    with watching() as found:
        for i in range(3):
            batch = batch_of(MSE, 4, i)
            expected = bits(*reference(ts, *batch))
            ts, loss = step(ts, *batch)
            assert bits(ts, loss) == expected
    assert found.planned == 3


# Memory


def test_one_gradient_vector_serves_all_steps_unless_it_is_kept() -> None:
    model = model_for("norm and dropout", CE)
    for opt, distinct in ((fnn.Adam(0.01), 1), (Keeps(lambda g: g[:2]), 6)):
        step = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), opt)
        ts = start_of(model, opt, 0)
        kept = []
        with watching() as found:
            for i in range(7):
                ts, _ = step(ts, *batch_of(CE, 4, i))
                kept.append(ts)
        assert found.planned == 6
        assert len({id(vector) for vector in found.runs}) == distinct
        assert all(vector.dtype == np.float32 for vector in found.runs)


def test_a_net_of_another_size_gets_a_vector_of_its_own() -> None:
    """The layout belongs to the optimiser's state: one step function serves states of several."""
    opt = fnn.Adam(0.01)
    model: Any = fnn.layer(wave, lambda w, x: x * np.sum(w))
    step, reference = fnn.train_step(fnn.supervised(model, fnn.mse), opt), without_plan(model, fnn.mse, opt)
    for n, dtype in ((2, np.float32), (5, np.float32), (5, np.float64), (2, np.float32)):
        ts = loose.train_state(np.ones(n, dtype), None, opt, fnn.key(0))
        with watching() as found:
            for i in range(3):
                batch = batch_of(MSE, 4, i, dtype)
                expected = bits(*reference(ts, *batch))
                ts, loss = step(ts, *batch)
                assert bits(ts, loss) == expected
        assert found.planned == 2


@pytest.mark.parametrize("body", ["norm and dropout", "by tape", "functions"])
def test_neither_the_plan_nor_the_step_keeps_a_batch_alive(body: str) -> None:
    for case in (CE, named("huber"), named("no gradient")):
        model, opt = model_for(body, case), fnn.Adam(0.01)
        step = fnn.train_step(fnn.supervised(model, case.f), opt)
        ts = start_of(model, opt, 0)
        gc.collect()
        gc.disable()
        try:
            refs = []
            for i in range(4):
                x, target = batch_of(case, 4, i)
                refs += [weakref.ref(x), weakref.ref(target)]
                ts, _ = step(ts, x, target)
                del x, target
            alive = [ref() is not None for ref in refs]
        finally:
            gc.enable()
        assert not any(alive)
        assert ts.step == 4


def test_neither_an_error_keeps_a_batch_alive() -> None:
    model, opt = model_for("norm and dropout", CE), fnn.Adam(0.01)
    step, _, ts = after(3, model, CE, opt)
    x, target = batch_of(CE, 4, 0)
    target[0] = 9
    ref = weakref.ref(x)
    with pytest.raises(ValueError, match="label"):
        step(ts, x, target)
    del x
    gc.collect()
    assert ref() is None


def test_what_a_batch_is_known_by() -> None:
    a, b = np.zeros((2, 3), np.float32), np.zeros(2, np.int64)
    assert planning.shapes_of((a, b)) == ((2, 3), a.dtype, (2,), b.dtype)
    assert planning.shapes_of(()) == ()
    for other in (np.float32(1), [1.0], None, 1.0, a.view(Marked)):
        assert planning.shapes_of((a, other)) is None


# Found by a reader


class Penalised(Supervised):
    """A loss of its own that is made of a supervised one."""

    def __call__(self, params: Any, state: Any, mode: fnn.Mode, /, *batch: Any) -> tuple[fnn.Scalar, Any]:
        loss, state = super().__call__(params, state, mode, *batch)
        return loss + np.sum(params.weight**2), state


def planned_and_not(monkeypatch: pytest.MonkeyPatch, steps: Callable[[], Any]) -> tuple[Any, Any]:
    planned = steps()
    with monkeypatch.context() as patch:
        patch.setattr(planning.Plan, "run", lambda self, *rest: None)
        return planned, steps()


def test_a_subclass_of_the_loss_is_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def steps() -> list[fnn.Scalar]:
        opt = fnn.Sgd(0.1)
        step: Any = fnn.train_step(Penalised(fnn.Dense(3, 1), fnn.mse), opt)
        return fnn.repeat(4, step, fnn.start(fnn.Dense(3, 1), opt, fnn.key(0)), np.ones((4, 3), "f4"), np.ones((4, 1), "f4"))[1]

    planned, ordinary = planned_and_not(monkeypatch, steps)
    assert planned == ordinary


def test_another_layout_for_the_same_parameters_is_refused() -> None:
    opt = fnn.Sgd(0.1)

    def loss(w: fnn.Array2, state: None, mode: fnn.Mode, x: fnn.Array2) -> tuple[fnn.Scalar, None]:
        return np.mean((w - x) ** 2), state

    step = fnn.train_step(loss, opt)
    ts, _ = step(fnn.train_state(np.zeros((2, 3)), None, opt, fnn.key(0)), np.ones((2, 3)))
    with pytest.raises(ValueError, match="shape"):
        step(replace(ts, opt=opt.init(np.zeros((3, 2)))), np.ones((2, 3)))


def test_a_batch_norm_that_is_left_with_one_row_says_so() -> None:
    rows = [4]

    def first(x: fnn.Array2) -> fnn.Array2:
        return x[: rows[0]]

    model = fnn.Function(first) >> fnn.BatchNorm(3)
    opt = fnn.Sgd(0.1)

    def criterion(y: fnn.Array2, target: fnn.Array2) -> fnn.Scalar:
        return np.mean(y * target[: len(y)])

    step: Any = fnn.train_step(fnn.supervised(model, criterion), opt)
    x = np.random.default_rng(0).normal(size=(4, 3)).astype("f4")
    ts, _ = fnn.repeat(3, step, fnn.start(model, opt, fnn.key(0)), x, x)
    rows[0] = 1
    with pytest.raises(ValueError, match="batch_norm: x has shape"):
        step(ts, x, x)


def test_a_dense_layer_that_is_suddenly_given_float64_says_so() -> None:
    dtype = ["f4"]

    def cast(x: fnn.Array2) -> fnn.Array2:
        return x.astype(dtype[0])

    model = fnn.Function(cast) >> fnn.Dense(3, 1)
    opt = fnn.Sgd(0.1)
    step: Any = fnn.train_step(fnn.supervised(model, fnn.mse), opt)
    x, y = np.ones((4, 3), "f4"), np.ones((4, 1), "f4")
    ts, _ = fnn.repeat(3, step, fnn.start(model, opt, fnn.key(0)), x, y)
    dtype[0] = "f8"
    with pytest.raises(TypeError, match="float64"):
        step(ts, x, y)


@dataclass(frozen=True)
class Flipped(fnn.Function[Any, Any]):
    """relu and a change of sign, which does not commute with a maximum."""

    def forward(self, params: None, state: None, x: Any, mode: fnn.Mode, /) -> tuple[Any, None]:
        return -self.f(x), None

    def vjp(self, params: None, state: None, x: Any, mode: fnn.Mode, wanted: bool, /) -> Any:
        y, _, pull = super().vjp(params, state, x, mode, wanted)
        return -y, None, lambda g, into: pull(-g, into)


def test_only_relu_itself_runs_behind_max_pooling() -> None:
    model: Any = fnn.chain([Flipped(fnn.relu), fnn.MaxPool2d(2)])
    x = np.random.default_rng(0).normal(size=(1, 2, 2, 1))
    params, state = fnn.init(model, fnn.key(0))
    assert fnn.forward(model, params, state, x)[0] == fnn.max_pool2d(-fnn.relu(x), 2)


class KeepsItsStep(fnn.optim.ScaleByLearningRate):
    """Plain descent that keeps its step as a moment."""

    def init_flat(self, params: Any, segments: Any, /) -> Any:
        return {**super().init_flat(params, segments), "step": np.zeros_like(params)}

    def update_flat(self, grads: Any, slots: Any, params: Any, step: int, segments: Any, /) -> Any:
        delta, new = super().update_flat(grads, {"learning_rate": slots["learning_rate"]}, params, step, segments)
        return delta, {**new, "step": delta}


@pytest.mark.parametrize("opt", [KeepsItsStep(0.5), fnn.optim.ClipByGlobalNorm(100.0) >> KeepsItsStep(0.5)])
def test_an_inherited_promise_is_not_believed(opt: fnn.Optimizer) -> None:
    params, state = fnn.update(opt, np.array([1.0, 2.0]), opt.init(np.zeros(2)), np.array([3.0, 3.0]))
    np.testing.assert_array_equal(params, [2.5, 2.0])
    (name,) = [name for name in state.slots if name.endswith("step")]
    np.testing.assert_array_equal(state.slots[name], [-0.5, -1.0])


@dataclass(frozen=True)
class Listed:
    """A criterion that cannot be hashed."""

    weights: list[float]

    def __call__(self, y: Any, target: Any) -> Any:
        return self.weights[0] * fnn.mse(y, target)


def test_a_criterion_that_cannot_be_hashed_is_planned() -> None:
    opt = fnn.Sgd(0.1)
    loss: Any = fnn.supervised(fnn.Dense(3, 1), Listed([2.0]))
    ts = fnn.start(fnn.Dense(3, 1), opt, fnn.key(0))
    mode = fnn.Train(fnn.key(1))
    gradient = planning.gradient_of(loss)
    assert gradient is not None
    batch = np.ones((4, 3), "f4"), np.ones((4, 1), "f4")
    assert planning.Plan(gradient).run(ts.opt, fnn.tree.leaves(ts.params), ts.state, mode, *batch) is not None


@dataclass(frozen=True, repr=False)
class Spare(fnn.Function[Any, Any]):
    """Inherits the way back of a function, and has parameters that nothing reads."""

    def init(self, key: fnn.Key, /) -> Any:
        return np.ones(4, np.float32), None


def test_parameters_that_no_layer_reads_have_gradient_0() -> None:
    model: Any = loose.Dense(3, 4) >> Spare(fnn.relu) >> fnn.Dense(4, 2)
    opt = fnn.Sgd(0.5)
    x, y = np.ones((5, 3), "f4"), np.zeros((5, 2), "f4")
    np.full(4_096, np.nan, np.float32)  # what fresh memory may hold
    step = loose.train_step(fnn.supervised(model, fnn.mse), opt)
    ts: Any = fnn.start(model, opt, TRAIN)
    with watching() as found:
        for _ in range(4):
            ts, _ = step(ts, x, y)
    assert found.planned == 3
    np.testing.assert_array_equal(ts.params[1], 1)


def first_row_of_large(x: Any) -> Any:
    """A row for small numbers, all rows for large ones: its rank depends on values."""
    return x if np.max(x) > 1 else x[0]


def test_a_rank_that_depends_on_values_is_refused_as_without_a_plan() -> None:
    model: Any = fnn.Function(first_row_of_large) >> loose.Dense(3, 2)
    opt = fnn.Sgd(0.5)
    step = loose.train_step(fnn.supervised(model, lambda y, target: np.mean(y)), opt)
    ts: Any = fnn.start(model, opt, TRAIN)
    target = np.zeros(2, "f4")
    for _ in range(2):
        ts, _ = step(ts, np.full((4, 3), 2, "f4"), target)
    with pytest.raises(ValueError, match=r"dense: x has shape \(3,\)"):
        step(ts, np.ones((4, 3), "f4"), target)


def mean_of_large(y: Any, target: Any) -> Any:
    mean = np.mean(y)
    return mean if np.max(target) > 1 else np.reshape(mean, (1,))


def test_a_loss_that_becomes_an_array_is_refused_as_without_a_plan() -> None:
    model: Any = fnn.Dense(3, 2)
    opt = fnn.Sgd(0.5)
    step = loose.train_step(fnn.supervised(model, mean_of_large), opt)
    ts: Any = fnn.start(model, opt, TRAIN)
    x = np.ones((4, 3), "f4")
    for _ in range(2):
        ts, _ = step(ts, x, np.full(2, 2, "f4"))
    with pytest.raises((TypeError, ValueError), match="scalar"):
        step(ts, x, np.ones(2, "f4"))


def test_a_loss_is_pickled_and_copied_after_its_steps() -> None:
    model: Any = fnn.Dense(3, 2) >> fnn.tanh
    opt = fnn.Sgd(0.5)
    loss: Any = fnn.supervised(model, fnn.mse)
    step = fnn.train_step(loss, opt)
    ts: Any = fnn.start(model, opt, TRAIN)
    batch = np.ones((4, 3), "f4"), np.zeros((4, 2), "f4")
    for _ in range(2):
        ts, _ = step(ts, *batch)
    expected = bits(*step(ts, *batch))
    for again in (pickle.loads(pickle.dumps(loss)), copy.copy(loss), copy.deepcopy(loss)):
        assert again == loss
        assert bits(*loose.train_step(again, opt)(ts, *batch)) == expected


@dataclass(frozen=True)
class Weighted(Supervised):
    """A loss with a field of its own."""

    weight: float = 2.0


def test_a_loss_with_fields_of_its_own_keeps_them_in_pickle_and_copies() -> None:
    loss = Weighted(fnn.Dense(3, 2), fnn.mse, 5.0)
    loss.bind(fnn.init(loss.model, fnn.key(0))[0])  # what a step leaves behind is not part of the value
    for again in (pickle.loads(pickle.dumps(loss)), copy.copy(loss)):
        assert again == loss
        assert vars(again).keys() == {"model", "criterion", "weight"}


def test_a_layer_that_now_and_then_gives_no_pair_is_refused() -> None:
    @dataclass(frozen=True)
    class Pairs:
        def init(self, key: fnn.Key, /) -> Any:
            return np.ones(3, np.float32), None

        def forward(self, params: Any, state: None, x: Any, mode: Any, /) -> Any:
            return (x * params, None) if np.max(x) > 0 else [x * params, None]

    model: Any = loose.chain([Pairs(), fnn.identity])
    step = loose.train_step(fnn.supervised(model, fnn.half_mse), fnn.Sgd(0.1))
    ts: Any = fnn.start(model, fnn.Sgd(0.1), TRAIN)
    x = np.ones((2, 3), np.float32)
    for _ in range(3):
        ts, _ = step(ts, x, x)
    with pytest.raises(TypeError, match=r"forward must return \(y, state\)"):
        step(ts, -x, x)


def test_the_parameters_of_a_new_state_are_among_its_names() -> None:
    opt = fnn.Sgd(0.1)
    model: Any = fnn.Dense(3, 2)
    ts, _ = loose.train_step(fnn.supervised(model, fnn.mse), opt)(
        fnn.start(model, opt, TRAIN), np.ones((4, 3), "f4"), np.ones((4, 2), "f4")
    )
    assert "params" in dir(ts)
    assert "_leaves" not in dir(ts)
    assert isinstance(ts.params, fnn.DenseParams)
    with pytest.raises(AttributeError, match="has no attribute 'parms'"):
        _ = ts.parms
