"""Digits with validation, early stopping, checkpoints and a picture: python examples/digits_fit.py --folder /tmp/digits

Stop it at any moment, also with kill -9, and start it again: all of it goes on where it stood, the training, early stopping and
the learning rate, and it ends with the same bits as a run that was never stopped. The picture needs fnn[plot].
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import fnn
from fnn.datasets import Digits, digits
from fnn.io import Checkpoints

BATCH_SIZE = 32

model = (
    fnn.Dense(64, 128) >> fnn.BatchNorm(128) >> fnn.relu >> fnn.Dropout(0.2)
    >> fnn.Dense(128, 64) >> fnn.BatchNorm(64) >> fnn.relu >> fnn.Dropout(0.2)
    >> fnn.Dense(64, 10)
)  # fmt: skip
optimizer = fnn.Adam(3e-3)
step = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), optimizer)

Net: TypeAlias = fnn.TrainState[Any, Any]


@dataclass(frozen=True)
class Session:
    """All that a run is: a checkpoint holds one, and a run goes on from one."""

    ts: Net
    stopping: fnn.EarlyStopping[Net]
    plateau: fnn.optim.ReduceOnPlateau
    losses: tuple[float, ...] = ()
    validation: tuple[float, ...] = ()


def main(folder: Path, epochs: int, seed: int) -> float:
    data = digits()
    checkpoints = Checkpoints(folder)
    ts = fnn.start(model, optimizer, fnn.key(seed))
    session = checkpoints.resume(Session(ts, fnn.EarlyStopping(8, ts), fnn.optim.ReduceOnPlateau(0.5, patience=3)))
    if session.ts.step:
        print(f"goes on at step {session.ts.step}")
    if not session.stopping.stopped:
        session = train(session, data, checkpoints, epochs, seed)

    best = session.stopping.best_state
    accuracy = fnn.evaluate(model, best, (data.test_x, data.test_y), fnn.metrics.Accuracy())
    print(f"best after step {best.step}: test accuracy {accuracy:.2%}")
    if session.losses:
        draw(session, folder / "curves.png")
    return accuracy


def train(session: Session, data: Digits, checkpoints: Checkpoints, epochs: int, seed: int) -> Session:
    """The session after so many epochs in all, or after as many as early stopping lets it have."""
    seen, unseen = fnn.data.split((data.train_x, data.train_y), (0.85, 0.15), fnn.key(seed).fold(1), stratify=data.train_y)

    def validate(ts: Net) -> dict[str, float]:
        return fnn.evaluate(model, ts, unseen, {"loss": fnn.cross_entropy, "accuracy": fnn.metrics.Accuracy()})

    run = fnn.fit(step, session.ts, seen, epochs=epochs, batch_size=BATCH_SIZE, validation=validate)
    for record in run:
        loss, accuracy = record.validation["loss"], record.validation["accuracy"]
        print(f"epoch {record.epoch + 1:3}  loss {record.loss:.4f}  validation {loss:.4f} ({accuracy:.1%})", flush=True)
        ts = record.state
        plateau = session.plateau.update(loss)
        if plateau.reduced:
            ts = replace(ts, opt=ts.opt.scale_learning_rate(plateau.factor))
            run.send(ts)
            print(f"the learning rate is now {ts.opt.learning_rate:.2g}")
        stopping = session.stopping.update(loss, ts)
        session = Session(ts, stopping, plateau, (*session.losses, record.loss), (*session.validation, loss))
        checkpoints.save(session, step=ts.step)
        if stopping.stopped:
            print(f"no better for {stopping.patience} epochs")
            break
    return session


def draw(session: Session, path: Path) -> None:
    """The losses of training and validation, where Matplotlib is installed."""
    try:
        import matplotlib as mpl  # noqa: PLC0415
    except ImportError:
        print("no picture: this needs Matplotlib (pip install 'fnn[plot]')")
        return
    mpl.use("Agg")
    epochs = [*range(1, len(session.losses) + 1)]
    ax = fnn.plot.curves({"training": (epochs, session.losses), "validation": (epochs, session.validation)}, log=True)
    ax.set_xlabel("epoch")
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
