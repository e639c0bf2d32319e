"""The LSTM layer as a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fnn.arrays import Array2, Array3, Int1, Value, read_only, total
from fnn.autodiff.primitive import fused
from fnn.functional.activations import sigmoid
from fnn.functional.recurrence import (
    RecurrentParams,
    by_gate,
    check_recurrence,
    incoming,
    last,
    padding_of,
    pull_rows,
    results,
    rows_of,
    side_by_side,
    states_of,
    steps,
    transposed,
    unrolled,
    with_bias,
    zeros_or,
)
from fnn.tree import Record, show


@dataclass(frozen=True, eq=False, repr=False)
class LSTMState(Record):
    """What an LSTM carries from step to step: `hidden` (its output) and `cell`, both [batch, n_hidden]."""

    hidden: Array2
    cell: Array2

    @classmethod
    def init(cls, batch: int, n_hidden: int, /, dtype: Any = np.float32) -> LSTMState:
        """Zeros."""
        return LSTMState(read_only(np.zeros((batch, n_hidden), dtype)), read_only(np.zeros((batch, n_hidden), dtype)))


def _lstm_reference(
    x: Value, w: Value, u: Value, b: Value, c: Value, hidden: Value, cell: Value, *, reverse: bool, padding: Value
) -> tuple[Value, ...]:
    n = u.shape[0]

    def step(x: Value, h: Value, s: Value) -> tuple[Value, Value]:
        a = x @ w + b + (h @ u + c)
        i, f, o = sigmoid(a[:, :n]), sigmoid(a[:, n : 2 * n]), sigmoid(a[:, 3 * n :])
        s = f * s + i * np.tanh(a[:, 2 * n : 3 * n])
        return o * np.tanh(s), s

    initial = zeros_or(hidden, x, u, w.dtype), zeros_or(cell, x, u, w.dtype)
    return unrolled(step, x, initial, reverse=reverse, padding=padding)


def _factors(gates: Value, s_before: Value, m: Value, padding: Value) -> tuple[Value, Value, Value]:
    """For all steps: what da is behind dh and ds, [4, time, batch, n]; q; and what ds is multiplied by, step to step."""
    o, i, f, g = gates
    da: Value = np.empty_like(gates)
    do, di, df, dg = da
    np.subtract(1, gates[:3], out=da[:3])
    np.multiply(da[:3], gates[:3], out=da[:3])
    np.multiply(do, m, out=do)
    np.multiply(di, g, out=di)
    np.multiply(df, s_before, out=df)
    np.multiply(g, g, out=dg)
    np.subtract(1, dg, out=dg)
    np.multiply(dg, i, out=dg)
    q = m * m
    np.subtract(1, q, out=q)
    np.multiply(q, o, out=q)
    if padding is None:
        return da, q, f
    np.copyto(da, 0, where=padding)
    np.copyto(q, 0, where=padding)
    return da, q, np.where(padding, m.dtype.type(1), f)


# The order of the gates in the kernel, o, i, f, g: the three that are sigmoids side by side, and the three behind ds; and the
# way back from it.
_ORDER, _BACK = (3, 0, 1, 2), (1, 2, 3, 0)


@fused(7, _lstm_reference)
def _lstm(
    x: Value, w: Value, u: Value, b: Value, c: Value, hidden: Value, cell: Value, *, reverse: bool, padding: Value
) -> tuple[tuple[Value, Value, Value], Callable[[Sequence[Value], Sequence[bool]], Sequence[Value]]]:
    # With a_t = x_t w + b + h_{t-1} u + c in four parts, and sigmoid(a) = tanh(a / 2) / 2 + 1 / 2, so that one tanh over
    # the whole of a_t serves all gates (the halves go into the weights once, and are exact):
    #   i, f, o = sigmoid(a^i, a^f, a^o),  g = tanh(a^g),  s_t = f s_{t-1} + i g,  m_t = tanh(s_t),  h_t = o m_t
    # Backwards, from dh and ds, the cotangents of the final h and s, and e_t, that of output t:
    #   dh += e_t,  ds += dh q_t with q_t = o (1 - m_t^2)
    #   da^i = ds g i (1 - i),  da^f = ds s_{t-1} f (1 - f),  da^g = ds i (1 - g^2),  da^o = dh m_t o (1 - o)
    #   ds <- ds f,  dh <- da_t u^T
    # q and the factors behind ds and dh need no recurrence: they are made for all steps at once, in `da`. Then
    # dx_t = da_t w^T, dw = sum_t x_t^T da_t, du = sum_t h_{t-1}^T da_t, db = dc = sum_t da_t: one product each. At a step
    # of padding h_t = h_{t-1} and s_t = s_{t-1}: da_t = 0, q_t = 0, and dh and ds stay.
    batch, time, _ = x.shape
    n, dtype = u.shape[0], w.dtype
    rows = rows_of(x, dtype, padding)
    w_and_bias, halved = by_gate(with_bias(w, b + c), _ORDER), by_gate(u, _ORDER)
    w_and_bias[:3] *= 0.5
    halved[:3] *= 0.5
    gates = (rows @ w_and_bias).reshape(4, time, batch, n)
    h_before, h_after = states_of(hidden, time, batch, n, dtype, reverse)
    s_before, s_after = states_of(cell, time, batch, n, dtype, reverse)
    m = np.empty((time, batch, n), dtype)
    product, part = np.empty((4, batch, n), dtype), np.empty((batch, n), dtype)
    moving = hidden is not None  # the product with a zero state is left out
    for ended, a_t, gates_t, o_t, i_t, f_t, g_t, h, h_new, s, s_new, m_t in steps(
        reverse, padding, gates.swapaxes(0, 1), gates[:3].swapaxes(0, 1), *gates, h_before, h_after, s_before, s_after, m
    ):
        if moving:
            np.matmul(h, halved, out=product)
            np.add(a_t, product, out=a_t)
        moving = True
        np.tanh(a_t, out=a_t)
        np.multiply(gates_t, 0.5, out=gates_t)
        np.add(gates_t, 0.5, out=gates_t)
        np.multiply(f_t, s, out=s_new)
        np.multiply(i_t, g_t, out=part)
        np.add(s_new, part, out=s_new)
        np.tanh(s_new, out=m_t)
        np.multiply(o_t, m_t, out=h_new)
        if ended is not None:
            np.copyto(h_new, h, where=ended)
            np.copyto(s_new, s, where=ended)

    def pull(gs: Sequence[Value], wanted: Sequence[bool]) -> Sequence[Value]:
        da, q, keep = _factors(gates, s_before, m, padding)
        back = transposed(by_gate(u, _ORDER), time)
        dh, ds = np.array(gs[1], dtype, order="C"), np.array(gs[2], dtype, order="C")
        product, part = np.empty((4, batch, n), dtype), np.empty((batch, n), dtype)
        for ended, d, d_o, d_ifg, q_t, keep_t, e in steps(
            not reverse, padding, da.swapaxes(0, 1), da[0], da[1:].swapaxes(0, 1), q, keep, incoming(gs[0], padding)
        ):
            np.add(dh, e, out=dh)
            np.multiply(dh, q_t, out=part)
            np.add(ds, part, out=ds)
            np.multiply(d_o, dh, out=d_o)
            np.multiply(d_ifg, ds, out=d_ifg)
            np.multiply(ds, keep_t, out=ds)
            np.matmul(d, back, out=product)
            if ended is None:
                total(product, 0, out=dh)
            else:
                np.copyto(dh, total(product, 0), where=~ended)
        da = da.reshape(4, time * batch, n)
        dx, dw, db = pull_rows(rows, da, by_gate(w, _ORDER), x.shape, wanted)
        du, db = h_before.reshape(time * batch, n).T @ da, side_by_side(db, _BACK)
        return dx, side_by_side(dw, _BACK), side_by_side(du, _BACK), db, db.copy(), dh, ds

    return (*results(h_after, padding, reverse), last(s_after, reverse)), pull


def lstm(
    params: RecurrentParams,
    x: Array3,
    initial: LSTMState | None = None,
    /,
    *,
    lengths: Int1 | None = None,
    reverse: bool = False,
) -> tuple[Array3, LSTMState]:
    """Long short-term memory. With a = x_t @ input_weight + input_bias + h @ hidden_weight + hidden_bias in four parts:

    i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o);  s <- f * s + i * tanh(a_g);  h <- o * tanh(s)

    x: [batch, time, n_in]; initial: h and s, [batch, n_hidden] each, zeros where it is None. Returns (outputs, final): h
    after each step, [batch, time, n_hidden], and the last LSTMState(hidden, cell). The parts of a are in PyTorch's order,
    i, f, g, o. With reverse=True it runs from the last step to the first; each output stands at the time of its input.

    lengths: [batch] integers, where rows end before time does. Behind its end a row's input has no influence and its
    output is 0; its final state is that at its own last step (running in reverse, it starts there).

    Raises ValueError where shapes do not fit, for no step of time and for lengths outside [0, time]; TypeError where x is
    not floating or wider than the parameters. Source: Hochreiter and Schmidhuber 1997, with the forget gate of Gers et
    al. 2000 and no peepholes.

    >>> import fnn
    >>> p = fnn.RecurrentParams.init(fnn.key(0), 3, 5, gates=4)
    >>> outputs, final = fnn.lstm(p, np.ones((2, 7, 3), np.float32))
    >>> outputs.shape, final
    ((2, 7, 5), LSTMState(hidden=f32[2,5], cell=f32[2,5]))
    >>> bool(np.all(outputs[:, -1] == final.hidden))
    True
    """
    hidden, cell = _parts("lstm", "initial", initial)
    check_recurrence("lstm", 4, params, x, "batch, time", {"initial.hidden": hidden, "initial.cell": cell})
    mask = padding_of("lstm", lengths, x)
    p = params
    outputs, *final = _lstm(
        x, p.input_weight, p.hidden_weight, p.input_bias, p.hidden_bias, hidden, cell, reverse=bool(reverse), padding=mask
    )
    return outputs, LSTMState(*map(read_only, final))


def lstm_cell(params: RecurrentParams, x: Array2, state: LSTMState, /) -> LSTMState:
    """One step of `lstm`: the new state from x [batch, n_in] and the old one."""
    hidden, cell = _parts("lstm_cell", "state", state)
    check_recurrence("lstm_cell", 4, params, x, "batch", {"state.hidden": hidden, "state.cell": cell})
    p = params
    final = _lstm(
        x[:, np.newaxis],
        p.input_weight,
        p.hidden_weight,
        p.input_bias,
        p.hidden_bias,
        hidden,
        cell,
        reverse=False,
        padding=None,
    )[1:]
    return LSTMState(*map(read_only, final))


def _parts(name: str, what: str, state: LSTMState | None) -> tuple[Value, Value]:
    if state is None and what == "initial":
        return None, None
    if not isinstance(state, LSTMState):
        raise TypeError(f"{name}: {what} is {show(state)}, expected LSTMState(hidden, cell)")
    return state.hidden, state.cell
