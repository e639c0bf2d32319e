"""The surface x1^2 + x2^2 on [-1, 1]^2, learned by a 2-10-1 net from 200 random points.

Each of the ten hidden units is a sigmoid step across the plane, in a direction of its own; the net adds them up to a
bowl. The output is linear: a sigmoid there could not reach the rim, which rises to 2. What counts is how well the net
answers where it has not been trained, so it is judged on a grid of other points.

`--save FILE` draws truth, prediction and loss, with matplotlib. The ending of FILE, such as .png, .svg or .pdf, says in
which format.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np

import fnn

EPOCHS = 2400

glorot = fnn.initializers.glorot_normal  # suits sigmoid as he_normal, the default, suits relu
model = fnn.Dense(2, 10, weight_init=glorot) >> fnn.sigmoid >> fnn.Dense(10, 1, weight_init=glorot)


class Result(NamedTuple):
    """The loss before every epoch; and for the points (x1, x2) of a grid, [41, 41] each, truth and prediction."""

    losses: list[fnn.Scalar]
    x1: fnn.Array2
    x2: fnn.Array2
    truth: fnn.Array2
    prediction: fnn.Array2


def bowl(x: fnn.Array2) -> fnn.Array2:
    """x1^2 + x2^2 of points [n, 2], as [n, 1]."""
    return fnn.sum(x * x, axis=1, keepdims=True)


def train() -> Result:
    for_points, for_net = fnn.key(0).split()
    x: fnn.Array2 = for_points.generator().uniform(-1, 1, (200, 2)).astype(np.float32)

    opt = fnn.Adam(0.03)
    step = fnn.train_step(fnn.supervised(model, fnn.mse), opt)
    ts, losses = fnn.repeat(EPOCHS, step, fnn.start(model, opt, for_net), x, bowl(x))

    axis = np.linspace(-1, 1, 41, dtype=np.float32)
    x1, x2 = np.meshgrid(axis, axis)
    grid = np.stack([x1.ravel(), x2.ravel()], axis=1)
    prediction = fnn.predict(model, ts.params, ts.state, grid)
    return Result(losses, x1, x2, bowl(grid).reshape(x1.shape), prediction.reshape(x1.shape))


def draw(result: Result, path: Path) -> None:
    """Truth and prediction as surfaces, and the loss, side by side in one file."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 (only a drawing needs matplotlib)
    except ImportError:
        raise SystemExit("surface.py: --save needs matplotlib; install it with: pip install matplotlib") from None

    figure = Figure(figsize=(12, 4), layout="constrained")
    places = [figure.add_subplot(1, 3, place, projection="3d") for place in (1, 2)]
    heights = {"truth: $x_1^2 + x_2^2$": result.truth, "prediction": result.prediction}
    fnn.plot.surfaces(result.x1, result.x2, heights, ax=places)
    loss = fnn.plot.curves(result.losses, log=True, ax=figure.add_subplot(1, 3, 3))
    loss.set(title="loss", xlabel="epoch", ylabel="mean squared error", xlim=(0, EPOCHS))
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description="Learn the surface x1^2 + x2^2 with a 2-10-1 net.")
    parser.add_argument("--save", type=Path, metavar="FILE", help="draw truth, prediction and loss to FILE, e.g. surface.png")
    path: Path | None = parser.parse_args().save

    result = train()
    print("epoch   mean squared error")
    for epoch in [*range(0, EPOCHS, 200), EPOCHS - 1]:
        print(f"{epoch:5d}   {result.losses[epoch]:.6f}")

    print("\n   x1      x2   truth   prediction")
    for i, j in ((0, 0), (10, 10), (20, 20), (20, 30), (40, 20), (40, 40)):
        x1, x2, truth, prediction = (float(grid[i, j]) for grid in result[1:])
        print(f"{x1:5.2f}   {x2:5.2f}   {truth:5.2f}   {prediction:10.2f}")
    error = np.abs(result.prediction - result.truth)
    print(f"\non the grid the net is off by {error.mean():.3f} on average, by {error.max():.3f} at worst")

    if path is None:
        print("to see it, --save FILE draws truth, prediction and loss")
    else:
        draw(result, path)
        print(f"drawn to {path}")


if __name__ == "__main__":
    main()
