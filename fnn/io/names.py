"""Trees taken apart: arrays by names that other programs can use, as `0.weight`, static values as texts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any, NamedTuple

import numpy as np

from fnn.arrays import Array
from fnn.io.header import METADATA
from fnn.io.safetensors import check_dtype
from fnn.tree import Layout, PyTree
from fnn.tree import flatten as take_apart
from fnn.tree.structure import Node, is_leaf

# How a container is called in a file. What is neither is a record: a frozen dataclass or a NamedTuple, of whatever name.
CONTAINERS: dict[type, str] = {tuple: "tuple", list: "list", dict: "dict"}


class Part(NamedTuple):
    """A part of a tree: its path as Python writes it, its name in a file, itself, and its structure."""

    path: str
    name: str
    value: Any
    node: Node


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


def flatten(name: str, tree: PyTree) -> Flat:
    """A tree as what a file can hold. TypeError, with the path, for a static part that no text can stand for."""
    flat = Flat({}, {}, {})
    for part in parts_of(tree, inner=True):
        if is_leaf(part.value):
            check_dtype(name, part.path or "the root", part.value)
            flat.arrays[part.name] = part.value
        elif is_node(part.value):
            flat.kinds[part.name] = kind_of(part.value)
        else:
            flat.values[part.name] = text_of(name, part)
    return flat


def parts_of(tree: Any, *, inner: bool = False) -> Iterator[Part]:
    """Every leaf and static part of a tree, depth first; with `inner` also the nodes, each before what is in it."""
    yield from _parts_of(root_of(tree), inner)


def root_of(tree: Any) -> Part:
    """A whole tree as a part."""
    return Part("", "", tree, take_apart(tree)[1].root)


def parts_in(part: Part) -> list[Part]:
    """The parts that a container consists of, in order."""
    node, values = part.node, part.node.parts(part.value) or ()
    found = zip(node.steps(), _labels(node), values, node.children, strict=True)
    return [
        Part(part.path + step, f"{part.name}.{label}" if part.name else label, value, child)
        for step, label, value, child in found
    ]


def _parts_of(part: Part, inner: bool) -> Iterator[Part]:
    inside = is_node(part.value)
    if inner or not inside:
        yield part
    if inside:
        for child in parts_in(part):
            yield from _parts_of(child, inner)


def _labels(node: Node) -> list[str]:
    """The names of a node's children. No two are the same, and dots in them are in quotes: so a name has one meaning."""
    if node.cls in (tuple, list):
        return [str(i) for i in range(len(node.children))]
    return [_quoted(key) for key in node.label] if node.cls is dict else list(node.label)


def _quoted(key: object) -> str:
    if not isinstance(key, str):
        return f"[{key!r}]"
    plain = key.isprintable() and key and "." not in key and key[0] not in "['\"" and key != METADATA
    return key if plain else repr(key)


def is_node(value: object) -> bool:
    """Whether this is a container: not a leaf, not static."""
    return value.__class__ in CONTAINERS or isinstance(value, tuple) or is_dataclass(value.__class__)


def kind_of(value: object) -> str:
    """What a container is called in a file."""
    return CONTAINERS.get(type(value), type(value).__name__)


def text_of(name: str, part: Part) -> str:
    """A static value as text: as JSON where it comes back from a file, else what must be equal to load it."""
    value = part.value
    if value is None or value.__class__ in (bool, int, float, str):
        return json.dumps(value)
    if isinstance(value, Layout):
        leaves = [f"{segment.path or 'root'}{list(segment.shape)}" for segment in value.segments]
        return f"layout {value.dtype} {' '.join(leaves)}"
    if isinstance(value, np.dtype):
        return f"dtype {value}"
    if callable(value) and hasattr(value, "__qualname__"):
        return f"name {value.__module__}.{value.__qualname__}"
    raise TypeError(
        f"{name}: {part.path or 'the root'} is {value!r}, a {type(value).__name__}, and a file holds arrays, None, bool, int, "
        "float and str, in tuples, lists, dicts and frozen dataclasses"
    )
