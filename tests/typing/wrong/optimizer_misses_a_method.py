"""An optimiser of the user's own that misses a method, or has one of another shape."""

from dataclasses import dataclass

import fnn


@dataclass(frozen=True)
class NoUpdate(fnn.Optimizer):
    learning_rate: float

    def init_flat(self, params: fnn.Array1, segments: fnn.Segments, /) -> fnn.Slots:
        return {}


@dataclass(frozen=True)
class NoSlots(fnn.Optimizer):
    learning_rate: float

    def init_flat(  # mypy: [override]  pyright: [reportIncompatibleMethodOverride]
        self,
        params: fnn.Array1,
        segments: fnn.Segments,
        /,
    ) -> None:
        return None

    def update_flat(  # mypy: [override]  pyright: [reportIncompatibleMethodOverride]
        self, grads: fnn.Array1, slots: fnn.Slots, params: fnn.Array1, step: int, segments: fnn.Segments, /
    ) -> fnn.Array1:
        return -self.learning_rate * grads


@dataclass(frozen=True)
class NoDelta(fnn.Optimizer):
    learning_rate: float

    def init_flat(self, params: fnn.Array1, segments: fnn.Segments, /) -> fnn.Slots:
        return {"average": 0.0}  # mypy: [dict-item]  pyright: [reportReturnType]

    def update_flat(
        self, grads: fnn.Array1, slots: fnn.Slots, params: fnn.Array1, step: int, segments: fnn.Segments, /
    ) -> tuple[fnn.Array1, fnn.Slots]:
        return -self.learning_rate * grads  # mypy: [return-value]  pyright: [reportReturnType]


NoUpdate(0.1)  # mypy: [abstract]  pyright: [reportAbstractUsage]
