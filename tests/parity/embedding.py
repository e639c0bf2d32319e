"""Embeddings with repeated tokens, the tied head and learned positions against PyTorch; rotary against complex numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

import fnn
from tests.parity.case import Arrays, ParityCase


def _tokens(vocab: int, *shape: int) -> Callable[[Generator], dict[str, Any]]:
    return lambda rng: {"table": rng.normal(size=(vocab, 3)), "tokens": rng.integers(0, vocab, shape)}


def _embedding(vocab: int, *shape: int, golden: bool = False) -> ParityCase:
    return ParityCase(
        f"embedding of {list(shape)} tokens of {vocab}",
        _tokens(vocab, *shape),
        lambda a: fnn.embedding(fnn.EmbeddingParams(a["table"]), a["tokens"]),
        lambda torch, t: torch.nn.functional.embedding(t["tokens"], t["table"]),
        golden,
    )


def _tied(a: Arrays) -> Any:
    params = fnn.EmbeddingParams(a["table"])
    x = fnn.add_positions(fnn.PositionParams(a["positions"]), fnn.embedding(params, a["tokens"]), offset=2)
    return fnn.attend(params, fnn.tanh(x))


def _torch_tied(torch: Any, t: Arrays) -> Any:
    x = torch.nn.functional.embedding(t["tokens"], t["table"]) + t["positions"][2:6]
    return torch.nn.functional.linear(torch.tanh(x), t["table"])


def _rotary(name: str, *, interleaved: bool, positions: Any = None, base: float = 10000.0) -> ParityCase:
    def theirs(torch: Any, t: Arrays) -> Any:
        # a pair as a complex number, times exp(i angle)
        x = t["x"]
        half = x.shape[-1] // 2
        at = torch.arange(x.shape[1]) if positions is None else torch.tensor(positions)
        angles = at[..., None, None] * base ** (-torch.arange(half, dtype=torch.float64) / half)
        turn = torch.polar(torch.ones_like(angles), angles).to(
            torch.complex64 if x.dtype == torch.float32 else torch.complex128
        )
        pairs = x.unflatten(-1, (half, 2)) if interleaved else x.unflatten(-1, (2, half)).transpose(-1, -2)
        turned = torch.view_as_real(torch.view_as_complex(pairs.contiguous()) * turn)
        return (turned if interleaved else turned.transpose(-1, -2)).flatten(-2)

    return ParityCase(
        f"rotary, {name}",
        lambda rng: {"x": rng.normal(size=(2, 4, 3, 6))},
        lambda a: fnn.rotary(a["x"], positions, base=base, interleaved=interleaved),
        theirs,
        golden=True,
    )


CASES: list[ParityCase] = [
    _embedding(5, 12),
    _embedding(5, 3, 8, golden=True),
    _embedding(1, 2, 2),
    _embedding(40, 2, 3, 4),
    _embedding(7),
    ParityCase(
        "tied head with positions",
        lambda rng: {**_tokens(5, 3, 4)(rng), "positions": rng.normal(size=(7, 3))},
        _tied,
        _torch_tied,
        golden=True,
    ),
    _rotary("halves", interleaved=False),
    _rotary("interleaved", interleaved=True),
    _rotary("far positions", interleaved=False, positions=np.array([900, 3, 70000, 3])),
    _rotary("positions of each example", interleaved=True, positions=np.array([[0, 1, 2, 3], [5, 6, 7, 8]]), base=500.0),
]
