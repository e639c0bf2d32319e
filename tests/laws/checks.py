"""What the laws are made of: random trees, finite differences, inner products of trees.

Everything here works in float64 and draws from a generator that the test makes from a seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

import fnn
from fnn.tree import flatten

Tree = Any  # a pytree of any type: these helpers are written for all of them


def like(rng: np.random.Generator, tree: Tree) -> Tree:
    """A tree of the same structure with normal entries of mixed sign and size."""
    leaves, structure = flatten(tree)
    return structure.unflatten([np.asarray(rng.normal(size=leaf.shape), leaf.dtype) for leaf in leaves])


def inner(a: Tree, b: Tree) -> float:
    """<a, b>, the sum over all entries of all leaves."""
    return float(sum(np.vdot(x, y) for x, y in zip(fnn.tree.leaves(a), fnn.tree.leaves(b), strict=True)))


def moved(tree: Tree, direction: Tree, by: float) -> Tree:
    """tree + by * direction."""
    return fnn.tree.map(lambda x, v: x + by * v, tree, direction)


def directional(f: Callable[[Tree], Tree], primal: Tree, direction: Tree, h: float = 1e-6) -> Tree:
    """The derivative of f along a direction, by central differences."""
    return fnn.tree.map(lambda a, b: (a - b) / (2 * h), f(moved(primal, direction, h)), f(moved(primal, direction, -h)))


def assert_close(found: float, expected: float, scale: float, what: str, tolerance: float = 2e-6) -> None:
    """Equal up to the error of a central difference, relative to the size of what was added up."""
    assert abs(found - expected) <= tolerance * max(1.0, scale), f"{what}: {found!r} against {expected!r}"


def check_adjoint(f: Callable[[Tree], Tree], primal: Tree, rng: np.random.Generator) -> None:
    """<u, J v> = <J^T u, v> for random u and v, with J v by central differences."""
    y, pullback = fnn.vjp(f, primal)
    u, v = like(rng, y), like(rng, primal)
    along = directional(f, primal, v)
    pulled = pullback(u)
    scale = sum(float(np.abs(a * b).sum()) for a, b in zip(fnn.tree.leaves(u), fnn.tree.leaves(along), strict=True))
    assert_close(inner(pulled, v), inner(u, along), scale, "adjoint identity <J^T u, v> = <u, J v>")


def check_gradient(f: Callable[[Tree], Tree], primal: Tree, rng: np.random.Generator) -> None:
    """Every entry of the gradient of <u, f> against central differences, for a random u."""
    u = like(rng, f(primal))
    value, grads = fnn.value_and_grad(lambda p: weighted(f(p), u))(primal)
    assert_close(float(value), inner(f(primal), u), abs(float(value)), "value under grad", 1e-12)
    leaves, structure = flatten(primal)
    for k, leaf in enumerate(leaves):
        for index in np.ndindex(leaf.shape):
            h = 1e-6
            ends = []
            for sign in (1, -1):
                shifted = np.array(leaf)
                shifted[index] += sign * h
                ends.append(inner(f(structure.unflatten([*leaves[:k], shifted, *leaves[k + 1 :]])), u))
            numeric = (ends[0] - ends[1]) / (2 * h)
            found = float(fnn.tree.leaves(grads)[k][index])
            assert_close(found, numeric, abs(numeric) + abs(ends[0]), f"gradient of leaf {k} at {index}")


def check_second_order(f: Callable[[Tree], Tree], primal: Tree, rng: np.random.Generator) -> None:
    """The gradient of <grad <u, f>, v> against central differences of the gradient, for random u and v."""
    u, v = like(rng, f(primal)), like(rng, primal)

    def gradient(p: Tree) -> Tree:
        return fnn.grad(lambda q: weighted(f(q), u))(p)

    product = fnn.grad(lambda p: weighted(gradient(p), v))(primal)
    numeric = directional(gradient, primal, v)
    w = like(rng, primal)
    scale = sum(float(np.abs(a).sum()) for a in fnn.tree.leaves(numeric))
    assert_close(inner(product, w), inner(numeric, w), scale, "second order: Hessian times vector", 2e-5)


def weighted(tree: Tree, weights: Tree) -> Tree:
    """<tree, weights> in operations that are differentiated."""
    total: Tree = np.float64(0)
    for x, w in zip(fnn.tree.leaves(tree), fnn.tree.leaves(weights), strict=True):
        total = total + np.sum(x * w)
    return total


def writable_overlap(result: Tree, given: Tree) -> bool:
    """Whether writing to a leaf of the result could change a leaf of what was given."""
    return any(
        a.flags.writeable and np.may_share_memory(a, b)
        for a in fnn.tree.leaves(result)
        for b in fnn.tree.leaves(given)
        if isinstance(a, np.ndarray) and isinstance(b, np.ndarray)
    )


def global_state() -> tuple[object, ...]:
    """What a pure function must leave alone: NumPy's global generator and error handling, Python's generator."""
    kind, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 (to see that nobody uses it)
    return kind, np.asarray(keys).tobytes(), tuple(rest), tuple(sorted(np.geterr().items())), random.getstate()
