"""A field of a value is assigned to: of parameters, state, a spec, an optimiser, a TrainState."""

import numpy as np

import fnn

model = fnn.Dense(2, 3)
norm = fnn.BatchNorm(3)
opt = fnn.Adam(1e-3)
ts = fnn.start(model, opt, fnn.key(0))
params, state = fnn.init(norm, fnn.key(0))

ts.params.weight = np.zeros((2, 3), np.float32)  # mypy: [misc]  pyright: [reportAttributeAccessIssue]
ts.params.weight *= 2.0  # mypy: [misc]  pyright: [reportAttributeAccessIssue]
ts.params = fnn.DenseParams.init(fnn.key(1), 2, 3)  # mypy: [misc]  pyright: [reportAttributeAccessIssue]
ts.step += 1  # mypy: [misc]  pyright: [reportAttributeAccessIssue]
ts.opt.step = 0  # mypy: [misc]  pyright: [reportAttributeAccessIssue]
params.scale = np.ones(3, np.float32)  # mypy: [misc]  pyright: [reportAttributeAccessIssue]
state.mean = np.zeros(3, np.float32)  # mypy: [misc]  pyright: [reportAttributeAccessIssue]
model.n_in = 4  # mypy: [misc]  pyright: [reportAttributeAccessIssue]
norm.momentum = 0.5  # mypy: [misc]  pyright: [reportAttributeAccessIssue]
opt.learning_rate = 1e-4  # mypy: [misc]  pyright: [reportAttributeAccessIssue]
ts.key.bits = 0  # mypy: [misc]  pyright: [reportAttributeAccessIssue]
chained = model >> norm
chained.layers = ()  # mypy: [misc]  pyright: [reportAttributeAccessIssue]
fnn.init(chained, fnn.key(0))[0][0] = ts.params  # mypy: [index]  pyright: [reportIndexIssue]
