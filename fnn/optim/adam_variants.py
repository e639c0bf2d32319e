"""Adam's relatives: Adamax, AMSGrad, NAdam, RAdam, AdaBelief. Each is a block for its direction, and the learning rate."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from math import sqrt

import numpy as np

from fnn.arrays import Array1
from fnn.optim.adam import AdamDirection, AdamLike
from fnn.optim.checks import check_hyper
from fnn.optim.learning_rate import Rate
from fnn.optim.optimizer import Transform
from fnn.optim.state import Segments, Slots


def _mean(old: Array1, new: Array1, b: float) -> Array1:
    """The running mean b * old + (1 - b) * new."""
    moved = old * b
    moved += new * (1 - b)
    return moved


@dataclass(frozen=True)
class ScaleByAdamax(AdamDirection):
    """Adamax's direction, mu / ((1 - b1^t) nu): see `Adamax`."""

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        b1 = float(self.b1)
        mu = _mean(slots["mu"], grads, b1)
        nu = np.maximum(slots["nu"] * float(self.b2), np.abs(grads) + float(self.eps))
        along = mu / nu
        along *= 1 / (1 - b1 ** (step + 1))
        return along, {"mu": mu, "nu": nu}


@dataclass(frozen=True)
class Adamax(AdamLike):
    """Adam by the largest gradient of late: p - learning_rate / (1 - b1^t) * mu / nu, with mu = b1 * mu + (1 - b1) * g and
    nu = max(b2 * nu, |g| + eps).

    Source: Kingma and Ba 2015, algorithm 2; the place of eps and the defaults are PyTorch's. Moments: "mu", "nu".

    >>> import fnn
    >>> opt = fnn.optim.Adamax(0.1)
    >>> params = np.array([1.0, 1.0])
    >>> fnn.update(opt, np.array([0.5, -0.1]), opt.init(params), params)[0].round(4)
    array([0.9, 1.1])
    """

    learning_rate: Rate = 2e-3

    def direction(self) -> Transform:
        """Adamax's."""
        return ScaleByAdamax(self.b1, self.b2, self.eps)


@dataclass(frozen=True)
class ScaleByAmsgrad(AdamDirection):
    """AMSGrad's direction, (mu / (1 - b1^t)) / (sqrt(top / (1 - b2^t)) + eps): see `AMSGrad`."""

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """mu = nu = top = 0."""
        return {**super().init_flat(params, segments), "top": np.zeros_like(params)}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        b1, b2, t = float(self.b1), float(self.b2), step + 1
        mu = _mean(slots["mu"], grads, b1)
        nu = _mean(slots["nu"], grads * grads, b2)
        top = np.maximum(slots["top"], nu)
        work = np.sqrt(top)
        work *= 1 / sqrt(1 - b2**t)
        work += float(self.eps)
        np.divide(mu, work, work)
        work *= 1 / (1 - b1**t)
        return work, {"mu": mu, "nu": nu, "top": top}


@dataclass(frozen=True)
class AMSGrad(AdamLike):
    """Adam that divides by the largest second moment so far, `top` = max(top, nu), so that no step grows again.

    Source: Reddi, Kale and Kumar 2018, algorithm 2, with PyTorch's corrections of the bias (Adam with amsgrad=True).
    Moments: "mu", "nu", "top".

    >>> import fnn
    >>> opt = fnn.optim.AMSGrad(0.1)
    >>> params = np.array([1.0, 1.0])
    >>> fnn.update(opt, np.array([0.5, -0.1]), opt.init(params), params)[0].round(4)
    array([0.9, 1.1])
    """

    learning_rate: Rate = 1e-3

    def direction(self) -> Transform:
        """AMSGrad's."""
        return ScaleByAmsgrad(self.b1, self.b2, self.eps)


@dataclass(frozen=True)
class ScaleByNadam(AdamDirection):
    """NAdam's direction: see `NAdam`."""

    momentum_decay: float = 4e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_hyper("ScaleByNadam", "momentum_decay", self.momentum_decay, 0)

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """mu = nu = 0, and the product of the momenta, 1."""
        return {**super().init_flat(params, segments), "product": np.ones(1, params.dtype)}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        b1, b2, t = float(self.b1), float(self.b2), step + 1
        now, following = (b1 * (1 - 0.5 * 0.96 ** (k * self.momentum_decay)) for k in (t, t + 1))
        product = slots["product"].item() * now
        mu = _mean(slots["mu"], grads, b1)
        nu = _mean(slots["nu"], grads * grads, b2)
        size = np.sqrt(nu)
        size *= 1 / sqrt(1 - b2**t)
        size += float(self.eps)
        along = grads * ((1 - now) / (1 - product))
        along += mu * (following / (1 - product * following))
        along /= size
        return along, {"mu": mu, "nu": nu, "product": np.array([product], params.dtype)}


@dataclass(frozen=True)
class NAdam(AdamLike):
    """Adam with Nesterov's momentum. With m_t = b1 (1 - 0.96^(t * momentum_decay) / 2), mu and nu as in Adam:
        p - learning_rate * (m_{t+1} mu / (1 - m_1 ... m_{t+1}) + (1 - m_t) g / (1 - m_1 ... m_t)) / size,
        size = sqrt(nu / (1 - b2^t)) + eps

    Source: Dozat 2016; schedule of the momentum and defaults are PyTorch's. Moments: "mu", "nu".

    >>> import fnn
    >>> opt = fnn.optim.NAdam(0.1)
    >>> params = np.array([1.0, 1.0])
    >>> fnn.update(opt, np.array([0.5, -0.1]), opt.init(params), params)[0].round(4)
    array([0.8944, 1.1056])
    """

    learning_rate: Rate = 2e-3
    _: KW_ONLY
    momentum_decay: float = 4e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        self.direction()

    def direction(self) -> Transform:
        """NAdam's."""
        return ScaleByNadam(self.b1, self.b2, self.eps, self.momentum_decay)


@dataclass(frozen=True)
class ScaleByRadam(AdamDirection):
    """RAdam's direction: see `RAdam`."""

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        b1, b2, t = float(self.b1), float(self.b2), step + 1
        mu = _mean(slots["mu"], grads, b1)
        nu = _mean(slots["nu"], grads * grads, b2)
        along = mu * (1 / (1 - b1**t))
        longest = 2 / (1 - b2) - 1
        length = longest - 2 * t * b2**t / (1 - b2**t)
        if length > 5:
            rectified = sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
            size = np.sqrt(nu)
            size += float(self.eps)
            along /= size
            along *= rectified * sqrt(1 - b2**t)
        return along, {"mu": mu, "nu": nu}


@dataclass(frozen=True)
class RAdam(AdamLike):
    """Adam whose first steps, while the variance of 1 / sqrt(nu) is not tractable, are those of momentum.

    With r = 2 / (1 - b2) - 1 and r_t = r - 2 t b2^t / (1 - b2^t), the length of the moving average: for r_t > 5 Adam's step
    times sqrt((r_t - 4)(r_t - 2) r / ((r - 4)(r - 2) r_t)), else learning_rate * mu / (1 - b1^t).

    Source: Liu et al. 2020, algorithm 2; the bound 5, the place of eps and the defaults are PyTorch's. Moments: "mu", "nu".

    >>> import fnn
    >>> opt = fnn.optim.RAdam(0.1)
    >>> params = np.array([1.0, 1.0])
    >>> fnn.update(opt, np.array([0.5, -0.1]), opt.init(params), params)[0].round(4)
    array([0.95, 1.01])
    """

    learning_rate: Rate = 1e-3

    def direction(self) -> Transform:
        """RAdam's."""
        return ScaleByRadam(self.b1, self.b2, self.eps)


@dataclass(frozen=True)
class ScaleByBelief(AdamDirection):
    """AdaBelief's direction: see `AdaBelief`."""

    eps: float = 1e-16

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        b1, b2, eps, t = float(self.b1), float(self.b2), float(self.eps), step + 1
        mu = _mean(slots["mu"], grads, b1)
        nu = _mean(slots["nu"], (grads - mu) ** 2, b2)
        nu += eps
        size = np.sqrt(nu * (1 / (1 - b2**t)))
        size += eps
        along = mu * (1 / (1 - b1**t))
        along /= size
        return along, {"mu": mu, "nu": nu}


@dataclass(frozen=True)
class AdaBelief(AdamLike):
    """Adam that divides by how far the gradient is from its running mean: nu = b2 * nu + (1 - b2) * (g - mu)^2 + eps.

    Source: Zhuang et al. 2020, algorithm 2, with eps = 1e-16 in both places as optax has it. Moments: "mu", "nu".

    >>> import fnn
    >>> opt = fnn.optim.AdaBelief(0.1)
    >>> params = np.array([1.0, 1.0])
    >>> fnn.update(opt, np.array([0.5, -0.1]), opt.init(params), params)[0].round(4)
    array([0.8889, 1.1111])
    """

    learning_rate: Rate = 1e-3
    _: KW_ONLY
    eps: float = 1e-16

    def direction(self) -> Transform:
        """AdaBelief's."""
        return ScaleByBelief(self.b1, self.b2, self.eps)
