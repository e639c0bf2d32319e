"""Trees put together again: what a file has, in a tree of the type of another one, or every place where it does not fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from fnn.arrays import Array, describe, frozen
from fnn.io.header import BadFileError
from fnn.io.names import CONTAINERS, Flat, Part, is_node, kind_of, parts_of, text_of
from fnn.optim.state import OptState
from fnn.random import Key
from fnn.tree.structure import T, is_leaf, rebuild

_MOST_TOLD = 5
# Of static values these come back from a file; all others must be equal.
_PLAIN = (type(None), bool, int, float, str)


def from_dict(arrays: Mapping[str, Array], like: T, /) -> T:
    """A tree like `like`, its arrays taken by name; its static values stay those of `like`. The arrays become read-only.

    Raises ValueError, with the path, where an array is missing, not expected, or of another shape or dtype.

    >>> import fnn
    >>> params = fnn.DenseParams.init(fnn.key(0), 2, 3)
    >>> from_dict({"weight": np.ones((2, 3), np.float32), "bias": np.ones(3, np.float32)}, params).bias
    array([1., 1., 1.], dtype=float32)
    """
    for name, array in arrays.items():
        if not is_leaf(array):
            raise TypeError(f"from_dict: {name!r} is a {type(array).__name__}, expected an array")
    return fit("from_dict: the dict", Flat(dict(arrays), {}, {}), like)


def fit(what: str, flat: Flat, like: T) -> T:
    """A tree like `like` of what a file has. BadFileError with every path where they differ; `what` begins its message.

    A file that another program wrote has neither values nor kinds; then the static parts stay those of `like`.
    """
    fitting = _Fitting(flat)
    for part in parts_of(like, inner=True):
        fitting.add(part)
    for name in [*flat.kinds, *flat.values, *flat.arrays]:
        if name not in fitting.seen:
            fitting.differ(name, name, "nothing")
    if fitting.problems:
        told = list(fitting.problems.values())
        more = f"; and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
        raise BadFileError(f"{what} does not fit: {'; '.join(told[:_MOST_TOLD])}{more}")
    new = fitting.new
    tree: T = rebuild(like, "", lambda path, part: (True, new[path]) if path in new else (False, None))
    return tree


class _Fitting:
    """Goes through the parts of `like` and finds for each what the file has: `new` by path, `problems` by name."""

    def __init__(self, flat: Flat) -> None:
        self.flat = flat
        self.ours = bool(flat.values or flat.kinds)
        self.seen: set[str] = set()
        self.new: dict[str, Any] = {}
        self.problems: dict[str, str] = {}
        # paths of static values that must be equal: an optimiser cannot go on with the state of another
        self.fixed: set[str] = set()
        self.keys: set[str] = set()

    def add(self, part: Part) -> None:
        """Find what the file has for a part."""
        self.seen.add(part.name)
        if is_leaf(part.value):
            self._add_leaf(part)
        elif is_node(part.value):
            self._add_node(part)
        elif self.ours:
            self._add_static(part)

    def _add_leaf(self, part: Part) -> None:
        path, name, like = part
        found = self.flat.arrays.get(name)
        if found is None or found.shape != like.shape or found.dtype != like.dtype.newbyteorder("="):
            self.differ(path, name, describe(like))
        else:
            self.new[path] = found[()] if isinstance(like, np.generic) else frozen(np.asarray(found))

    def _add_node(self, part: Part) -> None:
        path, name, like = part
        if isinstance(like, OptState):
            self.fixed.add(f"{path}.made_by")
        elif isinstance(like, Key):
            self.keys.add(f"{path}.bits")
        kind, found = kind_of(like), self.flat.kinds.get(name)
        # two records with the same fields are as good as the same: a class may have been renamed
        containers = {*CONTAINERS.values()}
        if self.ours and kind != found and (found is None or kind in containers or found in containers):
            self.differ(path, name, _with_article(kind))

    def _add_static(self, part: Part) -> None:
        path, name, like = part
        text, expected = self.flat.values.get(name), text_of("load", part)
        if like.__class__ not in _PLAIN or path in self.fixed:
            if text != expected:
                self.differ(path, name, _short(expected))
            self.new[path] = like
            return
        value = _parse(text)
        if value.__class__ is not like.__class__:
            self.differ(path, name, "None" if like is None else _with_article(type(like).__name__))
        elif path in self.keys and not (isinstance(value, int) and 0 <= value < 2**128):
            self.differ(path, name, "an int of 128 bits")
        self.new[path] = value

    def differ(self, path: str, name: str, expected: str) -> None:
        """Note that the file has something else at this name, unless that only follows from a difference further up."""
        ends = [i for i, letter in enumerate(name) if letter == "."]
        if not {"", name, *[name[:i] for i in ends]} & self.problems.keys():
            self.problems[name] = f"at {path or 'the root'} it has {_show(self.flat, name)}, expected {expected}"


def _parse(text: str | None) -> object:
    """The value that a text stands for; an object of no plain class where it stands for none."""
    try:
        # a container could nest without end, and none is ever written
        return ... if text is None or text[:1] in ("", "[", "{") else json.loads(text)
    except ValueError:
        return ...


def _show(flat: Flat, name: str) -> str:
    if name in flat.arrays:
        return describe(flat.arrays[name])
    if name in flat.values:
        return _short(flat.values[name])
    return _with_article(flat.kinds[name]) if name in flat.kinds else "nothing"


def _short(text: str) -> str:
    return "None" if text == "null" else text if len(text) < 200 else f"{text[:200]}..."


def _with_article(kind: str) -> str:
    return f"{'an' if kind[:1] in 'AEIOUaeio' else 'a'} {kind}"
