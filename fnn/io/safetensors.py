"""The safetensors format: reading and writing it with NumPy alone.

A file is 8 bytes (the length of the header, little-endian), the header (JSON: the dtype, shape and place of each array by
name, and texts of metadata), and the arrays one behind the other, little-endian and in C order. So a file holds numbers and
texts, and there is nothing in it to run.

Files of fnn also have a checksum of all their bytes, itself written as zeros: the first of the metadata, which come first.
"""

from __future__ import annotations

import json
import os
import stat
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import numpy as np

from fnn.arrays import describe, read_only
from fnn.io.header import DTYPES, METADATA, BadFileError, Entry, parse_header

PathLike: TypeAlias = str | os.PathLike[str]

# what fnn adds to the metadata begins with this
OURS = "fnn."
_NAMES = {np.dtype(code).newbyteorder("="): name for name, code in DTYPES.items()}
_LONGEST_HEADER = 100_000_000  # bytes, as in the package safetensors
_BEFORE_SUM = b'{"__metadata__":{"fnn.checksum":"crc32:'
_NO_SUM = b"00000000"
_SUM_AT = 8 + len(_BEFORE_SUM)


class Contents(NamedTuple):
    """What stands before the arrays of a file: their entries by name, the metadata, and the bytes of both."""

    entries: dict[str, Entry]
    metadata: dict[str, str]
    raw: bytes


def check_dtype(name: str, where: str, array: Any) -> None:
    """TypeError unless the format has this array's dtype."""
    if array.dtype.newbyteorder("=") not in _NAMES:
        raise TypeError(
            f"{name}: {where} is {describe(array)}, and a file holds bool, integers, and floats of 16, 32 and 64 bits"
            + ("; save its .real and .imag" if array.dtype.kind == "c" else "")
        )


def encode(arrays: Mapping[str, Any], metadata: Mapping[str, str]) -> Iterator[memoryview | bytes]:
    """The bytes of a file, piece by piece. An array is copied only where it is not contiguous or not little-endian.

    Wide elements come first, so that each array begins at a multiple of its items' size, as C programs need it.
    """
    names = sorted(arrays, key=lambda name: -arrays[name].dtype.itemsize)
    parts = [_bytes_of(arrays[name]) for name in names]
    texts = {f"{OURS}checksum": f"crc32:{_NO_SUM.decode()}", **metadata}
    fields = [f"{_json(METADATA)}:{_json(texts)}"]
    start = 0
    for name, part in zip(names, parts, strict=True):
        array, stop = arrays[name], start + len(part)
        dtype = _NAMES[array.dtype.newbyteorder("=")]
        fields.append(f"{_json(name)}:{_json({'dtype': dtype, 'shape': array.shape, 'data_offsets': (start, stop)})}")
        start = stop
    header = ("{" + ",".join(fields) + "}").encode()
    header += b" " * (-len(header) % 8)
    if len(header) > _LONGEST_HEADER:
        raise ValueError(f"names and metadata take {len(header)} bytes, and the format allows {_LONGEST_HEADER}")
    raw = struct.pack("<Q", len(header)) + header
    checksum = zlib.crc32(raw)
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    yield raw[:_SUM_AT] + b"%08x" % checksum + raw[_SUM_AT + 8 :]
    yield from parts


def _bytes_of(array: Any) -> memoryview:
    # a vector may have gaps between its elements, or go backwards, which reshape leaves as it is; a 0-d array has no bytes to
    # view without it
    flat: memoryview = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1).view(np.uint8).data
    return flat


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@contextmanager
def opened(path: PathLike) -> Iterator[tuple[BinaryIO, Contents]]:
    """A file and what stands before its arrays, checked.

    BadFileError, with the path, where it or what is done with the file finds the content wrong; OSError where it cannot be
    opened.
    """
    # a pipe would wait for its writer
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise BadFileError("this is no regular file")
        with open(fd, "rb", closefd=False) as file:
            yield file, _read_contents(file, status.st_size)
    except BadFileError as error:
        raise BadFileError(f"{Path(path)}: {error}") from None
    finally:
        os.close(fd)


def _read_contents(file: BinaryIO, size: int) -> Contents:
    first = file.read(8)
    if len(first) < 8:
        raise BadFileError(f"it has {len(first)} bytes, and a safetensors file at least 8")
    (length,) = struct.unpack("<Q", first)
    if length > min(_LONGEST_HEADER, size - 8):
        raise BadFileError(
            f"the header claims {length} bytes, and {size - 8} follow: the file is torn or no safetensors"
            if length > size - 8
            else f"the header claims {length} bytes, and the format allows {_LONGEST_HEADER}"
        )
    file.seek(0)
    raw = file.read(8 + length)
    if len(raw) < 8 + length:
        raise BadFileError("it was cut while it was read")
    entries, metadata = parse_header(memoryview(raw)[8:], size - 8 - length)
    return Contents(entries, metadata, raw)


def read_all(file: BinaryIO, contents: Contents) -> dict[str, Any]:
    """All arrays of an opened file, read-only, each in memory of its own. BadFileError where the checksum is another."""
    expected = _checksum_of(contents)
    checksum = 0
    if expected:
        raw = memoryview(contents.raw)
        for piece in (raw[:_SUM_AT], _NO_SUM, raw[_SUM_AT + 8 :]):
            checksum = zlib.crc32(piece, checksum)
    arrays: dict[str, Any] = {}
    # in the order of their bytes
    for name, entry in sorted(contents.entries.items(), key=lambda item: item[1][2:]):
        flat = np.empty(entry.stop - entry.start, np.uint8)
        if file.readinto(flat.data) < len(flat):  # type: ignore[attr-defined]  # a binary file has it
            raise BadFileError(f"{name!r} is cut short: the file was changed while it was read")
        checksum = zlib.crc32(flat.data, checksum) if expected else 0
        arrays[name] = _array_of(name, entry, flat)
    if expected and b"%08x" % checksum != expected:
        raise BadFileError(
            f"the bytes have the checksum {checksum:08x}, but were saved with {expected.decode()}: the file was damaged since"
        )
    return {name: arrays[name] for name in contents.entries}


def _checksum_of(contents: Contents) -> bytes | None:
    """The checksum that the file was saved with; None where fnn didn't write it."""
    if contents.raw.startswith(_BEFORE_SUM, 8):
        return contents.raw[_SUM_AT : _SUM_AT + 8]
    if any([key.startswith(OURS) for key in contents.metadata]):
        raise BadFileError("fnn wrote it, but not with this checksum: it was damaged or changed since")
    return None


def _array_of(name: str, entry: Entry, flat: Any) -> Any:
    if entry.dtype.kind == "b" and flat.size and flat.max() > 1:
        raise BadFileError(f"{name!r} is BOOL, but one of its bytes is {flat.max()}, neither 0 nor 1")
    read_only(flat)
    try:
        array = flat.view(entry.dtype).reshape(entry.shape)
    except (ValueError, OverflowError) as error:  # an empty array whose other sizes are more than NumPy can count
        raise BadFileError(f"{name!r} has the shape {list(entry.shape)}: {error}") from None
    return read_only(array.astype(entry.dtype.newbyteorder("="), copy=False))
