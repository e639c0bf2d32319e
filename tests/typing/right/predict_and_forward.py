# pyright: strict
"""predict and forward: the output's type is the model's."""

from typing import assert_type

import numpy as np

import fnn

model = fnn.Dense(3, 4) >> fnn.BatchNorm(4) >> fnn.relu >> fnn.Dropout(0.5) >> fnn.Dense(4, 2)
params, state = fnn.init(model, fnn.key(0))
x = np.ones((7, 3), np.float32)

assert_type(fnn.predict(model, params, state, x), fnn.Array2)
assert_type(fnn.predict(model, params, state, x, batch_size=2), fnn.Array2)

y, same = fnn.forward(model, params, state, x)
assert_type(y, fnn.Array2)
assert_type(same, tuple[None, fnn.BatchNormState, None, None, None])
y, moved = fnn.forward(model, params, state, x, fnn.Train(fnn.key(1)))
y, moved = model.forward(params, moved, x, fnn.EVAL)
assert_type(moved[1].mean, fnn.Array1)


def summarise(x: fnn.Array2) -> fnn.Array1:
    return fnn.mean(x, axis=1)


per_row = fnn.Dense(3, 4) >> fnn.tanh >> summarise
params_of_row, state_of_row = fnn.init(per_row, fnn.key(0))
assert_type(fnn.predict(per_row, params_of_row, state_of_row, x), fnn.Array1)

dropout = fnn.Dropout(0.1)
norm = fnn.BatchNorm(3)


def keep_the_rank(rows: fnn.Array2, images: fnn.Array4) -> None:
    assert_type(fnn.predict(dropout, None, None, rows), fnn.Array2)
    assert_type(fnn.predict(dropout, None, None, images), fnn.Array4)
    assert_type(fnn.predict(norm, *fnn.init(norm, fnn.key(0)), images), fnn.Array4)


keep_the_rank(x, np.ones((2, 2, 2, 3), np.float32))


def either(training: bool) -> fnn.Array2:
    mode: fnn.Mode = fnn.Train(fnn.key(0)) if training else fnn.EVAL
    out, _ = model.forward(params, state, x, mode.fold(3))
    return out


either(True)
either(False)
