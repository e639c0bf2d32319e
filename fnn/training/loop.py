"""What `fit` does: one run, from record to record."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from fnn.training.feed import Feed, rows_of
from fnn.training.progress import Progress
from fnn.training.records import FitRecord
from fnn.training.stopping import StopOnNan, lost
from fnn.training.train_state import P, S, TrainState
from fnn.tree import leaves, show

if TYPE_CHECKING:
    from fnn.metrics.metric import Several

Run: TypeAlias = Generator[FitRecord[P, S], TrainState[P, S] | None, None]

_END: Any = object()
_NOTHING: Any = object()


@dataclass
class Loop:
    """One run of `fit`: its arguments, and the place where it is. Only its generator sees it."""

    step: Callable[..., tuple[TrainState[Any, Any], Any]]
    ts: TrainState[Any, Any]
    feed: Feed
    epochs: int | None
    validation: Callable[[TrainState[Any, Any]], Mapping[str, float]] | None
    meter: Several[Any, Any, float] | None
    log_every: int | None
    validate_every: int | None
    stop_on_nan: bool
    line: Progress | None

    def run(self) -> Run[Any, Any]:
        """The generator."""
        self.began = perf_counter()
        self.first = self.number = self.ts.step
        self.epoch, self.done = self.feed.place(self.number)
        self.batches: Any = iter(())
        self.length: int | None = None  # of this epoch
        self.usual: int | None = None  # of this or the last one
        if self.line is not None and self.epochs is not None and self.epoch >= self.epochs:
            self.line.note(
                f"fit: nothing to do: epochs is {self.epochs}, and the state has done {self.number} steps, which is all"
            )
        try:
            while self.epochs is None or self.epoch < self.epochs:
                self.batches, self.length = self.feed.read(self.epoch, self.done)
                self.usual = self.length or self.usual
                self.held, self.is_over = _NOTHING, False
                # what this run has seen of this epoch
                self.steps, self.total = 0, 0.0
                self.counted: Any = None
                while not self.is_over:
                    record = self.advance()
                    if record is None:
                        break
                    sent = yield record
                    while sent is not None:
                        _check(sent, self.number)
                        self.ts = sent
                        sent = yield replace(record, state=sent)
                    if self.line is not None:
                        self.line.resume()
                if self.feed.is_stream and self.done != self.length:
                    break
                if not self.done:
                    raise ValueError(f"fit: epoch {self.epoch} has no batches")
                self.epoch, self.usual, self.done = self.epoch + 1, self.done, 0
        finally:
            # a thread that reads ahead ends, though a traceback refer to it; a stream is the user's
            if not self.feed.is_stream and hasattr(self.batches, "close"):
                self.batches.close()
            if self.line is not None:
                self.line.close()

    def advance(self) -> FitRecord[Any, Any] | None:
        """All steps to the next record, or to the end of the epoch; None where there was none."""
        step, batches, line, meter, clock = self.step, self.batches, self.line, self.meter, perf_counter
        ts, first = self.ts, self.number
        number = first
        skipped = number - self.done  # number - skipped: the batch of this epoch
        due = inf if self.length is None else skipped + self.length
        for every in (self.log_every, self.validate_every):
            if every is not None:
                due = min(due, (number // every + 1) * every)
        total = 0.0
        rows = 0
        counted: Any = None if meter is None else meter.init()
        since = clock()
        while number != due:
            batch = next(batches, _END) if self.held is _NOTHING else self.held
            self.held = _NOTHING
            if batch is _END:
                if self.length is not None and not self.feed.is_stream:
                    raise ValueError(
                        f"fit: epoch {self.epoch} has {number - skipped} batches where {self.length} were expected, by "
                        "steps_per_epoch or the length that they tell"
                    )
                self.is_over = True
                break
            is_tuple = isinstance(batch, tuple)
            try:
                new, loss = step(ts, *batch) if is_tuple else step(ts, batch)
                value = float(loss[0] if isinstance(loss, tuple) else loss)
                if meter is not None:
                    counted = meter.merge(counted, meter.measure(*_counted(loss)))
            except Exception as error:
                error.add_note(_where(number, number - skipped, self.epoch, batch))
                raise
            if value - value != 0.0 and self.stop_on_nan:
                raise lost("fit", value, ts, self.epoch, number - skipped, batch)
            ts = new
            total += value
            rows += len(batch[0]) if is_tuple and batch and batch[0].__class__ is np.ndarray else rows_of(batch)
            number += 1
            if line is not None and clock() > line.next:
                self.tell(line.step, number - skipped, number - self.first, total / (number - first), rows / (clock() - since))
        spent = clock() - since
        self.ts, self.number, self.done = ts, number, number - skipped
        if self.length is not None:
            self.is_over = self.is_over or self.done >= self.length
        elif not self.is_over and not self.feed.is_stream:
            # whether there is another batch, only reading it tells
            self.held = next(batches, _END)
            self.is_over = self.held is _END
        return self.record(number - first, total, counted, rows / spent if spent else 0.0) if number != first else None

    def record(self, steps: int, total: float, counted: Any, rate: float) -> FitRecord[Any, Any]:
        """The record of a stretch of steps, with the validation where it is due."""
        ts, every, meter, line = self.ts, self.validate_every, self.meter, self.line
        _check(ts, self.number)
        if self.stop_on_nan and not _is_finite(ts):
            raise FloatingPointError(
                f"fit: {StopOnNan().update(0.0, ts).message}; to go on in spite of it say stop_on_nan=False"
            )
        loss = total / steps
        is_all = not self.steps  # of the epoch so far
        self.steps += steps
        self.total += total
        metrics: dict[str, float] = {}
        epoch_metrics = metrics
        if meter is not None:
            self.counted = counted if is_all else meter.merge(self.counted, counted)
            metrics = _floats(meter.compute(counted))
            epoch_metrics = metrics if is_all else _floats(meter.compute(self.counted))
        epoch_loss = self.total / self.steps
        values: dict[str, float] = {}
        if self.validation is not None and (self.is_over if every is None else self.number % every == 0):
            if line is not None:
                line.hide()
            try:
                values = _floats(self.validation(ts))
            except Exception as error:
                error.add_note(f"in fit: the validation after step {self.number}")
                raise
        if line is not None:
            shown = (epoch_loss, epoch_metrics) if self.is_over else (loss, metrics)
            self.tell(line.record, self.done, self.number - self.first, shown[0], rate, shown[1], values)
        made: Any = object.__new__(FitRecord)  # as __init__ would, four times as fast
        made.__dict__.update(
            step=self.number, epoch=self.epoch, loss=loss, metrics=metrics, epoch_loss=epoch_loss, epoch_metrics=epoch_metrics,
            validation=values, seconds=perf_counter() - self.began, examples_per_second=rate, state=ts, ends_epoch=self.is_over,
        )  # fmt: skip
        return made  # type: ignore[no-any-return]  # see above

    def tell(
        self,
        tell: Callable[[str, int, float], None],
        done: int,
        steps: int,
        loss: float,
        rate: float,
        *values: Mapping[str, float],
    ) -> None:
        """Where it is, for people: epochs and batches count from 1."""
        if self.line is not None and self.usual is not None and self.epochs is not None:
            # other epochs may have other lengths; it is only for the time left
            self.line.total = steps - done + (self.epochs - self.epoch) * self.usual
        text = f"epoch {self.epoch + 1}" + (f"/{self.epochs}" if self.epochs else "")
        text += f"  batch {done}" + (f"/{self.length}" if self.length else "") + f"  loss {loss:.4g}"
        for name, group in zip(("", "validation "), values, strict=False):
            text += "".join([f"  {name}{key} {value:.4g}" for key, value in group.items()])
        tell(text, steps, rate)


def _check(ts: Any, number: int) -> None:
    """TypeError or ValueError unless this is a state after so many steps."""
    if not isinstance(ts, TrainState):
        raise TypeError(f"fit: a state to go on from is a {type(ts).__name__}, expected a TrainState")
    if ts.step != number:
        raise ValueError(
            f"fit: the state has step {ts.step} where {number} steps are done; the place in the data is a function of the "
            "step: a step adds one to it, and to go on from another step start another fit"
        )


def _is_finite(ts: TrainState[Any, Any]) -> bool:
    """Whether all parameters are finite."""
    layout = ts.opt.layout
    found: Any = layout.structure.leaves_of(ts.params)
    if found is None:
        found = leaves(ts.params)
    # what a train_step made are views of one vector
    base: Any = found[0].base if found else None
    if base is not None and base.size == layout.size and all([leaf.base is base for leaf in found]):
        found = [base]
    # a sum of squares is one pass without an array; where it overflows, look again
    return all([np.vdot(leaf, leaf) < inf or bool(np.isfinite(leaf).all()) for leaf in found])


def _where(number: int, batch: int, epoch: int, given: Any) -> str:
    """The note of an error of a step."""
    parts = given if isinstance(given, tuple) else (given,)
    shown = ", ".join([show(part) for part in parts])
    note = f"in fit: step {number}, batch {batch} of epoch {epoch}, called as step(ts, {shown})"
    if not isinstance(given, tuple):
        note += "; a step of several arguments needs a tuple of them, as (x, y)"
    if rows_of(given) == 1:
        note += '; the batch has one row: last="drop" leaves out a last batch that is smaller than the others'
    return note


def _counted(made: Any) -> tuple[Any, ...]:
    """(prediction, target) of what a step gave."""
    if not isinstance(made, tuple):
        raise TypeError(
            "fit: metrics need a step made with has_aux=True, whose loss returns (loss, (state, (prediction, target))); "
            "this step gives a loss only"
        )
    aux = made[1]
    if not isinstance(aux, tuple) or len(aux) not in (2, 3):
        raise TypeError(f"fit: the step's aux is {show(aux)}, expected (prediction, target) or those and weights")
    return aux


def _floats(values: Any) -> dict[str, float]:
    if not isinstance(values, Mapping):
        raise TypeError(f"fit: validation gave a {type(values).__name__}, expected numbers by name, as {{'loss': 0.5}}")
    for name, value in values.items():
        if np.ndim(value):
            raise TypeError(f"fit: {name!r} is {show(value)}, expected a number")
    return {name: float(value) for name, value in values.items()}
