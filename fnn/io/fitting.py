"""Trees put together again: what a file has, in a tree of the type of another one, or every place where it does not fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from fnn.arrays import Array, describe, frozen
from fnn.io.declared import PLAIN, declared_parts, fits, in_words, items_of, with_article
from fnn.io.header import BadFileError
from fnn.io.names import CONTAINERS, Flat, Part, is_node, kind_of, parts_in, root_of, text_of
from fnn.optim.state import OptState
from fnn.random import Key
from fnn.tree.structure import T, is_leaf, rebuild

_MOST_TOLD = 5


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
    fitting.add(root_of(like), None)
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

    def add(self, part: Part, declared: Any) -> None:
        """Find what the file has for a part, and for all parts of it; declared: what its class says that stands there."""
        self.seen.add(part.name)
        if is_leaf(part.value):
            self._add_leaf(part)
        elif is_node(part.value):
            self._add_node(part, declared)
        elif self.ours:
            self._add_static(part, declared)

    def _add_leaf(self, part: Part) -> None:
        path, name, like, _ = part
        found = self.flat.arrays.get(name)
        if found is None or found.shape != like.shape or found.dtype != like.dtype.newbyteorder("="):
            self.differ(path, name, describe(like))
        else:
            self.new[path] = found[()] if isinstance(like, np.generic) else frozen(np.asarray(found))

    def _add_node(self, part: Part, declared: Any) -> None:
        path, name, like, node = part
        if isinstance(like, OptState):
            self.fixed.add(f"{path}.made_by")
        elif isinstance(like, Key):
            self.keys.add(f"{path}.bits")
        kind, found = kind_of(like), self.flat.kinds.get(name)
        # two records with the same fields are as good as the same: a class may have been renamed
        containers = {*CONTAINERS.values()}
        if self.ours and kind != found and (found is None or kind in containers or found in containers):
            self.differ(path, name, with_article(kind))
        elif self.ours and (items := items_of(like, declared)):
            self._add_items(part, *items)
            return
        for child, its in zip(parts_in(part), declared_parts(like, declared, node.label or node.children), strict=True):
            self.add(child, its)

    def _add_items(self, part: Part, declared: Any, like: object) -> None:
        """A tuple or list of plain values, as many as the file has."""
        found: list[object] = []
        while (name := f"{part.name}.{len(found)}") in self.flat.values:
            self.seen.add(name)
            found.append(_parse(self.flat.values[name]))
            if not fits(found[-1], declared, like):
                self.differ(f"{part.path}[{len(found) - 1}]", name, in_words(declared, like))
        self.new[part.path] = type(part.value)(found)

    def _add_static(self, part: Part, declared: Any) -> None:
        path, name, like, _ = part
        text = self.flat.values.get(name)
        if like.__class__ not in PLAIN or path in self.fixed:
            same = text_of("load", part)
            if text != same:
                self.differ(path, name, _short(same))
            self.new[path] = like
            return
        value = _parse(text)
        if not fits(value, declared, like):
            self.differ(path, name, in_words(declared, like))
        elif path in self.keys and not (isinstance(value, int) and 0 <= value < 2**128):
            self.differ(path, name, "an int of 128 bits")
        self.new[path] = value

    def differ(self, path: str, name: str, expected: str) -> None:
        """Note that the file has something else at this name, unless that only follows from a difference further up."""
        ends = [i for i, letter in enumerate(name) if letter == "."]
        if not {"", name, *[name[:i] for i in ends]} & self.problems.keys():
            self.problems[name] = f"at {_short(path) or 'the root'} it has {_show(self.flat, name)}, expected {expected}"


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
    return with_article(flat.kinds[name]) if name in flat.kinds else "nothing"


def _short(text: str) -> str:
    shown = text if text.isprintable() else ascii(text)
    return "None" if text == "null" else shown if len(shown) < 200 else f"{shown[:200]}..."
