"""Attention and transformer blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator

import fnn
from fnn.functional.attention_in_blocks import attend, masked_attend
from tests.laws.families.case import KernelCase, LayerCase
from tests.laws.operations.case import away_from_zero, distinct


def _rows(width: int) -> Any:
    return lambda rng: away_from_zero(rng, (3, 2, width))


def _pair(width: int) -> Any:
    return lambda rng: (distinct(rng, (2, 2, width)), distinct(rng, (2, 3, width)))


def _layer(name: str, width: int, make: Any, *, draws: bool = False, pair: bool = False) -> LayerCase:
    # a decoder block hands on the memory as it is
    return LayerCase(name, lambda n: make(), draws=draws, aliases="Decoder" in name, draw=(_pair if pair else _rows)(width))


LAYERS: list[LayerCase] = [
    _layer("Attention", 2, lambda: fnn.Attention(2, 2)),
    _layer("Attention, causal and rotary", 2, lambda: fnn.Attention(2, 1, causal=True, rotary=True)),
    _layer("Attention, one head of keys", 2, lambda: fnn.Attention(2, 2, kv_heads=1)),
    _layer("Attention, dropout", 2, lambda: fnn.Attention(2, 2, drop_rate=0.4), draws=True),
    _layer("CrossAttention", 2, lambda: fnn.CrossAttention(2, 2), pair=True),
    _layer("CrossAttention, dropout", 2, lambda: fnn.CrossAttention(2, 2, kv_heads=1, drop_rate=0.4), draws=True, pair=True),
    _layer("encoder_block", 3, lambda: fnn.encoder_block(3, 1, hidden=2, causal=True)),
    _layer(
        "encoder_block, norm last",
        3,
        lambda: fnn.encoder_block(3, 3, hidden=2, norm_first=False, activation=fnn.tanh, drop_rate=0.3),
        draws=True,
    ),
    _layer("DecoderBlock", 3, lambda: fnn.DecoderBlock(3, 1, hidden=2), pair=True),
    _layer(
        "DecoderBlock, norm last",
        3,
        lambda: fnn.DecoderBlock(3, 3, hidden=2, norm_first=False, activation=fnn.tanh, drop_rate=0.3),
        draws=True,
        pair=True,
    ),
]

_PLAIN: dict[str, Any] = {"scale": 0.7, "causal": False, "softcap": None, "drop": None, "block": 2**18, "kept": 2**20}
_CUT: dict[str, Any] = {"block": 1, "kept": 0}
_DROP: dict[str, Any] = {"drop": (fnn.key(5), 0.4)}
_BLIND = np.array([[True, False, True, True], [False] * 4, [True, True, False, True]])


def _qkv(heads: int, kv_heads: int, memory_time: int = 4, time: int = 3) -> Any:
    def draw(rng: Generator) -> tuple[Any, ...]:
        batch = int(rng.integers(1, 4))
        shapes = ((batch, time, heads, 2), (batch, memory_time, kv_heads, 2), (batch, memory_time, kv_heads, 3))
        return tuple([rng.normal(size=shape) for shape in shapes])

    return draw


def _qkv_and_bias(rng: Generator) -> tuple[Any, ...]:
    q, k, v = _qkv(4, 2)(rng)
    return q, k, v, rng.normal(size=[(len(q), 4, 3, 4), (1, 1, 3, 4), (4, 1, 4), (4,)][rng.integers(4)])


KERNELS: list[KernelCase] = [
    KernelCase("attention", attend, _qkv(2, 2), _PLAIN),
    KernelCase("attention in blocks", attend, _qkv(4, 2, 4, 37), _PLAIN | _CUT | {"causal": True}),
    KernelCase("causal attention", attend, _qkv(4, 2), _PLAIN | {"causal": True}),
    KernelCase("causal attention, short memory", attend, _qkv(2, 2, 2), _PLAIN | {"causal": True}),
    KernelCase("attention with softcap", attend, _qkv(2, 1), _PLAIN | {"softcap": 0.8}),
    KernelCase("attention with dropout", attend, _qkv(2, 1), _PLAIN | _DROP),
    KernelCase("attention with dropout, in blocks", attend, _qkv(4, 2, 3, 37), _PLAIN | _DROP | _CUT),
    KernelCase("attention with a bias", masked_attend, _qkv_and_bias, _PLAIN),
    KernelCase(
        "attention with all of it", masked_attend, _qkv_and_bias, _PLAIN | _DROP | _CUT | {"causal": True, "softcap": 2.0}
    ),
    KernelCase("attention with a boolean mask", masked_attend, _qkv(2, 2), _PLAIN, constants=(_BLIND,)),
]
