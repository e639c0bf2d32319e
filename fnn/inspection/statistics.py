"""Activations by layer and gradients by leaf, as numbers, with hints in plain language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fnn.arrays import Value, describe
from fnn.autodiff.tracer import value_of
from fnn.functional.activations import sigmoid, tanh
from fnn.layers.layer import Function, In, Layer, check_layer
from fnn.layers.observe import Forward, Place, observed
from fnn.layers.table import as_table
from fnn.mode import EVAL, Mode, check_mode
from fnn.tree import PyTree, flatten, paths
from fnn.tree.structure import T as P
from fnn.tree.structure import difference

# Functions with flat ends: within a hundredth of their range from an end the slope is below 0.04 of its largest.
_ENDS: dict[Any, tuple[float, float]] = {tanh: (-1, 1), np.tanh: (-1, 1), sigmoid: (0, 1)}
_NEAR = 0.01
# what hints call much: units that are dead, entries at the ends, growth from the input, and gradients among the leaves
_MANY = 0.1
_HALF = 0.5
_FAR = 100.0
_APART = 1e4
_STEEP = 1e3


@dataclass(frozen=True)
class LayerRow:
    """What a layer gave for one batch. `run` counts the runs of a layer that runs several times, as in a stack, from 0.

    output: dtype and shape; mean, std: of all entries; zeros: the part of entries that are 0; dead: the part of units (of the
    last axis) that are 0 in every row; saturated: the part of entries within 1 % of the ends of tanh or sigmoid, None for other
    layers; hint: what is wrong in plain language, "" where nothing is.
    """

    path: str
    layer: str
    run: int
    output: str
    mean: float
    std: float
    zeros: float
    dead: float
    saturated: float | None
    hint: str


@dataclass(frozen=True, repr=False)
class LayerStatistics:
    """The rows of `layer_statistics`, shown and printed as a table with the hints below."""

    rows: tuple[LayerRow, ...]

    @property
    def hints(self) -> tuple[str, ...]:
        """All hints, each with the path of its layer."""
        return tuple([f"{row.path or 'model'} {row.layer}: {row.hint}" for row in self.rows if row.hint])

    def __str__(self) -> str:
        cells = [
            (
                r.path or "model", r.layer, r.output, f"{r.mean:.3g}", f"{r.std:.3g}", f"{r.zeros:.0%}", f"{r.dead:.0%}",
                "" if r.saturated is None else f"{r.saturated:.0%}",
            )
            for r in self.rows
        ]  # fmt: skip
        head = ("path", "layer", "output", "mean", "std", "zeros", "dead", "saturated")
        return "\n".join([as_table(head, cells, left=3), *self.hints])

    __repr__ = __str__


@dataclass(frozen=True)
class GradientRow:
    """The gradient of one leaf: its norm, that of the parameter, the root of its mean square, its largest entry, zeros."""

    path: str
    shape: str
    norm: float
    parameter_norm: float
    rms: float
    largest: float
    zeros: float
    hint: str


@dataclass(frozen=True, repr=False)
class GradientStatistics:
    """The rows of `gradient_statistics`, and the norm of all together, shown and printed as a table with hints below."""

    rows: tuple[GradientRow, ...]
    norm: float

    @property
    def hints(self) -> tuple[str, ...]:
        """All hints, each with the path of its leaf."""
        return tuple([f"{row.path or 'the root'}: {row.hint}" for row in self.rows if row.hint])

    def __str__(self) -> str:
        cells = [
            (
                r.path or "the root", r.shape, f"{r.norm:.3g}", f"{r.parameter_norm:.3g}", f"{r.rms:.3g}", f"{r.largest:.3g}",
                f"{r.zeros:.0%}",
            )
            for r in self.rows
        ]  # fmt: skip
        head = ("path", "gradient", "norm", "parameter norm", "rms", "largest", "zeros")
        total = ("all", "", f"{self.norm:.3g}", "", "", "", "")
        return "\n".join([as_table(head, cells, left=2, total=total), *self.hints])

    __repr__ = __str__


def layer_statistics(
    model: Layer[In, Any, Any, Any], params: PyTree, state: PyTree, x: In, mode: Mode = EVAL, /
) -> LayerStatistics:
    """Run the model on a batch, and say of every layer what it gave: mean, spread, zeros, dead units, saturation, and hints.

    A pure function: the model, its parameters and its state stay as they are. Layers that are made of layers have rows for
    those inside. Statistics are computed in float64. A batch of a hundred rows or more makes a unit that is 0 in all of them
    a dead one rather than a chance.

    >>> import fnn
    >>> model = fnn.Dense(4, 8) >> fnn.tanh >> fnn.Dense(8, 2)
    >>> x = np.random.default_rng(0).normal(0, 100, (64, 4)).astype(np.float32)
    >>> found = fnn.layer_statistics(model, *fnn.init(model, fnn.key(0)), x)
    >>> [row.path for row in found.rows]
    ['[0]', '[1]', '[2]']
    >>> print(found.hints[-1])
    [1] tanh: 99% of the values are at the ends, where the slope is almost 0: smaller weights or inputs, or a norm before it
    """
    check_layer("layer_statistics", model)
    check_mode("layer_statistics", mode)
    spread = _spread([leaf for _, leaf in paths(x)])  # type: ignore[arg-type]  # In is a tree
    rows: list[LayerRow] = []
    runs: dict[int, int] = {}

    def around(place: Place, params: Any, state: Any, x: Any, mode: Mode, run: Forward) -> tuple[Any, Any]:
        made = run(params, state, x, mode)
        if not place.is_whole:
            runs[place.number] = runs.get(place.number, -1) + 1
            given = [value_of(leaf) for _, leaf in paths(x)]
            for path, leaf in paths(made[0]):
                if value_of(leaf).dtype.kind == "f":
                    rows.append(_row(place, runs[place.number], path, value_of(leaf), given, spread))
        return made

    with np.errstate(all="ignore"):
        observed(model, around).forward(params, state, x, mode)
    return LayerStatistics(tuple(rows))


def _spread(leaves: Sequence[Value]) -> float:
    """The root mean square of the input's floating numbers, 1 where there are none (or all are 0)."""
    found = [np.asarray(leaf, np.float64).ravel() for leaf in leaves if leaf.dtype.kind == "f" and leaf.size]
    return float(np.sqrt(np.mean(np.square(np.concatenate(found))))) or 1.0 if found else 1.0


def _row(place: Place, run: int, path: str, y: Value, given: Sequence[Value], spread: float) -> LayerRow:
    v = np.asarray(y, np.float64)
    if not v.size:
        raise ValueError(f"layer_statistics: {place.path} {place.layer!r} gives {describe(y)}, which has no entries")
    ends = _ENDS.get(place.layer.f) if isinstance(place.layer, Function) else None
    saturated = None
    if ends is not None:
        near = _NEAR * (ends[1] - ends[0])
        saturated = float(np.mean((v < ends[0] + near) | (v > ends[1] - near)))
    units = v.reshape(-1, v.shape[-1]) if v.ndim else v.reshape(1, 1)
    dead = _dead(v)
    hint = _hint_of_layer(v, units, dead, saturated, spread, given)
    mean, std, zeros = float(v.mean()), float(v.std()), float(np.mean(v == 0))
    return LayerRow(place.path + path, repr(place.layer), run, describe(y), mean, std, zeros, dead, saturated, hint)


def _dead(v: Value) -> float:
    """The part of the units, of the last axis, that are 0 in every row."""
    return float(np.mean(np.all(v == 0, axis=tuple(range(v.ndim - 1)))))


def _hint_of_layer(v: Value, units: Value, dead: float, saturated: float | None, spread: float, given: Sequence[Value]) -> str:
    bad = np.count_nonzero(~np.isfinite(v))
    if bad:
        if not all([np.isfinite(x).all() for x in given]):
            return f"{bad} of {v.size} values are NaN or infinite, as some of what comes in already are"
        return (
            f"{bad} of {v.size} values are NaN or infinite: run it inside `with fnn.debug_nans():` to see where they come from"
        )
    rows, n = units.shape
    came_dead = max([_dead(x) for x in given if x.shape[-1:] == v.shape[-1:] or not x.any()], default=0.0)
    if dead >= _MANY and rows > 1 and dead > came_dead:
        return (
            f"{round(dead * n)} of {n} units are 0 in all {rows} rows, and so get no gradient (dead units): a lower learning "
            "rate, leaky_relu or gelu, or a norm before it"
        )
    if saturated is not None and saturated > _HALF:
        return (
            f"{saturated:.0%} of the values are at the ends, where the slope is almost 0: smaller weights or inputs, or a norm "
            "before it"
        )
    if rows > 1 and np.all(units == units[0]):
        return "gives the same for every row: nothing of the input comes through"
    size = float(np.sqrt(np.mean(np.square(v))))
    if size > _FAR * spread:
        return f"the values are {size / spread:.0f} times those of the input (exploding): smaller initial weights, or a norm"
    if size < spread / _FAR:
        return f"the values are 1/{spread / size:.0f} of those of the input (vanishing): larger initial weights, or a norm"
    return ""


def gradient_statistics(grads: P, params: P, /) -> GradientStatistics:
    """What the gradients of a net are, leaf by leaf: norms, the largest entry, zeros, and hints.

    Raises ValueError, with the path, where the trees differ in structure.

    >>> import fnn
    >>> params = {"w": np.ones((2, 2)), "unused": np.ones(3)}
    >>> grads = fnn.grad(lambda p: np.sum(p["w"] ** 2))(params)
    >>> gradient_statistics(grads, params)
    path        gradient  norm  parameter norm  rms  largest  zeros
    ---------------------------------------------------------------
    ['w']       f64[2,2]     4               2    2        2     0%
    ['unused']  f64[3]       0            1.73    0        0   100%
    ---------------------------------------------------------------
    all                      4
    ['unused']: gets no gradient: the loss does not depend on it, or the units behind it are dead
    """
    structure = flatten(params)[1]
    if structure.leaves_of(grads) is None:
        raise ValueError(f"gradient_statistics: gradients and parameters differ: {difference(grads, params)}")
    pairs = [
        (path, g, np.asarray(g, np.float64).ravel(), np.asarray(p, np.float64).ravel())
        for (path, g), (_, p) in zip(paths(grads), paths(params), strict=True)
    ]
    for path, g, _, p in pairs:
        if g.size != p.size:
            raise ValueError(
                f"gradient_statistics: the gradient {path} is {describe(g)}, but its parameter has {p.size} entries"
            )
    sizes = [_rms(g) for _, _, g, _ in pairs]
    largest = max([size for size in sizes if np.isfinite(size)], default=0.0)
    rows = []
    for (path, leaf, g, p), size in zip(pairs, sizes, strict=True):
        norm, parameter_norm = float(np.linalg.norm(g)), float(np.linalg.norm(p))
        most, zeros = float(np.max(np.abs(g), initial=0)), float(np.mean(g == 0)) if g.size else 0.0
        hint = _hint_of_gradient(g, size, largest, norm)
        rows.append(GradientRow(path, describe(leaf), norm, parameter_norm, size, most, zeros, hint))
    return GradientStatistics(tuple(rows), float(np.sqrt(sum([row.norm**2 for row in rows]))))


def _rms(g: Value) -> float:
    return float(np.sqrt(np.mean(np.square(g)))) if g.size else 0.0


def _hint_of_gradient(g: Value, size: float, largest: float, norm: float) -> str:
    bad = np.count_nonzero(~np.isfinite(g))
    if bad:
        return (
            f"{bad} of {g.size} entries are NaN or infinite: run it inside `with fnn.debug_nans():` to see where they come from"
        )
    if g.size and not g.any():
        return "gets no gradient: the loss does not depend on it, or the units behind it are dead"
    if norm > _STEEP:
        return (
            f"its norm is {norm:.3g} (exploding): clip with fnn.ClipByGlobalNorm, lower the learning rate, or scale the inputs"
        )
    if g.size and size * _APART < largest:
        return (
            f"is 1/{largest / size:.0f} of the largest gradient (vanishing): residual connections, a norm, other first weights"
        )
    return ""
