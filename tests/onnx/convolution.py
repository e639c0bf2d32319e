"""Convolution: channels on axis 1 in ONNX, last in fnn; kernels [out, in, ...] there, or [in, out, ...] where transposed."""

from __future__ import annotations

from typing import Any

import numpy as np

import fnn
from tests.onnx.family import Family, channels_first, channels_last
from tests.onnx.windows import axis_options, given_pads, padding
from tests.onnx_cases import OnnxCase


def _params(kernel: Any, bias: Any) -> Any:
    return fnn.KernelParams(kernel) if bias is None else fnn.ConvParams(kernel, bias)


def _conv(case: OnnxCase) -> tuple[Any, ...]:
    x, kernel = channels_last(case.inputs[0]), case.inputs[1]
    sizes = x.shape[1:-1]
    stride, dilation = axis_options(case, len(sizes))
    conv: Any = {1: fnn.conv1d, 2: fnn.conv2d, 3: fnn.conv3d}[len(sizes)]
    y = conv(
        _params(np.moveaxis(kernel, (1, 0), (-2, -1)), case.input(2)),
        x,
        stride=stride,
        dilation=dilation,
        padding=padding(case, sizes, kernel.shape[2:]),
        groups=case.get("group", 1),
    )
    return (channels_first(y),)


def _cut(case: OnnxCase, sizes: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[Any, tuple[int, ...]]:
    """(padding, output padding) of a transposed convolution; where its output's shape is given, they follow from that."""
    rank = len(sizes)
    more = tuple(case.get("output_padding", (0,) * rank))
    auto, shape = case.get("auto_pad", "NOTSET"), case.get("output_shape", None)
    if shape is None:
        return ("same" if auto == "SAME_UPPER" else given_pads(case, rank)), more
    stride, dilation = axis_options(case, rank)
    axes = zip(sizes, kernel, stride, dilation, strict=True)
    over = [s * (n - 1) + d * (k - 1) + 1 + m - out for (n, k, s, d), m, out in zip(axes, more, shape, strict=True)]
    # without auto_pad, the odd one is cut off before
    pads = tuple([(o - o // 2, o // 2) for o in np.maximum(over, 0).tolist()])
    return pads, tuple([m + max(-o, 0) for m, o in zip(more, over, strict=True)])


def _conv_transpose(case: OnnxCase) -> tuple[Any, ...]:
    x, kernel = channels_last(case.inputs[0]), case.inputs[1]
    sizes, size, groups = x.shape[1:-1], kernel.shape[2:], case.get("group", 1)
    stride, dilation = axis_options(case, len(sizes))
    pads, more = _cut(case, sizes, size)
    conv: Any = {1: fnn.conv_transpose1d, 2: fnn.conv_transpose2d, 3: fnn.conv_transpose3d}[len(sizes)]
    # [in, out / groups, ...] as [..., in / groups, out]
    parts = kernel.reshape(groups, -1, *kernel.shape[1:])
    parts = np.moveaxis(parts, (1, 0, 2), (-3, -2, -1))
    y = conv(
        _params(parts.reshape(*size, parts.shape[-3], -1), case.input(2)),
        x,
        stride=stride,
        dilation=dilation,
        padding=pads,
        output_padding=more,
        groups=groups,
    )
    return (channels_first(y),)


FAMILY = Family({"Conv": _conv, "ConvTranspose": _conv_transpose})
