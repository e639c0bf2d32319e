"""The GRU layer as a function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from fnn.arrays import Array2, Array3, Int1, Value, total
from fnn.autodiff.primitive import fused
from fnn.functional.activations import sigmoid
from fnn.functional.recurrence import (
    RecurrentParams,
    at_once,
    backwards,
    by_gate,
    check_recurrence,
    endings,
    in_halves,
    in_order_of_walk,
    in_turns,
    incoming,
    padding_of,
    pieces,
    pull_inputs,
    pull_rows,
    results,
    room_for,
    rows_of,
    stacked,
    transposed,
    unrolled,
    zeros_or,
)


def _gru_reference(
    x: Value, w: Value, u: Value, b: Value, c: Value, initial: Value, *, reverse: bool, padding: Value
) -> tuple[Value, ...]:
    n = u.shape[0]

    def step(x: Value, h: Value) -> tuple[Value]:
        a, k = x @ w + b, h @ u + c
        r, z = sigmoid(a[:, :n] + k[:, :n]), sigmoid(a[:, n : 2 * n] + k[:, n : 2 * n])
        new = np.tanh(a[:, 2 * n :] + r * k[:, 2 * n :])
        return ((1 - z) * new + z * h,)

    return unrolled(step, x, (zeros_or(initial, x, u, w.dtype),), reverse=reverse, padding=padding)


# The order of the gates. The parameters and the forward pass have r, z, n. In the backward pass d holds dk^n, dr, dz, da^n:
# d[:3] are the cotangents of k, in the order n, r, z (_NEW_FIRST), with r, z, n at the places _BACK; d[1:] are those of a.
_ORDER, _NEW_FIRST, _BACK = (0, 1, 2), (2, 0, 1), (1, 2, 0)


def gru_weights(w: Value, u: Value, b: Value, c: Value) -> Value:
    """All of them as the kernel takes them: with the other sign for the gates of sigmoid(a) = 1 / (1 + e^-a)."""
    weights = stacked(w, u, b, c, _ORDER)
    weights[:, : 2 * u.shape[0]] *= -1
    return weights


def _parts(rows: Value, weights: Value, gates: list[Value], k_new: list[Value]) -> Iterator[Value]:
    """At each step writes a + k of r and z to gates[t], k^n to k_new[t], and gives a^n: see `gates_of`."""
    n = weights.shape[1] // 3
    k = rows.shape[2] - n - 1
    if at_once(rows, n):
        of_gates, of_x, of_h = by_gate(weights[:, : 2 * n], 2), weights[:k, 2 * n :], weights[k:, 2 * n :]
        a_new = np.empty(k_new[0].shape, weights.dtype)
        for row, out, k_out in zip(rows, gates, k_new, strict=True):
            np.matmul(row, of_gates, out)
            np.matmul(row[:, k:], of_h, k_out)
            yield np.matmul(row[:, :k], of_x, a_new)
    else:
        inputs, hidden, weights, product, moved, out_of_product = in_halves(rows, weights, 3)
        for a, row, out, k_out in zip(inputs, hidden, gates, k_new, strict=True):
            product(row, weights, out_of_product)
            np.add(a[:2], moved[:2], out)
            np.copyto(k_out, moved[2])
            yield a[2]


@np.errstate(over="ignore")  # where e^-a overflows, the gate is closed
def gru_forward(
    x: Value, weights: Value, initial: Value, *, reverse: bool, padding: Value, keep: bool
) -> tuple[tuple[Value, Value], Value, list[tuple[slice, Value]]]:
    """(outputs, h); and what the way back needs, if `keep` says that there is one: the rows, and of some examples at a time
    r, z, r k^n, z (h_{t-1} - v) and v, [time, 5, examples, n].
    """
    batch, time, _ = x.shape
    dtype, n = weights.dtype, weights.shape[1] // 3
    rows, before, after = rows_of(x, initial, n, dtype, padding, reverse)
    one = np.array(1, dtype)  # NumPy takes longer to convert a number
    kept = []
    add, multiply, subtract, exp, reciprocal, tanh = np.add, np.multiply, np.subtract, np.exp, np.reciprocal, np.tanh
    for part in pieces(batch, rows.shape[2], n):
        steps = room_for(5, time, part, n, dtype) if keep else np.empty((1, 5, part.stop - part.start, n), dtype)
        kept.append((part, steps))
        walk = in_turns([(s[:2], *s) for s in steps], time)
        for (gates, r, z, p, y, v), h, h_new, ended, a in zip(
            walk,
            before[:, part],
            after[:, part],
            endings(padding, part, time),
            _parts(rows[:, part], weights, [view[0] for view in walk], [view[3] for view in walk]),
            strict=True,
        ):
            exp(gates, gates)
            add(gates, one, gates)
            reciprocal(gates, gates)
            multiply(r, p, p)
            add(a, p, v)
            tanh(v, v)
            subtract(h, v, y)
            multiply(z, y, y)
            add(v, y, h_new)
            if ended is not None:
                np.copyto(h_new, h, where=ended)
    return results(after, padding, reverse), rows, kept


def _factors(steps: Value, d: Value, padding: Value) -> None:
    """For all steps, what dk^n, dr, dz and da^n are behind dh, to d, [4, time, examples, n]."""
    steps = steps.swapaxes(0, 1)
    gates, p_y, r, v = steps[:2], steps[2:4], steps[0], steps[4]
    d_gates, (dk_new, dr, dz, da_new) = d[1:3], d
    np.subtract(1, gates, d_gates)
    np.multiply(v, v, da_new)
    np.subtract(1, da_new, da_new)
    np.multiply(da_new, dz, da_new)
    np.multiply(da_new, r, dk_new)
    np.multiply(d_gates, p_y, d_gates)
    np.multiply(dr, da_new, dr)
    if padding is not None:
        np.copyto(d, 0, where=padding)


def _gru_alone(
    x: Value, w: Value, u: Value, b: Value, c: Value, initial: Value, *, reverse: bool, padding: Value
) -> tuple[Value, Value]:
    padding = in_order_of_walk(padding, reverse)
    return gru_forward(x, gru_weights(w, u, b, c), initial, reverse=reverse, padding=padding, keep=False)[0]


def gru_kernel(
    x: Value, w: Value, u: Value, b: Value, c: Value, initial: Value, *, reverse: bool, padding: Value
) -> tuple[tuple[Value, Value], Callable[[Sequence[Value], Sequence[bool]], Sequence[Value]]]:
    """The kernel of `gru`: (outputs and final state, pull)."""
    # With a_t = x_t w + b and k_t = h_{t-1} u + c, each in three parts:
    #   r, z = sigmoid(a^r + k^r), sigmoid(a^z + k^z),  v = tanh(a^n + r k^n),  h_t = (1 - z) v + z h_{t-1}
    #     = v + z (h_{t-1} - v)
    # Backwards, from dh, the cotangent of the final h, and e_t, that of output t:
    #   dh += e_t
    #   da^n = dh (1 - z) (1 - v^2),  dk^n = da^n r,  da^r = dk^r = da^n (r k^n) (1 - r)
    #   da^z = dk^z = dh z (h_{t-1} - v) (1 - z)
    #   dh <- dh z + dk_t u^T
    # All four are dh times what needs no recurrence, made for all steps at once, in `d`. They stand in the order dk^n, r, z,
    # da^n: the first three are dk_t with its parts in the order n, r, z, the last three da_t. At a step of padding
    # h_t = h_{t-1}: the factors are 0, and dh stays.
    padding = in_order_of_walk(padding, reverse)
    ys, rows, kept = gru_forward(x, gru_weights(w, u, b, c), initial, reverse=reverse, padding=padding, keep=True)

    def pull(gs: Sequence[Value], wanted: Sequence[bool]) -> Sequence[Value]:
        time, (batch, n), dtype = len(rows), ys[1].shape, ys[1].dtype
        d: Value = np.empty((4, time, batch, n), dtype)
        es, back = incoming(gs[0], padding, reverse), transposed(u, _NEW_FIRST)
        dhs = np.array(gs[1], dtype, order="C")
        add, multiply, matmul = np.add, np.multiply, np.matmul
        for part, steps in kept:
            dh = dhs[part]
            product, through = np.empty((3, *dh.shape), dtype), np.empty_like(dh)
            _factors(steps, d[:, :, part], None if padding is None else padding[:, part])
            by_step = d[:, :, part].swapaxes(0, 1)
            for d_t, dk, z, e, ended in backwards(
                by_step, by_step[:, :3], steps[:, 1], es[:, part], endings(padding, part, time)
            ):
                add(dh, e, dh)
                multiply(d_t, dh, d_t)
                matmul(dk, back, product)
                total(product, 0, out=through)
                if ended is None:
                    multiply(dh, z, dh)
                else:
                    multiply(dh, z, dh, where=~ended)
                add(dh, through, dh)
        dx = pull_inputs(d[1:], w, _ORDER, reverse) if wanted[0] else None
        k = x.shape[2] + 1
        of_x, of_h = pull_rows(rows[..., :k], d[1:], _ORDER), pull_rows(rows[..., k:], d[:3], _BACK)
        return dx, of_x[:-1], of_h[1:], of_x[-1], of_h[0], dhs

    return ys, pull


_gru = fused(6, _gru_reference, forward=_gru_alone)(gru_kernel)


def gru(
    params: RecurrentParams,
    x: Array3,
    initial: Array2 | None = None,
    /,
    *,
    lengths: Int1 | None = None,
    reverse: bool = False,
) -> tuple[Array3, Array2]:
    """Gated recurrent unit. With a = x_t @ input_weight + input_bias and k = h @ hidden_weight + hidden_bias in three parts:

    r, z = sigmoid(a_r + k_r), sigmoid(a_z + k_z);  h <- (1 - z) * tanh(a_n + r * k_n) + z * h

    x: [batch, time, n_in]; initial: the first h [batch, n_hidden], zeros where it is None. Returns (outputs, final): h after
    each step, [batch, time, n_hidden], and the last one. The parts are in PyTorch's order, r, z, n, and the reset gate r is
    applied behind the hidden product, as there. With reverse=True it runs from the last step to the first; each output
    stands at the time of its input.

    lengths: [batch] integers, where rows end before time does. Behind its end a row's input has no influence and its
    output is 0; its final state is that at its own last step (running in reverse, it starts there).

    Raises ValueError where shapes do not fit, for no step of time and for lengths outside [0, time]; TypeError where x is
    not floating or wider than the parameters. Source: Cho et al. 2014; the place of r is that of version 1 of the paper.

    >>> import fnn
    >>> p = fnn.RecurrentParams.init(fnn.key(0), 3, 5, gates=3)
    >>> outputs, final = fnn.gru(p, np.ones((2, 7, 3), np.float32), lengths=np.array([7, 4]))
    >>> bool(np.all(final[1] == outputs[1, 3])), outputs[1, 4:].any()
    (True, np.False_)
    """
    check_recurrence("gru", 3, params, x, "batch, time", {"initial": initial})
    mask = padding_of("gru", lengths, x)
    p = params
    made: tuple[Array3, Array2] = _gru(
        x, p.input_weight, p.hidden_weight, p.input_bias, p.hidden_bias, initial, reverse=bool(reverse), padding=mask
    )
    return made


def gru_cell(params: RecurrentParams, x: Array2, h: Array2, /) -> Array2:
    """One step of `gru`: the new h [batch, n_hidden] from x [batch, n_in] and h."""
    check_recurrence("gru_cell", 3, params, x, "batch", {"h": h})
    p = params
    new: Array2 = _gru(
        x[:, np.newaxis], p.input_weight, p.hidden_weight, p.input_bias, p.hidden_bias, h, reverse=False, padding=None
    )[1]
    return new
