"""How well scores order two classes: area under the ROC curve, and average precision.

Both need all scores. The state keeps each distinct score once, with its counts, so that they are exact however the rows
were split into batches; its memory grows with the number of distinct scores (24 bytes each). Rounding bounds it:
`p.round(4)` has at most 10001 values in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fnn.arrays import Array, Array1, Ints, Value
from fnn.metrics.checks import check_counted, check_scores, kept_rows, spread_weights
from fnn.metrics.metric import Metric, Weights
from fnn.tree import Record


@dataclass(frozen=True, eq=False, repr=False)
class ScoreCounts(Record):
    """State of a ranking: the distinct scores, ascending, and how many rows of each class have them; all float64."""

    scores: Array1
    positive: Array1
    negative: Array1


class Ranking(Metric[ScoreCounts, Array, Ints, float]):
    """Base of metrics of how scores order two classes."""

    def init(self) -> ScoreCounts:
        """No scores."""
        return ScoreCounts(np.zeros(0), np.zeros(0), np.zeros(0))

    def measure(self, prediction: Array, target: Ints, weights: Weights | None = None, /) -> ScoreCounts:
        """The distinct scores of one batch."""
        name = type(self).__name__
        x, labels, w = kept_rows(name, prediction, target, weights)
        check_scores(name, x, labels)
        w = np.ones(labels.size) if w is None else spread_weights(w, labels.shape)
        positive = labels.reshape(-1) == 1
        scores, at = np.unique(x.reshape(-1).astype(np.float64) + 0.0, return_inverse=True)  # -0.0 is 0.0
        counts: list[Value] = [np.bincount(at, w * which, len(scores)) for which in (positive, ~positive)]
        return ScoreCounts(scores, *[each.astype(np.float64) for each in counts])  # without rows they are integers

    def merge(self, a: ScoreCounts, b: ScoreCounts, /) -> ScoreCounts:
        """The distinct scores of both."""
        if len(a.scores) < len(b.scores):
            a, b = b, a
        # the scores of b that a has too are added there, the others are inserted: linear in a
        at = np.searchsorted(a.scores, b.scores)
        old = np.append(a.scores, np.nan)[at] == b.scores
        new = at[~old]
        columns = []
        for mine, other in ((a.positive, b.positive), (a.negative, b.negative)):
            column: Value = mine.copy()
            column[at[old]] += other[old]
            columns.append(np.insert(column, new, other[~old]))
        return ScoreCounts(np.insert(a.scores, new, b.scores[~old]), *columns)


@dataclass(frozen=True)
class RocAuc(Ranking):
    """The area under the ROC curve: the probability that a row of class 1 has a higher score than one of class 0.

    With P and N rows of class 1 and 0, and pairs of equal scores counted half:

        AUC = (#(s_i > s_j) + #(s_i = s_j) / 2) / (P N)    over i in class 1, j in class 0

    scores: any floating numbers [...] but NaN: only their order counts, so logits and probabilities give the same; labels:
    integers 0 and 1, [...]. For several classes see `OneVsRest`. The state keeps all distinct scores; round them to bound
    its memory. Fawcett, An introduction to ROC analysis (2006).

    Raises ValueError where shapes do not fit, a label is neither 0 nor 1, or a score is NaN; in `compute`, where one of
    the classes has no rows. TypeError where labels are not integers.

    >>> RocAuc()(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]))
    0.75
    """

    def compute(self, state: ScoreCounts, /) -> float:
        """The area. Raises ValueError where a class has no rows."""
        p, n = state.positive.sum(), state.negative.sum()
        check_counted("RocAuc", p + n)
        if not (p > 0 and n > 0):
            raise ValueError(f"RocAuc.compute: all rows have the label {int(p > 0)}, and the area needs rows of both classes")
        below = np.cumsum(state.negative) - state.negative
        return float(np.sum(state.positive * (below + state.negative / 2)) / (p * n))


@dataclass(frozen=True)
class AveragePrecision(Ranking):
    """The mean of the precision over the rows of class 1, each with its score as the threshold:

        AP = sum_t (R_t - R_(t-1)) P_t

    over the distinct scores t from the highest down, with the precision P_t and the recall R_t of "score >= t is class
    1". No interpolation between thresholds, as in scikit-learn's `average_precision_score`.

    Arguments and errors are those of `RocAuc`, but it needs rows of class 1 only.

    >>> round(AveragePrecision()(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1])), 4)
    0.8333
    """

    def compute(self, state: ScoreCounts, /) -> float:
        """The mean precision. Raises ValueError where class 1 has no rows."""
        p = state.positive.sum()
        check_counted("AveragePrecision", p + state.negative.sum())
        if not p > 0:
            raise ValueError("AveragePrecision.compute: no row has the label 1, and the recall needs some")
        true = np.cumsum(state.positive[::-1])
        every = true + np.cumsum(state.negative[::-1])
        return float(np.sum(state.positive[::-1] * (true / every)) / p)
