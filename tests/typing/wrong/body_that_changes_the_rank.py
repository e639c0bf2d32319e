"""A residual body must give what it gets, and so must one that is repeated."""

import fnn


def flatten(x: fnn.Array4) -> fnn.Array2:
    return x.reshape(len(x), -1)


def images(x: fnn.Array4) -> fnn.Array4:
    return x


def per_row(x: fnn.Array2) -> fnn.Array1:
    return fnn.mean(x, axis=1)


right = fnn.residual(fnn.Dense(4, 4) >> fnn.relu)
fnn.residual(fnn.Function(flatten))  # mypy: [misc]  pyright: [reportArgumentType]
fnn.residual(fnn.Function(images) >> fnn.relu >> flatten)  # mypy: [misc]  pyright: [reportArgumentType]
fnn.residual(fnn.Dense(4, 4) >> per_row)  # mypy: [misc]  pyright: [reportArgumentType]
fnn.stack(2, fnn.Function(flatten))  # mypy: [misc]  pyright: [reportArgumentType, reportCallIssue]
fnn.stack(2, fnn.Dense(4, 4) >> per_row)  # mypy: [misc]  pyright: [reportArgumentType, reportCallIssue]
fnn.stack(right, 2)  # mypy: [call-overload]  pyright: [reportArgumentType, reportCallIssue]
fnn.residual(fnn.relu)  # mypy: [arg-type]  pyright: [reportArgumentType]
print(fnn.Function(images) >> right)  # mypy: [operator]  pyright: [reportOperatorIssue]
print(fnn.Function(flatten) >> right >> images)  # mypy: [operator]  pyright: [reportOperatorIssue]
