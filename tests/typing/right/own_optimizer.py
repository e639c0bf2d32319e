# pyright: strict
"""An optimiser of the user's own: two pure methods on vectors; the tree side has the parameters' type."""

from dataclasses import dataclass
from typing import assert_type

import numpy as np

import fnn


@dataclass(frozen=True)
class SignSgd(fnn.Optimizer):
    learning_rate: float
    momentum: float = 0.9

    def init_flat(self, params: fnn.Array1, segments: fnn.Segments, /) -> fnn.Slots:
        return {"average": np.zeros_like(params)}

    def update_flat(
        self, grads: fnn.Array1, slots: fnn.Slots, params: fnn.Array1, step: int, segments: fnn.Segments, /
    ) -> tuple[fnn.Array1, fnn.Slots]:
        average = self.momentum * slots["average"] + (1 - self.momentum) * grads
        return -self.learning_rate * np.sign(average), {"average": average}


@dataclass(frozen=True)
class SlowBiases(fnn.Optimizer):
    learning_rate: float

    def init_flat(self, params: fnn.Array1, segments: fnn.Segments, /) -> fnn.Slots:
        return {}

    def update_flat(
        self, grads: fnn.Array1, slots: fnn.Slots, params: fnn.Array1, step: int, segments: fnn.Segments, /
    ) -> tuple[fnn.Array1, fnn.Slots]:
        rate = np.full_like(grads, self.learning_rate)
        for segment in segments:
            if segment.path.endswith(".bias"):
                rate[segment.start : segment.stop] *= 0.1
        return -rate * grads, slots


model = fnn.Dense(2, 4) >> fnn.relu >> fnn.Dense(4, 1)
x = np.ones((3, 2), np.float32)
y = np.zeros((3, 1), np.float32)
for opt in (SignSgd(0.01), SlowBiases(0.1)):
    step = fnn.train_step(fnn.supervised(model, fnn.mse), opt)
    ts, losses = fnn.repeat(3, step, fnn.start(model, opt, fnn.key(0)), x, y)
    assert_type(ts.params, tuple[fnn.DenseParams, None, fnn.DenseParams])
    assert losses[-1] < losses[0]

chosen: fnn.Optimizer = SignSgd(0.01)
state = chosen.init({"w": np.ones(2)})
assert_type(state.step, int)
assert_type(SignSgd(0.1).init(fnn.NormParams.init(3)).moment("average"), fnn.NormParams)
