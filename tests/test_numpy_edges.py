"""Where other libraries give NaN, a silent zero or another dtype: kinks, ties, zeros, infinities, empty arrays, dtypes."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import fnn
from fnn.autodiff.tape import Tape

# untyped, because lambdas infer nothing and the stubs of NumPy differ from version to version
grad: Any = fnn.grad
vjp: Any = fnn.vjp
hessian_of: Any = fnn.hessian
logsumexp: Any = fnn.logsumexp
nx: Any = np
INF, NAN = np.inf, np.nan

KINKS: list[tuple[str, Callable[[Any], Any], list[float], list[float]]] = [
    # infinite slopes
    ("cbrt", lambda x: np.sum(np.cbrt(x)), [0.0, 8.0], [0.0, 1 / 12]),
    ("arcsin", lambda x: np.sum(np.arcsin(x)), [-1.0, 0.0, 1.0], [0.0, 1.0, 0.0]),
    ("arccos", lambda x: np.sum(np.arccos(x)), [-1.0, 0.0, 1.0], [0.0, -1.0, 0.0]),
    ("arccosh", lambda x: np.sum(np.arccosh(x)), [1.0], [0.0]),
    ("std", lambda x: np.std(x, ddof=1), [2.0, 2.0], [0.0, 0.0]),
    ("var", np.var, [2.0, 2.0], [0.0, 0.0]),
    ("nanstd", np.nanstd, [2.0, NAN, 2.0], [0.0, 0.0, 0.0]),
    # no direction
    ("hypot", lambda x: np.hypot(x[0], x[1]), [0.0, 0.0], [0.0, 0.0]),
    ("arctan2", lambda x: np.arctan2(x[0], x[1]), [0.0, 0.0], [0.0, 0.0]),
    ("copysign", lambda x: np.sum(np.copysign(x, -1.0)), [0.0, 3.0, -3.0], [0.0, -1.0, 1.0]),
    ("fabs", lambda x: np.sum(np.fabs(x)), [0.0, -2.0], [0.0, -1.0]),
    ("sinc", lambda x: np.sum(np.sinc(x)), [0.0], [0.0]),
    # ties
    ("max", lambda x: np.max(x, initial=3.0), [3.0, 3.0, 1.0], [1 / 3, 1 / 3, 0.0]),
    ("max where", lambda x: np.max(x, initial=0.0, where=np.array([True, False, True])), [3.0, 3.0, 3.0], [0.5, 0.0, 0.5]),
    ("initial wins", lambda x: np.min(x, initial=0.0), [3.0, 2.0], [0.0, 0.0]),
    ("ptp", np.ptp, [1.0, 3.0, 3.0], [-1.0, 0.5, 0.5]),
    ("median", np.median, [2.0, 1.0, 2.0, 5.0, 2.0], [1 / 3, 0.0, 1 / 3, 0.0, 1 / 3]),
    ("median, even", np.median, [4.0, 1.0, 2.0, 3.0], [0.0, 0.0, 0.5, 0.5]),
    ("median, even with a tie", np.median, [4.0, 2.0, 2.0, 3.0], [0.0, 0.25, 0.25, 0.5]),
    ("quantile as max", lambda x: np.quantile(x, 1.0), [3.0, 3.0, 1.0], [0.5, 0.5, 0.0]),
    ("nanmedian", np.nanmedian, [4.0, NAN, 2.0, 2.0], [0.0, 0.0, 0.5, 0.5]),
    ("fmax", lambda x: np.fmax(x[0], x[1]), [2.0, 2.0], [0.5, 0.5]),
    ("fmax of NaN", lambda x: np.fmax(x[0], x[1]), [NAN, 2.0], [0.0, 1.0]),
    ("fmin of NaN", lambda x: np.fmin(x[0], x[1]), [2.0, NAN], [1.0, 0.0]),
    ("nanmax", np.nanmax, [2.0, NAN, 2.0], [0.5, 0.0, 0.5]),
    ("clip at bounds that are differentiated", lambda x: np.clip(x[0], x[1], x[2]), [1.0, 1.0, 2.0], [1.0, 0.0, 0.0]),
    ("clip with crossed bounds", lambda x: np.clip(x[0], x[1], x[2]), [1.0, 3.0, 2.0], [0.0, 0.0, 1.0]),
    # powers
    ("x**0", lambda x: np.sum(x**0), [0.0, -2.0], [0.0, 0.0]),
    ("x**1", lambda x: np.sum(x**1 + x**1.0), [0.0, -2.0], [2.0, 2.0]),
    ("0**y", lambda y: np.sum(0.0**y), [2.0, 0.0], [0.0, 0.0]),
    ("x**y at 0", lambda x: np.power(x[0], x[1]), [0.0, 3.0], [0.0, 0.0]),
    ("0**0.5, as sqrt", lambda x: np.sum(x**0.5), [0.0, 4.0], [0.0, 0.25]),
    ("0**[0.3, 1, 1.5]", lambda x: np.sum(np.power(x, [0.3, 1.0, 1.5])), [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]),
    ("0**0", lambda x: np.power(x[0], x[1]), [0.0, 0.0], [0.0, 0.0]),
    ("negative**integers", lambda x: np.sum(x ** np.array([0, 1, 2, 3])), [-2.0] * 4, [0.0, 1.0, -4.0, 12.0]),
    ("negative**floats", lambda x: np.sum(np.power(x, [2.0, -1.0])), [-2.0, -2.0], [-4.0, -0.25]),
    ("float_power", lambda x: np.sum(np.float_power(x, 2)), [-2.0, 0.0], [-4.0, 0.0]),
    # products with zeros
    ("prod, one zero", np.prod, [2.0, 0.0, 3.0], [0.0, 6.0, 0.0]),
    ("prod, two zeros", np.prod, [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]),
    ("prod of one", np.prod, [0.0], [1.0]),
    ("nanprod", np.nanprod, [NAN, 0.0, 3.0], [0.0, 3.0, 0.0]),
    ("cumprod", lambda x: np.sum(np.cumprod(x)), [2.0, 0.0, 3.0, 0.0], [1.0, 8.0, 0.0, 0.0]),
    # NaN and infinity
    ("nan_to_num", lambda x: np.sum(np.nan_to_num(x)), [NAN, INF, 1.0], [0.0, 0.0, 1.0]),
    ("nansum", np.nansum, [NAN, 1.0], [0.0, 1.0]),
    ("nanmean", np.nanmean, [NAN, 1.0, 2.0], [0.0, 0.5, 0.5]),
    ("where", lambda x: np.sum(np.where(np.isnan(x), 0.0, x * 3)), [NAN, 1.0], [0.0, 3.0]),
    ("logaddexp of -inf", lambda x: np.logaddexp(x[0], x[1]), [-INF, 1.0], [0.0, 1.0]),
    ("logaddexp of two -inf", lambda x: np.logaddexp(x[0], x[1]), [-INF, -INF], [0.5, 0.5]),
    ("logaddexp of inf", lambda x: np.logaddexp2(x[0], x[1]), [INF, 1.0], [1.0, 0.0]),
    ("logaddexp, far apart", lambda x: np.logaddexp(x[0], x[1]), [1e4, -1e4], [1.0, 0.0]),
    ("logaddexp, large", lambda x: np.logaddexp2(x[0], x[1]), [1e4, 1e4], [0.5, 0.5]),
    ("logsumexp, large", fnn.logsumexp, [1e4, 1e4, -1e4], [0.5, 0.5, 0.0]),
    ("logsumexp of -inf", fnn.logsumexp, [-INF, 2.0], [0.0, 1.0]),
    ("logsumexp of -inf alone", fnn.logsumexp, [-INF, -INF], [0.5, 0.5]),
    ("logsumexp of inf", fnn.logsumexp, [INF, 2.0, INF], [0.5, 0.0, 0.5]),
    ("logaddexp.reduce", lambda x: np.logaddexp.reduce(x), [-INF, -INF], [0.5, 0.5]),
    # large arguments
    ("arctan", lambda x: np.sum(np.arctan(x)), [1e30], [0.0]),
    ("arcsinh", lambda x: np.sum(np.arcsinh(x)), [1e30], [1e-30]),
    ("arccosh, large", lambda x: np.sum(np.arccosh(x)), [1e30], [1e-30]),
    ("safe_where", lambda x: np.sum(fnn.safe_where(x > 0, np.sqrt, x, -1.0)), [-1.0, 0.0, 4.0, NAN], [0.0, 0.0, 0.25, 0.0]),
    ("safe_where, never", lambda x: np.sum(fnn.safe_where(x > 0, np.log, x, x * 2)), [-1.0, 0.0], [2.0, 2.0]),
]
every_kink = pytest.mark.parametrize(("f", "x", "expected"), [row[1:] for row in KINKS], ids=[row[0] for row in KINKS])


@every_kink
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_at_kinks_ties_and_zeros(f: Any, x: list[float], expected: list[float], dtype: Any) -> None:
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        found = grad(f)(np.array(x, dtype))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, np.array(expected, dtype), rtol=1e-6, atol=1e-37)


@every_kink
def test_second_derivatives_there_are_finite(f: Any, x: list[float], expected: list[float]) -> None:
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        found = grad(lambda x: np.sum(grad(f)(x) * np.arange(1.0, 1 + len(x))))(np.array(x))
    assert np.all(np.isfinite(found))


def test_second_derivatives_of_products_with_zeros_are_exact() -> None:
    def hessian(f: Any, x: list[float]) -> Any:
        return fnn.hessian(f)(np.array(x))

    np.testing.assert_array_equal(hessian(np.prod, [0.0, 2.0, 0.0]), [[0, 0, 2], [0, 0, 0], [2, 0, 0]])
    np.testing.assert_array_equal(hessian(np.prod, [5.0, 0.0, 3.0]), [[0, 3, 0], [3, 0, 5], [0, 5, 0]])
    third = grad(lambda x: hessian_of(np.prod)(x)[0, 1])(np.zeros(3))
    np.testing.assert_array_equal(third, [0, 0, 1])
    # x0 + x0 x1 + x0 x1 x2
    np.testing.assert_array_equal(hessian(lambda x: np.sum(np.cumprod(x)), [0.0, 0.0, 4.0]), [[0, 5, 0], [5, 0, 0], [0, 0, 0]])


def test_sinc_is_smooth_at_zero_to_any_order() -> None:
    derivatives = []
    f: Any = np.sinc
    for _ in range(4):
        f = grad(f)
        derivatives.append([f(np.float64(x)) for x in (0.0, 1e-9, 0.1)])
    at_zero = [row[0] for row in derivatives]
    np.testing.assert_allclose(at_zero, [0, -(np.pi**2) / 3, 0, np.pi**4 / 5], rtol=1e-13)
    np.testing.assert_allclose([row[1] for row in derivatives], at_zero, rtol=1e-6, atol=1e-6)
    u = 0.1 * np.pi
    np.testing.assert_allclose(derivatives[0][2], np.pi * (np.cos(u) - np.sin(u) / u) / u, rtol=1e-13)


def test_values_of_logsumexp() -> None:
    for dtype in (np.float32, np.float64):
        x = np.array([[-INF, -INF], [INF, 1.0], [1e4, 1e4], [-INF, 2.0]], dtype)
        with np.errstate(all="raise"):
            y = logsumexp(x, axis=1)
        assert y.dtype == dtype
        np.testing.assert_allclose(y, [-INF, INF, 1e4 + np.log(2), 2.0], rtol=1e-6)
    assert np.isnan(fnn.logsumexp(np.array([NAN, 1.0])))
    assert fnn.logsumexp(np.zeros(0)) == -INF
    np.testing.assert_array_equal(fnn.logsumexp(np.zeros((2, 0)), 1, keepdims=True), np.full((2, 1), -INF))
    with pytest.raises(TypeError, match="logsumexp: x is i64"):
        logsumexp(np.arange(3))


def test_a_function_of_nan_has_a_gradient_of_nan_without_a_warning() -> None:
    for f in (np.max, np.median, lambda x: np.quantile(x, 0.3), np.ptp):
        assert np.isnan(grad(f)(np.array([1.0, NAN, 2.0]))).any()


def test_the_base_alone_may_be_negative() -> None:
    exponent = np.array([2.0, 3.0])
    np.testing.assert_array_equal(grad(lambda x: np.sum(x**exponent))(np.array([-2.0, -2.0])), [-4.0, 12.0])
    with pytest.warns(RuntimeWarning, match="invalid value"):  # there is no derivative by the exponent
        assert np.isnan(grad(lambda y: np.sum(np.array([-2.0]) ** y))(np.array([2.0]))).all()


# Sizes and layouts

FUNCTIONS: list[Callable[..., Any]] = [
    np.sum, np.prod, np.cumsum, np.cumprod, np.nansum, np.nanprod, np.exp, np.sqrt, np.sinc, np.nan_to_num, fnn.logsumexp,
    lambda x: np.max(x, initial=0.0), lambda x: x + 1.0, lambda x: x**2, lambda x: np.clip(x, 0, 1),
    lambda x: np.maximum(x, 0.5), lambda x: np.where(x > 0, x, 0.0),
    lambda x: np.cumulative_prod(x.ravel(), include_initial=True),
    lambda x: np.logaddexp.reduce(x, axis=None), lambda x: fnn.safe_where(x > 0, np.log, x, 1.0),
]  # fmt: skip


@pytest.mark.parametrize("f", FUNCTIONS)
@pytest.mark.parametrize("shape", [(0,), (2, 0), (1,), (), (1, 1, 1)])
def test_empty_single_and_0d_arrays(f: Any, shape: tuple[int, ...]) -> None:
    for dtype in (np.float32, np.float64):
        x = np.full(shape, 0.7, dtype)
        y, pullback = vjp(f, x)
        assert (y.dtype, pullback(np.ones_like(y)).dtype, pullback(np.ones_like(y)).shape) == (dtype, dtype, shape)


@pytest.mark.parametrize("axis", [0, 1, (0, 2), None])
def test_order_statistics_and_averages_of_strided_arrays(axis: Any) -> None:
    base = np.random.default_rng(0).normal(size=(6, 4, 8))
    for f in (np.median, lambda x, axis: np.quantile(x, [0.2, 0.7], axis=axis), np.prod, np.std, np.nanmean):
        for view in (base[::2, :, ::-1], base.T, np.broadcast_to(base[:1], (3, 4, 8))):

            def loss(x: Any, f: Any = f) -> Any:
                return np.sum(f(x, axis=axis))

            np.testing.assert_allclose(grad(loss)(view), grad(loss)(view.copy()), rtol=1e-14)


def test_a_number_against_an_empty_array() -> None:
    for f in (np.add, np.multiply, np.divide, np.power, np.maximum, np.hypot, np.arctan2, np.logaddexp, np.remainder):
        assert grad(lambda x, f=f: np.sum(f(x, np.zeros((0, 3)))))(np.array(2.0)) == 0.0
        assert grad(lambda x, f=f: np.sum(f(2.0, x)))(np.zeros((0, 3))).shape == (0, 3)


# dtypes

SINGLE: list[Callable[[Any], Any]] = [
    np.cbrt, np.sqrt, np.arcsinh, np.arctan, np.sinc, np.deg2rad, np.rad2deg, np.log2, np.exp2, np.std, np.var, np.mean,
    np.median, np.prod, np.cumprod, np.max, np.nanmean, np.nanvar, np.nanmedian, np.average, np.ptp, fnn.logsumexp,
    np.nan_to_num, np.nanprod, lambda x: x**2, lambda x: x**0.5, lambda x: 2.0**x, lambda x: 2**x, lambda x: 3 / x,
    lambda x: x % 0.3, lambda x: np.fmod(x, 2),
    lambda x: np.power(np.array([1, 2, 3], np.int8), x), lambda x: x ** np.array([1, 2, 3], np.int8), lambda x: np.hypot(x, 1),
    lambda x: np.arctan2(1, x), lambda x: np.logaddexp(x, 0), lambda x: np.maximum(x, 1), lambda x: np.clip(x, 0.5, 1.0),
    lambda x: np.quantile(x, 0.3), lambda x: np.percentile(x, 30), lambda x: np.average(x, weights=x),
    lambda x: np.prod(x, initial=2.0), lambda x: np.sum(x, where=[True, False, True]), lambda x: np.where(x > 1, x, 0.0),
    lambda x: np.mean(x, where=np.array([True, False, True])), lambda x: np.var(x, where=np.array([True, False, True])),
    lambda x: np.copysign(x, -1), lambda x: np.fmax(x, 1.0), lambda x: np.heaviside(0.0, x), lambda x: np.logaddexp2(x, x),
    lambda x: fnn.safe_where(x > 1, np.log, x, 0.0), lambda x: divmod(x, 0.7)[1], np.cumulative_sum,
]  # fmt: skip


@pytest.mark.parametrize("f", SINGLE)
@pytest.mark.parametrize("order", [1, 2])
def test_single_precision_stays_single_in_every_cotangent(f: Any, order: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sum over axes and the cast where cotangents meet must find nothing to cast."""
    seen: list[Any] = []
    elementary = Tape.record

    def record(self: Any, value: Any, parents: Any, pull: Any, *rest: Any) -> Any:
        def watched(g: Any, *saved: Any) -> Any:
            pulled = pull(g, *saved)
            parts = (pulled,) if isinstance(parents, int) else pulled
            seen.extend(part.dtype for part in parts if part is not None)
            return pulled

        return elementary(self, value, parents, pull and watched, *rest)

    monkeypatch.setattr(Tape, "record", record)
    x = np.array([0.6, 1.3, 2.2], np.float32)
    assert f(x).dtype == np.float32

    def loss(x: Any) -> Any:
        return np.sum(f(x) * np.float32(1.5))

    found = grad(loss)(x) if order == 1 else grad(lambda x: np.sum(grad(loss)(x) ** 2))(x)
    assert found.dtype == np.float32
    assert seen
    assert set(seen) == {np.dtype(np.float32)}


def on_the_left(f: Callable[..., Any], other: Any, x: Any) -> Any:
    return f(x, other)


def test_integers_python_numbers_and_numpy_scalars_promote_as_in_numpy() -> None:
    x = np.array([0.5, 1.5], np.float32)
    operands: list[Any] = [
        2,
        2.5,
        True,
        np.float32(2),
        np.float64(2),
        np.int8(2),
        np.arange(1, 3),
        np.arange(1, 3, dtype=np.int8),
    ]
    for f in (operator.add, operator.mul, operator.truediv, operator.pow, operator.mod, np.hypot, np.maximum, np.arctan2):
        for other in operands:
            for g in (partial(on_the_left, f, other), partial(f, other)):
                y, pullback = vjp(g, x)
                assert y.dtype == g(x).dtype
                np.testing.assert_array_equal(y, g(x))
                slope = pullback(np.ones_like(y))
                assert slope.dtype == np.float32
                numeric = (g(x.astype(float) + 1e-6) - g(x.astype(float) - 1e-6)) / 2e-6
                if not (f is operator.mod or (f is np.maximum and np.any(x == other))):
                    np.testing.assert_allclose(slope, numeric, rtol=1e-5, atol=1e-6)


# Values and constants


def test_an_initial_value_may_be_differentiated() -> None:
    x = np.array([2.0, 3.0])
    assert grad(lambda s: np.sum(x * s, initial=s))(np.float64(1.0)) == 6.0
    assert grad(lambda s: np.prod(x * s, initial=s))(np.float64(1.0)) == 18.0
    assert grad(lambda s: np.max(x * s, initial=4 * s))(np.float64(1.0)) == 4.0


def test_parts_of_numbers_have_numpys_values() -> None:
    x = np.array([-1.7, 0.3, 5.5])
    functions: list[Any] = [np.modf, np.frexp, lambda x: np.divmod(x, 0.4), lambda x: divmod(2.0, x)]
    for f in functions:
        for mine, theirs in zip(vjp(f, x)[0], f(x), strict=True):
            np.testing.assert_array_equal(mine, theirs)
            assert mine.dtype == theirs.dtype
    assert grad(lambda x: np.sum(np.modf(x)[0] + x // 1 + np.frexp(x)[0]))(np.array([5.5])).tolist() == [1.125]


def test_the_slope_of_heaviside_by_its_value_at_zero() -> None:
    found = grad(lambda h: np.sum(np.heaviside(np.array([-1.0, 0.0, 2.0]), h)))(np.array([0.5, 0.5, 0.5]))
    assert found.tolist() == [0.0, 1.0, 0.0]


def test_constants_take_numpys_keywords() -> None:
    def f(x: Any) -> Any:
        mask = np.array([True, False, True])
        found = [
            np.any(x > 1, axis=0, keepdims=True), np.all(x, where=mask), np.count_nonzero(x, axis=0), np.round(x, decimals=1),
            np.isclose(x, 1.0, atol=0.5), np.logical_and.reduce(x, axis=0), np.logical_or.reduce(x, where=mask),
            np.sum(x, dtype=int), np.cumsum(x, dtype=np.int64), np.floor_divide(x, 0.5), np.prod(x, dtype=int),
        ]  # fmt: skip
        return np.sum(x), found

    x = np.array([0.6, 1.3, 2.2])
    _, found = grad(f, has_aux=True)(x)
    for mine, theirs in zip(found, f(x)[1], strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: np.add(x, 1, where=x > 1), "np.add with where= has no gradient"),
        (lambda x: np.add(x, 1, where=x > 1, out=np.zeros(3)), "existing array"),
        (lambda x: np.exp(x, dtype=complex), "np.exp with dtype="),
        (lambda x: np.sum(x, dtype=complex), "only real floating numbers"),
        (lambda x: np.astype(x, complex), "only real floating numbers"),
        (lambda x: np.quantile(x, x[0] / 3), "np.quantile with respect to q"),
        (lambda x: nx.quantile(x, 0.3, weights=np.ones(3), method="inverted_cdf"), "np.quantile with weights="),
        (lambda x: nx.nanvar(x, mean=1.0), "np.nanvar with mean="),
        (np.i0, "np.i0 has no gradient"),
        (np.spacing, "np.spacing has no gradient"),
        (lambda x: np.hypot.accumulate(x), "np.hypot.accumulate has no gradient"),
        (lambda x: np.subtract.reduce(x), "np.subtract.reduce has no gradient"),
    ],
)
def test_what_is_refused(f: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        grad(lambda x: np.sum(f(x)))(np.array([0.6, 1.3, 2.2]))


def test_weights_of_an_average() -> None:
    with pytest.raises(ZeroDivisionError, match="weights sum to 0"):
        grad(lambda w: np.average([1.0, 2.0], weights=w))(np.array([1.0, -1.0]))
    with pytest.raises(TypeError, match="an axis must be given"):
        grad(lambda x: np.average(x, weights=[1.0, 2.0]))(np.ones((2, 3)))
    with pytest.raises(ValueError, match="weights have shape"):
        grad(lambda x: np.average(x, 1, weights=[1.0, 2.0]))(np.ones((2, 3)))


def test_order_statistics_of_rows_with_different_numbers_of_nan() -> None:
    x = np.array([[1.0, NAN, 3.0, 2.0], [NAN, NAN, 5.0, NAN], [4.0, 1.0, 3.0, 2.0]])
    found = grad(lambda x: np.sum(np.nanmedian(x, axis=1)))(x)
    np.testing.assert_array_equal(found, [[0, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0.5, 0.5]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nothing = grad(lambda x: np.sum(np.nanmedian(x, axis=1)))(np.array([[NAN, NAN], [1.0, 3.0]]))
    np.testing.assert_array_equal(nothing, [[NAN, NAN], [0.5, 0.5]])
