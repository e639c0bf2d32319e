# pyright: strict
"""A chain that starts with a plain function."""

from typing import assert_type

import numpy as np

import fnn


def centre(x: fnn.Array2) -> fnn.Array2:
    return x - fnn.mean(x, axis=0, keepdims=True)


def rows_of_pixels(images: fnn.Array4) -> fnn.Array2:
    return images.reshape(len(images), -1)


def one_hot(labels: fnn.Int1) -> fnn.Array2:
    return np.eye(3, dtype=np.float32)[labels]


model = fnn.Function(centre) >> fnn.Dense(3, 4) >> fnn.relu >> fnn.Dense(4, 1)
params, state = fnn.init(model, fnn.key(0))
assert_type(
    model, fnn.Chain[fnn.Array2, fnn.Array2, tuple[None, fnn.DenseParams, None, fnn.DenseParams], tuple[None, None, None, None]]
)
assert_type(fnn.predict(model, params, state, np.ones((5, 3), np.float32)), fnn.Array2)

images = fnn.Function(rows_of_pixels) >> fnn.Dense(12, 4)
p, s = fnn.init(images, fnn.key(0))
assert_type(fnn.predict(images, p, s, np.ones((2, 2, 2, 3), np.float32)), fnn.Array2)

classes = fnn.Function(one_hot) >> fnn.Dense(3, 2) >> fnn.log_softmax
assert_type(fnn.predict(classes, *fnn.init(classes, fnn.key(0)), np.array([0, 1, 2])), fnn.Array2)

# a function stands in front of a layer as it is
plainly = rows_of_pixels >> fnn.Dense(12, 4) >> fnn.relu
assert_type(fnn.init(plainly, fnn.key(0))[0], tuple[None, fnn.DenseParams, None])
assert_type(fnn.predict(plainly, *fnn.init(plainly, fnn.key(0)), np.ones((5, 2, 2, 3), np.float32)), fnn.Array2)
flat = fnn.flatten >> fnn.Dense(12, 4)
assert_type(fnn.init(flat, fnn.key(0))[0], tuple[None, fnn.DenseParams])
