"""Times the pieces and compares them with the saved run; fails where one is 15 % slower in units of its NumPy kernel.

    python tests/benchmarks/pieces.py             run all and compare with baseline.json beside this file
    python tests/benchmarks/pieces.py -k relu     only some, as pytest's -k
    python tests/benchmarks/pieces.py --save      run all and save; with -k, replace those in what is saved

Needs pytest-benchmark, which `pip install -e ".[dev]"` brings. What is slower runs again before it counts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from comparison import TOLERANCE, best_of, compare, ratios, told
from timing import environment, machine, pinned

HERE = Path(__file__).parent
BASELINE = HERE / "baseline.json"


def run(tests: Sequence[str], seconds: float, cpus: str, more: Sequence[str] = ()) -> dict[str, Any]:
    """pytest-benchmark's report of these tests. Its own process, without the options of the ordinary tests."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.json"
        options = ["--benchmark-only", "--benchmark-sort=name", "--benchmark-columns=min,median,iqr,rounds"]
        options += [f"--benchmark-json={file}", f"--benchmark-max-time={seconds}", "--benchmark-warmup=on"]
        options += ["--benchmark-warmup-iterations=3", "-o", "addopts=", "-p", "no:cacheprovider", "-W", "default"]
        command = [*pinned(cpus), sys.executable, "-m", "pytest", *tests, *options, f"--confcutdir={HERE}", *more]
        code = subprocess.run(command, cwd=HERE.parents[1], env=environment(), check=False).returncode
        if code:
            sys.exit(f"pieces: pytest ended with {code}")
        report: dict[str, Any] = json.loads(file.read_text())
        return report


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the pieces, and compare with a saved run.")
    parser.add_argument("--save", action="store_true", help="save this run as the one to compare with")
    parser.add_argument("-k", default="", help="only pieces that match, as pytest's -k")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help="what counts as slower (default: 0.15)")
    parser.add_argument("--seconds", type=float, default=0.5, help="for each piece (default: 0.5)")
    parser.add_argument("--again", type=int, default=2, help="how often what is slower runs again (default: 2)")
    parser.add_argument("--cpus", default="", help="the cores to run on, as taskset names them (default: any)")
    parser.add_argument("--baseline", type=Path, default=BASELINE, help="the saved run (default: baseline.json)")
    options = parser.parse_args()
    if not options.save and not options.baseline.exists():
        sys.exit(f"pieces: there is no saved run at {options.baseline}; make one with --save")

    tests = [str(HERE / "test_pieces.py")]
    saved = json.loads(options.baseline.read_text()) if options.baseline.exists() else {"ratios": {}}
    chosen = ["-k", options.k] if options.k else []
    report = run(tests, options.seconds, options.cpus, chosen)
    now = ratios(report)
    ids = {entry["name"]: str(HERE.parents[1] / entry["fullname"]) for entry in report["benchmarks"]}
    if options.save:  # the best of as many runs as a slow piece gets, lest a lucky one be judged by an unlucky one
        for _ in range(options.again):
            now = best_of(now, ratios(run(tests, options.seconds, options.cpus, chosen)))
        kept = saved["ratios"] if options.k else {}
        found = {name: float(f"{ratio:.4g}") for name, ratio in sorted({**kept, **now}.items())}
        options.baseline.write_text(json.dumps({"machine": machine(), "ratios": found}, indent=1) + "\n")
        print(f"saved {len(now)} ratios in {options.baseline}")
        return
    for _ in range(options.again):
        slower = compare(saved["ratios"], now, options.tolerance).slower
        if not slower:
            break
        print(f"{len(slower)} slower: again, to be sure")
        now = best_of(now, ratios(run([ids[name] for name in slower], options.seconds, options.cpus)))
    found_now = compare(saved["ratios"], now, options.tolerance, is_whole=not options.k)
    print(told(found_now, options.tolerance))
    sys.exit(0 if found_now.is_good() else 1)


if __name__ == "__main__":
    main()
