"""Trees as flat dicts: arrays by names that other programs can use, as `0.weight`, and back into a tree of the same type."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from fnn.arrays import Array, Value, describe, frozen
from fnn.io.safetensors import METADATA
from fnn.tree import Layout, PyTree
from fnn.tree import flatten as take_apart
from fnn.tree.structure import Node, T, is_leaf, rebuild

# How a container is called in a file. What is neither is a record: a frozen dataclass or a NamedTuple, of whatever name.
_CONTAINERS = {tuple: "tuple", list: "list", dict: "dict"}


class Part(NamedTuple):
    """A part of a tree: its path as Python writes it, its name in a file, and itself."""

    path: str
    name: str
    value: Any


class Flat(NamedTuple):
    """A tree taken apart, each by name: arrays, static values as texts, and the kinds of the containers."""

    arrays: dict[str, Any]
    values: dict[str, str]
    kinds: dict[str, str]


def to_dict(tree: PyTree, /) -> dict[str, Array]:
    """The arrays of a tree by name, as PyTorch would name them: positions, fields and keys, with dots between them.

    A key of a dict that would be ambiguous (with a dot in it, or not a string) stands as its repr. Static values, such as a
    step, are left out. `from_dict` is the way back.

    >>> import fnn
    >>> params, _ = fnn.init(fnn.Dense(2, 8) >> fnn.tanh >> fnn.Dense(8, 1), fnn.key(0))
    >>> list(to_dict(params))
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """
    return {part.name: part.value for part in parts_of(tree) if is_leaf(part.value)}


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
    return restore("from_dict: the dict", Flat(dict(arrays), {}, {}), like)


# Taking apart


def flatten(name: str, tree: PyTree) -> Flat:
    """A tree as what a file can hold. TypeError, with the path, for a static part that no text can stand for."""
    arrays: dict[str, Any] = {}
    values: dict[str, str] = {}
    kinds: dict[str, str] = {}
    for part in parts_of(tree, inner=True):
        if is_leaf(part.value):
            arrays[part.name] = part.value
            continue
        kind = _kind_of(part)
        if kind:
            kinds[part.name] = kind
        else:
            values[part.name] = _to_text(name, part)
    return Flat(arrays, values, kinds)


def parts_of(tree: Any, *, inner: bool = False) -> Iterator[Part]:
    """Every leaf and static part of a tree, depth first; with `inner`, also the nodes on the way."""
    return _parts_of(take_apart(tree)[1].root, Part("", "", tree), inner)


def _parts_of(node: Node, part: Part, inner: bool) -> Iterator[Part]:
    if is_leaf(part.value) or _is_static(node, part.value):
        yield part
        return
    if inner:
        yield part
    for step, child, value in zip(node.steps(), node.children, node.parts(part.value) or (), strict=True):
        name = _name_of(step, node)
        yield from _parts_of(child, Part(part.path + step, f"{part.name}.{name}" if part.name else name, value), inner)
