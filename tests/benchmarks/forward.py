"""Forward only, in evaluation mode, for one example and for 256: fnn, PyTorch, JAX, and MLPs in NumPy by hand.

    python tests/benchmarks/forward.py BENCH [--workloads W1,W2] [--json FILE]

BENCH is the folder of the benchmark of whole steps, whose workers and nets these are: each peer in a process of its own,
one thread, in turns.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from timing import in_words, machine, timing, write_json

HERE = Path(__file__).parent
PEERS = ("fnn", "torch", "jax", "numpy")
NETS = ("W1", "W2", "W3", "W4", "W6", "W7", "W8")
BATCHES = (1, 256)


def run(bench: Path, nets: list[str], seconds: float, rounds: int, cpus: str) -> dict[str, dict[str, Any]]:
    """net/batch -> peer -> best and median, or what went wrong."""
    sys.path.insert(0, str(bench))
    from runner import Worker  # type: ignore[import-not-found] # noqa: PLC0415 # pyright: ignore[reportMissingImports]

    found: dict[str, dict[str, Any]] = {}
    for workload in [f"{net}/{batch}" for net in nets for batch in BATCHES]:
        workers: dict[str, Any] = {}
        found[workload] = {}
        times: dict[str, list[float]] = {}
        for peer in PEERS:
            worker = Worker(f"forward_{peer}", cpus, 1, sys.executable, (str(HERE / "forward_peers"), str(HERE)))
            if "error" in worker.info or workload in worker.info["workloads"]:
                built = worker.info if "error" in worker.info else worker.ask(cmd="build", w=workload, warmup=0.3)
                if "error" in built:
                    found[workload][peer] = {"error": built["error"]}
                else:
                    workers[peer], times[peer] = worker, []
                    continue
            worker.close()
        for _ in range(rounds):
            for peer, worker in workers.items():
                answer = worker.ask(cmd="time", w=workload, seconds=seconds / rounds)
                times[peer] += answer.get("times", [])
        for peer, worker in workers.items():
            worker.close()
            found[workload][peer] = timing(times[peer]) if times[peer] else {"error": "no times"}
        print(workload, *[f"{peer} {in_words(r['best']) if 'best' in r else r}" for peer, r in found[workload].items()])
        sys.stdout.flush()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Forward only, beside other libraries.")
    parser.add_argument("bench", type=Path, help="the folder of the benchmark of whole steps")
    parser.add_argument("--workloads", default=",".join(NETS))
    parser.add_argument("--seconds", type=float, default=3.0, help="for each peer, net and batch (default: 3)")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--cpus", default="0", help="the cores to run on, as taskset names them; empty for any")
    parser.add_argument("--json", help="where to write all figures")
    options = parser.parse_args()
    results = run(options.bench.resolve(), options.workloads.split(","), options.seconds, options.rounds, options.cpus)
    if options.json:
        write_json(options.json, {"machine": machine(), "results": results})


if __name__ == "__main__":
    main()
