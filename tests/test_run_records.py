"""Logs of runs: one record per line, whole or not at all, through kills, full disks and torn ends."""

from __future__ import annotations

import csv
import gc
import json
import math
import os
import random
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import fnn
from fnn.io import CsvLog, JsonLines, read_csv_log, read_json_lines


class Kind(IntEnum):
    TRAIN = 1


@dataclass(frozen=True)
class Metrics:
    accuracy: float
    by_class: Any


@dataclass(frozen=True)
class Epoch:
    """As `fnn.fit` gives one: with the state, which no log wants."""

    step: int
    loss: Any
    metrics: Metrics
    state: Any


class Row(NamedTuple):
    step: Any
    loss: Any


RECORD = Epoch(
    7,
    np.float32(0.1),
    Metrics(0.5, np.array([0.25, np.nan])),
    fnn.start(fnn.Dense(2, 3), fnn.Sgd(0.1), fnn.key(0)),
)
VALUES: dict[str, Any] = {
    "bool": (np.bool_(True), True),
    "int": (np.uint64(2**64 - 1), 2**64 - 1),
    "float32": (np.float32(0.1), 0.1),
    "float64": (np.float64(0.1) * 3, 0.1 * 3),
    "float16": (np.float16(0.1), 0.1),
    "array": (np.array(2.5), 2.5),
    "none": (None, None),
    "text": ('a "b", ü', 'a "b", ü'),
    "enum": (Kind.TRAIN, 1),
    "big": (-(10**30), -(10**30)),
    "inf": (np.float32("inf"), math.inf),
    "minus": (-math.inf, -math.inf),
    "tiny": (5e-324, 5e-324),
}
GIVEN = {name: given for name, (given, _) in VALUES.items()}
EXPECTED = {name: expected for name, (_, expected) in VALUES.items()}
LOGS = [(JsonLines, read_json_lines), (CsvLog, read_csv_log)]
both = pytest.mark.parametrize(("log_class", "read"), LOGS, ids=["json", "csv"])


@both
def test_values_come_back(log_class: Any, read: Any, tmp_path: Path) -> None:
    with log_class(tmp_path / "log") as log:
        log.append(GIVEN)
        log.append({**GIVEN, "none": float("nan")})
    first, second = read(tmp_path / "log")
    assert first == EXPECTED
    assert list(first) == list(EXPECTED)
    assert {name: type(value) for name, value in first.items()} == {name: type(value) for name, value in EXPECTED.items()}
    assert math.isnan(second["none"])


def test_records_of_a_run_as_json(tmp_path: Path) -> None:
    with JsonLines(tmp_path / "log") as log:
        log.append(RECORD)
        log.append(Row(np.int64(1), [np.inf, {"a": (None, "NaN")}]))
    text = (tmp_path / "log").read_text()
    assert text.splitlines()[0] == '{"step": 7, "loss": 0.1, "metrics": {"accuracy": 0.5, "by_class": [0.25, "NaN"]}}'
    first, second = read_json_lines(tmp_path / "log")
    assert math.isnan(first["metrics"]["by_class"][1])
    assert second["loss"][0] == math.inf
    assert math.isnan(second["loss"][1]["a"][1])
    for line in text.splitlines():  # it is JSON also for those who take it strictly
        json.loads(line, parse_constant=lambda name: pytest.fail(name))


def test_records_of_a_run_as_csv(tmp_path: Path) -> None:
    with CsvLog(tmp_path / "log") as log:
        log.append(RECORD)
        log.append({"loss": None, "step": 8})
    assert (tmp_path / "log").read_text() == (
        "step,loss,metrics.accuracy,metrics.by_class.0,metrics.by_class.1\n7,0.1,0.5,0.25,nan\n8,,,,\n"
    )
    assert read_csv_log(tmp_path / "log")[1] == {
        "step": 8,
        "loss": None,
        "metrics.accuracy": None,
        "metrics.by_class.0": None,
        "metrics.by_class.1": None,
    }


def test_texts_with_commas_quotes_and_newlines_come_back_from_csv(tmp_path: Path) -> None:
    texts = ['a,"b"\nc', "\n", '"', "x\r\ny", "x\ry", "1_000", " 1", "0x10", "é"]
    with CsvLog(tmp_path / "log") as log:
        for text in texts:
            log.append({"text": text, 'a "b",\n': 1})
    assert [record["text"] for record in read_csv_log(tmp_path / "log")] == texts
    with (tmp_path / "log").open(newline="") as file:
        assert [row["text"] for row in csv.DictReader(file)] == texts


def test_a_single_empty_cell_is_a_record(tmp_path: Path) -> None:
    with CsvLog(tmp_path / "log") as log:
        log.append({"a": None})
    assert read_csv_log(tmp_path / "log") == [{"a": None}]


@both
def test_a_record_is_in_the_file_when_append_returns(log_class: Any, read: Any, tmp_path: Path) -> None:
    with log_class(tmp_path / "log") as log:
        for n in range(3):
            log.append({"n": n})
            assert read(tmp_path / "log")[-1] == {"n": n}


@both
def test_sync_forces_each_record_to_the_disk(
    log_class: Any, read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with log_class(tmp_path / "log") as log:
        log.append({"n": 1})
    assert not synced
    with log_class(tmp_path / "log", sync=True) as log:
        log.append({"n": 2})
        assert len(synced) == 1
    assert read(tmp_path / "log") == [{"n": 1}, {"n": 2}]


@both
def test_a_log_that_is_there_is_continued(log_class: Any, read: Any, tmp_path: Path) -> None:
    for n in range(3):
        with log_class(tmp_path / "log") as log:
            log.append({"n": n, "m": -n})
    assert read(tmp_path / "log") == [{"n": n, "m": -n} for n in range(3)]


@both
def test_every_torn_end_loses_the_last_record_only_and_the_log_goes_on(log_class: Any, read: Any, tmp_path: Path) -> None:
    path = tmp_path / "log"
    with log_class(path) as log:
        for n in range(3):
            log.append({"n": n, "text": 'a,"\nb'})
    content = path.read_bytes()
    whole = [record["n"] for record in read(path)]
    assert whole == [0, 1, 2]
    ends = [len(content) - 1 - i for i in range(len(content) - content.index(b"1"))]
    for end in ends:
        path.write_bytes(content[:end])
        try:
            found = read(path)
            torn = False
        except UserWarning:
            torn = True
            with pytest.warns(UserWarning, match=rf"{read.__name__}: {path}, line \d+ was never finished, so it is left out"):
                found = read(path)
        assert [record["n"] for record in found] == whole[: len(found)]
        assert len(found) >= 1
        with log_class(path) as log:
            log.append({"n": 9, "text": ""})
        assert [record["n"] for record in read(path)] == [*whole[: len(found)], 9]
        assert torn or content[:end].endswith((b"\n", b"}"))


@both
def test_an_empty_file_is_an_empty_log(log_class: Any, read: Any, tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    assert read(tmp_path / "log") == []
    with log_class(tmp_path / "log") as log:
        log.append({"n": 1})
    assert read(tmp_path / "log") == [{"n": 1}]
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "missing")


def test_a_file_that_was_all_torn_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"step,lo")
    with CsvLog(tmp_path / "log") as log:
        log.append({"n": 1})
    assert (tmp_path / "log").read_text() == "n\n1\n"
    (tmp_path / "log").write_bytes(b'{"n": 1}')  # whole, though without its newline
    assert read_json_lines(tmp_path / "log") == [{"n": 1}]
    with JsonLines(tmp_path / "log") as lines:
        lines.append({"n": 2})
    assert (tmp_path / "log").read_text() == '{"n": 1}\n{"n": 2}\n'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"n": 1}\n{"n": \n{"n": 3}\n', "line 2 is no JSON: Expecting value"),
        (b'{"n": 1}\n\n', "line 2 is no JSON"),
        (b'{"n": 1}\n[1]\n', "line 2 is a list, expected a JSON object"),
        (b"\xff\n", "line 1 is no JSON: 'utf-8'"),
        (b"[" * 100_000 + b"\n", "line 1 is no JSON: maximum recursion depth"),
    ],
)
def test_damage_elsewhere_names_the_line_of_json(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(content)
    with pytest.raises(ValueError, match=f"^read_json_lines: {tmp_path / 'log'}, {message}"):
        read_json_lines(tmp_path / "log")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n3\n", "line 3: it has 1 cells, and there are 2 columns"),
        (b'a,b\n"1\n",2\n3,4,5\n', "line 4: it has 3 cells, and there are 2 columns"),
        (b'a,b\n"1"x"",2\n', "line 2: .*expected after"),
        (b"a,b\n1,2\n\xff,1\n", "line 3: 'utf-8'"),
    ],
)
def test_damage_elsewhere_names_the_line_of_csv(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(content)
    with pytest.raises(ValueError, match=f"^read_csv_log: {tmp_path / 'log'}, {message}"):
        read_csv_log(tmp_path / "log")


def test_a_new_field_is_a_new_column_and_the_records_before_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with CsvLog(path) as log:
        with pytest.raises(ValueError, match="the first record has no fields, and so there are no columns"):
            log.append({})
        log.append({"a": 1, "text": 'x,"\n'})
        log.append({"a": None, "text": ""})
        path.chmod(0o600)
        log.append({"b": 0.5, "a": 2})
        log.append({"a": 3, "d": True, "c": {"x": math.nan}})
        log.append({})
    assert path.read_text().splitlines()[0] == "a,text,b,d,c.x"
    records = read_csv_log(path)
    assert records[0] == {"a": 1, "text": 'x,"\n', "b": None, "d": None, "c.x": None}
    assert records[2] == {"a": 2, "text": None, "b": 0.5, "d": None, "c.x": None}
    assert records[3]["d"] is True
    assert [list(record.values()) for record in records if record["a"] is None] == [[None] * 5] * 2
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["log"]
    with CsvLog(path) as log:  # also of a log that is continued
        log.append({"e": 9})
    assert read_csv_log(path)[-1]["e"] == 9
    assert len(read_csv_log(path)) == 6


def test_rows_of_fit_with_a_validation_now_and_then_are_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, opt = fnn.Dense(2, 1), fnn.Sgd(0.1)
    step = fnn.train_step(fnn.supervised(model, fnn.mse), opt)
    x, y = np.ones((64, 2), np.float32), np.zeros((64, 1), np.float32)
    start = fnn.start(model, opt, fnn.key(0))
    monkeypatch.chdir(tmp_path)
    options: Any = {"batch_size": 4, "epochs": 2, "log_every": 5, "progress": False}
    with CsvLog("log") as log:
        monkeypatch.chdir("/")
        for record in fnn.fit(step, start, (x, y), validation=lambda ts: {"loss": ts.step / 2}, **options):
            log.append(record.row())
    rows = read_csv_log(tmp_path / "log")
    assert [(row["step"], row["validation.loss"]) for row in rows] == [
        (5, None), (10, None), (15, None), (16, 8.0), (20, None), (25, None), (30, None), (32, 16.0),
    ]  # fmt: skip
    assert [row["epoch_loss"] is None for row in rows] == [True, True, True, False] * 2


def test_a_column_that_the_disk_has_no_room_for_loses_no_record(tmp_path: Path) -> None:
    with CsvLog(tmp_path / "log") as log:
        log.append({"n": 0, "text": "x" * 1000})
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
        try:
            with pytest.raises(
                OSError, match=r"CsvLog\.append: File too large \(nothing was written, and what was there before"
            ):
                log.append({"new": 1})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert [record["n"] for record in read_csv_log(tmp_path / "log")] == [0]
        log.append({"new": 1})
    assert [record["new"] for record in read_csv_log(tmp_path / "log")] == [None, 1]
    with pytest.raises(ValueError, match="was closed"):
        log.append({"newer": 1})


@both
@pytest.mark.parametrize(
    ("record", "message"),
    [
        (3, "the record is 3, expected a dict, a dataclass or a NamedTuple"),
        ((1, 2), r"the record is \(1, 2\), expected"),
        ({"a": {"b": [0, fnn]}}, r"a\.b\[1\] is a module, expected numbers, texts, None, or lists and dicts of these"),
        ({"a": np.array([1j])}, r"a is c128\[\]"),
        ({"a": b"x"}, "a is a bytes"),
        ({"a": {1, 2}}, "a is a set"),
    ],
)
def test_what_a_log_cannot_hold_is_named(log_class: Any, read: Any, record: Any, message: str, tmp_path: Path) -> None:
    with log_class(tmp_path / "log") as log, pytest.raises(TypeError, match=rf"^{log_class.__name__}\.append: {message}"):
        log.append(record)
    assert read(tmp_path / "log") == []


@both
def test_a_closed_log_takes_no_more_and_a_dropped_one_closes_quietly(log_class: Any, read: Any, tmp_path: Path) -> None:
    log = log_class(tmp_path / "log")
    log.append({"n": 1})
    log.close()
    log.close()
    assert repr(log) == f"{log_class.__name__}('{tmp_path / 'log'}', closed)"
    with pytest.raises(ValueError, match=rf"{log_class.__name__}.append: {tmp_path / 'log'} was closed"):
        log.append({"n": 2})
    before = len(os.listdir("/proc/self/fd"))
    dropped = log_class(tmp_path / "log")
    dropped.append({"n": 2})
    assert len(os.listdir("/proc/self/fd")) == before + 1
    del dropped
    gc.collect()  # warnings are errors here
    assert len(os.listdir("/proc/self/fd")) == before
    assert read(tmp_path / "log") == [{"n": 1}, {"n": 2}]


@both
def test_a_full_disk_is_a_clear_error_and_loses_no_record(log_class: Any, read: Any, tmp_path: Path) -> None:
    with log_class(tmp_path / "log") as log:
        log.append({"n": 0, "text": "x" * 1000})
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, hard))
        try:
            message = (
                rf"{log_class.__name__}\.append: File too large \(the record was not written, and those before are there\)"
            )
            with pytest.raises(OSError, match=message) as caught:
                log.append({"n": 1, "text": "x" * 1000})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert caught.value.filename == str(tmp_path / "log")
        assert [record["n"] for record in read(tmp_path / "log")] == [0]
        log.append({"n": 1, "text": "y"})
    assert [record["n"] for record in read(tmp_path / "log")] == [0, 1]


LOG_IN_A_LOOP = """
import os, sys, fnn
with getattr(fnn.io, sys.argv[1])(sys.argv[2]) as log:
    n = 0
    while True:
        extra = {f"{os.getpid()} {n // 20}": 1} if n % 20 == 0 else {}
        log.append({"n": n, "text": "x" * 3000, **extra})
        print("written", flush=True)
        n += 1
"""


@both
def test_a_process_that_is_killed_loses_no_record(log_class: Any, read: Any, tmp_path: Path) -> None:
    rng, path, count = random.Random(0), tmp_path / "log", 0
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", LOG_IN_A_LOOP, log_class.__name__, path], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            for _ in range(rng.randrange(1, 100)):
                process.stdout.readline()
            time.sleep(rng.uniform(0.0, 0.003))
            process.kill()
        log_class(path).close()  # which removes a torn end
        numbers = [record["n"] for record in read(path)]
        assert len(numbers) > count
        assert numbers[count:] == list(range(len(numbers) - count))
        count = len(numbers)


# records and checkpoints together


@pytest.mark.parametrize(("log", "read"), [(CsvLog, read_csv_log), (JsonLines, read_json_lines)])
def test_the_folder_of_a_log_is_made(log: Any, read: Any, tmp_path: Path) -> None:
    path = tmp_path / "new" / "run" / "log"
    with log(path) as records:
        records.append({"step": 1})
    assert read(path) == [{"step": 1}]
    with pytest.raises(OSError, match="log"):
        log(path / "below a file")


@pytest.mark.parametrize(("log", "read"), [(CsvLog, read_csv_log), (JsonLines, read_json_lines)])
def test_records_after_the_last_checkpoint_are_dropped(log: Any, read: Any, tmp_path: Path) -> None:
    path = tmp_path / "log"
    with log(path) as records:
        records.drop_after(3)
        assert path.read_bytes() == b""
        for step in (1, 2, 3, 4):
            records.append({"step": step, "loss": 0.1 / step, "note": 'a, "b"\nc'})
        records.append({"note": "without a step"})
    before = read(path)
    with log(path) as records:
        records.drop_after(4)
        assert read(path) == before
        records.drop_after(2)
        assert read(path) == [*before[:2], before[4]]
        records.append({"step": 3, "loss": 0.5, "note": ""})
    after = read(path)
    assert [row.get("step") for row in after] == [1, 2, None, 3]
    assert after[:3] == [*before[:2], before[4]]
    with pytest.raises(ValueError, match=rf"{log.__name__}.drop_after: .*log was closed"):
        records.drop_after(1)


def test_a_log_without_steps_keeps_its_records(tmp_path: Path) -> None:
    with CsvLog(tmp_path / "log") as records:
        records.append({"loss": 5})
        records.drop_after(0)
    assert read_csv_log(tmp_path / "log") == [{"loss": 5}]


def test_two_fields_of_one_name_are_refused(tmp_path: Path) -> None:
    with CsvLog(tmp_path / "log.csv") as log, pytest.raises(ValueError, match=r"two fields would be the column 'a\.b'"):
        log.append({"a.b": 1, "a": {"b": 2}})
    record: Any = {1: 2, "1": 3}
    with JsonLines(tmp_path / "log.jsonl") as lines, pytest.raises(ValueError, match="fields of the same name"):
        lines.append(record)
