"""What fnn.fit adds to each step, over calling `step` on the same batches oneself.

    python tests/benchmarks/loop_overhead.py

Two kinds of data: a list of batches, and arrays that fnn.batches cuts. The step is a stand-in that takes next to no time, so
that the difference is the loop's. Best of many rounds in turns; prints microseconds a step.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import fnn

N = 2000
ROUNDS = 30
x = np.zeros((N, 2), np.float32)
y = np.zeros((N, 1), np.float32)
start = fnn.start(fnn.Dense(2, 1), fnn.Sgd(0.1), fnn.key(0))
LOSS = np.float32(0.5)
KEY = fnn.key(0)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def step(ts: Any, x: Any, y: Any) -> Any:
    new: Any = object.__new__(fnn.TrainState)
    new.__dict__.update(params=ts.params, state=ts.state, opt=ts.opt, key=ts.key, step=ts.step + 1)
    return new, LOSS


def by_hand(batches: Any) -> None:
    ts = start
    losses = []
    for batch in batches:
        ts, loss = step(ts, *batch)
        losses.append(float(loss))


def by_fit(data: Any, **options: Any) -> None:
    for _ in fnn.fit(step, start, data, **{"progress": False, **options}):
        pass


def best(*runs: Callable[[], None]) -> list[float]:
    took = [float("inf")] * len(runs)
    for _ in range(ROUNDS):
        for i, run in enumerate(runs):
            began = time.perf_counter()
            run()
            took[i] = min(took[i], time.perf_counter() - began)
    return [1e6 * t / N for t in took]


def main() -> None:
    made = list(fnn.batches((x, y), 1))
    hand, fitted, shown, every = best(
        lambda: by_hand(made),
        lambda: by_fit(made),
        lambda: by_fit(made, progress=Terminal()),
        lambda: by_fit(made, log_every=1),
    )
    cut, cut_fitted = best(lambda: by_hand(fnn.batches((x, y), 1, KEY)), lambda: by_fit((x, y), batch_size=1, key=KEY))
    print(f"by hand {hand:.2f} us a step; fit adds {fitted - hand:.2f}, on a terminal {shown - hand:.2f},", end=" ")
    print(f"with a record of every step {every - hand:.2f}")
    print(f"arrays cut by fnn.batches: by hand {cut:.2f} us a step; fit adds {cut_fitted - cut:.2f}")


if __name__ == "__main__":
    main()
