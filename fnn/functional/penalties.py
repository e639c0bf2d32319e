"""Penalties on parameters, to be added to a loss: pure functions of a tree, with a selector of leaves."""

from __future__ import annotations

import numpy as np

from fnn.arrays import Scalar, Value
from fnn.functional.checks import check_number
from fnn.tree import PyTree, Selector, everything, paths


def _total(name: str, tree: PyTree, where: Selector, measure: Value) -> Value:
    chosen = [leaf for path, leaf in paths(tree) if leaf.dtype.kind == "f" and where(path, leaf.shape)]
    if not chosen:
        raise ValueError(f"{name}: no floating leaf is chosen; there are {[path for path, _ in paths(tree)][:8]}")
    total = measure(chosen[0])
    for leaf in chosen[1:]:
        total = total + measure(leaf)
    return total


def l1(tree: PyTree, /, *, where: Selector = everything) -> Scalar:
    """The sum of |entry| over the leaves that `where` chooses. The subgradient at 0 is 0.

    Raises ValueError where no leaf is chosen.

    >>> l1({"w": np.array([[1.0, -2.0]]), "b": np.array([5.0])}, where=lambda path, shape: len(shape) > 1)
    np.float64(3.0)
    """
    made: Scalar = _total("l1", tree, where, lambda leaf: np.sum(np.abs(leaf)))
    return made


def l2(tree: PyTree, /, *, where: Selector = everything) -> Scalar:
    """Half the sum of entry^2 over the leaves that `where` chooses: its gradient is the parameters (weight decay).

    Raises ValueError where no leaf is chosen.

    >>> import fnn
    >>> def loss(p: fnn.Array1) -> fnn.Scalar:
    ...     return np.sum(p) + 0.1 * l2(p)
    >>> fnn.grad(loss)(np.array([1.0, 2.0]))
    array([1.1, 1.2])
    """
    made: Scalar = 0.5 * _total("l2", tree, where, lambda leaf: np.sum(leaf * leaf))
    return made


def elastic_net(tree: PyTree, /, *, ratio: float = 0.5, where: Selector = everything) -> Scalar:
    """ratio * l1 + (1 - ratio) * l2 (Zou and Hastie 2005, in scikit-learn's form)."""
    check_number("elastic_net", "ratio", ratio)
    if not 0 <= ratio <= 1:
        raise ValueError(f"elastic_net: ratio is {ratio}, the part of l1, expected a number in [0, 1]")
    made: Scalar = float(ratio) * l1(tree, where=where) + (1 - float(ratio)) * l2(tree, where=where)
    return made
