"""Schedules: values at boundaries, PyTorch's figures, properties; and the plateau machine beside PyTorch's.

The figures are in tests/golden/schedules.json: `python -m tests.test_schedules` records them where PyTorch is installed.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from math import cos, inf, isnan, nan, pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn
from fnn import optim

GOLDEN = Path(__file__).parent / "golden" / "schedules.json"
STEPS = 30


@dataclass(frozen=True)
class ScheduleParity:
    """A schedule here, `theirs(lr_scheduler, optimizer)` there, and the steps at which they agree."""

    name: str
    ours: optim.Schedule
    theirs: Callable[[Any, Any], Any]
    steps: int = STEPS


CASES: list[ScheduleParity] = [
    ScheduleParity("constant", optim.Constant(0.5), lambda t, o: t.LambdaLR(o, lambda step: 1.0)),
    ScheduleParity("StepLR", optim.StepDecay(0.5, every=7, factor=0.3), lambda t, o: t.StepLR(o, 7, gamma=0.3)),
    ScheduleParity(
        "MultiStepLR",
        optim.Piecewise((0.5, 0.05, 0.005), boundaries=(4, 20)),
        lambda t, o: t.MultiStepLR(o, [4, 20], gamma=0.1),
    ),
    ScheduleParity("ExponentialLR", optim.ExponentialDecay(0.5, steps=1, factor=0.9), lambda t, o: t.ExponentialLR(o, 0.9)),
    ScheduleParity("LinearLR", optim.WarmUp(5, then=0.5, start=0.125), lambda t, o: t.LinearLR(o, 0.25, 1.0, total_iters=5)),
    ScheduleParity("PolynomialLR", optim.Polynomial(0.5, steps=12, power=2.0), lambda t, o: t.PolynomialLR(o, 12, power=2.0)),
    ScheduleParity(
        "CosineAnnealingLR", optim.Cosine(0.5, steps=20, end=0.01), lambda t, o: t.CosineAnnealingLR(o, 20, eta_min=0.01), 21
    ),
    ScheduleParity(
        "CosineAnnealingWarmRestarts",
        optim.Cosine(0.5, steps=7, restarts=True, end=0.1),
        lambda t, o: t.CosineAnnealingWarmRestarts(o, 7, eta_min=0.1),
    ),
    ScheduleParity(
        "CosineAnnealingWarmRestarts, growing",
        optim.Cosine(0.5, steps=4, restarts=True, growth=2),
        lambda t, o: t.CosineAnnealingWarmRestarts(o, 4, T_mult=2),
    ),
    ScheduleParity("OneCycleLR", optim.OneCycle(0.5, steps=STEPS), lambda t, o: t.OneCycleLR(o, 0.5, STEPS)),
    ScheduleParity(
        "OneCycleLR, other options",
        optim.OneCycle(0.5, steps=STEPS, warm=0.5, first_factor=10, last_factor=100),
        lambda t, o: t.OneCycleLR(o, 0.5, STEPS, pct_start=0.5, div_factor=10, final_div_factor=100),
    ),
    ScheduleParity(
        "SequentialLR",
        optim.Joined(
            (optim.WarmUp(5, then=0.5, start=0.25), optim.ExponentialDecay(0.5, steps=1, factor=0.8)), boundaries=(5,)
        ),
        lambda t, o: t.SequentialLR(o, [t.LinearLR(o, 0.5, 1.0, 5), t.ExponentialLR(o, 0.8)], [5]),
    ),
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)

# losses that stay, jump, fall within the threshold, and are no numbers
LOSSES = [1.0, 0.9, 0.9, 0.89999, 0.95, 0.8, 0.8, 0.8, 0.8, nan, 0.8, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.4, inf, 0.4, 0.4, 0.4]
PLATEAUS: dict[str, dict[str, Any]] = {
    "default": {},
    "patience": {"factor": 0.5, "patience": 2},
    "at once": {"factor": 0.5, "patience": 0},
    "cooldown": {"factor": 0.5, "patience": 1, "cooldown": 3},
    "threshold": {"factor": 0.5, "patience": 2, "threshold": 0.2},
    "maximize": {"factor": 0.5, "patience": 2, "maximize": True},
}


def theirs(torch: Any, case: ScheduleParity) -> list[float]:
    parameter = torch.zeros(1, requires_grad=True, dtype=torch.float64)
    opt = torch.optim.SGD([parameter], lr=0.5)
    schedule = case.theirs(torch.optim.lr_scheduler, opt)
    found = []
    for step in range(case.steps):
        found.append(opt.param_groups[0]["lr"])
        opt.step()
        if step + 1 < case.steps:
            schedule.step()
    return found


def their_plateau(torch: Any, options: dict[str, Any]) -> list[bool]:
    """After which losses the rate went down."""
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    rest = {name: value for name, value in options.items() if name != "maximize"}
    mode = "max" if options.get("maximize") else "min"
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, mode, eps=0, **rest)
    found = []
    for loss in LOSSES:
        before = opt.param_groups[0]["lr"]
        schedule.step(loss)
        found.append(opt.param_groups[0]["lr"] < before)
    return found


def our_plateau(options: dict[str, Any]) -> list[bool]:
    plateau = optim.ReduceOnPlateau(**options)
    found = []
    for loss in LOSSES:
        plateau = plateau.update(loss)
        found.append(plateau.reduced)
    return found


def figures(torch: Any) -> dict[str, Any]:
    return {
        "made with": f"PyTorch {torch.__version__}, python -m tests.test_schedules",
        "rates": {case.name: theirs(torch, case) for case in CASES},
        "reduced": {name: their_plateau(torch, options) for name, options in PLATEAUS.items()},
    }


def compare(found: dict[str, Any]) -> None:
    for case in CASES:
        ours = [case.ours(step) for step in range(case.steps)]
        np.testing.assert_allclose(ours, found["rates"][case.name], rtol=1e-12, atol=1e-15, err_msg=case.name)
    for name, options in PLATEAUS.items():
        assert our_plateau(options) == found["reduced"][name], name


def test_rates_are_the_recorded_ones() -> None:
    recorded = json.loads(GOLDEN.read_text())
    compare(recorded)
    assert all(any(recorded["reduced"][name]) for name in PLATEAUS if name != "default")


def test_rates_are_pytorchs() -> None:
    torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed; CI compares with recorded results instead")
    compare(figures(torch))


# Values at boundaries


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (optim.Constant(0.3), {0: 0.3, 10**9: 0.3}),
        (optim.StepDecay(1.0, every=10, factor=0.5), {0: 1, 9: 1, 10: 0.5, 19: 0.5, 20: 0.25}),
        (optim.StepDecay(1.0, every=1), {0: 1, 1: 0.1, 2: 0.01}),
        (optim.Piecewise((1.0, 0.1, 0.5), boundaries=(3, 5)), {0: 1, 2: 1, 3: 0.1, 4: 0.1, 5: 0.5, 99: 0.5}),
        (optim.Piecewise((0.2,), boundaries=()), {0: 0.2, 7: 0.2}),
        (optim.ExponentialDecay(1.0, steps=10, factor=0.25), {0: 1, 5: 0.5, 10: 0.25, 20: 0.0625}),
        (optim.ExponentialDecay(1.0, steps=1, factor=0.5, end=0.2), {0: 1, 2: 0.25, 3: 0.2, 9: 0.2}),
        (optim.InverseTime(1.0, decay=0.5), {0: 1, 2: 0.5, 6: 0.25}),
        (optim.InverseTime(1.0, decay=1.0, power=0.5), {0: 1, 3: 0.5, 99: 0.1}),
        (optim.Polynomial(1.0, steps=4, end=0.2), {0: 1, 1: 0.8, 4: 0.2, 9: 0.2}),
        (optim.Polynomial(1.0, steps=4, power=2.0), {0: 1, 2: 0.25, 4: 0}),
        (optim.Polynomial(0.0, steps=4, end=1.0), {0: 0, 3: 0.75, 4: 1}),
        (optim.Cosine(1.0, steps=4, end=0.5), {0: 1, 2: 0.75, 4: 0.5, 5: 0.5}),
        (
            optim.Cosine(1.0, steps=4, restarts=True),
            {0: 1, 2: 0.5, 3: (1 + cos(0.75 * pi)) / 2, 4: 1, 8: 1, 4 * 10**9 + 2: 0.5},
        ),
        (optim.Cosine(1.0, steps=4, restarts=True, growth=3), {0: 1, 4: 1, 10: 0.5, 16: 1, 34: 0.5, 52: 1}),
        (optim.WarmUp(4, then=optim.Cosine(1.0, steps=2)), {0: 0, 1: 0.25, 3: 0.75, 4: 1, 5: 0.5, 6: 0}),
        (optim.WarmUp(1, then=0.5, start=0.1), {0: 0.1, 1: 0.5, 2: 0.5}),
        (optim.OneCycle(1.0, steps=11, warm=2 / 11), {0: 0.04, 1: 1, 10: 4e-6, 99: 4e-6}),
        (optim.OneCycle(1.0, steps=5, warm=1.0), {0: 0.04, 4: 1, 9: 1}),
        (optim.OneCycle(1.0, steps=4, warm=0.0), {3: 4e-6}),
        (optim.OneCycle(1.0, steps=1), {0: 4e-6}),
        (
            optim.Joined((0.1, optim.StepDecay(1.0, every=2), lambda step: step), boundaries=(2, 5)),
            {0: 0.1, 1: 0.1, 2: 1, 4: 0.1, 5: 0, 7: 2},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_at_boundaries(schedule: optim.Schedule, expected: dict[int, float]) -> None:
    for step, rate in expected.items():
        made = schedule(step)
        assert made == pytest.approx(rate, rel=1e-12, abs=1e-15), f"at step {step}"


# Properties

rates = st.floats(1e-6, 10)
ends = st.floats(0, 1)
counts = st.integers(1, 50)


def within(schedule: Any, low: float, high: float) -> None:
    made = [schedule(step) for step in range(130)]
    assert all(type(rate) in (float, int) for rate in made)
    assert made == [pickle.loads(pickle.dumps(schedule))(step) for step in range(130)]
    assert min(made) >= low * (1 - 1e-12)
    assert max(made) <= high * (1 + 1e-12)
    assert hash(schedule) == hash(replace(schedule))
    assert schedule == replace(schedule)


@given(rate=rates, part=ends, steps=counts, power=st.floats(0.1, 4), growth=st.integers(1, 3), restarts=st.booleans())
def test_decays_stay_between_rate_and_end(
    rate: float, part: float, steps: int, power: float, growth: int, restarts: bool
) -> None:
    end = part * rate
    falling: list[Any] = [
        optim.Polynomial(rate, steps=steps, end=end, power=power),
        optim.Cosine(rate, steps=steps, end=end),
        optim.ExponentialDecay(rate, steps=steps, factor=part, end=end),
    ]
    for schedule in falling:
        within(schedule, end, rate)
        made = [schedule(step) for step in range(130)]
        assert made[0] == pytest.approx(rate)
        assert all(a >= b - 1e-12 * rate for a, b in pairwise(made))
        assert made[steps:] == pytest.approx([end] * (130 - steps))
    within(optim.Cosine(rate, steps=steps, end=end, restarts=restarts, growth=growth), end, rate)
    within(optim.InverseTime(rate, decay=part, power=power), 0, rate)
    within(optim.StepDecay(rate, every=steps, factor=part), 0, rate)


@given(rate=rates, steps=st.integers(4, 60), warm=st.floats(0.05, 0.95))
def test_one_cycle_goes_up_once_and_down_once(rate: float, steps: int, warm: float) -> None:
    schedule = optim.OneCycle(rate, steps=steps, warm=warm)
    within(schedule, rate / 25 / 1e4, rate)
    made = np.array([schedule(step) for step in range(steps)])
    top = int(np.argmax(made))
    assert (np.diff(made[: top + 1]) > 0).all()
    assert (np.diff(made[top:]) < 0).all()
    assert made[-1] == pytest.approx(rate / 25 / 1e4)


@given(rate=rates, steps=counts, start=ends)
def test_warm_up_meets_what_follows(rate: float, steps: int, start: float) -> None:
    then = optim.Cosine(rate, steps=20)
    schedule = optim.WarmUp(steps, then=then, start=start)
    within(schedule, 0, max(rate, start))
    assert schedule(0) == pytest.approx(start)
    assert [schedule(steps + step) for step in range(30)] == [then(step) for step in range(30)]
    # equal steps up to the join, it included
    np.testing.assert_allclose(
        np.diff([schedule(step) for step in range(steps + 1)]), (rate - start) / steps, rtol=1e-6, atol=1e-9
    )


@given(boundaries=st.lists(st.integers(1, 60), unique=True, max_size=4))
def test_joined_begins_each_schedule_at_its_own_step_0(boundaries: list[int]) -> None:
    cuts = sorted(boundaries)
    parts = [optim.InverseTime(1.0 + i, decay=0.1) for i in range(len(cuts) + 1)]
    schedule = optim.Joined(tuple(parts), boundaries=tuple(cuts))
    for i, (low, high) in enumerate(zip([0, *cuts], [*cuts, 80], strict=True)):
        assert [schedule(step) for step in range(low, high)] == [parts[i](step) for step in range(high - low)]


def test_a_list_of_rates_becomes_a_tuple_so_that_schedules_hash() -> None:
    rates: Any = [0.1, 0.2]
    cuts: Any = [3]
    assert hash(optim.Piecewise(rates, boundaries=cuts)) == hash(optim.Piecewise((0.1, 0.2), boundaries=(3,)))
    assert optim.Joined(rates, boundaries=cuts) == optim.Joined((0.1, 0.2), boundaries=(3,))


# The plateau machine


def test_a_plateau_is_a_value_and_lowers_the_rate_of_a_run() -> None:
    opt = fnn.Adam(optim.Constant(0.1))
    state = opt.init(np.ones(2))
    plateau = start = optim.ReduceOnPlateau(0.5, patience=1)
    for loss in (1.0, 1.0, 1.0, 1.0, 1.0):
        plateau = pickle.loads(pickle.dumps(plateau.update(loss)))
        if plateau.reduced:
            state = state.scale_learning_rate(plateau.factor)
    assert start == optim.ReduceOnPlateau(0.5, patience=1)
    assert state.learning_rate == 0.025
    assert plateau.best == 1.0


@given(losses=st.lists(st.floats(0.01, 10) | st.just(nan), max_size=40), patience=st.integers(0, 4), cooldown=st.integers(0, 3))
def test_reductions_are_at_least_patience_and_cooldown_apart(losses: list[float], patience: int, cooldown: int) -> None:
    plateau = optim.ReduceOnPlateau(patience=patience, cooldown=cooldown)
    reduced = []
    for i, loss in enumerate(losses):
        plateau = plateau.update(loss)
        if plateau.reduced:
            reduced.append(i)
    assert all(b - a > patience + cooldown for a, b in pairwise(reduced))
    numbers = [loss for loss in losses if not isnan(loss)]
    assert not numbers or plateau.best == pytest.approx(min(numbers), rel=2e-4)


def test_a_negative_best_needs_a_lower_value() -> None:
    plateau = optim.ReduceOnPlateau(threshold=0.1).update(-1.0)
    assert plateau.update(-1.05).best == -1.0
    assert plateau.update(-1.2).best == -1.2
    up = optim.ReduceOnPlateau(threshold=0.1, maximize=True).update(-1.0)
    assert up.update(-0.95).best == -1.0
    assert up.update(-0.8).best == -0.8


# What is wrong is told


def anything(thing: Any) -> Any:
    return thing


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: optim.Constant(-1.0), ValueError, "Constant: rate is -1.0, expected a number of at least 0"),
        (lambda: optim.Constant(anything("1")), TypeError, "Constant: rate is '1', a str"),
        (lambda: optim.StepDecay(1.0, every=0), ValueError, "StepDecay: every is 0, expected at least 1"),
        (lambda: optim.StepDecay(1.0, every=anything(2.5)), TypeError, "StepDecay: every is 2.5, a float, expected an int"),
        (lambda: optim.ExponentialDecay(1.0, steps=5, factor=-0.1), ValueError, "ExponentialDecay: factor is -0.1"),
        (lambda: optim.InverseTime(1.0, decay=-0.1), ValueError, "InverseTime: decay is -0.1"),
        (lambda: optim.Polynomial(1.0, steps=5, end=nan), ValueError, "Polynomial: end is nan"),
        (lambda: optim.Cosine(inf, steps=5), ValueError, "Cosine: rate is inf"),
        (lambda: optim.Cosine(1.0, steps=5, growth=0), ValueError, "Cosine: growth is 0"),
        (
            lambda: optim.Piecewise((1.0, 0.1), boundaries=(1, 2)),
            ValueError,
            "Piecewise: 2 rates and 2 boundaries, expected one boundary between",
        ),
        (
            lambda: optim.Piecewise((1.0, 0.1, 0.2), boundaries=(2, 2)),
            ValueError,
            r"Piecewise: the boundaries \(2, 2\) do not increase",
        ),
        (lambda: optim.Piecewise((1.0, -0.1), boundaries=(2,)), ValueError, "Piecewise: a rate is -0.1"),
        (lambda: optim.Piecewise((1.0, 0.1), boundaries=(0,)), ValueError, "Piecewise: a boundary is 0, expected at least 1"),
        (lambda: optim.Joined((1.0,), boundaries=(2,)), ValueError, "Joined: 1 schedules and 1 boundaries"),
        (
            lambda: optim.Joined((1.0, anything(optim.Cosine)), boundaries=(2,)),
            TypeError,
            "Joined: a schedule is the class Cosine",
        ),
        (lambda: optim.WarmUp(0, then=0.1), ValueError, "WarmUp: steps is 0"),
        (lambda: optim.WarmUp(5, then=-0.1), ValueError, "WarmUp: then is -0.1"),
        (lambda: optim.OneCycle(1.0, steps=5, warm=1.5), ValueError, "OneCycle: warm is 1.5"),
        (
            lambda: optim.OneCycle(1.0, steps=5, first_factor=0),
            ValueError,
            "OneCycle: first_factor and last_factor divide the rate",
        ),
        (lambda: optim.ReduceOnPlateau(1.0), ValueError, r"ReduceOnPlateau: factor is 1.0, expected a number in \[0, 1\)"),
        (lambda: optim.ReduceOnPlateau(patience=-1), ValueError, "ReduceOnPlateau: patience is -1"),
        (lambda: optim.ReduceOnPlateau(patience=anything(1.5)), TypeError, "ReduceOnPlateau: patience is 1.5, a float"),
        (
            lambda: optim.ReduceOnPlateau().update(anything([1.0])),
            TypeError,
            r"ReduceOnPlateau.update: the value is \[1.0\], a list",
        ),
    ],
)
def test_mistakes_are_told(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


if __name__ == "__main__":
    import torch  # type: ignore[import-not-found,unused-ignore]  # pyright: ignore[reportMissingImports]  # not in CI

    GOLDEN.write_text(json.dumps(figures(torch), indent=1) + "\n")
