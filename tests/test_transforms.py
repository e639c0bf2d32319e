"""jvp, jacobian, hessian, hvp, custom_vjp, checkpoint and debug_nans: exact, nested in any mix, helpful where they refuse."""

from __future__ import annotations

import gc
import itertools
import re
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn
from tests.laws import checks

# Checkers cannot infer the types of lambdas from these signatures; tests/typing checks the signatures themselves.
grad: Any = fnn.grad
jacobian: Any = fnn.jacobian
train_step: Any = fnn.train_step

seeds = st.integers(0, 2**32)
MODEL = fnn.Dense(3, 4) >> fnn.BatchNorm(4) >> fnn.gelu >> fnn.Dropout(0.3) >> fnn.Dense(4, 2) >> fnn.softmax


def model_function(seed: int) -> tuple[Callable[[Any], Any], Any, np.random.Generator]:
    """A net with fused operations as a function of (params, x), in float64, and a place to differentiate it at."""
    rng = np.random.default_rng(seed)
    params, state = fnn.tree.astype(fnn.init(MODEL, fnn.key(seed)), np.float64)
    return lambda p: MODEL.forward(p[0], state, p[1], fnn.Train(fnn.key(1)))[0], (params, rng.normal(size=(5, 3))), rng


# jvp


@given(seed=seeds)
def test_jvp_is_the_derivative_along_the_tangent_and_the_transpose_of_vjp(seed: int) -> None:
    f, primal, rng = model_function(seed)
    v = checks.like(rng, primal)
    y, moved = fnn.jvp(f, primal, v)
    np.testing.assert_array_equal(y, f(primal))
    np.testing.assert_allclose(moved, checks.directional(f, primal, v), rtol=1e-5, atol=1e-7)
    u = rng.normal(size=y.shape)
    np.testing.assert_allclose(checks.inner(u, moved), checks.inner(fnn.vjp(f, primal)[1](u), v), rtol=1e-9, atol=1e-10)


def test_jvp_takes_and_gives_trees_and_constants_have_tangent_zero() -> None:
    def f(p: dict[str, fnn.Array1]) -> tuple[fnn.Array1, Any, Any]:
        return p["a"] * p["b"], np.arange(2), {"constant": np.ones(2)}

    primal = {"a": np.array([1.0, 2.0]), "b": np.array([3.0, 4.0])}
    y, t = fnn.jvp(f, primal, {"a": np.array([1.0, 0.0]), "b": np.array([0.0, 1.0])})
    np.testing.assert_array_equal(t[0], [3.0, 2.0])
    assert not t[1].any()
    assert not t[2]["constant"].any()
    assert fnn.tree.show(t) == fnn.tree.show(y)


def test_jvp_keeps_float32_and_refuses_tangents_that_do_not_fit() -> None:
    x = np.ones(3, np.float32)
    assert fnn.jvp(np.tanh, x, x)[1].dtype == np.float32
    with pytest.raises(ValueError, match=r"jvp: the tangent at the root is f32\[2\], but the primal is f32\[3\]"):
        fnn.jvp(np.tanh, x, x[:2])
    with pytest.raises(ValueError, match=r"jvp: the tangent does not fit"):
        fnn.jvp(lambda p: p[0], (x,), (x, x))  # pyright: ignore[reportArgumentType]  # what the test is about


# jacobian, hessian, hvp


@given(seed=seeds, n=st.integers(1, 4), m=st.integers(1, 4))
def test_jacobian_is_the_same_forwards_and_backwards(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    a, x = rng.normal(size=(n, m)), rng.normal(size=m)

    def f(x: fnn.Array) -> fnn.Array:
        return np.tanh(a @ x)

    found = fnn.jacobian(f)(x)
    np.testing.assert_allclose(found, (1 - np.tanh(a @ x) ** 2)[:, None] * a, rtol=1e-12)
    assert not found.flags.writeable
    wide = jacobian(lambda x: np.concatenate([f(x)] * 5))(x)
    np.testing.assert_allclose(wide, np.concatenate([found] * 5), rtol=1e-12)


def test_jacobian_of_matrices_scalars_and_empty_arrays_has_the_shape_of_result_and_argument() -> None:
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(jacobian(lambda x: x.T)(x), np.einsum("ik,jl->jikl", np.eye(2), np.eye(3)))
    np.testing.assert_array_equal(jacobian(np.sum)(x), np.ones((2, 3)))
    assert jacobian(lambda x: x * 2)(np.float64(3.0)) == 2.0
    assert jacobian(lambda x: x * 2)(np.zeros((0, 2))).shape == (0, 2, 0, 2)
    assert jacobian(lambda x: x * 2)(np.zeros(3, np.float32)).dtype == np.float32


def test_jacobian_passes_further_arguments_and_refuses_trees() -> None:
    def f(x: fnn.Array, power: int, *, scale: float) -> fnn.Array:
        return scale * x**power

    np.testing.assert_allclose(fnn.jacobian(f)(np.array([2.0]), 3, scale=0.5), [[6.0]])
    with pytest.raises(TypeError, match=r"jacobian: the first argument is \{'a': f64\[1\]\}.*fnn.tree.ravel"):
        jacobian(lambda p: p["a"])({"a": np.ones(1)})


@given(seed=seeds)
def test_hessian_and_hvp_agree_through_fused_operations(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(6, 3)), rng.integers(0, 2, 6)
    vector, unravel = fnn.tree.ravel(fnn.DenseParams(rng.normal(size=(3, 2)), rng.normal(size=2)))

    def loss(flat: fnn.Array) -> fnn.Scalar:
        return fnn.cross_entropy(fnn.dense(unravel(flat), x), y)

    h = fnn.hessian(loss)(vector)
    np.testing.assert_allclose(h, h.T, atol=1e-13)
    numeric = np.stack([checks.directional(fnn.grad(loss), vector, v) for v in np.eye(8)])
    np.testing.assert_allclose(h, numeric, atol=1e-8)
    v = rng.normal(size=8)
    np.testing.assert_allclose(fnn.hvp(loss, vector, v), h @ v, atol=1e-12)


def test_hvp_of_a_net_keeps_the_parameters_type() -> None:
    f, primal, rng = model_function(0)

    def loss(p: Any) -> Any:
        return np.mean(f(p) ** 2)

    v = checks.like(rng, primal)
    found = fnn.hvp(loss, primal, v)
    assert fnn.tree.show(found) == fnn.tree.show(primal)
    numeric = checks.directional(fnn.grad(loss), primal, v)
    w = checks.like(rng, primal)
    np.testing.assert_allclose(checks.inner(found, w), checks.inner(numeric, w), rtol=1e-5)


# Any mix, to any order

DERIVATIVES: dict[str, Callable[[Callable[[Any], Any]], Callable[[Any], Any]]] = {
    "grad": lambda f: lambda x: fnn.grad(f)(x),
    "vjp": lambda f: lambda x: fnn.vjp(f, x)[1](np.ones((), np.float64)),
    "jvp": lambda f: lambda x: fnn.jvp(f, x, np.ones((), np.float64))[1],
    "jacobian": lambda f: lambda x: fnn.jacobian(f)(x),
    "checkpoint": lambda f: lambda x: fnn.grad(fnn.checkpoint(f))(x),
}


@pytest.mark.parametrize("names", list(itertools.product(DERIVATIVES, repeat=3)), ids="-".join)
def test_transforms_nest_in_any_order_to_the_third(names: tuple[str, ...]) -> None:
    def f(x: Any) -> Any:
        return np.sin(x) * np.exp(0.5 * x)

    derivative: Any = f
    for name in names:
        derivative = DERIVATIVES[name](derivative)
    # f is the imaginary part of exp(z x) with z = 0.5 + i
    z = 0.5 + 1j
    np.testing.assert_allclose(derivative(np.float64(0.3)), (z**3 * np.exp(z * 0.3)).imag, rtol=1e-12)


def test_a_gradient_inside_of_a_loss_is_differentiated() -> None:
    """A gradient penalty: the loss holds the gradient of the net by its input."""
    rng = np.random.default_rng(0)
    params = fnn.tree.astype(fnn.init(fnn.Dense(3, 4) >> fnn.tanh >> fnn.Dense(4, 1), fnn.key(0))[0], np.float64)
    x = rng.normal(size=(5, 3))

    def penalty(p: Any) -> Any:
        def output(x: Any) -> Any:
            return np.sum(fnn.dense(p[2], np.tanh(fnn.dense(p[0], x))))

        return np.mean(np.sum(fnn.grad(output)(x) ** 2, axis=1))

    checks.check_gradient(penalty, params, rng)


# custom_vjp


@fnn.custom_vjp
def scaled_square(x: fnn.Array, c: fnn.Array) -> tuple[fnn.Array, Callable[[fnn.Array], tuple[Any, Any]]]:
    return c * x * x, lambda g: (g * (2 * c * x), np.sum(g * x * x))


def test_custom_vjp_is_its_value_without_grad_and_its_rule_with() -> None:
    rng = np.random.default_rng(0)
    x, c = rng.normal(size=4), np.asarray(3.0)
    np.testing.assert_array_equal(scaled_square(x, c), 3 * x * x)
    checks.check_gradient(lambda p: scaled_square(*p), (x, c), rng)
    checks.check_second_order(lambda p: scaled_square(*p), (x, c), rng)
    np.testing.assert_allclose(grad(lambda x: np.sum(scaled_square(x, c)))(x), 6 * x)


def test_custom_vjp_of_trees_with_an_argument_that_gets_no_gradient() -> None:
    seen = []

    @fnn.custom_vjp
    def f(p: dict[str, fnn.Array], n: fnn.Ints, *, power: int) -> Any:
        def pull(g: Any) -> tuple[dict[str, fnn.Array], None]:
            seen.append(fnn.tree.show(g))
            return {"a": g["y"] * 10.0, "b": g["y"] * 0.0}, None

        return {"y": p["a"] ** power, "n": n}, pull

    def loss(p: dict[str, fnn.Array]) -> Any:
        out = f(p, np.arange(2), power=2)
        return np.sum(out["y"] * out["n"])

    grads = fnn.grad(loss)({"a": np.ones(2), "b": np.ones(2)})
    np.testing.assert_array_equal(grads["a"], [0.0, 10.0])
    assert seen == ["{'y': f64[2], 'n': i64[2]}"]


@pytest.mark.parametrize(
    ("rule", "error", "message"),
    [
        (lambda x: x, TypeError, "must return (y, pull), got a ndarray"),
        (lambda x: (x, lambda g: g), TypeError, "a cotangent for each of the 1 arguments, got a ndarray"),
        (lambda x: (x, lambda g: (g, g)), TypeError, "got 2 cotangents"),
        (lambda x: (x, lambda g: (g[:1],)), ValueError, "the cotangent of argument 0 is f64[1], expected the shape of ~f64[2]"),
        (lambda x: (x, lambda g: ((g, g),)), ValueError, "the cotangent of argument 0 is not like it"),
    ],
)
def test_custom_vjp_refuses_wrong_rules(rule: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        grad(lambda x: np.sum(fnn.custom_vjp(rule)(x)))(np.ones(2))


def test_custom_vjp_and_checkpoint_refuse_an_array_that_is_differentiated_but_not_passed() -> None:
    def through(make: Any) -> Any:
        def loss(w: Any) -> Any:
            return np.sum(make(w)(w * 2))

        return lambda: fnn.grad(loss)(np.ones(2))

    for make in (
        lambda w: fnn.checkpoint(lambda x: x * w),
        lambda w: fnn.custom_vjp(lambda x: (x * w, lambda g: (g,))),
    ):
        with pytest.raises(TypeError, match="is none of its arguments"):
            through(make)()


# checkpoint


@given(seed=seeds)
def test_checkpoint_gives_the_same_bits(seed: int) -> None:
    f, primal, _ = model_function(seed)

    def loss(p: Any) -> Any:
        return np.sum(f(p) ** 2)

    def kept(p: Any) -> Any:
        return np.sum(fnn.checkpoint(f)(p) ** 2)

    assert fnn.tree.equal(fnn.value_and_grad(loss)(primal), fnn.value_and_grad(kept)(primal))
    assert fnn.tree.equal(fnn.checkpoint(f)(primal), f(primal))


def test_checkpoint_keeps_nothing_of_the_inside_until_backward() -> None:
    inside: list[weakref.ref[Any]] = []

    def block(x: Any) -> Any:
        h = np.tanh(x)
        value = fnn.stop_gradient(h)
        inside.append(weakref.ref(value))
        return h * h

    gc.disable()
    try:
        _, pullback = fnn.vjp(fnn.checkpoint(block), np.ones(3))
        assert [ref() for ref in inside] == [None]
        pullback(np.ones(3))
        assert [ref() for ref in inside] == [None, None]
        _, pullback = fnn.vjp(block, np.ones(3))
        assert inside[-1]() is not None
    finally:
        gc.enable()


def test_checkpoint_takes_integer_and_static_arguments() -> None:
    @fnn.checkpoint
    def pick(x: fnn.Array, rows: fnn.Ints, power: int) -> fnn.Array:
        return x[rows] ** power

    g = grad(lambda x: np.sum(pick(x, np.array([0, 0]), 2)))(np.array([3.0, 4.0]))
    np.testing.assert_array_equal(g, [12.0, 0.0])


# debug_nans


def helper(h: Any) -> Any:
    return np.log(h)  # the line that the message shows


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_debug_nans_names_operation_line_shapes_and_parameters_of_the_forward_pass() -> None:
    def loss(p: dict[str, Any]) -> Any:
        return np.sum(helper(np.tanh(p["w"]) @ np.ones((3, 2)))) + np.sum(p["unused"])

    params = {"w": np.zeros((2, 3)), "unused": np.ones(2)}
    assert not np.isfinite(fnn.value_and_grad(loss)(params)[0])
    for run in (
        lambda: fnn.grad(loss)(params),
        lambda: fnn.vjp(loss, params),
        lambda: fnn.jvp(loss, params, params),
        lambda: train_step(lambda p, s, m: (loss(p), s), fnn.Sgd(0.1))(fnn.train_state(params, None, fnn.Sgd(0.1), fnn.key(0))),
    ):
        with fnn.debug_nans(), pytest.raises(FloatingPointError) as caught:
            run()
        message = str(caught.value)
        assert message.startswith("np.log gave -inf, first at [0, 0] of f64[2,2], from f64[2,2], at ")
        assert "test_transforms.py" in message
        assert "return np.log(h)  # the line that the message shows" in message
        assert message.endswith("it depends on ['w']")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_debug_nans_finds_the_backward_pass() -> None:
    def loss(p: tuple[Any, Any]) -> Any:
        return np.sum(np.log(p[0])) + p[1]

    params = (np.array([5e-324, 1.0]), np.float64(1.0))  # a slope beyond all numbers, at the smallest of them
    with (
        fnn.debug_nans(),
        pytest.raises(FloatingPointError, match=r"the backward pass of np.log gave inf.*depends on \[0\]$"),
    ):
        fnn.grad(loss)(params)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_debug_nans_names_parameters_that_are_not_finite_already_and_watches_predict() -> None:
    model = fnn.chain([fnn.Dense(2, 2), np.log, fnn.Dense(2, 1)])
    params, state = fnn.init(model, fnn.key(0))
    x = np.zeros((3, 2), np.float32)
    with fnn.debug_nans(), pytest.raises(FloatingPointError, match=r"np.log gave -inf.*\['params'\]\[0\].weight") as caught:
        fnn.predict(model, params, state, x)
    assert caught.value.__notes__ == ["in part [1] of the chain, log"]
    with fnn.debug_nans(), pytest.raises(FloatingPointError, match=r"^\[0\] holds nan, first at \[1\] of f64\[2\]"):
        grad(lambda p: np.sum(p[0]))((np.array([1.0, np.nan]),))


def test_debug_nans_changes_nothing_while_all_is_finite_and_ends_with_its_block() -> None:
    f, primal, _ = model_function(0)

    def loss(p: Any) -> Any:
        return np.sum(f(p))

    plain: Any = fnn.value_and_grad(loss)(primal)
    with fnn.debug_nans():
        assert fnn.tree.equal(fnn.value_and_grad(loss)(primal), plain)
    with np.errstate(divide="ignore"):
        assert grad(lambda x: np.sum(np.log(x)))(np.zeros(1)) == np.inf


def test_an_error_in_a_backward_rule_tells_the_operation_and_the_line_of_the_forward_pass() -> None:
    @fnn.custom_vjp
    def broken(x: Any) -> Any:
        def pull(g: Any) -> Any:
            raise ZeroDivisionError("no rule today")

        return x * 2, pull

    def loss(x: Any) -> Any:
        y = np.sin(x)
        return np.sum(broken(y))  # this line

    with pytest.raises(ZeroDivisionError, match="no rule today") as caught:
        fnn.grad(loss)(np.ones(2))
    (note,) = caught.value.__notes__
    assert note.startswith("in the backward pass of broken, from f64[2], at ")
    assert "return np.sum(broken(y))  # this line" in note


def test_stop_gradient_takes_trees() -> None:
    def f(p: fnn.LSTMState) -> fnn.Scalar:
        constant = fnn.stop_gradient(p)
        return np.sum(p.hidden * constant.hidden) + np.sum(constant.cell)

    state = fnn.LSTMState(np.array([[3.0]]), np.array([[5.0]]))
    grads = fnn.grad(f)(state)
    assert (grads.hidden.item(), grads.cell.item()) == (3.0, 0.0)
    assert fnn.stop_gradient(state) is state
    assert fnn.stop_gradient((None, state))[1] is state
