"""Activation functions with their derivatives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from fnn.arrays import Array1, Value
from fnn.autodiff.transforms import vjp
from fnn.plot.canvas import BLUE, ORANGE, several, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Elementwise: TypeAlias = Callable[[Array1], Array1]


def activations(
    functions: Elementwise | Sequence[Elementwise] | Mapping[str, Elementwise],
    *,
    low: float = -4.0,
    high: float = 4.0,
    ax: Axes | Iterable[Axes] | None = None,
) -> tuple[Axes, ...]:
    """f and its derivative f' over [low, high], a picture for each function; the derivative is what `fnn.vjp` gives.

    functions: one, several, or several by title, as {"leaky": lambda x: fnn.leaky_relu(x, 0.1)}. Each is elementwise.

    Raises ValueError for a function that is not elementwise, as softmax.

    >>> import fnn
    >>> [ax.get_title() for ax in activations([fnn.relu, fnn.tanh])]
    ['relu', 'tanh']
    """
    if not low < high:
        raise ValueError(f"activations: low is {low} and high {high}, expected low < high")
    if isinstance(functions, Mapping):
        named = list(functions.items())
    else:
        # Any: what is no function is refused below
        listed: list[Any] = list(functions) if isinstance(functions, (list, tuple)) else [functions]
        named = [(_name_of(f), f) for f in listed]
    if not named:
        raise ValueError("activations: functions is empty: there is nothing to draw")
    for title, f in named:
        if not callable(f):
            raise TypeError(f"activations: {title} is a {type(f).__name__}, expected a function, as fnn.relu")
    x: Array1 = np.linspace(low, high, 401)
    drawn = [(title, *_slope(title, f, x)) for title, f in named]
    made = several("activations", ax, len(drawn), 4, 2.8, 2.6)
    for i, (each, (title, y, slope)) in enumerate(zip(made, drawn, strict=True)):
        each.plot(x, y, color=BLUE, linewidth=1.8, label="f")
        each.plot(x, slope, "--", color=ORANGE, linewidth=1.4, label="f\N{PRIME}")
        each.axhline(0, color="gray", linewidth=0.6, zorder=0)
        each.axvline(0, color="gray", linewidth=0.6, zorder=0)
        each.set(title=title, xlim=(low, high))
        tidy(each)
        if i == 0:
            each.legend(frameon=False, loc="upper left")
    return made


def _slope(title: str, f: Elementwise, x: Array1) -> tuple[Array1, Array1]:
    with np.errstate(all="ignore"):  # where it is not defined, as log below 0, the curve has a gap
        y, pullback = vjp(f, x)
        # a pullback of ones sums each column of the Jacobian: f' only where that is diagonal
        some: Value = slice(90, 93)  # neither in the middle, nor mirrored onto themselves
        if np.shape(y) != x.shape or not np.array_equal(f(x[some]), y[some], equal_nan=True):
            raise ValueError(
                f"activations: {title} is not elementwise: its values depend on more than one entry, so it has no curve of its "
                "own"
            )
        return y, np.where(np.isnan(y), np.nan, pullback(np.ones_like(y)))


def _name_of(f: Any) -> str:
    if isinstance(f, partial):
        return _name_of(f.func)
    return getattr(f, "__name__", repr(f))
