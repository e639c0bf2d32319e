"""How a cost grows: the fit of constant + slope * law(n), and the exponent over the upper part of the range."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict

import numpy as np

LAWS: Mapping[str, Callable[[float], float]] = {
    "linear": lambda n: n,
    "quadratic": lambda n: n * n,
}
EXPONENTS: Mapping[str, int] = {"linear": 1, "quadratic": 2}


class Fit(TypedDict):
    """Of a curve: the expected law, its fit, how far the points are from it, and the exponent that was found."""

    law: str
    expected_exponent: int
    exponent: float
    constant: float
    slope: float
    worst: float


def fit(sizes: Sequence[int], costs: Sequence[float], law: str) -> Fit:
    """The fit by least squares of relative errors, neither number below 0; `worst` is the largest of these errors.

    >>> found = fit([1, 10, 100, 1000], [6, 15, 105, 1005], "linear")
    >>> round(found["constant"], 6), round(found["slope"], 6), round(found["worst"], 6)
    (5.0, 1.0, 0.0)
    """
    n = np.array([LAWS[law](size) for size in sizes], float)
    t = np.array(costs, float)
    rows = np.stack([1 / t, n / t], axis=1)
    constant, slope = np.linalg.lstsq(rows, np.ones(len(t)), rcond=None)[0].tolist()
    if constant < 0:
        constant, slope = 0.0, _alone(rows[:, 1])
    elif slope < 0:
        constant, slope = _alone(rows[:, 0]), 0.0
    worst = float(np.abs((constant + slope * n) / t - 1).max())
    return {
        "law": law,
        "expected_exponent": EXPONENTS[law],
        "exponent": exponent(sizes, costs),
        "constant": constant,
        "slope": slope,
        "worst": worst,
    }


def _alone(column: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    return float(column.sum() / (column @ column))


def exponent(sizes: Sequence[int], costs: Sequence[float], part: float = 0.4) -> float:
    """k of cost ~ n**k over the upper part of the range of log n: what is left of the constant there is a smaller k.

    >>> round(exponent([1, 10, 100, 1000], [5, 6, 500, 50_000]), 6)
    2.0
    """
    start = math.log(sizes[-1]) - part * (math.log(sizes[-1]) - math.log(sizes[0]))
    first = min(next(i for i, n in enumerate(sizes) if math.log(n) >= start - 1e-9), len(sizes) - 2)
    x, y = np.log(sizes[first:]), np.log(costs[first:])
    return float(np.polyfit(x, y, 1)[0])
