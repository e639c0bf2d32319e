"""The learning-rate finder: short training with a rate that grows, and a picture of the loss over it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import numpy as np

from fnn.arrays import Array1, Scalar, describe
from fnn.functional.checks import check_int
from fnn.plot.canvas import BLUE, ORANGE, one, tidy
from fnn.plot.loss_curves import smoothed
from fnn.training.train_state import TrainState
from fnn.tree import PyTree

if TYPE_CHECKING:
    from matplotlib.axes import Axes

P = TypeVar("P", bound=PyTree)
S = TypeVar("S", bound=PyTree)
# what `train_step` makes
Step: TypeAlias = Callable[..., tuple[TrainState[P, S], Scalar]]

_SMOOTH = 0.8


class RateSearch(NamedTuple):
    """What `find_learning_rate` finds, all [tried]; `suggestion` is None where the loss never fell."""

    rates: Array1
    losses: Array1
    smoothed: Array1
    suggestion: float | None


def find_learning_rate(
    make_step: Callable[[float], Step[P, S]],
    ts: TrainState[P, S],
    batches: Iterable[Sequence[Any]],
    *,
    low: float = 1e-6,
    high: float = 1.0,
    n: int = 100,
) -> RateSearch:
    """Train up to n steps, with a learning rate that grows by a constant factor from low to high; a pure function.

    make_step(rate) is the step with that rate, as `lambda rate: fnn.train_step(loss, fnn.Adam(rate))`; ts is where it
    starts and stays as it is; batches are the arguments of each step, (x, y), and begin again where a list of them ends.
    The search ends early where the loss is not finite, or has risen by more than twice what it began with or has fallen.

    The suggestion is the rate at which the loss falls most steeply over log(rate), before its minimum; the loss is
    smoothed forwards and backwards, so that it doesn't lag. It is a start, not an optimum.
    Source: Smith 2015, "Cyclical Learning Rates for Training Neural Networks", section 3.3, with a geometric sweep.

    Raises ValueError unless 0 < low < high, n >= 8, and there are enough batches.

    >>> import fnn
    >>> def loss(w: fnn.Array1, state: None, mode: fnn.Mode) -> tuple[fnn.Scalar, None]:
    ...     return fnn.mean(w * w), state
    >>> ts = fnn.train_state(np.ones(3), None, fnn.Sgd(1.0), fnn.key(0))
    >>> found = find_learning_rate(lambda rate: fnn.train_step(loss, fnn.Sgd(rate)), ts, [()], low=1e-3, high=100)
    >>> found.suggestion is not None and 0.01 < found.suggestion < 3
    True
    """
    if not (0 < low < high and np.isfinite(high)):
        raise ValueError(f"find_learning_rate: low is {low} and high {high}, expected 0 < low < high")
    check_int("find_learning_rate", "n", n, 8)
    if not callable(make_step):
        raise TypeError(
            f"find_learning_rate: make_step is a {type(make_step).__name__}, expected a function of the rate, as "
            "lambda rate: fnn.train_step(loss, fnn.Adam(rate))"
        )
    rates = np.geomspace(low, high, n)
    source = iter(batches)
    if isinstance(batches, Sequence):
        if not batches:
            raise ValueError("find_learning_rate: batches is empty, expected the arguments of each step, as [(x, y)]")
        source = cycle(batches)
    losses: list[float] = []
    loss: Scalar = np.float64("nan")
    average = weight = best = 0.0
    for rate in rates.tolist():
        batch = next(source, None)
        if batch is None:
            raise ValueError(
                f"find_learning_rate: the batches ended after {len(losses)} of {n} steps; pass a list, which begins again"
            )
        if isinstance(batch, np.ndarray):
            raise TypeError(
                f"find_learning_rate: a batch is {describe(batch)}, expected the arguments of a step, (x, y); one batch is "
                "written [(x, y)]"
            )
        ts, loss = make_step(rate)(ts, *batch)
        if not np.isfinite(loss):
            break
        losses.append(float(loss))
        average, weight = _SMOOTH * average + float(loss), _SMOOTH * weight + 1
        best = min(best, average / weight) if losses[1:] else losses[0]
        if average / weight - best > 2 * max(abs(losses[0]), losses[0] - best):
            break
    if not losses:
        raise ValueError(f"find_learning_rate: the loss is {loss} at the first step, before any update; look at model and data")
    raw = np.array(losses)
    smooth: Array1 = (smoothed(raw, _SMOOTH) + smoothed(raw[::-1], _SMOOTH)[::-1]) / 2
    return RateSearch(rates[: len(raw)], raw, smooth, _steepest(rates[: len(raw)], smooth))


def _steepest(rates: Array1, losses: Array1) -> float | None:
    """The rate where the losses fall most, left of their minimum."""
    end = int(np.argmin(losses)) + 1
    if end < 3:
        return None
    slopes = np.gradient(losses[:end])  # the rates are evenly spaced in log(rate)
    where = int(np.argmin(slopes))
    return float(rates[where]) if slopes[where] < 0 else None


def learning_rates(search: RateSearch, *, ax: Axes | None = None) -> Axes:
    """The loss over the learning rate, smoothed, with the raw values faintly behind it, and the suggestion.

    >>> found = RateSearch(np.array([0.1, 1.0]), np.array([2.0, 1.0]), np.array([2.0, 1.2]), 0.1)
    >>> learning_rates(found).get_xscale()
    'log'
    """
    if not isinstance(search, RateSearch):
        raise TypeError(f"learning_rates: search is a {type(search).__name__}, expected what find_learning_rate returns")
    ax = one("learning_rates", ax)
    ax.plot(search.rates, search.losses, color=BLUE, alpha=0.3, linewidth=0.8, label="_raw")
    ax.plot(search.rates, search.smoothed, color=BLUE, linewidth=1.6, label="loss, smoothed")
    if search.suggestion is not None:
        ax.axvline(search.suggestion, color=ORANGE, linestyle="--", label=f"suggestion: {search.suggestion:.1e}")
        # a loss that has exploded must not flatten the fall before it
        before = search.smoothed[: int(np.argmin(search.smoothed)) + 1]
        fall = float(before.max() - before.min())
        ax.set_ylim(before.min() - 0.15 * fall, before.max() + 0.35 * fall)
    ax.set_xscale("log")
    ax.set(xlabel="learning rate", ylabel="loss")
    ax.legend(frameon=False)
    tidy(ax)
    return ax
