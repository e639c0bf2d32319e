"""Training mode without a key, or something that is no mode."""

import numpy as np

import fnn

model = fnn.Dense(2, 3) >> fnn.Dropout(0.5)
params, state = fnn.init(model, fnn.key(0))
norm_params, norm_state = fnn.init(fnn.BatchNorm(2), fnn.key(0))
x = np.ones((4, 2), np.float32)

fnn.forward(model, params, state, x, fnn.Train(fnn.key(1)))
fnn.forward(model, params, state, x, fnn.Train())  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.forward(model, params, state, x, fnn.Train(0))  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.forward(model, params, state, x, True)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.forward(model, params, state, x, fnn.key(1))  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.forward(model, params, state, x, fnn.Train)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.forward(model, params, state, x, None)  # mypy: [arg-type]  pyright: [reportArgumentType]
model.forward(params, state, x)  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.dropout(x, 0.5)  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.dropout(x, 0.5, True)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.dropout(x, fnn.EVAL, 0.5)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.batch_norm(norm_params, norm_state, x, "train")  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.batch_norm(norm_params, norm_state, x)  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.predict(model, params, state, x, fnn.Train(fnn.key(1)))  # mypy: [arg-type, call-arg]  pyright: [reportCallIssue]


def drop(x: fnn.Array2, mode: fnn.Mode) -> fnn.Array2:
    print(mode.key)  # mypy: [union-attr]  pyright: [reportAttributeAccessIssue]
    return fnn.dropout(x, 0.5, mode)
