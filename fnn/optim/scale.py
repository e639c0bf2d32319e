"""Scale: updates times a number or a function of the step."""

from __future__ import annotations

from dataclasses import dataclass

from fnn.arrays import Array1
from fnn.optim.learning_rate import Rate, check_rate, rate_at
from fnn.optim.optimizer import Transform
from fnn.optim.state import Segments, Slots


@dataclass(frozen=True)
class Scale(Transform):
    """factor * updates, with a factor of at least 0 that is a number or a schedule, and no state.

    Before the learning rate it weighs one part of the updates against what comes after; the learning rate itself is
    `ScaleByLearningRate`, which turns the sign and which the state tells.

    >>> import fnn
    >>> opt = fnn.optim.Scale(lambda step: 1 / (1 + step)) >> fnn.Adam(0.1)
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
