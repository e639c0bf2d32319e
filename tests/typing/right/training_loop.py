# pyright: strict
"""The training loop by hand: start, train_state, repeat, a loop over batches, and going on from a state."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias, assert_type

import numpy as np

import fnn

Params: TypeAlias = tuple[fnn.DenseParams, None, fnn.DenseParams]
State: TypeAlias = tuple[None, None, None]
Net: TypeAlias = fnn.TrainState[Params, State]

model = fnn.Dense(2, 8) >> fnn.relu >> fnn.Dense(8, 3)
opt = fnn.Adam(1e-2)
loss = fnn.supervised(model, fnn.cross_entropy)


def batches(key: fnn.Key, x: fnn.Array2, labels: fnn.Ints, size: int) -> Iterator[tuple[fnn.Array2, fnn.Ints]]:
    order = key.generator().permutation(len(x))
    for i in range(0, len(x), size):
        rows = order[i : i + size]
        yield x[rows], labels[rows]


rng = np.random.default_rng(0)
labels = rng.integers(0, 3, 12)
x = rng.normal(labels[:, None], size=(12, 2)).astype(np.float32)

step = fnn.train_step(loss, opt)
ts = fnn.start(model, opt, fnn.key(0))
assert_type(ts, Net)
history: list[float] = []
for epoch in range(2):
    for x_batch, labels_batch in batches(ts.key.fold(epoch), x, labels, 4):
        ts, value = step(ts, x_batch, labels_batch)
        history.append(float(value))
assert_type(ts, Net)
assert_type(ts.step, int)
assert_type(ts.key, fnn.Key)
assert_type(ts.opt.moment("nu"), Params)

again: Net = fnn.train_state(ts.params, ts.state, opt, fnn.key(5))
again, values = fnn.repeat(2, step, again, x, labels)
assert_type(values, list[fnn.Scalar])
assert_type(replace(again, key=fnn.key(6)), Net)


def with_weights(
    p: Params, s: State, mode: fnn.Mode, x: fnn.Array2, labels: fnn.Ints, *, decay: float
) -> tuple[fnn.Scalar, tuple[State, float]]:
    logits, s = model.forward(p, s, x, mode)
    return fnn.cross_entropy(logits, labels) + decay * fnn.tree.global_norm(p), (s, fnn.accuracy(logits, labels))


step_with_aux = fnn.train_step(with_weights, opt, has_aux=True)
ts, (value, accuracy) = step_with_aux(ts, x, labels, decay=1e-3)
assert_type(accuracy, float)
ts, results = fnn.repeat(2, step_with_aux, ts, x, labels, decay=1e-3)
assert_type(results, list[tuple[fnn.Scalar, float]])


def run(step: Callable[[Net, fnn.Array2, fnn.Ints], tuple[Net, fnn.Scalar]], ts: Net) -> Net:
    return step(ts, x, labels)[0]


assert_type(run(step, ts), Net)
