# pyright: strict
"""Dense layers over [batch, time, features]: the rank goes through."""

from dataclasses import dataclass
from typing import assert_type

import numpy as np

import fnn


@dataclass(frozen=True)
class Embed(fnn.Composable):
    n_tokens: int
    n: int

    def init(self, key: fnn.Key, /) -> tuple[fnn.Array2, None]:
        return fnn.initializers.normal(1.0)(key, (self.n_tokens, self.n)), None

    def forward(self, params: fnn.Array2, state: None, x: fnn.Int2, mode: fnn.Mode, /) -> tuple[fnn.Array3, None]:
        return fnn.take(params, x), None


dense = fnn.Dense(4, 6)
p, _ = fnn.init(dense, fnn.key(0))


def keep_the_rank(rows: fnn.Array2, sequences: fnn.Array3) -> None:
    assert_type(fnn.dense(p, rows), fnn.Array2)
    assert_type(fnn.dense(p, sequences), fnn.Array3)
    assert_type(fnn.predict(dense, p, None, rows), fnn.Array2)
    assert_type(fnn.predict(dense, p, None, sequences), fnn.Array3)
    assert_type(dense.forward(p, None, sequences, fnn.EVAL)[0], fnn.Array3)


keep_the_rank(np.ones((2, 4), np.float32), np.ones((2, 5, 4), np.float32))

model = Embed(10, 4) >> fnn.Dense(4, 8) >> fnn.BatchNorm(8) >> fnn.relu >> fnn.Dropout(0.1) >> fnn.Dense(8, 10)
params, state = fnn.init(model, fnn.key(0))
tokens: fnn.Int2 = np.arange(12).reshape(3, 4) % 10
assert_type(fnn.predict(model, params, state, tokens), fnn.Array3)
assert_type(params, tuple[fnn.Array2, fnn.DenseParams, fnn.NormParams, None, None, fnn.DenseParams])

# the loss of a language model: logits of the next token
step = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), fnn.Adam(1e-2))
ts = fnn.start(model, fnn.Adam(1e-2), fnn.key(1))
ts, value = step(ts, tokens[:, :-1], tokens[:, 1:])
assert_type(value, fnn.Scalar)


def logits(w: tuple[fnn.Array2, fnn.DenseParams], tokens: fnn.Int2) -> fnn.Array3:
    return fnn.dense(w[1], fnn.take(w[0], tokens))


def loss(w: tuple[fnn.Array2, fnn.DenseParams], tokens: fnn.Int2) -> fnn.Scalar:
    return fnn.cross_entropy(logits(w, tokens[:, :-1]), tokens[:, 1:])


assert_type(fnn.grad(loss)((params[0], fnn.DenseParams.init(fnn.key(2), 4, 10)), tokens)[1].weight, fnn.Array2)

# blocks over sequences: the norm comes first
block = fnn.residual(fnn.BatchNorm(4) >> fnn.Dense(4, 4) >> fnn.gelu)
deep = Embed(10, 4) >> fnn.stack(2, block) >> fnn.residual(fnn.Dense(4, 4)) >> fnn.Dense(4, 10)
deep_params, deep_state = fnn.init(deep, fnn.key(3))
assert_type(
    deep_params,
    tuple[fnn.Array2, tuple[tuple[fnn.NormParams, fnn.DenseParams, None], ...], fnn.DenseParams, fnn.DenseParams],
)
deep_step = fnn.train_step(fnn.supervised(deep, fnn.cross_entropy), fnn.Adam(1e-2))
deep_ts, value = deep_step(fnn.start(deep, fnn.Adam(1e-2), fnn.key(1)), tokens, tokens)
assert_type(deep_ts.params[1][0][1].weight, fnn.Array2)
