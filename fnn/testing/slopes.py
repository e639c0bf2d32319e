"""What the checks of gradients are made of: f as a function of its floating leaves, random directions, slopes, kinks.

Everything runs in float64. A value that a stable function computes is the exact one for inputs that are off by a rounding,
so that its noise is eps * (|f| + sum |df/dx_i x_i|). A difference over a step h divides that noise by h: this, and the
size of the slope itself, are all that tolerances are made of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

import numpy as np

from fnn.arrays import Value, describe, frozen, read_only
from fnn.autodiff.transforms import vjp
from fnn.tree import equal, paths, show
from fnn.tree.structure import take_apart

Values: TypeAlias = list[Value]
Report = TypeVar("Report")

# How much larger than one rounding the noise of a function may be.
NOISE = 64.0


@dataclass(frozen=True)
class Problem:
    """A function of float64 leaves `x` to a list of floating arrays, with the paths of both, and the coarsest eps."""

    name: str
    f: Callable[[Values], Values]
    x: Values
    inputs: list[str]
    outputs: list[str]
    eps: float
    # the size of what f is a derivative of: rounding there is rounding here, even where the derivative vanishes
    floor: float = 0.0

    @property
    def scales(self) -> list[float]:
        """The size of the entries of each leaf, 1 for zeros: what steps are measured in."""
        sizes = [float(np.sqrt(np.mean(np.square(leaf)))) if leaf.size else 0.0 for leaf in self.x]
        return [max(size, 1e-3) if size else 1.0 for size in sizes]

    def at(self, x: Values) -> Values:
        """The values of f at other leaves, silently, in float64."""
        with np.errstate(all="ignore"):
            return [np.asarray(y, np.float64) for y in self.f(x)]

    def moved(self, direction: Values, by: float) -> Values:
        """x + by * direction, arrays where x has arrays and scalars where it has scalars."""
        moved = [leaf + by * v for leaf, v in zip(self.x, direction, strict=True)]
        return [
            read_only(np.asarray(new)) if isinstance(old, np.ndarray) else new for new, old in zip(moved, self.x, strict=True)
        ]

    def directions(self, rng: np.random.Generator) -> Values:
        """A random direction: no entry near 0, so that no entry is overlooked, and no two of the same size, so that kinks in
        several entries don't cancel.
        """
        return [scale * _signed(rng, leaf.shape) for leaf, scale in zip(self.x, self.scales, strict=True)]

    def noise(self, weights: Values, values: Values, gradient: Values) -> float:
        """The rounding error of <weights, f>."""
        size = size_of(weights, values) + size_of(gradient, self.x)
        return NOISE * self.eps * max(size, self.floor)


def _signed(rng: np.random.Generator, shape: tuple[int, ...]) -> Value:
    return np.asarray(rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 1.5, shape))


def weights_for(rng: np.random.Generator, values: Values) -> Values:
    """A random cotangent for each result."""
    return [_signed(rng, y.shape) for y in values]


def inner(a: Values, b: Values) -> float:
    """<a, b>."""
    return float(sum([np.sum(x * y) for x, y in zip(a, b, strict=True)]))


def size_of(a: Values, b: Values) -> float:
    """The sum of |a_i b_i|: what <a, b> is made of, whatever cancels."""
    return float(sum([np.sum(np.abs(x * y)) for x, y in zip(a, b, strict=True)]))


def single(direction: Values, k: int) -> Values:
    """The direction in leaf k alone."""
    return [v if i == k else np.zeros_like(v) for i, v in enumerate(direction)]


def problem_of(name: str, f: Callable[..., object], args: tuple[Any, ...]) -> Problem:
    """f as a function of the floating leaves of its arguments. TypeError where it has none; AssertionError where two calls
    differ or a value is not finite.
    """
    leaves, structure = take_apart(args)
    places = [i for i, leaf in enumerate(leaves) if leaf.dtype.kind == "f"]
    if not places:
        raise TypeError(
            f"{name}: the arguments {show(args)} have no floating array in them to differentiate; "
            "a Python number is held constant: write np.float64(2.0)"
        )
    constants = [frozen(leaf) for leaf in leaves]

    def call(x: Values) -> Any:
        given = list(constants)
        for i, leaf in zip(places, x, strict=True):
            given[i] = leaf
        return f(*structure.unflatten(given))

    def floating(x: Values) -> Values:
        return [y for y in take_apart(call(x))[0] if y.dtype.kind == "f"]

    x = [frozen(leaves[i].astype(np.float64)) for i in places]
    try:
        with np.errstate(all="ignore"):
            first, second = call(x), call(x)
    except TypeError as error:
        error.add_note(
            f"{name} runs the function with its arguments in float64; arrays that it closes over must be float64 too, "
            "or be passed as arguments"
        )
        raise
    found = [(path, leaf) for path, leaf in paths(first) if leaf.dtype.kind == "f"]
    if not found:
        got = show(first) if first is None or paths(first) else f"a {type(first).__name__}"
        raise TypeError(f"{name}: the function returned {got}, expected a tree with a floating array or NumPy scalar in it")
    if not equal(first, second):
        raise AssertionError(
            f"{name}: the function is not deterministic: two calls with the same arguments gave different results"
            f"{_first_difference(first, second)}; draw from a key that is an argument, and keep no state between calls"
        )
    inputs = [f"args{path}" for path, leaf in paths(args) if leaf.dtype.kind == "f"]
    outputs = [f"result{path}" for path, _ in found]
    eps = max([float(np.finfo(leaf.dtype).eps) for _, leaf in found])
    check_finite(name, "the value", outputs, [leaf for _, leaf in found])
    return Problem(name, floating, x, inputs, outputs, max(eps, float(np.finfo(np.float64).eps)))


def _first_difference(a: Any, b: Any) -> str:
    if show(a) != show(b):
        return f", {show(a)} and {show(b)}"
    for (path, x), (_, y) in zip(paths(a), paths(b), strict=True):
        if not equal(x, y):
            at = np.unravel_index(int(np.argmax(np.asarray(x != y))), x.shape)
            return f", at {entry('result' + path, at)}: {x[at]!r} and {y[at]!r}"
    return ""


def entry(path: str, index: tuple[Any, ...]) -> str:
    """How one entry of a leaf is written."""
    return f"{path}[{', '.join(str(int(i)) for i in index)}]" if index else path


def check_finite(name: str, what: str, names: list[str], values: Values) -> None:
    """AssertionError with the path of the first value that is NaN or infinite."""
    for path, value in zip(names, values, strict=True):
        bad = ~np.isfinite(value)
        if np.any(bad):
            at = np.unravel_index(int(np.argmax(bad)), value.shape)
            raise AssertionError(
                f"{name}: {what} is not finite at {entry(path, at)}: {np.asarray(value)[at]} "
                f"({np.sum(bad)} of {value.size} entries of {describe(value)})"
            )


def gradient_at(problem: Problem, weights: Values) -> Values:
    """The pullback of `weights` at x, once it is sure that f under differentiation is still f."""
    with np.errstate(all="ignore"):
        traced, pullback = vjp(problem.f, problem.x)
        gradient = pullback(weights)
    plain = problem.at(problem.x)
    for path, y, z in zip(problem.outputs, plain, traced, strict=True):
        allowed = NOISE * problem.eps * max(float(np.max(np.abs(y), initial=0.0)), problem.floor)
        if y.shape != z.shape or np.any(np.abs(y - z) > allowed):
            raise AssertionError(
                f"{problem.name}: {path} has another value while it is differentiated, {z} instead of {y}; "
                "does the function look at whether it is being differentiated?"
            )
    check_finite(problem.name, "the gradient", problem.inputs, gradient)
    return gradient


def central(problem: Problem, direction: Values, h: float) -> Values:
    """The derivative along a direction, by central differences over h and h / 2, extrapolated: the error falls as h^4.

    d(h) = (f(x + h v) - f(x - h v)) / 2 h = f' + c h^2 + ..., hence (4 d(h / 2) - d(h)) / 3 is free of c.
    """
    wide, narrow = (
        [a - b for a, b in zip(problem.at(problem.moved(direction, t)), problem.at(problem.moved(direction, -t)), strict=True)]
        for t in (h, h / 2)
    )
    return [(8 * b - a) / (6 * h) for a, b in zip(wide, narrow, strict=True)]


@dataclass(frozen=True)
class Kink:
    """A place where the function has no derivative: its slopes on both sides along a direction in the leaf at `path`, and the
    one that `grad` gives. The check went on at a point nearby.
    """

    path: str
    left: float
    right: float
    analytic: float


class MeetsKink(Exception):  # noqa: N818 (it says where a check goes on, not that something went wrong)
    """A slope is not to be had here: the check goes on elsewhere."""

    def __init__(self, kink: Kink) -> None:
        super().__init__(kink)
        self.kink = kink


def refuse_kink(problem: Problem, k: int, weights: Values, direction: Values, analytic: float, noise: float, h: float) -> None:
    """MeetsKink where the slopes on both sides of x differ by more than curvature explains, are those of a jump, or infinite.

    Their difference over h is K + c h, with K = 0 where f is smooth: from h and 10 h, K = (10 gap(h) - gap(10 h)) / 9.
    At a jump, and where f begins like a root, the slope over h is larger than that over 10 h.
    """
    here = problem.at(problem.x)
    sides = []
    for t in (h, 10 * h):
        right = [(y - z) / t for y, z in zip(problem.at(problem.moved(direction, t)), here, strict=True)]
        left = [(z - y) / t for y, z in zip(problem.at(problem.moved(direction, -t)), here, strict=True)]
        sides.append((left, right))
    (left, right), (left10, right10) = sides
    gap = [
        (10 * (b - a) - (d - c)) / 9  # as in the formula above
        for a, b, c, d in zip(left, right, left10, right10, strict=True)
    ]
    total = size_of(weights, gap)
    # what c h leaves over falls as h^2, like the error of any slope
    allowed = 4 * noise / h + problem.eps**0.6 * max(size_of(weights, right), size_of(weights, left))
    jumps = any(size_of(weights, a) > max(2 * size_of(weights, b), allowed) for a, b in ((left, left10), (right, right10)))
    if not np.isfinite(total) or total > allowed or jumps:
        raise MeetsKink(Kink(problem.inputs[k], inner(weights, left), inner(weights, right), analytic))


def nearby(problem: Problem, rng: np.random.Generator) -> Iterator[Problem]:
    """The problem at x, then at random points around it where f is finite."""
    yield problem
    for size in (0.1, 0.03, 0.01, 0.1, 0.03, 0.01, 0.003, 0.3):
        other = replace(problem, x=problem.moved(problem.directions(rng), size))
        if all(bool(np.all(np.isfinite(y))) for y in other.at(other.x)):
            yield other


def at_a_smooth_point(
    problem: Problem, rng: np.random.Generator, check: Callable[[Problem], Report]
) -> tuple[Report, list[Kink]]:
    """What `check` gives at x or, where it meets a kink, at a point nearby; and the kinks that it met."""
    kinks: list[Kink] = []
    for place in nearby(problem, rng):
        try:
            return check(place), kinks
        except MeetsKink as met:
            kinks.append(met.kink)
    last = kinks[-1]
    raise AssertionError(
        f"{problem.name}: no point near the arguments where the function is smooth along {last.path}: after "
        f"{len(kinks)} tries the slopes on both sides are still {last.left:.6g} and {last.right:.6g}. Does it jump, round, "
        "compute in a coarser dtype inside, or turn within a millionth of its arguments, as sin(1e6)?"
    )
