"""Looking at the layers inside of a model while it runs: the model as it is, but a function of yours runs around each layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any, TypeAlias

from fnn.layers.layer import Chain, is_layer
from fnn.mode import Mode
from fnn.random import Key

# a layer's forward
Forward: TypeAlias = Callable[[Any, Any, Any, Mode], tuple[Any, Any]]


@dataclass(frozen=True)
class Place:
    """One layer of a model: `path` is how one reaches it, as in model[0].body[1]; is_whole: it has layers inside.

    `number` counts the places from 0, each before those inside of it.
    """

    number: int
    path: str
    layer: Any
    is_whole: bool


# around(place, params, state, x, mode, run) runs the layer with run(params, state, x, mode), and returns (y, state)
Around: TypeAlias = Callable[[Place, Any, Any, Any, Mode, Forward], tuple[Any, Any]]


def observed(model: Any, around: Around) -> Any:
    """A layer that computes what the model does, and calls `around` for it and for all layers in its fields.

    >>> import fnn
    >>> import numpy as np
    >>> def tell(place, params, state, x, mode, run):
    ...     print("before", place.path or "the whole")
    ...     return run(params, state, x, mode)
    >>> model = fnn.Dense(2, 3) >> fnn.relu
    >>> y, _ = observed(model, tell).forward(*fnn.init(model, fnn.key(0)), np.ones((1, 2), np.float32), fnn.EVAL)
    before the whole
    before [0]
    before [1]
    """
    return _observe(model, "", around, [0])


def _observe(layer: Any, path: str, around: Around, count: list[int]) -> _Observed:
    number = count[0]
    count[0] += 1
    copied = copy(layer)
    is_whole = False
    for field in dataclasses.fields(layer) if dataclasses.is_dataclass(layer) else ():
        value = getattr(layer, field.name)
        here = path if isinstance(layer, Chain) else f"{path}.{field.name}"
        if is_layer(value):
            inside: Any = _observe(value, here, around, count)
        elif isinstance(value, tuple) and value and all([is_layer(part) for part in value]):
            inside = tuple([_observe(part, f"{here}[{i}]", around, count) for i, part in enumerate(value)])
        else:
            continue
        is_whole = True
        object.__setattr__(copied, field.name, inside)
    return _Observed(Place(number, path, layer, is_whole), copied, around)


@dataclass(frozen=True, repr=False)
class _Observed:
    """A layer that runs as it is, with a function around it."""

    place: Place
    copied: Any
    around: Around

    def init(self, key: Key, /) -> tuple[Any, Any]:
        made: tuple[Any, Any] = self.place.layer.init(key)
        return made

    def __repr__(self) -> str:
        return repr(self.place.layer)

    def forward(self, params: Any, state: Any, x: Any, mode: Mode, /) -> tuple[Any, Any]:
        return self.around(self.place, params, state, x, mode, self.copied.forward)
