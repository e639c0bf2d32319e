"""The one mechanism behind functions that only move entries: every entry of a result is one of an operand's, or constant.

Such a function need not be understood to be differentiated. Run on arrays of numbers in place of its operands, it says
where each entry of its result comes from; the cotangent goes back there, and adds up where an entry was used twice.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from inspect import BoundArguments, Signature, signature
from itertools import repeat
from typing import Any

import numpy as np

from fnn.arrays import Value
from fnn.autodiff.primitive import descend, elementary, latest_tape
from fnn.autodiff.registry import implements
from fnn.autodiff.tracer import Tracer, value_of

_signature: Callable[[Callable[..., Any]], Signature] = cache(signature)


def jointly(function: Callable[..., Any], pull: Callable[[Value], Sequence[Value]], *operands: Value) -> Any:
    """function(*operands), linear in all of them, with one backward rule for all.

    `pull(g)` gives the cotangents of the operands, in differentiable operations; the cast to their dtypes is the tape's.
    Where function gives a list or tuple of results, g is the list of their cotangents.
    """
    tape = latest_tape(operands)
    if tape is None:
        return function(*operands)
    y = jointly(function, pull, *descend(operands, tape))
    on = [k for k, a in enumerate(operands) if a.__class__ is Tracer and a.tape is tape]
    parents = [operands[k].index for k in on]

    def pull_on(g: Value) -> list[Value]:
        parts = pull(g)
        return [parts[k] for k in on]

    if isinstance(y, (list, tuple)):
        return y.__class__(tape.record_several(y, parents, pull_on))
    return tape.record(y, parents, pull_on)


def moved(function: Callable[..., Any], *operands: Value) -> Any:
    """function(*operands) for a function that only moves entries."""
    return jointly(function, way_back(function, *operands), *operands)


def way_back(function: Callable[..., Any], *operands: Value) -> Callable[[Value], list[Value]]:
    """The backward rule of a function that only moves entries.

    The entries of the operands are numbered from 1; 0 are those of constants, and what the function fills with zeros.
    Nothing is numbered before the first cotangent arrives.
    """
    plain = [np.asarray(value_of(a)) for a in operands]
    wanted = [a.__class__ is Tracer for a in operands]

    @cache
    def sources() -> tuple[Value, int]:
        end = 1
        numbers = []
        for v, want in zip(plain, wanted, strict=True):
            number = np.zeros_like(v, np.intp)  # in the memory order of v, for functions with order="K"
            if want:
                number[...] = np.arange(end, end + v.size).reshape(v.shape)
                end += v.size
            numbers.append(number)
        return function(*numbers), end

    def pull(g: Value) -> list[Value]:
        index, end = sources()
        if isinstance(g, list):
            index = np.concatenate([np.ravel(i) for i in index])
            g = np.concatenate([np.ravel(part) for part in g])
        total = _scatter_sum(g, index=np.asarray(index), size=end)
        parts = []
        start = 1
        for v, want in zip(plain, wanted, strict=True):
            parts.append(total[start : start + v.size].reshape(v.shape) if want else None)
            start += v.size if want else 0
        return parts

    return pull


def _bincount(g: Value, *, index: Value, size: int) -> Value:
    """out[i] = the sum of g where index is i. Adds up in float64, or in what is longer."""
    if g.dtype.itemsize > 8:
        out = np.zeros(size, g.dtype)
        np.add.at(out, index, g)
        return out
    return np.bincount(index.ravel(), np.ravel(g), size).astype(g.dtype)


_scatter_sum: Callable[..., Value] = elementary(_bincount, lambda g, y, x, index, size: _gather(g, index=index))
_gather: Callable[..., Value] = elementary(
    lambda x, *, index: x[index], lambda g, y, x, index: _scatter_sum(g, index=index, size=x.size)
)


def scatter_sum(g: Value, index: Value, size: int) -> Value:
    """A vector whose entry i is the sum of g where the integer array `index` is i; index has the shape of g."""
    return _scatter_sum(g, index=index, size=size)


def array_of(a: Value) -> Value:
    """An operand as an array or tracer. Nothing that is not a number joins what is differentiated."""
    if a.__class__ is Tracer:
        return a
    a = np.asanyarray(a)
    if a.dtype.kind == "O":
        raise TypeError("fnn: only real floating numbers have a gradient here, and one operand is an array of objects")
    return a


def leaves_of(nested: Any) -> list[Value]:
    """What nested lists and tuples hold, in order."""
    return [leaf for part in nested for leaf in leaves_of(part)] if isinstance(nested, (list, tuple)) else [nested]


def refill(nested: Any, leaves: Iterator[Value]) -> Any:
    """Nested lists like these that hold other leaves."""
    return [refill(part, leaves) for part in nested] if isinstance(nested, (list, tuple)) else next(leaves)


def moves(function: Callable[..., Any], *names: str) -> None:
    """Register a NumPy function that only moves entries: of its first argument, or of those that are named.

    An argument may be an array or (nested) lists of arrays. The others say what goes where; they are constants.
    """

    def rule(*args: Any, **kwargs: Any) -> Any:
        wanted = _signature(function)
        given = wanted.bind(*args, **kwargs).arguments
        data = names or tuple(given)[:1]
        operands = [leaf for name in data if name in given for leaf in leaves_of(given[name])]
        # Without the operands: the tape keeps `run`, and must not keep its own tracers alive.
        empty = {name: refill(given[name], repeat(None)) for name in data if name in given}
        others = {name: value_of(a) for name, a in given.items() if name not in data}

        def run(*leaves: Value) -> Any:
            rest = iter(leaves)
            filled = BoundArguments(wanted, OrderedDict(others))
            filled.arguments.update({name: refill(part, rest) for name, part in empty.items()})
            return function(*filled.args, **filled.kwargs)

        return moved(run, *operands)

    implements(function)(rule)


for _function in (
    np.fliplr, np.flipud, np.rot90, np.repeat, np.tile, np.resize, np.diag, np.diagonal, np.diagflat, np.delete,
    np.take_along_axis, np.lib.stride_tricks.sliding_window_view,
):  # fmt: skip
    moves(_function)
moves(np.insert, "arr", "values")
moves(np.choose, "choices")
moves(np.select, "choicelist", "default")
moves(np.compress, "a")
moves(np.extract, "arr")
moves(np.block, "arrays")

# Moves whose way back is known: no numbers are needed. Each is linear, and its transpose stands beside it.
_flip = elementary(lambda m, *, axis: np.flip(m, axis), lambda g, y, m, axis: np.flip(g, axis))
_roll = elementary(
    lambda a, *, shift, axis: np.roll(a, shift, axis), lambda g, y, a, shift, axis: np.roll(g, np.multiply(shift, -1), axis)
)
_tril = elementary(lambda m, *, k: np.tril(m, k), lambda g, y, m, k: np.tril(g, k))
_triu = elementary(lambda m, *, k: np.triu(m, k), lambda g, y, m, k: np.triu(g, k))


@implements(np.flip)
def _np_flip(m: Value, axis: int | Sequence[int] | None = None) -> Value:
    return _flip(m, axis=axis)


@implements(np.roll)
def _np_roll(a: Value, shift: Any, axis: Any = None) -> Value:
    return _roll(a, shift=value_of(shift), axis=axis)


@implements(np.tril)
def _np_tril(m: Value, k: int = 0) -> Value:
    # a vector stands for the matrix of its copies
    return _tril(m if m.ndim > 1 else np.broadcast_to(m, (m.size, m.size)), k=k)


@implements(np.triu)
def _np_triu(m: Value, k: int = 0) -> Value:
    return _triu(m if m.ndim > 1 else np.broadcast_to(m, (m.size, m.size)), k=k)
