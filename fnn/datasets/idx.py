"""IDX files, the format of MNIST: read plain or through gzip, with care for what is damaged."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from fnn.arrays import Array4, Int1, read_only
from fnn.tree import Record

Path: TypeAlias = "str | os.PathLike[str]"

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_AXES = 32
_AT_ONCE = 2**20
_DEFLATE_RATIO = 1032  # no deflated byte stands for more: one bit for a match of 258 bytes, after a length and a distance


def read_idx(path: Path, /) -> np.ndarray[Any, np.dtype[np.number[Any]]]:
    """The array in an IDX file, plain or compressed by gzip, in native byte order and read-only.

    The format: two zero bytes, a byte for the type of the numbers, one for the count of axes, the length of each axis as
    four bytes, and the numbers, all with the highest byte first. Source: Y. LeCun, C. Cortes and C. Burges, the MNIST
    database.

    Takes no more memory than the file's content: what the header promises is compared with the size of the file before
    anything is allocated, and what is compressed is unpacked piece by piece.

    Raises ValueError, with the file's name, where the file is not in this format, or shorter or longer than it says.
    """
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        size = os.fstat(file.fileno()).st_size
        if not packed:
            return _read(os.fspath(path), file, size, exact=True)
        import gzip  # noqa: PLC0415 (a millisecond, for the few who have such a file)
        import zlib  # noqa: PLC0415

        try:
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _read(os.fspath(path), unpacked, size * _DEFLATE_RATIO, exact=False)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"read_idx: {os.fspath(path)} is a damaged gzip file: {error}") from error


def _read(name: str, file: Any, most: int, *, exact: bool) -> np.ndarray[Any, np.dtype[np.number[Any]]]:
    """The array in a file of at most (`exact`: just) so many bytes."""
    start = file.read(4)
    begins = f"begins with the bytes [{start.hex(' ')}]" if start else "is empty"
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _DTYPES or not 0 < start[3] <= _MOST_AXES:
        raise ValueError(
            f"read_idx: {name} {begins}; expected 00 00, a type from 08 to 0e, and a count of axes: it is no IDX file"
        )
    dtype, axes = np.dtype(_DTYPES[start[2]]), start[3]
    lengths = file.read(4 * axes)
    if len(lengths) < 4 * axes:
        raise ValueError(f"read_idx: {name} ends in its header, which should have the lengths of {axes} axes")
    shape = tuple(np.frombuffer(lengths, ">u4").tolist())
    header, content = 4 + 4 * axes, math.prod(shape) * dtype.itemsize
    says = f"its header says {list(shape)} numbers of {dtype.itemsize} bytes, {header + content} bytes in all"
    if header + content > most or math.prod([length for length in shape if length]) >= 2**60:
        raise ValueError(f"read_idx: {name} is cut off or damaged: {says}, more than there can be in the file")
    if exact and header + content < most:
        raise ValueError(f"read_idx: {name} is damaged: {says}, but the file has {most}")
    found = bytearray()
    while len(found) < content:
        piece = file.read(min(_AT_ONCE, content - len(found)))
        if not piece:
            raise ValueError(f"read_idx: {name} is cut off: {says}, but it ends after {header + len(found)}")
        found += piece
    if file.read(1):
        raise ValueError(f"read_idx: {name} is damaged: {says}, but more follows")
    numbers = np.frombuffer(found, dtype).reshape(shape)
    made: np.ndarray[Any, np.dtype[np.number[Any]]] = numbers.astype(dtype.newbyteorder("="), copy=False)
    return read_only(made)  # type: ignore[no-any-return]  # a Value is untyped


@dataclass(frozen=True, eq=False, repr=False)
class Mnist(Record):
    """Images and labels in the format of MNIST, in a part to train on and a part to test on.

    `train_x` and `test_x` [images, height, width, 1]: float32 in [0, 1]. `train_y` and `test_y` [images]: int64.
    """

    train_x: Array4
    train_y: Int1
    test_x: Array4
    test_y: Int1


def mnist(folder: Path, /) -> Mnist:
    """MNIST from a folder that has its four files, plain or as .gz: train-images-idx3-ubyte, train-labels-idx1-ubyte,
    t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte. Other sets in this format too, such as Fashion-MNIST.

    Nothing is downloaded. Raises FileNotFoundError for a file that is not there, ValueError for one that doesn't fit.
    """
    return Mnist(*_part(folder, "train"), *_part(folder, "t10k"))


def _part(folder: Path, part: str) -> tuple[Array4, Int1]:
    images, labels = _find(folder, f"{part}-images-idx3-ubyte"), _find(folder, f"{part}-labels-idx1-ubyte")
    x, y = read_idx(images), read_idx(labels)
    if x.ndim != 3 or x.dtype != np.uint8 or y.shape != x.shape[:1] or y.dtype != np.uint8:
        raise ValueError(
            f"mnist: {images} has {x.dtype}{list(x.shape)} and {labels} has {y.dtype}{list(y.shape)}; expected bytes "
            "[images, height, width], and a label for each image"
        )
    pixels = x[..., np.newaxis].astype(np.float32)
    pixels /= 255
    return read_only(pixels), read_only(y.astype(np.int64))


def _find(folder: Path, name: str) -> str:
    for ending in ("", ".gz"):
        path = os.path.join(folder, name + ending)
        if os.path.exists(path):
            return path
    raise FileNotFoundError(f"mnist: neither {name} nor {name}.gz is in {os.fspath(folder)}")
