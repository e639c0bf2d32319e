"""Winograd's minimal filtering: correlation with a kernel of 3 taps along each axis, by fewer multiplications.

Two outputs along an axis, y_i = sum_t d_{i+t} k_t for i = 0, 1, are six products as they are written. Four will do:

    y = A [(G k) * (B d)],    A = 1 1  1 0    B = 1  0 -1 0    G =  1    0   0
                                  0 1 -1 1        0  1  1 0        1/2  1/2 1/2
                                                  0 -1  1 0        1/2 -1/2 1/2
                                                  0 -1  0 1         0    0   1

with the four inputs d and the three taps k, and * by element. For n axes the matrices are their n-th Kronecker powers: a tile
of 4^n inputs gives 2^n outputs by 4^n products in place of 6^n, and tiles are 2 apart. With channels, k_t is a matrix
[n_in, n_out], and what was a product is one of matrices, [tiles, n_in] @ [n_in, n_out], for each of the 4^n rows of B. Those
rows are called frequencies here, and G k the spectrum of the kernel.

All of it is linear in x and in k, and so the gradients are the adjoints, on the same tiles:

    dL/dx = B^T [(G k)^T (A^T g)], added up where tiles overlap,    dL/dk = G^T [sum over the tiles of (B d)^T (A^T g)]

The matrices are exact in binary. Errors of rounding are of the size of the direct way's (within a factor of 4 in the tests),
but relative to the largest numbers in a tile, not to each output's own terms; and where a tile holds an infinity, or numbers
whose sum is too large, an output may be NaN or infinite where the direct way has a number.

S. Winograd, Arithmetic Complexity of Computations, 1980. A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural
Networks, CVPR 2016: this is their F(2x2, 3x3), with other signs, and adjoints for the gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, reduce
from math import prod
from typing import Literal, NamedTuple

import numpy as np

from fnn.arrays import Value
from fnn.functional import windows as sliding
from fnn.functional.windows import Geometry, Pairs, blocks, side_by_side

# Where it measured faster than windows copied into a matrix: with so many channels on either side, for one, two and three
# axes; with so many tiles, one for so many weights of a tap, since the spectrum has to pay; where outputs fill tiles so far.
ENOUGH_CHANNELS = (128, 32, 64)
ENOUGH_TILES = 48
WEIGHTS_A_TILE = 1000
FILLED = 0.8

_MATRICES = {
    "A": ((1, 1, 1, 0), (0, 1, -1, 1)),
    "B": ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, -1, 0, 1)),
    "G": ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)),
}


def suits(kernel: tuple[int, ...], geometry: Geometry) -> bool:
    """Whether a correlation with a kernel of this shape is one of these, with enough channels to gain."""
    return (
        kernel[0] == 3
        and min(kernel[-2:]) >= ENOUGH_CHANNELS[len(kernel) - 3]
        and set(kernel[:-2]) == {3}
        and geometry.groups == 1
        and max(geometry.stride) == max(geometry.dilation) == 1
        and min([side for sides in geometry.padding for side in sides]) >= 0
    )


@lru_cache(maxsize=256)
def applies(kernel: tuple[int, ...], geometry: Geometry, y: tuple[int, ...]) -> bool:
    """Whether it is, and outputs of shape y are enough to gain."""
    if not suits(kernel, geometry):
        return False
    outputs, tiles = prod(y[1:-1]), prod(_tiles(y[1:-1]))
    least = max(ENOUGH_TILES, kernel[-2] * kernel[-1] / WEIGHTS_A_TILE)
    return y[0] * tiles >= least and outputs >= FILLED * 2 ** (len(y) - 2) * tiles


def _tiles(out: tuple[int, ...]) -> list[int]:
    """How many tiles it takes along each axis."""
    return [-(-m // 2) for m in out]


@lru_cache(maxsize=64)
def _power(name: Literal["A", "B", "G"], n: int, dtype: np.dtype, adjoint: bool = False) -> Value:
    """The n-th Kronecker power of a matrix, or its transpose."""
    power = reduce(np.kron, [np.array(_MATRICES[name])] * n)
    made = np.ascontiguousarray(power.T if adjoint else power, dtype)
    made.flags.writeable = False
    return made


def spectrum(kernel: Value) -> Value:
    """G k: [*size, n_in, n_out] to [4^n, n_in, n_out]."""
    matrix = _power("G", kernel.ndim - 2, kernel.dtype)
    return (matrix @ kernel.reshape(matrix.shape[1], -1)).reshape(-1, *kernel.shape[-2:])


def correlate(x: Value, waves: Value, bias: Value | None, geometry: Geometry, y: Value) -> None:
    """Into y: y[o] = sum_t x[o + t - before] @ k[t], plus bias [n_out], where `waves` is the spectrum of k."""
    for images, rows, tiles in outputs_in_tiles(x, waves, bias, geometry, y.shape[1:-1]):
        put(tiles, y[images, rows])


def outputs_in_tiles(
    x: Value, waves: Value, bias: Value | None, geometry: Geometry, out: tuple[int, ...]
) -> Iterator[tuple[slice, slice, Value]]:
    """The same by blocks: the images and the rows of y, and [2, ..., rows of tiles, images, ..., n_out] as tiles give them.

    The last tiles along an axis of odd size have one output too many. The array is used again for the next block."""
    n, n_out = x.ndim - 2, waves.shape[-1]
    room = _Room(np.result_type(x, waves))
    plan = _plan(x.shape, geometry.padding, out, n_out, x.dtype.itemsize, sliding.BLOCK)
    view = plan.windows(x)
    for images, rows, index, tiles in plan.blocks:
        v = _at_frequencies(view[index], tiles, room)
        products = np.matmul(v, waves, out=room("products", 4**n, v.shape[1], n_out))
        if bias is not None:
            products[len(products) // 3] += bias  # at the frequency (1, 1, ...), for which the column of A is all ones
        yield images, rows, _transformed("A", products, room("outputs", *(2,) * n, *tiles, n_out), tiles)


def gradients(
    in_tiles: Callable[[slice, slice, tuple[int, ...]], Value],
    dtype: np.dtype,
    out: tuple[int, ...],
    geometry: Geometry,
    x: Value,
    kernel: Value,
    by: tuple[bool, bool] = (True, True),
) -> tuple[Value, Value, Value]:
    """The gradients by x, by the kernel and by a bias, if it is by x or by the kernel.

    That by y, of spatial sizes `out` and this dtype, comes in blocks: in_tiles(images, rows, tiles) gives contiguous
    [2, ..., *tiles, n_out], 0 for what the last tiles have too many."""
    n, (n_in, n_out) = len(out), kernel.shape[-2:]
    dtype = np.result_type(dtype, x, kernel)
    room = _Room(dtype)
    plan = _plan(x.shape, geometry.padding, out, n_out, x.dtype.itemsize, sliding.BLOCK)
    sums, db = np.zeros((4**n, n_in, n_out), dtype), np.zeros(n_out, dtype)
    dx: Value = None
    padded: Value = None
    waves: Value = None
    view: Value = None
    if by[0]:
        waves = np.ascontiguousarray(spectrum(kernel).swapaxes(1, 2))  # [4^n, n_out, n_in]; products are faster with a copy
        dx = np.empty(x.shape, dtype)
    if by[1]:
        view = plan.windows(x)
    for images, rows, index, tiles in plan.blocks:
        count = prod(tiles)
        w = room("products", 4**n, count, n_out)
        _transformed("A", in_tiles(images, rows, tiles), w, tiles, adjoint=True)
        if by[1]:
            v = _at_frequencies(view[index], tiles, room)
            db += np.ones(count, dtype) @ w[len(w) // 3]  # the frequency (1, 1, ...) has the sums of the tiles
            sums += np.matmul(v.swapaxes(1, 2), w, out=room("sums", *sums.shape))
        if by[0]:
            v = np.matmul(w, waves, out=room("frequencies", 4**n, count, n_in))
            d = _transformed("B", v, room("windows", *(4,) * n, *tiles, n_in), tiles, adjoint=True)
            for axis in range(n):
                d = _overlapped(d, axis, n, room)
            if rows.start == 0:
                padded = room("padded", tiles[1], *plan.padded[1:])
            into = _by_parity(padded[:, rows.start : rows.start + 2 * tiles[0] + 2])
            if rows.start:  # the tiles before these reach into their first two rows
                seam = (slice(None),) * n + (0,)
                d[seam] += into[seam]
            into[...] = d
            if rows.stop == out[0]:
                dx[images] = padded[:, *plan.inner[1:]]
    if not by[1]:
        return dx, None, None
    dk = _power("G", n, dtype, adjoint=True) @ sums.reshape(4**n, -1)
    return dx, dk.reshape(kernel.shape), db


def tiles_of(g: Value) -> Callable[[slice, slice, tuple[int, ...]], Value]:
    """The blocks of an array for `gradients`."""

    def in_tiles(images: slice, rows: slice, tiles: tuple[int, ...]) -> Value:
        part = g[images, rows]
        made = np.empty((*(2,) * (len(tiles) - 1), *tiles, g.shape[-1]), g.dtype)
        if not _is_even(part):
            whole = np.zeros((len(part), *[m + m % 2 for m in part.shape[1:-1]], g.shape[-1]), g.dtype)
            whole[:, *[slice(m) for m in part.shape[1:-1]]] = part
            part = whole
        np.copyto(made, _by_parity(part))
        return made

    return in_tiles


def put(tiles: Value, y: Value) -> None:
    """Outputs in tiles to where they belong in a block of y."""
    if _is_even(y):
        _by_parity(y)[...] = tiles
        return
    whole = np.empty((len(y), *[m + m % 2 for m in y.shape[1:-1]], y.shape[-1]), y.dtype)
    _by_parity(whole)[...] = tiles
    y[...] = whole[:, *[slice(m) for m in y.shape[1:-1]]]


def _is_even(y: Value) -> bool:
    return not any([m % 2 for m in y.shape[1:-1]])


def _by_parity(y: Value) -> Value:
    """[batch, 2 * rows, ..., channels] as [2, ..., rows, batch, ..., channels]."""
    n = y.ndim - 2
    return np.swapaxes(side_by_side(y, (2,) * n), n, n + 1)


class _Room:
    """Memory that the blocks of one call use one after the other, by name."""

    def __init__(self, dtype: np.dtype) -> None:
        self.dtype = dtype
        self.kept: dict[str, Value] = {}

    def __call__(self, name: str, *shape: int) -> Value:
        made = self.kept.get(name)
        if made is None:
            made = self.kept[name] = np.empty(shape, self.dtype)  # the first block is the largest
        return made if made.shape == shape else made.reshape(-1)[: prod(shape)].reshape(shape)


class _Plan(NamedTuple):
    """How the tiles of inputs of one shape lie, and in which blocks they are worked on."""

    padded: tuple[int, ...]  # the shape of x with the zeros around it
    inner: tuple[slice, ...]  # where x is in that
    shape: tuple[int, ...]  # of the view of its windows, [4, ..., rows of tiles, batch, ..., n_in]
    strides: tuple[int, ...]
    # images; rows of y; the index of their windows; (rows of tiles, images, tiles along the other axes)
    blocks: tuple[tuple[slice, slice, tuple[slice, ...], tuple[int, ...]], ...]

    def windows(self, x: Value) -> Value:
        """A view of a padded x: the inputs of all tiles."""
        room = np.zeros(self.padded, x.dtype)
        room[self.inner] = x
        return np.ndarray(self.shape, x.dtype, room, 0, self.strides)


@lru_cache(maxsize=64)
def _plan(x: tuple[int, ...], padding: Pairs, out: tuple[int, ...], n_out: int, itemsize: int, room: int) -> _Plan:
    """For an x of this shape. Rows of tiles come before the images, so that what is added where tiles overlap along the rows
    lies in one piece."""
    n, batch, n_in, tiles = len(out), x[0], x[-1], _tiles(out)
    padded = (batch, *[2 * t + 2 for t in tiles], n_in)
    inner = [slice(before, before + m) for m, (before, _) in zip(x[1:-1], padding, strict=True)]
    step = [prod(padded[a + 1 :]) * itemsize for a in range(n + 1)]
    shape = (*(4,) * n, tiles[0], batch, *tiles[1:], n_in)
    strides = (*step[1:], 2 * step[1], step[0], *[2 * s for s in step[2:]], itemsize)
    found = []
    for some, rows in blocks(batch, tiles[0], 4**n * prod(tiles[1:]) * (2 * n_in + n_out) * itemsize, room):
        images = slice(some.start, min(some.stop, batch))
        index = (slice(None),) * n + (rows, images)
        of_block = rows.stop - rows.start, images.stop - images.start, *tiles[1:]
        found.append((images, slice(2 * rows.start, min(2 * rows.stop, out[0])), index, of_block))
    return _Plan(padded, (slice(None), *inner), shape, strides, tuple(found))


def _at_frequencies(windows: Value, tiles: tuple[int, ...], room: _Room) -> Value:
    """B d of a block: [4^n, tiles, n_in]."""
    d = room("windows", *windows.shape)
    np.copyto(d, windows)
    return _transformed("B", d, room("frequencies", 4 ** (len(tiles) - 1), prod(tiles), windows.shape[-1]), tiles)


def _transformed(name: Literal["A", "B"], x: Value, out: Value, tiles: tuple[int, ...], adjoint: bool = False) -> Value:
    """The power of a matrix, or its transpose, times x, [frequencies, tiles, channels] or the like, into out; gives out. One
    row of tiles at a time, because BLAS has quicker kernels for small products."""
    matrix = _power(name, len(tiles) - 1, out.dtype, adjoint)
    m, k = matrix.shape
    np.matmul(matrix, x.reshape(k, tiles[0], -1).swapaxes(0, 1), out=out.reshape(m, tiles[0], -1).swapaxes(0, 1))
    return out


def _overlapped(d: Value, axis: int, n: int, room: _Room) -> Value:
    """Tiles [.., 4, .., tiles, ..] along an axis put together where they overlap: [.., 2, .., tiles + 1, ..]. Entry p of pair i
    is that entry of tile i plus entry p + 2 of the tile before."""
    t = n if axis == 0 else n + 1 + axis
    shape = list(d.shape)
    shape[axis], shape[t] = 2, shape[t] + 1
    e = room(f"overlapped {axis}", *shape)

    def at(a: int, k: slice) -> tuple[slice, ...]:
        return (*[slice(None)] * a, k)

    head, tail = d[at(axis, slice(0, 2))], d[at(axis, slice(2, 4))]
    e[at(t, slice(0, 1))] = head[at(t, slice(0, 1))]
    e[at(t, slice(-1, None))] = tail[at(t, slice(-1, None))]
    np.add(head[at(t, slice(1, None))], tail[at(t, slice(0, -1))], out=e[at(t, slice(1, -1))])
    return e
