"""Axes to draw on, colours and numbers: what all pictures share. Nothing here touches pyplot or rcParams."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from fnn.arrays import Array, Ints, Scalar, Value, describe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# a row of numbers, as an array or as a list of losses
Numbers: TypeAlias = Array | Ints | Sequence["float | Scalar"]

# Okabe and Ito 2008: eight colours that people with colour-blindness tell apart (without black and the pale yellow)
BLUE, ORANGE, GREEN, PINK, SKY, GOLD = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"
COLORS = (BLUE, ORANGE, GREEN, PINK, SKY, GOLD)
MARKERS = "os^Dv*"  # a second way to tell classes apart


def new_figure(name: str, width: float, height: float) -> Figure:
    """A figure of width x height inches that no global list knows of. ImportError without matplotlib."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 (only a drawing needs matplotlib)
    except ImportError as error:
        raise ImportError(
            f"fnn.plot.{name} needs matplotlib, the extra `plot`; install it with: pip install 'fnn[plot]'"
        ) from error
    return Figure(figsize=(width, height), layout="constrained")


def one(name: str, ax: Axes | None, width: float = 5.0, height: float = 3.6) -> Axes:
    """`ax`, or new Axes in a figure of their own."""
    if ax is None:
        return new_figure(name, width, height).add_subplot()
    return several(name, ax, 1, 1, width, height)[0]


def several(
    name: str,
    ax: Axes | Iterable[Axes] | None,
    n: int,
    columns: int,
    width: float,
    height: float,
    projection: str | None = None,
) -> tuple[Axes, ...]:
    """The first n Axes of `ax` (also of a grid, as plt.subplots gives it), or n new ones of width x height inches each."""
    if ax is None:
        columns = min(columns, n)
        rows = -(-n // columns)
        figure: Any = new_figure(name, columns * width, rows * height)  # Any: the types know no Axes with a projection of None
        return tuple([figure.add_subplot(rows, columns, i + 1, projection=projection) for i in range(n)])
    from matplotlib.axes import Axes  # noqa: PLC0415 (as above; who has Axes has matplotlib)

    given = list(np.ravel(np.asarray(ax, dtype=object)))
    wrong = next((each for each in given if not isinstance(each, Axes)), None)
    if wrong is not None:
        raise TypeError(f"{name}: ax is or has a {type(wrong).__name__}, expected Axes, as figure.subplots() makes them")
    if len(given) < n:
        raise ValueError(
            f"{name}: ax has {len(given)} Axes but there are {n} pictures; make more, or leave ax out for a figure of its own"
        )
    if projection is None:
        bent = next((each.name for each in given[:n] if each.name != "rectilinear"), None)
        if bent is not None:
            raise ValueError(f"{name}: ax is {bent}, but this picture is flat; make it with figure.subplots()")
    elif any([each.name != projection for each in given[:n]]):
        raise ValueError(
            f"{name}: ax is not three-dimensional; make it with figure.add_subplot(projection={projection!r}) or "
            f"figure.subplots(1, {n}, subplot_kw={{'projection': {projection!r}}})"
        )
    return tuple(given[:n])


def numbers(name: str, what: str, values: object, rank: int | None = None, axes: str = "real numbers") -> Value:
    """`values` as a real array: TypeError where they are no numbers, ValueError where the rank differs or nothing is there."""
    try:
        found = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name}: {what} is no array: {error}") from None
    if found.dtype.kind not in "fiub":
        kind = describe(found) if isinstance(values, np.ndarray) else f"a {type(values).__name__}"
        if isinstance(values, (list, tuple)):
            wrong = [type(v).__name__ for v in found.flat if not isinstance(v, (int, float, np.floating, np.integer))]
            kind += f" that holds a {wrong[0]}"
        raise TypeError(f"{name}: {what} is {kind}, expected {axes}")
    if rank is not None and found.ndim != rank:
        raise ValueError(f"{name}: {what} has shape {found.shape}, expected {axes}")
    if found.size == 0:
        raise ValueError(f"{name}: {what} is empty (shape {found.shape}): there is nothing to draw")
    return found


def check_names(name: str, what: str, names: Sequence[str] | None, n: int) -> list[str]:
    """The names, or "0", "1", ...; ValueError unless there are n."""
    if names is None:
        return [str(i) for i in range(n)]
    if isinstance(names, str):
        raise TypeError(f"{name}: {what} is the string {names!r}, expected a sequence of {n} names, as a list")
    if len(names) != n:
        raise ValueError(f"{name}: {what} has {len(names)} names, expected {n}")
    return [str(each) for each in names]


def short(value: float) -> str:
    """A number in a few characters: two decimals, or one significant digit where those would be 0."""
    text = f"{value:.2f}" if value == 0 or 0.095 <= abs(value) < 1000 or not np.isfinite(value) else f"{value:.1g}"
    return text.replace("-", "\N{MINUS SIGN}")


def light(color: Value) -> bool:
    """Whether black text is better to read on this (red, green, blue) than white text (by its luminance, ITU-R BT.709)."""
    return float(np.dot(color[:3], (0.2126, 0.7152, 0.0722))) > 0.5


def tidy(ax: Axes) -> None:
    """A faint grid, and no frame above and on the right."""
    ax.grid(alpha=0.3)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
