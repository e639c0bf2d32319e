"""Gradients or the state of an optimiser of one model are used with another's parameters."""

import numpy as np

import fnn

dense = fnn.DenseParams.init(fnn.key(0), 2, 3)
norm = fnn.NormParams.init(3)
opt = fnn.Adam(1e-3)
dense_opt = opt.init(dense)


def loss(p: fnn.DenseParams, x: fnn.Array2) -> fnn.Scalar:
    return fnn.mean(fnn.dense(p, x))


x = np.ones((4, 2), np.float32)
grads = fnn.grad(loss)(dense, x)
dense, dense_opt = fnn.update(opt, grads, dense_opt, dense)
fnn.update(opt, norm, dense_opt, dense)  # mypy: [misc]  pyright: [reportArgumentType]
fnn.update(opt, grads, opt.init(norm), dense)  # mypy: [misc]  pyright: [reportArgumentType]
fnn.update(opt, grads, dense_opt, norm)  # mypy: [misc]  pyright: [reportArgumentType]
fnn.update(grads, opt, dense_opt, dense)  # mypy: [arg-type, misc]  pyright: [reportArgumentType]
fnn.grad(loss)(norm, x)  # mypy: [arg-type]  pyright: [reportArgumentType]
as_norm: fnn.NormParams = fnn.grad(loss)(dense, x)  # mypy: [assignment]  pyright: [reportAssignmentType]
updated: fnn.NormParams = fnn.update(opt, grads, dense_opt, dense)[0]  # mypy: [assignment]  pyright: [reportAssignmentType]
alone: fnn.DenseParams = fnn.update(opt, grads, dense_opt, dense)  # mypy: [assignment]  pyright: [reportAssignmentType]
fnn.update(opt, fnn.value_and_grad(loss)(dense, x), dense_opt, dense)  # mypy: [misc]  pyright: [reportArgumentType]

small = fnn.Dense(2, 1)
large = fnn.Dense(2, 4) >> fnn.relu >> fnn.Dense(4, 1)
step = fnn.train_step(fnn.supervised(large, fnn.mse), opt)
step(fnn.start(large, opt, fnn.key(0)), x, x)
step(fnn.start(small, opt, fnn.key(0)), x, x)  # mypy: [arg-type]  pyright: [reportArgumentType]
