"""The job of examples/digits.py without fnn, in NumPy by hand: the anchor of process.py.

    python tests/benchmarks/digits_numpy.py [--seed N] [--epochs N]

The same data and split, the same net (batch norm, dropout), criterion, optimiser, batches and printed table. Parameters,
gradients and moments are one vector each, so that Adam is a few calls for the whole net.
"""

import argparse
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

DATA = Path(__file__).resolve().parents[2] / "fnn" / "datasets" / "digits.npz"
SIZES = (64, 128, 64, 10)
BATCH_SIZE, DROP_RATE, SMOOTHING, LEARNING_RATE = 32, 0.2, 0.1, 3e-3
MOMENTUM, EPS = 0.1, 1e-5
B1, B2, ADAM_EPS = 0.9, 0.999, 1e-8
f4 = np.float32


def views(vector: Any) -> list[list[Any]]:
    """(weight, bias, scale, shift) of each layer, the last without a norm, as views of one vector."""
    found, k = [], 0
    for i, (n_in, n_out) in enumerate(pairwise(SIZES)):
        parts = []
        for shape in ((n_in, n_out), (n_out,), (n_out,), (n_out,))[: 4 if i < 2 else 2]:
            n = int(np.prod(shape))
            parts.append(vector[k : k + n].reshape(shape))
            k += n
        found.append(parts)
    return found


SIZE = sum(n_in * n_out + n_out * (3 if i < 2 else 1) for i, (n_in, n_out) in enumerate(pairwise(SIZES)))


def train(seed: int, epochs: int, report: Callable[[int, float], None]) -> tuple[float, Any]:
    """(accuracy, confusion matrix) on the test images."""
    with np.load(DATA) as file:
        train_x, test_x = (file[f"{part}_x"].astype(f4) / 16 for part in ("train", "test"))
        train_y, test_y = (file[f"{part}_y"].astype(np.int64) for part in ("train", "test"))
    rng = np.random.default_rng(seed)
    vector, grads, mu, nu = (np.zeros(SIZE, f4) for _ in range(4))
    layers, slopes = views(vector), views(grads)
    for i, layer in enumerate(layers):
        n_in, n_out = layer[0].shape
        layer[0][:] = rng.standard_normal((n_in, n_out)) * np.sqrt(2 / n_in)
        if i < 2:
            layer[2][:] = 1
    means = [np.zeros(n, f4) for n in SIZES[1:3]]
    variances = [np.ones(n, f4) for n in SIZES[1:3]]
    keep = 1 - DROP_RATE
    t = 0

    for epoch in range(1, epochs + 1):
        order = rng.permutation(len(train_y))
        losses = []
        for start in range(0, len(order), BATCH_SIZE):
            rows = order[start : start + BATCH_SIZE]
            x, labels = train_x[rows], train_y[rows]
            n = len(rows)
            ones = np.ones(n, f4)

            # forward
            h, kept = x, []
            for i in range(2):
                w, b, scale, shift = layers[i]
                z = h @ w
                z += b
                mean = ones @ z / f4(n)
                z -= mean
                var = ones @ (z * z) / f4(n)
                root = 1 / np.sqrt(var + f4(EPS))
                z *= root
                means[i] = f4(1 - MOMENTUM) * means[i] + f4(MOMENTUM) * mean
                variances[i] = f4(1 - MOMENTUM) * variances[i] + f4(MOMENTUM) * var
                a = z * scale
                a += shift
                factor = (rng.random(a.shape, f4) < f4(keep)) * f4(1 / keep)
                factor *= a > 0
                a *= factor
                kept.append((h, z, root, factor))
                h = a
            logits = h @ layers[2][0]
            logits += layers[2][1]

            # cross-entropy with smoothed labels
            logits -= logits.max(axis=1, keepdims=True)
            g = np.exp(logits)
            total = g.sum(axis=1, keepdims=True)
            at = np.arange(n)
            target = (1 - SMOOTHING) * logits[at, labels].sum() + SMOOTHING * logits.mean(axis=1).sum()
            losses.append((np.log(total).sum() - target) / n)
            g /= total
            g -= f4(SMOOTHING / 10)
            g[at, labels] -= f4(1 - SMOOTHING)
            g *= f4(1 / n)

            # backward
            np.matmul(h.T, g, out=slopes[2][0])
            np.matmul(ones, g, out=slopes[2][1])
            g = g @ layers[2][0].T
            for i in (1, 0):
                h, z, root, factor = kept[i]
                w, b, scale, shift = layers[i]
                dw, db, dscale, dshift = slopes[i]
                g *= factor
                np.matmul(ones, g * z, out=dscale)
                np.matmul(ones, g, out=dshift)
                # dz = root * scale * (g - mean of g - z * mean of g z)
                g -= dshift / f4(n)
                z *= dscale / f4(n)
                g -= z
                g *= root * scale
                np.matmul(h.T, g, out=dw)
                np.matmul(ones, g, out=db)
                if i:
                    g = g @ w.T

            # Adam
            t += 1
            mu *= f4(B1)
            mu += f4(1 - B1) * grads
            nu *= f4(B2)
            grads *= grads
            grads *= f4(1 - B2)
            nu += grads
            root = np.sqrt(nu)
            root *= f4(1 / np.sqrt(1 - B2**t))
            root += f4(ADAM_EPS)
            np.divide(mu, root, out=root)
            root *= f4(LEARNING_RATE / (1 - B1**t))
            vector -= root
        report(epoch, float(np.mean(losses)))

    h = test_x
    for (w, b, scale, shift), mean, var in zip(layers[:2], means, variances, strict=True):
        h = (h @ w + b - mean) / np.sqrt(var + f4(EPS)) * scale + shift
        np.maximum(h, 0, out=h)
    predicted = (h @ layers[2][0] + layers[2][1]).argmax(axis=1)
    matrix = np.bincount(10 * test_y + predicted, minlength=100).reshape(10, 10)
    return float(np.mean(predicted == test_y)), matrix


def main() -> None:
    parser = argparse.ArgumentParser(description="Train an MLP on handwritten digits, in NumPy alone.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()

    def report(epoch: int, loss: float) -> None:
        if epoch == options.epochs or epoch % 5 == 0:
            print(f"epoch {epoch:3}/{options.epochs}  loss {loss:.4f}", flush=True)

    began = time.perf_counter()
    accuracy, matrix = train(options.seed, options.epochs, report)
    took = time.perf_counter() - began
    print(f"\ntest accuracy {accuracy:.2%} ({matrix.trace()} of {matrix.sum()})\n")
    print("true \\ predicted" + "".join([f"{digit:5}" for digit in range(10)]))
    for digit, row in enumerate(matrix):
        print(f"{digit:16}" + "".join([f"{count:5}" for count in row]))
    print(f"\ntime {took:.2f} s")


if __name__ == "__main__":
    main()
