# pyright: strict
"""Images shrink and grow in chains, and become rows."""

from typing import assert_type

import numpy as np

import fnn


def ranks(rows: fnn.Array2, time: fnn.Array3, images: fnn.Array4, volumes: fnn.Array5) -> None:
    assert_type(fnn.max_pool1d(time, 2, padding="causal"), fnn.Array3)
    assert_type(fnn.max_pool2d(images, (3, 2), stride=1, dilation=(1, 2)), fnn.Array4)
    assert_type(fnn.max_pool3d(volumes, 2, ceil_mode=True), fnn.Array5)
    assert_type(fnn.avg_pool1d(time, 2, padding="same"), fnn.Array3)
    assert_type(fnn.avg_pool2d(images, 3, padding=((0, 1), 1), count_include_pad=True), fnn.Array4)
    assert_type(fnn.avg_pool3d(volumes, 2), fnn.Array5)
    assert_type(fnn.global_max_pool(images), fnn.Array2)
    assert_type(fnn.global_avg_pool(time), fnn.Array2)
    assert_type(fnn.upsample1d(time, 2, method="linear"), fnn.Array3)
    assert_type(fnn.upsample2d(images, (2, 1), method="bilinear"), fnn.Array4)
    assert_type(fnn.upsample3d(volumes, 2, method="trilinear"), fnn.Array5)
    assert_type(fnn.pad(time, ((2, 0),)), fnn.Array3)
    assert_type(fnn.pad(images, 1, mode="reflect"), fnn.Array4)
    assert_type(fnn.flatten(volumes), fnn.Array2)
    assert_type(fnn.last_step(time), fnn.Array2)
    assert_type(fnn.last_step(time, np.array([1, 2])), fnn.Array2)
    assert_type(fnn.spatial_dropout(images, 0.5, fnn.EVAL), fnn.Array4)
    assert_type(fnn.drop_path(rows, 0.5, fnn.EVAL), fnn.Array2)
    assert_type(fnn.gaussian_noise(time, 0.5, fnn.EVAL), fnn.Array3)


ranks(np.ones((2, 3)), np.ones((2, 4, 3)), np.ones((2, 4, 4, 3)), np.ones((2, 4, 4, 4, 3)))

images = np.ones((2, 8, 8, 3), np.float32)
classify = (
    fnn.MaxPool2d(2)
    >> fnn.relu
    >> fnn.SpatialDropout(0.1)
    >> fnn.AvgPool2d(2, stride=1, padding="same")
    >> fnn.Pad(1, mode="edge")
    >> fnn.Upsample2d(2)
    >> fnn.GaussianNoise(0.1)
    >> fnn.global_avg_pool
    >> fnn.Dense(3, 10)
)
params, state = fnn.init(classify, fnn.key(0))
assert_type(fnn.predict(classify, params, state, images), fnn.Array2)

over_time = fnn.MaxPool1d(2) >> fnn.Upsample1d(2) >> fnn.Dense(3, 4) >> fnn.last_step >> fnn.DropPath(0.1) >> fnn.Dense(4, 1)
rows = fnn.predict(over_time, *fnn.init(over_time, fnn.key(0)), np.ones((2, 4, 3), np.float32))
assert_type(rows, fnn.Array2)

volumes = fnn.AvgPool3d(2) >> fnn.Upsample3d((1, 2, 2)) >> fnn.MaxPool3d(2) >> fnn.flatten >> fnn.Dense(24, 1)
flat = fnn.predict(volumes, *fnn.init(volumes, fnn.key(0)), np.ones((1, 8, 4, 4, 3), np.float32))
assert_type(flat, fnn.Array2)

y, same = fnn.forward(fnn.AvgPool1d(2), None, None, np.ones((2, 4, 3)))
assert_type(y, fnn.Array3)
assert_type(same, None)
