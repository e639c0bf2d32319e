"""check_taylor: a gradient is right where what it leaves over falls as the square of the step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVarTuple

import numpy as np

from fnn.testing.slopes import (
    NOISE,
    Kink,
    Problem,
    at_a_smooth_point,
    gradient_at,
    inner,
    problem_of,
    refuse_kink,
    single,
    size_of,
    weights_for,
)

Args = TypeVarTuple("Args")


@dataclass(frozen=True)
class TaylorReport:
    """For each leaf (by path), the power of h with which the remainder falls: 2, or more; infinite where f is linear."""

    rates: dict[str, float]
    kinks: tuple[Kink, ...]


def check_taylor(f: Callable[[*Args], object], *args: *Args, seed: int = 0) -> TaylorReport:
    """Check the gradient of f by Taylor's theorem: |f(x + h v) - f(x) - h <grad f, v>| falls as h^2.

    With a wrong gradient, however little, it falls as h only: there is no tolerance to choose. Arguments, constants, kinks and
    `seed` are as for `check_grads`; results that are not scalars are added up with random weights.

    Raises AssertionError with the path of the leaf and the remainders; TypeError where there is nothing to differentiate.

    >>> report = check_taylor(lambda x: np.sum(np.exp(x)), np.array([0.0, 1.0]))
    >>> {path: round(rate, 1) for path, rate in report.rates.items()}
    {'args[0]': 2.0}
    """
    problem = problem_of("check_taylor", f, args)
    rng = np.random.Generator(np.random.PCG64(seed))
    rates, kinks = at_a_smooth_point(problem, rng, lambda place: _rates(place, rng))
    return TaylorReport(rates, tuple(kinks))


def _rates(problem: Problem, rng: np.random.Generator) -> dict[str, float]:
    values = problem.at(problem.x)
    u, v = weights_for(rng, values), problem.directions(rng)
    gradient = gradient_at(problem, u)
    noise = problem.noise(u, values, gradient)
    rates = {}
    for k, path in enumerate(problem.inputs):
        along = single(v, k)
        slope = inner(gradient, along)
        steps, errors = [], []
        h = 10 * float(problem.eps**0.2)
        for _ in range(16):
            h /= 4
            ahead = [a - b for a, b in zip(problem.at(problem.moved(along, h)), values, strict=True)]
            error = abs(inner(u, ahead) - h * slope)
            if not np.isfinite(error):
                continue  # a step out of the domain
            if error <= 2 * (noise + NOISE * problem.eps * size_of(u, ahead)):
                break  # rounding is all that is left
            steps.append(h)
            errors.append(error)
        rates[path] = float(np.log(errors[-2] / errors[-1]) / np.log(4)) if len(errors) > 1 else float("inf")
        # halfway between 1, where the gradient is wrong, and 2, where it is right
        if rates[path] < 1.5:
            refuse_kink(problem, k, u, along, slope, noise, steps[-1])
            table = "\n".join([f"  h = {h:.1e}: {error:.3e}" for h, error in zip(steps, errors, strict=True)])
            raise AssertionError(
                f"check_taylor: the gradient by {path} is wrong: what it leaves over, |f(x + h v) - f(x) - h <grad f, v>|, "
                f"falls as h^{rates[path]:.2f}, expected h^2\n{table}\n  check_grads says which entry is off"
            )
    return rates
