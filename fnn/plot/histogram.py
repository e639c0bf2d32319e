"""How the numbers of each parameter, and of its gradient, are spread."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from fnn.arrays import Value
from fnn.functional.checks import check_int
from fnn.plot.canvas import BLUE, ORANGE, several, tidy
from fnn.tree import PyTree, flatten, paths
from fnn.tree.operations import check_floating
from fnn.tree.structure import difference

if TYPE_CHECKING:
    from matplotlib.axes import Axes

P = TypeVar("P", bound=PyTree)

MOST = 48  # so many pictures are still to be read


def histograms(
    params: P, grads: P | None = None, *, bins: int = 30, ax: Axes | Iterable[Axes] | None = None
) -> tuple[Axes, ...]:
    """A histogram of each leaf of a tree, by its path; with grads, that of its gradient follows each in another colour.

    params, grads: trees of one structure, as `fnn.grad` gives it. The titles have path and shape, and the pictures mean and
    standard deviation; numbers that are not finite are counted there and left out. More than 48 pictures are refused:
    draw a part of the tree, as params[:4].

    Raises ValueError where the trees differ, or have too many leaves; TypeError where a leaf is not floating.

    >>> import fnn
    >>> params, _ = fnn.init(fnn.Dense(2, 3), fnn.key(0))
    >>> [ax.get_title() for ax in histograms(params)]
    ['.weight  [2, 3]', '.bias  [3]']
    """
    check_floating("histograms", params, "draw the parameters, not the state")
    named = paths(params)
    if not named:
        raise ValueError("histograms: params has no arrays: there is nothing to draw")
    check_int("histograms", "bins", bins)
    columns: list[list[Value]] = [[leaf for _, leaf in named]]
    if grads is not None:
        found = flatten(params)[1].leaves_of(grads)
        if found is None:
            raise ValueError(f"histograms: params and grads are of unlike structure: {difference(params, grads)}")
        columns.append(found)
    n = len(named) * len(columns)
    if n > MOST:
        raise ValueError(f"histograms: {n} pictures are too many to read, expected at most {MOST}; draw a part of the tree")
    made = several("histograms", ax, n, 4 if n > 2 else n, 2.9, 2.3)
    rows = [
        (path, values, kind)
        for i, (path, _) in enumerate(named)
        for kind, column in enumerate(columns)
        for values in [column[i]]
    ]
    for each, (path, values, kind) in zip(made, rows, strict=True):
        flat: Value = np.ravel(values).astype(np.float64)
        finite = flat[np.isfinite(flat)]
        each.hist(finite, bins, range=_range(finite, bins), color=(BLUE, ORANGE)[kind], edgecolor="white", linewidth=0.4)
        each.set_title(("", "gradient of ")[kind] + f"{path}  {list(np.shape(values))}", fontsize=9)
        with np.errstate(over="ignore"):
            notes = [f"mean {finite.mean():.2g}", f"std {finite.std():.2g}"] if finite.size else []
        if finite.size < flat.size:
            notes.append(f"{flat.size - finite.size} not finite")
        each.text(0.97, 0.95, "\n".join(notes), transform=each.transAxes, ha="right", va="top", fontsize=8)
        each.margins(y=0.35)  # room for the notes
        each.locator_params(axis="x", nbins=4)
        each.locator_params(axis="y", integer=True)
        each.tick_params(labelsize=8)
        tidy(each)
    return made


def _range(values: Value, bins: int) -> tuple[float, float] | None:
    """Room for the bins around values that hardly differ: between them are fewer numbers than bins. None elsewhere."""
    if not values.size:
        return None
    low, high = float(values.min()), float(values.max())
    pad = 2 * bins * float(np.spacing(max(abs(low), abs(high))))
    return (low - pad, high + pad) if 0 < high - low < pad else None
