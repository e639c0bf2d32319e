"""The examples reach what they promise; the long ones in a short form."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def load(name: str) -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.py")))
def test_an_example_tells_what_it_does_and_takes_no_option_that_it_does_not_know(name: str) -> None:
    for option, code, told in (("--help", 0, f"usage: {name}.py"), ("--hepl", 2, "unrecognized arguments: --hepl")):
        run = subprocess.run([sys.executable, EXAMPLES / f"{name}.py", option], capture_output=True, text=True, check=False)
        assert run.returncode == code, run.stderr
        assert told in run.stdout + run.stderr


@pytest.mark.parametrize("seed", [0, 1])
def test_the_convolutional_net_reads_digits(seed: int) -> None:
    assert load("digits_cnn")["train"](seed, 12) >= 0.985


def test_the_lstm_learns_to_add_over_fifty_steps() -> None:
    assert load("adding_lstm")["train"](0, 1500) < 0.005


def test_the_character_model_beats_the_bigram_model(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["character_gpt.py", "--steps", "180", "--sample", "20"])
    load("character_gpt")["main"]()
    found = re.search(r"test: ([\d.]+) bits per character; the bigram model has ([\d.]+)", capsys.readouterr().out)
    assert found
    gpt, bigram = map(float, found.groups())
    assert bigram == pytest.approx(3.34, abs=0.01)
    assert gpt < bigram - 0.1
