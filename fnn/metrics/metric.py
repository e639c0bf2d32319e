"""What a metric is: a frozen spec with pure methods over states that can be merged; and metrics made of others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np

from fnn.arrays import Array, Bools, Ints, Scalar, Value, describe
from fnn.autodiff.tracer import value_of
from fnn.functional.checks import check_int
from fnn.metrics.checks import check_counted, check_logits, kept_rows
from fnn.tree import Record

# Checkers print these names in their messages.
State = TypeVar("State")
Prediction_contra = TypeVar("Prediction_contra", contravariant=True)
Target_contra = TypeVar("Target_contra", contravariant=True)
Value_co = TypeVar("Value_co", covariant=True)
Each = TypeVar("Each")

Weights: TypeAlias = Array | Ints | Bools


class Metric(ABC, Generic[State, Prediction_contra, Target_contra, Value_co]):
    """Base of metrics: a subclass is a frozen dataclass of options with four pure methods.

    `init` and `merge` make the states a commutative monoid (merge is associative and commutative, init() is its neutral
    element), and `measure` of two batches together is `merge` of those of each. So batches may be of unequal sizes, in
    any order and in several processes, and `compute` gives what it gives for all rows at once.

    A state is a pytree of arrays, which pickles. weights: None, or one for each row, finite and not negative; a row with
    the weight 2 counts as two rows, one with the weight 0 (False) not at all. `Average` is the base for means of a value
    by row.

    >>> import fnn
    >>> @dataclass(frozen=True)
    ... class MaxError(Metric[fnn.Scalar, fnn.Array, fnn.Array, float]):
    ...     def init(self) -> fnn.Scalar:
    ...         return np.float64(0)
    ...     def measure(self, prediction: fnn.Array, target: fnn.Array, weights: Weights | None = None, /) -> fnn.Scalar:
    ...         if weights is not None:
    ...             raise ValueError("MaxError: a largest value has no weights")
    ...         return np.max(np.abs(prediction - target), initial=0)
    ...     def merge(self, a: fnn.Scalar, b: fnn.Scalar, /) -> fnn.Scalar:
    ...         return a if a > b else b
    ...     def compute(self, state: fnn.Scalar, /) -> float:
    ...         return float(state)
    >>> metric = MaxError()
    >>> state = metric.update(metric.init(), np.array([1.0, 2.0]), np.array([1.5, 2.0]))
    >>> metric.compute(metric.update(state, np.array([3.0]), np.array([3.25])))
    0.5
    """

    @abstractmethod
    def init(self) -> State:
        """The state in which nothing has been counted."""

    @abstractmethod
    def measure(self, prediction: Prediction_contra, target: Target_contra, weights: Weights | None = None, /) -> State:
        """The state of one batch; that of an empty batch is `init()`."""

    @abstractmethod
    def merge(self, a: State, b: State, /) -> State:
        """The state of what a and b have counted together."""

    @abstractmethod
    def compute(self, state: State, /) -> Value_co:
        """The value. Raises ValueError where nothing has been counted."""

    def update(
        self, state: State, prediction: Prediction_contra, target: Target_contra, /, *, weights: Weights | None = None
    ) -> State:
        """The state with one more batch: `merge(state, measure(prediction, target, weights))`."""
        return self.merge(state, self.measure(prediction, target, weights))

    def __call__(self, prediction: Prediction_contra, target: Target_contra, /, *, weights: Weights | None = None) -> Value_co:
        """The value of one batch."""
        return self.compute(self.measure(prediction, target, weights))


@dataclass(frozen=True, eq=False, repr=False)
class Mean(Record):
    """State of an average: the sum of weight times value, and that of the weights, in float64."""

    total: Scalar
    weight: Scalar


class Summed(Metric[Mean, Prediction_contra, Target_contra, float]):
    """Base of metrics that are a function of the weighted mean of a value by row: `Average`, but for `compute`."""

    @abstractmethod
    def values(self, prediction: Prediction_contra, target: Target_contra, /) -> Array | Bools:
        """The value of each row or entry, shaped like the target or its first axes. There may be no rows."""

    def init(self) -> Mean:
        """Sums of 0."""
        return Mean(np.float64(0), np.float64(0))

    def measure(self, prediction: Prediction_contra, target: Target_contra, weights: Weights | None = None, /) -> Mean:
        """The sums over one batch."""
        name = type(self).__name__
        x, y, w = kept_rows(name, prediction, target, weights)
        v: Value = value_of(self.values(x, y))
        if isinstance(v, np.generic):
            v = np.asarray(v)  # what NumPy makes of an array without axes
        rows = min(y.ndim, 1) if w is None else w.ndim
        if not isinstance(v, np.ndarray) or v.shape != y.shape[: v.ndim] or v.ndim < rows:
            found = describe(v) if isinstance(v, np.ndarray) else f"a {type(v).__name__}"
            raise ValueError(f"{name}.values: gave {found}, expected a value for each row of the target {describe(y)}")
        if w is None:
            return Mean(np.sum(v, dtype=np.float64), np.float64(v.size))
        w = w.reshape(w.shape + (1,) * (v.ndim - w.ndim))
        return Mean(np.sum(v * w, dtype=np.float64), np.sum(np.broadcast_to(w, v.shape)))

    def merge(self, a: Mean, b: Mean, /) -> Mean:
        """The sums of both."""
        return Mean(a.total + b.total, a.weight + b.weight)

    def mean(self, state: Mean, /) -> float:
        """The weighted mean. Raises ValueError where nothing has been counted."""
        check_counted(type(self).__name__, state.weight)
        return float(state.total / state.weight)


class Average(Summed[Prediction_contra, Target_contra]):
    """Base of metrics that are the weighted mean of a value by row: a subclass says in `values` which.

    >>> import fnn
    >>> @dataclass(frozen=True)
    ... class Within(Average[fnn.Array, fnn.Array]):
    ...     bound: float
    ...     def values(self, prediction: fnn.Array, target: fnn.Array, /) -> fnn.Bools:
    ...         return np.abs(prediction - target) <= self.bound
    >>> Within(0.5)(np.array([1.0, 2.0, 3.0]), np.array([1.25, 2.0, 5.0]), weights=np.array([1.0, 2.0, 1.0]))
    0.75
    """

    def compute(self, state: Mean, /) -> float:
        """The weighted mean. Raises ValueError where nothing has been counted."""
        return self.mean(state)


@dataclass(frozen=True, init=False)
class Several(Metric[tuple[Any, ...], Prediction_contra, Target_contra, dict[str, Each]]):
    """Several metrics of the same predictions and targets, by name; the state is the tuple of theirs.

    >>> import fnn
    >>> metric = fnn.metrics.Several(accuracy=fnn.metrics.Accuracy(), loss=fnn.metrics.LogLoss())
    >>> logits, labels = np.array([[0.0, 0.0], [0.0, 1e4]]), np.array([1, 1])
    >>> metric(logits, labels)
    {'accuracy': 0.5, 'loss': 0.34657359027997264}
    """

    metrics: tuple[tuple[str, Metric[Any, Prediction_contra, Target_contra, Each]], ...]

    # keywords rather than a dict, of which mypy would make a dict[str, object]
    def __init__(self, **metrics: Metric[Any, Prediction_contra, Target_contra, Each]) -> None:
        for name, metric in metrics.items():
            if not isinstance(metric, Metric):
                raise TypeError(f"Several: {name} is {metric!r}, expected a metric, as fnn.metrics.Accuracy()")
        object.__setattr__(self, "metrics", tuple(metrics.items()))

    def __repr__(self) -> str:
        return f"Several({', '.join([f'{name}={metric!r}' for name, metric in self.metrics])})"

    def init(self) -> tuple[Any, ...]:
        """Those of all."""
        return tuple([metric.init() for _, metric in self.metrics])

    def measure(
        self, prediction: Prediction_contra, target: Target_contra, weights: Weights | None = None, /
    ) -> tuple[Any, ...]:
        """Those of all."""
        return tuple([metric.measure(prediction, target, weights) for _, metric in self.metrics])

    def merge(self, a: tuple[Any, ...], b: tuple[Any, ...], /) -> tuple[Any, ...]:
        """Those of all, each with its own."""
        return tuple([metric.merge(x, y) for (_, metric), x, y in zip(self.metrics, a, b, strict=True)])

    def compute(self, state: tuple[Any, ...], /) -> dict[str, Each]:
        """The values by name."""
        return {name: metric.compute(part) for (name, metric), part in zip(self.metrics, state, strict=True)}


@dataclass(frozen=True)
class OneVsRest(Metric[tuple[State, ...], Array, Ints, float]):
    """The mean over classes of a metric of two classes (`RocAuc`, `AveragePrecision`): each class against all others.

    prediction: a score for each class, [..., classes]; labels [...] in [0, classes). Scores are compared between rows, so
    give probabilities (`fnn.softmax(logits)`) rather than logits. This is scikit-learn's `multi_class="ovr"` with
    `average="macro"`. The state is the tuple of those of the classes.

    Raises ValueError in `compute` where the metric does, as `RocAuc` for a class without rows.

    >>> import fnn
    >>> p = np.array([[0.8, 0.1, 0.1], [0.2, 0.5, 0.3], [0.3, 0.4, 0.3]])
    >>> round(fnn.metrics.OneVsRest(fnn.metrics.RocAuc(), 3)(p, np.array([0, 1, 2])), 4)
    0.9167
    """

    metric: Metric[State, Array, Ints, float]
    classes: int

    def __post_init__(self) -> None:
        check_int("OneVsRest", "classes", self.classes, 2)

    def init(self) -> tuple[State, ...]:
        """Those of all classes."""
        return tuple([self.metric.init() for _ in range(self.classes)])

    def measure(self, prediction: Array, target: Ints, weights: Weights | None = None, /) -> tuple[State, ...]:
        """Those of all classes."""
        x, labels, w = kept_rows("OneVsRest", prediction, target, weights)
        check_logits("OneVsRest", x, labels)
        if x.shape[-1] != self.classes:
            raise ValueError(f"OneVsRest: prediction has shape {x.shape}, expected {self.classes} scores in each row")
        return tuple([self.metric.measure(x[..., c], (labels == c).astype(np.int64), w) for c in range(self.classes)])

    def merge(self, a: tuple[State, ...], b: tuple[State, ...], /) -> tuple[State, ...]:
        """Those of all classes, each with its own."""
        return tuple([self.metric.merge(x, y) for x, y in zip(a, b, strict=True)])

    def compute(self, state: tuple[State, ...], /) -> float:
        """The mean over classes."""
        return float(np.mean([self.metric.compute(part) for part in state]))
