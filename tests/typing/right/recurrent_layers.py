# pyright: strict
"""Recurrent layers in chains, as functions, and cells of one's own in scan."""

from typing import TypeAlias, assert_type

import numpy as np

import fnn


def last(x: fnn.Array3) -> fnn.Array2:
    return x[:, -1]


Pair: TypeAlias = tuple[fnn.RecurrentParams, fnn.RecurrentParams]

model = (
    fnn.bidirectional(fnn.GRU(3, 4))
    >> fnn.Dropout(0.1)
    >> fnn.LSTM(8, 4)
    >> fnn.RNN(4, 4, activation="relu", reverse=True)
    >> last
    >> fnn.Dense(4, 2)
)
params, state = fnn.init(model, fnn.key(0))
assert_type(params, tuple[Pair, None, fnn.RecurrentParams, fnn.RecurrentParams, None, fnn.DenseParams])
x: fnn.Array3 = np.ones((5, 6, 3), np.float32)
assert_type(fnn.predict(model, params, state, x), fnn.Array2)
step = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), fnn.Adam(1e-2))
ts, value = step(fnn.start(model, fnn.Adam(1e-2), fnn.key(1)), x, np.zeros(5, np.int64))
assert_type(ts.params[0][1].hidden_weight, fnn.Array2)

blocks = fnn.LSTM(3, 4) >> fnn.residual(fnn.LSTM(4, 4) >> fnn.Dropout(0.1)) >> fnn.stack(2, fnn.GRU(4, 4))
assert_type(fnn.forward(blocks, *fnn.init(blocks, fnn.key(0)), x)[0], fnn.Array3)

# functions: all outputs and the last state
p = fnn.RecurrentParams.init(fnn.key(0), 3, 4, gates=4)
outputs, final = fnn.lstm(p, x, fnn.LSTMState.init(5, 4), lengths=np.array([1, 2, 3, 4, 5]))
assert_type(outputs, fnn.Array3)
assert_type(final, fnn.LSTMState)
assert_type(fnn.lstm_cell(p, last(x), final).cell, fnn.Array2)
q = fnn.RecurrentParams.init(fnn.key(0), 3, 4, gates=3)
assert_type(fnn.gru(q, x, final.hidden), tuple[fnn.Array3, fnn.Array2])
assert_type(fnn.gru_cell(q, last(x), final.hidden), fnn.Array2)
r = fnn.RecurrentParams.init(fnn.key(0), 3, 4, gates=1)
assert_type(fnn.rnn(r, x, reverse=True, activation="relu"), tuple[fnn.Array3, fnn.Array2])
assert_type(fnn.rnn_cell(r, last(x), final.hidden), fnn.Array2)


# a cell of one's own over an array: the carry is any tree
def clipped(state: fnn.LSTMState, x: fnn.Array2) -> tuple[fnn.LSTMState, fnn.Array2]:
    new = fnn.lstm_cell(p, x, state)
    kept = fnn.LSTMState(new.hidden, np.clip(new.cell, -3.0, 3.0))
    return kept, kept.hidden


assert_type(fnn.scan(clipped, final, x), tuple[fnn.LSTMState, fnn.Array3])


def without_output(h: fnn.Array2, x: fnn.Array2) -> tuple[fnn.Array2, None]:
    return fnn.gru_cell(q, x, h), None


assert_type(fnn.scan(without_output, final.hidden, x), tuple[fnn.Array2, None])


# over a tree, whose ranks stay open
def masked(h: fnn.Array, given: tuple[fnn.Array, fnn.Array]) -> tuple[fnn.Array, dict[str, fnn.Array]]:
    x, kept = given
    h = np.where(kept, np.tanh(x + h), h)
    return h, {"h": h}


start: fnn.Array = final.hidden
pair: tuple[fnn.Array, fnn.Array] = (outputs, np.ones((5, 6, 1), np.float32))
assert_type(fnn.scan(masked, start, pair, reverse=True), tuple[fnn.Array, dict[str, fnn.Array]])
