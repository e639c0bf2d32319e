"""A convolution with max-pooling behind it, as one: a block of outputs is pooled while it is in the cache.

The outputs in full size are as many numbers as windows have entries times those of the result. They are written to memory
nowhere, and their cotangent, of which all but one entry in each window are 0, is put together again block by block. What is
kept for that is the place of the first maximum in each window, one byte for each of its entries.

Values and gradients are those of the convolution and the pooling one after the other, bit for bit: the same blocks go through
the same products.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod

import numpy as np

from fnn.arrays import Value
from fnn.autodiff.primitive import KernelPull
from fnn.functional import depthwise, winograd
from fnn.functional.correlation import correlate_in_blocks, gradients
from fnn.functional.sweeps import Windows as Pooling
from fnn.functional.windows import Geometry, side_by_side

# From the first image and row of a block to bools [taps, ...], whether a tap is the first maximum of its window.
Marks = dict[tuple[int, int], Value]


@lru_cache(maxsize=256)
def applies(kernel: tuple[int, ...], geometry: Geometry, pooling: Pooling, batch: int) -> bool:
    """Whether these windows lie side by side over the outputs of a convolution with a kernel of this shape, without a rest, and
    may be pooled by blocks."""
    y = (batch, *pooling.sizes, kernel[-1])
    return (
        pooling.stride == pooling.kernel
        and prod(pooling.kernel) > 1
        and max(pooling.dilation) == 1
        and not any([side for sides in pooling.pads for side in sides])
        and all([n == k * m for n, k, m in zip(pooling.sizes, pooling.kernel, pooling.out, strict=True)])
        and not depthwise.applies(kernel, geometry.groups)
        and (set(pooling.kernel) == {2} or not winograd.applies(kernel, geometry, y))
    )


def forward(
    x: Value, kernel: Value, bias: Value | None, geometry: Geometry, pooling: Pooling, waves: Value | None = None
) -> Value:
    """The largest output of the convolution in each window."""
    return _forward(x, kernel, bias, geometry, pooling, waves, None)


def forward_and_pull(
    x: Value, kernel: Value, bias: Value | None, geometry: Geometry, pooling: Pooling
) -> tuple[Value, KernelPull]:
    """The same, and the pullback: from its cotangent and what is wanted to those of x, the kernel and the bias."""
    marks: Marks = {}
    y = _forward(x, kernel, bias, geometry, pooling, None, marks)

    def pull(g: Value, wanted: Sequence[bool]) -> tuple[Value, Value, Value]:
        spread: Value = _Spread(g, marks, pooling, kernel.shape[-1])
        if wanted[1] and winograd.applies(kernel.shape, geometry, spread.shape):
            by = bool(wanted[0]), True
            return winograd.gradients(spread.in_tiles, g.dtype, pooling.sizes, geometry, x, kernel, by)
        return gradients(x, spread, kernel, geometry, wanted)

    return y, pull


def _forward(
    x: Value,
    kernel: Value,
    bias: Value | None,
    geometry: Geometry,
    pooling: Pooling,
    waves: Value | None,
    marks: Marks | None,
) -> Value:
    """Also notes in `marks`, if they are given, which tap is the first maximum of its window."""
    size, n_out = pooling.kernel, kernel.shape[-1]
    shape = (len(x), *pooling.sizes, n_out)
    y = np.empty((len(x), *pooling.out, n_out), np.result_type(x, kernel))

    def pool(taps: Value, largest: Value, images: slice, row: int) -> None:
        np.maximum(taps[0], taps[1], out=largest)
        for tap in taps[2:]:
            np.maximum(largest, tap, out=largest)
        if marks is not None:
            marks[images.start, row] = _first_maxima(taps, largest)

    if winograd.applies(kernel.shape, geometry, shape):  # its tiles are the windows
        waves = winograd.spectrum(kernel) if waves is None else waves
        for images, rows, tiles in winograd.outputs_in_tiles(x, waves, bias, geometry, shape[1:-1]):
            largest = y[images, rows.start // 2 : rows.stop // 2].swapaxes(0, 1)
            pool(tiles.reshape(-1, *largest.shape), largest, images, rows.start)
        return y
    outputs: Value = None  # of some images

    def place(images: slice, rows: slice) -> Value:
        nonlocal outputs
        count = min(images.stop, len(x)) - images.start
        if outputs is None or len(outputs) != count:
            outputs = np.empty((count, *shape[1:]), y.dtype)
        return outputs[:, rows]

    for images, rows in correlate_in_blocks(x, kernel, bias, geometry, shape, place):
        if rows.stop == shape[1]:
            pool(side_by_side(outputs, size).reshape(-1, len(outputs), *y.shape[1:]), y[images], images, 0)
    return y


def _first_maxima(taps: Value, largest: Value) -> Value:
    """For each tap, whether it is the first of its window that is not below the largest, as in max-pooling."""
    first = np.empty(taps.shape, bool)
    free = first[-1]  # what is free at the last tap has its maximum there
    np.less(taps[0], largest, out=free)
    np.logical_not(free, out=first[0])
    for tap, here in zip(taps[1:-1], first[1:-1], strict=True):
        less = tap < largest
        np.greater(free, less, out=here)
        free &= less
    return first


class _Spread:
    """The cotangent of the outputs, from that of their maxima: an array that makes the blocks that are asked for."""

    def __init__(self, g: Value, marks: Marks, pooling: Pooling, n_out: int) -> None:
        self.g, self.marks, self.size, self.dtype = g, marks, pooling.kernel, g.dtype
        self.shape = (len(g), *pooling.sizes, n_out)
        self.made: tuple[int, Value] = (-1, None)

    def in_tiles(self, images: slice, rows: slice, tiles: tuple[int, ...]) -> Value:
        """A block as `winograd.gradients` takes it."""
        marks = self.marks[images.start, rows.start]
        g = self.g[images, rows.start // 2 : rows.stop // 2].swapaxes(0, 1)
        return np.multiply(g, marks, out=np.empty(marks.shape, self.dtype))

    def __getitem__(self, block: tuple[slice, slice]) -> Value:
        images, rows = block
        if self.made[0] != images.start:
            self.made = images.start, self._of_images(images.start)
        return self.made[1][:, rows]

    def __array__(self, dtype: object = None, copy: object = None) -> Value:
        return np.concatenate([self._of_images(start) for start, _ in self.marks])

    def _of_images(self, start: int) -> Value:
        marks = self.marks[start, 0]
        whole = np.empty((marks.shape[1], *self.shape[1:]), self.dtype)
        taps = side_by_side(whole, self.size)
        taps[...] = (self.g[start : start + len(whole)] * marks).reshape(taps.shape)
        return whole
