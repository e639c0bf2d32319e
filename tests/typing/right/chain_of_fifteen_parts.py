# pyright: strict
"""A long chain: parameters, state, gradients and moments are flat tuples with a slot for every part."""

from typing import TypeAlias, assert_type

import numpy as np

import fnn

Params: TypeAlias = tuple[
    fnn.DenseParams,
    fnn.NormParams,
    None,
    None,
    fnn.LinearParams,
    fnn.NormParams,
    None,
    None,
    fnn.DenseParams,
    None,
    fnn.DenseParams,
    None,
    fnn.DenseParams,
    None,
    fnn.DenseParams,
]
State: TypeAlias = tuple[
    None,
    fnn.BatchNormState,
    None,
    None,
    None,
    fnn.BatchNormState,
    None,
    None,
    None,
    None,
    None,
    None,
    None,
    None,
    None,
]

model = (
    fnn.Dense(4, 8)
    >> fnn.BatchNorm(8)
    >> fnn.relu
    >> fnn.Dropout(0.1)
    >> fnn.Dense(8, 8, bias=False)
    >> fnn.BatchNorm(8, momentum=0.2)
    >> fnn.gelu
    >> fnn.Dropout(0.1)
    >> fnn.Dense(8, 8)
    >> fnn.tanh
    >> fnn.Dense(8, 8)
    >> fnn.silu
    >> fnn.Dense(8, 8)
    >> fnn.leaky_relu
    >> fnn.Dense(8, 2)
)
assert_type(model, fnn.Chain[fnn.Array2, fnn.Array2, Params, State])

params, state = fnn.init(model, fnn.key(0))
assert_type(params, Params)
assert_type(state, State)
assert_type(params[4], fnn.LinearParams)
assert_type(params[-1].bias, fnn.Array1)

x = np.ones((6, 4), np.float32)
y = np.zeros((6, 2), np.float32)
out, state = fnn.forward(model, params, state, x, fnn.Train(fnn.key(1)))
assert_type(out, fnn.Array2)
assert_type(state, State)


def loss(params: Params, state: State, x: fnn.Array2, y: fnn.Array2) -> tuple[fnn.Scalar, State]:
    prediction, state = model.forward(params, state, x, fnn.Train(fnn.key(2)))
    return fnn.mse(prediction, y), state


grads, state = fnn.grad(loss, has_aux=True)(params, state, x, y)
assert_type(grads, Params)
assert_type(grads[0].weight, fnn.Array2)

opt = fnn.Adam(1e-3)
opt_state = opt.init(params)
assert_type(opt_state, fnn.OptState[Params])
params, opt_state = fnn.update(opt, grads, opt_state, params)
assert_type(params, Params)
assert_type(opt_state.moment("mu"), Params)
assert_type(opt_state.moment("nu")[8].weight, fnn.Array2)

criterion = fnn.supervised(model, fnn.mse)
step = fnn.train_step(criterion, opt)
ts = fnn.start(model, opt, fnn.key(0))
assert_type(ts, fnn.TrainState[Params, State])
ts, value = step(ts, x, y)
assert_type(ts, fnn.TrainState[Params, State])
assert_type(value, fnn.Scalar)

# a chain on the right stays one part
head = fnn.Dense(2, 2) >> fnn.softmax
nested = fnn.Dense(4, 2) >> fnn.relu >> head
assert_type(
    fnn.init(nested, fnn.key(0)),
    tuple[tuple[fnn.DenseParams, None, tuple[fnn.DenseParams, None]], tuple[None, None, tuple[None, None]]],
)
