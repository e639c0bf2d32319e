"""Normalisation: batch norm as a function of parameters, state, x and mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fnn.arrays import Array1, SameRank, Value, constant, ones, read_only
from fnn.autodiff.primitive import KernelPull, fused
from fnn.autodiff.tracer import value_of
from fnn.functional.checks import check_array, check_int, check_not_wider, check_number, check_range
from fnn.functional.half import in_float32
from fnn.mode import Mode, Train, check_mode
from fnn.tree import Record


@dataclass(frozen=True, eq=False, repr=False)
class NormParams(Record):
    """Parameters of a norm: `scale` and `shift`, both [features]."""

    scale: Array1
    shift: Array1

    @classmethod
    def init(cls, n: int, /) -> NormParams:
        """Scale 1 and shift 0: a plain normalisation."""
        check_int("NormParams.init", "n", n, 0)
        return NormParams(read_only(np.ones(n, np.float32)), read_only(np.zeros(n, np.float32)))


@dataclass(frozen=True, eq=False, repr=False)
class BatchNormState(Record):
    """Running statistics: `mean` and `var` (biased variance), both [features]."""

    mean: Array1
    var: Array1

    @classmethod
    def init(cls, n: int, /) -> BatchNormState:
        """Mean 0 and variance 1: evaluation before any training changes nothing."""
        check_int("BatchNormState.init", "n", n, 0)
        return BatchNormState(read_only(np.zeros(n, np.float32)), read_only(np.ones(n, np.float32)))


def _batch_norm_reference(x: Value, scale: Value, shift: Value, *, eps: float) -> tuple[Value, tuple[Value, Value]]:
    axes = tuple(range(x.ndim - 1))
    mean = np.mean(x, axes)
    centred = x - mean
    var = np.mean(centred * centred, axes)
    return centred / np.sqrt(var + eps) * scale + shift, (value_of(mean), value_of(var))


def batch_norm_kernel(x: Value, scale: Value, shift: Value, *, eps: float) -> tuple[Value, tuple[Value, Value], KernelPull]:
    """The kernel of `batch_norm` in training: (y, (mean, var), pull)."""
    # Per channel, with n rows, m = sum_i x_i / n, v = sum_i (x_i - m)^2 / n, r = 1 / sqrt(v + eps), h_i = (x_i - m) r:
    #   y_i = scale h_i + shift
    #   dshift = sum_i g_i,  dscale = sum_i g_i h_i
    # With e_i = g_i scale the cotangent of h_i: dh_i = r (dx_i - dm) + (x_i - m) dr, where dm = sum_j dx_j / n and, from
    # dv = 2/n sum_j (x_j - m) dx_j, dr = -r^3 dv / 2 = -r^2 / n sum_j h_j dx_j. Hence sum_i e_i dh_i gives
    #   dx_j = r (e_j - sum_i e_i / n - h_j sum_i e_i h_i / n) = scale r (g_j - dshift / n - h_j dscale / n).
    # h itself is never made: c_i = x_i - m goes with the factors of the channel.
    if x.dtype.itemsize == 2:
        return in_float32(_batch_norm, x, scale, shift, eps=eps)
    rows = x if x.ndim == 2 else x.reshape(-1, x.shape[-1])
    n, dtype = len(rows), x.dtype
    one, part = ones(n, dtype), constant(1 / n, dtype)
    mean = one.dot(rows) * part
    c = rows - mean
    var = one.dot(c * c) * part
    r = constant(1.0, dtype) / np.sqrt(var + constant(eps, dtype))
    y = c * (scale * r)
    if y.dtype == shift.dtype:
        y += shift
    else:
        y = y + shift

    def pull(g: Value, wanted: Sequence[bool]) -> Sequence[Value]:
        if g.ndim != 2:
            g = g.reshape(c.shape)
        dshift = one.dot(g)
        dx = g * c
        dscale = one.dot(dx) * r
        if not wanted[0]:
            return None, dscale, dshift
        np.multiply(c, r * dscale * constant(-1 / n, dtype), dx)
        dx += g
        dx -= dshift * part
        dx *= scale * r
        return dx if x.ndim == 2 else dx.reshape(x.shape), dscale, dshift

    return y.reshape(x.shape), (mean, var), pull


_batch_norm = fused(3, _batch_norm_reference, has_aux=True)(batch_norm_kernel)


def batch_norm(
    params: NormParams,
    state: BatchNormState,
    x: SameRank,
    mode: Mode,
    /,
    *,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[SameRank, BatchNormState]:
    """(x - mean) / sqrt(var + eps) * scale + shift for each channel; and the new running statistics.

    In training, mean and variance are those of x over all axes but the last, and the state moves towards them: new =
    (1 - momentum) * old + momentum * batch. In evaluation they are the state, which stays as it is. The variance is
    the biased one in both places (PyTorch's running variance is unbiased).

    x: [batch, ..., features]. Source: Ioffe and Szegedy 2015, algorithms 1 and 2.

    Raises ValueError where the last axis does not fit, and in training for fewer than two values per channel, whose
    variance is 0 whatever they are; TypeError where x is not floating, or wider than the parameters.

    >>> import fnn
    >>> x = np.array([[1.0], [3.0]], np.float32)
    >>> y, state = fnn.batch_norm(fnn.NormParams.init(1), fnn.BatchNormState.init(1), x, fnn.Train(fnn.key(0)))
    >>> y.round(3).tolist(), state.mean, state.var
    ([[-1.0], [1.0]], array([0.2], dtype=float32), array([1.], dtype=float32))
    """
    if not isinstance(params, NormParams) or not isinstance(state, BatchNormState):
        raise TypeError(
            f"batch_norm: params is {params!r} and state is {state!r}, expected NormParams and a BatchNormState; "
            "are they swapped?"
        )
    check_mode("batch_norm", mode)
    check_range("batch_norm", "momentum", momentum)
    check_number("batch_norm", "eps", eps)
    if not eps > 0:
        raise ValueError(f"batch_norm: eps is {eps}, expected a positive number")
    eps = float(eps)  # a NumPy number would widen float32
    scale: Value = params.scale
    check_array("batch_norm", "x", x)
    if x.ndim < 2 or x.shape[-1:] != scale.shape:
        raise ValueError(
            f"batch_norm: x has shape {x.shape} but scale is {scale.shape}: x must be [batch, ..., {scale.shape[0]}]"
        )
    if state.mean.shape != scale.shape or state.var.shape != scale.shape:
        raise ValueError(
            f"batch_norm: the state's mean {state.mean.shape} and var {state.var.shape} must have the shape of scale, "
            f"{scale.shape}"
        )
    if not x.dtype is scale.dtype is params.shift.dtype is state.mean.dtype:
        for what, array in (("x", x), ("shift", params.shift), ("the state", state.mean)):
            check_not_wider("batch_norm", what, array, "scale", scale)
    v: Value = x
    if isinstance(mode, Train):
        if x.size < 2 * x.shape[-1]:
            raise ValueError(
                f"batch_norm: x has shape {x.shape}, {x.size // max(x.shape[-1], 1)} value(s) per channel, and training needs "
                "at least 2 to have a variance; use a larger batch, or fnn.EVAL to predict"
            )
        y, (mean, var) = _batch_norm(v, scale, params.shift, eps=eps)
        return y, moved(state, (mean, var), momentum)
    return normalised(v, state.mean, scale / np.sqrt(state.var + eps), params.shift), state


def normalised(x: Value, mean: Value, factor: Value, shift: Value) -> Value:
    """(x - mean) * factor + shift: the kernel of `batch_norm` in evaluation."""
    y = x - mean
    if y.__class__ is factor.__class__ is shift.__class__ is np.ndarray and y.dtype == factor.dtype == shift.dtype:
        y *= factor
        y += shift
        return y
    return y * factor + shift


def moved(state: BatchNormState, batch: tuple[Value, Value], momentum: float) -> BatchNormState:
    """The running statistics after a batch with this mean and variance."""
    made: BatchNormState = object.__new__(BatchNormState)
    made.__dict__.update(mean=_move(state.mean, batch[0], momentum), var=_move(state.var, batch[1], momentum))
    return made


def _move(old: Value, batch: Value, momentum: float) -> Value:
    """(1 - momentum) * old + momentum * batch, in the dtype of the state."""
    old = value_of(old)
    new = old * constant(1 - momentum, old.dtype) + batch * constant(momentum, batch.dtype)
    return read_only(new if new.dtype is old.dtype else new.astype(old.dtype))
