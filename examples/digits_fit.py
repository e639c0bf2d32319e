"""Digits with validation, early stopping, checkpoints and a picture: python examples/digits_fit.py --folder /tmp/digits

Stop it with Ctrl-C and start it again: the training goes on where it stood, with the same bits; early stopping and the plateau
begin to count anew. The picture needs fnn[plot].
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import fnn
from fnn.datasets import digits
from fnn.io import Checkpoints

BATCH_SIZE = 32

model = (
    fnn.Dense(64, 128) >> fnn.BatchNorm(128) >> fnn.relu >> fnn.Dropout(0.2)
    >> fnn.Dense(128, 64) >> fnn.BatchNorm(64) >> fnn.relu >> fnn.Dropout(0.2)
    >> fnn.Dense(64, 10)
)  # fmt: skip
optimizer = fnn.Adam(3e-3)
step = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), optimizer)


def main(folder: Path, epochs: int, seed: int) -> float:
    data = digits()
    order = fnn.key(seed).fold(1).generator().permutation(len(data.train_y))
    train, held = np.sort(order[200:]), np.sort(order[:200])

    def validate(ts: fnn.TrainState[Any, Any]) -> dict[str, float]:
        rows = data.train_x[held], data.train_y[held]
        return fnn.evaluate(model, ts, rows, {"loss": fnn.cross_entropy, "accuracy": fnn.metrics.Accuracy()})

    checkpoints = Checkpoints(folder)
    ts = checkpoints.resume(fnn.start(model, optimizer, fnn.key(seed)))
    if ts.step:
        print(f"goes on at step {ts.step}")

    stopping = fnn.EarlyStopping(8, ts)
    plateau = fnn.optim.ReduceOnPlateau(0.5, patience=3)
    records = []
    run = fnn.fit(
        step,
        ts,
        (data.train_x[train], data.train_y[train]),
        epochs=epochs,
        batch_size=BATCH_SIZE,
        validation=validate,
    )
    for record in run:
        loss, accuracy = record.validation["loss"], record.validation["accuracy"]
        print(f"epoch {record.epoch + 1:3}  loss {record.loss:.4f}  validation {loss:.4f} ({accuracy:.1%})", flush=True)
        records.append(record)
        stopping = stopping.update(loss, record.state)
        plateau = plateau.update(loss)
        lower = record.state.opt
        if plateau.reduced:
            lower = lower.scale_learning_rate(plateau.factor)
            run.send(replace(record.state, opt=lower))
            print(f"the learning rate is {plateau.factor} times what it was")
        checkpoints.save(replace(record.state, opt=lower), metric=loss)
        if stopping.stopped:
            print(f"no better for {stopping.patience} epochs; back to step {stopping.best_state.step}")
            break

    accuracy = fnn.evaluate(model, stopping.best_state, (data.test_x, data.test_y), fnn.metrics.Accuracy())
    print(f"test accuracy {accuracy:.2%}")
    if records:
        draw(records, folder / "curves.png")
    return accuracy


def draw(records: list[fnn.FitRecord[Any, Any]], path: Path) -> None:
    """The losses of training and validation, where Matplotlib is installed."""
    try:
        import matplotlib as mpl  # noqa: PLC0415
    except ImportError:
        print("no picture: this needs Matplotlib (pip install 'fnn[plot]')")
        return
    mpl.use("Agg")
    steps = [r.step for r in records]
    ax = fnn.plot.curves(
        {"training": (steps, [r.loss for r in records]), "validation": (steps, [r.validation["loss"] for r in records])},
        log=True,
    )
    figure = ax.get_figure(root=True)
    if figure is not None:
        figure.savefig(path)
    print(f"curves in {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train on the digits with validation, early stopping and checkpoints.")
    parser.add_argument(
        "--folder", type=Path, default=Path("digits_run"), help="for checkpoints and the picture (default: digits_run)"
    )
    parser.add_argument("--epochs", type=int, default=60, help="at most (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="where all randomness comes from (default: 0)")
    options = parser.parse_args()
    try:
        main(options.folder, options.epochs, options.seed)
    except KeyboardInterrupt:
        print(f"stopped; the same command goes on from {options.folder}")
