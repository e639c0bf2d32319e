"""Noise for training, as functions of x and mode: dropout and its relatives, and Gaussian noise."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from fnn.arrays import SameRank, Value, constant
from fnn.functional.checks import check_array, check_number
from fnn.mode import Eval, Mode, Train, check_mode


def check_drop_rate(name: str, drop_rate: float) -> None:
    """ValueError unless 0 <= drop_rate < 1, TypeError unless it is a number."""
    check_number(name, "drop_rate", drop_rate)
    if not 0 <= drop_rate < 1:
        raise ValueError(f"{name}: drop_rate is {drop_rate}, the fraction that is dropped, expected 0 <= drop_rate < 1")


def _drop(name: str, x: Value, mask_shape: tuple[int, ...], drop_rate: float, mode: Mode) -> Value:
    """x times a mask of this shape, broadcast, of zeros and 1 / (1 - drop_rate); x itself where nothing is dropped."""
    check_drop_rate(name, drop_rate)
    check_mode(name, mode)
    return x if isinstance(mode, Eval) or drop_rate == 0 else x * drop_factor(mask_shape, x.dtype, drop_rate, mode)


def drop_factor(shape: tuple[int, ...], dtype: np.dtype[Any], drop_rate: float, mode: Train) -> Value:
    """Zeros and 1 / (1 - drop_rate), drawn: what dropout multiplies by, and hence its derivative too.

    16 bits for each entry: the rate is the nearest multiple of 1/65536 below 1, and it is that by which the rest is scaled.
    """
    dropped = min(round(drop_rate * 65_536), 65_535)
    factor = (mode.key.bits16(prod(shape)).reshape(shape) >= dropped).astype(dtype)
    scale = 65_536 / (65_536 - dropped)
    factor *= constant(min(scale, 65_504) if dtype.itemsize == 2 else scale, dtype)  # float16 ends there
    return factor


def _check_examples(name: str, x: Value, rank: int, expected: str) -> None:
    check_array(name, "x", x)
    if x.ndim < rank:
        raise ValueError(f"{name}: x has shape {x.shape}, expected {expected}")


def dropout(x: SameRank, drop_rate: float, mode: Mode, /) -> SameRank:
    """In training, each entry is set to 0 with probability `drop_rate` and the others are divided by 1 - drop_rate, so
    that the mean is kept; in evaluation (or with rate 0) x itself. The rate is rounded to a multiple of 1/65536.

    The mask comes from the mode's key alone: the same key drops the same entries. Two dropouts in one function take
    `mode.fold(0)` and `mode.fold(1)`; in a chain that happens by itself.

    Raises ValueError where drop_rate is not in [0, 1), TypeError where the mode is neither fnn.EVAL nor fnn.Train(key).
    Source: Srivastava et al. 2014, section 10 (scaled in training).

    >>> import fnn
    >>> sorted(set(fnn.dropout(np.ones(100), 0.75, fnn.Train(fnn.key(0))).tolist()))
    [0.0, 4.0]
    """
    check_array("dropout", "x", x)
    return _drop("dropout", x, x.shape, drop_rate, mode)  # type: ignore[no-any-return]  # a Value is untyped


def spatial_dropout(x: SameRank, drop_rate: float, mode: Mode, /) -> SameRank:
    """`dropout` of whole channels: for each example, all positions of a channel are kept or dropped together.

    Neighbouring positions of an image or a sequence are so alike that dropping single entries takes little away.

    x: [batch, ..., channels]. Raises as `dropout` does, and ValueError where x has one axis only.
    Source: Tompson et al. 2015, section 3.2 (PyTorch's Dropout1d, 2d and 3d).

    >>> import fnn
    >>> y = fnn.spatial_dropout(np.ones((2, 3, 50)), 0.5, fnn.Train(fnn.key(0)))
    >>> bool((y == y[:, :1]).all()), sorted(set(y[0, 0].tolist()))
    (True, [0.0, 2.0])
    """
    _check_examples("spatial_dropout", x, 2, "[batch, ..., channels]")
    mask_shape = (x.shape[0], *(1,) * (x.ndim - 2), x.shape[-1])
    return _drop("spatial_dropout", x, mask_shape, drop_rate, mode)  # type: ignore[no-any-return]  # a Value is untyped


def drop_path(x: SameRank, drop_rate: float, mode: Mode, /) -> SameRank:
    """`dropout` of whole examples: stochastic depth, at the end of the body of a residual connection.

    An example whose body is dropped passes through the connection unchanged; the others' is divided by 1 - drop_rate.

    x: [batch, ...]. Raises as `dropout` does.
    Source: Huang et al. 2016, section 3; scaled in training, as in timm and torchvision (the paper scales in evaluation).

    >>> import fnn
    >>> y = fnn.drop_path(np.ones((50, 2)), 0.5, fnn.Train(fnn.key(0)))
    >>> sorted(set(map(tuple, y.tolist())))
    [(0.0, 0.0), (2.0, 2.0)]
    """
    _check_examples("drop_path", x, 1, "[batch, ...]")
    mask_shape = (x.shape[0], *(1,) * (x.ndim - 1))
    return _drop("drop_path", x, mask_shape, drop_rate, mode)  # type: ignore[no-any-return]  # a Value is untyped


def check_noise_scale(name: str, scale: float) -> None:
    """ValueError unless scale is finite and not negative, TypeError unless it is a number."""
    check_number(name, "scale", scale)
    if not 0 <= scale < np.inf:
        raise ValueError(f"{name}: scale is {scale}, the standard deviation of the noise, expected a finite number >= 0")


def gaussian_noise(x: SameRank, scale: float, mode: Mode, /) -> SameRank:
    """In training, x plus normal noise with mean 0 and standard deviation `scale`; in evaluation (or with scale 0) x itself.

    The noise comes from the mode's key alone, and is drawn in float32. No gradient flows into it: dL/dx = dL/dy.

    Raises ValueError where scale is negative or infinite, TypeError where the mode is neither fnn.EVAL nor fnn.Train(key).

    >>> import fnn
    >>> noise = fnn.gaussian_noise(np.zeros(10_000), 0.5, fnn.Train(fnn.key(0)))
    >>> round(float(noise.std()), 2)
    0.5
    """
    check_noise_scale("gaussian_noise", scale)
    check_array("gaussian_noise", "x", x)
    check_mode("gaussian_noise", mode)
    if isinstance(mode, Eval) or scale == 0:
        return x
    noise = mode.key.generator().standard_normal(x.shape, np.float32)
    noise *= float(scale)
    v: Value = x
    return v + noise.astype(x.dtype, copy=False)  # type: ignore[no-any-return]  # a Value is untyped
