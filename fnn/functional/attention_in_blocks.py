"""The kernel of attention: in blocks of rows, so that its memory grows with the times and not with their product."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from fnn.arrays import Value, largest
from fnn.autodiff.primitive import fused
from fnn.autodiff.tape import sum_to
from fnn.autodiff.tracer import value_of
from fnn.random import Key

# Scores that are computed at a time: what fits into the cache of a core. Where all of them together are not more than
# KEPT, they are kept for the backward pass, which else computes them again.
BLOCK = 2**18
KEPT = 2**20
# rows of a block at the least, however long they are: a product of few rows is slow
_ROWS = 16


class _Block(NamedTuple):
    """All scores of some rows: of these examples, heads of the keys (with all their queries' heads) and times."""

    examples: slice
    heads: slice
    times: slice

    @property
    def rows(self) -> tuple[slice, ...]:
        """Where its rows are in [batch, kv_heads, group, time, ...]."""
        return self.examples, self.heads, slice(None), self.times


def _blocks(batch: int, kv_heads: int, group: int, time: int, memory_time: int, size: int) -> Iterator[_Block]:
    """Blocks of about `size` scores: of several examples, else of one and several heads, else of one head and some times."""
    row = max(group * memory_time, 1)
    times = max(min(time, max(size // row, _ROWS)), 1)
    heads = min(kv_heads, max(size // (row * times), 1)) if times >= time else 1
    examples = max(size // (row * times * heads), 1) if times >= time and heads == kv_heads else 1
    for i in range(0, batch, examples):
        for j in range(0, kv_heads, heads):
            for t in range(0, time, times):
                yield _Block(
                    slice(i, min(i + examples, batch)), slice(j, min(j + heads, kv_heads)), slice(t, min(t + times, time))
                )


def _draw(key: Key, drop_rate: float, start: int, stop: int) -> Value:
    """Which of the probabilities number start to stop are kept: the same whether they are drawn in one piece or in many."""
    generator = key.generator()
    bits: Any = generator.bit_generator
    bits.advance(start // 2)  # one draw of PCG64 makes two float32 numbers
    return generator.random(stop - start + start % 2, np.float32)[start % 2 :] >= drop_rate


def _future(times: slice, columns: range, offset: int, dtype: Any) -> Value:
    """-inf where a query would look beyond its own place, time + offset; 0 elsewhere."""
    ahead = np.arange(columns.start, columns.stop) > np.arange(times.start, times.stop)[:, np.newaxis] + offset
    return np.where(ahead, np.asarray(-np.inf, dtype), np.asarray(0, dtype))


def _additive(mask: Value, dtype: Any) -> Value:
    """What is added to the scores: a mask of numbers itself."""
    return np.where(mask, np.asarray(0, dtype), np.asarray(-np.inf, dtype)) if mask.dtype == bool else mask


def _reference(
    q: Value,
    k: Value,
    v: Value,
    *mask: Value,
    scale: float,
    causal: bool,
    softcap: float | None,
    drop: tuple[Key, float] | None,
    block: int,
    kept: int,
) -> Value:
    batch, time, heads, _ = q.shape
    memory_time, kv_heads = k.shape[1:3]
    k, v = (np.repeat(a, heads // kv_heads, axis=2) for a in (k, v))
    s = np.transpose(q * scale, (0, 2, 1, 3)) @ np.transpose(k, (0, 2, 3, 1))
    if softcap is not None:
        s = np.tanh(s * (1 / softcap)) * softcap
    if mask:
        s = s + _additive(mask[0], s.dtype)
    if causal:
        s = s + _future(slice(0, time), range(memory_time), memory_time - time, s.dtype)
    top = largest(value_of(s), -1, keepdims=True, initial=-np.inf)
    p = np.exp(s - np.where(np.isneginf(top), 0, top))
    mass = np.sum(p, -1, keepdims=True)
    p = p / (mass + (value_of(mass) == 0))
    if drop:
        keep = _draw(*drop, 0, batch * heads * time * memory_time).reshape(batch, heads, time, memory_time)
        p = p * (keep * np.asarray(1 / (1 - drop[1]), p.dtype))
    return np.transpose(p @ np.transpose(v, (0, 2, 1, 3)), (0, 2, 1, 3))


class _Weights(NamedTuple):
    """Of a block: scaled queries, exp(scores - largest), tanh(z / softcap), which are kept (None: all), and those alone."""

    queries: Value
    w: Value
    squashed: Value
    keep: Value
    kept: Value


class _Scores:
    """The weights of any block: what forward computes, and backward again.

    Heads that share keys are rows of one product, so arrays are [batch, kv_heads, group, time, ...].
    """

    def __init__(
        self,
        q: Value,
        k: Value,
        mask: Value | None,
        scale: float,
        causal: bool,
        softcap: float | None,
        drop: tuple[Key, float] | None,
    ) -> None:
        self.batch: int
        self.time: int
        self.memory_time: int
        self.batch, self.time, self.heads, _ = q.shape
        _, self.memory_time, self.kv_heads, _ = k.shape
        self.group = self.heads // self.kv_heads
        self.offset = self.memory_time - self.time
        self.q, self.k = self.by_head(q), k.transpose(0, 2, 1, 3)
        self.scale, self.causal, self.softcap, self.drop = scale, causal, softcap, drop
        # Whether a row may see nothing; its maximum is -inf and its sum 0.
        self.may_be_blind = mask is not None or (causal and self.offset < 0)
        self.mask: Value = None
        if mask is not None:
            examples, heads, *times = (1,) * (4 - mask.ndim) + mask.shape
            self.mask = mask.reshape(examples, *((1, 1) if heads == 1 else (self.kv_heads, self.group)), *times)

    def by_head(self, x: Value) -> Value:
        """[batch, time, heads, n] as [batch, kv_heads, group, time, n], a view."""
        return x.reshape(self.batch, self.time, self.kv_heads, self.group, x.shape[3]).transpose(0, 2, 3, 1, 4)

    def blocks(self, size: int) -> list[_Block]:
        return list(_blocks(self.batch, self.kv_heads, self.group, self.time, self.memory_time, size))

    def columns(self, at: _Block) -> int:
        """How many keys the block looks at: none that lie in the future of all its rows."""
        return max(at.times.stop + self.offset, 0) if self.causal else self.memory_time

    def in_mask(self, at: _Block, n: int) -> tuple[slice, ...]:
        """Where the mask of the block's scores is: an axis of 1 is for all."""
        return tuple([slice(None) if m == 1 else part for m, part in zip(self.mask.shape, (*at.rows, slice(n)), strict=True)])

    def weights(self, at: _Block, n: int, top: Value = None) -> tuple[_Weights, Value]:
        """What the block computes of the first n keys, and the largest score of each row, computed where it is not given."""
        queries = np.multiply(self.q[at.rows], self.scale, order="C")
        shape = queries.shape[:4]
        queries = queries.reshape(*shape[:2], shape[2] * shape[3], queries.shape[4])
        s = (queries @ self.k[at.examples, at.heads, :n].swapaxes(2, 3)).reshape(*shape, n)
        squashed = None
        if self.softcap is not None:
            s *= 1 / self.softcap
            squashed = np.tanh(s, out=s)
            s = squashed * self.softcap
        if self.mask is not None:
            s += _additive(self.mask[self.in_mask(at, n)], s.dtype)
        if self.causal:
            seen = max(at.times.start + self.offset + 1, 0)  # by all rows of the block
            s[..., seen:] += _future(at.times, range(seen, n), self.offset, s.dtype)
        if top is None:
            top = largest(s, -1, keepdims=True)
            if self.may_be_blind:
                top[np.isneginf(top)] = 0
        s -= top
        w = np.exp(s, out=s)
        keep = self.keep(at, n)
        return _Weights(queries, w, squashed, keep, w if keep is None else w * keep), top

    def keep(self, at: _Block, n: int) -> Value:
        """Which probabilities are kept; None for all. Those of the full matrix are numbered row by row."""
        if self.drop is None:
            return None
        first = at.examples.start * self.heads + at.heads.start * self.group
        last = (at.examples.stop - 1) * self.heads + at.heads.stop * self.group
        start, stop, head = at.times.start * self.memory_time, at.times.stop * self.memory_time, self.time * self.memory_time
        if stop - start == head:
            drawn = _draw(*self.drop, first * head, last * head)
        else:
            drawn = np.concatenate([_draw(*self.drop, h * head + start, h * head + stop) for h in range(first, last)])
        rows = (at.examples, at.heads, slice(self.group), at.times)
        return drawn.reshape(*[part.stop - (part.start or 0) for part in rows], self.memory_time)[..., :n]


def _attend(
    q: Value,
    k: Value,
    v: Value,
    *mask: Value,
    scale: float,
    causal: bool,
    softcap: float | None,
    drop: tuple[Key, float] | None,
    block: int,
    kept: int,
) -> tuple[Value, Callable[[Value, Sequence[bool]], Sequence[Value | None]]]:
    # For one head, with rows q_i, k_j, v_j, the cotangent g_i of y_i, and m_ij = 1 / (1 - drop_rate) or 0 (dropped):
    #   z_ij = scale q_i.k_j;  s_ij = z_ij + mask_ij, or softcap tanh(z_ij / softcap) + mask_ij
    #   w_ij = exp(s_ij - max_j s_ij);  l_i = sum_j w_ij;  p_ij = w_ij / l_i;  y_i = sum_j m_ij p_ij v_j
    # Backward, where D_i = sum_j p_ij dp_ij = g_i.y_i, because dp_ij = m_ij g_i.v_j (Dao et al. 2022, appendix B):
    #   dv_j = sum_i m_ij p_ij g_i;  ds_ij = p_ij (dp_ij - D_i);  dmask = ds;  dz_ij = ds_ij (1 - tanh^2)
    #   dq_i = scale sum_j dz_ij k_j;  dk_j = scale sum_i dz_ij q_i
    # Neither p nor m p is ever made: what is divided by l_i and by 1 - drop_rate are y_i and g_i, which are shorter. So the
    # code has h_i = g_i / (l_i (1 - drop_rate)) and ds_ij = w_ij ((h_i.v_j, or 0 where dropped) - D_i / l_i).
    #
    # A block has whole rows, so its softmax needs no other block. For backward a row keeps max_j s_ij and 1 / l_i.
    make = _Scores(q, k, mask[0] if mask else None, scale, causal, softcap, drop)
    survive = 1 - drop[1] if drop else 1.0
    y = np.zeros((*q.shape[:3], v.shape[3]), q.dtype)
    y5, v4 = make.by_head(y), v.transpose(0, 2, 1, 3)
    blocks = make.blocks(block)
    keep_all = q.shape[0] * q.shape[1] * q.shape[2] * k.shape[1] <= kept
    saved: list[Any] = []
    for at in blocks:
        n = make.columns(at)
        if n == 0:  # nothing to see: y stays 0
            saved.append(None)
            continue
        made, top = make.weights(at, n)
        mass = made.w @ np.ones((n, 1), q.dtype)  # five times as fast as the sum of short rows
        if make.may_be_blind:
            mass[mass == 0] = 1
        inverse = 1 / mass
        np.matmul(made.kept, v4[at.examples, at.heads, np.newaxis, :n], out=y5[at.rows])
        # in the order in which y lies in memory
        rows = y5[at.rows].transpose(0, 3, 1, 2, 4)
        rows *= (inverse / survive if drop else inverse).transpose(0, 3, 1, 2, 4)
        saved.append((n, top, inverse, made if keep_all else None))

    def pull(g: Value, wanted: Sequence[bool]) -> Sequence[Value | None]:
        dq, dk, dv = (np.zeros(a.shape, a.dtype) if want else None for a, want in zip((q, k, v), wanted, strict=False))
        dmask = np.zeros(make.mask.shape, make.mask.dtype) if len(wanted) > 3 and wanted[3] else None
        g5, slope = make.by_head(g), make.by_head(np.einsum("bthf,bthf->bth", g, y)[..., np.newaxis])
        for at, forward in zip(blocks, saved, strict=True):
            if forward is None:
                continue
            n, top, inverse, made = forward
            queries, w, squashed, keep, kept_w = made or make.weights(at, n, top)[0]
            by_group = (*w.shape[:2], w.shape[2] * w.shape[3])
            h = np.multiply(g5[at.rows], inverse / survive if drop else inverse, order="C").reshape(*by_group, v.shape[3])
            if dv is not None:
                _add_product(kept_w.reshape(*by_group, n), h, dv, at, n)
            ds = (h @ v4[at.examples, at.heads, :n].swapaxes(2, 3)).reshape(w.shape)
            if keep is not None:
                ds *= keep
            ds -= slope[at.rows] * inverse
            ds *= w
            if dmask is not None:
                part = dmask[make.in_mask(at, n)]
                part += sum_to(ds, part.shape)
            if squashed is not None:
                ds *= 1 - squashed * squashed
            if dq is not None:
                np.matmul(ds, make.k[at.examples, at.heads, np.newaxis, :n], out=make.by_head(dq)[at.rows])
            if dk is not None:
                _add_product(ds.reshape(*by_group, n), queries, dk, at, n)
        if dq is not None:
            dq *= scale
        return (dq, dk, dv, None if dmask is None else dmask.reshape(mask[0].shape))[: len(wanted)]

    return y, pull


def _add_product(a: Value, b: Value, out: Value, at: _Block, n: int) -> None:
    """a^T b, added to the first n times of the block's heads of out, [batch, memory_time, kv_heads, ...]."""
    part = out.transpose(0, 2, 1, 3)[at.examples, at.heads, :n]
    if at.times.start == 0:  # nothing was added before
        np.matmul(a.swapaxes(2, 3), b, out=part)
    else:
        part += a.swapaxes(2, 3) @ b


attend = fused(3, _reference)(_attend)
masked_attend = fused(4, _reference)(_attend)
