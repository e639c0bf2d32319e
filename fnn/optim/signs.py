"""Rules that look at signs: Lion and Rprop."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np

from fnn.arrays import Array1
from fnn.optim.checks import check_hyper, check_selector
from fnn.optim.decay import AddDecayedWeights
from fnn.optim.learning_rate import Rate, ScaleByLearningRate, check_rate, rate_at
from fnn.optim.optimizer import Composed, Optimizer, Transform
from fnn.optim.state import Segments, Slots
from fnn.tree import Selector, everything


@dataclass(frozen=True)
class ScaleBySign(Transform):
    """sign(u): every entry moves by the learning rate (signSGD, Bernstein et al. 2018)."""

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """None."""
        return {}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        return np.sign(grads), slots


@dataclass(frozen=True)
class ScaleByLion(Transform):
    """sign(b1 * mu + (1 - b1) * u), and then mu = b2 * mu + (1 - b2) * u."""

    b1: float = 0.9
    b2: float = 0.99

    def __post_init__(self) -> None:
        check_hyper("ScaleByLion", "b1", self.b1, 0, 1)
        check_hyper("ScaleByLion", "b2", self.b2, 0, 1)

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """mu = 0."""
        return {"mu": np.zeros_like(params)}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        b1, b2 = float(self.b1), float(self.b2)
        along = slots["mu"] * b1
        along += grads * (1 - b1)
        mu = slots["mu"] * b2
        mu += grads * (1 - b2)
        return np.sign(along), {"mu": mu}  # in place NumPy's sign is ten times slower


@dataclass(frozen=True)
class Lion(Composed):
    """Lion: p - learning_rate * (sign(b1 * mu + (1 - b1) * g) + weight_decay * p), and mu = b2 * mu + (1 - b2) * g.

    Every entry moves by the learning rate, so that one about ten times smaller than Adam's is right, and a decay ten times
    larger. `where` chooses what decays. Source: Chen et al. 2023, program 1. The moment is "mu".

    >>> import fnn
    >>> opt = fnn.optim.Lion(0.1)
    >>> params = np.array([1.0, 1.0])
    >>> fnn.update(opt, np.array([0.5, -0.1]), opt.init(params), params)[0].round(4)
    array([0.9, 1.1])
    """

    learning_rate: Rate = 1e-4
    _: KW_ONLY
    b1: float = 0.9
    b2: float = 0.99
    weight_decay: float = 0.0
    where: Selector = everything

    def __post_init__(self) -> None:
        check_rate("Lion", self.learning_rate)
        check_hyper("Lion", "weight_decay", self.weight_decay, 0)
        check_selector("Lion", self.where)
        ScaleByLion(self.b1, self.b2)

    def compose(self) -> Optimizer:
        """Lion's direction, the weights where they decay, and the learning rate of both."""
        direction: Transform = ScaleByLion(self.b1, self.b2)
        if self.weight_decay:
            direction = direction >> AddDecayedWeights(self.weight_decay, where=self.where)
        return direction >> ScaleByLearningRate(self.learning_rate)


@dataclass(frozen=True)
class ScaleByRprop(Transform):
    """sign(u) times a size of its own for each entry, that grows while the sign stays and shrinks when it turns."""

    first: float = 1.0
    _: KW_ONLY
    grow: float = 1.2
    shrink: float = 0.5
    smallest: float = 0.0
    largest: float = 1e6

    def __post_init__(self) -> None:
        check_hyper("ScaleByRprop", "shrink", self.shrink, 0, 1)
        check_hyper("ScaleByRprop", "grow", self.grow, 1)
        check_hyper("ScaleByRprop", "smallest", self.smallest, 0)
        check_hyper("ScaleByRprop", "largest", self.largest, self.smallest)
        check_hyper("ScaleByRprop", "first", self.first, 0)

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """sizes = first; no gradient before."""
        return {"sizes": np.full_like(params, self.first), "before": np.zeros_like(params)}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        turned = np.sign(grads) * np.sign(slots["before"])
        factor = np.ones_like(grads)
        factor[turned > 0] = float(self.grow)
        factor[turned < 0] = float(self.shrink)
        sizes = np.clip(slots["sizes"] * factor, float(self.smallest), float(self.largest))
        # after a turn the entry stays where it is, and its next sign counts as new
        kept = np.where(turned < 0, grads.dtype.type(0), grads)
        return np.sign(kept) * sizes, {"sizes": sizes, "before": kept}


@dataclass(frozen=True)
class Rprop(Composed):
    """Resilient propagation, for the gradient of the whole data set: p - learning_rate * size * sign(g), with a size for each
    entry.

    The size, 1 at first, grows by `grow` while the sign of g stays, and shrinks by `shrink` when it turns; then the entry
    waits a step. `smallest` and `largest` bound the moves, learning_rate * size (of a schedule with its value at step 0, or
    where that is 0 the sizes).

    Source: Riedmiller and Braun 1993, in the form iRprop- (Igel and Huesken 2000) that PyTorch has; defaults are PyTorch's.
    Moments: "sizes", "before".

    >>> import fnn
    >>> opt = fnn.optim.Rprop(0.1)
    >>> params, state = np.array([1.0]), opt.init(np.array([1.0]))
    >>> for _ in range(2):
    ...     params, state = fnn.update(opt, np.array([1e-6]), state, params)
    >>> params.round(6)
    array([0.78])
    """

    learning_rate: Rate = 1e-2
    _: KW_ONLY
    grow: float = 1.2
    shrink: float = 0.5
    smallest: float = 1e-6
    largest: float = 50.0

    def __post_init__(self) -> None:
        check_rate("Rprop", self.learning_rate)
        check_hyper("Rprop", "smallest", self.smallest, 0)
        check_hyper("Rprop", "largest", self.largest, self.smallest)
        ScaleByRprop(grow=self.grow, shrink=self.shrink)

    def compose(self) -> Optimizer:
        """The signs and sizes, and the learning rate."""
        unit = rate_at(self.learning_rate, 0) or 1.0
        direction = ScaleByRprop(grow=self.grow, shrink=self.shrink, smallest=self.smallest / unit, largest=self.largest / unit)
        return direction >> ScaleByLearningRate(self.learning_rate)
