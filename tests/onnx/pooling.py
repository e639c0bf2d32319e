"""Pooling: channels on axis 1 in ONNX, last in fnn."""

from __future__ import annotations

from typing import Any

import numpy as np

import fnn
from tests.onnx.family import Family, channels_first, channels_last
from tests.onnx.windows import axis_options, padding
from tests.onnx_cases import OnnxCase

_MAX: Any = {1: fnn.max_pool1d, 2: fnn.max_pool2d, 3: fnn.max_pool3d}
_AVG: Any = {1: fnn.avg_pool1d, 2: fnn.avg_pool2d, 3: fnn.avg_pool3d}


def _options(case: OnnxCase) -> dict[str, Any]:
    sizes = case.inputs[0].shape[2:]
    stride, dilation = axis_options(case, len(sizes))
    return {
        "stride": stride,
        "dilation": dilation,
        "padding": padding(case, sizes, case.attributes["kernel_shape"]),
        "ceil_mode": bool(case.get("ceil_mode", 0)),
    }


def _max_pool(case: OnnxCase) -> tuple[Any, ...]:
    x, size = case.inputs[0], tuple(case.attributes["kernel_shape"])
    return (channels_first(_MAX[len(size)](channels_last(x), size, **_options(case))), None)[: len(case.outputs)]


def _avg_pool(case: OnnxCase) -> tuple[Any, ...]:
    x, size = case.inputs[0], tuple(case.attributes["kernel_shape"])
    count = bool(case.get("count_include_pad", 0))
    return (channels_first(_AVG[len(size)](channels_last(x), size, count_include_pad=count, **_options(case))),)


def _global(f: Any) -> Any:
    """ONNX keeps the spatial axes, with size 1."""
    return lambda case: (np.expand_dims(f(channels_last(case.inputs[0])), tuple(range(2, case.inputs[0].ndim))),)


FAMILY = Family(
    adapters={
        "MaxPool": _max_pool,
        "AveragePool": _avg_pool,
        "GlobalMaxPool": _global(fnn.global_max_pool),
        "GlobalAveragePool": _global(fnn.global_avg_pool),
    },
    not_applicable={("MaxPool", "test_maxpool_2d_uint8"): "integers, which fnn pools none of"},
    not_returned={("MaxPool", 1): "the places of the maxima"},
)
