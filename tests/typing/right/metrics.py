# pyright: strict
"""Metrics over batches, several at once, one of one's own, and weights."""

from dataclasses import dataclass
from functools import reduce
from typing import assert_type

import numpy as np

import fnn
from fnn import metrics


@dataclass(frozen=True)
class Bias(metrics.Average[fnn.Array, fnn.Array]):
    """The mean of prediction - target."""

    def values(self, prediction: fnn.Array, target: fnn.Array, /) -> fnn.Array:
        return prediction - target


@dataclass(frozen=True)
class MaxError(metrics.Metric[fnn.Scalar, fnn.Array, fnn.Array, float]):
    """The largest error."""

    def init(self) -> fnn.Scalar:
        return np.float64(0)

    def measure(self, prediction: fnn.Array, target: fnn.Array, weights: metrics.Weights | None = None, /) -> fnn.Scalar:
        if weights is not None:
            raise ValueError("MaxError: a largest value has no weights")
        largest: fnn.Scalar = np.max(np.abs(prediction - target), initial=0.0)
        return largest

    def merge(self, a: fnn.Scalar, b: fnn.Scalar, /) -> fnn.Scalar:
        return a if a > b else b

    def compute(self, state: fnn.Scalar, /) -> float:
        return float(state)


rng = np.random.default_rng(0)
labels = rng.integers(0, 3, 30)
logits = rng.normal(size=(30, 3)).astype(np.float32)
x, y = rng.normal(size=(2, 30))

assert_type(metrics.Accuracy()(logits, labels), float)
assert_type(metrics.Accuracy()(labels, labels), float)
assert_type(metrics.ConfusionMatrix(3)(logits, labels), fnn.Array2)
assert_type(metrics.OneVsRest(metrics.RocAuc(), 3)(fnn.softmax(logits), labels), float)
assert_type(metrics.R2()(x, y, weights=np.ones(30)), float)
assert_type(metrics.LogLoss()(logits, labels, weights=labels != 0), float)
assert_type(Bias()(x, y), float)
assert_type(MaxError()(x, y), float)

f1 = metrics.FBeta(beta=1.0, average="macro", classes=3)
counts = f1.init()
for i in range(0, 30, 7):
    counts = f1.update(counts, logits[i : i + 7], labels[i : i + 7])
assert_type(counts, metrics.ClassCounts)
assert_type(f1.compute(counts), float)
assert_type(f1.per_class(counts), fnn.Array1)

metric = metrics.Several(accuracy=metrics.Accuracy(), loss=metrics.LogLoss(), f1=f1)
states = [metric.measure(logits[i : i + 7], labels[i : i + 7]) for i in range(0, 30, 7)]
found = metric.compute(reduce(metric.merge, states))
assert_type(found, dict[str, float])
assert_type(metrics.Several(bias=Bias(), largest=MaxError(), r2=metrics.R2())(x, y), dict[str, float])


def evaluate(of: metrics.Metric[metrics.Mean, fnn.Array, fnn.Ints, float], batches: list[tuple[fnn.Array2, fnn.Int1]]) -> float:
    state = of.init()
    for scores, true in batches:
        state = of.update(state, scores, true)
    return of.compute(state)


print(evaluate(metrics.TopK(2), [(logits, labels)]), evaluate(metrics.Accuracy(), [(logits, labels)]), found)
