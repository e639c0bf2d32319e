"""Stochastic gradient descent, plain, with momentum and with Nesterov's momentum."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np

from fnn.arrays import Array1
from fnn.optim.optimizer import Optimizer, Segments, Slots, check_hyper


@dataclass(frozen=True)
class Sgd(Optimizer):
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

    learning_rate: float
    _: KW_ONLY
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        check_hyper("Sgd", "learning_rate", self.learning_rate, 0)
        check_hyper("Sgd", "momentum", self.momentum, 0, 1)
        if self.nesterov and not self.momentum:
            raise ValueError("Sgd: nesterov=True needs a momentum, as momentum=0.9")

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """momentum = 0, where there is momentum."""
        return {"momentum": np.zeros_like(params)} if self.momentum else {}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        # as Python numbers: NumPy's would widen float32
        learning_rate, momentum = float(self.learning_rate), float(self.momentum)
        if not momentum:
            return grads * -learning_rate, slots
        v = slots["momentum"] * momentum
        v += grads
        along = v * momentum + grads if self.nesterov else v
        return along * -learning_rate, {"momentum": v}
