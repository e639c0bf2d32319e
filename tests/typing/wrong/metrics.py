"""Predictions and targets of the wrong kind, options that don't exist, states of another metric."""

from dataclasses import dataclass

import numpy as np

import fnn
from fnn import metrics

labels = np.zeros(3, np.int64)
logits = np.ones((3, 2), np.float32)
x = np.ones(3)

metrics.LogLoss()(labels, labels)
metrics.LogLoss()(logits, x)
metrics.Accuracy()(logits, x)
metrics.MSE()(x, labels)
metrics.RocAuc()(x, labels, np.ones(3))
metrics.RocAuc()(x, labels, weights=[1.0, 1.0, 1.0])
metrics.Precision(3, average="mean")
metrics.Precision(3, "macro")
metrics.FBeta(3, 2.0)
metrics.TopK()
metrics.Accuracy().k = 2
metrics.R2().compute(metrics.MAE().init())
metrics.RocAuc().merge(metrics.RocAuc().init(), metrics.LogLoss().init())
metrics.OneVsRest(metrics.MSE(), 3)
metrics.Several(accuracy=metrics.Accuracy)
metrics.Several(accuracy=metrics.Accuracy(), error=metrics.MSE())(logits, labels)
matrix: float = metrics.ConfusionMatrix(3)(logits, labels)
value: dict[str, fnn.Array2] = metrics.Several(accuracy=metrics.Accuracy())(logits, labels)


@dataclass(frozen=True)
class Bias(metrics.Average[fnn.Array, fnn.Array]):
    def values(self, prediction: fnn.Array, target: fnn.Array, /) -> float:
        return float(np.mean(prediction - target))


@dataclass(frozen=True)
class Unfinished(metrics.Average[fnn.Array, fnn.Array]):
    bound: float


Unfinished(1.0)
