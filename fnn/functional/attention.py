"""Multi-head attention as a function: of a sequence to itself, to a memory, or to a cache of its own past."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fnn.arrays import Array, Array3, Array4, Bools, Int1, Int2, Value, read_only
from fnn.autodiff.tracer import value_of
from fnn.functional.attention_in_blocks import KEPT, attend, block_size
from fnn.functional.checks import check_array, check_int, check_not_wider
from fnn.functional.dot_product_attention import dot_product_attention
from fnn.functional.linear import DenseParams, affine, affine_pull, dense
from fnn.functional.positions import rotary as rotate
from fnn.functional.positions import rotary_vjp
from fnn.initializers import Initializer, lecun_normal, zeros
from fnn.mode import EVAL, Mode, Train
from fnn.random import Key, check_key
from fnn.tree import Record, show

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


def check_heads(name: str, heads: int, kv_heads: int | None) -> int:
    """The number of heads of keys and values; TypeError unless both are ints, ValueError unless it divides heads."""
    for what, n in (("heads", heads), ("kv_heads", heads if kv_heads is None else kv_heads)):
        check_int(name, what, n)
    if kv_heads is not None and heads % kv_heads:
        raise ValueError(f"{name}: kv_heads is {kv_heads} but heads is {heads}: kv_heads must divide heads")
    return int(heads if kv_heads is None else kv_heads)


def check_dim(name: str, dim: int, heads: int) -> int:
    """The size of a head; ValueError unless heads divides dim."""
    if dim % heads:
        raise ValueError(f"{name}: dim is {dim} but heads is {heads}: heads must divide dim")
    return dim // heads


@dataclass(frozen=True, eq=False, repr=False)
class AttentionParams(Record):
    """Parameters of multi-head attention: `qkv` [dim, (heads + 2 kv_heads) head_dim], `out` [heads head_dim, dim].

    The columns of qkv are those of all queries, then of all keys, then of all values, each head by head.

    >>> import fnn
    >>> fnn.AttentionParams.init(fnn.key(0), 8, heads=2)
    AttentionParams(qkv=DenseParams(weight=f32[8,24], bias=f32[24]), out=DenseParams(weight=f32[8,8], bias=f32[8]))
    """

    qkv: DenseParams
    out: DenseParams

    @classmethod
    def init(
        cls,
        key: Key,
        dim: int,
        /,
        *,
        heads: int,
        kv_heads: int | None = None,
        head_dim: int | None = None,
        weight_init: Initializer = lecun_normal,
        bias_init: Initializer = zeros,
    ) -> AttentionParams:
        """New parameters: lecun_normal weights, so that queries, keys and values have the variance of x, and zero biases.

        head_dim is dim / heads unless told otherwise.
        """
        check_key("AttentionParams.init", key)
        kv_heads = check_heads("AttentionParams.init", heads, kv_heads)
        size = check_dim("AttentionParams.init", dim, heads) if head_dim is None else head_dim
        k1, k2 = key.split()
        return AttentionParams(
            DenseParams.init(k1, dim, (heads + 2 * kv_heads) * size, weight_init=weight_init, bias_init=bias_init),
            DenseParams.init(k2, heads * size, dim, weight_init=weight_init, bias_init=bias_init),
        )


@dataclass(frozen=True, eq=False, repr=False)
class KVCache(Record):
    """Keys and values of the past, both [batch, time, kv_heads, head_dim], rotated already where that is done.

    >>> import fnn
    >>> fnn.KVCache.empty(2, 4, 8)
    KVCache(key=f32[2,0,4,8], value=f32[2,0,4,8])
    """

    key: Array4
    value: Array4

    @classmethod
    def empty(cls, batch: int, kv_heads: int, head_dim: int, /, *, dtype: DTypeLike = np.float32) -> KVCache:
        """No past: time 0."""
        nothing = read_only(np.zeros((batch, 0, kv_heads, head_dim), dtype))
        return KVCache(nothing, nothing)


def _split_sizes(name: str, params: AttentionParams, heads: int, kv_heads: int | None) -> tuple[int, int, int]:
    """(heads of keys, columns of queries, columns of keys), which fit the parameters."""
    if not isinstance(params, AttentionParams):
        raise TypeError(f"{name}: params is {show(params)}, expected AttentionParams; are arguments swapped?")
    kv_heads = check_heads(name, heads, kv_heads)
    width, rows = value_of(params.qkv.weight).shape[1], value_of(params.out.weight).shape[0]
    if rows % heads or width * heads != rows * (heads + 2 * kv_heads):
        raise ValueError(
            f"{name}: heads is {heads} and kv_heads {kv_heads}, but qkv has {width} columns and out {rows} rows: expected "
            "(heads + 2 kv_heads) head_dim columns and heads head_dim rows"
        )
    return kv_heads, rows, rows // heads * kv_heads


def _check_sequence(name: str, what: str, x: Value, weight: Value) -> None:
    check_array(name, what, x)
    check_not_wider(name, what, x, "qkv.weight", weight)
    if x.ndim != 3 or x.shape[2] != weight.shape[0]:
        raise ValueError(
            f"{name}: {what} has shape {x.shape} but qkv is {weight.shape}: expected [batch, time, {weight.shape[0]}]"
        )


def _heads(x: Value, n: int) -> Array4:
    """[batch, time, n head_dim] as [batch, time, n, head_dim]."""
    y: Array4 = x.reshape((*x.shape[:2], n, x.shape[2] // n))
    return y


def _joined(params: AttentionParams, y: Value) -> Array3:
    """The heads' results side by side, through the last layer."""
    rows: Array3 = y.reshape((*y.shape[:2], y.shape[2] * y.shape[3]))
    return dense(params.out, rows)


def attention(
    params: AttentionParams,
    x: Array3,
    memory: Array3 | None = None,
    /,
    *,
    heads: int,
    kv_heads: int | None = None,
    causal: bool = False,
    mask: Array | Bools | None = None,
    rotary: bool = False,
    rotary_base: float = 10000.0,
    positions: Int1 | Int2 | None = None,
    drop_rate: float = 0.0,
    mode: Mode = EVAL,
) -> Array3:
    """Multi-head attention of x to itself, or to a memory: out(concatenate of dot_product_attention for each head).

    x: [batch, time, dim]; memory: [batch, memory_time, dim]. Queries are made of x by the first columns of qkv, keys and
    values of memory (of x, where there is none) by the others. The result is [batch, time, dim].

    mask, causal and drop_rate are those of `dot_product_attention`; kv_heads is heads unless told otherwise.
    rotary: queries and keys are turned by `fnn.rotary` with base rotary_base, at positions 0, 1, ... or those that
    are given, [time] or [batch, time].

    Raises ValueError where shapes or numbers of heads do not fit, or rotary meets a memory, whose positions are no times of
    x; TypeError where x is not floating, or wider than the parameters. Source: Vaswani et al. 2017, section 3.2.2.

    >>> import fnn
    >>> params = fnn.AttentionParams.init(fnn.key(0), 8, heads=2)
    >>> fnn.attention(params, np.ones((4, 5, 8), np.float32), heads=2, causal=True).shape
    (4, 5, 8)
    """
    kv_heads, rows, columns = _split_sizes("attention", params, heads, kv_heads)
    weight = value_of(params.qkv.weight)
    _check_sequence("attention", "x", value_of(x), weight)
    if positions is not None and not rotary:
        raise ValueError("attention: positions are given but rotary is False, so nothing would look at them")
    q: Value
    if memory is None:
        q, k, v = np.split(dense(params.qkv, x), [rows, rows + columns], axis=2)
    else:
        if rotary:
            raise ValueError("attention: rotary is True, but the times of a memory are none of x; use it for self attention")
        _check_sequence("attention", "memory", value_of(memory), weight)
        w1, w2 = np.split(params.qkv.weight, [rows], axis=1)
        b1, b2 = np.split(params.qkv.bias, [rows])
        q = dense(DenseParams(w1, b1), x)
        k, v = np.split(dense(DenseParams(w2, b2), memory), 2, axis=2)
    q, k, v = _heads(q, heads), _heads(k, kv_heads), _heads(v, kv_heads)
    if rotary:
        q, k = rotate(q, positions, base=rotary_base), rotate(k, positions, base=rotary_base)
    return _joined(params, dot_product_attention(q, k, v, mask=mask, causal=causal, drop_rate=drop_rate, mode=mode))


def self_attention_vjp(
    params: AttentionParams,
    x: Value,
    /,
    *,
    heads: int,
    kv_heads: int | None = None,
    causal: bool = False,
    rotary: bool = False,
    drop_rate: float = 0.0,
    mode: Mode = EVAL,
) -> tuple[Value, Callable[[Value, Any, bool], Value]]:
    """attention(params, x, ...) of arrays of one dtype that were checked before, and its pullback (g, into, wanted) to the
    cotangent of x: see layers.pullback."""
    # Queries, keys and values are views of one array, and so are their cotangents.
    qkv = affine(x, params.qkv.weight, params.qkv.bias)
    kv_heads = heads if kv_heads is None else kv_heads
    size = params.out.weight.shape[0] // heads

    def split(a: Value) -> list[Value]:
        by_head = a.reshape(*a.shape[:2], heads + 2 * kv_heads, size)
        return [by_head[:, :, :heads], by_head[:, :, heads : heads + kv_heads], by_head[:, :, heads + kv_heads :]]

    q, k, v = split(qkv)
    turn_back: list[Callable[[Value], Value]] = []
    if rotary:
        (q, back_q), (k, back_k) = rotary_vjp(q), rotary_vjp(k)
        turn_back = [back_q, back_k]
    y, pull = attend.kernel(  # type: ignore[attr-defined]  # see fused
        q,
        k,
        v,
        scale=1 / size**0.5,
        causal=causal,
        softcap=None,
        drop=(mode.key, float(drop_rate)) if isinstance(mode, Train) and drop_rate else None,
        block=block_size(x.shape[1]),
        kept=KEPT,
    )
    rows = y.reshape(*y.shape[:2], heads * size)

    def back(g: Value, into: AttentionParams, wanted: bool) -> Value:
        dy, _, _ = affine_pull(g, rows, params.out.weight, (True, True, True), (into.out.weight, into.out.bias))
        dqkv = np.empty(qkv.shape, qkv.dtype)
        parts = split(dqkv)
        pull(dy.reshape(y.shape), (True, True, True), parts)
        for part, turn in zip(parts, turn_back, strict=False):
            part[...] = turn(part)
        return affine_pull(dqkv, x, params.qkv.weight, (wanted, True, True), (into.qkv.weight, into.qkv.bias))[0]

    return affine(rows, params.out.weight, params.out.bias), back


def cached_attention(
    params: AttentionParams,
    x: Array3,
    cache: KVCache,
    /,
    *,
    heads: int,
    kv_heads: int | None = None,
    mask: Array | Bools | None = None,
    rotary: bool = False,
    rotary_base: float = 10000.0,
) -> tuple[Array3, KVCache]:
    """Causal attention of new times to themselves and to their past; and the cache with the new times at its end.

    x: [batch, time, dim], the times after those in the cache, one or more. The result is what `attention` of the whole
    sequence with causal=True gives for these times, for the work of these alone. rotary goes on from the length of the cache.
    mask: broadcastable to [batch, heads, time, length of the cache + time].

    Raises as `attention`, and ValueError where the cache's batch or heads do not fit.

    >>> import fnn
    >>> params = fnn.AttentionParams.init(fnn.key(0), 8, heads=2)
    >>> x = np.random.default_rng(0).normal(size=(1, 3, 8)).astype(np.float32)
    >>> cache = fnn.KVCache.empty(1, 2, 4)
    >>> for t in range(3):
    ...     y, cache = fnn.cached_attention(params, x[:, t : t + 1], cache, heads=2)
    >>> np.allclose(y[:, 0], fnn.attention(params, x, heads=2, causal=True)[:, 2], atol=1e-6)
    True
    """
    kv_heads, rows, columns = _split_sizes("cached_attention", params, heads, kv_heads)
    _check_sequence("cached_attention", "x", value_of(x), value_of(params.qkv.weight))
    if not isinstance(cache, KVCache):
        raise TypeError(f"cached_attention: cache is {show(cache)}, expected a KVCache; begin with fnn.KVCache.empty")
    batch, time, _ = x.shape
    _, length, *_ = past = cache.key.shape
    expected = (batch, length, kv_heads, columns // kv_heads)
    if past != expected or cache.value.shape != expected:
        raise ValueError(
            f"cached_attention: the cache has shapes {past} and {cache.value.shape}, expected {expected}: "
            "[batch, time, kv_heads, head_dim]"
        )
    new: Value = np.split(dense(params.qkv, x), [rows, rows + columns], axis=2)
    q, k, v = _heads(new[0], heads), _heads(new[1], kv_heads), _heads(new[2], kv_heads)
    if rotary:
        positions = np.arange(length, length + time)
        q, k = rotate(q, positions, base=rotary_base), rotate(k, positions, base=rotary_base)
    key, value = (read_only(np.concatenate(pair, axis=1)) for pair in ((cache.key, k), (cache.value, v)))
    return _joined(params, dot_product_attention(q, key, value, mask=mask, causal=True)), KVCache(key, value)
