"""Integers are labels and tokens: no dense layer, no activation and no batch norm takes them."""

import numpy as np

import fnn

p = fnn.DenseParams.init(fnn.key(0), 2, 3)
model = fnn.Dense(2, 3) >> fnn.relu
params, state = fnn.init(model, fnn.key(0))
tokens = np.zeros((4, 2), np.int64)


def declared(ids: fnn.Int2) -> None:
    fnn.dense(p, ids)  # mypy: [type-var]  pyright: [reportArgumentType]


fnn.dense(p, tokens)  # mypy: [type-var]  pyright: [reportArgumentType]
fnn.dense(p, np.arange(6).reshape(3, 2))  # mypy: [type-var]  pyright: [reportArgumentType]
fnn.predict(model, params, state, tokens)  # mypy: [misc]  pyright: [reportArgumentType]
fnn.forward(model, params, state, tokens)  # mypy: [misc]  pyright: [reportArgumentType]
fnn.relu(tokens)  # mypy: [type-var]  pyright: [reportArgumentType]
fnn.dropout(tokens, 0.5, fnn.EVAL)  # mypy: [type-var]  pyright: [reportArgumentType]
fnn.mean(tokens)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.take(np.ones((3, 2)), np.ones(3))  # mypy: [arg-type]  pyright: [reportArgumentType, reportCallIssue]
fnn.DenseParams(tokens, np.zeros(2, np.int64))  # mypy: [arg-type]  pyright: [reportArgumentType]


def one_hot(ids: fnn.Int1) -> fnn.Array2:
    return np.eye(3)[ids]


def as_ids(x: fnn.Array2) -> fnn.Ints:
    return np.zeros(len(x), np.int64)


print(fnn.Function(one_hot) >> one_hot)  # mypy: [operator]  pyright: [reportOperatorIssue]
print(fnn.Dense(2, 3) >> one_hot)  # mypy: [operator]  pyright: [reportOperatorIssue]
print(fnn.Dense(2, 3) >> as_ids >> fnn.Dense(3, 1))  # mypy: [operator]  pyright: [reportOperatorIssue]
