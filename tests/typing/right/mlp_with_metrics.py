# pyright: strict
"""Batch norm, dropout and metrics as aux; the types of parameters and state are written out."""

from typing import TypeAlias, assert_type

import numpy as np

import fnn

Params: TypeAlias = tuple[fnn.DenseParams, fnn.NormParams, None, None, fnn.DenseParams]
State: TypeAlias = tuple[None, fnn.BatchNormState, None, None, None]
Metrics: TypeAlias = dict[str, float]

model = fnn.Dense(4, 16) >> fnn.BatchNorm(16) >> fnn.relu >> fnn.Dropout(0.5) >> fnn.Dense(16, 3)


def loss(
    params: Params, state: State, mode: fnn.Mode, x: fnn.Array2, labels: fnn.Int1
) -> tuple[fnn.Scalar, tuple[State, Metrics]]:
    logits, state = model.forward(params, state, x, mode)
    value = fnn.cross_entropy(logits, labels, label_smoothing=0.1)
    return value, (state, {"accuracy": fnn.accuracy(logits, labels)})


rng = np.random.default_rng(0)
labels = rng.integers(0, 3, 30)
x = rng.normal(labels[:, None], size=(30, 4)).astype(np.float32)

opt = fnn.AdamW(1e-2, weight_decay=1e-3)
step = fnn.train_step(loss, opt, has_aux=True)
ts = fnn.start(model, opt, fnn.key(1))
for i in range(3):
    ts, (value, metrics) = step(ts, x, labels)
    print(i, float(value), metrics["accuracy"])
    assert_type(value, fnn.Scalar)
    assert_type(metrics, Metrics)

assert_type(ts, fnn.TrainState[Params, State])
assert_type(ts.opt, fnn.OptState[Params])
assert_type(ts.params[1].scale, fnn.Array1)
assert_type(ts.state[1].mean, fnn.Array1)

value, (state, metrics) = loss(ts.params, ts.state, fnn.EVAL, x, labels)
assert_type(state, State)
assert_type(metrics, Metrics)
