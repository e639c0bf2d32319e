"""Scaled dot-product attention, the softmax of query key^T times value, and a mask for padding."""

from __future__ import annotations

import numpy as np

from fnn.arrays import Array, Array4, Bools, Int1, Value, describe
from fnn.autodiff.tracer import value_of
from fnn.functional.attention_in_blocks import KEPT, attend, block_size, masked_attend
from fnn.functional.checks import check_array, check_not_wider, check_number
from fnn.functional.noise import check_drop_rate
from fnn.mode import EVAL, Mode, Train, check_mode


def dot_product_attention(
    query: Array4,
    key: Array4,
    value: Array4,
    /,
    *,
    mask: Array | Bools | None = None,
    causal: bool = False,
    scale: float | None = None,
    softcap: float | None = None,
    drop_rate: float = 0.0,
    mode: Mode = EVAL,
) -> Array4:
    """softmax(scale * query key^T + mask) value, for each example and head; the softmax is over the times of the memory.

    query: [batch, time, heads, head_dim]; key: [batch, memory_time, kv_heads, head_dim]; value: [batch, memory_time,
    kv_heads, value_dim]. The result is [batch, time, heads, value_dim]. kv_heads divides heads, and query head h looks at
    key head h // (heads // kv_heads): 1 is multi-query attention (Shazeer 2019), others grouped-query attention (Ainslie
    et al. 2023).

    mask: broadcastable to [batch, heads, time, memory_time]. Boolean: True where a query may look. Floating: is added to
    the scores, with -inf for "may not look", and has a gradient. A query that may look nowhere gives 0, with gradient 0.
    causal: the last query sees the whole memory, each one before it one time less; so with as many queries as keys, query i
    sees keys 0 to i, and with a longer memory (a cache) the queries are its last times.
    scale: 1 / sqrt(head_dim) by default. softcap: scores become softcap * tanh(scores / softcap), before the mask.
    drop_rate: in training, this fraction of the probabilities is dropped and the others are divided by 1 - drop_rate.

    Scores are computed in blocks of rows, and unless there are few they are computed again in the backward pass: the memory
    grows linearly with the times.
    Source: Vaswani et al. 2017, section 3.2.1; the backward pass is that of Dao et al. 2022, "FlashAttention".

    Raises ValueError where shapes do not fit, TypeError where an array is not floating (the mask: nor boolean), or wider
    than query.

    >>> import fnn
    >>> q = np.zeros((1, 3, 1, 2), np.float32)
    >>> v = np.array([1.0, 2.0, 6.0], np.float32).reshape(1, 3, 1, 1)
    >>> fnn.dot_product_attention(q, q, v).ravel().tolist(), fnn.dot_product_attention(q, q, v, causal=True).ravel().tolist()
    ([3.0, 3.0, 3.0], [1.0, 1.5, 3.0])
    """
    name = "dot_product_attention"
    qv, kv, vv = value_of(query), value_of(key), value_of(value)
    for what, a in (("query", qv), ("key", kv), ("value", vv)):
        check_array(name, what, a)
        if a.ndim != 4:
            raise ValueError(f"{name}: {what} has shape {a.shape}, expected [batch, time, heads, head_dim]")
        check_not_wider(name, what, a, "query", qv)
    _check_shapes(name, qv, kv, vv)
    check_drop_rate(name, drop_rate)
    check_mode(name, mode)
    for what, number in (("scale", scale), ("softcap", softcap)):
        if number is not None:
            check_number(name, what, number)
    if softcap is not None and not softcap > 0:
        raise ValueError(f"{name}: softcap is {softcap}, expected a positive number, or None for no cap")
    masks: tuple[Value, ...] = ()
    if mask is not None:
        _check_mask(name, value_of(mask), qv, (*qv.shape[:1], qv.shape[2], qv.shape[1], kv.shape[1]))
        masks = (mask,)
    y: Array4 = (masked_attend if masks else attend)(
        query,
        key,
        value,
        *masks,
        scale=float(1 / max(qv.shape[3], 1) ** 0.5 if scale is None else scale),  # a NumPy number would widen float32
        causal=bool(causal),
        softcap=None if softcap is None else float(softcap),
        drop=(mode.key, float(drop_rate)) if isinstance(mode, Train) and drop_rate else None,
        block=block_size(kv.shape[1]),
        kept=KEPT,
    )
    return y


def _check_shapes(name: str, q: Value, k: Value, v: Value) -> None:
    if k.shape[0] != q.shape[0] or k.shape[3] != q.shape[3]:
        raise ValueError(
            f"{name}: query has shape {q.shape} but key has {k.shape}: batch and head_dim, the first and last axes, must be "
            "equal"
        )
    if v.shape[:3] != k.shape[:3]:
        raise ValueError(f"{name}: key has shape {k.shape} but value has {v.shape}: all axes but the last must be equal")
    if k.shape[2] < 1 or q.shape[2] % k.shape[2]:
        raise ValueError(
            f"{name}: query has {q.shape[2]} heads and key has {k.shape[2]}: the heads of key must divide those of query; "
            "the layout is [batch, time, heads, head_dim]"
        )


def _check_mask(name: str, mask: Value, query: Value, scores: tuple[int, ...]) -> None:
    if not isinstance(mask, np.ndarray) or mask.dtype.kind not in "bf":
        found = describe(mask) if isinstance(mask, (np.ndarray, np.generic)) else f"a {type(mask).__name__}"
        raise TypeError(
            f"{name}: mask is {found}, expected a boolean array (True where a query may look) or a floating one (added to the "
            "scores); of integers write mask.astype(bool)"
        )
    if mask.dtype.kind == "f":
        check_not_wider(name, "mask", mask, "query", query)
    fits = mask.ndim <= 4 and all([a in (1, b) for a, b in zip(mask.shape[::-1], scores[::-1], strict=False)])
    if not fits:
        raise ValueError(
            f"{name}: mask has shape {mask.shape}, expected one that broadcasts to [batch, heads, time, memory_time] = "
            f"{list(scores)}; for padding write [batch, 1, 1, memory_time], as fnn.padding_mask gives"
        )


def padding_mask(lengths: Int1, time: int, /) -> Bools:
    """The mask [batch, 1, 1, time] for examples of these lengths: True for the first lengths[i] times of example i.

    Raises TypeError where lengths is not an integer array, ValueError where it is not [batch] or not in [0, time].

    >>> import fnn
    >>> fnn.padding_mask(np.array([1, 3]), 3)[:, 0, 0].tolist()
    [[True, False, False], [True, True, True]]
    """
    if not isinstance(lengths, np.ndarray) or lengths.dtype.kind not in "iu":
        found = describe(lengths) if isinstance(lengths, np.ndarray) else f"a {type(lengths).__name__}"
        raise TypeError(f"padding_mask: lengths is {found}, expected an integer array [batch]")
    if lengths.ndim != 1:
        raise ValueError(f"padding_mask: lengths has shape {lengths.shape}, expected [batch]")
    if np.any((lengths < 0) | (lengths > time)):
        raise ValueError(f"padding_mask: lengths are {lengths.tolist()}, expected numbers in [0, {time}], the time")
    seen: Bools = np.arange(time) < lengths[:, np.newaxis, np.newaxis, np.newaxis]
    return seen
