"""Augmentations: functions of (key, batch) alone, that move pixels and invent none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn
from fnn.data import add_noise, cutout, mixup, random_crop, random_flip, random_quarter_turns, random_shift

KEY = fnn.key(0)
# for calls that no checker lets through
loose: Any = fnn.data
keys = st.integers(0, 2**40).map(fnn.key)

OF_IMAGES: dict[str, Callable[[fnn.Key, Any], Any]] = {
    "crop": lambda key, x: random_crop(key, x, (3, 2)),
    "padded crop": lambda key, x: random_crop(key, x, (4, 4), padding=2),
    "shift": lambda key, x: random_shift(key, x, 2),
    "flip": random_flip,
    "turns": random_quarter_turns,
    "noise": lambda key, x: add_noise(key, x, 0.1),
    "cutout": lambda key, x: cutout(key, x, 2),
    "mixup": lambda key, x: mixup(key, x, np.zeros(len(x), int), 2, alpha=1.0)[0],
}


def images(n: int = 64, side: int = 4, dtype: Any = np.float32) -> Any:
    """Images in which every pixel has a number of its own, from 1 on."""
    return np.arange(1, n * side * side * 3 + 1).reshape(n, side, side, 3).astype(dtype)


@pytest.mark.parametrize("name", OF_IMAGES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_function_of_key_and_batch(name: str, dtype: Any) -> None:
    f, x = OF_IMAGES[name], images(16, dtype=dtype) / 1024
    kept = x.copy()
    x.flags.writeable = False
    state: Any = np.random.get_state(legacy=False)  # noqa: NPY002 (that the global generator is not used)
    y = f(KEY, x)
    assert fnn.tree.equal(y, f(KEY, x))
    assert not fnn.tree.equal(y, f(fnn.key(1), x))
    assert np.array_equal(x, kept)
    assert y.dtype == dtype
    assert y.shape[0] == 16
    assert y.shape[3] == 3
    assert not y.flags.writeable
    assert not np.shares_memory(x, y)
    again: Any = np.random.get_state(legacy=False)  # noqa: NPY002
    assert np.array_equal(again["state"]["key"], state["state"]["key"])


@pytest.mark.parametrize("name", OF_IMAGES)
def test_no_image_is_fine_and_images_differ(name: str) -> None:
    assert OF_IMAGES[name](KEY, images(0)).shape[0] == 0
    if name != "noise":
        same = np.broadcast_to(images(1), (64, 4, 4, 3))
        changed = OF_IMAGES[name](KEY, same if name != "mixup" else images())
        assert len(np.unique(changed.reshape(64, -1), axis=0)) > 1


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 3), keys)
def test_crops_are_windows_of_the_padded_image(height: int, width: int, padding: int, key: fnn.Key) -> None:
    x = images(5, 5)
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)
    for crop, of_image in zip(random_crop(key, x, (height, width), padding=padding), windows, strict=True):
        assert (of_image == crop).all(axis=(2, 3, 4)).any()


def test_every_window_is_as_likely() -> None:
    x = np.zeros((9000, 4, 4, 1), np.float32)
    x[:] = np.arange(16).reshape(4, 4, 1)
    first = random_crop(KEY, x, (2, 2))[:, 0, 0, 0]
    found, counts = np.unique(first, return_counts=True)
    assert found.tolist() == [0, 1, 2, 4, 5, 6, 8, 9, 10]
    assert (np.abs(counts - 1000) < 120).all()


def test_shifts_fill_with_zeros_and_reach_both_sides() -> None:
    x = np.zeros((500, 5, 5, 1), np.float32)
    x[:, 2, 2] = 1
    y = random_shift(KEY, x, 2)
    assert y.shape == x.shape
    assert (y.sum(axis=(1, 2, 3)) == 1).all()
    assert (y.sum(axis=0) > 0).all()
    assert np.array_equal(random_shift(KEY, x, 0), x)


def test_flips_mirror_left_to_right_with_the_probability() -> None:
    x = images(1000)
    y = random_flip(KEY, x, probability=0.3)
    flipped = (y == x[:, :, ::-1]).all(axis=(1, 2, 3))
    assert np.array_equal(y[~flipped], x[~flipped])
    assert 0.25 < flipped.mean() < 0.35
    assert np.array_equal(random_flip(KEY, x, probability=0), x)
    assert np.array_equal(random_flip(KEY, x, probability=1), x[:, :, ::-1])


def test_quarter_turns_are_the_four() -> None:
    x = images(400)
    turns = [(random_quarter_turns(KEY, x) == np.rot90(x, k, (1, 2))).all(axis=(1, 2, 3)) for k in range(4)]
    assert (np.sum(turns, axis=0) == 1).all()
    assert all([70 < np.sum(turn) < 130 for turn in turns])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_noise_has_its_mean_and_deviation(dtype: Any) -> None:
    noise = add_noise(KEY, np.zeros((400, 100), dtype), 0.3)
    np.testing.assert_allclose([noise.mean(), noise.std()], [0, 0.3], atol=0.005)
    assert np.array_equal(add_noise(KEY, images(), 0), images())


@pytest.mark.parametrize("size", [0, 1, 2, 3, 9])
def test_cutout_hides_a_square_around_a_pixel(size: int) -> None:
    x = images(600, 5)
    hidden = cutout(KEY, x, size) == 0
    assert np.array_equal(cutout(KEY, x, size)[~hidden], x[~hidden])
    assert (hidden == hidden[..., :1]).all()
    squares = hidden[..., 0]
    rows, columns = squares.any(axis=2), squares.any(axis=1)
    assert np.array_equal(squares, rows[:, :, None] & columns[:, None, :])
    sides = np.stack([rows.sum(axis=1), columns.sum(axis=1)])
    assert sides.max() == min(size, 5)
    if size in {1, 2, 3}:
        # the square has its full side, unless it reaches over an edge
        assert (sides >= (size + 1) // 2).all()
        assert (squares.any(axis=0)).all()
    if size == 1:
        assert (sides == 1).all()
        np.testing.assert_allclose(squares.mean(axis=0), 1 / 25, atol=0.03)


def test_mixup_mixes_images_and_labels_by_the_same_share() -> None:
    x, labels = np.eye(50, dtype=np.float32), np.arange(50)
    mixed, y = mixup(KEY, x, labels, 50, alpha=1.0)
    assert np.array_equal(mixed, y)
    np.testing.assert_allclose(y.sum(axis=1), 1, rtol=1e-6)
    assert ((mixed > 0).sum(axis=1) <= 2).all()
    assert 0.2 < np.diag(mixed).mean() < 0.8
    assert y.dtype == np.float32
    assert not y.flags.writeable
    again, from_probabilities = mixup(KEY, x, np.eye(50, dtype=np.float32), 50, alpha=1.0)
    assert np.array_equal(again, mixed)
    assert np.array_equal(from_probabilities, y)
    extreme = np.diag(mixup(KEY, x, labels, 50, alpha=0.05)[0])
    assert np.mean((extreme < 0.05) | (extreme > 0.95)) > 0.7
    assert np.isfinite(float(fnn.cross_entropy(np.zeros((50, 50), np.float32), y)))
    assert mixup(KEY, images(5), np.zeros(5, int), 3)[1].shape == (5, 3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: loose.random_crop(KEY, images(), (5, 2)), ValueError, r"random_crop: size is \(5, 2\), .* at most \(4, 4\)"),
        (
            lambda: loose.random_crop(KEY, images(), (0, 2)),
            ValueError,
            r"random_crop: size is \(0, 2\), expected at least \(1, 1\)",
        ),
        (lambda: loose.random_crop(KEY, images(), (2, 2), padding=-1), ValueError, "random_crop: padding is -1"),
        (lambda: loose.random_shift(KEY, images(), -1), ValueError, "random_shift: pixels is -1"),
        (
            lambda: loose.random_shift(KEY, np.ones((2, 2)), 1),
            ValueError,
            r"random_shift: x has shape \(2, 2\), expected images",
        ),
        (lambda: loose.random_flip(0, images()), TypeError, "random_flip: the key is 0"),
        (lambda: loose.random_flip(KEY, images(), probability=1.5), ValueError, "random_flip: probability is 1.5"),
        (
            lambda: loose.random_flip(KEY, np.ones((1, 2, 2, 3), np.uint8)),
            TypeError,
            r"random_flip: x is u8\[1,2,2,3\], expected floating",
        ),
        (lambda: loose.random_quarter_turns(KEY, np.ones((1, 2, 3, 1))), ValueError, "expected square images"),
        (lambda: loose.add_noise(KEY, images(), -1), ValueError, "add_noise: std is -1"),
        (lambda: loose.add_noise(1, images(), 1), TypeError, "add_noise: the key is 1"),
        (lambda: loose.cutout(KEY, images(), -1), ValueError, "cutout: size is -1"),
        (
            lambda: loose.mixup(KEY, images(3), np.zeros(2, int), 2),
            ValueError,
            r"mixup: labels make \(2, 2\), expected \(3, 2\)",
        ),
        (
            lambda: mixup(KEY, images(3), np.zeros(3, int), 2, alpha=0),
            ValueError,
            "mixup: alpha is 0, expected a number above 0",
        ),
        (lambda: loose.mixup(KEY, images(3), np.full(3, 2), 2), ValueError, "label 2 is out of range"),
        (lambda: loose.mixup(KEY, images(3), np.ones((3, 2)), 2), TypeError, "mixup: labels is float64 but x is float32"),
        (lambda: loose.mixup(0, images(3), np.zeros(3, int), 2), TypeError, "mixup: the key is 0"),
    ],
)
def test_errors(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_sizes_and_labels_of_other_kinds_are_refused() -> None:
    x, f, g = np.ones((2, 8, 8, 1)), random_crop, mixup
    crop: Any = f
    for size, message in ((3, "size is 3, expected"), ((3.0, 3), "the height is 3.0"), ((3, True), "the width is True")):
        with pytest.raises(TypeError, match=message):
            crop(fnn.key(0), x, size)
    mix: Any = g
    with pytest.raises(TypeError, match="mixup: labels are a list"):
        mix(fnn.key(0), x, [0, 1], 2)
