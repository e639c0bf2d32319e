"""How probable the labels are by the prediction: log loss, perplexity, and calibration error."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np

from fnn.arrays import Array, Array1, Ints, Value
from fnn.functional.checks import check_int
from fnn.metrics.checks import check_counted, kept_rows, scores_of_classes, spread_weights
from fnn.metrics.metric import Mean, Metric, Summed, Weights
from fnn.tree import Record


@dataclass(frozen=True)
class Likelihood(Summed[Array, Ints]):
    """Base of log loss and perplexity."""

    _: KW_ONLY
    probabilities: bool = False

    def values(self, prediction: Array, target: Ints, /) -> Array:
        """-log p of each row's label."""
        z = scores_of_classes(type(self).__name__, prediction, target, probabilities=self.probabilities)
        own: Value = np.take_along_axis(z, target[..., np.newaxis], -1)[..., 0]
        with np.errstate(divide="ignore"):  # -log 0 is inf, which compute reports
            values: Array = -np.log(own) if self.probabilities else np.log(np.sum(np.exp(z), -1)) - own
        return values

    def mean_loss(self, state: Mean, /) -> float:
        """The mean of -log p. Raises ValueError where it is infinite, or nothing has been counted."""
        loss = self.mean(state)
        if loss == np.inf:
            raise ValueError(
                f"{type(self).__name__}.compute: the value is infinite, because a row gave its label the probability 0; to "
                "bound the cost of such rows clip the probabilities, or keep logits finite: np.maximum(logits, -1e4)"
            )
        return loss


@dataclass(frozen=True)
class LogLoss(Likelihood):
    """The mean of -log p(label), in nats: the cross-entropy of softmax(logits) against labels.

    prediction: logits [..., classes], or [...] for two classes, the logit of class 1; with probabilities=True the
    probabilities instead, whose rows must add up to 1 (within 1e-3). labels: integers [...]. Computed in float64 from
    z - max z, so that logits of +-1e4 are exact. Nothing is clipped (scikit-learn clips probabilities at their dtype's eps).

    Raises ValueError where shapes do not fit, a label is out of range, or the largest logit of a row is not finite; in
    `compute`, where a label had the probability 0. TypeError where labels are not integers.

    >>> round(LogLoss()(np.array([[0.0, 0.0], [0.0, 1e4]]), np.array([0, 1])), 4)
    0.3466
    >>> round(LogLoss(probabilities=True)(np.array([0.5, 1.0]), np.array([0, 1])), 4)
    0.3466
    """

    def compute(self, state: Mean, /) -> float:
        """The mean. Raises ValueError where it is infinite, or nothing has been counted."""
        return self.mean_loss(state)


@dataclass(frozen=True)
class Perplexity(Likelihood):
    """exp of the mean of -log p(token): the number of equally probable tokens that would be as surprising.

    Options, arguments and errors are those of `LogLoss`, with [batch, time, tokens] and [batch, time] for texts; give
    padding the weight 0, as `weights=tokens != pad`. Note that it is exp of the mean over all tokens, not a mean of
    perplexities. In `compute`, a mean above 709, whose exp is not a float64, is a ValueError.

    >>> logits = np.zeros((1, 3, 8))
    >>> round(Perplexity()(logits, np.array([[5, 2, -1]]), weights=np.array([[True, True, False]])), 4)
    8.0
    """

    def compute(self, state: Mean, /) -> float:
        """The exponential of the mean. Raises ValueError where it is infinite, or nothing has been counted."""
        loss = self.mean_loss(state)
        if loss > np.log(np.finfo(np.float64).max):
            raise ValueError(f"Perplexity.compute: the mean log loss is {loss}, whose exp is no float64; read LogLoss instead")
        return float(np.exp(loss))


@dataclass(frozen=True, eq=False, repr=False)
class BinSums(Record):
    """State of a calibration error: by bin of confidence, the sums of weights, of confidences, and of what was right."""

    weight: Array1
    confidence: Array1
    right: Array1


@dataclass(frozen=True)
class CalibrationError(Metric[BinSums, Array, Ints, float]):
    """The expected calibration error: how far confidence and accuracy are apart, on average over bins of confidence.

    The confidence of a row is the largest of its probabilities. Bin m of M holds the rows with a confidence in
    ((m - 1) / M, m / M]; with their number n_m, and n rows in all:

        ECE = sum_m n_m / n |accuracy_m - confidence_m|

    Guo et al., On Calibration of Modern Neural Networks (2017), equation 3, with their 15 bins. It depends on the bins,
    and a net that always gives the classes' frequencies has 0 too. `state.right / state.weight` over
    `state.confidence / state.weight` is the reliability diagram.

    prediction, labels, probabilities and errors: as for `LogLoss`. Of probabilities that are equal the first class's wins.

    >>> p = np.array([[0.8, 0.2], [0.7, 0.3], [0.4, 0.6]])
    >>> round(CalibrationError(5, probabilities=True)(p, np.array([0, 1, 1])), 4)
    0.3
    """

    bins: int = 15
    _: KW_ONLY
    probabilities: bool = False

    def __post_init__(self) -> None:
        check_int("CalibrationError", "bins", self.bins)

    def init(self) -> BinSums:
        """Sums of 0."""
        return BinSums(np.zeros(self.bins), np.zeros(self.bins), np.zeros(self.bins))

    def measure(self, prediction: Array, target: Ints, weights: Weights | None = None, /) -> BinSums:
        """The sums of one batch."""
        x, labels, w = kept_rows("CalibrationError", prediction, target, weights)
        z = scores_of_classes("CalibrationError", x, labels, probabilities=self.probabilities)
        # of logits, the largest z is 0
        confidence = (np.max(z, -1) if self.probabilities else 1 / np.sum(np.exp(z), -1)).reshape(-1)
        right = np.argmax(z, -1).reshape(-1) == labels.reshape(-1)
        w = np.ones(labels.size) if w is None else spread_weights(w, labels.shape)
        at = np.searchsorted(np.arange(1, self.bins) / self.bins, confidence, side="left")
        sums: list[Value] = [np.bincount(at, w * values, self.bins) for values in (1.0, confidence, right)]
        return BinSums(*[each.astype(np.float64) for each in sums])  # without rows they are integers

    def merge(self, a: BinSums, b: BinSums, /) -> BinSums:
        """The sums of both."""
        return BinSums(a.weight + b.weight, a.confidence + b.confidence, a.right + b.right)

    def compute(self, state: BinSums, /) -> float:
        """The mean distance. Raises ValueError where nothing has been counted."""
        check_counted("CalibrationError", state.weight.sum())
        return float(np.sum(np.abs(state.right - state.confidence)) / state.weight.sum())
