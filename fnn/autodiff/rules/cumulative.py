"""Derivative rules of running sums and products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fnn.arrays import Value
from fnn.autodiff import registry
from fnn.autodiff.primitive import elementary
from fnn.autodiff.registry import implements
from fnn.autodiff.tracer import value_of


def as_dtype(dtype: Any, x: Value) -> Value:
    """x itself where it has the dtype."""
    return x if x.dtype == dtype else x.astype(dtype)


def products_before(x: Value) -> Value:
    """Along the last axis, for each entry the product of those before it."""
    return np.cumprod(np.concatenate([np.ones((*x.shape[:-1], 1), x.dtype), x], -1), -1)[..., :-1]


def _reversed(x: Value, axis: int) -> Value:
    return x[(*[slice(None)] * axis, slice(None, None, -1))]


def _recurrence(a: Value, b: Value) -> Value:
    """s[i] = b[i] + a[i] s[i - 1] along the last axis, from s[-1] = 0, in O(n): two steps are one of half as many.

    s[i + 1] = (b[i + 1] + a[i + 1] b[i]) + a[i + 1] a[i] s[i - 1]
    """
    n = b.shape[-1]
    if n < 2:
        return b
    first, second = np.s_[..., :-1:2], np.s_[..., 1::2]
    odd = _recurrence(a[second] * a[first], b[second] + a[second] * b[first])
    zero = np.zeros((*b.shape[:-1], 1), b.dtype)
    half = (n + 1) // 2
    even = b[..., ::2] + a[..., ::2] * np.concatenate([zero, odd], -1)[..., :half]
    both = np.stack([even, np.concatenate([odd, zero], -1)[..., :half]], -1)
    return both.reshape(*b.shape[:-1], 2 * half)[..., :n]


def _cumprod_rule(g: Value, y: Value, x: Value, axis: int, **_: Any) -> Value:
    """y_k = x_0 ... x_k: the cotangent of x_i is x_0 ... x_(i-1) s_i, with s_i = sum over k >= i of g_k x_(i+1) ... x_k.

    Nothing is divided, so zeros are right: s_i = g_i + x_(i+1) s_(i+1) is a recurrence from the end.
    """
    g, x = np.swapaxes(g, axis, -1), np.swapaxes(as_dtype(y.dtype, x), axis, -1)
    zero = np.zeros((*x.shape[:-1], min(1, x.shape[-1])), x.dtype)
    s = _recurrence(np.concatenate([zero, x[..., :0:-1]], -1), g[..., ::-1])[..., ::-1]
    return np.swapaxes(products_before(x) * s, axis, -1)


_cumsum = elementary(
    lambda x, *, axis, **options: np.cumsum(x, axis, **options),
    lambda g, y, x, axis, **_: _reversed(np.cumsum(_reversed(g, axis), axis), axis),
)
_cumprod = elementary(lambda x, *, axis, **options: np.cumprod(x, axis, **options), _cumprod_rule)


def accumulate_by(op: Callable[..., Value], a: Value, axis: int | None, dtype: Any) -> Value:
    """Run a running sum or product, over all entries in order where no axis is given."""
    options = {} if dtype is None else {"dtype": np.dtype(dtype)}
    if dtype is not None and options["dtype"].kind in "iub":
        a = value_of(a)
    if axis is None or (a.ndim == 0 and axis in (0, -1)):
        a, axis = np.ravel(a), 0
    return op(a, axis=np.lib.array_utils.normalize_axis_index(axis, a.ndim), **options)


@implements(np.cumsum)
def _np_cumsum(a: Value, axis: int | None = None, dtype: Any = None, out: None = None) -> Value:
    return accumulate_by(_cumsum, a, axis, dtype)


@implements(np.cumprod)
def _np_cumprod(a: Value, axis: int | None = None, dtype: Any = None, out: None = None) -> Value:
    return accumulate_by(_cumprod, a, axis, dtype)


def _cumulative(op: Callable[..., Value], neutral: float) -> Callable[..., Value]:
    """np.cumulative_sum or np.cumulative_prod: as np.cumsum, and with include_initial the value before the first entry."""

    def cumulative(
        x: Value, /, *, axis: int | None = None, dtype: Any = None, out: None = None, include_initial: bool = False
    ) -> Value:
        if axis is None and x.ndim > 1:
            raise ValueError("For arrays which have more than one dimension ``axis`` argument is required.")
        y = accumulate_by(op, x, axis, dtype)
        if not include_initial:
            return y
        axis = np.lib.array_utils.normalize_axis_index(axis or 0, y.ndim)
        first = np.full((*y.shape[:axis], 1, *y.shape[axis + 1 :]), neutral, y.dtype)
        return np.concatenate([first, y], axis)

    return cumulative


implements(np.cumulative_sum)(_cumulative(_cumsum, 0))
implements(np.cumulative_prod)(_cumulative(_cumprod, 1))

registry.ACCUMULATIONS.update({np.add: np.cumsum, np.multiply: np.cumprod})
