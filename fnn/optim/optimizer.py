"""What an optimiser is, its state, `>>` and `update`: the pytree side of all optimisers, written once.

A rule is a frozen spec with two pure methods on vectors, `init_flat` and `update_flat`: all parameters of a net lie in one
contiguous vector, so that a rule is a few NumPy calls however many layers there are. One that differs by leaf reads the
segments, which say where each leaf lies.

A `Transform` maps updates, at first the gradient, to updates. An `Optimizer` gives what is added to the parameters.
`a >> b` passes the updates of a on to b, and is an optimiser as soon as one of its parts is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, TypeAlias, overload

import numpy as np

from fnn.arrays import Array1, Value, describe, read_only
from fnn.optim.state import OptState, Segments, Slots, checked_slots, frozen_like
from fnn.promises import beside
from fnn.specialise import hot
from fnn.tree import Layout, flatten, show
from fnn.tree.structure import T as P

_UpdateFlat: TypeAlias = Callable[[Array1, Slots, Array1, int, Segments], tuple[Array1, Slots]]


class Rule(ABC):
    """What transforms and optimisers have in common: the two methods on vectors."""

    @abstractmethod
    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """The moments before the first step, by name: vectors like the parameters, or shorter ones."""

    @abstractmethod
    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """(updates, slots): the new updates, and the new moments. step counts from 0.

        Pure: it writes to none of its arguments. The updates have the parameters' dtype; those of an optimiser are what
        is added to the parameters, and a fresh vector.
        """

    @property
    def owns_updates(self) -> bool:
        """Whether its updates are always a vector that it has just made and that nothing else holds, no moment either: then the
        new parameters take its place. False unless a subclass says so; it says so of its own `update_flat` only.
        """
        return False

    def update_owned(
        self, updates: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """The same, of updates that nothing else holds: it may write into them. A class that has it has `update_flat` too."""
        return self.update_flat(updates, slots, params, step, segments)


class Transform(Rule):
    """Base of blocks that optimisers are made of: a subclass is a frozen dataclass of hyper-parameters.

    >>> import fnn
    >>> opt = fnn.optim.ClipByGlobalNorm(1.0) >> fnn.AdamW(3e-4)
    """

    @overload
    def __rshift__(self, other: Transform, /) -> TransformChain: ...
    @overload
    def __rshift__(self, other: Optimizer, /) -> OptimizerChain: ...
    def __rshift__(self, other: Rule, /) -> Any:
        """This, then other."""
        return _join(self, other)


class AfterUpdate(Transform):
    """Base of transforms that look at the new parameters, params + updates, and so stand behind an optimiser."""


class Optimizer(Rule):
    """Base of optimisers: a subclass is a frozen dataclass of hyper-parameters with the two methods on vectors.

    `update_flat` gives what is added to the parameters. `opt >> transform` passes that on, as to `optim.Ema`.

    >>> import fnn
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class SignSgd(fnn.Optimizer):
    ...     learning_rate: float
    ...     def init_flat(self, params: fnn.Array1, segments: fnn.Segments, /) -> fnn.Slots:
    ...         return {}
    ...     def update_flat(
    ...         self, grads: fnn.Array1, slots: fnn.Slots, params: fnn.Array1, step: int, segments: fnn.Segments, /
    ...     ) -> tuple[fnn.Array1, fnn.Slots]:
    ...         return -self.learning_rate * np.sign(grads), slots
    >>> params = (np.array([1.0, 2.0]),)
    >>> fnn.update(SignSgd(0.5), (np.array([3.0, -4.0]),), SignSgd(0.5).init(params), params)[0]
    (array([0.5, 2.5]),)
    """

    def init(self, params: P, /) -> OptState[P]:
        """The state before the first step, for parameters like these.

        Raises TypeError, with the path, for a leaf that is not floating and for leaves of several dtypes.
        """
        name = type(self).__name__
        layout: Layout[P] = Layout.of(f"{name}.init", params)
        if not layout.segments:
            raise TypeError(
                f"{name}.init: there are no arrays in {show(params)}, hence nothing to train; Python numbers are constants"
            )
        vector = read_only(layout.pack(flatten(params)[0]))
        slots = checked_slots(f"{name}.init_flat", self.init_flat(vector, layout.segments), None, layout.dtype)
        return OptState(0, slots, layout, name)

    def __rshift__(self, other: Transform, /) -> OptimizerChain:
        """This, then a transform of what it adds to the parameters."""
        chained: OptimizerChain = _join(self, other)
        return chained


class Composed(Optimizer):
    """Base of named optimisers, which only compose blocks: a subclass is a frozen dataclass that says which."""

    @abstractmethod
    def compose(self) -> Optimizer:
        """The blocks, joined by `>>`."""

    @cached_property
    def _composed(self) -> Optimizer:
        return self.compose()

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """Those of the blocks."""
        return self._composed.init_flat(params, segments)

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """Through all blocks in order."""
        return self._composed.update_flat(grads, slots, params, step, segments)

    @property
    def owns_updates(self) -> bool:
        """Those of the blocks."""
        return owns_updates(self._composed)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_composed"}


@dataclass(frozen=True)
class TransformChain(Transform):
    """Transforms one after the other. Made by `>>`."""

    parts: tuple[Rule, ...]

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """Those of the parts, by "part.name"."""
        return init_parts(self.parts, params, segments)

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """Through all parts in order."""
        return update_parts(self.parts, grads, slots, params, step, segments)


@dataclass(frozen=True)
class OptimizerChain(Optimizer):
    """Transforms and one optimiser, one after the other. Made by `>>`."""

    parts: tuple[Rule, ...]

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """Those of the parts, by "part.name"."""
        return init_parts(self.parts, params, segments)

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """Through all parts in order."""
        return update_parts(self.parts, grads, slots, params, step, segments)

    @property
    def owns_updates(self) -> bool:
        """Those of the last part."""
        return owns_updates(self.parts[-1])


def _join(a: Rule, b: Rule) -> Any:
    if not isinstance(b, Rule):
        hint = f"; make one with {b.__name__}(...)" if isinstance(b, type) else ""
        raise TypeError(f">>: {b!r} is neither a Transform nor an Optimizer{hint}")
    parts = tuple([part for rule in (a, b) for part in (rule.parts if isinstance(rule, _CHAINS) else (rule,))])
    optimizers = [part for part in parts if isinstance(part, Optimizer)]
    if len(optimizers) > 1:
        raise TypeError(f">>: {optimizers[0]!r} and {optimizers[1]!r} are both optimizers, and a chain has one")
    if isinstance(parts[-1], Optimizer) and (early := [part for part in parts if isinstance(part, AfterUpdate)]):
        raise TypeError(
            f">>: {early[0]!r} looks at the new parameters, so it stands behind the optimizer: optimizer >> {early[0]!r}"
        )
    return OptimizerChain(parts) if optimizers else TransformChain(parts)


_CHAINS = (TransformChain, OptimizerChain)


def init_parts(parts: Sequence[Rule], params: Array1, segments: Segments) -> Slots:
    """The moments of several rules in one dict: those of the i-th by "i.name"."""
    return {f"{i}.{name}": v for i, part in enumerate(parts) for name, v in part.init_flat(params, segments).items()}


def update_parts(
    parts: Sequence[Rule], updates: Array1, slots: Slots, params: Array1, step: int, segments: Segments
) -> tuple[Array1, Slots]:
    """The updates through several rules, each with its own of the moments."""
    return _in_turn(parts, tuple(slots))(updates, slots, params, step, segments)


def _bound(rule: Rule, keys: tuple[str, ...]) -> _UpdateFlat:
    """A rule's `update_flat` for moments with these keys: that of its blocks, where it only composes them."""
    while isinstance(rule, Composed) and type(rule).update_flat is Composed.update_flat:
        rule = rule._composed
    if type(rule) in _CHAINS:
        return _in_turn(rule.parts, keys)  # type: ignore[attr-defined]  # as chains have them
    return rule.update_flat


def _in_turn(parts: Sequence[Rule], keys: tuple[str, ...]) -> _UpdateFlat:
    """What several rules do one after the other, where the moments have these keys."""
    made = []
    owned = False
    for part, own in zip(parts, _keys_by_part(keys, len(parts)), strict=True):
        in_place = owned and beside(type(part), "update_flat", "update_owned") is not None
        update_flat = part.update_owned if in_place else _bound(part, tuple([name for _, name in own]))
        made.append((part, update_flat, own))
        owned = owns_updates(part)
    bound = tuple(made)

    def update(updates: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /) -> tuple[Array1, Slots]:
        new: dict[str, Array1] = {}  # without keys of no part, which the state of another optimiser has
        changed = False
        for part, update_flat, own_keys in bound:
            own: dict[str, Array1] = {}
            for key, name in own_keys:
                own[name] = new[key] = slots[key]
            updates, after = update_flat(updates, own, params, step, segments)
            if after is not own:
                changed = True
                if after.keys() != own.keys():
                    raise ValueError(f"{part!r}: the moments are {sorted(after)}, expected those of the state, {sorted(own)}")
                for key, name in own_keys:
                    new[key] = after[name]
        return updates, new if changed else slots

    return update


def owns_updates(rule: Rule) -> bool:
    """What a rule says of its updates, unless a subclass has changed what makes them."""
    return beside(type(rule), "update_flat", "owns_updates") is not None and rule.owns_updates


def no_updates(params: Array1) -> Array1:
    """What leaves every parameter as it is: p + -0.0 is p bit for bit, where -0.0 + 0.0 would be 0.0."""
    return np.full_like(params, -0.0)


@lru_cache(maxsize=256)
def _keys_by_part(keys: tuple[str, ...], n: int) -> tuple[tuple[tuple[str, str], ...], ...]:
    """For each of n parts the keys of its moments, and their names without the part."""
    return tuple([tuple([(key, key[len(f"{i}.") :]) for key in keys if key.startswith(f"{i}.")]) for i in range(n)])


def updater(opt: Optimizer) -> Callable[[Array1, OptState[P], Array1], tuple[Array1, OptState[P]]]:
    """One step on vectors, (gradient, state, parameters) to the new parameters, read-only, and the new state."""
    name = type(opt).__name__
    by_keys: dict[tuple[str, ...], Callable[..., Any]] = {}

    def apply(grads: Array1, opt_state: OptState[P], params: Array1) -> tuple[Array1, OptState[P]]:
        slots = opt_state.slots
        keys = tuple(slots)
        step = by_keys.get(keys)
        if step is None:
            step = by_keys[keys] = hot(bound_update(opt, keys))
        try:
            made: tuple[Array1, OptState[P]] = step(grads, opt_state, params)
        except KeyError as error:
            if error.args[:1] == () or error.args[0] in slots:
                raise
            raise ValueError(
                f"{name}: the state has the moments {sorted(set(slots) - {'learning_rate'})} and no {error.args[0]!r}, so it "
                "was made with other options; make a new one with optimizer.init(params)"
            ) from error
        return made

    return apply


def bound_update(opt: Optimizer, keys: tuple[str, ...]) -> Callable[[Array1, OptState[P], Array1], tuple[Array1, OptState[P]]]:
    """The same for states whose moments have these keys, no others. KeyError where the rule reads one that they lack."""
    name = type(opt).__name__
    method = f"{name}.update_flat"
    owned = owns_updates(opt)
    update_flat = _bound(opt, keys)

    def step(grads: Array1, opt_state: OptState[P], params: Array1) -> tuple[Array1, OptState[P]]:
        if opt_state.made_by != name:
            raise ValueError(f"{name} was given the state of {opt_state.made_by}; make its own with optimizer.init(params)")
        slots, layout = opt_state.slots, opt_state.layout
        made: object = update_flat(grads, slots, params, opt_state.step, layout.segments)
        if not isinstance(made, tuple) or len(made) != 2:
            raise TypeError(f"{method}: expected (delta, slots), got {show(made)}")
        delta, moments = made
        if not isinstance(delta, np.ndarray) or delta.shape != params.shape:
            raise TypeError(f"{method}: delta is {show(delta)}, expected a vector like the parameters, {describe(params)}")
        # Else a new array, so that a delta that is a moment too, against the contract, corrupts nothing.
        new: Array1 = np.add(params, delta, delta) if owned else params + delta
        if new.__class__ is not np.ndarray or new.dtype is not params.dtype:
            new = np.array(new, params.dtype)
        new.setflags(write=False)
        if moments is not slots:
            frozen = frozen_like(moments, slots)
            moments = checked_slots(method, moments, slots, params.dtype) if frozen is None else frozen
        state: Any = object.__new__(OptState)
        fields = state.__dict__  # one by one: update takes twice as long
        fields["step"] = opt_state.step + 1
        fields["slots"] = moments
        fields["layout"] = layout
        fields["made_by"] = name
        return new, state

    return step


def update(opt: Optimizer, grads: P, opt_state: OptState[P], params: P, /) -> tuple[P, OptState[P]]:
    """One step of an optimiser: (new params, new state). Nothing that goes in is changed; the new leaves are read-only.

    Raises ValueError or TypeError, with the path, where grads or params are not like those the state was made for.

    >>> import fnn
    >>> params = {"w": np.array([1.0, 2.0])}
    >>> opt = fnn.Sgd(0.5)
    >>> params, state = fnn.update(opt, {"w": np.array([1.0, 1.0])}, opt.init(params), params)
    >>> params, state.step
    ({'w': array([0.5, 1.5])}, 1)
    """
    check_is_optimizer("update", opt)
    if not isinstance(opt_state, OptState):
        raise TypeError(
            f"update: the optimizer's state is a {type(opt_state).__name__}, expected an OptState: opt.init(params)"
        )
    layout = opt_state.layout
    packed: list[Value] = [
        layout.pack(layout.leaves_of("update", what, given)) for what, given in (("grads", grads), ("params", params))
    ]
    vector, state = updater(opt)(packed[0], opt_state, packed[1])
    return layout.unpack(vector), state


def check_is_optimizer(name: str, opt: object) -> None:
    """TypeError, with what to write, unless this is an optimiser."""
    if isinstance(opt, Optimizer):
        return
    if isinstance(opt, Transform):
        raise TypeError(
            f"{name}: {opt!r} is a Transform, which makes no step by itself; end it with an optimizer: {opt!r} >> fnn.Sgd(0.1)"
        )
    hint = f"make one with {opt.__name__}(...)" if isinstance(opt, type) else "expected an Optimizer, as fnn.Adam(1e-3)"
    raise TypeError(f"{name}: the optimizer is {opt!r}, {hint}")
