"""A log as a table in CSV, which survives a kill."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fnn.functional.checks import check_int
from fnn.io.log_file import LogFile, fields_of, is_later, note_torn, plain
from fnn.io.safetensors import PathLike

if TYPE_CHECKING:
    from fnn.io.log_file import Record

Cell = bool | int | float | str | None


class CsvLog(LogFile):
    """A log as CSV, one line per record: `append` adds one, and it is in the file when that returns.

    Every field is a column; what is nested gets a column for each part, as `metrics.accuracy`. A record may miss some: its
    cells are empty, as those of None are. One with a new field adds a column at the end: the file is then written anew, whole
    or not at all, so that records of a validation now and then take some milliseconds once. NaN and infinity stand as `nan`,
    `inf` and `-inf`. A file that is there is continued; a last line that a killed process left unfinished is removed first.
    sync=True also forces every record to the disk, so that it survives a power cut: some milliseconds each.

    >>> import tempfile, os
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "run.csv")
    >>> with CsvLog(path) as log:
    ...     log.append({"step": 1, "loss": 0.5})
    ...     log.append({"step": 2, "loss": 0.25, "metrics": {"accuracy": 0.25}})
    >>> print(Path(path).read_text())
    step,loss,metrics.accuracy
    1,0.5,
    2,0.25,0.25
    <BLANKLINE>
    >>> read_csv_log(path)[0]
    {'step': 1, 'loss': 0.5, 'metrics.accuracy': None}
    >>> folder.cleanup()
    """

    def __init__(self, path: PathLike, /, *, sync: bool = False) -> None:
        super().__init__(path, sync=sync)
        content = self._read()
        whole = _whole(content)
        self._cut(whole)
        self._columns: list[str] = []
        if whole:
            try:
                self._columns = next(csv.reader(io.StringIO(content[:whole].decode(), newline="")))
                if not self._columns:
                    raise ValueError("its first line is empty, where the names of the columns should stand")
            except (ValueError, csv.Error) as error:
                self.close()
                raise ValueError(f"CsvLog: {path} is there, but it is no log in CSV: {error}") from None

    def append(self, record: Record, /) -> None:
        """Add a record, a dict, dataclass or NamedTuple of numbers, texts, None and NumPy's scalars, or dicts and lists of
        these. A TrainState among its fields is left out.

        Raises TypeError, with the path, for other things; OSError where the system cannot write, as on a full disk, and then
        the records before are there still.
        """
        self._check_open("append")
        cells: dict[str, Any] = {}
        _spread(plain("CsvLog.append", "", fields_of("CsvLog.append", record)), "", cells)
        if not self._columns:
            if not cells:
                raise ValueError("CsvLog.append: the first record has no fields, and so there are no columns")
            self._write_line(_line(list(cells)))
            self._columns = list(cells)
        new = [name for name in cells if name not in self._columns]
        if new:
            self._add_columns(new)
        self._write_line(_line([cells.get(name) for name in self._columns]))

    def drop_after(self, step: int, /) -> None:
        """Remove the records whose field `step` is higher: those that a killed run wrote after its last checkpoint, and that
        the resumed run writes again. The file is written anew, whole or not at all.

        Raises ValueError, with the path and the line, for a line that is no record.
        """
        self._check_open("drop_after")
        check_int(f"{type(self).__name__}.drop_after", "the step", step, 0)
        rows = list(csv.reader(io.StringIO(self._read().decode(), newline="")))[1:]
        kept = [row for row, record in zip(rows, read_csv_log(self._absolute), strict=True) if not is_later(record, step)]
        if len(kept) < len(rows):
            self._write_rows("drop_after", [self._columns, *kept])

    def _add_columns(self, new: list[str]) -> None:
        header, *rows = csv.reader(io.StringIO(self._read().decode(), newline=""))
        self._write_rows("append", [[*header, *new], *[[*row, *[""] * len(new)] for row in rows]])
        self._columns += new

    def _write_rows(self, method: str, rows: list[list[str]]) -> None:
        self._write_anew(method, "".join([f"{_line(row)}\n" for row in rows]).encode())


def read_csv_log(path: PathLike, /) -> list[dict[str, Cell]]:
    """The records of a CSV log, as dicts: cells as int, float, bool or None (empty) where they are written so, else str.

    A last line that was never finished is left out, with a UserWarning. Raises ValueError, with the path and the line, where
    a line has another number of cells than there are columns.
    """
    content = Path(path).read_bytes()
    whole = _whole(content)
    records = []
    line = 1
    try:
        reader = csv.reader(io.StringIO(content[:whole].decode(), newline=""), strict=True)
        columns: list[str] = next(reader, [])
        line = reader.line_num + 1
        for row in reader:
            if len(row) != len(columns):
                raise ValueError(f"it has {len(row)} cells, and there are {len(columns)} columns")
            records.append(dict(zip(columns, map(_cell, row), strict=True)))
            line = reader.line_num + 1
    except (ValueError, csv.Error) as error:
        if isinstance(error, UnicodeDecodeError):
            line = 1 + content.count(b"\n", 0, error.start)
        raise ValueError(f"read_csv_log: {path}, line {line}: {error}") from None
    if whole < len(content):
        note_torn("read_csv_log", Path(path), content[:whole].count(b"\n") + 1, content[whole:].decode(errors="replace"))
    return records


def _whole(content: bytes) -> int:
    """How many bytes are finished lines: up to the last newline that is not in quotes."""
    end = content.rfind(b"\n") + 1
    quotes = content.count(b'"', 0, end)
    while quotes % 2:
        before = content.rfind(b"\n", 0, end - 1) + 1
        quotes -= content.count(b'"', before, end)
        end = before
    return end


def _spread(value: Any, path: str, cells: dict[str, Any]) -> None:
    """A cell for each part of what is nested."""
    if isinstance(value, (dict, list)):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in parts:
            _spread(part, f"{path}.{key}" if path else str(key), cells)
    elif path in cells:
        raise ValueError(f"CsvLog.append: two fields would be the column {path!r}")
    else:
        cells[path] = value


def _line(cells: Sequence[Cell]) -> str:
    text = io.StringIO()
    # it quotes the newlines that its own lines end with
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().removesuffix("\r\n")


def _cell(text: str) -> Cell:
    if text in _WORDS:
        return _WORDS[text]
    for kind in (int, float):
        try:
            # Python's own readers also take spaces and 1_000
            return kind(text) if not set(text) & {"_", " "} else text
        except ValueError:
            continue
    return text


_WORDS: dict[str, Cell] = {"": None, "True": True, "False": False}
