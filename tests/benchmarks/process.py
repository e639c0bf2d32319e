"""Whole processes: the digits job with fnn and in NumPy by hand, and what `import fnn` adds to NumPy's.

    python tests/benchmarks/process.py [--times 15] [--json FILE]

Commands run in turns, with bytecode that a first run has cached, in a folder of their own. The seed changes from one time to
the next and is the same for both, so that their accuracies can be compared: they are the same job, and differ by chance only.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from timing import environment, in_words, machine, pinned, timing, write_json

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
JOBS = {"fnn": ROOT / "examples" / "digits.py", "numpy": HERE / "digits_numpy.py"}
IMPORTS = """
import time
began = time.perf_counter()
import numpy
between = time.perf_counter()
import fnn
print(between - began, time.perf_counter() - between)
"""


def with_bytecode(folder: str) -> dict[str, str]:
    """The environment of a child that keeps its bytecode here, whatever ours says."""
    kept = {name: value for name, value in environment().items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": folder}


def run_jobs(times: int, cpus: str, env: dict[str, str]) -> dict[str, Any]:
    """Job -> seconds of the whole command and accuracy on the test images."""
    seconds: dict[str, list[float]] = {name: [] for name in JOBS}
    accuracy: dict[str, list[float]] = {name: [] for name in JOBS}
    for i in range(-1, times):  # the first is to fill the caches
        for name, script in JOBS.items():
            command = [*pinned(cpus), sys.executable, str(script), "--seed", str(max(i, 0))]
            began = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
            took = time.perf_counter() - began
            reached = re.search(r"test accuracy ([\d.]+)%", done.stdout)
            if reached is None:
                sys.exit(f"process: {script.name} printed no accuracy:\n{done.stdout}")
            if i >= 0:
                seconds[name].append(took)
                accuracy[name].append(float(reached[1]))
    return {name: {**timing(seconds[name]), "accuracy": statistics.mean(accuracy[name])} for name in JOBS}


def run_imports(times: int, cpus: str, env: dict[str, str]) -> dict[str, Any]:
    """Seconds of `import numpy`, and of `import fnn` after it."""
    found = []
    for i in range(-1, times):
        command = [*pinned(cpus), sys.executable, "-c", IMPORTS]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
        if i >= 0:
            found.append([float(word) for word in done.stdout.split()])
    first, second = zip(*found, strict=True)
    return {"numpy": timing(first), "fnn after numpy": timing(second)}


def main() -> None:
    parser = argparse.ArgumentParser(description="Whole processes: the digits job, and imports.")
    parser.add_argument("--times", type=int, default=15, help="runs of each command (default: 15)")
    parser.add_argument("--cpus", default="0", help="the cores to run on, as taskset names them; empty for any")
    parser.add_argument("--json", help="where to write all figures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        env = with_bytecode(folder)
        jobs, imports = run_jobs(options.times, options.cpus, env), run_imports(2 * options.times, options.cpus, env)
    for name, job in jobs.items():
        print(
            f"digits, {name}: best {in_words(job['best'])}, median {in_words(job['median'])}, accuracy {job['accuracy']:.2f} %"
        )
    print(f"fnn over numpy: best {jobs['fnn']['best'] / jobs['numpy']['best']:.2f}", end=", ")
    print(f"median {jobs['fnn']['median'] / jobs['numpy']['median']:.2f}")
    for name, found in imports.items():
        print(f"import {name}: best {in_words(found['best'])}, median {in_words(found['median'])}")
    if options.json:
        write_json(options.json, {"machine": machine(), "jobs": jobs, "imports": imports})


if __name__ == "__main__":
    main()
