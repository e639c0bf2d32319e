"""Categories as numbers: what is fitted to the training data is a frozen value, which is saved with the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar, overload

import numpy as np

from fnn.arrays import Array2, Int1, Ints, read_only

C = TypeVar("C", str, int)
Strings: TypeAlias = Sequence[str] | np.ndarray[Any, np.dtype[np.str_]]
Integers: TypeAlias = Sequence[int] | Ints
Unseen: TypeAlias = Literal["error", "zeros"]

_MOST_TOLD = 20


@dataclass(frozen=True)
class OneHot(Generic[C]):
    """Categories, strings or integers, as rows of 0 and a single 1; `categories` are those that are known, in order.

    unseen: what becomes of another category: "error", a ValueError, or "zeros", a row of zeros.

    >>> colour = OneHot.fit(["red", "blue", "red"])
    >>> colour
    OneHot(categories=('blue', 'red'), unseen='error')
    >>> colour.apply(["red", "blue"])
    array([[0., 1.],
           [1., 0.]], dtype=float32)
    >>> colour.invert(colour.apply(["red", "blue"]))
    ['red', 'blue']
    """

    categories: tuple[C, ...]
    unseen: Unseen = "error"

    def __post_init__(self) -> None:
        # those of an array become strings and ints of Python: a NumPy scalar would be a leaf of a tree
        plain = tuple([each.item() if isinstance(each, np.generic) else each for each in self.categories])
        object.__setattr__(self, "categories", plain)
        _check_kind("OneHot", self.categories)
        if not self.categories or len(set(self.categories)) != len(self.categories):
            raise ValueError(f"OneHot: the categories are ({listed(self.categories)}), expected at least one, and each once")
        if self.unseen not in ("error", "zeros"):
            raise ValueError(f"OneHot: unseen is {self.unseen!r}, expected 'error' or 'zeros'")

    @classmethod
    def init(cls) -> OneHot[str]:
        """One that knows only the string "": what `fnn.load` needs to load a fitted one, of as many strings as it has.

        For integers: `OneHot((0,))`.
        """
        return OneHot(("",))

    @overload
    @classmethod
    def fit(cls, values: Strings, /, *, unseen: Unseen = "error") -> OneHot[str]: ...
    @overload
    @classmethod
    def fit(cls, values: Integers, /, *, unseen: Unseen = "error") -> OneHot[int]: ...
    @classmethod
    def fit(cls, values: Any, /, *, unseen: Unseen = "error") -> OneHot[Any]:
        """The categories among the values, sorted.

        Raises ValueError where there is none, TypeError unless all are strings or all are integers.
        """
        found = set(_unique("OneHot.fit", values)[0])
        _check_kind("OneHot.fit", found)
        return OneHot(tuple(sorted(found)), unseen)

    def codes(self, values: Sequence[C] | np.ndarray[Any, Any], /) -> Int1:
        """The place of each value among the categories, int64 [rows], read-only: labels or tokens. -1 for an unseen one.

        Raises ValueError for a category that is not known, unless unseen="zeros".
        """
        found, inverse = _unique("OneHot", values)
        places = {category: i for i, category in enumerate(self.categories)}
        codes: Int1 = np.array([places.get(value, -1) for value in found], np.int64)
        if self.unseen == "error" and codes.size and codes.min() < 0:
            new = found[int(np.argmin(codes))]
            raise ValueError(
                f"OneHot: {shown(new)} is none of the {len(places)} categories ({listed(self.categories)}); with "
                "unseen='zeros' an unknown one becomes zeros"
            )
        return read_only(codes if inverse is None else codes[inverse])  # type: ignore[no-any-return]  # a Value is untyped

    def apply(self, values: Sequence[C] | np.ndarray[Any, Any], /) -> Array2:
        """float32 [rows, categories], read-only: 1 at the value's category, 0 elsewhere. Raises as `codes`."""
        codes = self.codes(values)
        return read_only((codes[:, np.newaxis] == np.arange(len(self.categories))).astype(np.float32))  # type: ignore[no-any-return]  # as above

    def invert(self, y: Array2, /) -> list[C]:
        """The category with the highest number in each row, which may be probabilities too."""
        if np.ndim(y) != 2 or np.shape(y)[1] != len(self.categories):
            raise ValueError(f"OneHot.invert: y has shape {np.shape(y)}, expected [rows, {len(self.categories)}]")
        return [self.categories[i] for i in np.argmax(y, axis=1).tolist()]


def shown(value: object) -> str:
    """How it is written in a message, which a long text would fill."""
    written = repr(value)
    return written if len(written) < 80 else f"{written[:60]}..."


def listed(values: Sequence[object]) -> str:
    """The first of them, for a message."""
    return ", ".join([*map(shown, values[:_MOST_TOLD]), *(["..."] if len(values) > _MOST_TOLD else [])])


def _unique(name: str, values: Any) -> tuple[list[Any], Int1 | None]:
    """The different values of an array, and where each stands; or the list as it is."""
    if not isinstance(values, np.ndarray):
        if isinstance(values, str):
            raise TypeError(f"{name}: the values are the string {values!r}, expected a sequence of strings")
        return list(values), None
    if values.ndim != 1:
        raise ValueError(f"{name}: the values have shape {values.shape}, expected [rows]")
    if values.dtype.kind not in "UTiubO":
        raise TypeError(f"{name}: the values are {values.dtype}, expected strings or integers")
    if values.dtype.kind == "O":
        return values.tolist(), None
    found, inverse = np.unique(values, return_inverse=True)
    return found.tolist(), inverse


def _check_kind(name: str, categories: Any) -> None:
    for kind in (str, (int, np.integer)):
        if all([isinstance(category, kind) for category in categories]):
            return
    other = next(c for c in categories if type(c) is not type(next(iter(categories))) or not isinstance(c, (str, int)))
    raise TypeError(f"{name}: {other!r} is a {type(other).__name__}, expected all categories to be strings, or all integers")
