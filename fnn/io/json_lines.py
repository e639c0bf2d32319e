"""A log of one JSON object per line, which survives a kill."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fnn.functional.checks import check_int
from fnn.io.log_file import LogFile, fields_of, is_later, note_torn, plain
from fnn.io.safetensors import PathLike

if TYPE_CHECKING:
    from fnn.io.log_file import Record

_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class JsonLines(LogFile):
    """A log with one JSON object per line: `append` adds one, and it is in the file when that returns.

    A file that is there is continued; a last line that a killed process left unfinished is removed first. sync=True also
    forces every record to the disk, so that it survives a power cut: some milliseconds each.

    JSON has no NaN and no infinity: they stand as the texts "NaN", "Infinity" and "-Infinity", which `read_json_lines` turns
    into floats again, and other programs do with float(...).

    >>> import tempfile, os, numpy as np
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "run.jsonl")
    >>> with JsonLines(path) as log:
    ...     log.append({"step": 1, "loss": np.float32(0.1)})
    ...     log.append({"step": 2, "loss": np.float32("nan")})
    >>> read_json_lines(path)
    [{'step': 1, 'loss': 0.1}, {'step': 2, 'loss': nan}]
    >>> folder.cleanup()
    """

    def __init__(self, path: PathLike, /, *, sync: bool = False) -> None:
        super().__init__(path, sync=sync)
        whole, _, rest = self._read().rpartition(b"\n")
        if rest:
            # an editor may have left the newline out; half an object is never a whole one
            if _is_object(rest):
                self._write_line("")
            else:
                self._cut(len(whole) + bool(whole))

    def append(self, record: Record, /) -> None:
        """Add a record, a dict, dataclass or NamedTuple of numbers, texts, None, NumPy's scalars and arrays, and lists and
        dicts of these. A TrainState among its fields is left out.

        Raises TypeError, with the path, for other things; OSError where the system cannot write, as on a full disk, and then
        the records before are there still.
        """
        fields = plain("JsonLines.append", "", fields_of("JsonLines.append", record))
        self._write_line(json.dumps(_with_texts(fields), allow_nan=False))

    def drop_after(self, step: int, /) -> None:
        """Remove the records whose field `step` is higher: those that a killed run wrote after its last checkpoint, and that
        the resumed run writes again. The file is written anew, whole or not at all.

        Raises ValueError, with the path and the line, for a line that is no record.
        """
        self._check_open("drop_after")
        check_int(f"{type(self).__name__}.drop_after", "the step", step, 0)
        lines = self._read().split(b"\n")[:-1]
        kept = [line for line, record in zip(lines, read_json_lines(self._absolute), strict=True) if not is_later(record, step)]
        if len(kept) < len(lines):
            self._write_anew("drop_after", b"".join([line + b"\n" for line in kept]))


def read_json_lines(path: PathLike, /) -> list[dict[str, Any]]:
    """The records of a file of JSON lines, as dicts. A last line that was never finished is left out, with a UserWarning.

    Raises ValueError, with the path and the line, for any other line that is no JSON object.
    """
    *lines, rest = Path(path).read_bytes().split(b"\n")
    if _is_object(rest):
        lines, rest = [*lines, rest], b""
    records = []
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line.decode())
        except (ValueError, RecursionError) as error:
            raise ValueError(f"read_json_lines: {path}, line {number} is no JSON: {error}") from None
        if not isinstance(record, dict):
            raise ValueError(f"read_json_lines: {path}, line {number} is a {type(record).__name__}, expected a JSON object")
        records.append(_with_floats(record))
    if rest:
        note_torn("read_json_lines", Path(path), len(lines) + 1, rest.decode(errors="replace"))
    return records


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line.decode()), dict)
    except (ValueError, RecursionError):
        return False


def _with_texts(value: Any) -> Any:
    """NaN and infinities as texts."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _with_texts(part) for key, part in value.items()}
    return [_with_texts(part) for part in value] if isinstance(value, list) else value


def _with_floats(value: Any) -> Any:
    """The way back."""
    if isinstance(value, str):
        return _NUMBERS.get(value, value)
    if isinstance(value, dict):
        return {key: _with_floats(part) for key, part in value.items()}
    return [_with_floats(part) for part in value] if isinstance(value, list) else value
