# pyright: strict
"""The ten lines that a reader meets first."""

import numpy as np

import fnn

x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
y = np.array([[0], [1], [1], [0]], np.float32)
model = fnn.Dense(2, 8) >> fnn.tanh >> fnn.Dense(8, 1)
opt = fnn.Adam(0.05)
step = fnn.train_step(fnn.supervised(model, fnn.bce_with_logits), opt)
ts = fnn.start(model, opt, fnn.key(0))
for _ in range(200):
    ts, loss = step(ts, x, y)
print(fnn.sigmoid(fnn.predict(model, ts.params, ts.state, x)).round(1).ravel())
