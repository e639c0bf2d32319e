"""Cross-entropy and negative log-likelihood: class weights, ignored rows, values by row."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn

DTYPES: list[Any] = [np.float32, np.float64]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 3))
LABELS = np.array([0, 2, 1, 2])
WEIGHTS: Any = np.array([0.5, 2.0, 1.0])
LOSSES: list[Any] = [fnn.cross_entropy, fnn.nll]
PER_EXAMPLE: list[Any] = [fnn.cross_entropy_per_example, fnn.nll_per_example]
EVERY: list[Any] = [*LOSSES, *PER_EXAMPLE]
every = pytest.mark.parametrize("loss", EVERY, ids=lambda f: f.__name__)
every_mean = pytest.mark.parametrize("loss", LOSSES, ids=lambda f: f.__name__)


def under(loss: Any, labels: Any, options: Any, x: Any) -> Any:
    return loss(x, labels, **options)


def by_loop(x: Any, labels: Any, s: float, weights: Any, ignore_index: int | None) -> tuple[Any, float]:
    """(values by row, weighted mean), one number after the other."""
    rows, k = labels.size, x.shape[-1]
    values, weight = np.zeros(rows), 0.0
    for i, (z, y) in enumerate(zip(x.reshape(rows, k), labels.ravel(), strict=True)):
        if y == ignore_index:
            continue
        log_p = z - np.log(sum(np.exp(z)))
        for c in range(k):
            q = (1 - s) * (c == y) + s / k
            values[i] -= weights[c] * q * log_p[c]
        weight += weights[y]
    return values.reshape(labels.shape), values.sum() / weight


@given(
    shape=st.lists(st.integers(1, 3), min_size=0, max_size=3),
    smoothing=st.sampled_from([0.0, 0.3, 1.0]),
    weighted=st.booleans(),
    ignore_index=st.sampled_from([None, -100, -1, 1, 7]),
    seed=st.integers(0, 2**32),
)
def test_values_agree_with_a_loop(
    shape: list[int], smoothing: float, weighted: bool, ignore_index: int | None, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x, labels = rng.normal(size=(*shape, 4)), rng.integers(0, 4, shape)
    if ignore_index is not None:
        labels = np.where(rng.random(shape) < 0.4, ignore_index, labels)
        labels.flat[0] = 0
    weights = rng.uniform(0.2, 2, 4) if weighted else None
    options: Any = {"class_weights": weights, "ignore_index": ignore_index}
    rows, mean = by_loop(x, labels, smoothing, np.ones(4) if weights is None else weights, ignore_index)
    found: Any = fnn.cross_entropy_per_example(x, labels, label_smoothing=smoothing, **options)
    assert found.shape == labels.shape
    np.testing.assert_allclose(found, rows, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(fnn.cross_entropy(x, labels, label_smoothing=smoothing, **options), mean, rtol=1e-12)
    if not smoothing:
        log_p = fnn.log_softmax(x)
        np.testing.assert_allclose(fnn.nll_per_example(log_p, labels, **options), rows, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(fnn.nll(log_p, labels, **options), mean, rtol=1e-12)


@given(seed=st.integers(0, 2**32), smoothing=st.sampled_from([0.0, 0.2]), weighted=st.booleans())
def test_probabilities_that_are_one_hot_give_the_values_of_labels(seed: int, smoothing: float, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    x, labels = rng.normal(size=(2, 3, 4)), rng.integers(0, 4, (2, 3))
    options: Any = {"label_smoothing": smoothing, "class_weights": rng.uniform(0.2, 2, 4) if weighted else None}
    rows = fnn.cross_entropy_per_example(x, labels, **options)
    np.testing.assert_allclose(fnn.cross_entropy_per_example(x, np.eye(4)[labels], **options), rows, rtol=1e-12)
    # of probabilities the mean is over rows, as in PyTorch, also where classes have weights
    np.testing.assert_allclose(fnn.cross_entropy(x, np.eye(4)[labels], **options), np.mean(rows), rtol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@every
def test_the_dtype_is_that_of_the_logits(loss: Any, dtype: Any) -> None:
    x = X.astype(dtype)
    options: list[Any] = [{"class_weights": WEIGHTS.astype(np.float32)}, {"ignore_index": 0}]
    for option in options:
        y, pullback = fnn.vjp(partial(under, loss, LABELS, option), x)
        assert y.dtype == dtype
        assert pullback(np.ones_like(y)).dtype == dtype


@every
def test_options_that_change_nothing_give_the_plain_loss(loss: Any) -> None:
    plain = loss(X, LABELS)
    np.testing.assert_allclose(loss(X, LABELS, class_weights=np.ones(3)), plain, rtol=1e-14)
    np.testing.assert_allclose(loss(X, LABELS, ignore_index=-100), plain, rtol=1e-14)


@every
def test_what_ignored_rows_hold_does_not_matter(loss: Any) -> None:
    x = X.copy()
    x[1] = [np.nan, np.inf, -np.inf]
    labels = np.array([0, -100, 1, 2])
    y, pullback = fnn.vjp(lambda x: loss(x, labels, ignore_index=-100), x)
    g = pullback(np.ones_like(y))
    kept = [0, 2, 3]
    assert not g[1].any()
    y2, pullback2 = fnn.vjp(lambda x: loss(x, labels[kept]), X[kept])
    np.testing.assert_allclose(g[kept], pullback2(np.ones_like(y2)), rtol=1e-12)
    np.testing.assert_allclose(y if y.ndim == 0 else y[kept], y2, rtol=1e-12)
    assert y.ndim == 0 or y[1] == 0


@every
def test_what_ignored_rows_hold_does_not_matter_to_second_derivatives(loss: Any) -> None:
    x = X.copy()
    x[1] = [np.nan, np.inf, -np.inf]

    def curvature(x: Any, labels: Any) -> Any:
        def f(x: Any) -> Any:
            return np.sum(loss(x, labels, ignore_index=-100) ** 2)

        return fnn.grad(lambda x: np.sum(fnn.grad(f)(x) ** 2))(x)

    kept = [0, 2, 3]
    g = curvature(x, np.array([0, -100, 1, 2]))
    assert not g[1].any()
    np.testing.assert_allclose(g[kept], curvature(X[kept], np.array([0, 1, 2])), rtol=1e-10)


@every_mean
def test_classes_of_weight_0_are_left_out_of_the_mean(loss: Any) -> None:
    np.testing.assert_allclose(
        loss(X, LABELS, class_weights=np.array([1.0, 1.0, 0.0])), loss(X, LABELS, ignore_index=2), rtol=1e-14
    )


@every_mean
def test_the_scale_of_class_weights_does_not_matter_to_the_mean(loss: Any) -> None:
    np.testing.assert_allclose(loss(X, LABELS, class_weights=WEIGHTS * 8), loss(X, LABELS, class_weights=WEIGHTS), rtol=1e-14)


@every
def test_class_weights_may_be_differentiated(loss: Any) -> None:
    def f(w: Any) -> Any:
        return np.sum(loss(X, LABELS, class_weights=w) ** 2)

    g = fnn.grad(f)(WEIGHTS)
    for k in range(3):
        h = np.zeros(3)
        h[k] = 1e-6
        np.testing.assert_allclose(g[k], (f(WEIGHTS + h) - f(WEIGHTS - h)) / 2e-6, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dtype", DTYPES)
def test_extreme_logits_give_exact_rows(dtype: Any) -> None:
    x = np.array([[0, 0], [1e4, -1e4], [-1e4, 1e4]], dtype)
    labels = np.array([0, 0, 0])
    weights = np.array([2, 1], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y, pullback = fnn.vjp(lambda x: fnn.cross_entropy_per_example(x, labels, class_weights=weights), x)
        g = pullback(np.ones_like(y))
    np.testing.assert_allclose(y, [2 * np.log(2), 0, 4e4], rtol=1e-6)
    np.testing.assert_array_equal(g, [[-1, 1], [0, 0], [-2, 2]])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.uint64])
@every
def test_labels_of_any_integer_type(loss: Any, dtype: Any) -> None:
    labels: Any = LABELS.astype(dtype)
    for ignore_index in (1, -100, 1000):
        found = loss(X, labels, ignore_index=ignore_index)
        np.testing.assert_array_equal(found, loss(X, LABELS, ignore_index=ignore_index))
    np.testing.assert_array_equal(loss(X, labels, ignore_index=np.int64(1)), loss(X, LABELS, ignore_index=1))


@pytest.mark.parametrize("loss", PER_EXAMPLE, ids=lambda f: f.__name__)
def test_no_rows_have_no_values(loss: Any) -> None:
    y, pullback = fnn.vjp(lambda x: loss(x, LABELS[:0], ignore_index=0), X[:0])
    assert y.shape == (0,)
    assert pullback(y).shape == (0, 3)


@pytest.mark.parametrize("loss", PER_EXAMPLE, ids=lambda f: f.__name__)
def test_rows_that_are_all_ignored_are_0(loss: Any) -> None:
    np.testing.assert_array_equal(loss(X, np.full(4, -1), ignore_index=-1), np.zeros(4))


def test_nothing_is_written_and_nothing_shared() -> None:
    x, labels, weights = X.copy(), LABELS.copy(), WEIGHTS.copy()
    for a in (x, labels, weights):
        a.flags.writeable = False
    for loss in EVERY:
        y = loss(x, labels, class_weights=weights, ignore_index=2)
        assert not np.shares_memory(y, x)
        _, pullback = fnn.vjp(partial(under, loss, labels, {"class_weights": weights, "ignore_index": 2}), x)
        g = np.ones_like(y)
        g.flags.writeable = False
        pullback(g)


@every
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"class_weights": WEIGHTS[:2]}, ValueError, r"class_weights have shape \(2,\), expected \(3,\)"),
        ({"class_weights": WEIGHTS[None]}, ValueError, r"class_weights have shape \(1, 3\)"),
        ({"class_weights": -WEIGHTS}, ValueError, "class_weights go from -2.0 to -0.5, expected finite"),
        ({"class_weights": WEIGHTS * np.inf}, ValueError, "class_weights go from inf to inf"),
        ({"class_weights": WEIGHTS * np.nan}, ValueError, "class_weights go from nan"),
        ({"class_weights": [1.0, 1.0, 1.0]}, TypeError, "class_weights is a list"),
        ({"class_weights": np.array([1, 1, 1])}, TypeError, "class_weights is i64"),
        ({"class_weights": WEIGHTS.astype(np.longdouble)}, TypeError, "class_weights is (longdouble|float128)"),
        ({"ignore_index": 1.0}, TypeError, "ignore_index is 1.0, a float, expected an integer"),
        ({"ignore_index": True}, TypeError, "ignore_index is True, a bool"),
        ({"ignore_index": 0, "labels": LABELS + 1}, ValueError, "label 3 is out of range, expected class numbers from 0 to 2"),
        ({"ignore_index": -1, "labels": LABELS - 2}, ValueError, "label -2 is out of range"),
        ({"ignore_index": -1, "labels": LABELS[:2]}, ValueError, r"labels have \(2,\), expected \(4,\)"),
        ({"ignore_index": -1, "labels": LABELS.tolist()}, TypeError, "labels are a list"),
        ({"ignore_index": -1, "labels": LABELS * 1.0}, TypeError, "labels are f64"),
    ],
)
def test_bad_options(loss: Any, options: Any, error: Any, message: str) -> None:
    options = dict(options)
    labels = options.pop("labels", LABELS)
    with pytest.raises(error, match=rf"^{loss.__name__}: .*{message}"):
        loss(X, labels, **options)


@every_mean
def test_a_mean_of_no_rows(loss: Any) -> None:
    for labels, options in (
        (np.full(4, -1), {"ignore_index": -1}),
        (np.zeros(4, int), {"class_weights": np.array([0.0, 1.0, 1.0])}),
    ):
        with pytest.raises(ValueError, match=f"^{loss.__name__}: the weights of the 4 rows add up to 0"):
            loss(X, labels, **options)
    with pytest.raises(ValueError, match=f"^{loss.__name__}: the batch is empty"):
        loss(X[:0], LABELS[:0], ignore_index=-1)


@pytest.mark.parametrize("loss", [fnn.cross_entropy, fnn.cross_entropy_per_example], ids=lambda f: f.__name__)
def test_probabilities_have_no_label_to_ignore(loss: Any) -> None:
    with pytest.raises(ValueError, match=f"^{loss.__name__}: ignore_index is -1 but the target is probabilities"):
        loss(X, np.full((4, 3), 1 / 3), ignore_index=-1)
    with pytest.raises(ValueError, match=rf"^{loss.__name__}: .* one class"):
        loss(X[:, :1], np.zeros(4, int), ignore_index=-1)


def test_nll_refuses_what_is_not_an_array() -> None:
    with pytest.raises(TypeError, match=r"^nll: log_probabilities is a list"):
        fnn.nll(X.tolist(), LABELS)
    with pytest.raises(ValueError, match=r"^nll: log_probabilities have shape \(4, 3\) but labels have \(3,\)"):
        fnn.nll(X, LABELS[:3])


def test_float32_weights_take_nothing_from_float64_logits() -> None:
    narrow = WEIGHTS.astype(np.float32)
    for loss in EVERY:
        np.testing.assert_array_equal(loss(X, LABELS, class_weights=narrow), loss(X, LABELS, class_weights=WEIGHTS))
    row: Any = partial(fnn.cross_entropy, X, LABELS, label_smoothing=0.1)
    np.testing.assert_array_equal(row(class_weights=narrow), row(class_weights=WEIGHTS))


def test_one_row_without_a_batch() -> None:
    np.testing.assert_allclose(fnn.nll(X[0], np.array(2), class_weights=WEIGHTS), -X[0, 2], rtol=1e-14)
    row: Any = partial(fnn.cross_entropy_per_example, label_smoothing=0.1)
    assert row(X[0], np.array(2)).shape == ()
    with pytest.raises(ValueError, match=r"^cross_entropy_per_example: label 3 is out of range"):
        row(X[0], np.array(3), ignore_index=-1)


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", ">i4", ">i2", "u1", "u2", ">u8"])
def test_labels_of_any_integer_type_are_read_as_they_are(dtype: str) -> None:
    x = np.random.default_rng(0).normal(size=(3, 300))
    labels = np.array([3, 0, 120])
    assert fnn.cross_entropy(x, labels.astype(dtype)) == fnn.cross_entropy(x, labels)


@pytest.mark.parametrize("dtype", ["i1", "i2", ">i2", "i4", "i8"])
def test_a_negative_label_is_refused_however_many_classes_there_are(dtype: str) -> None:
    x = np.zeros((2, 70_000))
    with pytest.raises(ValueError, match="label -100 is out of range"):
        fnn.cross_entropy(x, np.array([3, -100], dtype))


@pytest.mark.parametrize("dtype", ["u1", "i4", "i8", "u8"])
@pytest.mark.parametrize("rows", [(31,), (32,), (8, 25)], ids=str)
@pytest.mark.parametrize("classes", [2, 32, 33])
def test_few_and_many_rows_and_classes_give_the_sums_of_a_loop(rows: tuple[int, ...], classes: int, dtype: str) -> None:
    """The matrix may lie in memory by rows or by classes."""
    x = RNG.normal(size=(*rows, classes))
    labels: Any = RNG.integers(0, classes, rows).astype(dtype)
    for smoothing in (0.0, 0.1):
        mean: Any = partial(under, fnn.cross_entropy, labels, {"label_smoothing": smoothing})
        loss, slope = fnn.value_and_grad(mean)(x)
        expected, slopes = 0.0, np.zeros_like(x)
        for i in np.ndindex(rows):
            q = np.full(classes, smoothing / classes)
            q[int(labels[i])] += 1 - smoothing
            p = np.exp(x[i]) / np.exp(x[i]).sum()
            expected -= (q * np.log(p)).sum() / labels.size
            slopes[i] = (p - q) / labels.size
        np.testing.assert_allclose(loss, expected, rtol=1e-12)
        np.testing.assert_allclose(slope, slopes, atol=1e-15)
