"""A layer with bias=False has no bias, in its parameters, its gradients or its moments."""

import numpy as np

import fnn

model = fnn.Dense(2, 3, bias=False) >> fnn.relu >> fnn.Dense(3, 1)
params, state = fnn.init(model, fnn.key(0))
opt_state = fnn.Sgd(0.1, momentum=0.9).init(params)
print(params[0].weight, params[2].bias)
print(params[0].bias)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
print(opt_state.moment("momentum")[0].bias)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
as_dense: fnn.DenseParams = params[0]  # mypy: [assignment]  pyright: [reportAssignmentType]
fnn.LinearParams(np.ones((2, 3)), np.ones(3))  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.DenseParams(np.ones((2, 3)))  # mypy: [call-arg]  pyright: [reportCallIssue]
layer: fnn.Dense[fnn.DenseParams] = fnn.Dense(2, 3, bias=False)  # mypy: [assignment]  pyright: [reportAssignmentType]
fnn.Dense(2, 3, bias=False, bias_init=fnn.initializers.ones)  # mypy: [call-overload]  pyright: [reportArgumentType]
