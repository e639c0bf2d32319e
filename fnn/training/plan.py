"""The planned step: the gradient of a supervised loss without tracers, in a vector that is used again, and the update."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from fnn.arrays import Array1, Scalar, Value
from fnn.mode import Mode
from fnn.optim.optimizer import Optimizer, bound_update
from fnn.optim.state import OptState
from fnn.promises import beside
from fnn.specialise import hot
from fnn.training.train_state import TrainState, stepped
from fnn.tree import Layout

if TYPE_CHECKING:
    from fnn.training.parts import Parts

Shapes: TypeAlias = tuple[tuple[int, ...] | np.dtype[Any], ...]

# For a state of the optimiser and a vector for gradients of its parameters: a function that writes into that vector, a gradient
# or a whole step.
Bind: TypeAlias = Callable[[OptState[Any], Array1], Callable[..., Any]]
# Such a vector, the layout and the names of moments that it is for, and the function that writes into it.
Buffer: TypeAlias = tuple[Layout[Any], tuple[str, ...], Array1, Callable[..., Any]]
# What a step makes: loss, new TrainState, the leaves of its parameters, and the vector they are views of.
Stepped: TypeAlias = tuple[Scalar, TrainState[Any, Any], list[Value], Array1]
# A step of a TrainState with these leaves and this vector on a batch, or None.
Planned: TypeAlias = Callable[[TrainState[Any, Any], Sequence[Value], Array1, Mode, Sequence[Value]], Stepped | None]


class Plan:
    """A gradient or a whole step, bound once and run again and again.

    It checks only what values can change, such as the range of labels: a step runs it for parameters and state that the step
    before made, and a batch with shapes and dtypes that an ordinary step has taken, so that the rest was checked then. Its
    kernels are those of the ordinary way, and its results are the same bit for bit. Where it meets an error it gives None, and
    the ordinary way says what is wrong.
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
        layout, keys = opt_state.layout, tuple(opt_state.slots)
        try:
            if buffer is None or buffer[0] is not layout or buffer[1] != keys:
                vector = np.zeros(layout.size, layout.dtype)  # as it stays for leaves that no layer reads, and so none writes
                buffer = layout, keys, vector, hot(self._bind(opt_state, vector))
            return buffer[3](*arguments), buffer
        except Exception:
            if buffer is not None:
                self._spare.append(buffer)  # whatever it wrote, the next run writes again
            return None  # the ordinary way runs into the same, and says where

    def put_back(self, buffer: Buffer, slots: Mapping[str, Array1]) -> None:
        """The vector may be used again, unless an optimiser keeps it as a moment."""
        vector = buffer[2]
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


def updated(
    apply: Callable[..., tuple[Array1, OptState[Any]]],
    views: Callable[[Array1], list[Value]],
    grads: Array1,
    ts: TrainState[Any, Any],
    vector: Array1,
    loss: Scalar,
    state: Any,
) -> Stepped:
    """What a step makes of the gradient, and of the loss and the new state that came with it."""
    new_vector, opt_state = apply(grads, ts.opt, vector)
    leaves = views(new_vector)
    return loss, stepped(leaves, state, opt_state, ts.key, ts.step + 1), leaves, new_vector


def planned_step(gradient: Bind, opt: Optimizer) -> Planned:
    """The whole step as one function, so that it can be written out whole."""

    def bind(opt_state: OptState[Any], grads: Array1) -> Callable[..., Stepped]:
        run = gradient(opt_state, grads)
        update = bound_update(opt, tuple(opt_state.slots))
        views = opt_state.layout.views

        def step(ts: TrainState[Any, Any], leaves: Sequence[Value], vector: Array1, mode: Mode, *batch: Value) -> Stepped:
            loss, state = run(leaves, ts.state, mode, *batch)
            return updated(update, views, grads, ts, vector, loss, state)

        return step

    plan = Plan(bind)

    def planned(
        ts: TrainState[Any, Any], leaves: Sequence[Value], vector: Array1, mode: Mode, batch: Sequence[Value]
    ) -> Stepped | None:
        made = plan.run(ts.opt, ts, leaves, vector, mode, *batch)
        if made is None:
            return None
        result: Stepped
        result, buffer = made
        plan.put_back(buffer, result[1].opt.slots)
        return result

    return planned


def planned_parts(gradient: Bind, apply: Callable[..., tuple[Array1, OptState[Any]]], parts: Parts) -> Planned:
    """A step whose gradient is the mean of those of parts of the batch."""
    plan = Plan(gradient)

    def planned(
        ts: TrainState[Any, Any], leaves: Sequence[Value], vector: Array1, mode: Mode, batch: Sequence[Value]
    ) -> Stepped | None:
        def of_part(mode: Mode, part: Sequence[Value], _: object) -> tuple[Scalar, Any, Array1, Buffer] | None:
            made = plan.run(ts.opt, leaves, ts.state, mode, *part)
            if made is None:
                return None
            (loss, state), buffer = made
            return loss, state, buffer[2], buffer

        found = parts.mean(of_part, ts.state, mode, batch, {})
        if found is None:
            return None
        loss, state, grads, buffers = found
        made = updated(apply, ts.opt.layout.views, grads, ts, vector, loss, state)
        for buffer in buffers:
            plan.put_back(buffer, made[1].opt.slots)
        return made

    return planned


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
