"""check_metric: the laws of metrics."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import reduce
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from fnn.metrics.metric import Metric
from fnn.testing.laws import (
    Law,
    Tree,
    batch_size,
    check_laws,
    check_pure,
    check_spec_pickles,
    pickled,
    rows_of,
    shares,
    unlike,
)

Prediction = TypeVar("Prediction")
Target = TypeVar("Target")


@dataclass(frozen=True)
class MetricSubject:
    """A metric, an example prediction and target."""

    metric: Metric[Any, Any, Any, Any]
    prediction: Tree
    target: Tree
    seed: int

    def measure(self, rows: Any) -> Any:
        """The state of some rows."""
        return self.metric.measure(rows_of(self.prediction, rows), rows_of(self.target, rows))

    def check_same(self, a: Any, b: Any, what: str) -> None:
        """AssertionError where two states differ in value, by more than rounding."""
        values = self.metric.compute(a), self.metric.compute(b)
        where = unlike(_arrays(values[0]), _arrays(values[1]), rtol=1e-9, atol=1e-12)
        assert not where, f"{what}: {values[0]!r} and {values[1]!r}"


def _arrays(value: Any) -> Tree:
    """A value as a tree of arrays: numbers count up to rounding too."""
    if isinstance(value, dict):
        return {name: _arrays(part) for name, part in value.items()}
    return np.asarray(value) if isinstance(value, (int, float, np.generic)) else value


def purity(subject: MetricSubject) -> None:
    """`measure`, `merge` and `compute` change no argument and no global, and a state shares no memory with a batch."""
    metric = subject.metric
    check_pure(
        lambda prediction, target: metric.measure(prediction, target), prediction=subject.prediction, target=subject.target
    )
    state = metric.measure(subject.prediction, subject.target)
    where = shares(state, (subject.prediction, subject.target))
    assert not where, f"the state and the batch share memory, at {where}; copy what is kept"
    check_pure(lambda a, b: metric.merge(a, b), a=state, b=state)
    check_pure(lambda state: metric.compute(state), state=state)


def determinism(subject: MetricSubject) -> None:
    """The same batch gives the same bits."""
    first, second = [subject.metric.measure(subject.prediction, subject.target) for _ in range(2)]
    where = unlike(first, second)
    assert not where, f"two states of one batch differ: {where}"


def neutral(subject: MetricSubject) -> None:
    """`merge` with `init()` changes nothing, and an empty batch has nothing to add."""
    metric, state = subject.metric, subject.measure(np.arange(_rows(subject)))
    subject.check_same(metric.merge(state, metric.init()), state, "merge(state, init()) and state have the values")
    subject.check_same(metric.merge(metric.init(), state), state, "merge(init(), state) and state have the values")
    empty = subject.measure(np.arange(0))
    subject.check_same(metric.merge(state, empty), state, "with and without an empty batch the values are")


def merging(subject: MetricSubject) -> None:
    """`merge` is commutative and associative."""
    merge = subject.metric.merge
    a, b, c = [subject.measure(rows) for rows in np.array_split(np.arange(_rows(subject)), 3)]
    ab = merge(a, b)  # the whole has a value, its parts may have none
    subject.check_same(merge(ab, c), merge(c, ab), "merge(a, b) and merge(b, a) have the values")
    subject.check_same(merge(ab, c), merge(a, merge(b, c)), "merged from the left and from the right the values are")


def unequal_batches(subject: MetricSubject) -> None:
    """Batches of any sizes, in any order, have the value of all rows at once."""
    metric, n = subject.metric, _rows(subject)
    whole = subject.measure(np.arange(n))
    rng = np.random.Generator(np.random.PCG64(subject.seed))
    for _ in range(5):
        order = rng.permutation(n)
        parts = np.split(order, np.sort(rng.integers(1, n, 2)))
        batches = [(rows_of(subject.prediction, rows), rows_of(subject.target, rows)) for rows in parts]
        state = reduce(lambda state, batch: metric.update(state, *batch), batches, metric.init())
        subject.check_same(state, whole, f"in batches of {[len(rows) for rows in parts]} rows and all at once the values are")


def pickling(subject: MetricSubject) -> None:
    """The metric and its states pickle, and the copies are equal."""
    check_spec_pickles("the metric", subject.metric)
    state = subject.measure(np.arange(_rows(subject)))
    where = unlike(pickled("the state", state), state)
    assert not where, f"the copy of the state differs: {where}"


def _rows(subject: MetricSubject) -> int:
    return batch_size(subject.prediction, subject.target)


METRIC_LAWS: Mapping[str, Law[MetricSubject]] = MappingProxyType(
    {
        "purity": purity,
        "determinism": determinism,
        "neutral element": neutral,
        "merging": merging,
        "unequal batches": unequal_batches,
        "pickling": pickling,
    }
)


def check_metric(
    metric: Metric[Any, Prediction, Target, Any],
    prediction: Prediction,
    target: Target,
    *,
    laws: Collection[str] | None = None,
    skip: Collection[str] = (),
    seed: int = 0,
) -> tuple[str, ...]:
    """Check that a metric keeps fnn's laws, for an example prediction and target; the names of the laws that it keeps.

    Both are arrays or trees of them, of at least three rows, batch first; all rows together must have a value. States are
    compared by their values, up to rounding. `laws` and `skip` choose from `METRIC_LAWS`, as for `check_layer`.

    Raises AssertionError that names the law, what was found and what to do; ValueError for fewer rows.

    >>> import fnn
    >>> check_metric(fnn.metrics.R2(), np.array([0.0, 1.0, 3.0]), np.array([0.5, 1.0, 2.5]), laws=("merging", "pickling"))
    ('merging', 'pickling')
    """
    subject = MetricSubject(metric, prediction, target, seed)
    if _rows(subject) < 3:
        raise ValueError(f"check_metric: prediction and target share {_rows(subject)} rows, expected at least 3")
    return check_laws("check_metric", type(metric).__name__, METRIC_LAWS, subject, only=laws, skip=skip)
