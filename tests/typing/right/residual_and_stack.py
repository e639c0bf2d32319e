# pyright: strict
"""Residual blocks and the same block many times over."""

from typing import TypeAlias, assert_type

import numpy as np

import fnn

BlockParams: TypeAlias = tuple[fnn.DenseParams, fnn.NormParams, None]
BlockState: TypeAlias = tuple[None, fnn.BatchNormState, None]

block = fnn.residual(fnn.Dense(8, 8) >> fnn.BatchNorm(8) >> fnn.relu)
assert_type(block, fnn.Residual[fnn.Array2, BlockParams, BlockState])

deep = fnn.stack(3, block)
assert_type(deep, fnn.Stack[fnn.Array2, BlockParams, BlockState])

model = fnn.Dense(2, 8) >> deep >> block >> fnn.Dense(8, 1)
params, state = fnn.init(model, fnn.key(0))
assert_type(params, tuple[fnn.DenseParams, tuple[BlockParams, ...], BlockParams, fnn.DenseParams])
assert_type(state, tuple[None, tuple[BlockState, ...], BlockState, None])
assert_type(params[1][0][0].weight, fnn.Array2)

x = np.ones((4, 2), np.float32)
opt = fnn.Adam(1e-2)
step = fnn.train_step(fnn.supervised(model, fnn.huber), opt)
ts = fnn.train_state(params, state, opt, fnn.key(1))
ts, losses = fnn.repeat(2, step, ts, x, np.zeros((4, 1), np.float32))
assert_type(ts.params[1], tuple[BlockParams, ...])

# a block may start a chain, and stand in another block
starts = block >> fnn.Dense(8, 2)
assert_type(fnn.init(starts, fnn.key(0))[0], tuple[BlockParams, fnn.DenseParams])
assert_type(fnn.init(fnn.residual(deep), fnn.key(0))[0], tuple[BlockParams, ...])

# the other stack is NumPy's
rows: fnn.Array1 = np.ones(3)
assert_type(fnn.stack([rows, rows]), fnn.Array2)
