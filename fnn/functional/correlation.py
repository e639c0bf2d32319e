"""Cross-correlation of plain arrays and its two adjoints, for any number of spatial axes: what both convolutions are made of.

With o for positions of the output, t for taps of the kernel, and x zero outside (its padding):

    y[o] = sum_t x[stride * o + dilation * t - before] @ kernel[t]

`correlate` computes y, `correlate_by_x` is its gradient by x, `correlate_by_kernel` that by the kernel. x is [batch, *spatial,
n_in], y is [batch, *out, n_out], and kernel is [*size, n_in // groups, n_out]: the channels of both sides are in `groups`
equal parts, and each part of y sees only its part of x.

Kernels of 3 taps along each axis with many channels go by `winograd`, kernels that see one channel each by `depthwise`. Else
the windows of x are copied into the rows of a matrix, so that the rest is a product of matrices. All of that matrix would be as
many times larger than x as the kernel has taps. It is made in blocks that fit into the cache, and made again for the
gradient by the kernel: that measured faster than to keep it, which is to write it to memory and to read it back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from math import prod

import numpy as np

from fnn.arrays import Value
from fnn.functional import depthwise, winograd
from fnn.functional.windows import Geometry, Place, blocks, pad, windows

# With fewer channels than this a window is too short to be copied as a whole: the same tap of many windows is, instead.
FEW_CHANNELS = 4
# With so many more outputs than inputs, to scatter products measured faster than to gather windows of the larger side.
MANY_OUTPUTS = 8
# OpenBLAS has quicker kernels for products of at most so many multiply-adds, which counts where matrices are small.
SMALL_PRODUCT = 1_000_000
SMALL_MATRIX = 4096


def correlate(x: Value, kernel: Value, bias: Value | None, geometry: Geometry, waves: Value | None = None) -> Value:
    """y of the formula above, plus bias [n_out]. `waves` is the spectrum of the kernel for `winograd`, where it is at hand."""
    y = np.empty((len(x), *geometry.out(x.shape[1:-1], kernel.shape[:-2]), kernel.shape[-1]), np.result_type(x, kernel))
    if depthwise.applies(kernel.shape, geometry.groups):
        depthwise.correlate(pad(x, geometry.padding), kernel, bias, geometry, y)
    elif winograd.applies(kernel.shape, geometry, y.shape):
        winograd.correlate(x, winograd.spectrum(kernel) if waves is None else waves, bias, geometry, y)
    else:
        for _ in correlate_in_blocks(x, kernel, bias, geometry, y.shape, lambda *block: y[block]):
            pass
    return y


def correlate_in_blocks(
    x: Value, kernel: Value, bias: Value | None, geometry: Geometry, shape: tuple[int, ...], place: Place
) -> Iterator[tuple[slice, slice]]:
    """Windows copied into matrices, where y has this shape: a block goes to place(images, rows), then its indices come."""
    groups, width = geometry.groups, prod(kernel.shape[:-1])
    weight = _matrices(kernel, groups)
    as_tap = bias is not None and kernel.shape[-2] < FEW_CHANNELS
    if bias is not None and as_tap:  # as one more tap, of a channel of ones: cheaper than to add it, where windows are short
        weight = np.concatenate([weight, bias.reshape(groups, 1, -1)], axis=1)
    columns = _columns(pad(x, geometry.padding), kernel.shape[:-2], geometry, as_tap)
    for images, rows in blocks(len(x), shape[1], _row_bytes(shape, width + 2 * shape[-1], x.itemsize)):
        part = place(images, rows)
        inputs, outputs = _pieces(columns(images, rows), _matrices(part, groups))
        np.matmul(inputs, weight[:, np.newaxis], out=outputs)
        if bias is not None and not as_tap:
            add_bias(part, bias)
        yield images, rows


def add_bias(y: Value, bias: Value) -> None:
    """Adds it to y in place, to a whole line of positions at a time: long loops for NumPy, however few the channels."""
    lines = y.reshape(-1, y.shape[-2] * y.shape[-1])
    lines += np.tile(bias, y.shape[-2])


def gradients(
    x: Value, g: Value, kernel: Value, geometry: Geometry, wanted: Sequence[bool]
) -> tuple[Value | None, Value | None, Value | None]:
    """The gradients by x, by the kernel and by a bias, as far as they are wanted, from the cotangent g of y.

    g may also be an object that makes it block by block (see `winograd.tiles_of`), and as a whole when it is asked by
    `np.asarray`.
    """
    if wanted[1] and winograd.applies(kernel.shape, geometry, g.shape):
        in_tiles = winograd.tiles_of(g)
        return winograd.gradients(in_tiles, g.dtype, g.shape[1:-1], geometry, x, kernel, (bool(wanted[0]), True))
    if wanted[0] or not wanted[1]:
        g = np.asarray(g)
    dx = correlate_by_x(g, kernel, x.shape[1:-1], geometry) if wanted[0] else None
    if not wanted[1]:
        return dx, None, channel_sums(g) if wanted[2] else None
    if depthwise.applies(kernel.shape, geometry.groups):
        return dx, correlate_by_kernel(x, g, kernel.shape, geometry), channel_sums(g) if wanted[2] else None
    return dx, *_by_kernel(x, g, kernel.shape, geometry, wanted[2])


def channel_sums(g: Value) -> Value:
    """The sum over all axes but the last: a product with ones, which is faster than adding up rows."""
    rows = g.reshape(-1, g.shape[-1])
    return np.ones(len(rows), g.dtype) @ rows


def correlate_by_kernel(x: Value, g: Value, shape: tuple[int, ...], geometry: Geometry) -> Value:
    """sum_o x[stride * o + dilation * t - before]^T g[o] for every tap t: the gradient by a kernel of this shape."""
    if winograd.applies(shape, geometry, g.shape):
        kernel = np.empty(shape, g.dtype)  # of which only the shape and the dtype count
        return winograd.gradients(winograd.tiles_of(g), g.dtype, g.shape[1:-1], geometry, x, kernel, (False, True))[1]
    if depthwise.applies(shape, geometry.groups):
        return depthwise.correlate_by_kernel(pad(x, geometry.padding), g, shape, geometry)
    return _by_kernel(x, g, shape, geometry, False)[0]


def _by_kernel(x: Value, g: Value, shape: tuple[int, ...], geometry: Geometry, bias: bool) -> tuple[Value, Value | None]:
    """correlate_by_kernel and, if wanted, the gradient by a bias. Of g nothing is asked but its shape, dtype and blocks."""
    groups, width, n_out = geometry.groups, prod(shape[:-1]), shape[-1] // geometry.groups
    as_tap = bias and shape[-2] < FEW_CHANNELS  # of a channel of ones, as in correlate_in_blocks
    db = None if as_tap or not bias else np.zeros(shape[-1], g.dtype)
    # The product with the fewer rows: [n_out, width] or its transpose, [width, n_out].
    wide = width > n_out
    lines = width + as_tap
    dw = np.zeros((groups, n_out, lines) if wide else (groups, lines, n_out), np.result_type(x.dtype, g.dtype))
    columns = _columns(pad(x, geometry.padding), shape[:-2], geometry, as_tap)
    for images, rows in blocks(len(x), g.shape[1], _row_bytes(g.shape, width + 2 * g.shape[-1], g.dtype.itemsize)):
        block = g[images, rows]
        part, ys = _pieces(columns(images, rows), _matrices(block, groups))
        products = ys.swapaxes(2, 3) @ part if wide else part.swapaxes(2, 3) @ ys
        dw += products.sum(1) if products.shape[1] > 1 else products[:, 0]
        if db is not None:
            db += channel_sums(block)
    if wide:
        dw = dw.swapaxes(1, 2)
    dk = dw[:, :width].transpose(1, 0, 2).reshape(shape)
    return dk, dw[:, width:].reshape(-1) if as_tap else db


def correlate_by_x(g: Value, kernel: Value, sizes: tuple[int, ...], geometry: Geometry) -> Value:
    """sum of g[o] kernel[t]^T over stride * o + dilation * t - before = i, for every i: the gradient by x of these sizes."""
    if winograd.applies(kernel.shape, geometry, g.shape):
        x = np.empty((len(g), *sizes, kernel.shape[-2]), g.dtype)  # of which only the shape and the dtype count
        return winograd.gradients(winograd.tiles_of(g), g.dtype, g.shape[1:-1], geometry, x, kernel, (True, False))[0]
    size = kernel.shape[:-2]
    many = kernel.shape[-1] >= MANY_OUTPUTS * geometry.groups * kernel.shape[-2]
    if many or set(geometry.stride) != {1}:
        return _scattered(g, kernel, sizes, geometry)
    # With stride 1, o = i + before - dilation * t, and with u = size - 1 - t this is
    #   sum_u g[i + dilation * u - (dilation * (size - 1) - before)] kernel[size - 1 - u]^T,
    # a correlation of g with the kernel backwards; zeros after g so that there are as many i as x is long.
    pairs = []
    for n, m, k, d, (before, _) in zip(sizes, g.shape[1:-1], size, geometry.dilation, geometry.padding, strict=True):
        pairs.append((d * (k - 1) - before, n - m + before))
    flipped = kernel[(slice(None, None, -1),) * len(size)]
    return correlate(g, swap_channels(flipped, geometry.groups), None, geometry._replace(padding=tuple(pairs)))


def _scattered(g: Value, kernel: Value, sizes: tuple[int, ...], geometry: Geometry) -> Value:
    """correlate_by_x as it is written: all products with the kernel, each added where it belongs."""
    groups, taps = geometry.groups, tuple(np.ndindex(kernel.shape[:-2]))
    padded = [before + n + after for n, (before, after) in zip(sizes, geometry.padding, strict=True)]
    cut = tuple([(-before, -after) for before, after in geometry.padding])
    n_in = groups * kernel.shape[-2]
    dx = np.empty((len(g), *sizes, n_in), np.result_type(g, kernel))
    separate = depthwise.applies(kernel.shape, groups)
    products = depthwise.products(kernel, g.shape[-2]) if separate else _products(kernel, groups)
    # With few channels they stand first in memory, so that whole lines are added.
    few = not separate and kernel.shape[-2] < FEW_CHANNELS
    room: Value = None
    for images, rows in blocks(len(g), g.shape[1], _row_bytes(g.shape, n_in * (1 if separate else len(taps)), g.itemsize)):
        part = g[images, rows]
        if rows.start == 0:
            if few:
                room = np.moveaxis(np.zeros((n_in, len(part), *padded), dx.dtype), 0, -1)
            else:
                room = np.zeros((len(part), *padded, n_in), dx.dtype)
        of_tap = products(part)
        for k, t in enumerate(taps):
            where = room[:, *geometry.tap(t, rows.start, part.shape[1:-1])]
            where += of_tap(k)
        if rows.stop == g.shape[1]:
            dx[images] = pad(room, cut)
    return dx


def _products(kernel: Value, groups: int) -> Callable[[Value], Callable[[int], Value]]:
    """From a block of g to the function from a tap (by its number) to g @ kernel[t]^T: one product for all taps."""
    n, m = kernel.shape[-2], kernel.shape[-1] // groups
    # [groups, taps * n, m]
    weight = kernel.reshape(-1, n, groups, m).transpose(2, 0, 1, 3).reshape(groups, -1, m)

    def of_block(g: Value) -> Callable[[int], Value]:
        if n < FEW_CHANNELS:  # channels first, as in the room
            every = (weight @ _matrices(g, groups).swapaxes(1, 2)).reshape(groups, -1, n, *g.shape[:-1])
            return lambda k: np.moveaxis(every[:, k].reshape(groups * n, *g.shape[:-1]), 0, -1)
        every = (_matrices(g, groups) @ weight.swapaxes(1, 2)).reshape(groups, *g.shape[:-1], -1, n)
        if groups == 1:
            return lambda k: every[0, ..., k, :]
        return lambda k: np.moveaxis(every[..., k, :], 0, -2).reshape(*g.shape[:-1], groups * n)

    return of_block


def swap_channels(kernel: Value, groups: int) -> Value:
    """[*size, n_in // groups, n_out] as [*size, n_out // groups, n_in]: the matrix of every tap and group transposed."""
    *size, n, m = kernel.shape
    k = len(size)
    parts = kernel.reshape(*size, n, groups, m // groups).transpose(*range(k), k + 2, k + 1, k)
    return parts.reshape(*size, m // groups, groups * n)


def _matrices(y: Value, groups: int) -> Value:
    """[..., channels] as [groups, positions, channels of a group], a view where y is contiguous."""
    return y.reshape(-1, groups, y.shape[-1] // groups).transpose(1, 0, 2)


def _pieces(columns: Value, y: Value) -> tuple[Value, Value]:
    """Both [groups, positions, ...] as [groups, pieces, positions, ...]: for small products, if matrices are small."""
    groups, positions, width = columns.shape
    pieces = _number_of_pieces(positions, width * y.shape[-1])
    return columns.reshape(groups, pieces, -1, width), y.reshape(groups, pieces, -1, y.shape[-1])


@lru_cache(maxsize=256)
def _number_of_pieces(positions: int, size: int) -> int:
    least = -(-positions * size // SMALL_PRODUCT) if size <= SMALL_MATRIX else 1
    return next((n for n in range(least, 2 * least + 1) if positions % n == 0), 1)


def _row_bytes(y: tuple[int, ...], width: int, itemsize: int) -> int:
    """How much memory `width` numbers for every position in a row of an array of this shape take."""
    return prod(y[2:-1]) * width * itemsize


def _columns(x: Value, size: tuple[int, ...], geometry: Geometry, ones: bool = False) -> Callable[[slice, slice], Value]:
    """From a block of images and rows to its windows as matrices, [groups, positions, taps * channels of a group].

    With `ones`, for few channels, windows end with a one."""
    # The channels of a group are brought together, or few channels apart, before the copying: then what is copied at a time
    # is contiguous, a line of a window or, with few channels, the same tap of a line of windows.
    groups, batch, n = geometry.groups, len(x), len(size)
    channels = x.shape[-1] // groups
    width = prod(size) * channels
    few = channels < FEW_CHANNELS
    x = _groups_first(x, groups * channels if few else groups)
    view = windows(x, size, geometry.stride, geometry.dilation)
    view = view.reshape(groups, channels if few else 1, batch, *view.shape[1:])
    if not few:
        return lambda images, rows: view[:, :, images, rows].reshape(groups, -1, width)
    by_tap = view.transpose(0, *range(n + 3, 2 * n + 3), 1, 2 * n + 3, *range(2, n + 3))

    def of_block(images: slice, rows: slice) -> Value:
        part = by_tap[(slice(None),) * (n + 3) + (images, rows)]
        columns = np.empty((groups, width + ones, part.size // (groups * width)), x.dtype)
        np.copyto(columns[:, :width].reshape(part.shape), part)
        columns[:, width:] = 1
        return columns.swapaxes(1, 2)

    return of_block


def _groups_first(x: Value, groups: int) -> Value:
    """[batch, *spatial, groups * channels] as [groups * batch, *spatial, channels]."""
    if groups == 1:
        return x
    parts = np.moveaxis(x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups), -2, 0)
    return parts.reshape(-1, *parts.shape[2:])
