"""Scaling of features: what is fitted to the training data is a frozen value, which is saved with the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fnn.arrays import Array, SameRank, Value
from fnn.autodiff.tracer import value_of
from fnn.functional.checks import check_array
from fnn.tree import Record

_AT_ONCE = 2**20  # elements that are looked at together, so that fitting to a memory map takes little memory


@dataclass(frozen=True, eq=False, repr=False)
class Normalizer(Record):
    """Features brought to mean 0 and standard deviation 1: `mean` and `std` of each, [features].

    A feature that is constant has the std 1 here, so that it becomes 0.

    >>> x = np.array([[1.0, 5.0], [3.0, 5.0]], np.float32)
    >>> scale = Normalizer.fit(x)
    >>> scale
    Normalizer(mean=f32[2], std=f32[2])
    >>> scale.apply(x)
    array([[-1.,  0.],
           [ 1.,  0.]], dtype=float32)
    >>> scale.invert(scale.apply(x))
    array([[1., 5.],
           [3., 5.]], dtype=float32)
    """

    mean: Array
    std: Array

    @classmethod
    def init(cls, n: int | None = None, /) -> Normalizer:
        """Mean 0 and std 1 of n features, or of a vector: changes nothing. What `fnn.load` needs to load a fitted one."""
        return Normalizer(*_zeros_and_ones(n))

    @classmethod
    def fit(cls, x: Array, /) -> Normalizer:
        """Mean and standard deviation (of the n values, not n - 1) over all axes but the last; of a vector, over all of it.

        x: [rows, features], [rows], images [rows, height, width, channels], ... Summed in float64, and kept in the dtype
        of x. A memory map is read in pieces.

        Raises ValueError where x is empty or a value is not finite, TypeError where x is not floating.
        """
        mean = _range("Normalizer.fit", x)[2]
        rows = x.size // max(mean.size, 1)
        std = np.sqrt(sum([np.square(piece - mean).sum(axis=0) for piece in _pieces(x)]) / rows).astype(x.dtype)
        # that of a constant feature is 0, because its mean is exact; so is one that is too small for the dtype of x
        return Normalizer(mean.astype(x.dtype), np.where(std > 0, std, 1).astype(x.dtype))

    def apply(self, x: SameRank, /) -> SameRank:
        """(x - mean) / std, in the dtype of x."""
        mean, std = _fitting("Normalizer.apply", x, self.mean, self.std)
        y: SameRank = (x - mean) / std
        return y

    def invert(self, y: SameRank, /) -> SameRank:
        """y * std + mean, in the dtype of y: what `apply` was given."""
        mean, std = _fitting("Normalizer.invert", y, self.mean, self.std)
        x: SameRank = y * std + mean
        return x


@dataclass(frozen=True, eq=False, repr=False)
class MinMax(Record):
    """Features brought to [0, 1]: the lowest and the highest value of each, [features].

    A feature that is constant becomes 0. Values outside of what was fitted come to lie outside of [0, 1].

    >>> scale = MinMax.fit(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> scale.apply(np.array([[2.0, 5.0], [5.0, 6.0]]))
    array([[0.5, 0. ],
           [2. , 1. ]])
    """

    low: Array
    high: Array

    @classmethod
    def init(cls, n: int | None = None, /) -> MinMax:
        """From 0 to 1 for n features, or for a vector: changes nothing. What `fnn.load` needs to load a fitted one."""
        return MinMax(*_zeros_and_ones(n))

    @classmethod
    def fit(cls, x: Array, /) -> MinMax:
        """Lowest and highest value over all axes but the last; of a vector, over all of it. As `Normalizer.fit`."""
        low, high, _ = _range("MinMax.fit", x)
        return MinMax(low.astype(x.dtype), high.astype(x.dtype))

    def apply(self, x: SameRank, /) -> SameRank:
        """(x - low) / (high - low), in the dtype of x."""
        low, high = _fitting("MinMax.apply", x, self.low, self.high)
        y: SameRank = (x - low) / _width(low, high)
        return y

    def invert(self, y: SameRank, /) -> SameRank:
        """y * (high - low) + low, in the dtype of y: what `apply` was given."""
        low, high = _fitting("MinMax.invert", y, self.low, self.high)
        x: SameRank = y * _width(low, high) + low
        return x


def _zeros_and_ones(n: int | None) -> tuple[Array, Array]:
    shape = () if n is None else (n,)
    return np.zeros(shape, np.float32), np.ones(shape, np.float32)


def _width(low: Array, high: Array) -> Array:
    return np.where(high > low, high - low, 1).astype(low.dtype)


def _range(name: str, x: Array) -> tuple[Array, Array, Array]:
    """Lowest, highest and mean value of each feature, in float64."""
    check_array(name, "x", x)
    if x.size == 0 or x.ndim == 0:
        raise ValueError(f"{name}: x has shape {x.shape}, expected rows to fit to")
    low: Value = np.inf
    high: Value = -np.inf
    total: Value = 0.0
    for piece in _pieces(x):
        low, high = np.minimum(low, piece.min(axis=0)), np.maximum(high, piece.max(axis=0))
        total = total + piece.sum(axis=0)
    if not np.isfinite(total).all():
        column = int(np.flatnonzero(~np.isfinite(total))[0])
        raise ValueError(
            f"{name}: feature {column} of x has a value that is not finite (NaN or infinite); leave such rows out, or fill NaN "
            "with the mean of the others: np.where(np.isnan(x), np.nanmean(x, axis=0), x)"
        )
    low, high = np.asarray(low), np.asarray(high)
    # rounding of the sum may not put the mean outside of the values: that of a constant feature is the constant
    return low, high, np.asarray(np.clip(np.asarray(total) / (x.size // low.size), low, high))


def _pieces(x: Value) -> Iterator[Value]:
    """x in float64, [rows, features] or [rows], some rows at a time."""
    rows = max(1, _AT_ONCE * len(x) // x.size)
    for i in range(0, len(x), rows):
        piece = np.asarray(x[i : i + rows], np.float64)
        yield piece if x.ndim == 1 else piece.reshape(-1, x.shape[-1])


def _fitting(name: str, x: Value, *fitted: Array) -> tuple[Value, ...]:
    """What was fitted, in the dtype of x: [features], where that is the last axis of x."""
    v = value_of(x)
    check_array(name, "x", v)
    if fitted[0].ndim == 1 and (v.ndim < 2 or v.shape[-1:] != fitted[0].shape):
        raise ValueError(f"{name}: x has shape {v.shape}, but it was fitted to {fitted[0].size} features, the last axis of x")
    if fitted[0].ndim == 0 and v.ndim != 1:
        raise ValueError(f"{name}: x has shape {v.shape}, but it was fitted to a vector; expected [rows]")
    return tuple([part.astype(v.dtype, copy=False) for part in fitted])
