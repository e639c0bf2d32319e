"""What the tape costs for each operation, over the NumPy calls that forward and backward make themselves.

    python tests/benchmarks/tape_overhead.py

Each chain applies one operation 10,000 times to 4 numbers. The plain loop makes the same NumPy calls by hand; the
difference, best of many rounds in turns, is the tape's. Prints microseconds an operation.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import fnn

N = 10_000
ROUNDS = 15
weight = np.eye(4, dtype=np.float32) * np.float32(0.999)
bias = np.zeros(4, np.float32)
params = fnn.DenseParams(weight, bias)


def by_sine(x: Any) -> Any:
    for _ in range(N):
        x = np.sin(x)
    return np.sum(x)


def sine_by_hand(x: Any) -> Any:
    values = []
    for _ in range(N):
        values.append(x)
        x = np.sin(x)
    g = np.ones_like(x)
    for v in reversed(values):
        g = g * np.cos(v)
    return g


def by_product(x: Any) -> Any:
    for _ in range(N):
        x = x * 0.999
    return np.sum(x)


def product_by_hand(x: Any) -> Any:
    for _ in range(N):
        x = x * 0.999
    g = np.ones_like(x)
    for _ in range(N):
        g = g * 0.999
    return g


def by_dense(x: Any) -> Any:
    for _ in range(N):
        x = fnn.dense(params, x)
    return np.sum(x)


def dense_by_hand(x: Any) -> Any:
    for _ in range(N):
        x = x @ weight
        x += bias
    g = np.ones_like(x)
    for _ in range(N):
        g = g @ weight.T
    return g


def seconds(f: Callable[[], object]) -> float:
    began = time.perf_counter()
    f()
    return time.perf_counter() - began


class Case(NamedTuple):
    """A chain, the same by hand, and where both start."""

    name: str
    f: Callable[[Any], Any]
    by_hand: Callable[[Any], Any]
    x: Any


CASES = [
    Case("np.sin(x)", by_sine, sine_by_hand, np.full(4, 0.5, np.float32)),
    Case("x * 0.999", by_product, product_by_hand, np.full(4, 0.5, np.float32)),
    Case("fnn.dense(p, x)", by_dense, dense_by_hand, np.full((1, 4), 0.5, np.float32)),
]


def main() -> None:
    print(f"{'operation':16} {'tape':>8} {'by hand':>8} {'overhead':>9}   us an operation, forward and backward")
    for name, f, by_hand, x in CASES:
        gradient = fnn.grad(f)
        pairs = [(seconds(lambda: gradient(x)), seconds(lambda: by_hand(x))) for _ in range(ROUNDS)]  # noqa: B023 (called at once)
        tape, hand = (min(column) / N * 1e6 for column in zip(*pairs, strict=True))
        print(f"{name:16} {tape:8.2f} {hand:8.2f} {tape - hand:9.2f}")


if __name__ == "__main__":
    main()
