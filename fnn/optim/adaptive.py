"""Blocks that divide by a running size of the gradient, and the optimisers that they make: RMSprop, Adagrad, Adadelta."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np

from fnn.arrays import Array1
from fnn.optim.checks import check_eps_of, check_hyper
from fnn.optim.learning_rate import Rate, ScaleByLearningRate, check_rate
from fnn.optim.optimizer import Composed, Optimizer, Transform
from fnn.optim.sgd import Trace
from fnn.optim.state import Segments, Slots


@dataclass(frozen=True)
class ScaleByRms(Transform):
    """u / (sqrt(nu) + eps), with nu = decay * nu + (1 - decay) * u^2; centered, u / (sqrt(nu - mu^2) + eps), with mu the
    running mean of u."""

    decay: float = 0.99
    eps: float = 1e-8
    _: KW_ONLY
    centered: bool = False

    def __post_init__(self) -> None:
        check_hyper("ScaleByRms", "decay", self.decay, 0, 1)
        check_hyper("ScaleByRms", "eps", self.eps, 0)

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """nu = 0; centered, mu = 0 too."""
        check_eps_of("ScaleByRms", self.eps, params.dtype)
        return {name: np.zeros_like(params) for name in (("nu", "mu") if self.centered else ("nu",))}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        decay = float(self.decay)
        nu = slots["nu"] * decay
        work = grads * grads
        work *= 1 - decay
        nu += work
        if not self.centered:
            np.sqrt(nu, work)
            work += float(self.eps)
            np.divide(grads, work, work)
            return work, {"nu": nu}
        mu = slots["mu"] * decay
        mu += grads * (1 - decay)
        # nu >= mu^2 (Jensen), but for rounding
        np.sqrt(np.maximum(nu - mu * mu, 0), work)
        work += float(self.eps)
        np.divide(grads, work, work)
        return work, {"nu": nu, "mu": mu}


@dataclass(frozen=True)
class RMSprop(Composed):
    """RMSprop: p - learning_rate * g / (sqrt(nu) + eps), with nu = decay * nu + (1 - decay) * g^2.

    centered=True divides by the running standard deviation, sqrt(nu - mu^2) + eps. With momentum m the step is along
    v = m * v + g / (sqrt(nu) + eps). Moments: "nu", "mu" if centered, "momentum" if there is one.

    Source: Tieleman and Hinton 2012, lecture 6.5; centred: Graves 2013, equations 38 to 45. Defaults and the place of eps
    are PyTorch's (its alpha is `decay`).

    >>> import fnn
    >>> opt = fnn.optim.RMSprop(0.1)
    >>> params = np.array([1.0, 1.0])
    >>> fnn.update(opt, np.array([0.5, -0.1]), opt.init(params), params)[0].round(4)
    array([0., 2.])
    """

    learning_rate: Rate = 1e-2
    _: KW_ONLY
    decay: float = 0.99
    eps: float = 1e-8
    centered: bool = False
    momentum: float = 0.0

    def __post_init__(self) -> None:
        check_rate("RMSprop", self.learning_rate)
        check_hyper("RMSprop", "momentum", self.momentum, 0, 1)
        ScaleByRms(self.decay, self.eps)

    def compose(self) -> Optimizer:
        """The scaling, momentum where there is any, and the learning rate."""
        scaled = ScaleByRms(self.decay, self.eps, centered=self.centered)
        last = ScaleByLearningRate(self.learning_rate)
        return scaled >> Trace(self.momentum) >> last if self.momentum else scaled >> last


@dataclass(frozen=True)
class ScaleByAdagrad(Transform):
    """u / (sqrt(total) + eps), where total is `start` plus the sum of all u^2 so far."""

    eps: float = 1e-10
    start: float = 0.0

    def __post_init__(self) -> None:
        check_hyper("ScaleByAdagrad", "eps", self.eps, 0)
        check_hyper("ScaleByAdagrad", "start", self.start, 0)

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """total = start."""
        return {"total": np.full_like(params, self.start)}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        work = grads * grads
        total = slots["total"] + work
        np.sqrt(total, work)
        work += float(self.eps)
        # an entry whose gradients were all 0 stays where it is, also with eps = 0
        return np.divide(grads, work, out=np.zeros_like(grads), where=work > 0), {"total": total}


@dataclass(frozen=True)
class Adagrad(Composed):
    """Adagrad: p - learning_rate * g / (sqrt(total) + eps), where total is `start` plus the sum of all g^2 so far.

    Source: Duchi, Hazan and Singer 2011, the diagonal form. Defaults are PyTorch's; its lr_decay is
    `fnn.optim.InverseTime(learning_rate, decay=...)` as the learning rate. The moment is "total".

    >>> import fnn
    >>> opt = fnn.optim.Adagrad(0.1)
    >>> params = np.array([1.0, 1.0])
    >>> fnn.update(opt, np.array([0.5, -0.1]), opt.init(params), params)[0].round(4)
    array([0.9, 1.1])
    """

    learning_rate: Rate = 1e-2
    _: KW_ONLY
    eps: float = 1e-10
    start: float = 0.0

    def __post_init__(self) -> None:
        check_rate("Adagrad", self.learning_rate)
        ScaleByAdagrad(self.eps, self.start)

    def compose(self) -> Optimizer:
        """The scaling, and the learning rate."""
        return ScaleByAdagrad(self.eps, self.start) >> ScaleByLearningRate(self.learning_rate)


@dataclass(frozen=True)
class ScaleByAdadelta(Transform):
    """d = sqrt(delta + eps) / sqrt(nu + eps) * u, where nu and delta are the running means of u^2 and d^2."""

    decay: float = 0.9
    eps: float = 1e-6

    def __post_init__(self) -> None:
        check_hyper("ScaleByAdadelta", "decay", self.decay, 0, 1)
        check_hyper("ScaleByAdadelta", "eps", self.eps, 0)

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """nu = delta = 0."""
        check_eps_of("ScaleByAdadelta", self.eps, params.dtype)
        return {"nu": np.zeros_like(params), "delta": np.zeros_like(params)}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        decay, eps = float(self.decay), float(self.eps)
        nu = slots["nu"] * decay + grads * grads * (1 - decay)
        step_along = np.sqrt(slots["delta"] + eps) / np.sqrt(nu + eps) * grads
        delta = slots["delta"] * decay + step_along * step_along * (1 - decay)
        return step_along, {"nu": nu, "delta": delta}


@dataclass(frozen=True)
class Adadelta(Composed):
    """Adadelta: p - learning_rate * d, with d = sqrt(delta + eps) / sqrt(nu + eps) * g, and nu and delta the running means
    of g^2 and d^2: steps whose size has the unit of the parameters.

    Source: Zeiler 2012, algorithm 1. Defaults are PyTorch's (its rho is `decay`). Moments: "nu", "delta".

    >>> import fnn
    >>> opt = fnn.optim.Adadelta(0.1)
    >>> params = np.array([1.0, 1.0])
    >>> fnn.update(opt, np.array([0.5, -0.1]), opt.init(params), params)[0].round(4)
    array([0.9997, 1.0003])
    """

    learning_rate: Rate = 1.0
    _: KW_ONLY
    decay: float = 0.9
    eps: float = 1e-6

    def __post_init__(self) -> None:
        check_rate("Adadelta", self.learning_rate)
        ScaleByAdadelta(self.decay, self.eps)

    def compose(self) -> Optimizer:
        """The scaling, and the learning rate."""
        return ScaleByAdadelta(self.decay, self.eps) >> ScaleByLearningRate(self.learning_rate)
