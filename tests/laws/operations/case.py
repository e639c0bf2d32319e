"""What a row of the table of operations is, and the domains that arguments are drawn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

Draw = Callable[[Generator, tuple[int, ...]], Any]


def away_from_zero(rng: Generator, shape: tuple[int, ...]) -> Any:
    """Both signs, at least 0.2 from 0, where many functions have a kink."""
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.2, 2.0, shape)


def positive(rng: Generator, shape: tuple[int, ...]) -> Any:
    """In [0.3, 2]."""
    return rng.uniform(0.3, 2.0, shape)


def distinct(rng: Generator, shape: tuple[int, ...]) -> Any:
    """No two entries closer than 0.1: for functions with a kink where entries tie."""
    n = int(np.prod(shape))
    return (rng.permutation(n) * 0.37 - 0.15 * n + rng.uniform(0, 0.1)).reshape(shape)


@dataclass(frozen=True)
class Operation:
    """A NumPy function under `grad`: `f(*arrays)`, with a domain for each, of the shapes that `shapes` makes of [n, m, k]."""

    name: str
    f: Callable[..., Any]
    draws: tuple[Draw, ...]
    shapes: Callable[[int, int, int], tuple[tuple[int, ...], ...]] = lambda n, m, k: ((n, m),)


def tied(x: Any, other: Any) -> Any:
    """x, differentiated wherever the other is: for the arguments that NumPy hands to fnn only when the first needs it."""
    return x + 0 * np.sum(other)


ONE = (away_from_zero,)
TWO = (away_from_zero, away_from_zero)


def cube(n: int, m: int, k: int) -> tuple[tuple[int, ...], ...]:
    """One argument of three axes."""
    return ((n, m, k),)
