"""What of a CSV file is read, and the columns while they are read."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Mapping, Sequence
from math import isnan
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from fnn.arrays import Int2, Value, read_only
from fnn.data.categories import OneHot, listed, shown
from fnn.data.table import Table

Float: TypeAlias = "type[np.float32] | type[np.float64]"
Known: TypeAlias = "Mapping[str, Sequence[str] | OneHot[str]]"
Missing: TypeAlias = Literal["error", "nan", "drop"]

# The categories of a column that are known, and whether others are let through.
_Coding: TypeAlias = tuple[tuple[str, ...], bool]


class Wanted(NamedTuple):
    """What is to be read."""

    target: str | None
    label: str | None
    columns: Sequence[str] | None
    categorical: Collection[str]
    codings: Mapping[str, _Coding]
    dtype: Float
    alike: bool = False

    @classmethod
    def like(cls, table: Table[Any], given: Mapping[str, _Coding]) -> Wanted:
        """What the table is; but whether another category is let through, those that are given say."""
        known = dict(zip(table.categorical, table.categories, strict=True))
        if table.y is not None and table.y.dtype.kind != "f" and table.y_name is not None:
            known[table.y_name] = table.classes
        for name, (categories, _) in given.items():
            if name not in known:
                raise ValueError(f"read_csv: categories has {name!r}, which like has not as categorical: {listed([*known])}")
            if categories != known[name]:
                raise ValueError(
                    f"read_csv: categories[{name!r}] is ({listed(categories)}), but like has ({listed(known[name])}): other "
                    "codes would mean other categories"
                )
        codings = {name: (categories, name in table.unseen_as_zeros) for name, categories in known.items()} | dict(given)
        columns: tuple[str, ...] = (*table.names, *table.categorical)
        dtype: Float = np.float64 if table.numbers.dtype == np.float64 else np.float32
        if table.y is None:
            return cls(None, None, columns, (), codings, dtype, alike=True)
        if table.y_name is None:
            raise ValueError("read_csv: like has a y, but its y_name, the column of y, is None")
        if table.y.dtype.kind == "f":
            return cls(table.y_name, None, columns, (), codings, dtype, alike=True)
        return cls(None, table.y_name, columns, (), codings, dtype, alike=True)


def codings_of(categories: Known) -> dict[str, _Coding]:
    """Categories as they were given, checked."""
    checked: dict[str, _Coding] = {}
    for name, given in categories.items():
        known = given.categories if isinstance(given, OneHot) else given
        if isinstance(known, str) or not all([isinstance(text, str) for text in known]):
            raise TypeError(f"read_csv: categories[{name!r}] is {known!r}, expected strings, as ('red', 'blue')")
        if len(set(known)) != len(known):
            raise ValueError(f"read_csv: categories[{name!r}] is {known!r}, expected each category once")
        checked[name] = tuple(map(str, known)), isinstance(given, OneHot) and given.unseen == "zeros"
    return checked


class _Categories:
    """A categorical column while it is read: the places of its categories, given or in the order in which they turn up."""

    def __init__(self, coding: _Coding | None) -> None:
        self.given = coding is not None
        self.known, self.lets_through = ((), False) if coding is None else coding
        self.places = {text: i for i, text in enumerate(self.known)}
        self.codes = array("i")

    def add(self, text: str) -> bool:
        """Whether it may stand there."""
        place = self.places.get(text, -1) if self.given else self.places.setdefault(text, len(self.places))
        self.codes.append(place)
        return place >= 0 or self.lets_through

    def sorted(self) -> tuple[tuple[str, ...], Value]:
        """The categories, as they were given or sorted, and the place of each row's among them."""
        codes = np.frombuffer(self.codes, np.int32)
        if self.given:
            return self.known, codes
        known = sorted(self.places)
        rank = np.empty(len(known), np.int32)
        rank[[self.places[text] for text in known]] = np.arange(len(known), dtype=np.int32)
        return tuple(known), rank[codes]


class Columns:
    """Which fields of a line are read, and as what; and what was read so far."""

    def __init__(self, path: str, names: list[str], missing: Missing, missing_words: Collection[str], wanted: Wanted) -> None:
        self.path = path
        self.all = names
        self.missing = missing
        self.missing_words = frozenset([word.strip() for word in missing_words])
        self.rows = 0
        # what is wrong, more often than not, where there is no such column or number
        others = [letter for letter in ",;\t|" if len(names) == 1 and letter in names[0]]
        self.advice = f"; its only column is {shown(names[0])}: is it delimiter={others[0]!r}?" if others else ""
        self._choose(wanted)
        self.dtype = wanted.dtype
        self.largest = float(np.finfo(wanted.dtype).max)
        self.exact = 2.0 ** (np.finfo(wanted.dtype).nmant + 1)  # below it the dtype has all whole numbers
        self.numbers = array("f" if wanted.dtype is np.float32 else "d")

    def _choose(self, wanted: Wanted) -> None:
        """Set which columns are read."""
        target, label, columns = wanted.target, wanted.label, wanted.columns
        if target is not None and label is not None:
            raise ValueError(f"read_csv: got target={target!r} and label={label!r}, expected one of the two")
        y_of_like = "y of like; write like=table.without_y() where there is none" if wanted.alike else None
        self.target = None if target is None else self._place(y_of_like or "target", target)
        self.label = None if label is None else self._place(y_of_like or "label", label)
        categories = {self._place("categorical", name) for name in wanted.categorical}
        categories |= {self._place("categories", name) for name in wanted.codings}
        if self.target in categories:
            raise ValueError(f"read_csv: target is {target!r}, which is categorical; write label={target!r}")
        if columns is None and "" in self.all:
            raise ValueError(
                f"read_csv: {self.path}: column {self.all.index('') + 1} has no name, as that of row numbers; name those to "
                "read in columns"
            )
        chosen = [self._place("columns", name) for name in (self.all if columns is None else columns)]
        chosen = [i for i in dict.fromkeys(chosen) if i not in (self.target, self.label)]
        unread = sorted(categories - {*chosen, self.label})
        if unread:
            raise ValueError(f"read_csv: {self.all[unread[0]]!r} is categorical, but not among columns: {columns}")
        self.categorical = [i for i in chosen if i in categories]
        self.numeric = [i for i in chosen if i not in categories]
        # the target is read as one more number, the label as one more category
        self.number_fields = [*self.numeric, *([] if self.target is None else [self.target])]
        self.category_fields = [*self.categorical, *([] if self.label is None else [self.label])]
        self.categories = [_Categories(wanted.codings.get(self.all[i])) for i in self.category_fields]

    def _place(self, what: str, name: str) -> int:
        if self.all.count(name) > 1:
            raise ValueError(
                f"read_csv: {self.path} has several columns named {name!r}; name those to read in columns, without it, or "
                "rename it in the file"
            )
        if name not in self.all:
            data = "; if its first line has data, write header=False, or header=[...] with the names"
            advice = self.advice or (data if any([other[:1].isdigit() for other in self.all]) else "")
            raise ValueError(f"read_csv: {self.path} has no column {name!r} (in {what}); it has {listed(self.all)}{advice}")
        return self.all.index(name)

    def add(self, line: int, fields: list[str]) -> None:
        """Read one line."""
        if len(fields) != len(self.all):
            if len(fields) == 1 and not fields[0].strip():
                return
            raise ValueError(
                f"read_csv: {self.path}, line {line}: {len(fields)} fields, expected {len(self.all)}: [{listed(self.all)}]"
            )
        try:
            numbers = [float(fields[i]) for i in self.number_fields]
        except ValueError:
            numbers = []
        texts = [fields[i].strip() for i in self.category_fields]
        plain = len(numbers) == len(self.number_fields) and all([-self.exact < number < self.exact for number in numbers])
        if not plain or self.missing_words.intersection(texts) or "_" in "".join([fields[i] for i in self.number_fields]):
            numbers = [self._number(line, i, fields[i].strip()) for i in self.number_fields]
            absent = [i for i, number in zip(self.number_fields, numbers, strict=True) if isnan(number)]
            absent += [i for i, text in zip(self.category_fields, texts, strict=True) if text in self.missing_words]
            if absent and self.missing == "drop":
                return
            if absent and self.missing == "error":
                raise self._wrong(
                    line, absent[0], f"{fields[absent[0]]!r} is missing; missing='drop' leaves such lines out, 'nan' keeps them"
                )
            # nobody wants to predict a class of what is not there, unless the class is given
            if self.label in absent and not self.categories[-1].given:
                raise self._wrong(
                    line,
                    self.label,
                    f"{fields[self.label]!r} is missing, and the label of a row must be there; missing='drop' leaves "
                    "such lines out; to have a class '', name it in categories",
                )
            texts = ["" if text in self.missing_words else text for text in texts]
        self.rows += 1
        self.numbers.extend(numbers)
        for i, column, text in zip(self.category_fields, self.categories, texts, strict=True):
            if not column.add(text):
                known = f"{shown(text)} is none of the {len(column.known)} categories ({listed(column.known)})"
                raise self._wrong(line, i, f"{known}; a OneHot with unseen='zeros' in categories lets others through")

    def _number(self, line: int, i: int, text: str) -> float:
        if text in self.missing_words:
            return float("nan")
        try:
            # Python's float takes 1_000 too, which no other program writes
            number = float("_" if "_" in text else text)
        except ValueError:
            advice = "; name the column in categorical if it is a category, or the word in missing_words if it stands for none"
            if "," in text:
                advice = "; numbers have a decimal point, and nothing between thousands"
            raise self._wrong(line, i, f"{shown(text)} is not a number{self.advice or advice}") from None
        kind = self.dtype.__name__
        if not (isnan(number) or -self.largest <= number <= self.largest):
            raise self._wrong(line, i, f"{shown(text)} is not a finite number in {kind}")
        # Every digit of 16777217 matters, a count or a name; 16777217.0 and 1.6777217e7 are measurements.
        digits = text.lstrip("+-").lstrip("0")
        if abs(number) >= self.exact and digits.isdecimal() and int(digits) != abs(kept := int(self.dtype(number))):
            wider = "read it with dtype=np.float64, or " if self.dtype is np.float32 else ""
            advice = f"{wider}name the column in categorical if it is a category, or leave it out of columns"
            raise self._wrong(line, i, f"{shown(text)} is a whole number that {kind} would round to {kept}; {advice}")
        return number

    def _wrong(self, line: int, i: int, what: str) -> ValueError:
        return ValueError(f"read_csv: {self.path}, line {line}, column {self.all[i]!r}: {what}")

    def table(self) -> Table[Any]:
        """All that was read."""
        # read-only before it is reshaped: a view of what nobody can write to is not copied by Table
        numbers = read_only(np.frombuffer(self.numbers, self.dtype)).reshape(self.rows, len(self.number_fields))
        known = [column.sorted() for column in self.categories]
        codes: Int2 = np.empty((self.rows, len(self.categorical)), np.int32)
        for i in range(len(self.categorical)):
            codes[:, i] = known[i][1]
        y: Any = None
        y_name: str | None = None
        classes: tuple[str, ...] = ()
        open_fields = [i for i, column in zip(self.category_fields, self.categories, strict=True) if column.lets_through]
        if self.target is not None:
            y, y_name = read_only(numbers[:, -1].copy()), self.all[self.target]
        elif self.label is not None:
            classes, places = known.pop()
            y, y_name = read_only(places.astype(np.int64)), self.all[self.label]
        return Table(
            # without the target, in memory of its own; else the memory that was read into
            read_only(numbers[:, :-1].copy()) if self.target is not None else numbers,
            read_only(codes),
            y,
            tuple([self.all[i] for i in self.numeric]),
            tuple([self.all[i] for i in self.categorical]),
            tuple([categories for categories, _ in known]),
            classes,
            y_name,
            tuple([self.all[i] for i in open_fields]),
        )
