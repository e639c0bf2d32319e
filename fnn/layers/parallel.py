"""The same input through several layers, whose outputs are added or joined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar, overload

import numpy as np

from fnn.autodiff.primitive import shape_of
from fnn.layers.layer import P1, P2, S1, S2, Composable, In, Layer, Out, P, S, check_layer, located
from fnn.layers.spec import Spec
from fnn.mode import Mode
from fnn.random import Key

P3 = TypeVar("P3")
P4 = TypeVar("P4")
S3 = TypeVar("S3")
S4 = TypeVar("S4")

Join: TypeAlias = Literal["sum", "concatenate"]
_JOINS = ("sum", "concatenate")


@dataclass(frozen=True, repr=False)
class Parallel(Spec, Composable, Generic[In, Out, P, S]):
    """Branches side by side. Made by `parallel`. Branch i has slot i of params and state, `key.fold(i)` and `mode.fold(i)`."""

    branches: tuple[Layer[Any, Any, Any, Any], ...]
    join: Join

    def __repr__(self) -> str:
        options = [] if self.join == "sum" else [f"join={self.join!r}"]
        return f"parallel({', '.join([*map(repr, self.branches), *options])})"

    def init(self, key: Key, /) -> tuple[P, S]:
        """The branches' parameters and states, each in a tuple."""
        made = [branch.init(key.fold(i)) for i, branch in enumerate(self.branches)]
        params: Any = tuple([p for p, _ in made])
        state: Any = tuple([s for _, s in made])
        return params, state

    def forward(self, params: P, state: S, x: In, mode: Mode, /) -> tuple[Out, S]:
        """The outputs of all branches, joined."""
        ps: Any = params
        ss: Any = state
        n = len(self.branches)
        if not (isinstance(ps, tuple) and isinstance(ss, tuple) and len(ps) == len(ss) == n):
            raise ValueError(f"parallel: params and state must be tuples with a slot for each of the {n} branches: {self!r}")
        made = []
        for i, branch in enumerate(self.branches):
            with located(f"in branch [{i}] of the parallel, {branch!r}"):
                made.append(branch.forward(ps[i], ss[i], x, mode.fold(i)))
        y: Any = self._joined([y for y, _ in made])
        after: Any = tuple([s for _, s in made])
        return y, state if all([a is b for a, b in zip(after, ss, strict=True)]) else after

    def _joined(self, ys: list[Any]) -> Any:
        kept = slice(None) if self.join == "sum" else slice(-1)
        shapes = [shape_of(y) for y in ys]
        if len({(len(shape), shape[kept]) for shape in shapes}) > 1:
            wanted = "be equal" if self.join == "sum" else "agree in all axes but the last"
            raise ValueError(f"parallel: the branches give the shapes {shapes}; for join={self.join!r} they must {wanted}")
        if self.join == "concatenate":
            return np.concatenate(ys, axis=-1)
        y = ys[0]
        for other in ys[1:]:
            y = y + other
        return y


@overload
def parallel(
    a: Layer[In, Out, P1, S1], b: Layer[In, Out, P2, S2], /, *, join: Join = ...
) -> Parallel[In, Out, tuple[P1, P2], tuple[S1, S2]]: ...
@overload
def parallel(
    a: Layer[In, Out, P1, S1], b: Layer[In, Out, P2, S2], c: Layer[In, Out, P3, S3], /, *, join: Join = ...
) -> Parallel[In, Out, tuple[P1, P2, P3], tuple[S1, S2, S3]]: ...
@overload
def parallel(
    a: Layer[In, Out, P1, S1],
    b: Layer[In, Out, P2, S2],
    c: Layer[In, Out, P3, S3],
    d: Layer[In, Out, P4, S4],
    /,
    *,
    join: Join = ...,
) -> Parallel[In, Out, tuple[P1, P2, P3, P4], tuple[S1, S2, S3, S4]]: ...
@overload
def parallel(*branches: Layer[In, Out, Any, Any], join: Join = ...) -> Parallel[In, Out, tuple[Any, ...], tuple[Any, ...]]: ...
def parallel(*branches: Any, join: Any = "sum") -> Any:
    """The same x through every branch; outputs are added (join="sum") or concatenated along the last axis.

    params and state are tuples with a slot for every branch, typed for two to four of them. A plain function is a branch
    as `fnn.Function(f)`. The residual connection x + body(x) has a layer of its own, `residual`.

    Raises ValueError where the outputs' shapes do not go together.

    >>> import fnn
    >>> wide_and_deep = fnn.parallel(fnn.Dense(4, 1), fnn.Dense(4, 8) >> fnn.relu >> fnn.Dense(8, 1))
    >>> inception = fnn.parallel(fnn.Conv2d(3, 8, 1), fnn.Conv2d(3, 8, 3), join="concatenate")
    """
    if join not in _JOINS:
        raise ValueError(f"parallel: join is {join!r}, expected one of {_JOINS}")
    if len(branches) < 2:
        raise ValueError(f"parallel: got {len(branches)} branch(es), expected two or more")
    for branch in branches:
        check_layer("parallel", branch)
    return Parallel(branches, join)
