"""What ONNX's attributes say of a sliding window, as fnn's options."""

from __future__ import annotations

from typing import Any

from tests.onnx_cases import OnnxCase

Pairs = tuple[tuple[int, int], ...]


def axis_options(case: OnnxCase, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(stride, dilation), 1 by default."""
    return tuple(case.get("strides", (1,) * rank)), tuple(case.get("dilations", (1,) * rank))


def given_pads(case: OnnxCase, rank: int) -> Pairs:
    """The `pads`, which hold all that stand before, then all that stand after, as pairs."""
    pads = case.get("pads", (0,) * (2 * rank))
    return tuple(zip(pads[:rank], pads[rank:], strict=True))


def padding(case: OnnxCase, sizes: tuple[int, ...], kernel: tuple[int, ...]) -> Any:
    """fnn's padding: "same" is SAME_UPPER, and SAME_LOWER has the odd zero before, so it is written out."""
    auto = case.get("auto_pad", "NOTSET")
    if auto == "VALID":
        return "valid"
    if auto == "SAME_UPPER":
        return "same"
    if auto == "SAME_LOWER":
        stride, dilation = axis_options(case, len(sizes))
        axes = zip(sizes, kernel, stride, dilation, strict=True)
        totals = [max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n) for n, k, s, d in axes]
        return tuple([(total - total // 2, total // 2) for total in totals])
    return given_pads(case, len(sizes))
