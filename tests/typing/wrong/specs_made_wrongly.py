"""Hyper-parameters that are missing, of another type, or positional where they must be named."""

from typing import assert_type

import fnn

fnn.Dense(2)  # mypy: [call-overload]  pyright: [reportCallIssue]
fnn.Dense("2", 3)  # mypy: [call-overload]  pyright: [reportArgumentType]
fnn.Dense(2, 3, False)  # mypy: [call-overload]  pyright: [reportCallIssue]
fnn.Dense(2, 3, bias="no")  # mypy: [call-overload]  pyright: [reportArgumentType, reportCallIssue]
fnn.Dense(2, 3, activation=fnn.relu)  # mypy: [call-overload]  pyright: [reportCallIssue]
fnn.Dense(2, 3, weight_init=0.1)  # mypy: [call-overload]  pyright: [reportArgumentType]
fnn.BatchNorm()  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.BatchNorm(8, 0.1)  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.Dropout()  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.Dropout("half")  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.Dropout(rate=0.5)  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.initializers.he_normal(2, 3)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.gelu(fnn.key(0))  # mypy: [type-var]  pyright: [reportArgumentType]
model = fnn.Dense(2, 3) >> fnn.relu
params, state = fnn.init(model, fnn.key(0))
assert_type(params, tuple[fnn.DenseParams])  # mypy: [assert-type]  pyright: [reportAssertTypeFailure]
model.init(0)  # mypy: [arg-type]  pyright: [reportArgumentType]
print(model.weight)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
