"""Predictions and targets of the wrong kind, options that don't exist, states of another metric."""

from dataclasses import dataclass

import numpy as np

import fnn
from fnn import metrics

labels = np.zeros(3, np.int64)
logits = np.ones((3, 2), np.float32)
x = np.ones(3)

metrics.LogLoss()(labels, labels)  # mypy: [arg-type]  pyright: [reportArgumentType]
metrics.LogLoss()(logits, x)  # mypy: [arg-type]  pyright: [reportArgumentType]
metrics.Accuracy()(logits, x)  # mypy: [arg-type]  pyright: [reportArgumentType]
metrics.MSE()(x, labels)  # mypy: [arg-type]  pyright: [reportArgumentType]
metrics.RocAuc()(x, labels, np.ones(3))  # mypy: [call-arg]  pyright: [reportCallIssue]
metrics.RocAuc()(x, labels, weights=[1.0, 1.0, 1.0])  # mypy: [arg-type]  pyright: [reportArgumentType]
metrics.Precision(3, average="mean")  # mypy: [arg-type]  pyright: [reportArgumentType]
metrics.Precision(3, "macro")  # mypy: [call-arg]  pyright: [reportCallIssue]
metrics.TopK()  # mypy: [call-arg]  pyright: [reportCallIssue]
metrics.Accuracy().k = 2  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
metrics.R2().compute(metrics.MAE().init())  # mypy: [arg-type]  pyright: [reportArgumentType]
metrics.RocAuc().merge(metrics.RocAuc().init(), metrics.LogLoss().init())  # mypy: [arg-type]  pyright: [reportArgumentType]
metrics.OneVsRest(metrics.MSE(), 3)  # mypy: [arg-type]  pyright: [reportArgumentType]
metrics.Several(accuracy=metrics.Accuracy)  # mypy: [arg-type]  pyright: [reportArgumentType]
mixed = metrics.Several(accuracy=metrics.Accuracy(), error=metrics.MSE())  # mypy: []  pyright: [reportArgumentType]
mixed(logits, labels)  # mypy: [arg-type]  pyright: []
matrix: float = metrics.ConfusionMatrix(3)(logits, labels)  # mypy: [assignment]  pyright: [reportAssignmentType]
single = metrics.Several(accuracy=metrics.Accuracy())
value: dict[str, str] = single(logits, labels)  # mypy: [assignment]  pyright: [reportAssignmentType]


@dataclass(frozen=True)
class Bias(metrics.Average[fnn.Array, fnn.Array]):
    def values(self, x: fnn.Array, y: fnn.Array, /) -> float:  # mypy: [override]  pyright: [reportIncompatibleMethodOverride]
        return float(np.mean(x - y))


@dataclass(frozen=True)
class Unfinished(metrics.Average[fnn.Array, fnn.Array]):
    bound: float


Unfinished(1.0)  # mypy: [abstract]  pyright: [reportAbstractUsage]
