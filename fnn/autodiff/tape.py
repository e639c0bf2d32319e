"""The tape: a flat list that records each operation as it runs, and the one walk backwards that differentiates it.

While `grad` runs a function, every array that depends on the parameters is a `Tracer`: the value, and its place on the
tape. An operation on tracers computes its value, appends one `Node` to the tape and returns a new tracer. `pull(g,
*saved)` maps the cotangent of the result to those of the parents: it is the backward rule, with what it needs of the
forward pass in `saved` or in its closure. `Tape.backward` walks the list once from the end.

Tapes nest. A tracer's value may itself be a tracer of a tape that began earlier; an operation records on the latest tape
among its inputs, and backward rules are written in operations that record too, so that derivatives of derivatives need
nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, TypeAlias

import numpy as np

from fnn.arrays import Value, describe
from fnn.autodiff.tracer import Tracer

Pull: TypeAlias = Callable[..., Value]

# (shape, dtype, parents, pull, saved): shape and dtype of the result, the places of the parents on the tape, the backward
# rule. A single parent is the number itself, and then pull gives its one cotangent itself. An input has no pull. A node that
# stands for several results has shape None, and their number in place of dtype. A plain tuple, and values in `saved` rather
# than in closures, because a tape is made of many small objects, and the garbage collector looks at each closure, but not
# at a tuple of arrays.
Parents: TypeAlias = Sequence[int] | int
Node: TypeAlias = tuple[tuple[int, ...] | None, Any, Any, Pull | None, tuple[Any, ...]]

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)

# Tapes are ordered by when they began. The number is an identity, like id(): no result depends on it, and next() on a
# count is atomic, so threads don't disturb one another.
_births = count()


class Tape:
    """Operations in the order in which they ran. `record` appends; after `close` it refuses."""

    __slots__ = ("birth", "nodes", "open")

    def __init__(self) -> None:
        self.birth = next(_births)
        self.nodes: list[Node] = []
        self.open = True

    def variables(self, values: Sequence[Value]) -> list[Tracer]:
        """Tracers for the inputs: the first nodes of the tape."""
        self.nodes = [(value.shape, value.dtype, (), None, ()) for value in values]
        return [Tracer(value, self, i) for i, value in enumerate(values)]

    def record(self, value: Value, parents: Parents, pull: Pull, saved: tuple[Any, ...] = ()) -> Tracer:
        """A tracer for the result of an operation."""
        dtype = value.dtype
        if dtype is not _FLOAT32 and dtype is not _FLOAT64 and dtype.kind != "f":
            raise TypeError(
                f"fnn: an operation on an array that is being differentiated gave {describe(value)}; only real floating "
                "numbers have a gradient here (no complex numbers, no arrays of objects)"
            )
        if not self.open:
            self.check_open()
        nodes = self.nodes
        tracer = Tracer(value, self, len(nodes))
        nodes.append((value.shape, dtype, parents, pull, saved))
        return tracer

    def record_several(
        self, values: Sequence[Value], parents: Sequence[int], pull: Pull, *, gaps: bool = False
    ) -> list[Tracer]:
        """Tracers for an operation with several results; `pull` takes the list of their cotangents, zeros where none flows.

        With gaps, None where none flows.

        One node stands for them all, and gathers in a list what the nodes of the single results hand to it.
        """
        first = len(self.nodes)

        def pull_all(gathered: list[Value | None]) -> Value:
            return pull(
                gathered
                if gaps
                else [np.zeros(v.shape, v.dtype) if g is None else g for v, g in zip(values, gathered, strict=True)]
            )

        self.nodes.append((None, len(values), parents, pull_all, ()))
        return [self.record(value, (first,), _hand_over, (k,)) for k, value in enumerate(values)]

    def check_open(self) -> None:
        """RuntimeError where the function that this tape belongs to has ended."""
        if not self.open:
            raise RuntimeError(
                "fnn: an array from inside a function that was being differentiated is used after that function ended. "
                "Return what you need as aux (has_aux=True), or take its value with fnn.stop_gradient before keeping it."
            )

    def close(self) -> None:
        """No more operations: a tracer that outlives its function fails when it is used."""
        self.open = False

    def backward(self, cotangents: dict[int, Value], n_inputs: int) -> list[Value | None]:
        """Cotangents of the first n_inputs nodes from those of some outputs; None where nothing flows."""
        nodes = self.nodes
        last = max(cotangents, default=-1)
        waiting: list[Value] = [None] * max(last + 1, n_inputs)
        for i, g in cotangents.items():
            waiting[i] = g
        for i in range(last, n_inputs - 1, -1):
            g = waiting[i]
            if g is None:
                continue
            waiting[i] = None
            _, _, parents, pull, saved = nodes[i]
            if pull is None:
                continue
            pulled = pull(g, *saved)
            # One parent and its one cotangent stand without tuples around them: so do most operations.
            for parent, part in ((parents, pulled),) if parents.__class__ is int else zip(parents, pulled, strict=True):
                if part is None:
                    continue
                # The one place where cotangents meet: brought to the parent's shape and dtype, then added up.
                shape, dtype, _, _, _ = nodes[parent]
                if shape is None:
                    if waiting[parent] is None:
                        waiting[parent] = [None] * dtype
                    waiting[parent][part[0]] = part[1]
                    continue
                if part.shape != shape:
                    part = sum_to(part, shape)  # noqa: PLW2901 (a new name for the same thing would say less)
                if part.dtype is not dtype and part.dtype != dtype:
                    part = part.astype(dtype)  # noqa: PLW2901
                before = waiting[parent]
                waiting[parent] = part if before is None else before + part
        return waiting[:n_inputs]


def _hand_over(g: Value, k: int) -> Sequence[Value]:
    """The cotangent of the k-th of several results, for the node that gathers them."""
    return ((k, g),)


def sum_to(g: Value, shape: tuple[int, ...]) -> Value:
    """The cotangent of what was broadcast from `shape` to the shape of g: the sum over the axes that were repeated.

    y[i, j] = x[j] for all i, hence dL/dx[j] = sum_i dL/dy[i, j].
    """
    extra = g.ndim - len(shape)
    repeated = [i for i, n in enumerate(shape) if n == 1 and g.shape[extra + i] != 1] if extra >= 0 else []
    summed = g.sum(axis=(*range(extra), *[extra + i for i in repeated]), keepdims=True) if extra > 0 or repeated else g
    if extra < 0 or summed.shape[extra:] != shape:
        raise ValueError(f"fnn: a backward rule gave a cotangent of {describe(g)} for an input of shape {list(shape)}")
    return summed.reshape(shape)
