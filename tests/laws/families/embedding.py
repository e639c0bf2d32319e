"""Embeddings, the head that shares their table, and positions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator

import fnn
from fnn.functional import embedding, positions
from tests.laws.families.case import KernelCase, LayerCase


def _tokens(rng: Generator) -> Any:
    """[batch, time] of 4 tokens, many of them repeated."""
    return rng.integers(0, 4, (3, 5))


def _sequences(rng: Generator) -> Any:
    return rng.normal(size=(3, rng.integers(1, 5), 3))


def _tied_init(key: fnn.Key) -> fnn.EmbeddingParams:
    return fnn.EmbeddingParams.init(key, 4, 3)


def _tied(params: fnn.EmbeddingParams, tokens: fnn.Int2) -> fnn.Array3:
    return fnn.attend(params, fnn.tanh(fnn.embedding(params, tokens)))


def _rotated_init(key: fnn.Key) -> fnn.Array4:
    return fnn.initializers.normal(1.0)(key, (1, 1, 2, 6))


def _rotated(weight: fnn.Array4, x: fnn.Array3) -> fnn.Array4:
    return fnn.rotary(weight * x[..., np.newaxis, :1], interleaved=True, rotary_dim=4)


LAYERS: list[LayerCase] = [
    LayerCase("Embedding", lambda n: fnn.Embedding(n + 1, 3), draw=_tokens),
    LayerCase(
        "Embedding, other options",
        lambda n: fnn.Embedding(n + 1, 2, weight_init=fnn.initializers.normal(0.02)),
        draw=_tokens,
    ),
    LayerCase("LearnedPositions", lambda n: fnn.LearnedPositions(4, n), draw=_sequences),
    LayerCase("SinusoidalPositions", lambda n: fnn.SinusoidalPositions(n), draw=_sequences),
    LayerCase("attend", lambda n: fnn.layer(_tied_init, _tied), draw=_tokens),
    LayerCase("rotary", lambda n: fnn.layer(_rotated_init, _rotated), draw=_sequences),
    LayerCase(
        "embedding with positions",
        lambda n: fnn.Embedding(n + 1, 3) >> fnn.LearnedPositions(5, 3) >> fnn.Dense(3, 2),
        draw=_tokens,
    ),
]


def _table(rng: Generator) -> tuple[Any]:
    return (rng.normal(size=(5, 3)),)


def _heads(rng: Generator) -> tuple[Any]:
    return (rng.normal(size=(*rng.integers(1, 4, 1), 4, *rng.integers(1, 4, 1), 6)),)


def _rotary(name: str, half: int, interleaved: bool) -> KernelCase:
    at = np.array([3, -1, 0, 8])
    tables = positions._tables(at, 6, half, 10.0, interleaved, np.dtype(np.float64))
    return KernelCase(f"rotary, {name}", positions._rotary, _heads, {"half": half, "interleaved": interleaved}, tables)


KERNELS: list[KernelCase] = [
    KernelCase("embedding", embedding._embedding, _table, constants=(np.array([[4, 0, 4], [1, 4, 0]]),)),
    KernelCase("embedding of one token", embedding._embedding, _table, constants=(np.array(3, np.uint8),)),
    _rotary("halves", 3, False),
    _rotary("halves of a part", 2, False),
    _rotary("interleaved", 3, True),
    _rotary("interleaved part", 1, True),
]
