"""A small vision transformer on handwritten digits: python examples/digits_vit.py --seed 1

A convolution with stride 2 makes 16 tokens of an image, one for each patch of 3 x 3 pixels (they overlap by one). A transformer
looks at them, and the class comes from the mean of what it makes of them. Nothing but a composition of layers.
"""

import argparse
import math
import time

import numpy as np

import fnn
from fnn.datasets import digits

BATCH_SIZE, DIM, HEADS, BLOCKS = 32, 64, 4, 2
SIDE = 4  # tokens in a row, and rows of tokens


def as_images(rows: fnn.Array2) -> fnn.Array4:
    """Rows of 64 pixels as images of 8 x 8 with one channel."""
    return rows.reshape(-1, 8, 8, 1)


def as_tokens(patches: fnn.Array4) -> fnn.Array3:
    """[batch, height, width, dim] as [batch, time, dim], row by row."""
    return patches.reshape(-1, SIDE * SIDE, DIM)


model = (
    fnn.Conv2d(1, DIM, 3, stride=2)
    >> as_tokens
    >> fnn.LearnedPositions(SIDE * SIDE, DIM)
    >> fnn.stack(BLOCKS, fnn.encoder_block(DIM, HEADS, hidden=2 * DIM, drop_rate=0.1))
    >> fnn.LayerNorm(DIM)
    >> fnn.global_avg_pool
    >> fnn.Dense(DIM, 10)
)


def train(seed: int, epochs: int) -> float:
    """The accuracy on the test images after training."""
    data = digits()
    images = as_images(data.train_x)
    steps = epochs * math.ceil(len(images) / BATCH_SIZE)
    optimizer = fnn.AdamW(fnn.optim.WarmUp(steps // 10, then=fnn.optim.Cosine(3e-3, steps=steps)))
    step = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), optimizer)
    for_start, for_order = fnn.key(seed).split()
    ts = fnn.start(model, optimizer, for_start)
    for epoch in range(1, epochs + 1):
        losses = []
        for batch in fnn.batches((images, data.train_y), BATCH_SIZE, for_order, epoch):
            ts, loss = step(ts, *batch)
            losses.append(loss)
        if epoch % 5 == 0 or epoch == epochs:
            print(f"epoch {epoch:3}/{epochs}  loss {np.mean(losses):.4f}", flush=True)
    return fnn.accuracy(fnn.predict(model, ts.params, ts.state, as_images(data.test_x)), data.test_y)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a small vision transformer on handwritten digits.")
    parser.add_argument("--seed", type=int, default=0, help="where all randomness comes from (default: 0)")
    parser.add_argument("--epochs", type=int, default=30, help="times through the training images (default: 30)")
    options = parser.parse_args()
    fnn.summary(model, (BATCH_SIZE, 8, 8, 1))
    print()
    began = time.perf_counter()
    accuracy = train(options.seed, options.epochs)
    print(f"\ntest accuracy {accuracy:.2%}\ntime {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
