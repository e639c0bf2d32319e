"""Damaged logs: reading one gives records or a ValueError that names the file, and continuing one never loses what is whole."""

from __future__ import annotations

import random
import time
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import pytest

from fnn.io import CsvLog, JsonLines, read_csv_log, read_json_lines

LOGS = [(JsonLines, read_json_lines), (CsvLog, read_csv_log)]
PIECES = [
    b"{",
    b'"',
    b",",
    b"\n",
    b"\r",
    b"\0",
    b"\\u0000",
    b"\xff",
    b"-",
    b"e999",
    b"NaN",
    b"9" * 5000,
    b"[" * 9000,
    b'{"a":' * 2000,
]


def mutated(source: bytes, draw: random.Random) -> bytes:
    """A log like this one, with damage of one of many kinds."""
    data = bytearray(source)
    for _ in range(draw.choice([1, 1, 2, 8])):
        place, kind = draw.randrange(len(data) + 1), draw.randrange(5)
        if kind == 0 and data:
            data[place % len(data)] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del data[place:]
        elif kind == 2:
            del data[place : place + draw.randrange(1, 9)]
        elif kind == 3:
            data[place:place] = draw.choice(PIECES)
        else:
            start = draw.randrange(len(data) + 1)
            data[place:place] = data[start : start + draw.randrange(64)]
    return bytes(data)


def record(n: int) -> dict[str, Any]:
    return {"n": n, "loss": n / 3, "text": 'a "b",\n', "metrics": {"x": float("nan")}}


def fuzz(count: int, log_class: Any, read: Any, path: Path) -> None:
    with log_class(path) as log:
        for n in range(5):
            log.append(record(n))
    source, draw = path.read_bytes(), random.Random(0)
    fine = 0
    tracemalloc.start()
    for _ in range(count):
        content = mutated(source, draw)
        path.write_bytes(content)
        tracemalloc.reset_peak()
        before, began = tracemalloc.get_traced_memory()[0], time.monotonic()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of a line that was never finished
                there: list[Any] = read(path)
        except ValueError as error:
            assert str(path) in str(error)  # noqa: PT017 (it may also give none)
            continue
        assert tracemalloc.get_traced_memory()[1] - before < 1_000_000
        assert time.monotonic() - began < 5
        fine += 1
        if not any(there):
            continue
        try:
            with log_class(path) as log:
                log.append(record(9))
        except ValueError as error:
            assert str(path) in str(error)  # noqa: PT017 (as above)
        else:
            after = read(path)
            assert len(after) == len(there) + 1
            assert [repr([*each.values()][: len(one)]) for each, one in zip(after, there, strict=False)] == [
                repr([*one.values()]) for one in there
            ]
    tracemalloc.stop()
    assert count / 5 < fine < count


@pytest.mark.parametrize(("log_class", "read"), LOGS)
def test_damaged_logs_give_records_or_a_value_error(log_class: Any, read: Any, tmp_path: Path) -> None:
    fuzz(300, log_class, read, tmp_path / "log")


@pytest.mark.slow
@pytest.mark.parametrize(("log_class", "read"), LOGS)
def test_ten_thousand_damaged_logs_give_records_or_a_value_error(log_class: Any, read: Any, tmp_path: Path) -> None:
    fuzz(10_000, log_class, read, tmp_path / "log")
