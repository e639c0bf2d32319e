"""forward in evaluation with the same parameters again: what is remembered changes no bit, and is never out of date."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import fnn
from fnn.layers import evaluation
from tests.laws.registry import ACTIVATIONS, Activation

loose: Any = fnn  # for calls that the types refuse


def bits(y: Any) -> Any:
    return [(leaf.dtype.str, leaf.shape, leaf.tobytes()) for leaf in fnn.tree.leaves(y)]


def ordinary(layer: Any, params: Any, state: Any, x: Any) -> Any:
    """Without anything that is remembered."""
    return layer.forward(params, state, x, fnn.EVAL)[0]


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: a.name)
def test_every_activation_in_a_chain(activation: Activation) -> None:
    model: Any = loose.Dense(3, 40) >> activation.f >> fnn.Dense(40, 2)
    params, state = fnn.init(model, fnn.key(0))
    for rows in (1, 30, 100, 30):
        x = np.random.default_rng(rows).normal(size=(rows, 3)).astype(np.float32)
        assert bits(fnn.forward(model, params, state, x)[0]) == bits(ordinary(model, params, state, x))


def net() -> Any:
    body = fnn.Dense(8, 8) >> fnn.tanh
    return loose.Dense(3, 8) >> fnn.BatchNorm(8) >> fnn.relu >> fnn.Dropout(0.5) >> body >> fnn.Dense(8, 2)


def trained() -> tuple[Any, Any, Any, Any]:
    """A net whose running statistics are not those of the beginning."""
    model = net()
    step = loose.train_step(fnn.supervised(model, fnn.mse), fnn.Adam(0.1))
    ts: Any = fnn.start(model, fnn.Adam(0.1), fnn.key(0))
    x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    for _ in range(3):
        ts, _ = step(ts, x, np.ones((6, 2), np.float32))
    return model, ts.params, ts.state, x


class Counted:
    """How often evaluators were made and run."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.made = self.run = 0
        make, run = evaluation.evaluator_of, evaluation.Evaluations.run

        def making(*args: Any) -> Any:
            self.made += 1
            return make(*args)

        def running(*args: Any) -> Any:
            y = run(*args)
            self.run += y is not None
            return y

        patch.setattr(evaluation, "evaluator_of", making)
        patch.setattr(evaluation.Evaluations, "run", running)


def test_it_is_used_from_the_third_time_on_for_any_number_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    model, params, state, x = trained()
    counted = Counted(monkeypatch)
    for i, rows in enumerate([6, 6, 6, 3, 1, 6]):
        y, after = fnn.forward(model, params, state, x[:rows])
        assert bits(y) == bits(ordinary(model, params, state, x[:rows]))
        assert after is state
        assert counted.run == max(0, i - 1)
    assert fnn.predict(model, params, state, x[:0]).shape == (0, 2)
    assert counted.run == 4


def test_other_parameters_or_another_state_are_what_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    model, params, state, x = trained()
    others = fnn.tree.freeze(fnn.tree.map(lambda a: a + 1, params))
    another = fnn.tree.freeze(fnn.tree.map(lambda a: a + 1, state))
    for p, s in ((params, state), (others, state), (params, another), (params, state)):
        for _ in range(4):
            assert bits(fnn.forward(model, p, s, x)[0]) == bits(ordinary(model, p, s, x))


def test_equal_models_share_nothing() -> None:
    model, params, state, x = trained()
    for _ in range(3):
        fnn.forward(model, params, state, x)
    assert net() == model
    assert "_evaluations" not in vars(net())


@dataclass(frozen=True)
class Plain:
    """A layer with parameters that a user can write to."""

    def init(self, key: fnn.Key, /) -> Any:
        return np.ones(3, np.float32), None

    def forward(self, params: Any, state: Any, x: Any, mode: Any, /) -> Any:
        return x * params, state

    def evaluator(self, params: Any, state: Any, /) -> Any:
        kept = params.copy()
        return lambda x: x * kept


@dataclass(frozen=True)
class Listed:
    """A layer with a list of parameters, in which a user may put another."""

    def init(self, key: fnn.Key, /) -> Any:
        return [np.ones(3, np.float32)], None

    def forward(self, params: Any, state: Any, x: Any, mode: Any, /) -> Any:
        return x * params[0], state

    def evaluator(self, params: Any, state: Any, /) -> Any:
        kept = params[0].copy()
        return lambda x: x * kept


def test_what_can_change_is_not_remembered() -> None:
    model: Any = loose.chain([Plain(), fnn.identity])
    x = np.ones((2, 3), np.float32)
    weight = np.ones(3, np.float32)
    for params in ((weight, None), (fnn.tree.freeze(weight), None)):
        for value in (1.0, 2.0, 3.0, 4.0):
            if params[0] is weight:
                weight[:] = value
            assert bits(fnn.forward(model, params, (None, None), x)[0]) == bits(x * params[0])
    listed: Any = loose.chain([Listed(), fnn.identity])
    params, state = fnn.init(listed, fnn.key(0))
    for value in (1.0, 2.0, 3.0, 4.0):
        params[0][0] = fnn.tree.freeze(np.full(3, value, np.float32))
        assert bits(fnn.forward(listed, params, state, x)[0]) == bits(x * params[0][0])


def test_other_inputs_are_checked_as_ever() -> None:
    model, params, state, x = trained()
    for _ in range(3):
        fnn.forward(model, params, state, x)
    bad: list[tuple[Any, type[Exception], str]] = [
        (x[:, :2], ValueError, "the last axis of x must be 3"),
        (x[0], ValueError, r"dense: x has shape \(3,\)"),
        (np.float32(1), (TypeError, ValueError), "dense"),  # type: ignore[list-item]  # either will do
        (x.astype(np.float64), TypeError, "float64"),
        (x.astype(int), TypeError, "float"),
        (x.tolist(), TypeError, "list"),
    ]
    for wrong, error, message in bad:
        for _ in range(2):
            with pytest.raises(error, match=message) as caught:
                fnn.forward(model, params, state, wrong)
            assert any("in part [0] of the chain" in note for note in caught.value.__notes__)
    assert bits(fnn.forward(model, params, state, x)[0]) == bits(ordinary(model, params, state, x))
    with pytest.raises(ValueError, match="params must be a tuple with a slot for each of the 6 parts"):
        fnn.forward(model, params[:2], state, x)


def test_training_is_not_remembered() -> None:
    model, params, state, x = trained()
    mode = fnn.Train(fnn.key(1))
    expected = bits(model.forward(params, state, x, mode))
    for _ in range(3):
        assert bits(fnn.forward(model, params, state, x, mode)) == expected
        fnn.forward(model, params, state, x)


def test_an_error_of_a_later_value_is_that_of_forward() -> None:
    model: Any = fnn.Embedding(5, 3) >> fnn.Dense(3, 2)
    params, state = fnn.init(model, fnn.key(0))
    tokens = np.array([[0, 1], [4, 2]])
    for _ in range(3):
        assert bits(fnn.forward(model, params, state, tokens)[0]) == bits(ordinary(model, params, state, tokens))
    for wrong in (5, -1):
        with pytest.raises(ValueError, match=rf"{wrong}") as caught:
            fnn.forward(model, params, state, np.array([[0, 1], [wrong, 2]]))
        assert any("in part [0] of the chain" in note for note in caught.value.__notes__)


def test_debug_nans_sees_every_operation() -> None:
    model: Any = loose.Dense(2, 2) >> fnn.Function(np.log)
    params, state = fnn.init(model, fnn.key(0))
    with np.errstate(all="ignore"):
        for _ in range(3):
            fnn.forward(model, params, state, np.zeros((1, 2), np.float32))
        with fnn.debug_nans(), pytest.raises(FloatingPointError, match=r"np\.log gave -inf"):
            fnn.forward(model, params, state, np.zeros((1, 2), np.float32))


def test_a_model_is_pickled_and_copied_without_what_it_remembers() -> None:
    model, params, state, x = trained()
    for _ in range(3):
        fnn.forward(model, params, state, x)
    for again in (pickle.loads(pickle.dumps(model)), copy.copy(model), copy.deepcopy(model)):
        assert again == model
        assert vars(again).keys() == {"layers"}


def test_only_the_last_parameters_are_kept() -> None:
    model, params, state, x = trained()
    for _ in range(3):
        fnn.forward(model, params, state, x)
    gone = weakref.ref(params[0].weight.base if params[0].weight.base is not None else params[0].weight)
    others = fnn.init(model, fnn.key(5))[0]
    del params
    fnn.forward(model, others, state, x)
    gc.collect()
    assert gone() is None


def test_a_subclass_with_a_forward_of_its_own_inherits_no_evaluator() -> None:
    class Doubled(fnn.Dense[Any]):
        def forward(self, params: Any, state: Any, x: Any, mode: Any, /) -> Any:
            y, state = super().forward(params, state, x, mode)
            return 2 * y, state

    model: Any = loose.chain([Doubled(3, 2), fnn.identity])
    params, state = fnn.init(model, fnn.key(0))
    x = np.ones((2, 3), np.float32)
    for _ in range(4):
        assert bits(fnn.forward(model, params, state, x)[0]) == bits(2 * (x @ params[0].weight + params[0].bias))


# Found by a reader: what looks at values may give the next part something else than when it was checked


def wide_if_negative(x: Any) -> Any:
    """Floats of another width, or integers."""
    return x if x.flat[0] > 0 else x.astype(np.float64) if x.flat[0] > -2 else x.astype(int)


AFTER: dict[str, tuple[Any, tuple[int, ...]]] = {
    "dense": (fnn.Dense(3, 2), (4, 3)),
    "batch norm": (fnn.BatchNorm(3), (4, 3)),
    "layer norm": (fnn.LayerNorm(3), (4, 3)),
    "dropout": (fnn.Dropout(0.5), (4, 3)),
    "relu": (fnn.Function(fnn.relu), (4, 3)),
    "relu and dense": (fnn.chain([fnn.relu, fnn.Dense(3, 2)]), (4, 3)),
    "residual": (fnn.residual(fnn.Dense(3, 3)), (4, 3)),
    "conv": (fnn.Conv1d(3, 2, 3), (4, 5, 3)),
    "conv and pool": (fnn.chain([fnn.Conv2d(3, 2, 3), fnn.MaxPool2d(2)]), (2, 4, 4, 3)),
    "pool": (fnn.AvgPool1d(2), (4, 6, 3)),
    "lstm": (fnn.LSTM(3, 2), (4, 5, 3)),
    "gru": (fnn.GRU(3, 2), (4, 5, 3)),
    "rnn": (fnn.RNN(3, 2), (4, 5, 3)),
    "bidirectional": (fnn.bidirectional(fnn.LSTM(3, 2)), (4, 5, 3)),
    "attention": (fnn.Attention(4, 2), (2, 3, 4)),
    "learned positions": (fnn.LearnedPositions(5, 4), (2, 3, 4)),
    "sinusoids": (fnn.SinusoidalPositions(4), (2, 3, 4)),
}


def told(f: Any) -> Any:
    """The bits, or the error."""
    try:
        return bits(f())
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize("name", AFTER)
def test_another_dtype_behind_a_function_is_what_it_is_without_memory(name: str) -> None:
    layer, shape = AFTER[name]
    model: Any = fnn.chain([wide_if_negative, layer])
    params, state = fnn.init(model, fnn.key(0))
    x = np.ones(shape, np.float32)
    for _ in range(3):
        fnn.forward(model, params, state, x)
    for value in (-1, -3, 1):
        given = np.full(shape, value, np.float32)
        expected = told(lambda given=given: ordinary(model, params, state, given))
        assert told(lambda given=given: fnn.forward(model, params, state, given)[0]) == expected


@pytest.mark.parametrize("name", AFTER)
def test_another_dtype_behind_a_function_in_a_planned_step(name: str) -> None:
    layer, shape = AFTER[name]
    model: Any = fnn.chain([wide_if_negative, layer, fnn.layer(lambda key: np.ones(1, np.float32), lambda w, y: y * w)])
    opt = fnn.Sgd(0.1)
    loss: Any = loose.supervised(model, lambda y, target: np.mean(y * target))
    step, ts = loose.train_step(loss, opt), fnn.start(model, opt, fnn.key(0))
    target = np.ones(1, np.float32)
    for _ in range(3):
        ts, _ = step(ts, np.ones(shape, np.float32), target)
    for value in (-1, -3, 1):
        given = np.full(shape, value, np.float32)
        expected = told(lambda given=given: loose.train_step(loss, opt)(ts, given, target)[1])
        assert told(lambda given=given: step(ts, given, target)[1]) == expected


def narrow_if_negative(x: Any) -> Any:
    """Fewer axes or features."""
    return x if x.flat[0] > 0 else x[..., :1] if x.flat[0] > -2 else x[0] if x.flat[0] > -4 else x[..., 0]


MORE: dict[str, tuple[Any, tuple[int, ...]]] = {
    **AFTER,
    "rms norm": (fnn.RMSNorm(3), (4, 3)),
    "group norm": (fnn.GroupNorm(1, 3), (4, 5, 3)),
    "instance norm": (fnn.InstanceNorm(3), (4, 5, 3)),
    "residual norm": (fnn.residual(fnn.LayerNorm(3)), (4, 3)),
    "residual function": (fnn.residual(fnn.Function(narrow_if_negative)), (4, 3)),
    "stack": (fnn.stack(2, fnn.LayerNorm(3)), (4, 3)),
    "over time": (fnn.over_time(fnn.BatchNorm(3)), (4, 5, 3)),
    "over time, norm": (fnn.over_time(fnn.LayerNorm(3)), (4, 5, 3)),
    "over time, function": (fnn.over_time(fnn.Function(fnn.relu)), (4, 5, 3)),
    "flatten": (fnn.Function(fnn.flatten), (4, 3)),
    "last step": (fnn.Function(fnn.last_step), (4, 5, 3)),
}


@pytest.mark.parametrize("planned", [False, True], ids=["evaluation", "step"])
@pytest.mark.parametrize("name", MORE)
def test_another_shape_behind_a_function_is_what_it_is_without_memory(name: str, planned: bool) -> None:
    layer, shape = MORE[name]
    model: Any = fnn.chain([narrow_if_negative, layer, fnn.layer(lambda key: np.ones(1, np.float32), lambda w, y: y * w)])
    opt = fnn.Sgd(0.1)
    loss: Any = loose.supervised(model, lambda y, target: np.mean(y * target))
    target = np.ones(1, np.float32)
    step, ts = loose.train_step(loss, opt), fnn.start(model, opt, fnn.key(0))
    for _ in range(3):
        fnn.forward(model, ts.params, ts.state, np.ones(shape, np.float32))
        new, _ = step(ts, np.ones(shape, np.float32), target)
        ts = new if planned else ts
    for value in (-1, -3, -5, 1):
        x = np.full(shape, value, np.float32)
        if planned:
            expected = told(lambda x=x: loose.train_step(loss, opt)(ts, x, target)[1])
            assert told(lambda x=x: step(ts, x, target)[1]) == expected
        else:
            expected = told(lambda x=x: ordinary(model, ts.params, ts.state, x))
            assert told(lambda x=x: fnn.forward(model, ts.params, ts.state, x)[0]) == expected


def test_another_rank_or_shape_behind_a_function() -> None:
    squeezed: Any = loose.Function(np.squeeze) >> fnn.Dense(3, 2)
    turned: Any = loose.Function(np.transpose) >> fnn.BatchNorm(3)
    for model, usual, other in ((squeezed, (5, 1, 3), (1, 1, 3)), (turned, (3, 5), (1, 5))):
        params, state = fnn.init(model, fnn.key(0))
        for _ in range(3):
            fnn.forward(model, params, state, np.ones(usual, np.float32))
        for _ in range(2):
            with pytest.raises(ValueError, match="has shape"):
                fnn.forward(model, params, state, np.ones(other, np.float32))


@dataclass(frozen=True)
class Counts:
    """Its state counts large inputs, in evaluation too; from 9 on it returns no pair."""

    def init(self, key: fnn.Key, /) -> Any:
        return None, np.zeros((), np.float32)

    def forward(self, params: None, state: Any, x: Any, mode: Any, /) -> Any:
        if x.max() > 9:
            return [x, state, 3]
        return x, state + 1 if x.max() > 1 else state


def test_a_state_that_changes_now_and_then_and_what_is_no_pair() -> None:
    model: Any = fnn.chain([Counts()])
    params, state = fnn.init(model, fnn.key(0))
    x = np.zeros((2, 2), np.float32)
    for _ in range(3):
        fnn.forward(model, params, state, x)
    assert fnn.forward(model, params, state, x + 5)[1] == (1.0,)
    with pytest.raises(TypeError, match=r"forward must return \(y, state\)"):
        fnn.forward(model, params, state, x + 10)


def test_what_an_evaluator_prepares_neither_warns_nor_raises() -> None:
    model: Any = fnn.Conv2d(32, 32, 3) >> fnn.relu
    params: Any = fnn.tree.freeze((fnn.ConvParams(np.full((3, 3, 32, 32), 2e38, np.float32), np.zeros(32, np.float32)), None))
    state = fnn.init(model, fnn.key(0))[1]
    x = np.zeros((1, 4, 4, 32), np.float32)
    for _ in range(4):
        with np.errstate(all="raise"):
            assert not fnn.forward(model, params, state, x)[0].any()
