"""L-BFGS with a line search for the strong Wolfe conditions: for smooth problems on the whole data set.

It calls the function several times a step, so it is a function of its own and not an `Optimizer`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Any, Generic

import numpy as np

from fnn.arrays import Array1, Scalar, Value, read_only
from fnn.autodiff.transforms import value_and_grad
from fnn.functional.checks import check_int
from fnn.optim.checks import check_hyper
from fnn.tree import Layout, flatten
from fnn.tree.structure import T as P

# (value, slope along the line, gradient) at a point of the line
_Point = tuple[float, float, Value]


@dataclass(frozen=True)
class LbfgsResult(Generic[P]):
    """Where `lbfgs` ended: parameters, the value and the largest |entry| of the gradient there, steps taken, calls of the
    function, whether the gradient is within the tolerance, and in words why it ended."""

    params: P
    value: float
    gradient: float
    steps: int
    calls: int
    converged: bool
    message: str


def lbfgs(
    f: Callable[[P], Scalar],
    params: P,
    /,
    *,
    max_steps: int = 100,
    tolerance: float = 1e-5,
    history: int = 10,
    max_calls_per_step: int = 25,
) -> LbfgsResult[P]:
    """A minimum of f near `params`, by limited-memory BFGS. Of more arguments make a function of one: lambda p: loss(p, x, y).

    Ends where the largest |entry| of the gradient is at most `tolerance`, where no point along the line is lower (at the
    precision of the dtype), or after `max_steps`. `history` is the number of pairs that stand for the inverse Hessian. It
    works in the dtype of the parameters: float64 (`fnn.tree.astype`) gets several digits further.

    Source: Nocedal and Wright 2006, algorithms 7.4 and 7.5, with the line search of algorithms 3.5 and 3.6 for c1 = 1e-4 and
    c2 = 0.9 and cubic interpolation, and near a minimum, where values differ by rounding only, Hager and Zhang's (2005).

    Raises TypeError as `grad` does, and ValueError where f is not finite at the start.

    >>> import fnn
    >>> def rosenbrock(p: fnn.Array1) -> fnn.Scalar:
    ...     return np.sum(100 * (p[1:] - p[:-1] ** 2) ** 2 + (1 - p[:-1]) ** 2)
    >>> found = fnn.optim.lbfgs(rosenbrock, np.array([-1.2, 1.0]))
    >>> found.converged, found.params.round(4)
    (True, array([1., 1.]))
    """
    if not callable(f):
        raise TypeError(f"lbfgs: f is {f!r}, expected a function of the parameters")
    check_hyper("lbfgs", "tolerance", tolerance, 0)
    for what, count in (("max_steps", max_steps), ("history", history), ("max_calls_per_step", max_calls_per_step)):
        check_int("lbfgs", what, count)
    layout: Layout[P] = Layout.of("lbfgs", params)
    both: Any = value_and_grad(f)
    calls = 0

    def at(x: Array1) -> tuple[float, Value]:
        nonlocal calls
        calls += 1
        value, grads = both(layout.unpack(x))
        return float(value), layout.pack(flatten(grads)[0])

    x = layout.pack(layout.leaves_of("lbfgs", "the parameters", params))
    value, g = at(x)
    if not (np.isfinite(value) and np.all(np.isfinite(g))):
        raise ValueError(f"lbfgs: the function is {value} at the start, or its gradient is not finite")
    pairs: list[tuple[Value, Value, float]] = []
    steps = 0
    message = f"{max_steps} steps done"
    while True:
        size = float(np.max(np.abs(g), initial=0.0))
        if size <= tolerance:
            message = "the gradient is within the tolerance"
            break
        if steps == max_steps:
            break
        direction = _direction(g, pairs)
        slope = float(np.dot(g, direction))
        if slope >= 0:  # rounding has spoilt the pairs: begin again with the gradient
            pairs.clear()
            direction, slope = -g, -float(np.dot(g, g))
        first = 1.0 if pairs else min(1.0, 1 / float(np.sum(np.abs(g))))

        def along(t: float, x: Value = x, direction: Value = direction) -> _Point:
            with np.errstate(all="ignore"):  # a step may leave where f is defined, and is then shortened
                value, g = at(x + direction * t)
            return value, float(np.dot(g, direction)), g

        found = _wolfe(along, (value, slope, g), first, max_calls_per_step, 8 * float(np.finfo(x.dtype).eps) * abs(value))
        if found is None:
            if pairs:
                pairs.clear()
                continue
            message = "no point along the line is lower: this is as far as the dtype's precision goes"
            break
        t, (value, _, new_g) = found
        s, y = direction * t, new_g - g
        x = x + s
        curvature = float(np.dot(s, y))
        if curvature > np.finfo(x.dtype).eps * float(np.dot(y, y)):
            pairs = [*pairs[-history + 1 :], (s, y, 1 / curvature)] if history > 1 else [(s, y, 1 / curvature)]
        g = new_g
        steps += 1
    return LbfgsResult(layout.unpack(read_only(x)), value, size, steps, calls, size <= tolerance, message)


def _direction(g: Value, pairs: list[tuple[Value, Value, float]]) -> Value:
    """-H g for the inverse Hessian H that the pairs stand for (the two loops of algorithm 7.4)."""
    q = -g
    weights = []
    for s, y, r in reversed(pairs):
        a = r * float(np.dot(s, q))
        weights.append(a)
        q = q - y * a
    if pairs:
        s, y, r = pairs[-1]
        q = q * (1 / (r * float(np.dot(y, y))))
    for (s, y, r), a in zip(pairs, reversed(weights), strict=True):
        q = q + s * (a - r * float(np.dot(y, q)))
    return q


_C1, _C2 = 1e-4, 0.9


def _flat(start: _Point, now: _Point, noise: float) -> bool:
    """Where values differ by rounding only, slopes still tell (the approximate conditions of Hager and Zhang 2005)."""
    (f0, slope0, g0), (f, slope, g) = start, now
    return f <= f0 + noise and abs(slope) <= -_C2 * slope0 and bool(np.dot(g, g) < np.dot(g0, g0))


def _wolfe(
    along: Callable[[float], _Point], start: _Point, first: float, most: int, noise: float
) -> tuple[float, _Point] | None:
    """A step t with f(t) <= f(0) + c1 t f'(0) and |f'(t)| <= c2 |f'(0)|, or the lowest found; None where none is lower."""
    f0, slope0, _ = start
    low_t, low = 0.0, start
    t = first
    for i in range(most):
        now = along(t)
        f, slope, g = now
        if not (np.isfinite(f) and np.all(np.isfinite(g))):
            t = low_t + (t - low_t) / 10  # outside of where f is defined
            continue
        if _flat(start, now, noise):
            return t, now
        if f > f0 + _C1 * t * slope0 or (i and f >= low[0]):
            return _zoom(along, start, (low_t, low), (t, now), most - i - 1, noise)
        if abs(slope) <= -_C2 * slope0:
            return t, now
        if slope >= 0:
            return _zoom(along, start, (t, now), (low_t, low), most - i - 1, noise)
        low_t, low = t, now
        t *= 2 if i else 4
    return (low_t, low) if low_t else None


def _zoom(
    along: Callable[[float], _Point],
    start: _Point,
    low: tuple[float, _Point],
    high: tuple[float, _Point],
    most: int,
    noise: float,
) -> tuple[float, _Point] | None:
    """Between `low`, the lowest point so far that decreases enough, and `high`, there are steps that fulfil both."""
    f0, slope0, _ = start
    for _ in range(most):
        (a, (fa, da, _)), (b, (fb, db, _)) = low, high
        if abs(b - a) * abs(da) <= 1e-16 * max(abs(fa), 1e-300):
            break
        t = _cubic(a, fa, da, b, fb, db)
        now = along(t)
        f, slope, g = now
        finite = np.isfinite(f) and np.all(np.isfinite(g))
        if finite and _flat(start, now, noise):
            return t, now
        if not finite or f > f0 + _C1 * t * slope0 or f >= fa:
            high = (t, now)
            continue
        if abs(slope) <= -_C2 * slope0:
            return t, now
        if slope * (b - a) >= 0:
            high = low
        low = (t, now)
    return low if low[0] and low[1][0] < f0 else None


def _cubic(a: float, fa: float, da: float, b: float, fb: float, db: float) -> float:
    """The minimum of the cubic through both points with both slopes, well inside of the interval; else its middle."""
    middle = (a + b) / 2
    if not (np.isfinite(fb) and np.isfinite(db)):
        return a + (b - a) / 10
    d1 = da + db - 3 * (fa - fb) / (a - b)
    inside = d1 * d1 - da * db
    if inside < 0:
        return middle
    d2 = sqrt(inside) * (1 if b > a else -1)
    below = db - da + 2 * d2
    t = b - (b - a) * (db + d2 - d1) / below if below else middle
    left, right = sorted((a + 0.1 * (b - a), b - 0.1 * (b - a)))
    return t if left <= t <= right else min(max(t, left), right) if np.isfinite(t) else middle
