"""jvp, jacobian, hessian and hvp, all made of the one mechanism, the tape walked backwards.

The pullback u -> J^T u is a linear function of u, made of operations that can be differentiated. Its own pullback is
therefore v -> J v: two walks backwards are one forwards, exact, and need no second set of rules.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from fnn.arrays import Array, Scalar, Value, describe, frozen, read_only
from fnn.autodiff.tracer import Tracer
from fnn.autodiff.transforms import grad_by, vjp
from fnn.tree.operations import paths, show
from fnn.tree.structure import PyTree, difference, take_apart

P = TypeVar("P", bound=PyTree)
Q = TypeVar("Q", bound=PyTree)
X = TypeVar("X", bound="Array | Scalar")
Rest = ParamSpec("Rest")


def _pushforward(f: Callable[[P], Q], primal: P) -> tuple[Q, Callable[[P], Q]]:
    """The value of f, and v -> J v."""
    y, pullback = vjp(f, primal)
    leaves, structure = take_apart(y)
    floating = [i for i, leaf in enumerate(leaves) if leaf.dtype.kind == "f"]

    def pull(cotangents: list[Any]) -> P:
        whole = list(leaves)
        for i, u in zip(floating, cotangents, strict=True):
            whole[i] = u
        return pullback(structure.unflatten(whole))

    _, transposed = vjp(pull, [np.zeros(leaves[i].shape, leaves[i].dtype) for i in floating])

    def push(tangent: P) -> Q:
        moved = transposed(tangent)
        made: list[Value] = [read_only(np.zeros(leaf.shape, leaf.dtype)) for leaf in leaves]
        for i, v in zip(floating, moved, strict=True):
            scalar = isinstance(leaves[i], np.generic) and isinstance(v, np.ndarray)
            made[i] = v[()] if scalar else v
        result: Q = structure.unflatten(made)
        return result

    return y, push


def jvp(f: Callable[[P], Q], primal: P, tangent: P, /) -> tuple[Q, Q]:
    """The value of f at `primal`, and its derivative along `tangent`, J v: both are trees like the result of f.

    A tangent is a tree like `primal`, with its shapes (ValueError where not). A leaf of the result that is constant or
    not floating has tangent 0. It costs about three runs of f.

    >>> jvp(lambda x: x * x, np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    (array([1., 4.]), array([ 2., 40.]))
    """
    return _jvp("jvp: the tangent", f, primal, tangent)


def _jvp(what: str, f: Callable[[P], Q], primal: P, tangent: P) -> tuple[Q, Q]:
    leaves, structure = take_apart(primal)
    given = structure.leaves_of(tangent)
    if given is None:
        raise ValueError(f"{what} does not fit the primal: {difference(tangent, primal)}")
    for (path, _), x, v in zip(paths(primal), leaves, given, strict=True):
        if x.shape != v.shape:
            raise ValueError(f"{what} {path or 'at the root'} is {describe(v)}, but the primal is {describe(x)}")
    y, push = _pushforward(f, primal)
    return y, push(
        structure.unflatten([v if v.dtype == x.dtype else v.astype(x.dtype) for x, v in zip(leaves, given, strict=True)])
    )


def hvp(f: Callable[[P], Scalar], primal: P, vector: P, /) -> P:
    """The Hessian of a scalar function times a vector, without the Hessian: the derivative of the gradient along it.

    >>> def f(x: Array) -> Scalar:
    ...     return np.sum(x**3)
    >>> hvp(f, np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    array([ 6., 12.])
    """
    along: P = _jvp("hvp: the vector", grad_by("hvp", f), primal, vector)[1]
    return along


def _check_array(name: str, what: str, x: Any) -> None:
    if not isinstance(x, (np.ndarray, np.generic, Tracer)) or x.dtype.kind != "f":
        raise TypeError(
            f"{name}: {what} is {show(x)}, expected one floating array; for a tree use fnn.tree.ravel, or fnn.vjp and fnn.jvp"
        )


def jacobian(f: Callable[Concatenate[X, Rest], Array | Scalar], /) -> Callable[Concatenate[X, Rest], Array]:
    """A function that gives the Jacobian of f by its first argument: d f(x)[i...] / d x[j...], of shape [i..., j...].

    f maps one floating array to one floating array; for trees see `fnn.tree.ravel`. It runs backwards once for each
    entry of the result, or forwards once for each entry of x, whichever are fewer.

    Raises TypeError where x or f(x) is not a floating array.

    >>> jacobian(lambda x: x[:2] * x[1:])(np.array([1.0, 2.0, 3.0]))
    array([[2., 1., 0.],
           [0., 3., 2.]])
    """

    return _jacobian("jacobian", f)


def _jacobian(name: str, f: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(f)
    def jacobian_of(x: Any, /, *args: Any, **kwargs: Any) -> Any:
        _check_array(name, "the first argument", x)

        def g(x: Any) -> Any:
            return f(x, *args, **kwargs)

        y, pullback = vjp(g, x)
        _check_array(name, "the result of the function", y)
        shape = (*y.shape, *x.shape)
        if x.size == 0 or y.size == 0:
            return read_only(np.zeros(shape, x.dtype))
        if y.size <= x.size:
            rows = [pullback(u) for u in _basis(y)]
            return frozen(np.stack(rows).reshape(shape))
        push = _pushforward(g, x)[1]
        columns = [push(v) for v in _basis(x)]
        return frozen(np.stack(columns, -1).reshape(shape).astype(x.dtype))

    return jacobian_of


def _basis(x: Value) -> list[Value]:
    """The unit vectors of x's shape and dtype, in the order of its entries."""
    return list(np.eye(x.size, dtype=x.dtype).reshape(x.size, *x.shape))


def hessian(f: Callable[Concatenate[X, Rest], Scalar], /) -> Callable[Concatenate[X, Rest], Array]:
    """A function that gives the Hessian of a scalar f by its first argument, of shape [i..., j...], symmetric.

    >>> def f(x: Array) -> Scalar:
    ...     return x[0] ** 2 * x[1]
    >>> hessian(f)(np.array([3.0, 5.0]))
    array([[10.,  6.],
           [ 6.,  0.]])
    """
    return _jacobian("hessian", grad_by("hessian", f))
