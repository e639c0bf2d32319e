"""Arrays in files, mapped into memory: what is larger than memory is read where it is needed."""

from __future__ import annotations

import io
import math
import os
import struct
import zipfile
from tokenize import TokenError
from typing import IO, Any

import numpy as np

from fnn.arrays import read_only

_LONGEST_HEADER = 2**16
# what NumPy's reader of headers raises, where a header is no header: it evaluates it as a literal of Python
_NO_HEADER = (ValueError, TypeError, SyntaxError, TokenError, OverflowError, RecursionError, MemoryError, AttributeError)


def map_npy(path: str | os.PathLike[str], /) -> np.ndarray[Any, np.dtype[Any]]:
    """The array of an .npy file, as `np.save` writes it, mapped read-only: nothing is read yet.

    Raises ValueError where the file is not such a file, or is shorter than its header says.
    """
    with open(path, "rb") as file:
        return _map("map_npy", path, os.fspath(path), file, os.fstat(file.fileno()).st_size)


def map_npz(path: str | os.PathLike[str], /) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """The arrays of an .npz file, as `np.savez` writes it, mapped read-only: nothing is read yet.

    Raises ValueError where the file is not such a file, is damaged, or is compressed (`np.savez_compressed`), which cannot
    be mapped.
    """
    try:
        with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
            return {entry.filename.removesuffix(".npy"): _map_entry(path, file, entry) for entry in archive.infolist()}
    except (zipfile.BadZipFile, struct.error, NotImplementedError, EOFError) as error:
        raise ValueError(f"map_npz: {os.fspath(path)} is not an .npz file, or damaged: {error}") from error


def _map_entry(path: str | os.PathLike[str], file: IO[bytes], entry: zipfile.ZipInfo) -> np.ndarray[Any, np.dtype[Any]]:
    name = os.fspath(path)
    if entry.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"map_npz: {entry.filename} in {name} is compressed and cannot be mapped; write it with np.savez")
    # The entry's local header of 30 bytes ends with the lengths of the name and the extra field that follow.
    file.seek(max(entry.header_offset, 0))
    header = file.read(30)
    if entry.header_offset < 0 or len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise ValueError(f"map_npz: {name} is damaged: no entry begins at byte {entry.header_offset}, for {entry.filename}")
    begin = entry.header_offset + 30 + sum(struct.unpack("<HH", header[26:30]))
    file.seek(begin)
    return _map("map_npz", path, f"{entry.filename} in {name}", file, begin + entry.file_size)


def _map(name: str, path: str | os.PathLike[str], where: str, file: IO[bytes], end: int) -> np.ndarray[Any, np.dtype[Any]]:
    """The array whose header begins where the file stands, and which ends at `end`."""
    begin = file.tell()
    head = io.BytesIO(file.read(_LONGEST_HEADER))  # a damaged header may say that it is gigabytes long
    try:
        version = np.lib.format.read_magic(head)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(head)
        empty = min([*shape, dtype.itemsize]) == 0 and np.empty(shape, dtype)
    except _NO_HEADER as error:
        advice = "; it is an archive, which map_npz reads" if head.getvalue()[:2] == b"PK" else ""
        raise ValueError(f"{name}: {where} has no header of an .npy array: {error}{advice}") from error
    if dtype.hasobject:
        advice = "save numbers, or texts as an array of strings"
        raise ValueError(f"{name}: {where} holds Python objects, which cannot be mapped and are not safe to read; {advice}")
    if empty is not False:
        return read_only(empty)  # type: ignore[no-any-return]  # a Value is untyped; nothing cannot be mapped
    begin += head.tell()
    need, have = dtype.itemsize * math.prod(shape), end - begin
    if min(shape, default=1) < 0 or need > have or end > os.fstat(file.fileno()).st_size:
        raise ValueError(f"{name}: {where} is too short: an array {dtype}{list(shape)} takes {need} bytes of {have}")
    mapped = np.memmap(path, dtype, "r", begin, shape, "F" if fortran else "C")
    return mapped if shape else mapped.reshape(shape)  # np.memmap makes a vector of a scalar
