"""Attention: values by a slow loop, masks, blocks, caches, memory, extremes, and what a user may get wrong."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn as typed_fnn
from fnn.functional import attention_in_blocks as blocks

fnn: Any = typed_fnn  # untyped, because some of these calls are what the types forbid

KEY = fnn.key(0)
seeds = st.integers(0, 2**32)


def slow(
    q: Any, k: Any, v: Any, allowed: Any, bias: Any = 0.0, scale: float | None = None, softcap: float | None = None
) -> Any:
    """Row by row in float64, over the keys that a row may look at."""
    batch, time, heads, width = q.shape
    group = heads // k.shape[2]
    allowed, bias = (np.broadcast_to(a, (batch, heads, time, k.shape[1])) for a in (allowed, bias))
    y = np.zeros((batch, time, heads, v.shape[3]))
    for b, t, h in np.ndindex(batch, time, heads):
        seen = np.flatnonzero(allowed[b, h, t] & (bias[b, h, t] > -np.inf))
        if len(seen):
            s = k[b, seen, h // group].astype(float) @ q[b, t, h] * (width**-0.5 if scale is None else scale)
            s = (s if softcap is None else softcap * np.tanh(s / softcap)) + bias[b, h, t, seen]
            w = np.exp(s - s.max())
            y[b, t, h] = w / w.sum() @ v[b, seen, h // group]
    return y


def draw(rng: Any, batch: int, time: int, memory_time: int, heads: int, kv_heads: int, width: int = 3) -> tuple[Any, Any, Any]:
    shapes = ((batch, time, heads, width), (batch, memory_time, kv_heads, width), (batch, memory_time, kv_heads, 2))
    q, k, v = (rng.normal(size=shape) for shape in shapes)
    return q, k, v


def causal_mask(time: int, memory_time: int) -> Any:
    return np.arange(memory_time) <= np.arange(time)[:, None] + memory_time - time


def gradients(f: Any, args: tuple[Any, ...], u: Any) -> tuple[Any, ...]:
    y, pullback = fnn.vjp(lambda p: f(*p), args)
    return (y, *pullback(u))


# Values


@given(
    seed=seeds,
    sizes=st.tuples(st.integers(0, 3), st.integers(1, 6), st.integers(1, 6)),
    heads=st.sampled_from([(1, 1), (2, 2), (4, 2), (3, 1)]),
    causal=st.booleans(),
    kind=st.sampled_from(["none", "boolean", "bias", "keys", "heads", "pairs"]),
    softcap=st.sampled_from([None, 0.7]),
    scale=st.sampled_from([None, 0.3]),
)
def test_values_are_those_of_a_loop(
    seed: int, sizes: Any, heads: Any, causal: bool, kind: str, softcap: float | None, scale: float | None
) -> None:
    rng = np.random.default_rng(seed)
    q, k, v = draw(rng, *sizes, *heads)
    batch, time, memory_time = sizes
    shape = {"keys": (batch, 1, 1, memory_time), "heads": (heads[0], 1, memory_time), "pairs": (time, memory_time)}.get(
        kind, (batch, heads[0], time, memory_time)
    )
    mask: Any = None if kind == "none" else rng.random(shape) < 0.6
    bias: Any = 0.0
    if kind == "bias":
        mask = bias = np.where(mask, rng.normal(size=shape), -np.inf)
    allowed = mask if mask is not None and mask.dtype == bool else np.ones((), bool)
    allowed = allowed & causal_mask(time, memory_time) if causal else allowed
    y = fnn.dot_product_attention(q, k, v, mask=mask, causal=causal, softcap=softcap, scale=scale)
    np.testing.assert_allclose(y, slow(q, k, v, allowed, bias, scale, softcap), rtol=1e-10, atol=1e-12)


def test_two_keys_by_hand() -> None:
    q = np.array([[[[2.0]]]])
    k = np.array([0.0, np.log(3.0) / 2]).reshape(1, 2, 1, 1)
    v = np.array([1.0, 5.0]).reshape(1, 2, 1, 1)
    np.testing.assert_allclose(fnn.dot_product_attention(q, k, v).item(), 0.25 * 1 + 0.75 * 5)


def test_shared_heads_are_repeated_heads() -> None:
    rng = np.random.default_rng(0)
    q, k, v = draw(rng, 2, 5, 4, 6, 2)
    u = rng.normal(size=(2, 5, 6, 2))
    repeated = [np.repeat(a, 3, axis=2) for a in (k, v)]
    y, dq, dk, dv = gradients(fnn.dot_product_attention, (q, k, v), u)
    z, eq, ek, ev = gradients(fnn.dot_product_attention, (q, *repeated), u)
    np.testing.assert_allclose(y, z, rtol=1e-12)
    np.testing.assert_allclose(dq, eq, rtol=1e-10, atol=1e-13)
    for shared, each in ((dk, ek), (dv, ev)):
        np.testing.assert_allclose(shared, each.reshape(*each.shape[:2], 2, 3, -1).sum(3), rtol=1e-10, atol=1e-13)


@given(seed=seeds, drop_rate=st.sampled_from([0.0, 0.4]))
def test_without_a_mask_permuted_keys_are_the_same_and_permuted_queries_give_permuted_rows(seed: int, drop_rate: float) -> None:
    rng = np.random.default_rng(seed)
    q, k, v = draw(rng, 2, 5, 6, 2, 1)
    rows, columns = rng.permutation(5), rng.permutation(6)
    y = fnn.dot_product_attention(q, k, v)
    np.testing.assert_allclose(fnn.dot_product_attention(q[:, rows], k[:, columns], v[:, columns]), y[:, rows], rtol=1e-10)


@given(seed=seeds, t=st.integers(0, 5), rotary=st.booleans())
def test_causal_rows_do_not_depend_on_the_future(seed: int, t: int, rotary: bool) -> None:
    rng = np.random.default_rng(seed)
    params = fnn.tree.astype(fnn.AttentionParams.init(fnn.key(seed), 4, heads=2), np.float64)
    x = rng.normal(size=(2, 6, 4))
    other = np.concatenate([x[:, : t + 1], rng.normal(size=(2, 5 - t, 4))], 1)
    y, z = (fnn.attention(params, a, heads=2, causal=True, rotary=rotary) for a in (x, other))
    np.testing.assert_allclose(y[:, : t + 1], z[:, : t + 1], rtol=1e-10, atol=1e-13)
    dx = fnn.grad(lambda x: np.sum(fnn.attention(params, x, heads=2, causal=True)[:, t]))(x)
    assert not np.any(dx[:, t + 1 :])
    assert np.any(dx[:, t])


def test_rotary_attention_sees_distances_only_and_positions_may_be_given() -> None:
    params = fnn.tree.astype(fnn.AttentionParams.init(KEY, 8, heads=2), np.float64)
    x = np.random.default_rng(0).normal(size=(2, 5, 8))
    y = fnn.attention(params, x, heads=2, rotary=True)
    np.testing.assert_allclose(fnn.attention(params, x, heads=2, rotary=True, positions=np.arange(5)), y, rtol=1e-12)
    np.testing.assert_allclose(fnn.attention(params, x, heads=2, rotary=True, positions=np.arange(7, 12)), y, rtol=1e-9)
    assert not np.allclose(fnn.attention(params, x, heads=2, rotary=True, positions=3 * np.arange(5)), y)
    other = fnn.attention(params, x, heads=2, rotary=True, rotary_base=10.0)
    assert not np.allclose(other, y)
    moved = fnn.attention(params, x, heads=2, rotary=True, rotary_base=10.0, positions=np.arange(7, 12))
    np.testing.assert_allclose(moved, other, rtol=1e-9)
    assert not np.allclose(fnn.attention(params, x, heads=2), y)


# Masks


@pytest.mark.parametrize("boolean", [True, False])
@pytest.mark.parametrize("block", [2**18, 1])
def test_a_row_that_sees_nothing_is_0_and_so_is_its_gradient(boolean: bool, block: int) -> None:
    rng = np.random.default_rng(0)
    q, k, v = draw(rng, 2, 4, 5, 2, 2)
    seen = rng.random((2, 2, 4, 5)) < 0.7
    seen[0, 1, 2] = False
    seen[1] = False
    mask = seen if boolean else np.where(seen, 0.5, -np.inf)
    args = (q, k, v) if boolean else (q, k, v, mask)
    options = {"scale": 1.0, "causal": False, "softcap": None, "drop": None, "block": block, "kept": 0}
    y, dq, dk, dv, *dmask = gradients(
        lambda q, k, v, m=mask: blocks.masked_attend(q, k, v, m, **options), args, rng.normal(size=(2, 4, 2, 2))
    )
    assert not np.any(y[0, 2, 1])
    assert not np.any(dq[0, 2, 1])
    assert not any(np.any(a[1]) for a in (y, dq, dk, dv, *dmask))
    assert all(np.all(np.isfinite(a)) and np.any(a[0]) for a in (y, dq, dk, dv, *dmask))


def test_causal_attention_to_a_shorter_memory_leaves_the_first_rows_blind() -> None:
    q, k, v = draw(np.random.default_rng(0), 1, 5, 2, 1, 1)
    y = fnn.dot_product_attention(q, k, v, causal=True)
    assert not np.any(y[:, :3])
    np.testing.assert_allclose(y[0, 3, 0], v[0, 0, 0])
    np.testing.assert_allclose(y, slow(q, k, v, causal_mask(5, 2)), rtol=1e-10)


def test_padding_is_as_if_the_padded_times_were_not_there() -> None:
    rng = np.random.default_rng(0)
    q, k, v = draw(rng, 3, 4, 5, 2, 2)
    lengths = np.array([5, 2, 0])
    y = fnn.dot_product_attention(q, k, v, mask=fnn.padding_mask(lengths, 5))
    for b in (0, 1):
        n = lengths[b]
        short = fnn.dot_product_attention(q[b : b + 1], k[b : b + 1, :n], v[b : b + 1, :n])
        np.testing.assert_allclose(y[b : b + 1], short, rtol=1e-12)
    assert not np.any(y[2])


def test_a_bias_of_one_row_has_the_gradient_of_all_rows() -> None:
    rng = np.random.default_rng(0)
    q, k, v = draw(rng, 2, 3, 4, 4, 2)
    u = rng.normal(size=(2, 3, 4, 2))
    for shape in ((), (4,), (3, 1), (4, 1, 1), (2, 1, 3, 4), (1, 4, 1, 4)):
        bias = rng.normal(size=shape)
        full = np.broadcast_to(bias, (2, 4, 3, 4)).copy()
        d, e = (gradients(lambda m: fnn.dot_product_attention(q, k, v, mask=m), (m,), u)[1] for m in (bias, full))
        extra = 4 - bias.ndim
        axes = (*range(extra), *[extra + i for i, n in enumerate(shape) if n == 1])
        np.testing.assert_allclose(d, e.sum(axes, keepdims=True).reshape(shape), rtol=1e-9, atol=1e-13)


# Blocks


def test_blocks_cover_every_row_once() -> None:
    for batch, kv, group, time, memory, size in np.random.default_rng(0).integers(0, 40, (200, 6)).tolist():
        kv, group = kv % 4 + 1, group % 3 + 1  # noqa: PLW2901
        count = np.zeros((batch, kv, group, time), int)
        for at in blocks._blocks(batch, kv, group, time, memory, 10 * size):
            count[at.rows] += 1
            at_once = (at.examples.stop - at.examples.start) * (at.heads.stop - at.heads.start) * group * memory
            assert at_once * (at.times.stop - at.times.start) <= max(10 * size, 16 * group * memory)
        assert np.all(count == 1)


@given(
    seed=seeds,
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40)),
    heads=st.sampled_from([(1, 1), (4, 2), (2, 1)]),
    options=st.fixed_dictionaries(
        {"causal": st.booleans(), "softcap": st.sampled_from([None, 0.9]), "drop": st.sampled_from([None, (KEY, 0.3)])}
    ),
    masked=st.booleans(),
    block=st.sampled_from([1, 100, 700, 2000, 5000]),
    kept=st.sampled_from([0, 2**30]),
)
def test_blocks_give_what_one_block_gives(
    seed: int, sizes: Any, heads: Any, options: Any, masked: bool, block: int, kept: int
) -> None:
    rng = np.random.default_rng(seed)
    args: tuple[Any, ...] = draw(rng, *sizes, *heads)
    if masked:
        bias = rng.normal(size=(sizes[0], heads[0], *sizes[1:]))
        args = (*args, np.where(rng.random(bias.shape) < 0.8, bias, -np.inf))
    op = blocks.masked_attend if masked else blocks.attend
    u = rng.normal(size=(*args[0].shape[:3], 2))
    whole = gradients(lambda *p: op(*p, scale=0.6, block=2**30, kept=2**30, **options), args, u)
    cut = gradients(lambda *p: op(*p, scale=0.6, block=block, kept=kept, **options), args, u)
    for a, b in zip(whole, cut, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_causal_blocks_have_few_rows_where_there_is_enough_to_do() -> None:
    def rows(batch: int, time: int, heads: int, causal: bool) -> set[int]:
        q = np.zeros((batch, time, heads, 2))
        make = blocks._Scores(q, q, None, 1.0, causal, None, None)
        return {at.times.stop - at.times.start for at in make.blocks(blocks.block_size(time))}

    assert rows(16, 64, 4, True) == {32}
    assert rows(1, 64, 4, True) == rows(16, 64, 4, False) == {64}
    assert rows(1, 4096, 1, True) == {128}


def test_keys_in_the_future_of_a_whole_block_are_not_looked_at() -> None:
    q, k, _ = draw(np.random.default_rng(0), 1, 64, 80, 1, 1)
    make = blocks._Scores(q, k, None, 1.0, True, None, None)
    assert [make.columns(at) for at in make.blocks(16 * 80)] == [32, 48, 64, 80]


def test_long_sequences_by_the_public_function() -> None:
    """Of a size that is cut by itself, in float32, against float64 in one piece."""
    rng = np.random.default_rng(0)
    args = tuple([a.astype(np.float32) for a in draw(rng, 1, 1100, 1100, 2, 1)])
    u = rng.normal(size=(1, 1100, 2, 2)).astype(np.float32)
    found = gradients(lambda *p: fnn.dot_product_attention(*p, causal=True), args, u)
    options = {"scale": 3**-0.5, "causal": True, "softcap": None, "drop": None, "block": 2**30, "kept": 2**30}
    wide = tuple([a.astype(float) for a in args])
    expected = gradients(lambda *p: blocks.attend(*p, **options), wide, u.astype(float))
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == np.float32
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_memory_grows_linearly(causal: bool) -> None:
    def peak(time: int) -> int:
        q, k, v = draw(np.random.default_rng(0), 1, time, time, 1, 1)
        u = np.ones((1, time, 1, 2))
        tracemalloc.start()
        gradients(lambda *p: fnn.dot_product_attention(*p, causal=causal), (q, k, v), u)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peaks = [peak(time) for time in (1024, 2048, 4096)]
    assert peaks[1] < 2.6 * peaks[0]
    assert peaks[2] < 2.6 * peaks[1]


# Dropout


def test_dropout_keeps_the_mean_and_drops_whole_probabilities() -> None:
    q, k = np.zeros((2, 50, 3, 4)), np.zeros((2, 50, 3, 4))
    v = np.broadcast_to(np.eye(50)[:, None], (2, 50, 3, 50))
    y = fnn.dot_product_attention(q, k, v, drop_rate=0.3, mode=fnn.Train(KEY))  # y[b, t, h] are the probabilities themselves
    dropped = y == 0
    np.testing.assert_allclose(y[~dropped], 1 / 50 / 0.7, rtol=1e-12)
    assert abs(dropped.mean() - 0.3) < 5 * np.sqrt(0.21 / y.size)
    for axis in range(4):
        means = dropped.mean(tuple({0, 1, 2, 3} - {axis}))
        assert abs(means - 0.3).max() < 5 * np.sqrt(0.21 * len(means) / y.size)
    assert len({row.tobytes() for row in dropped.reshape(-1, 50)}) == 300
    assert np.array_equal(y, fnn.dot_product_attention(q, k, v, drop_rate=0.3, mode=fnn.Train(KEY)))
    assert not np.array_equal(y, fnn.dot_product_attention(q, k, v, drop_rate=0.3, mode=fnn.Train(fnn.key(1))))
    assert np.array_equal(fnn.dot_product_attention(q, k, v, drop_rate=0.3), fnn.dot_product_attention(q, k, v))


@given(ends=st.tuples(st.integers(0, 200), st.integers(0, 200)).map(sorted))
def test_a_piece_of_the_stream_is_the_piece_of_the_whole(ends: Any) -> None:
    whole = blocks._draw(KEY, 0.4, 0, 200)
    assert np.array_equal(blocks._draw(KEY, 0.4, *ends), whole[slice(*ends)])


# Caches


@given(
    seed=seeds,
    pieces=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    kv_heads=st.sampled_from([1, 2, 4]),
    rotary=st.booleans(),
)
def test_cached_attention_gives_the_rows_of_the_whole(seed: int, pieces: Any, kv_heads: int, rotary: bool) -> None:
    params = fnn.tree.astype(fnn.AttentionParams.init(fnn.key(seed), 8, heads=4, kv_heads=kv_heads), np.float64)
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, sum(pieces), 8))
    seen = rng.random((2, 1, 1, sum(pieces))) < 0.8
    options = {"heads": 4, "kv_heads": kv_heads, "rotary": rotary, "rotary_base": 50.0}
    whole = fnn.attention(params, x, causal=True, mask=seen, **options)
    cache = fnn.KVCache.empty(2, kv_heads, 2)
    rows = []
    for start, n in zip(np.cumsum([0, *pieces]), pieces, strict=False):
        before, stop = cache, start + n
        y, cache = fnn.cached_attention(params, x[:, start:stop], cache, mask=seen[..., :stop], **options)
        rows.append(y)
        assert before.key.shape[1] == start
        assert cache.key.shape == cache.value.shape == (2, start + n, kv_heads, 2)
        assert not cache.key.flags.writeable
        assert not np.shares_memory(cache.key, before.key)
    np.testing.assert_allclose(np.concatenate(rows, 1), whole, rtol=1e-9, atol=1e-12)


def test_gradients_flow_through_a_cache() -> None:
    params = fnn.tree.astype(fnn.AttentionParams.init(KEY, 4, heads=2), np.float64)
    x, u = np.random.default_rng(0).normal(size=(2, 1, 3, 4))

    def steps(params: Any) -> Any:
        cache, rows = fnn.KVCache.empty(1, 2, 2), []
        for t in range(3):
            y, cache = fnn.cached_attention(params, x[:, t : t + 1], cache, heads=2)
            rows.append(y)
        return np.sum(u * np.concatenate(rows, 1))

    grads = fnn.grad(steps)(params)
    whole = fnn.grad(lambda p: np.sum(u * fnn.attention(p, x, heads=2, causal=True)))(params)
    for a, b in zip(fnn.tree.leaves(grads), fnn.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-13)


# Multi-head attention and blocks


@pytest.mark.parametrize("kv_heads", [None, 2, 1])
def test_attention_is_the_primitive_between_two_dense_layers(kv_heads: int | None) -> None:
    params = fnn.tree.astype(fnn.AttentionParams.init(KEY, 8, heads=4, kv_heads=kv_heads, head_dim=3), np.float64)
    assert params.qkv.weight.shape == (8, (4 + 2 * (kv_heads or 4)) * 3)
    rng = np.random.default_rng(0)
    x, memory = rng.normal(size=(2, 5, 8)), rng.normal(size=(2, 7, 8))
    w, b = params.qkv.weight, rng.normal(size=params.qkv.bias.shape)
    params = fnn.AttentionParams(fnn.DenseParams(w, b), params.out)
    n = (kv_heads or 4) * 3
    for m in (None, memory):
        of = x if m is None else m
        q = (x @ w[:, :12] + b[:12]).reshape(2, 5, 4, 3)
        k = (of @ w[:, 12 : 12 + n] + b[12 : 12 + n]).reshape(2, -1, n // 3, 3)
        v = (of @ w[:, 12 + n :] + b[12 + n :]).reshape(2, -1, n // 3, 3)
        y = slow(q, k, v, np.ones((), bool)).reshape(2, 5, 12) @ params.out.weight + params.out.bias
        np.testing.assert_allclose(fnn.attention(params, x, m, heads=4, kv_heads=kv_heads), y, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "options", [{}, {"causal": True}, {"rotary": True}, {"kv_heads": 1}, {"drop_rate": 0.4}], ids=lambda options: str(options)
)
def test_layers_are_the_function_with_their_options(options: Any) -> None:
    rng = np.random.default_rng(0)
    x, memory = (rng.normal(size=(2, n, 4)).astype(np.float32) for n in (3, 5))
    mode = fnn.Train(KEY)
    layer = fnn.Attention(4, 2, **options)
    params = fnn.init(layer, KEY)[0]
    y = fnn.attention(params, x, heads=2, mode=mode, **options)
    assert np.array_equal(layer.forward(params, None, x, mode)[0], y)
    plain = fnn.attention(params, x, heads=2, kv_heads=options.get("kv_heads"))
    assert np.array_equal(plain, y) == (options.keys() <= {"kv_heads"})
    if not options.keys() & {"causal", "rotary"}:
        cross = fnn.CrossAttention(4, 2, **options)
        y = fnn.attention(params, x, memory, heads=2, mode=mode, **options)
        assert np.array_equal(cross.forward(params, None, (x, memory), mode)[0], y)


def test_queries_keys_and_values_begin_with_the_variance_of_x() -> None:
    params = fnn.AttentionParams.init(KEY, 256, heads=4, kv_heads=2)
    assert abs(params.qkv.weight.std() * 16 - 1) < 0.05
    assert abs(params.out.weight.std() * 16 - 1) < 0.05
    assert not np.any(params.qkv.bias)
    assert not np.any(params.out.bias)


def test_blocks_are_the_compositions_that_they_say() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    mlp = fnn.chain([fnn.Dense(4, 16), fnn.gelu, fnn.Dropout(0.2), fnn.Dense(16, 4), fnn.Dropout(0.2)])
    attend = fnn.Attention(4, 2, causal=True, drop_rate=0.2)
    pre = fnn.residual(fnn.LayerNorm(4) >> attend >> fnn.Dropout(0.2)) >> fnn.residual(fnn.LayerNorm(4) >> mlp)
    post = fnn.residual(attend >> fnn.Dropout(0.2)) >> fnn.LayerNorm(4) >> fnn.residual(mlp) >> fnn.LayerNorm(4)
    for by_hand, norm_first in ((pre, True), (post, False)):
        block = fnn.encoder_block(4, 2, causal=True, drop_rate=0.2, norm_first=norm_first)
        params, state = fnn.init(block, KEY)
        for mode in (fnn.EVAL, fnn.Train(KEY)):
            assert np.array_equal(block.forward(params, state, x, mode)[0], by_hand.forward(params, state, x, mode)[0])


def test_a_decoder_block_looks_at_its_past_and_at_the_whole_memory() -> None:
    block = fnn.DecoderBlock(4, 2, rotary=True)
    params = fnn.tree.astype(fnn.init(block, KEY)[0], np.float64)
    assert params.hidden.weight.shape == (4, 16)
    rng = np.random.default_rng(0)
    x, memory = rng.normal(size=(1, 5, 4)), rng.normal(size=(1, 3, 4))
    (_, handed_on), state = block.forward(params, None, (x, memory), fnn.EVAL)
    assert handed_on is memory
    assert state is None
    dx, dm = fnn.grad(lambda p: np.sum(block.forward(params, None, p, fnn.EVAL)[0][0][:, 2] ** 3))((x, memory))
    assert not np.any(dx[:, 3:])
    assert np.all(np.any(dx[:, :3], -1))
    assert np.all(np.any(dm, -1))
    turned, plain = (b.forward(params, None, (x, memory), fnn.EVAL)[0][0] for b in (block, fnn.DecoderBlock(4, 2)))
    assert not np.allclose(turned, plain)
    free = fnn.DecoderBlock(4, 2, causal=False)
    dx = fnn.grad(lambda x: np.sum(free.forward(params, None, (x, memory), fnn.EVAL)[0][0][:, 2] ** 3))(x)
    assert np.all(np.any(dx, -1))


def test_branches_of_a_decoder_block_draw_different_masks() -> None:
    block = fnn.DecoderBlock(4, 2, drop_rate=0.5)
    params = fnn.init(block, KEY)[0]
    x = np.ones((1, 40, 4), np.float32)
    calls: list[Any] = []
    nothing = fnn.tree.zeros_like(params)
    ones = np.ones(4, np.float32)

    def out(name: str) -> Any:
        part = getattr(nothing, name)
        if name == "out":
            return fnn.tree.replace_at(nothing, ".out.bias", ones)
        return fnn.tree.replace_at(nothing, f".{name}.out.bias", part.out.bias + 1)

    for name in ("self_attention", "cross_attention", "out"):
        y = block.forward(out(name), None, (x, x), fnn.Train(KEY))[0][0]
        calls.append(y != 1)
    assert not any(np.array_equal(a, b) for i, a in enumerate(calls) for b in calls[:i])
    assert all(0.3 < a.mean() < 0.7 for a in calls)


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_decoder_block_is_the_composition_that_it_says(norm_first: bool) -> None:
    block = fnn.DecoderBlock(4, 2, hidden=5, drop_rate=0.3, norm_first=norm_first)
    p = fnn.init(block, KEY)[0]
    assert p.hidden.weight.shape == (4, 5)
    x, memory = np.random.default_rng(0).normal(size=(2, 2, 3, 4)).astype(np.float32)

    def branch(norm: Any, f: Any, x: Any, mode: Any) -> Any:
        if norm_first:
            return x + fnn.dropout(f(fnn.layer_norm(norm, x), mode.fold(0)), 0.3, mode.fold(1))
        return fnn.layer_norm(norm, x + fnn.dropout(f(x, mode.fold(0)), 0.3, mode.fold(1)))

    def mlp(y: Any, mode: Any) -> Any:
        return fnn.dense(p.out, fnn.dropout(fnn.gelu(fnn.dense(p.hidden, y)), 0.3, mode))

    def to_itself(y: Any, mode: Any) -> Any:
        return fnn.attention(p.self_attention, y, heads=2, causal=True, drop_rate=0.3, mode=mode)

    def to_memory(y: Any, mode: Any) -> Any:
        return fnn.attention(p.cross_attention, y, memory, heads=2, drop_rate=0.3, mode=mode)

    for mode in (fnn.EVAL, fnn.Train(KEY)):
        y = branch(p.self_norm, to_itself, x, mode.fold(0))
        y = branch(p.cross_norm, to_memory, y, mode.fold(1))
        y = branch(p.mlp_norm, mlp, y, mode.fold(2))
        assert np.array_equal(block.forward(p, None, (x, memory), mode)[0][0], y)


# Sizes, dtypes, extremes, memory


@pytest.mark.parametrize("causal", [False, True])
def test_the_smallest_sizes(causal: bool) -> None:
    for batch, time, memory_time in ((0, 3, 3), (2, 0, 3), (2, 3, 0), (0, 0, 0), (1, 1, 1)):
        args = draw(np.random.default_rng(0), batch, time, memory_time, 2, 1)
        mask = np.ones((batch, 1, 1, memory_time), bool)
        for m in (None, mask):
            y, *grads = gradients(
                lambda *p, m=m: fnn.dot_product_attention(*p, causal=causal, mask=m), args, np.ones((batch, time, 2, 2))
            )
            assert y.shape == (batch, time, 2, 2)
            assert [g.shape for g in grads] == [a.shape for a in args]
            if memory_time == 1:
                np.testing.assert_allclose(y, np.repeat(args[2], 2, axis=2))
            else:
                assert not np.any(y)
                assert not any(np.any(g) for g in grads)
    params = fnn.AttentionParams.init(KEY, 4, heads=2)
    assert fnn.attention(params, np.ones((0, 3, 4), np.float32), heads=2, causal=causal).shape == (0, 3, 4)


def test_float32_stays_whatever_numbers_the_options_are() -> None:
    args = tuple([a.astype(np.float32) for a in draw(np.random.default_rng(0), 2, 3, 4, 2, 1)])
    u = np.ones((2, 3, 2, 2), np.float32)
    for mask in (None, np.ones((3, 4), bool), np.zeros((3, 4), np.float32)):

        def run(number: Any, mask: Any = mask) -> Any:
            options = {"scale": number(0.3), "softcap": number(2.1), "drop_rate": number(0.2), "mode": fnn.Train(KEY)}
            return gradients(lambda *p: fnn.dot_product_attention(*p, mask=mask, causal=True, **options), args, u)

        found = run(np.float64)
        assert all(a.dtype == np.float32 for a in found)
        assert fnn.tree.equal(found, run(float))  # nothing on the way was float64 either


def test_float64_parameters_promote_and_a_float32_mask_may_meet_float64() -> None:
    params = fnn.tree.astype(fnn.AttentionParams.init(KEY, 4, heads=2), np.float64)
    x = np.ones((2, 3, 4), np.float32)
    y = fnn.attention(params, x, x.astype(float), heads=2, mask=np.zeros((3, 3), np.float32))
    assert y.dtype == np.float64
    y, cache = fnn.cached_attention(params, x, fnn.KVCache.empty(2, 2, 2), heads=2)
    assert y.dtype == cache.key.dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_scores_are_exact(dtype: Any) -> None:
    """The softmax of numbers far apart is one-hot, its slope 0; equal ones are equal at any height."""
    q = np.array([1e4, -1e4, 0.0], dtype).reshape(1, 3, 1, 1)
    k = np.array([-1.0, 1.0], dtype).reshape(1, 2, 1, 1)
    v = np.array([3.0, 5.0], dtype).reshape(1, 2, 1, 1)
    y, dq, dk, dv = gradients(fnn.dot_product_attention, (q, k, v), np.ones((1, 3, 1, 1), dtype))
    assert y.ravel().tolist() == [5.0, 3.0, 4.0]
    assert dq.ravel().tolist() == [0.0, 0.0, 1.0]
    assert not np.any(dk)
    assert dv.ravel().tolist() == [1.5, 1.5]
    for height in (1e4, -1e4):
        same = fnn.dot_product_attention(np.full_like(q, height), np.ones_like(k), v)
        assert same.ravel().tolist() == [4.0] * 3
    low = np.asarray(np.finfo(dtype).min)  # what some libraries write in place of -inf
    assert fnn.dot_product_attention(q[:, 2:], k, v, mask=np.array([0, low], dtype)).item() == 3.0


def test_nothing_shares_memory_and_nothing_is_written() -> None:
    rng = np.random.default_rng(0)
    args = (*draw(rng, 2, 3, 4, 2, 1), rng.normal(size=(3, 4)))
    for a in args:
        a.flags.writeable = False
    y, pullback = fnn.vjp(lambda p: fnn.dot_product_attention(*p[:3], mask=p[3], softcap=2.0), args)
    u = rng.normal(size=y.shape)
    u.flags.writeable = False
    first, second = pullback(u), pullback(u)
    assert fnn.tree.equal(first, second)
    every = [y, *first, *second]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(every) for b in (*args, u, *every[:i]))


# Mistakes

Q = np.ones((2, 3, 4, 5), np.float32)
X = np.ones((2, 3, 8), np.float32)
PARAMS = fnn.AttentionParams.init(KEY, 8, heads=2)
CACHE = fnn.KVCache.empty(2, 2, 4)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (
            lambda: fnn.dot_product_attention(Q[0], Q, Q), ValueError,
            r"query has shape \(3, 4, 5\), expected \[batch, time, heads",
        ),
        (lambda: fnn.dot_product_attention(Q, Q[..., :4], Q), ValueError, r"head_dim, the first and last axes, must be equal"),
        (lambda: fnn.dot_product_attention(Q, Q[:1], Q[:1]), ValueError, r"batch and head_dim"),
        (lambda: fnn.dot_product_attention(Q, Q, Q[:, :2]), ValueError, r"key has shape .* but value has \(2, 2, 4, 5\)"),
        (lambda: fnn.dot_product_attention(Q, Q[:, :, :3], Q[:, :, :3]), ValueError, r"4 heads and key has 3: .* must divide"),
        (lambda: fnn.dot_product_attention(Q, Q[:, :, :0], Q[:, :, :0]), ValueError, r"key has 0"),
        (lambda: fnn.dot_product_attention(Q.astype(int), Q, Q), TypeError, r"query is i64\[2,3,4,5\], expected floating"),
        (lambda: fnn.dot_product_attention(Q.tolist(), Q, Q), TypeError, r"query is a list, expected a floating array"),
        (lambda: fnn.dot_product_attention(Q, Q.astype(float), Q), TypeError, r"key is float64 but query is float32"),
        (lambda: fnn.dot_product_attention(Q, Q, Q.astype(float)), TypeError, r"value is float64 but query is float32"),
        (
            lambda: fnn.dot_product_attention(Q, Q, Q, mask=np.ones((3, 3), int)), TypeError,
            r"mask is i64\[3,3\].*astype\(bool\)",
        ),
        (lambda: fnn.dot_product_attention(Q, Q, Q, mask=[[True]]), TypeError, r"mask is a list, expected a boolean array"),
        (lambda: fnn.dot_product_attention(Q, Q, Q, mask=np.ones((3, 3))), TypeError, r"mask is float64 but query is float32"),
        (
            lambda: fnn.dot_product_attention(Q, Q, Q, mask=np.ones((2, 3), bool)), ValueError,
            r"mask has shape \(2, 3\).*\[2, 4, 3, 3\]",
        ),
        (lambda: fnn.dot_product_attention(Q, Q, Q, mask=np.ones((2, 1, 3), bool)), ValueError, r"fnn.padding_mask"),
        (lambda: fnn.dot_product_attention(Q, Q, Q, mask=np.ones((1, 1, 1, 1, 3), bool)), ValueError, r"mask has shape"),
        (lambda: fnn.dot_product_attention(Q, Q, Q, softcap=0.0), ValueError, r"softcap is 0.0, expected a positive number"),
        (lambda: fnn.dot_product_attention(Q, Q, Q, scale="1"), TypeError, r"scale is '1', a str"),
        (lambda: fnn.dot_product_attention(Q, Q, Q, drop_rate=1.0), ValueError, r"drop_rate is 1.0"),
        (lambda: fnn.dot_product_attention(Q, Q, Q, mode=True), TypeError, r"the mode is True"),
        (lambda: fnn.padding_mask(np.ones(2), 3), TypeError, r"lengths is f64\[2\], expected an integer array"),
        (lambda: fnn.padding_mask([1, 2], 3), TypeError, r"lengths is a list"),
        (lambda: fnn.padding_mask(np.ones((2, 1), int), 3), ValueError, r"lengths has shape \(2, 1\)"),
        (lambda: fnn.padding_mask(np.array([1, 4]), 3), ValueError, r"numbers in \[0, 3\]"),
        (lambda: fnn.padding_mask(np.array([-1]), 3), ValueError, r"numbers in \[0, 3\]"),
        (
            lambda: fnn.attention(X, PARAMS, heads=2), TypeError,
            r"attention: params is .*expected AttentionParams; are arguments swap",
        ),
        (
            lambda: fnn.attention(PARAMS, X[0], heads=2), ValueError,
            r"x has shape \(3, 8\) but qkv is .*: expected \[batch, time, 8\]",
        ),
        (lambda: fnn.attention(PARAMS, X[..., :7], heads=2), ValueError, r"attention: x has shape \(2, 3, 7\)"),
        (lambda: fnn.attention(PARAMS, X, X[..., :7], heads=2), ValueError, r"attention: memory has shape \(2, 3, 7\)"),
        (
            lambda: fnn.attention(PARAMS, X.astype(float), heads=2), TypeError,
            r"attention: x is float64 but qkv.weight is float32",
        ),
        (lambda: fnn.attention(PARAMS, X, X.astype(float), heads=2), TypeError, r"attention: memory is float64"),
        (lambda: fnn.attention(PARAMS, X.astype(int), heads=2), TypeError, r"attention: x is i64"),
        (
            lambda: fnn.attention(PARAMS, X, heads=3), ValueError,
            r"heads is 3 and kv_heads 3, but qkv has 24 columns and out 8 rows",
        ),
        (lambda: fnn.attention(PARAMS, X, heads=2, kv_heads=1), ValueError, r"\(heads \+ 2 kv_heads\) head_dim columns"),
        (lambda: fnn.attention(PARAMS, X, heads=4, kv_heads=3), ValueError, r"kv_heads must divide heads"),
        (lambda: fnn.attention(PARAMS, X, heads=0), ValueError, r"heads is 0, expected at least 1"),
        (lambda: fnn.attention(PARAMS, X, heads=2.0), TypeError, r"heads is 2.0, a float, expected an int"),
        (lambda: fnn.attention(PARAMS, X, X, heads=2, rotary=True), ValueError, r"use it for self attention"),
        (
            lambda: fnn.attention(PARAMS, X, heads=2, positions=np.arange(3)), ValueError,
            r"positions are given but rotary is False",
        ),
        (lambda: fnn.attention(PARAMS, X, heads=2, rotary=True, positions=np.arange(4)), ValueError, r"rotary: positions"),
        (lambda: fnn.attention(PARAMS, X, X[:1], heads=2), ValueError, r"batch and head_dim"),
        (lambda: fnn.cached_attention(PARAMS, X, None, heads=2), TypeError, r"cache is None, expected a KVCache"),
        (lambda: fnn.cached_attention(PARAMS, X[:1], CACHE, heads=2), ValueError, r"the cache has shapes \(2, 0, 2, 4\)"),
        (lambda: fnn.cached_attention(PARAMS, X, fnn.KVCache.empty(2, 4, 2), heads=2), ValueError, r"expected \(2, 0, 2, 4\)"),
        (lambda: fnn.Attention(8, 3), ValueError, r"Attention: dim is 8 but heads is 3: heads must divide dim"),
        (lambda: fnn.Attention(0, 1), ValueError, r"Attention: dim is 0"),
        (lambda: fnn.Attention(8.0, 1), TypeError, r"Attention: dim is 8.0"),
        (lambda: fnn.Attention(8, 4, kv_heads=3), ValueError, r"Attention: kv_heads is 3 but heads is 4"),
        (lambda: fnn.Attention(8, 2, drop_rate=1.5), ValueError, r"Attention: drop_rate is 1.5"),
        (lambda: fnn.Attention(6, 2, rotary=True), ValueError, r"rotary turns pairs: it must be even"),
        (lambda: fnn.CrossAttention(8, 3), ValueError, r"CrossAttention: dim is 8 but heads is 3"),
        (lambda: fnn.CrossAttention(8, 2).forward(PARAMS, None, X, fnn.EVAL), TypeError, r"a ndarray, expected a tuple of two"),
        (
            lambda: fnn.DecoderBlock(8, 2).forward(None, None, (X,), fnn.EVAL), TypeError,
            r"DecoderBlock: the input is a tuple of 1",
        ),
        (lambda: fnn.DecoderBlock(8, 3), ValueError, r"dim is 8 but heads is 3"),
        (lambda: fnn.DecoderBlock(8, 2, hidden=0), ValueError, r"DecoderBlock: hidden is 0"),
        (lambda: fnn.DecoderBlock(8, 2, activation="gelu"), TypeError, r"DecoderBlock: activation is 'gelu'"),
        (lambda: fnn.encoder_block(8, 3), ValueError, r"dim is 8 but heads is 3"),
        (lambda: fnn.encoder_block(8, 2, drop_rate=-0.1), ValueError, r"drop_rate is -0.1"),
        (lambda: fnn.encoder_block("8", 2), TypeError, r"dim is '8'"),
        (lambda: fnn.encoder_block(8, 2, hidden=2.5), TypeError, r"2.5, a float, expected an int"),
    ],
)  # fmt: skip
def test_mistakes_are_told(call: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        call()
