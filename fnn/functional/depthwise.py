"""Correlation where every channel goes by itself (groups = n_in = n_out), which is no product of matrices.

The same three maps as in `fnn.functional.correlation`: multiply-adds of the whole block, one for each tap of the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod

import numpy as np

from fnn.arrays import Value
from fnn.functional.windows import Geometry, blocks


def applies(shape: tuple[int, ...], groups: int) -> bool:
    """Whether this is the shape of such a kernel, [*size, 1, groups]."""
    return shape[-2] == 1 and shape[-1] == groups > 1


def _lines(kernel: Value, width: int) -> Value:
    """[taps, width, channels], every tap repeated along a line: NumPy then loops over whole lines, not over few channels."""
    return np.repeat(kernel.reshape(-1, 1, kernel.shape[-1]), width, axis=1)


def _blocks(y: Value) -> Iterator[tuple[slice, slice]]:
    """Blocks in which an array like y takes a quarter of the room."""
    return blocks(len(y), y.shape[1], 4 * prod(y.shape[2:]) * y.itemsize)


def correlate(x: Value, kernel: Value, bias: Value | None, geometry: Geometry, y: Value) -> None:
    """Into y: sum_t x[stride * o + dilation * t] * kernel[t] of a padded x, plus bias."""
    lines, taps = _lines(kernel, y.shape[-2]), tuple(np.ndindex(kernel.shape[:-2]))
    for images, rows in _blocks(y):
        part = y[images, rows]
        part[...] = 0 if bias is None else bias
        product = np.empty_like(part)
        for t, weight in zip(taps, lines, strict=True):
            part += np.multiply(x[images, *geometry.tap(t, rows.start, part.shape[1:-1])], weight, out=product)


def correlate_by_kernel(x: Value, g: Value, shape: tuple[int, ...], geometry: Geometry) -> Value:
    """sum_o x[stride * o + dilation * t] * g[o] for every tap t, of a padded x."""
    dw = np.zeros((prod(shape[:-2]), shape[-1]), np.result_type(x, g))
    for images, rows in _blocks(g):
        part = g[images, rows]
        product = np.empty(part.shape, dw.dtype)
        ones = np.ones(part.size // shape[-1], dw.dtype)
        for k, t in enumerate(np.ndindex(shape[:-2])):
            np.multiply(x[images, *geometry.tap(t, rows.start, part.shape[1:-1])], part, out=product)
            dw[k] += ones @ product.reshape(len(ones), -1)
    return dw.reshape(shape)


def products(kernel: Value, width: int) -> Callable[[Value], Callable[[int], Value]]:
    """From a block of g to the function from a tap (by its number) to g * kernel[t]."""
    lines = _lines(kernel, width)
    return lambda g: lambda k: g * lines[k]
