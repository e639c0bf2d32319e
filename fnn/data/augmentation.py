"""Augmentation of images as pure functions of (key, batch): the same key changes a batch in the same way.

Images are floating arrays [batch, height, width, channels]. Every image is changed by a draw of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fnn.arrays import Array2, Array4, Int1, SameRank, read_only
from fnn.functional.checks import check_array, check_int, check_not_wider, check_number, check_range
from fnn.functional.embedding import one_hot
from fnn.random import Key, check_key


def random_crop(key: Key, x: Array4, size: tuple[int, int], /, *, padding: int = 0) -> Array4:
    """A window of `size` (height, width) at a random place of each image, which is padded before by zeros on all sides.

    Raises ValueError where the window is larger than the padded image.

    >>> import fnn
    >>> random_crop(fnn.key(0), np.ones((8, 32, 32, 3)), (24, 24)).shape
    (8, 24, 24, 3)
    """
    _check("random_crop", key, x)
    check_int("random_crop", "padding", padding, 0)
    if not isinstance(size, tuple) or len(size) != 2:
        raise TypeError(f"random_crop: size is {size!r}, expected (height, width)")
    height, width = [check_int("random_crop", what, n, 0) for what, n in zip(("the height", "the width"), size, strict=True)]
    n, h, w, _ = x.shape
    down, right = h + 2 * padding - height, w + 2 * padding - width
    if min(height, width) < 1 or min(down, right) < 0:
        raise ValueError(
            f"random_crop: size is {size}, expected at least (1, 1) and at most {(h + 2 * padding, w + 2 * padding)}: x has "
            f"shape {x.shape} and padding is {padding}"
        )
    if padding:
        x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    generator = key.generator()
    rows = generator.integers(0, down + 1, (n, 1)) + np.arange(height)
    columns = generator.integers(0, right + 1, (n, 1)) + np.arange(width)
    return _made(x[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]])


def random_shift(key: Key, x: Array4, pixels: int, /) -> Array4:
    """Each image moved by up to `pixels` up or down and left or right; what comes in from outside is 0.

    >>> import fnn
    >>> random_shift(fnn.key(1), np.ones((1, 2, 2, 1)), 1)[0, :, :, 0]
    array([[0., 0.],
           [0., 1.]])
    """
    _check("random_shift", key, x)
    check_int("random_shift", "pixels", pixels, 0)
    return random_crop(key, x, x.shape[1:3], padding=pixels)


def random_flip(key: Key, x: Array4, /, *, probability: float = 0.5) -> Array4:
    """Each image mirrored left to right with this probability.

    >>> import fnn
    >>> x = np.arange(4.0).reshape(1, 2, 2, 1)
    >>> random_flip(fnn.key(0), x, probability=1)[0, :, :, 0]
    array([[1., 0.],
           [3., 2.]])
    """
    _check("random_flip", key, x)
    check_range("random_flip", "probability", probability)
    flipped = key.generator().random(len(x)) < probability
    return _made(np.where(flipped[:, None, None, None], x[:, :, ::-1], x))


def random_quarter_turns(key: Key, x: Array4, /) -> Array4:
    """Each image, which must be square, turned by 0, 90, 180 or 270 degrees.

    >>> import fnn
    >>> random_quarter_turns(fnn.key(3), np.arange(4.0).reshape(1, 2, 2, 1))[0, :, :, 0]
    array([[3., 2.],
           [1., 0.]])
    """
    _check("random_quarter_turns", key, x)
    if x.shape[1] != x.shape[2]:
        raise ValueError(f"random_quarter_turns: x has shape {x.shape}, expected square images: turned ones must fit in")
    turns = key.generator().integers(0, 4, len(x))
    y: Any = np.empty(x.shape, x.dtype)
    for turn in range(4):
        y[turns == turn] = np.rot90(x[turns == turn], turn, axes=(1, 2))
    return _made(y)


def add_noise(key: Key, x: SameRank, std: float, /) -> SameRank:
    """x plus Gaussian noise of mean 0 and this standard deviation, for arrays of any rank.

    >>> import fnn
    >>> float(add_noise(fnn.key(0), np.zeros(10_000), 0.5).std().round(2))
    0.5
    """
    check_key("add_noise", key)
    check_array("add_noise", "x", x)
    check_range("add_noise", "std", std, 0, float("inf"))
    # drawn in float32, or in float64 for float64
    noise: Any = key.generator().standard_normal(x.shape, np.float64 if x.dtype == np.float64 else np.float32)
    noise *= std
    return read_only(x + noise.astype(x.dtype, copy=False))  # type: ignore[no-any-return]  # a Value is untyped


def cutout(key: Key, x: Array4, size: int, /) -> Array4:
    """A square of `size` pixels, around a random pixel of each image, set to 0. It may reach over the edges.

    Source: DeVries and Taylor 2017.

    >>> import fnn
    >>> int(cutout(fnn.key(0), np.ones((1, 8, 8, 1)), 3).sum())
    55
    """
    _check("cutout", key, x)
    check_int("cutout", "size", size, 0)
    n, h, w, _ = x.shape
    generator = key.generator()

    def covered(length: int) -> Any:
        first = generator.integers(0, max(length, 1), (n, 1)) - size // 2
        place = np.arange(length)
        return (first <= place) & (place < first + size)

    hidden = covered(h)[:, :, None] & covered(w)[:, None, :]
    return _made(np.where(hidden[..., None], x.dtype.type(0), x))


def mixup(key: Key, x: SameRank, labels: Int1 | Array2, n_classes: int, /, *, alpha: float = 0.2) -> tuple[SameRank, Array2]:
    """Each example mixed with another: s x + (1 - s) x', with labels as probabilities s y + (1 - s) y', s ~ Beta(alpha, alpha).

    x: [batch, ...]. labels: integers [batch], or probabilities [batch, classes]. Partners are a permutation of the batch; s
    is drawn for each example. Train with `fnn.cross_entropy`, which takes probabilities.

    Source: Zhang et al. 2018 (who draw one s for the batch).

    >>> import fnn
    >>> x, y = mixup(fnn.key(0), np.eye(2, dtype=np.float32), np.array([0, 1]), 2, alpha=1.0)
    >>> bool((x == y).all()), y.sum(axis=1)
    (True, array([1., 1.], dtype=float32))
    """
    check_key("mixup", key)
    check_array("mixup", "x", x)
    check_number("mixup", "alpha", alpha)
    if not 0 < alpha < float("inf"):
        raise ValueError(f"mixup: alpha is {alpha}, expected a number above 0")
    given: Any = labels
    if not isinstance(given, np.ndarray):
        raise TypeError(f"mixup: labels are a {type(given).__name__}, expected an array of class numbers or of probabilities")
    y: Any = given if given.dtype.kind == "f" else one_hot(given, n_classes, dtype=x.dtype)
    check_not_wider("mixup", "labels", y, "x", x)
    if y.shape != (len(x), n_classes):
        raise ValueError(f"mixup: labels make {y.shape}, expected ({len(x)}, {n_classes}): a row for each of x {x.shape}")
    generator = key.generator()
    partner = generator.permutation(len(x))
    share = generator.beta(alpha, alpha, len(x))

    def mix(v: Any) -> Any:
        s = share.reshape(-1, *[1] * (v.ndim - 1)).astype(v.dtype)
        return read_only(s * v + (1 - s) * v[partner])

    return mix(x), mix(y)


def _check(name: str, key: Key, x: Array4) -> None:
    check_key(name, key)
    check_array(name, "x", x)
    if x.ndim != 4:
        raise ValueError(f"{name}: x has shape {x.shape}, expected images [batch, height, width, channels]")


def _made(x: Any) -> Array4:
    return read_only(x)  # type: ignore[no-any-return]  # a Value is untyped
