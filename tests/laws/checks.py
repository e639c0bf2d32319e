"""What the laws of operations and transforms are made of: `fnn.testing`, with directions from the test's own generator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import fnn
from fnn.testing import check_grads
from fnn.testing.laws import global_state as global_state
from fnn.tree import flatten

Tree = Any  # a pytree of any type: these helpers are written for all of them


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**32))


def like(rng: np.random.Generator, tree: Tree) -> Tree:
    """A tree of the same structure with normal entries of mixed sign and size."""
    leaves, structure = flatten(tree)
    return structure.unflatten([np.asarray(rng.normal(size=leaf.shape), leaf.dtype) for leaf in leaves])


def inner(a: Tree, b: Tree) -> float:
    """<a, b>, the sum over all entries of all leaves."""
    return float(sum(np.vdot(x, y) for x, y in zip(fnn.tree.leaves(a), fnn.tree.leaves(b), strict=True)))


def directional(f: Callable[[Tree], Tree], primal: Tree, direction: Tree, h: float = 1e-6) -> Tree:
    """The derivative of f along a direction, by central differences."""
    ahead = f(fnn.tree.map(lambda x, v: x + h * v, primal, direction))
    behind = f(fnn.tree.map(lambda x, v: x - h * v, primal, direction))
    return fnn.tree.map(lambda a, b: (a - b) / (2 * h), ahead, behind)


def check_gradient(f: Callable[[Tree], Tree], primal: Tree, rng: np.random.Generator) -> None:
    """The gradient of <u, f> along random directions, for a random u."""
    check_grads(f, primal, order=1, modes=("rev",), seed=_seed(rng))


def check_adjoint(f: Callable[[Tree], Tree], primal: Tree, rng: np.random.Generator) -> None:
    """J v in forward mode, and <u, J v> = <J^T u, v>."""
    check_grads(f, primal, order=1, seed=_seed(rng))


def check_second_order(f: Callable[[Tree], Tree], primal: Tree, rng: np.random.Generator) -> None:
    """The gradient of the gradient."""
    check_grads(f, primal, order=2, modes=("rev",), seed=_seed(rng))


def writable_overlap(result: Tree, given: Tree) -> bool:
    """Whether writing to a leaf of the result could change a leaf of what was given."""
    return any(
        a.flags.writeable and np.may_share_memory(a, b)
        for a in fnn.tree.leaves(result)
        for b in fnn.tree.leaves(given)
        if isinstance(a, np.ndarray) and isinstance(b, np.ndarray)
    )
