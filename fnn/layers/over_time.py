"""A layer for single rows or images, mapped over the time axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, overload

from fnn.arrays import Array2, Array3, Array4, Array5, Value
from fnn.autodiff.primitive import shape_of
from fnn.layers.evaluation import evaluator_of
from fnn.layers.layer import Composable, In, Layer, Out, P, S, check_layer
from fnn.layers.pullback import Bound, BoundPull, bind
from fnn.layers.spec import Spec
from fnn.mode import Mode
from fnn.random import Key


@dataclass(frozen=True, repr=False)
class OverTime(Spec, Composable, Generic[In, Out, P, S]):
    """A body mapped over [batch, time, ...]. Made by `over_time`."""

    _maker = "over_time"

    body: Layer[Any, Any, P, S]

    def init(self, key: Key, /) -> tuple[P, S]:
        """The body's."""
        return self.body.init(key)

    def forward(self, params: P, state: S, x: In, mode: Mode, /) -> tuple[Out, S]:
        """The body on all steps as one batch of batch * time."""
        v: Value = x
        shape = shape_of(v)
        if len(shape) < 3:
            raise ValueError(f"over_time: x has shape {shape}, expected [batch, time, ...] with at least one axis more")
        made: Any = self.body.forward(params, state, v.reshape(-1, *shape[2:]), mode)
        y, after = made
        return y.reshape(*shape[:2], *shape_of(y)[1:]), after

    def bind(self, into: P, wanted: bool, first: int, /) -> Bound:
        """The body's, of all steps as one batch."""
        body = bind(self.body, into, wanted, first)

        def run(leaves: Sequence[Value], state: S, x: Value, mode: Mode) -> tuple[Value, S, BoundPull]:
            made, after, back = body(leaves, state, _rows(x), mode)
            shape, rows = x.shape, made.shape

            def pull(g: Value) -> Value:
                dx = back(g.reshape(rows))
                return None if dx is None else dx.reshape(shape)

            return made.reshape(*shape[:2], *rows[1:]), after, pull

        return run

    def evaluator(self, params: P, state: S, /) -> Callable[[Value], Value]:
        """The body's, of all steps as one batch."""
        body = evaluator_of(self.body, params, state)

        def run(x: Value) -> Value:
            y = body(_rows(x))
            return y.reshape(*x.shape[:2], *y.shape[1:])

        return run


def _rows(x: Value) -> Value:
    """All steps as one batch."""
    if x.ndim < 3:
        raise ValueError("over_time: no axis of time")  # `forward` says more
    return x.reshape(-1, *x.shape[2:])


@overload
def over_time(body: Layer[Array2, Array2, P, S], /) -> OverTime[Array3, Array3, P, S]: ...
@overload
def over_time(body: Layer[Array3, Array2, P, S], /) -> OverTime[Array4, Array3, P, S]: ...
@overload
def over_time(body: Layer[Array3, Array3, P, S], /) -> OverTime[Array4, Array4, P, S]: ...
@overload
def over_time(body: Layer[Array4, Array2, P, S], /) -> OverTime[Array5, Array3, P, S]: ...
@overload
def over_time(body: Layer[Array4, Array4, P, S], /) -> OverTime[Array5, Array5, P, S]: ...
def over_time(body: Any, /) -> Any:
    """The body on every time step (token, frame), with the same parameters: [batch, time, ...] to [batch, time, ...].

    The steps run as one batch of batch * time: batch norm takes its statistics over all of them. Layers that take
    [batch, time, features] anyway, as Dense and the norms, need it only at the head of a chain, which is typed [batch,
    features] there.

    >>> import fnn
    >>> tokens_mlp = fnn.residual(fnn.over_time(fnn.Dense(8, 32) >> fnn.relu >> fnn.Dense(32, 8)))
    >>> frames = fnn.over_time(fnn.Conv2d(1, 8, 3) >> fnn.relu >> fnn.global_avg_pool) >> fnn.LSTM(8, 16)
    """
    check_layer("over_time", body)
    return OverTime(body)
