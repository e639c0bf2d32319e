"""Evaluation again and again with the same parameters: what follows from them, and what was checked of them, once.

A layer may have a method `evaluator(params, state) -> f` beside `forward`: f(x) is what `forward(params, state, x, EVAL)[0]`
is, bit for bit, of an x like one that was checked with these parameters and this state before. So f checks only what values
can change, such as the range of tokens, and what follows from parameters and state alone is there already. A subclass with a
`forward` of its own does not inherit it. Where a layer has none, or does not surely take x (see `takes` in layers.pullback), f
is its `forward`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fnn.arrays import Value, is_frozen, reuse_large_blocks
from fnn.autodiff.primitive import unchecked
from fnn.layers.pullback import Part, gives_floats
from fnn.mode import EVAL
from fnn.promises import beside
from fnn.tree.structure import take_apart


def evaluator_of(layer: Any, params: Any, state: Any) -> Callable[[Value], Value]:
    """The evaluator of a layer."""
    rule = beside(layer.__class__, "forward", "evaluator")
    takes = beside(layer.__class__, "forward", "takes")
    evaluate: Callable[[Value], Value] | None = None if rule is None else rule(layer, params, state)
    if evaluate is not None and takes is None:
        return evaluate

    def run(x: Value) -> Value:
        if evaluate is not None and takes(layer, params, x):
            return evaluate(x)
        made = layer.forward(params, state, x, EVAL)
        if not isinstance(made, tuple) or len(made) != 2 or made[1] is not state:
            raise TypeError("no pair, or another state")  # for the ordinary way
        return made[0]

    return run


def evaluator_of_chain(schedule: Sequence[Part], params: Any, state: Any) -> Callable[[Value], Value]:
    """That of layers one after the other."""
    parts = []
    floats = True  # else functions keep their checks
    for i, layer, f, _ in schedule:
        parts.append(evaluator_of(layer, params[i], state[i]) if f is None else unchecked(f) if floats else f)
        floats = gives_floats(layer, f, floats)

    def evaluate(x: Value) -> Value:
        for part in parts:
            x = part(x)
        return x

    return evaluate


class Evaluations:
    """What `forward` remembers of a layer: its last parameters and state, and from the second time on their evaluator.

    It is a cache of a pure function and nothing else: arrays that are read-only, in trees without lists and dicts, are taken
    for what does not change. Who sets the flag of a parameter back and writes into it writes into a constant.
    """

    __slots__ = ("_last",)

    def __init__(self) -> None:
        # one name bound to one tuple, so that threads cannot see half of it
        self._last: tuple[Any, Any, Any, Any, Callable[[Value], Value] | None] = (self, None, None, None, None)

    def run(self, params: Any, state: Any, x: Value) -> Value | None:
        """What the evaluator gives, or None where it is not known to fit, or meets an error: the ordinary way says which."""
        its_params, its_state, shape, dtype, evaluate = self._last
        if (
            its_params is params
            and its_state is state
            and evaluate is not None
            and x.__class__ is np.ndarray
            and x.dtype is dtype
            and x.shape[1:] == shape
            and x.size
        ):
            try:
                return evaluate(x)
            except Exception:
                return None
        return None

    def remember(self, layer: Any, params: Any, state: Any, x: Value) -> None:
        """The ordinary way ran with these, without an error."""
        its_params, its_state, shape, dtype, _ = self._last
        evaluate = None
        if x.__class__ is not np.ndarray or x.ndim == 0:
            return
        if its_params is params and its_state is state and shape == x.shape[1:] and dtype is x.dtype:
            leaves, structure = take_apart((params, state))
            if not structure.immutable or not all([leaf.__class__ is np.ndarray and is_frozen(leaf) for leaf in leaves]):
                return
            reuse_large_blocks()
            try:
                with np.errstate(all="raise"):  # so that nobody is warned of what `forward` does not do
                    evaluate = evaluator_of(layer, params, state)
            except Exception:
                return
        self._last = params, state, x.shape[1:], x.dtype, evaluate
