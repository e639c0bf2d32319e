"""Parameters and state are exchanged, or given to the wrong model."""

from typing import TypeAlias

import numpy as np

import fnn

Params: TypeAlias = tuple[fnn.DenseParams, fnn.NormParams]
State: TypeAlias = tuple[None, fnn.BatchNormState]
Training: TypeAlias = fnn.TrainState[Params, State]

model = fnn.Dense(2, 8) >> fnn.BatchNorm(8)
params, state = fnn.init(model, fnn.key(0))
x = np.ones((4, 2), np.float32)
opt = fnn.Sgd(0.1)
step = fnn.train_step(fnn.supervised(model, fnn.mse), opt)

fnn.forward(model, params, state, x)
fnn.forward(model, state, params, x)  # mypy: [misc]  pyright: [reportArgumentType]
model.forward(state, params, x, fnn.EVAL)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.predict(model, state, params, x)  # mypy: [misc]  pyright: [reportArgumentType]
step(fnn.train_state(params, state, opt, fnn.key(0)), x, x)
step(fnn.train_state(state, params, opt, fnn.key(0)), x, x)  # mypy: [arg-type]  pyright: [reportArgumentType]
ts: Training = fnn.train_state(state, params, opt, fnn.key(0))  # mypy: [arg-type]  pyright: [reportAssignmentType]


def unpacked_in_the_wrong_order() -> tuple[Params, State]:
    state, params = fnn.init(model, fnn.key(0))
    return params, state  # mypy: [return-value]  pyright: [reportReturnType]


norm = fnn.BatchNorm(8)
norm_params, norm_state = fnn.init(norm, fnn.key(0))
fnn.batch_norm(norm_state, norm_params, x, fnn.EVAL)  # mypy: [arg-type]  pyright: [reportArgumentType]
norm.forward(norm_state, norm_params, x, fnn.EVAL)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.dense(norm_params, x)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.predict(norm, params, state, x)  # mypy: [misc]  pyright: [reportArgumentType]
fnn.predict(model, params[0], state, x)  # mypy: [misc]  pyright: [reportArgumentType]


def loss(state: State, params: Params, mode: fnn.Mode, x: fnn.Array2) -> tuple[fnn.Scalar, State]:
    y, state = model.forward(params, state, x, mode)
    return fnn.mean(y), state


fnn.train_step(loss, opt)  # mypy: [misc]  pyright: [reportArgumentType]
