"""fit is the loop one would write oneself, bit for bit, wherever it stops and resumes; evaluate is exact; progress is told."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
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
    return list(fnn.fit(step, ts, data, **{"batch_size": 8, "key": KEY, "progress": False, **options}))


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


def test_a_stream_is_read_once_and_no_batch_is_lost_when_the_loop_is_left() -> None:
    record: Any = None
    stream = iter(list(shuffled(0)) + list(shuffled(1)))
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
        FloatingPointError, match=r"loss of step 2 \(epoch 0, batch 2\) is nan; the parameters before it are all"
    ):
        run((broken, labels))
    assert np.isnan(run((broken, labels), stop_on_nan=False)[-1].loss)
    bad = replace(start, params=fnn.tree.replace_at(start.params, "[0].bias", np.full(8, np.inf, np.float32)))
    message = r"before it params\[0\].bias has 8 of 8 .*first at \[0\] of f32\[8\]; run"
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match=message):
        run((x, labels), bad)


def test_an_error_of_a_step_has_a_note_that_says_which() -> None:
    def failing(ts: Any, *batch: Any) -> Any:
        if ts.step == 9:
            raise RuntimeError("no")
        return step(ts, *batch)

    with pytest.raises(RuntimeError, match="no") as caught:
        list(loose.fit(failing, start, (x, labels), epochs=2, batch_size=8, progress=False))
    assert caught.value.__notes__ == ["in fit: step 9, batch 2 of epoch 1"]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: loose.fit(3, start, x), TypeError, "fit: the step is 3, expected a function"),
        (lambda: loose.fit(step, start.params, x), TypeError, "the second argument is a tuple, expected a TrainState"),
        (lambda: loose.fit(step, start, 3), TypeError, "the data is a int, expected arrays"),
        (lambda: loose.fit(step, start, (x, labels[:3])), ValueError, "has 3 rows but"),
        (lambda: loose.fit(step, start, (x[:0], labels[:0])), ValueError, "fit: epoch 0 has no batches"),
        (lambda: loose.fit(step, start, (x, labels), epochs=-1), ValueError, "fit: epochs is -1"),
        (lambda: loose.fit(step, start, (x, labels), log_every=0), ValueError, "fit: log_every is 0"),
        (lambda: loose.fit(step, start, (x, labels), batch_size=0), ValueError, "size is 0"),
        (lambda: loose.fit(step, start, (x, labels), key=0), TypeError, "fit: the key is 0"),
        (
            lambda: loose.fit(step, start, (x, labels), validation=(x, labels)),
            TypeError,
            "validation is a tuple, expected a func",
        ),
        (lambda: loose.fit(step, start, (x, labels), validate_every=2), ValueError, "but there is no validation"),
        (lambda: loose.fit(step, start, iter([]), epochs=2), ValueError, "epochs is 2, but the data is an iterator"),
        (lambda: run(lambda epoch: iter([])), ValueError, "fit: epoch 0 has no batches"),
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
    with pytest.raises(ValueError, match=r"\['b'\] is f32\[2,3\] but \['a'\] is f32\[50,3\]"):
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
        line.record(f"record {i}", i + 6, 1234.5, last=i == 4)
    line.close()
    assert out.getvalue().splitlines() == [
        "record 1  1,234 examples/s  0:00 left",
        "record 3  1,234 examples/s  0:00 left",
        "record 4  1,234 examples/s  0:02",
    ]


def test_a_terminal_gets_one_line_that_is_taken_off_before_a_record() -> None:
    out, clock = Terminal(), Clock()
    line = Progress(100, out, clock)
    assert line.live
    assert line.next == 0.1
    clock.now = 60
    line.step("x" * 500, 1, 5)
    assert line.next == 60.1
    line.step("here", 1, 5)
    line.record("there", 50, 5, last=False)
    line.close()
    parts = out.getvalue().split("\r")[1:]
    assert len(parts[0].removesuffix("\x1b[K")) < 500
    assert parts[1:] == ["here  5 examples/s  1:39:00 left\x1b[K", "\x1b[K", "there  5 examples/s  1:00 left\x1b[K\n"]


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


def test_a_row_is_flat() -> None:
    record = run(validation=lambda ts: {"loss": 1.0})[0]
    assert list(record.row()) == ["step", "epoch", "loss", "validation.loss", "seconds", "examples_per_second"]
    assert "state" not in repr(record)
