"""Derivative rules of norms of vectors and matrices. Where a norm has a kink, at 0 among others, its slope is 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fnn.arrays import Value
from fnn.autodiff.primitive import elementary
from fnn.autodiff.registry import implements
from fnn.autodiff.rules.linear_algebra import normalize_axis_index, normalize_axis_tuple
from fnn.autodiff.tracer import value_of


def _vector_norm_rule(g: Value, y: Value, x: Value, norm: Callable[[Value], Value], p: float, axes: tuple[int, ...]) -> Value:
    """y = (sum |x|^p)^(1/p): dy/dx = sign(x) (|x| / y)^(p-1), and 0 where x is 0. For p = 2 that is x / y.

    For p = inf or -inf it is sign(x) for the entry that attains the extreme, in equal parts where several do.
    """
    kept = tuple([1 if i in axes else n for i, n in enumerate(x.shape)])
    g, y = g.reshape(kept), y.reshape(kept)
    plain = value_of(x)
    signs = np.sign(plain)
    if p == 1:
        return g * signs
    if p in (np.inf, -np.inf):
        attains = np.abs(plain) == value_of(y)
        return g * (signs * attains / np.sum(attains, axes, keepdims=True, dtype=x.dtype))
    zero, one = np.zeros((), x.dtype), np.ones((), x.dtype)
    vanishes = value_of(y) == 0
    if p == 2:
        return np.where(vanishes, zero, g / np.where(vanishes, one, y)) * x
    vanishes = vanishes | (plain == 0)
    ratio = np.where(vanishes, one, np.abs(x)) / np.where(vanishes, one, y)
    return np.where(vanishes, zero, g * (signs * ratio ** (p - 1)))


_vector = elementary(lambda x, *, norm, p, axes: norm(x), _vector_norm_rule)


def _vector_norm(x: Value, p: Any, axes: tuple[int, ...], norm: Callable[[Value], Value]) -> Value:
    """The p-norm over some axes; `norm` is NumPy's function of x alone. The number of entries other than 0 is constant."""
    if isinstance(p, str) or p == 0:
        return norm(value_of(x))
    return _vector(x, norm=norm, p=2.0 if p is None else float(p), axes=axes)


# ord: the norm of the columns and then of the row of results; inf and -inf first take rows
_OF_COLUMNS = {1: np.inf, -1: -np.inf}
# ord: the norm of the vector of singular values
_OF_SINGULAR_VALUES = {2: np.inf, -2: -np.inf, "nuc": 1}


@implements(np.linalg.norm)
def _norm(x: Value, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Value:
    options: Any = {"ord": ord, "axis": axis, "keepdims": keepdims}

    def plain(v: Value) -> Value:
        return np.linalg.norm(v, **options)

    if axis is None:
        axes = tuple(range(x.ndim))
        if ord is None or len(axes) == 1:
            return _vector_norm(x, ord, axes, plain)
    else:
        axes = tuple([normalize_axis_index(i, x.ndim) for i in (axis if isinstance(axis, tuple) else (axis,))])
        if len(axes) == 1:
            return _vector_norm(x, ord, axes, plain)
    if len(axes) != 2 or axes[0] == axes[1]:
        return plain(value_of(x))  # raises
    if ord in (None, "fro", "f"):
        return _vector_norm(x, 2, axes, plain)
    if ord in _OF_SINGULAR_VALUES:
        s = np.linalg.svdvals(np.moveaxis(x, axes, (-2, -1)))
        y = np.linalg.norm(s, _OF_SINGULAR_VALUES[ord], -1)
    elif ord in (1, -1, np.inf, -np.inf):
        inner, outer = axes if ord in _OF_COLUMNS else axes[::-1]
        sums = np.linalg.norm(x, 1, inner, keepdims=True)
        y = np.linalg.norm(sums, _OF_COLUMNS.get(ord, ord), outer, keepdims=True).squeeze(axes)
    else:
        return plain(value_of(x))  # raises
    return np.expand_dims(y, axes) if keepdims else y


@implements(np.linalg.matrix_norm)
def _matrix_norm(x: Value, /, *, keepdims: bool = False, ord: Any = "fro") -> Value:
    return _norm(x, ord, (-2, -1), keepdims)


@implements(np.linalg.vector_norm)
def _np_vector_norm(x: Value, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Value:
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim)
    options: Any = {"axis": axis, "keepdims": keepdims, "ord": ord}
    return _vector_norm(x, ord, axes, lambda v: np.linalg.vector_norm(v, **options))
