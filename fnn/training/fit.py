"""fit: the training loop as an iterator of records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, TextIO, TypeAlias, TypedDict, TypeVar, TypeVarTuple, Unpack, overload

from fnn.arrays import Scalar
from fnn.functional.checks import check_int
from fnn.random import Key, check_key
from fnn.training.feed import Feed, has_rows
from fnn.training.loop import Loop, Run
from fnn.training.progress import Progress
from fnn.training.records import check_name
from fnn.training.supervised import Supervised
from fnn.training.train_state import P, S, TrainState
from fnn.training.usage import usage

if TYPE_CHECKING:
    from fnn.data.rows import Rows
    from fnn.metrics.metric import Metric, Several

B = TypeVar("B")
Parts = TypeVarTuple("Parts")
# what a step gives beside the state: the loss, with has_aux=True a pair
Loss: TypeAlias = Scalar | tuple[Scalar, Any]


class Options(TypedDict, Generic[P, S], total=False):
    """The keywords of `fit`."""

    epochs: int | None
    steps_per_epoch: int | None
    batch_size: int
    last: Literal["keep", "drop", "pad"]
    key: Key | None
    validation: Callable[[TrainState[P, S]], Mapping[str, float]] | None
    metrics: Mapping[str, Metric[Any, Any, Any, float] | Callable[[Any, Any], Scalar]] | None
    log_every: int | None
    validate_every: int | None
    stop_on_nan: bool
    progress: bool | TextIO


@overload
def fit(
    step: Callable[[TrainState[P, S], *Parts], tuple[TrainState[P, S], Loss]],
    ts: TrainState[P, S],
    data: tuple[*Parts],
    /,
    **options: Unpack[Options[P, S]],
) -> Run[P, S]: ...
@overload
def fit(
    step: Callable[[TrainState[P, S], *Parts], tuple[TrainState[P, S], Loss]],
    ts: TrainState[P, S],
    data: Rows[tuple[*Parts]]
    | Callable[[int], Iterable[tuple[*Parts]]]
    | Callable[[int, int], Iterable[tuple[*Parts]]]
    | Iterable[tuple[*Parts]],
    /,
    **options: Unpack[Options[P, S]],
) -> Run[P, S]: ...
@overload
def fit(
    step: Callable[[TrainState[P, S], B], tuple[TrainState[P, S], Loss]],
    ts: TrainState[P, S],
    data: B | Rows[B] | Callable[[int], Iterable[B]] | Callable[[int, int], Iterable[B]] | Iterable[B],
    /,
    **options: Unpack[Options[P, S]],
) -> Run[P, S]: ...
@usage("fnn.fit(step, ts, (x, y), epochs=10)")
def fit(
    step: Callable[..., tuple[TrainState[Any, Any], Any]],
    ts: TrainState[Any, Any],
    data: Any,
    /,
    *,
    epochs: int | None = 1,
    steps_per_epoch: int | None = None,
    batch_size: int | None = None,
    last: Literal["keep", "drop", "pad"] | None = None,
    key: Key | None = None,
    validation: Callable[[TrainState[Any, Any]], Mapping[str, float]] | None = None,
    metrics: Mapping[str, Any] | None = None,
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
      `batch_size`, shuffled anew in every epoch by `key`, which is derived from ts.key where none is given; for `last`
      ("keep", "drop" or "pad" a smaller last batch) see `fnn.batches`.
    - a function of the number of the epoch, from 0, that gives its batches, as
      `lambda epoch: fnn.batches((x, y), 32, key, epoch, stratify=y)`. One with a second argument, or an argument `start`, is
      also told how many batches of this epoch are done, and leaves them out, as
      `lambda epoch, start: fnn.prefetch(fnn.batches((x, y), 32, key, epoch, start=start))`.
    - an iterable of batches, such as a list: the same in every epoch; or an iterator, such as a generator: read once.

    epochs: how many there are from step 0 on; None: until the loop is left. A run that did ts.step steps goes on at just that
    batch of that epoch, with the bits that it would have had; so the same line starts and resumes a run, and one that is
    finished gives no record. (An iterator goes on where it stands.)

    steps_per_epoch: an epoch is this many batches. For a function whose batches have no length, such as a generator: a run
    that is resumed finds its epoch without reading those before, and the progress shows the time left. For an iterator, which
    without it has no epochs but its end.

    Records come at the end of every epoch, after every step that `log_every` divides, and after those that `validate_every`
    divides.

    validation: a function of the TrainState that gives numbers by name, as `lambda ts: fnn.evaluate(model, ts, (x, y),
    {"loss": fnn.mse})`; it runs at the end of every epoch, or, with `validate_every`, after those steps.

    metrics: metrics of the training batches by name, as for `fnn.evaluate`, for a step made with has_aux=True whose aux is
    (prediction, target) or (prediction, target, weights).

    stop_on_nan: FloatingPointError at the first loss that is not finite, and in place of a record whose parameters are not,
    with what of them is not.

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
        hint = "; are the first two arguments swapped?" if isinstance(step, TrainState) else ""
        raise TypeError(f"fit: the step is a {type(step).__name__}, expected a function, as fnn.train_step makes it{hint}")
    if isinstance(step, Supervised):
        raise TypeError("fit: the step is a loss, which updates nothing; write fnn.train_step(loss, opt)")
    if not isinstance(ts, TrainState):
        raise TypeError(f"fit: the second argument is a {type(ts).__name__}, expected a TrainState, as fnn.start makes it")
    if key is not None:
        check_key("fit", key)
    counts = {
        "steps_per_epoch": steps_per_epoch,
        "batch_size": batch_size,
        "log_every": log_every,
        "validate_every": validate_every,
    }
    for name, value in {"epochs": epochs, **counts}.items():
        if value is not None:
            check_int("fit", name, value, 0 if name == "epochs" else 1)
    if validation is not None and not callable(validation):
        raise TypeError(
            f"fit: validation is a {type(validation).__name__}, expected a function of the TrainState: "
            "lambda ts: fnn.evaluate(model, ts, (x, y), metrics)"
        )
    if validate_every is not None and validation is None:
        raise ValueError(f"fit: validate_every is {validate_every}, but there is no validation")
    for name, given in (("batch_size", batch_size), ("last", last), ("key", key)):
        if given is not None and not has_rows(data):
            raise ValueError(
                f"fit: {name} is {given!r}, but the data, a {type(data).__name__}, gives batches already: {name} is for "
                "arrays; give it to fnn.batches, in a function of the epoch"
            )
    size = 32 if batch_size is None else batch_size
    if not isinstance(progress, bool) and not hasattr(progress, "write"):
        raise TypeError(f"fit: progress is {progress!r}, expected True, False or a stream to write to, as sys.stdout")
    feed = Feed("fit", data, steps_per_epoch, size, ts.key.split(1)[0] if key is None else key, last or "keep")
    if feed.is_stream and steps_per_epoch is None and epochs is not None and epochs > 1:
        raise ValueError(
            f"fit: epochs is {epochs}, but the data is an iterator ({type(data).__name__}), which gives its batches once: "
            "pass a function of the epoch that makes one, or steps_per_epoch"
        )
    meter = None if metrics is None else _meter(metrics)
    line = Progress(None, None if progress is True else progress) if progress is not False else None
    return Loop(step, ts, feed, epochs, validation, meter, log_every, validate_every, stop_on_nan, line).run()


def _meter(metrics: Any) -> Several[Any, Any, float]:
    # loads when it is used
    from fnn.metrics.metric import Several  # noqa: PLC0415
    from fnn.training.evaluate import as_metric  # noqa: PLC0415

    if not isinstance(metrics, Mapping):
        raise TypeError(f'fit: metrics is {metrics!r}, expected metrics by name, as {{"accuracy": fnn.metrics.Accuracy()}}')
    for name in metrics:
        check_name(name)
    return Several(**{name: as_metric("fit", name, metric) for name, metric in metrics.items()})
