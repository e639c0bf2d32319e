"""Recurrent layers: [batch, time, n_in] to [batch, time, n_hidden]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from fnn.arrays import Array3, Value
from fnn.functional.checks import check_bool, check_int
from fnn.functional.gru import gru, gru_forward, gru_kernel, gru_weights
from fnn.functional.lstm import lstm, lstm_forward, lstm_kernel, lstm_weights
from fnn.functional.numeric import concatenate
from fnn.functional.recurrence import RecurrentParams
from fnn.functional.rnn import check_activation, rnn, rnn_forward, rnn_kernel, rnn_weights
from fnn.layers.layer import Composable
from fnn.layers.pullback import Pull, by_tape
from fnn.layers.spec import Spec
from fnn.mode import EVAL, Mode
from fnn.promises import beside
from fnn.random import Key


def _check(spec: RNN | LSTM | GRU) -> None:
    name = type(spec).__name__
    check_int(name, "n_in", spec.n_in)
    check_int(name, "n_hidden", spec.n_hidden)
    check_bool(name, "reverse", spec.reverse)


def _four(params: RecurrentParams) -> tuple[Value, Value, Value, Value]:
    return params.input_weight, params.hidden_weight, params.input_bias, params.hidden_bias


def _takes(self: Recurrent, params: RecurrentParams, x: Value, /) -> bool:
    """Whether x is surely for the kernels: see layers.pullback."""
    return x.dtype is params.input_weight.dtype and x.ndim == 3 and x.shape[1] > 0 and x.shape[2] == self.n_in


def _vjp(
    kernel: Callable[..., Any], states: int, params: RecurrentParams, x: Value, wanted: bool, **options: Any
) -> tuple[Value, None, Pull]:
    """That of a kernel with so many states, which start from zeros and whose last values nobody sees."""
    (y, *final), pull = kernel(x, *_four(params), *[None] * states, padding=None, **options)
    none = [np.zeros_like(state) for state in final]

    def back(g: Value, into: RecurrentParams) -> Value:
        parts = pull([g, *none], (wanted, True, True, True, True, *[False] * states))
        for leaf, part in zip(_four(into), parts[1:5], strict=True):
            leaf[...] = part
        return parts[0]

    return y, None, back


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

    takes = _takes

    def vjp(self, params: RecurrentParams, state: None, x: Value, mode: Mode, wanted: bool, /) -> tuple[Value, None, Pull]:
        """The kernel of `rnn`."""
        return _vjp(rnn_kernel, 1, params, x, wanted, activation=self.activation, reverse=self.reverse)

    def evaluator(self, params: RecurrentParams, state: None, /) -> Callable[[Value], Value]:
        """The kernel of `rnn`, with its weights in order."""
        weights = rnn_weights(*_four(params))
        options: Any = {"activation": self.activation, "reverse": self.reverse, "padding": None}
        return lambda x: rnn_forward(x, weights, None, **options)[0][0]


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

    takes = _takes

    def vjp(self, params: RecurrentParams, state: None, x: Value, mode: Mode, wanted: bool, /) -> tuple[Value, None, Pull]:
        """The kernel of `lstm`."""
        return _vjp(lstm_kernel, 2, params, x, wanted, reverse=self.reverse)

    def evaluator(self, params: RecurrentParams, state: None, /) -> Callable[[Value], Value]:
        """The kernel of `lstm`, with its weights in order."""
        weights, reverse = lstm_weights(*_four(params)), self.reverse
        return lambda x: lstm_forward(x, weights, None, None, reverse=reverse, padding=None, keep=False)[0][0]


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

    takes = _takes

    def vjp(self, params: RecurrentParams, state: None, x: Value, mode: Mode, wanted: bool, /) -> tuple[Value, None, Pull]:
        """The kernel of `gru`."""
        return _vjp(gru_kernel, 1, params, x, wanted, reverse=self.reverse)

    def evaluator(self, params: RecurrentParams, state: None, /) -> Callable[[Value], Value]:
        """The kernel of `gru`, with its weights in order."""
        weights, reverse = gru_weights(*_four(params)), self.reverse
        return lambda x: gru_forward(x, weights, None, reverse=reverse, padding=None, keep=False)[0][0]


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

    def takes(self, params: tuple[RecurrentParams, RecurrentParams], x: Value, /) -> bool:
        """Whether x is surely for the kernels: see layers.pullback."""
        return _takes(self.ahead, params[0], x) and _takes(self.back, params[1], x)

    def vjp(
        self, params: tuple[RecurrentParams, RecurrentParams], state: None, x: Value, mode: Mode, wanted: bool, /
    ) -> tuple[Value, None, Pull]:
        """Those of the two."""
        rules = self._rules("vjp")
        if None in rules:  # a subclass with a `forward` of its own
            return by_tape(lambda p, x: self.forward(p, state, x, mode), params, state, x, wanted)
        ahead, _, pull_ahead = rules[0](self.ahead, params[0], None, x, mode, wanted)
        back, _, pull_back = rules[1](self.back, params[1], None, x, mode, wanted)
        n = ahead.shape[2]

        def pull(g: Value, into: tuple[RecurrentParams, RecurrentParams]) -> Value:
            dx, other = pull_ahead(g[..., :n], into[0]), pull_back(g[..., n:], into[1])
            return dx + other if wanted else None

        return np.concatenate([ahead, back], axis=2), None, pull

    def evaluator(self, params: tuple[RecurrentParams, RecurrentParams], state: None, /) -> Callable[[Value], Value]:
        """Those of the two."""
        rules = self._rules("evaluator")
        if None in rules:  # a subclass with a `forward` of its own
            return lambda x: self.forward(params, state, x, EVAL)[0]
        ahead, back = rules[0](self.ahead, params[0], None), rules[1](self.back, params[1], None)
        return lambda x: np.concatenate([ahead(x), back(x)], axis=2)

    def _rules(self, name: str) -> list[Any]:
        parts: Any = self.ahead, self.back
        return [beside(part.__class__, "forward", name) for part in parts]


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
