"""Max and average pooling over any number of spatial axes, and over all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod

import numpy as np

from fnn.arrays import Array, Array2, Array3, Array4, Array5, Value, largest
from fnn.autodiff.primitive import KernelPull, fused
from fnn.autodiff.tracer import value_of
from fnn.functional.checks import check_array
from fnn.functional.sweeps import Windows, blank, counts_of, fold, padded_taps, sweeps_of
from fnn.functional.windows import Padding, Sizes, check_padding, output_size, resolve_padding, spatial_tuple


def _max_pool_reference(x: Value, *, geometry: Windows) -> Value:
    taps = np.stack(padded_taps(x, geometry, -np.inf))
    first = np.argmax(value_of(taps), 0)
    return np.take_along_axis(taps, first[np.newaxis], 0)[0]


def max_pool_kernel(x: Value, *, geometry: Windows) -> tuple[Value, KernelPull]:
    """The largest entries, and the pullback."""
    # Of each window w the first entry that is not below y_w takes the whole of g_w: with `free` the windows whose maximum
    # did not come yet,
    #   hit = free and not x < y,   dx += g hit,   free = free and x < y     for each tap in row-major order.
    # (No entry is below NaN, so where the maximum is NaN the first entry of the window takes the gradient.)
    sweeps = sweeps_of(geometry)
    levels = [x]
    for sweep in sweeps:
        levels.append(fold(np.maximum, -np.inf, levels[-1], sweep))

    def pull(g: Value, wanted: Sequence[bool]) -> Sequence[Value]:
        for k in reversed(range(len(sweeps))):
            sweep, below, y = sweeps[k], levels[k], levels[k + 1]
            dx = blank(below.shape, g, sweep)
            free = np.ones(y.shape, bool)
            for windows, entries in sweep.taps:
                left = free[windows]
                if entries is sweep.taps[-1][1]:
                    hit = left  # what is still free at the last tap has its maximum there
                else:
                    less = below[entries] < y[windows]
                    hit = left > less
                    left &= less
                if sweep.disjoint:
                    np.multiply(g[windows], hit, out=dx[entries])
                else:
                    dx[entries] += g[windows] * hit
            g = dx
        return (g,)

    return levels[-1], pull


_max_pool = fused(1, _max_pool_reference)(max_pool_kernel)


def _avg_pool_reference(x: Value, *, geometry: Windows, count_include_pad: bool) -> Value:
    return sum(padded_taps(x, geometry, 0.0)) / counts_of(geometry, count_include_pad).astype(x.dtype)


def avg_pool_kernel(x: Value, *, geometry: Windows, count_include_pad: bool) -> tuple[Value, KernelPull]:
    """The means, and the pullback."""
    # y_w = sum_{i in w} x_i / n_w, so dx_i = sum over the windows w that hold i of g_w / n_w.
    sweeps = sweeps_of(geometry)
    counts = counts_of(geometry, count_include_pad)
    number = int(counts.flat[0]) if counts.size and (counts == counts.flat[0]).all() else counts.astype(x.dtype)
    y = x
    shapes = []
    for sweep in sweeps:
        shapes.append(y.shape)
        y = fold(np.add, 0.0, y, sweep)
    y /= number

    def pull(g: Value, wanted: Sequence[bool]) -> Sequence[Value]:
        g = g / number
        for sweep, shape in zip(reversed(sweeps), reversed(shapes), strict=True):
            dx = blank(shape, g, sweep)
            for windows, entries in sweep.taps:
                if sweep.disjoint:
                    dx[entries] = g[windows]
                else:
                    dx[entries] += g[windows]
            g = dx
        return (g,)

    return y, pull


_avg_pool = fused(1, _avg_pool_reference)(avg_pool_kernel)


def _geometry(
    name: str, x: Value, rank: int, size: Sizes, stride: Sizes | None, padding: Padding, dilation: Sizes, ceil_mode: bool
) -> Windows:
    """What the windows of a pooling over `rank` spatial axes are, once all arguments are found to fit."""
    check_array(name, "x", x)
    kernel = spatial_tuple(name, "size", size, rank)
    steps = kernel if stride is None else spatial_tuple(name, "stride", stride, rank)
    dilations = spatial_tuple(name, "dilation", dilation, rank)
    if x.ndim != rank + 2:
        axes = ("time",) if rank == 1 else ("depth", "height", "width")[-rank:]
        hint = "; for one example write x[np.newaxis]" if x.ndim == rank + 1 else ""
        raise ValueError(f"{name}: x has shape {x.shape}, expected [batch, {', '.join(axes)}, channels]{hint}")
    return geometry_of(name, x.shape[1:-1], kernel, steps, check_padding(name, padding, rank), dilations, bool(ceil_mode))


@lru_cache(maxsize=256)
def geometry_of(
    name: str,
    sizes: tuple[int, ...],
    kernel: tuple[int, ...],
    steps: tuple[int, ...],
    padding: Padding,
    dilations: tuple[int, ...],
    ceil_mode: bool,
) -> Windows:
    """What the windows are, for one number of each for every spatial axis."""
    pads = resolve_padding(name, padding, sizes, kernel, steps, dilations)
    out = []
    for n, k, s, d, (before, after) in zip(sizes, kernel, steps, dilations, pads, strict=True):
        windows = output_size(n, (before, after), k, s, d)
        # one more window where entries are left over, if it begins before the padding at the end
        if ceil_mode and (windows - 1) * s + d * (k - 1) + 1 < before + n + after and windows * s < before + n:
            windows += 1
        out.append(windows)
    return Windows(sizes, kernel, steps, dilations, pads, tuple(out))


def _check_no_window_of_padding(name: str, geometry: Windows) -> None:
    if any(before or after for before, after in geometry.pads) and not counts_of(geometry, False).all():
        raise ValueError(
            f"{name}: x has spatial shape {geometry.sizes}, padded by {geometry.pads}, and some windows of "
            f"{geometry.kernel} hold nothing but padding; pad less"
        )


def _largest(
    name: str, x: Value, rank: int, size: Sizes, stride: Sizes | None, padding: Padding, dilation: Sizes, ceil_mode: bool
) -> Value:
    geometry = _geometry(name, x, rank, size, stride, padding, dilation, ceil_mode)
    _check_no_window_of_padding(name, geometry)
    return _max_pool(x, geometry=geometry)


def _mean(
    name: str,
    x: Value,
    rank: int,
    size: Sizes,
    stride: Sizes | None,
    padding: Padding,
    dilation: Sizes,
    ceil_mode: bool,
    count_include_pad: bool,
) -> Value:
    geometry = _geometry(name, x, rank, size, stride, padding, dilation, ceil_mode)
    if not count_include_pad:
        _check_no_window_of_padding(name, geometry)
    return _avg_pool(x, geometry=geometry, count_include_pad=bool(count_include_pad))


def max_pool1d(
    x: Array3,
    size: Sizes,
    /,
    *,
    stride: Sizes | None = None,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> Array3:
    """`max_pool2d` over time: x is [batch, time, channels].

    >>> import fnn
    >>> fnn.max_pool1d(np.array([[[1.0], [3.0], [2.0], [0.0]]]), 2)[0, :, 0]
    array([3., 2.])
    """
    y: Array3 = _largest("max_pool1d", x, 1, size, stride, padding, dilation, ceil_mode)
    return y


def max_pool2d(
    x: Array4,
    size: Sizes,
    /,
    *,
    stride: Sizes | None = None,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> Array4:
    """The largest entry of each window, for each channel: [batch, height, width, channels] -> the same with fewer positions.

    size: of the windows, an int or one for each spatial axis. stride: from one window to the next, `size` unless given.
    padding: "valid" (none: what is left over at the end is not looked at), "same" (ceil(n / stride) windows), or numbers,
    as for convolutions; padding never wins. dilation: the distance of the entries of a window. ceil_mode: one more window
    for what is left over at the end.

    Of equal maxima the first in row-major order takes the gradient. A window with a NaN gives NaN.

    Raises ValueError where x has another rank, where no window fits, or where a window holds nothing but padding.

    >>> import fnn
    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> fnn.max_pool2d(x, 2)[0, :, :, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    """
    y: Array4 = _largest("max_pool2d", x, 2, size, stride, padding, dilation, ceil_mode)
    return y


def max_pool3d(
    x: Array5,
    size: Sizes,
    /,
    *,
    stride: Sizes | None = None,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> Array5:
    """`max_pool2d` over volumes: x is [batch, depth, height, width, channels].

    >>> import fnn
    >>> fnn.max_pool3d(np.ones((1, 4, 4, 2, 3)), 2).shape
    (1, 2, 2, 1, 3)
    """
    y: Array5 = _largest("max_pool3d", x, 3, size, stride, padding, dilation, ceil_mode)
    return y


def avg_pool1d(
    x: Array3,
    size: Sizes,
    /,
    *,
    stride: Sizes | None = None,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
) -> Array3:
    """`avg_pool2d` over time: x is [batch, time, channels].

    >>> import fnn
    >>> fnn.avg_pool1d(np.array([[[1.0], [3.0], [2.0], [0.0]]]), 2)[0, :, 0]
    array([2., 1.])
    """
    y: Array3 = _mean("avg_pool1d", x, 1, size, stride, padding, dilation, ceil_mode, count_include_pad)
    return y


def avg_pool2d(
    x: Array4,
    size: Sizes,
    /,
    *,
    stride: Sizes | None = None,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
) -> Array4:
    """The mean of each window, for each channel: [batch, height, width, channels] -> the same with fewer positions.

    The options are those of `max_pool2d`. Padding and what ceil_mode adds are no part of the mean, so that a constant image
    stays constant; with count_include_pad, padding counts as zeros (the default in PyTorch).

    Raises ValueError as `max_pool2d` does; with count_include_pad, a window may hold nothing but padding.

    >>> import fnn
    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> fnn.avg_pool2d(x, 2)[0, :, :, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    y: Array4 = _mean("avg_pool2d", x, 2, size, stride, padding, dilation, ceil_mode, count_include_pad)
    return y


def avg_pool3d(
    x: Array5,
    size: Sizes,
    /,
    *,
    stride: Sizes | None = None,
    padding: Padding = "valid",
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
) -> Array5:
    """`avg_pool2d` over volumes: x is [batch, depth, height, width, channels].

    >>> import fnn
    >>> fnn.avg_pool3d(np.ones((1, 4, 4, 2, 3)), 2).shape
    (1, 2, 2, 1, 3)
    """
    y: Array5 = _mean("avg_pool3d", x, 3, size, stride, padding, dilation, ceil_mode, count_include_pad)
    return y


def _global_max_reference(x: Value) -> Value:
    first = np.argmax(value_of(x), 1)
    return np.take_along_axis(x, first[:, np.newaxis], 1)[:, 0]


@fused(1, _global_max_reference)
def _global_max(x: Value) -> tuple[Value, KernelPull]:
    # x: [batch, positions, channels]. The first maximum of each channel takes the gradient.
    def pull(g: Value, wanted: Sequence[bool]) -> Sequence[Value]:
        dx = np.zeros(x.shape, g.dtype)
        np.put_along_axis(dx, np.argmax(x, 1)[:, np.newaxis], g[:, np.newaxis], 1)
        return (dx,)

    return largest(x, 1), pull


def _positions(name: str, x: Value) -> Value:
    """x as [batch, positions, channels]."""
    check_array(name, "x", x)
    if x.ndim < 3:
        raise ValueError(f"{name}: x has shape {x.shape}, expected [batch, ..., channels] with at least one axis between")
    n = prod(x.shape[1:-1])
    if n == 0:
        raise ValueError(f"{name}: x has shape {x.shape}: there is nothing to pool over")
    return x.reshape(x.shape[0], n, x.shape[-1])


def global_max_pool(x: Array, /) -> Array2:
    """The largest entry of each channel: [batch, ..., channels] -> [batch, channels]. The first maximum takes the gradient.

    >>> import fnn
    >>> fnn.global_max_pool(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[6., 7.]])
    """
    y: Array2 = _global_max(_positions("global_max_pool", x))
    return y


def global_avg_pool(x: Array, /) -> Array2:
    """The mean of each channel: [batch, ..., channels] -> [batch, channels].

    >>> import fnn
    >>> fnn.global_avg_pool(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[3., 4.]])
    """
    y: Array2 = np.mean(_positions("global_avg_pool", x), 1)
    return y
