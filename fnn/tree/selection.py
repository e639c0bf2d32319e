"""Which leaves of a tree are meant: predicates of a leaf's path and shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

# selector(path, shape): whether a leaf is meant, as `lambda path, shape: path.endswith(".bias")`
Selector: TypeAlias = Callable[[str, tuple[int, ...]], bool]


def everything(path: str, shape: tuple[int, ...], /) -> bool:
    """Every leaf."""
    return True


def matrices(path: str, shape: tuple[int, ...], /) -> bool:
    """Leaves of rank 2 and more: weights, kernels and tables, but no biases and no scales and shifts of norms.

    >>> import fnn
    >>> opt = fnn.AdamW(3e-4, where=fnn.tree.matrices)
    """
    return len(shape) >= 2
