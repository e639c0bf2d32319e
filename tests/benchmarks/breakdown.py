"""Where the time of a training step goes, for W1, W3, W6 and W7 of the benchmark of whole steps.

    python tests/benchmarks/breakdown.py BENCH [--json FILE]

BENCH is the folder of that benchmark. Three looks at the same step:

- its best time, and beside it, in turns, the matrix products that it cannot avoid (the benchmark's floor) and the optimiser's
  update of as many parameters, each alone;
- by library, from samples of the running process (Linux `perf`, if it is there): matrix products are BLAS's, elementwise
  work NumPy's, copies the C library's, calls and bookkeeping Python's, fresh memory the system's;
- by function, from cProfile: the time in a function of fnn and in the NumPy calls that it makes itself.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from timing import environment, in_turns, in_words, machine, pinned, write_json

HERE = Path(__file__).resolve().parent
WORKLOADS = ("W1", "W3", "W6", "W7")
N_FUNCTIONS = 8

LIBRARIES = (  # the first that the file's name contains
    ("openblas", "matrix products"),
    ("mkl", "matrix products"),
    ("accelerate", "matrix products"),
    ("_multiarray_umath", "elementwise"),
    ("libm", "elementwise"),
    ("numpy", "elementwise"),
    ("_generator", "random numbers"),
    ("_sfc64", "random numbers"),
    ("_pcg64", "random numbers"),
    ("_blake2", "random numbers"),
    ("[kernel", "system"),
    ("libc", "copies"),
    ("ld-linux", "other"),
    ("python", "Python"),
)


def group_of(library: str) -> str:
    return next((group for part, group in LIBRARIES if part in library), "other")


def update_of(workload: str) -> Callable[[], object]:
    """The optimiser's update of the workload's parameters, alone."""
    import numpy as np  # noqa: PLC0415
    import peer_fnn  # noqa: PLC0415

    import fnn  # noqa: PLC0415
    from fnn.optim.optimizer import updater  # noqa: PLC0415

    caught: dict[str, Any] = {}

    def catch(model: Any, criterion: Any, opt: fnn.Optimizer, *rest: Any) -> None:
        caught.update(model=model, opt=opt)

    run, peer_fnn.run = peer_fnn.run, catch
    try:
        peer_fnn.WORKLOADS[workload]()
    finally:
        peer_fnn.run = run
    opt, params = caught["opt"], fnn.init(caught["model"], fnn.key(0))[0]
    state: Any = opt.init(params)
    vector: Any = state.layout.pack(fnn.tree.leaves(params))
    grads = np.random.default_rng(0).standard_normal(len(vector)).astype(np.float32)
    apply = updater(opt)

    def one() -> None:
        nonlocal vector, state
        vector, state = apply(grads, state, vector)

    return one


def by_function(step: Callable[[], object], n: int) -> list[dict[str, Any]]:
    """The functions with the most time of their own: name, calls a step, share of all."""
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(n):
        step()
    profile.disable()
    stats: Any = pstats.Stats(profile)
    total = sum(entry[2] for entry in stats.stats.values())
    ranked = sorted(stats.stats.items(), key=lambda item: -item[1][2])[:N_FUNCTIONS]
    return [{"function": _name(*where), "calls": calls / n, "share": own / total} for where, (_, calls, own, _, _) in ranked]


def _name(file: str, line: int, function: str) -> str:
    if file == "~":
        return function.strip("<>").replace("built-in method ", "").split(" at 0x")[0]
    path = Path(file)
    return f"{path.parent.name}/{path.stem}: {function}"


def child(workload: str, seconds: float) -> None:
    """Steps for a while after a line that says they have begun."""
    import peer_fnn  # noqa: PLC0415

    step = peer_fnn.WORKLOADS[workload]()
    for _ in range(10):
        step()
    print("begun", flush=True)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        step()


def by_library(bench: Path, workload: str, seconds: float, cpus: str) -> dict[str, float] | None:
    """Share of the samples by group of libraries; None without `perf`."""
    if shutil.which("perf") is None:
        return None
    command = [*pinned(cpus), sys.executable, str(HERE / "breakdown.py"), str(bench), "--child", workload]
    command += ["--seconds", str(seconds + 2)]
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/samples"
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
            assert process.stdout is not None
            process.stdout.readline()
            record = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "2000", "-p", str(process.pid), "-o", file]
            done = subprocess.run([*record, "--", "sleep", str(seconds)], capture_output=True, check=False)
            process.wait()
        if done.returncode:
            return None
        report = ["perf", "report", "-i", file, "--stdio", "--sort", "dso", "-t", ";"]
        printed = subprocess.run(report, capture_output=True, text=True, check=True).stdout
    found: dict[str, float] = {}
    for line in printed.splitlines():
        share, _, library = (part.strip() for part in line.partition(";"))
        if share.endswith("%"):
            group = group_of(library)
            found[group] = found.get(group, 0.0) + float(share[:-1]) / 100
    return found


def run(bench: Path, workload: str, seconds: float, cpus: str) -> dict[str, Any]:
    import peer_fnn  # noqa: PLC0415
    import peer_limit_np  # type: ignore[import-not-found] # noqa: PLC0415 # pyright: ignore[reportMissingImports]

    step = peer_fnn.WORKLOADS[workload]()
    runs = {"step": step, "products": peer_limit_np.WORKLOADS[workload](), "update": update_of(workload)}
    times = in_turns(runs, seconds)
    n = max(3, int(seconds / times["step"]["median"] / 4))
    return {
        "times": times,
        "by_library": by_library(bench, workload, seconds, cpus),
        "by_function": by_function(step, n),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Where the time of a step goes.")
    parser.add_argument("bench", type=Path, help="the folder of the benchmark of whole steps")
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--seconds", type=float, default=4.0, help="for each look (default: 4)")
    parser.add_argument("--cpus", default="0", help="the core to run on, as taskset names it; empty for any")
    parser.add_argument("--json", help="where to write all figures")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.update(environment())  # before NumPy is loaded
    sys.path.insert(0, str(options.bench.resolve()))
    if options.child:
        child(options.child, options.seconds)
        return
    if options.cpus:
        os.sched_setaffinity(0, {int(cpu) for cpu in options.cpus.split(",")})
    found: dict[str, Any] = {"machine": machine(), "results": {}}
    for workload in options.workloads.split(","):
        made = found["results"][workload] = run(options.bench.resolve(), workload, options.seconds, options.cpus)
        print(workload, *[f"{name} {in_words(t['best'])}" for name, t in made["times"].items()])
        if made["by_library"]:
            print("  ", ", ".join(f"{name} {share:.0%}" for name, share in made["by_library"].items()))
        for entry in made["by_function"]:
            print(f"   {entry['share']:6.1%} {entry['calls']:8.1f} calls  {entry['function']}")
        sys.stdout.flush()
        if options.json:
            write_json(options.json, found)


if __name__ == "__main__":
    main()
