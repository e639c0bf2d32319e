"""Time of a step of every optimiser, and what a tree of many leaves costs over one leaf of the same size.

    python tests/benchmarks/optimizers.py [million parameters]

A step is `fnn.update`'s work on vectors, as `train_step` does it. Best of several rounds, the optimisers in turns. The
table has milliseconds per million parameters, that as a multiple of Adam's, and the time with 50 leaves over that with 1.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import fnn
from fnn import optim
from fnn.optim.optimizer import updater

ROUNDS = 12
LEAVES = 50

OPTIMIZERS: Mapping[str, fnn.Optimizer] = {
    "Sgd": fnn.Sgd(0.1),
    "momentum": fnn.Sgd(0.1, momentum=0.9),
    "Nesterov": fnn.Sgd(0.1, momentum=0.9, nesterov=True),
    "Adam": fnn.Adam(1e-3),
    "AdamW": fnn.AdamW(1e-3),
    "AdamW, matrices": fnn.AdamW(1e-3, where=fnn.tree.matrices),
    "Adamax": optim.Adamax(),
    "AMSGrad": optim.AMSGrad(),
    "NAdam": optim.NAdam(),
    "RAdam": optim.RAdam(),
    "AdaBelief": optim.AdaBelief(),
    "RMSprop": optim.RMSprop(),
    "RMSprop, centred": optim.RMSprop(centered=True, momentum=0.9),
    "Adagrad": optim.Adagrad(),
    "Adadelta": optim.Adadelta(),
    "Lion": optim.Lion(),
    "Rprop": optim.Rprop(),
    "clip >> AdamW": optim.ClipByGlobalNorm(1.0) >> fnn.AdamW(1e-3),
    "skip >> Adam >> Ema": optim.SkipNonFinite(fnn.Adam(1e-3)) >> optim.Ema(),
    "two groups": optim.Groups((lambda path, shape: path in ("", "[0]"), fnn.Adam(1e-3)), rest=fnn.Adam(1e-4)),
}


class Run:
    """An optimiser in the middle of a run, on a tree of some leaves."""

    def __init__(self, opt: fnn.Optimizer, size: int, leaves: int) -> None:
        side = size // leaves // 100
        rng = np.random.default_rng(0)
        params = tuple([rng.standard_normal((side, 100)).astype(np.float32) for _ in range(leaves)])
        self.apply = updater(opt)
        self.state: Any = opt.init(params)
        self.vector: Any = self.state.layout.pack(params)
        self.grads: Any = rng.standard_normal(len(self.vector)).astype(np.float32)
        self.step()

    def step(self) -> None:
        self.vector, self.state = self.apply(self.grads, self.state, self.vector)

    def time(self, steps: int) -> float:
        begin = time.perf_counter()
        for _ in range(steps):
            self.step()
        return (time.perf_counter() - begin) / steps


def best(runs: Mapping[str, Run], steps: int) -> dict[str, float]:
    found = dict.fromkeys(runs, float("inf"))
    for _ in range(ROUNDS):
        for name, run in runs.items():
            found[name] = min(found[name], run.time(steps))
    return found


def main() -> None:
    millions = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    large = best({name: Run(opt, int(millions * 1e6), 1) for name, opt in OPTIMIZERS.items()}, 2)
    small: dict[int, dict[str, float]] = {}
    for size in (5_000, 200_000):
        runs = {f"{name}/{n}": Run(opt, size, n) for name, opt in OPTIMIZERS.items() for n in (1, LEAVES)}
        times = best(runs, 20)
        small[size] = {name: times[f"{name}/{LEAVES}"] / times[f"{name}/1"] for name in OPTIMIZERS}
    print(f"{'':22} ms/million  of Adam's  {LEAVES} leaves over 1: 5,000 numbers  200,000")
    for name in OPTIMIZERS:
        ms = large[name] * 1e3 / millions
        print(
            f"{name:22} {ms:10.2f} {large[name] / large['Adam']:10.2f} {small[5_000][name]:30.2f} {small[200_000][name]:8.2f}"
        )


if __name__ == "__main__":
    main()
