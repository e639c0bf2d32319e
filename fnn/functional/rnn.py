"""The plain recurrent layer (Elman) as a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from fnn.arrays import Array2, Array3, Int1, Value
from fnn.autodiff.primitive import fused
from fnn.functional.recurrence import (
    RecurrentParams,
    backwards,
    check_recurrence,
    endings,
    gates_of,
    in_order_of_walk,
    incoming,
    padding_of,
    pieces,
    pull_inputs,
    pull_weights,
    results,
    rows_of,
    stacked,
    transposed,
    unrolled,
    zeros_or,
)


def _rnn_reference(
    x: Value, w: Value, u: Value, b: Value, c: Value, initial: Value, *, activation: str, reverse: bool, padding: Value
) -> tuple[Value, ...]:
    def step(x: Value, h: Value) -> tuple[Value]:
        a = x @ w + b + (h @ u + c)
        return (np.tanh(a) if activation == "tanh" else np.where(a > 0, a, 0.0),)

    return unrolled(step, x, (zeros_or(initial, x, u, w.dtype),), reverse=reverse, padding=padding)


def rnn_weights(w: Value, u: Value, b: Value, c: Value) -> Value:
    """All of them as the kernel takes them."""
    return stacked(w, u, b, c, (0,))


def rnn_forward(
    x: Value, weights: Value, initial: Value, *, activation: str, reverse: bool, padding: Value
) -> tuple[tuple[Value, Value], Value, Value]:
    """(outputs, h); and for the way back the rows and the states after each step, which are kept in any case."""
    batch, time, _ = x.shape
    n = weights.shape[1]
    rows, before, after = rows_of(x, initial, n, weights.dtype, padding, reverse)
    zero = np.array(0, weights.dtype)  # NumPy takes longer to convert a number
    tanh, maximum = np.tanh, np.maximum
    for part in pieces(batch, rows.shape[2], n):
        states = after[:, part]
        for h, h_new, ended, _ in zip(
            before[:, part],
            states,
            endings(padding, part, time),
            gates_of(rows[:, part], weights, 1, states[:, np.newaxis]),
            strict=True,
        ):
            if activation == "tanh":
                tanh(h_new, h_new)
            else:
                maximum(h_new, zero, out=h_new)
            if ended is not None:
                np.copyto(h_new, h, where=ended)
    return results(after, padding, reverse), rows, after


def _factors(states: Value, d: Value, activation: str, padding: Value) -> None:
    """f' for all steps, to d, [time, examples, n]."""
    if activation == "tanh":
        np.multiply(states, states, d)
        np.subtract(1, d, d)
    else:
        np.copyto(d, states > 0)
    if padding is not None:
        np.copyto(d, 0, where=padding)


def rnn_kernel(
    x: Value, w: Value, u: Value, b: Value, c: Value, initial: Value, *, activation: str, reverse: bool, padding: Value
) -> tuple[tuple[Value, Value], Callable[[Sequence[Value], Sequence[bool]], Sequence[Value]]]:
    """The kernel of `rnn`: (outputs and final state, pull)."""
    # h_t = f(a_t), a_t = x_t w + b + c + h_{t-1} u. With e_t the cotangent of output t, backwards from dh, that of h_T:
    #   dh += e_t,  da_t = dh * f'(a_t),  dh <- da_t u^T
    #   f' = 1 - h_t^2 for tanh, [h_t > 0] for relu: needs no recurrence: made for all steps at once, in `d`
    # and dx_t = da_t w^T, dw = sum_t x_t^T da_t, du = sum_t h_{t-1}^T da_t, db = dc = sum_t da_t. At a step of padding
    # h_t = h_{t-1}: da_t = 0, and dh stays.
    padding = in_order_of_walk(padding, reverse)
    ys, rows, after = rnn_forward(x, rnn_weights(w, u, b, c), initial, activation=activation, reverse=reverse, padding=padding)

    def pull(gs: Sequence[Value], wanted: Sequence[bool]) -> Sequence[Value]:
        time, (batch, n), dtype = len(rows), ys[1].shape, ys[1].dtype
        d: Value = np.empty((time, batch, n), dtype)
        _factors(after, d, activation, padding)
        es, (back,) = incoming(gs[0], padding, reverse), transposed(u, (0,))
        dh = np.array(gs[1], dtype, order="C")
        for da, e, ended in backwards(d, es, endings(padding, slice(None), time)):
            np.add(dh, e, dh)
            np.multiply(da, dh, da)
            if ended is None:
                np.matmul(da, back, dh)
            else:
                np.copyto(dh, da @ back, where=~ended)
        dx = pull_inputs(d[np.newaxis], w, (0,), reverse) if wanted[0] else None
        return dx, *pull_weights(rows, d[np.newaxis], (0,)), dh

    return ys, pull


_rnn = fused(6, _rnn_reference)(rnn_kernel)


def rnn(
    params: RecurrentParams,
    x: Array3,
    initial: Array2 | None = None,
    /,
    *,
    lengths: Int1 | None = None,
    reverse: bool = False,
    activation: Literal["tanh", "relu"] = "tanh",
) -> tuple[Array3, Array2]:
    """h_t = activation(x_t @ input_weight + input_bias + h_{t-1} @ hidden_weight + hidden_bias), for each step of time.

    x: [batch, time, n_in]; initial: h_0 [batch, n_hidden], zeros where it is None. Returns (outputs, final): h_1 to h_T,
    [batch, time, n_hidden], and h_T. With reverse=True it runs from the last step to the first; each output stands at the
    time of its input.

    lengths: [batch] integers, where rows end before time does. Behind its end a row's input has no influence and its
    output is 0; its final state is that at its own last step (running in reverse, it starts there).

    Raises ValueError where shapes do not fit, for no step of time and for lengths outside [0, time]; TypeError where x is
    not floating or wider than the parameters. Source: Elman 1990.

    >>> import fnn
    >>> one = np.ones((1, 1))
    >>> p = fnn.RecurrentParams(one, 2 * one, np.zeros(1), np.zeros(1))
    >>> outputs, final = fnn.rnn(p, np.array([[[1.0], [0.0], [0.0]]]), activation="relu")
    >>> outputs.tolist(), final.tolist()
    ([[[1.0], [2.0], [4.0]]], [[4.0]])
    """
    check_activation("rnn", activation)
    check_recurrence("rnn", 1, params, x, "batch, time", {"initial": initial})
    mask = padding_of("rnn", lengths, x)
    p = params
    made: tuple[Array3, Array2] = _rnn(
        x, p.input_weight, p.hidden_weight, p.input_bias, p.hidden_bias, initial,
        activation=activation, reverse=bool(reverse), padding=mask,
    )  # fmt: skip
    return made


def rnn_cell(params: RecurrentParams, x: Array2, h: Array2, /, *, activation: Literal["tanh", "relu"] = "tanh") -> Array2:
    """One step of `rnn`: the new h [batch, n_hidden] from x [batch, n_in] and h."""
    check_activation("rnn_cell", activation)
    check_recurrence("rnn_cell", 1, params, x, "batch", {"h": h})
    p = params
    new: Array2 = _rnn(
        x[:, np.newaxis], p.input_weight, p.hidden_weight, p.input_bias, p.hidden_bias, h,
        activation=activation, reverse=False, padding=None,
    )[1]  # fmt: skip
    return new


def check_activation(name: str, activation: str) -> None:
    """ValueError unless it is one of the two."""
    if activation not in ("tanh", "relu"):
        raise ValueError(f"{name}: activation is {activation!r}, expected 'tanh' or 'relu'")
