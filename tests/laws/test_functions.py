"""Laws of activations and losses, over their tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn
from fnn.functional import activations
from fnn.testing import check_grads, check_layer, check_loss
from tests.laws.operations.case import away_from_zero
from tests.laws.registry import ACTIVATIONS, LOSSES, Activation, LossCase

seeds = st.integers(0, 2**32)
shapes = st.lists(st.integers(1, 3), min_size=1, max_size=4).map(tuple)
rows = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(lambda front: (*front, 3))
every_activation = pytest.mark.parametrize("case", ACTIVATIONS, ids=lambda case: case.name)
every_loss = pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.name)


@every_activation
@given(shape=shapes, seed=seeds)
def test_activations_keep_the_laws_and_the_shape(case: Activation, shape: tuple[int, ...], seed: int) -> None:
    x = away_from_zero(np.random.default_rng(seed), shape)
    skip = ["pickling"]  # the table holds lambdas
    if case.aliases:
        skip.append("aliasing")
    if "softmax" in case.name and (len(shape) == 1 or case.name.endswith("axis 0")):
        skip.append("row independence")  # it sums along the batch
    check_layer(fnn.Function(case.f), x, modes=[fnn.EVAL], skip=skip, seed=seed)
    assert case.f(x).shape == x.shape


@every_activation
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activation_is_finite_and_silent_at_extremes(case: Activation, dtype: Any) -> None:
    for size in (1e4, 1e30):
        x = np.array([[-size, -1.0, 0.0, 1.0, size]], dtype)
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            y, pullback = fnn.vjp(case.f, x)
            g = pullback(np.ones_like(y))
        assert np.all(np.isfinite(y))
        assert np.all(np.isfinite(g))


@pytest.mark.parametrize(
    ("f", "limits"),
    [
        (fnn.relu, (0.0, 1e4)),
        (fnn.leaky_relu, (-100.0, 1e4)),
        (fnn.sigmoid, (0.0, 1.0)),
        (fnn.tanh, (-1.0, 1.0)),
        (fnn.softplus, (0.0, 1e4)),
        (fnn.elu, (-1.0, 1e4)),
        (fnn.selu, (-1.0507009873554805 * 1.6732632423543772, 1.0507009873554805e4)),
        (fnn.gelu, (0.0, 1e4)),
        (fnn.silu, (0.0, 1e4)),
    ],
)
def test_activation_limits(f: Any, limits: tuple[float, float]) -> None:
    found: Any = f(np.array([-1e4, 1e4]))
    np.testing.assert_allclose(found, limits, atol=1e-300)


def test_sigmoid_is_accurate_in_both_tails() -> None:
    x = np.array([-700.0, -40.0, -1.0, 0.0, 30.0])
    np.testing.assert_allclose(fnn.sigmoid(x), np.exp(x) / (1 + np.exp(x)), rtol=1e-15)


def test_gelu_is_x_times_the_normal_distribution_function() -> None:
    x = np.linspace(-6, 6, 241)
    # the trapezium rule on a fine grid integrates the density to 1e-9
    fine = np.linspace(-12, 12, 2_400_001)
    density = np.exp(-0.5 * fine**2) / np.sqrt(2 * np.pi)
    area = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2 * 1e-5)])
    expected = x * np.interp(x, fine, area)
    np.testing.assert_allclose(fnn.gelu(x, approximate=False), expected, atol=1e-8)
    assert np.abs(fnn.gelu(x) - expected).max() < 5e-4


def test_gelu_keeps_its_digits_where_it_is_tiny() -> None:
    x = np.linspace(-9, -3, 50)
    expected = x / (1 + np.exp(-2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    np.testing.assert_allclose(fnn.gelu(x.astype(np.float32)), expected, rtol=1e-4)  # 1 + tanh would be 0 from -5.5 on


def test_the_slope_of_gelu_far_out_is_0_or_1() -> None:
    for dtype, values in (
        (np.float32, [np.inf, 2e37, 3e38, 1e4, -1e4, -3e38, -np.inf]),
        (np.float16, [np.inf, 6e4, 3e3, 1e3, -1e3, -3e3, -6e4, -np.inf]),
    ):
        x: Any = np.array(values, dtype)
        with np.errstate(invalid="ignore"):  # the value at -inf is not a number
            slopes = fnn.vjp(fnn.gelu, x)[1](np.ones_like(x))
        np.testing.assert_array_equal(slopes[np.isfinite(x) | (x > 0)], (x > 0)[np.isfinite(x) | (x > 0)])


def test_gelu_is_exact_at_extremes_and_of_many_numbers_what_it_is_of_few() -> None:
    """It runs piece by piece, and looks for far numbers in each."""
    n = activations._PIECE
    x = np.random.default_rng(0).normal(size=2 * n + 7) * 4
    x[[0, n - 1, n, n + 1]] = -1e300, 1e300, 30.0, -30.0
    y, pull = fnn.vjp(fnn.gelu, x)
    slope = pull(np.ones_like(x))
    assert y[[0, n - 1, n, n + 1]].tolist() == [0.0, 1e300, 30.0, 0.0]
    assert slope[[0, n - 1, n, n + 1]].tolist() == [0.0, 1.0, 1.0, 0.0]
    assert np.array_equal(fnn.gelu(x), y)
    for at in (slice(0, 9), slice(n - 5, n + 5), slice(2 * n - 3, None)):
        few, pull_of_few = fnn.vjp(fnn.gelu, x[at])
        np.testing.assert_allclose(y[at], few, rtol=1e-14)
        np.testing.assert_allclose(slope[at], pull_of_few(np.ones_like(few)), rtol=1e-12, atol=1e-15)
    narrow = np.array([-np.float32(3e38), np.nan, 3e38, 1.0], np.float32)
    assert np.array_equal(fnn.gelu(narrow), np.array([0, np.nan, 3e38, fnn.gelu(narrow[3:])[0]], np.float32), equal_nan=True)
    assert fnn.gelu(x.reshape(1, -1)[:, ::2].T).shape == (n + 4, 1)


def test_selu_keeps_mean_0_and_variance_1_of_normal_numbers() -> None:
    y = fnn.selu(fnn.key(0).generator().standard_normal(1_000_000))
    assert abs(y.mean()) < 0.005
    assert abs(y.var() - 1) < 0.01


@given(shape=rows, seed=seeds)
def test_softmax_rows_add_up_to_1_and_ignore_a_shift(shape: tuple[int, ...], seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=shape)
    y = fnn.softmax(x)
    np.testing.assert_allclose(y.sum(-1), 1)
    np.testing.assert_allclose(fnn.softmax(x + 1e3), y, rtol=1e-10)
    np.testing.assert_allclose(np.exp(fnn.log_softmax(x)), y)


@every_loss
@given(shape=rows, seed=seeds)
def test_loss_is_the_mean_of_its_formula(case: LossCase, shape: tuple[int, ...], seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, t = case.prediction(rng, shape), case.target(rng, shape)
    # a small loss may be the difference of numbers around 1
    np.testing.assert_allclose(case.f(p, t), np.mean(case.formula(p, t)), rtol=1e-12, atol=1e-15)


@every_loss
@given(shape=rows, seed=seeds)
def test_losses_keep_the_laws(case: LossCase, shape: tuple[int, ...], seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, t = case.prediction(rng, shape), case.target(rng, shape)
    check_loss(case.f, p, t, seed=seed)
    if t.dtype.kind == "f":
        check_grads(lambda t: case.f(p, t), t, seed=seed)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_on_logits_are_exact_at_extremes_and_at_zero(dtype: Any) -> None:
    z = np.array([0.0, 1e4, -1e4, 1e4, -1e4], dtype)
    t = np.array([1.0, 1.0, 0.0, 0.0, 1.0], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        value, g = fnn.value_and_grad(fnn.bce_with_logits)(z, t)
    np.testing.assert_allclose(value, (np.log(2) + 2e4) / 5, rtol=1e-6)
    np.testing.assert_array_equal(g * 5, np.array([-0.5, 0, 0, 1, -1], dtype))
    x = np.array([[0.0, 0.0], [1e4, -1e4], [-1e4, 1e4]], dtype)
    labels = np.array([0, 0, 0])
    targets: list[Any] = [labels, np.eye(2, dtype=dtype)[labels]]
    for target in targets:
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            value, g = fnn.value_and_grad(fnn.cross_entropy)(x, target)
        np.testing.assert_allclose(value, (np.log(2) + 2e4) / 3, rtol=1e-6)
        np.testing.assert_allclose(g * 3, np.array([[-0.5, 0.5], [0, 0], [-1, 1]]), rtol=1e-6)


def test_bce_is_clipped_and_has_no_gradient_outside_its_clip() -> None:
    p = np.array([0.0, 1.0, 0.5, 1e-9])
    t = np.array([1.0, 0.0, 1.0, 1.0])
    value, g = fnn.value_and_grad(fnn.bce)(p, t)
    np.testing.assert_allclose(value, -(3 * np.log(1e-7) + np.log(0.5)) / 4)
    np.testing.assert_array_equal(g, [0, 0, -0.5, 0])
    loose = fnn.grad(lambda p: fnn.bce(p, t, eps=1e-10))(p)
    np.testing.assert_allclose(loose, [0, 0, -0.5, -1e9 / 4], rtol=1e-6)


def test_mae_and_huber_have_slope_0_at_0() -> None:
    z = np.zeros(3)
    assert not fnn.grad(fnn.mae)(z, z).any()
    assert not fnn.grad(fnn.huber)(z, z).any()


def test_unsigned_and_small_integer_labels_work() -> None:
    x = np.random.default_rng(0).normal(size=(4, 3))
    expected = fnn.cross_entropy(x, np.array([0, 1, 2, 0]))
    dtypes: list[Any] = [np.uint8, np.int8, np.int32, np.uint64]
    for dtype in dtypes:
        assert fnn.cross_entropy(x, np.array([0, 1, 2, 0], dtype)) == expected


def test_accuracy_counts_rows_whose_largest_logit_is_the_labels() -> None:
    x = np.array([[1.0, 2.0], [2.0, 1.0], [0.0, 0.0], [5.0, 5.0]])
    assert fnn.accuracy(x, np.array([1, 1, 0, 1])) == 0.5
    assert isinstance(fnn.accuracy(x.astype(np.float32), np.array([1, 1, 0, 1])), float)


def test_exact_gelu_is_accurate_far_from_zero() -> None:
    x = np.array([-9.0, -8.0, 1e300])
    y, pullback = fnn.vjp(lambda x: fnn.gelu(x, approximate=False), x)
    np.testing.assert_allclose(y, [-9 * 1.1285884059538406e-19, -8 * 6.220960574271785e-16, 1e300], rtol=1e-12)
    np.testing.assert_allclose(pullback(np.ones(3))[2], 1.0)


def test_bce_is_finite_where_one_minus_eps_rounds_to_one() -> None:
    ones = np.ones(2, np.float32)
    value, g = fnn.value_and_grad(lambda p: fnn.bce(p, ones, eps=1e-12))(ones)
    assert np.isfinite(value)
    assert np.all(np.isfinite(g))


def test_the_gradient_of_a_numpy_scalar_is_one() -> None:
    functions: list[Any] = [np.arccosh, np.tanh, lambda x: np.float64(1.0) + 0 * x, lambda x: fnn.elu(x) * 2]
    for f in functions:
        assert type(fnn.grad(f)(np.float64(1.5))) is np.float64
    assert type(fnn.jvp(np.sum, np.ones(2), np.ones(2))[1]) is np.float64


def test_global_norm_of_large_float32_does_not_overflow() -> None:
    norm = fnn.tree.global_norm((np.full(4, 1e30, np.float32),))
    assert norm.dtype == np.float32
    np.testing.assert_allclose(norm, 2e30, rtol=1e-6)


def test_subclasses_of_arrays_are_made_plain_or_refused() -> None:
    frozen: Any = fnn.tree.freeze((np.ones(2).view(type("Special", (np.ndarray,), {})),))
    assert type(frozen[0]) is np.ndarray
    with pytest.raises(TypeError, match="MaskedArray computes unlike an array"):
        fnn.tree.leaves((np.ma.masked_array([1.0]),))


@pytest.mark.parametrize(
    "f", [fnn.relu, fnn.leaky_relu, fnn.sigmoid, fnn.tanh, fnn.softplus, fnn.elu, fnn.selu, fnn.gelu, fnn.silu]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("x", [-1.5, 0.0, 2.0])
def test_a_scalar_stays_a_scalar(f: Any, dtype: Any, x: float) -> None:
    y, slope = fnn.value_and_grad(f)(dtype(x))
    assert type(f(dtype(x))) is type(y) is type(slope) is dtype
    of_array, pullback = fnn.vjp(f, np.array([x], dtype))
    np.testing.assert_allclose([y, slope], [of_array[0], pullback(np.ones(1, dtype))[0]])
