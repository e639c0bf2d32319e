"""Laws of the way back without a tape: `pullback.bind` gives, bit for bit, what `fnn.vjp` of the forward gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn
from fnn.autodiff.primitive import unchecked_vjp
from fnn.layers import pullback
from fnn.layers.spec import Spec
from fnn.tree import Layout
from tests.laws.checks import like
from tests.laws.families.case import LayerCase
from tests.laws.registry import ACTIVATIONS, LAYERS, LOSSES, Activation, LossCase
from tests.laws.test_layers import both_modes, made

seeds = st.integers(0, 2**32)
dtypes = st.sampled_from([np.float32, np.float64])
loose: Any = fnn  # for calls that the types refuse


def bits(tree: Any) -> list[Any]:
    """Dtype, shape and bytes of every leaf: equal only where every bit is."""
    return [(leaf.dtype.str, leaf.shape, leaf.tobytes()) for leaf in fnn.tree.leaves(tree)]


def cast(tree: Any, dtype: Any) -> Any:
    """Floating leaves in this dtype, all leaves read-only: what a rule writes to by mistake raises."""
    return fnn.tree.freeze(fnn.tree.map(lambda a: a.astype(dtype if a.dtype.kind == "f" else a.dtype), tree))


def into_like(params: Any) -> tuple[Any, Any]:
    """A tree like params of views of one vector that begins at an odd place and is full of NaN; and the vector."""
    if not fnn.tree.leaves(params):
        return params, np.zeros(0)
    layout: Any = Layout.of("test", params)
    vector = np.full(layout.size + 1, np.nan, layout.dtype)[1:]
    return layout.unpack(vector), vector


def vjp(layer: Any, params: Any, state: Any, x: Any, mode: Any, wanted: bool, into: Any = None) -> Any:
    return pullback.bind(layer, into_like(params)[0] if into is None else into, wanted)(fnn.tree.leaves(params), state, x, mode)


def check_vjp(layer: Any, params: Any, state: Any, x: Any, mode: Any, wanted: bool, rng: np.random.Generator) -> None:
    """y and the new state are those of `forward`, the cotangents of params and x those of the tape."""
    expected, expected_state = layer.forward(params, state, x, mode)
    into, vector = into_like(params)
    y, after, pull = vjp(layer, params, state, x, mode, wanted, into)
    assert bits(y) == bits(expected)
    assert bits(after) == bits(expected_state)
    assert (after is state) == (expected_state is state)
    assert not any(leaf.flags.writeable for leaf in fnn.tree.leaves(after))
    g = cast(like(rng, y), y.dtype)
    dx = pull(g)
    trained = bool(fnn.tree.leaves(params))
    if wanted:
        by_tape = fnn.vjp(lambda both: layer.forward(both[0], state, both[1], mode)[0], (params, x))[1](g)
        assert bits(into) == bits(by_tape[0])
        assert bits(np.zeros_like(x) if dx is None else dx) == bits(by_tape[1])
        assert dx is None or not np.shares_memory(dx, vector)
    elif trained:
        assert bits(into) == bits(fnn.vjp(lambda p: layer.forward(p, state, x, mode)[0], params)[1](g))
    assert all(leaf.base is not None and leaf.base is vector.base for leaf in fnn.tree.leaves(into))


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.name)
@both_modes
@given(seed=seeds, dtype=dtypes, wanted=st.booleans())
def test_every_layer_of_the_table(case: LayerCase, mode: Any, seed: int, dtype: Any, wanted: bool) -> None:
    layer, params, state, x = made(case, seed)
    params, state, x = cast((params, state, x), dtype)
    single = isinstance(x, np.ndarray)
    y = layer.forward(params, state, x, mode)[0]
    if not isinstance(y, np.ndarray):
        with pytest.raises(TypeError, match="expected one array"):
            vjp(layer, params, state, x, mode, False)
        return
    wanted = wanted and single and x.dtype.kind == "f"
    check_vjp(layer, params, state, x, mode, wanted, np.random.default_rng(seed))


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: a.name)
@given(seed=seeds, dtype=dtypes, wanted=st.booleans(), size=st.sampled_from([(5,), (2, 3), (2, 3, 2), (70, 50), (3, 700, 20)]))
def test_every_activation(activation: Activation, seed: int, dtype: Any, wanted: bool, size: tuple[int, ...]) -> None:
    if "exact" in activation.name:
        size = size[:2] if len(size) < 3 else (2, 3, 2)  # it runs element by element
    rng = np.random.default_rng(seed)
    x = rng.normal(size=size) * rng.choice([0.1, 1, 30])
    x.flat[0], x.flat[1] = 0.0, -0.0
    if seed % 2:
        x = np.swapaxes(x, 0, -1)
    check_vjp(fnn.Function(activation.f), None, None, cast(x, dtype), fnn.EVAL, wanted, rng)


def test_which_activations_and_layers_need_no_tape(monkeypatch: pytest.MonkeyPatch) -> None:
    functions: list[Any] = [fnn.relu, fnn.sigmoid, fnn.tanh, fnn.softplus, fnn.gelu, fnn.silu]
    assert all(unchecked_vjp(f) for f in functions)
    monkeypatch.setattr(pullback, "Tape", None)
    monkeypatch.setattr("fnn.autodiff.transforms.Tape", None)
    x, mode = np.ones((2, 3), np.float32), fnn.Train(fnn.key(0))
    alone: list[Any] = [dense(), norm, fnn.Dropout(0.5), *map(fnn.Function, functions)]
    for layer in [*alone, loose.chain(alone), dense() >> loose.chain(alone)]:
        params, state = fnn.init(layer, fnn.key(0))
        y, _, pull = vjp(layer, params, state, x, mode, True)
        assert pull is not None
        assert pull(np.ones_like(y)).shape == x.shape
    with pytest.raises(TypeError, match="not callable"):  # this one has no rule
        vjp(fnn.LayerNorm(3), *fnn.init(fnn.LayerNorm(3), fnn.key(0)), x, mode, True)


def plain(case: LossCase) -> Any:
    """The criterion itself, where the table has it without options."""
    return case.f.func if isinstance(case.f, partial) and not case.f.keywords else case.f


@pytest.mark.parametrize("case", [case for case in LOSSES if unchecked_vjp(plain(case))], ids=lambda case: case.name)
@given(seed=seeds, dtype=dtypes, narrow=st.booleans())
def test_every_criterion_that_has_a_rule(case: LossCase, seed: int, dtype: Any, narrow: bool) -> None:
    rng = np.random.default_rng(seed)
    shape = (*rng.integers(1, 5, rng.integers(1, 3)).tolist(), 3)
    prediction = cast(case.prediction(rng, shape), dtype)
    target = cast(case.target(rng, shape), np.float32 if narrow else dtype)
    f = plain(case)
    rule: Any = unchecked_vjp(f)
    loss, pull = rule(prediction, target)
    expected, pullback_ = fnn.vjp(lambda p: f(p, target), prediction)
    assert type(loss) is type(expected)
    assert bits(loss) == bits(expected)
    for g in (loss.dtype.type(1), loss.dtype.type(rng.normal())):
        assert bits(pull(g)) == bits(pullback_(g))


def test_which_criteria_have_a_rule() -> None:
    criteria: list[Any] = [fnn.mse, fnn.mae, fnn.bce_with_logits, fnn.cross_entropy]
    assert all(unchecked_vjp(f) for f in criteria)
    assert {plain(case) for case in LOSSES if unchecked_vjp(plain(case))} == set(criteria)


@pytest.mark.parametrize("bad", [3, -1])
def test_the_rule_of_cross_entropy_checks_labels(bad: int) -> None:
    rule: Any = unchecked_vjp(fnn.cross_entropy)
    with pytest.raises(ValueError, match="label"):
        rule(np.zeros((2, 3)), np.array([0, bad]))


# Layers of a user


@dataclass(frozen=True, init=False, repr=False)
class Doubled(fnn.Dense[Any]):
    """Overrides forward alone: the parent's vjp is not its own."""

    def forward(self, params: Any, state: None, x: Any, mode: Any, /) -> Any:
        return 2 * super().forward(params, state, x, mode)[0], None


@dataclass(frozen=True, init=False, repr=False)
class Quadrupled(Doubled):
    """Overrides nothing."""


@dataclass(frozen=True, init=False, repr=False)
class Inherited(fnn.Dense[Any]):
    """Overrides nothing: has the parent's vjp."""


class Negated:
    """Stands in front of another class, whose forward it calls."""

    def forward(self, params: Any, state: Any, x: Any, mode: Any, /) -> Any:
        y, state = super().forward(params, state, x, mode)  # type: ignore[misc]  # a mixin
        return -y, state


class NegatedDropout(Negated, fnn.Dropout):
    """Mixed of two."""


class NegatedNorm(Negated, fnn.BatchNorm):
    """Mixed of two, with a state."""


class NegatedFunction(Negated, fnn.Function[Any, Any]):
    """Mixed of two: no `Function` to a chain."""


@dataclass(frozen=True)
class Scaled(fnn.Composable):
    """A layer with a vjp of its own, which counts."""

    calls: list[str]

    def init(self, key: fnn.Key, /) -> Any:
        return np.full(3, 1.5, np.float32), None

    def forward(self, params: Any, state: None, x: Any, mode: Any, /) -> Any:
        return x * params, None

    def vjp(self, params: Any, state: None, x: Any, mode: Any, wanted: bool, /) -> Any:
        self.calls.append("vjp")

        def pull(g: Any, into: Any) -> Any:
            into[...] = (g * x).sum(0)
            return g * params if wanted else None

        return x * params, None, pull


class Rescaled(Scaled):
    """Overrides both."""

    def forward(self, params: Any, state: None, x: Any, mode: Any, /) -> Any:
        return x / params, None

    def vjp(self, params: Any, state: None, x: Any, mode: Any, wanted: bool, /) -> Any:
        self.calls.append("rescaled")
        return pullback.by_tape(lambda p, x: (x / p, None), params, None, x, wanted)


@dataclass(frozen=True)
class Centred(fnn.Composable, Spec):
    """No parameters, but a state, of plain writable arrays: the last mean of x, and the first row of x itself."""

    def init(self, key: fnn.Key, /) -> Any:
        return None, (np.zeros(3, np.float32), np.zeros(3, np.float32))

    def forward(self, params: None, state: Any, x: Any, mode: Any, /) -> Any:
        plain = fnn.stop_gradient(x)
        return x - state[0], (plain.mean(0), plain[0]) if isinstance(mode, fnn.Train) else state


@dataclass(frozen=True)
class Weighed(fnn.Composable, Spec):
    """Parameters in a tuple with a number, and a state that is made of what is differentiated."""

    def init(self, key: fnn.Key, /) -> Any:
        return (np.float32(0.5), np.ones((3, 1), np.float32), None), np.zeros(3, np.float32)

    def forward(self, params: Any, state: Any, x: Any, mode: Any, /) -> Any:
        a, w, _ = params
        return a * x + fnn.matmul(x, w), np.mean(x * a, axis=0) if isinstance(mode, fnn.Train) else state


@dataclass(frozen=True)
class Nothing:
    """Parameters without a leaf: neither None nor an array."""

    def init(self, key: fnn.Key, /) -> Any:
        return (), None

    def forward(self, params: Any, state: None, x: Any, mode: Any, /) -> Any:
        return x * x, None


def weight(key: fnn.Key) -> Any:
    return np.arange(1, 4, dtype=np.float32)


def dense() -> Any:
    return fnn.Dense(3, 3)


ignores_params: Any = loose.layer(weight, lambda w, x: x * 2)
ignores_x: Any = loose.layer(weight, lambda w, x: w * np.ones(np.shape(fnn.stop_gradient(x)), np.float32))
is_params: Any = loose.layer(weight, lambda w, x: w)
stops: Any = fnn.stop_gradient
norm: Any = fnn.BatchNorm(3)

COMPOSED: dict[str, Callable[[], Any]] = {
    "nested": lambda: dense() >> (fnn.Function(fnn.tanh) >> (norm >> fnn.relu)),
    "nested twice": lambda: (dense() >> fnn.silu) >> (dense() >> (dense() >> fnn.Dropout(0.4))) >> norm,
    "nested without parameters first": lambda: loose.chain([fnn.Function(fnn.tanh) >> fnn.sigmoid, fnn.Dropout(0.3), dense()]),
    "no parameters": lambda: fnn.Function(fnn.tanh) >> fnn.sigmoid >> fnn.Dropout(0.3),
    "a function first": lambda: fnn.Function(fnn.relu) >> dense() >> fnn.relu,
    "a function without a rule": lambda: dense() >> np.exp >> dense() >> fnn.selu >> norm,
    "functions with options": lambda: dense() >> partial(fnn.gelu, approximate=False) >> (lambda x: fnn.leaky_relu(x, 0.3)),
    "ignores params": lambda: dense() >> ignores_params >> dense(),
    "ignores params, alone": lambda: ignores_params,
    "ignores x": lambda: dense() >> norm >> ignores_x >> dense(),
    "ignores x, alone": lambda: ignores_x,
    "gives its params": lambda: is_params,
    "stop_gradient": lambda: dense() >> norm >> stops >> dense() >> fnn.tanh,
    "stop_gradient first": lambda: fnn.Function(stops) >> dense(),
    "stop_gradient last": lambda: dense() >> (fnn.Function(fnn.tanh) >> stops),
    "stop_gradient in a nested chain": lambda: dense() >> (dense() >> fnn.relu >> stops >> norm) >> dense(),
    "identity": lambda: dense() >> fnn.identity >> dense() >> fnn.identity,
    "residual": lambda: fnn.residual(dense() >> norm >> fnn.relu) >> fnn.residual(fnn.residual(dense())),
    "stack": lambda: dense() >> fnn.stack(3, fnn.residual(dense() >> norm >> fnn.tanh)) >> dense(),
    "parallel": lambda: dense() >> fnn.parallel(dense(), dense() >> fnn.relu, fnn.Function(fnn.identity)) >> norm,
    "parallel, joined": lambda: fnn.parallel(dense(), norm, join="concatenate") >> fnn.Dense(6, 2),
    "frozen": lambda: fnn.frozen(dense() >> norm) >> dense(),
    "frozen behind": lambda: dense() >> fnn.frozen(dense() >> norm) >> fnn.relu,
    "frozen, all": lambda: fnn.frozen(dense() >> fnn.relu),
    "tied": lambda: dense() >> fnn.tied(dense(), norm >> fnn.tanh, lambda p, h: fnn.matmul(h, p.weight.T)) >> fnn.gelu,
    "overridden": lambda: Doubled(3, 3) >> fnn.relu >> Quadrupled(3, 3) >> Inherited(3, 3) >> NegatedDropout(0.3),
    "overridden, alone": lambda: Doubled(3, 2, bias=False),
    "overridden norm": lambda: dense() >> NegatedNorm(3),
    "overridden function": lambda: dense() >> NegatedFunction(fnn.tanh),
    "a rule of its own": lambda: Scaled([]) >> dense() >> Scaled([]) >> Rescaled([]),
    "a state without parameters": lambda: Centred() >> dense(),
    "a state without parameters behind": lambda: dense() >> Centred() >> norm,
    "a state of its own": lambda: dense() >> Weighed() >> norm,
    "no leaves": lambda: loose.chain([Nothing(), dense(), Nothing(), dense()]),
    "wide and bare": lambda: fnn.Dense(3, 40, bias=False) >> norm_of(40) >> fnn.silu >> fnn.Dense(40, 1),
}


def norm_of(n: int) -> Any:
    return fnn.BatchNorm(n, momentum=0.4, eps=1e-2)


@pytest.mark.parametrize("name", COMPOSED)
@both_modes
@given(seed=seeds, dtype=dtypes, wanted=st.booleans())
def test_every_composition(name: str, mode: Any, seed: int, dtype: Any, wanted: bool) -> None:
    rng = np.random.default_rng(seed)
    layer = COMPOSED[name]()
    params, state = fnn.init(layer, fnn.key(seed))
    params = fnn.tree.map(lambda p: p + 0.2 * rng.normal(size=p.shape), params)
    x = rng.normal(size=(int(rng.integers(2, 9)), 3))
    params, state, x = cast((params, state, x), dtype)
    check_vjp(layer, params, state, x, mode, wanted, rng)


def negated_relu(x: Any) -> Any:
    return -fnn.relu(x)


@dataclass(frozen=True)
class Inverse(fnn.Composable, Spec):
    """A layer that has a field named f, and does something else with it."""

    f: Callable[[Any], Any]

    def init(self, key: fnn.Key, /) -> Any:
        return None, None

    def forward(self, params: None, state: None, x: Any, mode: Any, /) -> Any:
        return -self.f(x), None


POOLED: dict[str, Callable[[], Any]] = {
    "relu": lambda: fnn.Conv1d(2, 3, 2) >> fnn.relu >> fnn.MaxPool1d(2) >> fnn.Dropout(0.3),
    "relu twice": lambda: fnn.Conv1d(2, 3, 2) >> fnn.relu >> fnn.relu >> fnn.MaxPool1d(2) >> fnn.MaxPool1d(2, stride=1),
    "overlapping": lambda: fnn.Conv1d(2, 3, 2) >> fnn.BatchNorm(3) >> fnn.relu >> fnn.MaxPool1d(3, stride=1) >> fnn.flatten,
    "relu first": lambda: fnn.Function(fnn.relu) >> fnn.MaxPool1d(2) >> fnn.Conv1d(2, 3, 2),
    "dropout between": lambda: fnn.Conv1d(2, 3, 2) >> fnn.Dropout(0.3) >> fnn.relu >> fnn.MaxPool1d(2) >> fnn.Dropout(0.3),
    "average": lambda: fnn.Conv1d(2, 3, 2) >> fnn.relu >> fnn.AvgPool1d(2),
    "nested": lambda: loose.Conv1d(2, 3, 2) >> (loose.Function(fnn.relu) >> fnn.MaxPool1d(2)) >> fnn.Conv1d(3, 2, 1),
    "overridden": lambda: fnn.Conv1d(2, 3, 2) >> NegatedFunction(fnn.relu) >> fnn.MaxPool1d(2),
    "overridden pool": lambda: fnn.Conv1d(2, 3, 2) >> fnn.relu >> NegatedPool(2),
    "a field of that name": lambda: fnn.Conv1d(2, 3, 2) >> Inverse(fnn.relu) >> fnn.MaxPool1d(2),
    "wrapped": lambda: fnn.Conv1d(2, 3, 2) >> wraps(fnn.relu)(negated_relu) >> fnn.MaxPool1d(2),
}


class NegatedPool(Negated, fnn.MaxPool1d):
    """Mixed of two: minus the maximum."""


@pytest.mark.parametrize("name", POOLED)
@both_modes
@given(seed=seeds, dtype=dtypes, wanted=st.booleans())
def test_activations_before_pooling(name: str, mode: Any, seed: int, dtype: Any, wanted: bool) -> None:
    rng = np.random.default_rng(seed)
    layer = POOLED[name]()
    params, state = cast(fnn.init(layer, fnn.key(seed)), dtype)
    x = rng.normal(size=(3, 8, 2))
    if seed % 2:
        x = x.round()  # ties, zeros, and negative zeros
    check_vjp(layer, params, state, cast(x, dtype), mode, wanted, rng)


@both_modes
@given(seed=seeds, wanted=st.booleans())
def test_over_time(mode: Any, seed: int, wanted: bool) -> None:
    rng = np.random.default_rng(seed)
    layer: Any = fnn.over_time(dense() >> fnn.BatchNorm(3) >> fnn.Dropout(0.2)) >> fnn.Dense(3, 2) >> fnn.BatchNorm(2)
    params, state = fnn.init(layer, fnn.key(seed))
    x = rng.normal(size=(2, 4, 3))
    check_vjp(layer, params, state, cast(x, np.float32), mode, wanted, rng)


def test_float64_parameters_with_float32_data() -> None:
    rng = np.random.default_rng(0)
    layer: Any = fnn.Function(fnn.tanh) >> dense() >> fnn.BatchNorm(3) >> fnn.relu >> dense()
    params, state = cast(fnn.init(layer, fnn.key(0)), np.float64)
    x = cast(rng.normal(size=(4, 3)), np.float32)
    for wanted in (False, True):
        check_vjp(layer, params, state, x, fnn.Train(fnn.key(1)), wanted, rng)


def test_a_cotangent_has_the_dtype_of_its_array_also_between_layers() -> None:
    narrow: Any = fnn.layer(weight, lambda w, x: (x * w).astype(np.float32))
    for middle in (narrow, dense() >> (lambda x: x.astype(np.float32)) >> fnn.sigmoid):
        rng = np.random.default_rng(0)
        layer: Any = fnn.chain([dense(), middle, fnn.tanh, dense()])
        params, state = cast(fnn.init(layer, fnn.key(0)), np.float64)
        check_vjp(layer, params, state, cast(rng.normal(size=(4, 3)), np.float64), fnn.Train(fnn.key(1)), True, rng)


def test_a_rule_of_its_own_is_what_runs() -> None:
    for cls, expected in ((Scaled, "vjp"), (Rescaled, "rescaled")):
        layer = cls([])
        params, state = fnn.init(layer, fnn.key(0))
        vjp(layer, params, state, np.ones((2, 3), np.float32), fnn.EVAL, True)
        assert layer.calls == [expected]


def test_a_function_in_front_of_a_chain_sees_plain_arrays_where_its_input_is_not_asked_for() -> None:
    called: list[bool] = []

    def f(x: Any) -> Any:
        called.append(isinstance(x, np.ndarray))
        return x * 2

    layer: Any = fnn.Function(f) >> dense()
    params, state = fnn.init(layer, fnn.key(0))
    vjp(layer, params, state, np.ones((2, 3), np.float32), fnn.EVAL, False)
    assert called == [True]


def test_the_cotangent_of_x_is_none_where_it_is_not_wanted_or_none_flows() -> None:
    x = np.ones((4, 3), np.float32)
    layers: list[tuple[Any, bool]] = [
        (dense(), False),
        (norm, False),
        (fnn.Function(fnn.tanh) >> dense(), False),
        (fnn.residual(dense()), False),
        (ignores_x, True),
        (dense() >> ignores_x >> dense(), True),
        (fnn.Function(stops) >> dense(), True),
    ]
    for layer, wanted in layers:
        params, state = fnn.init(layer, fnn.key(0))
        y, _, pull = vjp(layer, params, state, x, fnn.Train(fnn.key(0)), wanted)
        assert pull is not None
        assert pull(np.ones_like(y)) is None


def test_a_function_that_wraps_another_does_not_inherit_its_rule() -> None:
    @wraps(fnn.relu)
    def tripled(x: Any) -> Any:
        return 3 * fnn.relu(x)

    rng = np.random.default_rng(0)
    x = cast(rng.normal(size=(4, 3)), np.float64)
    check_vjp(fnn.Function(tripled), None, None, x, fnn.EVAL, True, rng)


def test_a_result_that_is_no_array_is_refused() -> None:
    for f in (lambda x: (x, x), lambda x: 3.0, lambda x: [x]):
        with pytest.raises(TypeError, match="expected one array"):
            vjp(fnn.Function(f), None, None, np.ones(3), fnn.EVAL, True)


def test_an_error_inside_leaves_no_open_tape() -> None:
    leaked: list[Any] = []

    def f(x: Any) -> Any:
        leaked.append(x)
        raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        vjp(fnn.Function(f), None, None, np.ones(3), fnn.EVAL, True)
    with pytest.raises(RuntimeError, match="after that function ended"):
        np.sum(leaked[0])
