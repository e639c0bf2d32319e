"""The kernel of attention: in blocks of rows, so that its memory grows with the times and not with their product."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from fnn.arrays import Value, largest, ones, read_only
from fnn.autodiff.primitive import fused
from fnn.autodiff.tape import sum_to
from fnn.autodiff.tracer import value_of
from fnn.functional.score_products import add_by_keys, by_rows, keys_by_rows, keys_first, scaled_columns
from fnn.random import Key

# Scores that are computed at a time: what fits into the cache of a core, but those of so many rows at the least. Where all of
# them together are not more than KEPT, they are kept for the backward pass, which else computes them again.
_BLOCK = 2**17
_BLOCK_ROWS = 128
KEPT = 2**20
# Rows of a block at the least, however long they are: a product of few rows is slow.
_ROWS = 16
# Blocks of causal attention have few rows, so that they compute little that lies in the future of a row: so many, or a
# fraction of all, or those of so many scores.
_CAUSAL_ROWS = 32
_CAUSAL_FRACTION = 16
_CAUSAL_SCORES = 2**16


def block_size(memory_time: int) -> int:
    """The number of scores to compute at a time."""
    return max(_BLOCK, _BLOCK_ROWS * memory_time)


class _Block(NamedTuple):
    """All scores of some rows: of these examples, heads of the keys (with all their queries' heads) and times."""

    examples: slice
    heads: slice
    times: slice

    @property
    def rows(self) -> tuple[slice, ...]:
        """Where its rows are in [batch, kv_heads, group, time, ...]."""
        return self.examples, self.heads, slice(None), self.times


def _blocks(
    batch: int, kv_heads: int, group: int, time: int, memory_time: int, size: int, most: int | None = None
) -> Iterator[_Block]:
    """Blocks of about `size` scores: as many times (at most `most`), then heads, then examples as fit."""
    row = max(group * memory_time, 1)
    times = max(min(time if most is None else min(time, most), max(size // row, _ROWS)), 1)
    heads = min(kv_heads, max(size // (row * times), 1))
    examples = max(size // (row * times * heads), 1) if heads == kv_heads else 1
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


@lru_cache(maxsize=64)
def _future(times: int, keys: int, offset: int, dtype: np.dtype[Any]) -> Value:
    """[times, keys], -inf where a query would look beyond its own place, time + offset; 0 elsewhere. Kept, because blocks,
    layers and steps ask for the same; it lies in memory as scores do, keys first."""
    ahead = np.arange(keys)[:, np.newaxis] > np.arange(times) + offset
    return read_only(np.where(ahead, np.asarray(-np.inf, dtype), np.asarray(0, dtype))).T


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
        s = s + _future(time, memory_time, memory_time - time, s.dtype)
    top = largest(value_of(s), -1, keepdims=True, initial=-np.inf)
    p = np.exp(s - np.where(np.isneginf(top), 0, top))
    mass = np.sum(p, -1, keepdims=True)
    p = p / (mass + (value_of(mass) == 0))
    if drop:
        keep = _draw(*drop, 0, batch * heads * time * memory_time).reshape(batch, heads, time, memory_time)
        p = p * (keep * np.asarray(1 / (1 - drop[1]), p.dtype))
    return np.transpose(p @ np.transpose(v, (0, 2, 1, 3)), (0, 2, 1, 3))


class _Weights(NamedTuple):
    """Of a block, [keys, ...]: the probabilities, those that are kept, the factors that drop them (None: there are none), and
    tanh(z / softcap)."""

    p: Value
    kept: Value
    factors: Value
    squashed: Value


class _Scores:
    """The weights of any block: what forward computes, and backward again.

    Heads that share keys are rows of one product, so arrays are [batch, kv_heads, group, time, ...]; scores are laid out as
    `score_products` says.
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
        shape = self.batch, self.kv_heads, self.group, self.time, self.memory_time
        few = _CAUSAL_SCORES // max(self.batch * self.heads * self.memory_time, 1)
        most = max(_CAUSAL_ROWS, self.time // _CAUSAL_FRACTION, few)
        return list(_blocks(*shape, size, most if self.causal else None))

    def columns(self, at: _Block) -> int:
        """How many keys the block looks at: none that lie in the future of all its rows."""
        return max(at.times.stop + self.offset, 0) if self.causal else self.memory_time

    def in_mask(self, at: _Block, n: int) -> tuple[slice, ...]:
        """Where the mask of the block's scores is: an axis of 1 is for all."""
        return tuple([slice(None) if m == 1 else part for m, part in zip(self.mask.shape, (*at.rows, slice(n)), strict=True)])

    def weights(self, at: _Block, n: int, norms: Any = None) -> tuple[_Weights, Any]:
        """What the block computes of the first n keys; and the largest score of each row and 1 / its sum, computed where they
        are not given."""
        s = keys_by_rows(self.k[at.examples, at.heads, :n], scaled_columns(self.q[at.rows], self.scale))
        squashed = None
        if self.softcap is not None:
            s *= 1 / self.softcap
            squashed = np.tanh(s, out=s)
            s = squashed * self.softcap
        if self.mask is not None:
            s += keys_first(_additive(self.mask[self.in_mask(at, n)], s.dtype))
        if self.causal:
            seen = max(at.times.start + self.offset + 1, 0)  # by all rows of the block
            future = _future(at.times.stop - at.times.start, n - seen, at.times.start + self.offset - seen, s.dtype)
            s[seen:] += keys_first(future[np.newaxis, np.newaxis, np.newaxis])
        top = self.largest(s) if norms is None else norms[0]
        s -= top
        p = np.exp(s, out=s)
        inverse = self.inverse_sums(p) if norms is None else norms[1]
        p *= inverse
        factors = self.factors(at, n, p.dtype)
        return _Weights(p, p if factors is None else p * factors, factors, squashed), (top, inverse)

    def largest(self, s: Value) -> Value:
        """The largest score of each row; 0 where it sees nothing."""
        top = largest(s, 0)
        if self.may_be_blind:
            top[np.isneginf(top)] = 0
        return top

    def inverse_sums(self, w: Value) -> Value:
        """1 / the sum of each row; 1 where it sees nothing."""
        mass = ones(len(w), w.dtype).dot(w.reshape(len(w), -1)).reshape(w.shape[1:])
        if self.may_be_blind:
            mass[mass == 0] = 1
        return 1 / mass

    def factors(self, at: _Block, n: int, dtype: Any) -> Value:
        """0 for a probability that is dropped, else 1 / (1 - drop_rate); None: none is dropped. Those of the full matrix are
        numbered row by row."""
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
        kept = drawn.reshape(*[part.stop - (part.start or 0) for part in rows], self.memory_time)[..., :n]
        return np.multiply(keys_first(kept), np.asarray(1 / (1 - self.drop[1]), dtype), order="C")


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
) -> tuple[Value, Callable[..., Sequence[Value | None]]]:
    # For one head, with rows q_i, k_j, v_j, the cotangent g_i of y_i, and m_ij = 1 / (1 - drop_rate) or 0 (dropped):
    #   z_ij = scale q_i.k_j;  s_ij = z_ij + mask_ij, or softcap tanh(z_ij / softcap) + mask_ij
    #   w_ij = exp(s_ij - max_j s_ij);  l_i = sum_j w_ij;  p_ij = w_ij / l_i;  y_i = sum_j m_ij p_ij v_j
    # Backward, where D_i = sum_j p_ij dp_ij = g_i.y_i, because dp_ij = m_ij g_i.v_j (Dao et al. 2022, appendix B):
    #   dv_j = sum_i m_ij p_ij g_i;  ds_ij = p_ij (dp_ij - D_i);  dmask = ds;  dz_ij = ds_ij (1 - tanh^2)
    #   dq_i = scale sum_j dz_ij k_j;  dk_j = scale sum_i dz_ij q_i
    # dp and D have the factor scale already, unless the mask asks for ds without it.
    #
    # A block has whole rows, so its softmax needs no other block. For backward a row keeps max_j s_ij and 1 / l_i.
    make = _Scores(q, k, mask[0] if mask else None, scale, causal, softcap, drop)
    y = np.empty((*q.shape[:3], v.shape[3]), q.dtype)
    y5, v4 = make.by_head(y), v.transpose(0, 2, 1, 3)
    blocks = make.blocks(block)
    keep_all = q.shape[0] * q.shape[1] * q.shape[2] * k.shape[1] <= kept
    saved: list[Any] = []
    for at in blocks:
        n = make.columns(at)
        if n == 0:  # nothing to see
            y5[at.rows] = 0
            saved.append(None)
            continue
        made, norms = make.weights(at, n)
        by_rows(made.kept, v4[at.examples, at.heads, :n], y5[at.rows])
        saved.append((n, norms, made if keep_all else None))

    def pull(g: Value, wanted: Sequence[bool], into: Sequence[Value] = (None, None, None)) -> Sequence[Value | None]:
        """The cotangents, those of q, k and v in the arrays `into`, if given."""
        dq, dk, dv = (
            (np.empty(a.shape, a.dtype) if out is None else out) if want else None
            for a, want, out in zip((q, k, v), wanted, into, strict=False)
        )
        dmask = np.zeros(make.mask.shape, make.mask.dtype) if len(wanted) > 3 and wanted[3] else None
        factor = scale if dmask is None else 1.0
        g5, d = make.by_head(g), make.by_head(np.einsum("bthf,bthf->bth", g, y)[..., np.newaxis])[..., 0]
        if not blocks:
            for part in (dq, dk, dv):
                if part is not None:
                    part[...] = 0
        # The last block of some heads sees all keys that any of them sees; it comes first, so that others add to what it has.
        for at, forward in zip(reversed(blocks), reversed(saved), strict=True):
            is_first = at.times.stop == make.time
            if forward is None:
                if dq is not None:
                    make.by_head(dq)[at.rows] = 0
                continue
            n, norms, made = forward
            p, kept_p, factors, squashed = made or make.weights(at, n, norms)[0]
            rows, heads = g5[at.rows], (at.examples, at.heads)
            if dv is not None:
                add_by_keys(kept_p, rows, dv.transpose(0, 2, 1, 3)[heads], is_first)
            ds = keys_by_rows(v4[at.examples, at.heads, :n], scaled_columns(rows, factor))
            if factors is not None:
                ds *= factors
            ds -= np.multiply(d[at.rows], factor, order="C")
            ds *= p
            if dmask is not None:
                part = dmask[make.in_mask(at, n)]
                part += sum_to(ds.transpose(1, 2, 3, 4, 0), part.shape)
                ds *= scale
            if squashed is not None:
                ds *= 1 - squashed * squashed
            if dq is not None:
                by_rows(ds, make.k[at.examples, at.heads, :n], make.by_head(dq)[at.rows])
            if dk is not None:
                add_by_keys(ds, make.q[at.rows], dk.transpose(0, 2, 1, 3)[heads], is_first)
        return (dq, dk, dv, None if dmask is None else dmask.reshape(mask[0].shape))[: len(wanted)]

    return y, pull


attend = fused(3, _reference)(_attend)
masked_attend = fused(4, _reference)(_attend)
