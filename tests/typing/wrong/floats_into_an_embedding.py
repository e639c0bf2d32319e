"""Floats where tokens belong, tokens where floats belong, and ranks that don't fit."""

import numpy as np

import fnn

p = fnn.EmbeddingParams.init(fnn.key(0), 10, 6)
positions = fnn.PositionParams.init(fnn.key(0), 8, 6)
floats = np.ones((2, 3), np.float32)
tokens = np.zeros((2, 3), np.int64)

fnn.embedding(p, tokens)
fnn.embedding(p, floats)  # mypy: [arg-type]  pyright: [reportArgumentType, reportCallIssue]
fnn.embedding(p, [1, 2])  # mypy: [call-overload]  pyright: [reportArgumentType, reportCallIssue]
fnn.embedding(tokens, p)  # mypy: [call-overload]  pyright: [reportArgumentType, reportCallIssue]
fnn.embedding(positions, tokens)  # mypy: [call-overload]  pyright: [reportArgumentType, reportCallIssue]
fnn.one_hot(floats, 3)  # mypy: [arg-type]  pyright: [reportArgumentType, reportCallIssue]
fnn.one_hot(tokens)  # mypy: [call-overload]  pyright: [reportCallIssue]
fnn.attend(p, tokens)  # mypy: [type-var]  pyright: [reportArgumentType]
fnn.attend(positions, floats)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.add_positions(p, np.ones((1, 2, 6)))  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.add_positions(positions, floats)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.add_positions(positions, np.ones((1, 2, 6)), 1)  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.Embedding(10)  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.Embedding(10, 6, 0.02)  # mypy: [arg-type, call-arg]  pyright: [reportCallIssue]
fnn.Embedding(10, 6, weight_init=0.02)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.LearnedPositions(6)  # mypy: [call-arg]  pyright: [reportCallIssue]
print(fnn.Dense(3, 4) >> fnn.Embedding(10, 6))  # mypy: [operator]  pyright: [reportOperatorIssue]
print(fnn.Embedding(10, 6) >> fnn.Embedding(10, 6))  # mypy: [operator]  pyright: [reportOperatorIssue]


def ranks(ids: fnn.Int1, queries: fnn.Array4, keys: fnn.Array3) -> None:
    sequences: fnn.Array3 = fnn.embedding(p, ids)  # mypy: [assignment]  pyright: [reportAssignmentType]
    fnn.predict(fnn.Embedding(10, 6), p, None, ids)  # mypy: [misc]  pyright: [reportArgumentType]
    fnn.rotary(keys)  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.rotary(queries, np.ones(3))  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.rotary(queries, 3)  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.rotary(queries, None, 10000.0)  # mypy: [call-arg]  pyright: [reportCallIssue]
    print(sequences)
