"""Class losses: classes on axis 1 in ONNX, last in fnn."""

from __future__ import annotations

from typing import Any

import numpy as np

import fnn
from tests.onnx.family import Family, channels_first, channels_last
from tests.onnx_cases import OnnxCase


def _reduced(case: OnnxCase, mean: Any, per_example: Any) -> Any:
    x, labels, weights = channels_last(case.inputs[0]), case.inputs[1], case.input(2)
    options: Any = {"class_weights": weights, "ignore_index": case.get("ignore_index", None)}
    reduction = case.get("reduction", "mean")
    if reduction == "mean":
        return mean(x, labels, **options)
    rows = per_example(x, labels, **options)
    return np.sum(rows) if reduction == "sum" else rows


def _softmax_cross_entropy(case: OnnxCase) -> tuple[Any, ...]:
    """The loss, and the log-probabilities where they are asked for."""
    loss = _reduced(case, fnn.cross_entropy, fnn.cross_entropy_per_example)
    log_p = channels_first(fnn.log_softmax(channels_last(case.inputs[0])))
    return (loss, log_p)[: len(case.outputs)]


def _nll(case: OnnxCase) -> tuple[Any, ...]:
    return (_reduced(case, fnn.nll, fnn.nll_per_example),)


FAMILY = Family({"SoftmaxCrossEntropyLoss": _softmax_cross_entropy, "NegativeLogLikelihoodLoss": _nll})
