"""Which leaves a rule is for: predicates of a leaf's path and shape, and how they look on the flat vector."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from fnn.arrays import Bools, read_only
from fnn.optim.optimizer import Segments

# selector(path, shape): whether a leaf is meant, as `lambda path, shape: path.endswith(".bias")`
Selector: TypeAlias = Callable[[str, tuple[int, ...]], bool]


def everything(path: str, shape: tuple[int, ...], /) -> bool:
    """Every leaf."""
    return True


def matrices(path: str, shape: tuple[int, ...], /) -> bool:
    """Leaves of rank 2 and more: weights, kernels and tables, but no biases and no scales and shifts of norms.

    >>> import fnn
    >>> opt = fnn.AdamW(3e-4, decay=fnn.optim.matrices)
    """
    return len(shape) >= 2


@lru_cache(maxsize=256)
def mask_of(where: Selector, segments: Segments) -> Bools:
    """The entries of the flat vector whose leaves are chosen. ValueError where none is: it would be a mistake in a path."""
    mask = np.zeros(segments[-1].stop if segments else 0, np.bool_)
    for path, start, stop, shape in segments:
        mask[start:stop] = bool(where(path, shape))
    if not mask.any():
        paths = ", ".join([path or "the root" for path, *_ in segments[:8]])
        raise ValueError(f"{getattr(where, '__name__', where)} chooses none of the leaves; there are {paths}")
    made: Bools = read_only(mask)
    return made
