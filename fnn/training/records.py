"""What a loop tells: one typed, frozen record for every place where it stops to look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic

from fnn.training.train_state import P, S, TrainState


@dataclass(frozen=True)
class FitRecord(Generic[P, S]):
    """Where a run is, and how it went: since the record before, and in this epoch.

    step: steps done, `state.step`; epoch: that of the last step, from 0; loss: the mean over the steps since the last
    record; metrics: of the same batches; epoch_loss, epoch_metrics: of all steps of this epoch so far, so at its end of the
    whole epoch; validation: what the function `validation` gave for `state`, empty where it did not run; seconds: since `fit`
    began; examples_per_second: of the steps since the last record, without validation and what the loop around does; state:
    to predict with, save, or go on from; ends_epoch: whether this step was the last of its epoch.

    A run that is resumed in the middle of an epoch has not seen its first batches: `epoch_loss` and `epoch_metrics` of that
    one epoch are of the steps since then, and differ from those of a run that never stopped. The states don't.
    """

    step: int
    epoch: int
    loss: float
    metrics: Mapping[str, float]
    epoch_loss: float
    epoch_metrics: Mapping[str, float]
    validation: Mapping[str, float]
    seconds: float
    examples_per_second: float
    state: TrainState[P, S] = field(repr=False)
    ends_epoch: bool

    def row(self) -> dict[str, int | float]:
        """The numbers in one flat dict, for a table or a log.

        Those of the epoch are there at its end, named "epoch_loss"; those of the validation where it ran, "validation.loss".

        >>> import fnn
        >>> opt = fnn.Sgd(0.1)
        >>> state = fnn.start(fnn.Dense(1, 1), opt, fnn.key(0))
        >>> record = FitRecord(8, 1, 0.5, {}, 0.25, {}, {"loss": 0.75}, 2.0, 64.0, state, True)
        >>> list(record.row())
        ['step', 'epoch', 'loss', 'epoch_loss', 'validation.loss', 'seconds', 'examples_per_second']
        """
        of_epoch = {"loss": self.epoch_loss, **self.epoch_metrics} if self.ends_epoch else {}
        return {
            "step": self.step,
            "epoch": self.epoch,
            "loss": self.loss,
            **self.metrics,
            **{f"epoch_{name}": value for name, value in of_epoch.items()},
            **{f"validation.{name}": value for name, value in self.validation.items()},
            "seconds": self.seconds,
            "examples_per_second": self.examples_per_second,
        }


def check_name(name: object) -> None:
    """ValueError where a metric of this name would hide another number in a row."""
    if not isinstance(name, str):
        raise TypeError(f"fit: a metric is named {name!r}, expected a str")
    taken = ("step", "epoch", "loss", "seconds", "examples_per_second")
    if name in taken or name.startswith(("epoch_", "validation.")):
        raise ValueError(f"fit: a metric is named {name!r}, which a record's row has already; give it another name")
