"""Layers made of layers: a chain from a list, the same body n times, a residual connection, a layer from two functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

import numpy as np

from fnn.arrays import Array, Array1, Array2, Array3, Scalar, Value
from fnn.autodiff.primitive import shape_of, unchecked_vjp
from fnn.layers.evaluation import evaluator_of
from fnn.layers.layer import Chain, Composable, In, Layer, Out, P, S, check_layer, is_layer, join, located
from fnn.layers.pullback import Bound, BoundPull, bind, bind_by_tape, bind_chain, schedule_of
from fnn.layers.spec import Spec
from fnn.mode import Mode
from fnn.promises import beside
from fnn.random import Key

# A body that changes the type of what goes through it cannot be repeated or added to its input: a checker that says so
# prints this name.
InSameAsOut = TypeVar("InSameAsOut")


def chain(layers: Iterable[Layer[Any, Any, Any, Any] | Callable[[Any], Any]], /) -> Chain[Any, Any, Any, Any]:
    """A chain of a list of layers and functions that is known only at run time: loosely typed. Else use `>>`.

    >>> import fnn
    >>> widths = [8, 32, 32, 2]
    >>> fnn.chain([fnn.Dense(n, m) for n, m in zip(widths, widths[1:])]).layers[1].n_out
    32
    """
    parts = list(layers)
    if not parts:
        raise ValueError("chain: the list of layers is empty; for a net that does nothing write fnn.chain([fnn.identity])")
    return join(*parts)


@dataclass(frozen=True, repr=False)
class Residual(Spec, Composable, Generic[InSameAsOut, P, S]):
    """x + body(x). Made by `residual`."""

    _maker = "residual"

    body: Layer[InSameAsOut, InSameAsOut, P, S]

    def init(self, key: Key, /) -> tuple[P, S]:
        """The body's."""
        return self.body.init(key)

    def forward(self, params: P, state: S, x: InSameAsOut, mode: Mode, /) -> tuple[InSameAsOut, S]:
        """x + body(x), and the body's state."""
        y, state = self.body.forward(params, state, x, mode)
        if shape_of(y) != shape_of(x):
            raise ValueError(
                f"residual: x has shape {shape_of(x)} but the body makes it {shape_of(y)}; to add them they must be equal"
            )
        a: Value = x
        b: Value = y
        total: InSameAsOut = a + b
        return total, state

    def bind(self, into: P, wanted: bool, first: int, /) -> Bound:
        """g, and what comes back through the body."""
        if wanted and not _reads_once(self.body):
            # the tape adds up every use of x in turn, and (g + a) + b is not g + (a + b) to the last bit
            return bind_by_tape(self, into, wanted, first)
        body = bind(self.body, into, wanted, first)

        def run(leaves: Sequence[Value], state: S, x: Value, mode: Mode) -> tuple[Value, S, BoundPull]:
            y, after, back = body(leaves, state, x, mode)
            if y.shape != x.shape:
                raise ValueError("residual: the body changes the shape")  # `forward` says more
            of_y, of_x = y.dtype, x.dtype

            def pull(g: Value) -> Value:
                dx = back(_in_dtype(g, of_y))
                if not wanted:
                    return None
                g = _in_dtype(g, of_x)
                return g if dx is None else g + _in_dtype(dx, of_x)

            return x + y, after, pull

        return run

    def evaluator(self, params: P, state: S, /) -> Callable[[Value], Value]:
        """x + the body's."""
        body = evaluator_of(self.body, params, state)

        def run(x: Value) -> Value:
            y = body(x)
            if y.shape != x.shape:
                raise ValueError("residual: the body changes the shape")  # `forward` says more
            return x + y

        return run


def _in_dtype(g: Value, dtype: np.dtype[Any]) -> Value:
    return g if g.dtype is dtype or g.dtype == dtype else g.astype(dtype)


def _reads_once(body: Any) -> bool:
    """Whether a layer surely uses its input in one place, so that one cotangent comes back for it, and no sum of several: those
    whose class says `reads_x_once`, functions that are one operation, and what begins with them."""
    while isinstance(body, (Chain, Stack)):
        body = body.layers[0] if isinstance(body, Chain) else body.body
    if beside(body.__class__, "forward", "applies_f"):
        return unchecked_vjp(body.f) is not None
    return beside(body.__class__, "forward", "reads_x_once") is True


def residual(body: Layer[InSameAsOut, InSameAsOut, P, S], /) -> Residual[InSameAsOut, P, S]:
    """The layer x + body(x), with the body's parameters and state (He et al. 2016).

    The body must keep the shape: checkers refuse one that changes the rank, and ValueError says so of other shapes.

    >>> import fnn
    >>> block = fnn.residual(fnn.Dense(8, 8) >> fnn.relu)
    >>> fnn.init(block, fnn.key(0))[0]
    (DenseParams(weight=f32[8,8], bias=f32[8]), None)
    """
    check_layer("residual", body)
    return Residual(body)


@dataclass(frozen=True, repr=False)
class Stack(Spec, Composable, Generic[InSameAsOut, P, S]):
    """The same body n times, each with parameters of its own. Made by `stack`."""

    _maker = "stack"

    n: int
    body: Layer[InSameAsOut, InSameAsOut, P, S]

    def init(self, key: Key, /) -> tuple[tuple[P, ...], tuple[S, ...]]:
        """n times the body's."""
        made = [self.body.init(key.fold(i)) for i in range(self.n)]
        return tuple([p for p, _ in made]), tuple([s for _, s in made])

    def forward(
        self, params: tuple[P, ...], state: tuple[S, ...], x: InSameAsOut, mode: Mode, /
    ) -> tuple[InSameAsOut, tuple[S, ...]]:
        """x through all n in order."""
        if len(params) != self.n or len(state) != self.n:
            raise ValueError(f"stack: params and state must have {self.n} parts each, got {len(params)} and {len(state)}")
        new = []
        for i, (p, s) in enumerate(zip(params, state, strict=True)):
            with located(f"in body [{i}] of the stack"):
                x, after = self.body.forward(p, s, x, mode.fold(i))
            new.append(after)
        unchanged = all([a is b for a, b in zip(new, state, strict=True)])
        return x, state if unchanged else tuple(new)

    def bind(self, into: tuple[P, ...], wanted: bool, first: int, /) -> Bound:
        """That of a chain of n bodies."""
        return bind_chain(schedule_of((self.body,) * self.n), into, wanted, first)

    def evaluator(self, params: tuple[P, ...], state: tuple[S, ...], /) -> Callable[[Value], Value]:
        """The bodies' in order."""
        bodies = [evaluator_of(self.body, p, s) for p, s in zip(params, state, strict=True)]

        def run(x: Value) -> Value:
            for body in bodies:
                x = body(x)
            return x

        return run


@overload
def stack(n: int, body: Layer[InSameAsOut, InSameAsOut, P, S], /) -> Stack[InSameAsOut, P, S]: ...
@overload
def stack(arrays: Sequence[Array1], /, axis: int = 0) -> Array2: ...
@overload
def stack(arrays: Sequence[Array2], /, axis: int = 0) -> Array3: ...
@overload
def stack(arrays: Sequence[Array | Scalar], /, axis: int = 0) -> Array: ...
def stack(first: Any, /, *rest: Any, **options: Any) -> Any:
    """stack(n, body): the same body n times in a row, each with parameters of its own; params is a tuple[P, ...].

    (A loop of `>>` would have no one type.) stack(arrays, axis=0) is np.stack, typed.

    >>> import fnn
    >>> deep = fnn.Dense(2, 8) >> fnn.stack(3, fnn.residual(fnn.Dense(8, 8) >> fnn.relu)) >> fnn.Dense(8, 1)
    >>> len(fnn.init(deep, fnn.key(0))[0][1])
    3
    """
    if is_layer(first):
        raise TypeError(f"stack: the first argument is {first!r}; write stack(n, body)")
    if not isinstance(first, int):
        return np.stack(first, *rest, **options)
    if first < 1:
        raise ValueError(f"stack: n is {first}, expected at least 1")
    check_layer("stack", *rest)
    return Stack(first, *rest)


@dataclass(frozen=True, repr=False)
class Applied(Spec, Composable, Generic[In, Out, P]):
    """A layer without state or randomness, from its two functions. Made by `layer`."""

    _maker = "layer"

    make: Callable[[Key], P]
    apply: Callable[[P, In], Out]

    def init(self, key: Key, /) -> tuple[P, None]:
        """make(key), and no state."""
        return self.make(key), None

    def forward(self, params: P, state: None, x: In, mode: Mode, /) -> tuple[Out, None]:
        """apply(params, x)."""
        return self.apply(params, x), None


def layer(init: Callable[[Key], P], apply: Callable[[P, In], Out], /) -> Applied[In, Out, P]:
    """A layer without state or randomness, from `init(key)` and `apply(params, x)`.

    >>> import fnn, numpy as np
    >>> def make(key: fnn.Key) -> fnn.Array1:
    ...     return np.ones(8, np.float32)
    >>> def scale(weight: fnn.Array1, x: fnn.Array2) -> fnn.Array2:
    ...     return x * weight
    >>> model = fnn.Dense(2, 8) >> fnn.layer(make, scale)
    """
    return Applied(init, apply)
