"""Backpropagation step by step: every intermediate value of a 2-3-1 net on one example.

    z1 = x W1,  a1 = relu(z1),  z2 = a1 W2,  a2 = sigmoid(z2),  loss = -(y log a2 + (1 - y) log(1 - a2))

Write dv for the derivative of the loss by v. The chain rule gives it from the end of the net to its start, each line
from the one before:

    dz2 = a2 - y             sigmoid and cross-entropy together: all fractions cancel
    dW2 = a1^T dz2           an entry of W2 ties an entry of a1 to one of z2
    da1 = dz2 W2^T           the error goes back along the weights on which a1 went forward
    dz1 = da1 * (z1 > 0)     relu lets through what it let through
    dW1 = x^T dz1            as for dW2

da1 takes the W2 of the forward pass. Whoever updates W2 first and passes the error back through the new one follows no
gradient of anything; so all derivatives come first, and then one update of all weights.

`fnn.grad` knows none of these lines. dv is the gradient of the rest of the net as a function of v, and that is what it
is asked for here, to check them.
"""

import argparse

import numpy as np

import fnn

LEARNING_RATE = 0.1

x: fnn.Array2 = np.array([[1.0, 2.0]])
y: fnn.Array2 = np.array([[1.0]])
w1: fnn.Array2 = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
w2: fnn.Array2 = np.array([[0.7], [0.8], [0.9]])


def forward() -> dict[str, fnn.Array]:
    """The values on the way from x to the prediction a2."""
    z1 = x @ w1
    a1 = np.maximum(z1, 0)
    z2 = a1 @ w2
    a2 = 1 / (1 + np.exp(-z2))
    return {"z1": z1, "a1": a1, "z2": z2, "a2": a2}


def backward(values: dict[str, fnn.Array]) -> dict[str, fnn.Array]:
    """The derivatives of the loss on the way back, by the chain rule."""
    dz2 = values["a2"] - y
    dw2 = values["a1"].T @ dz2
    da1 = dz2 @ w2.T
    dz1 = da1 * (values["z1"] > 0)
    dw1 = x.T @ dz1
    return {"dz2": dz2, "dW2": dw2, "da1": da1, "dz1": dz1, "dW1": dw1}


# the rest of the net from each value on
def loss_from_z2(z2: fnn.Array) -> fnn.Scalar:
    return fnn.bce(fnn.sigmoid(z2), y)


def loss_from_a1(a1: fnn.Array, w2: fnn.Array) -> fnn.Scalar:
    return loss_from_z2(a1 @ w2)


def loss_from_z1(z1: fnn.Array, w2: fnn.Array) -> fnn.Scalar:
    return loss_from_a1(fnn.relu(z1), w2)


def loss(weights: tuple[fnn.Array, fnn.Array]) -> fnn.Scalar:
    return loss_from_z1(x @ weights[0], weights[1])


def backward_by_fnn(values: dict[str, fnn.Array]) -> dict[str, fnn.Array]:
    """The same derivatives, each as the gradient of the rest of the net."""
    dw1, dw2 = fnn.grad(loss)((w1, w2))
    return {
        "dz2": fnn.grad(loss_from_z2)(values["z2"]),
        "dW2": dw2,
        "da1": fnn.grad(loss_from_a1)(values["a1"], w2),
        "dz1": fnn.grad(loss_from_z1)(values["z1"], w2),
        "dW1": dw1,
    }


def show(name: str, formula: str, value: fnn.Array) -> None:
    start = f"  {name:3} = {formula:16}"
    print(start + np.array2string(value, prefix=start, formatter={"float_kind": lambda v: f"{v:9.6f}"}))


def main() -> None:
    values = forward()
    by_hand = backward(values)
    by_fnn = backward_by_fnn(values)

    print("forward")
    formulas = {"z1": "x W1", "a1": "relu(z1)", "z2": "a1 W2", "a2": "sigmoid(z2)"}
    for name, formula in formulas.items():
        show(name, formula, values[name])
    before = loss((w1, w2))
    print(f"  loss = -log(a2) = {before:.6f}")

    print("\nbackward, by the chain rule")
    formulas = {"dz2": "a2 - y", "dW2": "a1^T dz2", "da1": "dz2 W2^T", "dz1": "da1 * (z1 > 0)", "dW1": "x^T dz1"}
    for name, formula in formulas.items():
        show(name, formula, by_hand[name])

    print("\nthe same by fnn.grad")
    for name, value in by_fnn.items():
        difference = np.abs(value - by_hand[name]).max()
        print(f"  {name} {'agrees' if difference < 1e-12 else 'DIFFERS'}: the largest difference is {difference:.0e}")

    after = loss((w1 - LEARNING_RATE * by_hand["dW1"], w2 - LEARNING_RATE * by_hand["dW2"]))
    print(f"\nafter one step with learning rate {LEARNING_RATE}: loss {before:.6f} -> {after:.6f}")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
