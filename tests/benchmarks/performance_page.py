"""Measures all that docs/performance.md shows, and writes the page.

    python tests/benchmarks/performance_page.py BENCH RESULTS                          everything, then the page
    python tests/benchmarks/performance_page.py BENCH RESULTS --only steps --workloads W1,W2
    python tests/benchmarks/performance_page.py BENCH RESULTS --only page              the page, from what was measured before

BENCH is the folder of the benchmark of whole steps, RESULTS a folder for the figures: a file for each part. A part that runs
for some workloads or curves only leaves the others' figures as they are. The page is written as soon as no part is missing.

The parts are steps, growth, forward, process, memory and breakdown. Two more are on the page where they have been measured:
steps_two_threads, and breakdown_before, the breakdown of another version: PYTHONPATH=OTHER ... --only breakdown_before.
What stands on the page between the marks "by hand" stays as it is. Run it with the Python that has PyTorch and JAX.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import growth
from timing import environment, in_words, machine, write_json

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- by hand -->", "<!-- end of what is by hand -->"
PARTS = ("steps", "growth", "forward", "process", "memory", "breakdown")
MORE_PARTS = ("steps_two_threads", "breakdown_before")
STEP_PEERS = "fnn,torch_fused,jax_raw,numpy_hand,numpy_hand_nets,limit_np"
SHARED = ("W4", "W5", "W6", "W7", "W8")  # what two threads can share
NAMES = {
    "fnn": "fnn",
    "fnn_threads": "fnn, threads=2",
    "torch_fused": "PyTorch",
    "torch": "PyTorch",
    "jax_raw": "JAX",
    "jax": "JAX",
    "numpy_hand": "NumPy by hand",
    "numpy": "NumPy by hand",
    "limit_np": "floor",
}
LIBRARIES = ("torch_fused", "jax_raw")
NETS = {
    "W1": "MLP 2-8-1, tanh, batch 4, SGD",
    "W2": "MLP 64-128-10, batch 32, Adam",
    "W3": "MLP 32-256-256-1, batch norm, dropout, batch 256, Adam",
    "W4": "MLP 784-512-512-10, batch 128, Adam",
    "W5": "MLP 1024-2048-2048-1000, batch 512, momentum",
    "W6": "CNN on 28x28, two convolutions 3x3, batch 64, Adam",
    "W7": "LSTM 32-128, 50 steps, batch 32, Adam",
    "W8": "GPT, 2 layers of 128, 64 tokens, batch 16, AdamW",
}


# Measuring


def steps(options: argparse.Namespace, file: Path, threads: int) -> None:
    """The benchmark's own runner."""
    cpus = options.cpus if threads == 1 else options.two_cpus
    fresh = file.with_suffix(".new")
    peers = STEP_PEERS if threads == 1 else f"fnn_threads,{STEP_PEERS}"
    command = [sys.executable, str(options.bench / "runner.py"), "--path", str(HERE), "--peers", peers]
    command += [
        "--workloads",
        options.workloads or ",".join(NETS if threads == 1 else SHARED),
        "--seconds",
        str(6 * options.effort),
        "--rounds",
        "6",
    ]
    command += ["--threads", str(threads), "--cpus", cpus, "--base", "fnn", "--json", str(fresh)]
    subprocess.run(command, check=True)
    found: Any = {"machine": machine(), "results": json.loads(fresh.read_text())["results"]}
    fresh.unlink()
    for peers in found["results"].values():
        if "numpy_hand_nets" in peers:  # another file of the same anchor
            peers["numpy_hand"] = peers.pop("numpy_hand_nets")
        for peer, r in peers.items():
            if "best_s" in r:
                peers[peer] = {"best": r["best_s"], "median": r["median_s"], "n": r["n"]}
    merge(file, found)


def script(name: str, options: argparse.Namespace, file: Path, *arguments: str) -> None:
    """One of the scripts beside this one."""
    fresh = file.with_suffix(".new")
    command = [sys.executable, str(HERE / f"{name}.py"), *arguments, "--json", str(fresh)]
    if name == "growth" and options.cpus:
        command = ["taskset", "-c", options.cpus, *command]
    subprocess.run(command, check=True, env=environment())
    merge(file, json.loads(fresh.read_text()))
    fresh.unlink()


def merge(file: Path, found: dict[str, Any]) -> None:
    """Adds results to the figures in a file: what was not measured now stays."""
    if file.exists():
        old = json.loads(file.read_text())
        for key in ("results", "curves"):
            if key in found:
                found[key] = {**old[key], **found[key]}
    write_json(file, found)


def measure(part: str, options: argparse.Namespace) -> None:
    file = options.results / f"{part}.json"
    bench, effort = str(options.bench), options.effort
    cpus = ["--cpus", options.cpus]
    chosen = ["--workloads", options.workloads] if options.workloads else []
    match part:
        case "steps" | "steps_two_threads":
            steps(options, file, 1 if part == "steps" else 2)
        case "growth":
            only = ["--only", options.curves] if options.curves else []
            script("growth", options, file, "--seconds", str(2 * effort), *only, *(["--quick"] if options.quick else []))
        case "forward":
            script("forward", options, file, bench, "--seconds", str(3 * effort), *chosen, *cpus)
        case "process":
            script("process", options, file, "--times", str(max(2, round(15 * effort))), *cpus)
        case "memory":
            script("memory", options, file, bench, "--steps", str(max(5, round(40 * effort))), *cpus)
        case _:
            script("breakdown", options, file, bench, "--seconds", str(4 * effort), *chosen, *cpus)


# The page


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table: the first column to the left, the others to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def by_name(results: Mapping[str, Any]) -> list[str]:
    return sorted(results, key=lambda name: (name.split("/")[0], int(name.partition("/")[2] or 0)))


def best(peers: Mapping[str, Any], name: str) -> float | None:
    found: float | None = peers.get(name, {}).get("best")
    return found


def ratio(a: float | None, b: float | None) -> str:
    """a over b, bold where it is more than 1."""
    if a is None or b is None:
        return ""
    text = f"{a / b:.2f}"
    return f"**{text}**" if a > b else text


def fastest(peers: Mapping[str, Any], names: Iterable[str]) -> tuple[str, float] | None:
    times = [(t, name) for name in names if (t := best(peers, name)) is not None]
    return (min(times)[1], min(times)[0]) if times else None


def steps_table(results: Mapping[str, Any], fnn: str = "fnn") -> str:
    """fnn's time, and as a multiple of each peer's."""
    rows = []
    for w in by_name(results):
        peers = results[w]
        ours = best(peers, fnn)
        if ours is None:
            raise SystemExit(f"performance_page: {fnn} has no time for {w}: {peers.get(fnn)}")
        first, floor = fastest(peers, LIBRARIES), best(peers, "limit_np")
        row = [f"{w} {NETS[w]}", in_words(ours), in_words(peers[fnn]["median"])]
        row += [ratio(ours, best(peers, name)) for name in (*LIBRARIES, "numpy_hand")]
        row += [f"{NAMES[first[0]]} {ratio(ours, first[1])}" if first else "", f"{floor / ours:.0%}" if floor else ""]
        rows.append(row)
    head = ["step", "fnn, best", "median", "/ PyTorch", "/ JAX", "/ NumPy by hand", "/ the faster library", "floor / fnn"]
    return table(head, rows)


def all_times(results: Mapping[str, Any], peers: Sequence[str]) -> str:
    """Best and median of every peer."""
    rows = []
    for w in by_name(results):
        row = [w]
        for peer in peers:
            r = results[w].get(peer, {})
            row.append(f"{in_words(r['best'])} ({in_words(r['median'])})" if "best" in r else "failed" if r else "")
        rows.append(row)
    return table(["", *(NAMES[peer] for peer in peers)], rows)


def losses(results: Mapping[str, Any], names: Sequence[str], ours_are: Sequence[str] = ("fnn",)) -> str:
    """Which rows fnn loses to a library, in a sentence; of several ways the faster counts."""
    lost = []
    for w in by_name(results):
        first, own = fastest(results[w], names), fastest(results[w], ours_are)
        ours = own and own[1]
        if first and ours and ours > first[1]:
            lost.append(f"{w.replace('/', ' at batch ')} ({NAMES[first[0]]}, by {ours / first[1] - 1:.0%})")
    return f"fnn loses {', '.join(lost)}." if lost else "fnn loses none of these rows to a library."


def forward_section(results: Mapping[str, Any]) -> str:
    rows = []
    for w in by_name(results):
        net, _, batch = w.partition("/")
        peers = results[w]
        ours = best(peers, "fnn")
        if ours is None:
            raise SystemExit(f"performance_page: fnn has no forward time for {w}: {peers.get('fnn')}")
        row = [net, batch, in_words(ours), in_words(peers["fnn"]["median"])]
        row += [ratio(ours, best(peers, name)) for name in ("torch", "jax", "numpy")]
        first = fastest(peers, ("torch", "jax"))
        rows.append([*row, f"{NAMES[first[0]]} {ratio(ours, first[1])}" if first else ""])
    head = ["net", "batch", "fnn, best", "median", "/ PyTorch", "/ JAX", "/ NumPy by hand", "/ the faster library"]
    times = all_times(results, ("fnn", "torch", "jax", "numpy"))
    return "\n\n".join([table(head, rows), losses(results, ("torch", "jax")), "Best times, medians in brackets:", times])


def growth_section(curves: Mapping[str, Any]) -> str:
    rows = []
    for curve in growth.CURVES:
        for what in ("time", "memory"):
            fit = curves[curve.name].get(what)
            if fit:
                law = "constant + linear" if fit["law"] == "linear" else "constant + quadratic"
                row = [f"{curve.name}, {what}", law, str(fit["expected_exponent"]), f"{fit['exponent']:.2f}"]
                rows.append([*row, f"{fit['worst']:.0%}"])
    found = [table(["cost by", "expected law", "its exponent", "found", "farthest point from the law"], rows)]
    for curve in growth.CURVES:
        result = curves[curve.name]
        text = f"{curve.name.capitalize()}: {curve.what}. {growth.in_short('time', result['time'])}."
        if "memory" in result:
            text += f" {growth.in_short('memory', result['memory'])}."
        found += [text, growth.table(result)]
    return "\n\n".join(found)


def process_section(found: Mapping[str, Any]) -> str:
    jobs, imports = found["jobs"], found["imports"]
    ours, anchor = jobs["fnn"], jobs["numpy"]
    rows = [
        [name, in_words(job["best"]), in_words(job["median"]), f"{job['accuracy']:.2f} %"]
        for name, job in (("fnn: `python examples/digits.py`", ours), ("NumPy by hand: `digits_numpy.py`", anchor))
    ]
    rows.append(["fnn / NumPy by hand", ratio(ours["best"], anchor["best"]), ratio(ours["median"], anchor["median"]), ""])
    more = [[f"`import {name}`", in_words(t["best"]), in_words(t["median"])] for name, t in imports.items()]
    more = [[row[0].replace("fnn after numpy`", "fnn` after it"), *row[1:]] for row in more]
    return "\n\n".join(
        [table(["digits, 20 epochs", "best", "median", "test accuracy, mean"], rows), table(["", "best", "median"], more)]
    )


def memory_section(results: Mapping[str, Any]) -> str:
    rows = []
    for w in by_name(results):
        anchor = results[w]["numpy_hand"]["peak"]
        for peer, r in results[w].items():
            if "peak" in r:
                over = ratio(r["peak"], anchor) if peer == "fnn" else f"{r['peak'] / anchor:.2f}"
                numbers = [f"{r['after_imports'] / 1e6:.0f} MB", f"{r['peak'] / 1e6:.0f} MB", over]
                rows.append([f"{w} {NAMES[peer]}", *numbers])
    return table(["", "after imports", "peak", "/ NumPy by hand"], rows)


def breakdown_section(now: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    found = []
    rows = []
    for w in by_name(now):
        for name, results in (("before", before), ("now", now)):
            if w in results:
                times = results[w]["times"]
                row = [f"{w}, {name}" if before else w, *(in_words(times[k]["best"]) for k in ("step", "products", "update"))]
                rows.append(row)
    found.append(table(["", "step", "bare products", "update alone"], rows))
    groups = ["matrix products", "elementwise", "copies", "random numbers", "Python", "system", "other"]
    rows = []
    for w in by_name(now):
        for name, results in (("before", before), ("now", now)):
            shares = results.get(w, {}).get("by_library")
            if shares:
                rows.append([f"{w}, {name}" if before else w, *(f"{shares.get(group, 0):.0%}" for group in groups)])
    if rows:
        found.append(
            "Samples of the running process by what they are in: BLAS; NumPy's loops; the C library, which copies and "
            "allocates; generators and hashes; the interpreter; the kernel."
        )
        found.append(table(["", *groups], rows))
    found.append("By function, with the NumPy calls that a function makes itself; the profiler makes small steps slower:")
    rows = [
        [w, f"`{e['function']}`", f"{e['calls']:.0f}", f"{e['share']:.0%}"] for w in by_name(now) for e in now[w]["by_function"]
    ]
    found.append(table(["", "function", "calls a step", "share"], rows))
    return "\n\n".join(found)


def where(found: Iterable[Mapping[str, Any]]) -> str:
    """Machine, versions and date; the date of each part if they differ."""
    machines = [part["machine"] for part in found]
    same = {json.dumps({k: v for k, v in m.items() if k != "date"}, sort_keys=True) for m in machines}
    if len(same) > 1:
        raise SystemExit("performance_page: the parts were not measured on the same machine with the same versions")
    m, dates = machines[0], sorted({m["date"] for m in machines})
    versions = ", ".join(f"{name} {number}" for name, number in m["versions"].items())
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return f"{m['processor']}, {m['cores']} cores; {m['system']}; Python {m['python']}, {versions}, {m['blas']}; {when}."


def by_hand(page: str) -> str:
    """What stands between the marks."""
    found = re.search(re.escape(BEGIN) + r"\n(.*?)" + re.escape(END), page, re.DOTALL)
    return found[1] if found else ""


def write_page(folder: Path, page: Path) -> None:
    parts = [part for part in (*PARTS, *MORE_PARTS) if (folder / f"{part}.json").exists()]
    found = {part: json.loads((folder / f"{part}.json").read_text()) for part in parts}
    missing = [part for part in PARTS if part not in found]
    if "growth" in found:
        curves = found["growth"]["curves"]
        missing += [f"growth of {curve.name}" for curve in growth.CURVES if curve.name not in curves]
    if "steps" in found:
        missing += [f"steps of {w}" for w in NETS if w not in found["steps"]["results"]]
    if missing:
        print(f"performance_page: not measured yet, so no page: {', '.join(missing)}")
        return
    kept = by_hand(page.read_text()) if page.exists() else ""
    if not kept.strip():
        print(f"performance_page: the section of what was tried is empty: write it into {page.name}")
    one = found["steps"]["results"]
    peers = ("fnn", *LIBRARIES, "numpy_hand", "limit_np")
    sections = [
        "# Performance",
        "Made by `tests/benchmarks/performance_page.py`, which says how to make it again. Ratios are of best times, measured "
        "in turns in the same run; fnn is slower where a ratio is above 1, which is **bold**.",
        where(value for part, value in found.items() if part != "breakdown_before"),
        "## A training step",
        "Forward, loss, backward and update, float32, one thread; fnn with `fnn.train_step`, as a user writes it. PyTorch is "
        "eager with fused optimisers, JAX is `jax.jit` of a whole step with donated buffers, NumPy by hand is a step with "
        "preallocated buffers for this one net. The floor is the matrix products alone, as `a @ b`: for a convolution those "
        "with its windows, than which Winograd's way needs fewer, and for W7 of sizes that fnn cuts.",
        steps_table(one),
        losses(one, LIBRARIES),
        "Best times, medians in brackets:",
        all_times(one, peers),
    ]
    if "steps_two_threads" in found:
        two = found["steps_two_threads"]["results"]
        both = ("fnn", "fnn_threads")
        sections += [
            "### With two threads",
            "With the two threads of BLAS in each product:",
            steps_table(two),
            "With `fnn.train_step(loss, opt, threads=2)` and one thread in each product, halves of the batch at the same time:",
            steps_table(two, "fnn_threads"),
            "By the faster of the two ways, " + losses(two, LIBRARIES, both),
            all_times(two, ("fnn_threads", *peers)),
        ]
    sections += [
        "## Forward only",
        "Evaluation mode: `fnn.forward(model, params, state, x)[0]`; PyTorch in `eval()` and `inference_mode`; `jax.jit` with "
        "the parameters as arguments.",
        forward_section(found["forward"]["results"]),
        "## Growth",
        "Best times. The exponent is that of the upper 40 % of the range, in log; a constant that still counts there makes it "
        "smaller than the law's. The law is fitted to all points.",
        growth_section(found["growth"]["curves"]),
        "## A whole process",
        "Whole commands in turns, each on one core, with cached bytecode.",
        process_section(found["process"]),
        "## Memory",
        "Peak resident memory of a process that does nothing but these steps.",
        memory_section(found["memory"]["results"]),
        "## Where the time of a step goes",
        breakdown_section(found["breakdown"]["results"], found.get("breakdown_before", {}).get("results", {})),
        "## Another processor, and what was tried",
    ]
    page.write_text("\n\n".join(sections) + f"\n\n{BEGIN}\n{kept}{END}\n")
    print(f"wrote {page}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what docs/performance.md shows, and write it.")
    parser.add_argument("bench", type=Path, help="the folder of the benchmark of whole steps")
    parser.add_argument("results", type=Path, help="a folder for the figures")
    parser.add_argument("--only", default=",".join(PARTS), help=f"of {', '.join((*PARTS, *MORE_PARTS))}; or page")
    parser.add_argument("--workloads", default="", help="of steps, forward and breakdown: W1,W2 (default: all)")
    parser.add_argument("--curves", default="", help="of growth: batch,width (default: all)")
    parser.add_argument("--effort", type=float, default=1.0, help="multiple of the usual time for each figure (default: 1)")
    parser.add_argument("--quick", action="store_true", help="growth with the smaller half of the sizes, to try the script")
    parser.add_argument("--cpus", default="0", help="the core for one thread (default: 0)")
    parser.add_argument("--two-cpus", default="0,1", help="the cores for two threads (default: 0,1)")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to write (default: docs/performance.md)")
    options = parser.parse_args()
    options.bench, options.results = options.bench.resolve(), options.results.resolve()
    options.results.mkdir(parents=True, exist_ok=True)
    parts = options.only.split(",")
    unknown = set(parts) - {*PARTS, *MORE_PARTS, "page"}
    if unknown:
        parser.error(f"no such parts: {', '.join(sorted(unknown))}")
    for part in parts:
        if part != "page":
            print(f"== {part}", flush=True)
            measure(part, options)
    write_page(options.results, options.page)


if __name__ == "__main__":
    main()
