"""Blocks that pull parameters towards zero: weight decay (L2) and L1, by the gradient and by the proximal step."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np

from fnn.arrays import Array1
from fnn.optim.checks import check_hyper, check_selector
from fnn.optim.learning_rate import Rate, check_rate, rate_at
from fnn.optim.optimizer import AfterUpdate, Transform
from fnn.optim.selection import mask_of
from fnn.optim.state import Segments, Slots
from fnn.tree import Selector, everything


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
        check_selector("AddDecayedWeights", self.where)
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


@dataclass(frozen=True)
class AddL1(Transform):
    """updates + weight * sign(params): the subgradient of weight * |params|, 0 at 0, for the leaves that `where` chooses.

    It makes parameters small, but seldom exactly 0; for that there is `ProximalL1`.
    """

    weight: float
    _: KW_ONLY
    where: Selector = everything

    def __post_init__(self) -> None:
        check_selector("AddL1", self.where)
        check_hyper("AddL1", "weight", self.weight, 0)

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """None."""
        return {}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        pulled = np.sign(params)
        pulled *= float(self.weight)
        if self.where is not everything:
            pulled *= mask_of(self.where, segments)
        pulled += grads
        return pulled, slots


@dataclass(frozen=True)
class ProximalL1(AfterUpdate):
    """Behind an optimiser: soft-thresholding of the new parameters, sign(p) * max(|p| - amount, 0), exact zeros included.

    With amount = learning_rate * weight and plain gradient descent it is the proximal gradient method (ISTA) for
    loss + weight * |p|. It may be a function of the step, as a learning rate may; where that is a schedule:
    lambda step: weight * schedule(step). Source: Parikh and Boyd 2014, sections 4.2 and 6.5.2.

    >>> import fnn
    >>> opt = fnn.Sgd(0.1) >> fnn.optim.ProximalL1(0.1 * 0.5)
    """

    amount: Rate
    _: KW_ONLY
    where: Selector = everything

    def __post_init__(self) -> None:
        check_selector("ProximalL1", self.where)
        check_rate("ProximalL1", self.amount, "amount")

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """None."""
        return {}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        new = params + grads
        soft = np.maximum(np.abs(new) - rate_at(self.amount, step, "amount"), 0) * np.sign(new)
        if self.where is not everything:
            soft = np.where(mask_of(self.where, segments), soft, new)
        # params + (soft - params) is soft, but for rounding: where soft is 0 it is exactly 0
        return soft - params, slots
