"""Norms of integers, with the parameters of another norm, or made without what they need."""

import numpy as np

import fnn

params = fnn.NormParams.init(4)
scale = fnn.ScaleParams.init(4)
x = np.ones((2, 3, 4), np.float32)
ids = np.zeros((2, 4), np.int64)

fnn.layer_norm(params, x)
fnn.layer_norm(params, ids)  # mypy: [type-var]  pyright: [reportArgumentType]
fnn.layer_norm(scale, x)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.layer_norm(x, params)  # mypy: [type-var, arg-type]  pyright: [reportArgumentType]
fnn.rms_norm(params, x)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.rms_norm(scale, ids)  # mypy: [type-var]  pyright: [reportArgumentType]
fnn.group_norm(params, x)  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.group_norm(params, x, 2.0)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.instance_norm(params, x, 4)  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.layer_norm(params, x, 1e-5)  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.LayerNorm()  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.LayerNorm(4, 1e-5)  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.GroupNorm(4)  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.RMSNorm("4")  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.predict(fnn.RMSNorm(4), params, None, x)  # mypy: [misc]  pyright: [reportArgumentType]
print(scale.shift)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]


def rank_goes_through(images: fnn.Array4, p: fnn.DenseParams) -> None:
    fnn.dense(p, fnn.group_norm(params, images, 2))  # mypy: [type-var]  pyright: [reportArgumentType]
    rows: fnn.Array2 = fnn.instance_norm(params, images)  # mypy: [arg-type]  pyright: [reportAssignmentType]
    print(rows)
