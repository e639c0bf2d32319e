"""The last block of an optimiser: minus the learning rate, a number or a schedule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from fnn.arrays import Array1, constant, rounded
from fnn.functional.checks import check_number
from fnn.optim.checks import check_hyper
from fnn.optim.optimizer import Optimizer
from fnn.optim.state import Segments, Slots

Schedule: TypeAlias = Callable[[int], float]
Rate: TypeAlias = float | Schedule


def check_rate(name: str, rate: Rate, what: str = "learning_rate") -> None:
    """ValueError or TypeError unless this is a learning rate: a number of at least 0, or a schedule."""
    if isinstance(rate, type):
        raise TypeError(f"{name}: {what} is the class {rate.__name__}; make a schedule with {rate.__name__}(...)")
    if not callable(rate):
        if not isinstance(rate, (int, float, np.floating, np.integer)):
            raise TypeError(f"{name}: {what} is {rate!r}, a {type(rate).__name__}, expected a number or a function of the step")
        check_hyper(name, what, rate, 0)


def rate_at(rate: Rate, step: int, what: str = "learning_rate") -> float:
    """The learning rate at a step, of a number or a schedule. TypeError or ValueError where it is no rate."""
    if not callable(rate):
        return float(rate)
    value = rate(step)
    check_number(what, f"{rate!r} at step {step}", value)
    if not 0 <= value < float("inf"):
        raise ValueError(f"{what}: {rate!r} is {value} at step {step}, expected a number of at least 0")
    return float(value)


@dataclass(frozen=True)
class ScaleByLearningRate(Optimizer):
    """-learning_rate * updates: by itself plain gradient descent.

    The state keeps "learning_rate", three numbers: the rate of the next update, which `OptState.learning_rate` reads; the
    factor by which a run has changed it, 1 at first; and what it would be without that factor.
    """

    learning_rate: Rate

    def __post_init__(self) -> None:
        check_rate("ScaleByLearningRate", self.learning_rate)

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """The rate at step 0, and factor 1."""
        base = rate_at(self.learning_rate, 0)
        return {"learning_rate": np.array([base, 1.0, base], params.dtype)}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        return self._scaled(grads, slots, params.dtype, step, None)

    def update_owned(
        self, updates: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """In place."""
        return self._scaled(updates, slots, params.dtype, step, updates)

    def _scaled(
        self, updates: Array1, slots: Slots, dtype: np.dtype[Any], step: int, out: Array1 | None
    ) -> tuple[Array1, Slots]:
        _, factor, kept = slots["learning_rate"].tolist()
        rate = self.learning_rate
        if callable(rate):
            base = rate_at(rate, step + 1)
            delta = np.multiply(updates, np.array(-(rate_at(rate, step) * factor), dtype), out)
            return delta, {"learning_rate": np.array([base * factor, factor, base], dtype)}
        base = float(rate)
        delta = np.multiply(updates, constant(-(base * factor), dtype), out)
        if kept != rounded(base, dtype):
            return delta, {"learning_rate": np.array([base * factor, factor, base], dtype)}
        return delta, slots

    @property
    def owns_updates(self) -> bool:
        """A product that was just made."""
        return True
