"""fit: the training loop as an iterator of records."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO, TypeAlias, TypeVar, TypeVarTuple, overload

from numpy import ndarray

from fnn.arrays import Scalar
from fnn.functional.checks import check_int
from fnn.random import Key, check_key
from fnn.training.feed import Feed, rows_of
from fnn.training.progress import Progress
from fnn.training.records import FitRecord
from fnn.training.stopping import lost
from fnn.training.train_state import P, S, TrainState
from fnn.tree import show

if TYPE_CHECKING:
    from fnn.data.rows import Rows
    from fnn.metrics.metric import Metric, Several

B = TypeVar("B")
Parts = TypeVarTuple("Parts")
# what a step gives beside the state: the loss, with has_aux=True a pair
Loss: TypeAlias = Scalar | tuple[Scalar, Any]
Run: TypeAlias = Generator[FitRecord[P, S], TrainState[P, S] | None, None]
Metrics: TypeAlias = "Mapping[str, Metric[Any, Any, Any, float]]"

_END: Any = object()
_NOTHING: Any = object()


@overload
def fit(
    step: Callable[[TrainState[P, S], *Parts], tuple[TrainState[P, S], Loss]],
    ts: TrainState[P, S],
    data: tuple[*Parts],
    /,
    *,
    epochs: int | None = 1,
    batch_size: int = 32,
    key: Key | None = None,
    validation: Callable[[TrainState[P, S]], Mapping[str, float]] | None = None,
    metrics: Metrics | None = None,
    log_every: int | None = None,
    validate_every: int | None = None,
    stop_on_nan: bool = True,
    progress: bool | TextIO = True,
) -> Run[P, S]: ...
@overload
def fit(
    step: Callable[[TrainState[P, S], *Parts], tuple[TrainState[P, S], Loss]],
    ts: TrainState[P, S],
    data: Rows[tuple[*Parts]] | Callable[[int], Iterable[tuple[*Parts]]] | Iterable[tuple[*Parts]],
    /,
    *,
    epochs: int | None = 1,
    batch_size: int = 32,
    key: Key | None = None,
    validation: Callable[[TrainState[P, S]], Mapping[str, float]] | None = None,
    metrics: Metrics | None = None,
    log_every: int | None = None,
    validate_every: int | None = None,
    stop_on_nan: bool = True,
    progress: bool | TextIO = True,
) -> Run[P, S]: ...
@overload
def fit(
    step: Callable[[TrainState[P, S], B], tuple[TrainState[P, S], Loss]],
    ts: TrainState[P, S],
    data: B | Rows[B] | Callable[[int], Iterable[B]] | Iterable[B],
    /,
    *,
    epochs: int | None = 1,
    batch_size: int = 32,
    key: Key | None = None,
    validation: Callable[[TrainState[P, S]], Mapping[str, float]] | None = None,
    metrics: Metrics | None = None,
    log_every: int | None = None,
    validate_every: int | None = None,
    stop_on_nan: bool = True,
    progress: bool | TextIO = True,
) -> Run[P, S]: ...
def fit(
    step: Callable[..., tuple[TrainState[Any, Any], Any]],
    ts: TrainState[Any, Any],
    data: Any,
    /,
    *,
    epochs: int | None = 1,
    batch_size: int = 32,
    key: Key | None = None,
    validation: Callable[[TrainState[Any, Any]], Mapping[str, float]] | None = None,
    metrics: Metrics | None = None,
    log_every: int | None = None,
    validate_every: int | None = None,
    stop_on_nan: bool = True,
    progress: bool | TextIO = True,
) -> Run[Any, Any]:
    """Train, and give a `FitRecord` at the end of every epoch: logging, stopping and plotting are what the `for` loop does.

    It calls `ts, loss = step(ts, *batch)` for one batch after the other (`step(ts, batch)` where a batch is no tuple) and
    nothing else: what it returns are the states that a loop of one's own would have.

    data: one of
    - arrays: a tuple as (x, y), a tree of arrays, or what is read by rows (see `fnn.batches`). They are read in batches of
      `batch_size`, shuffled anew in every epoch by `key`, which is derived from ts.key where none is given.
    - a function of the number of the epoch, from 0, that gives its batches, as
      `lambda epoch: fnn.batches((x, y), 32, key, epoch, last="drop")`.
    - an iterable of batches, such as a list: the same in every epoch; or an iterator, such as a generator: read once.

    epochs: how many there are from step 0 on; None: until the loop is left. A run that did ts.step steps goes on at just that
    batch of that epoch, with the bits that it would have had; so the same line starts and resumes a run. (An iterator goes on
    where it stands.)

    Records come at the end of every epoch, after every step that `log_every` divides, and after those that `validate_every`
    divides. An iterator has no epochs but its end.

    validation: a function of the TrainState that gives numbers by name, as `lambda ts: fnn.evaluate(model, ts, (x, y),
    {"loss": fnn.mse})`; it runs at the end of every epoch, or, with `validate_every`, after those steps.

    metrics: metrics of the training batches by name, for a step made with has_aux=True whose aux is (prediction, target) or
    (prediction, target, weights).

    stop_on_nan: FloatingPointError at the first loss that is not finite, with what of the parameters is not.

    progress: a line on stderr, or on the stream that is given; False: none.

    To go on from another state, with a lower learning rate for example, send it: `run.send(replace(record.state, opt=...))`,
    with run the generator. It returns the record with that state.

    Raises ValueError or TypeError for arguments that do not fit, before the first step. An error of a step has a note that
    says which step it was.

    >>> import fnn, numpy as np
    >>> x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(64, 1)
    >>> model, opt = fnn.Dense(1, 1), fnn.Adam(0.1)
    >>> step = fnn.train_step(fnn.supervised(model, fnn.mse), opt)
    >>> ts = fnn.start(model, opt, fnn.key(0))
    >>> for record in fnn.fit(step, ts, (x, 3 * x + 1), epochs=40, batch_size=16, progress=False):
    ...     if record.loss < 1e-3:
    ...         break
    >>> record.step, record.state.params.bias.round(1)
    (68, array([1.], dtype=float32))
    """
    if not callable(step):
        raise TypeError(f"fit: the step is {step!r}, expected a function, as fnn.train_step makes it")
    if not isinstance(ts, TrainState):
        raise TypeError(f"fit: the second argument is a {type(ts).__name__}, expected a TrainState, as fnn.start makes it")
    if key is not None:
        check_key("fit", key)
    for name, value, least in (("epochs", epochs, 0), ("log_every", log_every, 1), ("validate_every", validate_every, 1)):
        if value is not None:
            check_int("fit", name, value, least)
    if validation is not None and not callable(validation):
        raise TypeError(
            f"fit: validation is a {type(validation).__name__}, expected a function of the TrainState: "
            "lambda ts: fnn.evaluate(model, ts, (x, y), metrics)"
        )
    if validate_every is not None and validation is None:
        raise ValueError(f"fit: validate_every is {validate_every}, but there is no validation")
    feed = Feed("fit", data, batch_size, ts.key.split(1)[0] if key is None else key)
    if feed.is_stream and epochs is not None and epochs > 1:
        raise ValueError(
            f"fit: epochs is {epochs}, but the data is an iterator ({type(data).__name__}), which gives its batches once: "
            "pass a function of the epoch that makes one"
        )
    meter = None if metrics is None else _meter(metrics)
    line = Progress(feed.total(epochs, ts.step), None if progress is True else progress) if progress is not False else None
    return _Loop(step, ts, feed, epochs, validation, meter, log_every, validate_every, stop_on_nan, line).run()


@dataclass
class _Loop:
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
        try:
            while self.epochs is None or self.epoch < self.epochs:
                self.batches, self.length = self.feed.read(self.epoch, self.done)
                self.held, self.is_over = _NOTHING, False
                while not self.is_over:
                    seen = self.advance()
                    if not seen.steps:
                        break
                    record = self.record(seen)
                    sent = yield record
                    while sent is not None:
                        _check(sent, self.number)
                        self.ts = sent
                        sent = yield replace(record, state=sent)
                if self.feed.is_stream:
                    break
                if not self.done:
                    raise ValueError(f"fit: epoch {self.epoch} has no batches")
                self.epoch, self.done = self.epoch + 1, 0
        finally:
            if self.line is not None:
                self.line.close()

    def advance(self) -> _Seen:
        """All steps to the next record, or to the end of the epoch."""
        step, batches, line, meter, clock = self.step, self.batches, self.line, self.meter, perf_counter
        ts, number = self.ts, self.number
        skipped = number - self.done  # number - skipped: the batch of this epoch
        due = min(_next(number, self.log_every), _next(number, self.validate_every))
        if self.length is not None:
            due = min(due, skipped + self.length)
        total = 0.0
        rows = 0
        counted: Any = None if meter is None else meter.init()
        live = line is not None and line.live
        since = clock()
        while number != due:
            batch = next(batches, _END) if self.held is _NOTHING else self.held
            self.held = _NOTHING
            if batch is _END:
                self.is_over = True
                break
            is_tuple = isinstance(batch, tuple)
            try:
                new, loss = step(ts, *batch) if is_tuple else step(ts, batch)
            except Exception as error:
                error.add_note(f"in fit: step {number}, batch {number - skipped} of epoch {self.epoch}")
                raise
            if meter is not None:
                counted = meter.merge(counted, meter.measure(*_counted(loss)))
            if isinstance(loss, tuple):
                loss = loss[0]
            value = float(loss)
            if value - value != 0.0 and self.stop_on_nan:
                raise lost("fit", value, ts, self.epoch, number - skipped)
            ts = new
            total += value
            rows += len(batch[0]) if is_tuple and batch and batch[0].__class__ is ndarray else rows_of(batch)
            number += 1
            if live and line is not None and clock() > line.next:
                steps = number - self.number
                self.tell(line.step, number - skipped, total / steps, number - self.first, rows / (clock() - since))
        spent = clock() - since
        steps = number - self.number
        self.ts, self.number, self.done = ts, number, number - skipped
        if self.length is not None:
            self.is_over = self.is_over or self.done >= self.length
        elif not self.is_over and not self.feed.is_stream:
            # whether there is another batch, only reading it tells
            self.held = next(batches, _END)
            self.is_over = self.held is _END
        metrics = {} if meter is None or not steps else _floats(meter.compute(counted))
        return _Seen(steps, total / max(steps, 1), metrics, rows / spent if spent else 0.0)

    def record(self, seen: _Seen) -> FitRecord[Any, Any]:
        """The record of a stretch, with the validation where it is due."""
        ts, every = self.ts, self.validate_every
        _check(ts, self.number)
        values: dict[str, float] = {}
        if self.validation is not None and (self.is_over if every is None else self.number % every == 0):
            values = _floats(self.validation(ts))
        if self.line is not None:
            last = self.is_over and (self.feed.is_stream or self.epoch + 1 == self.epochs)
            told = partial(self.line.record, last=last)
            self.tell(told, self.done, seen.loss, self.number - self.first, seen.rate, seen.metrics, values)
        seconds = perf_counter() - self.began
        made: Any = object.__new__(FitRecord)  # as __init__ would, four times as fast
        made.__dict__.update(
            step=self.number, epoch=self.epoch, loss=seen.loss, metrics=seen.metrics, validation=values, seconds=seconds,
            examples_per_second=seen.rate, state=ts, ends_epoch=self.is_over,
        )  # fmt: skip
        return made  # type: ignore[no-any-return]  # see above

    def tell(
        self,
        line: Callable[[str, int, float], None],
        done: int,
        loss: float,
        steps: int,
        rate: float,
        *values: Mapping[str, float],
    ) -> None:
        """Where it is, for people: epochs and batches count from 1."""
        text = f"epoch {self.epoch + 1}" + (f"/{self.epochs}" if self.epochs else "")
        text += f"  batch {done}" + (f"/{self.length}" if self.length else "") + f"  loss {loss:.4g}"
        for name, group in zip(("", "validation "), values, strict=False):
            text += "".join([f"  {name}{key} {value:.4g}" for key, value in group.items()])
        line(text, steps, rate)


class _Seen(NamedTuple):
    """What happened from one record to the next."""

    steps: int
    loss: float
    metrics: dict[str, float]
    rate: float


def _next(step: int, every: int | None) -> float:
    """The next step that `every` divides."""
    return inf if every is None else (step // every + 1) * every


def _check(ts: Any, number: int) -> None:
    """TypeError or ValueError unless this is a state after so many steps."""
    if not isinstance(ts, TrainState):
        raise TypeError(f"fit: a state to go on from is a {type(ts).__name__}, expected a TrainState")
    if ts.step != number:
        raise ValueError(
            f"fit: the state has step {ts.step} where {number} steps are done; the place in the data is a function of the "
            "step: a step adds one to it, and to go on from another step start another fit"
        )


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
    return {name: float(value) for name, value in values.items()}


def _meter(metrics: Metrics) -> Several[Any, Any, float]:
    from fnn.metrics.metric import Several  # noqa: PLC0415 (loads when it is used)

    return Several(**metrics)
