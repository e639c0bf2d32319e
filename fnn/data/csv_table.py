"""read_csv: a CSV file as a typed table, through the standard library's reader."""

from __future__ import annotations

import codecs
import os
from collections.abc import Collection, Sequence
from itertools import chain
from typing import Any, TypeAlias, TypeVar, overload

import numpy as np

from fnn.arrays import Array1, Int1
from fnn.data.categories import shown
from fnn.data.csv_columns import Columns, Float, Known, Missing, Wanted, codings_of
from fnn.data.csv_lines import read_lines
from fnn.data.table import Table

Y = TypeVar("Y", "Array1", "Int1", None)
Path: TypeAlias = "str | os.PathLike[str]"


@overload
def read_csv(
    path: Path,
    *,
    target: str,
    columns: Sequence[str] | None = None,
    categorical: Collection[str] = (),
    categories: Known | None = None,
    dtype: Float = np.float32,
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
    categories: Known | None = None,
    dtype: Float = np.float32,
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
    categories: Known | None = None,
    dtype: Float = np.float32,
    header: bool | Sequence[str] = True,
    delimiter: str = ",",
    missing: Missing = "error",
    missing_words: Collection[str] = ("",),
    encoding: str = "utf-8",
) -> Table[None]: ...
@overload
def read_csv(
    path: Path,
    *,
    like: Table[Y],
    categories: Known | None = None,
    header: bool | Sequence[str] = True,
    delimiter: str = ",",
    missing: Missing = "error",
    missing_words: Collection[str] = ("",),
    encoding: str = "utf-8",
) -> Table[Y]: ...
def read_csv(
    path: Path,
    *,
    target: str | None = None,
    label: str | None = None,
    columns: Sequence[str] | None = None,
    categorical: Collection[str] = (),
    categories: Known | None = None,
    dtype: Float | None = None,
    like: Table[Any] | None = None,
    header: bool | Sequence[str] = True,
    delimiter: str = ",",
    missing: Missing = "error",
    missing_words: Collection[str] = ("",),
    encoding: str = "utf-8",
) -> Table[Any]:
    """The columns of a CSV file: numbers as float32, categories as codes.

    target, label: the column to predict, a number (`target`) or a class (`label`); it is none of the features.
    columns: the names of the columns to read, in this order; all of them unless told otherwise.
    categorical: those of them that are categories; all others are numbers. The categories are those in the file, sorted.
    categories: for a categorical column, or the label, the categories that there are, in this order; another one is an error.
        Or a OneHot: with unseen="zeros" another category has the code -1, and zeros for features.
    dtype: of the numbers, np.float32 or np.float64.
    like: a table of another file, to read this one in the same way: its columns, their order, dtype and categories, and
        what becomes of others. For a file without the column to predict, `like=table.without_y()`. `categories` beside it
        must be those of the table; a OneHot with unseen="zeros" lets others through in this file.
    header: True where the first line has the names; False names them "0", "1", ...; or the names, for a file without.
    missing: what becomes of a row where a field is one of `missing_words`, or a number NaN: "error"; "nan" keeps it, as NaN
        or as the category "", but for a missing label, which is an error; "drop" leaves the row out. Blanks around a field
        don't count, quotes are those of Python's csv, lines without any field are skipped, and so is a byte order mark.

    The file is read line by line: it takes memory for the result, and little else.

    Raises ValueError, with file, line and column, for a field that is no finite number, a missing one, a whole number that
    the dtype would round, or a category that is not among those given; for a line with more or fewer fields than there are
    names, or bytes that are not in the encoding; for names that are not in the header; for a file without a line.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w+", suffix=".csv") as file:
    ...     print("size,town,price", "70,Rome,200", "55,Oslo,310", sep="\\n", file=file, flush=True)
    ...     table = read_csv(file.name, categorical=["town"], target="price")
    ...     again = read_csv(file.name, categories={"town": ("Rome", "Bari", "Oslo")}, target="price")
    >>> table.names, table.numbers, table.y, table.categories
    (('size',), array([[70.], [55.]], dtype=float32), array([200., 310.], dtype=float32), (('Oslo', 'Rome'),))
    >>> table.features()
    array([[70.,  0.,  1.],
           [55.,  1.,  0.]], dtype=float32)
    >>> again.features()
    array([[70.,  1.,  0.,  0.],
           [55.,  0.,  0.,  1.]], dtype=float32)
    """
    _check(missing=missing, delimiter=delimiter, dtype=dtype)
    _check_strings(columns=columns, categorical=categorical, missing_words=missing_words, header=header)
    if like is None:
        wanted = Wanted(target, label, columns, categorical, codings_of(categories or {}), dtype or np.float32)
    elif any([target, label, columns, categorical, dtype]):
        raise ValueError("read_csv: like says what is read; expected no target, label, columns, categorical, dtype")
    elif not isinstance(like, Table):
        raise TypeError(f"read_csv: like is {shown(like)}, expected a Table, as read_csv gives")
    else:
        wanted = Wanted.like(like, codings_of(categories or {}))
    with open(path, encoding="utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding, newline="") as file:
        name = os.fspath(path)
        lines = read_lines(name, file, delimiter)
        first = next((line for line in lines if header is not True or "".join(line[1]).strip()), None)
        if first is None:
            raise ValueError(f"read_csv: {name} is empty, expected a line at least")
        if header is True:
            names = [field.strip() for field in first[1]]
        else:
            names = [str(i) for i in range(len(first[1]))] if header is False else list(header)
            lines = chain([first], lines)
        reading = Columns(name, names, missing, missing_words, wanted)
        for number, fields in lines:
            reading.add(number, fields)
    return reading.table()


def _check(missing: object, delimiter: object, dtype: object) -> None:
    if missing not in ("error", "nan", "drop"):
        raise ValueError(f"read_csv: missing is {missing!r}, expected 'error', 'nan' or 'drop'")
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n':
        raise ValueError(f"read_csv: delimiter is {delimiter!r}, expected one character, as ',' or '\\t'")
    if dtype not in (None, np.float32, np.float64):
        raise TypeError(f"read_csv: dtype is {dtype!r}, expected np.float32 or np.float64")


def _check_strings(**options: object) -> None:
    for name, given in options.items():
        if isinstance(given, str):
            raise TypeError(f"read_csv: {name} is the string {given!r}, expected a sequence of strings: write [{given!r}]")
