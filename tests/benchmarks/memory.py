"""Peak resident memory of training: W4 and W6 of the benchmark of whole steps, each peer in a process of its own.

    python tests/benchmarks/memory.py BENCH [--json FILE]

BENCH is the folder of that benchmark. The peak (VmHWM) is that of the whole process, imports, data and steps; beside it
stands what the process held after its imports, so that one can see what training itself takes.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from timing import environment, machine, pinned, write_json

HERE = Path(__file__).resolve().parent
WORKLOADS = {"W4": "numpy_hand", "W6": "numpy_hand_nets"}
PEERS = ("torch_fused", "jax_raw")


def status(name: str) -> int:
    """Bytes, as Linux counts them for this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))


def child(peer: str, workload: str, steps: int) -> None:
    module = importlib.import_module(f"peer_{peer}")
    after_imports = status("VmRSS")
    step = module.WORKLOADS[workload]()
    for _ in range(steps):
        step()
    print(json.dumps({"after_imports": after_imports, "peak": status("VmHWM")}))


def run(bench: Path, steps: int, cpus: str) -> dict[str, dict[str, Any]]:
    """Workload -> peer -> bytes."""
    found: dict[str, dict[str, Any]] = {}
    paths = os.pathsep.join([str(bench), str(HERE), os.environ.get("PYTHONPATH", "")])
    for workload, by_hand in WORKLOADS.items():
        found[workload] = {}
        for peer in ("fnn", by_hand, *PEERS):
            command = [*pinned(cpus), sys.executable, str(HERE / "memory.py"), str(bench)]
            command += ["--child", peer, workload, "--steps", str(steps)]
            env = {**environment(), "PYTHONPATH": paths}
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
            name = "numpy_hand" if peer == by_hand else peer
            ok = done.returncode == 0
            found[workload][name] = json.loads(done.stdout.splitlines()[-1]) if ok else {"error": done.stderr[-300:]}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Peak resident memory of training.")
    parser.add_argument("bench", type=Path, help="the folder of the benchmark of whole steps")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--cpus", default="0", help="the cores to run on, as taskset names them; empty for any")
    parser.add_argument("--json", help="where to write all figures")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        peer, workload = options.child
        child(peer, workload, options.steps)
        return
    results = run(options.bench.resolve(), options.steps, options.cpus)
    for workload, peers in results.items():
        for peer, bytes_of in peers.items():
            print(workload, peer, *[f"{k} {v / 2**20:.1f} MB" if k != "error" else v for k, v in bytes_of.items()])
    if options.json:
        write_json(options.json, {"machine": machine(), "results": results})


if __name__ == "__main__":
    main()
