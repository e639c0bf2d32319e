"""A small net as a graph: forward values and backward derivatives at the places where they arise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from fnn.arrays import Array1, Array2, Scalar, Value
from fnn.autodiff.transforms import value_and_grad, vjp
from fnn.functional.linear import DenseParams, LinearParams, dense
from fnn.layers.core import Dense
from fnn.layers.layer import Chain, Function, Layer
from fnn.plot.canvas import BLUE, ORANGE, check_names, numbers, one, short
from fnn.tree import PyTree, leaves, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

P = TypeVar("P", bound=PyTree)
S = TypeVar("S", bound=PyTree)

MOST_UNITS, MOST_EDGES = 8, 24
_RADIUS, _ROW, _COLUMN = 0.46, 1.7, 3.6  # in units of the drawing, of which
_INCH = 0.72  # inches are one


@dataclass(frozen=True)
class _Stage:
    """A dense part and the functions behind it."""

    title: str
    params: DenseParams | LinearParams
    functions: tuple[Callable[[Array2], Array2], ...]

    def __call__(self, inputs: tuple[DenseParams | LinearParams, Array2]) -> Array2:
        y: Array2 = dense(*inputs)
        for f in self.functions:
            y = f(y)
        return y


@dataclass(frozen=True)
class _Column:
    """The units of one layer: their values and biases, the weights that lead to them, and the derivatives of the loss."""

    title: str
    values: Value
    weight: Value = None
    bias: Value = None
    d_values: Value = None
    d_weight: Value = None
    d_bias: Value = None


def network(
    model: Layer[Array2, Array2, P, S],
    params: P,
    x: Array1 | Array2,
    loss: Callable[[Array2], Scalar] | None = None,
    *,
    inputs: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """A net and one example: values in the nodes, weights on the edges, and in orange the derivative of the loss by each.

    model: a Dense, or a chain of Dense parts and functions; x: one example, [n] or [1, n]; loss: a function of the
    prediction [1, n_out], as `lambda p: fnn.mse(p, y)`, or None for the values alone. inputs: names of the inputs.

    A node has its value after the activation, below it the bias. Edges are as wide as their weights are large, dashed
    where negative. The derivatives come from `fnn.vjp`, stage by stage from the end of the net to its start: dW is the
    input of a stage times the derivative by its output (before the activation), and dx of it times W. So each number on
    the way is seen where it is used.

    Raises ValueError for more than 8 units in a layer or 24 edges between two, and where shapes do not fit; TypeError where
    a part of the model is not Dense and not a function.

    >>> import fnn
    >>> model = fnn.Dense(2, 3) >> fnn.tanh >> fnn.Dense(3, 1)
    >>> params, _ = fnn.init(model, fnn.key(0))
    >>> ax = network(model, params, np.ones(2, np.float32), lambda p: fnn.mse(p, np.zeros_like(p)))
    >>> len(ax.patches), len(ax.lines)  # nodes (and the loss), edges (and that to the loss)
    (7, 10)
    """
    row = numbers("network", "x", x)
    row = row[np.newaxis] if row.ndim == 1 else row
    if not isinstance(x, np.ndarray) or row.dtype.kind != "f":
        row = row.astype(next((leaf.dtype for leaf in leaves(params)), np.float32))  # a list has no dtype of its own to keep
    if row.ndim != 2 or len(row) != 1:
        raise ValueError(f"network: x has shape {row.shape}, expected one example, [n] or [1, n], as x[:1]")
    stages = _stages(model, params)
    _check_size(row.shape[1], stages)
    columns, value = _work_out(stages, row, loss)
    names = None if inputs is None else check_names("network", "inputs", inputs, row.shape[1])
    rows = max(len(column.values) for column in columns)
    width = _COLUMN * (len(columns) - 1 + 0.5 * (value is not None)) + 2.2
    is_narrow = value is not None and len(columns) < 3  # the legend needs two rows
    below = 1.0 + 0.35 * is_narrow
    height = _ROW * rows + 0.7 + below
    ax = one("network", ax, _INCH * width, _INCH * height)
    places = [_places(column, i) for i, column in enumerate(columns)]
    for (sources, targets), column in zip(pairwise(places), columns[1:], strict=True):
        _draw_edges(ax, sources, targets, column)
    for i, (column, spots) in enumerate(zip(columns, places, strict=True)):
        _draw_nodes(ax, column, spots, names if i == 0 else None)
        ax.text(i * _COLUMN, _ROW * rows / 2 + 0.15, column.title, ha="center", va="bottom", fontsize=10)
    if value is not None:
        end = (len(columns) - 0.5) * _COLUMN
        for x0, y0 in places[-1]:
            ax.plot([x0, end], [y0, 0], color="0.6", linewidth=1, zorder=1)
        text: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 9, "zorder": 4}
        _node(ax, end, 0, "0.9")
        ax.text(end, 0, f"loss\n{short(float(value))}", **text)
    _legend(ax, value is not None, is_narrow)
    ax.set(xlim=(-1.1, width - 1.1), ylim=(-_ROW * rows / 2 - below, _ROW * rows / 2 + 0.7), aspect="equal")
    ax.set_axis_off()
    return ax


def _stages(model: object, params: object) -> list[_Stage]:
    parts: Sequence[Any] = model.layers if isinstance(model, Chain) else (model,)
    slots: Any = params if isinstance(model, Chain) else (params,)
    if not isinstance(slots, tuple) or len(slots) != len(parts):
        raise ValueError(f"network: params is {show(params)}, which are not the parameters of {model!r}")
    stages: list[_Stage] = []
    for i, (part, slot) in enumerate(zip(parts, slots, strict=True)):
        if isinstance(part, Dense):
            if not isinstance(slot, (DenseParams, LinearParams)):
                raise ValueError(f"network: the parameters of part [{i}], {part!r}, are {show(slot)}")
            stages.append(_Stage("linear", slot, ()))
        elif isinstance(part, Function) and stages:
            last = stages[-1]
            title = repr(part) if not last.functions else f"{last.title}, {part!r}"
            stages[-1] = _Stage(title, last.params, (*last.functions, part.f))
        else:
            expected = "Dense or a function" if stages else "Dense, which a net to be drawn begins with"
            raise TypeError(f"network: part [{i}] of the model is {part!r}, expected {expected}")
    return stages


def _check_size(n_in: int, stages: list[_Stage]) -> None:
    for i, stage in enumerate(stages):
        n, m = stage.params.weight.shape
        if n != n_in:
            raise ValueError(
                f"network: {'x' if i == 0 else f'layer {i}'} has {n_in} values, but the weight behind it is {(n, m)}: "
                f"it takes {n}"
            )
        if max(n, m) > MOST_UNITS or n * m > MOST_EDGES:
            raise ValueError(
                f"network: layer {i + 1} has {n} x {m} weights, too many to draw: expected at most {MOST_UNITS} units and "
                f"{MOST_EDGES} edges; for larger layers see histograms and filters"
            )
        n_in = m


def _work_out(stages: list[_Stage], x: Value, loss: Callable[[Array2], Scalar] | None) -> tuple[list[_Column], Scalar | None]:
    """The columns of the graph, and the loss."""
    y, pullbacks, outputs = x, [], []
    for stage in stages:
        y, pull = vjp(stage, (stage.params, y))
        if y.shape != (1, stage.params.weight.shape[1]):
            raise ValueError(
                f"network: {stage.title} makes the shape {y.shape} of {stage.params.weight.shape[1]} units; a function that "
                "is drawn keeps the number of units"
            )
        pullbacks.append(pull)
        outputs.append(y)
    value, g = (None, None) if loss is None else value_and_grad(loss)(y)
    columns: list[_Column] = []
    for stage, pull, out in zip(stages[::-1], pullbacks[::-1], outputs[::-1], strict=True):
        bias = stage.params.bias if isinstance(stage.params, DenseParams) else None
        if g is None:
            columns.append(_Column(stage.title, out[0], stage.params.weight, bias))
            continue
        d_params, before = pull(g)
        d_bias = d_params.bias if isinstance(d_params, DenseParams) else None
        columns.append(_Column(stage.title, out[0], stage.params.weight, bias, g[0], d_params.weight, d_bias))
        g = before
    columns.append(_Column("input", x[0], d_values=None if g is None else g[0]))
    return columns[::-1], value


def _places(column: _Column, i: int) -> list[tuple[float, float]]:
    n = len(column.values)
    return [(i * _COLUMN, ((n - 1) / 2 - k) * _ROW) for k in range(n)]


def _node(ax: Axes, x: float, y: float, color: str) -> None:
    from matplotlib.patches import Circle  # noqa: PLC0415 (only a drawing needs matplotlib)

    ax.add_patch(Circle((x, y), _RADIUS, facecolor=color, edgecolor="0.2", linewidth=1.2, zorder=3))


def _draw_nodes(ax: Axes, column: _Column, places: list[tuple[float, float]], names: list[str] | None) -> None:
    text: dict[str, Any] = {"ha": "center", "va": "center", "zorder": 4}
    for k, (x, y) in enumerate(places):
        _node(ax, x, y, "white" if column.weight is not None else "0.95")
        two = column.d_values is not None
        ax.text(x, y + 0.15 * two, short(float(column.values[k])), color=BLUE, fontsize=9, **text)
        if two:
            ax.text(x, y - 0.17, short(float(column.d_values[k])), color=ORANGE, fontsize=8, **text)
        below = y - _RADIUS - 0.2
        if names is not None:
            ax.text(x, below, names[k], fontsize=9, **text)
        if column.bias is not None:
            # one below the other, as on the edges
            ax.text(x, below, f"b {short(float(column.bias[k]))}", fontsize=8, color="0.1", **text)
            if column.d_bias is not None:
                ax.text(x + 0.1, below - 0.24, short(float(column.d_bias[k])), fontsize=8, color=ORANGE, **text)


def _draw_edges(ax: Axes, sources: list[tuple[float, float]], targets: list[tuple[float, float]], column: _Column) -> None:
    largest = float(np.abs(column.weight).max()) or 1.0
    pairs = [(i, j) for i in range(len(sources)) for j in range(len(targets))]
    ends = np.array([[sources[i], targets[j]] for i, j in pairs])
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.9}
    for (i, j), spot, ((x0, y0), (x1, y1)) in zip(pairs, _spots(ends), ends, strict=True):
        w = float(column.weight[i, j])
        style = "--" if w < 0 else "-"
        ax.plot([x0, x1], [y0, y1], style, color="0.65", linewidth=0.6 + 2.2 * abs(w) / largest, zorder=1)
        two = column.d_weight is not None
        at = (float(spot[0]), float(spot[1]))
        ax.text(*at, short(w), va="bottom" if two else "center", ha="center", fontsize=8, color="0.1", bbox=box, zorder=2)
        if two:
            d = short(float(column.d_weight[i, j]))
            ax.text(*at, d, va="top", ha="center", fontsize=8, color=ORANGE, bbox=box, zorder=2)


def _spots(ends: Value) -> Value:
    """Where the text of each edge stands on it, [edges, 2]: as far as can be from the texts of the others.

    ends: [edges, 2, 2], the (x, y) where an edge starts and ends.
    """
    size = np.array([0.95, 0.75])  # distances are in widths and heights of a text
    along = np.linspace(0.22, 0.78, 29)[:, np.newaxis]
    start, way = ends[:, :1], ends[:, 1:] - ends[:, :1]
    places = start + along * way
    lines = start + np.linspace(0.05, 0.95, 60)[:, np.newaxis] * way
    spots = ends.mean(1)
    if len(ends) == 1:
        return spots
    for _ in range(12):  # each in its turn moves to the best place on its edge, until all have settled
        for k in range(len(ends)):
            text = _nearest(places[k] / size, np.delete(spots, k, 0) / size)
            edge = _nearest(places[k] / size, np.delete(lines, k, 0).reshape(-1, 2) / size)
            # Other texts count up to two widths away, above all below one, other edges up to half of one. Where there
            # is room enough, the middle of the edge is best.
            score = 3 * np.minimum(text, 1) + np.minimum(text, 2) + 2 * np.minimum(edge, 0.5) - 0.3 * np.abs(along[:, 0] - 0.5)
            spots[k] = places[k, int(score.argmax())]
    return spots


def _nearest(points: Value, others: Value) -> Value:
    """How far the nearest of the others is from each point, by the larger of both coordinates."""
    return np.abs(points[:, np.newaxis] - others).max(2).min(1)


def _legend(ax: Axes, with_loss: bool, is_narrow: bool) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415 (only a drawing needs matplotlib)

    handles = [
        Line2D([], [], color="0.5", label="weight"),
        Line2D([], [], color="0.5", linestyle="--", label="negative weight"),
        Line2D([], [], color=BLUE, marker="o", linestyle="", label="value"),
    ]
    if with_loss:
        handles.append(
            Line2D([], [], color=ORANGE, marker="o", linestyle="", label="derivative of the loss by what stands above it")
        )
    ax.legend(handles=handles, loc="lower center", ncols=2 if is_narrow else len(handles), frameon=False, fontsize=9)
