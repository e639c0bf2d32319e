"""Dense, activations, and what NumPy itself has."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

import fnn
from tests.onnx.family import Adapter, Family
from tests.onnx_cases import OnnxCase


def _gemm(case: OnnxCase) -> tuple[Any, ...]:
    """alpha A B + beta C, of which C may be a scalar, or have an axis of 1."""
    a, b, c = case.inputs[0], case.inputs[1], case.input(2)
    a = a.T if case.get("transA", 0) else a
    b = (b.T if case.get("transB", 0) else b) * np.float32(case.get("alpha", 1.0))
    if c is None:
        return (fnn.dense(fnn.LinearParams(b), a),)
    c = c * np.float32(case.get("beta", 1.0))
    if c.ndim == 2 and len(c) > 1:  # a row of biases for each example: as features that only this example has
        return (fnn.dense(fnn.LinearParams(np.concatenate([b, c])), np.concatenate([a, np.eye(len(c), dtype=a.dtype)], 1)),)
    return (fnn.dense(fnn.DenseParams(b, np.broadcast_to(c.reshape(-1), b.shape[1:])), a),)


def _matmul(case: OnnxCase) -> tuple[Any, ...]:
    return (fnn.matmul(*case.inputs),)


def _flatten(case: OnnxCase) -> tuple[Any, ...]:
    """The axes before `axis` in one, and the others; fnn has one batch axis."""
    x = case.inputs[0]
    axis = case.get("axis", 1) % x.ndim
    return (fnn.flatten(x.reshape(prod(x.shape[:axis]), *x.shape[axis:])),)


def _same(f: Callable[..., Any], **names: str) -> Adapter:
    """A function of one array, with options named as in ONNX or by `names`; ONNX's defaults are fnn's."""
    return lambda case: (f(case.inputs[0], **{names[name]: value for name, value in case.attributes.items()}),)


def _leaky_relu(case: OnnxCase) -> tuple[Any, ...]:
    return (fnn.leaky_relu(case.inputs[0], case.get("alpha", 0.01)),)


def _selu(case: OnnxCase) -> tuple[Any, ...]:
    """gamma elu(x, alpha), which is fnn's selu with the alpha and gamma of its paper."""
    if not case.attributes:
        return (fnn.selu(case.inputs[0]),)
    return (fnn.elu(case.inputs[0], case.attributes["alpha"]) * np.float32(case.attributes["gamma"]),)


def _gelu(case: OnnxCase) -> tuple[Any, ...]:
    return (fnn.gelu(case.inputs[0], approximate=case.get("approximate", "none") == "tanh"),)


def _swish(case: OnnxCase) -> tuple[Any, ...]:
    """x sigmoid(alpha x) = silu(alpha x) / alpha."""
    alpha = np.float32(case.get("alpha", 1.0))
    return (fnn.silu(case.inputs[0] * alpha) / alpha,)


FAMILY = Family(
    adapters={
        "Gemm": _gemm,
        "MatMul": _matmul,
        "Flatten": _flatten,
        "Relu": _same(fnn.relu),
        "LeakyRelu": _leaky_relu,
        "Elu": _same(fnn.elu, alpha="alpha"),
        "Selu": _selu,
        "Gelu": _gelu,
        "Sigmoid": _same(fnn.sigmoid),
        "Softplus": _same(fnn.softplus),
        "Tanh": _same(fnn.tanh),
        "Swish": _swish,
        "Softmax": _same(fnn.softmax, axis="axis"),
        "LogSoftmax": _same(fnn.log_softmax, axis="axis"),
    },
)
