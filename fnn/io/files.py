"""`save` and `load`: a tree as one self-describing file. And what a file says of itself without being loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import fnn
from fnn.arrays import Array
from fnn.io.atomic import write_atomically
from fnn.io.header import BadFileError
from fnn.io.names import Flat, flatten, restore
from fnn.io.safetensors import OURS, PathLike, check_dtype, encode, opened, read_all
from fnn.tree import PyTree
from fnn.tree.structure import T, is_leaf

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
    flat = flatten("save", value)
    own = {_VALUE + name: text for name, text in flat.values.items()} | {_KIND + name: kind for name, kind in flat.kinds.items()}
    _write("save", path, flat.arrays, own, metadata, spec)


def load(path: PathLike, like: T, /) -> T:
    """A tree of exactly the type and structure of `like`, with the arrays and values of a file. `like` gives no numbers.

    Usually `like` is made as the tree was that was saved: `fnn.load(path, fnn.start(model, opt, fnn.key(0)))`. The arrays are
    read-only. A file that another program wrote is read by its names; static parts are then those of `like`.

    Reading runs nothing that the file says and allocates no more than the file's size, a small multiple of its header and
    what `like` needs, so files of strangers are safe to read.

    Raises ValueError, with the path, where the file is torn, damaged or no safetensors, and where it does not fit: with every
    place where something is missing, not expected or of another kind, shape or dtype. OSError where it cannot be opened.
    """
    with opened(path) as (file, contents):
        values = _ours(contents.metadata, _VALUE)
        flat = Flat(dict(contents.entries), values, _ours(contents.metadata, _KIND))
        raise NotImplementedError
