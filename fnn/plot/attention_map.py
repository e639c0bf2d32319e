"""Where each head of an attention looks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fnn.arrays import Array2, Array3
from fnn.plot.canvas import check_names, numbers, several

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_HEADS, MOST_TOKENS = 32, 40


def attention_maps(
    weights: Array2 | Array3,
    tokens: Sequence[str] | None = None,
    memory_tokens: Sequence[str] | None = None,
    *,
    names: Sequence[str] | None = None,
    ax: Axes | Iterable[Axes] | None = None,
) -> tuple[Axes, ...]:
    """The attention weights of each head: rows are the queries, columns what they look at, all on one scale of colours.

    weights: [heads, time, memory_time] of one example, or [time, memory_time] of one head. tokens: labels of the rows, and
    of the columns too where those are as many and memory_tokens doesn't say otherwise. names: of the heads.

    Raises ValueError where labels don't fit, weights are negative or not finite, there are more than 32 heads, or more
    than 40 labels on an axis.

    >>> [ax.get_title() for ax in attention_maps(np.full((2, 3, 3), 1 / 3), ["the", "old", "house"])]
    ['head 0', 'head 1']
    """
    found = numbers("attention_maps", "weights", weights)
    if found.ndim == 2:
        found = found[np.newaxis]
    if found.ndim != 3:
        raise ValueError(
            f"attention_maps: weights has shape {found.shape}, expected [heads, time, memory_time], of one example: weights[0]"
        )
    if not np.isfinite(found).all() or found.min() < 0:
        raise ValueError("attention_maps: weights has numbers that are negative or not finite; take them after the softmax")
    heads, time, memory = found.shape
    if heads > MOST_HEADS:
        raise ValueError(f"attention_maps: {heads} heads are too many to see; draw at most {MOST_HEADS}")
    if memory_tokens is None and time == memory:
        memory_tokens = tokens
    titles = check_names("attention_maps", "names", names, heads) if names is not None else [f"head {i}" for i in range(heads)]
    sides = {"tokens": (tokens, time), "memory_tokens": (memory_tokens, memory)}
    labels = {what: check_names("attention_maps", what, given, n) for what, (given, n) in sides.items() if given is not None}
    if any([len(each) > MOST_TOKENS for each in labels.values()]):
        raise ValueError(f"attention_maps: {max(time, memory)} labels are too many to read, expected at most {MOST_TOKENS}")

    columns = min(4, heads)
    size = float(np.clip(0.22 * max(time, memory), 2.2, 6.0))
    made = several("attention_maps", ax, heads, columns, size + 0.5, size * min(2.0, max(0.4, time / memory)) + 0.8)
    top = float(found.max()) or 1.0
    for i, (each, title, values) in enumerate(zip(made, titles, found, strict=True)):
        image = each.imshow(values, cmap="viridis", vmin=0, vmax=top)
        each.set_title(title, fontsize=10)
        if "memory_tokens" in labels:
            each.set_xticks(range(memory), labels["memory_tokens"], rotation=90, fontsize=8)
        if "tokens" in labels:
            each.set_yticks(range(time), labels["tokens"] if i % columns == 0 or ax is not None else [""] * time, fontsize=8)
        each.set_xlabel("looks at")
        if i % columns == 0 or ax is not None:
            each.set_ylabel("query")
        if i == heads - 1:
            each.figure.colorbar(image, ax=list(made), shrink=0.8, label="attention weight")
    return made
