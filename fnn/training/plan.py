"""The planned gradient: a supervised loss forwards and backwards without tracers, into one vector that is used again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from fnn.arrays import Array1, Scalar, Value
from fnn.mode import Mode
from fnn.promises import beside
from fnn.specialise import hot
from fnn.tree import Layout

Shapes: TypeAlias = list[tuple[int, ...] | np.dtype[Any]]
Run: TypeAlias = Callable[..., tuple[Scalar, Any]]

# Loss, new state, gradient, and the buffer that holds the gradient, which `Plan.put_back` takes for another step.
Planned: TypeAlias = tuple[Scalar, Any, Array1, Any]


class Plan:
    """Gradients of a loss that has a way of its own: `bind(into)` gives a function (leaves, state, mode, *batch) to (loss, new
    state) of the leaves of the parameters, which writes the gradient into `into`, a tree like the parameters.

    That checks only what values can change, such as the range of labels: a step runs it for parameters and state that the step
    before made, and a batch with the shapes and dtypes of that before, so that the rest was checked then. Its kernels are
    those of the ordinary way, and its results are the same bit for bit. Where it meets an error it gives None, and the
    ordinary way says what is wrong.
    """

    def __init__(self, bind: Callable[[Any], Run]) -> None:
        self._bind = bind
        # Gradient vectors that no step is using, each with the function that writes into it. Threads take from the list and
        # append to it, which are atomic; one that finds it empty makes a vector for itself.
        self._spare: list[tuple[Layout[Any], Array1, Run]] = []

    def run(
        self, layout: Layout[Any], leaves: Sequence[Value], state: Any, mode: Mode, batch: Sequence[Value]
    ) -> Planned | None:
        """The gradient, or None."""
        try:
            buffer = self._spare.pop()
        except IndexError:
            buffer = None
        try:
            if buffer is None or buffer[0] is not layout:
                vector = np.zeros(layout.size, layout.dtype)  # as it stays for leaves that no layer reads, and so none writes
                buffer = layout, vector, hot(self._bind(layout.unpack(vector)))
            loss, state = buffer[2](leaves, state, mode, *batch)
        except Exception:
            return None  # the ordinary way runs into the same, and says where
        return loss, state, buffer[1], buffer

    def put_back(self, buffer: Any, slots: Mapping[str, Array1]) -> None:
        """The vector may be used again, unless an optimiser keeps it as a moment."""
        vector = buffer[1]
        for slot in slots.values():  # one that owns its memory needs no closer look
            if slot is vector or (slot.base is not None and np.may_share_memory(slot, vector)):
                return
        self._spare.append(buffer)


def plan_of(loss: object) -> Plan | None:
    """The plan of a loss whose class has a `bind` beside its `__call__`."""
    cls: Any = type(loss)  # mypy takes an object's class for one that may not be hashed
    rule = beside(cls, "__call__", "bind")
    return None if rule is None else Plan(partial(rule, loss))


def shapes_of(batch: Sequence[Value]) -> Shapes | None:
    """Shapes and dtypes of a batch of plain arrays, None for any other."""
    found: Shapes = []
    for a in batch:  # a comprehension takes half as long again
        if a.__class__ is not _ARRAY:
            return None
        found.append(a.shape)
        found.append(a.dtype)
    return found


_ARRAY = np.ndarray
