# pyright: strict
"""Pictures take arrays, lists of losses and records of a run, and return Axes."""

from dataclasses import dataclass
from functools import partial
from typing import assert_type

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import fnn


@dataclass(frozen=True)
class Epoch:
    step: int
    loss: fnn.Scalar
    metrics: dict[str, float]


model = fnn.Dense(2, 3) >> fnn.tanh >> fnn.Dense(3, 1)
opt = fnn.Adam(0.1)
loss = fnn.supervised(model, fnn.mse)
ts = fnn.start(model, opt, fnn.key(0))
x = np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)
y = np.array([[1.0], [0.0]], np.float32)
ts, losses = fnn.repeat(3, fnn.train_step(loss, opt), ts, x, y)

assert_type(fnn.plot.curves(losses, validation=([0, 2], [1.0, 0.5]), smooth=0.5, log=True), Axes)
assert_type(fnn.plot.curves({"a": losses, "b": [1.0, 2.0, 3.0]}), Axes)
records = [Epoch(1, losses[0], {"hits": 0.5}), Epoch(2, losses[1], {"hits": 0.6})]
assert_type(fnn.plot.curves(records, of="hits", validation="loss", ax=Figure().add_subplot()), Axes)
run = list(fnn.fit(fnn.train_step(loss, opt), ts, (x, y), epochs=5, validation=lambda ts: {"loss": 0.5}))
assert_type(fnn.plot.curves(run), Axes)
assert_type(fnn.plot.curves(run, of="epoch_loss", validation=run), Axes)
assert_type(fnn.plot.curves({"a": run, "b": run}), Axes)
found = fnn.plot.find_learning_rate(lambda rate: fnn.train_step(loss, fnn.Adam(rate)), ts, [(x, y)], n=8)
assert_type(found, fnn.plot.RateSearch)
assert_type(found.rates, fnn.Array1)
assert_type(found.suggestion, float | None)
assert_type(fnn.plot.learning_rates(found), Axes)
predict = partial(fnn.predict, model, ts.params, ts.state)
assert_type(fnn.plot.decision_boundary(predict, x, np.array([1, 0]), resolution=5), Axes)
assert_type(fnn.plot.surfaces(x, x, {"truth": x}), tuple[Axes, ...])
assert_type(fnn.plot.activations([fnn.relu, fnn.tanh], ax=Figure().subplots(1, 2)), tuple[Axes, ...])
grads, _ = fnn.grad(loss, has_aux=True)(ts.params, ts.state, fnn.EVAL, x, y)
assert_type(fnn.plot.histograms(ts.params, grads), tuple[Axes, ...])
assert_type(fnn.plot.confusion_matrix(np.eye(2), names=["no", "yes"]), Axes)
assert_type(fnn.plot.filters(ts.params[0].weight, shape=(1, 2)), Axes)
assert_type(fnn.plot.network(model, ts.params, x[0], lambda p: fnn.mse(p, y[:1])), Axes)
assert_type(fnn.plot.attention_maps(np.ones((1, 2, 2)), ["a", "b"]), tuple[Axes, ...])
