"""scan: a user's own step, repeated along the time axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

import numpy as np

from fnn.arrays import Array2, Array3, Value, describe
from fnn.autodiff.primitive import shape_of
from fnn.tree import flatten, paths, show
from fnn.tree import leaves as leaves_of

C = TypeVar("C")
X = TypeVar("X")
Y = TypeVar("Y")


@overload
def scan(
    step: Callable[[Array2, Array2], tuple[Array2, Array2]], carry: Array2, xs: Array3, /, *, reverse: bool = False
) -> tuple[Array2, Array3]: ...
@overload
def scan(  # type: ignore[overload-overlap]  # the first that fits is the more precise
    step: Callable[[C, Array2], tuple[C, Array2]], carry: C, xs: Array3, /, *, reverse: bool = False
) -> tuple[C, Array3]: ...
@overload
def scan(
    step: Callable[[Array2, Array2], tuple[Array2, Y]], carry: Array2, xs: Array3, /, *, reverse: bool = False
) -> tuple[Array2, Y]: ...
@overload
def scan(step: Callable[[C, Array2], tuple[C, Y]], carry: C, xs: Array3, /, *, reverse: bool = False) -> tuple[C, Y]: ...
@overload
def scan(step: Callable[[C, X], tuple[C, Y]], carry: C, xs: X, /, *, reverse: bool = False) -> tuple[C, Y]: ...
def scan(step: Callable[[Any, Any], tuple[Any, Any]], carry: Any, xs: Any, /, *, reverse: bool = False) -> tuple[Any, Any]:
    """Repeats carry, y = step(carry, x) along the time axis: the recurrence of one's own cell. Returns (carry, ys).

    xs: an array [batch, time, ...] or a tree of such; step sees [batch, ...] of each. The carry is any tree that step maps
    to one of its kind. Each y is an array [batch, ...] or a tree of such (or None), and ys has them along axis 1. With
    reverse=True it runs from the last step to the first; each y stands at the time of its x.

    It is a plain loop, differentiable in all that step uses, its closure too; time and memory grow linearly with the number
    of steps. Types: for an array xs, step takes an Array2 and may give one; for other ranks, and in trees, write fnn.Array.

    Raises ValueError where xs has no step of time, or arrays of unlike lengths, or the trees of the ys are unlike;
    TypeError where step gives no pair, or a carry whose arrays have other shapes or dtypes.

    >>> import fnn
    >>> def running_sum(total: fnn.Array2, x: fnn.Array2) -> tuple[fnn.Array2, fnn.Array2]:
    ...     return total + x, total + x
    >>> xs = np.array([[[1.0], [2.0], [3.0]]])
    >>> total, sums = fnn.scan(running_sum, np.zeros((1, 1)), xs)
    >>> total.tolist(), sums.tolist()
    ([[6.0]], [[[1.0], [3.0], [6.0]]])
    """
    leaves, structure = flatten(xs)
    time = _steps_of(xs)
    # unstack is one node on the tape, whose cotangents are stacked once; x[:, t] would scatter into zeros at each step
    columns: list[Value] = [np.unstack(leaf, axis=1) for leaf in leaves]
    rows: list[Any] = [None] * time
    kind: Any = None
    for t in range(time)[:: -1 if reverse else 1]:
        made = step(carry, structure.unflatten([column[t] for column in columns]))
        if not isinstance(made, tuple) or len(made) != 2:
            raise TypeError(f"scan: step must return (carry, y), got {show(made)}")
        before, (carry, y) = carry, made
        if kind is None and [describe(leaf) for leaf in leaves_of(carry)] != [describe(leaf) for leaf in leaves_of(before)]:
            raise TypeError(
                f"scan: step made the carry {show(carry)} of {show(before)}; its arrays must keep shapes and dtypes, so begin "
                "with a carry like it"
            )
        rows[t], found = flatten(y)
        if kind is None:
            kind = found
            for path, leaf in paths(y):
                if len(shape_of(leaf)) == 0:
                    raise ValueError(f"scan: y{path} is {describe(leaf)}, without a batch axis; expected [batch, ...]")
        elif found != kind:
            raise ValueError(f"scan: step gives trees of unlike structure, at time {t} {show(y)}")
    return carry, kind.unflatten([np.stack(column, 1) for column in zip(*rows, strict=True)])


def _steps_of(xs: Any) -> int:
    """The number of steps of a tree of [batch, time, ...]; ValueError unless there is one, of at least 1."""
    found = {path: shape_of(leaf) for path, leaf in paths(xs)}
    for path, shape in found.items():
        if len(shape) < 2 or shape[1] == 0:
            raise ValueError(f"scan: xs{path} has shape {shape}, expected [batch, time, ...] with at least one step of time")
    times = {shape[1] for shape in found.values()}
    if len(times) != 1:
        shapes = f"arrays of {sorted(times)} steps" if times else "no array; write a Python loop"
        raise ValueError(f"scan: xs has {shapes}; expected the same number of steps in all, [batch, time, ...]")
    return int(times.pop())
