"""The way back through a layer at a time: forward values and a pullback, with the kernels that `forward` runs, but no tracers.

A layer may have a method `vjp(params, state, x, mode, wanted) -> (y, state, pull)` beside `forward`. It computes the same, bit
for bit, of arguments that were checked before: `pull(g, into)` takes the cotangent g of y, writes those of the parameters
into `into`, a tree like params with writable arrays, and returns that of x, or None where it is not `wanted`. A subclass with a
`forward` of its own needs a `vjp` of its own: it does not inherit one. What has none runs on a tape of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from fnn.arrays import Value
from fnn.autodiff.primitive import unchecked_vjp
from fnn.autodiff.tape import Tape
from fnn.autodiff.tracer import Tracer
from fnn.autodiff.transforms import detach
from fnn.functional.activations import relu
from fnn.mode import EVAL, Mode
from fnn.promises import beside
from fnn.tree import leaves
from fnn.tree.structure import take_apart

Pull: TypeAlias = Callable[[Value, Any], Value]


def vjp_of_layer(layer: Any) -> Callable[..., tuple[Value, Any, Pull]]:
    """(params, state, x, mode, wanted) to (y, new state, pull) of this layer: its own `vjp`, or else by a tape."""
    rule = beside(layer.__class__, "forward", "vjp")
    if rule is not None:
        return partial(rule, layer)
    return lambda params, state, x, mode, wanted: by_tape(
        lambda params, x: layer.forward(params, state, x, mode), params, state, x, wanted
    )


def evaluator_of(layer: Any, params: Any, state: Any) -> Callable[[Value], Value]:
    """The output of this layer in evaluation, as a function of x alone: its own `evaluator`, or else its `forward`."""
    rule = beside(layer.__class__, "forward", "evaluator")
    if rule is not None:
        run: Callable[[Value], Value] = rule(layer, params, state)
        return run
    return lambda x: layer.forward(params, state, x, EVAL)[0]


class Part(NamedTuple):
    """A part of a chain: its place, the layer, the function that it only applies, if it is such a layer, whether it may ask
    for the mode; and its `vjp`: of the function, (x) to (y, pull), else of the layer."""

    place: int
    layer: Any
    f: Callable[[Value], Value] | None
    uses_mode: bool
    vjp: Callable[..., Any]


def schedule_of(layers: Sequence[Any]) -> list[Part]:
    """The parts of a chain in the order in which they run.

    The maximum of relu(x) is relu of the maximum, because relu never decreases: before max-pooling it runs behind it, on a
    fraction of the numbers, and gives the same values and gradients.
    """
    order = list(range(len(layers)))
    applied = [layer.f if beside(layer.__class__, "forward", "applies_f") else None for layer in layers]
    for i, (f, b) in enumerate(zip(applied, layers[1:], strict=False)):
        if f is relu and beside(b.__class__, "forward", "takes_maxima"):
            order[i], order[i + 1] = i + 1, i
    rules = [vjp_of_layer(layer) if f is None else vjp_of_function(f) for f, layer in zip(applied, layers, strict=True)]
    asks = [not beside(layer.__class__, "forward", "ignores_mode") for layer in layers]
    return [Part(i, layers[i], applied[i], asks[i], rules[i]) for i in order]


def vjp_of_chain(
    schedule: Sequence[Part], params: Any, state: Any, x: Value, mode: Mode, wanted: bool
) -> tuple[Value, Any, Pull]:
    """That of layers one after the other."""
    way_back: list[tuple[int, Any, Any, bool]] = []
    new = None
    y = x
    for i, _, f, uses_mode, rule in schedule:
        if f is not None:
            if not wanted:
                y = f(y)
                continue
            y, back = rule(y)
        else:
            y, after, back = rule(params[i], state[i], y, mode.fold(i) if uses_mode else mode, wanted)
            if after is not state[i]:
                new = new or list(state)
                new[i] = after
            wanted = wanted or params[i] is not None
        way_back.append((i, back, y.dtype, f is None))

    def pull(g: Value, into: Any) -> Value:
        for i, back, dtype, is_layer in reversed(way_back):
            if g.dtype is not dtype and g.dtype != dtype:
                g = g.astype(dtype)  # as the tape does
            g = back(g, into[i]) if is_layer else back(g)
            if g is None:
                if i:
                    _blank(into[:i])
                break
        return g

    return y, state if new is None else tuple(new), pull


def vjp_of_function(f: Callable[..., Value]) -> Callable[..., tuple[Value, Callable[[Value], Value]]]:
    """(x, ...) to (y, pull), where pull(g) is the cotangent of x: without checks, if f has such a form, else by a tape."""
    rule = unchecked_vjp(f)
    if rule is not None:
        return rule

    def vjp(x: Value, *rest: Any) -> tuple[Value, Callable[[Value], Value]]:
        y, _, pull = by_tape(lambda _, x: (f(x, *rest), None), None, None, x, True)
        return y, lambda g: pull(g, None)

    return vjp


def by_tape(
    f: Callable[[Any, Value], tuple[Value, Any]], params: Any, state: Any, x: Value, wanted: bool
) -> tuple[Value, Any, Pull]:
    """That of any pure function of (params, x) that gives (y, new state)."""
    inner, structure = take_apart(params)
    n = len(inner)
    tape = Tape()
    inputs = tape.variables([*inner, x] if wanted else inner)
    try:
        y, after = f(structure.unflatten(inputs[:n]), inputs[n] if wanted else x)
    finally:
        tape.close()
    seeds = y.index if y.__class__ is Tracer and y.tape is tape else None
    value = y if seeds is None else y.value
    if not isinstance(value, (np.ndarray, np.generic)):
        raise TypeError(f"vjp: the result is a {type(value).__name__}, expected one array")

    def pull(g: Value, into: Any) -> Value:
        if seeds is None:
            _blank(into)
            return None
        parts = tape.backward({seeds: g}, len(inputs))
        for leaf, part in zip(leaves(into) if n else (), parts, strict=False):
            leaf[...] = 0 if part is None else part
        return parts[n] if wanted else None

    return value, after if after is state else detach(after, tape, freeze=True), pull


def _blank(into: Any) -> None:
    """Where no gradient flows it is 0."""
    for leaf in leaves(into):
        leaf[...] = 0
