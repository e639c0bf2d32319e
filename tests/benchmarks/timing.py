"""What the benchmarks share: runs in turns, best and median, the machine's name, JSON files."""

from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypedDict


class Timing(TypedDict):
    """Seconds of one call, and how many calls were timed."""

    best: float
    median: float
    n: int


def timing(seconds: Sequence[float]) -> Timing:
    return {"best": min(seconds), "median": statistics.median(seconds), "n": len(seconds)}


def in_turns(runs: Mapping[str, Callable[[], object]], seconds: float, rounds: int = 5) -> dict[str, Timing]:
    """Times functions in turns (a b c a b c ...), so that what slows the machine for a while slows them all.

    Each has `seconds` in all, split over the rounds, and at least one call in each after one that does not count.
    """
    clock = time.perf_counter
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            run()
            began = last = clock()
            while True:
                run()
                now = clock()
                found[name].append(now - last)
                last = now
                if now - began >= seconds / rounds:
                    break
    return {name: timing(times) for name, times in found.items()}


def machine() -> dict[str, Any]:
    """Where and when: processor, cores, versions of what is installed, date."""
    import numpy as np  # noqa: PLC0415 (scripts set the number of threads before it is loaded)

    blas: Any = np.show_config(mode="dicts")
    found = {}
    for name in ("numpy", "torch", "jax"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    blas = blas["Build Dependencies"]["blas"]
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": found,
        "blas": f"{blas['name']} {blas['version']}",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def write_json(path: Path | str, found: object) -> None:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n")


def in_words(seconds: float) -> str:
    """A time with three digits and its unit.

    >>> in_words(3.21e-5), in_words(0.01234), in_words(2.5)
    ('32.1 us', '12.3 ms', '2.5 s')
    """
    if seconds < 1e-3:
        return f"{seconds * 1e6:.3g} us"
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def pinned(cpus: str) -> list[str]:
    """What stands before a command to keep it on these cores; nothing for an empty list."""
    return ["taskset", "-c", cpus] if cpus else []


def environment(threads: int = 1) -> dict[str, str]:
    """The environment of a child whose libraries use this many threads."""
    n = str(threads)
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "BENCH_THREADS")
    xla = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"} if threads == 1 else {}
    return {**os.environ, **dict.fromkeys(names, n), "PYTHONHASHSEED": "0", "JAX_PLATFORMS": "cpu", **xla}
