"""The way back through a layer at a time: forward values and a pullback, with the kernels that `forward` runs, but no tracers.

A layer may have a method `vjp(params, state, x, mode, wanted) -> (y, state, pull)` beside `forward`. It computes the same, bit
for bit, of arguments that were checked before: `pull(g, into)` takes the cotangent g of y, writes those of the parameters
into `into`, a tree like params with writable arrays, and returns that of x, or None where it is not `wanted`. A subclass with a
`forward` of its own needs a `vjp` of its own: it does not inherit one. What has none runs on a tape of its own.

What was checked before may still change: a function of the user's that looks at values may give another rank or dtype than the
last time. A layer's `takes(params, x)` says whether x is surely one for its kernels, all of one dtype; any other x goes the way
with all checks. Where a layer has no `takes`, its methods look for themselves.

A step runs many times with the same `into` and `wanted`, so `bind(layer, into, wanted, first)` gives a function of the rest,
(leaves, state, x, mode) to (y, state, pull), where pull(g) writes into that `into`; the leaves are those of the whole model's
parameters, of which the layer's begin at `first`. A layer made of layers, or one whose kernels are so short that looking things
up counts, has a method `bind(into, wanted, first)` in place of `vjp`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from fnn.arrays import Value
from fnn.autodiff.primitive import unchecked_vjp
from fnn.autodiff.tape import Tape
from fnn.autodiff.tracer import Tracer
from fnn.autodiff.transforms import detach
from fnn.functional.activations import relu
from fnn.mode import Mode
from fnn.promises import beside, ignores_mode
from fnn.tree import leaves
from fnn.tree.structure import take_apart

Pull: TypeAlias = Callable[[Value, Any], Value]
BoundPull: TypeAlias = Callable[[Value], Value]
Bound: TypeAlias = Callable[[Sequence[Value], Any, Value, Mode], tuple[Value, Any, BoundPull]]


def bind(layer: Any, into: Any, wanted: bool, first: int = 0) -> Bound:
    """(leaves, state, x, mode) to (y, new state, pull) of this layer, where pull(g) writes into `into`."""
    rule = beside(layer.__class__, "forward", "bind")
    if rule is not None:
        bound: Bound = rule(layer, into, wanted, first)
        return bound
    vjp = beside(layer.__class__, "forward", "vjp")
    return bind_by_tape(layer, into, wanted, first) if vjp is None else _bind_vjp(vjp, layer, into, wanted, first)


def bind_by_tape(layer: Any, into: Any, wanted: bool, first: int) -> Bound:
    """That of any layer: by its `forward`, on a tape of its own."""
    return _bind_vjp(_vjp_by_tape, layer, into, wanted, first)


def _bind_vjp(vjp: Callable[..., Any], layer: Any, into: Any, wanted: bool, first: int) -> Bound:
    structure = take_apart(into)[1]
    stop = first + structure.n_leaves
    takes = beside(layer.__class__, "forward", "takes")

    def run(leaves: Sequence[Value], state: Any, x: Value, mode: Mode) -> tuple[Value, Any, BoundPull]:
        params = structure.unflatten(leaves[first:stop])
        if takes is not None and not takes(layer, params, x):
            y, after, pull = _vjp_by_tape(layer, params, state, x, mode, wanted)
            return y, after, lambda g: pull(g, into)
        y, after, pull = vjp(layer, params, state, x, mode, wanted)
        return y, after, lambda g: pull(g, into)

    return run


def _vjp_by_tape(layer: Any, params: Any, state: Any, x: Value, mode: Mode, wanted: bool) -> tuple[Value, Any, Pull]:
    return by_tape(lambda params, x: layer.forward(params, state, x, mode), params, state, x, wanted)


class Part(NamedTuple):
    """A part of a chain: its place, the layer, the function that it only applies, if it is such a layer, and whether it may ask
    for the mode."""

    place: int
    layer: Any
    f: Callable[[Value], Value] | None
    uses_mode: bool


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
    return [Part(i, layers[i], applied[i], not ignores_mode(layers[i], "forward")) for i in order]


def joined(schedule: Sequence[Part]) -> list[Part]:
    """The same with a layer and the max-pooling behind it as one part, where the layer has a method `pooled(pool)` beside its
    `forward`: for what runs without `forward`, in whose errors each part has its own place."""
    found: list[Part] = []
    for part in schedule:
        before = found[-1] if found else part
        pooled = None if before.f is not None else beside(before.layer.__class__, "forward", "pooled")
        if part.f is None and pooled is not None and beside(part.layer.__class__, "forward", "takes_maxima"):
            found[-1] = Part(before.place, pooled(before.layer, part.layer), None, False)
        else:
            found.append(part)
    return found


def bind_chain(schedule: Sequence[Part], into: Any, wanted: bool, first: int) -> Bound:
    """That of layers one after the other."""
    firsts = list(accumulate([len(leaves(part)) for part in into], initial=first))
    parts: list[tuple[int, Any, Any, bool]] = []
    floats = True  # whether what comes is surely an array of floating numbers
    for i, layer, f, uses_mode in schedule:
        if f is None:
            parts.append((i, bind(layer, into[i], wanted, firsts[i]), None, uses_mode))
            wanted = wanted or into[i] is not None
        else:
            parts.append(
                (i, None, (vjp_of_function(f) if floats else _of_floats(f)) if wanted else _without_pull(f), uses_mode)
            )
        floats = gives_floats(layer, f, floats)
    in_order = tuple(parts)  # which specialise takes as fixed

    def run(leaves: Sequence[Value], state: Any, x: Value, mode: Mode) -> tuple[Value, Any, BoundPull]:
        pulls = []
        new = None
        y = x
        for i, bound, function, uses_mode in in_order:
            if bound is None:
                y, pull = function(y)
            else:
                before = state[i]
                y, after, pull = bound(leaves, before, y, mode.fold(i) if uses_mode else mode)
                if after is not before:
                    new = new or list(state)
                    new[i] = after
            pulls.append(pull)
        dtype = y.dtype

        def back(g: Value) -> Value:
            if g.dtype is not dtype:
                g = g.astype(dtype, copy=False)  # as the tape does
            for k in range(len(pulls) - 1, 0, -1):
                g = pulls[k](g)
                if g is None:
                    _blank([into[i] for i, *_ in in_order[:k]])
                    return None
            return pulls[0](g)  # of the first part nobody may want it

        return y, state if new is None else tuple(new), back

    return run


def gives_floats(layer: Any, f: Callable[..., Any] | None, floats: bool) -> bool:
    """Whether a part surely gives floating numbers: a function of the library's where it is given such, a layer with rules."""
    if f is not None:
        return floats and unchecked_vjp(f) is not None
    cls = layer.__class__
    return beside(cls, "forward", "vjp") is not None or beside(cls, "forward", "gives_floats") is True


def _of_floats(f: Callable[..., Value]) -> Callable[[Value], tuple[Value, BoundPull]]:
    """That of a function which may be given something else: then the ordinary way says what is wrong."""
    vjp = vjp_of_function(f)

    def run(x: Value) -> tuple[Value, BoundPull]:
        if x.__class__ is not np.ndarray or x.dtype.kind != "f":
            raise TypeError("no array of floating numbers")
        return vjp(x)

    return run if unchecked_vjp(f) else vjp


def _without_pull(f: Callable[[Value], Value]) -> Callable[[Value], tuple[Value, BoundPull]]:
    """A function behind which no gradient is asked for."""
    return lambda x: (f(x), lambda g: None)


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
        made = f(structure.unflatten(inputs[:n]), inputs[n] if wanted else x)
        if not isinstance(made, tuple):
            raise TypeError(f"vjp: a {type(made).__name__} in place of a pair")
        y, after = made
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
