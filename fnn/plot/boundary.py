"""What a model decides at every point of a plane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fnn.arrays import Array, Array2, Ints, Value
from fnn.functional.checks import check_int
from fnn.plot.canvas import COLORS, MARKERS, check_names, numbers, one

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def decision_boundary(
    predict: Callable[[Array2], Array | Ints],
    x: Array2,
    labels: Ints | Array,
    *,
    names: Sequence[str] | None = None,
    threshold: float = 0.0,
    resolution: int = 200,
    ax: Axes | None = None,
) -> Axes:
    """The classes that a model predicts over the plane, the lines between them, and the data.

    predict: points [n, 2] to logits or probabilities [n, classes], to one score [n, 1] or [n], which means class 1 above
    `threshold` (0 for a logit; take 0.5 for a probability), or to class numbers [n]. As `functools.partial(fnn.predict,
    model, ts.params, ts.state)`. x: [n, 2]; labels: the classes of its rows, [n] or [n, 1]; names: of the classes.

    The plane is a grid of resolution x resolution points, a tenth wider than the data, in the dtype of x.

    Raises ValueError where x is not 2-dimensional, labels do not fit or there are more than six classes.

    >>> ax = decision_boundary(lambda x: x[:, :1] - x[:, 1:], np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0, 1]))
    >>> ax.get_legend_handles_labels()[1]
    ['0', '1']
    """
    points = numbers("decision_boundary", "x", x)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(
            f"decision_boundary: x has shape {points.shape}, expected [n, 2]: a plane has two features; of more, draw two and "
            "let predict fill in the others"
        )
    if not np.isfinite(points).all():
        raise ValueError("decision_boundary: x has numbers that are not finite")
    if not callable(predict):
        raise TypeError(
            f"decision_boundary: predict is a {type(predict).__name__}, expected a function of points: "
            "functools.partial(fnn.predict, model, ts.params, ts.state)"
        )
    classes = _classes(labels, len(points))
    check_int("decision_boundary", "resolution", resolution, 2)
    low, high = points.min(0), points.max(0)
    margin = np.where(high > low, 0.1 * (high - low), 1.0)
    axes = [np.linspace(a - m, b + m, resolution) for a, b, m in zip(low, high, margin, strict=True)]
    x1, x2 = np.meshgrid(*axes)
    dtype = points.dtype if points.dtype.kind == "f" else np.float32
    grid: Value = np.stack([x1.ravel(), x2.ravel()], 1).astype(dtype)
    leads = _leads(predict(grid), len(grid), threshold)
    regions = leads.argmax(1)
    last = max(int(classes.max()), int(regions.max()))
    n = max(last + 1, 2) if names is None else len(names)
    labelled = check_names("decision_boundary", "names", names, n)
    _check_few(n)
    if last >= n:
        raise ValueError(f"decision_boundary: class {last} has no name among the {n} in names")

    ax = one("decision_boundary", ax, 4.6, 4)
    present = np.unique(regions)
    for k in present:
        lead = leads[:, k].reshape(x1.shape)
        ax.contourf(x1, x2, lead, [0, lead.max() + 1], colors=COLORS[k], alpha=0.3)
        if k != present[0]:  # a line is between two classes, so that the first is in no need of its own
            ax.contour(x1, x2, lead, [0], colors="black", linewidths=1.2)
    size = float(np.clip(6000 / len(points), 6, 22))
    for k in range(n):
        rows = points[classes == k]
        ax.scatter(
            rows[:, 0], rows[:, 1], s=size, color=COLORS[k], marker=MARKERS[k], edgecolors="white", linewidths=0.6,
            label=labelled[k], zorder=3,
        )  # fmt: skip
    ax.set(xlabel="$x_1$", ylabel="$x_2$", xlim=(x1.min(), x1.max()), ylim=(x2.min(), x2.max()))
    ax.locator_params(nbins=6)
    ax.legend(loc="best", framealpha=0.9)
    return ax


def _classes(labels: object, n: int) -> Value:
    numbered = "class numbers 0, 1, 2, ...; np.unique(labels, return_inverse=True)[1] makes them of any labels"
    found = numbers("decision_boundary", "labels", labels, axes=numbered)
    if found.shape not in ((n,), (n, 1)):
        hint = "; of one-hot rows take labels.argmax(1)" if found.ndim == 2 and len(found) == n else ""
        raise ValueError(f"decision_boundary: labels has shape {found.shape}, expected [{n}] as x has {n} rows{hint}")
    flat = found.ravel()
    wrong = flat[~((flat >= 0) & (flat % 1 == 0))] if flat.dtype != np.bool_ else flat[:0]
    if wrong.size:
        raise ValueError(f"decision_boundary: labels has {wrong[0]}, expected {numbered}")
    return flat.astype(np.int64)


def _check_few(n: int) -> None:
    if n > len(COLORS):
        raise ValueError(f"decision_boundary: {n} classes are too many to tell apart, expected at most {len(COLORS)}")


def _leads(made: object, size: int, threshold: float) -> Value:
    """How far each class is ahead of all others, [points, classes]: the predicted one is above 0."""
    if isinstance(made, tuple):
        raise TypeError("decision_boundary: predict returned a tuple, expected an array, as fnn.predict gives it")
    found = numbers("decision_boundary", "what predict returned", made)
    if found.shape[0:1] != (size,) or found.ndim > 2:
        raise ValueError(
            f"decision_boundary: predict returned shape {found.shape} for {size} points, expected [n] or [n, classes]"
        )
    if not np.isfinite(found).all():
        raise ValueError("decision_boundary: predict returned numbers that are not finite")
    if found.ndim == 2 and found.shape[1] > 1:
        scores = found.astype(np.float64)
    elif found.dtype.kind == "f":
        scores = np.stack([np.full(size, threshold), found.ravel().astype(np.float64)], 1)
    else:
        if found.min() < 0:
            raise ValueError(f"decision_boundary: predict returned the class {found.min()}, expected 0, 1, 2, ...")
        _check_few(int(found.max()) + 1)
        scores = np.eye(len(COLORS))[found.ravel().astype(np.int64)]
    second, first = np.sort(scores, 1)[:, -2:].T
    # the best is ahead of the second, the others are behind the best
    return np.where(scores == first[:, np.newaxis], scores - second[:, np.newaxis], scores - first[:, np.newaxis])
