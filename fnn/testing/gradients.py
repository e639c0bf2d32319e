"""check_grads: derivatives in both modes and of any order, against finite differences along random directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, TypeVarTuple

import numpy as np

from fnn.arrays import Value
from fnn.autodiff.higher_order import jvp
from fnn.autodiff.transforms import vjp
from fnn.testing.slopes import (
    Kink,
    Problem,
    Values,
    at_a_smooth_point,
    central,
    check_finite,
    entry,
    gradient_at,
    inner,
    problem_of,
    refuse_kink,
    single,
    size_of,
    weights_for,
)

Args = TypeVarTuple("Args")
DiffMode: TypeAlias = Literal["fwd", "rev"]

_LOOKED_AT = 1000  # entries of a wrong leaf that are compared one by one


@dataclass(frozen=True)
class GradReport:
    """What `check_grads` found in a function that passed.

    `leaves` are the paths that were differentiated, `largest_error` is the largest difference between analytic and numeric
    slopes, relative to their size and the noise of the function, `steps` the step sizes tried, relative to the size of a
    leaf, and `kinks` the places without a derivative that were stepped around.
    """

    leaves: tuple[str, ...]
    largest_error: float
    steps: tuple[float, ...]
    kinks: tuple[Kink, ...]


def check_grads(
    f: Callable[[*Args], object],
    *args: *Args,
    order: int = 2,
    modes: Sequence[DiffMode] = ("fwd", "rev"),
    seed: int = 0,
    rtol: float | None = None,
) -> GradReport:
    """Check the derivatives of f at `args` against finite differences; AssertionError says what is wrong, and where.

    f is any pure function that fnn differentiates, of any number of trees, to a tree. The floating leaves of its arguments
    are differentiated, in float64; integers, and what is not an array, are held constant. For each leaf, along a random
    direction v and for a random cotangent u:

        rev     <J^T u, v> is the slope of <u, f>
        fwd     J v is the slope of f, and <u, J v> = <J^T u, v>, where both modes are asked for
        order   for order 2, the same for the function x -> J^T u (x -> J v with modes=("fwd",)); and so on

    A slope is an extrapolated central difference. Its tolerance is made of the size of the slope, times `rtol` (by default
    eps^0.6, 4e-10 where the result is float64), and of the rounding that f itself must have; nothing depends on the units
    of f. Directions come from `seed`. At a kink the check goes on at a point nearby, and reports it.

    Raises TypeError where there is nothing to differentiate, ValueError for an order below 1 or other modes.

    >>> report = check_grads(lambda x, y: np.sum(np.sin(x) @ y), np.ones((2, 3)), np.ones((3, 2)))
    >>> report.leaves, report.largest_error < 1e-8, report.kinks
    (('args[0]', 'args[1]'), True, ())
    >>> check_grads(np.abs, np.array([0.0, 1.0])).kinks[0].path
    'args[0]'
    """
    if order < 1:
        raise ValueError(f"check_grads: order is {order}, expected at least 1")
    if not modes or not set(modes) <= {"fwd", "rev"}:
        raise ValueError(f"check_grads: modes is {modes!r}, expected 'fwd', 'rev' or both, as modes=('fwd', 'rev')")
    problem = problem_of("check_grads", f, args)
    rng = np.random.Generator(np.random.PCG64(seed))
    relative = float(problem.eps**0.6) if rtol is None else rtol

    def check(place: Problem) -> float:
        return _check_order(place, 1, order, modes, rng, relative)

    largest, kinks = at_a_smooth_point(problem, rng, check)
    return GradReport(tuple(problem.inputs), largest, tuple(_steps(problem)), tuple(kinks))


def _steps(problem: Problem) -> list[float]:
    """From eps^(1/5), where the error h^4 of a slope meets its noise eps / h, downwards."""
    return [float(problem.eps**0.2) / 10**i for i in range(4)]


def _check_order(
    problem: Problem, n: int, order: int, modes: Sequence[DiffMode], rng: np.random.Generator, rtol: float
) -> float:
    """The largest relative error of the orders from n on."""
    values = problem.at(problem.x)
    check_finite(problem.name, "the value", problem.outputs, values)
    u, v = weights_for(rng, values), problem.directions(rng)
    gradient = gradient_at(problem, u)
    noise = problem.noise(u, values, gradient)
    largest = max([_Leaf(problem, n, k, u, single(v, k), gradient, noise, rtol).check(modes) for k in range(len(problem.x))])
    if n == order:
        return largest
    floor = noise / problem.eps

    def pulled(x: Values) -> Values:
        return vjp(problem.f, x)[1](u)

    def pushed(x: Values) -> Values:
        return jvp(problem.f, x, v)[1]

    if "rev" in modes:
        higher = replace(problem, f=pulled, outputs=[f"the gradient by {path}" for path in problem.inputs])
    else:
        higher = replace(problem, f=pushed, outputs=[f"the derivative of {path}" for path in problem.outputs])
    higher = replace(higher, name=f"check_grads, order {n + 1}", floor=floor)
    return max(largest, _check_order(higher, n + 1, order, modes, rng, rtol))


@dataclass(frozen=True)
class _Leaf:
    """The check of one leaf, k: along `v`, which moves it alone, for the cotangent `u`."""

    problem: Problem
    n: int
    k: int
    u: Values
    v: Values
    gradient: Values
    noise: float
    rtol: float

    def check(self, modes: Sequence[DiffMode]) -> float:
        """The relative error of the first step size at which all modes agree."""
        problem = self.problem
        slope = inner(self.gradient, self.v)
        tangent: Values | None = None
        if "fwd" in modes:
            with np.errstate(all="ignore"):
                tangent = jvp(problem.f, problem.x, self.v)[1]
            check_finite(problem.name, f"the derivative along {problem.inputs[self.k]}", problem.outputs, tangent)
        steps = _steps(problem)
        numeric: Values = []
        tried: list[float] = []
        errors: list[float] = []
        allowed, size = 0.0, size_of(self.gradient, self.v)
        for h in steps:
            if tried and self.noise / h > 10 * max(float(np.sqrt(problem.eps)) * size, self.noise / steps[0]):
                break  # rounding hides what a smaller step could show
            tried.append(h)
            numeric = central(problem, self.v, h)
            size = max(size_of(self.u, numeric), size_of(self.gradient, self.v))
            allowed = self.rtol * size + self.noise / h
            wrong = max(
                abs(inner(self.u, numeric) - slope) if "rev" in modes else 0.0,
                0.0 if tangent is None else size_of(self.u, [a - b for a, b in zip(tangent, numeric, strict=True)]),
            )
            errors.append(wrong)
            # the error of a right gradient falls with h, that of a wrong one stays, and noise must not hide it; where f has a
            # derivative but a kink in it, as elu at 0, the error falls as h and is small at last
            falls = len(errors) == 1 or not errors[-1] > 0.2 * errors[-2]
            if falls and (wrong <= allowed or (len(errors) > 2 and wrong <= problem.eps**0.4 * size)):
                if tangent is not None and "rev" in modes:
                    self._check_adjoint(inner(self.u, tangent), slope, allowed)
                return self.rtol * wrong / allowed if allowed else 0.0
        refuse_kink(problem, self.k, self.u, self.v, slope, self.noise, tried[-1])
        if "rev" in modes and not abs(inner(self.u, numeric) - slope) <= allowed:
            self._fail_reverse(inner(self.u, numeric), slope, allowed, tried)
        assert tangent is not None
        self._fail_forward(tangent, numeric, tried)
        return 0.0

    def _which(self, mode: str) -> str:
        return f"check_grads, {mode} mode, order {self.n}"

    def _check_adjoint(self, forward: float, reverse: float, allowed: float) -> None:
        if not abs(forward - reverse) <= allowed:
            raise AssertionError(
                f"{self._which('both')}s: <u, J v> is {forward:.9g} but <J^T u, v> is {reverse:.9g} for {self._path}: "
                "a backward rule is not linear in its cotangent"
            )

    @property
    def _path(self) -> str:
        return self.problem.inputs[self.k]

    def _fail_reverse(self, numeric: float, slope: float, allowed: float, tried: list[float]) -> None:
        path, found = self._path, np.asarray(self.gradient[self.k])
        looked, expected = self._entries(tried[-1])
        off = np.abs(found.ravel()[looked] - expected)
        worst = int(np.argmax(off))
        at = np.unravel_index(int(looked[worst]), found.shape)
        raise AssertionError(
            f"{self._which('reverse')}: the gradient by {path} is wrong{_diagnosis(found, looked, expected)}\n"
            f"  worst entry {entry(path, at)}: analytic {found[at]:.9g}, numeric {expected[worst]:.9g}\n"
            f"  along a random direction: analytic {slope:.9g}, numeric {numeric:.9g}, allowed difference {allowed:.1e}\n"
            f"  step sizes tried (in units of the leaf's size): {_show(tried)}"
        )

    def _entries(self, h: float) -> tuple[Value, Value]:
        """Places of the leaf, and the slope of <u, f> along each."""
        leaf = np.asarray(self.problem.x[self.k])
        places = np.arange(leaf.size)
        if leaf.size > _LOOKED_AT:
            places = np.random.Generator(np.random.PCG64(0)).choice(places, _LOOKED_AT, replace=False)
        scale = self.problem.scales[self.k]
        slopes = []
        for i in places:
            unit = np.zeros(leaf.size)
            unit[i] = scale
            along = [unit.reshape(leaf.shape) if j == self.k else np.zeros_like(v) for j, v in enumerate(self.v)]
            slopes.append(inner(self.u, central(self.problem, along, h)) / scale)
        return places, np.array(slopes)

    def _fail_forward(self, tangent: Values, numeric: Values, tried: list[float]) -> None:
        off = [np.abs(a - b) for a, b in zip(tangent, numeric, strict=True)]
        j = int(np.argmax([np.max(a, initial=0.0) for a in off]))
        at = np.unravel_index(int(np.argmax(off[j])), off[j].shape)
        raise AssertionError(
            f"{self._which('forward')}: the derivative along {self._path} is wrong\n"
            f"  worst entry {entry(self.problem.outputs[j], at)}: analytic {np.asarray(tangent[j])[at]:.9g}, "
            f"numeric {np.asarray(numeric[j])[at]:.9g}\n"
            f"  step sizes tried (in units of the leaf's size): {_show(tried)}"
        )


def _show(steps: list[float]) -> str:
    return ", ".join([f"{h:.1e}" for h in steps])


def _diagnosis(found: Value, looked: Value, expected: Value) -> str:
    """What a wrong gradient looks like, where it looks like one of the usual mistakes."""
    flat = found.ravel()[looked]
    close = 1e-4 * float(np.max(np.abs(expected), initial=0.0))
    if not np.any(flat):
        return ": it is 0 everywhere (was it stopped, or made constant?)"
    if found.ndim == 2 and found.shape[0] == found.shape[1] and len(looked) == found.size:
        whole = expected.reshape(found.shape)
        if np.all(np.abs(found - whole.T) <= close) and not np.all(np.abs(whole - whole.T) <= close):
            return ": it is the transpose of the right one"
    ratio = float(np.sum(flat * expected) / np.sum(expected * expected)) if np.any(expected) else 0.0
    if len(looked) > 1 and abs(ratio - 1) > 1e-6 and np.all(np.abs(flat - ratio * expected) <= 1e-6 * np.max(np.abs(flat))):
        return f": it is {ratio:.8g} times the right one at every entry"
    count = int(np.sum(np.abs(flat - expected) > close))
    if not count and len(looked) < found.size:
        return f": at an entry that is not among the {len(looked)} that were compared"
    return f": at {count} of {len(looked)} entries that were compared" if count else ""
