"""predict: what a model gives, in pieces that bound the memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnn.arrays import describe
from fnn.layers.layer import In, Layer, Out, P, S, forward
from fnn.tree import flatten, paths, show


def predict(model: Layer[In, Out, P, S], params: P, state: S, x: In, /, *, batch_size: int | None = None) -> Out:
    """The model's output in evaluation mode; with batch_size in pieces of that many rows, joined, to bound memory.

    Input and output may be trees: then every leaf is cut and joined along its first axis.

    Raises ValueError where leaves of x differ in their number of rows, and for outputs that have no rows.

    >>> import fnn
    >>> model = fnn.Dense(2, 3)
    >>> fnn.predict(model, *fnn.init(model, fnn.key(0)), np.ones((5, 2), np.float32), batch_size=2).shape
    (5, 3)
    """
    if batch_size is None:
        return forward(model, params, state, x)[0]
    check_batch_size("predict", batch_size)
    tree: Any = x
    leaves, structure = flatten(tree)
    n = count_rows("predict", x)
    made: list[tuple[list[Any], Any]] = []
    for i in range(0, max(n, 1), batch_size):
        y: Any = forward(model, params, state, structure.unflatten([leaf[i : i + batch_size] for leaf in leaves]))[0]
        made.append(flatten(y))
        if any([np.ndim(leaf) == 0 for leaf in made[-1][0]]):
            raise ValueError(f"predict: the model gives {show(y)}, which has no rows to join; leave batch_size out")
    out: Out = made[0][1].unflatten([np.concatenate(parts) for parts in zip(*[found for found, _ in made], strict=True)])
    return out


def check_batch_size(name: str, batch_size: object) -> None:
    """TypeError or ValueError unless this is a number of rows."""
    if not isinstance(batch_size, int):
        raise TypeError(f"{name}: batch_size is {batch_size}, a {type(batch_size).__name__}, expected an int")
    if batch_size < 1:
        raise ValueError(f"{name}: batch_size is {batch_size}, expected at least 1")


def count_rows(name: str, x: Any) -> int:
    """The number of rows that all leaves of x have."""
    found = paths(x)
    if not found or any([leaf.ndim == 0 for _, leaf in found]):
        raise ValueError(f"{name}: the input is {show(x)}, expected arrays with an axis of rows first")
    (first, head), *rest = found
    for path, leaf in rest:
        if len(leaf) != len(head):
            raise ValueError(
                f"{name}: {path} is {describe(leaf)} but {first} is {describe(head)}; they must have equal first axes"
            )
    return len(head)
