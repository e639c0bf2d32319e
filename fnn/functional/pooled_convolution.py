"""A convolution with max-pooling behind it, as one: a block of outputs is pooled while it is in the cache.

The outputs in full size are as many numbers as windows have entries times those of the result. They are written to memory
nowhere, and their cotangent, of which all but one entry in each window are 0, is put together again block by block. What is
kept for that is the place of the first maximum in each window, one byte for each of its entries.

Values and gradients are those of the convolution and the pooling one after the other, bit for bit: the same blocks go through
the same products.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from fnn.arrays import Value
from fnn.functional import depthwise
from fnn.functional.correlation import correlate_in_blocks, gradients
from fnn.functional.sweeps import Geometry as Pooling
from fnn.functional.windows import Geometry, side_by_side

Pull = Callable[[Value, Sequence[bool]], tuple[Value, Value, Value]]


def applies(kernel: tuple[int, ...], geometry: Geometry, pooling: Pooling) -> bool:
    """Whether these windows lie side by side over the outputs of a convolution with a kernel of this shape, without a rest."""
    return (
        pooling.stride == pooling.kernel
        and prod(pooling.kernel) > 1
        and max(pooling.dilation) == 1
        and not any([side for sides in pooling.pads for side in sides])
        and all([n == k * m for n, k, m in zip(pooling.sizes, pooling.kernel, pooling.out, strict=True)])
        and not depthwise.applies(kernel, geometry.groups)
    )


def forward(
    x: Value, kernel: Value, bias: Value | None, geometry: Geometry, pooling: Pooling, waves: Value | None = None
) -> Value:
    """The largest output of the convolution in each window."""
    return _forward(x, kernel, bias, geometry, pooling, waves, None)


def forward_and_pull(x: Value, kernel: Value, bias: Value | None, geometry: Geometry, pooling: Pooling) -> tuple[Value, Pull]:
    """The same, and the pullback: from its cotangent and what is wanted to those of x, the kernel and the bias."""
    size = pooling.kernel
    first = np.empty((prod(size), len(x), *pooling.out, kernel.shape[-1]), bool)
    y = _forward(x, kernel, bias, geometry, pooling, None, first)

    def pull(g: Value, wanted: Sequence[bool]) -> tuple[Value, Value, Value]:
        whole: Value = _Spread(g, first, size, (len(x), *pooling.sizes, kernel.shape[-1]))
        return gradients(x, whole, kernel, geometry, wanted)

    return y, pull


def _forward(
    x: Value,
    kernel: Value,
    bias: Value | None,
    geometry: Geometry,
    pooling: Pooling,
    waves: Value | None,
    first: Value | None,
) -> Value:
    """Also writes to `first`, if it is given, whether an entry is the first maximum of its window, for each tap."""
    size, n_out = pooling.kernel, kernel.shape[-1]
    shape = (len(x), *pooling.sizes, n_out)
    y = np.empty((len(x), *pooling.out, n_out), np.result_type(x, kernel))
    outputs: Value = None  # of some images

    def place(images: slice, rows: slice) -> Value:
        nonlocal outputs
        count = min(images.stop, len(x)) - images.start
        if outputs is None or len(outputs) != count:
            outputs = np.empty((count, *shape[1:]), y.dtype)
        return outputs[:, rows]

    for images, rows in correlate_in_blocks(x, kernel, bias, geometry, shape, place, waves):
        if rows.stop == shape[1]:
            taps = side_by_side(outputs, size).reshape(prod(size), *outputs.shape[:1], *y.shape[1:])
            largest = np.maximum(taps[0], taps[1], out=y[images])
            for tap in taps[2:]:
                np.maximum(largest, tap, out=largest)
            if first is not None:
                _mark(taps, largest, first[:, images])
    return y


def _mark(taps: Value, largest: Value, first: Value) -> None:
    """As in max-pooling, the first tap of a window that is not below the largest."""
    free = first[-1]  # what is free at the last tap has its maximum there
    np.less(taps[0], largest, out=free)
    np.logical_not(free, out=first[0])
    for tap, here in zip(taps[1:-1], first[1:-1], strict=True):
        less = tap < largest
        np.greater(free, less, out=here)
        free &= less


class _Spread:
    """The cotangent of the outputs from that of their maxima, of which it makes the blocks that are asked for."""

    def __init__(self, g: Value, first: Value, size: tuple[int, ...], shape: tuple[int, ...]) -> None:
        self.g, self.first, self.size, self.shape, self.dtype = g, first, size, shape, g.dtype
        self.made: tuple[int, Value] = (-1, None)

    def __getitem__(self, block: tuple[slice, slice]) -> Value:
        images, rows = block
        if self.made[0] != images.start:
            self.made = images.start, self.of_images(images)
        return self.made[1][:, rows]

    def of_images(self, images: slice) -> Value:
        g = self.g[images]
        whole = np.empty((len(g), *self.shape[1:]), self.dtype)
        taps = side_by_side(whole, self.size)
        taps[...] = (g * self.first[:, images]).reshape(taps.shape)
        return whole

    def __array__(self, dtype: object = None, copy: object = None) -> Value:
        return self.of_images(slice(0, self.shape[0]))
