# pyright: strict
"""Class losses: weights of classes, labels that don't count, values by row."""

from typing import assert_type

import numpy as np

import fnn

x = np.ones((4, 2), np.float32)
labels = np.array([0, 1, 2, -100])
weights = np.array([1.0, 2.0, 0.5], np.float32)

loss = fnn.cross_entropy(np.ones((4, 3), np.float32), labels, class_weights=weights, ignore_index=-100)
assert_type(loss, fnn.Scalar)
assert_type(fnn.nll(fnn.log_softmax(np.ones((4, 3))), labels, ignore_index=-100), fnn.Scalar)
assert_type(fnn.cross_entropy_per_example(np.ones((4, 3)), labels, ignore_index=-100), fnn.Array)
assert_type(fnn.nll_per_example(np.zeros((4, 3)), labels, ignore_index=-100), fnn.Array)


def weighed(logits: fnn.Array2, labels: fnn.Int1) -> fnn.Scalar:
    return fnn.cross_entropy(logits, labels, class_weights=weights, ignore_index=-100)


def of_chosen_rows(logits: fnn.Array2, labels: fnn.Int1) -> fnn.Scalar:
    return np.mean(fnn.cross_entropy_per_example(logits, labels, ignore_index=-100)[:2])


opt = fnn.Sgd(0.1)
classifier = fnn.Dense(2, 3) >> fnn.log_softmax
ts = fnn.start(classifier, opt, fnn.key(0))
ts, value = fnn.train_step(fnn.supervised(classifier, fnn.nll), opt)(ts, x, np.array([0, 1, 2, 0]))
ts, value = fnn.train_step(fnn.supervised(classifier, weighed), opt)(ts, x, labels)
ts, value = fnn.train_step(fnn.supervised(classifier, of_chosen_rows), opt)(ts, x, labels)
assert_type(value, fnn.Scalar)
