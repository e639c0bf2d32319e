"""Recurrent layers against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator

import fnn
from tests.parity.case import Arrays, ParityCase

_GATES = {"rnn": 1, "lstm": 4, "gru": 3}
_BATCH, _TIME, _N_IN, _N_HIDDEN = 3, 5, 2, 4


def _draw(kind: str, *, directions: int = 1, layers: int = 1, initial: bool = False, lengths: bool = False) -> Any:
    width = _GATES[kind] * _N_HIDDEN

    def draw(rng: Generator) -> dict[str, Any]:
        made: dict[str, Any] = {"x": rng.normal(size=(_BATCH, _TIME, _N_IN))}
        for k in range(layers * directions):
            n_in = _N_IN if k < directions else directions * _N_HIDDEN
            shapes = {"w": (n_in, width), "u": (_N_HIDDEN, width), "b": (width,), "c": (width,)}
            made |= {f"{name}{k}": 0.7 * rng.normal(size=shape) for name, shape in shapes.items()}
        if initial:
            made |= {name: rng.normal(size=(_BATCH, _N_HIDDEN)) for name in ("h", "s")[: 2 if kind == "lstm" else 1]}
        if lengths:
            made["lengths"] = np.array([3, 5, 1])
        return made

    return draw


def _params(a: Arrays, k: int = 0) -> fnn.RecurrentParams:
    return fnn.RecurrentParams(a[f"w{k}"], a[f"u{k}"], a[f"b{k}"], a[f"c{k}"])


def _ours(kind: str, options: dict[str, Any], *, reverse: bool = False) -> Any:
    def run(a: Arrays) -> Any:
        lengths = a.get("lengths")
        if kind == "lstm":
            state = fnn.LSTMState(a["h"], a["s"]) if "h" in a else None
            y, final = fnn.lstm(_params(a), a["x"], state, lengths=lengths, reverse=reverse)
            return y, final.hidden, final.cell
        if kind == "gru":
            return fnn.gru(_params(a), a["x"], a.get("h"), lengths=lengths, reverse=reverse)
        return fnn.rnn(_params(a), a["x"], a.get("h"), lengths=lengths, reverse=reverse, **options)

    return run


def _run_torch(
    torch: Any, kind: str, t: Arrays, x: Any, n: int, initial: Any, options: dict[str, Any], bidirectional: bool
) -> Any:
    """PyTorch's module with these tensors for parameters: functional_call lets the gradients through."""
    layers = n // 2 if bidirectional else n
    module = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[kind](
        _N_IN, _N_HIDDEN, layers, batch_first=True, bidirectional=bidirectional, dtype=t["x"].dtype, **options
    )
    suffixes = [f"_l{k // 2}{'_reverse' * (k % 2)}" if bidirectional else f"_l{k}" for k in range(n)]
    weights: dict[str, Any] = {}
    for k, suffix in enumerate(suffixes):
        weights |= {f"weight_ih{suffix}": t[f"w{k}"].T, f"weight_hh{suffix}": t[f"u{k}"].T}
        weights |= {f"bias_ih{suffix}": t[f"b{k}"], f"bias_hh{suffix}": t[f"c{k}"]}
    return torch.func.functional_call(module, weights, (x,) if initial is None else (x, initial))


def _theirs(kind: str, options: dict[str, Any]) -> Any:
    def run(torch: Any, t: Arrays) -> Any:
        x = t["x"]
        if "lengths" in t:
            x = torch.nn.utils.rnn.pack_padded_sequence(x, t["lengths"], batch_first=True, enforce_sorted=False)
        initial = t["h"][None] if "h" in t else None
        if "s" in t:
            initial = (initial, t["s"][None])
        y, final = _run_torch(torch, kind, t, x, 1, initial, options, bidirectional=False)
        if "lengths" in t:
            y = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=_TIME)[0]
        return (y, *[s[0] for s in (final if kind == "lstm" else (final,))])

    return run


def _reversed_in_torch(kind: str) -> Any:
    def run(torch: Any, t: Arrays) -> Any:
        y, *final = _theirs(kind, {})(torch, {**t, "x": t["x"].flip(1)})
        return (y.flip(1), *final)

    return run


_LAYERS: dict[str, Any] = {"rnn": fnn.RNN, "lstm": fnn.LSTM, "gru": fnn.GRU}


def _stacked(kind: str) -> ParityCase:
    make = _LAYERS[kind]
    model = make(_N_IN, _N_HIDDEN) >> fnn.Dropout(0.5) >> make(_N_HIDDEN, _N_HIDDEN)
    return ParityCase(
        f"{kind}, two layers",
        _draw(kind, layers=2),
        lambda a: fnn.forward(model, (_params(a, 0), None, _params(a, 1)), (None,) * 3, a["x"])[0],
        lambda torch, t: _run_torch(torch, kind, t, t["x"], 2, None, {}, bidirectional=False)[0],
    )


def _both_ways(kind: str, *, golden: bool = False) -> ParityCase:
    make = _LAYERS[kind]
    model = fnn.bidirectional(make(_N_IN, _N_HIDDEN)) >> fnn.bidirectional(make(2 * _N_HIDDEN, _N_HIDDEN))

    def ours(a: Arrays) -> Any:
        params = (_params(a, 0), _params(a, 1)), (_params(a, 2), _params(a, 3))
        return fnn.forward(model, params, (None, None), a["x"])[0]

    return ParityCase(
        f"{kind}, two bidirectional layers",
        _draw(kind, directions=2, layers=2),
        ours,
        lambda torch, t: _run_torch(torch, kind, t, t["x"], 4, None, {}, bidirectional=True)[0],
        golden,
    )


CASES: list[ParityCase] = [
    *[ParityCase(kind, _draw(kind), _ours(kind, {}), _theirs(kind, {}), golden=True) for kind in _GATES],
    *[ParityCase(f"{kind}, initial state", _draw(kind, initial=True), _ours(kind, {}), _theirs(kind, {})) for kind in _GATES],
    *[
        ParityCase(
            f"{kind}, lengths", _draw(kind, initial=True, lengths=True), _ours(kind, {}), _theirs(kind, {}), kind == "lstm"
        )
        for kind in _GATES
    ],
    *[
        ParityCase(f"{kind}, reverse", _draw(kind, initial=True), _ours(kind, {}, reverse=True), _reversed_in_torch(kind))
        for kind in _GATES
    ],
    ParityCase(
        "rnn with relu",
        _draw("rnn", initial=True),
        _ours("rnn", {"activation": "relu"}),
        _theirs("rnn", {"nonlinearity": "relu"}),
    ),
    *[_stacked(kind) for kind in _GATES],
    *[_both_ways(kind) for kind in _GATES],
]
