"""Convolutions and transposed convolutions against PyTorch, over a grid of options."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from numpy.random import Generator

import fnn
from tests.parity.case import Arrays, ParityCase, cotangent

CONV: dict[int, Any] = {1: fnn.conv1d, 2: fnn.conv2d, 3: fnn.conv3d}
TRANSPOSED: dict[int, Any] = {1: fnn.conv_transpose1d, 2: fnn.conv_transpose2d, 3: fnn.conv_transpose3d}
SIZES = (7, 6, 5)
KERNEL = (3, 2, 2)


def _params(a: Arrays) -> Any:
    return fnn.ConvParams(a["kernel"], a["bias"]) if "bias" in a else fnn.KernelParams(a["kernel"])


def _weighed(y: Any, as_theirs: Callable[[Any], Any] = np.asarray) -> tuple[Any, Any]:
    """The result as it is, and times its cotangent: the gradient by the bias is then a sum that does not cancel out."""
    return y, y * as_theirs(cotangent(tuple(y.shape)).astype(str(y.dtype).removeprefix("torch.")))


def _arrays(n: int, channels: tuple[int, int], groups: int, bias: bool) -> Any:
    def draw(rng: Generator) -> dict[str, Any]:
        n_in, n_out = channels
        drawn = {
            "x": rng.normal(size=(2, *SIZES[:n], n_in)),
            "kernel": rng.normal(size=(*KERNEL[:n], n_in // groups, n_out)),
        }
        return {**drawn, "bias": rng.normal(size=n_out)} if bias else drawn

    return draw


def _conv(
    n: int, stride: int, padding: Any, dilation: int, groups: int, channels: tuple[int, int], bias: bool, golden: bool = False
) -> ParityCase:
    options: dict[str, Any] = {"stride": stride, "dilation": dilation, "groups": groups}

    def theirs(torch: Any, t: Arrays) -> Any:
        x, pads = t["x"].movedim(-1, 1), padding
        if padding == "same":
            pads = tuple((dilation * (k - 1) // 2, dilation * (k - 1) - dilation * (k - 1) // 2) for k in KERNEL[:n])
        if isinstance(pads, tuple):
            pairs = [(side, side) if isinstance(side, int) else side for side in pads]
            x, pads = torch.nn.functional.pad(x, [side for pair in reversed(pairs) for side in pair]), 0
        kernel = t["kernel"].movedim((-1, -2), (0, 1)).contiguous()
        f = getattr(torch.nn.functional, f"conv{n}d")
        return _weighed(f(x, kernel, t.get("bias"), padding=pads, **options).movedim(1, -1), torch.tensor)

    return ParityCase(
        f"conv{n}d stride={stride} padding={padding} dilation={dilation} groups={groups} {channels} bias={bias}",
        _arrays(n, channels, groups, bias),
        lambda a: _weighed(CONV[n](_params(a), a["x"], padding=padding, **options)),
        theirs,
        golden,
    )


def _transposed(
    n: int, stride: int, padding: int, extra: int, dilation: int, groups: int, channels: tuple[int, int], golden: bool = False
) -> ParityCase:
    options: dict[str, Any] = {
        "stride": stride,
        "padding": padding,
        "output_padding": extra,
        "dilation": dilation,
        "groups": groups,
    }

    def theirs(torch: Any, t: Arrays) -> Any:
        n_in, n_out = channels
        # [*size, n_in // groups, groups, n_out // groups] to [groups, n_in // groups, n_out // groups, *size]
        kernel = t["kernel"].unflatten(-1, (groups, n_out // groups)).movedim((-2, -3, -1), (0, 1, 2))
        kernel = kernel.reshape(n_in, n_out // groups, *KERNEL[:n]).contiguous()
        f = getattr(torch.nn.functional, f"conv_transpose{n}d")
        return _weighed(f(t["x"].movedim(-1, 1), kernel, t["bias"], **options).movedim(1, -1), torch.tensor)

    return ParityCase(
        f"conv_transpose{n}d stride={stride} padding={padding} + {extra} dilation={dilation} groups={groups} {channels}",
        _arrays(n, channels, groups, True),
        lambda a: _weighed(TRANSPOSED[n](_params(a), a["x"], **options)),
        theirs,
        golden,
    )


# groups and channels: one group; two groups; depthwise; depthwise with two outputs for each input; few to many
SPLITS: list[tuple[int, tuple[int, int]]] = [(1, (4, 3)), (2, (4, 6)), (3, (3, 3)), (3, (3, 6)), (1, (1, 9)), (2, (8, 8))]
PADDINGS: list[Any] = ["valid", 1, "same", ((2, 1), (0, 3), (1, 0))]


def _padding(padding: Any, n: int) -> Any:
    return padding[:n] if isinstance(padding, tuple) else padding


CASES: list[ParityCase] = [
    *[
        _conv(n, stride, _padding(padding, n), dilation, groups, channels, bias=True)
        for n, stride, padding, dilation, (groups, channels) in product((1, 2, 3), (1, 2), PADDINGS, (1, 2), SPLITS)
        if (padding != "same" or stride == 1) and (n < 3 or dilation == 1 or padding != "valid")
    ],
    *[_conv(n, stride, 0, 1, 1, (4, 3), bias=False) for n, stride in product((1, 2, 3), (1, 2))],
    *[
        _transposed(n, stride, padding, extra, dilation, groups, channels)
        for n, stride, padding, extra, dilation, (groups, channels) in product(
            (1, 2, 3), (1, 2, 3), (0, 1), (0, 1, 2), (1, 2, 3), SPLITS
        )
        if extra < max(stride, dilation) and (n == 2 or (groups, channels) in SPLITS[:3])
    ],
    _conv(1, 2, ((2, 1),), 1, 1, (2, 3), bias=True, golden=True),
    _conv(2, 1, 1, 2, 2, (2, 4), bias=True, golden=True),
    _conv(2, 2, 0, 1, 3, (3, 3), bias=False, golden=True),
    _transposed(2, 2, 1, 1, 1, 2, (4, 2), golden=True),
    _transposed(1, 1, 0, 0, 2, 1, (2, 3), golden=True),
]
