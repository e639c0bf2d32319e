# pyright: strict
"""Every loss fits `supervised` as it is, and so does one of the user's own."""

from typing import assert_type

import numpy as np

import fnn

x = np.ones((4, 2), np.float32)
y = np.full((4, 3), 0.5, np.float32)
labels = np.array([0, 1, 2, 0])
opt = fnn.Sgd(0.1)

regression = fnn.Dense(2, 3)
p, s = fnn.init(regression, fnn.key(0))
for criterion in (fnn.mse, fnn.half_mse, fnn.mae, fnn.bce_with_logits):
    error, s = fnn.supervised(regression, criterion)(p, s, fnn.EVAL, x, y)
    assert_type(error, fnn.Scalar)

mse_step = fnn.train_step(fnn.supervised(regression, fnn.mse), opt)
huber_step = fnn.train_step(fnn.supervised(regression, fnn.huber), opt)
logits_step = fnn.train_step(fnn.supervised(regression, fnn.bce_with_logits), opt)
ts = fnn.train_state(p, s, opt, fnn.key(1))
ts, value = mse_step(ts, x, y)
ts, value = huber_step(ts, x, y)
ts, value = logits_step(ts, x, y)

probabilities = fnn.Dense(2, 3) >> fnn.sigmoid
bce_step = fnn.train_step(fnn.supervised(probabilities, fnn.bce), opt)
ts_bce, value = bce_step(fnn.start(probabilities, opt, fnn.key(0)), x, y)

classifier = fnn.Dense(2, 8) >> fnn.relu >> fnn.Dense(8, 3)
class_step = fnn.train_step(fnn.supervised(classifier, fnn.cross_entropy), opt)
ts_class = fnn.start(classifier, opt, fnn.key(0))
ts_class, value = class_step(ts_class, x, labels)
ts_class, value = class_step(ts_class, x, y)


def smoothed(logits: fnn.Array2, labels: fnn.Int1) -> fnn.Scalar:
    return fnn.cross_entropy(logits, labels, label_smoothing=0.1)


def squares_in_numpy(prediction: fnn.Array2, target: fnn.Array2) -> fnn.Scalar:
    return np.mean((prediction - target) ** 2)


own_step = fnn.train_step(fnn.supervised(classifier, smoothed), opt)
ts_class, value = own_step(ts_class, x, labels)
assert_type(value, fnn.Scalar)
own_regression = fnn.train_step(fnn.supervised(regression, squares_in_numpy), opt)
ts, value = own_regression(ts, x, y)
assert_type(fnn.accuracy(fnn.predict(classifier, ts_class.params, ts_class.state, x), labels), float)
