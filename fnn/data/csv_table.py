"""CSV files as typed tables, through the standard library's reader."""

from __future__ import annotations

import csv
import os
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from math import isnan
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
        blocks: list[Array2] = [
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
    or fewer fields than there are names; for names that are not in the header; for a file without a line.

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
    for what, given in (
        ("columns", columns),
        ("categorical", categorical),
        ("missing_words", missing_words),
        ("header", header),
    ):
        if isinstance(given, str):
            raise TypeError(f"read_csv: {what} is the string {given!r}, expected a sequence of strings: write [{given!r}]")
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n':
        raise ValueError(f"read_csv: delimiter is {delimiter!r}, expected one character, as ',' or '\\t'")
    with open(path, encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="") as file:
        name = os.fspath(path)
        lines = _lines(name, file, delimiter)
        first = next(lines, None)
        if first is None:
            raise ValueError(f"read_csv: {name} is empty, expected a line at least")
        if header is True:
            names = [field.strip() for field in first[1]]
        else:
            names = [str(i) for i in range(len(first[1]))] if header is False else list(header)
            lines = chain([first], lines)
        reading = _Columns(name, names, missing, missing_words)
        reading.choose(columns, categorical, target, label)
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


class _Categories:
    """A categorical column while it is read: the places of its categories, in the order in which they turned up."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self.codes = array("i")

    def add(self, text: str) -> None:
        self.codes.append(self.places.setdefault(text, len(self.places)))

    def sorted(self) -> tuple[tuple[str, ...], Value]:
        """The categories, sorted, and the place of each row's among them."""
        known = sorted(self.places)
        rank = np.empty(len(known), np.int32)
        rank[[self.places[text] for text in known]] = np.arange(len(known), dtype=np.int32)
        return tuple(known), rank[np.frombuffer(self.codes, np.int32)]


_LARGEST = float(np.finfo(np.float32).max)


class _Columns:
    """Which fields of a line are read, and as what; and what was read so far."""

    def __init__(self, path: str, names: list[str], missing: Missing, missing_words: Collection[str]) -> None:
        self.path = path
        self.all = names
        self.missing = missing
        self.missing_words = frozenset([word.strip() for word in missing_words])
        self.rows = 0
        self.target: int | None = None
        self.label: int | None = None
        self.numeric: list[int] = []
        self.categorical: list[int] = []

    def choose(
        self, columns: Sequence[str] | None, categorical: Collection[str], target: str | None, label: str | None
    ) -> None:
        """Set which columns are read."""
        repeated = sorted({name for name in self.all if self.all.count(name) > 1})
        if repeated:
            raise ValueError(f"read_csv: {self.path} has several columns named {repeated[0]!r}; give header=[...] other names")
        self.target = None if target is None else self._place("target", target)
        self.label = None if label is None else self._place("label", label)
        categories = {self._place("categorical", name) for name in categorical} - {self.label}
        if self.target in categories:
            raise ValueError(f"read_csv: target is {target!r}, which is categorical; write label={target!r}")
        chosen = [self._place("columns", name) for name in (self.all if columns is None else columns)]
        chosen = [i for i in dict.fromkeys(chosen) if i not in (self.target, self.label)]
        unread = sorted(categories - set(chosen))
        if unread:
            raise ValueError(f"read_csv: {self.all[unread[0]]!r} is categorical, but not among columns: {columns}")
        self.categorical = [i for i in chosen if i in categories]
        self.numeric = [i for i in chosen if i not in categories]
        # the target is read as one more number, the label as one more category
        self.number_fields = [*self.numeric, *([] if self.target is None else [self.target])]
        self.category_fields = [*self.categorical, *([] if self.label is None else [self.label])]
        self.numbers = array("f")
        self.categories = [_Categories() for _ in self.category_fields]

    def _place(self, what: str, name: str) -> int:
        if name not in self.all:
            raise ValueError(f"read_csv: {self.path} has no column {name!r} (in {what}); it has {self.all}")
        return self.all.index(name)

    def add(self, line: int, fields: list[str]) -> None:
        """Read one line."""
        if len(fields) != len(self.all):
            raise ValueError(f"read_csv: {self.path}, line {line}: {len(fields)} fields, expected {len(self.all)}: {self.all}")
        try:
            numbers = [float(fields[i]) for i in self.number_fields]
        except ValueError:
            numbers = []
        texts = [fields[i].strip() for i in self.category_fields]
        plain = len(numbers) == len(self.number_fields) and all([-_LARGEST <= number <= _LARGEST for number in numbers])
        if not plain or self.missing_words.intersection(texts) or "_" in "".join([fields[i] for i in self.number_fields]):
            numbers = [self._number(line, i, fields[i].strip()) for i in self.number_fields]
            absent = [i for i, number in zip(self.number_fields, numbers, strict=True) if isnan(number)]
            absent += [i for i, text in zip(self.category_fields, texts, strict=True) if text in self.missing_words]
            if absent and self.missing == "drop":
                return
            if absent and self.missing == "error":
                raise self._wrong(line, absent[0], f"{fields[absent[0]]!r} is missing; missing='drop' leaves such lines out")
            texts = ["" if text in self.missing_words else text for text in texts]
        self.rows += 1
        self.numbers.extend(numbers)
        for column, text in zip(self.categories, texts, strict=True):
            column.add(text)

    def _number(self, line: int, i: int, text: str) -> float:
        if text in self.missing_words:
            return float("nan")
        try:
            # Python's float takes 1_000 too, which no other program writes
            number = float("_" if "_" in text else text)
        except ValueError:
            raise self._wrong(
                line, i, f"{text!r} is not a number; if it is a category, name the column in categorical"
            ) from None
        if not (isnan(number) or -_LARGEST <= number <= _LARGEST):
            raise self._wrong(line, i, f"{text!r} is not a finite number in float32")
        return number

    def _wrong(self, line: int, i: int, what: str) -> ValueError:
        return ValueError(f"read_csv: {self.path}, line {line}, column {self.all[i]!r}: {what}")

    def table(self) -> Table[Any]:
        """All that was read."""
        # read-only before it is reshaped: a view of what nobody can write to is not copied by Table
        numbers = read_only(np.frombuffer(self.numbers, np.float32)).reshape(self.rows, len(self.number_fields))
        known = [column.sorted() for column in self.categories]
        codes: Int2 = np.empty((self.rows, len(self.categorical)), np.int32)
        for i in range(len(self.categorical)):
            codes[:, i] = known[i][1]
        y: Any = None
        classes: tuple[str, ...] = ()
        if self.target is not None:
            y = read_only(numbers[:, -1].copy())
        elif self.label is not None:
            classes, places = known.pop()
            y = read_only(places.astype(np.int64))
        return Table(
            # without the target, in memory of its own; else the memory that was read into
            read_only(numbers[:, :-1].copy()) if self.target is not None else numbers,
            read_only(codes),
            y,
            tuple([self.all[i] for i in self.numeric]),
            tuple([self.all[i] for i in self.categorical]),
            tuple([categories for categories, _ in known]),
            classes,
        )
