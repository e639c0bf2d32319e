"""Transposed convolution over one, two or three spatial axes: the adjoint of a convolution, which makes images larger.

A convolution with stride s takes an image of s * n positions to n; its adjoint takes n positions to s * n. Forward and backward
of the one are backward and forward of the other, so that both share their kernels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from fnn.arrays import Array3, Array4, Array5, Value
from fnn.autodiff.primitive import KernelPull, fused
from fnn.functional.convolution import ConvParams, KernelParams, check_convolution, product_at_tap
from fnn.functional.correlation import add_bias, channel_sums, correlate, correlate_by_kernel, correlate_by_x, swap_channels
from fnn.functional.windows import Geometry, Padding, Pairs, Sizes, check_padding, spatial_tuple


def _transposed_reference(x: Value, kernel: Value, *bias: Value, geometry: Geometry, sizes: tuple[int, ...]) -> Value:
    # The product of every tap is spread out, with zeros between (stride), and shifted to where the tap points.
    steps, shape = geometry.stride, x.shape[1:-1]
    spread = tuple([part for s in steps for part in ((0, 0), (0, s - 1))])
    long = [s * (m - 1) + 1 for s, m in zip(steps, shape, strict=True)]
    full = [before + size + after for size, (before, after) in zip(sizes, geometry.padding, strict=True)]
    y: Value = 0.0
    for t in np.ndindex(kernel.shape[:-2]):
        part = product_at_tap(x, kernel, t, geometry.groups)
        split = part.reshape(len(part), *[n for m in shape for n in (m, 1)], part.shape[-1])
        part = np.pad(split, ((0, 0), *spread, (0, 0)))
        part = part.reshape(len(part), *[s * m for s, m in zip(steps, shape, strict=True)], part.shape[-1])
        shifts = [d * i for d, i in zip(geometry.dilation, t, strict=True)]
        around = [(shift, m - shift - n) for shift, m, n in zip(shifts, full, long, strict=True)]
        y = np.pad(part[:, *[slice(n) for n in long]], ((0, 0), *around, (0, 0))) + y
    y = np.pad(y, ((0, 0), *[(0, max(0, -after)) for _, after in geometry.padding], (0, 0)))
    y = y[:, *[slice(before, before + size) for size, (before, _) in zip(sizes, geometry.padding, strict=True)]]
    return y + bias[0] if bias else y


def _transposed(x: Value, kernel: Value, *bias: Value, geometry: Geometry, sizes: tuple[int, ...]) -> tuple[Value, KernelPull]:
    # y[i] = sum over all o and t with s o + d t - before = i of x[o] K[t], + b. With C[t] = K[t]^T this is the gradient of
    #   the convolution z[o] = sum_t y[s o + d t - before] C[t]
    # by its input, with x as the cotangent of z. It is linear in x and in C, so from dL = <g, dy>:
    #   dL/dx[o] = sum_t g[s o + d t - before] K[t]^T = sum_t g[s o + d t - before] C[t], that convolution of g
    #   dL/dC[t] = sum_o g[s o + d t - before]^T x[o], its gradient by C with input g and cotangent x;  dL/dK[t] = dL/dC[t]^T
    #   dL/db = sum_i g[i]
    adjoint = swap_channels(kernel, geometry.groups)
    y = correlate_by_x(x, adjoint, sizes, geometry)
    if bias:
        add_bias(y, bias[0])

    def pull(g: Value, wanted: Sequence[bool]) -> Sequence[Value]:
        dx = correlate(g, adjoint, None, geometry) if wanted[0] else None
        dk = swap_channels(correlate_by_kernel(g, x, adjoint.shape, geometry), geometry.groups) if wanted[1] else None
        return (dx, dk, channel_sums(g) if wanted[2] else None) if bias else (dx, dk)

    return y, pull


_transposed_op = fused(3, _transposed_reference)(_transposed)
_transposed_without_bias_op = fused(2, _transposed_reference)(_transposed)


def conv_transpose1d(
    params: ConvParams | KernelParams,
    x: Array3,
    /,
    *,
    stride: Sizes = 1,
    padding: Padding = "same",
    dilation: Sizes = 1,
    groups: int = 1,
    output_padding: Sizes = 0,
) -> Array3:
    """Transposed convolution over time: x[t] @ kernel[k] is added to y[stride * t + dilation * k - before], for every t and k.

    x: [batch, time, channels]; kernel [size, channels // groups, n_out]; the result is [batch, time', n_out]. With
    padding="causal", time' = time * stride, and y[t] sees nothing after x[t // stride]. The other options and errors are
    those of `conv_transpose2d`.

    >>> import fnn
    >>> p = fnn.KernelParams(np.array([1.0, 10.0, 100.0]).reshape(3, 1, 1))
    >>> fnn.conv_transpose1d(p, np.array([[[1.0], [2.0]]]), stride=2, padding="valid").ravel()
    array([  1.,  10., 102.,  20., 200.])
    """
    y: Array3 = _convolve(1, params, x, stride, padding, dilation, groups, output_padding)
    return y


def conv_transpose2d(
    params: ConvParams | KernelParams,
    x: Array4,
    /,
    *,
    stride: Sizes = 1,
    padding: Padding = "same",
    dilation: Sizes = 1,
    groups: int = 1,
    output_padding: Sizes = 0,
) -> Array4:
    """Transposed convolution of images: x[i, j] @ kernel[k, l] is added to y[si * i + di * k - top, sj * j + dj * l - left].

    It is the adjoint, or the gradient by the input, of the convolution with stride s, dilation d, this padding, and the same
    kernel with its last two axes swapped, as in PyTorch, Keras and ONNX. (`jax.lax.conv_transpose` turns the kernel round
    unless it is given transpose_kernel=True.) Then bias is added.

    x: [batch, height, width, channels]; kernel [kh, kw, channels // groups, n_out]; bias [n_out]; the result is
    [batch, height', width', n_out].

    - padding: "same" gives size * stride outputs, and where an odd number is cut off, one more at the end. "valid" cuts off
      nothing. Numbers, for all sides or for each axis as an int or a pair (before, after), are cut off from the result (they
      pad the input of the convolution whose adjoint this is), as in PyTorch: there are
      stride * (size - 1) + dilation * (k - 1) + 1 - before - after + output_padding outputs.
    - output_padding: how many more outputs at the end, with "valid" or numbers; less than stride or less than dilation. With
      a stride, a convolution takes inputs of several sizes to the same size, and this says which one comes back.

    Raises ValueError where shapes or options do not fit, TypeError where x is not floating, or is float64 with float32
    parameters.

    >>> import fnn
    >>> p = fnn.ConvParams.init(fnn.key(0), 8, 3, (4, 4))
    >>> fnn.conv_transpose2d(p, np.ones((2, 7, 7, 8), np.float32), stride=2).shape
    (2, 14, 14, 3)
    """
    y: Array4 = _convolve(2, params, x, stride, padding, dilation, groups, output_padding)
    return y


def conv_transpose3d(
    params: ConvParams | KernelParams,
    x: Array5,
    /,
    *,
    stride: Sizes = 1,
    padding: Padding = "same",
    dilation: Sizes = 1,
    groups: int = 1,
    output_padding: Sizes = 0,
) -> Array5:
    """Transposed convolution of volumes: `conv_transpose2d` with one more axis.

    x: [batch, depth, height, width, channels]; kernel [kd, kh, kw, channels // groups, n_out]; the result is
    [batch, depth', height', width', n_out]. Options and errors are those of `conv_transpose2d`.

    >>> import fnn
    >>> p = fnn.ConvParams.init(fnn.key(0), 4, 1, (2, 2, 2))
    >>> fnn.conv_transpose3d(p, np.ones((1, 3, 3, 3, 4), np.float32), stride=2).shape
    (1, 6, 6, 6, 1)
    """
    y: Array5 = _convolve(3, params, x, stride, padding, dilation, groups, output_padding)
    return y


def _convolve(
    n: int,
    params: ConvParams | KernelParams,
    x: Value,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    groups: int,
    output_padding: Sizes,
) -> Value:
    name = f"conv_transpose{n}d"
    check_convolution(name, n, params, x, groups)
    strides = spatial_tuple(name, "stride", stride, n)
    dilations = spatial_tuple(name, "dilation", dilation, n)
    extra = check_output_padding(name, output_padding, padding, strides, dilations)
    reach = [d * (k - 1) + 1 for d, k in zip(dilations, params.kernel.shape[:-2], strict=True)]
    pairs = _cut_off(check_padding(name, padding, n), reach, strides)
    full = tuple([s * (m - 1) + r for s, m, r in zip(strides, x.shape[1:-1], reach, strict=True)])
    if any([before + after >= m for m, (before, after) in zip(full, pairs, strict=True)]):
        raise ValueError(
            f"{name}: padding {pairs} cuts off all of the result, whose spatial shape is {full} without it; pad less"
        )
    if padding in ("same", "causal"):
        sizes = tuple([s * m for s, m in zip(strides, x.shape[1:-1], strict=True)])
    else:
        sizes = tuple([m - before - after + e for m, (before, after), e in zip(full, pairs, extra, strict=True)])
    # What the kernel reaches and no more: where the result goes on after it, that is a negative number of zeros.
    pairs = tuple([(before, m - size - before) for m, size, (before, _) in zip(full, sizes, pairs, strict=True)])
    geometry = Geometry(strides, pairs, dilations, groups)
    if isinstance(params, KernelParams):
        return _transposed_without_bias_op(x, params.kernel, geometry=geometry, sizes=sizes)
    return _transposed_op(x, params.kernel, params.bias, geometry=geometry, sizes=sizes)


def _cut_off(padding: Literal["same", "valid", "causal"] | Pairs, reach: Sequence[int], strides: Sequence[int]) -> Pairs:
    """How many positions go, before and after; of "same" and "causal", as many as the kernel reaches beyond its stride."""
    surplus = [max(0, r - s) for r, s in zip(reach, strides, strict=True)]
    if padding == "same":
        return tuple([(cut // 2, cut - cut // 2) for cut in surplus])
    if padding == "causal":
        return tuple([(0, cut) for cut in surplus])
    if padding == "valid":
        return ((0, 0),) * len(surplus)
    return padding


def check_output_padding(
    name: str,
    output_padding: Sizes,
    padding: Padding,
    strides: tuple[int, ...],
    dilations: tuple[int, ...],
) -> tuple[int, ...]:
    """The output padding for each spatial axis; ValueError where it is too large, or where the padding fixes the size."""
    extra = spatial_tuple(name, "output_padding", output_padding, len(strides), 0)
    if any(extra) and padding in ("same", "causal"):
        raise ValueError(
            f"{name}: output_padding is {output_padding} but padding is {padding!r}, which gives size * stride outputs; "
            "write the padding in numbers"
        )
    if any([e >= max(s, d) for e, s, d in zip(extra, strides, dilations, strict=True)]):
        raise ValueError(
            f"{name}: output_padding is {output_padding}, expected less than the stride {strides} or the dilation {dilations}"
        )
    return extra
