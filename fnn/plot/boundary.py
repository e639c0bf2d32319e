"""What a model decides at every point of a plane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fnn.arrays import Array, Array2, Ints, Value
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
    classes = _classes(labels, len(points))
    if resolution < 2:
        raise ValueError(f"decision_boundary: resolution is {resolution}, expected at least 2")
    low, high = points.min(0), points.max(0)
    margin = np.where(high > low, 0.1 * (high - low), 1.0)
    axes = [np.linspace(a - m, b + m, resolution) for a, b, m in zip(low, high, margin, strict=True)]
    x1, x2 = np.meshgrid(*axes)
    dtype = points.dtype if points.dtype.kind == "f" else np.float32
    grid: Value = np.stack([x1.ravel(), x2.ravel()], 1).astype(dtype)
    regions, scores = _decide(predict(grid), resolution, threshold)
    n = max(int(classes.max()), int(regions.max())) + 1 if names is None else len(names)
    n = max(n, 2)
    if n > len(COLORS):
        raise ValueError(f"decision_boundary: {n} classes are too many to tell apart, expected at most {len(COLORS)}")
    if max(int(classes.max()), int(regions.max())) >= n:
        raise ValueError(f"decision_boundary: class {max(classes.max(), regions.max())} has no name among the {n} in names")
    labelled = check_names("decision_boundary", "names", names, n)

    ax = one("decision_boundary", ax, 4.6, 4)
    ax.contourf(x1, x2, regions, np.arange(n + 1) - 0.5, colors=COLORS[:n], alpha=0.3)
    lines: dict[str, Any] = {"colors": "black", "linewidths": 1.2}
    if scores is not None:
        ax.contour(x1, x2, scores, [threshold], **lines)
    else:
        for k in np.unique(regions)[1:]:
            ax.contour(x1, x2, regions >= k, [0.5], **lines)
    for k in range(n):
        rows = points[classes == k]
        ax.scatter(
            rows[:, 0], rows[:, 1], s=22, color=COLORS[k], marker=MARKERS[k], edgecolors="white", linewidths=0.6,
            label=labelled[k], zorder=3,
        )  # fmt: skip
    ax.set(xlabel="$x_1$", ylabel="$x_2$", xlim=(x1.min(), x1.max()), ylim=(x2.min(), x2.max()))
    ax.locator_params(nbins=6)
    ax.legend(loc="upper right", framealpha=0.9)
    return ax


def _classes(labels: object, n: int) -> Value:
    found = numbers("decision_boundary", "labels", labels)
    if found.shape not in ((n,), (n, 1)):
        raise ValueError(f"decision_boundary: labels has shape {found.shape}, expected [{n}] as x has {n} rows")
    whole = found.ravel().astype(np.int64)
    if (whole != found.ravel()).any() or whole.min() < 0:
        raise ValueError("decision_boundary: labels are not class numbers 0, 1, 2, ...")
    return whole


def _decide(made: object, resolution: int, threshold: float) -> tuple[Value, Value]:
    """Class numbers [resolution, resolution] of the grid, and the scores where there is one for each point, else None."""
    found = numbers("decision_boundary", "what predict returned", made)
    size = resolution**2
    if found.shape[0] != size or found.ndim > 2:
        raise ValueError(
            f"decision_boundary: predict returned shape {found.shape} for {size} points, expected [n] or [n, classes]"
        )
    square = (resolution, resolution)
    if found.ndim == 2 and found.shape[1] > 1:
        return found.argmax(1).reshape(square), None
    if found.dtype.kind == "f":
        return (found > threshold).astype(np.int64).reshape(square), found.reshape(square)
    return found.astype(np.int64).reshape(square), None
