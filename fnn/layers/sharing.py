"""Parameters that are used twice, and parameters that are not trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic

from fnn.arrays import Value
from fnn.autodiff.transforms import stop_gradient
from fnn.layers.evaluation import evaluator_of
from fnn.layers.layer import P1, P2, S1, S2, Composable, In, Layer, Mid, Next, Out, P, S, check_layer
from fnn.layers.spec import Spec
from fnn.mode import Mode
from fnn.random import Key


@dataclass(frozen=True, repr=False)
class Tied(Spec, Composable, Generic[In, Out, P1, P2, S1, S2]):
    """first, body, and a last function of the parameters of `first`. Made by `tied`."""

    _maker = "tied"

    first: Layer[In, Any, P1, S1]
    body: Layer[Any, Any, P2, S2]
    last: Callable[[P1, Any], Out]

    def init(self, key: Key, /) -> tuple[tuple[P1, P2], tuple[S1, S2]]:
        """The parameters and states of `first` and `body`."""
        p1, s1 = self.first.init(key.fold(0))
        p2, s2 = self.body.init(key.fold(1))
        return (p1, p2), (s1, s2)

    def forward(self, params: tuple[P1, P2], state: tuple[S1, S2], x: In, mode: Mode, /) -> tuple[Out, tuple[S1, S2]]:
        """last(params of first, body(first(x)))."""
        if not isinstance(params, tuple) or not isinstance(state, tuple) or not len(params) == len(state) == 2:
            raise ValueError(f"tied: params and state must be pairs, of first and body: {self!r}")
        (p1, p2), (s1, s2) = params, state
        h, t1 = self.first.forward(p1, s1, x, mode.fold(0))
        h, t2 = self.body.forward(p2, s2, h, mode.fold(1))
        return self.last(p1, h), state if t1 is s1 and t2 is s2 else (t1, t2)

    def evaluator(self, params: tuple[P1, P2], state: tuple[S1, S2], /) -> Callable[[Value], Value]:
        """Those of first and body, then last."""
        (p1, p2), (s1, s2) = params, state
        first, body, last = evaluator_of(self.first, p1, s1), evaluator_of(self.body, p2, s2), self.last

        def run(x: Value) -> Value:
            return last(p1, body(first(x)))

        return run


def tied(
    first: Layer[In, Mid, P1, S1], body: Layer[Mid, Next, P2, S2], last: Callable[[P1, Next], Out], /
) -> Tied[In, Out, P1, P2, S1, S2]:
    """first, then body, then last(params of first, .): the last step uses the parameters of the first again.

    params is (those of first, those of body); the gradient of the shared ones is the sum over both uses. The head of a
    language model tied to its embedding (Press and Wolf 2017):

    >>> import fnn
    >>> model = fnn.tied(fnn.Embedding(65, 32), fnn.LayerNorm(32) >> fnn.Dense(32, 32), fnn.attend)
    >>> fnn.init(model, fnn.key(0))[0][0]
    EmbeddingParams(table=f32[65,32])
    """
    check_layer("tied", first)
    check_layer("tied", body)
    if not callable(last):
        raise TypeError(f"tied: the last argument is {last!r}, expected a function (params of first, x) -> y, as fnn.attend")
    return Tied(first, body, last)


@dataclass(frozen=True, repr=False)
class Frozen(Spec, Composable, Generic[In, Out, P, S]):
    """A body whose parameters get no gradient. Made by `frozen`."""

    _maker = "frozen"

    body: Layer[In, Out, P, S]

    def init(self, key: Key, /) -> tuple[P, S]:
        """The body's."""
        return self.body.init(key)

    def forward(self, params: P, state: S, x: In, mode: Mode, /) -> tuple[Out, S]:
        """The body, with its parameters as constants."""
        held: Any = params  # a tree, which P does not say
        constants: P = stop_gradient(held)
        return self.body.forward(constants, state, x, mode)

    def evaluator(self, params: P, state: S, /) -> Callable[[Value], Value]:
        """The body's."""
        return evaluator_of(self.body, params, state)


def frozen(body: Layer[In, Out, P, S], /) -> Frozen[In, Out, P, S]:
    """The same layer, whose parameters get gradient 0; gradients still flow through it to x.

    To train a new head on a body that is trained already. The running statistics of batch norms inside still move in
    training. An optimiser with weight decay (AdamW) decays parameters whatever their gradient is.

    >>> import fnn, numpy as np
    >>> model = fnn.frozen(fnn.Dense(2, 3)) >> fnn.Dense(3, 1)
    >>> params, state = fnn.init(model, fnn.key(0))
    >>> def loss(p: tuple[fnn.DenseParams, fnn.DenseParams]) -> fnn.Scalar:
    ...     return np.mean(fnn.predict(model, p, state, np.ones((4, 2), np.float32)))
    >>> grads = fnn.grad(loss)(params)
    >>> grads[0].bias.tolist(), grads[1].bias.tolist()
    ([0.0, 0.0, 0.0], [1.0])
    """
    check_layer("frozen", body)
    return Frozen(body)
