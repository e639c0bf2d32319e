"""What a sliding window is, for n spatial axes: its size, stride, dilation and padding; for convolution and pooling.

Arrays are [batch, *spatial, channels]. A window of `kernel` taps that lie `dilation` apart covers dilation * (kernel - 1) + 1
positions; `stride` is the step from one window to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided

from fnn.arrays import Value
from fnn.functional.checks import check_int

# One number for all spatial axes, or one for each.
Sizes: TypeAlias = int | tuple[int, ...]
# "same": ceil(n / stride) outputs; "valid": no padding; "causal" (one spatial axis): everything before the first step; an
# int: as many zeros on every side; a tuple with an int or a pair (before, after) for each spatial axis.
Padding: TypeAlias = Literal["same", "valid", "causal"] | int | tuple[int | tuple[int, int], ...]
Pairs: TypeAlias = tuple[tuple[int, int], ...]
# From a block, of some images and some rows, to the array that it is written to.
Place: TypeAlias = Callable[[slice, slice], Value]

# How many bytes are worked on at a time: between half and twice this measured the same.
BLOCK = 2_000_000


def spatial_tuple(name: str, what: str, value: Sizes, n: int, low: int = 1) -> tuple[int, ...]:
    """n ints of at least `low`: the same for all n spatial axes, or a tuple of one for each."""
    if not isinstance(value, (tuple, list)):
        if not isinstance(value, int):
            tuples = "" if n == 1 else f" or a tuple of {n} ints"
            raise TypeError(f"{name}: {what} is {value!r}, a {type(value).__name__}, expected an int{tuples}")
        return (check_int(name, what, value, low),) * n
    if len(value) != n:
        raise ValueError(f"{name}: {what} is {value!r}, expected an int or a tuple of {n}, one for each spatial axis")
    return tuple([check_int(name, f"{what}[{i}]", k, low) for i, k in enumerate(value)])


def check_padding(name: str, padding: Padding, n: int) -> Literal["same", "valid", "causal"] | Pairs:
    """The padding with pairs in place of numbers; an error unless it is one for n spatial axes."""
    if isinstance(padding, str):
        if padding == "causal" and n > 1:
            raise ValueError(f'{name}: padding is "causal", which is for one spatial axis (time), and x has {n}')
        known = ("same", "valid", "causal")[: 3 if n == 1 else 2]
        if padding not in known:
            raise ValueError(f"{name}: padding is {padding!r}, expected one of {', '.join(map(repr, known))}, or numbers")
        return padding
    if not isinstance(padding, (tuple, list)):
        side = check_int(name, "padding", padding, 0)
        return ((side, side),) * n
    if len(padding) != n:
        meant = f"; for zeros before and after write ({padding!r},)" if n == 1 and len(padding) == 2 else ""
        raise ValueError(
            f"{name}: padding is {padding!r}, expected an int, or a tuple of {n}: an int or a pair for each spatial axis{meant}"
        )
    pairs: list[tuple[int, int]] = []
    for i, sides in enumerate(padding):
        pair = tuple(sides) if isinstance(sides, (tuple, list)) else (sides, sides)
        if len(pair) != 2:
            raise ValueError(f"{name}: padding[{i}] is {sides!r}, expected an int or a pair (before, after)")
        pairs.append((check_int(name, f"padding[{i}]", pair[0], 0), check_int(name, f"padding[{i}]", pair[1], 0)))
    return tuple(pairs)


def resolve_padding(
    name: str,
    padding: Padding,
    sizes: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> Pairs:
    """How many zeros stand before and after each spatial axis; ValueError where no window fits into the padded input.

    "same" gives ceil(size / stride) outputs, and the odd zero stands at the end, as in JAX and in ONNX's SAME_UPPER.

    >>> resolve_padding("f", "same", (5, 6), (3, 3), (1, 2), (1, 1))
    ((1, 1), (0, 1))
    """
    padding = check_padding(name, padding, len(sizes))
    axes = tuple(zip(sizes, kernel, stride, dilation, strict=True))
    if padding == "same":
        missing = [max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n) for n, k, s, d in axes]
        return tuple([(total // 2, total - total // 2) for total in missing])
    if padding == "causal":
        pairs: Pairs = tuple([(d * (k - 1), 0) for _, k, _, d in axes])
    elif padding == "valid":
        pairs = ((0, 0),) * len(sizes)
    else:
        pairs = padding
    for (n, k, _, d), (before, after) in zip(axes, pairs, strict=True):
        if d * (k - 1) + 1 > before + n + after:
            raise ValueError(
                f"{name}: x has spatial shape {sizes}, padded by {pairs}, and a window of {kernel} taps, {dilation} apart, "
                "does not fit into that; pad more, or take a smaller window"
            )
    return pairs


def output_size(n: int, pad: tuple[int, int], kernel: int, stride: int, dilation: int) -> int:
    """The number of windows along an axis of size n, zeros of `pad` around it: every window lies wholly in what is padded."""
    return (n + pad[0] + pad[1] - dilation * (kernel - 1) - 1) // stride + 1


def windows(x: Value, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]) -> Value:
    """A read-only view [batch, *out, *kernel, channels] of an array [batch, *spatial, channels]: every window of it, uncopied.

    >>> import numpy as np
    >>> windows(np.arange(5.0).reshape(1, 5, 1), (3,), (2,), (1,))[..., 0].tolist()
    [[[0.0, 1.0, 2.0], [2.0, 3.0, 4.0]]]
    """
    shape, strides = _layout_of_windows(x.shape, x.strides, kernel, stride, dilation)
    if x.flags.c_contiguous and x.size:
        view = np.ndarray(shape, x.dtype, x, 0, strides)  # what as_strided does, in a quarter of its time
        view.flags.writeable = False
        return view
    return as_strided(x, shape, strides, writeable=False)


@lru_cache(maxsize=256)
def _layout_of_windows(
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shape and strides of the windows of an array with these."""
    batch, *sizes, channels = shape
    first, *steps, last = strides
    out = [output_size(n, (0, 0), k, s, d) for n, k, s, d in zip(sizes, kernel, stride, dilation, strict=True)]
    apart = [step * s for step, s in zip(steps, stride, strict=True)]
    return (batch, *out, *kernel, channels), (first, *apart, *[step * d for step, d in zip(steps, dilation, strict=True)], last)


class Geometry(NamedTuple):
    """How windows lie: steps and zeros for each spatial axis. A negative number of zeros cuts off."""

    stride: tuple[int, ...]
    padding: Pairs
    dilation: tuple[int, ...]
    groups: int

    def out(self, sizes: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[int, ...]:
        """The spatial sizes of the output."""
        axes = zip(sizes, self.padding, kernel, self.stride, self.dilation, strict=True)
        return tuple([output_size(*axis) for axis in axes])

    def tap(self, t: tuple[int, ...], start: int, out: tuple[int, ...]) -> tuple[slice, ...]:
        """Where the windows have their tap t, in the padded input: for `out` windows, on the first axis from `start` on."""
        starts = (start, *[0] * (len(out) - 1))
        return tuple(
            [
                slice(d * i + s * first, d * i + s * (first + n - 1) + 1, s)
                for d, i, s, first, n in zip(self.dilation, t, self.stride, starts, out, strict=True)
            ]
        )


def pad(x: Value, pairs: Pairs) -> Value:
    """x with zeros around its spatial axes: x itself, or a part of it, where there are none."""
    part, shape, inner = _frame(x.shape, pairs)
    x = x[part]
    if shape is None:
        return x
    y = np.zeros(shape, x.dtype)
    y[inner] = x
    return y


@lru_cache(maxsize=256)
def _frame(shape: tuple[int, ...], pairs: Pairs) -> tuple[tuple[slice, ...], tuple[int, ...] | None, tuple[slice, ...]]:
    """What of an array of this shape stays, the shape with zeros around it, None without, and where in that it is."""
    batch, *sizes, channels = shape
    axes = list(zip(sizes, pairs, strict=True))
    part = [slice(max(0, -before), n - max(0, -after)) for n, (before, after) in axes]
    lengths = [max(0, min(n, s.stop) - s.start) for n, s in zip(sizes, part, strict=True)]
    inner = [slice(max(0, before), max(0, before) + m) for m, (before, _) in zip(lengths, pairs, strict=True)]
    padded = [max(0, before) + m + max(0, after) for m, (before, after) in zip(lengths, pairs, strict=True)]
    whole = slice(None)
    return (whole, *part), None if padded == lengths else (batch, *padded, channels), (whole, *inner)


def blocks(batch: int, rows: int, row_bytes: int, room: int | None = None) -> Iterator[tuple[slice, slice]]:
    """The work in parts that fit into the cache, or that room: some images together or, of large ones, some rows (the first
    spatial axis)."""
    room = BLOCK if room is None else room
    images = room // max(1, rows * row_bytes)
    if images:
        for i in range(0, batch, images):
            yield slice(i, i + images), slice(0, rows)
        return
    step = max(1, room // row_bytes)
    for i in range(batch):
        for j in range(0, rows, step):
            yield slice(i, i + 1), slice(j, min(j + step, rows))


def side_by_side(x: Value, size: tuple[int, ...]) -> Value:
    """A view [*size, batch, *out, channels] of x [batch, *spatial, channels]: its windows of a size that divides it, by tap.

    >>> import numpy as np
    >>> side_by_side(np.arange(6).reshape(1, 6, 1), (2,))[:, 0, :, 0]
    array([[0, 2, 4],
           [1, 3, 5]])
    """
    n = len(size)
    split = [part for m, k in zip(x.shape[1:-1], size, strict=True) for part in (m // k, k)]
    return x.reshape(len(x), *split, x.shape[-1]).transpose(*range(2, 2 * n + 1, 2), 0, *range(1, 2 * n, 2), 2 * n + 1)
