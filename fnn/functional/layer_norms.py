"""Normalisation of each example by itself: layer norm, RMS norm, group norm and instance norm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from fnn.arrays import Array1, SameRank, Value, ones, read_only, total
from fnn.autodiff.primitive import KernelPull, fused
from fnn.autodiff.tracer import value_of
from fnn.functional.checks import check_array, check_int, check_not_wider, check_number
from fnn.functional.half import in_float32
from fnn.functional.norms import NormParams
from fnn.tree import Record, show


@dataclass(frozen=True, eq=False, repr=False)
class ScaleParams(Record):
    """Parameters of a norm without shift: `scale` [features]."""

    scale: Array1

    @classmethod
    def init(cls, n: int, /) -> ScaleParams:
        """Scale 1: a plain normalisation."""
        check_int("ScaleParams.init", "n", n, 0)
        return ScaleParams(read_only(np.ones(n, np.float32)))


def check_eps(name: str, eps: float) -> float:
    """eps as a Python float, because a NumPy number would widen float32; an error unless it is a positive number."""
    check_number(name, "eps", eps)
    if not eps > 0:
        raise ValueError(f"{name}: eps is {eps}, expected a positive number")
    return float(eps)


def check_groups(name: str, groups: int, n: int) -> None:
    """TypeError unless groups is an int, ValueError unless it divides the number n of channels."""
    check_int(name, "groups", groups)
    if n % groups:
        raise ValueError(f"{name}: groups is {groups}, expected a divisor of the number of channels, {n}")


def _check(name: str, x: Value, scale: Value, shift: Value, shape: str) -> None:
    """x must be floating, no wider than the parameters, with their number of features last, and at least one."""
    x, scale = value_of(x), value_of(scale)
    check_array(name, "x", x)
    check_array(name, "scale", scale)
    check_not_wider(name, "x", x, "scale", scale)
    if scale.ndim != 1 or x.ndim < 1 or x.shape[-1:] != scale.shape or not scale.size:
        raise ValueError(f"{name}: x has shape {x.shape} but scale is {scale.shape}: x must be {shape}, and scale [features]")
    if shift is not None:
        shift = value_of(shift)
        check_not_wider(name, "shift", shift, "scale", scale)
        if shift.shape != scale.shape:
            raise ValueError(f"{name}: shift has shape {shift.shape} but scale is {scale.shape}: they must be equal")


# Layer norm


def _layer_norm_reference(x: Value, scale: Value, shift: Value, *, eps: float) -> Value:
    centred = x - np.mean(x, -1, keepdims=True)
    var = np.mean(centred * centred, -1, keepdims=True)
    return centred / np.sqrt(var + eps) * scale + shift


def layer_norm_kernel(x: Value, scale: Value, shift: Value, *, eps: float) -> tuple[Value, KernelPull]:
    """The kernel of `layer_norm`."""
    # Per row of d features, m = sum_i x_i / d, v = sum_i (x_i - m)^2 / d, r = 1 / sqrt(v + eps), h_i = (x_i - m) r:
    #   y_i = scale_i h_i + shift_i,  and over all rows  dshift_i = sum g_i,  dscale_i = sum g_i h_i
    # With e_i = g_i scale_i the cotangent of h_i: dh_i = r (dx_i - dm) + (x_i - m) dr, where dr = -r^2 / d sum_j h_j dx_j
    # (as in batch norm). Hence sum_i e_i dh_i gives
    #   dx_j = r (e_j - sum_i e_i / d - h_j sum_i e_i h_i / d).
    # h itself is never made: with c_i = x_i - m and the outer product q_i = r scale_i of all rows,
    #   y_i = c_i q_i + shift_i,  dscale_i = sum r g_i c_i,  dx_j = g_j q_j - r sum_i e_i / d - c_j r^3 sum_i e_i c_i / d.
    # Means, sums and outer products are products with vectors, which are several times as fast as reductions of rows.
    if x.dtype.itemsize == 2:
        return in_float32(_layer_norm, x, scale, shift, eps=eps)
    d = x.shape[-1]
    rows = x.reshape(prod(x.shape[:-1]), d)
    # Counted from the row's first entry, a far mean costs no digits, and a constant row is exactly 0.
    c = rows - rows[:, :1]
    c -= (c.dot(ones(d, c.dtype)) / d)[:, np.newaxis]
    r = np.vecdot(c, c)
    r /= d
    r += eps
    r = 1 / np.sqrt(r, out=r)
    q = r[:, np.newaxis].dot(scale[np.newaxis])
    y = c * q
    y += shift  # no wider than scale, and so than y

    def pull(g: Value, wanted: Sequence[bool]) -> Sequence[Value]:
        g = g.reshape(c.shape)
        gc = g * c
        dscale = r.dot(gc) if wanted[1] else None
        dshift = ones(len(g), g.dtype).dot(g) if wanted[2] else None
        if not wanted[0]:
            return None, dscale, dshift
        mean = scale * (1 / d)  # g @ mean is the mean of e
        dx = g * q
        dx -= (r * g.dot(mean))[:, np.newaxis]
        dx -= np.multiply(c, (gc.dot(mean) * r * r * r)[:, np.newaxis], out=gc)
        return dx.reshape(x.shape), dscale, dshift

    return y.reshape(x.shape), pull


_layer_norm = fused(3, _layer_norm_reference)(layer_norm_kernel)


def layer_norm(params: NormParams, x: SameRank, /, *, eps: float = 1e-5) -> SameRank:
    """(x - mean) / sqrt(var + eps) * scale + shift, with mean and (biased) variance of each row over the last axis.

    x: [..., features]. Source: Ba, Kiros and Hinton 2016, section 3.

    Raises ValueError where the last axis does not fit or eps is not positive, TypeError where x is not floating, or wider
    than the parameters.

    >>> import fnn
    >>> fnn.layer_norm(fnn.NormParams.init(3), np.array([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]], np.float32)).round(3)
    array([[-1.225,  0.   ,  1.225],
           [ 0.   ,  0.   ,  0.   ]], dtype=float32)
    """
    _check_params("layer_norm", params)
    eps = check_eps("layer_norm", eps)
    _check("layer_norm", x, params.scale, params.shift, "[..., features]")
    return _layer_norm(x, params.scale, params.shift, eps=eps)  # type: ignore[no-any-return]  # a Value is untyped


def _check_params(name: str, params: object) -> None:
    if not isinstance(params, NormParams):
        raise TypeError(f"{name}: params is {show(params)}, expected NormParams; are arguments swapped?")


# RMS norm


def _rms_norm_reference(x: Value, scale: Value, *, eps: float) -> Value:
    return x / np.sqrt(np.mean(x * x, -1, keepdims=True) + eps) * scale


def rms_norm_kernel(x: Value, scale: Value, *, eps: float) -> tuple[Value, KernelPull]:
    """The kernel of `rms_norm`."""
    # As layer norm without its mean: with r = 1 / sqrt(sum_i x_i^2 / d + eps), h_i = x_i r and e_i = g_i scale_i,
    #   y_i = scale_i h_i,  dscale_i = sum over all rows of g_i h_i,  dx_j = r (e_j - h_j sum_i e_i h_i / d).
    if x.dtype.itemsize == 2:
        return in_float32(_rms_norm, x, scale, eps=eps)
    d = x.shape[-1]
    rows = x.reshape(prod(x.shape[:-1]), d)
    r = (1 / np.sqrt(np.einsum("ij,ij->i", rows, rows) / d + eps))[:, np.newaxis]
    h = rows * r
    y = h * scale

    def pull(g: Value, wanted: Sequence[bool]) -> Sequence[Value]:
        g = g.reshape(h.shape)
        gh = g * h
        dscale = np.ones(len(g), g.dtype) @ gh if wanted[1] else None
        if not wanted[0]:
            return None, dscale
        dx = g * scale
        dx -= np.multiply(h, (gh @ (scale * (1 / d)))[:, np.newaxis], out=gh)
        dx *= r
        return dx.reshape(x.shape), dscale

    return y.reshape(x.shape), pull


_rms_norm = fused(2, _rms_norm_reference)(rms_norm_kernel)


def rms_norm(params: ScaleParams, x: SameRank, /, *, eps: float = 1e-5) -> SameRank:
    """x / sqrt(mean(x^2) + eps) * scale, with the mean of each row over the last axis.

    x: [..., features]. eps is 1e-5 by default, as in Llama 2, in ONNX and in the other norms here (PyTorch takes the
    spacing of floats at 1, 1.2e-7 in float32). Source: Zhang and Sennrich 2019, equation 4.

    Raises ValueError where the last axis does not fit or eps is not positive, TypeError where x is not floating, or wider
    than the parameters.

    >>> import fnn
    >>> fnn.rms_norm(fnn.ScaleParams.init(2), np.array([[3.0, 4.0]], np.float32)).round(3)
    array([[0.849, 1.131]], dtype=float32)
    """
    if not isinstance(params, ScaleParams):
        raise TypeError(f"rms_norm: params is {show(params)}, expected ScaleParams; are arguments swapped?")
    eps = check_eps("rms_norm", eps)
    _check("rms_norm", x, params.scale, None, "[..., features]")
    return _rms_norm(x, params.scale, eps=eps)  # type: ignore[no-any-return]  # a Value is untyped


# Group norm and instance norm


def _group_norm_reference(x: Value, scale: Value, shift: Value, *, groups: int, eps: float) -> Value:
    grouped = x.reshape((x.shape[0], prod(x.shape[1:-1]), groups, x.shape[-1] // groups))
    centred = grouped - np.mean(grouped, (1, 3), keepdims=True)
    var = np.mean(centred * centred, (1, 3), keepdims=True)
    return (centred / np.sqrt(var + eps)).reshape(x.shape) * scale + shift


def group_norm_kernel(x: Value, scale: Value, shift: Value, *, groups: int, eps: float) -> tuple[Value, KernelPull]:
    """The kernel of `group_norm` and `instance_norm`."""
    # For each example b, with its places s and channels c; in the group of c are n pairs (s, c'), and M is the mean over them:
    #   m = M x,  v = M (x - m)^2,  r = 1 / sqrt(v + eps),  h = (x - m) r,  y = scale h + shift
    #   dshift_c = sum_bs g,  dscale_c = sum_bs g h,  and with e = g scale, as in layer norm,  dx = r (e - M e - h M (e h)).
    # Sums over places come first; what is left, [batch, channels], is small. M e = sum_c' scale_c' sum_s g / n.
    if x.dtype.itemsize == 2:
        return in_float32(_group_norm, x, scale, shift, groups=groups, eps=eps)
    batch, channels = x.shape[0], x.shape[-1]
    width = channels // groups
    h = x.reshape(batch, prod(x.shape[1:-1]), channels)
    n = h.shape[1] * width

    def mean(sums: Value) -> Value:
        """The mean of each group from the sums over places: for every channel of the group, [batch, 1, channels]."""
        return np.repeat(total(sums.reshape(batch, groups, width), 2) / n, width, 1)[:, np.newaxis]

    # counted from the group's first entry, as in layer norm
    h = h - np.repeat(h[:, :1, ::width], width, 2)
    h -= mean(total(h, 1))
    r = 1 / np.sqrt(mean(np.einsum("bsc,bsc->bc", h, h)) + eps)
    h *= r
    y = h * scale
    y += shift

    def pull(g: Value, wanted: Sequence[bool]) -> Sequence[Value]:
        g = g.reshape(h.shape)
        gs, ghs = total(g, 1), np.einsum("bsc,bsc->bc", g, h)
        dscale, dshift = total(ghs, 0), total(gs, 0)
        if not wanted[0]:
            return None, dscale, dshift
        dx = g * scale
        dx -= mean(gs * scale)
        dx -= h * mean(ghs * scale)
        dx *= r
        return dx.reshape(x.shape), dscale, dshift

    return y.reshape(x.shape), pull


_group_norm = fused(3, _group_norm_reference)(group_norm_kernel)


def group_norm(params: NormParams, x: SameRank, groups: int, /, *, eps: float = 1e-5) -> SameRank:
    """(x - mean) / sqrt(var + eps) * scale + shift, with mean and (biased) variance of each example's groups of channels.

    x: [batch, ..., channels]. The channels are cut into `groups` runs of neighbours; the statistics of a group are over all
    axes between batch and channels, and over the group's channels. Scale and shift are per channel. One group normalises
    each example as a whole; as many groups as channels is instance norm. Source: Wu and He 2018, equations 1 to 6.

    Raises ValueError where the last axis does not fit, groups does not divide the number of channels, a group has fewer
    than two values (whose variance is 0 whatever they are) or eps is not positive; TypeError where x is not floating, or
    wider than the parameters.

    >>> import fnn
    >>> x = np.array([[[1.0, 3.0, 50.0, 70.0]]], np.float32)
    >>> fnn.group_norm(fnn.NormParams.init(4), x, 2).round(3)
    array([[[-1.,  1., -1.,  1.]]], dtype=float32)
    """
    return _grouped("group_norm", params, x, groups, eps)


def instance_norm(params: NormParams, x: SameRank, /, *, eps: float = 1e-5) -> SameRank:
    """(x - mean) / sqrt(var + eps) * scale + shift, with mean and (biased) variance of each channel of each example.

    x: [batch, ..., channels], with at least one axis between; the statistics are over these. It is the same in training
    and in evaluation. Source: Ulyanov, Vedaldi and Lempitsky 2016, equation 4. Raises what `group_norm` raises.

    >>> import fnn
    >>> x = np.array([[[1.0, 30.0], [3.0, 10.0]]], np.float32)
    >>> fnn.instance_norm(fnn.NormParams.init(2), x).round(3)
    array([[[-1.,  1.],
            [ 1., -1.]]], dtype=float32)
    """
    return _grouped("instance_norm", params, x, None, eps)


def _grouped(name: str, params: NormParams, x: SameRank, groups: int | None, eps: float) -> SameRank:
    """Group norm; with groups None, as many groups as channels."""
    _check_params(name, params)
    eps = check_eps(name, eps)
    _check(name, x, params.scale, params.shift, "[batch, ..., channels]")
    if x.ndim < 2:
        raise ValueError(f"{name}: x has shape {x.shape}, expected [batch, ..., channels]; for one example write x[np.newaxis]")
    channels = x.shape[-1]
    count = channels if groups is None else groups
    check_groups(name, count, channels)
    n = prod(x.shape[1:]) // count
    if n < 2:
        raise ValueError(
            f"{name}: x has shape {x.shape}, {n} value(s) in each of {count} groups, and a variance takes at least 2; "
            "use fewer groups, or layer_norm"
        )
    return _group_norm(x, params.scale, params.shift, groups=count, eps=eps)  # type: ignore[no-any-return]  # a Value is untyped
