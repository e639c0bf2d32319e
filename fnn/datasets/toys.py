"""Toy data sets: points in the plane to classify, and functions to learn, drawn anew from a key."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fnn.arrays import Array2, Int1, read_only
from fnn.functional.checks import check_int, check_range
from fnn.random import Key, check_key


class Points(NamedTuple):
    """Points to classify: `x` float32 [n, features] and the class of each, `y` int64 [n]. Read-only."""

    x: Array2
    y: Int1


class Samples(NamedTuple):
    """Samples of a function: `x` float32 [n, features] and its value at each, `y` float32 [n, 1]. Read-only."""

    x: Array2
    y: Array2


def two_moons(key: Key, n: int = 200, /, *, noise: float = 0.1) -> Points:
    """Two half circles of radius 1 that reach into each other, with Gaussian noise of this standard deviation.

    Class 0 is the upper half around (0, 0), class 1 the lower half around (1, 0.5). As many points of each, if n is even.

    >>> import fnn
    >>> moons = two_moons(fnn.key(0), 6, noise=0)
    >>> moons.x.shape, sorted(moons.y.tolist())
    ((6, 2), [0, 0, 0, 1, 1, 1])
    """
    generator, y = _start("two_moons", key, n, 2, noise)
    angle = np.pi * generator.random(n)
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x = np.where(y[:, np.newaxis] == 0, x, [1, 0.5] - x)
    return _points(generator, x, y, noise)


def spirals(key: Key, n: int = 200, /, *, n_classes: int = 2, turns: float = 1.0, noise: float = 0.02) -> Points:
    """Spirals from the centre to radius 1, one for each class, that wind around the centre so many times.

    >>> import fnn
    >>> float(np.hypot(*spirals(fnn.key(0), noise=0).x.T).max()) <= 1
    True
    """
    generator, y = _start("spirals", key, n, n_classes, noise)
    check_range("spirals", "turns", turns, -100, 100)
    # the square root puts as many points on a piece of the spiral far out as on one of the same length further in
    radius = np.sqrt(generator.random(n))
    angle = 2 * np.pi * (turns * radius + y / n_classes)
    return _points(generator, np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), y, noise)


def blobs(key: Key, n: int = 200, /, *, n_classes: int = 3, n_features: int = 2, std: float = 1.0) -> Points:
    """Gaussian clouds of this standard deviation around centres drawn uniformly from [-10, 10] in each feature.

    >>> import fnn
    >>> blobs(fnn.key(0), 12, n_features=4).x.shape
    (12, 4)
    """
    generator, y = _start("blobs", key, n, n_classes, std)
    check_int("blobs", "n_features", n_features, 1)
    centres = generator.uniform(-10, 10, (n_classes, n_features))
    return _points(generator, centres[y], y, std)


def sine(key: Key, n: int = 200, /, *, noise: float = 0.1) -> Samples:
    """y = sin(x) for x uniform in [-pi, pi], with Gaussian noise of this standard deviation on y.

    >>> import fnn
    >>> data = sine(fnn.key(0), noise=0)
    >>> bool(np.allclose(data.y, np.sin(data.x), atol=1e-6))
    True
    """
    generator = _start("sine", key, n, 1, noise)[0]
    x = generator.uniform(-np.pi, np.pi, (n, 1))
    return _samples(generator, x, np.sin(x), noise)


def bowl(key: Key, n: int = 200, /, *, n_features: int = 2, noise: float = 0.0) -> Samples:
    """y = the sum of the squares of x, uniform in [-1, 1] in each feature, with Gaussian noise on y."""
    generator = _start("bowl", key, n, 1, noise)[0]
    check_int("bowl", "n_features", n_features, 1)
    x = generator.uniform(-1, 1, (n, n_features))
    return _samples(generator, x, np.square(x).sum(axis=1, keepdims=True), noise)


def ripple(key: Key, n: int = 200, /, *, noise: float = 0.0) -> Samples:
    """y = sin(r) / r with r the length of x, uniform in [-10, 10] in each of two features: the Mexican hat, which is 1 at 0."""
    generator = _start("ripple", key, n, 1, noise)[0]
    x = generator.uniform(-10, 10, (n, 2))
    return _samples(generator, x, np.sinc(np.hypot(*x.T) / np.pi)[:, np.newaxis], noise)


def friedman(key: Key, n: int = 200, /, *, n_features: int = 10, noise: float = 1.0) -> Samples:
    """y = 10 sin(pi x0 x1) + 20 (x2 - 0.5)^2 + 10 x3 + 5 x4, for x uniform in [0, 1]: features from x5 on mean nothing.

    Source: Friedman 1991, Multivariate Adaptive Regression Splines, the first of the three functions.
    """
    generator = _start("friedman", key, n, 1, noise)[0]
    check_int("friedman", "n_features", n_features, 5)
    x = generator.random((n, n_features))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    return _samples(generator, x, y[:, np.newaxis], noise)


def _start(name: str, key: Key, n: int, n_classes: int, noise: float) -> tuple[np.random.Generator, Int1]:
    """A generator, and classes for n points, as many of each as of any other, or one more."""
    check_key(name, key)
    check_int(name, "n", n, 0)
    check_int(name, "n_classes", n_classes, 1)
    check_range(name, "noise", noise, 0, float("inf"))
    generator = key.generator()
    return generator, generator.permutation(np.arange(n) % n_classes)


def _points(generator: np.random.Generator, x: Any, y: Any, noise: float) -> Points:
    x = x + noise * generator.standard_normal(x.shape)
    return Points(read_only(x.astype(np.float32)), read_only(y))


def _samples(generator: np.random.Generator, x: Any, y: Any, noise: float) -> Samples:
    y = y + noise * generator.standard_normal(y.shape)
    return Samples(read_only(x.astype(np.float32)), read_only(y.astype(np.float32)))
