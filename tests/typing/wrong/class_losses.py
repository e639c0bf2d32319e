"""Class losses take arrays of weights, an integer for the label that doesn't count, and give rows where they say so."""

import numpy as np

import fnn

logits = np.ones((4, 3), np.float32)
labels: fnn.Int1 = np.array([0, 1, 2, 0])
model = fnn.Dense(2, 3)

fnn.cross_entropy(logits, labels, class_weights=labels)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.cross_entropy(logits, labels, class_weights=[1.0, 1.0, 1.0])  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.cross_entropy(logits, labels, ignore_index="none")  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.nll(logits, logits)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.nll(logits, labels, label_smoothing=0.1)  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.supervised(model, fnn.nll_per_example)  # mypy: [arg-type]  pyright: [reportArgumentType, reportCallIssue]
