# pyright: strict
"""Named parameters and state in frozen dataclasses, with plain functions in place of specs."""

from dataclasses import dataclass, replace
from typing import assert_type

import numpy as np

import fnn


@dataclass(frozen=True)
class Params:
    hidden: fnn.DenseParams
    norm: fnn.NormParams
    out: fnn.DenseParams


@dataclass(frozen=True)
class State:
    norm: fnn.BatchNormState


def init(key: fnn.Key) -> tuple[Params, State]:
    k1, k2 = key.split()
    params = Params(fnn.DenseParams.init(k1, 4, 16), fnn.NormParams.init(16), fnn.DenseParams.init(k2, 16, 3))
    return params, State(fnn.BatchNormState.init(16))


def forward(p: Params, s: State, x: fnn.Array2, mode: fnn.Mode) -> tuple[fnn.Array2, State]:
    h, norm = fnn.batch_norm(p.norm, s.norm, fnn.dense(p.hidden, x), mode)
    h = fnn.dropout(fnn.relu(h), 0.2, mode.fold(0))
    h = fnn.dropout(h, 0.2, mode.fold(1))
    return fnn.dense(p.out, h), replace(s, norm=norm)


def loss(p: Params, s: State, mode: fnn.Mode, x: fnn.Array2, labels: fnn.Ints) -> tuple[fnn.Scalar, State]:
    logits, s = forward(p, s, x, mode)
    decay = np.mean(p.hidden.weight**2) + np.mean(np.square(p.out.weight))
    return fnn.cross_entropy(logits, labels) + 1e-4 * decay, s


rng = np.random.default_rng(0)
labels = rng.integers(0, 3, 30)
x = rng.normal(labels[:, None], size=(30, 4)).astype(np.float32)

params, state = init(fnn.key(0))
opt = fnn.Sgd(0.1, momentum=0.9, nesterov=True)
step = fnn.train_step(loss, opt)
ts = fnn.train_state(params, state, opt, fnn.key(1))
ts, losses = fnn.repeat(5, step, ts, x, labels)

assert_type(ts, fnn.TrainState[Params, State])
assert_type(losses, list[fnn.Scalar])
assert_type(ts.params.hidden.weight, fnn.Array2)
assert_type(ts.state.norm.var, fnn.Array1)
assert_type(ts.opt.moment("momentum"), Params)
assert_type(forward(ts.params, ts.state, x, fnn.EVAL)[0], fnn.Array2)
assert_type(replace(ts.params, out=params.out), Params)
