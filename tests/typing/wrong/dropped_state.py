"""The state that forward returns is dropped, or taken for the output."""

from dataclasses import dataclass
from typing import TypeAlias

import fnn

Params: TypeAlias = tuple[fnn.DenseParams, fnn.NormParams]
State: TypeAlias = tuple[None, fnn.BatchNormState]

model = fnn.Dense(2, 8) >> fnn.BatchNorm(8)
params, state = fnn.init(model, fnn.key(0))
opt = fnn.Adam(1e-3)


def predict(x: fnn.Array2) -> fnn.Array2:
    return model.forward(params, state, x, fnn.EVAL)  # mypy: [return-value]  pyright: [reportReturnType]


def activate(x: fnn.Array2) -> fnn.Array2:
    return fnn.relu(fnn.forward(model, params, state, x))  # mypy: [arg-type]  pyright: [reportArgumentType]


def exchanged(x: fnn.Array2) -> fnn.Array2:
    _state, y = fnn.forward(model, params, state, x)
    return y  # mypy: [return-value]  pyright: [reportReturnType]


def normed(p: fnn.NormParams, s: fnn.BatchNormState, x: fnn.Array2) -> fnn.Array2:
    return fnn.relu(fnn.batch_norm(p, s, x, fnn.EVAL))  # mypy: [arg-type]  pyright: [reportArgumentType]


def loss_alone(params: Params, state: State, mode: fnn.Mode, x: fnn.Array2) -> fnn.Scalar:
    return fnn.mean(model.forward(params, state, x, mode)[0])


def loss_and_output(params: Params, state: State, mode: fnn.Mode, x: fnn.Array2) -> tuple[fnn.Scalar, fnn.Array2]:
    y, state = model.forward(params, state, x, mode)
    return fnn.mean(y), y


fnn.train_step(loss_alone, opt)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.train_step(loss_and_output, opt)  # mypy: [misc]  pyright: [reportArgumentType]


@dataclass(frozen=True)
class Double:
    def init(self, key: fnn.Key, /) -> tuple[None, None]:
        return None, None

    def forward(self, params: None, state: None, x: fnn.Array2, mode: fnn.Mode, /) -> fnn.Array2:
        return x * 2.0


print(fnn.Dense(2, 3) >> Double())  # mypy: [operator]  pyright: [reportOperatorIssue]
fnn.residual(Double())  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.supervised(Double(), fnn.mse)  # mypy: [call-overload]  pyright: [reportArgumentType, reportCallIssue]


@dataclass(frozen=True)
class Forgetful:
    def init(self, key: fnn.Key, /) -> tuple[None, fnn.BatchNormState]:
        return None, fnn.BatchNormState.init(3)

    def forward(self, params: None, state: fnn.BatchNormState, x: fnn.Array2, mode: fnn.Mode, /) -> tuple[fnn.Array2, None]:
        return x * 2.0, None


print(fnn.Dense(2, 3) >> Forgetful())  # mypy: [misc]  pyright: [reportOperatorIssue]
