"""The header of a safetensors file, read by a small grammar of its own and checked as if it came from a stranger.

It is JSON of one shape only: names with a dtype, a shape and a place each, and texts of metadata. A general JSON reader would
also take one that nests a million deep or repeats a name; here such a thing is an error at the character where it begins, and
what reading allocates is at most some 14 times the header, whatever it says of the arrays.
"""

from __future__ import annotations

import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # what json itself reads strings with; typeshed leaves it out
from math import prod
from typing import Any, NamedTuple

import numpy as np

# What the format calls them, and what they are to NumPy: little-endian.
DTYPES = {
    "BOOL": "?",
    "I8": "<i1",
    "U8": "<u1",
    "I16": "<i2",
    "U16": "<u2",
    "I32": "<i4",
    "U32": "<u4",
    "I64": "<i8",
    "U64": "<u8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
}
METADATA = "__metadata__"
_MOST_AXES = 64  # NumPy's own limit


class BadFileError(ValueError):
    """The content of a file is not what it should be: torn, changed, hostile or of another kind."""


class Entry(NamedTuple):
    """One array of a file: its dtype and shape, and where its bytes are, counted from the end of the header."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int
    stop: int


def parse_header(raw: memoryview, room: int) -> tuple[dict[str, Entry], dict[str, str]]:
    """The entries, by name, and the metadata of a header that `room` bytes of arrays follow.

    BadFileError unless it is of this grammar and the arrays fill the room exactly, without gaps or overlaps.
    """
    try:
        cursor = _Cursor(str(raw, "utf-8"))
    except UnicodeDecodeError as error:
        raise BadFileError(f"the header is no UTF-8: {error.reason} at byte {error.start}") from None
    entries: dict[str, Entry] = {}
    metadata: dict[str, str] | None = None
    cursor.take(_OPEN, "an opening brace")
    if not cursor.skip(_CLOSE):
        more = True
        while more:
            name = cursor.string()
            cursor.take(_COLON, "a colon")
            if name in entries or (name == METADATA and metadata is not None):
                raise BadFileError(f"the header has the name {name!r} twice")
            if name == METADATA:
                metadata = _parse_texts(cursor)
            else:
                entries[name] = _parse_entry(cursor, name)
            more = cursor.take(_NEXT, "a comma or a closing brace")[1] == ","
    cursor.take(_END, "its end")
    _check_places(entries, room)
    return entries, metadata or {}


class _Cursor:
    """A place in a text, from which tokens are taken."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def skip(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """What the pattern matches here, and go behind it; None where it does not match."""
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return found

    def take(self, pattern: re.Pattern[str], expected: str) -> re.Match[str]:
        """What the pattern matches here, and go behind it."""
        found = self.skip(pattern)
        if not found:
            here = self.text[self.at : self.at + 20]
            raise BadFileError(f"the header has {here!r} at character {self.at}, expected {expected}")
        return found

    def string(self) -> str:
        """The JSON string here, and go behind it."""
        at = self.at
        self.take(_QUOTE, "a string")
        try:
            text: str
            text, self.at = scanstring(self.text, self.at, True)
        except ValueError as error:
            raise BadFileError(f"the header has a broken string at character {at}: {error}") from None
        if _HALF.search(text):
            raise BadFileError(f"the header has a broken string at character {at}: half of a surrogate pair")
        return text


_OPEN, _CLOSE, _NEXT = re.compile(r"\s*\{\s*"), re.compile(r"\s*\}"), re.compile(r"\s*([,}])\s*")
_HALF = re.compile("[\ud800-\udfff]")  # which can be escaped, but not printed
_QUOTE, _COLON, _END = re.compile(r'"'), re.compile(r"\s*:\s*"), re.compile(r"\s*\Z")
_FIELD = re.compile(r'"(?:(dtype)"\s*:\s*"([A-Z0-9_]{1,20})"|(shape|data_offsets)"\s*:\s*\[([\d,\s]{0,2000})\])', re.ASCII)
_NUMBER = re.compile(r"\s*(0|[1-9]\d{0,18})\s*", re.ASCII)


def _parse_texts(cursor: _Cursor) -> dict[str, str]:
    texts: dict[str, str] = {}
    cursor.take(_OPEN, "an object of texts")
    if cursor.skip(_CLOSE):
        return texts
    more = True
    while more:
        key = cursor.string()
        cursor.take(_COLON, "a colon")
        if key in texts:
            raise BadFileError(f"the metadata have the key {key!r} twice")
        texts[key] = cursor.string()
        more = cursor.take(_NEXT, "a comma or a closing brace")[1] == ","
    return texts


def _parse_entry(cursor: _Cursor, name: str) -> Entry:
    fields: dict[str, str] = {}
    cursor.take(_OPEN, f"an object, the entry of {name!r}")
    more = True
    while more:
        found = cursor.take(_FIELD, f"dtype, shape or data_offsets of {name!r}")
        key = found[1] or found[3]
        if key in fields:
            raise BadFileError(f"{name!r} has its {key} twice")
        fields[key] = found[2] if found[1] else found[4]
        more = cursor.take(_NEXT, "a comma or a closing brace")[1] == ","
    if len(fields) != 3:
        raise BadFileError(f"{name!r} has {sorted(fields)}, expected its dtype, shape and data_offsets")
    shape, offsets = _numbers(name, fields["shape"]), _numbers(name, fields["data_offsets"])
    if fields["dtype"] not in DTYPES:
        raise BadFileError(f"{name!r} is {fields['dtype']}, which NumPy does not have; expected one of {', '.join(DTYPES)}")
    dtype = np.dtype(DTYPES[fields["dtype"]])
    if len(shape) > _MOST_AXES:
        raise BadFileError(f"{name!r} has {len(shape)} axes, and NumPy has at most {_MOST_AXES}")
    if len(offsets) != 2 or offsets[0] > offsets[1]:
        raise BadFileError(f"{name!r} has the data_offsets {list(offsets)}, expected where it begins and where it ends")
    if prod(shape) * dtype.itemsize != offsets[1] - offsets[0]:
        raise BadFileError(
            f"{name!r} is {fields['dtype']} of shape {list(shape)}, which is {prod(shape) * dtype.itemsize} bytes, but its "
            f"data_offsets {list(offsets)} leave {offsets[1] - offsets[0]}"
        )
    return Entry(dtype, shape, offsets[0], offsets[1])


def _numbers(name: str, text: str) -> tuple[int, ...]:
    if not text.strip():
        return ()
    found = [_NUMBER.fullmatch(part) for part in text.split(",")]
    if None in found:
        raise BadFileError(f"{name!r} has [{text[:80]}], expected whole numbers of at most 19 digits")
    return tuple([int(number[1]) for number in found if number])


def _check_places(entries: dict[str, Entry], room: int) -> None:
    """The arrays lie one behind the other: each byte belongs to one."""
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1][2:]):
        if entry.start != end:
            what = "overlaps with another" if entry.start < end else f"leaves a gap behind byte {end}"
            raise BadFileError(f"{name!r} begins at byte {entry.start}, which {what}")
        end = entry.stop
    if end != room:
        torn = "torn" if end > room else "longer than it should be"
        raise BadFileError(f"the arrays take {end} bytes, but {room} follow the header: the file is {torn}")
