"""The step is called with something that isn't a batch of the loss."""

import numpy as np

import fnn

opt = fnn.Adam(1e-3)
regression = fnn.Dense(2, 1)
regression_step = fnn.train_step(fnn.supervised(regression, fnn.mse), opt)
classifier = fnn.Dense(2, 8) >> fnn.tanh >> fnn.Dense(8, 3)
class_step = fnn.train_step(fnn.supervised(classifier, fnn.cross_entropy), opt)
ts = fnn.start(regression, opt, fnn.key(0))
ts_class = fnn.start(classifier, opt, fnn.key(0))
x = np.zeros((4, 2), np.float32)
y = np.zeros((4, 1), np.float32)
labels = np.zeros(4, np.int64)

regression_step(ts, x, y)
class_step(ts_class, x, labels)
regression_step(ts, x, labels)  # mypy: [arg-type]  pyright: [reportArgumentType]
regression_step(ts, labels, y)  # mypy: [arg-type]  pyright: [reportArgumentType]
regression_step(ts, x, np.zeros(4, np.float32))  # mypy: [arg-type]  pyright: [reportArgumentType]
regression_step(ts, x)  # mypy: [call-arg]  pyright: [reportCallIssue]
regression_step(ts)  # mypy: [call-arg]  pyright: [reportCallIssue]
regression_step(ts, x, y, y)  # mypy: [call-arg]  pyright: [reportCallIssue]
regression_step(x, y, ts)  # mypy: [arg-type]  pyright: [reportArgumentType]
regression_step(ts, (x, y))  # mypy: [arg-type, call-arg]  pyright: [reportCallIssue]
regression_step(ts.params, x, y)  # mypy: [arg-type]  pyright: [reportArgumentType]
class_step(ts_class, labels, x)  # mypy: [arg-type]  pyright: [reportArgumentType]
class_step(ts_class, x, "cat")  # mypy: [arg-type]  pyright: [reportArgumentType]
class_step(ts, x, labels)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.repeat(3, regression_step, ts, x, labels)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.repeat(3, regression_step, ts, x)  # mypy: [call-arg]  pyright: [reportCallIssue]
new_ts = regression_step(ts, x, y)
print(new_ts.params)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]


def weighted(p: fnn.DenseParams, s: None, mode: fnn.Mode, x: fnn.Array2, *, weight: float) -> tuple[fnn.Scalar, None]:
    return weight * fnn.mean(fnn.dense(p, x)), s


weighted_step = fnn.train_step(weighted, opt)
weighted_step(ts, x, weight=0.5)
weighted_step(ts, x)  # mypy: [call-arg]  pyright: [reportCallIssue]
weighted_step(ts, x, weight="heavy")  # mypy: [arg-type]  pyright: [reportArgumentType]
weighted_step(ts, x, wieght=0.5)  # mypy: [call-arg]  pyright: [reportCallIssue]
weighted_step(ts, x, 0.5)  # mypy: [call-arg]  pyright: [reportCallIssue]
