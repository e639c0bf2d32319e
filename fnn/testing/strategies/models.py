"""Layers, and whole models with parameters, state and an input that fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, Unpack

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from fnn import tree
from fnn.arrays import Array2
from fnn.functional.activations import gelu, leaky_relu, log_softmax, relu, sigmoid, silu, softmax, softplus, tanh
from fnn.layers.combinators import chain, residual, stack
from fnn.layers.core import BatchNorm, Dense, Dropout
from fnn.layers.layer import Chain, Layer, init
from fnn.random import key
from fnn.testing.strategies.arrays import Entries, arrays
from fnn.testing.strategies.code import code
from fnn.testing.strategies.like import like

if TYPE_CHECKING:
    from hypothesis.vendor.pretty import RepresentationPrinter

In = TypeVar("In")
Out = TypeVar("Out")
P = TypeVar("P")
S = TypeVar("S")

RowLayer: TypeAlias = Layer[Array2, Array2, Any, Any]

Rows: TypeAlias = Callable[[Array2], Array2]
Maker: TypeAlias = Callable[[int, int, Rows], Any]

_SMOOTH: tuple[Rows, ...] = (tanh, sigmoid, softplus, gelu, silu, softmax, log_softmax)
_ALL: tuple[Rows, ...] = (relu, *_SMOOTH, leaky_relu)


# What makes a layer from the widths at both ends and a function.
def _linear(n_in: int, n_out: int, f: Rows) -> Any:
    return Dense(n_in, n_out, bias=False)


def _dense(n_in: int, n_out: int, f: Rows) -> Any:
    return Dense(n_in, n_out)


def _batch_norm(n_in: int, n_out: int, f: Rows) -> Any:
    return BatchNorm(n_in)


def _dropout(n_in: int, n_out: int, f: Rows) -> Any:
    return Dropout(0.5)


def _residual(n_in: int, n_out: int, f: Rows) -> Any:
    return residual(Dense(n_in, n_in) >> f)


def _stack(n_in: int, n_out: int, f: Rows) -> Any:
    return stack(2, Dense(n_in, n_in) >> f)


def _chain(n_in: int, n_out: int, f: Rows) -> Any:
    return Dense(n_in, n_out) >> f


def _function(n_in: int, n_out: int, f: Rows) -> Any:
    return f


# The fewest numbers first: Hypothesis shrinks to the first, and to what takes fewer choices.
_FIRST: tuple[Maker, ...] = (_linear, _dense, _batch_norm)
_LATER: tuple[Maker, ...] = (_dropout, _chain, _residual, _stack)
_KEEP_THE_WIDTH: tuple[Maker, ...] = (_batch_norm, _dropout, _residual, _stack)


@dataclass(frozen=True, eq=False, repr=False)
class ModelCase(Generic[In, Out, P, S]):
    """A model with parameters, a state and an input that fit: `fnn.forward(case.model, case.params, case.state, case.x)`.

    Its repr is code that makes it, where NumPy is `np` and the names are those of fnn.
    """

    model: Layer[In, Out, P, S]
    params: P
    state: S
    x: In

    def __repr__(self) -> str:
        fields = {"params": self.params, "state": self.state, "x": self.x}
        lines = "".join([f"    {name}={code(part)},\n" for name, part in fields.items()])  # type: ignore[arg-type]  # trees
        return f"ModelCase(\n    model={self.model!r},\n{lines})"

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:
        """How Hypothesis prints it: as the repr, indented."""
        for i, line in enumerate(repr(self).split("\n")):
            if i:
                printer.break_()
            printer.text(line)


@st.composite
def _case(draw: DrawFn, model: Any, x: SearchStrategy[Any], entries: Entries) -> ModelCase[Any, Any, Any, Any]:
    params, state = tree.astype(init(model, key(0)), entries.get("dtype", np.float32))
    return ModelCase(model, draw(like(params, **entries)), draw(like(state, **entries)), draw(x))


def cases(
    model: Layer[In, Out, P, S], x: SearchStrategy[In], /, **entries: Unpack[Entries]
) -> SearchStrategy[ModelCase[In, Out, P, S]]:
    """Cases of one model, any layer of your own too, for inputs from x. Parameters and state are as in `Entries`.

    >>> import fnn
    >>> from hypothesis import find
    >>> from fnn.testing.strategies import arrays
    >>> find(cases(fnn.Dense(2, 1) >> fnn.relu, arrays((1, 2))), lambda case: True)
    ModelCase(
        model=Dense(2, 1) >> relu,
        params=(DenseParams(weight=np.array([[1.], [1.]], np.float32), bias=np.array([1.], np.float32)), None),
        state=(None, None),
        x=np.array([[1., 1.]], np.float32),
    )
    """
    return _case(model, x, entries)


def layers(
    n_in: int, n_out: int | None = None, *, max_width: int = 3, smooth: bool = False, draws: bool = True
) -> SearchStrategy[RowLayer]:
    """Layers that take [batch, n_in]: Dense, BatchNorm, Dropout, residual, stack and short chains of these.

    n_out: the width of what comes out; n_in or any up to max_width where it is left out.
    smooth: only functions without kinks, so that gradients can be compared with finite differences everywhere.
    draws: whether there may be dropout, which draws in training.
    The simplest layer is a Dense without bias.

    >>> import fnn
    >>> from hypothesis import find
    >>> find(layers(2), lambda layer: isinstance(layer, fnn.Residual))
    residual(Dense(2, 2) >> relu)
    """
    makers = [*_FIRST, *_LATER] if draws else [make for make in (*_FIRST, *_LATER) if make is not _dropout]
    if n_out not in (None, n_in):
        makers = [make for make in makers if make not in _KEEP_THE_WIDTH]
    return _recipe(tuple(makers), n_in, n_out, max_width, smooth).map(_layer_made_by)


# Hypothesis prints a dataclass with all its fields, but where it knows the call that made it the shorter of that call and the
# repr. This call is never shorter.
def _layer_made_by(recipe: Callable[[], RowLayer]) -> RowLayer:
    return recipe()


@st.composite
def _recipe(
    draw: DrawFn, makers: tuple[Maker, ...], n_in: int, n_out: int | None, max_width: int, smooth: bool
) -> Callable[[], Any]:
    # Always the same three choices, even where one is not used, so that none of the makers looks simpler for needing fewer.
    make = draw(_one_of(makers))
    width = draw(_one_of(tuple(sorted({*range(1, max_width + 1), n_in})))) if n_out is None else n_out
    f = draw(_one_of(_SMOOTH if smooth else _ALL))
    return partial(make, n_in, width, f)


# A strategy is an immutable value, and dear: Hypothesis looks through each new one. So they are kept.
_one_of: Callable[[tuple[Any, ...]], SearchStrategy[Any]] = lru_cache(256)(st.sampled_from)


@st.composite
def _model(draw: DrawFn, n_in: int, n_out: int | None, max_parts: int, max_width: int, smooth: bool, draws: bool) -> RowLayer:
    later = [make for make in (_function, *_FIRST, *_LATER) if draws or make is not _dropout]
    parts = [draw(_recipe(_FIRST, n_in, None, max_width, smooth))()]
    for _ in range(draw(st.integers(0, max_parts - 1))):
        parts.append(draw(_recipe(tuple(later), _width(parts, n_in), None, max_width, smooth))())
    width = _width(parts, n_in)
    if n_out is not None and n_out != width:
        parts.append(Dense(width, n_out))
    return parts[0] if len(parts) == 1 else chain(parts)


def _width(parts: Sequence[Any], width: int) -> int:
    """The width of what comes out of the parts."""
    for part in parts:
        width = _width(part.layers, width) if isinstance(part, Chain) else part.n_out if isinstance(part, Dense) else width
    return width


@st.composite
def _model_case(
    draw: DrawFn,
    n_in: int | None,
    min_rows: int,
    model_in: Callable[[int], SearchStrategy[RowLayer]],
    max_width: int,
    entries: Entries,
) -> ModelCase[Array2, Array2, Any, Any]:
    width = draw(st.integers(1, max_width)) if n_in is None else n_in
    model = draw(model_in(width))
    has_statistics = tree.size(init(model, key(0))[1]) > 0
    rows = draw(st.integers(max(min_rows, 2 if has_statistics else 1), max(min_rows, 3)))
    return draw(cases(model, arrays((rows, width), **entries), **entries))


def models(
    n_in: int | None = None,
    n_out: int | None = None,
    *,
    max_parts: int = 3,
    max_width: int = 3,
    min_rows: int = 1,
    smooth: bool = False,
    draws: bool = True,
    **entries: Unpack[Entries],
) -> SearchStrategy[ModelCase[Array2, Array2, Any, Any]]:
    """Models of up to max_parts layers (see `layers`) and functions, with params, state and x [rows, n_in] that fit.

    n_in, n_out: the widths at both ends, drawn from [1, max_width] where they are left out; a Dense layer that makes n_out
    is added where it is needed. A model with batch norm gets two rows or more, so that it runs in training too.
    smooth, draws: as in `layers`. Parameters, state and x are as in `Entries`.
    The simplest model is the one with the fewest numbers, `Dense(1, 1, bias=False)` with a weight of 1.

    >>> from hypothesis import find
    >>> find(models(2, dtype=np.float64), lambda case: "relu" in repr(case.model))
    ModelCase(
        model=Dense(2, 1, bias=False) >> relu,
        params=(LinearParams(weight=np.array([[1.], [1.]], np.float64)), None),
        state=(None, None),
        x=np.array([[1., 1.]], np.float64),
    )
    """

    def model_in(width: int) -> SearchStrategy[RowLayer]:
        return _model(width, n_out, max_parts, max_width, smooth, draws)

    return _model_case(n_in, min_rows, model_in, max_width, entries)
