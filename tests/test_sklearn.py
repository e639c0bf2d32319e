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


ESTIMATORS = [Classifier((16,), epochs=30, random_state=0), Regressor((16,), epochs=30, random_state=0)]


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
