"""predict: what a model gives, in pieces that bound the memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from fnn.functional.checks import check_int
from fnn.layers.layer import In, Layer, Out, P, S, forward
from fnn.training.usage import usage
from fnn.tree import flatten, show
from fnn.tree.structure import is_leaf

if TYPE_CHECKING:
    from fnn.data.batching import Batches
    from fnn.data.rows import Examples, Subset


@usage("fnn.predict(model, ts.params, ts.state, x)")
def predict(
    model: Layer[In, Out, P, S],
    params: P,
    state: S,
    x: In | Subset[In] | Examples[In] | Batches[In] | Iterator[In],
    /,
    *,
    batch_size: int | None = None,
) -> Out:
    """The model's output in evaluation mode; with batch_size in pieces of that many rows, joined, to bound memory.

    Input and output may be trees: then every leaf is cut and joined along its first axis. x may also be what is read by rows
    (see `fnn.batches`), which is read in pieces of 256 rows where no batch_size is given, or an iterator of batches of inputs,
    or what `fnn.batches` gives.

    Raises ValueError where leaves of x differ in their number of rows, and for outputs that have no rows.

    >>> import fnn
    >>> model = fnn.Dense(2, 3)
    >>> fnn.predict(model, *fnn.init(model, fnn.key(0)), np.ones((5, 2), np.float32), batch_size=2).shape
    (5, 3)
    """
    if batch_size is not None:
        check_int("predict", "batch_size", batch_size)
    elif _is_whole(x):
        whole: Any = x
        return forward(model, params, state, whole)[0]
    from fnn.training.feed import pieces  # noqa: PLC0415 (loads when it is used)

    made: list[tuple[list[Any], Any]] = []
    for piece in pieces("predict", x, 256 if batch_size is None else batch_size):
        y: Any = forward(model, params, state, piece)[0]
        made.append(flatten(y))
        if any([np.ndim(leaf) == 0 for leaf in made[-1][0]]):
            raise ValueError(f"predict: the model gives {show(y)}, which has no rows to join; leave batch_size out")
    if not made:
        raise ValueError("predict: there are no batches, so the shape of the output is not known")
    out: Out = made[0][1].unflatten([np.concatenate(parts) for parts in zip(*[found for found, _ in made], strict=True)])
    return out


def _is_whole(x: object) -> bool:
    """Whether this is a model's input, an array or a tree, and not something to read inputs from."""
    cls = type(x)
    return (
        isinstance(x, (tuple, list, dict))
        or is_leaf(x)
        or hasattr(cls, "__dataclass_fields__")
        or not (hasattr(cls, "__iter__") or hasattr(cls, "__getitem__"))
    )
