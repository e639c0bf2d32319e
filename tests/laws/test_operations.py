"""Laws of differentiation, over the table of NumPy operations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn
from fnn.tree import flatten
from tests.laws import checks
from tests.laws.operations import OPERATIONS, Operation

sizes = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
every_operation = pytest.mark.parametrize("case", OPERATIONS, ids=lambda case: case.name)


def drawn(case: Operation, size: tuple[int, int, int], seed: int) -> tuple[tuple[Any, ...], np.random.Generator]:
    rng = np.random.default_rng(seed)
    shapes = case.shapes(*size)
    return tuple(np.asarray(draw(rng, shape)) for draw, shape in zip(case.draws, shapes, strict=True)), rng


@every_operation
@given(size=sizes, seed=st.integers(0, 2**32))
def test_gradient_is_that_of_central_differences(case: Operation, size: tuple[int, int, int], seed: int) -> None:
    args, rng = drawn(case, size, seed)
    checks.check_gradient(lambda p: case.f(*p), args, rng)


@every_operation
@given(size=sizes, seed=st.integers(0, 2**32))
def test_pullback_is_the_adjoint_of_the_derivative(case: Operation, size: tuple[int, int, int], seed: int) -> None:
    args, rng = drawn(case, size, seed)
    checks.check_adjoint(lambda p: case.f(*p), args, rng)


@every_operation
@given(size=sizes, seed=st.integers(0, 2**32))
def test_gradients_can_be_differentiated_again(case: Operation, size: tuple[int, int, int], seed: int) -> None:
    args, rng = drawn(case, size, seed)
    checks.check_second_order(lambda p: case.f(*p), args, rng)


@every_operation
@given(size=sizes, seed=st.integers(0, 2**32), dtype=st.sampled_from([np.float32, np.float64]))
def test_dtype_shape_and_values_stay_and_nothing_is_written(
    case: Operation, size: tuple[int, int, int], seed: int, dtype: Any
) -> None:
    args, rng = drawn(case, size, seed)
    args = fnn.tree.freeze(fnn.tree.astype(args, dtype))
    plain = case.f(*args)
    before = checks.global_state()
    y, pullback = fnn.vjp(lambda p: case.f(*p), args)
    assert fnn.tree.equal(y, plain) or "astype" in case.name
    u = fnn.tree.freeze(checks.like(rng, y))
    grads = pullback(u)
    assert fnn.tree.equal(grads, pullback(u))
    for g, x in zip(fnn.tree.leaves(grads), args, strict=True):
        assert (g.dtype, g.shape) == (x.dtype, x.shape)
        assert type(g) is type(x)
    assert not checks.writable_overlap(grads, (args, u))
    assert not checks.writable_overlap(y, args)
    assert checks.global_state() == before


@every_operation
def test_only_the_arguments_that_are_differentiated_need_be(case: Operation) -> None:
    args, rng = drawn(case, (2, 3, 2), 5)
    for k in range(len(args)):

        def f(x: Any, k: int = k) -> Any:
            return case.f(*args[:k], x, *args[k + 1 :])

        checks.check_adjoint(f, args[k], rng)


def test_arrays_of_size_zero_have_gradients_of_size_zero() -> None:
    def f(x: Any) -> Any:
        return np.sum(np.tanh(x @ np.ones((0, 3))) + np.sum(x, axis=1, keepdims=True))

    assert fnn.grad(f)(np.zeros((4, 0))).shape == (4, 0)


def test_inputs_that_are_not_contiguous_differentiate_like_copies() -> None:
    base = np.random.default_rng(0).normal(size=(6, 8))

    def f(x: fnn.Array2) -> fnn.Scalar:
        return np.sum(np.exp(x) @ x.T)

    for view in (base[::2, ::-1], base.T, np.broadcast_to(base[:, :1], (6, 3))):
        np.testing.assert_array_equal(fnn.grad(f)(view), fnn.grad(f)(view.copy()))


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (lambda x: np.sum(np.abs(x)), [0.0], [0.0]),
        (lambda x: np.sum(np.sqrt(x)), [0.0, 4.0], [0.0, 0.25]),
        (lambda x: np.std(x), [1.0, 1.0], [0.0, 0.0]),
        (lambda x: np.sqrt(np.sum(x * x)), [0.0, 0.0], [0.0, 0.0]),
        (lambda x: np.hypot(x[0], x[1]), [0.0, 0.0], [0.0, 0.0]),
        (lambda x: fnn.tree.global_norm(x), [0.0, 0.0], [0.0, 0.0]),
        (lambda x: np.max(x), [3.0, 3.0, 1.0, 3.0], [1 / 3, 1 / 3, 0.0, 1 / 3]),
        (lambda x: np.maximum(x[0], x[1]), [2.0, 2.0], [0.5, 0.5]),
        (lambda x: np.minimum(x[0], x[1]), [2.0, 2.0], [0.5, 0.5]),
        (lambda x: np.sum(fnn.relu(x)), [0.0, -0.0], [0.0, 0.0]),
        (lambda x: np.sum(fnn.leaky_relu(x)), [0.0], [0.01]),
        (lambda x: np.sum(x**0), [0.0, 2.0], [0.0, 0.0]),
        (lambda x: np.sum(x**2), [0.0, 3.0], [0.0, 6.0]),
        (lambda x: np.power(x[0], x[1]), [0.0, 2.0], [0.0, 0.0]),
        (lambda x: np.power(x[0], x[1]), [0.0, 0.0], [0.0, 0.0]),
        (lambda x: np.sum(np.where(x > 0, x, 0.0)), [-1.0, 2.0], [0.0, 1.0]),
        (lambda x: np.sum(np.clip(x, 0.0, 1.0)), [0.0, 1.0, 2.0], [1.0, 1.0, 0.0]),
    ],
)
def test_subgradients_at_kinks_and_ties_are_those_of_the_design(f: Any, x: list[float], expected: list[float]) -> None:
    dtypes: list[Any] = [np.float32, np.float64]
    for dtype in dtypes:
        with np.errstate(all="raise"):
            found: Any = fnn.grad(f)(np.array(x, dtype))
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@given(seed=st.integers(0, 2**32), order=st.permutations([0, 1, 2, 3, 4]))
def test_a_composition_of_many_operations_obeys_the_chain_rule(seed: int, order: list[int]) -> None:
    rng = np.random.default_rng(seed)
    steps = [
        np.tanh,
        lambda x: x @ x.T / 3,
        lambda x: x - np.mean(x, 0),
        lambda x: x / (1 + np.abs(x)),
        lambda x: np.exp(-x * x),
    ]

    def f(x: Any) -> Any:
        for k in order:
            step: Any = steps[k]
            x = step(x)
        return x

    x = rng.normal(size=(3, 3))
    checks.check_gradient(f, x, rng)
    checks.check_second_order(f, x, rng)


def test_an_array_used_twice_gets_the_sum_of_both_gradients() -> None:
    def f(p: tuple[fnn.Array1, fnn.Array1]) -> fnn.Scalar:
        return np.sum(p[0] * p[0] + p[1])

    shared = np.array([1.0, 2.0])
    a, b = fnn.grad(f)((shared, shared))
    np.testing.assert_array_equal(a, [2.0, 4.0])
    np.testing.assert_array_equal(b, [1.0, 1.0])


def test_third_derivatives_and_mixed_nesting_are_exact() -> None:
    def f(x: fnn.Scalar) -> Any:
        return np.sin(x) * x * x

    d3 = fnn.grad(fnn.grad(fnn.grad(f)))(np.float64(0.7))
    x = 0.7
    np.testing.assert_allclose(d3, 6 * np.cos(x) - 6 * x * np.sin(x) - x * x * np.cos(x), rtol=1e-13)

    def outer(x: fnn.Scalar) -> fnn.Scalar:
        def inner(y: fnn.Scalar) -> fnn.Scalar:
            return x * y * y

        return x * fnn.grad(inner)(x * 2.0)

    # inner'(y) = 2 x y at y = 2 x is 4 x^2, hence outer = 4 x^3
    np.testing.assert_allclose(fnn.grad(outer)(np.float64(3.0)), 12 * 9.0)


def test_vjp_takes_and_gives_trees() -> None:
    def f(p: dict[str, fnn.Array]) -> tuple[fnn.Array, dict[str, fnn.Array]]:
        return p["a"] * 2, {"same": p["b"], "sum": np.sum(p["a"]) + p["b"]}

    primal = {"a": np.ones(2), "b": np.array([3.0])}
    y, pullback = fnn.vjp(f, primal)
    leaves, structure = flatten(y)
    grads = pullback(structure.unflatten([np.ones_like(leaf) for leaf in leaves]))
    np.testing.assert_array_equal(grads["a"], [3.0, 3.0])
    np.testing.assert_array_equal(grads["b"], [2.0])


def test_stop_gradient_makes_a_constant_at_every_order() -> None:
    def f(x: fnn.Scalar) -> fnn.Scalar:
        return x * x * fnn.stop_gradient(x)

    assert float(fnn.grad(f)(np.float64(3.0))) == 18.0
    assert float(fnn.grad(fnn.grad(f))(np.float64(3.0))) == 6.0
