"""Recurrent layers and cells with arrays, states and parameters that do not fit."""

import numpy as np

import fnn

rows: fnn.Array2 = np.ones((4, 3), np.float32)
x: fnn.Array3 = np.ones((4, 5, 3), np.float32)
ids: fnn.Int2 = np.zeros((4, 5), np.int64)
h: fnn.Array2 = np.ones((4, 2), np.float32)
p = fnn.RecurrentParams.init(fnn.key(0), 3, 2, gates=4)

fnn.lstm(p, rows)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.lstm(x, p)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.lstm(p, x, h)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.lstm(p, ids)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.gru(p, x, fnn.LSTMState(h, h))  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.gru(p, x, lengths=h)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.rnn(p, x, activation="sigmoid")  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.lstm_cell(p, rows, None)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.lstm_cell(p, x, fnn.LSTMState(h, h))  # mypy: [arg-type]  pyright: [reportArgumentType]
print(fnn.lstm(p, x)[1].hidden_state)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
print(fnn.rnn(p, x)[1].hidden)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
fnn.RNN(3, 2, activation="sigmoid")  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.LSTM(3, 2, activation="relu")  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.GRU(3)  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.GRU(3, 2).n_hidden = 3  # mypy: [misc]  pyright: [reportAttributeAccessIssue]
fnn.bidirectional(fnn.Dense(3, 2))  # mypy: [arg-type]  pyright: [reportArgumentType]
params, state = fnn.init(fnn.bidirectional(fnn.LSTM(3, 2)), fnn.key(0))
print(params.hidden_weight)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
fnn.forward(fnn.LSTM(3, 2), params, state, x)  # mypy: [misc]  pyright: [reportArgumentType]
fnn.forward(fnn.LSTM(3, 2), p, state, rows)  # mypy: [misc]  pyright: [reportArgumentType]
fnn.RecurrentParams.init(fnn.key(0), 3, 2)  # mypy: [call-arg]  pyright: [reportCallIssue]


def step(h: fnn.Array2, x: fnn.Array2) -> tuple[fnn.Array2, fnn.Array2]:
    return h, x


fnn.scan(step, x, x)  # mypy: [arg-type]  pyright: [reportArgumentType, reportCallIssue]
fnn.scan(fnn.tanh, h, x)  # mypy: [arg-type]  pyright: [reportArgumentType, reportCallIssue]
