"""The way back through a layer at a time: forward values and a pullback, with the kernels that `forward` runs, but no tracers.

A layer may have a method `vjp(params, state, x, mode, wanted) -> (y, state, pull)` beside `forward`. It computes the same, bit
for bit, of arguments that were checked before: `pull(g, into)` takes the cotangent g of y, writes those of the parameters
into `into`, a tree like params with writable arrays, and returns that of x, or None where it is not `wanted`. A function of
one array may have `vjp(x) -> (y, pull)`. Layers and functions that have none run on a tape of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from fnn.arrays import Value
from fnn.autodiff.tape import Tape
from fnn.autodiff.tracer import Tracer
from fnn.autodiff.transforms import detach
from fnn.mode import Mode
from fnn.tree import leaves
from fnn.tree.structure import take_apart

Pull: TypeAlias = Callable[[Value, Any], Value]


def vjp(layer: Any, params: Any, state: Any, x: Value, mode: Mode, wanted: bool) -> tuple[Value, Any, Pull | None]:
    """(y, new state, pull) of a layer; pull is None where there are no parameters and the cotangent of x is not wanted."""
    if params is None and not wanted:
        y, after = layer.forward(params, state, x, mode)
        return y, after, None
    rule = _rule_of(layer.__class__)
    if rule is not None:
        made: tuple[Value, Any, Pull] = rule(layer, params, state, x, mode, wanted)
        return made
    return by_tape(lambda params, x: layer.forward(params, state, x, mode), params, state, x, wanted)


@cache
def _rule_of(cls: type) -> Callable[..., Any] | None:
    """The method `vjp` of the class that has `forward`: a subclass with a forward of its own has none of its parent's."""
    owner = next((base for base in cls.__mro__ if "forward" in vars(base)), cls)
    rule: Callable[..., Any] | None = vars(owner).get("vjp")
    return rule


def vjp_of_chain(
    layers: Sequence[Any], params: Any, state: Any, x: Value, mode: Mode, wanted: bool
) -> tuple[Value, Any, Pull]:
    """That of layers one after the other."""
    pulls: list[Pull | None] = []
    new = []
    changed = False
    y = x
    for i, (layer, p, before) in enumerate(zip(layers, params, state, strict=True)):
        y, after, back = vjp(layer, p, before, y, mode.fold(i), wanted)
        wanted = wanted or p is not None
        changed |= after is not before
        new.append(after)
        pulls.append(back)

    def pull(g: Value, into: Any) -> Value:
        for i in reversed(range(len(pulls))):
            back = pulls[i]
            if back is None:
                return None
            g = back(g, into[i])
            if g is None:
                _blank(into[:i])
                return None
        return g

    return y, tuple(new) if changed else state, pull


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
