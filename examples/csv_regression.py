"""From a CSV file to a trained net and back: house prices from two numbers and a town.

Writes a small file, reads it, splits its rows, fits the scaling to the training part alone, trains in batches, and reports
on the part that it has not seen how much of the variance of prices it explains, R^2. What was fitted is saved with the
parameters, in one file. Another process, which has no data to fit to, loads it and predicts the prices of new houses.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

import fnn

EPOCHS = 60
TOWNS = {"Bergen": 1.0, "Lucca": 0.8, "Porto": 1.3, "York": 0.9}
NUMBERS = ("area", "age")

glorot = fnn.initializers.glorot_normal
model = fnn.Dense(6, 32, weight_init=glorot) >> fnn.tanh >> fnn.Dense(32, 1, weight_init=glorot)


class Fitted(NamedTuple):
    """What was fitted to the data, beside the parameters."""

    towns: fnn.data.OneHot[str]
    scale_x: fnn.Normalizer
    scale_y: fnn.Normalizer


def train(houses: Path, saved: Path) -> float:
    """Train on a file with prices, and save what was learnt. The R^2 on houses that were not trained on."""
    table = fnn.read_csv(houses, columns=[*NUMBERS, "town"], categorical=["town"], target="price")
    rows, held_out = fnn.data.split(table, (0.8, 0.2), fnn.key(2))
    towns = fnn.data.OneHot(table.categories[0])
    fitted = Fitted(towns, fnn.Normalizer.fit(rows.features()), fnn.Normalizer.fit(rows.y))
    x, y = fitted.scale_x.apply(rows.features()), fitted.scale_y.apply(rows.y)[:, np.newaxis]

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

    scaled = fnn.predict(model, ts.params, ts.state, fitted.scale_x.apply(held_out.features()))
    predicted = fitted.scale_y.invert(scaled[:, 0])
    r2 = fnn.metrics.R2()(predicted, held_out.y)
    print(f"\n{len(rows)} houses to train on, {len(held_out)} to test on; R^2 {r2:.3f}")
    fnn.save(saved, (ts.params, ts.state, fitted), spec=model)
    return r2


def predict(houses: Path, saved: Path) -> None:
    """Print the prices of the houses in a file that has none."""
    like = (*fnn.init(model, fnn.key(0)), Fitted(fnn.data.OneHot.init(), fnn.Normalizer.init(6), fnn.Normalizer.init()))
    params, state, fitted = fnn.load(saved, like)
    # the columns in the order of the training, and the towns with the numbers that they had there
    table = fnn.read_csv(houses, columns=[*NUMBERS, "town"], categories={"town": fitted.towns})
    scaled = fnn.predict(model, params, state, fitted.scale_x.apply(table.features()))
    for numbers, code, price in zip(table.numbers, table.codes[:, 0], fitted.scale_y.invert(scaled[:, 0]), strict=True):
        print(f"{numbers[0]:.0f} m2, {numbers[1]:2.0f} years, {fitted.towns.categories[code]:6} {price:7.0f}")


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
        houses, new, saved = Path(folder) / "houses.csv", Path(folder) / "new.csv", Path(folder) / "houses.safetensors"
        write(houses)
        r2 = train(houses, saved)
        # fewer towns than before, and the columns in another order
        new.write_text("town,age,area\nYork,10,120\nPorto,10,120\nYork,60,120\n")
        print("\nIn a process of its own:", flush=True)
        subprocess.run([sys.executable, __file__, str(new), str(saved)], check=True)
    return r2


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="houses without prices and a saved net: predict (default: train)")
    files = parser.parse_args().files
    if len(files) == 2:
        predict(*files)
    elif files:
        parser.error("expected two files, houses and a saved net, or none")
    else:
        main()
