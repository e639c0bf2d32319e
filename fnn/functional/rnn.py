"""The plain recurrent layer (Elman) as a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from fnn.arrays import Array2, Array3, Int1, Value
from fnn.autodiff.primitive import fused
from fnn.functional.recurrence import (
    RecurrentParams,
    check_recurrence,
    incoming,
    padding_of,
    pull_rows,
    results,
    rows_of,
    states_of,
    steps,
    transposed,
    unrolled,
    with_bias,
    zeros_or,
)


def _rnn_reference(
    x: Value, w: Value, u: Value, b: Value, c: Value, initial: Value, *, activation: str, reverse: bool, padding: Value
) -> tuple[Value, ...]:
    def step(x: Value, h: Value) -> tuple[Value]:
        a = x @ w + b + (h @ u + c)
        return (np.tanh(a) if activation == "tanh" else np.where(a > 0, a, 0.0),)

    return unrolled(step, x, (zeros_or(initial, x, u, w.dtype),), reverse=reverse, padding=padding)


@fused(6, _rnn_reference)
def _rnn(
    x: Value, w: Value, u: Value, b: Value, c: Value, initial: Value, *, activation: str, reverse: bool, padding: Value
) -> tuple[tuple[Value, Value], Callable[[Sequence[Value], Sequence[bool]], Sequence[Value]]]:
    # h_t = f(a_t), a_t = x_t w + b + h_{t-1} u + c. With g_t the cotangent of output t, backwards from dh, that of h_T:
    #   dh += g_t,  da_t = dh * f'(a_t),  dh <- da_t u^T
    #   f' = 1 - h_t^2 for tanh, [h_t > 0] for relu: needs no recurrence
    # and dx_t = da_t w^T, dw = sum_t x_t^T da_t, du = sum_t h_{t-1}^T da_t, db = dc = sum_t da_t: one product each, after
    # the loop. At a step of padding h_t = h_{t-1}: da_t = 0, and dh stays.
    batch, time, _ = x.shape
    n, dtype = u.shape[0], w.dtype
    rows = rows_of(x, dtype, padding)
    a = (rows @ with_bias(w, b + c)).reshape(time, batch, n)
    before, after = states_of(initial, time, batch, n, dtype, reverse)
    product = np.empty((batch, n), dtype)
    tanh = activation == "tanh"
    moving = initial is not None  # the product with a zero state is left out
    for ended, a_t, h, new in steps(reverse, padding, a, before, after):
        if moving:
            np.matmul(h, u, out=product)
            np.add(a_t, product, out=a_t)
        moving = True
        if tanh:
            np.tanh(a_t, out=new)
        else:
            np.maximum(a_t, 0, out=new)
        if ended is not None:
            np.copyto(new, h, where=ended)

    def pull(gs: Sequence[Value], wanted: Sequence[bool]) -> Sequence[Value]:
        if tanh:
            da = after * after
            np.subtract(1, da, out=da)
        else:
            da = (after > 0).astype(dtype)
        if padding is not None:
            np.copyto(da, 0, where=padding)
        back = transposed(u, time)
        dh = np.array(gs[1], dtype, order="C")
        for ended, d, g in steps(not reverse, padding, da, incoming(gs[0], padding)):
            np.add(dh, g, out=dh)
            np.multiply(d, dh, out=d)
            if ended is None:
                np.matmul(d, back, out=dh)
            else:
                np.copyto(dh, d @ back, where=~ended)
        da = da.reshape(time * batch, n)
        dx, dw, db = pull_rows(rows, da[np.newaxis], w[np.newaxis], x.shape, wanted)
        return dx, dw[0], before.reshape(time * batch, n).T @ da, db[0], db[0].copy(), dh

    return results(after, padding, reverse), pull


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
