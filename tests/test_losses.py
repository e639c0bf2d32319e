"""Losses beside their laws: values by example, sample weights, extremes, empty batches, bad input."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn
from tests.laws.losses import LOSSES, LossCase

losses: Any = fnn.losses  # what is typed of it stands in tests/typing
DTYPES: list[Any] = [np.float32, np.float64]
every_dtype = pytest.mark.parametrize("dtype", DTYPES)
BY_EXAMPLE = [case for case in LOSSES if case.per_example is not None]
every_case = pytest.mark.parametrize("case", BY_EXAMPLE, ids=lambda case: case.name)
NAMES = [name for name in dir(losses) if f"{name}_per_example" in dir(losses)]
ONES = np.ones((2, 3))
SIGNS = np.array([[1, -1, 1], [-1, 1, 1]])
LABELS = np.array([0, 2])

# good arguments for every loss
ARGUMENTS: dict[str, tuple[Any, ...]] = dict.fromkeys(NAMES, (0.5 * ONES, 0.25 * ONES)) | {
    "gaussian_nll": (ONES, ONES, ONES),
    "triplet": (ONES, ONES, ONES),
    "hinge": (ONES, SIGNS),
    "squared_hinge": (ONES, SIGNS),
    "cosine_embedding": (ONES, ONES, SIGNS[:, 0]),
    **dict.fromkeys(("cross_entropy", "nll", "multi_margin", "focal_cross_entropy"), (ONES, LABELS)),
}
every_name = pytest.mark.parametrize("name", NAMES)
both_forms = pytest.mark.parametrize("name", [name + end for name in NAMES for end in ("", "_per_example")])


def drawn(case: LossCase, shape: tuple[int, ...], seed: int, dtype: Any = np.float64) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    given = case.prediction(rng, shape), case.target(rng, shape)
    return tuple(a.astype(dtype) if a.dtype.kind == "f" else a for a in given)


def loud() -> Any:
    return np.errstate(over="raise", invalid="raise", divide="raise")


def rows_of_focal(labels: Any, gamma: float, x: Any) -> Any:
    return losses.focal_cross_entropy_per_example(x, labels, gamma=gamma)


def sum_of_focal(t: Any, gamma: float, z: Any) -> Any:
    return np.sum(losses.focal_per_example(z, t, gamma=gamma, alpha=None))


def test_every_loss_has_a_form_by_example() -> None:
    made = {name for name in dir(losses) if getattr(getattr(losses, name), "__module__", "").startswith("fnn.functional")}
    assert made == {*NAMES, *[f"{name}_per_example" for name in NAMES], "weighted_mean"}
    assert len(NAMES) == 23
    assert {case.name.split(",")[0].removesuffix("_per_example") for case in LOSSES} >= set(NAMES)


@every_case
@given(front=st.lists(st.integers(1, 3), min_size=1, max_size=2).map(tuple), seed=st.integers(0, 2**32))
def test_values_by_example_are_those_of_the_formula(case: LossCase, front: tuple[int, ...], seed: int) -> None:
    p, t = drawn(case, (*front, 3), seed)
    assert case.per_example is not None
    values, expected = case.per_example(p, t), case.formula(p, t)
    assert values.shape == expected.shape
    np.testing.assert_allclose(values, expected, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(case.f(p, t), np.mean(values), rtol=1e-13)


@every_case
@every_dtype
def test_values_by_example_keep_the_dtype_and_give_the_gradient_of_the_loss(case: LossCase, dtype: Any) -> None:
    p, t = drawn(case, (4, 3), 0, dtype)
    assert case.per_example is not None
    values, pullback = fnn.vjp(lambda p: case.per_example(p, t), p)  # type: ignore[misc]  # not None
    g = pullback(np.full_like(values, 1 / values.size))
    assert values.dtype == g.dtype == dtype
    np.testing.assert_allclose(g, fnn.grad(case.f)(p, t), rtol=1e-4 if dtype is np.float32 else 1e-11, atol=1e-7)


@every_case
def test_narrow_targets_do_not_narrow_the_values_of_wide_predictions(case: LossCase) -> None:
    p, t = drawn(case, (4, 3), 0)
    narrow = t.astype(np.float32) if t.dtype.kind == "f" else t
    assert case.per_example is not None
    values = case.per_example(p, narrow)
    assert values.dtype == np.float64
    np.testing.assert_allclose(values, case.per_example(p, t), rtol=1e-5)


@every_name
def test_nothing_is_written_and_nothing_shared(name: str) -> None:
    arguments = tuple(a.copy() for a in ARGUMENTS[name])
    for a in arguments:
        a.flags.writeable = False
    values = getattr(losses, f"{name}_per_example")(*arguments)
    assert not any(np.shares_memory(values, a) for a in arguments)
    assert values.flags.writeable


@every_name
def test_an_empty_batch_has_values_but_no_mean(name: str) -> None:
    empty = [a[:0] for a in ARGUMENTS[name]]
    if name == "info_nce":
        with pytest.raises(ValueError, match=r"^info_nce_per_example: queries have shape \(0, 3\)"):
            losses.info_nce_per_example(*empty)
        return
    values, pullback = fnn.vjp(lambda x: getattr(losses, f"{name}_per_example")(x, *empty[1:]), empty[0])
    assert values.shape in {(0,), (0, 3)}
    assert pullback(values).shape == (0, 3)
    with pytest.raises(ValueError, match=f"^{name}: the batch is empty"):
        getattr(losses, name)(*empty)


@both_forms
def test_arrays_that_do_not_fit(name: str) -> None:
    loss = getattr(losses, name)
    first, *rest = ARGUMENTS[name.removesuffix("_per_example")]
    for k, a in enumerate(rest):
        others = [*rest[:k], a[..., :1], *rest[k + 1 :]]
        with pytest.raises(ValueError, match=rf"^{name}: .*shape \(2, 3\).*\(\d,( \d)?\)|^{name}: target has shape"):
            loss(first, *others)
    for wrong in (first.tolist(), first.astype(int), (first, None)):
        with pytest.raises(TypeError, match=f"^{name}: "):
            loss(wrong, *rest)
    for k, a in enumerate(rest):
        if a.dtype.kind == "f":
            for wrong in (a.tolist(), a.astype(int)):
                with pytest.raises(TypeError, match=f"^{name}: "):
                    loss(first, *[*rest[:k], wrong, *rest[k + 1 :]])
            with pytest.raises(TypeError, match=f"^{name}: .* is float64 but .* is float32"):
                loss(first.astype(np.float32), *[b.astype(np.float32) if i != k else b for i, b in enumerate(rest)])


# exact limits and slopes: (loss, prediction, targets, values, slopes of the sum of the values)
EXTREMES: list[tuple[str, Any, Any, Any, Any]] = [
    ("mse_per_example", [1e4, -1e4], [0, 0], [1e8, 1e8], [2e4, -2e4]),
    ("huber_per_example", [1e4, -1e4], [0, 0], [9999.5, 9999.5], [1, -1]),
    ("log_cosh_per_example", [1e4, -1e4, 0], [0, 0, 0], [1e4 - np.log(2), 1e4 - np.log(2), 0], [1, -1, 0]),
    ("quantile_per_example", [1e4, -1e4, 0], [0, 0, 0], [5e3, 5e3, 0], [0.5, -0.5, 0]),
    ("bce_per_example", [0, 1, 0, 1], [0, 1, 1, 0], [1e-7, 1e-7, 16.118, 16.118], [0, 0, 0, 0]),
    (
        "bce_with_logits_per_example",
        [0, 1e4, -1e4, 1e4, -1e4],
        [1, 1, 0, 0, 1],
        [np.log(2), 0, 0, 1e4, 1e4],
        [-0.5, 0, 0, 1, -1],
    ),
    ("focal_per_example", [1e4, -1e4, 1e4, -1e4], [1, 0, 0, 1], [0, 0, 7.5e3, 2.5e3], [0, 0, 0.75, -0.25]),
    ("hinge_per_example", [1e4, -1e4, 1], [1, 1, 1], [0, 10001, 0], [0, -1, 0]),
    ("squared_hinge_per_example", [1e4, -1e4, 1], [1, 1, 1], [0, 10001**2, 0], [0, -20002, 0]),
    ("poisson_nll_per_example", [-1e4, -1e4], [0, 1], [0, 1e4], [0, -1]),
    ("kl_divergence_per_example", [[0, -1e4], [-1e4, 0]], [[1, 0], [1, 0]], [0, 1e4], [[-1, 0], [-1, 0]]),
    ("dice_per_example", [[0, 0], [1, 1], [1, 1]], [[0, 0], [1, 1], [0, 0]], [0, 0, 2 / 3], None),
    ("cosine_per_example", [[0, 0], [1e4, 0], [1e4, 0]], [[1, 0], [1, 0], [-1e4, 0]], [1, 0, 2], None),
    ("multi_margin_per_example", [[1e4, -1e4], [-1e4, 1e4]], [0, 0], [0, 20001 / 2], [[0, 0], [-0.5, 0.5]]),
    ("focal_cross_entropy_per_example", [[1e4, -1e4], [-1e4, 1e4]], [0, 0], [0, 2e4], [[0, 0], [-1, 1]]),
]


@every_dtype
@pytest.mark.parametrize(("name", "x", "t", "values", "slopes"), EXTREMES, ids=[case[0] for case in EXTREMES])
def test_extremes_are_exact_and_silent(name: str, x: Any, t: Any, values: Any, slopes: Any, dtype: Any) -> None:
    target = np.array(t) if np.ndim(t) < np.ndim(x) else np.array(t, dtype)
    with loud():
        found, pullback = fnn.vjp(lambda x: getattr(losses, name)(x, target), np.array(x, dtype))
        g = pullback(np.ones_like(found))
    np.testing.assert_allclose(found, values, rtol=2e-2 if name == "bce_per_example" else 1e-6, atol=2e-7)
    assert np.isfinite(g).all()
    if slopes is not None:
        np.testing.assert_allclose(g, slopes, rtol=1e-6, atol=1e-12)


@every_dtype
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
def test_focal_losses_are_smooth_for_every_gamma(gamma: float, dtype: Any) -> None:
    z = np.array([-1e4, -100, -1.0, 0.0, 1.0, 100, 1e4], dtype)
    for t in (np.zeros_like(z), np.ones_like(z)):
        with loud():
            binary, g = fnn.value_and_grad(partial(sum_of_focal, t, gamma))(z)
            curvature = fnn.grad(lambda z, t=t: np.sum(fnn.grad(partial(losses.focal, gamma=gamma))(z, t) ** 2))(z)
        assert np.isfinite(g).all()
        assert np.isfinite(curvature).all()
        two = np.stack([np.zeros_like(z), z], -1)
        with loud():
            rows, pullback = fnn.vjp(partial(rows_of_focal, t.astype(int), gamma), two)
            h = pullback(np.ones_like(rows))
        np.testing.assert_allclose(np.sum(rows), binary, rtol=1e-5 if dtype is np.float32 else 1e-12)
        np.testing.assert_allclose(h[:, 1], g, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(h[:, 0], -g, rtol=1e-5, atol=1e-6)


def test_focal_losses_with_gamma_0_are_cross_entropies() -> None:
    rng = np.random.default_rng(0)
    z, t, labels = rng.normal(size=(5, 3)), rng.uniform(size=(5, 3)), rng.integers(0, 3, 5)
    np.testing.assert_allclose(losses.focal(z, t, gamma=0, alpha=None), fnn.bce_with_logits(z, t), rtol=1e-14)
    np.testing.assert_allclose(losses.focal(z, t, gamma=0, alpha=0.5), 0.5 * fnn.bce_with_logits(z, t), rtol=1e-14)
    np.testing.assert_allclose(losses.focal_cross_entropy(z, labels, gamma=0), fnn.cross_entropy(z, labels), rtol=1e-14)


def test_log_cosh_is_accurate_near_zero_and_where_its_forms_meet() -> None:
    d = np.array([1e-200, 1e-9, 1e-4, 0.5, 1 - 1e-15, 1.0, 3.0])
    expected = [
        0,
        5e-19,
        1e-8 / 2 - 1e-16 / 12,
        np.log(np.cosh(0.5)),
        np.log(np.cosh(1)),
        np.log(np.cosh(1)),
        np.log(np.cosh(3)),
    ]
    for sign in (1, -1):
        np.testing.assert_allclose(losses.log_cosh_per_example(sign * d, np.zeros(7)), expected, rtol=1e-14)


def test_the_minimum_of_the_quantile_loss_is_the_quantile() -> None:
    y = np.random.default_rng(0).normal(size=101)
    for q in (0.1, 0.5, 0.83):
        costs = [float(losses.quantile(np.full(101, candidate), y, q=q)) for candidate in np.sort(y)]
        assert np.sort(y)[np.argmin(costs)] == np.quantile(y, q, method="inverted_cdf")
    assert not fnn.grad(lambda p: losses.quantile(p, np.zeros(2), q=0.9))(np.zeros(2)).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weight", [None, 1.0])
def test_the_loss_of_what_is_surely_right_is_small_and_not_zero(dtype: Any, weight: float | None) -> None:
    z, t = np.array([20.0, -20.0, 80.0, -80.0], dtype), np.array([1.0, 0.0, 1.0, 0.0], dtype)
    exact = np.log1p(np.exp(-np.abs(z.astype(np.float64))))
    values = losses.bce_with_logits_per_example(z, t, pos_weight=weight)
    np.testing.assert_allclose(values, exact, rtol=4 * np.finfo(dtype).eps)
    for k in range(4):
        loss = fnn.bce_with_logits(z[k : k + 1], t[k : k + 1], pos_weight=weight)
        np.testing.assert_allclose(loss, exact[k], rtol=4 * np.finfo(dtype).eps)
    p = np.array([1e-6, 3e-5], dtype)
    for k in range(2):
        expected = -np.log1p(-p[k : k + 1].astype(np.float64))[0]
        np.testing.assert_allclose(fnn.bce(p[k : k + 1], np.zeros(1, dtype)), expected, rtol=4 * np.finfo(dtype).eps)


def test_pos_weight_1_changes_nothing_and_numbers_are_columns_of_the_same() -> None:
    rng = np.random.default_rng(0)
    z, t = rng.normal(size=(5, 3)), rng.uniform(size=(5, 3))
    np.testing.assert_allclose(fnn.bce_with_logits(z, t, pos_weight=1), fnn.bce_with_logits(z, t), rtol=1e-14)
    by_column = fnn.bce_with_logits(z, t, pos_weight=np.full(3, 2.5))
    assert fnn.bce_with_logits(z, t, pos_weight=np.float64(2.5)) == by_column
    narrow = fnn.bce_with_logits(z.astype(np.float32), t.astype(np.float32), pos_weight=np.float64(2.5))
    assert narrow.dtype == np.float32
    one_hot = np.array([[1.0, 0.0], [0.0, 0.0]])
    values = losses.bce_with_logits_per_example(np.zeros((2, 2)), one_hot, pos_weight=np.array([3.0, 9.0]))
    np.testing.assert_allclose(values, np.log(2) * np.array([[3, 1], [1, 1]]))
    with loud():
        extreme = losses.bce_with_logits_per_example(np.array([1e4, -1e4]), np.array([1.0, 1.0]), pos_weight=3.0)
    np.testing.assert_array_equal(extreme, [0, 3e4])


@every_dtype
def test_kl_divergence_at_probabilities_of_0(dtype: Any) -> None:
    t = np.array([[1, 0], [0.5, 0.5]], dtype)
    x = np.array([[0, -np.inf], [np.log(0.5), np.log(0.5)]], dtype)
    with loud():
        values, pullback = fnn.vjp(lambda given: losses.kl_divergence_per_example(*given), (x, t))
        dx, dt = pullback(np.ones_like(values))
    np.testing.assert_allclose(values, [0, 0], atol=1e-7)
    np.testing.assert_array_equal(dx, [[-1, 0], [-0.5, -0.5]])
    np.testing.assert_allclose(dt, [[1, 0], [1, 1]], rtol=1e-6)
    # where the prediction excludes what happens, the divergence is infinite
    assert losses.kl_divergence(x, np.array([[0, 1], [0.5, 0.5]], dtype)) == np.inf


def test_kl_divergence_is_the_cross_entropy_less_the_entropy() -> None:
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(4, 3)), fnn.softmax(rng.normal(size=(4, 3)))
    expected = fnn.cross_entropy(x, t) + np.sum(t * np.log(t)) / 4
    np.testing.assert_allclose(losses.kl_divergence(fnn.log_softmax(x), t), expected, rtol=1e-13)


@every_dtype
def test_poisson_nll_says_where_the_exponential_overflows(dtype: Any) -> None:
    top = float(np.log(np.finfo(dtype).max))
    with loud():
        assert np.isfinite(losses.poisson_nll(np.array([top - 1e-3], dtype), np.zeros(1, dtype)))
    with pytest.raises(ValueError, match=r"^poisson_nll: a log-rate is \d+\.\d+, of which exp overflows"):
        losses.poisson_nll(np.array([top + 1e-3], dtype), np.zeros(1, dtype))
    with pytest.raises(ValueError, match=r"^poisson_nll: a log-rate is 10000.0, of which exp overflows float"):
        losses.poisson_nll(np.array([0, 1e4], dtype), np.zeros(2, dtype))
    with loud():
        rate0 = losses.poisson_nll_per_example(np.zeros(2, dtype), np.array([0, 1], dtype), log_input=False)
    np.testing.assert_allclose(rate0, [0, -np.log(1e-8)], rtol=1e-6)


def test_poisson_nll_in_full_is_the_logarithm_of_the_distribution() -> None:
    t = np.array([0.0, 1.0, 5.0, 20.0])
    factorials = np.array([0, 0, np.log(120), np.sum(np.log(np.arange(1, 21)))])
    exact = np.exp(1.5) - 1.5 * t + factorials
    np.testing.assert_allclose(losses.poisson_nll_per_example(np.full(4, 1.5), t, full=True), exact, atol=0.02)


def test_a_variance_below_the_bound_counts_as_the_bound_and_has_its_gradient() -> None:
    def loss(p: Any) -> Any:
        return losses.gaussian_nll(p[0], np.zeros(1), p[1])

    for variance in (0.0, 1e-9):
        value, (dm, dv) = fnn.value_and_grad(loss)((np.array([1e-2]), np.array([variance])))
        at_bound, (em, ev) = fnn.value_and_grad(loss)((np.array([1e-2]), np.array([1e-6])))
        np.testing.assert_allclose([value, dm[0], dv[0]], [at_bound, em[0], ev[0]], rtol=1e-10)
    loose = losses.gaussian_nll(np.zeros(1), np.zeros(1), np.zeros(1), eps=1.0)
    np.testing.assert_allclose(loose, 0)
    value = losses.gaussian_nll(np.array([3.0]), np.array([1.0]), np.array([4.0]), full=True)
    np.testing.assert_allclose(value, -np.log(np.exp(-0.5) / np.sqrt(2 * np.pi * 4)), rtol=1e-14)


@every_dtype
def test_vectors_of_zeros_and_equal_vectors_have_finite_gradients(dtype: Any) -> None:
    zero, one = np.zeros((2, 3), dtype), np.ones((2, 3), dtype)
    cases: list[Any] = [
        lambda x: losses.cosine(x, one),
        lambda x: losses.cosine(x, zero),
        lambda x: losses.cosine_embedding(x, one, np.array([1, -1])),
        lambda x: losses.triplet(x, zero, zero),
        lambda x: losses.triplet(x, x, one, margin=10.0),
        lambda x: losses.info_nce(x, one),
        lambda x: losses.info_nce(x, zero),
    ]
    for f in cases:
        for x in (zero, one):
            with loud():
                value, g = fnn.value_and_grad(f)(x)
            assert np.isfinite(value)
            assert np.isfinite(g).all()


def test_hinge_losses_take_targets_of_any_signed_type() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
    dtypes: list[Any] = [np.int8, np.int64, np.float32, np.float64]
    for name in ("hinge", "squared_hinge"):
        found = {getattr(losses, name)(x, SIGNS.astype(dtype)) for dtype in dtypes}
        assert len(found) == 1
        assert found.pop().dtype == np.float32
    assert not fnn.grad(lambda t: losses.hinge(x, t))(SIGNS.astype(np.float32)).any()


def test_multi_margin_of_several_axes_and_slope_0_at_its_kink() -> None:
    x = np.random.default_rng(0).normal(size=(2, 4, 3))
    labels = np.array([[0, 1, 2, 0], [2, 2, 1, 0]])
    values = losses.multi_margin_per_example(x, labels, p=2)
    assert values.shape == (2, 4)
    np.testing.assert_allclose(values[1], losses.multi_margin_per_example(x[1], labels[1], p=2))
    g = fnn.grad(lambda x: losses.multi_margin(x, np.array([0])))(np.array([[1.0, 0.0, -5.0]]))
    assert not g.any()
    single = losses.multi_margin_per_example(x[0, 0], np.array(0))
    np.testing.assert_allclose(single, losses.multi_margin(x[:1, 0], np.array([0])))


def test_triplet_is_0_where_the_negative_is_far_and_swaps_to_the_nearer() -> None:
    a, p, n = np.array([[0.0, 0.0]]), np.array([[1.0, 0.0]]), np.array([[5.0, 0.0]])
    assert losses.triplet(a, p, n) == 0
    np.testing.assert_allclose(losses.triplet(a, p, n, margin=4.5), 0.5, rtol=1e-5)
    np.testing.assert_allclose(losses.triplet(a, p, n, margin=4.5, swap=True), 1.5, rtol=1e-5)


def test_info_nce_finds_pairs_whatever_their_length_and_is_harder_with_more_keys() -> None:
    a = np.eye(3)
    np.testing.assert_allclose(losses.info_nce(a, 7 * a), np.log(1 + 2 * np.exp(-10)), rtol=1e-9)
    np.testing.assert_allclose(losses.info_nce(a, np.roll(a, 1, 0)), 10 + np.log(1 + 2 * np.exp(-10)), rtol=1e-9)
    more = losses.info_nce_per_example(a, np.concatenate([a, -a]), temperature=1.0)
    np.testing.assert_allclose(more, np.log(np.e + 2 + 1 / np.e + 2) - 1, rtol=1e-9)
    one = losses.info_nce(a[:1], a, temperature=1.0)
    np.testing.assert_allclose(one, np.log(np.e + 2) - 1, rtol=1e-9)


def test_dice_sums_over_all_axes_of_an_example() -> None:
    rng = np.random.default_rng(0)
    p, t = rng.uniform(size=(2, 3, 4, 5)), rng.integers(0, 2, (2, 3, 4, 5)).astype(float)
    flat = losses.dice_per_example(p.reshape(2, -1), t.reshape(2, -1))
    np.testing.assert_allclose(losses.dice_per_example(p, t), flat, rtol=1e-14)
    assert flat.shape == (2,)


BAD: list[tuple[str, tuple[Any, ...], dict[str, Any], Any, str]] = [
    ("huber", (ONES, ONES), {"delta": 0}, ValueError, "delta is 0, expected a positive number"),
    ("huber", (ONES, ONES), {"delta": "1"}, TypeError, "delta is '1', a str"),
    ("bce", (2 * ONES, ONES), {}, ValueError, r"probabilities go from 2.0 to 2.0, expected \[0, 1\]; for logits use bce_with_"),
    ("bce", (ONES, ONES), {"eps": 0.7}, ValueError, "eps is 0.7"),
    ("bce_with_logits", (ONES, ONES), {"pos_weight": -1}, ValueError, "pos_weight is -1, expected finite numbers, 0 or more"),
    ("bce_with_logits", (ONES, ONES), {"pos_weight": np.inf}, ValueError, "pos_weight is inf"),
    ("bce_with_logits", (ONES, ONES), {"pos_weight": [1, 2, 3]}, TypeError, "pos_weight is .*a list, expected a number"),
    ("bce_with_logits", (ONES, ONES), {"pos_weight": np.ones(2)}, ValueError, r"pos_weight has shape \(2,\), .* \(3,\)"),
    ("bce_with_logits", (ONES, ONES), {"pos_weight": np.ones(3, int)}, TypeError, "pos_weight is i64"),
    ("bce_with_logits", (ONES, ONES), {"pos_weight": -np.ones(3)}, ValueError, "pos_weight is .*0 or more"),
    ("quantile", (ONES, ONES), {"q": 0}, ValueError, "q is 0, expected a number between 0 and 1"),
    ("quantile", (ONES, ONES), {"q": 1}, ValueError, "q is 1"),
    ("quantile", (ONES, ONES), {"q": 90}, ValueError, "q is 90"),
    ("quantile", (ONES, ONES), {"q": None}, TypeError, "q is None"),
    ("focal", (ONES, ONES), {"gamma": -1}, ValueError, "gamma is -1, expected a finite number, 0 or more"),
    ("focal", (ONES, ONES), {"gamma": np.nan}, ValueError, "gamma is nan"),
    ("focal", (ONES, ONES), {"alpha": 2}, ValueError, r"alpha is 2, expected a number in \[0, 1\]"),
    ("focal_cross_entropy", (ONES, LABELS), {"gamma": -1}, ValueError, "gamma is -1"),
    ("focal_cross_entropy", (ONES, LABELS + 1), {}, ValueError, "label 3 is out of range"),
    ("focal_cross_entropy", (ONES, LABELS * 1.0), {}, TypeError, "labels are f64"),
    ("focal_cross_entropy", (ONES[:, :1], LABELS), {}, ValueError, "one class"),
    ("dice", (2 * ONES, ONES), {}, ValueError, r"probabilities go from 2.0 .* for logits use dice\(sigmoid\(z\), target\)"),
    ("dice", (ONES - 2, ONES), {}, ValueError, "probabilities go from -1.0"),
    ("dice", (ONES[0], ONES[0]), {}, ValueError, r"probability has shape \(3,\), expected \[batch, ...\]"),
    ("dice", (ONES, ONES), {"smooth": 0}, ValueError, "smooth is 0, expected a positive number"),
    ("kl_divergence", (ONES, -ONES), {}, ValueError, "target goes down to -1.0, expected probabilities"),
    ("kl_divergence", (np.float64(1), np.float64(1)), {}, ValueError, "log_probabilities is a scalar"),
    ("poisson_nll", (ONES, -ONES), {}, ValueError, "target goes down to -1.0, expected counts"),
    (
        "poisson_nll",
        (-ONES, ONES),
        {"log_input": False},
        ValueError,
        "prediction goes down to -1.0, expected rates; for log-rates",
    ),
    ("poisson_nll", (ONES, ONES), {"eps": 0}, ValueError, "eps is 0"),
    ("gaussian_nll", (ONES, ONES, -ONES), {}, ValueError, "variance goes down to -1.0, expected variances; softplus"),
    ("gaussian_nll", (ONES, ONES, ONES), {"eps": 0}, ValueError, "eps is 0"),
    ("hinge", (ONES, SIGNS * 0), {}, ValueError, r"target has an entry 0, expected -1 or \+1; of labels 0 and 1 write"),
    ("squared_hinge", (ONES, SIGNS * 0.5), {}, ValueError, "target has an entry 0.5"),
    ("hinge", (ONES, SIGNS.tolist()), {}, TypeError, r"target is a list, expected an array of -1 and \+1"),
    ("hinge", (ONES, SIGNS > 0), {}, TypeError, r"target is bool\[2,3\], expected an array"),
    ("cosine_embedding", (ONES, ONES, LABELS), {}, ValueError, "target has an entry 0"),
    ("cosine_embedding", (ONES, ONES, SIGNS), {}, ValueError, r"target has shape \(2, 3\), expected \(2,\)"),
    ("cosine_embedding", (ONES, ONES, SIGNS[:, 0]), {"margin": 2}, ValueError, "margin is 2"),
    ("cosine", (np.float64(1), np.float64(1)), {}, ValueError, "prediction is a scalar, expected rows"),
    ("multi_margin", (ONES, LABELS), {"p": 3}, ValueError, "p is 3, expected 1 or 2"),
    ("multi_margin", (ONES, LABELS), {"margin": "1"}, TypeError, "margin is '1'"),
    ("multi_margin", (ONES, LABELS - 1), {}, ValueError, "label -1 is out of range"),
    ("multi_margin", (ONES[:, :1], LABELS * 0), {}, ValueError, "one class"),
    ("triplet", (ONES, ONES, ONES), {"margin": None}, TypeError, "margin is None"),
    ("info_nce", (ONES, ONES), {"temperature": 0}, ValueError, "temperature is 0, expected a positive number"),
    ("info_nce", (ONES, ONES[:1]), {}, ValueError, r"queries have shape \(2, 3\) and keys have \(1, 3\)"),
    ("info_nce", (np.ones((3, 3)), ONES), {}, ValueError, r"queries have shape \(3, 3\) and keys have \(2, 3\)"),
    ("info_nce", (ONES[:0], ONES), {}, ValueError, r"queries have shape \(0, 3\)"),
    ("info_nce", (ONES[:1], ONES[:1]), {}, ValueError, "must have 2 or more"),
    ("info_nce", (ONES[0], ONES[0]), {}, ValueError, r"queries have shape \(3,\)"),
]


@pytest.mark.parametrize("end", ["", "_per_example"])
@pytest.mark.parametrize(("name", "arguments", "options", "error", "message"), BAD)
def test_bad_arguments(
    name: str, arguments: tuple[Any, ...], options: dict[str, Any], error: Any, message: str, end: str
) -> None:
    with pytest.raises(error, match=rf"^{name}{end}: .*{message}"):
        getattr(losses, name + end)(*arguments, **options)


def test_options_that_are_numpy_numbers_widen_nothing() -> None:
    x = np.full((2, 3), 0.5, np.float32)
    number: Any = np.float64
    found = [
        losses.huber(x, x, delta=number(2)),
        losses.quantile(x, x, q=number(0.3)),
        losses.focal(x, x, gamma=number(2), alpha=number(0.3)),
        losses.focal_cross_entropy(x, LABELS, gamma=number(2)),
        losses.dice(x, x, smooth=number(2)),
        losses.poisson_nll(x, x, log_input=False, eps=number(0.1), full=True),
        losses.gaussian_nll(x, x, x, eps=number(0.7), full=True),
        losses.multi_margin(x, LABELS, margin=number(2)),
        losses.cosine_embedding(x, x, SIGNS[:, 0], margin=number(0.3)),
        losses.triplet(x, x, x, margin=number(2)),
        losses.info_nce(x, x, temperature=number(2)),
        losses.bce(x, x, eps=number(1e-5)),
    ]
    assert {value.dtype for value in found} == {np.dtype(np.float32)}


@given(
    shape=st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple), seed=st.integers(0, 2**32), depth=st.integers(1, 3)
)
def test_weighted_mean_is_that_of_a_loop(shape: tuple[int, ...], seed: int, depth: int) -> None:
    rng = np.random.default_rng(seed)
    values, weights = rng.normal(size=shape), rng.uniform(0.1, 2, shape[:depth])
    top: Any = 0.0
    bottom: Any = 0.0
    for index in np.ndindex(shape):
        top += values[index] * weights[index[:depth]]
        bottom += weights[index[:depth]]
    np.testing.assert_allclose(losses.weighted_mean(values, weights), top / bottom, rtol=1e-11, atol=1e-13)
    column = weights.reshape(weights.shape + (1,) * (len(shape) - weights.ndim))
    np.testing.assert_allclose(losses.weighted_mean(values, column), top / bottom, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(losses.weighted_mean(values, np.ones(shape[:1])), np.mean(values), rtol=1e-11, atol=1e-13)


def test_weighted_mean_counts_an_example_of_weight_2_twice_and_one_of_weight_0_not_at_all() -> None:
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(3, 2)), rng.normal(size=(3, 2))

    def weighted(x: Any) -> Any:
        return losses.weighted_mean(losses.mse_per_example(x, t), np.array([2.0, 0.0, 1.0]))

    value, g = fnn.value_and_grad(weighted)(x)
    twice = [0, 0, 2]
    expected, h = fnn.value_and_grad(fnn.mse)(x[twice], t[twice])
    np.testing.assert_allclose(value, expected, rtol=1e-14)
    np.testing.assert_allclose(g, [h[0] + h[1], [0, 0], h[2]], rtol=1e-14)


def test_weighted_mean_of_class_weights_is_the_cross_entropy_with_them() -> None:
    rng = np.random.default_rng(0)
    x, labels, w = rng.normal(size=(5, 3)), rng.integers(0, 3, 5), np.array([0.5, 2.0, 1.0])
    found = losses.weighted_mean(losses.cross_entropy_per_example(x, labels), w[labels])
    np.testing.assert_allclose(found, fnn.cross_entropy(x, labels, class_weights=w), rtol=1e-14)


def test_weighted_mean_keeps_float32_does_not_overflow_and_has_gradients_of_both() -> None:
    values, weights = np.array([1e38, 2e38], np.float32), np.array([1e38, 2e38], np.float32)
    with loud():
        mean = losses.weighted_mean(values, 0.5 * weights)
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean, 5e38 / 3, rtol=1e-6)
    rng = np.random.default_rng(0)
    fnn.testing.check_grads(losses.weighted_mean, rng.normal(size=(3, 2)), rng.uniform(0.5, 1, 3))


@pytest.mark.parametrize(
    ("values", "weights", "error", "message"),
    [
        (ONES, np.ones(3), ValueError, r"values have shape \(2, 3\) but weights have \(3,\), expected .*: \(2,\) for one"),
        (ONES, np.ones((1, 3)), ValueError, r"weights have \(1, 3\)"),
        (ONES, np.ones((2, 2)), ValueError, r"weights have \(2, 2\)"),
        (ONES, np.ones((2, 1, 1)), ValueError, r"weights have \(2, 1, 1\)"),
        (ONES, np.ones((1, 1)), ValueError, r"weights have \(1, 1\)"),
        (ONES, np.float64(1), ValueError, r"weights have \(\)"),
        (ONES, np.array([1.0, -1.0]), ValueError, "weights go from -1.0 to 1.0, expected finite numbers, 0 or more"),
        (ONES, np.array([1.0, np.inf]), ValueError, "weights go from 1.0 to inf"),
        (ONES, np.array([1.0, np.nan]), ValueError, "weights go from nan"),
        (ONES, np.zeros(2), ValueError, "the 2 weights add up to 0"),
        (ONES[:0], np.zeros(0), ValueError, "the batch is empty"),
        (ONES, np.array([1, 2]), TypeError, "weights is i64"),
        (ONES, [1.0, 2.0], TypeError, "weights is a list"),
        (ONES.astype(np.float32), np.ones(2), TypeError, "weights is float64 but values is float32"),
    ],
)
def test_bad_weights(values: Any, weights: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=f"^weighted_mean: .*{message}"):
        losses.weighted_mean(values, weights)


def test_what_has_weight_0_may_be_anything() -> None:
    value, grads = fnn.value_and_grad(lambda v: losses.weighted_mean(v, np.array([1.0, 0.0])))(np.array([2.0, np.inf]))
    assert value == 2.0
    np.testing.assert_array_equal(grads, [1.0, 0.0])
