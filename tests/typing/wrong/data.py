"""Data that has no rows, batches that are taken for something else, a seed in place of a key."""

import numpy as np

import fnn

key = fnn.key(0)
x: fnn.Array2 = np.zeros((10, 2), np.float32)
y: fnn.Int1 = np.arange(10)
model = fnn.Dense(2, 1)
step = fnn.train_step(fnn.supervised(model, fnn.mse), fnn.Sgd(0.1))
ts = fnn.start(model, fnn.Sgd(0.1), key)

fnn.batches(3, 4)  # mypy: [call-overload]  pyright: [reportArgumentType, reportCallIssue]
fnn.batches((i for i in range(3)), 4)  # mypy: [call-overload]  pyright: [reportArgumentType, reportCallIssue]
fnn.batches((x, y), 4, 0)  # mypy: [call-overload]  pyright: [reportArgumentType, reportCallIssue]
fnn.batches((x, y), 4, key, last="cut")  # mypy: [call-overload]  pyright: [reportArgumentType, reportCallIssue]
fnn.batches((x, y), 4, key, 0, x)  # mypy: [call-overload]  pyright: [reportCallIssue]
next(fnn.batches((x, y), 4, key))  # mypy: [call-overload]  pyright: [reportArgumentType]
a, b, c = fnn.data.split((x, y), (0.8, 0.2), key)  # mypy: [misc]  pyright: [reportAssignmentType]
fnn.data.split((x, y), 0.8, key)  # mypy: [call-overload]  pyright: [reportArgumentType, reportCallIssue]
for images in fnn.batches(np.zeros((2, 3, 3, 1), np.float32), 2):
    fnn.Normalizer.fit(images).mean = x  # mypy: [misc]  pyright: [reportAttributeAccessIssue]
for xs, labels in fnn.batches((x, y), 4):
    step(ts, xs, labels)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.data.random_flip(key, x)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.data.random_flip(x, key)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.data.OneHot.fit([1.5])  # mypy: [list-item]  pyright: [reportArgumentType, reportCallIssue]
fnn.data.OneHot.fit(["a"]).apply([1])  # mypy: [list-item]  pyright: [reportArgumentType]
fnn.read_csv("houses.csv", target="price", label="town")  # mypy: [call-overload]  pyright: [reportCallIssue]
fnn.read_csv("houses.csv").y.mean()  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
fnn.read_csv("houses.csv", dtype=int)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.read_csv("houses.csv", categories={"town": [1]})  # mypy: [list-item]  pyright: [reportArgumentType]
fnn.read_csv("houses.csv", like=fnn.read_csv("houses.csv"), target="price")  # mypy: [call-overload]  pyright: [reportCallIssue]
fnn.datasets.two_moons(0, 20)  # mypy: [arg-type]  pyright: [reportArgumentType]
