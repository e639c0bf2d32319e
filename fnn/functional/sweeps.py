"""How a pooling goes through its windows: tap by tap, never window by window.

Tap k of a window is its k-th entry. All windows' entries at one tap are a strided slice of the array, so that a maximum or a
sum over windows takes one NumPy call per tap.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np

from fnn.arrays import Value
from fnn.functional.windows import Pairs

Index = tuple[slice, ...]


class Windows(NamedTuple):
    """How windows lie on the spatial axes: one number of each for every axis.

    `pads` holds what the caller asked for. `out` is the number of windows; with ceil_mode the last may reach over the end.
    """

    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: Pairs
    out: tuple[int, ...]


class Sweep(NamedTuple):
    """One pass over the taps of all windows along some axes; pooling is one sweep, or one for each axis.

    For tap k, `taps[k]` says which windows have an entry there that is no padding, and which entries those are: two indices
    of arrays, of the same shape. `shape` is the result's, without batch and channels.
    """

    shape: tuple[int, ...]
    taps: tuple[tuple[Index, Index], ...]
    padded: bool  # some tap is padding in some windows only
    disjoint: bool  # no entry is in two windows
    covering: bool  # every entry is in a window


def _axis_taps(n: int, kernel: int, stride: int, dilation: int, before: int, out: int) -> list[tuple[slice, slice]]:
    """For each tap along one axis: the windows whose entry there is none of the padding, and these entries."""
    taps = []
    for k in range(kernel):
        # window w has position w * stride + shift at this tap
        shift = k * dilation - before
        first = max(0, -(shift // stride))
        last = min(out - 1, (n - 1 - shift) // stride)
        if first <= last:
            entry = first * stride + shift
            taps.append((slice(first, last + 1), slice(entry, entry + (last - first) * stride + 1, stride)))
    return taps


@lru_cache(maxsize=256)
def sweeps_of(geometry: Windows) -> tuple[Sweep, ...]:
    """The sweeps that make up a pooling.

    A maximum over a box is the maximum over its rows of the maxima of the columns, and so for sums: with one sweep per axis,
    the last first, windows of 5 x 5 take 10 taps in place of 25. Up to 4 taps one sweep over all axes is faster, because the
    intermediate array costs more than it saves. Either way the first of equal maxima in row-major order is the one that wins.
    """
    rank = len(geometry.sizes)
    per_axis = [
        _axis_taps(n, k, s, d, pad[0], out)
        for n, k, s, d, pad, out in zip(*geometry, strict=True)  # the fields of the geometry, by axis
    ]
    groups = [range(rank)] if prod(geometry.kernel) <= 4 else [range(a, a + 1) for a in reversed(range(rank))]
    shape = list(geometry.sizes)
    found = []
    for axes in groups:
        counts = np.zeros([shape[a] for a in axes], int)
        skip = (slice(None),) * (1 + axes[0])
        for a in axes:
            shape[a] = geometry.out[a]
        pairs = [tuple(zip(*tap, strict=True)) for tap in product(*[per_axis[a] for a in axes])]
        whole = tuple([slice(0, geometry.out[a]) for a in axes])
        for _, entries in pairs:
            counts[entries] += 1
        padded = any(windows != whole for windows, _ in pairs)  # a tap that is padding in all windows changes nothing
        taps = tuple([((*skip, *windows), (*skip, *entries)) for windows, entries in pairs])
        found.append(Sweep(tuple(shape), taps, padded, bool((counts <= 1).all()), bool((counts >= 1).all())))
    return tuple(found)


def fold(combine: Callable[..., Value], start: float, x: Value, sweep: Sweep) -> Value:
    """The windows' entries put together by a ufunc, tap by tap; `start` where a window has padding."""
    taps = sweep.taps
    if sweep.padded or len(taps) < 2:
        y = np.full((x.shape[0], *sweep.shape, x.shape[-1]), start, x.dtype)
    else:
        y = combine(x[taps[0][1]], x[taps[1][1]])
        taps = taps[2:]
    for windows, entries in taps:
        combine(y[windows], x[entries], out=y[windows])
    return y


def blank(x_shape: tuple[int, ...], g: Value, sweep: Sweep) -> Value:
    """Where the cotangent of x is put together: zeros, but where every entry is written once anyway."""
    return (np.empty if sweep.disjoint and sweep.covering else np.zeros)(x_shape, g.dtype)


def padded_taps(x: Value, geometry: Windows, fill: float) -> list[Value]:
    """For references: for each tap in row-major order the entries of all windows there, from an array that is padded."""
    reach = [s * (o - 1) + d * (k - 1) + 1 for k, s, d, o in zip(*geometry[1:4], geometry.out, strict=True)]
    widths = [(b, max(0, r - b - n)) for n, (b, _), r in zip(geometry.sizes, geometry.pads, reach, strict=True)]
    x = np.pad(x, [(0, 0), *widths, (0, 0)], constant_values=fill)
    return [
        x[
            (
                slice(None),
                *[
                    slice(i * d, i * d + s * (o - 1) + 1, s)
                    for i, s, d, o in zip(tap, geometry.stride, geometry.dilation, geometry.out, strict=True)
                ],
            )
        ]
        for tap in np.ndindex(geometry.kernel)
    ]


@lru_cache(maxsize=256)
def counts_of(geometry: Windows, include_pad: bool) -> Value:
    """How many entries each window has: [*out, 1]. Padding counts if asked for, but never what ceil_mode lies beyond it."""
    counts = np.ones((*geometry.out, 1), int)
    for a, (n, k, s, d, pad, out) in enumerate(zip(*geometry, strict=True)):
        position = np.arange(out)[:, np.newaxis] * s + np.arange(k) * d - pad[0]
        low, high = (-pad[0], n + pad[1]) if include_pad else (0, n)
        along = ((position >= low) & (position < high)).sum(1)
        counts *= along.reshape([-1 if b == a else 1 for b in range(counts.ndim)])
    counts.flags.writeable = False
    return counts
