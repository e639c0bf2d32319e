"""Laws of optimisers and of the train step, over the table of optimisers."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn
from fnn import optim
from fnn.testing import OPTIMIZER_LAWS, check_optimizer
from tests.laws.optimizers import OPTIMIZERS, OptimizerCase

seeds = st.integers(0, 2**32)
every_optimizer = pytest.mark.parametrize("case", OPTIMIZERS, ids=lambda case: case.name)


@dataclass(frozen=True)
class Net:
    first: fnn.DenseParams
    second: tuple[fnn.LinearParams, None]
    gain: fnn.Array


def net(seed: int, dtype: Any = np.float64) -> Net:
    rng = np.random.default_rng(seed)
    return fnn.tree.astype(
        Net(
            fnn.DenseParams(rng.normal(size=(3, 4)), rng.normal(size=4)),
            (fnn.LinearParams(rng.normal(size=(4, 2))), None),
            np.asarray(rng.normal()),
        ),
        dtype,
    )


@every_optimizer
def test_converges_on_a_parabola(case: OptimizerCase) -> None:
    target = np.linspace(-1, 1, 5)
    params = np.zeros(5)
    state = case.opt.init(params)
    for _ in range(600):
        params, state = fnn.update(case.opt, (params - target) * np.array([1, 2, 3, 4, 5.0]), state, params)
    np.testing.assert_allclose(params, target, atol=case.within)
    assert state.step == 600


@every_optimizer
def test_converges_on_a_gentle_rosenbrock_function(case: OptimizerCase) -> None:
    """(1 - x)^2 + 5 (y - x^2)^2, of curvature up to 5 near its valley: the rates are those for the parabola."""

    def gradient(p: Any) -> Any:
        return np.array([-2 * (1 - p[0]) - 20 * p[0] * (p[1] - p[0] ** 2), 10 * (p[1] - p[0] ** 2)]) / 10

    params = np.array([-1.2, 1.0])
    state = case.opt.init(params)
    for _ in range(1500):
        params, state = fnn.update(case.opt, gradient(params), state, params)
    assert (1 - params[0]) ** 2 + 5 * (params[1] - params[0] ** 2) ** 2 < case.valley


NAMED: list[fnn.Optimizer] = [
    fnn.Sgd(1e-3, momentum=0.9),
    fnn.Sgd(1e-3, momentum=0.9, nesterov=True),
    fnn.Adam(0.05),
    fnn.AdamW(0.05, weight_decay=1e-5),
    optim.Adamax(0.05),
    optim.AMSGrad(0.1),
    optim.NAdam(0.02),
    optim.ClipByGlobalNorm(1.0) >> optim.RAdam(0.02),
    optim.AdaBelief(0.05),
    optim.RMSprop(optim.Cosine(0.01, steps=4000)),
    optim.Adagrad(0.5),
    optim.Adadelta(optim.Cosine(10.0, steps=4000)),
    optim.Lion(optim.Cosine(0.01, steps=4000)),
    optim.Rprop(0.01),
]


@pytest.mark.parametrize("opt", NAMED, ids=lambda opt: type(opt).__name__)
def test_named_optimizers_find_the_minimum_of_rosenbrocks_function(opt: fnn.Optimizer) -> None:
    params = np.array([-1.2, 1.0])
    state = opt.init(params)
    for _ in range(4000):
        x, y = params
        grads = np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])
        params, state = fnn.update(opt, grads, state, params)
    x, y = params
    assert (1 - x) ** 2 + 100 * (y - x * x) ** 2 < 1e-2


@every_optimizer
def test_trains_a_small_net(case: OptimizerCase) -> None:
    x = np.linspace(-2, 2, 24, dtype=np.float32)[:, None]
    model = fnn.Dense(1, 8) >> fnn.tanh >> fnn.Dense(8, 1)
    step = fnn.train_step(fnn.supervised(model, fnn.mse), case.opt)
    losses = fnn.repeat(300, step, fnn.start(model, case.opt, fnn.key(0)), x, np.sin(x))[1]
    assert losses[-1] < 0.15 * losses[0]


@every_optimizer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_pickled_run_goes_on_with_the_same_bits_and_the_state_keeps_its_shapes(case: OptimizerCase, dtype: Any) -> None:
    straight = stopped = net(0, dtype)
    state = kept = case.opt.init(straight)
    opt, shapes = case.opt, fnn.tree.show(kept.slots)
    for i in range(9):
        grads = net(i + 1, dtype)
        straight, state = fnn.update(case.opt, grads, state, straight)
        stopped, kept = fnn.update(opt, grads, kept, stopped)
        opt, kept, stopped = pickle.loads(pickle.dumps((opt, kept, stopped)))
        assert fnn.tree.show(kept.slots) == shapes
    assert [leaf.tobytes() for leaf in fnn.tree.leaves((straight, state))] == [
        leaf.tobytes() for leaf in fnn.tree.leaves((stopped, kept))
    ]


def with_rate(case: OptimizerCase, rate: Any) -> fnn.Optimizer | None:
    """The optimiser with another learning rate, where it is a named one."""
    opt: Any = case.opt
    return replace(opt, learning_rate=rate) if "learning_rate" in opt.__dataclass_fields__ else None


named = [case for case in OPTIMIZERS if with_rate(case, 0.1)]


@pytest.mark.parametrize("case", named, ids=lambda case: case.name)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_schedule_is_the_learning_rate_of_each_step(case: OptimizerCase, dtype: Any) -> None:
    """A schedule takes the steps that an optimiser with its value would take; what is scaled is scaled."""
    schedule = optim.WarmUp(2, then=optim.ExponentialDecay(0.25, steps=1, factor=0.5), start=0.125)
    opt: Any = with_rate(case, schedule)
    params = net(0, dtype)
    state = opt.init(params)
    for step in range(5):
        assert state.learning_rate == schedule(step)
        fixed: Any = with_rate(case, schedule(0))
        # the same moments, and a rate that is a constant
        same = fixed.init(params)
        same = replace(same, step=state.step, slots={**state.slots, **{k: same.slots[k] for k in same.slots if "rate" in k}})
        same = same.scale_learning_rate(schedule(step) / schedule(0))
        expected = fnn.update(fixed, net(step + 1, dtype), same, params)[0]
        params, state = fnn.update(opt, net(step + 1, dtype), state, params)
        for p, q in zip(fnn.tree.leaves(params), fnn.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(p, q, rtol=1e-6 if dtype == np.float32 else 1e-14)


@every_optimizer
def test_the_learning_rate_is_read_and_scaled(case: OptimizerCase) -> None:
    params, grads = net(0), net(1)
    state = case.opt.init(params)
    before = state.learning_rate
    half = state.scale_learning_rate(0.5)
    assert half.learning_rate == before / 2
    assert half.scale_learning_rate(2.0).learning_rate == before
    assert state.learning_rate == before
    stopped, p = state.scale_learning_rate(0.0), params
    for _ in range(4):
        p, stopped = fnn.update(case.opt, grads, stopped, p)
        assert stopped.learning_rate == 0
    if case.name not in ("proximal L1",):
        assert fnn.tree.equal(p, params)


@every_optimizer
@given(seed=seeds)
def test_optimizers_keep_the_laws(case: OptimizerCase, seed: int) -> None:
    held = check_optimizer(case.opt, net(seed), seed=seed, skip=case.skip)
    assert held == tuple([law for law in OPTIMIZER_LAWS if law not in case.skip])


@every_optimizer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_new_leaves_are_read_only_and_moments_are_like_the_parameters(case: OptimizerCase, dtype: Any) -> None:
    params, grads = net(0, dtype), net(1, dtype)
    new, state = fnn.update(case.opt, grads, case.opt.init(params), params)
    moments = tuple([state.moment(name) for name in case.moments])
    assert not any(leaf.flags.writeable for leaf in fnn.tree.leaves((new, state, moments)))
    assert [fnn.tree.show(moment) for moment in moments] == [fnn.tree.show(params)] * len(moments)


def test_sgd_is_exactly_p_minus_learning_rate_times_g() -> None:
    params, grads = net(0, np.float32), net(1, np.float32)
    new = fnn.update(fnn.Sgd(0.1), grads, fnn.Sgd(0.1).init(params), params)[0]
    for p, g, q in zip(fnn.tree.leaves(params), fnn.tree.leaves(grads), fnn.tree.leaves(new), strict=True):
        np.testing.assert_array_equal(q, p - np.float32(0.1) * g)


def _run(opt: fnn.Optimizer, grads: list[float]) -> list[float]:
    params, path = np.array([1.0]), []
    state = opt.init(params)
    for g in grads:
        params, state = fnn.update(opt, np.array([g]), state, params)
        path.append(float(params[0]))
    return path


def test_update_rules_follow_their_formulas() -> None:
    grads = [0.5, -1.0, 2.0, 0.0, 0.3]
    p = v = 0.0

    p, v, expected = 1.0, 0.0, []
    for g in grads:
        v = 0.9 * v + g
        p -= 0.1 * v
        expected.append(p)
    np.testing.assert_allclose(_run(fnn.Sgd(0.1, momentum=0.9), grads), expected, rtol=1e-14)

    p, v, expected = 1.0, 0.0, []
    for g in grads:
        v = 0.9 * v + g
        p -= 0.1 * (g + 0.9 * v)
        expected.append(p)
    np.testing.assert_allclose(_run(fnn.Sgd(0.1, momentum=0.9, nesterov=True), grads), expected, rtol=1e-14)

    for decay, opt in ((0.0, fnn.Adam(0.1)), (0.3, fnn.AdamW(0.1, weight_decay=0.3))):
        p, m, n, expected = 1.0, 0.0, 0.0, []
        for t, g in enumerate(grads, 1):
            m = 0.9 * m + 0.1 * g
            n = 0.999 * n + 0.001 * g * g
            p = p - 0.1 * decay * p - 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(n / (1 - 0.999**t)) + 1e-8)
            expected.append(p)
        np.testing.assert_allclose(_run(opt, grads), expected, rtol=1e-12)


# The train step

MODEL = fnn.Dense(3, 8) >> fnn.BatchNorm(8) >> fnn.tanh >> fnn.Dropout(0.3) >> fnn.Dense(8, 2)


def batch(seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(6, 3)).astype(np.float32), rng.integers(0, 2, 6)


@every_optimizer
def test_train_step_is_value_and_grad_then_update(case: OptimizerCase) -> None:
    loss = fnn.supervised(MODEL, fnn.cross_entropy)
    step = fnn.train_step(loss, case.opt)
    ts = fnn.start(MODEL, case.opt, fnn.key(0))
    for i in range(3):
        mode = fnn.Train(ts.key.fold(i))

        def f(p: Any, ts: Any = ts, mode: Any = mode) -> Any:
            return loss(p, ts.state, mode, *batch())

        (value, state), grads = fnn.value_and_grad(f, has_aux=True)(ts.params)
        params, opt_state = fnn.update(case.opt, grads, ts.opt, ts.params)
        ts, found = step(ts, *batch())
        assert found == value
        assert fnn.tree.equal(ts, fnn.TrainState(params, state, opt_state, ts.key, i + 1))


@every_optimizer
def test_train_step_is_pure_whatever_it_was_called_with_before(case: OptimizerCase) -> None:
    step = fnn.train_step(fnn.supervised(MODEL, fnn.cross_entropy), case.opt)
    first = fnn.start(MODEL, case.opt, fnn.key(0))
    snapshot = pickle.dumps(first)
    second, a = step(first, *batch())
    third, _ = step(second, *batch(1))
    kept = pickle.loads(pickle.dumps((second, third)))
    other = replace(second, params=fnn.tree.map(lambda p: p * 2, second.params))
    step(other, *batch(2))
    again, b = step(first, *batch())
    assert a == b
    assert fnn.tree.equal(again, second)
    assert fnn.tree.equal(kept, (second, third))
    assert fnn.tree.equal(pickle.loads(snapshot), first)
    assert fnn.tree.equal(step(replace(second, params=again.params), *batch(1))[0], third)
    assert not any(leaf.flags.writeable for leaf in fnn.tree.leaves((first, second, third)))


def test_training_without_a_stop_and_resumed_from_a_pickle_give_the_same_bits() -> None:
    opt = fnn.Adam(0.01)
    loss = fnn.supervised(MODEL, fnn.cross_entropy)
    straight = fnn.start(MODEL, opt, fnn.key(3))
    stopped = straight
    one, two = fnn.train_step(loss, opt), fnn.train_step(loss, opt)
    for i in range(8):
        straight, a = one(straight, *batch(i))
        stopped, b = two(pickle.loads(pickle.dumps(stopped)), *batch(i))
        assert a == b
    assert fnn.tree.equal(straight, stopped)


def test_aux_comes_out_of_the_step_as_plain_read_only_values() -> None:
    def loss(p: fnn.Array1, s: None, mode: fnn.Mode, x: fnn.Array1) -> tuple[fnn.Scalar, tuple[None, dict[str, Any]]]:
        y = p * x
        return np.mean(y), (s, {"y": y, "n": 3})

    opt = fnn.Sgd(0.1)
    step = fnn.train_step(loss, opt, has_aux=True)
    _ts, (value, aux) = step(fnn.train_state(np.ones(2), None, opt, fnn.key(0)), np.array([1.0, 3.0]))
    assert value == 2.0
    np.testing.assert_array_equal(aux["y"], [1.0, 3.0])
    assert type(aux["y"]) is np.ndarray
    assert aux["n"] == 3


def test_the_gradient_of_a_step_belongs_to_the_state_before_it() -> None:
    def loss(p: fnn.Array1, s: fnn.Array1, mode: fnn.Mode) -> tuple[fnn.Scalar, fnn.Array1]:
        return np.sum(p * s), s + p

    opt = fnn.Sgd(1.0)
    step = fnn.train_step(loss, opt)
    ts, _ = fnn.repeat(2, step, fnn.train_state(np.array([1.0]), np.array([10.0]), opt, fnn.key(0)))
    # p: 1 -> 1 - 10 = -9 -> -9 - 11 = -20; s: 10 -> 11 -> 2
    assert (ts.params.tolist(), ts.state.tolist(), ts.step) == ([-20.0], [2.0], 2)
    assert not ts.state.flags.writeable


def test_runs_of_one_key_are_equal_and_of_another_differ() -> None:
    opt = fnn.Sgd(0.1)
    step = fnn.train_step(fnn.supervised(MODEL, fnn.cross_entropy), opt)
    runs = [fnn.repeat(5, step, fnn.start(MODEL, opt, fnn.key(k)), *batch())[1] for k in (0, 0, 1)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


# What an optimiser of one's own gives back


@dataclass(frozen=True)
class HeavyBall(fnn.Optimizer):
    """Momentum in its natural form: the step is the moment itself."""

    learning_rate: float

    def init_flat(self, params: fnn.Array1, segments: fnn.Segments, /) -> fnn.Slots:
        return {"velocity": np.zeros_like(params)}

    def update_flat(
        self, grads: fnn.Array1, slots: fnn.Slots, params: fnn.Array1, step: int, segments: fnn.Segments, /
    ) -> tuple[fnn.Array1, fnn.Slots]:
        velocity = 0.9 * slots["velocity"] - self.learning_rate * grads
        return velocity, {"velocity": velocity}


def test_a_step_that_is_also_the_moment_leaves_the_moment_as_it_is() -> None:
    params = np.array([1.0, 2.0])
    opt = HeavyBall(0.1)
    new, state = fnn.update(opt, params, opt.init(params), params)
    np.testing.assert_allclose(new, [0.9, 1.8])
    np.testing.assert_allclose(state.moment("velocity"), [-0.1, -0.2])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda p: -p, r"expected \(delta, slots\), got f64\[2\]"),
        (lambda p: ([0.0, 0.0], {}), "delta is .*expected a vector like the parameters"),
        (lambda p: (p[:1], {}), r"delta is f64\[1\], expected a vector like the parameters, f64\[2\]"),
        (lambda p: (p, {"more": p}), r"the moments are \['more'\], expected those of the state, \[\]"),
        (lambda p: (p, [p]), "the moments must be a dict of arrays by name"),
    ],
)
def test_what_an_optimiser_gives_is_checked(given: Any, message: str) -> None:
    class Odd(fnn.Optimizer):
        def init_flat(self, params: fnn.Array1, segments: fnn.Segments, /) -> fnn.Slots:
            return {}

        def update_flat(self, grads: Any, slots: Any, params: Any, step: int, segments: Any, /) -> Any:
            return given(params)

    params = np.ones(2)
    with pytest.raises((TypeError, ValueError), match=message):
        fnn.update(Odd(), params, Odd().init(params), params)


def test_parameters_exchanged_in_a_dict_are_those_of_the_next_step() -> None:
    def loss(p: dict[str, fnn.Array1], s: None, mode: fnn.Mode) -> tuple[fnn.Scalar, None]:
        return np.sum(p["w"] ** 2), s

    opt = fnn.Sgd(0.1)
    step = fnn.train_step(loss, opt)
    ts, _ = step(fnn.train_state({"w": np.ones(2)}, None, opt, fnn.key(0)))
    ts.params["w"] = np.full(2, 10.0)
    assert step(ts)[1] == 200.0


def test_a_state_of_another_kind_is_refused_where_it_is_returned() -> None:
    opt = fnn.Sgd(0.1)
    ts = fnn.train_state(np.ones(2), (np.ones(1), np.zeros(2)), opt, fnn.key(0))
    states: list[Any] = [None, ((np.ones(1), np.zeros(2)), "aux", 3), (np.ones(1, np.float32), np.zeros(2))]
    for state in states:

        def loss(p: Any, s: Any, mode: fnn.Mode, state: Any = state) -> Any:
            return np.sum(p), state

        with pytest.raises(TypeError, match=r"the loss returned the state .*has_aux=True"):
            fnn.train_step(loss, opt)(ts)
