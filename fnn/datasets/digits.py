"""The UCI optical digits: 1,797 handwritten digits of 8x8 pixels. Source, licence and split: digits.txt beside this file."""

from __future__ import annotations

from dataclasses import dataclass
from os.path import dirname, join

import numpy as np

from fnn.arrays import Array2, Int1, read_only
from fnn.tree import Record


@dataclass(frozen=True, eq=False, repr=False)
class Digits(Record):
    """Images and labels of the digits, in a part to train on and a part to test on.

    `train_x` [1438, 64] and `test_x` [359, 64]: float32 in [0, 1], an image of 8x8 row by row, 1 is full ink.
    `train_y` [1438] and `test_y` [359]: int64, the digit from 0 to 9.
    """

    train_x: Array2
    train_y: Int1
    test_x: Array2
    test_y: Int1


def digits() -> Digits:
    """The UCI optical digits, read-only: 1,438 images of 8x8 to train on, 359 to test on, with about as many of each digit.

    The split is fixed: a fifth of each class, drawn once with `fnn.key(0)`. There is no third part; choose
    hyper-parameters on a piece of the training part.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998,
    https://doi.org/10.24432/C50P49, CC BY 4.0.

    >>> data = digits()
    >>> data
    Digits(train_x=f32[1438,64], train_y=i64[1438], test_x=f32[359,64], test_y=i64[359])
    >>> int(data.train_y[0])
    1
    >>> (16 * data.train_x[0]).astype(int).reshape(8, 8)
    array([[ 0,  0,  0, 12, 13,  5,  0,  0],
           [ 0,  0,  0, 11, 16,  9,  0,  0],
           [ 0,  0,  3, 15, 16,  6,  0,  0],
           [ 0,  7, 15, 16, 16,  2,  0,  0],
           [ 0,  0,  1, 16, 16,  3,  0,  0],
           [ 0,  0,  1, 16, 16,  6,  0,  0],
           [ 0,  0,  1, 16, 16,  6,  0,  0],
           [ 0,  0,  0, 11, 16, 10,  0,  0]])
    """
    # 16 is a power of two: the division is exact
    with np.load(join(dirname(__file__), "digits.npz")) as file:
        x = {part: read_only(file[f"{part}_x"].astype(np.float32) / 16) for part in ("train", "test")}
        y = {part: read_only(file[f"{part}_y"].astype(np.int64)) for part in ("train", "test")}
    return Digits(x["train"], y["train"], x["test"], y["test"])
