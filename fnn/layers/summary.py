"""A table of a model's layers: what they give, what they hold and what they cost, without running the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fnn.autodiff.abstract import abstract
from fnn.autodiff.primitive import shape_of
from fnn.layers.layer import Layer, P, S, check_layer, init
from fnn.layers.observe import Forward, Place, observed
from fnn.layers.table import as_table
from fnn.mode import EVAL, Mode
from fnn.random import key
from fnn.tree.structure import take_apart

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


@dataclass(frozen=True)
class Row:
    """One layer. `path` is how one reaches it from the model, as in model[0].body[1]; n times in a stack it is one row."""

    path: str
    layer: str
    output: str
    parameters: int
    bytes: int
    multiply_adds: int


@dataclass(frozen=True, repr=False)
class Summary:
    """The rows of `summary`, and their totals; `str(summary)` is the table. Parameters that are shared count once."""

    rows: tuple[Row, ...]
    parameters: int
    bytes: int
    multiply_adds: int

    def __str__(self) -> str:
        head = ("path", "layer", "output", "parameters", "bytes", "multiply-adds")
        body = [(r.path, r.layer, r.output, f"{r.parameters:,}", f"{r.bytes:,}", f"{r.multiply_adds:,}") for r in self.rows]
        total = ("total", "", "", f"{self.parameters:,}", f"{self.bytes:,}", f"{self.multiply_adds:,}")
        return as_table(head, body, left=3, total=total)

    def __repr__(self) -> str:
        """One line: where Python shows what `summary` returned, the table stands right above."""
        return f"Summary({len(self.rows)} layers, {self.parameters:,} parameters, {self.multiply_adds:,} multiply-adds)"


@dataclass
class _Cost:
    """What was seen of one layer so far."""

    path: str = ""
    layer: str = ""
    is_whole: bool = False
    output: str = ""
    parameters: int = 0
    bytes: int = 0
    multiply_adds: int = 0
    times: int = 0

    def row(self) -> Row:
        layer = self.layer if self.times < 2 else f"{self.layer} x {self.times}"
        return Row(self.path or "model", layer, self.output, self.parameters, self.bytes, self.multiply_adds)


_INPUT = "the input"


class _Watch:
    """One run of a model on abstract arrays. `inner` has, for each layer that is running, what its parts have cost."""

    def __init__(self) -> None:
        self.tally = [0]
        self.inner = [0]
        self.claimed: set[int] = set()
        self.costs: list[_Cost] = []
        # who gave an array, by its identity; the arrays are kept, so that no other takes it
        self.given: dict[int, tuple[Any, str]] = {}
        self.failed = False

    def gives(self, tree: Any, who: str) -> None:
        """Remember who gave these arrays."""
        for leaf in take_apart(tree)[0]:
            self.given[id(leaf)] = (leaf, who)

    def source(self, tree: Any) -> str:
        """Who gave them, where a layer or the input did."""
        found = [self.given[id(leaf)][1] for leaf in take_apart(tree)[0] if id(leaf) in self.given]
        return found[0] if found else ""

    def around(self, place: Place, params: Any, state: Any, x: Any, mode: Mode, run: Forward) -> tuple[Any, Any]:
        """One layer runs: what it gives and costs is written down."""
        cost = self.cost_of(place)
        before = self.tally[0]
        self.inner.append(0)
        here = f"{place.path} {place.layer!r}".strip()
        try:
            y, after = run(params, state, x, mode)
            output = _shapes(y)
        except (ValueError, TypeError, IndexError) as error:
            if self.failed:
                raise
            self.failed = True
            source = self.source(x)
            given = (
                f"the input, {_shapes(x)}" if source == _INPUT else _shapes(x) + (f", which {source} gives" if source else "")
            )
            kind = TypeError if isinstance(error, TypeError) else ValueError
            hint = "; for labels or tokens say dtype=np.int64" if source == _INPUT and kind is TypeError else ""
            raise kind(f"summary: {here} does not take {given}: {error}{hint}") from error
        spent = self.tally[0] - before
        cost.multiply_adds += spent - self.inner.pop()
        self.inner[-1] += spent
        # what no layer inside has claimed; an array that two layers share counts once
        mine = [leaf for leaf in take_apart(params)[0] if id(leaf) not in self.claimed]
        self.claimed.update([id(leaf) for leaf in mine])
        cost.parameters += sum([leaf.size for leaf in mine])
        cost.bytes += sum([leaf.nbytes for leaf in mine])
        cost.output = output
        cost.times += 1
        if y is not x:
            self.gives(y, here)
        return y, after

    def cost_of(self, place: Place) -> _Cost:
        """What was seen of the layer at this place; rows stand in the order of the places."""
        while len(self.costs) <= place.number:
            self.costs.append(_Cost())
        cost = self.costs[place.number]
        cost.path, cost.is_whole = place.path, place.is_whole
        cost.layer = f"{repr(place.layer).partition(chr(40))[0]}, of its own" if place.is_whole else repr(place.layer)
        return cost


def _shapes(x: Any) -> str:
    found = [str(list(shape_of(leaf))) for leaf in take_apart(x)[0]]
    return found[0] if len(found) == 1 else f"({', '.join(found)})"


def _inputs(shape: Any, dtype: Any, tally: list[int]) -> Any:
    lengths = isinstance(shape, (tuple, list)) and all([isinstance(n, (int, np.integer, tuple, list)) for n in shape])
    if not lengths or not shape:
        found = "an array; write x.shape" if isinstance(shape, np.ndarray) else f"{shape!r}"
        raise TypeError(f"summary: input_shape is {found}, expected a tuple of ints, batch first, or a tuple of such tuples")
    if all([isinstance(n, (int, np.integer)) for n in shape]):
        if min(shape) < 0:
            raise ValueError(f"summary: input_shape is {shape}, expected lengths of axes, batch first")
        return abstract(shape, np.zeros((), dtype), tally)
    return tuple([_inputs(part, dtype, tally) for part in shape])


def summary(
    model: Layer[Any, Any, P, S],
    input_shape: Sequence[int] | Sequence[Sequence[int]],
    /,
    *,
    dtype: DTypeLike = np.float32,
    printer: Callable[[str], object] | None = print,
) -> Summary:
    """Print a table of the model's layers: path, layer, output shape, parameters, their bytes, multiply-adds; and totals.

    input_shape: with the batch first, of an array, or of each in a tuple of arrays; dtype: of the input, np.int64 for tokens.
    A multiply-add is one multiplication with its addition in a product of matrices or a convolution, for the whole batch;
    elementwise operations do not count. The path is how one reaches a layer: of `[0].body[1]`, as `model[0].body[1]`.

    Nothing is computed but the initial parameters: forward runs in evaluation mode on arrays of a shape without memory
    (fnn.autodiff.abstract), so that every layer written in NumPy can be in the table, a user's own too.

    The table goes to `printer`, such as a logger's `info`; None prints nothing. It is what `str` gives of the Summary that is
    returned, so that `print(summary(model, shape, printer=None))` prints it once.

    Raises ValueError, or TypeError, at the first layer that does not take what comes to it, with the shapes of both.

    >>> import fnn
    >>> table = fnn.summary(fnn.Dense(64, 128) >> fnn.relu >> fnn.Dense(128, 10), (32, 64))
    path   layer           output     parameters   bytes  multiply-adds
    -------------------------------------------------------------------
    [0]    Dense(64, 128)  [32, 128]       8,320  33,280        262,144
    [1]    relu            [32, 128]           0       0              0
    [2]    Dense(128, 10)  [32, 10]        1,290   5,160         40,960
    -------------------------------------------------------------------
    total                                  9,610  38,440        303,104
    >>> table.parameters
    9610
    """
    check_layer("summary", model)
    watch = _Watch()
    made: Any = init(model, key(0))
    leaves, structure = take_apart(made)
    params, state = structure.unflatten([abstract(leaf.shape, np.zeros((), leaf.dtype), watch.tally) for leaf in leaves])
    x = _inputs(input_shape, dtype, watch.tally)
    watch.gives(x, _INPUT)
    observed(model, watch.around).forward(params, state, x, EVAL)
    shown = [c for c in watch.costs if c.times and (not c.is_whole or c.parameters or c.multiply_adds)]
    table = Summary(
        tuple([cost.row() for cost in shown]),
        sum([cost.parameters for cost in shown]),
        sum([cost.bytes for cost in shown]),
        sum([cost.multiply_adds for cost in shown]),
    )
    if printer is not None:
        printer(str(table))
    return table
