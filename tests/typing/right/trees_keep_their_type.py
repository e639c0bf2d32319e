# pyright: strict
"""Functions over trees give a tree of the same static type."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, assert_type

import numpy as np

import fnn
from fnn import tree


@dataclass(frozen=True)
class Block:
    dense: fnn.DenseParams
    norm: fnn.NormParams


class Net(NamedTuple):
    blocks: list[Block]
    head: fnn.LinearParams
    extra: dict[str, fnn.Array1]


def block(key: fnn.Key) -> Block:
    return Block(fnn.DenseParams.init(key, 4, 4), fnn.NormParams.init(4))


k0, k1, k2 = fnn.key(0).split(3)
net = Net([block(k0), block(k1)], fnn.LinearParams.init(k2, 4, 2), {"a": np.ones(3, np.float32)})
other = tree.zeros_like(net)
assert_type(other, Net)


def half(x: fnn.Array) -> fnn.Array:
    return x / 2


def sum_of_any(*leaves: fnn.Array) -> fnn.Array:
    total = leaves[0]
    for leaf in leaves[1:]:
        total = total + leaf
    return total


def sum_of_four(a: fnn.Array, b: fnn.Array, c: fnn.Array, d: fnn.Array) -> fnn.Array:
    return a + b + c + d


assert_type(tree.map(half, net), Net)
assert_type(tree.map(np.negative, net), Net)
assert_type(tree.map(lambda a, b: 0.9 * a + 0.1 * b, net, other), Net)
assert_type(tree.map(lambda a, b, c: a + b + c, net, other, net), Net)
assert_type(tree.map(sum_of_four, net, other, net, other), Net)
assert_type(tree.map(sum_of_any, *[net, other, net]), Net)
assert_type(tree.astype(net, np.float64), Net)
assert_type(tree.freeze(net), Net)
assert_type(tree.replace_at(net, ".blocks[0].dense.bias", np.ones(4, np.float32)), Net)

vector, unravel = tree.ravel(net)
assert_type(vector, fnn.Array1)
assert_type(unravel, Callable[[fnn.Array1], Net])
assert_type(unravel(vector * 2), Net)

assert_type(tree.leaves(net), list[fnn.Array])
assert_type(tree.paths(net), list[tuple[str, fnn.Array]])
assert_type(tree.equal(net, other), bool)
assert_type(tree.size(net), int)
assert_type(tree.show(net), str)
assert_type(tree.global_norm(net), fnn.Scalar)

leaves, structure = tree.flatten(net)
assert_type(structure.unflatten(leaves), Net)

# the parameters and the state of a chain are trees like any other
model = fnn.Dense(2, 4) >> fnn.BatchNorm(4) >> fnn.relu
params, state = fnn.init(model, fnn.key(1))
Params: TypeAlias = tuple[fnn.DenseParams, fnn.NormParams, None]
assert_type(tree.map(half, params), Params)
assert_type(tree.replace_at(params, "[0].bias", np.ones(4, np.float32)), Params)
assert_type(tree.ravel(params)[1](tree.ravel(params)[0]), Params)
assert_type(tree.astype(state, np.float64), tuple[None, fnn.BatchNormState, None])
assert_type(tree.map(half, params[0].weight), fnn.Array2)
