"""How the cost of a step grows with batch, width, depth and parameters, and attention's with time, in seconds and memory.

    taskset -c 0 python tests/benchmarks/growth.py [--json FILE] [--only batch,depth] [--quick]

Each curve has the law that it should follow: a constant and a term that is linear or quadratic in the size. The table has
the exponent that was found over the upper 40 % of the range (in log), and how far the fitted law is from any of its points.
Sizes run in turns, best time counts. Memory is measured in a process of its own for each length: what NumPy allocated at the
peak over the arguments (tracemalloc), and by how much the process grew (VmHWM). One thread.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from laws import fit
from timing import environment, in_turns, in_words, machine, write_json

import fnn

rng = np.random.default_rng(0)
Run = Callable[[], object]
HEADS, HEAD_DIM = 4, 32


def normal(*shape: int) -> Any:
    return rng.standard_normal(shape).astype(np.float32)


def step_of(model: Any, batch: int, n_in: int, n_out: int) -> Run:
    """A whole training step of a net with cross-entropy and Adam."""
    opt = fnn.Adam(1e-5)
    step: Any = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), opt)
    ts = fnn.start(model, opt, fnn.key(0))
    x, y = normal(batch, n_in), rng.integers(0, n_out, batch)

    def one() -> None:
        nonlocal ts
        ts, _ = step(ts, x, y)

    one()
    return one


def by_batch(batch: int) -> Run:
    return step_of(fnn.Dense(64, 256) >> fnn.relu >> fnn.Dense(256, 256) >> fnn.relu >> fnn.Dense(256, 10), batch, 64, 10)


def by_width(n: int) -> Run:
    return step_of(fnn.Dense(64, n) >> fnn.relu >> fnn.Dense(n, n) >> fnn.relu >> fnn.Dense(n, 10), 32, 64, 10)


def by_depth(layers: int) -> Run:
    hidden = [fnn.chain([fnn.Dense(128, 128), fnn.relu]) for _ in range(layers - 1)]
    return step_of(fnn.chain([*hidden, fnn.Dense(128, 10)]), 64, 128, 10)


def by_parameters(n: int) -> Run:
    """Adam alone, with `fnn.update` on 10 leaves."""
    opt = fnn.Adam(1e-5)
    params = tuple([normal(n // 10) for _ in range(10)])
    grads = tuple([normal(n // 10) for _ in range(10)])
    state = opt.init(params)

    def one() -> None:
        nonlocal params, state
        params, state = fnn.update(opt, grads, state, params)

    one()
    return one


def attention(length: int) -> Run:
    """Causal self attention of four heads of 32, forward and backward."""
    q, k, v = (normal(1, length, HEADS, HEAD_DIM) for _ in range(3))
    g = np.ones_like(q)

    def one() -> None:
        _, pull = fnn.vjp(lambda qkv: fnn.dot_product_attention(*qkv, causal=True), (q, k, v))
        pull(g)

    one()
    return one


class Curve(NamedTuple):
    """What grows with what, at these sizes, and the law."""

    name: str
    what: str
    make: Callable[[int], Run]
    sizes: Sequence[int]
    law: str


def doubled(first: int, last: int) -> list[int]:
    return [first << i for i in range((last // first).bit_length())]


CURVES = [
    Curve("batch", "a step of an MLP 64-256-256-10 against its batch", by_batch, doubled(1, 4096), "linear"),
    Curve("width", "a step of an MLP 64-n-n-10, batch 32, against n", by_width, doubled(32, 4096), "quadratic"),
    Curve("depth", "a step of n layers of width 128, batch 64, against n", by_depth, [2, 4, 8, 16, 32, 50, 64, 100], "linear"),
    Curve(
        "parameters",
        "an update by Adam of 10 leaves against all their numbers",
        by_parameters,
        [10 * 4**i for i in range(3, 11)],
        "linear",
    ),
    Curve(
        "attention",
        "causal attention of 4 heads of 32, batch 1, forward and backward, against the length",
        attention,
        doubled(16, 4096),
        "quadratic",
    ),
]


def memory_of_attention(length: int) -> dict[str, int]:
    """Bytes at the peak over what was there before; run in a process that has done nothing else."""

    def status(name: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))

    q, k, v = (normal(1, length, HEADS, HEAD_DIM) for _ in range(3))
    g = np.ones_like(q)
    before = status("VmRSS")

    def once() -> None:
        _, pull = fnn.vjp(lambda qkv: fnn.dot_product_attention(*qkv, causal=True), (q, k, v))
        pull(g)

    once()
    resident = status("VmHWM") - before
    tracemalloc.start()
    once()
    return {"allocated": tracemalloc.get_traced_memory()[1], "resident": max(resident, 0)}


def run_curve(curve: Curve, seconds: float, rounds: int, quick: bool) -> dict[str, Any]:
    sizes = curve.sizes[: max(4, len(curve.sizes) // 2)] if quick else curve.sizes
    times = in_turns({str(n): curve.make(n) for n in sizes}, seconds, rounds)
    points: list[dict[str, Any]] = [{"size": n, **times[str(n)]} for n in sizes]
    found: dict[str, Any] = {"what": curve.what, "points": points}
    found["time"] = fit(sizes, [point["best"] for point in points], curve.law)
    if curve.name == "attention":
        for point in points:
            command = [sys.executable, __file__, "--memory-of-attention", str(point["size"])]
            done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
            point["memory"] = json.loads(done.stdout)
        found["memory"] = fit(sizes, [point["memory"]["allocated"] for point in points], "linear")
    return found


def table(found: dict[str, Any]) -> str:
    """One curve in Markdown."""
    with_memory = "memory" in found
    head = "| size | best | median |" + (" allocated at the peak | process grew by |" if with_memory else "")
    lines = [head, "|---:" * (head.count("|") - 1) + "|"]
    for point in found["points"]:
        line = f"| {point['size']:,} | {in_words(point['best'])} | {in_words(point['median'])} |"
        if with_memory:
            line += f" {point['memory']['allocated'] / 1e6:.2f} MB | {point['memory']['resident'] / 1e6:.1f} MB |"
        lines.append(line)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="How the cost of a step grows.")
    parser.add_argument("--only", default="", help="curves, with commas between them: " + ", ".join(c.name for c in CURVES))
    parser.add_argument("--seconds", type=float, default=2.0, help="for each point (default: 2)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="only the smaller half of the sizes")
    parser.add_argument("--json", help="where to write all figures")
    parser.add_argument("--memory-of-attention", type=int, metavar="LENGTH", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of_attention:
        print(json.dumps(memory_of_attention(options.memory_of_attention)))
        return
    only = options.only.split(",") if options.only else [curve.name for curve in CURVES]
    unknown = set(only) - {curve.name for curve in CURVES}
    if unknown:
        parser.error(f"no such curves: {', '.join(sorted(unknown))}")
    found: dict[str, Any] = {"machine": machine(), "curves": {}}
    for curve in CURVES:
        if curve.name in only:
            began = time.perf_counter()
            result = found["curves"][curve.name] = run_curve(curve, options.seconds, options.rounds, options.quick)
            print(f"\n{curve.name}: {curve.what}\n\n{table(result)}\n")
            for what in ("time", "memory"):
                if what in result:
                    print(in_short(what, result[what]))
            print(f"took {time.perf_counter() - began:.0f} s", file=sys.stderr)
            if options.json:
                write_json(options.json, found)


def in_short(what: str, found: Any) -> str:
    """One fit in a line."""
    unit = in_words if what == "time" else lambda n: f"{n / 1e6:.3g} MB"
    power = " n^2" if found["law"] == "quadratic" else " n"
    return (
        f"{what.capitalize()}: {unit(found['constant'])} + {unit(found['slope'])}{power}, "
        f"at most {found['worst']:.0%} from a point; exponent {found['exponent']:.2f} in the upper part of the range, "
        f"the law's is {found['expected_exponent']}"
    )


if __name__ == "__main__":
    main()
