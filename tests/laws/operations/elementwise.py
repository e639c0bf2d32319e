"""NumPy's elementwise functions beyond those of `core`, their keywords, operators and methods."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator

import fnn
from tests.laws.operations.case import ONE, TWO, Draw, Operation, away_from_zero, cube, distinct, positive


def inside_one(rng: Generator, shape: tuple[int, ...]) -> Any:
    """In [-0.9, 0.9]."""
    return rng.uniform(-0.9, 0.9, shape)


def above_one(rng: Generator, shape: tuple[int, ...]) -> Any:
    """In [1.2, 3]."""
    return rng.uniform(1.2, 3.0, shape)


def near_zero(rng: Generator, shape: tuple[int, ...]) -> Any:
    """In [-1e-3, 1e-3]."""
    return rng.uniform(-1e-3, 1e-3, shape)


def not_whole(rng: Generator, shape: tuple[int, ...]) -> Any:
    """At least 0.1 from whole numbers."""
    return rng.integers(-3, 3, shape) + rng.uniform(0.1, 0.9, shape)


def large(rng: Generator, shape: tuple[int, ...]) -> Any:
    """Not much smaller than 100 in size, of both signs."""
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(50, 100, shape)


def steps(rng: Generator, shape: tuple[int, ...]) -> Any:
    """0.1 or -0.1."""
    return rng.choice([-0.1, 0.1], shape)


def _row(n: int, m: int, k: int) -> tuple[tuple[int, ...], ...]:
    return ((n, m), (m,))


def _column(n: int, m: int, k: int) -> tuple[tuple[int, ...], ...]:
    return ((n, 1), (k, 1, m))


def _three(n: int, m: int, k: int) -> tuple[tuple[int, ...], ...]:
    return ((n, m), (m,), (n, 1))


_UNARY: list[tuple[Any, Draw]] = [
    (np.cbrt, away_from_zero),
    (np.arcsin, inside_one),
    (np.arccos, inside_one),
    (np.arcsinh, away_from_zero),
    (np.arccosh, above_one),
    (np.arctanh, inside_one),
    (np.deg2rad, away_from_zero),
    (np.rad2deg, away_from_zero),
    (np.radians, away_from_zero),
    (np.degrees, away_from_zero),
    (np.conjugate, away_from_zero),
    (np.nan_to_num, away_from_zero),
    (np.sinc, away_from_zero),
]
_BINARY: list[tuple[Any, Draw, Draw]] = [
    (np.fmax, away_from_zero, steps),
    (np.fmin, away_from_zero, steps),
    (np.logaddexp2, away_from_zero, away_from_zero),
    (np.float_power, positive, away_from_zero),
    # the quotient stays away from whole numbers
    (np.remainder, not_whole, lambda rng, shape: rng.choice([-1.0, 1.0], shape) + rng.uniform(-1e-3, 1e-3, shape)),
    (np.fmod, not_whole, lambda rng, shape: rng.choice([-1.0, 1.0], shape) + rng.uniform(-1e-3, 1e-3, shape)),
    (np.copysign, away_from_zero, away_from_zero),
    (np.heaviside, away_from_zero, away_from_zero),
]

TABLE: list[Operation] = [
    *[Operation(f"np.{f.__name__}", f, (draw,)) for f, draw in _UNARY],
    *[Operation(f"np.{f.__name__} 0-d", f, (draw,), lambda n, m, k: ((),)) for f, draw in _UNARY],
    *[Operation(f"np.{f.__name__} row", f, (a, b), _row) for f, a, b in _BINARY],
    *[Operation(f"np.{f.__name__} column", f, (a, b), _column) for f, a, b in _BINARY],
    *[Operation(f"np.{f.__name__} scalar", f, (a, b), lambda n, m, k: ((), (n, m))) for f, a, b in _BINARY],
    Operation("np.sinc around 0", np.sinc, (near_zero,)),
    Operation("np.sinc far out", lambda x: np.sinc(x) * 10, (large,)),
    Operation("np.arctan far out", lambda x: np.arctan(x) * 1e3, (large,)),
    # powers
    Operation("negative ** whole number", lambda x: x**3 + x**-2 + x ** np.float64(2), ONE),
    Operation("negative ** whole array", lambda x: x ** np.array([[0.0], [1.0], [2.0], [-3.0]]), ONE, lambda n, m, k: ((m,),)),
    Operation("x ** integer array", lambda x: np.power(x, np.array([0, 1, 2])), ONE, lambda n, m, k: ((n, 3),)),
    Operation("integer array ** x", lambda x: np.power(np.array([1, 2, 3]), x), ONE, lambda n, m, k: ((n, 3),)),
    Operation("x ** list, list ** x", lambda x: x ** [1.5, 2.5] + [2.0, 3] ** x, (positive,), lambda n, m, k: ((n, 2),)),
    Operation("x ** 0.5", lambda x: x**0.5, (positive,)),
    Operation("0 ** x", lambda x: 0.0**x, (positive,)),
    # parts of numbers
    Operation("%, //", lambda x: x % 1.7 + x // 0.3 + 1.3 % x, (not_whole,), lambda n, m, k: ((m,),)),
    Operation(
        "divmod", lambda x: divmod(x, 0.7)[1] + np.divmod(x, 0.6)[1] * x, (lambda rng, shape: rng.uniform(0.1, 0.5, shape),)
    ),
    Operation("divmod of a number", lambda x: divmod(2.0, x)[1], (lambda rng, shape: rng.uniform(0.7, 0.9, shape),)),
    Operation("np.modf", lambda x: np.modf(x)[0] * x + np.modf(x)[1], (not_whole,)),
    Operation("np.frexp", lambda x: np.frexp(x)[0] * np.sin(x), (lambda rng, shape: rng.uniform(1.1, 1.9, shape),)),
    Operation("np.ldexp", lambda x: np.ldexp(x * x, np.array([1, -2, 3])), ONE, lambda n, m, k: ((n, 3),)),
    Operation(
        "np.round, np.floor, np.sign",
        lambda x: x * (np.round(x, 1) + np.floor(x) + np.sign(x)),
        (inside_one,),
        lambda n, m, k: ((0, m),),
    ),
    # keywords, numbers and lists
    Operation("dtype=", lambda x: np.exp(x, dtype=x.dtype) + np.multiply(x, [[2]], dtype=x.dtype), ONE),
    Operation("np.hypot of a number", lambda x: np.hypot(x, 1) + np.arctan2([0.5], x), ONE),
    Operation("np.logaddexp of a list", lambda x: np.logaddexp(x, [0.5, 1]), ONE, lambda n, m, k: ((n, 2),)),
    # selection by value
    Operation("np.clip bounds", np.clip, (distinct, steps, lambda rng, shape: rng.uniform(0.25, 0.26, shape)), _three),
    Operation("np.clip crossed bounds", np.clip, (distinct, lambda rng, shape: rng.uniform(0.25, 0.26, shape), steps), _three),
    Operation("np.clip lower", lambda x, low: np.clip(x, low, None), (away_from_zero, steps), _row),
    Operation("np.clip upper", lambda x, high: x.clip(max=high), (away_from_zero, steps), _row),
    Operation("np.nan_to_num keywords", lambda x: np.nan_to_num(x / 2, copy=False, nan=1.0, posinf=2.0, neginf=3.0), ONE),
    Operation("safe_where", lambda x: fnn.safe_where(x > 0, np.log, x, 0.5), ONE, cube),
    Operation("safe_where of two", lambda x, y: fnn.safe_where(x > 0, np.sqrt, x, y), TWO, lambda n, m, k: ((n, m), (n, m))),
]
