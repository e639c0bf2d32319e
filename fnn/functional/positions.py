"""Positions of tokens, for layers that don't see order: sinusoids or a table added to x, and rotary embeddings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from fnn.arrays import Array2, Array3, Array4, Int1, Int2, Traced, Value, describe, read_only
from fnn.autodiff.primitive import KernelPull, fused
from fnn.autodiff.tracer import value_of
from fnn.functional.checks import check_array, check_int, check_not_wider, check_number
from fnn.functional.embedding import standard_normal
from fnn.initializers import Initializer, drawn
from fnn.random import Key
from fnn.tree import Record, show

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


def _angles(positions: Value, half: int, dim: int, base: float) -> Value:
    """positions * base^(-2i / dim) for i = 0 .. half - 1, in float64: large positions keep their phase."""
    return positions[..., np.newaxis] * float(base) ** (-2.0 / dim * np.arange(half))


# Sinusoids


def sinusoidal_positions(length: int, dim: int, /, *, offset: int = 0, dtype: DTypeLike = np.float32) -> Array2:
    """A vector for each position: sines and cosines of it with wavelengths from 2 pi to 10000 * 2 pi.

    y[t, 2i] = sin(p / 10000^(2i / dim)) and y[t, 2i + 1] = cos(p / 10000^(2i / dim)), where p = offset + t.

    Returns [length, dim]. Raises ValueError for a negative length or offset, or dim < 1.
    Source: Vaswani et al. 2017, section 3.5.

    >>> sinusoidal_positions(3, 4).round(2)
    array([[ 0.  ,  1.  ,  0.  ,  1.  ],
           [ 0.84,  0.54,  0.01,  1.  ],
           [ 0.91, -0.42,  0.02,  1.  ]], dtype=float32)
    """
    check_int("sinusoidal_positions", "length", length, 0)
    check_int("sinusoidal_positions", "dim", dim, 1)
    check_int("sinusoidal_positions", "offset", offset, 0)
    if np.dtype(dtype).kind != "f":
        raise TypeError(f"sinusoidal_positions: dtype is {np.dtype(dtype)}, expected a floating one, as np.float32")
    angles = _angles(np.arange(offset, offset + length), (dim + 1) // 2, dim, 10000.0)
    y: Any = np.empty((length, dim), dtype)
    y[:, 0::2] = np.sin(angles)
    y[:, 1::2] = np.cos(angles[:, : dim // 2])
    return y  # type: ignore[no-any-return]  # a Value is untyped


# A table


@dataclass(frozen=True, eq=False, repr=False)
class PositionParams(Record):
    """Parameters of learned positions: `table` [max_length, dim], a vector for each position.

    >>> import fnn
    >>> fnn.PositionParams.init(fnn.key(0), 64, 128)
    PositionParams(table=f32[64,128])
    """

    table: Array2

    @classmethod
    def init(cls, key: Key, max_length: int, dim: int, /, *, weight_init: Initializer = standard_normal) -> PositionParams:
        """New parameters: standard normal unless told otherwise, as those of an embedding."""
        return PositionParams(drawn("PositionParams.init", weight_init, key, (max_length, dim)))


def add_positions(params: PositionParams, x: Array3, /, *, offset: int = 0) -> Array3:
    """x[b, t] + table[offset + t]: the vectors of its positions added to each sequence.

    x: [batch, time, dim]. offset is the position of the first step: when text is generated step by step, the number of
    steps that went before.

    Raises ValueError where offset + time exceeds the table's max_length or the shapes don't fit, TypeError where x is
    not floating, or is wider than the table.

    >>> p = PositionParams(np.array([[0.5], [0.25], [0.125]]))
    >>> add_positions(p, np.ones((1, 2, 1)), offset=1).tolist()
    [[[1.25], [1.125]]]
    """
    if not isinstance(params, PositionParams):
        raise TypeError(f"add_positions: params is {show(params)}, expected PositionParams; are arguments swapped?")
    table: Value = params.table
    v, w = value_of(x), value_of(table)
    check_array("add_positions", "x", v)
    check_array("add_positions", "table", w)
    check_not_wider("add_positions", "x", v, "table", w)
    check_int("add_positions", "offset", offset, 0)
    if w.ndim != 2 or v.ndim != 3 or v.shape[-1] != w.shape[1]:
        raise ValueError(
            f"add_positions: x has shape {v.shape} but table is {w.shape}: x must be [batch, time, dim] and table "
            "[max_length, dim]"
        )
    end = offset + v.shape[1]
    if end > len(w):
        where = f" from position {offset} on" if offset else ""
        raise ValueError(
            f"add_positions: x has {v.shape[1]} steps{where} but the table has {len(w)} positions; cut x to the last ones, "
            "or make the table longer"
        )
    y: Array3 = x + (table if end - offset == len(w) else table[offset:end])
    return y


# Rotary embeddings


def _parts(x: Value, half: int, interleaved: bool) -> tuple[Value, Value]:
    """The first and the second component of each pair that is turned, views of x."""
    if interleaved:
        return x[..., 0 : 2 * half : 2], x[..., 1 : 2 * half : 2]
    return x[..., :half], x[..., half : 2 * half]


def _rotary_reference(x: Value, cos: Value, sin: Value, *, half: int, interleaved: bool) -> Value:
    a, b = _parts(x, half, interleaved)
    if interleaved:
        a, b = x[..., :0], np.stack([b, a], -1).reshape((*x.shape[:-1], 2 * half))
    return x * cos + np.concatenate([b, a, np.zeros_like(x[..., 2 * half :])], -1) * sin


@fused(1, _rotary_reference)
def _rotary(x: Value, cos: Value, sin: Value, *, half: int, interleaved: bool) -> tuple[Value, KernelPull]:
    # Each pair (a, b) is turned by its angle p, to (a cos p - b sin p, b cos p + a sin p): with (b, a) the swapped pairs,
    # y = x cos + swapped(x) sin, where the table sin holds (-sin p, sin p), and for features beyond the pairs cos is 1, sin 0.
    # A rotation is orthogonal, so its transpose, which maps cotangents back, turns by -p: the same with -sin.
    def turn(x: Value, sin: Value) -> Value:
        y = x * cos
        swapped = np.zeros(x.shape, x.dtype)
        (a, b), (c, d) = _parts(x, half, interleaved), _parts(swapped, half, interleaved)
        c[...] = b
        d[...] = a
        swapped *= sin
        y += swapped
        return y

    return turn(x, sin), lambda g, wanted: (turn(g, -sin),)


def _tables(
    positions: Value, head_dim: int, half: int, base: float, interleaved: bool, dtype: np.dtype[Any]
) -> tuple[Value, Value]:
    """The tables cos and sin of the kernel above for some positions, [..., time, 1, head_dim]."""
    angles = _angles(positions, half, 2 * half, base)[..., np.newaxis, :]
    shape = (*angles.shape[:-1], head_dim)
    cos, sin = np.ones(shape, dtype), np.zeros(shape, dtype)
    (a, b), (c, d) = _parts(cos, half, interleaved), _parts(sin, half, interleaved)
    a[...] = b[...] = np.cos(angles)
    d[...] = np.sin(angles)
    np.negative(d, out=c)
    return read_only(cos), read_only(sin)


@lru_cache(maxsize=16)
def _tables_from_0(time: int, *options: Any) -> tuple[Value, Value]:
    """The same for positions 0 .. time - 1, kept because every layer and every step asks for it again."""
    return _tables(np.arange(time), *options)


def rotary(
    x: Array4,
    positions: Int1 | Int2 | None = None,
    /,
    *,
    base: float = 10000.0,
    interleaved: bool = False,
    rotary_dim: int | None = None,
) -> Array4:
    """Rotary position embedding: pairs of features turned by an angle that grows with the position.

    Pair i of the token at position p is turned by p * base^(-2i / rotary_dim), so that the product of a query and a key
    depends on the distance of their positions alone. Features from rotary_dim on stay as they are; it is head_dim unless
    told otherwise.

    Pair i is (x[i], x[i + rotary_dim / 2]), as in GPT-NeoX and Llama as most frameworks hold it; with interleaved=True it
    is (x[2i], x[2i + 1]), as in the paper and GPT-J.

    x: [batch, time, heads, head_dim], queries or keys. positions: integers [time] or [batch, time], 0 .. time - 1 unless
    told otherwise.

    Raises ValueError where shapes don't fit, rotary_dim is odd or larger than head_dim, or base is not positive; TypeError
    where x is not floating or positions are not integers. Source: Su et al. 2021, equation 34.

    >>> rotary(np.ones((1, 3, 1, 2)))[0, :, 0].round(2)
    array([[ 1.  ,  1.  ],
           [-0.3 ,  1.38],
           [-1.33,  0.49]])
    """
    v = value_of(x)
    check_array("rotary", "x", v)
    if v.ndim != 4:
        raise ValueError(f"rotary: x has shape {v.shape}, expected [batch, time, heads, head_dim]")
    _, time, heads, head_dim = v.shape
    n = head_dim if rotary_dim is None else rotary_dim
    check_int("rotary", "rotary_dim", n, 2)
    if n % 2 or n > head_dim:
        raise ValueError(f"rotary: rotary_dim is {n}, expected an even number up to head_dim, {head_dim}: it counts pairs")
    check_number("rotary", "base", base)
    if not 0 < base < float("inf"):
        raise ValueError(f"rotary: base is {base}, expected a positive number")
    options = head_dim, n // 2, float(base), bool(interleaved), v.dtype
    if positions is None:
        cos, sin = _tables_from_0(time, *options)
    else:
        _check_positions(positions, v)
        cos, sin = _tables(positions, *options)
    cos, sin = _for_heads(cos, sin, heads)
    return _rotary(x, cos, sin, half=n // 2, interleaved=bool(interleaved))  # type: ignore[no-any-return]  # a Value is untyped


def _for_heads(cos: Value, sin: Value, heads: int) -> tuple[Value, Value]:
    """Tables as x is in memory, repeated for all heads: NumPy runs over them several times as fast."""
    return np.repeat(cos, heads, -2), np.repeat(sin, heads, -2)


def rotary_vjp(x: Value, /, *, base: float = 10000.0) -> tuple[Value, Callable[[Value], Value]]:
    """rotary(x, base=base) and its pullback, of arrays that were checked before."""
    _, time, heads, head_dim = x.shape
    half = head_dim // 2
    cos, sin = _for_heads(*_tables_from_0(time, head_dim, half, base, False, x.dtype), heads)
    y, pull = _rotary.vjp(x, cos, sin, half=half, interleaved=False)  # type: ignore[attr-defined]  # see fused
    return y, pull


def _check_positions(positions: Value, x: Value) -> None:
    if not isinstance(positions, np.ndarray) or positions.dtype.kind not in "iu":
        known = isinstance(positions, (np.ndarray, np.generic, Traced))
        found = describe(positions) if known else f"a {type(positions).__name__}"
        raise TypeError(f"rotary: positions are {found}, expected an array of integers, as np.arange(time)")
    if positions.shape not in (x.shape[:2], x.shape[1:2]):
        raise ValueError(
            f"rotary: positions have shape {positions.shape} but x is {x.shape}: expected ({x.shape[1]},) or {x.shape[:2]}, "
            "[time] or [batch, time]"
        )
