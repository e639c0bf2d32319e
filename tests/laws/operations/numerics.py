"""Differences, integrals, interpolation, convolution, polynomials, grids."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.laws.operations.case import ONE, TWO, Operation, away_from_zero, cube, distinct, positive, tied

THREE = (*TWO, away_from_zero)
vectors: Any = lambda n, m, k: ((n,), (m,))  # noqa: E731
long: Any = lambda n, m, k: ((n + 2, m + 2),)  # noqa: E731


def increasing(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    return np.cumsum(rng.uniform(0.3, 1.0, shape), -1)


def off_grid(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Around and between 0, 1, 2, 3, not near to one of them."""
    return rng.integers(-1, 4, shape) + rng.uniform(0.2, 0.8, shape)


def grid(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Near to 0, 1, 2, 3."""
    return np.arange(4.0) + rng.uniform(-0.1, 0.1, 4)


interpolated: Any = lambda n, m, k: ((n, m), (4,), (4,))  # noqa: E731

CONVOLUTIONS: tuple[Any, ...] = (np.convolve, np.correlate)
LENGTHS: dict[str, Any] = {
    "any": vectors,
    "long": lambda n, m, k: ((n + m + k,), (m,)),
    "short": lambda n, m, k: ((m,), (n + m + k,)),
}

TABLE: list[Operation] = [
    Operation("np.diff", np.diff, ONE, cube),
    Operation("np.diff n axis", lambda x: np.diff(x, n=2, axis=0), ONE, long),
    Operation("np.diff n = 0", lambda x: np.diff(x, 0) * x, ONE),
    Operation("np.diff edges", lambda x, a: np.diff(x, 2, 1, prepend=a, append=1.0), TWO, lambda n, m, k: ((n, m), ())),
    Operation("np.diff append", lambda x, a: np.diff(append=a, a=x, axis=0), TWO, lambda n, m, k: ((n, m), (k, m))),
    Operation("np.ediff1d", np.ediff1d, ONE),
    Operation("np.ediff1d edges", lambda x, a, b: np.ediff1d(x, a, to_begin=b), THREE, lambda n, m, k: ((n, m), (k,), ())),
    Operation("np.gradient", np.gradient, ONE, long),
    Operation("np.gradient axis", lambda f: np.gradient(f, axis=-1, edge_order=2), ONE, lambda n, m, k: ((n, m + 2),)),
    Operation("np.gradient step", lambda f, h: np.gradient(f, h), (away_from_zero, positive), lambda n, m, k: ((n + 1,), ())),
    Operation(
        "np.gradient steps",
        lambda f, h: np.gradient(f, h, 0.5, edge_order=2),
        (away_from_zero, positive),
        lambda n, m, k: ((n + 2, m + 2), ()),
    ),
    Operation(
        "np.gradient coordinates",
        lambda f, x: np.gradient(f, x, axis=1),
        (away_from_zero, increasing),
        lambda n, m, k: ((n, m + 1), (m + 1,)),
    ),
    Operation(
        "np.gradient coordinates and steps",
        lambda f, x: np.gradient(f, x, 2, axis=(-1, 0), edge_order=2),
        (away_from_zero, increasing),
        lambda n, m, k: ((n + 2, m + 2), (m + 2,)),
    ),
    Operation("np.trapezoid", np.trapezoid, ONE, cube),
    Operation("np.trapezoid dx", lambda y, d: np.trapezoid(y, dx=d, axis=0), TWO, lambda n, m, k: ((n, m), ())),
    Operation("np.trapezoid x", lambda y, x: np.trapezoid(y, x, axis=1), TWO, lambda n, m, k: ((n, m, k), (m,))),
    Operation("np.trapezoid all x", lambda y, x: np.trapezoid(x=x, y=y, axis=-2), TWO, lambda n, m, k: ((n, m, k), (n, m, k))),
    *[
        Operation(f"np.{f.__name__} {mode} {kind}", lambda a, v, f=f, mode=mode: f(a, v, mode), TWO, shapes)
        for f in CONVOLUTIONS
        for mode in ("full", "same", "valid")
        for kind, shapes in LENGTHS.items()
    ],
    Operation("np.convolve scalar", lambda a, v: np.convolve(v=v, a=a), TWO, lambda n, m, k: ((), (m,))),
    Operation("np.polyval", np.polyval, TWO, lambda n, m, k: ((n,), (m, k))),
    Operation("np.polyval list", lambda x: np.polyval([1, 2.0, 3], x), ONE),
    Operation("np.linspace", lambda a, b: np.linspace(a, b, 5), TWO, lambda n, m, k: ((n, 1), (m,))),
    Operation("np.linspace scalars", lambda a: np.linspace(a, 3.0, num=4, endpoint=False), ONE, lambda n, m, k: ((),)),
    Operation("np.linspace axis", lambda a, b: np.linspace(stop=b, start=a, num=3, axis=-1), TWO, lambda n, m, k: ((n,), (n,))),
    Operation("np.linspace step", lambda b: np.linspace(0, b, 3, retstep=True), ONE),
    Operation(
        "np.linspace one, none", lambda a, b: (np.linspace(a, b, 1), np.linspace(a, b, 0)), TWO, lambda n, m, k: ((), ())
    ),
    Operation("np.logspace", lambda a, b: np.logspace(a, b, 4), TWO, lambda n, m, k: ((n,), ())),
    Operation("np.logspace base", lambda a, c: np.logspace(a, 2.0, 3, base=c), (positive, positive), lambda n, m, k: ((), ())),
    Operation("np.geomspace", lambda a, b: np.geomspace(a, b, 4), (positive, positive), lambda n, m, k: ((n,), ())),
    Operation(
        "np.geomspace axis",
        lambda a, b: np.geomspace(-a, -b, 3, endpoint=False, axis=1),
        (positive, positive),
        lambda n, m, k: ((n,), (n,)),
    ),
    Operation("np.interp", np.interp, (off_grid, grid, away_from_zero), interpolated),
    Operation(
        "np.interp ends",
        lambda x, xp, fp: np.interp(x, xp, fp, left=-1.0, right=2.0),
        (off_grid, grid, away_from_zero),
        interpolated,
    ),
    Operation(
        "np.interp traced ends",
        lambda x, a: np.interp(tied(x, a), [0, 1], [3, 5.0], a, right=a * 2),
        (off_grid, away_from_zero),
        lambda n, m, k: ((n,), ()),
    ),
    Operation(
        "np.interp period",
        lambda x, xp, fp: np.interp(x, xp[[2, 0, 3, 1]], fp, period=4.5),
        (off_grid, grid, away_from_zero),
        interpolated,
    ),
    Operation(
        "np.interp one point", lambda x, f: np.interp(x, [1.0], f), (off_grid, away_from_zero), lambda n, m, k: ((n,), (1,))
    ),
    Operation(
        "sliding_window_view",
        lambda x: np.lib.stride_tricks.sliding_window_view(x, 2, axis=0),
        ONE,
        long,
    ),
    Operation("sliding_window_view all", lambda x: np.lib.stride_tricks.sliding_window_view(x, (2, 1)), ONE, long),
    Operation("np.bincount", lambda w: np.bincount([0, 2, 0], weights=w, minlength=4), ONE, lambda n, m, k: ((3,),)),
    Operation("np.apply_along_axis", lambda x: np.apply_along_axis(np.sort, 1, x), (distinct,), cube),
    Operation("np.apply_along_axis scalar", lambda x: np.apply_along_axis(lambda r, p: np.sum(r**p), 0, x, 2), ONE, cube),
    Operation("np.apply_along_axis matrix", lambda x: np.apply_along_axis(np.diag, -2, x), ONE, cube),
]
