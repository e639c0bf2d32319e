"""Metrics of quantities: mean absolute and squared errors, and R^2."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fnn.arrays import Array, Array1, Scalar, Value
from fnn.functional.checks import check_int
from fnn.metrics.checks import check_counted, kept_rows, quantities, spread_weights
from fnn.metrics.metric import Average, Mean, Metric, Summed, Weights
from fnn.tree import Record


@dataclass(frozen=True)
class MAE(Average[Array, Array]):
    """The mean absolute error over all entries, mean |prediction - target|.

    prediction and target: floating arrays of one shape, compared and summed in float64. Weights are those of rows,
    [batch], or of entries.

    Raises ValueError where shapes differ (nothing is broadcast) or an entry is not finite, TypeError where one is not floating.

    >>> MAE()(np.array([1.0, 2.0]), np.array([1.5, 4.0]))
    1.25
    """

    def values(self, prediction: Array, target: Array, /) -> Array:
        """The absolute error of each entry."""
        x, y = quantities("MAE", prediction, target)
        errors: Array = np.abs(x - y)
        return errors


@dataclass(frozen=True)
class MSE(Average[Array, Array]):
    """The mean squared error over all entries, mean (prediction - target)^2. Arguments and errors are those of `MAE`.

    >>> MSE()(np.array([1.0, 2.0]), np.array([1.5, 4.0]))
    2.125
    """

    def values(self, prediction: Array, target: Array, /) -> Array:
        """The squared error of each entry."""
        return _squares("MSE", prediction, target)


@dataclass(frozen=True)
class RMSE(Summed[Array, Array]):
    """The root of the mean squared error over all entries, in the units of the target. As `MAE` otherwise.

    It is the root of the mean over all batches, not a mean of roots.

    >>> round(RMSE()(np.array([1.0, 2.0]), np.array([4.0, 6.0])), 4)
    3.5355
    """

    def values(self, prediction: Array, target: Array, /) -> Array:
        """The squared error of each entry."""
        return _squares("RMSE", prediction, target)

    def compute(self, state: Mean, /) -> float:
        """The root. Raises ValueError where nothing has been counted."""
        return float(np.sqrt(self.mean(state)))


def _squares(name: str, prediction: Value, target: Value) -> Array:
    x, y = quantities(name, prediction, target)
    squares: Array = np.square(x - y)
    return squares


@dataclass(frozen=True, eq=False, repr=False)
class Moments(Record):
    """State of R^2: the sum of weights; and by output the lowest target, how far above it the mean of the targets is, the
    sum of the squared distances from that mean, and that of the squared errors."""

    weight: Scalar
    lowest: Array1
    mean: Array1
    spread: Array1
    errors: Array1


@dataclass(frozen=True)
class R2(Metric[Moments, Array, Array, float]):
    """The coefficient of determination: the part of the targets' variance that the predictions explain.

        R^2 = 1 - sum_i (y_i - prediction_i)^2 / sum_i (y_i - mean y)^2

    1 is perfect, 0 is as good as the mean, and there is no lower bound. prediction and target: [batch] or [batch, 1]; with
    `outputs` of n they are [..., n], and the value is the mean of the R^2 of each, scikit-learn's "uniform_average".

    States hold squared distances from the mean, and the mean as a distance from the lowest target; they are merged by the
    rule of Chan, Golub and LeVeque (1979). So nothing cancels where the mean is large against the spread.

    Raises ValueError where shapes differ or do not fit, or an entry is not finite; in `compute`, where all targets of an
    output are equal, because there is no variance to explain. TypeError where an array is not floating.

    >>> R2()(np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0]))
    0.5
    """

    outputs: int = 1

    def __post_init__(self) -> None:
        check_int("R2", "outputs", self.outputs)

    def init(self) -> Moments:
        """Moments of nothing."""
        return Moments(np.float64(0), *[np.zeros(self.outputs) for _ in range(4)])

    def measure(self, prediction: Array, target: Array, weights: Weights | None = None, /) -> Moments:
        """The moments of one batch."""
        x, y, w = kept_rows("R2", prediction, target, weights)
        x, y = quantities("R2", x, y)
        if y.shape[-1:] != (self.outputs,) and not (self.outputs == 1 and y.ndim <= 1):
            raise ValueError(
                f"R2: prediction and target have shape {y.shape}, expected [..., {self.outputs}]; for the mean over outputs "
                f"write R2({y.shape[-1]}), for one R^2 of all entries R2() of prediction.ravel() and target.ravel()"
            )
        shape, x, y = y.shape, x.reshape(-1, self.outputs), y.reshape(-1, self.outputs)
        if not len(y):
            return self.init()
        rows: Value = np.ones(len(y)) if w is None else spread_weights(w, shape[:-1])
        if len(rows) != len(y):
            raise ValueError(f"R2: there are {len(rows)} weights, expected one for each of the {len(y)} rows of {self.outputs}")
        column = rows[:, np.newaxis]
        weight = np.sum(column)
        lowest: Value = np.min(y, 0)
        above = y - lowest
        mean = np.sum(column * above, 0) / weight
        spread = np.sum(column * np.square(above - mean), 0)
        return Moments(weight, lowest, mean, spread, np.sum(column * np.square(x - y), 0))

    def merge(self, a: Moments, b: Moments, /) -> Moments:
        """The moments of both."""
        if not a.weight > 0 or not b.weight > 0:
            return a if a.weight > 0 else b
        # spread = spread_a + spread_b + (mean_a - mean_b)^2 w_a w_b / (w_a + w_b), with both means from the lower origin
        weight = a.weight + b.weight
        lowest = np.minimum(a.lowest, b.lowest)
        mean_a, mean_b = a.mean + (a.lowest - lowest), b.mean + (b.lowest - lowest)
        spread = a.spread + b.spread + np.square(mean_a - mean_b) * (a.weight * b.weight / weight)
        return Moments(weight, lowest, (a.weight * mean_a + b.weight * mean_b) / weight, spread, a.errors + b.errors)

    def compute(self, state: Moments, /) -> float:
        """The mean over outputs. Raises ValueError where an output's targets are all equal, or nothing has been counted."""
        check_counted("R2", state.weight)
        if not (state.spread > 0).all():
            raise ValueError(
                f"R2.compute: all targets of output {int(np.argmin(state.spread > 0))} are equal, so there is no variance to "
                "explain; read MSE instead"
            )
        return float(np.mean(1 - state.errors / state.spread))
