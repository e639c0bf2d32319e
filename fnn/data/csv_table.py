"""CSV files as typed tables, through the standard library's reader."""

from __future__ import annotations

import csv
import os
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar, overload

import numpy as np

from fnn.arrays import Array1, Array2, Int1, Int2, Value, read_only
from fnn.tree import Record

Y = TypeVar("Y", "Array1", "Int1", None)
Path: TypeAlias = "str | os.PathLike[str]"
Missing: TypeAlias = Literal["error", "nan", "drop"]


@dataclass(frozen=True, eq=False, repr=False)
class Table(Record, Generic[Y]):
    """The columns of a CSV file, as `read_csv` gives them. A tree: `fnn.batches`, `fnn.data.split` and the like give Tables.

    numbers: float32 [rows, names], the numeric columns, and their `names`.
    codes: int32 [rows, categorical], for each categorical column the place of the category in `categories`, which are
        sorted; `categorical` are the names of these columns.
    y: the target, float32 [rows]; or the label, int64 [rows], the place of the class in `classes`; or None.
    """

    numbers: Array2
    codes: Int2
    y: Y
    names: tuple[str, ...]
    categorical: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...]
    classes: tuple[str, ...]

    def features(self) -> Array2:
        """float32 [rows, features]: the numeric columns, and behind them each categorical column as a one-hot block."""
        blocks = [
            (self.codes[:, i : i + 1] == np.arange(len(known))).astype(np.float32) for i, known in enumerate(self.categories)
        ]
        return read_only(np.concatenate([self.numbers, *blocks], axis=1))  # type: ignore[no-any-return]  # a Value is untyped

    def __len__(self) -> int:
        return len(self.numbers)


@overload
def read_csv(
    path: Path,
    *,
    target: str,
    columns: Sequence[str] | None = None,
    categorical: Collection[str] = (),
    header: bool | Sequence[str] = True,
    delimiter: str = ",",
    missing: Missing = "error",
    missing_words: Collection[str] = ("",),
    encoding: str = "utf-8",
) -> Table[Array1]: ...
@overload
def read_csv(
    path: Path,
    *,
    label: str,
    columns: Sequence[str] | None = None,
    categorical: Collection[str] = (),
    header: bool | Sequence[str] = True,
    delimiter: str = ",",
    missing: Missing = "error",
    missing_words: Collection[str] = ("",),
    encoding: str = "utf-8",
) -> Table[Int1]: ...
@overload
def read_csv(
    path: Path,
    *,
    columns: Sequence[str] | None = None,
    categorical: Collection[str] = (),
    header: bool | Sequence[str] = True,
    delimiter: str = ",",
    missing: Missing = "error",
    missing_words: Collection[str] = ("",),
    encoding: str = "utf-8",
) -> Table[None]: ...
def read_csv(
    path: Path,
    *,
    target: str | None = None,
    label: str | None = None,
    columns: Sequence[str] | None = None,
    categorical: Collection[str] = (),
    header: bool | Sequence[str] = True,
    delimiter: str = ",",
    missing: Missing = "error",
    missing_words: Collection[str] = ("",),
    encoding: str = "utf-8",
) -> Table[Any]:
    """The columns of a CSV file: numbers as float32, categories as codes.

    target, label: the column to predict, a number (`target`) or a class (`label`); it is none of the features.
    columns: the names of the columns to read, in this order; all of them unless told otherwise.
    categorical: those of them that are categories; all others are numbers.
    header: True where the first line has the names; False names them "0", "1", ...; or the names, for a file without.
    missing: what becomes of a row where a field is one of `missing_words`, or a number NaN: "error"; "nan" keeps it, as NaN
        or as the category ""; "drop" leaves the row out. Blanks around a field don't count, quotes are those of
        Python's csv, lines without any field are skipped, and so is a byte order mark.

    The file is read line by line: it takes memory for the result, and little else.

    Raises ValueError, with file, line and column, for a field that is no finite number, a missing one, or a line with more
    or fewer fields than the first; for names that are not in the header; for a file without a line.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w+", suffix=".csv") as file:
    ...     print("size,town,price", "70,Rome,200", "55,Oslo,310", sep="\\n", file=file, flush=True)
    ...     table = read_csv(file.name, categorical=["town"], target="price")
    >>> table.names, table.numbers, table.y, table.categories
    (('size',), array([[70.], [55.]], dtype=float32), array([200., 310.], dtype=float32), (('Oslo', 'Rome'),))
    >>> table.features()
    array([[70.,  0.,  1.],
           [55.,  1.,  0.]], dtype=float32)
    """
    if missing not in ("error", "nan", "drop"):
        raise ValueError(f"read_csv: missing is {missing!r}, expected 'error', 'nan' or 'drop'")
    if target is not None and label is not None:
        raise ValueError(f"read_csv: got target={target!r} and label={label!r}, expected one of the two")
    for what, given in (("columns", columns), ("categorical", categorical), ("missing_words", missing_words), ("header", header)):
        if isinstance(given, str):
            raise TypeError(f"read_csv: {what} is the string {given!r}, expected a sequence of strings: write [{given!r}]")
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n':
        raise ValueError(f"read_csv: delimiter is {delimiter!r}, expected one character, as ',' or '\\t'")
    with open(path, encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="") as file:
        lines = _lines(os.fspath(path), file, delimiter)
        names = _names(os.fspath(path), lines, header)
        reading = _Reading(os.fspath(path), names, columns, categorical, target, label, missing, missing_words)
        for number, fields in lines:
            reading.add(number, fields)
    return reading.table()


_Line: TypeAlias = tuple[int, list[str]]


def _lines(path: str, file: Iterable[str], delimiter: str) -> Iterator[_Line]:
    """(number, fields) of every line that has a field; the number is that of the line in which a record begins."""
    reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True, strict=True)
    number = 1
    try:
        for fields in reader:
            if fields:
                yield number, fields
            number = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"read_csv: {path}, line {number}: {error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"read_csv: {path}, after line {reader.line_num}: {error}; name the file's encoding") from error


def _names(path: str, lines: Iterator[_Line], header: bool | Sequence[str]) -> list[tuple[str, int]] | list[str]:
    raise NotImplementedError
