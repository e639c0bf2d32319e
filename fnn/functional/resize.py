"""Arrays that grow, or shrink to a part: upsampling, padding, flattening, the last time step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Literal, TypeAlias

import numpy as np

from fnn.arrays import Array, Array2, Array3, Array4, Array5, Int1, SameRank, Value
from fnn.autodiff.primitive import KernelPull, checked_form_of, fused
from fnn.autodiff.tracer import value_of
from fnn.functional.checks import check_array
from fnn.functional.windows import Pairs, Sizes, check_padding, spatial_tuple

# One number for every side of every spatial axis, or a tuple with a number or a pair (before, after) for each axis.
Sides: TypeAlias = int | tuple[int | tuple[int, int], ...]
PadMode: TypeAlias = Literal["zeros", "reflect", "edge", "wrap"]

_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
_PAD_MODES = {"zeros": "constant", "reflect": "reflect", "edge": "edge", "wrap": "wrap"}


def _at(axis: int, index: int | slice) -> tuple[int | slice, ...]:
    """An index along one axis."""
    return (*(slice(None),) * axis, index)


def _offsets(scale: int, linear: bool) -> list[float]:
    """Where the new positions lie between the old ones: (p + 1/2) / scale - 1/2 for the p-th that stand for one."""
    return [(p + 0.5) / scale - 0.5 if linear else 0.0 for p in range(scale)]


def _shifted(x: Value, axis: int, step: int) -> Value:
    """The neighbour of each entry in a direction along an axis; at the edge the entry itself."""
    parts = [x[_at(axis, slice(0, 1))], x[_at(axis, slice(0, -1))]]
    if step > 0:
        parts = [x[_at(axis, slice(1, None))], x[_at(axis, slice(-1, None))]]
    return np.concatenate(parts, axis)


def _upsample_reference(x: Value, *, scale: tuple[int, ...], linear: bool) -> Value:
    for axis, s in enumerate(scale, 1):
        phases = [x + abs(o) * (_shifted(x, axis, 1 if o > 0 else -1) - x) if o else x for o in _offsets(s, linear)]
        x = np.stack(phases, axis + 1).reshape(*x.shape[:axis], s * x.shape[axis], *x.shape[axis + 1 :])
    return x


@fused(1, _upsample_reference)
def _upsample(x: Value, *, scale: tuple[int, ...], linear: bool) -> tuple[Value, KernelPull]:
    # Along one axis, new position p of the s that stand for x_i lies at i + o_p. With N the neighbour on its side, before
    # where o_p < 0 and after where o_p > 0 (at the edge x_i itself):
    #   y_ip = x_i + |o_p| (N x - x)_i,   so   dx = sum_p g_p + (N^T - 1) sum_p |o_p| g_p, for each side a sum of its own.
    # N^T moves each entry to its neighbour, and what would leave stays at the edge. The last axis comes first, because its
    # strided copies are slow, and the array is still small.
    def stretch(x: Value, axis: int, s: int) -> Value:
        y = np.empty((*x.shape[: axis + 1], s, *x.shape[axis + 1 :]), x.dtype)
        differences: dict[int, Value] = {}
        for p, o in enumerate(_offsets(s, linear)):
            phase = y[_at(axis + 1, p)]
            if o:
                side = 1 if o > 0 else -1
                if side not in differences:
                    differences[side] = _shifted(x, axis, side)
                    differences[side] -= x
                np.multiply(differences[side], abs(o), out=phase)
                phase += x
            else:
                phase[...] = x
        return y.reshape(*x.shape[:axis], s * x.shape[axis], *x.shape[axis + 1 :])

    def gather(g: Value, axis: int, s: int) -> Value:
        n = g.shape[axis] // s
        g = g.reshape(*g.shape[:axis], n, s, *g.shape[axis + 1 :])
        dx = g[_at(axis + 1, 0)].copy()
        for p in range(1, s):
            dx += g[_at(axis + 1, p)]
        for side in (-1, 1):
            phases = [(p, abs(o)) for p, o in enumerate(_offsets(s, linear)) if o * side > 0]
            if phases and n:
                moved: Value = sum([g[_at(axis + 1, p)] * weight for p, weight in phases])
                dx -= moved
                inner, outer, edge = (slice(1, None), slice(0, -1), 0) if side < 0 else (slice(0, -1), slice(1, None), -1)
                dx[_at(axis, outer)] += moved[_at(axis, inner)]
                dx[_at(axis, edge)] += moved[_at(axis, edge)]
        return dx

    def pull(g: Value, wanted: Sequence[bool]) -> Sequence[Value]:
        for axis, s in enumerate(scale, 1):
            g = gather(g, axis, s)
        return (g,)

    y = x
    for axis in reversed(range(1, len(scale) + 1)):
        y = stretch(y, axis, scale[axis - 1])
    return y, pull


def check_method(name: str, method: str, rank: int) -> None:
    """ValueError unless this is a way to upsample over so many spatial axes."""
    if method not in ("nearest", _LINEAR[rank]):
        raise ValueError(f'{name}: method is {method!r}, expected "nearest" or "{_LINEAR[rank]}"')


def _upsampled(name: str, x: Value, rank: int, scale: Sizes, method: str) -> Value:
    scales = spatial_tuple(name, "scale", scale, rank)
    check_method(name, method, rank)
    check_array(name, "x", x)
    if x.ndim != rank + 2:
        axes = ("time",) if rank == 1 else ("depth", "height", "width")[-rank:]
        raise ValueError(f"{name}: x has shape {x.shape}, expected [batch, {', '.join(axes)}, channels]")
    return _upsample(x, scale=scales, linear=method != "nearest")


def upsample1d(x: Array3, scale: Sizes, /, *, method: Literal["nearest", "linear"] = "nearest") -> Array3:
    """`upsample2d` over time: [batch, time, channels] -> [batch, scale * time, channels].

    >>> import fnn
    >>> fnn.upsample1d(np.array([[[0.0], [4.0]]]), 2, method="linear")[0, :, 0]
    array([0., 1., 3., 4.])
    """
    y: Array3 = _upsampled("upsample1d", x, 1, scale, method)
    return y


def upsample2d(x: Array4, scale: Sizes, /, *, method: Literal["nearest", "bilinear"] = "nearest") -> Array4:
    """Images `scale` times as large: [batch, height, width, channels] -> [batch, scale * height, scale * width, channels].

    scale: an int, or one for each spatial axis. With method "nearest" each pixel becomes a block. With "bilinear" pixels are
    areas with their value in the middle, values between the middles are interpolated along each axis, and values outside
    are those of the edge (as in PyTorch with align_corners=False).

    >>> import fnn
    >>> fnn.upsample2d(np.array([[[[1.0], [2.0]]]]), 2)[0, :, :, 0]
    array([[1., 1., 2., 2.],
           [1., 1., 2., 2.]])
    """
    y: Array4 = _upsampled("upsample2d", x, 2, scale, method)
    return y


def upsample3d(x: Array5, scale: Sizes, /, *, method: Literal["nearest", "trilinear"] = "nearest") -> Array5:
    """`upsample2d` over volumes: x is [batch, depth, height, width, channels].

    >>> import fnn
    >>> fnn.upsample3d(np.ones((1, 2, 2, 3, 4)), (1, 2, 2)).shape
    (1, 2, 4, 6, 4)
    """
    y: Array5 = _upsampled("upsample3d", x, 3, scale, method)
    return y


def _pad_reference(x: Value, *, pairs: Pairs, mode: str) -> Value:
    return np.pad(x, ((0, 0), *pairs, (0, 0)), mode)  # type: ignore[call-overload]  # the stubs want literals


@fused(1, _pad_reference)
def _pad(x: Value, *, pairs: Pairs, mode: str) -> tuple[Value, KernelPull]:
    # y_p = x_source(p) along each axis, or 0, so every entry of g is added to that of its source. All positions but those
    # added are their own source.
    def pull(g: Value, wanted: Sequence[bool]) -> Sequence[Value]:
        for axis, (before, after) in enumerate(pairs, 1):
            n = x.shape[axis]
            if before or after:
                dx = g[_at(axis, slice(before, before + n))].copy()
                if mode != "constant":
                    source = np.pad(np.arange(n), (before, after), mode).tolist()  # type: ignore[call-overload]  # as above
                    for p in (*range(before), *range(before + n, before + n + after)):
                        dx[_at(axis, source[p])] += g[_at(axis, p)]
                g = dx
        return (g,)

    return _pad_reference(x, pairs=pairs, mode=mode), pull


def check_pad(name: str, padding: Sides, mode: str, n: int) -> Pairs:
    """The padding as a pair for each of n spatial axes; an error unless it is one, and the mode is one of `pad`."""
    if mode not in _PAD_MODES:
        raise ValueError(f"{name}: mode is {mode!r}, expected one of {', '.join(map(repr, _PAD_MODES))}")
    if isinstance(padding, str):
        raise TypeError(f"{name}: padding is {padding!r}, expected an int, or an int or a pair for each spatial axis")
    pairs = check_padding(name, padding, n)
    assert not isinstance(pairs, str)
    return pairs


def pad(x: SameRank, padding: Sides, /, *, mode: PadMode = "zeros") -> SameRank:
    """x with more positions around its spatial axes: [batch, ..., channels], of any rank from 3.

    padding: so many positions on every side, or a tuple with a number or a pair (before, after) for each spatial axis.
    mode: "zeros"; "reflect" (mirrored, without the edge itself); "edge" (the edge again and again); "wrap" (from the other
    end).

    Raises ValueError where there is too little to reflect or to wrap.

    >>> import fnn
    >>> x = np.array([[[1.0], [2.0], [3.0]]])
    >>> fnn.pad(x, ((2, 0),))[0, :, 0]
    array([0., 0., 1., 2., 3.])
    >>> fnn.pad(x, 2, mode="reflect")[0, :, 0]
    array([3., 2., 1., 2., 3., 2., 1.])
    """
    check_array("pad", "x", x)
    if x.ndim < 3:
        raise ValueError(f"pad: x has shape {x.shape}, expected [batch, ..., channels] with at least one axis between")
    pairs = check_pad("pad", padding, mode, x.ndim - 2)
    if mode != "zeros":
        for axis, (n, pair) in enumerate(zip(x.shape[1:-1], pairs, strict=True), 1):
            most = {"reflect": max(n - 1, 0), "wrap": n, "edge": max(pair) if n else 0}[mode]
            if max(pair) > most:
                raise ValueError(
                    f'pad: axis {axis} of x, {x.shape}, is to be padded by {pair}, but mode "{mode}" can add at most {most} '
                    "positions to each of its sides"
                )
    return _pad(x, pairs=pairs, mode=_PAD_MODES[mode])  # type: ignore[no-any-return]  # a Value is untyped


def _flatten_vjp(x: Value) -> tuple[Value, Callable[[Value], Value]]:
    shape = x.shape
    if len(shape) < 2:
        raise ValueError("no axes to flatten")  # `flatten` says more
    return x.reshape(shape[0], prod(shape[1:])), lambda g: g.reshape(shape)


@checked_form_of(_flatten_vjp)
def flatten(x: Array, /) -> Array2:
    """[batch, ...] -> [batch, n], in row-major order; may be a view of x.

    >>> import fnn
    >>> fnn.flatten(np.ones((2, 3, 4))).shape
    (2, 12)
    """
    check_array("flatten", "x", x)
    if x.ndim < 2:
        raise ValueError(f"flatten: x has shape {x.shape}, expected [batch, ...] with at least two axes")
    return x.reshape(x.shape[0], prod(x.shape[1:]))


def _last_step_vjp(x: Value) -> tuple[Value, Callable[[Value], Value]]:
    batch, time, n = x.shape

    def pull(g: Value) -> Value:
        dx = np.zeros((time, batch, n), g.dtype).transpose(1, 0, 2)  # step by step in memory, as recurrent layers read it
        dx[:, -1] = g
        return dx

    return np.copy(x[:, -1]), pull


@checked_form_of(_last_step_vjp)
def last_step(x: Array3, lengths: Int1 | None = None, /) -> Array2:
    """The last time step of each example: [batch, time, features] -> [batch, features].

    lengths [batch]: how many steps of each example count, where the others are padding; then step lengths[i] - 1 of
    example i.

    Raises ValueError where there is no step, or a length is not in [1, time]; TypeError unless lengths are integers.

    >>> import fnn
    >>> x = np.arange(6.0).reshape(2, 3, 1)
    >>> fnn.last_step(x)[:, 0], fnn.last_step(x, np.array([1, 2]))[:, 0]
    (array([2., 5.]), array([0., 4.]))
    """
    check_array("last_step", "x", x)
    if x.ndim != 3 or x.shape[1] == 0:
        raise ValueError(f"last_step: x has shape {x.shape}, expected [batch, time, features] with at least one step")
    if lengths is None:
        return np.copy(x[:, -1])
    steps: Value = value_of(lengths)
    if not isinstance(steps, np.ndarray) or steps.dtype.kind not in "iu":
        raise TypeError(f"last_step: lengths is {lengths!r}, expected an array of integers, one for each example")
    if steps.shape != x.shape[:1]:
        raise ValueError(f"last_step: lengths has shape {steps.shape} but x is {x.shape}: it must be {x.shape[:1]}")
    if steps.size and not (steps.min() >= 1 and steps.max() <= x.shape[1]):
        raise ValueError(
            f"last_step: lengths are from {steps.min()} to {steps.max()} but x has {x.shape[1]} steps: they must be in "
            f"[1, {x.shape[1]}]"
        )
    return x[np.arange(x.shape[0]), steps.astype(np.intp) - 1]
