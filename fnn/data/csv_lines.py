"""The lines of a CSV file, through the standard library's reader; and what kind of file it is, where it is none."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import TextIO, TypeAlias

Line: TypeAlias = tuple[int, list[str]]


def read_lines(path: str, file: TextIO, delimiter: str) -> Iterator[Line]:
    """(number, fields) of every line that has a field; the number is that of the line in which a record begins."""
    reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True, strict=True)
    number = 1
    try:
        for fields in reader:
            if fields:
                yield number, fields
            number = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"read_csv: {path}, line {number}: {error}; a quote that opens there may not be closed") from error
    except UnicodeError as error:
        raise ValueError(f"read_csv: {path}, {_undecodable(path, file, reader.line_num, error)}") from error


# What other kinds of files begin with, and what to do.
_NO_TEXT = {
    b"\xff\xfe": "it begins as UTF-16 does: write encoding='utf-16'",
    b"\xfe\xff": "it begins as UTF-16 does: write encoding='utf-16'",
    b"\x1f\x8b": "it is compressed by gzip: unpack it first",
    b"PK": "it is an archive, as Excel's workbooks are: save it as CSV",
}
_ESCAPED = re.compile("[\udc80-\udcff]")


def _undecodable(path: str, file: TextIO, read: int, error: UnicodeError) -> str:
    """Which line of a file is not in its encoding, and what to do."""
    advice = "name the encoding that it has; on Windows it is often encoding='cp1252'"
    if file.seekable():  # what came through a pipe is gone
        with open(path, "rb") as raw:
            advice = _NO_TEXT.get(raw.read(2), advice)
        # surrogateescape marks bytes that are not in the encoding; of some encodings it does not take every error
        with open(path, encoding=file.encoding, errors="surrogateescape", newline="") as again, suppress(UnicodeError):
            for number, line in enumerate(again, 1):
                if found := _ESCAPED.search(line):
                    byte, encoding = ord(found[0]) - 0xDC00, file.encoding.removesuffix("-sig")
                    return f"line {number}: the byte 0x{byte:02x} is not {encoding}; {advice}"
    return f"after line {read}: {error}; is encoding={file.encoding!r} right?"
