"""The state of an optimiser: steps, moments and learning rates, which one can read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeAlias

import numpy as np

from fnn.arrays import Array1, Value, describe, read_only
from fnn.optim.checks import check_hyper
from fnn.tree import Layout, Record, Segment, show
from fnn.tree.structure import T as P

# read-only for the checker; a dict for trees and pickle
Slots: TypeAlias = Mapping[str, Array1]
Segments: TypeAlias = tuple[Segment, ...]


@dataclass(frozen=True, eq=False, repr=False)
class OptState(Record, Generic[P]):
    """State of an optimiser: `step`, the number of updates applied, and its moments, each a flat vector in `slots`;
    `made_by` is the optimiser's class.

    `moment(name)` is a moment as a tree like the parameters: "momentum" for Sgd; "mu" and "nu" for Adam.
    """

    step: int
    slots: Slots
    layout: Layout[P]
    made_by: str

    def moment(self, name: str, /) -> P:
        """A moment as a tree of the parameters' type, read-only: "mu", or "1.mu" for that of part 1 where several have one.

        The moments of one name that groups of leaves keep are one tree; leaves of groups that keep none are 0.

        KeyError, with the names there are, for another name.
        """
        kept = {key: leaves for key in self.slots if (leaves := self._leaves_of(key)) is not None}
        found = [name] if name in kept else [key for key in kept if key.endswith(f".{name}")]
        chosen = [leaf for key in found for leaf in kept[key]]
        if not found or len(set(chosen)) < len(chosen):
            shorts = {key: key.rpartition(".")[2] for key in kept}
            there = {key if sum([other == short for other in shorts.values()]) > 1 else short for key, short in shorts.items()}
            raise KeyError(
                f"OptState.moment: {'several parts have a' if found else 'no'} moment {name!r}; "
                f"this optimizer keeps {sorted(there) or 'none'}"
            )
        if len(chosen) == len(self.layout.segments) and len(found) == 1:
            return self.layout.unpack(self.slots[found[0]])
        vector = np.zeros(self.layout.size, self.layout.dtype)
        for key in found:
            start = 0
            for leaf in kept[key]:
                segment = self.layout.segments[leaf]
                stop = start + segment.stop - segment.start
                vector[segment.start : segment.stop] = self.slots[key][start:stop]
                start = stop
        return self.layout.unpack(read_only(vector))

    def _leaves_of(self, key: str) -> list[int] | None:
        """The numbers of the leaves whose moment this vector is, None for one that is no moment."""
        if _is_rate(key) or self.slots[key].dtype != self.layout.dtype:
            return None
        leaves, segments = self._leaves_at(key), self.layout.segments
        size = sum([segments[i].stop - segments[i].start for i in leaves])
        return leaves if self.slots[key].shape == (size,) else None

    def _leaves_at(self, key: str) -> list[int]:
        """The numbers of the leaves that the part of this key sees: of every group around it, some."""
        leaves = list(range(len(self.layout.segments)))
        at = key.find(".") + 1
        while at:
            numbers: Any = self.slots.get(f"{key[:at]}{LEAVES}")
            if numbers is not None:
                leaves = [leaves[i] for i in numbers.tolist()]
            at = key.find(".", at) + 1
        return leaves

    @property
    def learning_rates(self) -> dict[str, float]:
        """The learning rate of the next update for every leaf that has one, by path: {"[0].weight": 0.001, ...}."""
        found = {i: _rate_of(vector) for key, vector in self.slots.items() if _is_rate(key) for i in self._leaves_at(key)}
        return {self.layout.segments[i].path: found[i] for i in sorted(found)}

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next update. ValueError where the optimiser has none, or several that differ."""
        rates = {_rate_of(vector) for key, vector in self.slots.items() if _is_rate(key)}
        if not rates:
            raise ValueError(
                f"OptState.learning_rate: {self.made_by} keeps none; one with blocks ends in optim.ScaleByLearningRate"
            )
        if len(rates) > 1:
            first = {rate: path for path, rate in reversed(self.learning_rates.items())}
            told = ", ".join(sorted([f"{rate} for {path or 'the root'}" for rate, path in first.items()]))
            raise ValueError(f"OptState.learning_rate: {self.made_by} has {told}; see learning_rates")
        return rates.pop()

    def scale_learning_rate(self, factor: float, /) -> OptState[P]:
        """A state whose learning rates, from now on, are `factor` times what they are: those of schedules too.

        Factors multiply: 0.5 twice is a quarter. ValueError where the optimiser keeps no learning rate.
        """
        check_hyper("OptState.scale_learning_rate", "the factor", factor, 0)
        return self._with_factors("scale_learning_rate", lambda now, base: now * float(factor))

    def with_learning_rate(self, rate: float, /) -> OptState[P]:
        """A state whose next update has this learning rate; schedules go on from there in proportion.

        ValueError where the optimiser keeps no learning rate, or its schedule is 0 at this step.
        """
        check_hyper("OptState.with_learning_rate", "the rate", rate, 0)

        def factor(now: float, base: float) -> float:
            if base == 0:
                raise ValueError(
                    "OptState.with_learning_rate: the schedule is 0 at this step, and no multiple of that is a rate"
                )
            return float(rate) / base

        return self._with_factors("with_learning_rate", factor)

    def _with_factors(self, method: str, factor_of: Callable[[float, float], float]) -> OptState[P]:
        if not any([_is_rate(key) for key in self.slots]):
            raise ValueError(f"OptState.{method}: {self.made_by} keeps no learning rate in its state")
        slots: dict[str, Array1] = {}
        for key, vector in self.slots.items():
            slots[key] = vector
            if _is_rate(key):
                _, now, base = vector.tolist()
                factor = factor_of(now, base)
                slots[key] = read_only(np.array([base * factor, factor, base], vector.dtype))
        return replace(self, slots=slots)


# The name under which a rule for some of the leaves keeps their numbers, as integers.
LEAVES = "leaves"


def _is_rate(key: str) -> bool:
    return key.rpartition(".")[2] == "learning_rate"


def _rate_of(vector: Array1) -> float:
    # the shortest number that rounds to what is stored: 0.1 rather than 0.10000000149 in float32
    return float(str(vector[0]))


def frozen_like(slots: Any, like: Mapping[str, Array1]) -> Slots | None:
    """The usual moments, read-only: as they were, or new and of the same kind. None for any that need a closer look."""
    if not isinstance(slots, dict) or slots.keys() != like.keys():
        return None
    frozen: dict[str, Array1] = {}
    for key in slots:
        vector, before = slots[key], like[key]
        if vector is not before and (
            vector.__class__ is not np.ndarray or vector.shape != before.shape or vector.dtype is not before.dtype
        ):
            return None
        vector.setflags(write=False)
        frozen[key] = vector
    return frozen


def checked_slots(name: str, slots: Any, like: Mapping[str, Array1] | None, dtype: Any) -> Slots:
    """The moments that a method of an optimiser gave, read-only. TypeError or ValueError where they are unlike those before."""
    if not isinstance(slots, Mapping) or not all([isinstance(vector, np.ndarray) for vector in slots.values()]):
        raise TypeError(f"{name}: the moments must be a dict of arrays by name, got {show(slots)}")
    if like is not None and slots.keys() != like.keys():
        raise ValueError(f"{name}: the moments are {sorted(slots)}, expected those of the state, {sorted(like)}")
    for key, vector in slots.items():
        before = vector if like is None else like[key]
        expected = dtype if like is None else before.dtype
        if vector.dtype.kind == "f" and vector.dtype != expected:
            raise TypeError(
                f"{name}: the moment {key!r} is {describe(vector)}, expected {expected}, as before and as the parameters"
            )
        if vector.shape != before.shape:
            raise ValueError(f"{name}: the moment {key!r} is {describe(vector)}, expected {describe(before)}, as before")
    return {key: _plain(vector) for key, vector in slots.items()}


def _plain(vector: Value) -> Array1:
    """The vector read-only, and a copy of one of a subclass, as a memory map is, whose flag others may set."""
    made: Array1 = read_only(vector if vector.__class__ is np.ndarray else np.array(vector))
    return made
