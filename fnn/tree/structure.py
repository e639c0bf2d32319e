"""Pytrees: what is a leaf, what is a node, and taking a tree apart and putting it together again.

Leaves are ndarrays and NumPy scalars. Nodes are frozen dataclasses, tuples, NamedTuples, lists, dicts and None.
Everything else (numbers, strings, functions) is static: part of the structure, carried along unchanged.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar

import numpy as np

from fnn.arrays import Array, Scalar, Traced, Value

if TYPE_CHECKING:

    class DataclassInstance(Protocol):
        """Any dataclass."""

        __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    PyTree: TypeAlias = Array | Scalar | DataclassInstance | tuple[Any, ...] | list[Any] | dict[str, Any] | None
else:
    PyTree = object

T = TypeVar("T", bound="PyTree")


class Node:
    """One node of a structure: a class, what it needs besides its children, and the children.

    Nodes are immutable values: they compare by content and pickle as they are.
    """

    __slots__ = ("children", "cls", "label")

    def __init__(self, cls: type, label: Any, children: tuple[Node, ...]) -> None:
        self.cls = cls
        self.label = label
        self.children = children

    def __eq__(self, other: object) -> bool:
        return (
            other.__class__ is self.__class__
            and isinstance(other, Node)
            and self.cls is other.cls
            and _same(self.label, other.label)
            and self.children == other.children
        )

    def __hash__(self) -> int:
        return hash((self.cls, len(self.children)))

    def __reduce__(self) -> str | tuple[Any, ...]:
        return self.__class__, (self.cls, self.label, self.children)

    def parts(self, tree: Any) -> Sequence[Any] | None:
        """The children of `tree`, in order, or None where `tree` is not of this node's kind and size."""
        raise NotImplementedError

    def build(self, leaves: Iterator[Value]) -> Any:
        """A tree of this structure, its leaves drawn from the iterator in order."""
        raise NotImplementedError

    def steps(self) -> list[str]:
        """How to write the way from this node to each child: `[0]`, `.weight`, `['name']`."""
        return [f"[{i}]" for i in range(len(self.children))]

    def collect(self, tree: Any, leaves: list[Value]) -> bool:
        """Append the leaves of `tree` to the list; False (and a list of no use) where the structure differs."""
        parts = self.parts(tree)
        if parts is None:
            return False
        for child, part in zip(self.children, parts, strict=True):  # noqa: SIM110 (a loop is twice as fast as all())
            if not child.collect(part, leaves):
                return False
        return True


def _same(a: Any, b: Any) -> bool:
    return a is b or (a.__class__ is b.__class__ and bool(a == b))


class _Leaf(Node):
    __slots__ = ()

    def build(self, leaves: Iterator[Value]) -> Any:
        return next(leaves)

    def collect(self, tree: Any, leaves: list[Value]) -> bool:
        leaves.append(tree)
        return tree.__class__ is np.ndarray or _kind(tree) is _Leaf

    def __reduce__(self) -> str:
        return "_LEAF"  # by name: there is one leaf, and it is compared by identity


class _Static(Node):
    __slots__ = ()

    def parts(self, tree: Any) -> Sequence[Any] | None:
        return () if _same(tree, self.label) else None

    def build(self, leaves: Iterator[Value]) -> Any:
        return self.label


class _Sequence(Node):
    __slots__ = ()

    def parts(self, tree: Any) -> Sequence[Any] | None:
        cls: type = tree.__class__
        return tree if cls is self.cls and len(tree) == len(self.children) else None

    def build(self, leaves: Iterator[Value]) -> Any:
        return self.cls([child.build(leaves) for child in self.children])


class _NamedTuple(_Sequence):
    __slots__ = ()

    def build(self, leaves: Iterator[Value]) -> Any:
        return tuple.__new__(self.cls, [child.build(leaves) for child in self.children])

    def steps(self) -> list[str]:
        return [f".{name}" for name in self.label]


class _Dict(Node):
    __slots__ = ()

    def parts(self, tree: Any) -> Sequence[Any] | None:
        if tree.__class__ is not dict or tree.keys() != dict.fromkeys(self.label).keys():
            return None
        return [tree[key] for key in self.label]

    def build(self, leaves: Iterator[Value]) -> Any:
        return {key: child.build(leaves) for key, child in zip(self.label, self.children, strict=True)}

    def steps(self) -> list[str]:
        return [f"[{key!r}]" for key in self.label]


class _Dataclass(Node):
    """A frozen dataclass. `build` sets the fields directly: `__init__` and `__post_init__` do not run again, so that
    a structure can also hold tracers, and checks of values run once, where the user makes the object.
    """

    __slots__ = ("in_dict", "leafy")

    def __init__(self, cls: type, label: Any, children: tuple[Node, ...]) -> None:
        super().__init__(cls, label, children)
        self.leafy = all([child is _LEAF for child in children])
        self.in_dict = _keeps_fields_in_dict(cls)

    def parts(self, tree: Any) -> Sequence[Any] | None:
        return [getattr(tree, name) for name in self.label] if tree.__class__ is self.cls else None

    def build(self, leaves: Iterator[Value]) -> Any:
        made: Any = object.__new__(self.cls)
        parts = leaves if self.leafy else iter([child.build(leaves) for child in self.children])
        if self.in_dict:
            fields = made.__dict__
            for name in self.label:
                fields[name] = next(parts)
        else:
            for name in self.label:
                object.__setattr__(made, name, next(parts))
        return made

    def steps(self) -> list[str]:
        return [f".{name}" for name in self.label]


@cache
def _keeps_fields_in_dict(cls: type) -> bool:
    """Whether every field of a dataclass lives in the instance's __dict__: with slots=True, here or in a base, some do not."""
    fields = dataclasses.fields(cls)
    return not any([isinstance(getattr(cls, field.name, None), MemberDescriptorType) for field in fields])


_LEAF = _Leaf(np.ndarray, None, ())
_KINDS: dict[type, type[Node]] = {np.ndarray: _Leaf, tuple: _Sequence, list: _Sequence, dict: _Dict}


def _kind(tree: Any) -> type[Node]:
    cls = tree.__class__
    kind = _KINDS.get(cls)
    if kind is None:
        kind = _KINDS[cls] = _new_kind(cls)
    return kind


def _new_kind(cls: type) -> type[Node]:
    if issubclass(cls, (np.ndarray, np.generic, Traced)):
        if cls.__name__ in ("matrix", "MaskedArray"):
            raise TypeError(f"tree: a {cls.__name__} computes unlike an array, so it cannot be a leaf; use np.asarray")
        return _Leaf
    if dataclasses.is_dataclass(cls):
        if not cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]  # every dataclass has it; typeshed does not say so
            name = cls.__name__
            raise TypeError(
                f"tree: {name} is a dataclass that is not frozen, so its parameters could change behind fnn's back. "
                f"Write\n    @dataclass(frozen=True)\n    class {name}: ...\nand make a changed copy with dataclasses.replace."
            )
        return _Dataclass
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return _NamedTuple
    if issubclass(cls, (tuple, list, dict)):
        base = next(b for b in (tuple, list, dict) if issubclass(cls, b))
        raise TypeError(
            f"tree: {cls.__name__} is a subclass of {base.__name__}, which fnn does not know how to rebuild: "
            f"use a plain {base.__name__} or a frozen dataclass"
        )
    if hasattr(cls, "__array__") or hasattr(cls, "__dlpack__"):
        raise TypeError(
            f"tree: a {cls.__module__.partition('.')[0]} {cls.__name__} is no NumPy array, so it would be a constant; write "
            "np.asarray(...)"
        )
    return _Static


def _structure_of(tree: Any, leaves: list[Value]) -> Node:
    """The node for `tree`; its leaves are appended to the list."""
    cls = tree.__class__
    kind = _kind(tree)
    if kind is _Leaf:
        leaves.append(tree)
        return _LEAF
    if kind is _Static:
        return _Static(cls, tree, ())
    if kind is _Dataclass:
        label = tuple([field.name for field in dataclasses.fields(cls)])
        missing = [name for name in label if not hasattr(tree, name)]
        if missing:
            raise TypeError(f"tree: {cls.__name__} has a field {missing[0]} that was never set")
        parts = [getattr(tree, name) for name in label]
    elif kind is _Dict:
        label = tuple(tree)
        parts = list(tree.values())
    else:
        label = cls._fields if kind is _NamedTuple else ()
        parts = tree
    return kind(cls, label, tuple([_structure_of(part, leaves) for part in parts]))


def _holds_mutable(node: Node) -> bool:
    return node.cls in (list, dict) or any([_holds_mutable(child) for child in node.children])


class Structure(Generic[T]):
    """What is left of a tree when its leaves are taken out. Compares by content and pickles.

    `n_leaves` is how many leaves `unflatten` takes; `immutable` says that there are no lists and dicts in it.
    """

    __slots__ = ("immutable", "n_leaves", "root")

    def __init__(self, root: Node, n_leaves: int) -> None:
        self.root = root
        self.n_leaves = n_leaves
        self.immutable = not _holds_mutable(root)

    def unflatten(self, leaves: Sequence[Value], /) -> T:
        """The tree of this structure with these leaves, in the order in which `flatten` gave them.

        Raises ValueError where there are more or fewer than `n_leaves`.
        """
        if len(leaves) != self.n_leaves:
            raise ValueError(f"tree: unflatten got {len(leaves)} leaves for a structure with {self.n_leaves}")
        tree: T = self.root.build(iter(leaves))
        return tree

    def leaves_of(self, tree: T, /) -> list[Value] | None:
        """The leaves of a tree of exactly this structure, or None where the structure differs."""
        leaves: list[Value] = []
        return leaves if self.root.collect(tree, leaves) else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Structure) and self.root == other.root

    def __hash__(self) -> int:
        return hash(self.root)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.__class__, (self.root, self.n_leaves)

    def __repr__(self) -> str:
        return f"Structure({self.root.build(iter([_STAR] * self.n_leaves))!r})"


class _Star:
    def __repr__(self) -> str:
        return "*"


_STAR = _Star()


def flatten(tree: T, /) -> tuple[list[Array], Structure[T]]:
    """The leaves of a tree, depth first, and its structure: `structure.unflatten(leaves)` is the tree again.

    >>> leaves, structure = flatten({"a": np.ones(2), "b": (np.zeros(3), "static")})
    >>> [leaf.size for leaf in leaves]
    [2, 3]
    >>> structure.unflatten([leaf + 1 for leaf in leaves])
    {'a': array([2., 2.]), 'b': (array([1., 1., 1.]), 'static')}
    """
    return take_apart(tree)


def take_apart(tree: Any) -> tuple[list[Value], Structure[Any]]:
    """`flatten`, untyped: inside the library a leaf may be a tracer."""
    leaves: list[Value] = []
    root = _structure_of(tree, leaves)
    return leaves, Structure(root, len(leaves))


def walk(tree: Any, path: str = "") -> Iterator[tuple[str, Any, Node]]:
    """(path, part, node) of every leaf and every static part, depth first."""
    return _walk(_structure_of(tree, []), tree, path)


def _walk(node: Node, tree: Any, path: str) -> Iterator[tuple[str, Any, Node]]:
    if node is _LEAF or isinstance(node, _Static):
        yield path, tree, node
        return
    for step, child, part in zip(node.steps(), node.children, node.parts(tree) or (), strict=True):
        yield from _walk(child, part, path + step)


def is_leaf(tree: object) -> bool:
    """Whether this is an array, a NumPy scalar or a tracer."""
    return _kind(tree) is _Leaf


def rebuild(tree: Any, path: str, f: Callable[[str, Any], tuple[bool, Any]]) -> Any:
    """The tree with parts replaced: f(path, part) says (True, what stands there now) or (False, _) to look inside."""
    done, new = f(path, tree)
    node = _structure_of(tree, [])
    if done:
        return new
    if node is _LEAF or isinstance(node, _Static):
        return tree
    parts = [rebuild(part, path + step, f) for step, part in zip(node.steps(), node.parts(tree) or (), strict=True)]
    shallow = node.__class__(node.cls, node.label, (_LEAF,) * len(parts))
    return shallow.build(iter(parts))


def difference(a: Any, b: Any, path: str = "") -> str:
    """Where and how two trees of unlike structure first differ, in words."""
    node_a, node_b = _structure_of(a, []), _structure_of(b, [])
    where = path or "the root"
    if node_a.__class__ is not node_b.__class__ or node_a.cls is not node_b.cls:
        return f"at {where} one has {_name(a)} and the other {_name(b)}"
    if node_a is _LEAF:
        return ""
    if isinstance(node_a, _Static):
        return "" if _same(a, b) else f"at {where} one has the static value {a!r} and the other {b!r}"
    if isinstance(node_a, _Dict) and set(node_a.label) != set(node_b.label):
        return f"at {where} one has the keys {list(node_a.label)} and the other {list(node_b.label)}"
    if len(node_a.children) != len(node_b.children):
        return f"at {where} one has {len(node_a.children)} parts and the other {len(node_b.children)}"
    for step, x, y in zip(node_a.steps(), node_a.parts(a) or (), node_a.parts(b) or (), strict=True):
        inside = difference(x, y, path + step)
        if inside:
            return inside
    return ""


def _name(tree: Any) -> str:
    return "an array" if is_leaf(tree) else repr(tree) if _kind(tree) is _Static else f"a {type(tree).__name__}"
