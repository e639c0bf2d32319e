"""Pure functions over whole trees."""

from __future__ import annotations

import builtins
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from fnn.arrays import Array, Scalar, Traced, Value, describe, frozen
from fnn.tree.structure import PyTree, T, difference, flatten, is_leaf, rebuild, walk

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


@overload
def map(f: Callable[[Array], Array], tree: T, /) -> T: ...
@overload
def map(f: Callable[[Array, Array], Array], tree: T, other: T, /) -> T: ...
@overload
def map(f: Callable[[Array, Array, Array], Array], tree: T, second: T, third: T, /) -> T: ...
@overload
def map(f: Callable[..., Array], tree: T, second: T, third: T, fourth: T, /, *others: T) -> T: ...
def map(f: Callable[..., Array], tree: T, /, *others: T) -> T:
    """Apply f to every leaf, or to the leaves at the same place of several trees; everything else stays.

    The leaves of the result are read-only (a writable array that f returns is copied, so f may return what it likes),
    arrays where the leaves of the first tree are, and NumPy scalars where those are. The type of the tree is kept.

    Raises ValueError, with the path, where the trees differ in structure; TypeError where f returns no array.

    >>> import fnn
    >>> fnn.tree.map(lambda a, b: 0.9 * a + 0.1 * b, (np.zeros(2), None), (np.ones(2), None))
    (array([0.1, 0.1]), None)
    """
    if not callable(f):
        raise TypeError(f"tree.map: the function comes first, and here is {show(f)}")
    leaves, structure = flatten(tree)
    columns = [leaves]
    for other in others:
        column = structure.leaves_of(other)
        if column is None:
            raise ValueError(f"tree.map: the trees differ: {difference(tree, other)}")
        columns.append(column)
    made = []
    for i, row in enumerate(zip(*columns, strict=True)):
        leaf = f(*row)
        if not is_leaf(leaf):
            raise TypeError(
                f"tree.map: f returned {type(leaf).__name__} for {paths(tree)[i][0] or 'the root'}, expected an array; "
                "for other things write [f(leaf) for leaf in fnn.tree.leaves(tree)]"
            )
        if isinstance(leaf, np.generic) and isinstance(row[0], np.ndarray):
            leaf = np.asarray(leaf)
        elif isinstance(leaf, np.ndarray) and isinstance(row[0], np.generic) and leaf.shape == ():
            leaf = leaf[()]
        made.append(frozen(leaf))
    return structure.unflatten(made)


def leaves(tree: PyTree, /) -> list[Array]:
    """All leaves, depth first: fields in their order, dict values in theirs.

    >>> leaves((np.ones(2), {"b": np.zeros(1), "n": 3}))
    [array([1., 1.]), array([0.])]
    """
    return flatten(tree)[0]


def paths(tree: PyTree, /) -> list[tuple[str, Array]]:
    """(path, leaf) of every leaf, as a reader would write it behind the tree's name.

    >>> [path for path, leaf in paths({"layers": (np.ones(2), None, np.zeros(1))})]
    ["['layers'][0]", "['layers'][2]"]
    """
    return [(path, part) for path, part, _ in walk(tree) if is_leaf(part)]


def equal(a: PyTree, b: PyTree, /) -> bool:
    """Whether two trees have the same structure, static parts, dtypes, shapes and bits of value (NaN equals NaN).

    >>> equal((np.ones(2), 3), (np.ones(2), 3)), equal((np.ones(2), 3), (np.ones(2), 4))
    (True, False)
    """
    left, structure = flatten(a)
    right = structure.leaves_of(b)
    return right is not None and all([_same_array(x, y) for x, y in zip(left, right, strict=True)])


def _same_array(x: Value, y: Value) -> bool:
    if isinstance(x, Traced) or isinstance(y, Traced):
        raise TypeError("tree.equal: an array is being differentiated here, and equality has no gradient")
    if x.dtype != y.dtype or x.shape != y.shape:
        return False
    return x is y or bool(np.array_equal(x, y, equal_nan=x.dtype.kind in "fc"))


def size(tree: PyTree, /) -> int:
    """The number of elements of all leaves together: of a net, the count of its parameters.

    >>> size((np.ones((2, 3)), np.ones(3)))
    9
    """
    return builtins.sum([leaf.size for leaf in leaves(tree)])


def zeros_like(tree: T, /) -> T:
    """The same tree with every leaf zero.

    >>> zeros_like((np.ones(2), "static"))
    (array([0., 0.]), 'static')
    """
    return map(lambda leaf: np.zeros_like(leaf), tree)


def astype(tree: T, dtype: DTypeLike, /) -> T:
    """The same tree with every floating leaf in another dtype; integer and boolean leaves stay as they are.

    >>> astype((np.ones(2), np.arange(2)), np.float32)
    (array([1., 1.], dtype=float32), array([0, 1]))
    """
    return map(lambda leaf: leaf.astype(dtype) if leaf.dtype.kind == "f" else leaf, tree)


def freeze(tree: T, /) -> T:
    """The same tree with read-only leaves: a leaf that somebody could write to is copied, the others are shared. Where nobody
    can write to anything it is the tree itself.

    Nothing of the caller's changes: the arrays that were writable stay so. Use it for parameters in dataclasses of
    your own; fnn's parameter classes do it when they are made.

    >>> mine = np.ones(2)
    >>> kept = freeze({"a": mine})
    >>> mine[0] = 5
    >>> kept
    {'a': array([1., 1.])}
    """
    found, structure = flatten(tree)
    kept = [frozen(leaf) for leaf in found]
    if structure.immutable and all([a is b for a, b in zip(found, kept, strict=True)]):
        return tree
    return structure.unflatten(kept)


def replace_at(tree: T, path: str, value: Any, /) -> T:
    """The same tree with the leaf or the part at `path` (as `paths` writes it) replaced.

    Raises KeyError where nothing stands at that path.

    >>> replace_at({"a": (np.ones(1), np.ones(2))}, "['a'][1]", np.zeros(1))
    {'a': (array([1.]), array([0.]))}
    """
    found = []

    def swap(at: str, part: Any) -> tuple[bool, Any]:
        if at == path:
            found.append(part)
            return True, freeze(value)
        return False, part

    new: T = rebuild(tree, "", swap)
    if not found:
        raise KeyError(f"tree.replace_at: no part at {path!r}; the leaves are at {[p for p, _ in paths(tree)]}")
    return new


def global_norm(tree: PyTree, /) -> Scalar:
    """The Euclidean norm of all leaves together, sqrt(sum of squares). It can be differentiated; the slope at 0 is 0.

    >>> float(global_norm((np.array([3.0]), np.array([4.0]))))
    5.0
    """
    found: list[Value] = list(leaves(tree))
    if not found:
        return np.float32(0)
    # in float64, where the squares of float32 do not overflow
    squares = [np.sum(np.square(leaf.astype(np.float64))) for leaf in found]
    norm: Scalar = np.sqrt(builtins.sum(squares[1:], squares[0])).astype(np.result_type(*[leaf.dtype for leaf in found]))
    return norm


def show(tree: object, /) -> str:
    """The tree in one line, with dtype and shape in place of the arrays; long lists without arrays are cut.

    >>> show((np.ones((2, 3), np.float32), None, {"n": 3, "x": np.arange(4)}))
    "(f32[2,3], None, {'n': 3, 'x': i64[4]})"
    """
    if is_leaf(tree):
        return describe(tree)
    if isinstance(tree, Record) or (dataclasses.is_dataclass(tree) and not isinstance(tree, type) and leaves(tree)):
        return _show_dataclass(tree)
    if isinstance(tree, dict):
        return "{" + ", ".join([f"{key!r}: {show(part)}" for key, part in tree.items()]) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(_shown_parts(tree)) + "]"
    if isinstance(tree, tuple):
        names = getattr(tree, "_fields", None)
        if names:
            inner = ", ".join([f"{name}={show(part)}" for name, part in zip(names, tree, strict=True)])
            return f"{type(tree).__name__}({inner})"
        return "(" + ", ".join(_shown_parts(tree)) + (",)" if len(tree) == 1 else ")")
    text = repr(tree)
    return text if len(text) <= 400 else f"{text[:300]}... ({len(text)} characters)"


def _shown_parts(parts: list[Any] | tuple[Any, ...]) -> list[str]:
    """All of them, or the first of many constants, as of data that were meant to be an array."""
    if len(parts) > 20 and not leaves(parts):
        return [*[show(part) for part in parts[:3]], f"... {len(parts)} in all"]
    return [show(part) for part in parts]


def _show_dataclass(tree: Any) -> str:
    inner = ", ".join([f"{f.name}={show(getattr(tree, f.name))}" for f in dataclasses.fields(tree) if f.repr])
    return f"{type(tree).__name__}({inner})"


class Record:
    """Base of fnn's parameter and state dataclasses: immutable values with read-only arrays.

    A writable array is copied when the record is made, so that nobody else holds a handle to it. Records compare by
    content, print dtype and shape, and stay read-only through pickle, copy, deepcopy and dataclasses.replace.
    A subclass is decorated with `@dataclass(frozen=True, eq=False, repr=False)`.
    """

    def __post_init__(self) -> None:
        for name, value in self.__dict__.items():
            kept = frozen(value) if isinstance(value, np.ndarray) else freeze(value)
            if kept is not value:
                object.__setattr__(self, name, kept)

    def __eq__(self, other: object) -> bool:
        return self.__class__ is other.__class__ and equal(self, other)  # type: ignore[arg-type]  # every subclass is a dataclass

    __hash__ = None  # type: ignore[assignment]  # as for an array: equality looks at values

    def __repr__(self) -> str:
        return show(self)

    def __reduce__(self) -> tuple[type[Record], tuple[Any, ...]]:
        return type(self), tuple([getattr(self, f.name) for f in dataclasses.fields(self)])  # type: ignore[arg-type]  # as above


def check_floating(name: str, tree: PyTree, advice: str) -> list[Value]:
    """The leaves of a tree that must all be floating arrays; TypeError names the path of the first that is not."""
    found = leaves(tree)
    if any([leaf.dtype.kind != "f" for leaf in found]):
        path, leaf = next((path, leaf) for path, leaf in paths(tree) if leaf.dtype.kind != "f")
        raise TypeError(f"{name}: the leaf {path or 'at the root'} is {describe(leaf)}, expected floating numbers; {advice}")
    return found
