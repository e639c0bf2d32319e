# pyright: strict
"""The room of losses: criteria for `supervised`, values by example, sample weights, losses of three arrays."""

from typing import assert_type

import numpy as np

import fnn

x = np.ones((4, 2), np.float32)
y: fnn.Array2 = np.full((4, 3), 0.5, np.float32)
signs: fnn.Int2 = np.array([[1, -1, 1]] * 4)
labels: fnn.Int1 = np.array([0, 1, 2, 0])
opt = fnn.Sgd(0.1)

regression = fnn.Dense(2, 3)
ts = fnn.start(regression, opt, fnn.key(0))
for criterion in (fnn.losses.log_cosh, fnn.losses.quantile, fnn.losses.focal, fnn.losses.poisson_nll):
    error, s = fnn.supervised(regression, criterion)(ts.params, ts.state, fnn.EVAL, x, y)
    assert_type(error, fnn.Scalar)

ts, value = fnn.train_step(fnn.supervised(regression, fnn.losses.huber), opt)(ts, x, y)
ts, value = fnn.train_step(fnn.supervised(regression, fnn.losses.cosine), opt)(ts, x, y)
ts, value = fnn.train_step(fnn.supervised(regression, fnn.losses.hinge), opt)(ts, x, signs)
ts, value = fnn.train_step(fnn.supervised(regression, fnn.losses.hinge), opt)(ts, x, 2 * y)
ts, value = fnn.train_step(fnn.supervised(regression, fnn.losses.multi_margin), opt)(ts, x, labels)
ts, value = fnn.train_step(fnn.supervised(regression, fnn.losses.focal_cross_entropy), opt)(ts, x, labels)
ts, value = fnn.train_step(fnn.supervised(regression, fnn.losses.info_nce), opt)(ts, x, np.eye(4, 3, dtype=np.float32))
assert_type(value, fnn.Scalar)

divergence = fnn.train_step(fnn.supervised(regression >> fnn.log_softmax, fnn.losses.kl_divergence), opt)
overlap = fnn.train_step(fnn.supervised(regression >> fnn.sigmoid, fnn.losses.dice), opt)


def rare(logits: fnn.Array2, target: fnn.Array2) -> fnn.Scalar:
    return fnn.bce_with_logits(logits, target, pos_weight=np.ones(3, np.float32)) + fnn.bce_with_logits(
        logits, target, pos_weight=3.0
    )


ts, value = fnn.train_step(fnn.supervised(regression, rare), opt)(ts, x, y)


def weighted(
    p: fnn.DenseParams, s: None, mode: fnn.Mode, x: fnn.Array2, y: fnn.Array2, weights: fnn.Array1
) -> tuple[fnn.Scalar, None]:
    values = fnn.losses.mse_per_example(fnn.dense(p, x), y)
    assert_type(values, fnn.Array2)
    return fnn.losses.weighted_mean(values, weights), s


ts, value = fnn.train_step(weighted, opt)(ts, x, y, np.ones(4, np.float32))

assert_type(fnn.losses.log_cosh_per_example(y, y), fnn.Array2)
assert_type(fnn.losses.gaussian_nll_per_example(y, y, y), fnn.Array2)
assert_type(fnn.losses.multi_margin_per_example(y, labels, p=2), fnn.Array)
assert_type(fnn.losses.info_nce_per_example(y, y), fnn.Array1)
assert_type(fnn.losses.triplet(y, y, y, margin=0.5), fnn.Scalar)
assert_type(fnn.losses.cosine_embedding(y, y, signs[:, 0]), fnn.Scalar)
assert_type(fnn.losses.nll(fnn.log_softmax(y), labels), fnn.Scalar)
