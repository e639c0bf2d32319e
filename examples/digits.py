"""An MLP with batch norm and dropout learns handwritten digits in about a second: python examples/digits.py --seed 1.

The run is a function of its seed and nothing else: the same seed prints the same figures.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np

import fnn
from fnn.datasets import Digits, digits

# Chosen by cross-validation on the training images. OpenBLAS does not spread matrix products as small as these over
# threads, which would cost more than it gains, so that training takes one core and gives the same bits on any number.
BATCH_SIZE = 32

model = (
    fnn.Dense(64, 128) >> fnn.BatchNorm(128) >> fnn.relu >> fnn.Dropout(0.2)
    >> fnn.Dense(128, 64) >> fnn.BatchNorm(64) >> fnn.relu >> fnn.Dropout(0.2)
    >> fnn.Dense(64, 10)
)  # fmt: skip
optimizer = fnn.Adam(3e-3)
criterion = partial(fnn.cross_entropy, label_smoothing=0.1)
step = fnn.train_step(fnn.supervised(model, criterion), optimizer)

# The type of the run, as the checkers infer it: parameters and state have a slot for every part of the model.
Params: TypeAlias = tuple[
    fnn.DenseParams, fnn.NormParams, None, None, fnn.DenseParams, fnn.NormParams, None, None, fnn.DenseParams
]
State: TypeAlias = tuple[None, fnn.BatchNormState, None, None, None, fnn.BatchNormState, None, None, None]
Run: TypeAlias = fnn.TrainState[Params, State]


def train_epoch(ts: Run, data: Digits, key: fnn.Key) -> tuple[Run, float]:
    """Once through the training images, in an order drawn from the key: the new state and the mean of the losses."""
    order = key.generator().permutation(len(data.train_y))
    losses = []
    for start in range(0, len(order), BATCH_SIZE):
        rows = order[start : start + BATCH_SIZE]
        ts, loss = step(ts, data.train_x[rows], data.train_y[rows])
        losses.append(loss)
    return ts, float(np.mean(losses))


def confusion(predicted: fnn.Ints, labels: fnn.Int1) -> fnn.Int2:
    """How many test images of each class (row) were taken for each class (column)."""
    return np.bincount(10 * labels + predicted, minlength=100).reshape(10, 10)


def train(
    seed: int, epochs: int, report: Callable[[int, float], None] = lambda epoch, loss: None
) -> tuple[Run, float, fnn.Int2]:
    """The trained state, and its accuracy and confusion matrix on the test images."""
    data = digits()
    for_start, for_order = fnn.key(seed).split()
    ts = fnn.start(model, optimizer, for_start)
    for epoch in range(1, epochs + 1):
        ts, loss = train_epoch(ts, data, for_order.fold(epoch))
        report(epoch, loss)
    logits = fnn.predict(model, ts.params, ts.state, data.test_x)
    return ts, fnn.accuracy(logits, data.test_y), confusion(logits.argmax(axis=1), data.test_y)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train an MLP on handwritten digits.")
    parser.add_argument("--seed", type=int, default=0, help="where all randomness comes from (default: 0)")
    parser.add_argument("--epochs", type=int, default=20, help="times through the training images (default: 20)")
    options = parser.parse_args()
    live = sys.stdout.isatty()

    def report(epoch: int, loss: float) -> None:
        last = epoch == options.epochs
        if live or last or epoch % 5 == 0:
            line = f"epoch {epoch:3}/{options.epochs}  loss {loss:.4f}"
            print(f"\r{line}" if live else line, end="" if live and not last else "\n", flush=True)

    began = time.perf_counter()
    _, accuracy, matrix = train(options.seed, options.epochs, report)
    took = time.perf_counter() - began

    print(f"\ntest accuracy {accuracy:.2%} ({matrix.trace()} of {matrix.sum()})\n")
    print("true \\ predicted" + "".join([f"{digit:5}" for digit in range(10)]))
    for digit, row in enumerate(matrix):
        print(f"{digit:16}" + "".join([f"{count:5}" for count in row]))
    print(f"\ntime {took:.2f} s")


if __name__ == "__main__":
    main()
