"""Muon: momentum whose matrices are made orthogonal, with another optimiser for the leaves that are no matrices."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from math import sqrt

import numpy as np

from fnn.arrays import Array1, Value
from fnn.functional.checks import check_int
from fnn.optim.adamw import AdamW
from fnn.optim.checks import check_hyper, check_selector
from fnn.optim.decay import AddDecayedWeights
from fnn.optim.groups import Groups
from fnn.optim.learning_rate import Rate, ScaleByLearningRate, check_rate
from fnn.optim.optimizer import Composed, Optimizer, Transform, check_is_optimizer
from fnn.optim.state import Segments, Slots
from fnn.tree import Selector, matrices

# The quintic of Jordan et al. 2024: steep at 0, so that five steps bring singular values from 0.001 to near 1.
_QUINTIC = (3.4445, -4.7750, 2.0315)


def orthogonalized(matrix: Value, steps: int = 5, eps: float = 1e-7) -> Value:
    """About U V^T for a matrix U S V^T, by Newton and Schulz: x = a x + (b (x x^T) + c (x x^T)^2) x, some times.

    Singular values end between 0.7 and 1.2. The matrix is transposed where that makes the products smaller.
    """
    a, b, c = _QUINTIC
    x = matrix / (np.linalg.norm(matrix) + eps)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(steps):
        square = x @ x.T
        x = a * x + (b * square + c * (square @ square)) @ x
    return x.T if tall else x


@dataclass(frozen=True)
class ScaleByMuon(Transform):
    """v = momentum * v + (1 - momentum) * u, and of each leaf, as the matrix [all axes but the last, last], v made orthogonal,
    times sqrt(max(1, columns / rows)); with nesterov=True of (1 - momentum) * u + momentum * v."""

    momentum: float = 0.95
    _: KW_ONLY
    nesterov: bool = True
    steps: int = 5

    def __post_init__(self) -> None:
        check_hyper("ScaleByMuon", "momentum", self.momentum, 0, 1)
        check_int("ScaleByMuon", "steps", self.steps)

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """momentum = 0. ValueError for a leaf that is no matrix."""
        for path, _, _, shape in segments:
            if len(shape) < 2:
                raise ValueError(f"ScaleByMuon: {path or 'the root'} has shape {list(shape)} and is no matrix; see Muon")
        return {"momentum": np.zeros_like(params)}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        momentum = float(self.momentum)
        fresh = grads * (1 - momentum)
        v = slots["momentum"] * momentum
        v += fresh
        along = fresh + v * momentum if self.nesterov else v
        made = np.empty_like(grads)
        for _, start, stop, shape in segments:
            if stop == start:
                continue
            matrix = along[start:stop].reshape(-1, shape[-1])
            scale = sqrt(max(1.0, matrix.shape[1] / matrix.shape[0]))
            made[start:stop] = (orthogonalized(matrix, self.steps) * scale).reshape(-1)
        return made, {"momentum": v}


@dataclass(frozen=True)
class Muon(Composed):
    """Muon for matrices: p - learning_rate * (orthogonal(v) + weight_decay * p), where v is the momentum; AdamW for the rest.

    `where` chooses the matrices (leaves of rank 2 and more; a kernel counts as the matrix [all axes but the last, last]);
    embeddings and heads are often better left to `rest`. The direction is times sqrt(max(1, columns / rows)).

    Source: Jordan et al. 2024, in the form of PyTorch's torch.optim.Muon, whose weights are transposed, and which computes
    in bfloat16. Moments: "momentum", and those of the rest.

    >>> import fnn
    >>> opt = fnn.optim.Muon(1e-2, rest=fnn.AdamW(1e-3))
    """

    learning_rate: Rate = 1e-3
    _: KW_ONLY
    momentum: float = 0.95
    nesterov: bool = True
    weight_decay: float = 0.1
    steps: int = 5
    where: Selector = matrices
    rest: Optimizer = field(default_factory=lambda: AdamW(1e-3))

    def __post_init__(self) -> None:
        check_rate("Muon", self.learning_rate)
        check_hyper("Muon", "weight_decay", self.weight_decay, 0)
        check_selector("Muon", self.where)
        check_is_optimizer("Muon", self.rest)
        ScaleByMuon(self.momentum, steps=self.steps)

    def compose(self) -> Optimizer:
        """Two groups: the matrices, and the rest."""
        direction = ScaleByMuon(self.momentum, nesterov=self.nesterov, steps=self.steps)
        for_matrices = direction >> AddDecayedWeights(self.weight_decay) >> ScaleByLearningRate(self.learning_rate)
        return Groups((self.where, for_matrices), rest=self.rest)
