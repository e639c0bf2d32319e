"""Branches that are no layers, bodies of the wrong rank, and a last function for other parameters."""

import fnn


def per_row(x: fnn.Array2) -> fnn.Array1:
    return fnn.sum(x, axis=1)


def of_norms(p: fnn.NormParams, h: fnn.Array2) -> fnn.Array2:
    return h * p.scale


fnn.parallel(fnn.Dense(3, 1), fnn.tanh)  # mypy: [call-overload]  pyright: [reportCallIssue, reportArgumentType]
dense = fnn.Dense(3, 1)
fnn.parallel(dense, dense, join="product")  # mypy: [call-overload]  pyright: [reportCallIssue, reportArgumentType]
fnn.over_time(fnn.Dense(3, 1) >> per_row)  # mypy: [operator]  pyright: [reportCallIssue, reportArgumentType]
fnn.tied(fnn.Dense(3, 2), fnn.BatchNorm(2), of_norms)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.frozen(fnn.tanh)  # mypy: [arg-type]  pyright: [reportArgumentType]
