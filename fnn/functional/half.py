"""Kernels for arrays of 16 bits, whose squares and sums end at 65,504."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fnn.arrays import Value

_HALF = np.dtype(np.float16)


def in_float32(op: Any, *arrays: Value, **options: float) -> tuple[Value, ...]:
    """What the kernel of a `fused` operation gives for float16: computed in float32, value and cotangents rounded once.

    Statistics beside the value stay in float32.
    """
    value, *aux, pull = op.kernel(*[x.astype(np.float32) if x.dtype == _HALF else x for x in arrays], **options)

    def rounded(g: Value, wanted: Sequence[bool]) -> Sequence[Value]:
        pulled = pull(np.asarray(g, np.float32), wanted)
        return [None if dx is None else dx.astype(x.dtype) for dx, x in zip(pulled, arrays, strict=False)]

    floating = [x.dtype for x in arrays if x.dtype.kind == "f"]
    return value.astype(np.result_type(*floating)), *aux, rounded
