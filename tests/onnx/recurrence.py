"""Recurrent layers: time first in ONNX (batch first with layout=1), gates on the first axis of the weights, other orders."""

from __future__ import annotations

from typing import Any

import numpy as np

import fnn
from tests.onnx.family import Family
from tests.onnx_cases import OnnxCase

# Where fnn's gates stand among ONNX's: an LSTM has input, output, forget, cell there and input, forget, cell, output here;
# a GRU has update, reset, hidden there and reset, update, new here.
_LSTM_GATES = (0, 2, 3, 1)
_GRU_GATES = (1, 0, 2)


def _params(case: OnnxCase, direction: int, order: tuple[int, ...]) -> fnn.RecurrentParams:
    """The parameters of a direction, from [gates * n_hidden, n] and both biases in one."""
    n = case.attributes["hidden_size"]
    rows = np.concatenate([np.arange(gate * n, (gate + 1) * n) for gate in order])
    weight, hidden_weight = (w[direction][rows].T for w in case.inputs[1:3])
    bias = case.input(3)
    both = np.zeros((2, len(rows)), weight.dtype) if bias is None else bias[direction].reshape(2, -1)[:, rows]
    return fnn.RecurrentParams(weight, hidden_weight, *both)


def _run(case: OnnxCase, order: tuple[int, ...], run: Any) -> tuple[Any, ...]:
    """`run(params, x, initial states, **options)` gives (outputs, final states) for each direction."""
    batch_first = bool(case.get("layout", 0))
    x = case.inputs[0] if batch_first else case.inputs[0].swapaxes(0, 1)
    directions = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}[case.get("direction", "forward")]
    starts = [s if s is None or not batch_first else s.swapaxes(0, 1) for s in (case.input(5), case.input(6))]
    made = [
        run(
            _params(case, k, order),
            x,
            *[None if s is None else s[k] for s in starts],
            lengths=case.input(4),
            reverse=reverse,
        )
        for k, reverse in enumerate(directions)
    ]
    outputs = np.stack([y for y, *_ in made])  # [directions, batch, time, n_hidden]
    outputs = np.moveaxis(outputs, 0, 2) if batch_first else outputs.transpose(2, 0, 1, 3)
    finals = [np.stack(states, 1 if batch_first else 0) for states in zip(*[states for _, *states in made], strict=True)]
    return (outputs, *finals)[: len(case.outputs)]


def _rnn(case: OnnxCase) -> tuple[Any, ...]:
    return _run(case, (0,), lambda p, x, h, _, **options: fnn.rnn(p, x, h, **options))


def _gru(case: OnnxCase) -> tuple[Any, ...]:
    """Most cases have the same number in all weights: then the place of the reset gate does not matter."""
    return _run(case, _GRU_GATES, lambda p, x, h, _, **options: fnn.gru(p, x, h, **options))


def _lstm(case: OnnxCase) -> tuple[Any, ...]:
    def run(p: Any, x: Any, h: Any, c: Any, **options: Any) -> tuple[Any, ...]:
        y, final = fnn.lstm(p, x, None if h is None else fnn.LSTMState(h, c), **options)
        return y, final.hidden, final.cell

    if case.input(7) is not None:
        raise NotImplementedError("peepholes")
    return _run(case, _LSTM_GATES, run)


FAMILY = Family(
    adapters={"RNN": _rnn, "LSTM": _lstm, "GRU": _gru},
    not_applicable={
        ("LSTM", "test_lstm_with_peepholes"): "peepholes, which fnn's LSTM does not have",
        ("GRU", "test_gru_seq_length"): "the reset gate before the hidden product (linear_before_reset=0); fnn has it behind",
    },
)
