"""A small convolutional net on handwritten digits: python examples/digits_cnn.py --seed 1.

Images are [batch, height, width, channels]. `fnn.summary` shows what each layer gives and costs before anything is trained.
"""

import argparse
import time

import numpy as np

import fnn
from fnn.datasets import digits

BATCH_SIZE = 32


def as_images(rows: fnn.Array2) -> fnn.Array4:
    """Rows of 64 pixels as images of 8 x 8 with one channel."""
    return rows.reshape(-1, 8, 8, 1)


model = (
    fnn.Conv2d(1, 12, 3) >> fnn.BatchNorm(12) >> fnn.relu
    >> fnn.Conv2d(12, 24, 3) >> fnn.BatchNorm(24) >> fnn.relu >> fnn.MaxPool2d(2)
    >> fnn.Conv2d(24, 32, 3) >> fnn.BatchNorm(32) >> fnn.relu
    >> fnn.flatten >> fnn.Dropout(0.4) >> fnn.Dense(4 * 4 * 32, 10)
)  # fmt: skip


def criterion(logits: fnn.Array2, labels: fnn.Int1) -> fnn.Scalar:
    return fnn.cross_entropy(logits, labels, label_smoothing=0.1)


def train(seed: int, epochs: int) -> float:
    """The accuracy on the test images after training."""
    data = digits()
    images = as_images(data.train_x)
    steps = epochs * -(-len(images) // BATCH_SIZE)
    optimizer = fnn.Adam(fnn.optim.Cosine(4e-3, steps=steps))
    step = fnn.train_step(fnn.supervised(model, criterion), optimizer)
    for_start, for_order = fnn.key(seed).split()
    ts = fnn.start(model, optimizer, for_start)
    for epoch in range(1, epochs + 1):
        losses = []
        for batch in fnn.batches((images, data.train_y), BATCH_SIZE, for_order, epoch):
            ts, loss = step(ts, *batch)
            losses.append(loss)
        if epoch % 4 == 0 or epoch == epochs:
            print(f"epoch {epoch:3}/{epochs}  loss {np.mean(losses):.4f}", flush=True)
    return fnn.accuracy(fnn.predict(model, ts.params, ts.state, as_images(data.test_x)), data.test_y)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a convolutional net on handwritten digits.")
    parser.add_argument("--seed", type=int, default=0, help="where all randomness comes from (default: 0)")
    parser.add_argument("--epochs", type=int, default=12, help="times through the training images (default: 12)")
    options = parser.parse_args()
    fnn.summary(model, (BATCH_SIZE, 8, 8, 1))
    print()
    began = time.perf_counter()
    accuracy = train(options.seed, options.epochs)
    print(f"\ntest accuracy {accuracy:.2%}\ntime {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
