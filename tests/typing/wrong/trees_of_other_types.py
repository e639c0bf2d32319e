"""A tree function is given trees of several types, or its result is taken for another's."""

import numpy as np

import fnn
from fnn import tree

dense = fnn.DenseParams.init(fnn.key(0), 2, 3)
norm = fnn.NormParams.init(3)


def half(x: fnn.Array) -> fnn.Array:
    return x / 2


def shape(x: fnn.Array) -> tuple[int, ...]:
    return x.shape


def add(x: fnn.Array, y: fnn.Array) -> fnn.Array:
    return x + y


vector, unravel = tree.ravel(dense)
right: fnn.DenseParams = tree.map(half, dense)
of_another: fnn.NormParams = tree.map(half, dense)  # mypy: [assignment]  pyright: [reportAssignmentType]
unlike: fnn.DenseParams = tree.map(add, dense, norm)  # mypy: [assignment]  pyright: [reportAssignmentType]
tree.map(add, dense)  # mypy: [arg-type]  pyright: [reportArgumentType]
tree.map(half, dense, dense)  # mypy: [arg-type]  pyright: [reportArgumentType]
tree.map(shape, dense)  # mypy: [arg-type]  pyright: [reportArgumentType]
replaced: fnn.NormParams = tree.replace_at(dense, ".bias", np.ones(3))  # mypy: [assignment]  pyright: [reportAssignmentType]
restored: fnn.NormParams = unravel(vector)  # mypy: [assignment]  pyright: [reportAssignmentType]
unravel(dense)  # mypy: [arg-type]  pyright: [reportArgumentType]
zeros: fnn.NormParams = tree.zeros_like(dense)  # mypy: [assignment]  pyright: [reportAssignmentType]
cast: fnn.NormParams = tree.astype(dense, np.float64)  # mypy: [assignment]  pyright: [reportAssignmentType]
tree.map(dense, half)  # mypy: [call-overload]  pyright: [reportArgumentType]
tree.leaves(3)  # mypy: [arg-type]  pyright: [reportArgumentType]
tree.size("parameters")  # mypy: [arg-type]  pyright: [reportArgumentType]
average: fnn.NormParams = tree.map(lambda a, b: a + b, dense, dense)  # mypy: [assignment]  pyright: [reportAssignmentType]


def loss(p: fnn.DenseParams) -> fnn.Array2:
    return p.weight


value, pullback = fnn.vjp(loss, dense)
pullback(dense)  # mypy: [arg-type]  pyright: [reportArgumentType]
as_norm: fnn.NormParams = pullback(value)  # mypy: [assignment]  pyright: [reportAssignmentType]
fnn.vjp(loss, norm)  # mypy: [arg-type]  pyright: [reportArgumentType]
