"""Stochastic gradient descent, plain, with momentum and with Nesterov's momentum."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np

from fnn.arrays import Array1
from fnn.optim.checks import check_hyper
from fnn.optim.learning_rate import Rate, ScaleByLearningRate, check_rate
from fnn.optim.optimizer import Composed, Optimizer, Transform
from fnn.optim.state import Segments, Slots


@dataclass(frozen=True)
class Trace(Transform):
    """Momentum: v = momentum * v + u in place of the updates u; with nesterov=True, u + momentum * v."""

    momentum: float
    _: KW_ONLY
    nesterov: bool = False

    def __post_init__(self) -> None:
        check_hyper("Trace", "momentum", self.momentum, 0, 1)

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """momentum = 0."""
        return {"momentum": np.zeros_like(params)}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        momentum = float(self.momentum)  # as a Python number: NumPy's would widen float32
        v = slots["momentum"] * momentum
        v += grads
        return (v * momentum + grads if self.nesterov else v), {"momentum": v}


@dataclass(frozen=True)
class Sgd(Composed):
    """Gradient descent: exactly p - learning_rate * g. With momentum m, p - learning_rate * v, where v = m * v + g.

    With nesterov=True the step is along g + m * v instead of v. The moment is called "momentum".

    Source: Polyak 1964; Nesterov 1983 in the form of Sutskever et al. 2013 as PyTorch has it (dampening 0), in which the
    learning rate is not part of the moment.

    >>> import fnn
    >>> opt = fnn.Sgd(0.1, momentum=0.9)
    >>> params = np.array([1.0])
    >>> state = opt.init(params)
    >>> for _ in range(2):
    ...     params, state = fnn.update(opt, np.array([1.0]), state, params)
    >>> params.round(6), state.moment("momentum")
    (array([0.71]), array([1.9]))
    """

    learning_rate: Rate
    _: KW_ONLY
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        check_rate("Sgd", self.learning_rate)
        check_hyper("Sgd", "momentum", self.momentum, 0, 1)
        if self.nesterov and not self.momentum:
            raise ValueError("Sgd: nesterov=True needs a momentum, as momentum=0.9")

    def compose(self) -> Optimizer:
        """Momentum, where there is any, and the learning rate."""
        last = ScaleByLearningRate(self.learning_rate)
        return Trace(self.momentum, nesterov=self.nesterov) >> last if self.momentum else last
