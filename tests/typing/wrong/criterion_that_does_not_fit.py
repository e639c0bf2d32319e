"""A criterion that takes something else than what the model gives, or gives no scalar."""

import numpy as np

import fnn

model = fnn.Dense(2, 4) >> fnn.relu >> fnn.Dense(4, 3)
x = np.ones((5, 2), np.float32)
labels = np.zeros(5, np.int64)


def of_rows(prediction: fnn.Array1, target: fnn.Array1) -> fnn.Scalar:
    return fnn.mse(prediction, target)


def per_example(prediction: fnn.Array2, target: fnn.Array2) -> fnn.Array1:
    return fnn.mean(fnn.square(prediction - target), axis=1)


def of_three(prediction: fnn.Array2, target: fnn.Array2, weight: fnn.Array1) -> fnn.Scalar:
    return fnn.mean(fnn.mean(fnn.square(prediction - target), axis=1) * weight)


fnn.supervised(model, fnn.mse)
fnn.supervised(model, of_rows)  # mypy: [arg-type]  pyright: [reportArgumentType, reportCallIssue]
fnn.supervised(model, per_example)  # mypy: [arg-type]  pyright: [reportArgumentType, reportCallIssue]
fnn.supervised(model, of_three)  # mypy: [arg-type]  pyright: [reportArgumentType, reportCallIssue]
fnn.supervised(model, fnn.accuracy)  # mypy: [arg-type]  pyright: [reportArgumentType, reportCallIssue]
fnn.supervised(model, fnn.relu)  # mypy: [arg-type]  pyright: [reportArgumentType, reportCallIssue]
fnn.supervised(model, fnn.Adam)  # mypy: [arg-type]  pyright: [reportArgumentType, reportCallIssue]
fnn.supervised(fnn.mse, model)  # mypy: [call-overload]  pyright: [reportArgumentType, reportCallIssue]
fnn.supervised(model)  # mypy: [call-overload]  pyright: [reportCallIssue]
fnn.mse(x, labels)  # mypy: [type-var]  pyright: [reportArgumentType]
fnn.cross_entropy(labels, x)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.cross_entropy(x, "cat")  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.cross_entropy(x, labels, 0.1)  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.accuracy(x, x)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.bce_with_logits(x, labels)  # mypy: [type-var]  pyright: [reportArgumentType]
