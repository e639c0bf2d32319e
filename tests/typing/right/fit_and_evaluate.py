# pyright: strict
"""The loop keeps the types of parameters and state, for every kind of data."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TypeAlias, assert_type

import numpy as np

import fnn

Params: TypeAlias = tuple[fnn.DenseParams, fnn.NormParams, None, fnn.DenseParams]
State: TypeAlias = tuple[None, fnn.BatchNormState, None, None]
Run: TypeAlias = fnn.TrainState[Params, State]

x: fnn.Array2 = np.ones((8, 4), np.float32)
labels: fnn.Int1 = np.zeros(8, np.int64)
model = fnn.Dense(4, 8) >> fnn.BatchNorm(8) >> fnn.relu >> fnn.Dense(8, 3)
opt = fnn.Adam(1e-3)
step = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), opt)
start = fnn.start(model, opt, fnn.key(0))


def validate(ts: Run) -> dict[str, float]:
    return fnn.evaluate(model, ts, (x, labels), {"loss": fnn.cross_entropy, "accuracy": fnn.metrics.Accuracy()})


stopping = fnn.EarlyStopping(2, start)
kept = fnn.KeepBest(2, start)
run = fnn.fit(step, start, (x, labels), epochs=2, validation=validate, progress=False)
for record in run:
    assert_type(record, fnn.FitRecord[Params, State])
    assert_type(record.state.params[0].weight, fnn.Array2)
    stopping = stopping.update(record.validation["loss"], record.state)
    kept = kept.update(record.loss, record.state)
    if stopping.stopped:
        break
    again = run.send(replace(record.state, opt=record.state.opt.scale_learning_rate(0.5)))
    assert_type(again, fnn.FitRecord[Params, State])
assert_type(stopping.best_state, Run)
assert_type(kept.states, tuple[Run, ...])
assert_type(fnn.evaluate(model, start, (x, labels), fnn.metrics.Accuracy()), float)
assert_type(fnn.evaluate(model, (start.params, start.state), (x, labels), fnn.metrics.ConfusionMatrix(3)), fnn.Array2)


def by_epoch(epoch: int) -> Iterator[tuple[fnn.Array2, fnn.Int1]]:
    yield from fnn.batches((x, labels), 4, fnn.key(0), epoch)


for record in fnn.fit(step, start, by_epoch, epochs=2, progress=False):
    assert_type(record, fnn.FitRecord[Params, State])
for record in fnn.fit(step, start, by_epoch(0), progress=False):
    assert_type(record, fnn.FitRecord[Params, State])
for record in fnn.fit(step, start, [(x, labels)], progress=False):
    assert_type(record, fnn.FitRecord[Params, State])


def from_start(epoch: int, start: int) -> fnn.data.Prefetched[tuple[fnn.Array2, fnn.Int1]]:
    return fnn.prefetch(fnn.batches((x, labels), 4, fnn.key(0), epoch, start=start))


for record in fnn.fit(step, start, from_start, epochs=2, steps_per_epoch=2, progress=False):
    assert_type(record, fnn.FitRecord[Params, State])
for record in fnn.fit(step, start, lambda epoch: fnn.batches((x, labels), 4, fnn.key(0), epoch), progress=False):
    assert_type(record, fnn.FitRecord[Params, State])
for record in fnn.fit(step, start, lambda e, n: fnn.batches((x, labels), 4, fnn.key(0), e, start=n), progress=False):
    assert_type(record, fnn.FitRecord[Params, State])
for record in fnn.fit(step, start, partial(fnn.batches, (x, labels), 4, fnn.key(0)), progress=False):
    assert_type(record, fnn.FitRecord[Params, State])
for record in fnn.fit(step, start, fnn.data.subset((x, labels), np.arange(4)), batch_size=2, last="drop", progress=False):
    assert_type(record.epoch_loss, float)

some = fnn.data.subset(x, np.arange(4))
assert_type(fnn.predict(model, start.params, start.state, some), fnn.Array2)
assert_type(fnn.predict(model, start.params, start.state, fnn.batches(x, 4)), fnn.Array2)
assert_type(fnn.predict(model, start.params, start.state, fnn.prefetch(fnn.batches(x, 4))), fnn.Array2)
assert_type(fnn.evaluate(model, start, fnn.data.subset((x, labels), np.arange(4)), fnn.cross_entropy), float)


def reconstruct(p: fnn.DenseParams, s: None, mode: fnn.Mode, x: fnn.Array2) -> tuple[fnn.Scalar, None]:
    return fnn.mse(fnn.dense(p, x), x), s


auto = fnn.train_step(reconstruct, opt)
for other in fnn.fit(auto, fnn.start(fnn.Dense(4, 4), opt, fnn.key(0)), x, progress=False):
    assert_type(other, fnn.FitRecord[fnn.DenseParams, None])
