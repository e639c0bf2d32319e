"""Rules for some of the leaves: transforms under a mask, optimisers by group, frozen leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from fnn.arrays import Array1, Ints, read_only
from fnn.optim.optimizer import (
    LEAVES,
    Optimizer,
    Rule,
    Segments,
    Slots,
    Transform,
    check_is_optimizer,
    init_parts,
    no_updates,
    update_parts,
)
from fnn.optim.selection import mask_of
from fnn.tree import Selector


@lru_cache(maxsize=256)
def _part_of(where: Callable[[str, tuple[int, ...]], bool], segments: Segments) -> tuple[Any, Segments, Ints]:
    """Where the chosen leaves lie in the vector, how they lie in one of their own, and their numbers."""
    mask_of(where, segments)
    numbers = [i for i, segment in enumerate(segments) if where(segment.path, segment.shape)]
    chosen = [segments[i] for i in numbers]
    places = [np.arange(segment.start, segment.stop) for segment in chosen]
    moved = []
    start = 0
    for segment in chosen:
        stop = start + segment.stop - segment.start
        moved.append(segment._replace(start=start, stop=stop))
        start = stop
    index: Any = np.concatenate(places)
    if len(index) and index[-1] - index[0] + 1 == len(index):
        index = slice(int(index[0]), int(index[-1]) + 1)
    return index, tuple(moved), read_only(np.array(numbers, np.int64))


@dataclass(frozen=True)
class Masked(Transform):
    """A transform for the leaves that `where` chooses; the updates of the others pass as they are, bit for bit."""

    where: Selector
    rule: Transform

    def __post_init__(self) -> None:
        if not isinstance(self.rule, Transform):
            raise TypeError(f"Masked: the rule is {self.rule!r}, expected a Transform; for optimizers there is Groups")

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """The moments of the rule, for these leaves only."""
        index, inside, numbers = _part_of(self.where, segments)
        return {f"0.{LEAVES}": numbers, **init_parts((self.rule,), params[index].copy(), inside)}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        index, inside, numbers = _part_of(self.where, segments)
        own = {key: vector for key, vector in slots.items() if key != f"0.{LEAVES}"}
        part, after = update_parts((self.rule,), grads[index], own, params[index], step, inside)
        updates = grads.copy()
        updates[index] = part
        return updates, {f"0.{LEAVES}": numbers, **after}


def _rest_of(selectors: Sequence[Selector]) -> Selector:
    return lambda path, shape: not any([where(path, shape) for where in selectors])


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
        self.__dict__.update(groups=groups, rest=rest)

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """The moments of each, for its leaves only."""
        made: dict[str, Any] = {}
        for i, (rule, index, inside, numbers) in enumerate(_places_of(self, segments)):
            made[f"{i}.{LEAVES}"] = numbers
            made |= {f"{i}.{name}": v for name, v in rule.init_flat(params[index].copy(), inside).items()}
        return made

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        delta = np.empty_like(grads)
        after: dict[str, Any] = {}
        for i, (rule, index, inside, numbers) in enumerate(_places_of(self, segments)):
            prefix = f"{i}."
            own = {key[len(prefix) :]: v for key, v in slots.items() if key.startswith(prefix)}
            own.pop(LEAVES, None)
            delta[index], new = rule.update_flat(grads[index], own, params[index], step, inside)
            after[f"{i}.{LEAVES}"] = numbers
            after |= {f"{i}.{name}": v for name, v in new.items()}
        return delta, after


@lru_cache(maxsize=256)
def _places_of(spec: Groups, segments: Segments) -> list[tuple[Rule, Any, Segments, Ints]]:
    """Each optimiser with where its leaves lie. ValueError where a group is empty or a leaf belongs to none."""
    found: list[tuple[Rule, Any, Segments, Ints]] = []
    before: list[Selector] = []
    for where, opt in spec.groups:
        earlier = tuple(before)

        def chosen(path: str, shape: tuple[int, ...], where: Selector = where, earlier: Any = earlier) -> bool:
            return where(path, shape) and not any([other(path, shape) for other in earlier])

        found.append((opt, *_part_of(chosen, segments)))
        before.append(where)
    left = [path for path, _, _, shape in segments if not any([where(path, shape) for where in before])]
    if spec.rest is None and left:
        raise ValueError(
            f"Groups: {left[0] or 'the root'} belongs to no group; give rest=optimizer, or rest=fnn.optim.Freeze() for no updates"
        )
    if spec.rest is not None and left:
        found.append((spec.rest, *_part_of(_rest_of(before), segments)))
    return found


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
