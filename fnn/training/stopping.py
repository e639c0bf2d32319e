"""When to stop and what to keep: immutable state machines, each usable alone, in `fnn.fit` or in a loop of one's own."""

from __future__ import annotations

from dataclasses import KW_ONLY, InitVar, dataclass, replace
from math import isfinite, isnan
from typing import Any, Generic, TypeVar

import numpy as np

from fnn.arrays import Scalar, describe
from fnn.functional.checks import check_int, check_number
from fnn.optim.checks import check_hyper
from fnn.training.train_state import TrainState
from fnn.tree import PyTree, paths

T = TypeVar("T")


@dataclass(frozen=True)
class EarlyStopping(Generic[T]):
    """After `patience` values in a row that are no better than the best, `stopped` is true; `best_state` is that of the best.

    Better than the best means by more than `min_delta`. `best_state` is at first the TrainState that training starts from.
    `maximize=True` is for metrics that should grow. A value that is not a number is never better. Prechelt, "Early stopping -
    but when?" (1998).

    >>> import fnn
    >>> stopping = fnn.EarlyStopping(2, "at the start")
    >>> for epoch, loss in enumerate([0.9, 0.5, 0.6, 0.5, 0.1]):
    ...     stopping = stopping.update(loss, f"after epoch {epoch}")
    ...     if stopping.stopped:
    ...         break
    >>> epoch, stopping.best, stopping.best_state
    (3, 0.5, 'after epoch 1')
    """

    patience: int
    best_state: T
    _: KW_ONLY
    min_delta: float = 0.0
    maximize: bool = False
    best: float | None = None
    waited: int = 0

    def __post_init__(self) -> None:
        check_int("EarlyStopping", "patience", self.patience, 1)
        check_hyper("EarlyStopping", "min_delta", self.min_delta, 0)

    @property
    def stopped(self) -> bool:
        """Whether there were `patience` values in a row without a better one."""
        return self.waited >= self.patience

    def update(self, value: float | Scalar, state: T, /) -> EarlyStopping[T]:
        """The machine after one more value, which belongs to this state."""
        check_number("EarlyStopping.update", "the value", value)
        number = float(value)
        sign = -1.0 if self.maximize else 1.0
        if not isnan(number) and (self.best is None or sign * number < sign * self.best - self.min_delta):
            return replace(self, best=number, best_state=state, waited=0)
        return replace(self, waited=self.waited + 1)


@dataclass(frozen=True)
class KeepBest(Generic[T]):
    """The k best of what it is shown: `entries` are pairs (value, state), the best first; of equal values the first seen.

    `start` is the TrainState that training starts from; it is no entry, but stands in for those that are still missing, so
    that a file of a KeepBest has the same arrays at any time. `maximize=True` is for metrics that should grow. A value that is
    not a number is never kept.

    >>> import fnn
    >>> kept = fnn.KeepBest(2, "at the start", maximize=True)
    >>> for name, accuracy in [("a", 0.5), ("b", 0.9), ("c", 0.7)]:
    ...     kept = kept.update(accuracy, name)
    >>> kept.entries
    ((0.9, 'b'), (0.7, 'c'))
    """

    k: int
    start: InitVar[T]
    _: KW_ONLY
    maximize: bool = False
    places: tuple[tuple[float, T], ...] = ()
    filled: int = 0

    def __post_init__(self, start: T) -> None:
        check_int("KeepBest", "k", self.k, 1)
        if not self.filled:
            object.__setattr__(self, "places", ((0.0, start),) * self.k)

    @property
    def entries(self) -> tuple[tuple[float, T], ...]:
        """The pairs (value, state), the best first."""
        return self.places[: self.filled]

    @property
    def states(self) -> tuple[T, ...]:
        """The states alone, the best first: for a vote or a mean."""
        return tuple([state for _, state in self.entries])

    def update(self, value: float | Scalar, state: T, /) -> KeepBest[T]:
        """The k best of those before and this one."""
        check_number("KeepBest.update", "the value", value)
        number = float(value)
        if isnan(number):
            return self
        # sorted keeps the order of equal values, also in reverse
        ranked = sorted([*self.entries, (number, state)], key=lambda entry: entry[0], reverse=self.maximize)
        filled = min(len(ranked), self.k)
        return replace(self, start=state, places=(*ranked[:filled], *self.places[filled:]), filled=filled)


@dataclass(frozen=True)
class StopOnNan:
    """Once a loss, a parameter or a state is NaN or infinite, `stopped` is true, and `message` says which and where.

    It looks at every array after every step; `fnn.fit` by itself looks at the losses, and at the parameters of its records.

    >>> import fnn
    >>> model, opt = fnn.Dense(1, 1), fnn.Sgd(1e30)
    >>> step = fnn.train_step(fnn.supervised(model, fnn.mse), opt)
    >>> ts, guard = fnn.start(model, opt, fnn.key(0)), StopOnNan()
    >>> with np.errstate(all="ignore"):
    ...     while not guard.stopped:
    ...         ts, loss = step(ts, np.ones((2, 1), np.float32), np.zeros((2, 1), np.float32))
    ...         guard = guard.update(loss, ts)
    >>> guard.step
    2
    >>> guard.message
    'after step 2 the loss is inf, params.weight has 1 of 1 entries that are not finite, first at [0, 0] of f32[1,1], ...
    """

    step: int | None = None
    message: str = ""

    @property
    def stopped(self) -> bool:
        """Whether something was not finite."""
        return self.step is not None

    def update(self, loss: float | Scalar, ts: TrainState[Any, Any], /) -> StopOnNan:
        """The machine after one more step, which gave this loss and this state. Keeps what it found first."""
        if self.stopped:
            return self
        found = [] if isfinite(loss) else [f"the loss is {float(loss)}"]
        found += not_finite({"params": ts.params, "state": ts.state, "opt": dict(ts.opt.slots)})
        if not found:
            return self
        return replace(self, step=ts.step, message=f"after step {ts.step} {', '.join(found[:3])}{_more(found)}: {ADVICE}")


ADVICE = "run that step again inside `with fnn.debug_nans():` to see which operation made it"


def not_finite(parts: dict[str, PyTree]) -> list[str]:
    """A sentence for every leaf with entries that are NaN or infinite."""
    found = []
    for name, part in parts.items():
        for path, leaf in paths(part):
            bad = ~np.isfinite(leaf) if leaf.dtype.kind == "f" else np.zeros(())
            if bad.any():
                first = np.argwhere(bad)[0].tolist()
                count = f"{np.count_nonzero(bad)} of {leaf.size} entries that are not finite"
                found.append(f"{name}{path} has {count}, first at {first} of {describe(leaf)}")
    return found


def _more(found: list[str]) -> str:
    return f" and {len(found) - 3} more" if len(found) > 3 else ""


def lost(name: str, loss: float, ts: TrainState[Any, Any], epoch: int, number: int, batch: PyTree) -> FloatingPointError:
    """The error of a loop whose loss is no longer finite; ts is the state before the step, batch what it was called with."""
    found = not_finite({"params": ts.params, "state": ts.state})
    before = f"before it {', '.join(found[:3])}{_more(found)}" if found else "the parameters before it are all finite"
    bad = not_finite({"batch": batch})
    given = f"{', '.join(bad[:3])}{_more(bad)}: leave such rows out or fill them; " if bad else ""
    return FloatingPointError(
        f"{name}: the loss of step {ts.step} (epoch {epoch}, batch {number}) is {loss}; {given}{before}; {ADVICE}, "
        "and to go on in spite of it say stop_on_nan=False"
    )
