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

from collections.abc import Iterator, Sequence
from functools import lru_cache, reduce
from math import prod
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import as_strided

from fnn.arrays import Value
from fnn.functional.windows import Geometry, Place, blocks, pad

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


def correlate(
    x: Value, waves: Value, bias: Value | None, geometry: Geometry, out: tuple[int, ...], place: Place
) -> Iterator[tuple[slice, slice]]:
    """y[o] = sum_t x[o + t - before] @ k[t], plus bias [n_out], where `waves` is the spectrum of k. In blocks of images and
    rows of y: each is written to place(images, rows), then its indices come."""
    n, n_out = x.ndim - 2, waves.shape[-1]
    tiles = _tiles(out)
    room = _Room(np.result_type(x, waves))
    view = _windows(x, geometry, tiles)
    for images, rows in _blocks(len(x), tiles, waves):
        v = _at_frequencies(view, images, rows, room)
        products = np.matmul(v, waves, out=room("products", *v.shape[:2], n_out))
        if bias is not None:
            products[len(products) // 3] += bias  # at the frequency (1, 1, ...), for which the column of A is all ones
        outputs = _by_row("A", n, products, rows, room("outputs", 2**n, *products.shape[1:]))
        of_y = slice(2 * rows.start, min(2 * rows.stop, out[0]))
        part = place(images, of_y)
        whole = _of_even_sizes(part, room)
        pairs = _by_parity(whole)
        pairs[...] = outputs.reshape(pairs.shape)
        if whole is not part:
            part[...] = whole[:, *[slice(m) for m in part.shape[1:-1]]]
        yield images, of_y


def gradients(g: Value, geometry: Geometry, sizes: tuple[int, ...], x: Value, kernel: Value) -> tuple[Value, Value, Value]:
    """The gradients by x, of these sizes, by the kernel and by a bias. Of g nothing is asked but its shape, dtype and blocks.

    Without the kernel the gradient by x is None, without x the others are."""
    n, n_out = len(sizes), g.shape[-1]
    dtype = np.result_type(g.dtype, *[a.dtype for a in (x, kernel) if a is not None])
    n_in = kernel.shape[-2] if x is None else x.shape[-1]
    tiles = _tiles(g.shape[1:-1])
    view = None if x is None else _windows(x, geometry, tiles)
    # [4^n, n_out, n_in]; as a copy, which makes products faster
    waves = None if kernel is None else np.ascontiguousarray(spectrum(kernel).swapaxes(1, 2))
    inner = [slice(before, before + m) for m, (before, _) in zip(sizes, geometry.padding, strict=True)]
    dx: Value = None if waves is None else np.empty((g.shape[0], *sizes, n_in), dtype)
    padded: Value = None
    db = np.zeros(n_out, dtype)
    room = _Room(dtype)
    sums = np.zeros((4**n, n_in, n_out), dtype)
    for images, rows in _blocks(g.shape[0], tiles, sums):
        part = g[images, slice(2 * rows.start, min(2 * rows.stop, g.shape[1]))]
        whole = _of_even_sizes(part, room)
        if whole is not part:
            whole[...] = 0
            whole[:, *[slice(m) for m in part.shape[1:-1]]] = part
        pairs = _by_parity(whole)
        gathered = room("outputs", *pairs.shape)
        np.copyto(gathered, pairs)
        count = gathered.size // (2**n * n_out)
        w = _by_row("A", n, gathered, rows, room("products", 4**n, count, n_out), adjoint=True)
        if view is not None:
            v = _at_frequencies(view, images, rows, room)
            db += np.ones(count, dtype) @ w[len(w) // 3]  # the frequency (1, 1, ...) has the sums of the tiles
            sums += np.matmul(v.swapaxes(1, 2), w, out=room("sums", *sums.shape))
        if waves is not None:
            v = np.matmul(w, waves, out=room("frequencies", 4**n, count, n_in))
            d = _by_row("B", n, v, rows, room("windows", *v.shape), adjoint=True)
            d = d.reshape(*[4] * n, *pairs.shape[n:-1], n_in)
            for axis in range(n):
                d = _overlapped(d, axis, n, room)
            if rows.start == 0:
                padded = room("padded", len(part), *[2 * m + 2 for m in tiles], n_in)
            into = _by_parity(padded[:, 2 * rows.start : 2 * rows.stop + 2])
            if rows.start:  # the tiles before these reach into their first two rows
                seam = (slice(None),) * n + (0,)
                d[seam] += into[seam]
            into[...] = d
            if rows.stop == tiles[0]:
                dx[images] = padded[:, *inner]
    if x is None:
        return dx, None, None
    dk = _power("G", n, dtype, adjoint=True) @ sums.reshape(4**n, -1)
    return dx, dk.reshape(*[3] * n, n_in, n_out), db


class _Room:
    """Memory that the blocks of one call use one after the other, by name."""

    def __init__(self, dtype: np.dtype) -> None:
        self.dtype = dtype
        self.kept: dict[str, Value] = {}

    def __call__(self, name: str, *shape: int) -> Value:
        size = prod(shape)
        if name not in self.kept:
            self.kept[name] = np.empty(size, self.dtype)  # the first block is the largest
        return self.kept[name][:size].reshape(shape)


def _blocks(batch: int, tiles: Sequence[int], waves: Value) -> Iterator[tuple[slice, slice]]:
    """Blocks of images and rows of tiles."""
    frequencies, n_in, n_out = waves.shape
    for images, rows in blocks(batch, tiles[0], frequencies * prod(tiles[1:]) * (2 * n_in + n_out) * waves.itemsize):
        yield slice(images.start, min(images.stop, batch)), rows


def _windows(x: Value, geometry: Geometry, tiles: Sequence[int]) -> Value:
    """A view [4, ..., rows, batch, ..., n_in] of x in its padding: the inputs of all tiles. Rows of tiles come before the
    images, so that what is added where tiles overlap along the rows lies in one piece."""
    n = len(tiles)
    pairs = [(before, 2 * t + 2 - before - m) for t, m, (before, _) in zip(tiles, x.shape[1:-1], geometry.padding, strict=True)]
    x = pad(x, tuple(pairs))
    batch, *steps, step = x.strides
    twice = [2 * s for s in steps]
    shape = (*[4] * n, tiles[0], len(x), *tiles[1:], x.shape[-1])
    return as_strided(x, shape, (*steps, twice[0], batch, *twice[1:], step), writeable=False)


def _at_frequencies(view: Value, images: slice, rows: slice, room: _Room) -> Value:
    """B d of a block: [4^n, tiles, n_in]."""
    n = (view.ndim - 2) // 2
    part = view[(slice(None),) * n + (rows, images)]
    d = room("windows", *part.shape)
    np.copyto(d, part)
    return _by_row("B", n, d, rows, room("frequencies", 4**n, d.size // (4**n * d.shape[-1]), d.shape[-1]))


def _by_row(name: Literal["A", "B"], n: int, x: Value, rows: slice, out: Value, adjoint: bool = False) -> Value:
    """The matrix (or its transpose) times x, [frequencies, tiles, channels] or the like. One row of tiles at a time: for small
    products BLAS has quicker kernels."""
    matrix = _power(name, n, out.dtype, adjoint)
    count = rows.stop - rows.start
    m, k = matrix.shape
    np.matmul(matrix, x.reshape(k, count, -1).swapaxes(0, 1), out=out.reshape(m, count, -1).swapaxes(0, 1))
    return out


def _of_even_sizes(part: Value, room: _Room) -> Value:
    """part itself, or room for it and the outputs that the last tiles have too many."""
    sizes = [m + m % 2 for m in part.shape[1:-1]]
    return part if part.shape[1:-1] == tuple(sizes) else room("whole", len(part), *sizes, part.shape[-1])


def _by_parity(y: Value) -> Value:
    """[batch, 2 * rows, ..., channels] as [2, ..., rows, batch, ..., channels], a view if the channels' lines are whole."""
    n = y.ndim - 2
    pairs = y.reshape(len(y), *[k for m in y.shape[1:-1] for k in (m // 2, 2)], y.shape[-1])
    return pairs.transpose(*range(2, 2 * n + 1, 2), 1, 0, *range(3, 2 * n, 2), 2 * n + 1)


def _overlapped(d: Value, axis: int, n: int, room: _Room) -> Value:
    """Tiles [.., 4, .., tiles, ..] along an axis put together where they overlap: [.., 2, .., tiles + 1, ..]. Entry p of pair i
    is that entry of tile i plus entry p + 2 of the tile before."""
    t = n if axis == 0 else n + 1 + axis
    shape = list(d.shape)
    shape[axis], shape[t] = 2, shape[t] + 1
    e = room(f"overlapped {axis}", *shape)

    def at(a: int, k: int | slice) -> tuple[int | slice, ...]:
        return (*[slice(None)] * a, k)

    head, tail = d[at(axis, slice(0, 2))], d[at(axis, slice(2, 4))]
    e[at(t, slice(0, 1))] = head[at(t, slice(0, 1))]
    e[at(t, slice(-1, None))] = tail[at(t, slice(-1, None))]
    np.add(head[at(t, slice(1, None))], tail[at(t, slice(0, -1))], out=e[at(t, slice(1, -1))])
    return e
