# pyright: strict
"""Tokens become vectors: one axis more, and positions keep it."""

from dataclasses import dataclass
from typing import assert_type

import numpy as np

import fnn

tokens: fnn.Int2 = np.arange(12).reshape(3, 4) % 10

model = fnn.Embedding(10, 6) >> fnn.LearnedPositions(8, 6) >> fnn.LayerNorm(6) >> fnn.Dense(6, 10)
params, state = fnn.init(model, fnn.key(0))
assert_type(params, tuple[fnn.EmbeddingParams, fnn.PositionParams, fnn.NormParams, fnn.DenseParams])
assert_type(state, tuple[None, None, None, None])
assert_type(params[0].table, fnn.Array2)
assert_type(fnn.predict(model, params, state, tokens), fnn.Array3)

step = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), fnn.Adam(1e-2))
ts, value = step(fnn.start(model, fnn.Adam(1e-2), fnn.key(1)), tokens[:, :-1], tokens[:, 1:])
assert_type(value, fnn.Scalar)
assert_type(ts.params[1].table, fnn.Array2)

fixed = fnn.Embedding(10, 6, weight_init=fnn.initializers.normal(0.02)) >> fnn.SinusoidalPositions(6) >> fnn.Dense(6, 10)
fixed_params, _ = fnn.init(fixed, fnn.key(0))
assert_type(fixed_params, tuple[fnn.EmbeddingParams, None, fnn.DenseParams])


def ranks(ids: fnn.Int1, batch: fnn.Int2, any_ids: fnn.Ints) -> None:
    p = params[0]
    assert_type(fnn.embedding(p, ids), fnn.Array2)
    assert_type(fnn.embedding(p, batch), fnn.Array3)
    assert_type(fnn.one_hot(ids, 10), fnn.Array2)
    assert_type(fnn.one_hot(batch, 10, dtype=np.float64), fnn.Array3)
    assert_type(fnn.attend(p, fnn.embedding(p, ids)), fnn.Array2)
    assert_type(fnn.attend(p, fnn.embedding(p, batch)), fnn.Array3)
    assert_type(fnn.add_positions(params[1], fnn.embedding(p, batch), offset=2), fnn.Array3)
    assert_type(fnn.sinusoidal_positions(4, 6), fnn.Array2)
    # of a rank that the checker does not know, as after slicing, it passes where any rank is asked for
    sliced: fnn.Array3 = fnn.embedding(p, batch[:, 1:])
    rows: fnn.Array2 = fnn.embedding(p, any_ids)
    hot: fnn.Array3 = fnn.one_hot(batch[:, 1:], 10)
    print(sliced.shape, rows.shape, hot.shape)


ranks(np.arange(3), tokens, np.arange(2))


def turn(queries: fnn.Array4, at: fnn.Int1, of_each: fnn.Int2) -> None:
    assert_type(fnn.rotary(queries), fnn.Array4)
    assert_type(fnn.rotary(queries, at, base=500_000), fnn.Array4)
    assert_type(fnn.rotary(queries, of_each, interleaved=True, rotary_dim=2), fnn.Array4)


turn(np.ones((2, 3, 1, 4), np.float32), np.arange(3), np.arange(6).reshape(2, 3))


@dataclass(frozen=True)
class Tied:
    tokens: fnn.EmbeddingParams
    positions: fnn.PositionParams
    hidden: fnn.DenseParams


def logits(p: Tied, ids: fnn.Int2) -> fnn.Array3:
    h = fnn.add_positions(p.positions, fnn.embedding(p.tokens, ids))
    return fnn.attend(p.tokens, fnn.tanh(fnn.dense(p.hidden, h)))


def loss(p: Tied, ids: fnn.Int2) -> fnn.Scalar:
    return fnn.cross_entropy(logits(p, ids[:, :-1]), ids[:, 1:])


k1, k2, k3 = fnn.key(0).split(3)
tied = Tied(
    fnn.EmbeddingParams.init(k1, 10, 6, weight_init=fnn.initializers.normal(0.02)),
    fnn.PositionParams.init(k2, 8, 6),
    fnn.DenseParams.init(k3, 6, 6),
)
assert_type(fnn.grad(loss)(tied, tokens), Tied)
