"""Embedding and one-hot vectors: both along any axis in ONNX, the last one in fnn."""

from __future__ import annotations

from typing import Any

import numpy as np

import fnn
from tests.onnx.family import Family
from tests.onnx_cases import OnnxCase


def _gather(case: OnnxCase) -> tuple[Any, ...]:
    """The slices of an axis are the rows of a table; negative numbers count from its end, which fnn refuses."""
    data, indices = case.inputs
    axis = case.get("axis", 0)
    slices = np.moveaxis(data, axis, 0)
    y = fnn.embedding(fnn.EmbeddingParams(slices.reshape(len(slices), -1)), indices % len(slices))
    y = y.reshape(*indices.shape, *slices.shape[1:])
    front = tuple(range(indices.ndim))
    return (np.moveaxis(y, front, tuple([axis + k for k in front])),)


def _one_hot(case: OnnxCase) -> tuple[Any, ...]:
    """Numbers of any type, from -depth on; `values` has what stands for 0 and for 1."""
    indices, depth, (off, on) = case.inputs[0].astype(int), int(case.inputs[1]), case.inputs[2]
    hot = fnn.one_hot(np.where(indices < 0, indices + depth, indices), depth)
    return (np.moveaxis(hot, -1, case.get("axis", -1)).astype(off.dtype) * (on - off) + off,)


FAMILY = Family(
    adapters={"Gather": _gather, "OneHot": _one_hot},
    not_applicable={("OneHot", "test_onehot_out_of_range_indices"): "numbers out of range, which fnn refuses"},
)
