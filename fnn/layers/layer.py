"""What a layer is: a frozen spec with two pure methods, `init` and `forward`; and `>>`, which chains layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Generic, Protocol, TypeVar, TypeVarTuple, overload

from fnn.arrays import Array, Array2, Array3, Value
from fnn.autodiff import debug
from fnn.autodiff.transforms import watch
from fnn.layers.evaluation import Evaluations, evaluator_of_chain
from fnn.layers.pullback import Bound, Part, Pull, bind_chain, joined, schedule_of, vjp_of_function
from fnn.mode import EVAL, Mode, check_mode
from fnn.promises import ignores_mode
from fnn.random import Key, check_key
from fnn.tree import freeze, show

# Checkers print these names in their messages.
In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)
In = TypeVar("In")
Out = TypeVar("Out")
Mid = TypeVar("Mid")
Next = TypeVar("Next")
P = TypeVar("P")
S = TypeVar("S")
P_co = TypeVar("P_co", covariant=True)
S_co = TypeVar("S_co", covariant=True)
P1 = TypeVar("P1")
P2 = TypeVar("P2")
S1 = TypeVar("S1")
S2 = TypeVar("S2")
Ps = TypeVarTuple("Ps")
Ss = TypeVarTuple("Ss")


class Layer(Protocol[In_contra, Out_co, P, S]):
    """What `>>`, `init`, `forward` and `supervised` accept: any class with these two pure methods is a layer.

    It holds hyper-parameters only and needs no base class, but to start a chain (then derive from `Composable`).
    """

    def init(self, key: Key, /) -> tuple[P, S]:
        """New parameters and state; both None where there are none."""
        ...

    def forward(self, params: P, state: S, x: In_contra, mode: Mode, /) -> tuple[Out_co, S]:
        """The output and the new state (the same, where it did not change)."""
        ...


class HasInit(Protocol[P_co, S_co]):
    """The half of a layer that makes parameters."""

    def init(self, key: Key, /) -> tuple[P_co, S_co]:
        """New parameters and state."""
        ...


def init(layer: HasInit[P, S], key: Key, /) -> tuple[P, S]:
    """New (params, state) of a layer, with read-only leaves: a pure function of the key.

    >>> import fnn
    >>> params, state = fnn.init(fnn.Dense(2, 3) >> fnn.BatchNorm(3), fnn.key(0))
    >>> params
    (DenseParams(weight=f32[2,3], bias=f32[3]), NormParams(scale=f32[3], shift=f32[3]))
    >>> state
    (None, BatchNormState(mean=f32[3], var=f32[3]))
    """
    check_layer("init", layer)
    check_key("init", key)
    return freeze(check_pair(layer, "init", "(params, state)", layer.init(key)))


def forward(layer: Layer[In, Out, P, S], params: P, state: S, x: In, mode: Mode = EVAL, /) -> tuple[Out, S]:
    """The output of a layer and its new state, in evaluation mode unless told otherwise.

    >>> import fnn, numpy as np
    >>> model = fnn.Dense(2, 3) >> fnn.Dropout(0.5)
    >>> params, state = fnn.init(model, fnn.key(0))
    >>> y, state = fnn.forward(model, params, state, np.ones((4, 2), np.float32), fnn.Train(fnn.key(1)))
    >>> y.shape
    (4, 3)
    """
    known = layer._evaluations if mode is EVAL and isinstance(layer, Chain) else None
    if known is not None and not debug.is_active():
        y = known.run(params, state, x)
        if y is not None:
            return y, state
    check_layer("forward", layer)
    check_mode("forward", mode)

    def run(given: dict[str, Any]) -> tuple[Out, S]:
        return check_pair(layer, "forward", "(y, state)", layer.forward(given["params"], state, given["x"], mode))

    given = {"params": params, "x": x}
    made = watch(run, given) if debug.is_active() else run(given)
    if known is not None and made[1] is state:
        known.remember(layer, params, state, x)
    return made


class Composable:
    """Base of a layer that may start a chain: it gives `>>`."""

    @overload
    def __rshift__(
        self: Layer[In, Mid, P1, S1], other: Layer[Mid, Out, P2, S2], /
    ) -> Chain[In, Out, tuple[P1, P2], tuple[S1, S2]]: ...
    @overload
    def __rshift__(
        self: Layer[In, Mid, P1, S1], other: Callable[[Mid], Out], /
    ) -> Chain[In, Out, tuple[P1, None], tuple[S1, None]]: ...
    def __rshift__(self: Any, other: Any, /) -> Any:
        """self, then other: a layer, or a plain function of one array."""
        return join(self, other)

    @overload
    def __rrshift__(
        self: Layer[Mid, Out, P2, S2], other: Layer[In, Mid, P1, S1], /
    ) -> Chain[In, Out, tuple[P1, P2], tuple[S1, S2]]: ...
    @overload
    def __rrshift__(
        self: Layer[Mid, Out, P2, S2], other: Callable[[In], Mid], /
    ) -> Chain[In, Out, tuple[None, P2], tuple[None, S2]]: ...
    def __rrshift__(self: Any, other: Any, /) -> Any:
        """other, a plain function or a layer without `>>` of its own, then self."""
        return join(other, self)


class ComposableRows:
    """`>>` for layers that take [batch, n] or [batch, time, n]: at the start of a chain they take [batch, n], but where the
    second part asks for [batch, time, n]."""

    @overload
    def __rshift__(
        self: Layer[Array2, Array2, P1, S1], other: Layer[Array2, Out, P2, S2], /
    ) -> Chain[Array2, Out, tuple[P1, P2], tuple[S1, S2]]: ...
    @overload
    def __rshift__(
        self: Layer[Array2, Array2, P1, S1], other: Callable[[Array2], Out], /
    ) -> Chain[Array2, Out, tuple[P1, None], tuple[S1, None]]: ...
    @overload
    def __rshift__(
        self: Layer[Array3, Array3, P1, S1], other: Layer[Array3, Out, P2, S2], /
    ) -> Chain[Array3, Out, tuple[P1, P2], tuple[S1, S2]]: ...
    @overload
    def __rshift__(
        self: Layer[Array3, Array3, P1, S1], other: Callable[[Array3], Out], /
    ) -> Chain[Array3, Out, tuple[P1, None], tuple[S1, None]]: ...
    def __rshift__(self: Any, other: Any, /) -> Any:
        """self, then other: a layer, or a plain function of one array."""
        return join(self, other)

    @overload
    def __rrshift__(
        self: Layer[Array2, Array2, P2, S2], other: Layer[In, Array2, P1, S1], /
    ) -> Chain[In, Array2, tuple[P1, P2], tuple[S1, S2]]: ...
    @overload
    def __rrshift__(
        self: Layer[Array2, Array2, P2, S2], other: Callable[[In], Array2], /
    ) -> Chain[In, Array2, tuple[None, P2], tuple[None, S2]]: ...
    @overload
    def __rrshift__(
        self: Layer[Array3, Array3, P2, S2], other: Layer[In, Array3, P1, S1], /
    ) -> Chain[In, Array3, tuple[P1, P2], tuple[S1, S2]]: ...
    @overload
    def __rrshift__(
        self: Layer[Array3, Array3, P2, S2], other: Callable[[In], Array3], /
    ) -> Chain[In, Array3, tuple[None, P2], tuple[None, S2]]: ...
    def __rrshift__(self: Any, other: Any, /) -> Any:
        """other, a plain function or a layer without `>>` of its own, then self."""
        return join(other, self)


class ComposableAnyRank:
    """`>>` for layers that keep the rank: at the start of a chain it stays open."""

    @overload
    def __rshift__(
        self: Layer[Array, Array, P1, S1], other: Layer[Array, Out, P2, S2], /
    ) -> Chain[Array, Out, tuple[P1, P2], tuple[S1, S2]]: ...
    @overload
    def __rshift__(
        self: Layer[Array, Array, P1, S1], other: Callable[[Array], Out], /
    ) -> Chain[Array, Out, tuple[P1, None], tuple[S1, None]]: ...
    def __rshift__(self: Any, other: Any, /) -> Any:
        """self, then other: a layer, or a plain function of one array."""
        return join(self, other)

    @overload
    def __rrshift__(
        self: Layer[Array, Array, P2, S2], other: Layer[In, Array, P1, S1], /
    ) -> Chain[In, Array, tuple[P1, P2], tuple[S1, S2]]: ...
    @overload
    def __rrshift__(
        self: Layer[Array, Array, P2, S2], other: Callable[[In], Array], /
    ) -> Chain[In, Array, tuple[None, P2], tuple[None, S2]]: ...
    def __rrshift__(self: Any, other: Any, /) -> Any:
        """other, a plain function or a layer without `>>` of its own, then self."""
        return join(other, self)


@dataclass(frozen=True)
class Function(Composable, Generic[In, Out]):
    """A plain function of one array as a layer without parameters: to start a chain with it, `Function(f) >> ...`.

    Elsewhere in a chain the function itself will do.
    """

    f: Callable[[In], Out]
    applies_f: ClassVar[bool] = True  # for layers.pullback, as the next
    ignores_mode: ClassVar[bool] = True

    def init(self, key: Key, /) -> tuple[None, None]:
        """No parameters, no state."""
        return None, None

    def forward(self, params: None, state: None, x: In, mode: Mode, /) -> tuple[Out, None]:
        """f(x)."""
        return self.f(x), None

    def vjp(self, params: None, state: None, x: Value, mode: Mode, wanted: bool, /) -> tuple[Value, None, Pull]:
        """That of f."""
        y, pull = vjp_of_function(self.f)(x)
        return y, None, lambda g, into: pull(g)

    def __repr__(self) -> str:
        return getattr(self.f, "__name__", repr(self.f))


@dataclass(frozen=True)
class Chain(Generic[In, Out, P, S]):
    """Layers one after the other. Made by `>>`, or by `chain(layers)` for a list known only at run time.

    Parameters and state are flat tuples with a slot for every part, None for a part that has none. Part i draws its
    parameters from `key.fold(i)` and runs in `mode.fold(i)`, so that no two parts share randomness.
    """

    layers: tuple[Layer[Any, Any, Any, Any], ...]

    def init(self, key: Key, /) -> tuple[P, S]:
        """The parts' parameters and states, each in a tuple."""
        check_key("Chain.init", key)
        made = [check_pair(layer, "init", "(params, state)", layer.init(key.fold(i))) for i, layer in enumerate(self.layers)]
        params: Any = tuple([p for p, _ in made])
        state: Any = tuple([s for _, s in made])
        return params, state

    def forward(self, params: P, state: S, x: In, mode: Mode, /) -> tuple[Out, S]:
        """x through all parts in order."""
        ps: Any = params
        ss: Any = state
        if not (ps.__class__ is ss.__class__ is tuple and len(ps) == len(ss) == len(self.layers)):
            self._check(ps, ss)
        check_mode("chain", mode)
        y: Any = x
        new = list(ss)
        changed = False
        i = 0
        try:
            for i, layer, f, uses_mode in self._schedule:  # the note of an error says which
                if f is not None:
                    y = f(y)
                    continue
                before = ss[i]
                made = layer.forward(ps[i], before, y, mode.fold(i) if uses_mode else mode)
                y, after = (
                    made if made.__class__ is tuple and len(made) == 2 else check_pair(layer, "forward", "(y, state)", made)
                )
                if after is not before:
                    new[i] = after
                    changed = True
        except Exception as error:
            error.add_note(f"in part [{i}] of the chain, {self.layers[i]!r}")
            raise
        new_state: Any = tuple(new) if changed else state
        return y, new_state

    def bind(self, into: P, wanted: bool, first: int, /) -> Bound:
        """Through all parts and back."""
        return bind_chain(self._joined, into, wanted, first)

    def evaluator(self, params: P, state: S, /) -> Callable[[Value], Value]:
        """Through all parts."""
        return evaluator_of_chain(self._joined, params, state)

    @property
    def ignores_mode(self) -> bool:
        """Whether all parts do: for layers.pullback."""
        return all([ignores_mode(layer, "forward") for layer in self.layers])

    @cached_property
    def _evaluations(self) -> Evaluations:
        return Evaluations()

    @cached_property
    def _schedule(self) -> list[Part]:
        return schedule_of(self.layers)

    @cached_property
    def _joined(self) -> list[Part]:
        return joined(self._schedule)

    def __getstate__(self) -> dict[str, Any]:
        return {"layers": self.layers}

    @overload
    def __getitem__(self, part: int, /) -> Layer[Any, Any, Any, Any]: ...
    @overload
    def __getitem__(self, part: slice, /) -> Chain[Any, Any, Any, Any]: ...
    def __getitem__(self, part: int | slice, /) -> Any:
        """A part, or the chain of several: `model[:k]` runs on `params[:k]` and `state[:k]`. Loosely typed."""
        if not isinstance(part, slice):
            return self.layers[part]
        layers = self.layers[part]
        if not layers:
            raise ValueError(f"chain: [{part.start}:{part.stop}] of {len(self.layers)} parts leaves none")
        return Chain(layers)

    def __iter__(self) -> Iterator[Layer[Any, Any, Any, Any]]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def _check(self, params: Any, state: Any) -> None:
        n = len(self.layers)
        for what, parts in (("params", params), ("state", state)):
            if not isinstance(parts, tuple) or len(parts) != n:
                found = f"{len(parts)} parts" if isinstance(parts, tuple) else f"a {type(parts).__name__}"
                raise ValueError(f"chain: {what} must be a tuple with a slot for each of the {n} parts, got {found}: {self!r}")

    @overload
    def __rshift__(
        self: Chain[In, Mid, tuple[*Ps], tuple[*Ss]], other: Layer[Mid, Next, P2, S2], /
    ) -> Chain[In, Next, tuple[*Ps, P2], tuple[*Ss, S2]]: ...
    @overload
    def __rshift__(
        self: Chain[In, Mid, tuple[*Ps], tuple[*Ss]], other: Callable[[Mid], Next], /
    ) -> Chain[In, Next, tuple[*Ps, None], tuple[*Ss, None]]: ...
    def __rshift__(self: Any, other: Any, /) -> Any:
        """This chain with one more part at its end; a chain on the right stays one part."""
        return join(*self.layers, other)

    def __repr__(self) -> str:
        return " >> ".join([f"({part!r})" if isinstance(part, Chain) else repr(part) for part in self.layers])


@contextmanager
def located(where: str) -> Iterator[None]:
    """Adds to what is raised inside a note that says where in the model it happened."""
    try:
        yield
    except Exception as error:
        error.add_note(where)
        raise


Pair = TypeVar("Pair")


def check_pair(layer: object, method: str, expected: str, made: Pair) -> Pair:
    """What a method of a layer returned; TypeError where it is no pair."""
    if not isinstance(made, tuple) or len(made) != 2:
        raise TypeError(f"{layer!r}: {method} must return {expected}, got {show(made)}")
    return made


def join(*parts: Any) -> Chain[Any, Any, Any, Any]:
    """A chain of layers and plain functions."""
    return Chain(tuple([_as_layer(part) for part in parts]))


def _as_layer(part: Any) -> Any:
    if not callable(part) or isinstance(part, type) or is_layer(part):
        check_layer(">>", part, "neither a layer (init and forward) nor a function of one array")
        return part
    return Function(part)


def is_layer(part: Any) -> bool:
    """Whether this has the two methods of a layer."""
    return callable(getattr(part, "init", None)) and callable(getattr(part, "forward", None))


def check_layer(name: str, part: Any, problem: str = "not a layer (init and forward)") -> None:
    """TypeError unless this is a layer: the usual mistakes are the class, and a plain function."""
    if not is_layer(part) or isinstance(part, type):
        hint = f"; make one with {part.__name__}(...)" if isinstance(part, type) else ""
        hint = hint or ("; write fnn.Function(f)" if callable(part) else "")
        raise TypeError(f"{name}: {getattr(part, '__name__', repr(part))} is {problem}{hint}")
