"""What differs between two trees: two nets, two checkpoints, the parameters before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from fnn.arrays import describe
from fnn.layers.table import as_table
from fnn.tree import PyTree, show
from fnn.tree.structure import is_leaf, walk

_WIDEST = 48  # characters of a column

Kind: TypeAlias = Literal["values", "dtype", "shape", "kind", "static", "only in the first", "only in the second"]


@dataclass(frozen=True)
class Difference:
    """One place where two trees differ.

    kind: "values" (same shape and dtype), "dtype" (same shape), "shape", "kind" (an array in one, something else in the other),
    "static" (other values of what is no array), "only in the first", "only in the second". first, second: what stands there, as
    `f32[2,3]`, "" for nothing. largest: the largest absolute difference of two entries, NaN where only one of them is; `at` is
    its index. Both are None where the shapes differ.
    """

    path: str
    kind: Kind
    first: str
    second: str
    largest: float | None = None
    at: tuple[int, ...] | None = None


@dataclass(frozen=True, repr=False)
class TreeDiff:
    """The places where two trees differ, in the order of the first; `same` is how many leaves are equal to the last bit.

    It is true where there are any; it is shown and printed as a table.
    """

    rows: tuple[Difference, ...]
    same: int

    def __bool__(self) -> bool:
        return bool(self.rows)

    def __str__(self) -> str:
        if not self.rows:
            return f"no difference in {self.same} leaves"
        cells = [
            (
                r.path or "the root",
                r.kind,
                _cut(r.first),
                _cut(r.second),
                "" if r.largest is None else f"{r.largest:.3g}",
                _index(r.at),
            )
            for r in self.rows
        ]
        table = as_table(("path", "differs in", "first", "second", "largest", "at"), cells, left=4)
        return f"{table}\n{self.same} other leaves are the same"

    __repr__ = __str__


def tree_diff(first: PyTree, second: PyTree, /) -> TreeDiff:
    """Where two trees differ: path, kind, shapes, and the largest difference of their entries.

    The trees may be of any structure; what stands at the same path is compared. NaN equals NaN.

    >>> import fnn
    >>> a, b = ({"w": np.zeros((2, 3)), "n": 3}, {"w": np.full((2, 3), 0.5), "n": 3, "b": np.zeros(2)})
    >>> tree_diff(a, b)
    path   differs in          first     second    largest      at
    --------------------------------------------------------------
    ['w']  values              f64[2,3]  f64[2,3]      0.5  [0, 0]
    ['b']  only in the second            f64[2]
    0 other leaves are the same
    """
    left = {path: part for path, part, _ in walk(first)}
    right = {path: part for path, part, _ in walk(second)}
    rows = []
    same = 0
    for path in dict.fromkeys([*left, *right]):
        if path not in right:
            rows.append(Difference(path, "only in the first", show(left[path]), ""))
        elif path not in left:
            rows.append(Difference(path, "only in the second", "", show(right[path])))
        else:
            found = _compare(path, left[path], right[path])
            rows += [] if found is None else [found]
            same += found is None and is_leaf(left[path])
    return TreeDiff(tuple(rows), same)


def _compare(path: str, a: Any, b: Any) -> Difference | None:
    if is_leaf(a) != is_leaf(b):
        return Difference(path, "kind", show(a), show(b))
    if not is_leaf(a):
        alike = a is b or (type(a) is type(b) and a == b)
        return None if alike else Difference(path, "static", repr(a), repr(b))
    shapes = describe(a), describe(b)
    if a.shape != b.shape:
        return Difference(path, "shape", *shapes)
    is_number = a.dtype.kind in "fiub" and b.dtype.kind in "fiub"
    if a.dtype == b.dtype and np.array_equal(a, b, equal_nan=is_number):
        return None
    kind: Kind = "values" if a.dtype == b.dtype else "dtype"
    if not is_number or not a.size:
        return Difference(path, kind, *shapes)
    if a.dtype == b.dtype and a.dtype.kind in "iu":  # float64 would round large ones; the difference fits without a sign
        gap = (np.maximum(a, b) - np.minimum(a, b)).view(f"u{a.dtype.itemsize}")
    else:
        x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
        with np.errstate(invalid="ignore"):
            gap = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0.0, np.abs(x - y))
    at = np.unravel_index(np.argmax(gap), gap.shape)  # the first NaN, where there is one
    return Difference(path, kind, *shapes, float(gap[at]), tuple([int(i) for i in at]))


def _cut(text: str) -> str:
    """What fits into a column."""
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def _index(at: tuple[int, ...] | None) -> str:
    return "" if at is None else str(list(at))
