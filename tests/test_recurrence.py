"""Recurrent layers beside their laws: values against slow loops, ragged batches, cells, scan, extremes and bad input."""

from __future__ import annotations

import math
import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import Generator

import fnn
from fnn.autodiff.tape import Tape
from fnn.functional import gru, lstm, recurrence, rnn

nn: Any = fnn  # for calls that checkers refuse

GATES = {"rnn": 1, "relu": 1, "lstm": 4, "gru": 3}
every_kind = pytest.mark.parametrize("kind", GATES)
both_directions = pytest.mark.parametrize("reverse", [False, True])


def drawn(kind: str, rng: Generator, n_in: int = 3, n: int = 2, scale: float = 1.0) -> fnn.RecurrentParams:
    width = GATES[kind] * n
    return fnn.RecurrentParams(*[scale * rng.normal(size=s) for s in ((n_in, width), (n, width), (width,), (width,))])


def run(kind: str, params: Any, x: Any, states: Any = None, **options: Any) -> tuple[Any, ...]:
    """(outputs, *final states), whatever the kind."""
    if kind == "lstm":
        y, final = fnn.lstm(params, x, None if states is None else fnn.LSTMState(*states), **options)
        return y, final.hidden, final.cell
    given_state = None if states is None else states[0]
    if kind == "gru":
        return fnn.gru(params, x, given_state, **options)
    return fnn.rnn(params, x, given_state, activation="relu" if kind == "relu" else "tanh", **options)


def cell(kind: str, params: Any, x: Any, states: Any) -> tuple[Any, ...]:
    if kind == "lstm":
        new = fnn.lstm_cell(params, x, fnn.LSTMState(*states))
        return new.hidden, new.cell
    if kind == "gru":
        return (fnn.gru_cell(params, x, states[0]),)
    return (fnn.rnn_cell(params, x, states[0], activation="relu" if kind == "relu" else "tanh"),)


def n_states(kind: str) -> int:
    return 2 if kind == "lstm" else 1


def slow_step(kind: str, p: Any, x: Any, states: list[list[float]]) -> list[list[float]]:
    """One step of one row, number by number, from the formulas of the literature."""
    h = states[0]
    n = len(h)

    def from_x(j: int) -> float:
        return sum(float(x[k] * p.input_weight[k, j]) for k in range(len(x))) + float(p.input_bias[j])

    def from_h(j: int) -> float:
        return sum(float(h[k] * p.hidden_weight[k, j]) for k in range(n)) + float(p.hidden_bias[j])

    def sigmoid(a: float) -> float:
        return 1 / (1 + math.exp(-a))

    new_h, new_s = [], []
    for j in range(n):
        a = [from_x(j + k * n) + from_h(j + k * n) for k in range(GATES[kind])]
        if kind == "rnn":
            new_h.append(math.tanh(a[0]))
        elif kind == "relu":
            new_h.append(max(a[0], 0.0))
        elif kind == "lstm":
            new_s.append(sigmoid(a[1]) * states[1][j] + sigmoid(a[0]) * math.tanh(a[2]))
            new_h.append(sigmoid(a[3]) * math.tanh(new_s[j]))
        else:
            r, z = sigmoid(a[0]), sigmoid(a[1])
            new = math.tanh(from_x(j + 2 * n) + r * from_h(j + 2 * n))
            new_h.append((1 - z) * new + z * h[j])
    return [new_h, new_s] if kind == "lstm" else [new_h]


def slow(kind: str, p: Any, x: Any, states: Any, lengths: Any, reverse: bool) -> tuple[Any, ...]:
    """Row by row, over the steps that the row has."""
    batch, time, _ = x.shape
    outputs = np.zeros((batch, time, p.hidden_weight.shape[0]))
    finals = [np.array(s) for s in states]
    for b in range(batch):
        now = [s[b].tolist() for s in states]
        steps = range(lengths[b])
        for t in reversed(steps) if reverse else steps:
            now = slow_step(kind, p, x[b, t], now)
            outputs[b, t] = now[0]
        for final, s in zip(finals, now, strict=True):
            final[b] = s
    return outputs, *finals


def assert_close(found: tuple[Any, ...], expected: tuple[Any, ...], tolerance: float = 1e-12) -> None:
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


# Values


@every_kind
@both_directions
@given(
    seed=st.integers(0, 2**32),
    sizes=st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)),
    ragged=st.booleans(),
    zero=st.booleans(),
)
def test_values_are_those_of_a_slow_loop(
    kind: str, reverse: bool, seed: int, sizes: tuple[int, ...], ragged: bool, zero: bool
) -> None:
    rng = np.random.default_rng(seed)
    batch, time, n_in, n = sizes
    params = drawn(kind, rng, n_in, n)
    x = rng.normal(size=(batch, time, n_in))
    states = [np.zeros((batch, n)) if zero else rng.normal(size=(batch, n)) for _ in range(n_states(kind))]
    lengths = rng.integers(0, time + 1, batch) if ragged else np.full(batch, time)
    found = run(kind, params, x, None if zero else states, lengths=lengths if ragged else None, reverse=reverse)
    assert_close(found, slow(kind, params, x, states, lengths, reverse))


@every_kind
def test_a_loop_of_cells_is_the_layer_and_so_are_its_gradients(kind: str) -> None:
    rng = np.random.default_rng(1)
    params, x = drawn(kind, rng, 3, 4), rng.normal(size=(2, 6, 3))
    states = [rng.normal(size=(2, 4)) for _ in range(n_states(kind))]
    u = rng.normal(size=(2, 6, 4))

    def by_cells(p: Any) -> Any:
        params, x, states = p
        outputs = []
        for t in range(6):
            states = cell(kind, params, x[:, t], states)
            outputs.append(states[0])
        return np.sum(u * np.stack(outputs, 1)) + np.sum(np.cos(states[-1]))

    def by_layer(p: Any) -> Any:
        y, *final = run(kind, p[0], p[1], p[2])
        return np.sum(u * y) + np.sum(np.cos(final[-1]))

    primal = (params, x, states)
    assert abs(by_cells(primal) - by_layer(primal)) < 1e-12
    a, b = fnn.grad(by_cells)(primal), fnn.grad(by_layer)(primal)
    assert_close(tuple(fnn.tree.leaves(a)), tuple(fnn.tree.leaves(b)))
    assert all(np.abs(leaf).max() > 1e-3 for leaf in fnn.tree.leaves(b))


@every_kind
def test_running_backwards_is_running_forwards_over_the_flipped_sequence(kind: str) -> None:
    rng = np.random.default_rng(2)
    params, x = drawn(kind, rng), rng.normal(size=(2, 5, 3))
    y, *final = run(kind, params, x, reverse=True)
    flipped, *same = run(kind, params, x[:, ::-1])
    assert_close((y, *final), (flipped[:, ::-1], *same), 1e-15)


@every_kind
def test_a_sequence_may_be_cut_where_its_state_is_handed_on(kind: str) -> None:
    rng = np.random.default_rng(3)
    params, x = drawn(kind, rng), rng.normal(size=(2, 7, 3))
    whole, *final = run(kind, params, x)
    first, *middle = run(kind, params, x[:, :3])
    second, *end = run(kind, params, x[:, 3:], middle)
    assert_close((np.concatenate([first, second], 1), *end), (whole, *final), 1e-14)


def test_layers_give_the_outputs_of_their_functions() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(2, 4, 3))
    layers: list[tuple[Any, Callable[..., Any], dict[str, Any]]] = [
        (fnn.RNN(3, 2), fnn.rnn, {}),
        (fnn.RNN(3, 2, activation="relu", reverse=True), fnn.rnn, {"activation": "relu", "reverse": True}),
        (fnn.LSTM(3, 2), fnn.lstm, {}),
        (fnn.LSTM(3, 2, reverse=True), fnn.lstm, {"reverse": True}),
        (fnn.GRU(3, 2), fnn.gru, {}),
        (fnn.GRU(3, 2, reverse=True), fnn.gru, {"reverse": True}),
    ]
    for layer, f, options in layers:
        params = fnn.tree.astype(fnn.init(layer, fnn.key(0))[0], np.float64)
        assert np.array_equal(layer.forward(params, None, x, fnn.EVAL)[0], f(params, x, **options)[0])


@pytest.mark.parametrize("make", [fnn.RNN, fnn.LSTM, fnn.GRU])
def test_bidirectional_puts_the_two_directions_side_by_side(make: Any) -> None:
    rng = np.random.default_rng(5)
    layer = fnn.bidirectional(make(3, 2))
    params, state = fnn.tree.astype(fnn.init(layer, fnn.key(0)), np.float64)
    assert not fnn.tree.equal(params[0], params[1])
    x = rng.normal(size=(2, 4, 3))
    y = layer.forward(params, state, x, fnn.EVAL)[0]
    assert np.array_equal(y[..., :2], make(3, 2).forward(params[0], None, x, fnn.EVAL)[0])
    assert np.array_equal(y[..., 2:], make(3, 2, reverse=True).forward(params[1], None, x, fnn.EVAL)[0])


def test_initial_parameters_are_uniform_within_the_bound_of_pytorch() -> None:
    layers: list[tuple[Any, int]] = [(fnn.RNN(40, 64), 1), (fnn.GRU(40, 64), 3), (fnn.LSTM(40, 64), 4)]
    for layer, gates in layers:
        params = fnn.init(layer, fnn.key(3))[0]
        shapes = [leaf.shape for leaf in fnn.tree.leaves(params)]
        assert shapes == [(40, gates * 64), (64, gates * 64), (gates * 64,), (gates * 64,)]
        for leaf in fnn.tree.leaves(params):
            assert np.abs(leaf).max() <= 1 / 8
            assert np.abs(leaf).max() > 0.11
            assert abs(leaf.std() - 1 / 8 / math.sqrt(3)) < 0.012
        assert not np.array_equal(params.input_bias, params.hidden_bias)


# Ragged batches


@every_kind
@both_directions
def test_padding_has_no_influence_and_no_gradient(kind: str, reverse: bool) -> None:
    rng = np.random.default_rng(6)
    params, x = drawn(kind, rng), rng.normal(size=(3, 5, 3))
    states = [rng.normal(size=(3, 2)) for _ in range(n_states(kind))]
    lengths = np.array([2, 5, 0])
    behind = np.arange(5) >= lengths[:, None]
    poisoned = np.where(behind[..., None], np.nan, x)

    def f(p: Any) -> Any:
        y, *final = run(kind, p[0], p[1], p[2], lengths=lengths, reverse=reverse)
        return np.sum(np.sin(y)) + sum([np.sum(np.sin(s + k)) for k, s in enumerate(final)])

    value, grads = fnn.value_and_grad(f)((params, x, states))
    same, grads_of_poisoned = fnn.value_and_grad(f)((params, poisoned, states))
    assert value == same
    assert fnn.tree.equal(grads, grads_of_poisoned)
    # of higher orders too, which run the reference
    along = fnn.tree.map(lambda a: rng.normal(size=a.shape), params)

    def curvature(x: Any) -> fnn.RecurrentParams:
        def of_params(p: fnn.RecurrentParams) -> fnn.Scalar:
            value: fnn.Scalar = f((p, x, states))
            return value

        return fnn.hvp(of_params, params, along)

    assert_close(tuple(fnn.tree.leaves(curvature(poisoned))), tuple(fnn.tree.leaves(curvature(x))))
    assert not grads[1][behind].any()
    assert grads[1][~behind].all()


@every_kind
@both_directions
def test_rows_without_a_step_keep_their_state_and_hand_its_cotangent_through(kind: str, reverse: bool) -> None:
    rng = np.random.default_rng(7)
    params, x = drawn(kind, rng), rng.normal(size=(2, 3, 3))
    states = [rng.normal(size=(2, 2)) for _ in range(n_states(kind))]
    ys, pullback = fnn.vjp(lambda s: run(kind, params, x, s, lengths=np.zeros(2, np.int64), reverse=reverse), states)
    assert not ys[0].any()
    us = tuple([rng.normal(size=y.shape) for y in ys])
    assert_close(tuple(ys[1:]), tuple(states), 0)
    assert_close(tuple(pullback(us)), us[1:], 0)


@every_kind
def test_lengths_that_are_full_change_nothing(kind: str) -> None:
    rng = np.random.default_rng(8)
    params, x = drawn(kind, rng), rng.normal(size=(2, 3, 3))
    for lengths in (np.array([3, 3]), np.array([3, 3], np.uint8)):
        assert fnn.tree.equal(run(kind, params, x, lengths=lengths), run(kind, params, x))


# Sizes, dtypes, memory


@every_kind
@both_directions
def test_an_empty_batch_gives_empty_outputs_and_zero_gradients(kind: str, reverse: bool) -> None:
    params = drawn(kind, np.random.default_rng(9))
    x = np.zeros((0, 4, 3))
    y, *final = run(kind, params, x, lengths=np.zeros(0, np.int64), reverse=reverse)
    assert y.shape == (0, 4, 2)
    assert all(s.shape == (0, 2) for s in final)
    grads = fnn.grad(lambda p: np.sum(run(kind, p, x, reverse=reverse)[0]))(params)
    assert fnn.tree.equal(grads, fnn.tree.zeros_like(params))


@every_kind
def test_dtypes(kind: str) -> None:
    rng = np.random.default_rng(10)
    params, x = drawn(kind, rng), rng.normal(size=(2, 3, 3))
    narrow, x32 = fnn.tree.astype(params, np.float32), x.astype(np.float32)
    states = [rng.normal(size=(2, 2)).astype(np.float32) for _ in range(n_states(kind))]
    for given_states in (None, states):
        assert all(y.dtype == np.float32 for y in run(kind, narrow, x32, given_states, lengths=np.array([1, 3])))
        assert all(y.dtype == np.float64 for y in run(kind, params, x32, given_states))
    assert_close(run(kind, params, x32), run(kind, params, x32.astype(np.float64)), 0)
    with pytest.raises(TypeError, match=r"x is float64 but input_weight is float32"):
        run(kind, narrow, x)
    with pytest.raises(TypeError, match=r"hidden is float64|initial is float64"):
        run(kind, narrow, x32, [s.astype(np.float64) for s in states])

    def f(p: Any) -> Any:
        return np.sum(run(kind, p[0], p[1], p[2])[0])

    grads = fnn.grad(f)((params, x32, states))
    assert [leaf.dtype for leaf in fnn.tree.leaves(grads)] == [leaf.dtype for leaf in fnn.tree.leaves((params, x32, states))]
    mixed = fnn.RecurrentParams(params.input_weight, narrow.hidden_weight, narrow.input_bias, narrow.hidden_bias)
    ys = run(kind, mixed, x)
    assert all(y.dtype == np.float64 for y in ys)
    assert_close(ys, run(kind, params, x), 1e-6)
    assert all(
        leaf.dtype == p.dtype
        for leaf, p in zip(vars(fnn.grad(lambda p: f((p, x, None)))(mixed)).values(), vars(mixed).values(), strict=True)
    )


@every_kind
@both_directions
def test_results_share_no_memory_and_a_pullback_gives_the_same_twice(kind: str, reverse: bool) -> None:
    rng = np.random.default_rng(11)
    params, x = drawn(kind, rng), rng.normal(size=(3, 8, 3))
    states = [rng.normal(size=(3, 2)) for _ in range(n_states(kind))]
    primal = (list(vars(params).values()), x, states)
    for lengths in (None, np.array([1, 8, 4])):

        def f(p: Any, lengths: Any = lengths) -> Any:
            return run(kind, fnn.RecurrentParams(*p[0]), *p[1:], lengths=lengths, reverse=reverse)

        ys, pullback = fnn.vjp(f, primal)
        for k, y in enumerate(ys):
            for other in (*ys[:k], *fnn.tree.leaves(primal)):
                assert not np.shares_memory(y, other)
        us = tuple([rng.normal(size=y.shape) for y in ys])
        assert fnn.tree.equal(pullback(us), pullback(us))
        # cotangents of any layout
        strided = tuple([np.asfortranarray(u) for u in us])
        assert fnn.tree.equal(pullback(us), pullback(strided))
        leaves = fnn.tree.leaves(pullback(us))
        assert not any(np.shares_memory(a, b) for k, a in enumerate(leaves) for b in (*leaves[:k], *us))


@every_kind
def test_inputs_of_any_layout(kind: str) -> None:
    rng = np.random.default_rng(12)
    params, x = drawn(kind, rng), rng.normal(size=(3, 4, 3))
    expected = run(kind, params, x)
    assert_close(run(kind, params, np.asfortranarray(x)), expected, 1e-14)
    columns = fnn.tree.map(lambda a: np.asfortranarray(a), params)
    assert_close(run(kind, columns, x), expected, 1e-14)


# Layouts that depend on sizes: one example, few, and pieces of a batch


OPS: dict[str, Any] = {"rnn": rnn._rnn, "relu": rnn._rnn, "lstm": lstm._lstm, "gru": gru._gru}


def draw_op(kind: str, rng: Generator, batch: int, time: int, n_in: int, n: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments of the operation and its options."""
    params = drawn(kind, rng, n_in, n, 0.5)
    states = [rng.normal(size=(batch, n)) for _ in range(n_states(kind))]
    args = (rng.normal(size=(batch, time, n_in)), *[vars(params)[name] for name in ORDER], *states)
    return args, {} if kind in ("lstm", "gru") else {"activation": "relu" if kind == "relu" else "tanh"}


ORDER = ("input_weight", "hidden_weight", "input_bias", "hidden_bias")


@every_kind
@both_directions
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("batch", [1, 2, 15, 16, 17, 40])
def test_every_layout_is_the_reference(
    kind: str, reverse: bool, ragged: bool, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One example, few of them, 16 at a time, and what is left of them."""
    n_in, n, time = 3, 4, 5
    monkeypatch.setattr(recurrence, "_UNPACKED", 20 * (n_in + 2 + n) * n)
    assert [part.stop for part in recurrence.pieces(40, n_in + 2 + n, n)] == [16, 32, 40]
    rng = np.random.default_rng(19)
    args, options = draw_op(kind, rng, batch, time, n_in, n)
    behind = np.arange(time)[:, None] >= rng.integers(0, time + 1, batch)
    options |= {"reverse": reverse, "padding": behind[..., None] if ragged else None}
    op = OPS[kind]
    ys, pullback = fnn.vjp(lambda p: op(*p, **options), args)
    expected, expected_pullback = fnn.vjp(lambda p: op.reference(*p, **options), args)
    assert_close(ys, expected)
    us = tuple([rng.normal(size=y.shape) for y in ys])
    assert_close(tuple(pullback(us)), tuple(expected_pullback(us)), 1e-11)
    alone = op(*args, **options)
    assert all(np.array_equal(a, b) for a, b in zip(alone, ys, strict=True))


@every_kind
@pytest.mark.parametrize("batch", [1, 20, 100])
def test_sizes_of_practice_in_float32(kind: str, batch: int) -> None:
    rng = np.random.default_rng(20)
    args, options = draw_op(kind, rng, batch, 6, 32, 128)
    args = (args[0], *[0.1 * a for a in args[1:3]], *args[3:])
    narrow = tuple([a.astype(np.float32) for a in args])
    wide = tuple([a.astype(np.float64) for a in narrow])
    options |= {"reverse": False, "padding": None}
    op = OPS[kind]
    ys, pullback = fnn.vjp(lambda p: op(*p, **options), narrow)
    expected, expected_pullback = fnn.vjp(lambda p: op.reference(*p, **options), wide)
    us = tuple([rng.normal(size=y.shape).astype(np.float32) for y in ys])
    found = (*ys, *pullback(us))
    exact = (*expected, *expected_pullback(tuple([u.astype(np.float64) for u in us])))
    for a, b in zip(found, exact, strict=True):
        assert a.dtype == np.float32
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * np.abs(b).max())
    assert all(np.array_equal(a, b) for a, b in zip(op(*narrow, **options), ys, strict=True))


@every_kind
def test_outputs_of_few_units_do_not_keep_a_wide_input_alive(kind: str) -> None:
    params = drawn(kind, np.random.default_rng(23), 50, 2)
    y = run(kind, params, np.ones((2, 4, 50)))[0]
    owner = y if y.base is None else y.base
    assert owner.size <= 2 * y.size


@every_kind
@pytest.mark.parametrize(("n_in", "n"), [(0, 2), (2, 0), (0, 0)])
def test_without_inputs_or_units(kind: str, n_in: int, n: int) -> None:
    params = drawn(kind, np.random.default_rng(24), n_in, n)
    y, grads = fnn.value_and_grad(lambda p: np.sum(run(kind, p, np.ones((3, 2, n_in)))[0]))(params)
    assert np.isfinite(y)
    assert [leaf.shape for leaf in fnn.tree.leaves(grads)] == [leaf.shape for leaf in fnn.tree.leaves(params)]


# Layers without checks, tape and tracers


MADE: list[Any] = [
    fnn.RNN(3, 4),
    fnn.RNN(3, 4, activation="relu", reverse=True),
    fnn.LSTM(3, 4),
    fnn.LSTM(3, 4, reverse=True),
    fnn.GRU(3, 4),
    fnn.GRU(3, 4, reverse=True),
    fnn.bidirectional(fnn.LSTM(3, 4)),
]


def writable_like(params: Any) -> Any:
    leaves, structure = fnn.tree.flatten(params)
    return structure.unflatten([np.full_like(leaf, np.nan) for leaf in leaves])


every_layer = pytest.mark.parametrize("layer", MADE, ids=str)


@every_layer
@pytest.mark.parametrize("dtypes", [(np.float32, np.float32), (np.float64, np.float64), (np.float64, np.float32)])
def test_an_evaluator_gives_the_bits_of_forward_in_memory_of_its_own(layer: Any, dtypes: tuple[Any, Any]) -> None:
    rng = np.random.default_rng(21)
    params = fnn.tree.freeze(fnn.tree.astype(fnn.init(layer, fnn.key(4))[0], dtypes[0]))
    evaluate = layer.evaluator(params, None)
    seen: list[Any] = []
    for batch, time in ((1, 5), (3, 1), (20, 4), (0, 2), (1, 5)):
        x = rng.normal(size=(batch, time, 3)).astype(dtypes[1])
        x.setflags(write=False)
        y = evaluate(x)
        expected = layer.forward(params, None, x, fnn.EVAL)[0]
        assert y.dtype == expected.dtype
        assert np.array_equal(y, expected)
        assert not any(np.shares_memory(y, other) for other in (*[first for first, _ in seen], *fnn.tree.leaves(params)))
        seen.append((y, expected))
    assert all(np.array_equal(y, expected) for y, expected in seen)  # nothing was written again


@every_layer
def test_the_way_back_of_a_layer_runs_without_tape(layer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bits are those of the tape by the law of layers."""
    params = fnn.init(layer, fnn.key(5))[0]
    x = np.ones((2, 4, 3), np.float32)
    monkeypatch.setattr(Tape, "record_several", None)
    y, _, pull = layer.vjp(params, None, x, fnn.EVAL, True)
    into = writable_like(params)
    dx = pull(np.ones_like(y), into)
    assert dx.shape == x.shape
    assert all(np.isfinite(leaf).all() and leaf.any() for leaf in fnn.tree.leaves(into))
    assert layer.vjp(params, None, x, fnn.EVAL, False)[2](np.ones_like(y), into) is None


def test_a_layer_with_a_forward_of_its_own_has_neither_inside_a_bidirectional_one() -> None:
    class Doubled(fnn.LSTM):
        def forward(self, params: Any, state: None, x: Any, mode: Any, /) -> Any:
            return 2 * super().forward(params, state, x, mode)[0], None

    layer: Any = fnn.bidirectional(Doubled(3, 2))
    params = fnn.init(layer, fnn.key(6))[0]
    x = np.random.default_rng(22).normal(size=(2, 4, 3)).astype(np.float32)
    expected, pullback = fnn.vjp(lambda p: layer.forward(p[0], None, p[1], fnn.EVAL)[0], (params, x))
    assert np.array_equal(expected, 2 * fnn.bidirectional(fnn.LSTM(3, 2)).forward(params, None, x, fnn.EVAL)[0])
    assert np.array_equal(layer.evaluator(params, None)(x), expected)
    y, _, pull = layer.vjp(params, None, x, fnn.EVAL, True)
    assert np.array_equal(y, expected)
    into = writable_like(params)
    g = np.ones_like(y)
    dx = pull(g, into)
    assert fnn.tree.equal((into, dx), pullback(g))


# Extremes


@every_kind
def test_saturated_gates_are_finite_and_exact(kind: str) -> None:
    rng = np.random.default_rng(13)
    for dtype in (np.float32, np.float64):
        params = fnn.tree.astype(drawn(kind, rng, scale=0.1), dtype)
        x = (np.sign(rng.normal(size=(4, 3, 3))) * 1e5).astype(dtype)

        def f(p: Any, x: Any = x) -> Any:
            return np.sum(run(kind, p, x)[0])

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            value, grads = fnn.value_and_grad(f)(params)
        assert np.isfinite(value)
        assert all(np.isfinite(leaf).all() for leaf in fnn.tree.leaves(grads))
        if kind != "relu":
            assert np.abs(run(kind, params, x)[0]).max() <= 1


def test_a_closed_gate_is_exactly_closed_and_an_open_one_keeps_the_cell() -> None:
    """With the forget gate at 1 and the input gate at 0 an LSTM remembers for ever, to the bit."""
    n = 2
    zeros = np.zeros((1, 4 * n), np.float32)
    bias = np.repeat(np.array([-100, 100, 0, 100], np.float32), n)
    params = fnn.RecurrentParams(zeros, np.zeros((n, 4 * n), np.float32), bias, zeros[0])
    cell = np.array([[0.3, -1.7]], np.float32)
    _, final = fnn.lstm(params, np.ones((1, 200, 1), np.float32), fnn.LSTMState(np.zeros_like(cell), cell))
    assert np.array_equal(final.cell, cell)
    assert np.array_equal(final.hidden, np.tanh(cell))


@every_kind
def test_long_sequences_keep_their_gradients_finite(kind: str) -> None:
    layer: Any = {"rnn": fnn.RNN(3, 8), "relu": fnn.RNN(3, 8, activation="relu"), "lstm": fnn.LSTM(3, 8), "gru": fnn.GRU(3, 8)}[
        kind
    ]
    params = fnn.init(layer, fnn.key(0))[0]
    x = np.random.default_rng(14).normal(size=(2, 200, 3)).astype(np.float32)
    wide = fnn.tree.astype(params, np.float64)

    def f(p: Any) -> Any:
        return np.mean(np.square(run(kind, p, x)[0]))

    grads, exact = fnn.grad(f)(params), fnn.grad(f)(wide)
    for a, b in zip(fnn.tree.leaves(grads), fnn.tree.leaves(exact), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4 * np.abs(b).max())


def test_an_lstm_learns_to_remember_the_first_step() -> None:
    rng = np.random.default_rng(15)
    x = rng.normal(size=(64, 12, 1)).astype(np.float32)
    labels = (x[:, 0, 0] > 0).astype(np.int64)

    def last(x: fnn.Array3) -> fnn.Array2:
        return x[:, -1]

    model = fnn.LSTM(1, 8) >> last >> fnn.Dense(8, 2)
    step = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), fnn.Adam(0.05))
    _, losses = fnn.repeat(100, step, fnn.start(model, fnn.Adam(0.05), fnn.key(0)), x, labels)
    assert losses[0] > 0.6
    assert losses[-1] < 0.1


# scan


def test_scan_with_a_cell_is_the_layer_in_both_directions() -> None:
    rng = np.random.default_rng(16)
    params, x = drawn("gru", rng), rng.normal(size=(2, 5, 3))
    u = rng.normal(size=(2, 5, 2))
    for reverse in (False, True):

        def scanned(p: fnn.RecurrentParams, reverse: bool = reverse) -> tuple[fnn.Array2, fnn.Array3]:
            def step(h: fnn.Array2, x: fnn.Array2) -> tuple[fnn.Array2, fnn.Array2]:
                h = fnn.gru_cell(p, x, h)
                return h, h

            return fnn.scan(step, np.zeros((2, 2)), x, reverse=reverse)

        def weighed(p: fnn.RecurrentParams) -> fnn.Scalar:
            return np.sum(u * scanned(p)[1])

        def weighed_layer(p: fnn.RecurrentParams, reverse: bool = reverse) -> fnn.Scalar:
            return np.sum(u * fnn.gru(p, x, reverse=reverse)[0])

        h, ys = scanned(params)
        assert_close((ys, h), fnn.gru(params, x, reverse=reverse))
        a = fnn.grad(weighed)(params)
        b = fnn.grad(weighed_layer)(params)
        assert_close(tuple(fnn.tree.leaves(a)), tuple(fnn.tree.leaves(b)))


def test_scan_takes_and_gives_trees() -> None:
    rng = np.random.default_rng(17)
    xs: Any = {"a": rng.normal(size=(2, 4, 3)), "b": (rng.normal(size=(2, 4)), rng.integers(0, 9, (2, 4, 1, 1)))}
    seen: list[Any] = []

    def step(carry: Any, x: Any) -> Any:
        seen.append(x)
        total, count = carry
        return (total + x["a"], count + 1), {"sum": total + x["a"], "flat": (x["b"][0], None)}

    (total, count), ys = nn.scan(step, (np.zeros((2, 3)), 0), xs)
    assert count == 4
    assert [leaf.shape for leaf in fnn.tree.leaves(seen[0])] == [(2, 3), (2,), (2, 1, 1)]
    np.testing.assert_allclose(total, xs["a"].sum(1))
    np.testing.assert_allclose(ys["sum"], np.cumsum(xs["a"], 1))
    assert np.array_equal(ys["flat"][0], xs["b"][0])
    assert ys["flat"][1] is None
    assert nn.scan(lambda c, x: (c + x["a"], None), total, xs)[1] is None


def test_scan_differentiates_carry_xs_and_closure_to_second_order() -> None:
    def f(p: Any) -> Any:
        scale, start, xs = p
        end, ys = fnn.scan(lambda c, x: (np.tanh(scale * c + x), c * x), start, xs)
        return np.sum(np.sin(end)) + np.sum(ys * ys)

    rng = np.random.default_rng(18)
    fnn.testing.check_grads(f, (rng.normal(size=3), rng.normal(size=(2, 3)), rng.normal(size=(2, 3, 3))), order=2)


def test_the_work_of_a_scan_grows_linearly_and_so_does_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []  # of all cotangents that operations hand on
    record = Tape.record

    def recorded(self: Tape, value: Any, parents: Any, pull: Any, saved: tuple[Any, ...] = ()) -> Any:
        def measured(g: Any, *saved: Any) -> Any:
            parts = pull(g, *saved)
            sizes.extend([part.size for part in fnn.tree.leaves(parts)])
            return parts

        return record(self, value, parents, measured, saved)

    monkeypatch.setattr(Tape, "record", recorded)

    def cost(time: int) -> tuple[int, int]:
        xs = np.ones((2, time, 50))

        def f(p: Any) -> Any:
            return np.sum(fnn.scan(lambda c, x: (p[0] * c + x, c), np.zeros((2, 50)), p[1])[1])

        sizes.clear()
        tracemalloc.start()
        fnn.grad(f)((np.float64(0.5), xs))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return sum(sizes), peak

    cost(8)
    (work, memory), (more_work, more_memory) = cost(64), cost(256)
    assert more_work < 4.1 * work
    assert more_memory < 6 * memory


# Bad input

p2 = fnn.RecurrentParams.init(fnn.key(0), 3, 2, gates=4)
x2 = np.ones((4, 5, 3), np.float32)
state2 = fnn.LSTMState.init(4, 2)


def with_(**fields: Any) -> Any:
    return fnn.RecurrentParams(**{**vars(p2), **fields})


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.lstm(x2, p2), TypeError, r"lstm: params is f32\[4,5,3\], expected RecurrentParams; are arguments swapped"),
        (lambda: nn.lstm(p2, x2[0]), ValueError, r"lstm: x has shape \(5, 3\).*\[batch, time, 3\]; .* x\[np.newaxis\]"),
        (lambda: nn.lstm(p2, x2[..., :2]), ValueError, r"lstm: x has shape \(4, 5, 2\) but input_weight is \(3, 8\)"),
        (lambda: nn.lstm(p2, x2[:, :0]), ValueError, r"lstm: x has shape \(4, 0, 3\), without a step of time"),
        (lambda: nn.lstm(p2, x2.astype(int)), TypeError, r"lstm: x is i64\[4,5,3\], expected floating"),
        (lambda: nn.gru(p2, x2), ValueError, r"gru: hidden_weight has shape \(2, 8\), expected \[n_hidden, 3 \* n_hidden\]"),
        (lambda: nn.rnn(p2, x2), ValueError, r"rnn: hidden_weight has shape \(2, 8\), expected \[n_hidden, n_hidden\]"),
        (lambda: nn.lstm(with_(input_weight=np.ones((3, 4), np.float32)), x2), ValueError, r"input_weight has .*\[n_in, 8\]"),
        (lambda: nn.lstm(with_(input_bias=np.ones(4, np.float32)), x2), ValueError, r"input_bias has shape \(4,\).*\(8,\)"),
        (lambda: nn.lstm(with_(hidden_bias=np.ones(1, np.float32)), x2), ValueError, r"hidden_bias has shape \(1,\).*\(8,\)"),
        (lambda: nn.lstm(with_(hidden_bias=np.ones(8)), x2), TypeError, r"hidden_bias is float64 but input_weight is float32"),
        (lambda: nn.lstm(p2, x2, np.ones((4, 2))), TypeError, r"lstm: initial is f64\[4,2\], expected LSTMState"),
        (lambda: nn.lstm(p2, x2, fnn.LSTMState.init(1, 2)), ValueError, r"initial.hidden has shape \(1, 2\), .*\(4, 2\)"),
        (lambda: nn.lstm_cell(p2, x2[:, 0], None), TypeError, r"lstm_cell: state is None, expected LSTMState"),
        (lambda: nn.lstm_cell(p2, x2, state2), ValueError, r"lstm_cell: x has shape \(4, 5, 3\).*x must be \[batch, 3\]"),
        (lambda: nn.lstm(p2, x2, lengths=np.ones(4)), TypeError, r"lstm: lengths is f64\[4\], expected integers"),
        (lambda: nn.lstm(p2, x2, lengths=np.ones(3, int)), ValueError, r"lengths has shape \(3,\).*\(4,\)"),
        (lambda: nn.lstm(p2, x2, lengths=np.array([1, 2, 3, 6])), ValueError, r"lengths are from 1 to 6, expected from 0 to 5"),
        (lambda: nn.lstm(p2, x2, lengths=np.array([1, -2, 3, 5])), ValueError, r"lengths are from -2 to 5, expected from 0"),
        (lambda: nn.RNN(3, 2, activation="sigmoid"), ValueError, r"RNN: activation is 'sigmoid', expected 'tanh' or 'relu'"),
        (lambda: nn.LSTM(0, 2), ValueError, r"LSTM: n_in is 0, expected at least 1"),
        (lambda: nn.GRU(3, 2.5), TypeError, r"GRU: n_hidden is 2.5, a float, expected an int"),
        (lambda: nn.GRU(3, 2, reverse=1), TypeError, r"GRU: reverse is 1, expected True or False"),
        (lambda: nn.bidirectional(fnn.Dense(3, 2)), TypeError, r"bidirectional: got Dense\(3, 2\), expected an RNN, LSTM or"),
        (lambda: nn.bidirectional(nn.GRU(3, 2, reverse=True)), ValueError, r"bidirectional: GRU.* runs backwards already"),
        (
            lambda: nn.bidirectional(nn.GRU(3, 2)).forward(p2, None, x2, fnn.EVAL),
            ValueError,
            r"bidirectional: params is RecurrentParams.*, a pair",
        ),
        (lambda: nn.scan(lambda c, x: (c, x), 0, x2[:, :0]), ValueError, r"scan: xs has shape \(4, 0, 3\).*at least one step"),
        (lambda: nn.scan(lambda c, x: (c, x), 0, {"a": x2[:, 0, 0]}), ValueError, r"scan: xs\['a'\] has shape \(4,\)"),
        (lambda: nn.scan(lambda c, x: (c, x), 0, (x2, x2[:, 1:])), ValueError, r"scan: xs has arrays of \[4, 5\] steps"),
        (lambda: nn.scan(lambda c, x: (c, x), 0, ()), ValueError, r"scan: xs has no array"),
        (lambda: nn.scan(lambda c, x: c, x2[:, 0], x2), TypeError, r"scan: step must return \(carry, y\), got f32\[4,3\]"),
        (lambda: nn.scan(lambda c, x: (c, np.sum(x)), 0, x2), ValueError, r"scan: y is f32\[\], without a batch axis"),
        (lambda: nn.scan(lambda c, x: (c + 1, x if c else None), 0, x2), ValueError, r"scan: .* unlike structure, at time 1"),
    ],
)  # fmt: skip
def test_bad_input(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("name", ["rnn_cell", "gru_cell"])
def test_bad_input_of_cells(name: str) -> None:
    params = fnn.RecurrentParams.init(fnn.key(0), 3, 2, gates=1 if name == "rnn_cell" else 3)
    h = np.ones((4, 2), np.float32)
    f = getattr(fnn, name)
    with pytest.raises(ValueError, match=rf"{name}: h has shape \(4, 1\), expected \[batch, n_hidden\], \(4, 2\)"):
        f(params, x2[:, 0], h[:, :1])
    with pytest.raises(TypeError, match=rf"{name}: h is a float, expected a floating array"):
        f(params, x2[:, 0], 0.0)
    with pytest.raises(ValueError, match=rf"{name}: x has shape \(3,\).*x\[np.newaxis\]"):
        f(params, x2[0, 0], h)
