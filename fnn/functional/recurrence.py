"""What recurrent layers share: their parameters, their checks, and how their kernels lay out and walk through time.

Kernels work with time first and gates before it, [gates, time, batch, n], so that one gate at one step is one block of
memory: NumPy is two to three times slower on columns of a matrix. They see `padding`, a mask [time, batch, 1] that is True
behind the end of a row, or None where all rows are full.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from fnn.arrays import Array1, Array2, Value, describe, total
from fnn.autodiff.tracer import value_of
from fnn.functional.checks import check_array, check_not_wider
from fnn.initializers import uniform
from fnn.random import Key
from fnn.tree import Record, show


@dataclass(frozen=True, eq=False, repr=False)
class RecurrentParams(Record):
    """Parameters of a recurrent layer, with the gates side by side in the last axis, in PyTorch's order.

    input_weight [n_in, gates * n_hidden], hidden_weight [n_hidden, gates * n_hidden], and the biases of both, [gates *
    n_hidden]. An RNN has 1 gate, a GRU 3 (reset, update, new), an LSTM 4 (input, forget, cell, output).

    >>> import fnn
    >>> fnn.RecurrentParams.init(fnn.key(0), 2, 5, gates=4).hidden_weight.shape
    (5, 20)
    """

    input_weight: Array2
    hidden_weight: Array2
    input_bias: Array1
    hidden_bias: Array1

    @classmethod
    def init(cls, key: Key, n_in: int, n_hidden: int, /, *, gates: int) -> RecurrentParams:
        """New parameters, all uniform between -1 / sqrt(n_hidden) and 1 / sqrt(n_hidden), as in PyTorch."""
        bound = 1 / sqrt(n_hidden)
        draw = uniform(-bound, bound)
        width = gates * n_hidden
        k1, k2, k3, k4 = key.split(4)
        return RecurrentParams(draw(k1, (n_in, width)), draw(k2, (n_hidden, width)), draw(k3, (width,)), draw(k4, (width,)))


# Checks


def check_recurrence(name: str, gates: int, params: RecurrentParams, x: Value, axes: str, states: Mapping[str, Value]) -> None:
    """TypeError or ValueError unless parameters, x (with these axes) and initial states (None for zeros) fit together."""
    if not isinstance(params, RecurrentParams):
        raise TypeError(f"{name}: params is {show(params)}, expected RecurrentParams; are arguments swapped?")
    check_array(name, "x", x)
    fields = {what: value_of(array) for what, array in vars(params).items()}
    for what, array in {"x": x, **fields, **states}.items():
        if array is not None:
            check_array(name, what, array)
            check_not_wider(name, what, array, "input_weight", fields["input_weight"])
    w, u = fields["input_weight"], fields["hidden_weight"]
    if u.ndim != 2 or u.shape[1] != gates * u.shape[0]:
        expected = f"[n_hidden, {gates} * n_hidden]" if gates > 1 else "[n_hidden, n_hidden]"
        raise ValueError(
            f"{name}: hidden_weight has shape {u.shape}, expected {expected}; are these another layer's parameters?"
        )
    n_hidden, width = u.shape
    if w.ndim != 2 or w.shape[1] != width:
        raise ValueError(f"{name}: input_weight has shape {w.shape} but hidden_weight {u.shape}: it must be [n_in, {width}]")
    for what in ("input_bias", "hidden_bias"):
        if fields[what].shape != (width,):
            raise ValueError(
                f"{name}: {what} has shape {fields[what].shape} but hidden_weight {u.shape}: it must be ({width},)"
            )
    rank = axes.count(",") + 2
    if x.ndim != rank or x.shape[-1] != w.shape[0]:
        hint = "; for one sequence write x[np.newaxis]" if x.ndim == rank - 1 and x.shape[-1] == w.shape[0] else ""
        raise ValueError(f"{name}: x has shape {x.shape} but input_weight is {w.shape}: x must be [{axes}, {w.shape[0]}]{hint}")
    if rank == 3 and x.shape[1] == 0:
        raise ValueError(f"{name}: x has shape {x.shape}, without a step of time; expected at least one")
    for what, state in states.items():
        if state is not None and state.shape != (x.shape[0], n_hidden):
            raise ValueError(f"{name}: {what} has shape {state.shape}, expected [batch, n_hidden], {(x.shape[0], n_hidden)}")


def padding_of(name: str, lengths: Value, x: Value) -> Value:
    """The mask [time, batch, 1] of what lies behind the end of each row; None where nothing does.

    TypeError or ValueError unless `lengths` is None or [batch] integers between 0 and time.
    """
    if lengths is None:
        return None
    found = np.asarray(value_of(lengths))
    batch, time = x.shape[:2]
    if found.dtype.kind not in "iu":
        raise TypeError(f"{name}: lengths is {describe(found)}, expected integers: the number of steps of each row")
    if found.shape != (batch,):
        raise ValueError(f"{name}: lengths has shape {found.shape}, expected one for each row of x, ({batch},)")
    if batch and not 0 <= found.min() <= found.max() <= time:
        raise ValueError(f"{name}: lengths are from {found.min()} to {found.max()}, expected from 0 to {time}, the steps of x")
    mask = np.arange(time)[:, np.newaxis] >= found
    return mask[..., np.newaxis] if mask.any() else None


# Layout and the walk through time


def rows_of(x: Value, dtype: Any, padding: Value) -> Value:
    """x as rows [time * batch, n_in + 1] with a last column of ones: rows @ [weight; bias] is the projection with its bias,
    and rows.T @ d the gradients of both. Padding becomes 0, so that it has no influence whatever it is, nan included.
    """
    batch, time, n = x.shape
    rows = np.empty((time, batch, n + 1), dtype)
    rows[..., :n] = x.transpose(1, 0, 2)
    rows[..., n] = 1
    if padding is not None:
        np.copyto(rows[..., :n], 0, where=padding)
    return rows.reshape(time * batch, n + 1)


def by_gate(weight: Value, order: Sequence[int]) -> Value:
    """[rows, gates * n] as a new array [gates, rows, n], with the gates in this order: then each gate is one block of memory
    at each step, and NumPy multiplies by all of them in one call.
    """
    n = weight.shape[1] // len(order)
    return np.stack([weight[:, k * n : (k + 1) * n] for k in order])


def side_by_side(parts: Value, order: Sequence[int]) -> Value:
    """The way back, [gates, ..., n] to [..., gates * n]: the part at place order[k] comes k-th."""
    return np.concatenate([parts[k] for k in order], -1)


def with_bias(weight: Value, bias: Value) -> Value:
    """[weight; bias], a new array."""
    return np.concatenate([weight, bias[np.newaxis]])


def pull_rows(
    rows: Value, d: Value, weight: Value, shape: tuple[int, int, int], wanted: Sequence[bool]
) -> tuple[Value, Value, Value]:
    """Cotangents of x, weight [gates, n_in, n] and bias [gates, n] from d, that of rows @ [weight; bias], [gates, time *
    batch, n].
    """
    batch, time, n = shape
    dx = total(d @ weight.transpose(0, 2, 1), 0).reshape(time, batch, n).transpose(1, 0, 2) if wanted[0] else None
    both = rows.T @ d
    return dx, both[:, :-1], both[:, -1]


def states_of(initial: Value, time: int, batch: int, n: int, dtype: Any, reverse: bool) -> tuple[Value, Value]:
    """Two views, [time, batch, n], of one array: the state before each step, the first one set, and that after it."""
    states = np.empty((time + 1, batch, n), dtype)
    states[time if reverse else 0] = 0 if initial is None else initial
    return (states[1:], states[:-1]) if reverse else (states[:-1], states[1:])


def steps(reverse: bool, padding: Value, *arrays: Value) -> list[tuple[Value, ...]]:
    """For each step, in the order of the walk: its padding or None, and its views of the arrays, all made at once."""
    walk = list(zip([None] * len(arrays[0]) if padding is None else padding, *arrays, strict=True))
    return walk[::-1] if reverse else walk


def results(after: Value, padding: Value, reverse: bool) -> tuple[Value, Value]:
    """(outputs [batch, time, n], the last state): views of the states, with zeros in the padding."""
    outputs = after if padding is None else np.where(padding, after.dtype.type(0), after)
    return outputs.transpose(1, 0, 2), last(after, reverse)


def last(after: Value, reverse: bool) -> Value:
    """The state behind the last step, in memory of its own, so that it does not keep all the others alive."""
    return after[0 if reverse else -1].copy()


def incoming(g: Value, padding: Value) -> Value:
    """The cotangent of the outputs with time first, zero in the padding."""
    g = g.transpose(1, 0, 2)
    return g if padding is None else np.where(padding, g.dtype.type(0), g)


def transposed(weight: Value, time: int) -> Value:
    """[..., n, m] to [..., m, n], for one product per step: a copy in order pays from about six steps on."""
    view = weight.swapaxes(-1, -2)
    return np.ascontiguousarray(view) if time > 5 else view


# The reference


def unrolled(
    step: Callable[..., tuple[Value, ...]], x: Value, states: tuple[Value, ...], *, reverse: bool, padding: Value
) -> tuple[Value, ...]:
    """(outputs, *final states) of a plain loop of `step(x [batch, n_in], *states) -> states`; an output is the first state."""
    time = x.shape[1]
    if padding is not None:
        x = np.where(padding.transpose(1, 0, 2), 0.0, x)
    columns = np.unstack(x, axis=1)
    outputs: list[Value] = [None] * time
    for t in range(time)[:: -1 if reverse else 1]:
        new = step(columns[t], *states)
        states = new if padding is None else tuple([np.where(padding[t], a, b) for a, b in zip(states, new, strict=True)])
        outputs[t] = states[0] if padding is None else np.where(padding[t], 0.0, states[0])
    return np.stack(outputs, 1), *states


def zeros_or(initial: Value, x: Value, hidden_weight: Value, dtype: Any) -> Value:
    """The initial state, zeros where it is None."""
    return np.zeros((x.shape[0], hidden_weight.shape[0]), dtype) if initial is None else initial
