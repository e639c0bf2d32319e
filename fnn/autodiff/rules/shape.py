"""Derivative rules of what changes the shape: reshaping, the order of axes, broadcasting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fnn.arrays import Value
from fnn.autodiff.primitive import elementary
from fnn.autodiff.registry import implements
from fnn.autodiff.rules.moves import array_of, moved
from fnn.autodiff.tape import sum_to
from fnn.autodiff.tracer import Tracer, value_of

_numpy: Any = np  # untyped, because the stubs' overloads ask for literals
_reshape = elementary(lambda x, *, shape: np.reshape(x, shape), lambda g, y, x, shape: g.reshape(x.shape))
_transpose = elementary(
    lambda x, *, axes: np.transpose(x, axes),
    lambda g, y, x, axes: np.transpose(g, tuple(np.argsort(axes).tolist())),
)
_broadcast_to = elementary(lambda x, *, shape: np.broadcast_to(x, shape), lambda g, y, x, shape: sum_to(g, x.shape))


def _probe(shape: tuple[int, ...], strides: tuple[int, ...]) -> Value:
    """A plain array of this shape and these strides that has hardly any memory: NumPy's functions tell on it what they do."""
    return np.ndarray(shape, np.bool_, b"\0", strides=strides)


# Reshaping


@implements(np.reshape)
def _np_reshape(a: Value, /, shape: Any = None, order: str = "C", *, newshape: Any = None, copy: bool | None = None) -> Value:
    shape = newshape if shape is None else shape
    order = _letter(a, order)
    return _reshape(a, shape=shape) if order == "C" else moved(lambda v: _numpy.reshape(v, shape, order), a)


@implements(np.ravel)
def _ravel(a: Value, order: str = "C") -> Value:
    order = _letter(a, order)
    return _reshape(a, shape=-1) if order == "C" else moved(lambda v: _numpy.ravel(v, order), a)


def _letter(a: Value, order: str) -> Any:
    """The order with "A" resolved: Fortran's where the array lies so in memory."""
    return ("F" if value_of(a).flags.fnc else "C") if order == "A" else order


def _reshapes(function: Callable[..., Any]) -> None:
    """Register a function of one array that reshapes it."""

    def rule(a: Value, *args: Any, **kwargs: Any) -> Value:
        return _reshape(a, shape=function(_probe(a.shape, (0,) * a.ndim), *args, **kwargs).shape)

    implements(function)(rule)


def _reshapes_each(function: Callable[..., Any]) -> None:
    """Register a function that reshapes each of its arguments."""

    def rule(*arrays: Value) -> Any:
        made = tuple(
            [
                _reshape(a, shape=function(_probe(a.shape, (0,) * a.ndim)).shape) if a.__class__ is Tracer else function(a)
                for a in arrays
            ]
        )
        return made[0] if len(made) == 1 else made

    implements(function)(rule)


# The order of axes


def _permutes(*functions: Callable[..., Any]) -> None:
    """Register functions of one array that change the order of its axes. On strides 0, 1, 2, ... they tell which."""

    def register(function: Callable[..., Any]) -> None:
        def rule(a: Value, *args: Any, **kwargs: Any) -> Value:
            return _transpose(a, axes=function(_probe((1,) * a.ndim, tuple(range(a.ndim))), *args, **kwargs).strides)

        implements(function)(rule)

    for function in functions:
        register(function)


_reshapes(np.expand_dims)
_reshapes(np.squeeze)
_reshapes_each(np.atleast_1d)
_reshapes_each(np.atleast_2d)
_reshapes_each(np.atleast_3d)
_permutes(np.transpose, np.permute_dims, np.swapaxes, np.moveaxis, np.rollaxis, np.matrix_transpose)


# Broadcasting


@implements(np.broadcast_to)
def _np_broadcast_to(array: Value, shape: int | tuple[int, ...], subok: bool = False) -> Value:
    return _broadcast_to(array, shape=shape)


@implements(np.broadcast_arrays)
def _broadcast_arrays(*args: Value, subok: bool = False) -> tuple[Value, ...]:
    arrays = [array_of(a) for a in args]
    shape = np.broadcast_shapes(*[a.shape for a in arrays])
    return tuple([np.broadcast_to(a, shape) for a in arrays])


@implements(np.meshgrid)
def _meshgrid(*xi: Value, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Sequence[Value]:
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    n = len(xi)
    place = list(range(n))
    if indexing == "xy" and n > 1:
        place[:2] = [1, 0]
    grids = [np.reshape(x, [-1 if i == place[k] else 1 for i in range(n)]) for k, x in enumerate(map(array_of, xi))]
    if sparse:
        return tuple(grids) if copy else grids  # a list, as in NumPy
    return np.broadcast_arrays(*grids)


@implements(np.full_like)
def _full_like(
    a: Value,
    fill_value: Value,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Value:
    if fill_value.__class__ is not Tracer:
        return np.full_like(value_of(a), fill_value, dtype, shape=shape)
    return np.broadcast_to(fill_value.astype(a.dtype if dtype is None else dtype), a.shape if shape is None else shape)
