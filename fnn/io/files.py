"""`save` and `load`: a tree as one self-describing file. And what a file says of itself without being loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import fnn
from fnn.arrays import Array
from fnn.io.atomic import write_atomically
from fnn.io.fitting import fit
from fnn.io.names import Flat, flatten
from fnn.io.safetensors import OURS, PathLike, encode, opened, read_all
from fnn.tree import PyTree
from fnn.tree.structure import T

# Keys of the metadata: the text of a static value, and the kind of a container, by name.
_VALUE, _KIND = f"{OURS}value:", f"{OURS}kind:"


def save(path: PathLike, value: PyTree, /, *, metadata: Mapping[str, str] | None = None, spec: object = None) -> None:
    """Save a tree, as parameters or a whole TrainState, to a file in the safetensors format. `fnn.load` reads it.

    The file holds the arrays under the names of `fnn.io.to_dict` (`0.weight`), so that PyTorch and others can read them, and
    everything else in a tree as text: numbers, strings, None. Of functions and classes it holds the name. metadata: texts of
    your own; spec: a model, whose repr is kept as "fnn.spec". fnn's version is kept too. There is no pickle in it.

    The file is written whole or not at all: one that was there before stays until the new one is safe on the disk, whenever
    the process or the machine is stopped.

    Raises TypeError, with the path, for what a file cannot hold (complex numbers, objects); OSError where the system cannot
    write: the disk is full, the folder missing or read-only. Then what was there before is unchanged.

    >>> import fnn, tempfile, os
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "net.safetensors")
    >>> model, opt = fnn.Dense(2, 3), fnn.Adam(1e-3)
    >>> ts = fnn.start(model, opt, fnn.key(0))
    >>> fnn.save(path, ts, metadata={"epoch": "7"}, spec=model)
    >>> fnn.load(path, fnn.start(model, opt, fnn.key(1))) == ts
    True
    >>> fnn.io.read_metadata(path)["epoch"]
    '7'
    >>> folder.cleanup()
    """
    write("save", path, value, metadata, spec, {})


def load(path: PathLike, like: T, /) -> T:
    """A tree of exactly the type and structure of `like`, with the arrays and values of a file. `like` gives no numbers.

    Usually `like` is made as the tree was that was saved: `fnn.load(path, fnn.start(model, opt, fnn.key(0)))`. The arrays are
    read-only. A file that another program wrote is read by its names; static parts are then those of `like`.

    Where a class declares a field as `float | None`, the file may have either of them, and where as `tuple[str, ...]` or
    `list[float]`, any number of such values, whatever `like` has there: so a run goes on from `fnn.EarlyStopping(8, ts)`,
    whose `best` is None still. This is for bool, int, float, str and None; of arrays there are just those of `like`.

    Reading runs nothing that the file says and allocates the arrays once, at most some 14 times the header, and what `like`
    needs, so files of strangers are safe to read.

    Raises ValueError, with the path, where the file is torn, damaged or no safetensors, and where it does not fit: with every
    place where something is missing, not expected or of another kind, shape or dtype. OSError where it cannot be opened.
    """
    with opened(path) as (file, contents):
        flat = Flat(read_all(file, contents), _ours(contents.metadata, _VALUE), _ours(contents.metadata, _KIND))
    return fit(f"load: {Path(path)}", flat, like)


def read_arrays(path: PathLike, /) -> dict[str, Array]:
    """All arrays of a safetensors file by name, read-only: of PyTorch's weights, what `fnn.io.from_torch` takes.

    Raises ValueError, with the path, where the file is torn, damaged or no safetensors; OSError where it cannot be opened.
    """
    with opened(path) as (file, contents):
        return read_all(file, contents)


class ArrayInfo(NamedTuple):
    """What a file says of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class FileInfo:
    """What a file says of itself: its arrays and its static values (as text, such as "7") by name, and the metadata."""

    arrays: dict[str, ArrayInfo]
    values: dict[str, str]
    metadata: dict[str, str]


def inspect(path: PathLike, /) -> FileInfo:
    """What is in a file, without reading its arrays. Raises as `read_arrays` does, but checks no checksum.

    >>> import fnn, tempfile, os
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "net.safetensors")
    >>> fnn.save(path, {"weight": np.ones((2, 3)), "step": 7})
    >>> inspect(path).arrays["weight"].shape, inspect(path).values
    ((2, 3), {'step': '7'})
    >>> folder.cleanup()
    """
    with opened(path) as (_, contents):
        arrays = {name: ArrayInfo(e.shape, e.dtype.newbyteorder("=")) for name, e in contents.entries.items()}
        return FileInfo(arrays, _ours(contents.metadata, _VALUE), _told(contents.metadata))


def read_metadata(path: PathLike, /) -> dict[str, str]:
    """The metadata of a file: what `save` was given, "fnn.version", and "fnn.spec" where there was one. Raises as `inspect`."""
    return inspect(path).metadata


def write(
    name: str, path: PathLike, value: PyTree, metadata: Mapping[str, str] | None, spec: object, own: Mapping[str, str]
) -> None:
    """`save`, under the name of the function that is asked to, and with metadata of fnn's own."""
    flat = flatten(name, value)
    texts = {f"{OURS}version": fnn.__version__, **own}
    if spec is not None:
        texts[f"{OURS}spec"] = repr(spec)
    for key, text in (metadata or {}).items():
        if not isinstance(key, str) or not isinstance(text, str):
            raise TypeError(f"{name}: the metadata have {key!r}: {text!r}, expected texts: write str(...) or json.dumps(...)")
        if key.startswith(OURS):
            raise ValueError(f"{name}: the metadata have {key!r}, but what begins with {OURS!r} is fnn's own")
        texts[key] = text
    texts |= {_VALUE + at: text for at, text in flat.values.items()} | {_KIND + at: kind for at, kind in flat.kinds.items()}
    write_atomically(name, Path(path), encode(flat.arrays, texts))


def _ours(metadata: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {key.removeprefix(prefix): text for key, text in metadata.items() if key.startswith(prefix)}


def _told(metadata: Mapping[str, str]) -> dict[str, str]:
    return {key: text for key, text in metadata.items() if not key.startswith((_VALUE, _KIND, f"{OURS}checksum"))}
