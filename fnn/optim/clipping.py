"""Blocks that bound, centre or disturb updates: clipping by value and by norms, centralisation, noise."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from fnn.arrays import Array1, Value
from fnn.functional.checks import check_int
from fnn.optim.checks import check_hyper
from fnn.optim.optimizer import Transform
from fnn.optim.state import Segments, Slots
from fnn.random import key as make_key


class _Stateless(Transform):
    """A block without moments."""

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """None."""
        return {}


def _norm(x: Value) -> float:
    """The Euclidean norm of a vector, also where its square would overflow or vanish in the dtype."""
    if not x.size:
        return 0.0
    with np.errstate(all="ignore"):
        norm = float(np.sqrt(np.dot(x, x)))
    if np.isfinite(norm) and norm > 1e-18:
        return norm
    top = float(np.max(np.abs(x)))
    return top * float(np.sqrt(np.sum((x / top) ** 2))) if 0 < top < np.inf else top


def _shrunk(x: Value, norm: float, bound: float) -> Value:
    # a norm that is not finite leaves the updates as they are: what is not a number must not become 0 in silence
    return x * (bound / norm) if bound < norm < np.inf else x


@dataclass(frozen=True)
class ClipByValue(_Stateless):
    """Each entry within [-bound, bound]."""

    bound: float

    def __post_init__(self) -> None:
        check_hyper("ClipByValue", "bound", self.bound, 0)

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        return np.clip(grads, -float(self.bound), float(self.bound)), slots


@dataclass(frozen=True)
class ClipByNorm(_Stateless):
    """Each leaf scaled down to norm `bound` where its norm is larger."""

    bound: float

    def __post_init__(self) -> None:
        check_hyper("ClipByNorm", "bound", self.bound, 0)

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        clipped = grads.copy()
        for _, start, stop, _ in segments:
            part = grads[start:stop]
            clipped[start:stop] = _shrunk(part, _norm(part), float(self.bound))
        return clipped, slots


@dataclass(frozen=True)
class ClipByGlobalNorm(_Stateless):
    """All updates scaled down together, so that their norm as one vector is at most `bound` (Pascanu et al. 2013).

    Where the norm is not finite the updates pass as they are, so that what went wrong shows (see `SkipNonFinite`).

    >>> import fnn
    >>> opt = fnn.optim.ClipByGlobalNorm(1.0) >> fnn.Sgd(1.0)
    >>> p = np.zeros(2)
    >>> fnn.update(opt, np.array([3.0, 4.0]), opt.init(p), p)[0]
    array([-0.6, -0.8])
    """

    bound: float

    def __post_init__(self) -> None:
        check_hyper("ClipByGlobalNorm", "bound", self.bound, 0)

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        return _shrunk(grads, _norm(grads), float(self.bound)), slots


@dataclass(frozen=True)
class AdaptiveClip(_Stateless):
    """Adaptive gradient clipping: each unit's updates have at most `factor` times the norm of the unit's parameters.

    A unit is a column of a matrix, the weights that lead to one output; leaves of rank 1 are units each as a whole, and
    norms of parameters count as at least eps. Source: Brock et al. 2021, equation 3.
    """

    factor: float = 0.01
    _: KW_ONLY
    eps: float = 1e-3

    def __post_init__(self) -> None:
        check_hyper("AdaptiveClip", "factor", self.factor, 0)
        check_hyper("AdaptiveClip", "eps", self.eps, 0)

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        clipped = grads.copy()
        for _, start, stop, shape in segments:
            if stop == start:
                continue
            units = (-1, shape[-1] if len(shape) > 1 else 1)
            g, p = grads[start:stop].reshape(units), params[start:stop].reshape(units)
            bound = np.maximum(np.linalg.norm(p, axis=0), float(self.eps)) * float(self.factor)
            norm = np.linalg.norm(g, axis=0)
            larger = (norm > bound) & np.isfinite(norm)
            clipped[start:stop].reshape(units)[:, larger] *= (bound[larger] / norm[larger]).astype(grads.dtype)
        return clipped, slots


@dataclass(frozen=True)
class Centralize(_Stateless):
    """Gradient centralisation: for leaves of rank 2 and more, the mean over all axes but the last is taken away.

    Source: Yong et al. 2020, equation 1.
    """

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        centred = grads.copy()
        for _, start, stop, shape in segments:
            if len(shape) > 1 and stop > start:
                part = centred[start:stop].reshape(-1, shape[-1])
                part -= np.mean(part, axis=0)
        return centred, slots


@dataclass(frozen=True)
class AddNoise(Transform):
    """updates + normal noise of variance eta / (1 + t)^gamma, t the steps before (Neelakantan et al. 2015, equation 1).

    The key is in the state: it is that of `seed`, and step t draws with key.fold(t), so that a run that was stopped goes on
    with the same noise.
    """

    eta: float
    gamma: float = 0.55
    _: KW_ONLY
    seed: int = 0

    def __post_init__(self) -> None:
        check_hyper("AddNoise", "eta", self.eta, 0)
        check_hyper("AddNoise", "gamma", self.gamma, 0)
        check_int("AddNoise", "seed", self.seed, 0)
        if self.seed >= 2**63:
            raise ValueError(f"AddNoise: seed is {self.seed}, expected less than 2^63")

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """The seed."""
        seed: Any = np.array([self.seed], np.int64)
        return {"seed": seed}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        rng = make_key(int(slots["seed"][0])).fold(step).generator()
        scale = float(np.sqrt(self.eta / (1 + step) ** self.gamma))
        noise = rng.standard_normal(grads.shape, grads.dtype) * scale
        noise += grads
        return noise, slots
