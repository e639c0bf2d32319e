"""The planned gradient: a supervised loss forwards and backwards without tracers, into one vector that is used again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any, TypeAlias

import numpy as np

from fnn.arrays import Array1, Scalar, Value
from fnn.mode import Mode
from fnn.promises import beside
from fnn.tree import Layout

Shapes: TypeAlias = list[tuple[tuple[int, ...], np.dtype[Any]]]

# Loss, new state, gradient, and the buffer that holds the gradient, which `Plan.put_back` takes for another step.
Planned: TypeAlias = tuple[Scalar, Any, Array1, Any]


@cache
def reuse_large_blocks() -> None:
    """Let the C library keep what is freed of large arrays for the next step: by glibc's rule, the largest block that was
    ever freed, of up to 32 MB, is the measure of what it takes from the system anew and page by page. Touches no memory."""
    np.empty((32 << 20) - 8_192, np.uint8)


class Plan:
    """Gradients of a loss that has a way of its own, `grad_into(into, params, state, mode, *batch) -> (loss, new state)`.

    That checks only what values can change, such as the range of labels: a step runs it for parameters and state that the step
    before made, and a batch with the shapes and dtypes of that before, so that the rest was checked then. Its kernels are
    those of the ordinary way, and its results are the same bit for bit. Where it meets an error it gives None, and the
    ordinary way says what is wrong.
    """

    def __init__(self, grad_into: Callable[..., tuple[Scalar, Any]]) -> None:
        self._grad_into = grad_into
        # Gradient vectors that no step is using, each with the tree of its views. Threads take from the list and append
        # to it, which are atomic; one that finds it empty makes a vector for itself.
        self._spare: list[tuple[Layout[Any], Array1, Any]] = []

    def run(self, layout: Layout[Any], params: Any, state: Any, mode: Mode, batch: Sequence[Value]) -> Planned | None:
        """The gradient, or None."""
        try:
            buffer = self._spare.pop()
        except IndexError:
            buffer = None
        if buffer is None or buffer[0] is not layout:
            vector = np.zeros(layout.size, layout.dtype)  # as it stays for leaves that no layer reads, and so none writes
            buffer = layout, vector, layout.unpack(vector)
        try:
            loss, state = self._grad_into(buffer[2], params, state, mode, *batch)
        except Exception:
            return None  # the ordinary way runs into the same, and says where
        return loss, state, buffer[1], buffer

    def put_back(self, buffer: Any, slots: Mapping[str, Array1]) -> None:
        """The vector may be used again, unless an optimiser keeps it as a moment."""
        vector = buffer[1]
        for slot in slots.values():
            if np.may_share_memory(slot, vector):
                return
        self._spare.append(buffer)


def plan_of(loss: object) -> Plan | None:
    """The plan of a loss whose class has a `grad_into` beside its `__call__`."""
    cls: Any = type(loss)  # mypy takes an object's class for one that may not be hashed
    rule = beside(cls, "__call__", "grad_into")
    return None if rule is None else Plan(partial(rule, loss))


def shapes_of(batch: Sequence[Value]) -> Shapes | None:
    """Shapes and dtypes of a batch of plain arrays, None for any other."""
    found = [(a.shape, a.dtype) for a in batch if a.__class__ is np.ndarray]
    return found if len(found) == len(batch) else None
