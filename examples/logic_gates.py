"""Logic gates: AND and XOR with sigmoids and the mean squared error.

One sigmoid unit cuts the plane along one straight line. That is enough for AND, whose only true corner can be cut off.
The true corners of XOR lie across from each other, and no line has both on one side: the best that one unit can do is
to answer 0.5 everywhere, which is a loss of 0.25. Two hidden units draw two lines, the output unit combines them, and
XOR is solved; the history stays near 0.25 until the hidden units have found different lines.
"""

import argparse
from typing import Any

import numpy as np

import fnn

EPOCHS = 2000

x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
conjunction = np.array([[0], [0], [0], [1]], np.float32)
exclusive_or = np.array([[0], [1], [1], [0]], np.float32)

glorot = fnn.initializers.glorot_normal  # suits sigmoid as he_normal, the default, suits relu
one_unit = fnn.Dense(2, 1, weight_init=glorot) >> fnn.sigmoid
two_layers = fnn.Dense(2, 2, weight_init=glorot) >> fnn.sigmoid >> fnn.Dense(2, 1, weight_init=glorot) >> fnn.sigmoid


def train(model: fnn.Layer[fnn.Array2, fnn.Array2, Any, Any], y: fnn.Array2) -> tuple[list[fnn.Scalar], fnn.Array2]:
    """The loss before every epoch, and the trained net's answers to the four inputs."""
    opt = fnn.Sgd(2.0)
    step = fnn.train_step(fnn.supervised(model, fnn.mse), opt)
    ts, losses = fnn.repeat(EPOCHS, step, fnn.start(model, opt, fnn.key(0)), x, y)
    return losses, fnn.predict(model, ts.params, ts.state, x)


def main() -> None:
    results = [train(one_unit, conjunction), train(one_unit, exclusive_or), train(two_layers, exclusive_or)]

    print("mean squared error")
    print("epoch   AND, one unit   XOR, one unit   XOR, two layers")
    for epoch in [*range(0, EPOCHS, 200), EPOCHS - 1]:
        print(f"{epoch:5d}" + "".join([f"{losses[epoch]:16.4f}" for losses, _ in results]))

    print("\nanswers")
    for i, (a, b) in enumerate(x.astype(int)):
        print(f"{a}, {b} " + "".join([f"{answers[i, 0]:16.3f}" for _, answers in results]))


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
