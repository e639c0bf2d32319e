"""What mypy and pyright say of programs that use fnn, to the line and the error code.

Programs in typing/right must pass in strict mode and run; those in typing/wrong must fail exactly where a line ends in a mark,

    fnn.dense(params, tokens)  # mypy: [type-var]  pyright: [reportArgumentType]

with the codes of each checker in brackets, none where it has nothing to say. The blocks of Python on each page of the docs
must pass too, as one program. Each checker runs once over all of them.

With FNN_PYTHON313 set to the path of a Python 3.13 that has numpy 2.5, mypy and basedpyright, `pytest -m slow` compares
with that interpreter too: NumPy's stubs differ from version to version.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
RIGHT = sorted((ROOT / "tests" / "typing" / "right").glob("*.py"))
WRONG = sorted((ROOT / "tests" / "typing" / "wrong").glob("*.py"))

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

MARK = re.compile(r"  # mypy: \[([\w, -]*)\]  pyright: \[([\w, -]*)\]$")

# What a checker says: the messages by file (as "wrong/keys.py"), line and error code.
Findings = dict[tuple[str, int, str], str]


def run(python: str, module: str, arguments: list[str]) -> str:
    """What a checker prints; a test fails where it doesn't get so far as to check, and is skipped where it is not installed."""
    if subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False).returncode:
        pytest.skip(f"{module} is not installed in {python}; install it with: {python} -m pip install {module}")
    done = subprocess.run(
        [python, "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), f"{module} stopped:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def name_of(path: str) -> str:
    return "/".join((ROOT / path).parts[-2:])


def programs(folder: Path) -> list[Path]:
    """All that is checked; pages of the docs as programs in this folder, with each line where it stands on the page."""
    written = []
    for page in PAGES:
        inside, lines = False, []
        for line in page.read_text(encoding="utf-8").splitlines():
            fence = line.startswith("```")
            lines.append("" if fence or not inside else line)
            inside = line == "```python" if fence else inside
        # the names of modules differ from those in typing/right, which mypy would take for the same
        written.append(folder / f"page_{page.stem.lower()}.py")
        written[-1].write_text("\n".join([*lines, ""]), encoding="utf-8")
    return [*RIGHT, *WRONG, *written]


def mypy(python: str, folder: Path) -> Findings:
    """mypy --strict, as a user runs it: without the settings of this project."""
    options = ["--config-file=", "--strict", "--follow-imports=silent", "--output=json"]
    # a folder of its own, because mypy drops a cache that was made with other options
    cache = f"--cache-dir={ROOT / '.mypy_cache' / 'typing'}"
    printed = run(python, "mypy", [*options, cache, *map(str, programs(folder))])
    found: Findings = {}
    for line in printed.splitlines():
        told = json.loads(line)
        if told["severity"] == "error":
            found[name_of(told["file"]), told["line"], told["code"]] = told["message"]
    return found


def pyright(python: str, folder: Path) -> Findings:
    """pyright in standard mode, and strict for programs that begin with `# pyright: strict`."""
    checked = programs(folder)
    settings = {
        "include": [*map(str, checked)],
        "extraPaths": [str(ROOT)],
        "typeCheckingMode": "standard",
        "reportPossiblyUnboundVariable": False,  # pages show what the last round of a loop left
    }
    project = folder / "pyrightconfig.json"
    project.write_text(json.dumps(settings), encoding="utf-8")
    printed = run(python, "basedpyright", [f"--project={project}", f"--pythonpath={python}", "--outputjson"])
    told = json.loads(printed)
    assert told["summary"]["filesAnalyzed"] == len(checked), "pyright did not check all programs"
    return {
        (name_of(each["file"]), each["range"]["start"]["line"] + 1, each.get("rule", "syntax")): each["message"]
        for each in told["generalDiagnostics"]
        if each["severity"] in ("error", "warning")
    }


CHECKERS: dict[str, Callable[[str, Path], Findings]] = {"mypy": mypy, "pyright": pyright}


def marked(checker: str) -> set[tuple[str, int, str]]:
    """The file, line and code of every error that is expected."""
    group = 1 + list(CHECKERS).index(checker)
    return {
        (name_of(str(path)), number, code)
        for path in WRONG
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (mark := MARK.search(line))
        for code in mark[group].split(", ")
        if code
    }


def differences(found: Findings, expected: set[tuple[str, int, str]]) -> list[str]:
    """One line for every error that is missing or was not expected, in the order of the programs."""
    missing = dict.fromkeys(expected - found.keys(), "MISSING, this line must be refused")
    more = {place: f"NOT EXPECTED, {found[place]}" for place in found.keys() - expected}
    return [f"{file}:{line}: [{code}] {what}" for (file, line, code), what in sorted({**missing, **more}.items())]


def compare(checker: str, python: str, folder: Path) -> None:
    problems = differences(CHECKERS[checker](python, folder), marked(checker))
    if problems:
        pytest.fail(f"{checker} says something else than is marked in tests/typing:\n" + "\n".join(problems), pytrace=False)


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_checker_refuses_what_is_marked_and_nothing_else(checker: str, tmp_path: Path) -> None:
    compare(checker, sys.executable, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("checker", CHECKERS)
def test_a_checker_says_the_same_with_the_stubs_of_numpy_2_5(checker: str, tmp_path: Path) -> None:
    python = os.environ.get("FNN_PYTHON313", "")
    if not Path(python).is_file():
        pytest.skip(f"FNN_PYTHON313 is {python!r}, not the path of a Python 3.13 with numpy 2.5, mypy and basedpyright")
    asked = "import sys, numpy; print(*sys.version_info[:2], *numpy.__version__.split('.')[:2])"
    told = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=False)
    versions = [*map(int, told.stdout.split())]
    if versions[:2] < [3, 13] or versions[2:] < [2, 5]:
        pytest.skip(f"FNN_PYTHON313={python} is no Python 3.13 with numpy 2.5: it says {told.stdout or told.stderr!r}")
    compare(checker, python, tmp_path)


@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.stem)
def test_a_program_that_passes_the_checkers_runs(path: Path) -> None:
    runpy.run_path(str(path), run_name="__main__")


@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.stem)
def test_a_right_program_is_checked_strictly_and_silences_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith('# pyright: strict\n"""')
    assert not re.search(r"#\s*(type: *ignore|mypy:)|# pyright: (?!strict\n)|\bcast\(", text)


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_a_wrong_program_is_marked_for_both_checkers(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert any(MARK.search(line) for line in lines)
    assert [line for line in lines if "#" in line and not MARK.search(line)] == []


def test_a_missing_error_and_one_too_many_are_both_told() -> None:
    found = {("wrong/a.py", 3, "arg-type"): "refused", ("right/b.py", 1, "misc"): "so it is"}
    expected = {("wrong/a.py", 3, "arg-type"), ("wrong/a.py", 7, "index")}
    assert differences(found, expected) == [
        "right/b.py:1: [misc] NOT EXPECTED, so it is",
        "wrong/a.py:7: [index] MISSING, this line must be refused",
    ]
