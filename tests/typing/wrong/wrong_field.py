"""A field that the parameters don't have, a slot that is None, a place outside of the tuple."""

from dataclasses import dataclass

import numpy as np

import fnn


@dataclass(frozen=True)
class Net:
    hidden: fnn.DenseParams
    norm: fnn.NormParams


model = fnn.Dense(2, 8) >> fnn.BatchNorm(8) >> fnn.relu >> fnn.Dense(8, 1)
params, state = fnn.init(model, fnn.key(0))
ts = fnn.start(model, fnn.Adam(1e-3), fnn.key(0))
print(params[0].weight, params[1].scale, state[1].mean, params[-1].bias)
print(params[0].kernel)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
print(params[1].weight)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
print(params[2].weight)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
print(params[4])  # mypy: [misc]  pyright: [reportGeneralTypeIssues]
print(state[0].mean)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
print(state[1].scale)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
print(ts.params[0].scale)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
print(ts.state[2].mean)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
print(ts.parameters)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
print(ts.opt.moment("mu")[0].scale)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
print(ts.opt.mu)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]


def loss(p: Net, x: fnn.Array2) -> fnn.Scalar:
    return fnn.mean(fnn.dense(p.hiden, x) * p.norm.scale)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]


net = Net(params[0], params[1])
grads = fnn.grad(loss)(net, np.ones((3, 2), np.float32))
print(grads.norm.scale)
print(grads.out)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
print(grads[0])  # mypy: [index]  pyright: [reportIndexIssue]
swapped = Net(params[1], params[0])  # mypy: [arg-type]  pyright: [reportArgumentType]
first, second = params  # mypy: [misc]  pyright: [reportAssignmentType]
