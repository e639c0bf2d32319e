"""Blocks that pull parameters towards zero: weight decay (L2) and L1, by the gradient and by the proximal step."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np

from fnn.arrays import Array1
from fnn.optim.optimizer import Segments, Slots, Transform, check_hyper
from fnn.optim.selection import Selector, everything, mask_of


@dataclass(frozen=True)
class AddDecayedWeights(Transform):
    """updates + weight_decay * params, for the leaves that `where` chooses.

    In front of an adaptive rule it is L2 regularisation, whose gradient is rescaled with the rest; behind it, in front of
    the learning rate, decoupled weight decay.
    """

    weight_decay: float
    _: KW_ONLY
    where: Selector = everything

    def __post_init__(self) -> None:
        check_hyper("AddDecayedWeights", "weight_decay", self.weight_decay, 0)

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """None."""
        return {}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        decayed = params * float(self.weight_decay)
        if self.where is not everything:
            decayed *= mask_of(self.where, segments)
        decayed += grads
        return decayed, slots
