"""L-BFGS: known problems, how many calls it takes, and how it ends where there is nothing to find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn
from fnn.optim import lbfgs


def rosenbrock(p: fnn.Array1) -> fnn.Scalar:
    return np.sum(100 * (p[1:] - p[:-1] ** 2) ** 2 + (1 - p[:-1]) ** 2)


def start(n: int, dtype: Any = np.float64) -> Any:
    p = np.full(n, -1.0, dtype)
    p[0] = -1.2
    return p


# PyTorch's LBFGS(line_search_fn="strong_wolfe", history_size=10) takes 37, 85 and 608 calls to the same gradient
@pytest.mark.parametrize(("n", "calls"), [(2, 37), (10, 85), (100, 608)])
def test_rosenbrocks_function_takes_no_more_calls_than_pytorchs(n: int, calls: int) -> None:
    found = lbfgs(rosenbrock, start(n), max_steps=1000)
    assert found.converged
    assert found.message == "the gradient is within the tolerance"
    assert found.steps < found.calls <= calls
    np.testing.assert_allclose(found.params, 1, atol=1e-6)
    assert found.value == rosenbrock(found.params)
    assert found.gradient == np.abs(fnn.grad(rosenbrock)(found.params)).max() <= 1e-5


@given(seed=st.integers(0, 2**32))
def test_a_quadratic_is_solved_in_few_steps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(6, 6))
    matrix, b = root @ root.T + np.eye(6), rng.normal(size=6)

    def f(p: fnn.Array1) -> fnn.Scalar:
        return np.sum(p * (matrix @ p) / 2 - b * p)

    found = lbfgs(f, np.zeros(6), tolerance=1e-9)
    assert found.converged
    np.testing.assert_allclose(found.params, np.linalg.solve(matrix, b), atol=1e-7)
    assert found.steps <= 30


def test_the_calls_are_counted_and_bounded() -> None:
    seen = []

    def f(p: fnn.Array1) -> fnn.Scalar:
        seen.append(1)
        return rosenbrock(p)

    found = lbfgs(f, start(4), max_steps=7)
    assert found.calls == len(seen)
    assert (found.steps, found.converged, found.message) == (7, False, "7 steps done")
    for most in (1, 2, 5):
        found = lbfgs(rosenbrock, start(4), max_steps=9, max_calls_per_step=most)
        assert found.calls <= 1 + 9 * most * 2
        assert found.value < rosenbrock(start(4))


def test_every_step_goes_down() -> None:
    values = [lbfgs(rosenbrock, start(3), max_steps=n).value for n in range(1, 25)]
    assert all(np.diff(values) < 0)


@pytest.mark.parametrize("history", [1, 2, 30])
def test_any_history_converges(history: int) -> None:
    assert lbfgs(rosenbrock, start(5), max_steps=500, history=history).converged


def test_logistic_regression_reaches_a_small_gradient() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 5))
    y = (x @ np.arange(5.0) + rng.normal(size=60) > 0).astype(np.float64)[:, None]

    def loss(p: fnn.LinearParams) -> fnn.Scalar:
        return fnn.bce_with_logits(fnn.dense(p, x), y) + 0.01 * fnn.l2(p)

    found = lbfgs(loss, fnn.LinearParams(np.zeros((5, 1))), tolerance=1e-10)
    assert found.converged
    assert found.calls < 40
    assert isinstance(found.params, fnn.LinearParams)
    assert np.abs(fnn.grad(loss)(found.params).weight).max() <= 1e-10


@dataclass(frozen=True)
class Pair:
    left: fnn.Array2
    right: tuple[dict[str, fnn.Array], None]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_of_any_structure_keep_it_and_are_read_only(dtype: Any) -> None:
    params = Pair(np.ones((2, 3), dtype), ({"gain": np.asarray(3.0, dtype)}, None))
    before = fnn.tree.leaves(params)[0].copy()

    def f(p: Pair) -> fnn.Scalar:
        return np.sum((p.left - 2) ** 2) + np.sum((p.right[0]["gain"] + 1) ** 4)

    found = lbfgs(f, params)
    assert fnn.tree.show(found.params) == fnn.tree.show(params)
    assert not any(leaf.flags.writeable for leaf in fnn.tree.leaves(found.params))
    np.testing.assert_allclose(found.params.left, 2, atol=1e-4)
    np.testing.assert_allclose(found.params.right[0]["gain"], -1, atol=0.05)
    np.testing.assert_array_equal(params.left, before)
    assert fnn.tree.equal(found, lbfgs(f, params))


@pytest.mark.parametrize("n", [2, 10, 100])
def test_float32_says_where_its_precision_ends(n: int) -> None:
    found = lbfgs(rosenbrock, start(n, np.float32), max_steps=1000, tolerance=1e-12)
    assert found.params.dtype == np.float32
    np.testing.assert_allclose(found.params, 1, atol=1e-4)
    assert found.converged == (found.gradient <= 1e-12)
    assert found.converged or found.message == "no point along the line is lower: this is as far as the dtype's precision goes"
    assert found.calls < 1000


def test_steps_out_of_the_domain_are_shortened() -> None:
    def barrier(p: fnn.Array1) -> fnn.Scalar:
        return np.sum(p - np.log(p))

    for first in (1e-3, 0.5, 30.0):
        found = lbfgs(barrier, np.full(3, first), tolerance=1e-8)
        assert found.converged
        np.testing.assert_allclose(found.params, 1, atol=1e-6)

    def cliff(p: fnn.Array1) -> fnn.Scalar:
        return np.sum(np.where(p > -0.5, (p + 0.4) ** 2, np.inf))

    np.testing.assert_allclose(lbfgs(cliff, np.full(2, 3.0)).params, -0.4, atol=1e-5)


def test_a_flat_start_and_the_minimum_itself_take_no_step() -> None:
    for f, p in ((lambda p: np.sum(p * 0) + 1.0, np.ones(3)), (rosenbrock, np.ones(4))):
        found = lbfgs(f, p, tolerance=0.0)
        assert (found.steps, found.calls, found.converged, found.gradient) == (0, 1, True, 0.0)
        np.testing.assert_array_equal(found.params, p)


def test_a_function_without_a_minimum_ends_at_the_last_step() -> None:
    found = lbfgs(lambda p: np.sum(p), np.zeros(2), max_steps=5)
    assert (found.steps, found.converged) == (5, False)
    assert found.calls <= 1 + 5 * 25


def test_a_kink_ends_honestly() -> None:
    found = lbfgs(lambda p: np.sum(np.abs(p)), np.full(3, 0.7))
    assert (found.converged, found.gradient) == (False, 1.0)
    assert found.message.startswith("no point along the line is lower")
    assert found.value < 0.5


def test_agrees_with_long_gradient_descent_on_a_net() -> None:
    x = np.linspace(-1, 1, 12)[:, None]
    model = fnn.Dense(1, 4) >> fnn.tanh >> fnn.Dense(4, 1)
    params, state = fnn.init(model, fnn.key(1))
    wide = fnn.tree.astype(params, np.float64)

    def loss(p: Any) -> fnn.Scalar:
        return fnn.mse(fnn.predict(model, p, state, x), x**2)

    found = lbfgs(loss, wide, max_steps=300)
    assert found.value < 1e-5
    assert found.value < float(loss(wide)) / 1000


def anything(thing: Any) -> Any:
    return thing


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: lbfgs(rosenbrock, start(2), max_steps=0), ValueError, "lbfgs: max_steps is 0, expected at least 1"),
        (
            lambda: lbfgs(rosenbrock, start(2), history=anything(2.5)),
            TypeError,
            "lbfgs: history is 2.5, a float, expected an int",
        ),
        (lambda: lbfgs(rosenbrock, start(2), max_calls_per_step=0), ValueError, "lbfgs: max_calls_per_step is 0"),
        (lambda: lbfgs(rosenbrock, start(2), tolerance=-1.0), ValueError, "lbfgs: tolerance is -1.0"),
        (lambda: lbfgs(lambda p: np.sum(p / 0.0 * 0.0), start(2)), ValueError, "lbfgs: the function is nan at the start"),
        (lambda: lbfgs(rosenbrock, anything(np.arange(3))), TypeError, "lbfgs: .*integer|lbfgs: .*i64"),
        (
            lambda: lbfgs(lambda p: np.sum(p[0]), (np.ones(2), np.ones(2, np.float32))),
            TypeError,
            r"lbfgs: \[1\] is float32 but \[0\] is float64",
        ),
        (lambda: lbfgs(anything(lambda p: p), np.ones(2)), (TypeError, ValueError), "scalar"),
        (lambda: lbfgs(anything(3), np.ones(2)), TypeError, "lbfgs: f is 3, expected a function"),
        (lambda: lbfgs(lambda p: np.float64(0), anything({})), TypeError, "has no arrays in it to differentiate"),
    ],
)
def test_mistakes_are_told(make: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message), np.errstate(all="ignore"):
        make()
