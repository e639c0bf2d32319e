"""An LSTM learns to add: of 50 numbers two are marked, and the answer is their sum. python examples/adding_lstm.py

The adding problem of Hochreiter and Schmidhuber (1997): the net must keep the first marked number over many steps.
Predicting the mean, 1, has a mean squared error of 1/6 = 0.167.
"""

import argparse
import os
import time

# Before NumPy loads: the products of each step are too small to be worth a second thread.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import fnn

TIME, BATCH = 50, 64


def draw(key: fnn.Key, n: int) -> tuple[fnn.Array3, fnn.Array2]:
    """n sequences of (number, mark), and the sums: a function of the key."""
    rng = key.generator()
    numbers = rng.random((n, TIME), np.float32)
    marks = np.zeros((n, TIME), np.float32)
    first = rng.integers(0, TIME // 2, n)
    second = rng.integers(TIME // 2, TIME, n)
    rows = np.arange(n)
    marks[rows, first] = 1
    marks[rows, second] = 1
    return np.stack([numbers, marks], axis=-1), np.sum(numbers * marks, axis=1, keepdims=True)


model = fnn.LSTM(2, 64) >> fnn.last_step >> fnn.Dense(64, 1)
optimizer = fnn.Adam(5e-3)
step = fnn.train_step(fnn.supervised(model, fnn.mse), optimizer)


def train(seed: int, steps: int) -> float:
    """The mean squared error on 1,000 new sequences after training."""
    for_start, for_data, for_test = fnn.key(seed).split(3)
    ts = fnn.start(model, optimizer, for_start)
    recent = []
    for i in range(1, steps + 1):
        ts, loss = step(ts, *draw(for_data.fold(i), BATCH))
        recent.append(loss)
        if i % 250 == 0 or i == steps:
            print(f"step {i:5}  loss {np.mean(recent):.4f}", flush=True)
            recent = []
    x, y = draw(for_test, 1000)
    return float(fnn.mse(fnn.predict(model, ts.params, ts.state, x), y))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train an LSTM to add two marked numbers of fifty.")
    parser.add_argument("--seed", type=int, default=0, help="where all randomness comes from (default: 0)")
    parser.add_argument("--steps", type=int, default=1500, help="training steps (default: 1500)")
    options = parser.parse_args()
    began = time.perf_counter()
    error = train(options.seed, options.steps)
    print(f"\nmean squared error {error:.4f} (0.1667 is that of always saying 1)\ntime {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
