"""Table: the typed columns of a CSV file, as a tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from fnn.arrays import Array1, Array2, Int1, Int2, read_only
from fnn.tree import Record

Y = TypeVar("Y", "Array1", "Int1", None)


@dataclass(frozen=True, eq=False, repr=False)
class Table(Record, Generic[Y]):
    """The columns of a CSV file, as `read_csv` gives them. A tree: `fnn.batches`, `fnn.data.split` and the like give Tables.

    numbers: floating [rows, names], the numeric columns, and their `names`.
    codes: int32 [rows, categorical], for each categorical column the place of the category in `categories`;
        `categorical` are the names of these columns.
    y: the target, floating [rows]; or the label, int64 [rows], the place of the class in `classes`; or None. `y_name` is the
        name of its column.
    unseen_as_zeros: the names of the columns in which another category than those in `categories` is no error, but has the
        code -1, and zeros for features: those that were read with a OneHot with unseen="zeros".
    """

    numbers: Array2
    codes: Int2
    y: Y
    names: tuple[str, ...]
    categorical: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...]
    classes: tuple[str, ...]
    y_name: str | None = None
    unseen_as_zeros: tuple[str, ...] = ()

    def features(self) -> Array2:
        """[rows, features]: the numeric columns, and behind them each categorical column as a one-hot block."""
        blocks: list[Array2] = [
            (self.codes[:, i : i + 1] == np.arange(len(known))).astype(np.float32) for i, known in enumerate(self.categories)
        ]
        return read_only(np.concatenate([self.numbers, *blocks], axis=1))  # type: ignore[no-any-return]  # a Value is untyped

    def without_y(self) -> Table[None]:
        """The columns to predict from alone: `read_csv(path, like=table.without_y())` reads a file that has no others."""
        unseen = tuple([name for name in self.unseen_as_zeros if name != self.y_name])
        return Table(self.numbers, self.codes, None, self.names, self.categorical, self.categories, (), None, unseen)

    def __len__(self) -> int:
        return len(self.numbers)
