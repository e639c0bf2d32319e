"""Values by example are no criterion, targets are of their kind, and options are of theirs."""

import numpy as np

import fnn

model = fnn.Dense(2, 3)
x = np.ones((4, 3), np.float32)
labels: fnn.Int1 = np.array([0, 1, 2, 0])

fnn.supervised(model, fnn.losses.log_cosh_per_example)  # mypy: [arg-type]  pyright: [reportArgumentType, reportCallIssue]
fnn.supervised(model, fnn.losses.triplet)  # mypy: [arg-type]  pyright: [reportArgumentType, reportCallIssue]
fnn.losses.log_cosh(x, labels)  # mypy: [type-var]  pyright: [reportArgumentType]
fnn.losses.focal_cross_entropy(x, x)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.losses.multi_margin(x, labels, p=3)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.losses.quantile(x, x, 0.9)  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.losses.quantile(x, x, q="median")  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.losses.focal(x, x, gamma=None)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.losses.gaussian_nll(x, x)  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.losses.weighted_mean(x, labels)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.losses.weighted_mean(x, None)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.bce_with_logits(x, x, pos_weight=[1.0, 2.0, 1.0])  # mypy: [arg-type]  pyright: [reportArgumentType]
