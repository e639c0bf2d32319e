"""Counts of true and predicted classes: confusion matrix, precision, recall and F-beta."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import KW_ONLY, dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from fnn.arrays import Array, Array1, Array2, Ints, Value
from fnn.functional.checks import check_int, check_number
from fnn.metrics.checks import check_counted, class_numbers, kept_rows, spread_weights
from fnn.metrics.metric import Metric, Weights
from fnn.tree import Record

AverageOver: TypeAlias = Literal["macro", "micro", "weighted", "binary"]


@dataclass(frozen=True, eq=False, repr=False)
class PairCounts(Record):
    """State of a confusion matrix: counts [true class, predicted class], in float64 (exact up to 2^53 rows)."""

    counts: Array2


@dataclass(frozen=True)
class ConfusionMatrix(Metric[PairCounts, Array | Ints, Ints, Array2]):
    """How many rows of each class (row of the matrix) were predicted as each class (column), [classes, classes].

    prediction: logits [..., classes] or class numbers [...]; labels: integers [...], as for `Accuracy`. The counts are
    floating numbers, whole ones without weights.

    Raises ValueError where shapes do not fit, a class is out of range or the largest logit of a row is not finite;
    TypeError where labels are not integers.

    >>> ConfusionMatrix(2)(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]))
    array([[1., 1.],
           [0., 2.]])
    """

    classes: int

    def __post_init__(self) -> None:
        check_int("ConfusionMatrix", "classes", self.classes, 2)

    def init(self) -> PairCounts:
        """Counts of 0."""
        return PairCounts(np.zeros((self.classes, self.classes)))

    def measure(self, prediction: Array | Ints, target: Ints, weights: Weights | None = None, /) -> PairCounts:
        """The counts of one batch."""
        x, y, w = kept_rows("ConfusionMatrix", prediction, target, weights)
        found, labels = class_numbers("ConfusionMatrix", x, y, self.classes)
        counts = _counts(labels * self.classes + found, spread_weights(w, y.shape), self.classes**2)
        return PairCounts(counts.reshape(self.classes, self.classes))

    def merge(self, a: PairCounts, b: PairCounts, /) -> PairCounts:
        """The counts of both."""
        return PairCounts(a.counts + b.counts)

    def compute(self, state: PairCounts, /) -> Array2:
        """The matrix. Raises ValueError where nothing has been counted."""
        check_counted("ConfusionMatrix", state.counts.sum())
        return state.counts


def _counts(numbers: Value, w: Value, size: int) -> Value:
    return np.bincount(numbers, w, size).astype(np.float64)


@dataclass(frozen=True, eq=False, repr=False)
class ClassCounts(Record):
    """State of precision, recall and F-beta: for each class the rows that are it, that were predicted as it, and both."""

    both: Array1
    predicted: Array1
    true: Array1


@dataclass(frozen=True)
class ByClass(Metric[ClassCounts, Array | Ints, Ints, float]):
    """Base of precision, recall and F-beta: a ratio of counts by class, averaged over classes."""

    classes: int
    _: KW_ONLY
    average: AverageOver = "macro"

    def __post_init__(self) -> None:
        name = type(self).__name__
        check_int(name, "classes", self.classes, 2)
        if self.average not in get_args(AverageOver):
            raise ValueError(f"{name}: average is {self.average!r}, expected one of {get_args(AverageOver)}")
        if self.average == "binary" and self.classes != 2:
            raise ValueError(f"{name}: average='binary' is the value of class 1 of 2, but there are {self.classes} classes")

    @abstractmethod
    def ratio(self, both: Value, predicted: Value, true: Value, /) -> Value:
        """The value for each entry of these counts."""

    def init(self) -> ClassCounts:
        """Counts of 0."""
        return ClassCounts(np.zeros(self.classes), np.zeros(self.classes), np.zeros(self.classes))

    def measure(self, prediction: Array | Ints, target: Ints, weights: Weights | None = None, /) -> ClassCounts:
        """The counts of one batch."""
        name = type(self).__name__
        x, y, w = kept_rows(name, prediction, target, weights)
        found, labels = class_numbers(name, x, y, self.classes)
        w, right = spread_weights(w, y.shape), found == labels
        return ClassCounts(
            _counts(labels[right], None if w is None else w[right], self.classes),
            _counts(found, w, self.classes),
            _counts(labels, w, self.classes),
        )

    def merge(self, a: ClassCounts, b: ClassCounts, /) -> ClassCounts:
        """The counts of both."""
        return ClassCounts(a.both + b.both, a.predicted + b.predicted, a.true + b.true)

    def per_class(self, state: ClassCounts, /) -> Array1:
        """The value of each class, [classes]. Raises ValueError where nothing has been counted."""
        check_counted(type(self).__name__, state.true.sum())
        values: Array1 = self.ratio(state.both, state.predicted, state.true)
        return values

    def compute(self, state: ClassCounts, /) -> float:
        """The average over classes. Raises ValueError where nothing has been counted."""
        values = self.per_class(state)
        if self.average == "binary":
            return float(values[1])
        if self.average == "micro":
            return float(self.ratio(state.both.sum(), state.predicted.sum(), state.true.sum()))
        return float(np.mean(values) if self.average == "macro" else np.sum(values * state.true) / state.true.sum())


def _divided(a: Value, b: Value) -> Value:
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)


@dataclass(frozen=True)
class Precision(ByClass):
    """Of the rows that were predicted as a class, the fraction that are it; 0 for a class that was never predicted.

    average: "macro", the mean over all `classes`, also those without rows; "micro", the ratio of the sums over classes,
    which is the accuracy; "weighted", the mean weighted by the classes' numbers of rows; "binary", the value of class 1
    of 2. `per_class(state)` gives the values by class. scikit-learn's, with `labels=range(classes), zero_division=0`.

    Arguments and errors are those of `ConfusionMatrix`.

    >>> found, labels = np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1])
    >>> round(Precision(2, average="binary")(found, labels), 4), round(Precision(2)(found, labels), 4)
    (0.6667, 0.8333)
    """

    def ratio(self, both: Value, predicted: Value, true: Value, /) -> Value:
        """Both / predicted."""
        return _divided(both, predicted)


@dataclass(frozen=True)
class Recall(ByClass):
    """Of the rows that are a class, the fraction that were predicted as it; 0 for a class without rows.

    Options, arguments and errors are those of `Precision`.

    >>> metric = Recall(2)
    >>> state = metric.measure(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]))
    >>> metric.per_class(state), metric.compute(state)
    (array([0.5, 1. ]), 0.75)
    """

    def ratio(self, both: Value, predicted: Value, true: Value, /) -> Value:
        """Both / true."""
        return _divided(both, true)


@dataclass(frozen=True)
class FBeta(ByClass):
    """The weighted harmonic mean of precision P and recall R, in which R counts beta times as much as P:

        F = (1 + beta^2) P R / (beta^2 P + R) = (1 + beta^2) both / (predicted + beta^2 true)

    and 0 for a class that is neither there nor predicted. beta = 1 is the F1 score. Van Rijsbergen, Information
    Retrieval (1979), chapter 7. Averages are of F, not F of averages, as in scikit-learn.

    Options, arguments and errors are those of `Precision`.

    >>> FBeta(2, average="binary")(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]))
    0.8
    """

    _: KW_ONLY
    beta: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("FBeta", "beta", self.beta)
        if not 0 < self.beta < float("inf"):
            raise ValueError(f"FBeta: beta is {self.beta}, expected a finite number above 0")

    def ratio(self, both: Value, predicted: Value, true: Value, /) -> Value:
        """See the class."""
        square = float(self.beta) ** 2
        return _divided((1 + square) * both, predicted + square * true)
