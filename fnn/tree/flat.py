"""A tree of floating leaves as one contiguous vector, and back: what optimisers work on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from operator import itemgetter
from typing import Any, Generic, NamedTuple

import numpy as np

from fnn.arrays import Array1, Traced, Value, describe, is_frozen, read_only
from fnn.tree.operations import check_floating, paths
from fnn.tree.structure import PyTree, Structure, T, difference, flatten, is_leaf


class Segment(NamedTuple):
    """Where one leaf lives in the flat vector: `vector[start:stop].reshape(shape)`, and its path in the tree."""

    path: str
    start: int
    stop: int
    shape: tuple[int, ...]


class Layout(Generic[T]):
    """How the leaves of one kind of tree lie in a flat vector: structure, segments and the one dtype.

    It is a value: it compares by content and pickles; it holds no array.
    """

    __slots__ = ("dtype", "segments", "size", "structure", "views")

    def __init__(self, structure: Structure[T], segments: tuple[Segment, ...], dtype: np.dtype[np.floating]) -> None:
        self.structure = structure
        self.segments = segments
        self.dtype = dtype
        self.size = segments[-1].stop if segments else 0
        # views(vector): the leaves as views of the vector, read-only where it is
        self.views: Callable[[Array1], list[Value]] = _views_of(segments)

    @classmethod
    def of(cls, name: str, tree: T, /) -> Layout[T]:
        """The layout of this tree. TypeError, naming paths, for a leaf that is not floating or dtypes that differ."""
        found = check_floating(name, tree, "what is not trained belongs in the state, not in the parameters")
        dtypes = {leaf.dtype: path for path, leaf in reversed(paths(tree))}
        if len(dtypes) > 1:
            (a, path_a), (b, path_b) = list(dtypes.items())[:2]
            raise TypeError(
                f"{name}: {path_a} is {a} but {path_b} is {b}; make them one with fnn.tree.astype(params, np.float32)"
            )
        structure = flatten(tree)[1]
        dtype = found[0].dtype if found else np.dtype(np.float32)
        return cls(structure, _segments(tree, found), dtype)

    def leaves_of(self, name: str, what: str, tree: T, /) -> list[Value]:
        """The leaves of a tree that must fit this layout; ValueError or TypeError says where it does not."""
        found = self.structure.leaves_of(tree)
        if found is None:
            example = self.structure.unflatten([np.zeros(0, self.dtype)] * self.structure.n_leaves)
            raise ValueError(f"{name}: {what} do not fit the optimizer's state: {difference(tree, example)}")
        for leaf, segment in zip(found, self.segments, strict=True):
            if leaf.shape != segment.shape:
                raise ValueError(
                    f"{name}: {what} have {describe(leaf)} at {segment.path or 'the root'}, but the optimizer's state is for "
                    f"shape {list(segment.shape)}; make a new one with optimizer.init(params)"
                )
            if leaf.dtype != self.dtype:
                raise TypeError(
                    f"{name}: {what} have {describe(leaf)} at {segment.path or 'the root'}, but the optimizer's state is for "
                    f"{self.dtype}; cast with fnn.tree.astype or make a new state with optimizer.init(params)"
                )
        return found

    def pack(self, leaves: Sequence[Value]) -> Array1:
        """A fresh vector of these leaves, one behind the other."""
        vector = np.empty(self.size, self.dtype)
        if leaves:
            try:
                np.concatenate([leaf if leaf.ndim == 1 else leaf.reshape(-1) for leaf in leaves], out=vector)
            except TypeError:
                if any([isinstance(leaf, Traced) for leaf in leaves]):
                    raise TypeError(
                        "fnn: an optimizer step on parameters that are being differentiated has no gradient"
                    ) from None
                raise
        return vector

    def vector_of(self, leaves: Sequence[Value]) -> Array1:
        """The vector that these leaves are the views of, where nobody can write to it; else a fresh one, as `pack` makes it."""
        vector: Value = getattr(leaves[0], "base", None) if leaves else None
        if (
            vector.__class__ is np.ndarray
            and vector.shape == (self.size,)
            and vector.dtype == self.dtype
            and is_frozen(vector)
            and all([_is_same(a, b) for a, b in zip(leaves, self.views(vector), strict=True)])
        ):
            return vector
        return self.pack(leaves)

    def unpack(self, vector: Array1) -> T:
        """The tree whose leaves are views of the vector."""
        return self.structure.unflatten(self.views(vector))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Layout) and (self.structure, self.segments, self.dtype) == (
            other.structure,
            other.segments,
            other.dtype,
        )

    def __hash__(self) -> int:
        return hash((self.structure, self.segments, self.dtype))

    def __reduce__(self) -> tuple[Any, ...]:
        return self.__class__, (self.structure, self.segments, self.dtype)

    def __repr__(self) -> str:
        return f"Layout({self.dtype}[{self.size}] in {len(self.segments)} leaves)"


def _is_same(a: Value, b: Value) -> bool:
    """Whether two arrays are the same piece of memory, read in the same way."""
    return a.__class__ is np.ndarray and a.__array_interface__ == b.__array_interface__


def _views_of(segments: Sequence[Segment]) -> Callable[[Array1], list[Value]]:
    """What cuts a vector into leaves: a function of its own, which a planned step writes out."""
    cuts = [slice(segment.start, segment.stop) for segment in segments]
    # all views by one call; of a single slice it would give the view alone
    cut: Callable[[Array1], Sequence[Value]] = itemgetter(*cuts) if len(cuts) > 1 else lambda v: [v[cut] for cut in cuts]
    shapes = tuple([(i, segment.shape) for i, segment in enumerate(segments) if len(segment.shape) != 1])

    def views(vector: Array1) -> list[Value]:
        leaves = list(cut(vector))
        for i, shape in shapes:
            leaves[i] = leaves[i].reshape(shape)
        return leaves

    return views


def _segments(tree: PyTree, found: Iterable[Value]) -> tuple[Segment, ...]:
    segments = []
    start = 0
    for (path, _), leaf in zip(paths(tree), found, strict=True):
        stop = start + prod(leaf.shape)
        segments.append(Segment(path, start, stop, leaf.shape))
        start = stop
    return tuple(segments)


def ravel(tree: T, /) -> tuple[Array1, Callable[[Array1], T]]:
    """All leaves as one contiguous read-only vector, and the way back: `unravel(vector)` is a tree of the same type.

    Leaves of several floating dtypes are widened to the largest; `unravel` casts them back.

    Raises TypeError, with the path, for a leaf that is not floating; `unravel` raises ValueError for a vector of
    another length and TypeError for what is no vector.

    >>> vector, unravel = ravel({"w": np.ones((2, 2)), "b": np.zeros(2)})
    >>> vector
    array([1., 1., 1., 1., 0., 0.])
    >>> unravel(vector + 1)
    {'w': array([[2., 2.],
           [2., 2.]]), 'b': array([1., 1.])}
    """
    found = check_floating("tree.ravel", tree, "only floating leaves can share one vector")
    structure: Structure[T] = flatten(tree)[1]
    segments = _segments(tree, found)
    dtypes = [leaf.dtype for leaf in found]
    scalars = [isinstance(leaf, np.generic) for leaf in found]
    dtype = np.result_type(*dtypes) if dtypes else np.dtype(np.float32)
    size = segments[-1].stop if segments else 0

    def unravel(vector: Array1, /) -> T:
        if not is_leaf(vector):
            raise TypeError(f"tree.ravel: unravel got a {type(vector).__name__}, expected a vector of {size} numbers")
        if vector.shape != (size,):
            raise ValueError(f"tree.ravel: unravel got shape {vector.shape}, expected ({size},)")
        made: list[Value] = []
        for (_, start, stop, shape), leaf_dtype, is_scalar in zip(segments, dtypes, scalars, strict=True):
            part: Value = vector[start:stop].reshape(shape).astype(leaf_dtype)
            made.append(part[()] if is_scalar else read_only(part))
        return structure.unflatten(made)

    flat = np.concatenate([leaf.reshape(-1) for leaf in found]).astype(dtype, copy=False) if found else np.zeros(0, dtype)
    return read_only(flat), unravel
