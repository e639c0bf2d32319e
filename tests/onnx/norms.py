"""Normalisation: channels on axis 1 in ONNX, last in fnn; layer norm there is over several axes, here over the last."""

from __future__ import annotations

from math import prod
from typing import Any

import fnn
from tests.onnx.family import Family, channels_first, channels_last
from tests.onnx_cases import OnnxCase


def _batch_norm(case: OnnxCase) -> tuple[Any, ...]:
    """ONNX's momentum is what stays of the old statistics, fnn's is what comes of the new."""
    x, scale, shift, mean, var = case.inputs
    mode = fnn.Train(fnn.key(0)) if case.get("training_mode", 0) else fnn.EVAL
    y, state = fnn.batch_norm(
        fnn.NormParams(scale, shift),
        fnn.BatchNormState(mean, var),
        channels_last(x),
        mode,
        momentum=1 - case.get("momentum", 0.9),
        eps=case.get("epsilon", 1e-5),
    )
    return (channels_first(y), state.mean, state.var)[: len(case.outputs)]


def _rows(case: OnnxCase) -> Any:
    """x with all axes from `axis` on in one."""
    x = case.inputs[0]
    axis = case.get("axis", -1) % x.ndim
    return x.reshape(*x.shape[:axis], prod(x.shape[axis:]))


def _layer_norm(case: OnnxCase) -> tuple[Any, ...]:
    x, scale, shift = case.inputs
    y = fnn.layer_norm(fnn.NormParams(scale.ravel(), shift.ravel()), _rows(case), eps=case.get("epsilon", 1e-5))
    return (y.reshape(x.shape), None, None)[: len(case.outputs)]


def _rms_norm(case: OnnxCase) -> tuple[Any, ...]:
    x, scale = case.inputs
    return (fnn.rms_norm(fnn.ScaleParams(scale.ravel()), _rows(case), eps=case.get("epsilon", 1e-5)).reshape(x.shape),)


def _group_norm(case: OnnxCase) -> tuple[Any, ...]:
    x, scale, shift = case.inputs
    groups, eps = case.attributes["num_groups"], case.get("epsilon", 1e-5)
    return (channels_first(fnn.group_norm(fnn.NormParams(scale, shift), channels_last(x), groups, eps=eps)),)


def _instance_norm(case: OnnxCase) -> tuple[Any, ...]:
    x, scale, shift = case.inputs
    eps = case.get("epsilon", 1e-5)
    return (channels_first(fnn.instance_norm(fnn.NormParams(scale, shift), channels_last(x), eps=eps)),)


FAMILY = Family(
    adapters={
        "BatchNormalization": _batch_norm,
        "LayerNormalization": _layer_norm,
        "RMSNormalization": _rms_norm,
        "GroupNormalization": _group_norm,
        "InstanceNormalization": _instance_norm,
    },
    not_returned={
        ("LayerNormalization", 1): "the means of the rows",
        ("LayerNormalization", 2): "1 / the standard deviations of the rows",
    },
)
