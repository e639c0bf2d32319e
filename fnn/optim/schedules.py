"""Learning rates as pure functions of the step: any function from the number of updates done, 0 at first, to a rate.

Wherever an optimiser takes a learning rate it takes a number or such a function. These here are frozen values: they
compare, pickle, and can be printed and plotted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import pairwise
from math import cos, pi

from fnn.functional.checks import check_int
from fnn.optim.checks import check_hyper
from fnn.optim.learning_rate import Rate, check_rate, rate_at


def _check(schedule: object, *, at_least_0: Sequence[str] = (), steps: Sequence[str] = ()) -> None:
    name = type(schedule).__name__
    for field in at_least_0:
        check_hyper(name, field, getattr(schedule, field), 0)
    for field in steps:
        check_int(name, field, getattr(schedule, field))


def _check_boundaries(name: str, what: str, values: tuple[object, ...], boundaries: tuple[int, ...]) -> None:
    """ValueError or TypeError unless there is one boundary between two values each, and they increase."""
    if len(values) != len(boundaries) + 1:
        raise ValueError(
            f"{name}: {len(values)} {what} and {len(boundaries)} boundaries, expected one boundary between two {what} each"
        )
    for boundary in boundaries:
        check_int(name, "a boundary", boundary)
    if any([a >= b for a, b in pairwise(boundaries)]):
        raise ValueError(f"{name}: the boundaries {boundaries} do not increase")


@dataclass(frozen=True)
class Constant:
    """The same rate at every step."""

    rate: float

    def __post_init__(self) -> None:
        _check(self, at_least_0=("rate",))

    def __call__(self, step: int, /) -> float:
        """The rate at a step."""
        return self.rate


@dataclass(frozen=True)
class StepDecay:
    """rate * factor^floor(step / every): down by a factor every so many steps.

    >>> [StepDecay(1.0, every=10, factor=0.5)(step) for step in (0, 9, 10, 25)]
    [1.0, 1.0, 0.5, 0.25]
    """

    rate: float
    _: KW_ONLY
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        _check(self, at_least_0=("rate", "factor"), steps=("every",))

    def __call__(self, step: int, /) -> float:
        """The rate at a step."""
        return float(self.rate * self.factor ** (step // self.every))


@dataclass(frozen=True)
class Piecewise:
    """rates[i] from the i-th boundary on: one rate more than boundaries, which increase.

    >>> [Piecewise((1.0, 0.1, 0.01), boundaries=(100, 200))(step) for step in (99, 100, 200)]
    [1.0, 0.1, 0.01]
    """

    rates: tuple[float, ...]
    _: KW_ONLY
    boundaries: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "rates", tuple(self.rates))
        object.__setattr__(self, "boundaries", tuple(self.boundaries))
        for rate in self.rates:
            check_hyper("Piecewise", "a rate", rate, 0)
        _check_boundaries("Piecewise", "rates", self.rates, self.boundaries)

    def __call__(self, step: int, /) -> float:
        """The rate at a step."""
        return self.rates[sum([step >= boundary for boundary in self.boundaries])]


@dataclass(frozen=True)
class ExponentialDecay:
    """rate * factor^(step / steps), and no lower than `end`."""

    rate: float
    _: KW_ONLY
    steps: int
    factor: float
    end: float = 0.0

    def __post_init__(self) -> None:
        _check(self, at_least_0=("rate", "factor", "end"), steps=("steps",))

    def __call__(self, step: int, /) -> float:
        """The rate at a step."""
        return float(max(self.rate * self.factor ** (step / self.steps), self.end))


@dataclass(frozen=True)
class InverseTime:
    """rate / (1 + decay * step)^power: power 1 is 1/t decay, 0.5 that of the square root."""

    rate: float
    _: KW_ONLY
    decay: float
    power: float = 1.0

    def __post_init__(self) -> None:
        _check(self, at_least_0=("rate", "decay", "power"))

    def __call__(self, step: int, /) -> float:
        """The rate at a step."""
        return float(self.rate / (1 + self.decay * step) ** self.power)


@dataclass(frozen=True)
class Polynomial:
    """From `rate` to `end` in `steps` steps: end + (rate - end) * (1 - step / steps)^power, then `end`. Power 1 is linear.

    >>> [Polynomial(1.0, steps=4)(step) for step in (0, 1, 4, 9)]
    [1.0, 0.75, 0.0, 0.0]
    """

    rate: float
    _: KW_ONLY
    steps: int
    end: float = 0.0
    power: float = 1.0

    def __post_init__(self) -> None:
        _check(self, at_least_0=("rate", "end", "power"), steps=("steps",))

    def __call__(self, step: int, /) -> float:
        """The rate at a step."""
        left = 1 - min(step, self.steps) / self.steps
        return float(self.end + (self.rate - self.end) * left**self.power)


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from `rate` to `end` in `steps` steps, then `end`; with restarts, from `rate` again each time.

    end + (rate - end) * (1 + cos(pi * t / T)) / 2, where t counts from the last restart and the periods T are steps, steps
    * growth, steps * growth^2, ... Source: Loshchilov and Hutter 2017 (SGDR), equation 5.

    >>> [round(Cosine(1.0, steps=4)(step), 3) for step in (0, 2, 4, 9)]
    [1.0, 0.5, 0.0, 0.0]
    >>> [round(Cosine(1.0, steps=4, restarts=True)(step), 3) for step in (0, 2, 4, 6)]
    [1.0, 0.5, 1.0, 0.5]
    """

    rate: float
    _: KW_ONLY
    steps: int
    end: float = 0.0
    restarts: bool = False
    growth: int = 1

    def __post_init__(self) -> None:
        _check(self, at_least_0=("rate", "end"), steps=("steps", "growth"))

    def __call__(self, step: int, /) -> float:
        """The rate at a step."""
        period = self.steps
        if self.restarts:
            while step >= period:
                step -= period
                period *= self.growth
                if self.growth == 1:
                    step %= period
        t = min(step, period) / period
        return self.end + (self.rate - self.end) * (1 + cos(pi * t)) / 2


@dataclass(frozen=True)
class WarmUp:
    """Linear from `start` for `steps` steps to what `then` has at its own step 0, and then as `then`.

    >>> schedule = WarmUp(4, then=Cosine(1.0, steps=100))
    >>> [schedule(step) for step in (0, 1, 4)]
    [0.0, 0.25, 1.0]
    """

    steps: int
    _: KW_ONLY
    then: Rate
    start: float = 0.0

    def __post_init__(self) -> None:
        _check(self, at_least_0=("start",), steps=("steps",))
        check_rate("WarmUp", self.then, "then")

    def __call__(self, step: int, /) -> float:
        """The rate at a step."""
        if step >= self.steps:
            return rate_at(self.then, step - self.steps)
        return self.start + (rate_at(self.then, 0) - self.start) * step / self.steps


@dataclass(frozen=True)
class OneCycle:
    """Up and down once in `steps` steps, along half cosines: from rate / first_factor to `rate` in the part `warm` of the
    steps, then down to rate / first_factor / last_factor.

    Source: Smith and Topin 2018, in the form of PyTorch's OneCycleLR (without the cycle of the momentum).
    """

    rate: float
    _: KW_ONLY
    steps: int
    warm: float = 0.3
    first_factor: float = 25.0
    last_factor: float = 1e4

    def __post_init__(self) -> None:
        _check(self, at_least_0=("rate", "warm", "first_factor", "last_factor"), steps=("steps",))
        if self.warm > 1:
            raise ValueError(f"OneCycle: warm is {self.warm}, the part of the steps that go up, expected at most 1")
        if not (self.first_factor and self.last_factor):
            raise ValueError("OneCycle: first_factor and last_factor divide the rate, so they are not 0")

    def __call__(self, step: int, /) -> float:
        """The rate at a step."""
        first = self.rate / self.first_factor
        peak = self.warm * self.steps - 1
        last = self.steps - 1
        at = min(step, last)
        if at <= peak:
            return first + (self.rate - first) * (1 - cos(pi * at / peak)) / 2 if peak > 0 else self.rate
        end = first / self.last_factor
        return end + (self.rate - end) * (1 + cos(pi * (at - peak) / (last - peak))) / 2


@dataclass(frozen=True)
class Joined:
    """One schedule after another: the i-th from the i-th boundary on, counting its steps from there."""

    schedules: tuple[Rate, ...]
    _: KW_ONLY
    boundaries: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "schedules", tuple(self.schedules))
        object.__setattr__(self, "boundaries", tuple(self.boundaries))
        for schedule in self.schedules:
            check_rate("Joined", schedule, "a schedule")
        _check_boundaries("Joined", "schedules", self.schedules, self.boundaries)

    def __call__(self, step: int, /) -> float:
        """The rate at a step."""
        i = sum([step >= boundary for boundary in self.boundaries])
        return rate_at(self.schedules[i], step - (self.boundaries[i - 1] if i else 0))
