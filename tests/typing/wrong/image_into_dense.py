"""Images [batch, height, width, channels] go into a dense layer without being flattened."""

from dataclasses import dataclass

import fnn


@dataclass(frozen=True)
class Shift(fnn.Composable):
    n: int

    def init(self, key: fnn.Key, /) -> tuple[fnn.Array1, None]:
        return fnn.initializers.zeros(key, (self.n,)), None

    def forward(self, params: fnn.Array1, state: None, x: fnn.Array4, mode: fnn.Mode, /) -> tuple[fnn.Array4, None]:
        return fnn.relu(x), None


def flatten(x: fnn.Array4) -> fnn.Array2:
    return x.reshape(len(x), -1)


right = Shift(3) >> fnn.BatchNorm(3) >> fnn.relu >> flatten >> fnn.Dense(3, 2)
print(Shift(3) >> fnn.Dense(3, 2))  # mypy: [operator]  pyright: [reportOperatorIssue]
print(Shift(3) >> fnn.relu >> fnn.Dense(3, 2))  # mypy: [operator]  pyright: [reportOperatorIssue]
images = Shift(3) >> fnn.BatchNorm(3) >> fnn.relu >> fnn.Dropout(0.5)
print(images >> fnn.Dense(3, 2))  # mypy: [operator]  pyright: [reportOperatorIssue]
print(images >> (fnn.Dense(3, 2) >> fnn.relu))  # mypy: [operator]  pyright: [reportOperatorIssue]
print(images >> flatten >> fnn.Dense(3, 2) >> flatten)  # mypy: [operator]  pyright: [reportOperatorIssue]
print(fnn.Dense(2, 3) >> flatten)  # mypy: [operator]  pyright: [reportOperatorIssue]
print(fnn.Dense(2, 3) >> Shift(3))  # mypy: [operator]  pyright: [reportOperatorIssue]


def forward(p: fnn.DenseParams, images: fnn.Array4, one: fnn.Array1) -> None:
    fnn.dense(p, flatten(images))
    fnn.dense(p, images)  # mypy: [type-var]  pyright: [reportArgumentType]
    fnn.dense(p, one)  # mypy: [type-var]  pyright: [reportArgumentType]
    fnn.predict(fnn.Dense(3, 2), p, None, images)  # mypy: [arg-type]  pyright: [reportArgumentType]
