"""Recurrent layers and their kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

import fnn
from fnn.functional import gru, lstm, rnn
from tests.laws.families.case import KernelCase, LayerCase
from tests.laws.operations.case import away_from_zero


def _sequences(rng: Generator) -> Any:
    return away_from_zero(rng, (2, 3, 3))


LAYERS: list[LayerCase] = [
    LayerCase("RNN", lambda n: fnn.RNN(n, 2), draw=_sequences),
    LayerCase("RNN with relu, reverse", lambda n: fnn.RNN(n, 2, activation="relu", reverse=True), draw=_sequences),
    LayerCase("LSTM", lambda n: fnn.LSTM(n, 2), draw=_sequences),
    LayerCase("LSTM, reverse", lambda n: fnn.LSTM(n, 1, reverse=True), draw=_sequences),
    LayerCase("GRU", lambda n: fnn.GRU(n, 2), draw=_sequences),
    LayerCase("GRU, reverse", lambda n: fnn.GRU(n, 1, reverse=True), draw=_sequences),
    LayerCase("bidirectional", lambda n: fnn.bidirectional(fnn.GRU(n, 1)), draw=_sequences),
    LayerCase(
        "stacked LSTM with dropout", lambda n: fnn.LSTM(n, 2) >> fnn.Dropout(0.4) >> fnn.LSTM(2, 1), draws=True, draw=_sequences
    ),
]


def _arguments(gates: int, states: int, time: int = 4) -> Callable[[Generator], tuple[Any, ...]]:
    """x, weights, biases and initial states, in general position."""

    def draw(rng: Generator) -> tuple[Any, ...]:
        shapes = [(3, time, 3), (3, gates * 2), (2, gates * 2), (gates * 2,), (gates * 2,), *[(3, 2)] * states]
        return tuple([rng.normal(size=shape) for shape in shapes])

    return draw


_LENGTHS = np.array([2, 4, 0])
_PADDING = (np.arange(4)[:, np.newaxis] >= _LENGTHS)[..., np.newaxis]


def _cases(name: str, op: Any, gates: int, states: int, **options: Any) -> list[KernelCase]:
    full = {"padding": None, **options}
    whole = _arguments(gates, states)
    return [
        KernelCase(name, op, whole, {"reverse": False, **full}),
        KernelCase(f"{name}, reverse", op, whole, {"reverse": True, **full}),
        KernelCase(f"{name}, lengths", op, whole, {"reverse": False, **options, "padding": _PADDING}),
        KernelCase(f"{name}, lengths, reverse", op, whole, {"reverse": True, **options, "padding": _PADDING}),
        KernelCase(f"{name}, zero initial state", op, _arguments(gates, 0), {"reverse": False, **full}, (None,) * states),
        KernelCase(f"{name}, long", op, _arguments(gates, states, 9), {"reverse": False, **full}),
    ]


KERNELS: list[KernelCase] = [
    *_cases("rnn", rnn._rnn, 1, 1, activation="tanh"),
    *_cases("rnn relu", rnn._rnn, 1, 1, activation="relu")[:4],
    *_cases("lstm", lstm._lstm, 4, 2),
    *_cases("gru", gru._gru, 3, 1),
]
