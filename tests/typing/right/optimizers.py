# pyright: strict
"""Chains of transforms and optimisers, groups, schedules, and L-BFGS keep the parameters' type."""

from dataclasses import replace
from typing import assert_type

import numpy as np

import fnn
from fnn import optim

clipped = fnn.ClipByGlobalNorm(1.0) >> fnn.AdamW(3e-4, where=fnn.tree.matrices)
blocks = optim.Centralize() >> optim.Trace(0.9) >> optim.AddDecayedWeights(0.1)
long = blocks >> optim.ScaleByLearningRate(optim.WarmUp(2, then=optim.Cosine(0.1, steps=10))) >> optim.Ema(0.9)
transform: optim.Transform = blocks
chains: list[fnn.Optimizer] = [clipped, long, optim.ClipByValue(1.0) >> long]


def head(path: str, shape: tuple[int, ...]) -> bool:
    return path.startswith("[2]")


groups = optim.Groups((head, fnn.Adam(lambda step: 0.1 / (1 + step))), rest=optim.Freeze())
around = optim.SkipNonFinite(optim.Accumulate(optim.Lookahead(fnn.Sgd(0.1)), 2))

model = fnn.Dense(2, 4) >> fnn.relu >> fnn.Dense(4, 1)
x, y = np.ones((3, 2), np.float32), np.zeros((3, 1), np.float32)
for opt in (*chains, groups, around, optim.Muon(rest=fnn.Adam(0.1))):
    step = fnn.train_step(fnn.supervised(model, fnn.mse), opt)
    ts, _ = step(fnn.start(model, opt, fnn.key(0)), x, y)
    assert_type(ts.params, tuple[fnn.DenseParams, None, fnn.DenseParams])
    ts = replace(ts, opt=ts.opt.scale_learning_rate(0.5))

norm = fnn.NormParams.init(3)
state = long.init(norm)
assert_type(state, fnn.OptState[fnn.NormParams])
assert_type(state.moment("ema"), fnn.NormParams)
assert_type(state.learning_rate, float)
new, after = fnn.update(long, norm, state, norm)
assert_type(new, fnn.NormParams)
assert_type(after.learning_rates, dict[str, float])


def distance(p: fnn.NormParams) -> fnn.Scalar:
    return np.sum((p.scale - 2) ** 2) + fnn.l2(p, where=fnn.tree.everything)


found = optim.lbfgs(distance, norm)
assert_type(found, optim.LbfgsResult[fnn.NormParams])
assert_type(found.params, fnn.NormParams)
assert_type(found.converged, bool)

schedule: optim.Schedule = optim.Joined((0.1, optim.Polynomial(0.1, steps=10)), boundaries=(5,))
assert_type(schedule(3), float)
plateau = optim.ReduceOnPlateau(patience=1)
assert_type(plateau.update(1.0), optim.ReduceOnPlateau)
