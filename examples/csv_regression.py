"""From a CSV file to a trained net: house prices from two numbers and a town.

Writes a small file, reads it, splits its rows, fits the scaling to the training part alone, trains in batches, and reports
on the part that it has not seen how much of the variance of prices it explains, R^2.
"""

import csv
import tempfile
from pathlib import Path

import numpy as np

import fnn

EPOCHS = 60
TOWNS = {"Bergen": 1.0, "Lucca": 0.8, "Porto": 1.3, "York": 0.9}

glorot = fnn.initializers.glorot_normal


def write(path: Path, rows: int = 600) -> None:
    """Houses with an area, an age and a town; the price follows from them, but for 5 percent."""
    generator = fnn.key(1).generator()
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(["area", "age", "town", "price"])
        for _ in range(rows):
            area, age = generator.uniform(30, 200), generator.uniform(0, 80)
            town = str(generator.choice(list(TOWNS)))
            price = 2500 * area * TOWNS[town] * (0.6 + 0.4 * np.exp(-age / 20)) * generator.normal(1, 0.05)
            lines.writerow([f"{area:.1f}", f"{age:.0f}", town, f"{price:.0f}"])


def main() -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "houses.csv"
        write(path)
        table = fnn.read_csv(path, categorical=["town"], target="price")

    train, test = fnn.data.split(table, (0.8, 0.2), fnn.key(2))
    scale_x, scale_y = fnn.Normalizer.fit(train.features()), fnn.Normalizer.fit(train.y)
    x, y = scale_x.apply(train.features()), scale_y.apply(train.y)[:, np.newaxis]

    model = fnn.Dense(6, 32, weight_init=glorot) >> fnn.tanh >> fnn.Dense(32, 1, weight_init=glorot)
    opt = fnn.Adam(0.01)
    step = fnn.train_step(fnn.supervised(model, fnn.mse), opt)
    ts = fnn.start(model, opt, fnn.key(3))
    for epoch in range(EPOCHS):
        losses = []
        for batch in fnn.batches((x, y), 32, fnn.key(4), epoch):
            ts, loss = step(ts, *batch)
            losses.append(loss)
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1:2}  loss {np.mean(losses):.4f}")

    scaled = fnn.predict(model, ts.params, ts.state, scale_x.apply(test.features()))
    predicted = scale_y.invert(scaled[:, 0])
    r2 = float(1 - np.mean((test.y - predicted) ** 2) / np.var(test.y))
    print(f"\n{len(train)} houses to train on, {len(test)} to test on; R^2 {r2:.3f}")
    return r2


if __name__ == "__main__":
    main()
