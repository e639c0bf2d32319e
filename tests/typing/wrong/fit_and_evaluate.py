"""The loop is given data or a state that the step does not take."""

import numpy as np

import fnn

x: fnn.Array2 = np.ones((8, 4), np.float32)
y: fnn.Array2 = np.zeros((8, 3), np.float32)
labels: fnn.Int1 = np.zeros(8, np.int64)
model = fnn.Dense(4, 8) >> fnn.relu >> fnn.Dense(8, 3)
opt = fnn.Adam(1e-3)
step = fnn.train_step(fnn.supervised(model, fnn.mse), opt)
start = fnn.start(model, opt, fnn.key(0))
other = fnn.start(fnn.Dense(4, 3), opt, fnn.key(0))

fnn.fit(step, start, (x, y))
fnn.fit(step, start, (x, labels))  # mypy: [arg-type]  pyright: [reportArgumentType, reportCallIssue]
fnn.fit(step, start, (x,))  # mypy: [arg-type]  pyright: [reportArgumentType, reportCallIssue]
fnn.fit(step, other, (x, y))  # mypy: [arg-type, misc]  pyright: [reportArgumentType, reportCallIssue]
fnn.fit(step, start.params, (x, y))  # mypy: [call-overload]  pyright: [reportArgumentType, reportCallIssue]
fnn.fit(step, start, (x, y), epochs="all")  # mypy: [call-overload]  pyright: [reportArgumentType, reportCallIssue]
fnn.fit(step, start, (x, y), validation=(x, y))  # mypy: [call-overload]  pyright: [reportArgumentType, reportCallIssue]
fnn.fit(step, start, (x, y), last="all")  # mypy: [call-overload]  pyright: [reportArgumentType, reportCallIssue]
fnn.fit(step, start, (x, y), epoch=3)  # mypy: [call-overload]  pyright: [reportCallIssue]
fnn.fit(step, start, lambda epoch: fnn.batches((x, labels), 4))  # mypy: [misc]  pyright: [reportArgumentType, reportCallIssue]
fnn.fit(step, start, fnn.data.subset((x, labels), np.arange(4)))  # mypy: [misc]  pyright: [reportArgumentType, reportCallIssue]
fnn.predict(model, start.params, start.state, fnn.batches(labels, 4))  # mypy: []  pyright: [reportArgumentType]
fnn.predict(model, start, x)  # mypy: [call-arg, misc]  pyright: [reportCallIssue]
stopping = fnn.EarlyStopping(3, start)
stopping.update(0.5, other)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.evaluate(model, other, (x, labels), fnn.metrics.Accuracy())  # mypy: [misc]  pyright: [reportArgumentType, reportCallIssue]
hits = fnn.metrics.Accuracy()
fnn.evaluate(model, start, (labels, labels), hits)  # mypy: [misc]  pyright: [reportArgumentType, reportCallIssue]
for record in fnn.fit(step, start, (x, y)):
    print(record.accuracy)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
    record.loss = 0.5  # mypy: [misc]  pyright: [reportAttributeAccessIssue]
