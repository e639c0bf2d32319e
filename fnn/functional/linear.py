"""The dense layer as a function: an affine map of the last axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fnn.arrays import Array1, Array2, Tokens, Value, ones
from fnn.autodiff.primitive import KernelPull, fused
from fnn.autodiff.tracer import value_of
from fnn.functional.checks import check_array, check_not_wider
from fnn.initializers import Initializer, drawn, he_normal, zeros
from fnn.random import Key, check_key
from fnn.tree import Record, show


@dataclass(frozen=True, eq=False, repr=False)
class DenseParams(Record):
    """Parameters of a dense layer: `weight` [in_features, out_features] and `bias` [out_features].

    >>> import fnn
    >>> fnn.DenseParams.init(fnn.key(0), 64, 128)
    DenseParams(weight=f32[64,128], bias=f32[128])
    """

    weight: Array2
    bias: Array1

    @classmethod
    def init(
        cls, key: Key, n_in: int, n_out: int, /, *, weight_init: Initializer = he_normal, bias_init: Initializer = zeros
    ) -> DenseParams:
        """New parameters: he_normal weights and zero bias unless told otherwise."""
        check_key("DenseParams.init", key)
        k1, k2 = key.split()
        weight = drawn("DenseParams.init", weight_init, k1, (n_in, n_out))
        return DenseParams(weight, drawn("DenseParams.init", bias_init, k2, (n_out,)))


@dataclass(frozen=True, eq=False, repr=False)
class LinearParams(Record):
    """Parameters of a dense layer without bias: `weight` [in_features, out_features]."""

    weight: Array2

    @classmethod
    def init(cls, key: Key, n_in: int, n_out: int, /, *, weight_init: Initializer = he_normal) -> LinearParams:
        """New parameters: he_normal weights unless told otherwise."""
        check_key("LinearParams.init", key)
        return LinearParams(drawn("LinearParams.init", weight_init, key.split()[0], (n_in, n_out)))


# With the rows of all leading axes in one matrix X, Y = X W + 1 b^T. From dL = <G, dY> = <G, dX W + X dW + 1 db^T>:
#   dL/dX = G W^T,  dL/dW = X^T G,  dL/db = G^T 1, the sum of the rows.
def affine(x: Value, weight: Value, bias: Value = None) -> Value:
    """The kernel of `dense`, forwards."""
    if x.ndim != 2:
        return affine(x.reshape(-1, x.shape[-1]), weight, bias).reshape(*x.shape[:-1], weight.shape[-1])
    y = x.dot(weight)  # on small matrices `@` takes three times as long
    if bias is None:
        return y
    if bias.dtype is y.dtype:
        y += bias
        return y
    return y + bias


def affine_pull(
    g: Value, x: Value, weight: Value, wanted: Sequence[bool], into: Sequence[Value] = (None, None)
) -> tuple[Value, Value, Value]:
    """The cotangents of x, weight and bias from that of y; it fills the arrays `into` for the latter two, if given."""
    if x.ndim != 2:
        dx, dw, db = affine_pull(g.reshape(-1, g.shape[-1]), x.reshape(-1, x.shape[-1]), weight, wanted, into)
        return dx if dx is None else dx.reshape(x.shape), dw, db
    return (
        g.dot(weight.T) if wanted[0] else None,
        x.T.dot(g, into[0]) if wanted[1] else None,
        ones(len(g), g.dtype).dot(g, into[1]) if wanted[2] else None,
    )


@fused(3, lambda x, weight, bias: x @ weight + bias)
def _affine_op(x: Value, weight: Value, bias: Value) -> tuple[Value, KernelPull]:
    return affine(x, weight, bias), lambda g, wanted: affine_pull(g, x, weight, wanted)


@fused(2, lambda x, weight: x @ weight)
def _linear_op(x: Value, weight: Value) -> tuple[Value, KernelPull]:
    return affine(x, weight), lambda g, wanted: affine_pull(g, x, weight, (*wanted, False))[:2]


def dense(params: DenseParams | LinearParams, x: Tokens, /) -> Tokens:
    """y = x @ weight + bias over the last axis.

    x: [batch, in_features] or [batch, time, in_features]; the result has out_features in place of in_features.

    Raises ValueError where the rank or the last axis does not fit, TypeError where x is not floating, or is float64 with
    float32 parameters.

    >>> import fnn, numpy as np
    >>> p = fnn.DenseParams(np.array([[1.0], [2.0]]), np.array([0.5]))
    >>> fnn.dense(p, np.array([[1.0, 1.0], [0.0, 3.0]]))
    array([[3.5],
           [6.5]])
    """
    if not isinstance(params, (DenseParams, LinearParams)):
        raise TypeError(f"dense: params is {show(params)}, expected DenseParams or LinearParams; are arguments swapped?")
    weight: Value = params.weight
    v, w = value_of(x), value_of(weight)
    check_array("dense", "x", v)
    if w.__class__ is not np.ndarray or w.dtype is not v.dtype:
        check_array("dense", "weight", w)
        check_not_wider("dense", "x", v, "weight", w)
    if w.ndim != 2:
        raise ValueError(f"dense: weight has shape {w.shape}, expected [in_features, out_features]")
    if v.ndim not in (2, 3) or v.shape[-1] != w.shape[0]:
        _refuse_shape(v, w)
    y: Tokens
    if isinstance(params, LinearParams):
        y = _linear_op(x, weight)
        return y
    bias = value_of(params.bias)
    if bias.__class__ is not np.ndarray:
        check_array("dense", "bias (leave it out by LinearParams)", bias)
    if bias.dtype is not w.dtype:
        check_not_wider("dense", "bias", bias, "weight", w)
    if bias.shape != w.shape[1:]:
        raise ValueError(f"dense: bias has shape {bias.shape} but weight is {w.shape}: bias must be ({w.shape[1]},)")
    y = _affine_op(x, weight, params.bias)
    return y


def _refuse_shape(x: Value, weight: Value) -> None:
    n = weight.shape[0]
    hint = f"[batch, {n}] or [batch, time, {n}]"
    if x.ndim == 1 and x.shape[0] == n:
        hint += "; for one example write x[np.newaxis]"
    elif x.ndim > 3:
        hint += "; flatten images first"
    raise ValueError(f"dense: x has shape {x.shape} but weight is {weight.shape}: the last axis of x must be {n}, and x {hint}")
