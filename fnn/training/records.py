"""What a loop tells: one typed, frozen record for every place where it stops to look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic

from fnn.training.train_state import P, S, TrainState


@dataclass(frozen=True)
class FitRecord(Generic[P, S]):
    """Where a run is, and how it went since the record before.

    step: steps done, `state.step`; epoch: that of the last step, from 0; loss: the mean over the steps since the last
    record; metrics: of the same batches; validation: what the function `validation` gave for `state`, empty where it did
    not run; seconds: since `fit` began; examples_per_second: of the steps since the last record, without validation and
    what the loop around does; state: to predict with, save, or go on from; ends_epoch: whether this step was the last of
    its epoch.
    """

    step: int
    epoch: int
    loss: float
    metrics: Mapping[str, float]
    validation: Mapping[str, float]
    seconds: float
    examples_per_second: float
    state: TrainState[P, S] = field(repr=False)
    ends_epoch: bool

    def row(self) -> dict[str, int | float]:
        """The numbers in one flat dict, for a table or a log; those of the validation are named "validation.loss".

        >>> import fnn
        >>> opt = fnn.Sgd(0.1)
        >>> state = fnn.start(fnn.Dense(1, 1), opt, fnn.key(0))
        >>> FitRecord(8, 1, 0.5, {}, {"loss": 0.75}, 2.0, 64.0, state, True).row()
        {'step': 8, 'epoch': 1, 'loss': 0.5, 'validation.loss': 0.75, 'seconds': 2.0, 'examples_per_second': 64.0}
        """
        return {
            "step": self.step,
            "epoch": self.epoch,
            "loss": self.loss,
            **self.metrics,
            **{f"validation.{name}": value for name, value in self.validation.items()},
            "seconds": self.seconds,
            "examples_per_second": self.examples_per_second,
        }
