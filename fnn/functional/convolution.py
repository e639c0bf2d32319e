"""Convolution over one, two or three spatial axes, channels last: a kernel slides over the input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fnn.arrays import Array, Array1, Array3, Array4, Array5, Value
from fnn.autodiff.primitive import KernelPull, fused
from fnn.autodiff.tracer import value_of
from fnn.functional.checks import check_array, check_int, check_not_wider
from fnn.functional.correlation import correlate, gradients
from fnn.functional.windows import Geometry, Padding, Sizes, check_padding, resolve_padding, spatial_tuple
from fnn.initializers import Initializer, drawn, he_normal, zeros
from fnn.random import Key, check_key
from fnn.tree import Record, show


@dataclass(frozen=True, eq=False, repr=False)
class ConvParams(Record):
    """Parameters of a convolution: `kernel` [*size, n_in // groups, n_out] and `bias` [n_out].

    Those of a transposed convolution are the same, with n_in and n_out its own inputs and outputs.

    >>> import fnn
    >>> fnn.ConvParams.init(fnn.key(0), 3, 16, (5, 5))
    ConvParams(kernel=f32[5,5,3,16], bias=f32[16])
    """

    kernel: Array
    bias: Array1

    @classmethod
    def init(
        cls,
        key: Key,
        n_in: int,
        n_out: int,
        size: tuple[int, ...],
        /,
        *,
        groups: int = 1,
        weight_init: Initializer = he_normal,
        bias_init: Initializer = zeros,
    ) -> ConvParams:
        """New parameters: a he_normal kernel and zero bias unless told otherwise."""
        name = "ConvParams.init"
        check_key(name, key)
        k1, k2 = key.split()
        kernel = drawn(name, weight_init, k1, _kernel_shape(name, n_in, n_out, size, groups))
        return ConvParams(kernel, drawn(name, bias_init, k2, (n_out,)))


@dataclass(frozen=True, eq=False, repr=False)
class KernelParams(Record):
    """Parameters of a convolution without bias: `kernel` [*size, n_in // groups, n_out]."""

    kernel: Array

    @classmethod
    def init(
        cls,
        key: Key,
        n_in: int,
        n_out: int,
        size: tuple[int, ...],
        /,
        *,
        groups: int = 1,
        weight_init: Initializer = he_normal,
    ) -> KernelParams:
        """New parameters: a he_normal kernel unless told otherwise."""
        name = "KernelParams.init"
        check_key(name, key)
        return KernelParams(drawn(name, weight_init, key.split()[0], _kernel_shape(name, n_in, n_out, size, groups)))


def _kernel_shape(name: str, n_in: int, n_out: int, size: tuple[int, ...], groups: int) -> tuple[int, ...]:
    check_channels(name, n_in, n_out, groups)
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"{name}: size is {size!r}, expected a tuple with the size along each spatial axis, as (3, 3)")
    return (*spatial_tuple(name, "size", size, len(size)), n_in // groups, n_out)


def check_channels(name: str, n_in: int, n_out: int, groups: int) -> None:
    """An error unless these are positive ints, and groups divides the others."""
    check_int(name, "groups", groups, 1)
    for what, n in (("n_in", n_in), ("n_out", n_out)):
        if check_int(name, what, n, 1) % groups:
            raise ValueError(f"{name}: groups is {groups}, which does not divide {what}, {n}")


def product_at_tap(x: Value, kernel: Value, t: tuple[int, ...], groups: int) -> Value:
    """x @ kernel[t] of the reference compositions; in groups, each part of the channels with its own matrix."""
    if groups == 1:
        return x @ kernel[t]
    *_, n, m = kernel.shape
    parts = x.reshape(*x.shape[:-1], groups, 1, n) @ np.swapaxes(kernel[t].reshape(n, groups, m // groups), 0, 1)
    return parts.reshape(*x.shape[:-1], m)


def _convolution_reference(x: Value, kernel: Value, *bias: Value, geometry: Geometry) -> Value:
    out = geometry.out(x.shape[1:-1], kernel.shape[:-2])
    x = np.pad(x, ((0, 0), *geometry.padding, (0, 0)))
    y: Value = bias[0] if bias else 0.0
    for t in np.ndindex(kernel.shape[:-2]):
        y = product_at_tap(x[:, *geometry.tap(t, 0, out)], kernel, t, geometry.groups) + y
    return y


def _convolution(x: Value, kernel: Value, *bias: Value, geometry: Geometry) -> tuple[Value, KernelPull]:
    # y[o] = sum_t x[s o + d t - before] K[t] + b, with stride s, dilation d, and x zero outside. From
    # dL = <g, dy> = sum_{o,t} g[o] (dx[s o + d t - before] K[t] + x[s o + d t - before] dK[t])^T + sum_o g[o] db^T:
    #   dL/dx[i] = sum over all o and t with s o + d t - before = i of g[o] K[t]^T
    #   dL/dK[t] = sum_o x[s o + d t - before]^T g[o],   dL/db = sum_o g[o]
    y = correlate(x, kernel, bias[0] if bias else None, geometry)

    def pull(g: Value, wanted: Sequence[bool]) -> Sequence[Value]:
        return gradients(x, g, kernel, geometry, wanted) if bias else gradients(x, g, kernel, geometry, (*wanted, False))[:2]

    return y, pull


_conv_op = fused(3, _convolution_reference)(_convolution)
_conv_without_bias_op = fused(2, _convolution_reference)(_convolution)


def conv1d(
    params: ConvParams | KernelParams,
    x: Array3,
    /,
    *,
    stride: Sizes = 1,
    padding: Padding = "same",
    dilation: Sizes = 1,
    groups: int = 1,
) -> Array3:
    """Convolution over time: y[t] = sum_k x[stride * t + dilation * k - before] @ kernel[k] + bias, where x is 0 outside.

    x: [batch, time, channels]; kernel [size, channels // groups, n_out]; the result is [batch, time', n_out]. With
    padding="causal", all zeros stand before the first step, and y[t] sees nothing after x[stride * t]. The other options and
    errors are those of `conv2d`.

    >>> import fnn
    >>> p = fnn.KernelParams(np.ones((2, 1, 1)))
    >>> fnn.conv1d(p, np.array([[[1.0], [2.0], [3.0]]]), padding="causal").ravel()
    array([1., 3., 5.])
    """
    y: Array3 = _convolve(1, params, x, stride, padding, dilation, groups)
    return y


def conv2d(
    params: ConvParams | KernelParams,
    x: Array4,
    /,
    *,
    stride: Sizes = 1,
    padding: Padding = "same",
    dilation: Sizes = 1,
    groups: int = 1,
) -> Array4:
    """Convolution of images (cross-correlation, as everywhere in deep learning: the kernel is not turned round).

    y[i, j] = sum_{k, l} x[si * i + di * k - top, sj * j + dj * l - left] @ kernel[k, l] + bias, where x is 0 outside.

    x: [batch, height, width, channels]; kernel [kh, kw, channels // groups, n_out]; bias [n_out]; the result is
    [batch, height', width', n_out].

    - stride (s), dilation (d): an int, or one for each spatial axis. Taps lie `dilation` apart.
    - padding: "same" gives ceil(size / stride) outputs, and the odd zero stands at the end (as in JAX and in ONNX's
      SAME_UPPER); "valid" pads nothing; an int pads all sides, a tuple with an int or a pair (before, after) for each axis
      those. Numbers give (before + size + after - dilation * (k - 1) - 1) // stride + 1 outputs.
    - groups: inputs and outputs are in so many equal parts, and each part of the outputs sees its part of the inputs.
      Depthwise convolution has groups = channels.

    Raises ValueError where shapes do not fit, groups do not divide the channels, or the kernel is larger than the padded
    input; TypeError where x is not floating, or is float64 with float32 parameters.

    >>> import fnn
    >>> p = fnn.ConvParams.init(fnn.key(0), 3, 8, (3, 3))
    >>> x = np.ones((2, 28, 28, 3), np.float32)
    >>> fnn.conv2d(p, x).shape, fnn.conv2d(p, x, stride=2).shape, fnn.conv2d(p, x, padding="valid").shape
    ((2, 28, 28, 8), (2, 14, 14, 8), (2, 26, 26, 8))
    """
    y: Array4 = _convolve(2, params, x, stride, padding, dilation, groups)
    return y


def conv3d(
    params: ConvParams | KernelParams,
    x: Array5,
    /,
    *,
    stride: Sizes = 1,
    padding: Padding = "same",
    dilation: Sizes = 1,
    groups: int = 1,
) -> Array5:
    """Convolution of volumes or films: `conv2d` with one more axis.

    x: [batch, depth, height, width, channels]; kernel [kd, kh, kw, channels // groups, n_out]; the result is
    [batch, depth', height', width', n_out]. Options and errors are those of `conv2d`.

    >>> import fnn
    >>> p = fnn.ConvParams.init(fnn.key(0), 1, 4, (3, 3, 3))
    >>> fnn.conv3d(p, np.ones((2, 8, 8, 8, 1), np.float32), stride=(1, 2, 2)).shape
    (2, 8, 4, 4, 4)
    """
    y: Array5 = _convolve(3, params, x, stride, padding, dilation, groups)
    return y


def _convolve(
    n: int,
    params: ConvParams | KernelParams,
    x: Value,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    groups: int,
) -> Value:
    name = f"conv{n}d"
    check_convolution(name, n, params, x, groups)
    strides = spatial_tuple(name, "stride", stride, n)
    dilations = spatial_tuple(name, "dilation", dilation, n)
    padding = check_padding(name, padding, n)  # as tuples, which can be hashed, however it was given
    geometry = geometry_of(name, x.shape[1:-1], params.kernel.shape[:-2], strides, padding, dilations, groups)
    if isinstance(params, KernelParams):
        return _conv_without_bias_op(x, params.kernel, geometry=geometry)
    return _conv_op(x, params.kernel, params.bias, geometry=geometry)


@lru_cache(maxsize=256)
def geometry_of(
    name: str,
    sizes: tuple[int, ...],
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    padding: Padding,
    dilations: tuple[int, ...],
    groups: int,
) -> Geometry:
    """How a kernel of this size lies on spatial axes of these sizes, for one number of each for every axis."""
    return Geometry(strides, resolve_padding(name, padding, sizes, kernel, strides, dilations), dilations, groups)


_AXES = ("batch, time", "batch, height, width", "batch, depth, height, width")


def check_convolution(name: str, n: int, params: ConvParams | KernelParams, x: Value, groups: int) -> None:
    """ValueError or TypeError unless these are parameters and input of a convolution over n spatial axes."""
    if not isinstance(params, (ConvParams, KernelParams)):
        raise TypeError(f"{name}: params is {show(params)}, expected ConvParams or KernelParams; are arguments swapped?")
    x, kernel = value_of(x), value_of(params.kernel)
    check_array(name, "x", x)
    check_array(name, "kernel", kernel)
    check_not_wider(name, "x", x, "kernel", kernel)
    check_int(name, "groups", groups, 1)
    if kernel.ndim != n + 2 or 0 in kernel.shape:
        raise ValueError(
            f"{name}: kernel has shape {kernel.shape}, expected {n + 2} axes that are not empty: the size along each of {n} "
            "spatial axes, n_in // groups, n_out"
        )
    n_in, n_out = kernel.shape[-2] * groups, kernel.shape[-1]
    if n_out % groups:
        raise ValueError(f"{name}: groups is {groups}, which does not divide the {n_out} outputs of the kernel {kernel.shape}")
    if x.ndim != n + 2 or x.shape[-1] != n_in:
        _refuse_shape(name, n, x.shape, n_in, f"kernel is {kernel.shape}" + (f" in {groups} groups" if groups > 1 else ""))
    if 0 in x.shape[1:]:
        raise ValueError(f"{name}: x has shape {x.shape}: only the batch may be empty")
    if isinstance(params, ConvParams):
        bias = value_of(params.bias)
        check_array(name, "bias", bias)
        check_not_wider(name, "bias", bias, "kernel", kernel)
        if bias.shape != (n_out,):
            raise ValueError(f"{name}: bias has shape {bias.shape} but kernel is {kernel.shape}: bias must be ({n_out},)")


def _refuse_shape(name: str, n: int, shape: tuple[int, ...], n_in: int, kernel: str) -> None:
    hint = ""
    if len(shape) == n + 2 and shape[1] == n_in:
        hint = "; x looks like channels-first: write np.moveaxis(x, 1, -1)"
    elif len(shape) == n + 1 and shape[-1] == n_in:
        hint = "; for one example write x[np.newaxis]"
    elif len(shape) == n + 1 and n_in == 1:
        hint = "; for one channel write x[..., np.newaxis]"
    raise ValueError(f"{name}: x has shape {shape} but {kernel}: x must be [{_AXES[n - 1]}, {n_in}]{hint}")
