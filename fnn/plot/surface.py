"""Surfaces over a plane, on one scale: the truth against what a model predicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fnn.arrays import Array2
from fnn.plot.canvas import numbers, several

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def surfaces(
    x1: Array2, x2: Array2, heights: Mapping[str, Array2], *, ax: Axes | Iterable[Axes] | None = None
) -> tuple[Axes, ...]:
    """One 3-D surface for each of `heights` by its title, all with the same limits and colours.

    x1, x2: [rows, columns], the points of the plane, as np.meshgrid makes them; heights: [rows, columns] each, as
    {"truth": y, "prediction": fnn.predict(...).reshape(x1.shape)}. ax: 3-D Axes, one for each.

    Raises ValueError where shapes differ or ax is not three-dimensional.

    >>> x1, x2 = np.meshgrid(np.linspace(-1, 1, 5), np.linspace(-1, 1, 5))
    >>> [ax.get_title() for ax in surfaces(x1, x2, {"truth": x1 * x2, "prediction": x1 * 0})]
    ['truth', 'prediction']
    """
    expected = "expected surfaces by name, as {'truth': y, 'prediction': p}"
    if not isinstance(heights, Mapping):
        raise TypeError(f"surfaces: heights is a {type(heights).__name__}, {expected}")
    if not heights:
        raise ValueError(f"surfaces: heights is empty, {expected}")
    grid = numbers("surfaces", "x1", x1, 2, "[rows, columns], as np.meshgrid makes it")
    arrays = {title: numbers("surfaces", f"heights[{title!r}]", z) for title, z in heights.items()}
    for what, found in {"x2": numbers("surfaces", "x2", x2), **{f"heights[{k!r}]": z for k, z in arrays.items()}}.items():
        if found.shape != grid.shape:
            raise ValueError(f"surfaces: {what} has shape {found.shape} but x1 has {grid.shape}; reshape it to x1.shape")
    # what is not finite is a hole
    arrays = {title: np.where(np.isfinite(z), z, np.nan) for title, z in arrays.items()}
    empty = next((title for title, z in arrays.items() if np.isnan(z).all()), None)
    if empty is not None:
        raise ValueError(f"surfaces: heights[{empty!r}] has no finite number")
    low, high = min(float(np.nanmin(z)) for z in arrays.values()), max(float(np.nanmax(z)) for z in arrays.values())
    if low == high:
        low, high = low - 0.5, high + 0.5
    made = several("surfaces", ax, len(arrays), 3, 4, 3.3, projection="3d")
    each: Any  # matplotlib's types don't know 3-D Axes
    for each, (title, z) in zip(made, arrays.items(), strict=True):
        each.plot_surface(grid, x2, z, cmap="viridis", vmin=low, vmax=high, linewidth=0.3, edgecolor=(0, 0, 0, 0.25))
        each.set_title(title, y=0.98)
        each.set(xlabel="$x_1$", ylabel="$x_2$", zlim=(low, high))
        for axis in (each.xaxis, each.yaxis, each.zaxis):
            axis.get_major_locator().set_params(nbins=4)
        each.view_init(elev=25, azim=-55)
        each.set_box_aspect((1, 1, 0.8), zoom=1.0)
    return made
