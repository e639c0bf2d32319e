# pyright: strict
"""Layers of the user's own: one that may start a chain, one without any base, one with state."""

from dataclasses import dataclass
from typing import assert_type

import numpy as np

import fnn


@dataclass(frozen=True)
class GluParams:
    value: fnn.DenseParams
    gate: fnn.DenseParams


@dataclass(frozen=True)
class Glu(fnn.Composable):
    n_in: int
    n_out: int

    def init(self, key: fnn.Key, /) -> tuple[GluParams, None]:
        k1, k2 = key.split()
        return GluParams(fnn.DenseParams.init(k1, self.n_in, self.n_out), fnn.DenseParams.init(k2, self.n_in, self.n_out)), None

    def forward(self, params: GluParams, state: None, x: fnn.Array2, mode: fnn.Mode, /) -> tuple[fnn.Array2, None]:
        return fnn.dense(params.value, x) * fnn.sigmoid(fnn.dense(params.gate, x)), None


@dataclass(frozen=True)
class Shift:
    n: int

    def init(self, key: fnn.Key, /) -> tuple[fnn.Array1, None]:
        return np.zeros(self.n, np.float32), None

    def forward(self, params: fnn.Array1, state: None, x: fnn.Array2, mode: fnn.Mode, /) -> tuple[fnn.Array2, None]:
        return x + params, None


@dataclass(frozen=True)
class CountState:
    calls: fnn.Ints


@dataclass(frozen=True)
class Count:
    def init(self, key: fnn.Key, /) -> tuple[None, CountState]:
        return None, CountState(np.zeros((), np.int64))

    def forward(self, params: None, state: CountState, x: fnn.Array2, mode: fnn.Mode, /) -> tuple[fnn.Array2, CountState]:
        if isinstance(mode, fnn.Train):
            return x, CountState(np.asarray(state.calls + 1))
        return x, state


as_layer: fnn.Layer[fnn.Array2, fnn.Array2, fnn.Array1, None] = Shift(3)

model = Glu(2, 4) >> Shift(4) >> fnn.tanh >> Count() >> fnn.Dense(4, 1)
params, state = fnn.init(model, fnn.key(0))
assert_type(params, tuple[GluParams, fnn.Array1, None, None, fnn.DenseParams])
assert_type(state, tuple[None, None, None, CountState, None])

opt = fnn.Adam(1e-2)
step = fnn.train_step(fnn.supervised(model, fnn.half_mse), opt)
ts = fnn.train_state(params, state, opt, fnn.key(1))
ts, _ = fnn.repeat(3, step, ts, np.ones((4, 2), np.float32), np.ones((4, 1), np.float32))
assert_type(ts.state[3].calls, fnn.Ints)
assert_type(ts.params[0].gate.weight, fnn.Array2)
assert int(ts.state[3].calls) == 3

assert_type(fnn.init(fnn.residual(Shift(3)), fnn.key(0)), tuple[fnn.Array1, None])
