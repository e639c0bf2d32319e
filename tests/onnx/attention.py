"""Attention: [batch, heads, time, head_dim] in ONNX (or [batch, time, heads * head_dim]), heads after the time in fnn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

import fnn
from tests.onnx.family import Family
from tests.onnx_cases import OnnxCase


def _heads_after_time(x: Any, heads: int | None) -> Any:
    """[batch, heads, time, head_dim], or [batch, time, heads * head_dim], as [batch, time, heads, head_dim]."""
    return x.swapaxes(1, 2) if x.ndim == 4 else x.reshape(*x.shape[:2], heads, -1)


def _places(case: OnnxCase, time: int) -> Any:
    """The places of the queries among the keys: [time], or [batch, 1, time] where examples have lengths of their own."""
    past, lengths = case.input(4), case.input(6)
    if past is not None:
        return np.arange(time) + past.shape[2]
    if lengths is not None:
        return np.arange(time) + (lengths - time)[:, np.newaxis, np.newaxis]
    return np.arange(time)


def _allowed(case: OnnxCase, time: int, memory_time: int) -> tuple[Any, bool]:
    """Which keys each query may look at (None: all of them), and whether fnn's `causal` has yet to be applied."""
    seen = []
    places = _places(case, time)
    ahead = np.arange(memory_time) - places[..., np.newaxis]
    causal = bool(case.get("is_causal", 0))
    # fnn's last query sees the whole memory; ONNX's first one sees the past and itself
    if causal and not (places.ndim == 1 and places[-1] == memory_time - 1):
        seen.append(ahead <= 0)
        causal = False
    left, right = case.get("left_window_size", -1), case.get("right_window_size", -1)
    if left >= 0:
        seen.append(ahead >= -left)
    if right >= 0:
        seen.append(ahead <= right)
    if case.input(6) is not None:
        seen.append(fnn.padding_mask(case.input(6), memory_time))
    mask = case.input(3)
    if mask is not None and mask.dtype == bool:
        seen.append(_widened(mask, memory_time, False))
    together: Any = None
    for part in seen:
        together = part if together is None else together & part
    return together, causal


def _widened(mask: Any, memory_time: int, fill: Any) -> Any:
    """A mask may leave out the last keys, which nobody sees then."""
    return np.pad(mask, [(0, 0)] * (mask.ndim - 1) + [(0, memory_time - mask.shape[-1])], constant_values=fill)


def _attention(case: OnnxCase) -> tuple[Any, ...]:
    """In float32 where a case has bfloat16, which NumPy has not."""
    dtype = case.inputs[0].dtype
    if dtype.kind == "f":
        return _attend(case)
    inputs = tuple([x.astype(np.float32) if x is not None and x.dtype == dtype else x for x in case.inputs])
    return tuple([y if y is None else y.astype(dtype) for y in _attend(replace(case, inputs=inputs))])


def _attend(case: OnnxCase) -> tuple[Any, ...]:
    heads, kv_heads = case.get("q_num_heads", None), case.get("kv_num_heads", None)
    q = _heads_after_time(case.inputs[0], heads)
    k, v = (_heads_after_time(x, kv_heads) for x in case.inputs[1:3])
    if case.input(4) is not None:
        k, v = (np.concatenate([past.swapaxes(1, 2), x], 1) for past, x in zip(case.inputs[4:6], (k, v), strict=True))
    mask, causal = _allowed(case, q.shape[1], k.shape[1])
    added = case.input(3)
    if added is not None and added.dtype != bool:
        added = _widened(added, k.shape[1], -np.inf)
        mask = added if mask is None else np.where(mask, added, np.asarray(-np.inf, added.dtype))
    y = fnn.dot_product_attention(
        q, k, v, mask=mask, causal=causal, scale=case.get("scale", None), softcap=case.get("softcap", 0.0) or None
    )
    out: Any = y.swapaxes(1, 2) if case.inputs[0].ndim == 4 else y.reshape(*y.shape[:2], -1)
    return (out, k.swapaxes(1, 2), v.swapaxes(1, 2), None)[: len(case.outputs)]


def _rotary(case: OnnxCase) -> tuple[Any, ...]:
    """The tables of the cases hold random numbers c and s, no cosines and sines: y = c x + s q, with each pair of features
    (a, b) of x as (-b, a) in q. fnn's turn by 1, which is cos(1) x + sin(1) q, says which features are pairs."""
    x, cos, sin, places = *case.inputs[:3], case.input(3)
    if places is not None:
        cos, sin = cos[places], sin[places]
    turned = _heads_after_time(x, case.get("num_heads", None))
    n, interleaved = 2 * cos.shape[-1], bool(case.get("interleaved", 0))
    one = np.ones(turned.shape[1], int)
    by_one = fnn.rotary(turned, one, base=1.0, interleaved=interleaved, rotary_dim=case.get("rotary_embedding_dim", 0) or None)
    quarter = (by_one - turned * np.float32(np.cos(1))) / np.float32(np.sin(1))
    c, s = (
        np.repeat(table, 2, -1) if interleaved else np.concatenate([table, table], -1)
        for table in (cos[:, :, np.newaxis], sin[:, :, np.newaxis])
    )
    y = np.concatenate([c * turned[..., :n] + s * quarter[..., :n], by_one[..., n:]], -1)
    return (y.swapaxes(1, 2) if x.ndim == 4 else y.reshape(x.shape),)


FAMILY = Family(
    adapters={"Attention": _attention, "RotaryEmbedding": _rotary},
    not_returned={("Attention", 3): "the scores or probabilities, which are never in memory all at once"},
)
