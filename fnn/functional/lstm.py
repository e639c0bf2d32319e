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
    backwards,
    check_recurrence,
    endings,
    gates_of,
    in_order_of_walk,
    in_turns,
    incoming,
    padding_of,
    pieces,
    pull_inputs,
    pull_weights,
    results,
    room_for,
    rows_of,
    stacked,
    transposed,
    unrolled,
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


# The order of the gates. The parameters have i, f, g, o. The forward pass has i, f, o, g, the three sigmoids side by side: by
# their places in the parameters, _FORWARD. The backward pass has o, f, i, g, the three that need ds side by side: _BACKWARD;
# there i, f, g, o are at the places _BACK.
_FORWARD, _BACKWARD, _BACK = (0, 1, 3, 2), (3, 1, 0, 2), (2, 1, 3, 0)


def lstm_weights(w: Value, u: Value, b: Value, c: Value) -> Value:
    """All of them as the kernel takes them: with the other sign for the gates of sigmoid(a) = 1 / (1 + e^-a)."""
    weights = stacked(w, u, b, c, _FORWARD)
    weights[:, : 3 * u.shape[0]] *= -1
    return weights


@np.errstate(over="ignore")  # where e^-a overflows, the gate is closed
def lstm_forward(
    x: Value, weights: Value, hidden: Value, cell: Value, *, reverse: bool, padding: Value, keep: bool
) -> tuple[tuple[Value, Value, Value], Value, list[tuple[slice, Value]]]:
    """(outputs, h, s); and what the way back needs, if `keep` says that there is one: the rows, and of some examples at a time
    i, f, o, g, s_{t-1} and m, [time + 1, 6, examples, n], of which the last has no more than s.
    """
    batch, time, _ = x.shape
    dtype, n = weights.dtype, weights.shape[1] // 4
    rows, before, after = rows_of(x, hidden, n, dtype, padding, reverse)
    final, one = np.empty((batch, n), dtype), np.array(1, dtype)  # NumPy takes longer to convert a number
    kept = []
    add, multiply, exp, reciprocal, tanh = np.add, np.multiply, np.exp, np.reciprocal, np.tanh
    for part in pieces(batch, rows.shape[2], n):
        # Where nothing is kept two steps take turns: a state is written while that before it is still read.
        steps = room_for(6, time + 1, part, n, dtype) if keep else np.empty((2, 6, part.stop - part.start, n), dtype)
        kept.append((part, steps))
        steps[0, 4] = 0 if cell is None else cell[part]
        views = (steps[:, i] for i in (slice(4), slice(3), 3, slice(2), slice(3, 5), 2, 5, 4))
        walk = in_turns(list(zip(*views, strict=True)), time + 1)
        products = np.empty_like(steps[0, :2])
        i_g, f_s = products
        for (_, sigmoids, g, i_f, g_s, o, m, s), (*_, s_new), h, h_new, ended, _ in zip(
            walk[:-1],
            walk[1:],
            before[:, part],
            after[:, part],
            endings(padding, part, time),
            gates_of(rows[:, part], weights, 4, [view[0] for view in walk]),
            strict=True,
        ):
            exp(sigmoids, sigmoids)
            add(sigmoids, one, sigmoids)
            reciprocal(sigmoids, sigmoids)
            tanh(g, g)
            multiply(i_f, g_s, products)
            add(f_s, i_g, s_new)
            tanh(s_new, m)
            multiply(o, m, h_new)
            if ended is not None:
                np.copyto(h_new, h, where=ended)
                np.copyto(s_new, s, where=ended)
        final[part] = walk[time][-1]
    return (*results(after, padding, reverse), final), rows, kept


def _factors(steps: Value, d: Value, padding: Value) -> None:
    """For all steps, what the cotangents of o, f, i and g are behind dh and ds, and q, to d, [5, time, examples, n]."""
    steps = steps[:-1].swapaxes(0, 1)
    i_f_o, i_o, g_s_m, g_m = steps[:3], steps[:3:2], steps[3:], steps[3::2]
    d_ifo, d_gq = d[2::-1], d[3:]
    np.subtract(1, i_f_o, d_ifo)
    np.multiply(d_ifo, i_f_o, d_ifo)
    np.multiply(d_ifo, g_s_m, d_ifo)
    np.multiply(g_m, g_m, d_gq)
    np.subtract(1, d_gq, d_gq)
    np.multiply(d_gq, i_o, d_gq)
    if padding is not None:
        np.copyto(d, 0, where=padding)


def _lstm_alone(
    x: Value, w: Value, u: Value, b: Value, c: Value, hidden: Value, cell: Value, *, reverse: bool, padding: Value
) -> tuple[Value, Value, Value]:
    padding = in_order_of_walk(padding, reverse)
    return lstm_forward(x, lstm_weights(w, u, b, c), hidden, cell, reverse=reverse, padding=padding, keep=False)[0]


def lstm_kernel(
    x: Value, w: Value, u: Value, b: Value, c: Value, hidden: Value, cell: Value, *, reverse: bool, padding: Value
) -> tuple[tuple[Value, Value, Value], Callable[[Sequence[Value], Sequence[bool]], Sequence[Value]]]:
    """The kernel of `lstm`: (outputs and final state, pull)."""
    # With a_t = x_t w + b + c + h_{t-1} u in four parts:
    #   i, f, o = sigmoid(a^i, a^f, a^o),  g = tanh(a^g),  s_t = f s_{t-1} + i g,  m_t = tanh(s_t),  h_t = o m_t
    # Backwards, from dh and ds, the cotangents of the final h and s, and e_t, that of output t:
    #   dh += e_t,  ds += dh q_t with q_t = o (1 - m_t^2)
    #   da^i = ds g i (1 - i),  da^f = ds s_{t-1} f (1 - f),  da^g = ds i (1 - g^2),  da^o = dh m_t o (1 - o)
    #   ds <- ds f,  dh <- da_t u^T
    # q and the factors behind ds and dh need no recurrence: they are made for all steps at once, in `d`. Then
    # dx_t = da_t w^T, dw = sum_t x_t^T da_t, du = sum_t h_{t-1}^T da_t, db = dc = sum_t da_t. At a step of padding
    # h_t = h_{t-1} and s_t = s_{t-1}: da_t = 0, q_t = 0, and dh and ds stay.
    padding = in_order_of_walk(padding, reverse)
    ys, rows, kept = lstm_forward(x, lstm_weights(w, u, b, c), hidden, cell, reverse=reverse, padding=padding, keep=True)

    def pull(gs: Sequence[Value], wanted: Sequence[bool]) -> Sequence[Value]:
        time, (batch, n), dtype = len(rows), ys[1].shape, ys[1].dtype
        d: Value = np.empty((5, time, batch, n), dtype)
        es, back = incoming(gs[0], padding, reverse), transposed(u, _BACKWARD)
        dhs, dss = np.array(gs[1], dtype, order="C"), np.array(gs[2], dtype, order="C")
        add, multiply, matmul = np.add, np.multiply, np.matmul
        for part, steps in kept:
            dh, ds = dhs[part], dss[part]
            product, through = np.empty((4, *dh.shape), dtype), np.empty_like(dh)
            _factors(steps, d[:, :, part], None if padding is None else padding[:, part])
            by_step = d[:, :, part].swapaxes(0, 1)
            for da, d_o, d_fig, q, f, e, ended in backwards(
                by_step[:, :4],
                by_step[:, 0],
                by_step[:, 1:4],
                by_step[:, 4],
                steps[:-1, 1],
                es[:, part],
                endings(padding, part, time),
            ):
                add(dh, e, dh)
                multiply(dh, q, through)
                add(ds, through, ds)
                multiply(d_o, dh, d_o)
                multiply(d_fig, ds, d_fig)
                matmul(da, back, product)
                if ended is None:
                    multiply(ds, f, ds)
                    total(product, 0, out=dh)
                else:
                    multiply(ds, f, ds, where=~ended)
                    np.copyto(dh, total(product, 0), where=~ended)
        dx = pull_inputs(d[:4], w, _BACK, reverse) if wanted[0] else None
        return dx, *pull_weights(rows, d[:4], _BACK), dhs, dss

    return ys, pull


_lstm = fused(7, _lstm_reference, forward=_lstm_alone)(lstm_kernel)


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
