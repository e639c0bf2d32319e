"""A line: a 1-16-1 ReLU net learns y = 3x + 2 from 100 points by full-batch gradient descent.

The net is trained twice from the same weights, once with a mistake that raises no error. The mean squared error is a
mean already, so its gradient is too. Whoever divides that gradient by the 100 points again walks in steps a hundred
times too short: of a learning rate of 0.01, 0.0001 is left. The loss falls and never gets anywhere. In fnn nothing is
divided or scaled behind your back: `Sgd(0.1)` is exactly p - 0.1 * gradient.
"""

import argparse

import numpy as np

import fnn

EPOCHS = 1000

x: fnn.Array2 = fnn.key(1).generator().random((100, 1), dtype=np.float32)
y = 3 * x + 2

small = fnn.initializers.normal(0.01)
model = fnn.Dense(1, 16, weight_init=small) >> fnn.relu >> fnn.Dense(16, 1, weight_init=small)

questions = np.array([[0.0], [0.25], [0.5], [0.75], [1.0]], np.float32)


def train(learning_rate: float) -> tuple[list[fnn.Scalar], fnn.Array2]:
    """The loss before every epoch, and what the trained net answers to `questions`."""
    opt = fnn.Sgd(learning_rate)
    step = fnn.train_step(fnn.supervised(model, fnn.mse), opt)
    ts, losses = fnn.repeat(EPOCHS, step, fnn.start(model, opt, fnn.key(0)), x, y)
    return losses, fnn.predict(model, ts.params, ts.state, questions)


def main() -> None:
    slow, slow_answers = train(0.0001)
    right, right_answers = train(0.1)

    print("mean squared error")
    print("epoch   divided twice: 0.0001   right gradient: 0.1")
    for epoch in [*range(0, EPOCHS, 100), EPOCHS - 1]:
        print(f"{epoch:5d}   {slow[epoch]:21.4f}   {right[epoch]:19.6f}")

    print("\n   x   3x + 2   at 0.0001   at 0.1")
    for q, a, b in zip(questions[:, 0], slow_answers[:, 0], right_answers[:, 0], strict=True):
        print(f"{q:.2f}   {3 * q + 2:6.2f}   {a:9.2f}   {b:6.2f}")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
