"""evaluate: metrics of a model over data, in batches, exact whatever their sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, overload

import numpy as np

from fnn.arrays import Scalar
from fnn.data.rows import Rows
from fnn.functional.checks import check_int
from fnn.layers.layer import In, Layer, Out, forward
from fnn.metrics.metric import Mean, Metric, Weights
from fnn.training.feed import pieces, rows_of
from fnn.training.train_state import TrainState
from fnn.training.usage import usage
from fnn.tree import PyTree, show

Target = TypeVar("Target")
Result = TypeVar("Result")
PT = TypeVar("PT", bound=PyTree)
ST = TypeVar("ST", bound=PyTree)

# what is evaluated: a TrainState, or the pair that fnn.init gives
Trained: TypeAlias = TrainState[PT, ST] | tuple[PT, ST]
# pairs at once, or batches of them
Pairs: TypeAlias = (
    tuple[In, Target]
    | tuple[In, Target, Weights]
    | Rows[tuple[In, Target]]
    | Rows[tuple[In, Target, Weights]]
    | Iterable[tuple[In, Target]]
    | Iterable[tuple[In, Target, Weights]]
)
Criterion: TypeAlias = Callable[[Out, Target], Scalar]


@overload
def evaluate(  # type: ignore[overload-overlap]  # a metric is a function of its arguments too, and is meant first
    model: Layer[In, Out, PT, ST],
    trained: Trained[PT, ST],
    data: Pairs[In, Target],
    metrics: Metric[Any, Out, Target, Result],
    /,
    *,
    batch_size: int = 256,
) -> Result: ...
@overload
def evaluate(
    model: Layer[In, Out, PT, ST],
    trained: Trained[PT, ST],
    data: Pairs[In, Target],
    metrics: Mapping[str, Metric[Any, Out, Target, float] | Criterion[Out, Target]],
    /,
    *,
    batch_size: int = 256,
) -> dict[str, float]: ...
@overload
def evaluate(
    model: Layer[In, Out, PT, ST],
    trained: Trained[PT, ST],
    data: Pairs[In, Target],
    metrics: Mapping[str, Metric[Any, Out, Target, Any] | Criterion[Out, Target]],
    /,
    *,
    batch_size: int = 256,
) -> dict[str, Any]: ...
@overload
def evaluate(
    model: Layer[In, Out, PT, ST],
    trained: Trained[PT, ST],
    data: Pairs[In, Target],
    metrics: Criterion[Out, Target],
    /,
    *,
    batch_size: int = 256,
) -> float: ...
@usage("fnn.evaluate(model, ts, (x, y), fnn.metrics.Accuracy())")
def evaluate(model: Any, trained: Any, data: Any, metrics: Any, /, *, batch_size: int = 256) -> Any:
    """Metrics of the model on data, in evaluation mode, in batches of `batch_size` rows.

    trained: a TrainState, or (params, state).

    data: (x, target), or (x, target, weights); x may be a tree. Or what is read by rows and gives such tuples (see
    `fnn.batches`); or an iterable of such batches.

    metrics: a metric of fnn.metrics, whose value is returned; or a criterion as `fnn.mse`, a mean over rows, which gives its
    mean over all rows; or a mapping of names to such, which gives a dict. The batches may differ in size: the result is that of
    all rows at once, up to rounding. (A criterion that is no mean over rows, as cross_entropy with ignore_index or
    class_weights, is averaged over batches by their rows; weigh the rows of a metric in its place.)

    Raises ValueError where there are no rows; a criterion takes no weights.

    >>> import fnn
    >>> model = fnn.Dense(2, 3)
    >>> x, labels = np.ones((5, 2), np.float32), np.array([0, 1, 2, 1, 1])
    >>> metrics = {"loss": fnn.cross_entropy, "accuracy": fnn.metrics.Accuracy()}
    >>> values = fnn.evaluate(model, fnn.init(model, fnn.key(0)), (x, labels), metrics, batch_size=2)
    >>> {name: round(value, 4) for name, value in values.items()}
    {'loss': 2.6047, 'accuracy': 0.2}
    """
    params, state = _parts(trained)
    check_int("evaluate", "batch_size", batch_size)
    is_one = not isinstance(metrics, Mapping)
    named: dict[str, Metric[Any, Any, Any, Any]] = {
        name: as_metric("evaluate", name, metric) for name, metric in ({"": metrics} if is_one else metrics).items()
    }
    counted = {name: metric.init() for name, metric in named.items()}
    for batch in pieces("evaluate", data, batch_size):
        if not isinstance(batch, tuple) or len(batch) not in (2, 3):
            hint = "; a list is one of batches: for arrays write (x, target)" if isinstance(data, list) else ""
            raise TypeError(f"evaluate: a batch is {show(batch)}, expected (x, target) or (x, target, weights){hint}")
        x, *rest = batch
        if rows_of(batch) == 0:
            continue
        prediction = forward(model, params, state, x)[0]
        for name, metric in named.items():
            counted[name] = metric.merge(counted[name], metric.measure(prediction, *rest))
    values = {name: metric.compute(counted[name]) for name, metric in named.items()}
    return values[""] if is_one else values


def _parts(trained: Any) -> tuple[Any, Any]:
    if isinstance(trained, TrainState):
        return trained.params, trained.state
    if not isinstance(trained, tuple) or len(trained) != 2:
        raise TypeError(f"evaluate: the second argument is {show(trained)}, expected a TrainState, or (params, state)")
    return trained


def as_metric(name: str, of: str, metric: Any) -> Metric[Any, Any, Any, Any]:
    """A metric, or a criterion as one; of: its name, for the error of the function `name`."""
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, type) or not callable(metric):
        which = f" {of!r}" if of else ""
        hint = f"; make one with {metric.__name__}(...)" if isinstance(metric, type) else ""
        hint = '; several are given by name, as {"loss": fnn.mse}' if isinstance(metric, (list, tuple)) else hint
        raise TypeError(f"{name}: the metric{which} is {metric!r}, expected one of fnn.metrics or a function as fnn.mse{hint}")
    return _RowMean(name, metric)


@dataclass(frozen=True)
class _RowMean(Metric[Mean, Any, Any, float]):
    """A criterion, the mean over rows of a batch, as a metric: batches count by their number of rows."""

    name: str
    criterion: Callable[[Any, Any], Any]

    def init(self) -> Mean:
        return Mean(np.float64(0), np.float64(0))

    def measure(self, prediction: Any, target: Any, weights: Any = None, /) -> Mean:
        if weights is not None:
            raise ValueError(f"{self.name}: there are weights, which {self.criterion!r} does not take; use one of fnn.metrics")
        value = self.criterion(prediction, target)
        if np.ndim(value):
            raise ValueError(
                f"{self.name}: {self.criterion!r} gave {show(value)}, expected one number, the mean over the batch"
            )
        rows = np.float64(rows_of(target))
        return Mean(rows * np.float64(value), rows)

    def merge(self, a: Mean, b: Mean, /) -> Mean:
        return Mean(a.total + b.total, a.weight + b.weight)

    def compute(self, state: Mean, /) -> float:
        if not state.weight:
            raise ValueError(f"{self.name}: there are no rows")
        return float(state.total / state.weight)
