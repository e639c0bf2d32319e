"""Scale: updates times a number or a function of the step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fnn.arrays import Array1
from fnn.optim.learning_rate import Rate, check_rate, rate_at
from fnn.optim.optimizer import Segments, Slots, Transform


@dataclass(frozen=True)
class Scale(Transform):
    """factor * updates, with a factor of at least 0 that is a number or a schedule, and no state.

    Before the learning rate it weighs one part of the updates against what comes after; the learning rate itself is
    `ScaleByLearningRate`, which turns the sign and which the state tells.

    >>> import fnn
    >>> opt = fnn.optim.Scale(0.5) >> fnn.Sgd(1.0)
    >>> fnn.update(opt, np.array([2.0]), opt.init(np.zeros(1)), np.zeros(1))[0]
    array([-1.])
    """

    factor: Rate

    def __post_init__(self) -> None:
        check_rate("Scale", self.factor, "factor")

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """None."""
        return {}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        return grads * rate_at(self.factor, step, "factor"), slots
