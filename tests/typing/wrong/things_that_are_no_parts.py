"""`>>` takes layers and functions of one array; a chain starts with something that has `>>`."""

from dataclasses import dataclass

import fnn


@dataclass(frozen=True)
class Bare:
    def init(self, key: fnn.Key, /) -> tuple[None, None]:
        return None, None

    def forward(self, params: None, state: None, x: fnn.Array2, mode: fnn.Mode, /) -> tuple[fnn.Array2, None]:
        return x, None


@dataclass(frozen=True)
class WithoutInit(fnn.Composable):
    def forward(self, params: None, state: None, x: fnn.Array2, mode: fnn.Mode, /) -> tuple[fnn.Array2, None]:
        return x, None


@dataclass(frozen=True)
class WithoutMode(fnn.Composable):
    def init(self, key: fnn.Key, /) -> tuple[None, None]:
        return None, None

    def forward(self, params: None, state: None, x: fnn.Array2, /) -> tuple[fnn.Array2, None]:
        return x, None


def of_two(x: fnn.Array2, y: fnn.Array2) -> fnn.Array2:
    return x + y


right = fnn.Dense(2, 3) >> Bare() >> fnn.relu
print(fnn.Dense(2, 3) >> 3)  # mypy: [operator]  pyright: [reportOperatorIssue]
print(fnn.Dense(2, 3) >> "relu")  # mypy: [operator]  pyright: [reportOperatorIssue]
print(fnn.Dense(2, 3) >> None)  # mypy: [operator]  pyright: [reportOperatorIssue]
print(fnn.Dense(2, 3) >> of_two)  # mypy: [operator]  pyright: [reportOperatorIssue]
print(fnn.Dense(2, 3) >> fnn.Dropout)  # mypy: [operator]  pyright: [reportOperatorIssue]
print(fnn.Dense(2, 3) >> fnn.BatchNorm)  # mypy: [operator]  pyright: [reportOperatorIssue]
print(fnn.Dense(2, 3) >> fnn.relu(fnn.key(0)))  # mypy: [operator, type-var]  pyright: [reportArgumentType]
print(fnn.Dense(2, 3) >> WithoutInit())  # mypy: [operator]  pyright: [reportOperatorIssue]
print(fnn.Dense(2, 3) >> WithoutMode())  # mypy: [operator]  pyright: [reportOperatorIssue]
print(right >> WithoutMode())  # mypy: [operator]  pyright: [reportOperatorIssue]
print(WithoutInit() >> fnn.relu)  # mypy: [misc]  pyright: [reportOperatorIssue]
print(WithoutMode() >> fnn.relu)  # mypy: [misc]  pyright: [reportOperatorIssue]
print(Bare() >> fnn.relu)  # mypy: [operator]  pyright: [reportOperatorIssue]
print(fnn.Dense(2, 3) | fnn.relu)  # mypy: [operator]  pyright: [reportOperatorIssue]
right(fnn.key(0))  # mypy: [operator]  pyright: [reportCallIssue]
fnn.init(fnn.relu, fnn.key(0))  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.init(WithoutInit(), fnn.key(0))  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.supervised(WithoutMode(), fnn.mse)  # mypy: [call-overload]  pyright: [reportArgumentType, reportCallIssue]
