"""Derivative rules of products: matmul and its kin, dot, and what is made of them.

A product is linear in each of its operands, so the cotangent of an operand is again a product: of g and the others.
Sums over axes that were broadcast may be left out; they happen where cotangents meet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import prod
from operator import index
from typing import Any

import numpy as np

from fnn.arrays import Value
from fnn.autodiff import registry
from fnn.autodiff.primitive import elementary
from fnn.autodiff.registry import implements
from fnn.autodiff.tracer import Tracer

normalize_axis_index = np.lib.array_utils.normalize_axis_index
normalize_axis_tuple = np.lib.array_utils.normalize_axis_tuple


def operand(x: Value) -> Value:
    """An array or a tracer; a list or a number as an array, as NumPy reads it."""
    return x if isinstance(x, (Tracer, np.ndarray)) else np.asarray(x)


def operation_of_many(function: Callable[..., Value], rule: Callable[..., Value]) -> Callable[[int], Callable[..., Value]]:
    """Operations of n operands, for each n, from `rule(k, g, operands, **options)`: the cotangent of operand k."""

    @cache
    def of(n: int) -> Callable[..., Value]:
        return elementary(function, *[lambda g, y, *xs, k=k, **options: rule(k, g, xs[:n], **options) for k in range(n)])

    return of


# Matrices and vectors


def _matmul_left(g: Value, y: Value, a: Value, b: Value) -> Value:
    """Y = A B: dA = G B^T, over the last two axes. A vector counts as one row on the left, one column on the right."""
    if b.ndim == 1:
        return np.expand_dims(g, -1) * b if a.ndim > 1 else g * b
    if a.ndim == 1:  # y[..., j] = sum_i a[i] b[..., i, j]
        return (b @ np.expand_dims(g, -1)).squeeze(-1)
    return g @ np.swapaxes(b, -1, -2)


def _matmul_right(g: Value, y: Value, a: Value, b: Value) -> Value:
    """Y = A B: dB = A^T G, over the last two axes."""
    if a.ndim == 1:
        return a.reshape(-1, 1) * np.expand_dims(g, -2) if b.ndim > 1 else a * g
    if b.ndim == 1:  # y[..., i] = sum_j a[..., i, j] b[j]
        return (np.swapaxes(a, -1, -2) @ np.expand_dims(g, -1)).squeeze(-1)
    return np.swapaxes(a, -1, -2) @ g


_matmul = elementary(np.matmul, _matmul_left, _matmul_right)


@implements(np.matmul, np.linalg.matmul)
def _np_matmul(x1: Value, x2: Value, /) -> Value:
    return _matmul(operand(x1), operand(x2))


# y = sum_i a[..., i] b[..., i]
_vecdot = elementary(
    np.vecdot,
    lambda g, y, a, b: np.expand_dims(g, -1) * b,
    lambda g, y, a, b: np.expand_dims(g, -1) * a,
)


@implements(np.vecdot, np.linalg.vecdot)
def _np_vecdot(x1: Value, x2: Value, /, *, axis: int = -1, keepdims: bool = False) -> Value:
    y = _vecdot(np.moveaxis(operand(x1), axis, -1), np.moveaxis(operand(x2), axis, -1))
    return np.expand_dims(y, axis) if keepdims else y


# y[..., i] = sum_j a[..., i, j] v[..., j]
_matvec = elementary(
    np.matvec,
    lambda g, y, a, v: np.expand_dims(g, -1) * np.expand_dims(v, -2),
    lambda g, y, a, v: np.vecmat(g, a),
)
# y[..., j] = sum_i v[..., i] a[..., i, j]
_vecmat = elementary(
    np.vecmat,
    lambda g, y, v, a: np.matvec(a, g),
    lambda g, y, v, a: np.expand_dims(v, -1) * np.expand_dims(g, -2),
)


@implements(np.matvec)
def _np_matvec(x1: Value, x2: Value, /) -> Value:
    return _matvec(operand(x1), operand(x2))


@implements(np.vecmat)
def _np_vecmat(x1: Value, x2: Value, /) -> Value:
    return _vecmat(operand(x1), operand(x2))


# Arrays of any rank


def _dot_left(g: Value, y: Value, a: Value, b: Value) -> Value:
    """y[i.., j.., l] = sum_k a[i.., k] b[j.., k, l]: g and b summed over all that b has but k."""
    if a.ndim == 0 or b.ndim == 0:
        return g * b
    return _matmul_left(g, y, a, b) if b.ndim <= 2 else np.tensordot(g, np.moveaxis(b, -2, -1), b.ndim - 1)


def _dot_right(g: Value, y: Value, a: Value, b: Value) -> Value:
    """As above: a and g summed over all that a has but k; k comes out first."""
    if a.ndim == 0 or b.ndim == 0:
        return a * g
    rows = tuple(range(a.ndim - 1))
    made = np.tensordot(a, g, (rows, rows))
    return np.moveaxis(made, 0, -2) if b.ndim > 1 else made


_dot = elementary(np.dot, _dot_left, _dot_right)


@implements(np.dot)
def _np_dot(a: Value, b: Value, out: None = None) -> Value:
    return _dot(operand(a), operand(b))


@implements(np.vdot)
def _vdot(a: Value, b: Value, /) -> Value:
    return _dot(np.ravel(operand(a)), np.ravel(operand(b)))


@implements(np.inner)
def _inner(a: Value, b: Value, /) -> Value:
    """The product over the last axis of both."""
    a, b = operand(a), operand(b)
    return _dot(a, np.swapaxes(b, -1, -2) if b.ndim > 1 and a.ndim > 0 else b)


@implements(np.outer)
def _outer(a: Value, b: Value, out: None = None) -> Value:
    return np.expand_dims(np.ravel(operand(a)), 1) * np.expand_dims(np.ravel(operand(b)), 0)


@implements(np.linalg.outer)
def _linalg_outer(x1: Value, x2: Value, /) -> Value:
    x1, x2 = operand(x1), operand(x2)
    if x1.ndim != 1 or x2.ndim != 1:
        raise ValueError(f"np.linalg.outer: the arguments have {x1.ndim} and {x2.ndim} axes, expected one each")
    return _outer(x1, x2)


@implements(np.tensordot, np.linalg.tensordot)
def _tensordot(a: Value, b: Value, axes: Any = 2) -> Value:
    """Both as matrices: the axes that stay against those that are summed over."""
    a, b = operand(a), operand(b)
    over_a, over_b = axes if np.iterable(axes) else (tuple(range(-index(axes), 0)), tuple(range(index(axes))))
    over_a, over_b = normalize_axis_tuple(over_a, a.ndim), normalize_axis_tuple(over_b, b.ndim)
    summed = [a.shape[i] for i in over_a]
    if summed != [b.shape[i] for i in over_b]:
        raise ValueError(f"np.tensordot: shapes {a.shape} and {b.shape} don't agree along axes {over_a} and {over_b}")
    rows = tuple([i for i in range(a.ndim) if i not in over_a])
    columns = tuple([i for i in range(b.ndim) if i not in over_b])
    kept = tuple([a.shape[i] for i in rows]), tuple([b.shape[i] for i in columns])
    left = np.transpose(a, rows + over_a).reshape(prod(kept[0]), prod(summed))
    right = np.transpose(b, over_b + columns).reshape(prod(summed), prod(kept[1]))
    return _dot(left, right).reshape(kept[0] + kept[1])


@implements(np.kron)
def _kron(a: Value, b: Value) -> Value:
    """y[i p + r, j q + s] = a[i, j] b[r, s]: every axis of a before that of b, then both as one."""
    a, b = operand(a), operand(b)
    n = max(a.ndim, b.ndim)
    a, b = a.reshape((1,) * (n - a.ndim) + a.shape), b.reshape((1,) * (n - b.ndim) + b.shape)
    product = np.expand_dims(a, tuple(range(1, 2 * n, 2))) * np.expand_dims(b, tuple(range(0, 2 * n, 2)))
    return product.reshape(tuple([p * q for p, q in zip(a.shape, b.shape, strict=True)]))


# y = a x b: <g, v x b> = <b x g, v> and <g, a x v> = <g x a, v>
_cross = elementary(np.cross, lambda g, y, a, b: np.cross(b, g), lambda g, y, a, b: np.cross(g, a))


@implements(np.cross)
def _np_cross(a: Value, b: Value, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Value:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(operand(a), axisa, -1), np.moveaxis(operand(b), axisb, -1)
    if a.shape[-1] == 2 or b.shape[-1] == 2:
        registry.refuse("np.cross of vectors of two entries (append a zero to them; NumPy itself is giving them up)")
    return np.moveaxis(_cross(a, b), -1, axisc)


@implements(np.linalg.cross)
def _linalg_cross(x1: Value, x2: Value, /, *, axis: int = -1) -> Value:
    x1, x2 = operand(x1), operand(x2)
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        raise ValueError(
            f"np.linalg.cross: the vectors have {x1.shape[axis]} and {x2.shape[axis]} entries along axis {axis}, expected 3"
        )
    return _np_cross(x1, x2, axis=axis)


@implements(np.trace)
def _trace(a: Value, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: None = None) -> Value:
    return np.sum(np.diagonal(a, offset, axis1, axis2), -1, dtype=dtype)


@implements(np.linalg.trace)
def _linalg_trace(x: Value, /, *, offset: int = 0, dtype: Any = None) -> Value:
    return _trace(x, offset, -2, -1, dtype)


@implements(np.linalg.diagonal)
def _linalg_diagonal(x: Value, /, *, offset: int = 0) -> Value:
    return np.diagonal(x, offset, -2, -1)


@implements(np.linalg.matrix_transpose)
def _linalg_matrix_transpose(x: Value, /) -> Value:
    return np.matrix_transpose(x)


# Many factors


def _multi_dot_rule(k: int, g: Value, factors: Sequence[Value]) -> Value:
    """Y = L A R, with L and R the products before and after A: dA = L^T G R^T."""
    chain = [*[a.mT for a in factors[:k]][::-1], g, *[a.mT for a in factors[k + 1 :]][::-1]]
    return np.linalg.multi_dot(chain)


_multi_dot = operation_of_many(lambda *factors: np.linalg.multi_dot(factors), _multi_dot_rule)


@implements(np.linalg.multi_dot)
def _np_multi_dot(arrays: Sequence[Value], *, out: None = None) -> Value:
    """With a vector as a row in front, or as a column at the end."""
    factors = [operand(a) for a in arrays]
    if len(factors) < 3:
        return _dot(*factors) if len(factors) == 2 else np.linalg.multi_dot([])
    row, column = factors[0].ndim == 1, factors[-1].ndim == 1
    if row:
        factors[0] = factors[0].reshape(1, -1)
    if column:
        factors[-1] = factors[-1].reshape(-1, 1)
    y = _multi_dot(len(factors))(*factors)
    return y.reshape(y.shape[row : 2 - column])


@implements(np.linalg.matrix_power)
def _matrix_power(a: Value, n: int) -> Value:
    """By repeated squaring; the inverse first for a negative power."""
    n = index(n)
    if n == 0:
        return np.linalg.matrix_power(np.ones(a.shape, a.dtype), 0)
    square, n = (np.linalg.inv(a), -n) if n < 0 else (a, n)
    if a.shape[-1:] != a.shape[-2:-1] or a.ndim < 2:
        raise np.linalg.LinAlgError(f"np.linalg.matrix_power: shape {a.shape}: the last two axes must be square")
    if n == 3:  # as NumPy, to the last bit
        return square @ square @ square
    y = None
    while True:
        if n % 2:
            y = square if y is None else y @ square
        n //= 2
        if n == 0:
            return y
        square = square @ square
