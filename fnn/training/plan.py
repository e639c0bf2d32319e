"""The planned step: a supervised loss forwards and backwards without tracers, into one vector that is used again, and the update."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from fnn.arrays import Array1, Scalar, Value
from fnn.mode import Mode
from fnn.optim.optimizer import Optimizer, bound_update
from fnn.optim.state import OptState
from fnn.promises import beside
from fnn.specialise import hot
from fnn.training.train_state import TrainState, stepped
from fnn.tree import Layout

Shapes: TypeAlias = tuple[tuple[int, ...] | np.dtype[Any], ...]

# For a state of the optimiser and a gradient vector for parameters like its: what writes into that vector.
Bind: TypeAlias = Callable[[OptState[Any], Array1], Callable[..., Any]]
# A gradient vector, the layout that it is for, and the function that writes into it.
Buffer: TypeAlias = tuple[Layout[Any], Array1, Callable[..., Any]]
# A step without checks: loss, new TrainState, the leaves of its parameters, and the vector they are views of.
Stepped: TypeAlias = tuple[Scalar, TrainState[Any, Any], list[Value], Array1]


class Plan:
    """A function that writes a gradient, bound once and run in every step.

    It checks only what values can change, such as the range of labels: a step runs it for parameters and state that the step
    before made, and a batch with shapes and dtypes that an ordinary step has had, so that the rest was checked then. Its kernels
    are those of the ordinary way, and its results are the same bit for bit. Where it meets an error it gives None, and the
    ordinary way says what is wrong.
    """

    def __init__(self, bind: Bind) -> None:
        self._bind = bind
        # Those that no step is using. Threads take from the list and append to it, which are atomic; one that finds it empty
        # makes a vector for itself.
        self._spare: list[Buffer] = []

    def run(self, opt_state: OptState[Any], *arguments: Any) -> tuple[Any, Buffer] | None:
        """What the function gives, and what holds the gradient, which `put_back` takes for another step; or None."""
        try:
            buffer = self._spare.pop()
        except IndexError:
            buffer = None
        layout = opt_state.layout
        try:
            if buffer is None or buffer[0] is not layout:
                vector = np.zeros(layout.size, layout.dtype)  # as it stays for leaves that no layer reads, and so none writes
                buffer = layout, vector, hot(self._bind(opt_state, vector))
            return buffer[2](*arguments), buffer
        except Exception:
            return None  # the ordinary way runs into the same, and says where

    def put_back(self, buffer: Buffer, slots: Mapping[str, Array1]) -> None:
        """The vector may be used again, unless an optimiser keeps it as a moment."""
        vector = buffer[1]
        for slot in slots.values():  # one that owns its memory needs no closer look
            if slot is vector or (slot.base is not None and np.may_share_memory(slot, vector)):
                return
        self._spare.append(buffer)


def gradient_of(loss: object) -> Bind | None:
    """For a loss whose class has a `bind` beside its `__call__`: (leaves, state, mode, *batch) to (loss, new state).

    `bind(into)` gives that function of the leaves of the parameters; it writes the gradient into `into`, a tree like them.
    """
    cls: Any = type(loss)  # mypy takes an object's class for one that may not be hashed
    rule = beside(cls, "__call__", "bind")
    return None if rule is None else lambda opt_state, vector: rule(loss, opt_state.layout.unpack(vector))


def step_of(gradient: Bind, opt: Optimizer) -> Bind:
    """A whole step, as one function to be written out: (ts, leaves, vector, mode, *batch) to `Stepped`, where the leaves of the
    parameters are views of the vector."""

    def bind(opt_state: OptState[Any], grads: Array1) -> Callable[..., Stepped]:
        run = gradient(opt_state, grads)
        keys = tuple(opt_state.slots)
        n = len(keys)
        update = bound_update(opt, keys)
        views = opt_state.layout.views

        def step(ts: TrainState[Any, Any], leaves: Sequence[Value], vector: Array1, mode: Mode, *batch: Value) -> Stepped:
            before = ts.opt
            if len(before.slots) != n:
                raise KeyError("moments with other names")
            loss, state = run(leaves, ts.state, mode, *batch)
            new, opt_state = update(grads, before, vector)
            new_leaves = views(new)
            return loss, stepped(new_leaves, state, opt_state, ts.key, ts.step + 1), new_leaves, new

        return step

    return bind


def shapes_of(batch: Sequence[Value]) -> Shapes | None:
    """Shapes and dtypes of a batch of plain arrays, None for any other."""
    found: list[Any] = []
    for a in batch:  # a comprehension takes half as long again
        if a.__class__ is not _ARRAY:
            return None
        found.append(a.shape)
        found.append(a.dtype)
    return tuple(found)


_ARRAY = np.ndarray
