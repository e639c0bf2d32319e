"""Which entries of the flat vector a rule is for, by a selector of leaves."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

import numpy as np

from fnn.arrays import Bools, read_only
from fnn.optim.state import Segments
from fnn.tree import Selector


def chosen_of(where: Selector, segments: Segments, name: str = "", among: Collection[int] | None = None) -> list[int]:
    """The numbers of the leaves that are chosen, of all or of some. ValueError, with the paths there are, for none."""
    among = range(len(segments)) if among is None else among
    chosen = [i for i in among if where(segments[i].path, segments[i].shape)]
    if not chosen:
        paths = [segments[i].path or "the root" for i in among]
        there = ", ".join(paths[:8]) + (", ..." if len(paths) > 8 else "") if paths else "none"
        label = f"{name}the selector {getattr(where, '__name__', repr(where))}"
        left = " of those that no group before has" if len(among) < len(segments) else ""
        raise ValueError(f"{label} chooses none of the leaves{left}; there are {there}")
    return chosen


@lru_cache(maxsize=256)
def mask_of(where: Selector, segments: Segments) -> Bools:
    """The entries of the flat vector whose leaves are chosen. ValueError where no leaf is: a mistake in a path."""
    mask = np.zeros(segments[-1].stop if segments else 0, np.bool_)
    for i in chosen_of(where, segments):
        mask[segments[i].start : segments[i].stop] = True
    made: Bools = read_only(mask)
    return made
