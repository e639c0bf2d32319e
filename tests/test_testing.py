"""fnn.testing finds what is wrong, says where, and is content with what is right."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

import fnn
from fnn.testing import LAYER_LAWS, LOSS_LAWS, OPTIMIZER_LAWS, Kink, check_grads, check_layer, check_loss, check_optimizer
from fnn.testing import check_taylor as taylor
from fnn.testing.laws import without_fixed_points

RNG = np.random.default_rng(0)
X: fnn.Array = RNG.normal(size=(4, 3))


def with_rule(f: Callable[..., Any], rule: Callable[..., Any]) -> Callable[..., Any]:
    """f with a backward rule (g, *args) -> cotangents of one's own."""

    def forward(*args: Any) -> Any:
        return f(*args), lambda g: rule(g, *args)

    return fnn.custom_vjp(forward)


def cube(rule: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    return with_rule(lambda x: x * x * x, lambda g, x: (rule(g, x),))


# Gradients

WRONG: dict[str, tuple[Callable[..., Any], tuple[Any, ...], str]] = {
    "sign": (cube(lambda g, x: -3 * x * x * g), (X,), r"args\[0\] is wrong: it is -1 times the right one at every entry"),
    "scale": (cube(lambda g, x: 3.0003 * x * x * g), (X,), r"it is 1\.0001 times the right one at every entry"),
    "sum over a broadcast axis": (
        with_rule(lambda x, b: x + b, lambda g, x, b: (g, g[0])),
        (X, np.ones(3)),
        r"the gradient by args\[1\] is wrong.*\n  worst entry args\[1\]\[\d\]: analytic .*, numeric .*\n.*\n  step sizes tried",
    ),
    "transposed": (
        with_rule(lambda w: X @ w, lambda g, w: ((X.T @ g).T,)),
        (RNG.normal(size=(3, 3)),),
        "it is the transpose of the right one",
    ),
    "one entry": (
        cube(lambda g, x: 3 * x * x * g * np.where(np.arange(12).reshape(4, 3) == 7, 1.01, 1)),
        (X,),
        r"at 1 of 12 entries that were compared\n  worst entry args\[0\]\[2, 1\]: analytic",
    ),
    "stopped": (lambda x: fnn.stop_gradient(x) ** 2, (X,), "it is 0 everywhere"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_gradients_are_found_and_described(name: str) -> None:
    f, args, message = WRONG[name]
    with pytest.raises(AssertionError, match=message) as raised:
        check_grads(f, *args)
    assert str(raised.value).startswith("check_grads, reverse mode, order 1")
    with pytest.raises(AssertionError, match=r"(?s)is wrong.*falls as h\^1\.\d\d, expected h\^2"):
        taylor(f, *args)
    with pytest.raises(AssertionError, match=r"forward mode, order 1: the derivative along .*\n  worst entry result"):
        check_grads(f, *args, modes=("fwd",))


def test_the_leaf_is_named_by_its_path() -> None:
    half = with_rule(lambda b: b * 1.0, lambda g, b: (g / 2,))

    def f(p: tuple[fnn.DenseParams, None], x: fnn.Array2) -> Any:
        return x @ p[0].weight + half(p[0].bias)

    params = fnn.init(fnn.Dense(3, 2), fnn.key(0))[0]
    with pytest.raises(AssertionError, match=r"the gradient by args\[0\]\[0\]\.bias is wrong: it is 0.5 times"):
        check_grads(f, (params, None), X)


def test_a_wrong_second_derivative_is_found() -> None:
    # right at order 1, but the rule hides from the second differentiation that it depends on x
    hidden = cube(lambda g, x: g * 3 * fnn.stop_gradient(x) ** 2)
    check_grads(hidden, X, order=1)
    with pytest.raises(AssertionError, match=r"order 2: the gradient by args\[0\]"):
        check_grads(hidden, X)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4])
def test_right_gradients_pass_and_wrong_ones_fail_whatever_the_units(scale: float, size: float) -> None:
    def right(x: fnn.Array2) -> Any:
        return scale * np.sin(x / size) @ np.ones((3, 2))

    wrong = with_rule(right, lambda g, x: (1.0001 * scale * np.cos(x / size) / size * (g @ np.ones((2, 3))),))
    assert check_grads(right, X * size, order=3).largest_error < 1e-8
    with pytest.raises(AssertionError, match="is wrong"):
        check_grads(wrong, X * size)


def test_trees_constants_and_static_arguments() -> None:
    def f(p: dict[str, Any], labels: fnn.Ints, power: int, x: fnn.Scalar) -> tuple[Any, dict[str, Any]]:
        return np.sum(p["w"][labels] ** power), {"n": labels, "y": x * p["w"]}

    report = check_grads(f, {"w": X.astype(np.float32), "ids": np.arange(3)}, np.array([0, 2]), 3, np.float64(2.0))
    assert report.leaves == ("args[0]['w']", "args[3]")
    assert report.largest_error < 1e-8
    assert report.kinks == ()
    assert len(report.steps) > 1
    assert check_grads(f, {"w": X}, np.array([0, 2]), 3, np.float64(2.0)) == check_grads(
        f, {"w": X}, np.array([0, 2]), 3, np.float64(2.0)
    )


def test_a_function_that_computes_in_float32_is_checked_with_its_own_precision() -> None:
    def f(x: fnn.Array2) -> fnn.Array2:
        return np.tanh(x.astype(np.float32))

    assert check_grads(f, X).steps[0] > check_grads(np.tanh, X).steps[0]


def test_kinks_are_stepped_around_and_reported() -> None:
    report = check_grads(fnn.relu, np.array([0.0, 1.0]))
    (kink,) = report.kinks
    assert kink.path == "args[0]"
    assert sorted(map(abs, (kink.left, kink.right)))[0] < sorted(map(abs, (kink.left, kink.right)))[1]
    for f in (np.abs, np.sqrt, np.max, lambda x: np.clip(x, 0.0, 1.0), fnn.elu, lambda x: np.sqrt(np.sum(x * x))):
        assert all(isinstance(k, Kink) for k in check_grads(f, np.zeros(3)).kinks)
        taylor(f, np.zeros(3))
    wrong = with_rule(fnn.relu, lambda g, x: (1.001 * g * (x > 0),))
    with pytest.raises(AssertionError, match=r"1\.001 times"):
        check_grads(wrong, np.zeros(50))


def test_a_function_with_kinks_everywhere_is_refused() -> None:
    with pytest.raises(AssertionError, match="no point near the arguments where the function is smooth along args"):
        check_grads(lambda x: x + 1e-3 * np.sin(1e9 * fnn.stop_gradient(x)), X)


def test_functions_that_are_not_deterministic_or_not_finite_are_named() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(AssertionError, match=r"not deterministic.*at result\[1\]\[\d, \d\]: .* and .*draw from a key"):
        check_grads(lambda x: (x, x * rng.normal()), X)
    with pytest.raises(AssertionError, match=r"the value is not finite at result\['y'\]\[1\]: nan"):
        check_grads(lambda x: {"y": np.log(x)}, np.array([1.0, -1.0]))
    with pytest.raises(AssertionError, match=r"the gradient is not finite at args\[0\]\[0\]: nan"):
        check_grads(with_rule(np.exp, lambda g, x: (g * np.nan,)), np.zeros(2))


def test_a_wrong_entry_among_many_is_said_to_be_elsewhere() -> None:
    x = RNG.normal(size=5_000)
    looked = np.random.Generator(np.random.PCG64(0)).choice(np.arange(5_000), 1_000, replace=False)
    (k, *_) = sorted({*range(5_000)} - {*looked.tolist()})
    wrong = cube(lambda g, x: 3 * x * x * g * np.where(np.arange(5_000) == k, 2, 1))
    with pytest.raises(AssertionError, match="at an entry that is not among the 1000 that were compared"):
        check_grads(wrong, x)


def test_wrong_calls_say_what_to_do() -> None:
    with pytest.raises(TypeError, match=r"no floating array in them to differentiate; .* write np.float64\(2.0\)"):
        check_grads(lambda x: x, 2.0)
    with pytest.raises(TypeError, match="the function returned a float, expected a tree with a floating array"):
        check_grads(lambda x: float(np.sum(x)) if isinstance(x, np.ndarray) else x, X)
    with pytest.raises(ValueError, match="order is 0"):
        check_grads(np.exp, X, order=0)
    with pytest.raises(ValueError, match="modes is"):
        check_grads(np.exp, X, modes=())
    narrow = fnn.init(fnn.Dense(3, 2), fnn.key(0))[0]
    with pytest.raises(TypeError) as raised:
        check_grads(lambda x: fnn.dense(narrow, x), X)
    assert "or be passed as arguments" in raised.value.__notes__[0]


def test_taylor_remainders_fall_as_the_square_of_the_step() -> None:
    report = taylor(lambda x, w: np.exp(x) @ w, X, np.ones((3, 2)))
    assert report.rates["args[0]"] == pytest.approx(2, abs=0.05)
    assert report.rates["args[1]"] == float("inf")
    assert taylor(fnn.relu, np.zeros(3)).kinks


# Layers: one that keeps the laws, and one that breaks each


@dataclass(frozen=True)
class Right(fnn.Composable):
    """Scales by a weight and adds a running mean; drops entries in training."""

    n: int

    def init(self, key: fnn.Key, /) -> tuple[fnn.Array1, fnn.Array1]:
        return key.generator().random(self.n, np.float32), np.zeros(self.n, np.float32)

    def forward(self, params: fnn.Array1, state: fnn.Array1, x: fnn.Array2, mode: fnn.Mode, /) -> tuple[fnn.Array2, fnn.Array1]:
        if isinstance(mode, fnn.Eval):
            return x * params + state, state
        return fnn.dropout(x * params, 0.3, mode), 0.9 * state + fnn.stop_gradient(x).mean(0) * 0.1


class UnevenInit(Right):
    def init(self, key: fnn.Key, /) -> tuple[fnn.Array1, fnn.Array1]:
        return np.random.default_rng().random(self.n).astype(np.float32), np.zeros(self.n, np.float32)


class WideInit(Right):
    def init(self, key: fnn.Key, /) -> tuple[fnn.Array1, fnn.Array1]:
        return np.ones(self.n), np.zeros(self.n, np.float32)


class MutatesInput(Right):
    def forward(self, params: Any, state: Any, x: Any, mode: fnn.Mode, /) -> Any:
        if isinstance(x, np.ndarray) and x.flags.writeable:
            x[x < 0] = 0
        return super().forward(params, state, x, mode)


class DrawsFromGlobalGenerator(Right):
    def forward(self, params: Any, state: Any, x: Any, mode: fnn.Mode, /) -> Any:
        return x * np.random.rand(*x.shape).astype(x.dtype), state  # noqa: NPY002


class DrawsFromItsOwnGenerator(Right):
    def forward(self, params: Any, state: Any, x: Any, mode: fnn.Mode, /) -> Any:
        return x * GENERATOR.random(x.shape), state


GENERATOR = np.random.default_rng(0)


class DropsState(Right):
    def forward(self, params: Any, state: Any, x: Any, mode: fnn.Mode, /) -> Any:
        return super().forward(params, state, x, mode)[0], None


class TrainsInEvaluation(Right):
    def forward(self, params: Any, state: Any, x: Any, mode: fnn.Mode, /) -> Any:
        return x * params, 0.9 * state + 0.1


class Upcasts(Right):
    def forward(self, params: Any, state: Any, x: Any, mode: fnn.Mode, /) -> Any:
        return x * params + np.ones(self.n), state


class ReturnsView(Right):
    def forward(self, params: Any, state: Any, x: Any, mode: fnn.Mode, /) -> Any:
        return x[:, ::-1], state


class KeepsItsInput(Right):
    def forward(self, params: Any, state: Any, x: Any, mode: fnn.Mode, /) -> Any:
        return x * params, state if mode == fnn.EVAL else fnn.stop_gradient(x)[0]


class MisshapenGradient(Right):
    def forward(self, params: Any, state: Any, x: Any, mode: fnn.Mode, /) -> Any:
        return with_rule(lambda x, w: x * w, lambda g, x, w: (g * w, (g * x).T))(x, params), state


class ForgetsMask(Right):
    def forward(self, params: Any, state: Any, x: Any, mode: fnn.Mode, /) -> Any:
        return with_rule(lambda y: fnn.dropout(y, 0.5, mode), lambda g, y: (g,))(x * params), state


class LooksAtPlace(Right):
    def forward(self, params: Any, state: Any, x: Any, mode: fnn.Mode, /) -> Any:
        return x * params * np.arange(1, len(x) + 1, dtype=x.dtype)[:, None], state


class LooksAtLastRow(Right):
    def forward(self, params: Any, state: Any, x: Any, mode: fnn.Mode, /) -> Any:
        return (x - x[-1:]) * params, state


class NormalisesInEvaluation(Right):
    def forward(self, params: Any, state: Any, x: Any, mode: fnn.Mode, /) -> Any:
        mean = np.mean(x, axis=0)
        return (x - mean) * params, state if mode == fnn.EVAL else 0.9 * state + 0.1 * fnn.stop_gradient(mean)


class MutatesInputBesideState(Right):
    def forward(self, params: Any, state: Any, x: Any, mode: fnn.Mode, /) -> Any:
        x *= 2
        return super().forward(params, state, x, mode)


class MutatesState(Right):
    def forward(self, params: Any, state: Any, x: Any, mode: fnn.Mode, /) -> Any:
        if mode != fnn.EVAL:
            state += 1
        return super().forward(params, state, x, mode)


class GivesNoPair(Right):
    def init(self, key: fnn.Key, /) -> Any:
        return np.ones(self.n, np.float32)


class FailsInInit(Right):
    def init(self, key: fnn.Key, /) -> Any:
        raise RuntimeError("no weights today")


@dataclass(frozen=True)
class HoldsLambda(Right):
    f: Callable[[Any], Any] = field(default=lambda x: x * 1)


@dataclass(eq=False)
class ComparesByIdentity:
    """As Right, but no frozen dataclass."""

    n: int

    def init(self, key: fnn.Key, /) -> Any:
        return Right(self.n).init(key)

    def forward(self, params: Any, state: Any, x: Any, mode: fnn.Mode, /) -> Any:
        return Right(self.n).forward(params, state, x, mode)


BROKEN_LAYERS: list[tuple[Any, str, str]] = [
    (UnevenInit(3), "init", "two calls with the same key differ"),
    (WideInit(3), "init", r"\(params, state\)\[0\] is float64, expected float32"),
    (MutatesInput(3), "purity", r"it wrote to its argument x: the root differs at \d of 12 entries; make a new array"),
    (DrawsFromGlobalGenerator(3), "purity", r"it changed NumPy's global generator; .*mode\.key\.generator\(\)"),
    (DrawsFromItsOwnGenerator(3), "determinism", "two calls in evaluation mode with the same arguments differ"),
    (DropsState(3), "state", r"the state that comes out is None, but the one that went in is f64\[3\]"),
    (TrainsInEvaluation(3), "mode", r"the state changed in evaluation: .*isinstance\(mode, fnn\.Train\)"),
    (Upcasts(3), "dtype", r"the output .*is f64\[4,3\] for parameters and input in float32"),
    (ReturnsView(3), "aliasing", "in evaluation mode the output shares memory with x"),
    (KeepsItsInput(3), "aliasing", "in training mode the new state shares memory with x"),
    (MisshapenGradient(3), "gradient shapes", "it raised "),
    (ForgetsMask(3), "gradients", r"in training mode.*\n?.*the gradient by args\[0\]\['params'\] is wrong"),
    (LooksAtPlace(3), "batch permutation", "in evaluation mode the output depends on the order of the batch"),
    (LooksAtLastRow(3), "batch permutation", "in evaluation mode the output depends on the order of the batch"),
    (NormalisesInEvaluation(3), "row independence", "rows 0 to 1 alone give another output .*take those of the state"),
    (MutatesInputBesideState(3), "purity", "it wrote to its argument x"),
    (MutatesState(3), "purity", "it wrote to its argument state"),
    (HoldsLambda(3), "pickling", "the layer does not pickle .*must stand at the top of a module"),
    (ComparesByIdentity(3), "pickling", "not equal to it; make the class a frozen dataclass"),
]


def test_a_right_layer_keeps_every_law() -> None:
    two: fnn.Array = X[:2].astype(np.float32)
    assert check_layer(Right(3), X, two) == tuple(LAYER_LAWS)
    assert check_layer(Right(3) >> fnn.relu >> fnn.Dense(3, 1), X) == tuple(LAYER_LAWS)


@pytest.mark.parametrize(("layer", "law", "message"), BROKEN_LAYERS, ids=lambda x: type(x).__name__ if hasattr(x, "n") else "")
def test_a_broken_layer_is_caught_by_its_law(layer: Any, law: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message) as raised:
        check_layer(layer, X)
    text = str(raised.value)
    assert text.startswith(f"check_layer: {layer!r} on f64[4,3] breaks the law {law!r}: ")
    assert f"skip=({law!r},)" in text
    assert law not in check_layer(layer, X, laws=[name for name in LAYER_LAWS if name == law], skip=(law,))


@pytest.mark.parametrize("layer", [GivesNoPair(3), FailsInInit(3)], ids=repr)
def test_a_layer_that_cannot_be_made_breaks_the_law_of_init(layer: Any) -> None:
    with pytest.raises(AssertionError, match=r"breaks the law 'init': it raised .*\n  the law: init is a pure function"):
        check_layer(layer, X)


class DrawsWithOneKey(Right):
    def forward(self, params: Any, state: Any, x: Any, mode: fnn.Mode, /) -> Any:
        return x * params * (np.random.rand() if mode == fnn.Train(fnn.key(5)) else 1), state  # noqa: NPY002 (the mistake)


def test_every_mode_is_looked_at() -> None:
    modes: list[fnn.Mode] = [fnn.EVAL, fnn.Train(fnn.key(6)), fnn.Train(fnn.key(5)), fnn.Train(fnn.key(7))]
    with pytest.raises(AssertionError, match="two calls in training 2 mode"):
        check_layer(DrawsWithOneKey(3), X, modes=modes, skip=("purity",))
    with pytest.raises(ValueError, match="no modes for"):
        check_layer(Right(3), X, modes=[])


@pytest.mark.parametrize("n", range(2, 12))
def test_orders_leave_no_row_in_its_place(n: int) -> None:
    for seed in range(20):
        order = without_fixed_points(n, seed)
        assert sorted(order.tolist()) == list(range(n))
        assert not np.any(order == np.arange(n))


def test_every_law_has_something_that_breaks_it() -> None:
    assert {law for _, law, _ in BROKEN_LAYERS} == set(LAYER_LAWS)
    assert {law for _, law, _ in BROKEN_LOSSES} == set(LOSS_LAWS)
    assert {law for _, law, _ in BROKEN_OPTIMIZERS} == set(OPTIMIZER_LAWS)


def test_laws_that_say_nothing_of_an_object_are_not_counted() -> None:
    assert not {"batch permutation", "row independence"} & set(check_layer(fnn.Dense(3, 2), X[:1]))
    assert "gradients" not in check_layer(fnn.Function(one_hot), np.array([0, 2]))
    assert check_layer(fnn.Dropout(0.5), X, modes=[fnn.Train(fnn.key(0))], laws=("mode", "batch permutation", "state")) == (
        "state",
    )


def one_hot(tokens: fnn.Ints) -> fnn.Array2:
    return np.eye(3, dtype=np.float32)[tokens]


def test_names_of_laws_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match=r"check_layer: skip=\('permutation',\), expected a collection of the names \['init'"):
        check_layer(Right(3), X, skip=("permutation",))
    with pytest.raises(ValueError, match="laws='purity'"):
        check_layer(Right(3), X, laws="purity")
    with pytest.raises(ValueError, match="no example input"):
        check_layer(Right(3))


# Losses


def right_loss(p: Any, t: Any) -> Any:
    return np.mean((p - t) ** 2)


def mutates_prediction(p: Any, t: Any) -> Any:
    if isinstance(p, np.ndarray) and p.flags.writeable:
        p -= t
    return np.mean(p**2)


def noisy(p: Any, t: Any) -> Any:
    return np.mean(p * p) * GENERATOR.random()


def other_under_grad(p: Any, t: Any) -> Any:
    return np.mean(p * p) * (1 if isinstance(p, np.ndarray) else 2)


def rows(p: Any, t: Any) -> Any:
    return np.mean((p - t) ** 2, axis=1)


def widens(p: Any, t: Any) -> Any:
    return np.mean((p - t) ** 2 * np.ones(3))


def sums(p: Any, t: Any) -> Any:
    return with_rule(right_loss, lambda g, p, t: (2 * g * (p - t), -2 * g * (p - t)))(p, t)


def misshapen(p: Any, t: Any) -> Any:
    return with_rule(right_loss, lambda g, p, t: ((p - t).T, t))(p, t)


def weighs_the_last_row(p: Any, t: Any) -> Any:
    return right_loss(p, t) + 0.1 * np.mean(p[-1])


def weighs_the_first_row(p: Any, t: Any) -> Any:
    return np.mean((p - t) ** 2) + np.mean(p[0])


BROKEN_LOSSES: list[tuple[Any, str, str]] = [
    (mutates_prediction, "purity", "it wrote to its argument prediction"),
    (noisy, "determinism", "two calls with the same arguments gave"),
    (other_under_grad, "determinism", "under grad the value is"),
    (rows, "scalar", r"it returned f64\[4\], a ndarray, expected a NumPy scalar"),
    (widens, "dtype", r"the loss .*is f64\[\] for prediction and target in float32"),
    (misshapen, "gradient shapes", "it raised"),
    (sums, "gradients", "it is 12 times the right one at every entry"),
    (weighs_the_first_row, "batch permutation", "the loss depends on the order"),
    (weighs_the_last_row, "batch permutation", "the loss depends on the order"),
]


def test_a_right_loss_keeps_every_law() -> None:
    assert check_loss(right_loss, X, X[::-1]) == tuple(LOSS_LAWS)
    assert check_loss(fnn.cross_entropy, X, np.array([0, 1, 2, 0])) == tuple(LOSS_LAWS)


@pytest.mark.parametrize(("loss", "law", "message"), BROKEN_LOSSES, ids=lambda x: getattr(x, "__name__", ""))
def test_a_broken_loss_is_caught_by_its_law(loss: Any, law: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message) as raised:
        check_loss(loss, X, X[::-1] + 1)
    assert str(raised.value).startswith(f"check_loss: {loss.__name__} breaks the law {law!r}: ")


def test_a_prediction_of_integers_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="prediction is int64, expected a floating array"):
        check_loss(right_loss, np.arange(3), X[0])


# Optimisers


@dataclass(frozen=True)
class RightOptimizer(fnn.Optimizer):
    learning_rate: float = 0.05

    def init_flat(self, params: fnn.Array1, segments: fnn.Segments, /) -> fnn.Slots:
        return {"speed": np.zeros_like(params)}

    def update_flat(self, grads: Any, slots: Any, params: Any, step: int, segments: fnn.Segments, /) -> Any:
        speed = 0.5 * slots["speed"] - self.learning_rate * grads
        return speed.copy(), {"speed": speed}


class WritesToParameters(RightOptimizer):
    def update_flat(self, grads: Any, slots: Any, params: Any, step: int, segments: Any, /) -> Any:
        params -= self.learning_rate * grads
        return np.full_like(params, -0.0), slots


class WritesToGradient(RightOptimizer):
    def update_flat(self, grads: Any, slots: Any, params: Any, step: int, segments: Any, /) -> Any:
        grads *= 2
        return super().update_flat(grads, slots, params, step, segments)


class WritesToMoment(RightOptimizer):
    def update_flat(self, grads: Any, slots: Any, params: Any, step: int, segments: Any, /) -> Any:
        slots["speed"].flags.writeable = True
        slots["speed"] += 0.5
        return -0.05 * grads, slots


class CountsInItself(RightOptimizer):
    def update_flat(self, grads: Any, slots: Any, params: Any, step: int, segments: Any, /) -> Any:
        return -0.05 * grads * GENERATOR.random(), slots


class RenamesMoment(RightOptimizer):
    def update_flat(self, grads: Any, slots: Any, params: Any, step: int, segments: Any, /) -> Any:
        return -0.05 * grads, {"momentum": 0 * params}


class WidensMoment(RightOptimizer):
    def init_flat(self, params: fnn.Array1, segments: fnn.Segments, /) -> fnn.Slots:
        return {"speed": np.zeros(params.shape)}

    def update_flat(self, grads: Any, slots: Any, params: Any, step: int, segments: Any, /) -> Any:
        return -0.05 * grads, {"speed": slots["speed"] * np.float64(0.5)}


class WidensDelta(RightOptimizer):
    def update_flat(self, grads: Any, slots: Any, params: Any, step: int, segments: Any, /) -> Any:
        return -0.05 * grads.astype(np.float64), slots


class ReturnsItsMoment(RightOptimizer):
    def update_flat(self, grads: Any, slots: Any, params: Any, step: int, segments: Any, /) -> Any:
        speed = -0.05 * grads
        return speed, {"speed": speed}


class KeepsParameters(RightOptimizer):
    def update_flat(self, grads: Any, slots: Any, params: Any, step: int, segments: Any, /) -> Any:
        return -0.05 * grads, {"speed": params}


class SeesTheNorm(RightOptimizer):
    def update_flat(self, grads: Any, slots: Any, params: Any, step: int, segments: Any, /) -> Any:
        return -0.05 * grads / np.sqrt(np.sum(grads**2)), slots


class Climbs(RightOptimizer):
    def update_flat(self, grads: Any, slots: Any, params: Any, step: int, segments: Any, /) -> Any:
        return 0.05 * grads, slots


@dataclass(frozen=True)
class HoldsSchedule(RightOptimizer):
    schedule: Callable[[int], float] = field(default=lambda step: 0.05)


BROKEN_OPTIMIZERS: list[tuple[Any, str, str]] = [
    (WritesToParameters(), "purity", "it wrote to its argument params: the root differs"),
    (WritesToGradient(), "purity", "it wrote to its argument grads: the root differs"),
    (WritesToMoment(), "purity", r"it wrote to its argument state: \.slots\['speed'\] differs"),
    (CountsInItself(), "determinism", "two updates with the same arguments differ"),
    (RenamesMoment(), "purity", r"the moments are \['momentum'\], expected those of the state, \['speed'\]"),
    (WidensDelta(), "dtype", r"the delta .*is f64"),
    (WidensMoment(), "state", r"WidensMoment\.init_flat: the moment 'speed' is f64"),
    (ReturnsItsMoment(), "aliasing", "the delta shares memory with the moments"),
    (KeepsParameters(), "aliasing", "the new moments share memory with params"),
    (SeesTheNorm(), "leaf independence", "alone gets another update than among the others"),
    (Climbs(), "descent", "is the sign of the update right"),
    (HoldsSchedule(), "pickling", "the optimizer does not pickle"),
]


def test_a_right_optimizer_keeps_every_law() -> None:
    assert check_optimizer(RightOptimizer()) == tuple(OPTIMIZER_LAWS)
    params = fnn.init(fnn.Dense(3, 2) >> fnn.BatchNorm(2), fnn.key(0))[0]
    assert check_optimizer(fnn.Adam(0.1), params) == tuple(OPTIMIZER_LAWS)


@pytest.mark.parametrize(("opt", "law", "message"), BROKEN_OPTIMIZERS, ids=lambda x: type(x).__name__)
def test_a_broken_optimizer_is_caught_by_its_law(opt: Any, law: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message) as raised:
        check_optimizer(opt)
    assert re.match(rf"check_optimizer: {type(opt).__name__}\(.*\) breaks the law '{law}': ", str(raised.value))


def test_messages_survive_python_without_pytest_and_the_room_loads_when_named() -> None:
    code = (
        "import sys, fnn; assert 'fnn.testing' not in sys.modules; fnn.testing.check_grads;"
        "assert not {'hypothesis', 'pytest'} & set(sys.modules); assert 'fnn.testing.strategies' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert replace(Right(3), n=4) == Right(4)
