"""Recurrent layers: [batch, time, n_in] to [batch, time, n_hidden]."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import Literal, TypeAlias

from fnn.arrays import Array3
from fnn.functional.checks import check_int
from fnn.functional.gru import gru
from fnn.functional.lstm import lstm
from fnn.functional.numeric import concatenate
from fnn.functional.recurrence import RecurrentParams
from fnn.functional.rnn import check_activation, rnn
from fnn.layers.layer import Composable
from fnn.layers.spec import Spec
from fnn.mode import Mode
from fnn.random import Key


def _check(spec: RNN | LSTM | GRU) -> None:
    name = type(spec).__name__
    check_int(name, "n_in", spec.n_in)
    check_int(name, "n_hidden", spec.n_hidden)
    if not isinstance(spec.reverse, bool):
        raise TypeError(f"{name}: reverse is {spec.reverse!r}, a {type(spec.reverse).__name__}, expected a bool")


@dataclass(frozen=True, repr=False)
class RNN(Spec, Composable):
    """A plain recurrent layer: see `rnn`. Parameters RecurrentParams, no state; every sequence starts from zeros.

    >>> import fnn
    >>> fnn.init(fnn.RNN(2, 5), fnn.key(0))[0]
    RecurrentParams(input_weight=f32[2,5], hidden_weight=f32[5,5], input_bias=f32[5], hidden_bias=f32[5])
    """

    n_in: int
    n_hidden: int
    _: KW_ONLY
    activation: Literal["tanh", "relu"] = "tanh"
    reverse: bool = False

    def __post_init__(self) -> None:
        _check(self)
        check_activation("RNN", self.activation)

    def init(self, key: Key, /) -> tuple[RecurrentParams, None]:
        """New parameters, and no state."""
        return RecurrentParams.init(key, self.n_in, self.n_hidden, gates=1), None

    def forward(self, params: RecurrentParams, state: None, x: Array3, mode: Mode, /) -> tuple[Array3, None]:
        """The outputs of rnn(params, x)."""
        return rnn(params, x, reverse=self.reverse, activation=self.activation)[0], None


@dataclass(frozen=True, repr=False)
class LSTM(Spec, Composable):
    """A long short-term memory: see `lstm`. Parameters RecurrentParams, no state; every sequence starts from zeros.

    Layers are stacked by `>>`, with dropout between them; for one answer per sequence a function takes the last step:

    >>> import fnn, numpy as np
    >>> def last(x: fnn.Array3) -> fnn.Array2:
    ...     return x[:, -1]
    >>> model = fnn.LSTM(8, 16) >> fnn.Dropout(0.2) >> fnn.LSTM(16, 16) >> last >> fnn.Dense(16, 3)
    >>> params, state = fnn.init(model, fnn.key(0))
    >>> fnn.predict(model, params, state, np.ones((4, 10, 8), np.float32)).shape
    (4, 3)
    """

    n_in: int
    n_hidden: int
    _: KW_ONLY
    reverse: bool = False

    def __post_init__(self) -> None:
        _check(self)

    def init(self, key: Key, /) -> tuple[RecurrentParams, None]:
        """New parameters, and no state."""
        return RecurrentParams.init(key, self.n_in, self.n_hidden, gates=4), None

    def forward(self, params: RecurrentParams, state: None, x: Array3, mode: Mode, /) -> tuple[Array3, None]:
        """The outputs of lstm(params, x)."""
        return lstm(params, x, reverse=self.reverse)[0], None


@dataclass(frozen=True, repr=False)
class GRU(Spec, Composable):
    """A gated recurrent unit: see `gru`. Parameters RecurrentParams, no state; every sequence starts from zeros.

    >>> import fnn
    >>> fnn.init(fnn.GRU(2, 5), fnn.key(0))[0]
    RecurrentParams(input_weight=f32[2,15], hidden_weight=f32[5,15], input_bias=f32[15], hidden_bias=f32[15])
    """

    n_in: int
    n_hidden: int
    _: KW_ONLY
    reverse: bool = False

    def __post_init__(self) -> None:
        _check(self)

    def init(self, key: Key, /) -> tuple[RecurrentParams, None]:
        """New parameters, and no state."""
        return RecurrentParams.init(key, self.n_in, self.n_hidden, gates=3), None

    def forward(self, params: RecurrentParams, state: None, x: Array3, mode: Mode, /) -> tuple[Array3, None]:
        """The outputs of gru(params, x)."""
        return gru(params, x, reverse=self.reverse)[0], None


Recurrent: TypeAlias = RNN | LSTM | GRU


@dataclass(frozen=True, repr=False)
class Bidirectional(Spec, Composable):
    """A recurrent layer in both directions, [batch, time, n_in] to [batch, time, 2 * n_hidden]. Made by `bidirectional`."""

    ahead: Recurrent
    back: Recurrent

    def __repr__(self) -> str:
        return f"bidirectional({self.ahead!r})"

    def init(self, key: Key, /) -> tuple[tuple[RecurrentParams, RecurrentParams], None]:
        """New parameters of the two directions, and no state."""
        k1, k2 = key.split()
        return (self.ahead.init(k1)[0], self.back.init(k2)[0]), None

    def forward(
        self, params: tuple[RecurrentParams, RecurrentParams], state: None, x: Array3, mode: Mode, /
    ) -> tuple[Array3, None]:
        """The outputs of both directions, side by side."""
        if not isinstance(params, tuple) or len(params) != 2:
            raise ValueError(f"bidirectional: params is {params!r}, expected the RecurrentParams of the two directions, a pair")
        ahead = self.ahead.forward(params[0], None, x, mode)[0]
        back = self.back.forward(params[1], None, x, mode)[0]
        return concatenate([ahead, back], axis=2), None


def bidirectional(layer: Recurrent, /) -> Bidirectional:
    """A layer that runs forwards, and one like it, with parameters of its own, that runs backwards in time.

    The outputs stand side by side: at each step the first half has seen the past and the second the future (Schuster and
    Paliwal 1997). Parameters are a pair, forwards and backwards.

    >>> import fnn
    >>> params = fnn.init(fnn.bidirectional(fnn.GRU(2, 5)) >> fnn.LSTM(10, 3), fnn.key(0))[0]
    >>> params[0][1]
    RecurrentParams(input_weight=f32[2,15], hidden_weight=f32[5,15], input_bias=f32[15], hidden_bias=f32[15])
    """
    if not isinstance(layer, (RNN, LSTM, GRU)):
        raise TypeError(f"bidirectional: got {layer!r}, expected an RNN, LSTM or GRU")
    if layer.reverse:
        raise ValueError(f"bidirectional: {layer!r} runs backwards already; give the layer that runs forwards")
    return Bidirectional(layer, replace(layer, reverse=True))
