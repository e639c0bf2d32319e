"""fnn.sklearn: scikit-learn's own checks, and what those don't look at."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.6")
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import fnn
from fnn.sklearn import Classifier, Regressor

x, y = load_iris(return_X_y=True)
xs = StandardScaler().fit_transform(x)


ESTIMATORS = [
    Classifier((16,), epochs=30, random_state=0),
    Regressor((16,), epochs=30, random_state=0),
    Classifier(16, epochs=30, early_stopping=True, random_state=0),
    Regressor(16, epochs=30, early_stopping=True, random_state=0),
]


@parametrize_with_checks(ESTIMATORS)  # type: ignore[untyped-decorator]  # scikit-learn has no types
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def wide(inputs: int, outputs: int) -> Any:
    return fnn.Dense(inputs, 8) >> fnn.BatchNorm(8) >> fnn.tanh >> fnn.Dropout(0.1) >> fnn.Dense(8, outputs)


def test_it_learns_iris_in_a_pipeline_and_a_grid() -> None:
    net = make_pipeline(StandardScaler(), Classifier(epochs=60, random_state=0))
    grid = GridSearchCV(
        net, {"classifier__hidden": [(), (16,)], "classifier__optimizer": [fnn.Adam(0.02), fnn.Sgd(1e-4)]}, cv=3
    )
    grid.fit(x, y)
    assert grid.best_params_["classifier__optimizer"] == fnn.Adam(0.02)
    assert grid.best_score_ > 0.93
    assert cross_val_score(net, x, y, cv=3).min() > 0.9


def test_labels_of_any_kind_come_back_and_probabilities_are_those_of_the_classes_in_order() -> None:
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    net = Classifier(epochs=20, random_state=0).fit(xs, names)
    assert net.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    p = net.predict_proba(xs)
    assert p.dtype == np.float64
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-12)
    assert (net.classes_[p.argmax(axis=1)] == net.predict(xs)).all()
    assert net.score(xs, names) > 0.95
    assert net.n_iter_ == 20
    assert net.loss_curve_[-1] < net.loss_curve_[0]


def test_a_seed_gives_the_same_bits_none_gives_others_and_a_generator_moves_on() -> None:
    def fitted(state: Any) -> Any:
        return Classifier((4,), epochs=2, random_state=state).fit(xs, y).params_

    assert fnn.tree.equal(fitted(3), fitted(3))
    assert not fnn.tree.equal(fitted(3), fitted(4))
    assert not fnn.tree.equal(fitted(None), fitted(None))
    moving = np.random.RandomState(0)
    assert not fnn.tree.equal(fitted(moving), fitted(moving))


def test_a_net_of_ones_own_keeps_its_state_through_pickle_and_clone() -> None:
    net = Classifier(model=wide, epochs=5, random_state=0).fit(xs, y)
    assert isinstance(net.state_[1], fnn.BatchNormState)
    assert np.any(net.state_[1].mean != 0)
    again = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(again.predict_proba(xs), net.predict_proba(xs))
    fresh: Any = clone(net)
    assert fresh.get_params() == net.get_params()
    assert not hasattr(fresh, "params_")


def test_activation_hidden_sizes_and_batch_size_are_used() -> None:
    net = Classifier((5, 7), activation=fnn.tanh, epochs=1, batch_size=50).fit(xs, y)
    assert repr(net.model_) == "Dense(4, 5) >> tanh >> Dense(5, 7) >> tanh >> Dense(7, 3)"
    steps: list[int] = []

    class Counting(fnn.Sgd):
        def update_flat(self, grads: Any, slots: Any, params: Any, step: int, segments: Any, /) -> Any:
            steps.append(step)
            return super().update_flat(grads, slots, params, step, segments)

    Classifier((), epochs=2, batch_size=50, optimizer=Counting(0.1)).fit(xs, y)
    assert len(steps) == 2 * 3


def test_regression_comes_back_in_its_units_and_shape() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    target = np.stack([1000 + 300 * x[:, 0], 1e-3 * x[:, 1] ** 2, np.full(200, 7.0)], axis=1)
    net = Regressor((32,), epochs=100, random_state=0).fit(x, target)
    found = net.predict(x)
    assert found.shape == (200, 3)
    for i in range(2):
        assert 1 - np.mean((found[:, i] - target[:, i]) ** 2) / target[:, i].var() > 0.95
    np.testing.assert_allclose(found[:, 2], 7, atol=0.2)
    flat = Regressor((32,), epochs=20, random_state=0).fit(x, target[:, 0])
    assert flat.predict(x).shape == (200,)
    assert flat.score(x, target[:, 0]) > 0.95


def test_a_row_is_predicted_alike_alone_and_among_others() -> None:
    net = Classifier(model=wide, epochs=5, random_state=0).fit(xs, y)
    alone = np.concatenate([net.predict_proba(row[np.newaxis]) for row in xs])
    np.testing.assert_allclose(alone, net.predict_proba(xs), rtol=1e-13)


def test_one_hidden_layer_is_a_number_and_inputs_may_be_of_any_kind() -> None:
    net = Classifier(5, epochs=1, random_state=0).fit(xs, y)
    assert repr(net.model_) == "Dense(4, 5) >> relu >> Dense(5, 3)"
    whole = (10 * xs).astype(np.int64)
    np.testing.assert_array_equal(
        Classifier(5, epochs=1, random_state=0).fit(whole.tolist(), y).predict_proba(whole),
        Classifier([5], epochs=1, random_state=0).fit(whole.astype(np.float32), y).predict_proba(whole),
    )


@pytest.mark.parametrize(("rows", "batch_size", "steps"), [(33, 32, 1), (65, 32, 2), (64, 32, 2), (34, 32, 2), (20, 32, 1)])
def test_a_last_batch_of_one_row_is_left_out(rows: int, batch_size: int, steps: int) -> None:
    seen: list[int] = []

    def counting(inputs: int, outputs: int) -> Any:
        def count(x: Any) -> Any:
            seen.append(len(x))
            return x

        return fnn.BatchNorm(inputs) >> count >> fnn.Dense(inputs, outputs)

    Classifier(model=counting, epochs=1, batch_size=batch_size).fit(xs[:rows], np.arange(rows) % 2)
    assert len(seen[1:]) == steps  # the first is a look at the shape of the output
    assert min(seen[1:]) > 1
    assert Classifier(epochs=1, batch_size=1).fit(xs[:3], [0, 1, 0]).n_iter_ == 1
    assert Regressor(epochs=1).fit(xs[:1], y[:1]).n_iter_ == 1


def test_early_stopping_keeps_the_best_epoch_on_rows_that_it_holds_back() -> None:
    rng = np.random.default_rng(0)
    noisy = np.where(rng.random(len(y)) < 0.3, rng.integers(3, size=len(y)), y)  # so that there is something to overfit
    options: Any = {"hidden": (64,), "validation_fraction": 0.3, "n_iter_no_change": 4, "random_state": 0}
    net = Classifier(**options, epochs=200, early_stopping=True).fit(xs, noisy)
    best = int(np.argmax(net.validation_scores_))
    assert net.n_iter_ == len(net.loss_curve_) == len(net.validation_scores_) == best + 1 + 4
    assert net.best_validation_score_ == net.validation_scores_[best]
    assert all(float(score * 45).is_integer() for score in net.validation_scores_)
    until = Classifier(**options, epochs=best + 1, early_stopping=True).fit(xs, noisy)
    assert fnn.tree.equal(until.params_, net.params_)
    assert not hasattr(Classifier(epochs=1).fit(xs, y), "validation_scores_")

    found = Regressor(32, epochs=300, early_stopping=True, random_state=0).fit(xs, xs[:, :2] ** 2)
    assert found.n_iter_ < 300
    assert 0.9 < found.best_validation_score_ <= 1
    assert found.score(xs, xs[:, :2] ** 2) > 0.9


def test_early_stopping_holds_back_rows_of_every_class(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[Any] = []

    def evaluate(model: Any, ts: Any, rows: Any, score: Any) -> float:
        held.append(rows[1])
        return 0.5

    monkeypatch.setattr(fnn, "evaluate", evaluate)
    for seed in range(5):
        rare = np.arange(100) % 10 == 3
        Classifier(epochs=1, early_stopping=True, random_state=seed).fit(xs[:100], rare)
    assert [(len(labels), labels.sum()) for labels in held] == [(10, 1)] * 5


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "Classifier: epochs is 0, expected at least 1"),
        ({"epochs": 2.5}, TypeError, "Classifier: epochs is 2.5, a float"),
        ({"batch_size": 0}, ValueError, "Classifier: batch_size is 0"),
        ({"n_iter_no_change": 0}, ValueError, "Classifier: n_iter_no_change is 0"),
        ({"hidden": (8, 0)}, ValueError, "Classifier: a size in hidden is 0"),
        ({"hidden": "8"}, TypeError, "Classifier: a size in hidden is '8', a str"),
        ({"activation": "relu"}, TypeError, "Classifier: activation is 'relu', expected a function, as fnn.relu"),
        ({"model": fnn.Dense(4, 3)}, TypeError, r"model is Dense\(4, 3\), expected a function .*lambda n_in, n_out"),
        (
            {"model": lambda n_in, n_out: fnn.Dense(n_in, 5)},
            ValueError,
            r"the model gives \[1, 5\] for one row, expected \[1, 3\]",
        ),
        ({"early_stopping": True, "validation_fraction": 0.0}, ValueError, "leaves 150 rows to train on of n_samples = 150"),
        ({"early_stopping": True, "validation_fraction": 2}, ValueError, "Classifier: validation_fraction is 2"),
    ],
)
def test_a_parameter_that_does_not_fit_is_named(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Classifier(**options).fit(xs, y)


def test_errors() -> None:
    with pytest.raises(ValueError, match="y has one class only, 1; expected at least two"):
        Classifier().fit(xs[:5], np.ones(5, int))
    with pytest.raises(FloatingPointError, match="fit: the loss of step"), np.errstate(all="ignore"):
        Regressor(optimizer=fnn.Sgd(1e20)).fit(xs, y)


def test_verbose_shows_progress(capsys: pytest.CaptureFixture[str]) -> None:
    Classifier((), epochs=2, verbose=True).fit(xs, y)
    assert "epoch 2/2" in capsys.readouterr().err
    Classifier((), epochs=2).fit(xs, y)
    assert capsys.readouterr().err == ""


def test_a_refit_without_validation_forgets_that_of_the_fit_before() -> None:
    x = np.random.default_rng(0).normal(size=(50, 3))
    net = Classifier(epochs=2, early_stopping=True).fit(x, np.arange(50) % 2)
    assert len(net.validation_scores_) == 2
    net.set_params(early_stopping=False).fit(x, np.arange(50) % 2)
    assert not hasattr(net, "validation_scores_")
    assert not hasattr(net, "best_validation_score_")


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e200, 1e307])
def test_targets_of_any_size_are_scaled(size: float) -> None:
    x = np.random.default_rng(0).normal(size=(50, 3))
    y = x[:, 0] / np.max(np.abs(x))
    usual = Regressor(epochs=3, random_state=0).fit(x, y).predict(x)
    np.testing.assert_allclose(
        Regressor(epochs=3, random_state=0).fit(x, y * size).predict(x) / size, usual, rtol=1e-3, atol=1e-3
    )
