"""Metrics: the laws of accumulators over a table of all, values against scikit-learn and slow loops, extremes, errors."""

from __future__ import annotations

import json
import multiprocessing
import pickle
from dataclasses import FrozenInstanceError, dataclass, replace
from functools import partial, reduce
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn as typed_fnn
from fnn import metrics as typed_metrics
from fnn.metrics import Average
from fnn.testing import METRIC_LAWS, check_metric
from tests.golden.record_metrics import CASES, FILE
from tests.golden.record_metrics import given as inputs_of

fnn: Any = typed_fnn  # untyped, because many of these calls are what the types forbid
m: Any = typed_metrics
RECORDED = json.loads(FILE.read_text(encoding="utf-8"))
CLASSES = 3


@dataclass(frozen=True)
class Within(Average[Any, Any]):
    """A metric of a user's own."""

    bound: float

    def values(self, prediction: Any, target: Any, /) -> Any:
        return np.abs(prediction - target) <= self.bound


def logits(rng: Any, n: int) -> Any:
    return rng.integers(-3, 4, (n, CLASSES)) / 2, rng.integers(0, CLASSES, n)


def probabilities(rng: Any, n: int) -> Any:
    # a row of each class first
    x, labels = logits(rng, n)
    return fnn.softmax(x), np.r_[np.arange(CLASSES), labels][:n]


def numbers(rng: Any, n: int) -> Any:
    return rng.integers(0, CLASSES, n), rng.integers(0, CLASSES, n)


def pairs(rng: Any, n: int) -> Any:
    return rng.integers(0, 2, n), rng.integers(0, 2, n)


def scores(rng: Any, n: int) -> Any:
    # one of each class in the first rows, and ties
    return rng.integers(-4, 5, n) / 4, np.r_[0, 1, rng.integers(0, 2, n)][:n]


def quantities(rng: Any, n: int) -> Any:
    return rng.normal(1e6, 1, n).astype(np.float32), rng.normal(1e6, 1, n)


def columns(rng: Any, n: int) -> Any:
    return rng.normal(size=(n, 2)), rng.normal(3, 1, size=(n, 2))


# every metric, with options, and batches for it; those whose state is whole numbers are exact to the bit
EXACT: dict[str, tuple[Any, Any]] = {
    "accuracy": (m.Accuracy(), logits),
    "accuracy of numbers": (m.Accuracy(), numbers),
    "top k": (m.TopK(2), logits),
    "confusion matrix": (m.ConfusionMatrix(CLASSES), logits),
    "precision": (m.Precision(CLASSES), numbers),
    "recall": (m.Recall(CLASSES, average="weighted"), logits),
    "f1": (m.FBeta(2, average="binary"), pairs),
    "f2": (m.FBeta(CLASSES, beta=2.0, average="micro"), numbers),
    "area": (m.RocAuc(), scores),
    "average precision": (m.AveragePrecision(), scores),
    "own": (Within(0.5), columns),
}
ROUNDED: dict[str, tuple[Any, Any]] = {
    "areas": (m.OneVsRest(m.AveragePrecision(), CLASSES), probabilities),
    "log loss": (m.LogLoss(), logits),
    "log loss of probabilities": (m.LogLoss(probabilities=True), probabilities),
    "log loss of one logit": (m.LogLoss(), scores),
    "perplexity": (m.Perplexity(), logits),
    "calibration": (m.CalibrationError(4), logits),
    "calibration of probabilities": (m.CalibrationError(probabilities=True), probabilities),
    "mae": (m.MAE(), quantities),
    "mse": (m.MSE(), columns),
    "rmse": (m.RMSE(), quantities),
    "r2": (m.R2(), quantities),
    "r2 of columns": (m.R2(2), columns),
    "several": (m.Several(a=m.Accuracy(), loss=m.LogLoss(), matrix=m.ConfusionMatrix(CLASSES)), logits),
}
METRICS = {**EXACT, **ROUNDED}
each_metric = pytest.mark.parametrize("name", METRICS)


def same(name: str, a: Any, b: Any) -> bool:
    """To the bit, or up to rounding; trees of one structure either way."""
    if name in EXACT:
        return bool(fnn.tree.equal(a, b))
    pairs = zip(fnn.tree.leaves(a), fnn.tree.leaves(b), strict=True)
    return all([x.dtype == y.dtype == np.float64 and np.allclose(x, y, rtol=1e-12, atol=1e-10) for x, y in pairs])


def close(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all([close(a[key], b[key]) for key in a])
    return bool(np.allclose(a, b, rtol=1e-12, atol=1e-12))


# Laws


@each_metric
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(0, 12), max_size=4), weighted=st.booleans())
def test_batches_split_anywhere_and_merged_anyhow_are_all_rows_at_once(
    name: str, seed: int, cuts: list[int], weighted: bool
) -> None:
    metric, draw = METRICS[name]
    rng = np.random.default_rng(seed)
    x, y = draw(rng, 12)
    w = rng.integers(0, 4, 12) / 2.0 if weighted else None
    if w is not None:
        w[:CLASSES] = 1
    parts = [slice(a, b) for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), 12], strict=True)]
    batches = [(x[part], y[part], None if w is None else w[part]) for part in parts]
    whole = metric.measure(x, y, w)
    one_by_one = reduce(lambda state, batch: metric.update(state, *batch[:2], weights=batch[2]), batches, metric.init())
    backwards = reduce(metric.merge, [metric.measure(*batch) for batch in batches[::-1]])
    assert same(name, one_by_one, whole)
    assert same(name, backwards, whole)
    assert close(metric.compute(one_by_one), metric(x, y, weights=w))
    order = rng.permutation(12)
    assert same(name, metric.measure(x[order], y[order], None if w is None else w[order]), whole)


@each_metric
@given(seed=st.integers(0, 10**6))
def test_merge_is_associative_and_commutative_and_init_is_neutral(name: str, seed: int) -> None:
    metric, draw = METRICS[name]
    rng = np.random.default_rng(seed)
    a, b, c = [metric.measure(*draw(rng, n)) for n in (5, 1, 9)]
    merge, equal = metric.merge, fnn.tree.equal
    assert equal(merge(a, b), merge(b, a))
    assert same(name, merge(merge(a, b), c), merge(a, merge(b, c)))
    assert equal(merge(a, metric.init()), a)
    assert equal(merge(metric.init(), a), a)
    assert equal(merge(metric.init(), metric.init()), metric.init())


@each_metric
def test_an_empty_batch_changes_nothing_and_an_empty_state_has_no_value(name: str) -> None:
    metric, draw = METRICS[name]
    x, y = draw(np.random.default_rng(0), 7)
    state = metric.measure(x, y)
    assert fnn.tree.equal(metric.update(state, x[:0], y[:0]), state)
    assert fnn.tree.equal(metric.measure(x[:0], y[:0]), metric.init())
    assert fnn.tree.equal(metric.measure(x, y, np.zeros(7)), metric.init())
    with pytest.raises(ValueError, match=r"^\w+\.compute: nothing has been counted, so there is no value; update"):
        metric.compute(metric.init())


@each_metric
def test_a_row_weighs_as_many_as_its_weight_says_and_one_without_weight_may_hold_anything(name: str) -> None:
    metric, draw = METRICS[name]
    x, y = draw(np.random.default_rng(1), 9)
    w = np.array([1, 2, 3, 1, 2, 0, 0, 1, 1])
    expected = metric.measure(np.repeat(x, w, 0), np.repeat(y, w, 0))
    if x.dtype.kind == "f":
        x[5] = np.nan
    y = y.copy()
    y[6] = -100
    assert same(name, metric.measure(x, y, w), expected)
    assert same(name, metric.measure(x, y, w.astype(np.float32)), expected)
    assert same(name, metric.measure(x, y, w > 0), metric.measure(x[w > 0], y[w > 0]))


@each_metric
def test_nothing_that_goes_in_is_changed_and_all_that_comes_out_is_read_only_and_pickles(name: str) -> None:
    metric, draw = METRICS[name]
    x, y = draw(np.random.default_rng(2), 8)
    w = np.array([1.0, 1, 2, 1, 1, 0, 3, 1])
    before = [a.copy() for a in (x, y, w)]
    state = metric.measure(x, y, w)
    kept = pickle.loads(pickle.dumps(state))
    later = metric.update(state, x, y, weights=w)
    value = metric.compute(later)
    for a, b in zip(before, (x, y, w), strict=True):
        np.testing.assert_array_equal(a, b)
    assert fnn.tree.equal(state, kept)
    assert fnn.tree.equal(metric.merge(kept, kept), later)
    assert close(metric.compute(pickle.loads(pickle.dumps(later))), value)
    for leaf in fnn.tree.leaves((metric.init(), state, kept, later)):
        assert leaf.dtype == np.float64
        assert not leaf.flags.writeable
        assert not any([np.shares_memory(leaf, given) for given in (x, y, w)])


@each_metric
def test_specs_are_values(name: str) -> None:
    metric = METRICS[name][0]
    copy = pickle.loads(pickle.dumps(metric))
    assert copy == metric
    assert hash(copy) == hash(metric)
    assert repr(copy) == repr(metric)
    with pytest.raises(FrozenInstanceError):
        metric.something = 1


@each_metric
def test_float32_predictions_are_counted_in_float64(name: str) -> None:
    metric, draw = METRICS[name]
    x, y = draw(np.random.default_rng(3), 8)
    x32, y32 = [a.astype(np.float32) if a.dtype.kind == "f" else a for a in (x, y)]
    x64, y64 = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in (x32, y32)]
    assert fnn.tree.equal(metric.measure(x32, y32), metric.measure(x64, y64))
    small = [a.astype(np.int8) if a.dtype.kind == "i" else a for a in (x32, y32)]
    assert fnn.tree.equal(metric.measure(*small), metric.measure(x64, y64))


def test_states_merge_across_processes() -> None:
    metric = m.Several(area=m.RocAuc(), loss=m.LogLoss())
    x, y = scores(np.random.default_rng(4), 20)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        states = pool.starmap(metric.measure, [(x[:13], y[:13]), (x[13:], y[13:])])
    assert close(metric.compute(metric.merge(*states)), metric(x, y))


@each_metric
def test_every_metric_keeps_the_laws_of_users(name: str) -> None:
    metric, draw = METRICS[name]
    assert check_metric(metric, *draw(np.random.default_rng(14), 12)) == tuple(METRIC_LAWS)


@dataclass(frozen=True)
class Total(m.Metric):  # type: ignore[misc]  # untyped, as its subclasses are wrong on purpose
    """The sum of predictions."""

    def init(self) -> Any:
        return np.zeros(1)

    def measure(self, prediction: Any, target: Any, weights: Any = None, /) -> Any:
        return np.sum(prediction, keepdims=True)

    def merge(self, a: Any, b: Any, /) -> Any:
        return a + b

    def compute(self, state: Any, /) -> float:
        return float(state[0])


class MeanOfMeans(Total):
    def merge(self, a: Any, b: Any, /) -> Any:
        return (a + b) / 2


class Last(Total):
    def merge(self, a: Any, b: Any, /) -> Any:
        return b


class Inplace(Total):
    def merge(self, a: Any, b: Any, /) -> Any:
        a += b
        return a


class Keeps(Total):
    def measure(self, prediction: Any, target: Any, weights: Any = None, /) -> Any:
        return prediction[:1]


class Batches(Total):
    def measure(self, prediction: Any, target: Any, weights: Any = None, /) -> Any:
        return np.ones(1) * (len(prediction) > 0)


class CountsEmpty(Total):
    def measure(self, prediction: Any, target: Any, weights: Any = None, /) -> Any:
        return np.sum(prediction, keepdims=True) + (len(prediction) == 0)


class Drawn(Total):
    def measure(self, prediction: Any, target: Any, weights: Any = None, /) -> Any:
        return np.random.default_rng().random(1)


class Closed(Total):
    def measure(self, prediction: Any, target: Any, weights: Any = None, /) -> Any:
        return np.sum(prediction, keepdims=True), lambda: None

    def merge(self, a: Any, b: Any, /) -> Any:
        return a[0] + b[0], a[1]

    def compute(self, state: Any, /) -> float:
        return float(state[0][0])


@pytest.mark.parametrize(
    ("metric", "law", "message"),
    [
        (MeanOfMeans(), "neutral element", r"merge\(state, init\(\)\) and state have the values: 3.0 and 6.0"),
        (MeanOfMeans(), "merging", "merged from the left and from the right"),
        (MeanOfMeans(), "unequal batches", "rows and all at once the values are"),
        (Last(), "merging", r"merge\(a, b\) and merge\(b, a\) have the values"),
        (Inplace(), "purity", "it wrote to its argument a"),
        (Keeps(), "purity", "the state and the batch share memory"),
        (Batches(), "unequal batches", "in batches of"),
        (CountsEmpty(), "neutral element", "with and without an empty batch the values are: 7.0 and 6.0"),
        (Drawn(), "determinism", "two states of one batch differ"),
        (Closed(), "pickling", "the state does not pickle"),
    ],
)
def test_a_metric_that_breaks_a_law_is_told_which(metric: Any, law: str, message: str) -> None:
    x = np.array([0.0, 1.0, 2.0, 3.0])
    assert check_metric(Total(), x, x) == tuple(METRIC_LAWS)
    with pytest.raises(AssertionError, match=rf"^check_metric: {type(metric).__name__} breaks the law '{law}': .*{message}"):
        check_metric(metric, x, x, laws=(law,))


def test_laws_of_metrics_need_three_rows() -> None:
    with pytest.raises(ValueError, match=r"^check_metric: prediction and target share 2 rows, expected at least 3"):
        check_metric(Total(), np.ones(2), np.ones(2))


# Values


@pytest.mark.parametrize("name", CASES)
def test_values_are_those_recorded_from_scikit_learn(name: str) -> None:
    case, recorded = CASES[name], RECORDED[name]
    np.testing.assert_allclose(case.run_ours(inputs_of(recorded)), recorded["value"], rtol=1e-12, atol=1e-14)


def test_every_recorded_case_is_in_the_table() -> None:
    assert RECORDED.keys() - {"made by"} == CASES.keys()


@pytest.mark.parametrize("name", CASES)
def test_values_are_those_of_scikit_learn_where_it_is_installed(name: str) -> None:
    sklearn_metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed; metrics.json stands for it")
    np.testing.assert_allclose(CASES[name].run_ours(), CASES[name].run_theirs(sklearn_metrics), rtol=1e-12, atol=1e-14)


@given(seed=st.integers(0, 10**6), n=st.integers(2, 20))
def test_area_and_average_precision_by_their_definitions(seed: int, n: int) -> None:
    s, y = scores(np.random.default_rng(seed), n)
    p, q = s[y == 1], s[y == 0]
    assert m.RocAuc()(s, y) == sum([(a > b) + (a == b) / 2 for a in p for b in q]) / (len(p) * len(q))
    expected = np.mean([np.sum(p >= t) / np.sum(s >= t) for t in p])
    assert m.AveragePrecision()(s, y) == pytest.approx(expected, rel=1e-14)


@given(seed=st.integers(0, 10**6), k=st.integers(1, CLASSES))
def test_top_k_by_a_stable_sort(seed: int, k: int) -> None:
    x, y = logits(np.random.default_rng(seed), 10)
    first = np.argsort(-x, axis=1, kind="stable")[:, :k]
    assert m.TopK(k)(x, y) == np.mean([label in row for label, row in zip(y, first, strict=True)])
    assert m.TopK(1)(x, y) == m.Accuracy()(x, y) == fnn.accuracy(x, y)


def test_calibration_bins_are_closed_on_the_right() -> None:
    p = np.array([0.5, 0.75, 0.75, 1.0, 0.875])
    state = m.CalibrationError(4, probabilities=True).measure(p, np.array([0, 1, 0, 1, 0]))
    assert state.weight.tolist() == [0, 1, 2, 2]
    assert state.right.tolist() == [0, 1, 1, 1]
    assert state.confidence.tolist() == [0, 0.5, 1.5, 1.875]
    assert m.CalibrationError(4, probabilities=True).compute(state) == (0.5 + 0.5 + 0.875) / 5


def test_calibration_of_logits_is_that_of_their_probabilities() -> None:
    x, y = np.random.default_rng(5).normal(size=(50, 3)), np.random.default_rng(6).integers(0, 3, 50)
    assert m.CalibrationError()(x, y) == pytest.approx(m.CalibrationError(probabilities=True)(fnn.softmax(x), y), rel=1e-12)
    one = m.CalibrationError()(x[:, 0], (y > 0).astype(int))
    two = m.CalibrationError()(np.stack([np.zeros(50), x[:, 0]], 1), (y > 0).astype(int))
    assert one == two


def test_r2_of_targets_far_from_zero_is_exact_over_many_batches() -> None:
    rng = np.random.default_rng(7)
    offset = rng.integers(-8, 9, 4000) / 8.0
    target, prediction = 2.0**30 + offset, 2.0**30 + offset + rng.choice([-0.5, 0.5], 4000)
    expected = 1 - 1000 / np.sum((offset - offset.mean()) ** 2)
    assert m.R2()(prediction, target) == pytest.approx(expected, rel=1e-13)
    state = m.R2().init()
    for i in range(0, 4000, 7):
        state = m.R2().update(state, prediction[i : i + 7], target[i : i + 7])
    assert m.R2().compute(state) == pytest.approx(expected, rel=1e-13)


@given(st.lists(st.integers(1, 40), min_size=2, max_size=8), st.floats(-1e9, 1e9))
def test_equal_targets_are_seen_to_be_equal_however_they_were_merged(sizes: list[int], value: float) -> None:
    state = reduce(m.R2().merge, [m.R2().measure(np.zeros(n), np.full(n, value)) for n in sizes])
    with pytest.raises(ValueError, match="all targets of output 0 are equal"):
        m.R2().compute(state)


def test_metrics_by_class() -> None:
    x, y = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0])
    values = {metric: metric.per_class(metric.measure(x, y)).tolist() for metric in (m.Precision(3), m.Recall(3), m.FBeta(3))}
    assert values == {
        m.Precision(3): [1 / 2, 2 / 3, 0],
        m.Recall(3): [1 / 2, 2 / 3, 0],
        m.FBeta(3): [1 / 2, pytest.approx(2 / 3), 0],
    }
    assert m.Precision(3)(x, y) == pytest.approx((1 / 2 + 2 / 3) / 3)


def test_micro_precision_recall_and_f_are_the_accuracy() -> None:
    x, y = numbers(np.random.default_rng(8), 50)
    for metric in (m.Precision, m.Recall, m.FBeta):
        assert metric(CLASSES, average="micro")(x, y) == pytest.approx(m.Accuracy()(x, y), rel=1e-15)


def test_weights_may_be_those_of_sequences() -> None:
    rng = np.random.default_rng(9)
    x, y = rng.normal(size=(3, 5, 4)), rng.integers(0, 4, (3, 5))
    w = np.array([1.0, 0.0, 2.0])
    everywhere = np.repeat(w, 5).reshape(3, 5)
    rows = [m.Accuracy(), m.LogLoss(), m.FBeta(4), m.ConfusionMatrix(4), m.CalibrationError(), m.OneVsRest(m.RocAuc(), 4)]
    for metric in rows:
        np.testing.assert_allclose(metric(x, y, weights=w), metric(x, y, weights=everywhere), rtol=1e-14)
        flat = metric(x.reshape(15, 4), y.reshape(15), weights=everywhere.reshape(15))
        np.testing.assert_allclose(metric(x, y, weights=w), flat, rtol=1e-14)
    for metric in (m.MSE(), m.R2(5)):
        a, b = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
        assert metric(a, b, weights=w) == pytest.approx(metric(a[[0, 2, 2]], b[[0, 2, 2]]), rel=1e-14)


def test_r2_of_sequences_takes_weights_of_sequences_and_of_rows() -> None:
    x, y = np.random.default_rng(12).normal(size=(2, 2, 3, 4))
    expected = m.R2(4)(x[[0, 1, 1]], y[[0, 1, 1]])
    assert m.R2(4)(x, y, weights=np.array([1, 2])) == pytest.approx(expected, rel=1e-14)
    assert m.R2(4)(x, y, weights=np.array([[1, 1, 1], [2, 2, 2]])) == pytest.approx(expected, rel=1e-14)
    column = y[0, :, :1]
    assert m.R2()(x[0, :, :1], column, weights=column * 0 + 2) == pytest.approx(m.R2()(x[0, :, 0], column[:, 0]), rel=1e-14)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.uint64])
def test_labels_of_every_integer_type(dtype: Any) -> None:
    x, y = np.random.default_rng(13).normal(size=(40, 100)), np.arange(60, 100).repeat(2)[:40]
    found = x.argmax(1)
    rows = [m.Accuracy(), m.TopK(5), m.ConfusionMatrix(100), m.FBeta(100), m.LogLoss(), m.CalibrationError()]
    for metric in rows:
        np.testing.assert_array_equal(metric(x, y.astype(dtype)), metric(x, y))
    for metric in (m.Accuracy(), m.ConfusionMatrix(100), m.FBeta(100)):
        np.testing.assert_array_equal(metric(found.astype(dtype), y.astype(dtype)), metric(x, y))
    assert m.RocAuc()(x[:, 0], (y > 70).astype(dtype)) == m.RocAuc()(x[:, 0], (y > 70).astype(int))


def test_one_row_without_a_batch_axis() -> None:
    assert m.Accuracy()(np.array([0.0, 1.0]), np.array(1)) == 1
    assert m.LogLoss()(np.array([0.0, 0.0]), np.array(1)) == np.log(2)
    assert m.MSE()(np.array(2.0), np.array(0.0), weights=np.array(3.0)) == 4


def test_metrics_of_a_net_that_is_being_differentiated_are_aux_of_a_step() -> None:
    model, opt = fnn.Dense(2, 3), fnn.Sgd(0.1)
    metric = m.Several(accuracy=m.Accuracy(), loss=m.LogLoss(), areas=m.OneVsRest(m.RocAuc(), 3))

    def loss(params: Any, state: Any, mode: Any, x: Any, y: Any) -> Any:
        found, state = model.forward(params, state, x, mode)
        return fnn.cross_entropy(found, y), (state, metric.measure(found, y))

    step = fnn.train_step(loss, opt, has_aux=True)
    ts = fnn.start(model, opt, fnn.key(0))
    x, y = np.random.default_rng(10).normal(size=(6, 2)).astype(np.float32), np.array([0, 1, 2, 0, 1, 2])
    seen = metric.init()
    for part in (slice(0, 4), slice(4, 6)):
        params = ts.params
        ts, (value, counted) = step(ts, x[part], y[part])
        assert close(m.LogLoss().compute(counted[1]), m.LogLoss()(fnn.dense(params, x[part]), y[part]))
        assert m.LogLoss().compute(counted[1]) == pytest.approx(float(value), rel=1e-5)
        seen = metric.merge(seen, counted)
    assert set(metric.compute(seen)) == {"accuracy", "loss", "areas"}


# Extremes


def test_large_logits_are_exact_and_minus_infinity_is_a_class_that_cannot_be() -> None:
    x, y = np.array([[1e4, -1e4], [-1e4, 1e4], [0.0, -np.inf]]), np.array([0, 0, 0])
    assert m.LogLoss()(x, y) == 2e4 / 3
    assert m.LogLoss()(np.array([1e4, -1e4]), np.array([0, 0])) == 5e3
    assert m.CalibrationError()(x, y) == pytest.approx(1 / 3)
    assert m.Accuracy()(x, y) == m.TopK(1)(x, y) == 2 / 3
    with pytest.raises(ValueError, match=r"Perplexity.compute: the mean log loss is 6666.*LogLoss"):
        m.Perplexity()(x, y)
    with pytest.raises(ValueError, match=r"LogLoss.compute: the value is infinite, because a row gave its label"):
        m.LogLoss()(x[2:], np.array([1]))


def test_probabilities_of_exactly_zero_and_one() -> None:
    p = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert m.LogLoss(probabilities=True)(p, np.array([0, 1])) == 0
    assert m.CalibrationError(probabilities=True)(p, np.array([1, 1])) == 0.5
    assert m.RocAuc()(p[:, 1], np.array([0, 1])) == 1
    for either in (p, p[:, 1]):
        with pytest.raises(ValueError, match=r"LogLoss\.compute: the value is infinite"):
            m.LogLoss(probabilities=True)(either, np.array([0, 0]))


def test_scores_of_both_zeros_are_equal_and_infinite_ones_are_ordered() -> None:
    y = np.array([1, 0])
    assert m.RocAuc()(np.array([-0.0, 0.0]), y) == m.RocAuc()(np.array([np.inf, np.inf]), y) == 0.5
    assert m.RocAuc()(np.array([np.inf, -np.inf]), y) == 1
    assert m.RocAuc().measure(np.array([-0.0, 0.0]), y).scores.tolist() == [0.0]
    assert not np.signbit(m.RocAuc().measure(np.array([-0.0]), y[:1]).scores[0])


@pytest.mark.parametrize(
    ("metric", "labels", "message"),
    [
        (m.RocAuc(), [0, 0], "RocAuc.compute: all rows have the label 0, and the area needs rows of both classes"),
        (m.RocAuc(), [1, 1], "RocAuc.compute: all rows have the label 1"),
        (m.AveragePrecision(), [0, 0], "AveragePrecision.compute: no row has the label 1"),
    ],
)
def test_one_class_only(metric: Any, labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        metric(np.array([0.1, 0.2]), np.array(labels))
    if labels == [1, 1]:
        assert m.AveragePrecision()(np.array([0.1, 0.2]), np.array(labels)) == 1
    assert m.FBeta(2)(np.array(labels), np.array(labels)) == 0.5


def test_a_state_of_rounded_scores_is_bounded() -> None:
    rng = np.random.default_rng(11)
    state = m.RocAuc().init()
    for _ in range(5):
        state = m.RocAuc().update(state, rng.random(1000).round(2), rng.integers(0, 2, 1000))
    assert len(state.scores) == 101
    assert state.positive.sum() + state.negative.sum() == 5000


# Mistakes

X, Y = np.zeros((4, 3)), np.array([0, 1, 2, 0])
NAN = np.where(np.arange(12).reshape(4, 3) == 4, np.nan, X)
PROBABILITIES = np.full((4, 3), 1 / 3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (partial(m.Accuracy(), X, Y[:3]), ValueError, r"^Accuracy: logits have shape \(4, 3\) but labels have \(3,\)"),
        (partial(m.Accuracy(), Y, Y[:3]), ValueError, r"^Accuracy: class numbers have shape .* labels have \(3,\)"),
        (partial(m.Accuracy(), Y[:, None], Y), ValueError, r"^Accuracy: class numbers have shape"),
        (partial(m.Accuracy(), X, Y + 1), ValueError, r"^Accuracy: label 3 is out of range, .* from 0 to 2"),
        (partial(m.Accuracy(), X, Y - 1), ValueError, r"^Accuracy: label -1 is out of range"),
        (partial(m.Accuracy(), X, Y * 1.0), TypeError, r"^Accuracy: labels are f64\[4\], expected an integer array"),
        (partial(m.Accuracy(), Y > 0, Y), TypeError, r"^Accuracy: prediction is bool\[4\], expected logits .*astype\(int\)"),
        (partial(m.Accuracy(), [0, 1], Y), TypeError, r"^Accuracy: prediction is a list, expected an array; write np.asarray"),
        (partial(m.Accuracy(), X, [0, 1, 2, 0]), TypeError, r"^Accuracy: target is a list"),
        (partial(m.Accuracy(), NAN, Y), ValueError, r"^Accuracy: the largest logit of a row is nan, expected a finite"),
        (partial(m.Accuracy(), np.full((4, 3), -np.inf), Y), ValueError, r"^Accuracy: the largest logit of a row is -inf"),
        (partial(m.Accuracy(), X[:, :1], Y * 0), ValueError, r"^Accuracy: logits have shape \(4, 1\), one class"),
        (partial(m.TopK(4), X, Y), ValueError, r"^TopK: k is 4 but there are 3 classes"),
        (partial(m.TopK(2), NAN, Y), ValueError, r"^TopK: the largest logit of a row is nan"),
        (partial(m.TopK(2), Y, Y), TypeError, r"^TopK: logits is i64\[4\]"),
        (partial(m.TopK, 0), ValueError, r"^TopK: k is 0, expected at least 1"),
        (partial(m.TopK, 2.0), TypeError, r"^TopK: k is 2.0, a float, expected an int"),
        (partial(m.TopK, True), TypeError, r"^TopK: k is True, a bool"),
        (partial(m.ConfusionMatrix(4), X, Y), ValueError, r"^ConfusionMatrix: logits have shape \(4, 3\), expected \(4, 4\)"),
        (partial(m.ConfusionMatrix(3), Y + 1, Y), ValueError, r"^ConfusionMatrix: class 3 is out of range"),
        (partial(m.ConfusionMatrix(3), Y, Y - 1), ValueError, r"^ConfusionMatrix: label -1 is out of range, .* from 0 to 2"),
        (partial(m.ConfusionMatrix, 1), ValueError, r"^ConfusionMatrix: classes is 1, expected at least 2"),
        (partial(m.Recall(3), Y[:3], Y), ValueError, r"^Recall: class numbers have shape"),
        (partial(m.Recall, 3, average="mean"), ValueError, r"^Recall: average is 'mean', expected one of \('macro'"),
        (partial(m.Recall, 3, average="binary"), ValueError, r"^Recall: average='binary' is the value of class 1 of 2"),
        (partial(m.FBeta, 3, beta=0), ValueError, r"^FBeta: beta is 0, expected a finite number above 0"),
        (partial(m.FBeta, 3, beta="1"), TypeError, r"^FBeta: beta is '1', a str"),
        (partial(m.FBeta, 1), ValueError, r"^FBeta: classes is 1"),
        (
            partial(m.RocAuc(), X[:, 0], Y),
            ValueError,
            r"^RocAuc: label 2 is neither 0 nor 1; .* OneVsRest\(RocAuc\(\), classes\)",
        ),
        (
            partial(m.RocAuc(), X, Y),
            ValueError,
            r"^RocAuc: scores have shape .* expected one for each label.* x\[:, 1\] - x\[:, 0\]",
        ),
        (partial(m.RocAuc(), NAN[:, 1], Y % 2), ValueError, r"^RocAuc: a score is nan"),
        (partial(m.RocAuc(), Y, Y % 2), TypeError, r"^RocAuc: scores is i64\[4\], expected floating"),
        (partial(m.OneVsRest(m.RocAuc(), 4), X, Y), ValueError, r"^OneVsRest: prediction has shape .* 4 scores in each row"),
        (partial(m.OneVsRest(m.RocAuc(), 3), X, Y * 0), ValueError, r"^RocAuc.compute: all rows have the label 1"),
        (partial(m.OneVsRest, m.RocAuc(), 1), ValueError, r"^OneVsRest: classes is 1"),
        (partial(m.LogLoss(), NAN, Y), ValueError, r"^LogLoss: the largest logit of a row is nan"),
        (partial(m.LogLoss(), X, Y + 1), ValueError, r"^LogLoss: label 3 is out of range"),
        (
            partial(m.LogLoss(probabilities=True), X, Y),
            ValueError,
            r"^LogLoss: expected probabilities, .* for logits write LogLoss\(\)",
        ),
        (partial(m.LogLoss(probabilities=True), NAN, Y), ValueError, r"^LogLoss: expected probabilities"),
        (partial(m.LogLoss(probabilities=True), X[:, 0] + 2, Y % 2), ValueError, r"^LogLoss: expected probabilities"),
        (partial(m.Perplexity(), X, X), TypeError, r"^Perplexity: labels are f64\[4,3\]"),
        (partial(m.CalibrationError, 0), ValueError, r"^CalibrationError: bins is 0"),
        (
            partial(m.MAE(), X, X[:1]),
            ValueError,
            r"^MAE: prediction has shape \(4, 3\) but target has \(1, 3\); .* broadcasting",
        ),
        (partial(m.MSE(), X[:, 0], X[:, :1]), ValueError, r"^MSE: prediction has shape \(4,\) but target has \(4, 1\)"),
        (partial(m.MSE(), X[:, 0], Y), TypeError, r"^MSE: target is i64\[4\]"),
        (partial(m.RMSE(), NAN, X), ValueError, r"^RMSE: prediction holds nan, expected finite numbers"),
        (partial(m.RMSE(), X, X - np.inf), ValueError, r"^RMSE: target holds -inf"),
        (partial(m.R2(), X, X), ValueError, r"^R2: prediction and target have shape \(4, 3\), expected \[..., 1\]; .* R2\(3\)"),
        (partial(m.R2(2), X, X), ValueError, r"^R2: prediction and target have shape \(4, 3\), expected \[..., 2\]"),
        (
            partial(m.R2(3), X, X, weights=X + 1),
            ValueError,
            r"^R2: there are 12 weights, expected one for each of the 4 rows of 3",
        ),
        (partial(m.R2(3), X, np.eye(4, 3)[::-1] * [1, 0, 1]), ValueError, r"^R2.compute: all targets of output 1 are equal"),
        (partial(m.R2(), X[:1, 0], X[:1, 0]), ValueError, r"^R2.compute: all targets of output 0 are equal"),
        (partial(m.R2, 0), ValueError, r"^R2: outputs is 0"),
        (partial(m.MAE(), X, X, weights=np.ones(3)), ValueError, r"^MAE: weights have shape \(3,\), prediction \(4, 3\)"),
        (partial(m.MAE(), X, X, weights=np.array(1.0)), ValueError, r"^MAE: weights have shape \(\)"),
        (partial(m.LogLoss(), X, Y, weights=X + 1), ValueError, r"^LogLoss: weights have shape \(4, 3\)"),
        (partial(m.MAE(), X, X, weights=np.array([1, 1, 1, -1])), ValueError, r"^MAE: weights go from -1.0 to 1.0"),
        (partial(m.MAE(), X, X, weights=np.full(4, np.inf)), ValueError, r"^MAE: weights go from inf to inf"),
        (partial(m.MAE(), X, X, weights=NAN[:, 1]), ValueError, r"^MAE: weights go from nan to nan"),
        (partial(m.MAE(), X, X, weights=[1, 1, 1, 1]), TypeError, r"^MAE: weights are a list, expected an array of numbers"),
        (partial(m.MAE(), X, X, weights=np.full(4, "a")), TypeError, r"^MAE: weights are str\w*\[4\]"),
        (partial(m.Several, a=m.Accuracy), TypeError, r"^Several: a is <class .*Accuracy'>, expected a metric"),
        (partial(m.Several(a=m.Accuracy(), b=m.LogLoss()), Y, Y), TypeError, r"^LogLoss: prediction is i64\[4\]"),
    ],
)
def test_mistakes_are_told_with_what_was_found_and_what_to_do(call: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@dataclass(frozen=True)
class Odd(Average[Any, Any]):
    """Values that are not one for each row."""

    result: Any

    def values(self, prediction: Any, target: Any, /) -> Any:
        return np.asarray(self.result) if isinstance(self.result, tuple) else self.result


@pytest.mark.parametrize(("result", "found"), [(1.0, "a float"), (np.float64(1), r"f64\[\]"), ((1.0, 2.0), r"f64\[2\]")])
def test_values_of_an_own_average_must_be_one_for_each_row(result: Any, found: str) -> None:
    with pytest.raises(ValueError, match=rf"^Odd.values: gave {found}, expected a value for each row of the target f64\[4,3\]"):
        Odd(result)(X, X)


def test_an_own_average_may_give_a_value_for_each_row_of_many_entries() -> None:
    @dataclass(frozen=True)
    class Longest(Average[Any, Any]):
        def values(self, prediction: Any, target: Any, /) -> Any:
            return np.max(np.abs(prediction - target), 1)

    x = np.arange(6.0).reshape(3, 2)
    assert Longest()(x, x * 0) == 3
    assert Longest()(x, x * 0, weights=np.array([1.0, 1.0, 0.0])) == 2
    with pytest.raises(ValueError, match="expected a value for each row"):
        Longest()(x, x * 0, weights=np.ones((3, 2)))


def test_options_make_other_specs() -> None:
    assert m.FBeta(3, beta=2.0) != m.FBeta(3) == m.FBeta(3, beta=1.0)
    assert replace(m.FBeta(3), beta=2.0) == m.FBeta(3, beta=2.0)
    assert m.Several(a=m.Accuracy()) != m.Several(b=m.Accuracy())
    assert m.Precision(3) != m.Recall(3)
    assert repr(m.Several(a=m.TopK(2), b=m.MAE())) == "Several(a=TopK(k=2), b=MAE())"
