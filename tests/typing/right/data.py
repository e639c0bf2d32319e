# pyright: strict
"""A batch has the type of the data, a part of a split too, and what is fitted keeps the rank."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import assert_type

import numpy as np

import fnn


@dataclass(frozen=True)
class Shots:
    image: fnn.Array4
    label: fnn.Int1


class Photos:
    """Rows that are read when they are asked for."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, rows: fnn.Int1) -> Shots:
        return Shots(np.zeros((len(rows), 2, 2, 1), np.float32), np.zeros(len(rows), np.int64))


def numbers() -> Iterator[fnn.Array1]:
    for i in range(5):
        yield np.full(2, i, np.float32)


def labels(n: int) -> fnn.Int1:
    return np.arange(n) % 2


key = fnn.key(0)
x: fnn.Array2 = np.zeros((10, 2), np.float32)
y = labels(10)
some = labels(2)

for batch in fnn.batches((x, y), 4, key, epoch=1, last="drop", stratify=y):
    assert_type(batch, tuple[fnn.Array2, fnn.Int1])
for one in fnn.batches(x, 4):
    assert_type(one, fnn.Array2)
for named in fnn.batches({"x": x}, 4, key, weights=[1.0] * 10):
    assert_type(named, dict[str, fnn.Array2])
for shots in fnn.prefetch(fnn.batches(Photos(), 4, key), 3):
    assert_type(shots, Shots)
for shots in fnn.batches(fnn.data.subset(Photos(), some), 4):
    assert_type(shots, Shots)
for few in fnn.batches(fnn.data.subset((x, y), some), 4):
    assert_type(few, tuple[fnn.Array2, fnn.Int1])
for lengths in fnn.batches(fnn.data.examples(["a", "bc"], lambda words: np.array([len(word) for word in words])), 2):
    assert len(lengths) == 2
for stack in fnn.data.batches_of(numbers(), 2):
    rows: fnn.Array2 = stack  # one rank more than an example, which no type can say
    assert rows.ndim == 2

assert_type(fnn.data.split((x, y), (0.8, 0.2), key), tuple[tuple[fnn.Array2, fnn.Int1], tuple[fnn.Array2, fnn.Int1]])
assert_type(fnn.data.split(x, (0.5, 0.25, 0.25), key), tuple[fnn.Array2, fnn.Array2, fnn.Array2])
assert_type(fnn.data.split(x, [0.5, 0.5], key), tuple[fnn.Array2, ...])
assert_type(fnn.data.split(10, (0.5, 0.5), key), tuple[fnn.Int1, fnn.Int1])
assert_type(fnn.data.split(Photos(), (0.5, 0.5), key), tuple[Shots, Shots])
for train, validation in fnn.data.k_fold((x, y), 5, key, stratify=y):
    assert_type(train, tuple[fnn.Array2, fnn.Int1])
    assert_type(validation, tuple[fnn.Array2, fnn.Int1])

scale = fnn.Normalizer.fit(x)
assert_type(scale.apply(x), fnn.Array2)
assert_type(fnn.data.MinMax.fit(x).invert(x), fnn.Array2)
colour = fnn.data.OneHot.fit(["red", "blue"])
assert_type(colour, fnn.data.OneHot[str])
assert_type(colour.apply(["red"]), fnn.Array2)
assert_type(colour.invert(colour.apply(["red"])), list[str])
assert_type(fnn.data.OneHot.fit([3, 1]), fnn.data.OneHot[int])
assert_type(fnn.data.OneHot.init(), fnn.data.OneHot[str])

with TemporaryDirectory() as folder:
    path = Path(folder) / "houses.csv"
    path.write_text("size,town,price\n70,Rome,200\n")
    table = fnn.read_csv(path, categorical=["town"], target="price")
    assert_type(table.y, fnn.Array1)
    assert_type(fnn.read_csv(path, label="town").y, fnn.Int1)
    assert_type(fnn.read_csv(path, columns=["size"]).y, None)
    assert_type(fnn.read_csv(path, like=table), fnn.data.Table[fnn.Array1])
    assert_type(fnn.read_csv(path, like=table.without_y()), fnn.data.Table[None])
    assert_type(fnn.read_csv(path, like=table, categories={"town": ["Rome"]}), fnn.data.Table[fnn.Array1])
    assert_type(fnn.read_csv(path, categories={"town": ["Rome"]}, label="town", dtype=np.float64), fnn.data.Table[fnn.Int1])
    fnn.save(path, (scale, colour))
    like = (fnn.Normalizer.init(2), fnn.data.OneHot.init())
    assert_type(fnn.load(path, like), tuple[fnn.Normalizer, fnn.data.OneHot[str]])
    path.write_text("size,town,price\n70,Rome,200\n")
    assert_type(fnn.read_csv(path, categories={"town": fnn.data.OneHot(("Rome",))}).codes, fnn.Int2)
    for part in fnn.batches(table, 2, key):
        assert_type(part, fnn.data.Table[fnn.Array1])
        assert_type(part.features(), fnn.Array2)

images: fnn.Array4 = np.zeros((3, 4, 4, 1), np.float32)
assert_type(fnn.data.random_flip(key, fnn.data.random_shift(key, images, 1)), fnn.Array4)
assert_type(fnn.data.mixup(key, images, np.array([0, 1, 1]), 2), tuple[fnn.Array4, fnn.Array2])
assert_type(fnn.datasets.two_moons(key, 20).y, fnn.Int1)
assert_type(fnn.datasets.sine(key, 20).y, fnn.Array2)
