"""What recurrent layers share: their parameters, their checks, and how their kernels lay out and walk through time.

Kernels work with time first and gates before it, [gates, time, batch, n], so that one gate at one step is one block of
memory: NumPy is two to three times slower on columns of a matrix. They see `padding`, a mask [time, batch, 1] that is True
behind the end of a row, or None where all rows are full.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from fnn.arrays import Array1, Array2, Value, describe, total
from fnn.autodiff.tracer import value_of
from fnn.functional.checks import check_array, check_int, check_not_wider
from fnn.initializers import uniform
from fnn.random import Key, check_key
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
        check_key("RecurrentParams.init", key)
        for what, n in (("n_in", n_in), ("n_hidden", n_hidden), ("gates", gates)):
            check_int("RecurrentParams.init", what, n)
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


def stacked(w: Value, u: Value, b: Value, c: Value, order: Sequence[int]) -> Value:
    """[w; b; c; u], a new array, with the gates, which are blocks of columns, in this order."""
    (n_in, width), n = w.shape, u.shape[0]
    weights = np.empty((n_in + 2 + n, width), w.dtype)
    for place, k in enumerate(order):
        to, gate = weights[:, place * n : (place + 1) * n], slice(k * n, (k + 1) * n)
        to[:n_in], to[n_in], to[n_in + 1], to[n_in + 2 :] = w[:, gate], b[gate], c[gate], u[:, gate]
    return weights


def rows_of(x: Value, initial: Value, n: int, dtype: Any, padding: Value, reverse: bool) -> tuple[Value, Value, Value]:
    """Rows [x_t, 1, 1, h_{t-1}], [time, batch, n_in + 2 + n], in the order of the walk; and views of h_{t-1} and of h_t, [time,
    batch, n], that the walk is still to write: each h_t is the end of the next row.

    A row times [w; b; c; u] is what the gates of a step are made of, and all rows, transposed, times the cotangents of the
    gates are the gradients of the four. Padding becomes 0, so that it has no influence whatever it is, nan included.
    """
    batch, time, n_in = x.shape
    rows = np.empty((time + 1, batch, n_in + 2 + n), dtype)
    rows[:time, :, :n_in] = time_first(x, reverse)
    if padding is not None:
        np.copyto(rows[:time, :, :n_in], 0, where=padding)
    rows[:, :, n_in : n_in + 2] = 1
    rows[0, :, n_in + 2 :] = 0 if initial is None else initial
    states = rows[..., n_in + 2 :]
    return rows[:time], states[:time], states[1:]


def time_first(x: Value, reverse: bool) -> Value:
    """[batch, time, n] as [time, batch, n] in the order of the walk: a view. So the kernels themselves walk forwards only."""
    return x[:, ::-1].transpose(1, 0, 2) if reverse else x.transpose(1, 0, 2)


def batch_first(y: Value, reverse: bool) -> Value:
    """The way back."""
    return y[::-1].transpose(1, 0, 2) if reverse else y.transpose(1, 0, 2)


def in_order_of_walk(padding: Value, reverse: bool) -> Value:
    """The padding, as `time_first`."""
    return padding[::-1] if reverse and padding is not None else padding


def by_gate(weights: Value, gates: int) -> Value:
    """A view of [rows, gates * n] as [gates, rows, n]: NumPy multiplies by all of them in one call, and then each gate is one
    block of memory.
    """
    rows, width = weights.shape
    return weights.reshape(rows, gates, width // gates).swapaxes(0, 1)


# OpenBLAS multiplies without packing its operands first where there are at most a million multiplications, which is quicker by
# an eighth. So as many examples walk through time together, in multiples of 16, and all they work on stays in cache.
_UNPACKED, _MULTIPLE = 10**6, 16


def pieces(batch: int, width: int, n: int) -> list[slice]:
    """The examples that walk together, where a step is a product [examples, width] @ [width, n] for each gate."""
    size = _UNPACKED // max(1, width * n) // _MULTIPLE * _MULTIPLE or max(batch, 1)
    return [slice(i, min(i + size, batch)) for i in range(0, batch, size)]


def at_once(rows: Value, n: int) -> bool:
    """Whether a step multiplies whole rows; else the part of x, which needs no recurrence, is one product for all steps.

    The latter reads these weights once, but is slower where products could do without packing.
    """
    time, batch, width = rows.shape
    return bool(time == 1 or (batch >= _MULTIPLE and batch * width * n <= _UNPACKED))


def gates_of(rows: Value, weights: Value, gates: int, into: Iterable[Value]) -> Iterator[None]:
    """Writes rows[t] @ weights to into[t], by gate, [gates, batch, n], whenever the next step is asked for: a row ends in the
    state that the step before has made.
    """
    n = weights.shape[1] // gates
    if at_once(rows, n):
        weights = by_gate(weights, gates)
        for row, out in zip(rows, into, strict=False):
            np.matmul(row, weights, out)
            yield
    else:
        inputs, hidden, weights, product, moved, out_of_product = in_halves(rows, weights, gates)
        for a, row, out in zip(inputs, hidden, into, strict=False):
            product(row, weights, out_of_product)
            np.add(a, moved, out)
            yield


def in_halves(rows: Value, weights: Value, gates: int) -> tuple[Value, Value, Value, Callable[..., Value], Value, Value]:
    """The products of [x_t, 1], [time, gates, batch, n]. And of the others what they are made with at each step: [1, h_{t-1}],
    [time, batch, 1 + n], their weights, the function, where to find the result, [gates, batch, n], and where to write it.
    """
    time, batch, width = rows.shape
    n = weights.shape[1] // gates
    k = width - n - 1
    inputs = rows[..., :k].reshape(time * batch, k)
    moved = np.empty((gates, batch, n), weights.dtype)
    if batch == 1:  # gates side by side are the same memory as one by one, and one product is quicker than several
        a = (inputs @ weights[:k]).reshape(time, gates, 1, n)
        return a, rows[..., k:], weights[k:], np.dot, moved, moved.reshape(1, gates * n)
    a = (inputs @ by_gate(weights[:k], gates)).reshape(gates, time, batch, n).swapaxes(0, 1)
    return a, rows[..., k:], by_gate(weights[k:], gates), np.matmul, moved, moved


def room_for(arrays: int, time: int, part: slice, n: int, dtype: Any) -> Value:
    """For these examples, [time, arrays, examples, n], in memory by array: to work on all steps of one is quicker then."""
    return np.empty((arrays, time, part.stop - part.start, n), dtype).swapaxes(0, 1)


def in_turns(views: list[tuple[Value, ...]], time: int) -> list[tuple[Value, ...]]:
    """For so many steps, one of these after the other, over and over."""
    return (views * (time // len(views) + 1))[:time]


def endings(padding: Value, part: slice, time: int) -> Value:
    """For each step the padding of these examples, or None."""
    return [None] * time if padding is None else padding[:, part]


def results(after: Value, padding: Value, reverse: bool) -> tuple[Value, Value]:
    """(outputs [batch, time, n], zero in the padding, and the last state, which does not keep all the others alive)."""
    if padding is not None:
        outputs = np.where(padding, after.dtype.type(0), after)
    elif after.strides[1] > 2 * after.shape[2] * after.itemsize:  # a view would keep far more alive than it shows
        outputs = after.copy()
    else:
        outputs = after
    return batch_first(outputs, reverse), after[-1].copy()


# The way back


def incoming(g: Value, padding: Value, reverse: bool) -> Value:
    """The cotangent of the outputs, time first, zero in the padding."""
    g = time_first(g, reverse)
    return g if padding is None else np.where(padding, g.dtype.type(0), g)


def transposed(u: Value, order: Sequence[int]) -> Value:
    """[n, gates * n] as a new array [gates, n, n]: each gate transposed, in this order."""
    n, width = u.shape
    # Columns of rows that are a power of two apart share few lines of the cache, and would take four times as long to read.
    apart = np.empty((n, width + 1), u.dtype)[:, :width]
    apart[...] = u
    back = np.empty((len(order), n, n), u.dtype)
    for to, k in zip(back, order, strict=True):
        to[...] = apart[:, k * n : (k + 1) * n].T
    return back


def backwards(*arrays: Value) -> Iterator[tuple[Value, ...]]:
    """Their steps, from the last to the first."""
    return zip(*[array[::-1] for array in arrays], strict=True)


def pull_rows(rows: Value, d: Value, order: Sequence[int]) -> Value:
    """[columns of rows, gates * n]: the gradient of what rows [time, batch, columns] were multiplied by, from the cotangents d
    of the products, [gates, time, batch, n], of which the k-th gate of the parameters is at place order[k].
    """
    gates, time, batch, n = d.shape
    parts = rows.reshape(time * batch, rows.shape[2]).T @ d.reshape(gates, time * batch, n)
    return np.concatenate([parts[k] for k in order], 1)


def pull_weights(rows: Value, d: Value, order: Sequence[int]) -> tuple[Value, Value, Value, Value]:
    """The gradients of w, u, b and c where all of a row meets the same cotangent."""
    both, k = pull_rows(rows, d, order), rows.shape[2] - d.shape[3] - 2
    return both[:k], both[k + 2 :], both[k], both[k + 1]


def pull_inputs(d: Value, w: Value, order: Sequence[int], reverse: bool) -> Value:
    """The cotangent of x from that of the gates, [gates, time, batch, n], of which the k-th of w is at place order[k]."""
    gates, time, batch, n = d.shape
    by_inputs = by_gate(w, gates).transpose(0, 2, 1)[np.argsort(order)]
    dx = total(d.reshape(gates, time * batch, n) @ by_inputs, 0)
    return batch_first(dx.reshape(time, batch, w.shape[0]), reverse)


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
