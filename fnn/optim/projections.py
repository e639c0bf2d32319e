"""Blocks behind an optimiser that bring the new parameters back to where they may be: max-norm, orthogonal matrices."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import KW_ONLY, dataclass

import numpy as np

from fnn.arrays import Array1, Value
from fnn.optim.checks import check_hyper, check_selector
from fnn.optim.optimizer import AfterUpdate
from fnn.optim.selection import chosen_of
from fnn.optim.state import Segments, Slots
from fnn.tree import Selector, matrices


class Projection(AfterUpdate):
    """Base of projections by leaf: a subclass is a frozen dataclass with a field `where` and the method `project`."""

    where: Selector

    @abstractmethod
    def project(self, matrix: Value, /) -> Value:
        """The allowed matrix nearest to this one, [all axes but the last, last], or [n, 1] for a leaf of rank 1."""

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """None. ValueError where a selector of one's own chooses no leaf."""
        if self.where is not matrices:
            chosen_of(self.where, segments, f"{type(self).__name__}: ")
        return {}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """The updates that lead to the projection of params + updates."""
        delta = grads.copy()
        for path, start, stop, shape in segments:
            if stop > start and self.where(path, shape):
                new = params[start:stop] + grads[start:stop]
                made = self.project(new.reshape(-1, shape[-1] if len(shape) > 1 else 1)).reshape(-1)
                delta[start:stop] = made - params[start:stop]
        return delta, slots


@dataclass(frozen=True)
class MaxNorm(Projection):
    """The weights that lead to one output, a column of a matrix, have norm `bound` at most (Srivastava et al. 2014, 5.1).

    >>> import fnn
    >>> opt = fnn.Sgd(0.1) >> fnn.optim.MaxNorm(3.0)
    """

    bound: float
    _: KW_ONLY
    where: Selector = matrices

    def __post_init__(self) -> None:
        check_selector("MaxNorm", self.where)
        check_hyper("MaxNorm", "bound", self.bound, 0)

    def project(self, matrix: Value, /) -> Value:
        """Columns that are too long, shortened."""
        norm = np.linalg.norm(matrix, axis=0)
        factor = np.where(norm > self.bound, self.bound / np.maximum(norm, np.finfo(norm.dtype).tiny), 1)
        return matrix * factor.astype(matrix.dtype)


@dataclass(frozen=True)
class Orthogonal(Projection):
    """Matrices with orthonormal columns, or rows where there are fewer: U V^T of the matrix U S V^T (polar projection).

    `where` chooses the leaves, e.g. a recurrent weight: lambda path, shape: path.endswith(".hidden_weight").
    """

    _: KW_ONLY
    where: Selector = matrices

    def __post_init__(self) -> None:
        check_selector("Orthogonal", self.where)

    def project(self, matrix: Value, /) -> Value:
        """The nearest such matrix."""
        u, _, vh = np.linalg.svd(matrix, full_matrices=False)
        return u @ vh
