"""AdamW: Adam with decoupled weight decay."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from fnn.optim.adam import AdamLike, ScaleByAdam
from fnn.optim.checks import check_hyper, check_selector
from fnn.optim.decay import AddDecayedWeights
from fnn.optim.optimizer import Transform
from fnn.tree import Selector, everything


@dataclass(frozen=True)
class AdamW(AdamLike):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2, with the decay times the learning
    rate, as PyTorch and optax have it): p is also reduced by learning_rate * weight_decay * p.

    `where` chooses what decays: every parameter by default; `fnn.tree.matrices` leaves out biases and the scales of norms.
    The moments are called "mu" and "nu".

    >>> import fnn
    >>> import numpy as np
    >>> opt = fnn.AdamW(0.1, weight_decay=0.5)
    >>> params = np.array([1.0])
    >>> fnn.update(opt, np.array([0.0]), opt.init(params), params)[0]
    array([0.95])
    """

    _: KW_ONLY
    weight_decay: float = 0.01
    where: Selector = everything

    def __post_init__(self) -> None:
        super().__post_init__()
        check_hyper("AdamW", "weight_decay", self.weight_decay, 0)
        check_selector("AdamW", self.where)

    def direction(self) -> Transform:
        """Adam's, and the weights that decay."""
        return ScaleByAdam(self.b1, self.b2, self.eps) >> AddDecayedWeights(self.weight_decay, where=self.where)
