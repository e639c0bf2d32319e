"""Pytrees like an example: the same structure, other numbers."""

from __future__ import annotations

from typing import Any, TypeVar, Unpack

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from fnn.testing.strategies.arrays import Entries, arrays, bools, integers
from fnn.testing.strategies.trees import POSITIVE, positive
from fnn.tree import PyTree, flatten, paths
from fnn.tree.structure import rebuild

TreeT = TypeVar("TreeT", bound=PyTree)


def like(tree: TreeT, /, **entries: Unpack[Entries]) -> SearchStrategy[TreeT]:
    """Trees of the same structure, shapes, dtypes and static parts as an example: gradients for some parameters, say.

    Floating leaves are as in `Entries`, in the dtype of the example unless told otherwise; integers lie between the smallest
    and the largest of the example's leaf; variances are positive.

    >>> import fnn
    >>> from hypothesis import find
    >>> find(like((fnn.NormParams.init(2), "static", None)), lambda tree: True)
    (NormParams(scale=f32[2], shift=f32[2]), 'static', None)
    """
    return _like(tree, entries)


@st.composite
def _like(draw: DrawFn, tree: Any, entries: Entries) -> Any:
    above_zero = _positive_paths(tree)
    found, structure = flatten(tree)
    named = zip([path for path, _ in paths(tree)], found, strict=True)
    return structure.unflatten(
        [draw(_leaf_like(leaf, positive(entries) if path in above_zero else entries)) for path, leaf in named]
    )


def _leaf_like(leaf: Any, entries: Entries) -> SearchStrategy[Any]:
    if isinstance(leaf, np.generic):
        return _leaf_like(np.asarray(leaf), entries).map(lambda x: x[()])
    if leaf.dtype.kind == "f":
        same: Entries = {"dtype": leaf.dtype, **entries}
        return arrays(leaf.shape, **same)
    if leaf.dtype.kind == "b":
        return bools(leaf.shape)
    low, high = (int(leaf.min()), int(leaf.max())) if leaf.size else (0, 0)
    return integers(leaf.shape, low, high, leaf.dtype)


def _positive_paths(tree: PyTree) -> set[str]:
    found: set[str] = set()

    def look(path: str, part: Any) -> tuple[bool, Any]:
        found.update([f"{path}.{name}" for name in POSITIVE.get(type(part), ())])
        return False, None

    rebuild(tree, "", look)
    return found
