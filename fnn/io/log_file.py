"""A file that only grows, line by line, so that whatever kills the process leaves every line before the last one whole."""

from __future__ import annotations

import dataclasses
import os
import stat
import warnings
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

from fnn.arrays import describe
from fnn.io.atomic import write_atomically
from fnn.io.safetensors import PathLike
from fnn.training.train_state import TrainState

if TYPE_CHECKING:
    from fnn.tree.structure import DataclassInstance

    # A tuple is a NamedTuple; no type says so.
    Record: TypeAlias = Mapping[str, object] | DataclassInstance | tuple[object, ...]

Log = TypeVar("Log", bound="LogFile")


class LogFile:
    """Base of logs: a context manager, with one write of the whole line for each record."""

    def __init__(self, path: PathLike, /, *, sync: bool = False) -> None:
        self.path = Path(path)
        self.sync = sync
        self._absolute = self.path.absolute()  # the process may go elsewhere
        self._absolute.parent.mkdir(parents=True, exist_ok=True)
        self._open()

    def _open(self) -> None:
        self._fd = os.open(self._absolute, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
        # closes also a log that is only dropped
        self._close = weakref.finalize(self, os.close, self._fd)

    def close(self) -> None:
        """Close the file. A closed log takes no more records; to close it again does nothing."""
        self._close()

    def __enter__(self: Log) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r}{'' if self._close.alive else ', closed'})"

    def _read(self) -> bytes:
        """All that is in the file."""
        os.lseek(self._fd, 0, os.SEEK_SET)
        with open(self._fd, "rb", closefd=False) as file:
            return file.read()

    def _cut(self, size: int) -> None:
        """Drop what is behind so many bytes: a line that a killed process left unfinished."""
        os.ftruncate(self._fd, size)

    def _write_anew(self, method: str, content: bytes) -> None:
        """Put this in place of all that is in the file, whole or not at all."""
        self._close()  # Windows renames no file over an open one
        try:
            write_atomically(f"{type(self).__name__}.{method}", self._absolute, [content])
        finally:
            self._open()

    def _check_open(self, method: str) -> None:
        if not self._close.alive:
            raise ValueError(f"{type(self).__name__}.{method}: {self.path} was closed")

    def _write_line(self, line: str) -> None:
        """Append a line, whole or not at all."""
        self._check_open("append")
        before = os.fstat(self._fd)
        view = memoryview((line + "\n").encode())
        try:
            while view:
                view = view[os.write(self._fd, view) :]
            if self.sync:
                os.fsync(self._fd)
        except OSError as error:
            if stat.S_ISREG(before.st_mode):
                os.ftruncate(self._fd, before.st_size)
            message = f"{type(self).__name__}.append: {error.strerror} (the record was not written, and those before are there)"
            raise OSError(error.errno, message, str(self.path)) from error


def fields_of(name: str, record: object) -> dict[str, Any]:
    """The fields of a record by name. A TrainState among them is left out: it is for a checkpoint."""
    found = _fields(name, record)
    if found is None:
        raise TypeError(f"{name}: the record is {record!r}, expected a dict, a dataclass or a NamedTuple")
    return {key: value for key, value in found.items() if not isinstance(value, TrainState)}


def _fields(name: str, record: object) -> dict[str, Any] | None:
    if isinstance(record, Mapping):
        found = {str(key): value for key, value in record.items()}
        if len(found) < len(record):
            raise ValueError(f"{name}: there are fields of the same name in {list(record)}")
        return found
    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    names = getattr(record, "_fields", None)
    if isinstance(record, tuple) and names:
        return dict(zip(names, record, strict=True))
    return None


def plain(name: str, path: str, value: object) -> Any:
    """A value as bool, int, float, str, None, and lists and dicts of these: NumPy's scalars and arrays become Python's.

    A float32 becomes the shortest number that rounds to it: 0.1 rather than 0.10000000149. TypeError, with the path.
    """
    if value is None or value.__class__ in (bool, int, float, str):
        return value
    if isinstance(value, np.ndarray):
        return plain(name, path, value[()]) if value.ndim == 0 else [plain(name, path, part) for part in value]
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.floating) and value.dtype.itemsize <= 8:
        return float(str(value))
    if isinstance(value, (int, float, str)):  # of a class of one's own
        base = next(base for base in (int, float, str) if isinstance(value, base))
        return base(value)
    if (inner := _fields(name, value)) is not None:
        return {key: plain(name, f"{path}.{key}" if path else key, part) for key, part in inner.items()}
    if isinstance(value, (list, tuple)):
        return [plain(name, f"{path}[{i}]", part) for i, part in enumerate(value)]
    what = describe(value) if isinstance(value, np.generic) else f"a {type(value).__name__}"
    raise TypeError(f"{name}: {path} is {what}, expected numbers, texts, None, or lists and dicts of these")


def is_later(record: Mapping[str, object], step: int) -> bool:
    """Whether a record that was read has a higher step."""
    found = record.get("step")
    return isinstance(found, (int, float)) and found > step


def note_torn(name: str, path: Path, number: int, left: str) -> None:
    """Warn that the last line of a log was never finished."""
    warnings.warn(
        f"{name}: {path}, line {number} was never finished, so it is left out: {left[:60]!r}", UserWarning, stacklevel=3
    )
