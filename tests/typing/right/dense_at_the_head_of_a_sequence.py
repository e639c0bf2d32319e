# pyright: strict
"""A dense layer at the head of a chain takes [batch, time, n] where the part behind it does."""

from typing import assert_type

import numpy as np

import fnn


def first_step(x: fnn.Array3) -> fnn.Array2:
    return x[:, 0]


patches = np.ones((2, 16, 4), np.float32)

vit = (
    fnn.Dense(4, 8)
    >> fnn.LearnedPositions(16, 8)
    >> fnn.encoder_block(8, 2)
    >> fnn.LayerNorm(8)
    >> fnn.last_step
    >> fnn.Dense(8, 10)
)
params, state = fnn.init(vit, fnn.key(0))
assert_type(fnn.predict(vit, params, state, patches), fnn.Array2)
assert_type(params[0], fnn.DenseParams)

recurrent = fnn.Dense(4, 8, bias=False) >> fnn.LSTM(8, 3)
assert_type(fnn.predict(recurrent, *fnn.init(recurrent, fnn.key(0)), patches), fnn.Array3)

cut = fnn.Dense(4, 8) >> first_step
assert_type(fnn.predict(cut, *fnn.init(cut, fnn.key(0)), patches), fnn.Array2)
