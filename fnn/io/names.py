"""Trees as flat dicts: arrays by names that other programs can use, as `0.weight`, and back into a tree of the same type."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any, NamedTuple

import numpy as np

from fnn.arrays import Array, describe, frozen
from fnn.io.header import METADATA, BadFileError
from fnn.io.safetensors import check_dtype
from fnn.optim.optimizer import OptState
from fnn.random import Key
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
    flat = Flat({}, {}, {})
    for part in parts_of(tree, inner=True):
        if is_leaf(part.value):
            check_dtype(name, part.path or "the root", part.value)
            flat.arrays[part.name] = part.value
        elif _is_node(part.value):
            flat.kinds[part.name] = _kind_of(part.value)
        else:
            flat.values[part.name] = _to_text(name, part)
    return flat


def parts_of(tree: Any, *, inner: bool = False) -> Iterator[Part]:
    """Every leaf and static part of a tree, depth first; with `inner` also the nodes, each before what is in it."""
    return _parts_of(take_apart(tree)[1].root, Part("", "", tree), inner)


def _parts_of(node: Node, part: Part, inner: bool) -> Iterator[Part]:
    is_node = _is_node(part.value)
    if inner or not is_node:
        yield part
    if is_node:
        values = node.parts(part.value) or ()
        for step, label, child, value in zip(node.steps(), _labels(node), node.children, values, strict=True):
            yield from _parts_of(child, Part(part.path + step, f"{part.name}.{label}" if part.name else label, value), inner)


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


def _is_node(value: object) -> bool:
    return value.__class__ in _CONTAINERS or isinstance(value, tuple) or is_dataclass(value.__class__)


def _kind_of(value: object) -> str:
    return _CONTAINERS.get(value.__class__, value.__class__.__name__)


def _to_text(name: str, part: Part) -> str:
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
        f"{name}: {part.path or 'the root'} is {value!r}, a {type(value).__name__}, and a file holds arrays, None, bool, int, float "
        "and str, in tuples, lists, dicts and frozen dataclasses"
    )


# Putting together


def restore(what: str, flat: Flat, like: T) -> T:
    """A tree like `like` of what a file has. ValueError with every path where they differ; `what` begins its message.

    A file that another program wrote has neither values nor kinds; then the static parts stay those of `like`.
    """
    ours = bool(flat.values or flat.kinds)
    problems: dict[str, str] = {}
    seen: set[str] = set()
    new: dict[str, Any] = {}

    def differ(at: str, name: str, has: str, expected: str) -> None:
        """Note a difference, unless it only follows from one further up."""
        steps = [i for i, letter in enumerate(name) if letter == "."]
        if not any([name[:i] in problems for i in [*steps, len(name)]]) and "" not in problems:
            problems[name] = f"at {at or 'the root'} it has {has}, expected {expected}"

    fixed: set[str] = set()
    for path, name, value in parts_of(like, inner=True):
        seen.add(name)
        has = _show(flat, name)
        if isinstance(value, OptState):
            fixed.add(f"{path}.made_by")
        if is_leaf(value):
            found = flat.arrays.get(name)
            if found is None or found.shape != value.shape or found.dtype != value.dtype.newbyteorder("="):
                differ(path, name, has, describe(value))
            else:
                new[path] = found[()] if isinstance(value, np.generic) else frozen(np.asarray(found))
        elif _is_node(value):
            kind, there = _kind_of(value), flat.kinds.get(name)
            # two classes of the same fields are as good as the same: a class may have been renamed
            same = kind == there or (there is not None and not {kind, there} & set(_CONTAINERS.values()))
            if ours and not same:
                differ(path, name, has, _a(kind))
        elif ours:
            text = _to_text(what.partition(":")[0], Part(path, name, value))
            back, made = _from_text(flat.values.get(name), text, value)
            if not back or (path in fixed and made != value):
                differ(path, name, has, f"{_short(text)}, a {type(value).__name__}" if back is None else _short(text))
            new[path] = made
    for name in [*flat.kinds, *flat.values, *flat.arrays]:
        if name not in seen:
            differ(name, name, _show(flat, name), "nothing")
    if problems:
        lines = list(problems.values())
        more = f"; and {len(lines) - 5} more" if len(lines) > 5 else ""
        raise BadFileError(f"{what} does not fit: " + "; ".join(lines[:5]) + more)
    tree: T = rebuild(like, "", lambda path, part: (True, new[path]) if path in new else (False, None))
    for part in parts_of(tree, inner=True):
        if isinstance(part.value, Key):
            try:
                Key(part.value.bits)
            except TypeError as error:
                raise BadFileError(f"{what} has a broken key at {part.path}: {error}") from None
    return tree


def _from_text(text: str | None, expected: str, like: object) -> tuple[bool | None, Any]:
    """(True, the value) of a text; (None, _) where it is of another kind than `like`, (False, _) where it must be equal."""
    if text is None:
        return None, None
    if not (like is None or like.__class__ in (bool, int, float, str)):
        return text == expected, like
    try:
        # a container could nest without end, and none is ever written
        value = None if text[:1] in "[{" else json.loads(text)
    except ValueError:
        return None, None
    return (True, value) if value.__class__ is like.__class__ else (None, None)


def _show(flat: Flat, name: str) -> str:
    if name in flat.arrays:
        return describe(flat.arrays[name])
    if name in flat.values:
        return _short(flat.values[name])
    return _a(flat.kinds[name]) if name in flat.kinds else "nothing"


def _short(text: str) -> str:
    return text if len(text) < 200 else f"{text[:200]}..."


def _a(kind: str) -> str:
    return f"{'an' if kind[:1] in 'AEIOU' else 'a'} {kind}"
