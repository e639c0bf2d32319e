"""The GRU layer as a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fnn.arrays import Array2, Array3, Int1, Value, total
from fnn.autodiff.primitive import fused
from fnn.functional.activations import sigmoid
from fnn.functional.recurrence import (
    RecurrentParams,
    by_gate,
    check_recurrence,
    incoming,
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


def _factors(gates: Value, v: Value, k: Value, before: Value, padding: Value) -> tuple[Value, Value]:
    """For all steps: what dk^n, dr, dz and da^n are behind dh, [4, time, batch, n]; and what dh keeps from step to step."""
    r, z = gates
    d: Value = np.empty((4, *v.shape), v.dtype)
    dk_new, dr, dz, da_new = d
    np.subtract(1, gates, out=d[1:3])
    np.multiply(v, v, out=da_new)
    np.subtract(1, da_new, out=da_new)
    np.multiply(da_new, dz, out=da_new)
    np.multiply(da_new, r, out=dk_new)
    np.multiply(d[1:3], gates, out=d[1:3])
    np.multiply(dr, k, out=dr)
    np.multiply(dr, da_new, out=dr)
    np.multiply(dz, before - v, out=dz)
    if padding is None:
        return d, z
    np.copyto(d, 0, where=padding)
    return d, np.where(padding, v.dtype.type(1), z)


# The order of the gates in the kernel is that of the parameters, but in dk, where the new gate comes first; and the way back.
_ORDER, _NEW_FIRST, _BACK = (0, 1, 2), (2, 0, 1), (1, 2, 0)


@fused(6, _gru_reference)
def _gru(
    x: Value, w: Value, u: Value, b: Value, c: Value, initial: Value, *, reverse: bool, padding: Value
) -> tuple[tuple[Value, Value], Callable[[Sequence[Value], Sequence[bool]], Sequence[Value]]]:
    # With a_t = x_t w + b and k_t = h_{t-1} u + c, each in three parts, and sigmoid(a) = tanh(a / 2) / 2 + 1 / 2 (the halves
    # go into the weights once, and are exact):
    #   r, z = sigmoid(a^r + k^r), sigmoid(a^z + k^z),  v = tanh(a^n + r k^n),  h_t = (1 - z) v + z h_{t-1}
    #     = v + z (h_{t-1} - v)
    # Backwards, from dh, the cotangent of the final h, and e_t, that of output t:
    #   dh += e_t
    #   da^n = dh (1 - z) (1 - v^2),  dk^n = da^n r,  da^r = dk^r = da^n k^n r (1 - r)
    #   da^z = dk^z = dh (h_{t-1} - v) z (1 - z)
    #   dh <- dh z + dk_t u^T
    # All four are dh times what needs no recurrence, made for all steps at once. They stand in the order dk^n, r, z, da^n: the
    # first three are dk_t with its parts in the order n, r, z, the last three da_t. At a step of padding h_t = h_{t-1}: the
    # factors are 0, and z counts as 1.
    batch, time, _ = x.shape
    n, dtype = u.shape[0], w.dtype
    rows = rows_of(x, dtype, padding)
    w_and_bias, hidden_weight = by_gate(with_bias(w, b), _ORDER), by_gate(u, _ORDER)
    w_and_bias[:2, -1] += c[: 2 * n].reshape(2, n)
    w_and_bias[:2] *= 0.5
    hidden_weight[:2] *= 0.5
    halved, u_new, c_new = hidden_weight[:2], hidden_weight[2], c[2 * n :]
    a = (rows @ w_and_bias).reshape(3, time, batch, n)
    gates, v = a[:2], a[2]
    before, after = states_of(initial, time, batch, n, dtype, reverse)
    k = np.empty((time, batch, n), dtype)
    product, part = np.empty((2, batch, n), dtype), np.empty((batch, n), dtype)
    for ended, gates_t, r_t, z_t, v_t, k_t, h, new in steps(
        reverse, padding, gates.swapaxes(0, 1), *gates, v, k, before, after
    ):
        np.matmul(h, halved, out=product)
        np.add(gates_t, product, out=gates_t)
        np.tanh(gates_t, out=gates_t)
        np.multiply(gates_t, 0.5, out=gates_t)
        np.add(gates_t, 0.5, out=gates_t)
        np.matmul(h, u_new, out=k_t)
        np.add(k_t, c_new, out=k_t)
        np.multiply(r_t, k_t, out=part)
        np.add(v_t, part, out=v_t)
        np.tanh(v_t, out=v_t)
        np.subtract(h, v_t, out=new)
        np.multiply(z_t, new, out=new)
        np.add(v_t, new, out=new)
        if ended is not None:
            np.copyto(new, h, where=ended)

    def pull(gs: Sequence[Value], wanted: Sequence[bool]) -> Sequence[Value]:
        d, keep = _factors(gates, v, k, before, padding)
        back = transposed(by_gate(u, _NEW_FIRST), time)
        product, part = np.empty((3, batch, n), dtype), np.empty((batch, n), dtype)
        dh = np.array(gs[1], dtype, order="C")
        for _, d_t, dk, keep_t, e in steps(
            not reverse, padding, d.swapaxes(0, 1), d[:3].swapaxes(0, 1), keep, incoming(gs[0], padding)
        ):
            np.add(dh, e, out=dh)
            np.multiply(d_t, dh, out=d_t)
            np.multiply(dh, keep_t, out=dh)
            np.matmul(dk, back, out=product)
            total(product, 0, out=part)
            np.add(dh, part, out=dh)
        d = d.reshape(4, time * batch, n)
        dx, dw, db = pull_rows(rows, d[1:], by_gate(w, _ORDER), x.shape, wanted)
        du, dc_new = before.reshape(time * batch, n).T @ d[:3], np.ones(time * batch, dtype) @ d[0]
        dc = np.concatenate([db[0], db[1], dc_new])
        return dx, side_by_side(dw, _ORDER), side_by_side(du, _BACK), side_by_side(db, _ORDER), dc, dh

    return results(after, padding, reverse), pull


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
