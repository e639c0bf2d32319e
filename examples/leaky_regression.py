"""Regression with leaky ReLU: a 1-4-3-1 net goes through three points.

A ReLU unit that is negative for every example has gradient 0 and never learns again; with three examples that happens
easily. A leaky ReLU passes a hundredth of the gradient where a ReLU passes none, so that such a unit can come back.

The loss is half the mean squared error, whose gradient is (prediction - y) / n without a factor of 2. With 27 parameters
for three points it can reach 0; that says nothing about what the net answers in between.
"""

import argparse

import numpy as np

import fnn

EPOCHS = 1000

x = np.array([[2], [-1], [3]], np.float32)
y = np.array([[3], [1], [5]], np.float32)

glorot = fnn.initializers.glorot_normal
model = (
    fnn.Dense(1, 4, weight_init=glorot)
    >> fnn.leaky_relu
    >> fnn.Dense(4, 3, weight_init=glorot)
    >> fnn.leaky_relu
    >> fnn.Dense(3, 1, weight_init=glorot)
)


def train() -> tuple[list[fnn.Scalar], fnn.Array2]:
    """The loss before every epoch, and the trained net's answers to the three points."""
    opt = fnn.Sgd(0.05)
    step = fnn.train_step(fnn.supervised(model, fnn.half_mse), opt)
    ts, losses = fnn.repeat(EPOCHS, step, fnn.start(model, opt, fnn.key(0)), x, y)
    return losses, fnn.predict(model, ts.params, ts.state, x)


def main() -> None:
    losses, answers = train()

    print("epoch   half the mean squared error")
    for epoch in [*range(0, EPOCHS, 100), EPOCHS - 1]:
        print(f"{epoch:5d}   {losses[epoch]:.6f}")

    print("\n x   y   answer")
    for q, wanted, answer in zip(x[:, 0], y[:, 0], answers[:, 0], strict=True):
        print(f"{q:2.0f}  {wanted:2.0f}   {answer:6.3f}")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
