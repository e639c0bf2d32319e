"""Rules for some of the leaves: transforms under a mask, optimisers by group, frozen leaves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from fnn.arrays import Array1, read_only
from fnn.optim.checks import check_selector
from fnn.optim.optimizer import Optimizer, Rule, Transform, check_is_optimizer, init_parts, no_updates, update_parts
from fnn.optim.selection import chosen_of
from fnn.optim.state import LEAVES, Segments, Slots
from fnn.tree import Selector


class _Part(NamedTuple):
    """Some of the leaves: where they lie in the vector, how they lie in one of their own, and their numbers."""

    index: Any
    inside: Segments
    numbers: Any

    @classmethod
    def of(cls, chosen: Sequence[int], segments: Segments) -> _Part:
        moved = []
        start = 0
        for i in chosen:
            stop = start + segments[i].stop - segments[i].start
            moved.append(segments[i]._replace(start=start, stop=stop))
            start = stop
        index: Any = np.concatenate([np.arange(segments[i].start, segments[i].stop) for i in chosen])
        if len(index) and index[-1] - index[0] + 1 == len(index):
            index = slice(int(index[0]), int(index[-1]) + 1)
        return cls(index, tuple(moved), read_only(np.array(chosen, np.int64)))


@lru_cache(maxsize=256)
def _masked(where: Selector, segments: Segments) -> _Part:
    return _Part.of(chosen_of(where, segments, "Masked: "), segments)


@dataclass(frozen=True)
class Masked(Transform):
    """A transform for the leaves that `where` chooses; the updates of the others pass as they are, bit for bit."""

    where: Selector
    rule: Transform

    def __post_init__(self) -> None:
        check_selector("Masked", self.where)
        if not isinstance(self.rule, Transform):
            raise TypeError(f"Masked: the rule is {self.rule!r}, expected a Transform; for optimizers there is Groups")

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """The moments of the rule, for these leaves only."""
        index, inside, numbers = _masked(self.where, segments)
        return {f"0.{LEAVES}": numbers, **init_parts((self.rule,), params[index].copy(), inside)}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        index, inside, numbers = _masked(self.where, segments)
        own = {key: vector for key, vector in slots.items() if key != f"0.{LEAVES}"}
        part, after = update_parts((self.rule,), grads[index], own, params[index], step, inside)
        updates = grads.copy()
        updates[index] = part
        return updates, {f"0.{LEAVES}": numbers, **after}


@dataclass(frozen=True, init=False)
class Groups(Optimizer):
    """An optimiser for each group of leaves: Groups((selector, optimizer), ..., rest=optimizer).

    A leaf belongs to the first group whose selector(path, shape) is true, else to the rest; without `rest` every leaf must
    belong to a group. Each optimiser sees its own leaves only: a clip by the global norm inside is one by the group's.

    >>> import fnn
    >>> slow = (lambda path, shape: path.startswith("[0]"), fnn.Sgd(1e-3))
    >>> opt = fnn.optim.Groups(slow, rest=fnn.Adam(1e-2))
    """

    groups: tuple[tuple[Selector, Optimizer], ...]
    rest: Optimizer | None

    def __init__(self, *groups: tuple[Selector, Optimizer], rest: Optimizer | None = None) -> None:
        for group in groups:
            if not (isinstance(group, tuple) and len(group) == 2 and callable(group[0])):
                raise TypeError(f"Groups: a group is {group!r}, expected (selector, optimizer), as (fnn.tree.matrices, opt)")
            check_is_optimizer("Groups", group[1])
        if not groups:
            raise TypeError("Groups: there is no group, expected Groups((selector, optimizer), ..., rest=optimizer)")
        if rest is not None:
            check_is_optimizer("Groups", rest)
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "rest", rest)

    def _places(self, segments: Segments) -> Iterable[tuple[Rule, _Part]]:
        """Each optimiser with its leaves."""
        parts = _parts_of(tuple([where for where, _ in self.groups]), self.rest is not None, segments)
        optimizers = [opt for _, opt in self.groups]
        return zip(optimizers if self.rest is None else [*optimizers, self.rest], parts, strict=False)

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """The moments of each, for its leaves only."""
        made: dict[str, Any] = {}
        for i, (rule, (index, inside, numbers)) in enumerate(self._places(segments)):
            made[f"{i}.{LEAVES}"] = numbers
            made |= {f"{i}.{name}": v for name, v in rule.init_flat(params[index].copy(), inside).items()}
        return made

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        delta = np.empty_like(grads)
        after: dict[str, Any] = {}
        for i, (rule, (index, inside, numbers)) in enumerate(self._places(segments)):
            prefix = f"{i}."
            own = {key[len(prefix) :]: v for key, v in slots.items() if key.startswith(prefix)}
            own.pop(LEAVES, None)
            delta[index], new = rule.update_flat(grads[index], own, params[index], step, inside)
            after[f"{i}.{LEAVES}"] = numbers
            after |= {f"{i}.{name}": v for name, v in new.items()}
        return delta, after


@lru_cache(maxsize=256)
def _parts_of(selectors: tuple[Selector, ...], has_rest: bool, segments: Segments) -> list[_Part]:
    """The leaves of each group, and of the rest where there are any. ValueError for an empty group and a leaf that has none."""
    found: list[_Part] = []
    left = list(range(len(segments)))
    for i, where in enumerate(selectors):
        chosen = chosen_of(where, segments, f"Groups: group {i}, ", left)
        found.append(_Part.of(chosen, segments))
        left = [leaf for leaf in left if leaf not in chosen]
    if left and not has_rest:
        raise ValueError(
            f"Groups: {segments[left[0]].path or 'the root'} belongs to no group; give rest=optimizer, or "
            "rest=fnn.optim.Freeze() where it stays as it is"
        )
    return [*found, _Part.of(left, segments)] if left else found


@dataclass(frozen=True)
class Freeze(Optimizer):
    """No updates: for a group of leaves that stay as they are, bit for bit, whatever their gradient is."""

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """None."""
        return {}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """Nothing to add."""
        return no_updates(params), slots
