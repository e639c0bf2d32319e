"""Which entries of the flat vector a rule is for, by a selector of leaves."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from fnn.arrays import Bools, read_only
from fnn.optim.optimizer import Segments
from fnn.tree import Selector


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
