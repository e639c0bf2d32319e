"""Adam, and what its relatives share with it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import KW_ONLY, dataclass
from math import sqrt

import numpy as np

from fnn.arrays import Array1, constant
from fnn.optim.checks import check_eps_of, check_hyper
from fnn.optim.learning_rate import Rate, ScaleByLearningRate, check_rate
from fnn.optim.optimizer import Composed, Optimizer, Transform
from fnn.optim.state import Segments, Slots

# Numbers that are moved at a time: some 256 kB of each of six vectors, of which a few fit into a level-2 cache.
_PIECE = 65_536


def check_means(spec: AdamDirection | AdamLike) -> None:
    """ValueError or TypeError unless b1 and b2 are in [0, 1) and eps is at least 0."""
    name = type(spec).__name__
    check_hyper(name, "b1", spec.b1, 0, 1)
    check_hyper(name, "b2", spec.b2, 0, 1)
    check_hyper(name, "eps", spec.eps, 0)


@dataclass(frozen=True)
class AdamDirection(Transform):
    """Base of the directions of Adam and its relatives: running means mu of u and nu of u^2, or what they have in its place."""

    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8

    def __post_init__(self) -> None:
        check_means(self)

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """mu = nu = 0."""
        check_eps_of(type(self).__name__, self.eps, params.dtype)
        return {"mu": np.zeros_like(params), "nu": np.zeros_like(params)}


@dataclass(frozen=True)
class AdamLike(Composed):
    """Base of Adam and its relatives: a direction, and the learning rate."""

    learning_rate: Rate
    _: KW_ONLY
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8

    def __post_init__(self) -> None:
        check_rate(type(self).__name__, self.learning_rate)
        check_means(self)

    @abstractmethod
    def direction(self) -> Transform:
        """What the learning rate scales."""

    def compose(self) -> Optimizer:
        """The direction, and the learning rate."""
        return self.direction() >> ScaleByLearningRate(self.learning_rate)


@dataclass(frozen=True)
class ScaleByAdam(AdamDirection):
    """Adam's direction, (mu / (1 - b1^t)) / (sqrt(nu / (1 - b2^t)) + eps): see `Adam`."""

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        if grads.size <= _PIECE:
            work, mu, nu = self._direction(grads, slots["mu"], slots["nu"], step + 1, None, None, None)
        else:
            work, mu, nu = self._in_pieces(grads, slots["mu"], slots["nu"], step + 1)
        return work, {"mu": mu, "nu": nu}

    @property
    def owns_updates(self) -> bool:
        """A quotient that was just made."""
        return True

    def _in_pieces(self, grads: Array1, mu: Array1, nu: Array1, t: int) -> tuple[Array1, Array1, Array1]:
        """The same piece by piece, so that a dozen passes find their numbers in the level-2 cache."""
        work, new_mu, new_nu = np.empty_like(grads), np.empty_like(mu), np.empty_like(nu)
        for first in range(0, grads.size, _PIECE):
            s = slice(first, first + _PIECE)
            self._direction(grads[s], mu[s], nu[s], t, work[s], new_mu[s], new_nu[s])
        return work, new_mu, new_nu

    def _direction(
        self, grads: Array1, mu: Array1, nu: Array1, t: int, room: Array1 | None, new_mu: Array1 | None, new_nu: Array1 | None
    ) -> tuple[Array1, Array1, Array1]:
        """The direction and the new moments, in the three vectors at the end, or in new ones where these are None."""
        b1, b2, eps = float(self.b1), float(self.b2), float(self.eps)
        dtype = grads.dtype
        # With c1 = 1 - b1^t, c2 = 1 - b2^t:
        #   (mu / c1) / (sqrt(nu / c2) + eps) = (sqrt(c2) / c1) mu / (sqrt(nu) + eps sqrt(c2)),
        # which divides vectors once.
        root = sqrt(1 - b2**t)
        mu = np.multiply(mu, constant(b1, dtype), new_mu)
        work = np.multiply(grads, constant(1 - b1, dtype), room)
        mu += work
        nu = np.multiply(nu, constant(b2, dtype), new_nu)
        np.multiply(grads, grads, work)
        work *= constant(1 - b2, dtype)
        nu += work
        np.sqrt(nu, work)
        work += np.array(eps * root, dtype)
        np.divide(mu, work, work)
        work *= np.array(root / (1 - b1**t), dtype)
        return work, mu, nu


@dataclass(frozen=True)
class Adam(AdamLike):
    """Adam (Kingma and Ba 2015, algorithm 1): steps of about the learning rate, whatever the size of the gradient.

    At step t, counted from 1:
        mu = b1 * mu + (1 - b1) * g
        nu = b2 * nu + (1 - b2) * g^2
        p  = p - learning_rate * (mu / (1 - b1^t)) / (sqrt(nu / (1 - b2^t)) + eps)

    The moments are called "mu" and "nu".

    >>> import fnn
    >>> opt = fnn.Adam(0.1)
    >>> params = np.array([1.0, 1.0])
    >>> params, state = fnn.update(opt, np.array([1e-3, -1e3]), opt.init(params), params)
    >>> params.round(4)
    array([0.9, 1.1])
    """

    def direction(self) -> Transform:
        """Adam's."""
        return ScaleByAdam(self.b1, self.b2, self.eps)
