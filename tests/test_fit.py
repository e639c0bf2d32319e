"""fit is the loop one would write oneself, bit for bit, wherever it stops and resumes; evaluate is exact; progress is told."""

from __future__ import annotations

import io
import os
import re
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import pairwise
from operator import length_hint
from typing import Any

import numpy as np
import pytest

import fnn
from fnn.training.progress import Progress

rng = np.random.default_rng(0)
x = rng.normal(size=(50, 3)).astype(np.float32)
labels = rng.integers(0, 4, 50)
model = fnn.Dense(3, 8) >> fnn.BatchNorm(8) >> fnn.relu >> fnn.Dropout(0.3) >> fnn.Dense(8, 4)
opt = fnn.Adam(0.01)
step = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), opt)
start = fnn.start(model, opt, fnn.key(0))
KEY = fnn.key(7)
loose: Any = fnn  # for calls that the types refuse


def run(data: Any = (x, labels), ts: Any = start, /, **options: Any) -> list[Any]:
    of_arrays: dict[str, Any] = {"batch_size": 8, "key": KEY} if isinstance(data, tuple) else {}
    return list(loose.fit(step, ts, data, **{**of_arrays, "progress": False, **options}))


def by_hand(steps: int) -> Any:
    ts, done = start, 0
    losses: list[float] = []
    for epoch in range(100):
        for batch in fnn.batches((x, labels), 8, KEY, epoch):
            if done == steps:
                return ts, losses
            ts, loss = step(ts, *batch)
            losses.append(float(loss))
            done += 1
    raise AssertionError


def same(a: Any, b: Any) -> bool:
    return fnn.tree.equal((a.params, a.state, a.opt.slots, a.step), (b.params, b.state, b.opt.slots, b.step))


def test_it_is_the_loop_by_hand_and_the_loss_the_mean_since_the_last_record() -> None:
    records = run(epochs=3, log_every=5)
    ts, losses = by_hand(21)
    assert same(records[-1].state, ts)
    assert [(r.step, r.epoch, r.ends_epoch) for r in records] == [
        (5, 0, False), (7, 0, True), (10, 1, False), (14, 1, True), (15, 2, False), (20, 2, False), (21, 2, True),
    ]  # fmt: skip
    assert [r.state.step for r in records] == [r.step for r in records]
    edges = [0, *[r.step for r in records]]
    for record, (a, b) in zip(records, pairwise(edges), strict=True):
        assert record.loss == pytest.approx(np.mean(losses[a:b]), abs=1e-12)
        assert record.metrics == record.validation == {}
        assert record.examples_per_second > 0
    assert all(a.seconds < b.seconds for a, b in pairwise(records))


def test_without_a_key_the_order_is_a_function_of_that_of_the_state() -> None:
    one, two, other = run(key=None), run(key=None), run((x, labels), replace(start, key=fnn.key(9)), key=None)
    assert same(one[-1].state, two[-1].state)
    assert not same(one[-1].state, other[-1].state)
    assert not same(one[-1].state, run()[-1].state)


def shuffled(epoch: int) -> Any:
    return fnn.batches((x, labels), 8, KEY, epoch)


def streamed(epoch: int) -> Iterator[Any]:
    """Epochs of unknown and unequal lengths."""
    for i, batch in enumerate(shuffled(epoch)):
        if i < 7 - epoch:
            yield batch


@pytest.mark.parametrize(
    "data", [(x, labels), shuffled, streamed, list(shuffled(0)), shuffled(0)], ids=lambda d: type(d).__name__
)
@pytest.mark.parametrize("log_every", [None, 1, 4])
def test_a_run_stopped_at_any_step_resumes_with_the_same_bits(data: Any, log_every: int | None) -> None:
    whole = run(data, epochs=3, log_every=1)
    for at in range(len(whole)):
        rest = run(data, whole[at].state, epochs=3, log_every=log_every)
        assert [(r.step, r.epoch, r.ends_epoch) for r in rest if r.ends_epoch] == [
            (r.step, r.epoch, True) for r in whole[at + 1 :] if r.ends_epoch
        ]
        last = rest[-1].state if rest else whole[at].state
        assert same(last, whole[-1].state)
    assert [r.ends_epoch for r in whole].count(True) == 3


class Counted:
    """Rows of data that count how many have been read."""

    def __init__(self) -> None:
        self.rows = 0

    def __len__(self) -> int:
        return len(x)

    def __getitem__(self, rows: Any) -> Any:
        self.rows += len(rows)
        return x[rows], labels[rows]


@pytest.mark.parametrize(
    "function",
    [
        lambda data: lambda epoch: fnn.batches(data, 8, KEY, epoch),
        lambda data: lambda epoch, start: fnn.prefetch(fnn.batches(data, 8, KEY, epoch, start=start), 1),
        lambda data: lambda at, done, size=8: fnn.batches(data, size, KEY, at, start=done),
        lambda data: partial(fnn.batches, data, 8, KEY),
    ],
)
def test_a_resumed_run_reads_only_what_it_trains_on(function: Any) -> None:
    data = Counted()
    whole = run(function(data), epochs=3, log_every=1)
    data.rows = 0
    rest = run(function(data), whole[9].state, epochs=3)
    assert data.rows == 50 * 3 - 50 - 3 * 8
    assert same(rest[-1].state, whole[-1].state)
    assert [r.step for r in rest] == [14, 21]
    data.rows = 0
    loop = fnn.fit(step, start, function(data), epochs=3, log_every=2, progress=False)
    next(loop)
    loop.close()
    assert data.rows <= 4 * 8


def test_with_steps_per_epoch_a_generator_is_not_read_to_find_the_place_in_it() -> None:
    read: list[int] = []

    def batches(epoch: int, start: int) -> Iterator[Any]:
        for batch in fnn.batches((x, labels), 8, KEY, epoch, start=start):
            read.append(epoch)
            yield batch

    whole = run(batches, epochs=3, steps_per_epoch=5, log_every=1)
    assert [r.step for r in whole if r.ends_epoch] == [5, 10, 15]
    read.clear()
    rest = run(batches, whole[11].state, epochs=3, steps_per_epoch=5)
    assert read == [2, 2, 2]
    assert same(rest[-1].state, whole[-1].state)
    with pytest.raises(ValueError, match="epoch 0 has 7 batches where 8 were expected, by steps_per_epoch or the length"):
        run(batches, epochs=3, steps_per_epoch=8)


def test_a_stream_has_epochs_of_steps_per_epoch_and_may_end_within_one() -> None:
    def stream() -> Iterator[Any]:
        return iter([*shuffled(0), *shuffled(1)])

    records = run(stream(), epochs=2, steps_per_epoch=4)
    assert [(r.step, r.epoch, r.ends_epoch) for r in records] == [(4, 0, True), (8, 1, True)]
    records = run(stream(), epochs=None, steps_per_epoch=4)
    assert [(r.step, r.epoch) for r in records] == [(4, 0), (8, 1), (12, 2), (14, 3)]
    assert same(records[-1].state, by_hand(14)[0])
    assert [r.step for r in run(stream(), epochs=9, steps_per_epoch=7)] == [7, 14]


def test_arrays_take_what_becomes_of_a_smaller_last_batch() -> None:
    assert [r.step for r in run(epochs=2, last="drop")] == [6, 12]
    one_left = (x[:33], labels[:33])
    with pytest.raises(ValueError, match="batch_norm") as caught:
        list(fnn.fit(step, start, one_left, progress=False))
    assert 'one row: last="drop" leaves out a last batch' in caught.value.__notes__[-1]
    assert next(fnn.fit(step, start, one_left, last="drop", progress=False)).step == 1
    assert next(fnn.fit(step, start, one_left, last="pad", progress=False)).step == 2


def test_a_step_that_gets_no_tuple_has_a_note_that_says_so() -> None:
    for data in (x, [x, labels]):
        with pytest.raises(TypeError) as caught:
            list(loose.fit(step, start, data, progress=False))
        assert "called as step(ts, f32[" in caught.value.__notes__[-1]
        assert "needs a tuple of them, as (x, y)" in caught.value.__notes__[-1]


def test_an_error_of_the_validation_has_a_note_that_says_when() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        run(epochs=2, validation=lambda ts: {"a": 1 / (14 - ts.step)})
    assert caught.value.__notes__ == ["in fit: the validation after step 14"]


def test_a_wrong_call_has_a_note_with_a_right_one() -> None:
    ts = start
    calls: list[tuple[Callable[[], Any], str]] = [
        (lambda: loose.fit(step, ts, x, labels), "fit(step, ts, (x, y)"),
        (lambda: loose.fit(step, ts, (x, labels), epoch=3), "fit(step, ts, (x, y)"),
        (lambda: loose.predict(model, ts, x), "predict(model, ts.params, ts.state, x)"),
        (lambda: loose.evaluate(model, ts, x, labels, fnn.cross_entropy), "evaluate(model, ts, (x, y), "),
    ]
    for call, name in calls:
        with pytest.raises(TypeError) as caught:
            call()
        assert caught.value.__notes__[-1].startswith(f"call it as fnn.{name}")
    with pytest.raises(TypeError, match="expected a TrainState") as caught:
        loose.fit(step, 3, x)
    assert not hasattr(caught.value, "__notes__")


def test_a_stream_is_read_once_and_no_batch_is_lost_when_the_loop_is_left() -> None:
    record: Any = None
    stream = iter([*shuffled(0), *shuffled(1)])
    for record in fnn.fit(step, start, stream, epochs=None, log_every=3, progress=False):
        if record.step == 6:
            break
    ts = record.state
    records = run(stream, ts, epochs=None, log_every=4)
    assert [(r.step, r.ends_epoch) for r in records] == [(8, False), (12, False), (14, True)]
    assert same(records[-1].state, by_hand(14)[0])
    assert run(iter([]), epochs=None) == []


def test_endless_epochs_end_with_the_loop() -> None:
    record: Any = None
    for record in fnn.fit(step, start, (x, labels), epochs=None, batch_size=25, progress=False):
        if record.epoch == 4:
            break
    assert record.step == 10
    assert run(epochs=0) == run((x, labels), record.state, epochs=1, batch_size=25) == []


def test_batches_that_are_no_tuples_are_one_argument() -> None:
    seen: list[Any] = []

    def count(ts: Any, batch: Any) -> Any:
        seen.append(batch)
        return replace(ts, step=ts.step + 1), np.float32(len(seen))

    records = list(loose.fit(count, start, {"x": x, "y": labels}, batch_size=20, progress=False))
    assert [b["x"].shape for b in seen] == [(20, 3), (20, 3), (10, 3)]
    assert records[0].loss == 2
    assert next(loose.fit(count, start, x, batch_size=50, progress=False)).step == 1
    assert seen[-1].shape == (50, 3)


def test_a_record_at_the_end_of_an_epoch_has_the_means_of_all_of_it() -> None:
    def loss(params: Any, state: Any, mode: fnn.Mode, x: Any, y: Any) -> Any:
        logits, state = model.forward(params, state, x, mode)
        return fnn.cross_entropy(logits, y), (state, (logits, y))

    def records(ts: Any, **options: Any) -> list[Any]:
        metrics: Any = {"accuracy": fnn.metrics.Accuracy(), "mean": fnn.cross_entropy}
        made = fnn.fit(with_aux, ts, (x, labels), batch_size=8, key=KEY, metrics=metrics, progress=False, **options)
        return list(made)

    with_aux = fnn.train_step(loss, opt, has_aux=True)
    whole = records(start, epochs=2)
    parts = records(start, epochs=2, log_every=3)
    for record, other in zip(whole, [r for r in parts if r.ends_epoch], strict=True):
        assert record.epoch_loss == record.loss == pytest.approx(other.epoch_loss, rel=1e-12)
        assert record.epoch_metrics == record.metrics == pytest.approx(other.epoch_metrics, rel=1e-12)
        assert other.metrics != other.epoch_metrics
        assert other.row()["epoch_accuracy"] == record.metrics["accuracy"]
    losses = by_hand(14)[1]
    assert [r.step for r in parts] == [3, 6, 7, 9, 12, 14]
    assert [r.epoch_loss for r in parts] == pytest.approx(
        [np.mean(losses[r.epoch * 7 : r.step]) for r in parts], rel=1e-12
    )  # so far
    assert "epoch_loss" not in parts[0].row()
    resumed = records(parts[1].state, epochs=1)[0]
    assert resumed.epoch_loss == pytest.approx(losses[6])


def test_validation_runs_at_the_end_of_epochs_or_when_it_is_told_to() -> None:
    def validate(ts: Any) -> dict[str, Any]:
        return {"step": np.float32(ts.step)}

    assert [(r.step, r.validation) for r in run(epochs=2, log_every=6, validation=validate)] == [
        (6, {}), (7, {"step": 7}), (12, {}), (14, {"step": 14}),
    ]  # fmt: skip
    found = run(epochs=2, validation=validate, validate_every=5)
    assert [(r.step, r.validation) for r in found] == [
        (5, {"step": 5}), (7, {}), (10, {"step": 10}), (14, {}),
    ]  # fmt: skip
    assert type(found[0].validation["step"]) is float


def test_metrics_are_exact_over_the_batches_since_the_last_record() -> None:
    def loss(params: Any, state: Any, mode: fnn.Mode, x: Any, y: Any) -> Any:
        logits, state = model.forward(params, state, x, mode)
        return fnn.cross_entropy(logits, y), (state, (logits, y))

    with_aux = fnn.train_step(loss, opt, has_aux=True)
    metrics = {"accuracy": fnn.metrics.Accuracy()}
    records = list(fnn.fit(with_aux, start, (x, labels), epochs=2, batch_size=8, key=KEY, metrics=metrics, progress=False))
    ts = start
    for epoch, record in enumerate(records):
        right = 0
        for batch in shuffled(epoch):
            ts, (_, (logits, y)) = with_aux(ts, *batch)
            right += int(np.sum(logits.argmax(axis=1) == y))
        assert record.metrics == {"accuracy": right / 50}
    assert same(records[-1].state, by_hand(14)[0])
    with pytest.raises(TypeError, match="metrics need a step made with has_aux=True"):
        run(metrics=metrics)


def test_a_state_that_is_sent_is_what_it_goes_on_from() -> None:
    wrong: Any = 3
    loop = fnn.fit(step, start, (x, labels), epochs=2, batch_size=8, key=KEY, log_every=1, progress=False)
    record = next(loop)
    lower = replace(record.state, opt=record.state.opt.scale_learning_rate(0.5))
    assert loop.send(lower) == replace(record, state=lower)
    new, _ = step(lower, *list(shuffled(0))[1])
    assert same(next(loop).state, new)
    with pytest.raises(ValueError, match="the state has step 0 where 2 steps are done"):
        loop.send(start)
    loop = fnn.fit(step, start, (x, labels), progress=False)
    next(loop)
    with pytest.raises(TypeError, match="a state to go on from is a int"):
        loop.send(wrong)


def test_a_loss_that_is_not_finite_stops_it_and_the_error_says_where() -> None:
    broken = x.copy()
    broken[fnn.data.order(50, 8, KEY, 0)[17]] = np.nan
    with pytest.raises(
        FloatingPointError,
        match=r"loss of step 2 \(epoch 0, batch 2\) is nan; batch\[0\] has 3 of 24 .*first at \[1, 0\] of f32\[8,3\]: "
        r"leave such rows out or fill them; the parameters before it are all finite; .* stop_on_nan=False$",
    ):
        run((broken, labels))
    assert np.isnan(run((broken, labels), stop_on_nan=False)[-1].loss)
    bad = replace(start, params=fnn.tree.replace_at(start.params, "[0].bias", np.full(8, np.inf, np.float32)))
    message = r"is \S+; before it params\[0\].bias has 8 of 8 .*first at \[0\] of f32\[8\]; run"
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match=message):
        run((x, labels), bad)


def test_no_record_has_parameters_that_are_not_finite() -> None:
    wild = fnn.Sgd(1e38)
    line = fnn.Dense(1, 1)
    ones = np.ones((2, 1), np.float32)
    mse_step = fnn.train_step(fnn.supervised(line, fnn.mse), wild)
    begin = fnn.start(line, wild, fnn.key(0))
    data = [(1e3 * ones, ones)]
    with np.errstate(all="ignore"):
        (record,) = fnn.fit(mse_step, begin, data, stop_on_nan=False, progress=False)
        assert np.isfinite(record.loss)
        assert not np.isfinite(record.state.params.weight).all()
        message = r"fit: after step 1 params.weight has 1 of 1 entries that are not finite.*debug_nans.*stop_on_nan=False$"
        with pytest.raises(FloatingPointError, match=message):
            list(fnn.fit(mse_step, begin, data, progress=False))


def test_large_finite_parameters_pass_however_they_are_made() -> None:
    def huge(ts: Any, *batch: Any) -> Any:
        return replace(ts, step=ts.step + 1, params=fnn.tree.map(lambda p: np.full_like(p, 1e30), ts.params)), np.float32(1)

    def broken(ts: Any, *batch: Any) -> Any:
        new, loss = step(ts, *batch)  # whose other leaves are views of one vector still
        return replace(new, params=fnn.tree.replace_at(new.params, "[4].bias", np.full(4, np.nan, np.float32))), loss

    assert len(list(loose.fit(huge, start, (x, labels), progress=False))) == 1
    with pytest.raises(FloatingPointError, match=r"after step 1 params\[4\].bias has 4 of 4"):
        list(loose.fit(broken, start, (x, labels), batch_size=64, progress=False))


def test_an_error_of_a_step_has_a_note_that_says_which() -> None:
    def failing(ts: Any, *batch: Any) -> Any:
        if ts.step == 9:
            raise RuntimeError("no")
        return step(ts, *batch)

    with pytest.raises(RuntimeError, match="no") as caught:
        list(loose.fit(failing, start, (x, labels), epochs=2, batch_size=8, progress=False))
    assert caught.value.__notes__ == ["in fit: step 9, batch 2 of epoch 1, called as step(ts, f32[8,3], i64[8])"]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: loose.fit(3, start, x), TypeError, "fit: the step is a int, expected a function"),
        (lambda: loose.fit(start, step, (x, labels)), TypeError, "the step is a TrainState, .*first two arguments swapped"),
        (lambda: loose.fit(step, start, lambda: []), TypeError, r"a function of \(\), expected one of the number of the epoch"),
        (lambda: loose.fit(step, start, (x, labels), batch_size=2.0), TypeError, "fit: batch_size is 2.0, a float"),
        (
            lambda: loose.fit(step, start, (x, labels), progress="no"),
            TypeError,
            "fit: progress is 'no', expected True, False or",
        ),
        (lambda: run(validation=lambda ts: {"m": np.ones(3)}), TypeError, r"fit: 'm' is f64\[3\], expected a number"),
        (lambda: loose.fit(step, start.params, x), TypeError, "the second argument is a tuple, expected a TrainState"),
        (lambda: loose.fit(step, start, 3), TypeError, "the data is a int, expected arrays"),
        (lambda: loose.fit(step, start, (x, labels[:3])), ValueError, "has 3 rows but"),
        (lambda: loose.fit(step, start, (x[:0], labels[:0])), ValueError, "fit: epoch 0 has no batches"),
        (lambda: loose.fit(step, start, (x, labels), batch_size=64, last="drop"), ValueError, "no batches: .*of 64 of 50 rows"),
        (lambda: loose.fit(step, start, (x, labels), epochs=-1), ValueError, "fit: epochs is -1"),
        (lambda: loose.fit(step, start, (x, labels), log_every=0), ValueError, "fit: log_every is 0"),
        (lambda: loose.fit(step, start, (x, labels), batch_size=0), ValueError, "fit: batch_size is 0"),
        (lambda: loose.fit(step, start, (x, labels), key=0), TypeError, "fit: the key is 0"),
        (
            lambda: loose.fit(step, start, (x, labels), validation=(x, labels)),
            TypeError,
            "validation is a tuple, expected a func",
        ),
        (lambda: loose.fit(step, start, (x, labels), validate_every=2), ValueError, "but there is no validation"),
        (lambda: loose.fit(step, start, iter([]), epochs=2), ValueError, "epochs is 2, but the data is an iterator"),
        (lambda: list(loose.fit(step, start, lambda epoch: iter([]))), ValueError, "fit: epoch 0 has no batches"),
        (
            lambda: loose.fit(step, start, shuffled, batch_size=8),
            ValueError,
            "batch_size is 8, but the data, a function, gives",
        ),
        (lambda: loose.fit(step, start, [(x, labels)], last="drop"), ValueError, "last is 'drop', but the data, a list, gives"),
        (lambda: loose.fit(step, start, iter([]), key=KEY), ValueError, "key is for arrays; give it to fnn.batches"),
        (lambda: loose.fit(step, start, (x, labels), last="cut"), ValueError, "last is 'cut', expected 'keep', 'drop' or"),
        (
            lambda: loose.fit(step, start, (x, labels), steps_per_epoch=3),
            ValueError,
            "is 3, but the data makes 2 batches of 32",
        ),
        (
            lambda: list(loose.fit(step, start, lambda e: (x, labels))),
            TypeError,
            "of the epoch gave .*, expected an iterable of",
        ),
        (lambda: list(loose.fit(step, start, lambda e: None)), TypeError, "of the epoch gave None, expected an iterable of"),
        (lambda: run(metrics={"loss": fnn.metrics.Accuracy()}), ValueError, "a metric is named 'loss', which a record's row"),
        (lambda: run(metrics={"epoch_x": fnn.metrics.Accuracy()}), ValueError, "a metric is named 'epoch_x'"),
        (lambda: run(metrics={"validation.x": fnn.metrics.Accuracy()}), ValueError, "a metric is named 'validation.x'"),
        (lambda: run(metrics={1: fnn.metrics.Accuracy()}), TypeError, "a metric is named 1, expected a str"),
        (lambda: run(metrics=fnn.metrics.Accuracy()), TypeError, r"metrics is Accuracy\(.*expected metrics by name, as \{"),
        (lambda: run(metrics={"a": fnn.metrics.Accuracy}), TypeError, "fit: the metric 'a' is .*make one with Accuracy"),
        (lambda: run(validation=lambda ts: 0.5), TypeError, "validation gave a float, expected numbers by name"),
        (lambda: list(loose.fit(lambda ts, *b: (ts, 0.5), start, (x, labels))), ValueError, "a step adds one to it"),
    ],
)
def test_errors_come_before_the_first_step_and_name_the_argument(call: Callable[[], Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


# evaluate and predict


def test_evaluate_is_exact_over_unequal_batches() -> None:
    ts = run()[-1].state
    logits = fnn.predict(model, ts.params, ts.state, x)
    right = float(np.mean(logits.argmax(axis=1) == labels))
    loss = float(fnn.cross_entropy(logits, labels))
    metrics = {"loss": fnn.cross_entropy, "accuracy": fnn.metrics.Accuracy()}
    for size in (1, 7, 50, 64):
        values = loose.evaluate(model, ts, (x, labels), metrics, batch_size=size)
        assert values == {"loss": pytest.approx(loss, rel=1e-6), "accuracy": right}
    uneven = [(x[:3], labels[:3]), (x[3:3], labels[3:3]), (x[3:], labels[3:])]
    assert loose.evaluate(model, (ts.params, ts.state), uneven, fnn.cross_entropy) == pytest.approx(loss, rel=1e-6)
    weights = np.arange(50.0)
    found = loose.evaluate(model, ts, (x, labels, weights), fnn.metrics.Accuracy(), batch_size=9)
    assert found == pytest.approx(np.average(logits.argmax(axis=1) == labels, weights=weights))
    matrix = loose.evaluate(model, ts, (x, labels), fnn.metrics.ConfusionMatrix(4), batch_size=9)
    assert matrix.sum() == 50


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: loose.evaluate(model, start, (x[:0], labels[:0]), fnn.cross_entropy),
            ValueError,
            "evaluate: there are no rows",
        ),
        (lambda: loose.evaluate(model, 3, (x, labels), fnn.mse), TypeError, "second argument is 3, expected a TrainState"),
        (lambda: loose.evaluate(model, start, x, fnn.mse), TypeError, r"a batch is .*, expected \(x, target\)"),
        (
            lambda: loose.evaluate(model, start, [x, labels], fnn.mse),
            TypeError,
            r"a list is one of batches: for arrays write \(",
        ),
        (lambda: loose.evaluate(model, start, (x, labels), [fnn.mse]), TypeError, "several are given by name, as {"),
        (lambda: loose.evaluate(model, start, (x, labels), {"a": 3}), TypeError, "the metric 'a' is 3, expected"),
        (lambda: loose.evaluate(model, start, (x, labels), fnn.metrics.Accuracy), TypeError, r"make one with Accuracy\(...\)"),
        (lambda: loose.evaluate(model, start, (x, labels), lambda p, y: p), ValueError, "expected one number, the mean"),
        (lambda: loose.evaluate(model, start, (x, labels, x[:, 0]), fnn.cross_entropy), ValueError, "there are weights"),
        (lambda: loose.evaluate(model, start, (x, labels), fnn.mse, batch_size=0), ValueError, "evaluate: batch_size is 0"),
    ],
)
def test_evaluate_says_what_is_wrong(call: Callable[[], Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_predict_and_evaluate_read_the_same_kinds_of_data() -> None:
    ts = start
    whole = fnn.predict(model, ts.params, ts.state, x)
    rows = fnn.data.split(50, (0.9, 0.1), KEY)[0]
    found: list[Any] = [
        fnn.batches(x, 7),
        fnn.prefetch(fnn.batches(x, 7)),
        (part for part in fnn.batches(x, 7)),
        fnn.data.subset(x, np.arange(50)),
        fnn.data.examples(list(x)),
    ]
    for data in found:
        np.testing.assert_allclose(fnn.predict(model, ts.params, ts.state, data), whole, atol=1e-6)
    part = fnn.data.subset((x, labels), rows)
    inputs = fnn.predict(model, ts.params, ts.state, fnn.data.subset(x, rows), batch_size=4)
    np.testing.assert_allclose(inputs, whole[rows], atol=1e-6)
    expected = float(fnn.cross_entropy(whole[rows], labels[rows]))
    assert fnn.evaluate(model, ts, part, fnn.cross_entropy, batch_size=4) == pytest.approx(expected, rel=1e-6)
    assert fnn.evaluate(model, ts, fnn.batches(part, 4), fnn.cross_entropy) == pytest.approx(expected, rel=1e-6)
    with pytest.raises(ValueError, match="predict: there are no batches"):
        fnn.predict(model, ts.params, ts.state, iter([]))
    with pytest.raises(TypeError, match="evaluate: the data is a int, expected arrays"):
        loose.evaluate(model, ts, 3, fnn.cross_entropy)


class Both(fnn.Composable):
    """From {"a", "b"} their sum and difference."""

    def init(self, key: fnn.Key, /) -> tuple[None, None]:
        return None, None

    def forward(self, params: None, state: None, x: Any, mode: fnn.Mode, /) -> tuple[Any, None]:
        return {"sum": x["a"] + x["b"], "rest": (x["a"] - x["b"],)}, None


def test_predict_cuts_and_joins_trees() -> None:
    both: Any = Both()
    whole = {"a": x, "b": 2 * x}
    for size in (1, 7, 50, 99):
        assert fnn.tree.equal(loose.predict(both, None, None, whole, batch_size=size), {"sum": x + 2 * x, "rest": (x - 2 * x,)})
    assert loose.predict(both, None, None, {"a": x[:0], "b": x[:0]}, batch_size=5)["sum"].shape == (0, 3)
    with pytest.raises(ValueError, match=r"predict: \['b'\] has 2 rows but \['a'\] has 50"):
        loose.predict(both, None, None, {"a": x, "b": x[:2]}, batch_size=5)
    with pytest.raises(ValueError, match=r"predict: the model gives .*, which has no rows to join"):
        loose.predict(fnn.Function(np.mean), None, None, x, batch_size=5)


# progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_file_gets_plain_lines_a_second_apart_and_the_last() -> None:
    out, clock = io.StringIO(), Clock()
    line = Progress(10, out, clock)
    for i, now in enumerate([0.5, 1.0, 1.5, 2.0, 2.1]):
        clock.now = now
        line.record(f"record {i}", i + 6, 1234.5)
    line.close()
    assert out.getvalue().splitlines() == [
        "record 1  1,234 examples/s  0:00 left",
        "record 3  1,234 examples/s  0:00 left",
        "record 4  1,234 examples/s  0:02",
    ]


def test_a_file_gets_lines_within_a_long_epoch_the_later_the_fewer() -> None:
    out, clock = io.StringIO(), Clock()
    line = Progress(None, out, clock)
    told = []
    while clock.now < 40_000:
        clock.now += 1
        if clock.now > line.next:
            line.step("epoch 1", 1, 5)
            told.append(clock.now)
    gaps = [b - a for a, b in pairwise([0.0, *told])]
    assert gaps[0] == gaps[1] == 11
    assert sorted(gaps) == gaps
    assert gaps[-1] == 601
    assert len(told) < 120
    assert out.getvalue().splitlines() == ["epoch 1  5 examples/s"] * len(told)


def test_records_of_a_long_run_are_told_at_most_every_ten_seconds() -> None:
    out, clock = io.StringIO(), Clock()
    line = Progress(None, out, clock)
    for now in range(1, 3001):
        clock.now = now
        line.record(str(now), now, 1)
    told = [int(text.split()[0]) for text in out.getvalue().splitlines()]
    assert told[:3] == [1, 2, 3]
    assert told[-1] - told[-2] == 10


def test_a_terminal_gets_one_line_that_is_taken_off_before_a_record() -> None:
    out, clock = Terminal(), Clock()
    line = Progress(100, out, clock)
    assert line.next == 0.1
    clock.now = 60
    line.step("x" * 500, 1, 5)
    assert line.next == 60.1
    line.step("here", 1, 5)
    line.record("there", 50, 5)
    line.record("there", 50, 5)
    line.resume()
    line.close()
    parts = out.getvalue().split("\r")[1:]
    assert len(parts[0].removesuffix("\x1b[K")) < 500
    assert parts[1:] == ["here  5 examples/s  1:39:00 left\x1b[K", "\x1b[K", "there  5 examples/s  1:00 left\x1b[K\n"]


def test_a_terminals_line_comes_back_after_the_loops_body_and_a_stale_one_does_not() -> None:
    out, clock = Terminal(), Clock()
    line = Progress(100, out, clock)
    clock.now = 1
    line.step("one", 1, 5)
    clock.now = 2
    line.record("two", 2, 5)
    out.truncate(0)
    out.seek(0)
    line.resume()
    assert out.getvalue() == "\rtwo  5 examples/s  1:38 left\x1b[K"
    line.record("three", 3, 5)
    clock.now = 4
    line.close()  # by the garbage collector, long after the loop was left
    assert out.getvalue().endswith("left\x1b[K\r\x1b[K")
    line.record("four", 4, 5)
    line.resume()
    clock.now = 9
    line.close()  # after a step that took long
    assert out.getvalue().endswith("\rfour  5 examples/s  1:36 left\x1b[K\n")


def test_a_stream_that_breaks_does_not_stop_the_training() -> None:
    out = io.StringIO()
    out.close()
    broken = io.StringIO()
    broken.write = lambda text: (_ for _ in ()).throw(OSError("full"))  # type: ignore[method-assign]
    assert len(run(progress=broken)) == 1


def test_fit_tells_its_progress_unless_it_is_off(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    run(epochs=2, progress=out, validation=lambda ts: {"accuracy": 0.5})
    assert "epoch 2/2  batch 7/7  loss " in out.getvalue()
    assert "validation accuracy 0.5" in out.getvalue()
    assert capsys.readouterr().err == ""
    run(progress=True)
    assert "epoch 1/1  batch 7/7" in capsys.readouterr().err
    terminal = Terminal()
    run(epochs=1, progress=terminal)
    assert terminal.getvalue().endswith("\n")


def test_the_line_comes_back_after_the_loops_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fnn.training.progress.FAST", 0)
    monkeypatch.setattr(Progress, "next", property(lambda self: -1.0, lambda self, value: None), raising=False)
    terminal = Terminal()
    for _ in fnn.fit(step, start, (x, labels), epochs=2, progress=terminal):
        assert terminal.getvalue().endswith("\r\x1b[K")
        terminal.write("body\n")
    assert terminal.getvalue().count("body\n\repoch 1/2  batch 2/2  ") == 1


def test_a_line_at_the_end_of_an_epoch_has_the_mean_of_all_of_it() -> None:
    out = io.StringIO()
    record = run(log_every=4, progress=out)[-1]
    assert f"loss {record.epoch_loss:.4g}  " in out.getvalue()
    assert f"{record.epoch_loss:.4g}" != f"{record.loss:.4g}"


def test_an_error_ends_the_thread_that_reads_ahead_though_its_traceback_lives() -> None:
    def failing(ts: Any, *batch: Any) -> Any:
        raise RuntimeError

    with pytest.raises(RuntimeError) as caught:
        list(loose.fit(failing, start, lambda epoch: fnn.prefetch(shuffled(epoch)), progress=False))
    assert caught.value.__traceback__ is not None
    assert not [thread for thread in threading.enumerate() if thread.name == "fnn.data.prefetch"]


def test_what_is_left_of_batches_is_told_and_can_be_skipped() -> None:
    rest = shuffled(0).skip(2).skip(3)
    assert len(rest) == 2
    assert fnn.tree.equal(list(rest), list(shuffled(0))[5:])
    ahead = fnn.prefetch(shuffled(0))
    assert length_hint(ahead) == 7
    next(ahead)
    assert length_hint(ahead) == 6
    assert len(list(ahead)) == 6
    assert length_hint(ahead) == 0
    assert length_hint(fnn.prefetch(iter(shuffled(0))), -1) == -1


def test_a_finished_run_says_that_there_is_nothing_to_do() -> None:
    out = io.StringIO()
    assert run((x, labels), run()[-1].state, progress=out) == []
    assert out.getvalue() == "fit: nothing to do: epochs is 1, and the state has done 7 steps, which is all\n"


def test_lines_have_the_time_left_where_the_lengths_are_known_and_always_a_rate() -> None:
    class Ticking(io.StringIO):
        """Every line is due."""

    def told(data: Any, ts: Any = start, **options: Any) -> list[str]:
        out = Ticking()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Progress, "next", property(lambda self: -1.0, lambda self, value: None), raising=False)
            run(data, ts, progress=out, **options)
        return out.getvalue().splitlines()

    for data in ((x, labels), shuffled, list(shuffled(0))):
        lines = told(data, epochs=2)
        assert [text.split("  loss")[0] for text in lines] == [
            f"epoch {epoch}/2  batch {batch}/7" for epoch in (1, 2) for batch in range(1, 8)
        ] + ["epoch 2/2  batch 7/7"]
        assert all(" examples/s  0:00 left" in text for text in lines[:13])
        assert lines[-1].endswith("examples/s  0:00")
    lines = told(streamed, epochs=2)
    assert "epoch 1/2  batch 3  loss" in lines[2]
    assert [text.endswith("left") for text in lines[:8]] == [False] * 7 + [True]
    lines = told(iter(list(shuffled(0))), epochs=None)
    assert all(text.endswith(" examples/s") for text in lines)
    middle = run(log_every=1)[3].state
    assert [text.endswith("left") for text in told((x, labels), middle)] == [True, True, False, False]


PROGRAM = """
import sys, time
import numpy as np
import fnn
x, y = np.ones((60, 2), np.float32), np.zeros((60, 1), np.float32)
opt = fnn.Adam(1e-3)
inner = fnn.train_step(fnn.supervised(fnn.Dense(2, 1), fnn.mse), opt)
def step(ts, *batch):
    time.sleep(0.012)
    return inner(ts, *batch)
def validate(ts):
    print("validating")
    return {"a_metric_with_a_long_name": 0.5, "another_metric_with_a_long_name": 0.25}
ts = fnn.start(fnn.Dense(2, 1), opt, fnn.key(0))
for record in fnn.fit(step, ts, (x, y), epochs=3, batch_size=4, validation=validate):
    print("done", record.epoch)
print("after")
"""


def screen(written: bytes, columns: int) -> list[str]:
    """What a terminal of so many columns shows."""
    rows, at = [""], 0
    for part in re.findall(rb"\x1b\[K|\r|\n|.", written):
        if part == b"\r":
            at = 0
        elif part == b"\n":
            rows.append("")
        elif part == b"\x1b[K":
            rows[-1] = rows[-1][:at]
        else:
            if at == columns:
                rows.append("")
                at = 0
            rows[-1] = rows[-1][:at].ljust(at) + part.decode() + rows[-1][at + 1 :]
            at += 1
    return rows


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_on_a_narrow_terminal_the_line_neither_wraps_nor_mixes_with_what_the_loop_prints() -> None:
    import fcntl  # noqa: PLC0415 (there is none on Windows)
    import pty  # noqa: PLC0415
    import termios  # noqa: PLC0415

    columns = 50
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    written = b""
    with subprocess.Popen([sys.executable, "-u", "-c", PROGRAM], stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        with suppress(OSError):  # at the end
            while part := os.read(ours, 4096):
                written += part
    os.close(ours)
    assert process.returncode == 0
    assert written.count(b"epoch 2/3  batch ") > 1
    rows = screen(written, columns)
    assert rows[:6] == ["validating", "done 0", "validating", "done 1", "validating", "done 2"]
    assert rows[6].startswith("epoch 3/3  batch 15/15  loss ")
    assert rows[7:] == ["after", ""]


def test_a_row_is_flat() -> None:
    record = run(validation=lambda ts: {"loss": 1.0})[0]
    names = ["step", "epoch", "loss", "epoch_loss", "validation.loss", "seconds", "examples_per_second"]
    assert list(record.row()) == names
    assert "state" not in repr(record)


def test_progress_may_go_to_what_only_writes() -> None:
    class Written:
        def __init__(self) -> None:
            self.text = ""

        def write(self, text: str) -> int:
            self.text += text
            return len(text)

        def flush(self) -> None: ...

    stream: Any = Written()
    opt = fnn.Sgd(0.1)
    step = fnn.train_step(fnn.supervised(fnn.Dense(2, 1), fnn.mse), opt)
    x = np.ones((4, 2), np.float32)
    for _ in fnn.fit(step, fnn.start(fnn.Dense(2, 1), opt, fnn.key(0)), (x, x[:, :1]), epochs=1, progress=stream):
        pass
    assert "epoch 1/1" in stream.text


@pytest.mark.parametrize("size", [True, 2.0, 0])
def test_evaluate_and_predict_take_numbers_of_rows(size: Any) -> None:
    model = fnn.Dense(2, 1)
    params, state = fnn.init(model, fnn.key(0))
    x = np.ones((4, 2), np.float32)
    with pytest.raises((TypeError, ValueError), match="predict: batch_size is"):
        fnn.predict(model, params, state, x, batch_size=size)
    with pytest.raises((TypeError, ValueError), match="evaluate: batch_size is"):
        fnn.evaluate(model, (params, state), (x, x[:, :1]), fnn.mse, batch_size=size)
    loose: Any = fnn.predict
    assert loose(model, params, state, x, batch_size=np.int64(3)).shape == (4, 1)
