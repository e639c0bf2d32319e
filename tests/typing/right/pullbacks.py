# pyright: strict
"""vjp: the pullback takes what the function returns and gives what it takes."""

from dataclasses import dataclass
from typing import assert_type

import numpy as np

import fnn


@dataclass(frozen=True)
class Params:
    first: fnn.DenseParams
    second: fnn.DenseParams


@dataclass(frozen=True)
class Output:
    hidden: fnn.Array2
    out: fnn.Array2


x = np.ones((5, 2), np.float32)


def net(p: Params) -> fnn.Array2:
    return fnn.dense(p.second, fnn.tanh(fnn.dense(p.first, x)))


def both(p: Params) -> Output:
    hidden = fnn.tanh(fnn.dense(p.first, x))
    return Output(hidden, fnn.dense(p.second, hidden))


k1, k2 = fnn.key(0).split()
params = Params(fnn.DenseParams.init(k1, 2, 3), fnn.DenseParams.init(k2, 3, 1))

y, pullback = fnn.vjp(net, params)
assert_type(y, fnn.Array2)
assert_type(pullback(np.ones_like(y)), Params)
assert_type(pullback(y).first.bias, fnn.Array1)

outs, pull_both = fnn.vjp(both, params)
assert_type(outs, Output)
assert_type(pull_both(Output(outs.hidden, fnn.tree.zeros_like(outs.out))), Params)


def product(ab: tuple[fnn.Array2, fnn.Array2]) -> fnn.Array2:
    return ab[0] @ ab[1]


def gradients_of_product(a: fnn.Array2, b: fnn.Array2) -> fnn.Array2:
    value, pull = fnn.vjp(product, (a, b))
    da, db = pull(np.ones_like(value))
    assert_type(value, fnn.Array2)
    assert_type(da, fnn.Array2)
    return da @ db


gradients_of_product(np.ones((2, 3)), np.ones((3, 2)))
