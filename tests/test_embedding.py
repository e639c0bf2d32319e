"""What the laws don't see of embeddings, one-hot vectors and positions: values, edges, precision and errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn

seeds = st.integers(0, 2**32)
INTEGERS = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.int64, np.uint64, np.dtype(">i4"), np.dtype(">u2")]

# Embedding


@given(seed=seeds, rank=st.integers(0, 4), dtype=st.sampled_from(INTEGERS))
def test_embedding_reads_rows_and_its_gradient_adds_them_up(seed: int, rank: int, dtype: Any) -> None:
    rng = np.random.default_rng(seed)
    vocab, dim = rng.integers(1, 9, 2)
    table: Any = rng.normal(size=(vocab, dim))
    tokens: Any = rng.integers(0, vocab, rng.integers(0, 5, rank)).astype(dtype)
    y, pullback = fnn.vjp(lambda p: fnn.embedding(p, tokens), fnn.EmbeddingParams(table))
    assert y.shape == (*tokens.shape, dim)
    u: Any = rng.normal(size=y.shape)
    expected: Any = np.zeros_like(table)
    for i in np.ndindex(tokens.shape):
        assert np.array_equal(y[i], table[int(tokens[i])])
        expected[int(tokens[i])] += u[i]
    np.testing.assert_allclose(pullback(u).table, expected, atol=1e-12)


@pytest.mark.parametrize("vocab", [255, 256, 257, 65535, 65536, 65537, 70000])
def test_large_vocabularies(vocab: int) -> None:
    """The sort by token runs in 16 bits where these are enough."""
    rng = np.random.default_rng(vocab)
    tokens = np.concatenate([[0, vocab - 1, 0, 1, vocab - 1, 65536 % vocab], rng.integers(0, vocab, 300)])
    u = rng.normal(size=(306, 2))
    table = np.zeros((vocab, 2))
    _, pullback = fnn.vjp(lambda p: fnn.embedding(p, tokens), fnn.EmbeddingParams(table))
    np.add.at(table, tokens, u)
    np.testing.assert_allclose(pullback(u).table, table, atol=1e-12)


def test_strided_and_read_only_tokens() -> None:
    p = fnn.EmbeddingParams(np.random.default_rng(0).normal(size=(6, 2)))
    tokens = np.arange(24).reshape(4, 6)[::2, ::-2].T % 6
    tokens.flags.writeable = False
    y, pullback = fnn.vjp(lambda p: fnn.embedding(p, tokens), p)
    same, expected = fnn.vjp(lambda p: fnn.embedding(p, tokens.copy()), p)
    assert np.array_equal(y, same)
    assert fnn.tree.equal(pullback(np.asfortranarray(y)), expected(y))


def test_embedding_keeps_the_dtype_of_its_table() -> None:
    for dtype in (np.float32, np.float64):
        p = fnn.EmbeddingParams(np.ones((3, 2), dtype))
        y, pullback = fnn.vjp(lambda p: fnn.embedding(p, np.array([1, 1, 2])), p)
        assert y.dtype == dtype
        assert pullback(y).table.dtype == dtype


def test_embedding_starts_standard_normal_unless_told_otherwise() -> None:
    table = fnn.init(fnn.Embedding(200, 50), fnn.key(0))[0].table
    assert table.dtype == np.float32
    assert abs(table.std() - 1) < 0.03
    assert abs(table.mean()) < 0.03
    assert np.array_equal(fnn.EmbeddingParams.init(fnn.key(0), 200, 50).table, table)
    assert np.array_equal(fnn.PositionParams.init(fnn.key(0), 200, 50).table, table)
    small = fnn.Embedding(200, 50, weight_init=fnn.initializers.normal(0.02))
    assert abs(fnn.init(small, fnn.key(0))[0].table.std() - 0.02) < 0.001
    positions = fnn.LearnedPositions(200, 50, weight_init=fnn.initializers.normal(0.02))
    assert abs(fnn.init(positions, fnn.key(0))[0].table.std() - 0.02) < 0.001
    assert abs(fnn.init(fnn.LearnedPositions(200, 50), fnn.key(0))[0].table.std() - 1) < 0.03


def test_the_layer_is_its_function_for_tokens_of_any_shape() -> None:
    layer: Any = fnn.Embedding(5, 3)
    params, state = fnn.init(layer, fnn.key(0))
    assert state is None
    for shape in ((2, 4), (7,), (2, 1, 3)):
        tokens: Any = np.random.default_rng(0).integers(0, 5, shape)
        y, after = fnn.forward(layer, params, state, tokens)
        assert after is None
        assert np.array_equal(y, fnn.embedding(params, tokens))
    assert repr(layer >> fnn.LearnedPositions(4, 3)) == "Embedding(5, 3) >> LearnedPositions(4, 3)"
    assert layer != fnn.Embedding(5, 3, weight_init=fnn.initializers.normal(0.5))


@given(seed=seeds, rank=st.integers(2, 3))
def test_the_tied_head_is_a_product_with_each_row(seed: int, rank: int) -> None:
    rng = np.random.default_rng(seed)
    p = fnn.EmbeddingParams(rng.normal(size=(5, 3)))
    x: Any = rng.normal(size=(*rng.integers(0, 4, rank - 1), 3))
    logits = fnn.attend(p, x)
    assert logits.shape == (*x.shape[:-1], 5)
    for k in range(5):
        np.testing.assert_allclose(logits[..., k], (x * p.table[k]).sum(-1), atol=1e-12)


def test_both_uses_of_a_tied_table_reach_its_gradient() -> None:
    rng = np.random.default_rng(0)
    p, tokens, u = fnn.EmbeddingParams(rng.normal(size=(4, 3))), np.array([[1, 2, 1]]), rng.normal(size=(1, 3, 4))
    _, pullback = fnn.vjp(lambda p: fnn.attend(p, fnn.embedding(p, tokens)), p)
    h = p.table[tokens]
    expected = np.einsum("btv,btd->vd", u, h)
    np.add.at(expected, tokens, u @ p.table)
    np.testing.assert_allclose(pullback(u).table, expected, atol=1e-12)
    wide, narrow = fnn.tree.astype(p, np.float64), fnn.tree.astype(p, np.float32)
    assert fnn.attend(wide, h.astype(np.float32)).dtype == np.float64
    assert fnn.attend(narrow, h.astype(np.float32)).dtype == np.float32


def test_a_tied_language_model_learns() -> None:
    """Each token follows from the one before."""

    def loss(p: tuple[fnn.EmbeddingParams, fnn.DenseParams], s: None, m: fnn.Mode, x: fnn.Int2) -> tuple[fnn.Scalar, None]:
        h = fnn.tanh(fnn.dense(p[1], fnn.embedding(p[0], x[:, :-1])))
        return fnn.cross_entropy(fnn.attend(p[0], h), x[:, 1:]), s

    params = (fnn.EmbeddingParams.init(fnn.key(0), 6, 8), fnn.DenseParams.init(fnn.key(1), 8, 8))
    opt = fnn.Adam(0.05)
    tokens = (np.arange(5)[:, None] + np.arange(7)) % 6
    ts = fnn.train_state(params, None, opt, fnn.key(2))
    _, losses = fnn.repeat(60, fnn.train_step(loss, opt), ts, tokens)
    assert losses[0] > 1
    assert losses[-1] < 0.05


# One-hot vectors


@given(seed=seeds, rank=st.integers(0, 3), dtype=st.sampled_from(INTEGERS))
def test_one_hot_is_rows_of_the_identity(seed: int, rank: int, dtype: Any) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 9))
    labels: Any = rng.integers(0, n, rng.integers(0, 4, rank)).astype(dtype)
    y = fnn.one_hot(labels, n)
    assert y.dtype == np.float32
    assert y.shape == (*labels.shape, n)
    assert np.array_equal(y, np.eye(n)[labels.astype(int)])
    assert fnn.one_hot(labels, n, dtype=np.float64).dtype == np.float64


def test_one_hot_of_strided_labels() -> None:
    labels = np.arange(12).reshape(3, 4)[:, ::-1].T
    assert np.array_equal(fnn.one_hot(labels, 12), np.eye(12)[labels])


# Positions that are added


def test_sinusoids_by_the_formula() -> None:
    for length, dim in ((5, 6), (3, 1), (4, 7), (1, 2), (0, 4)):
        y = fnn.sinusoidal_positions(length, dim, offset=3, dtype=np.float64)
        assert y.shape == (length, dim)
        for t in range(length):
            for i in range(dim):
                angle = (3 + t) / 10000 ** ((i - i % 2) / dim)
                np.testing.assert_allclose(y[t, i], np.cos(angle) if i % 2 else np.sin(angle), atol=1e-14)


def test_sinusoids_are_float32_unless_told_otherwise_and_go_on_after_an_offset() -> None:
    y = fnn.sinusoidal_positions(9, 6)
    assert y.dtype == np.float32
    assert np.array_equal(y[4:], fnn.sinusoidal_positions(5, 6, offset=4))
    far = fnn.sinusoidal_positions(2, 6, offset=1_000_000)
    np.testing.assert_allclose(far, fnn.sinusoidal_positions(2, 6, offset=1_000_000, dtype=np.float64), atol=1e-7)
    y[...] = 7  # the caller's own
    assert fnn.sinusoidal_positions(1, 6).tolist() == [[0, 1, 0, 1, 0, 1]]


def test_the_product_of_two_sinusoids_depends_on_their_distance() -> None:
    y = fnn.sinusoidal_positions(30, 16, dtype=np.float64)
    products = y @ y.T
    for distance in range(30):
        np.testing.assert_allclose(np.diagonal(products, distance), products[0, distance], rtol=1e-10)


def test_the_layer_adds_sinusoids_in_the_dtype_of_x() -> None:
    layer = fnn.SinusoidalPositions(5)
    assert fnn.init(layer, fnn.key(0)) == (None, None)
    for dtype in (np.float32, np.float64):
        x: Any = np.random.default_rng(0).normal(size=(2, 7, 5)).astype(dtype)
        for _ in range(2):
            y, _ = fnn.forward(layer, None, None, x)
            assert y.dtype == dtype
            assert np.array_equal(y, x + fnn.sinusoidal_positions(7, 5, dtype=dtype))
    assert fnn.forward(layer, None, None, np.ones((0, 3, 5)))[0].shape == (0, 3, 5)


@given(seed=seeds, offset=st.integers(0, 3), time=st.integers(0, 4), batch=st.integers(0, 3))
def test_learned_positions_add_their_rows(seed: int, offset: int, time: int, batch: int) -> None:
    rng = np.random.default_rng(seed)
    p, x, u = fnn.PositionParams(rng.normal(size=(7, 2))), rng.normal(size=(batch, time, 2)), rng.normal(size=(batch, time, 2))
    y, pullback = fnn.vjp(lambda q: fnn.add_positions(q[0], q[1], offset=offset), (p, x))
    expected = np.zeros((7, 2))
    for b in range(batch):
        for t in range(time):
            assert np.array_equal(y[b, t], x[b, t] + p.table[offset + t])
            expected[offset + t] += u[b, t]
    dp, dx = pullback(u)
    np.testing.assert_allclose(dp.table, expected, atol=1e-12)
    assert np.array_equal(dx, u)


def test_learned_positions_up_to_the_last() -> None:
    layer = fnn.LearnedPositions(4, 3)
    params, state = fnn.init(layer, fnn.key(0))
    assert state is None
    x = np.ones((2, 4, 3), np.float32)
    assert np.array_equal(fnn.forward(layer, params, None, x)[0], x + params.table)
    assert np.array_equal(fnn.add_positions(params, x[:, :1], offset=3), x[:, :1] + params.table[3])
    with pytest.raises(ValueError, match="x has 5 steps but the table has 4 positions"):
        fnn.forward(layer, params, None, np.ones((2, 5, 3), np.float32))


# Rotary embeddings


def rotary_by_loops(x: Any, positions: Any, base: float, interleaved: bool, rotary_dim: int) -> Any:
    """Each pair as a complex number."""
    y = x.copy()
    half = rotary_dim // 2
    for b, t, h in np.ndindex(x.shape[:3]):
        for i in range(half):
            j, k = (2 * i, 2 * i + 1) if interleaved else (i, i + half)
            angle = float(positions[b, t]) / base ** (2 * i / rotary_dim)
            turned = complex(x[b, t, h, j], x[b, t, h, k]) * np.exp(1j * angle)
            y[b, t, h, j], y[b, t, h, k] = turned.real, turned.imag
    return y


@given(
    seed=seeds,
    interleaved=st.booleans(),
    half=st.integers(1, 3),
    rest=st.integers(0, 3),
    base=st.sampled_from([10000.0, 500000.0, 7]),
    given_as=st.sampled_from(["nothing", "[time]", "[batch, time]"]),
)
def test_rotary_turns_pairs(seed: int, interleaved: bool, half: int, rest: int, base: float, given_as: str) -> None:
    rng = np.random.default_rng(seed)
    batch, time, heads = rng.integers(0, 4, 3).tolist()
    n = 2 * half
    x, u = rng.normal(size=(2, batch, time, heads, n + rest))
    positions: Any = None
    if given_as != "nothing":
        positions = rng.integers(-50, 1000, (time,) if given_as == "[time]" else (batch, time))
    at = np.broadcast_to(np.arange(time) if positions is None else positions, (batch, time))
    options: Any = {"base": base, "interleaved": interleaved, "rotary_dim": n if rest else None}
    y, pullback = fnn.vjp(lambda x: fnn.rotary(x, positions, **options), x)
    np.testing.assert_allclose(y, rotary_by_loops(x, at, base, interleaved, n), atol=1e-10)
    np.testing.assert_allclose(np.linalg.norm(y, axis=-1), np.linalg.norm(x, axis=-1), atol=1e-12)
    np.testing.assert_allclose(pullback(u), rotary_by_loops(u, -at, base, interleaved, n), atol=1e-10)
    assert np.array_equal(y[..., n:], x[..., n:])


@pytest.mark.parametrize("interleaved", [False, True])
def test_products_of_queries_and_keys_depend_on_the_distance_of_their_positions(interleaved: bool) -> None:
    rng = np.random.default_rng(0)
    q, k = rng.normal(size=(2, 1, 1, 1, 8)).repeat(20, 2)
    scores = np.einsum("bqhd,bkhd->qk", *(fnn.rotary(a, interleaved=interleaved) for a in (q, k)))
    for distance in range(-19, 20):
        diagonal = np.diagonal(scores, distance)
        np.testing.assert_allclose(diagonal, diagonal[0], rtol=1e-9)
    assert np.ptp(scores[0]) > 0.5


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("rotary_dim", [0, 4])
@pytest.mark.parametrize("by_example", [False, True])
def test_rotary_is_that_of_onnx(interleaved: bool, rotary_dim: int, by_example: bool) -> None:
    theirs: Any = pytest.importorskip("onnx.reference.ops.op_rotary_embedding").rotary_embedding
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 5, 3, 8))
    positions = rng.integers(0, 50, (2, 5)) if by_example else np.broadcast_to(np.arange(5), (2, 5))
    n = rotary_dim or 8
    angles = np.arange(50)[:, None] / 10000 ** (np.arange(0, n, 2) / n)
    expected = theirs(  # ONNX has the heads in front of time
        x.transpose(0, 2, 1, 3), np.cos(angles), np.sin(angles), positions, interleaved, rotary_dim
    ).transpose(0, 2, 1, 3)
    y = fnn.rotary(x, positions if by_example else None, interleaved=interleaved, rotary_dim=rotary_dim or None)
    np.testing.assert_allclose(y, expected, atol=1e-12)


def test_rotary_keeps_float32_and_the_phase_of_far_positions() -> None:
    x = np.random.default_rng(0).normal(size=(1, 2, 1, 8)).astype(np.float32)
    far = np.array([1_000_000, 123_456_789])
    y = fnn.rotary(x, far)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, fnn.rotary(x.astype(np.float64), far), atol=1e-6)


def test_rotary_remembers_nothing_but_its_arguments() -> None:
    """The tables of positions from 0 are kept, one for each set of options."""
    x = np.random.default_rng(0).normal(size=(1, 3, 2, 4))
    options: list[Any] = [
        {},
        {"base": 100.0},
        {"interleaved": True},
        {"rotary_dim": 2},
        {"rotary_dim": 2, "interleaved": True},
    ]
    for _ in range(2):
        for each in options:
            for y in (x, x[:, :2], x[..., :2], x[:, :, :1]):
                np.testing.assert_array_equal(fnn.rotary(y, **each), fnn.rotary(y, np.arange(y.shape[1]), **each))
        assert fnn.rotary(x.astype(np.float32)).dtype == np.float32
    turned = fnn.rotary(x)
    turned[...] = 0
    assert np.array_equal(fnn.rotary(x)[:, 0], x[:, 0])


# Bad input

P = fnn.EmbeddingParams.init(fnn.key(0), 5, 3)
T = fnn.PositionParams.init(fnn.key(0), 4, 3)
X: Any = np.ones((2, 3, 3), np.float32)
Q: Any = np.ones((2, 3, 1, 4), np.float32)
ids: Any = np.array
bad: Any = fnn
FLOATS: Any = np.ones((5, 3), np.float32)

BAD: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: fnn.embedding(P, ids([1, 5])), ValueError, "embedding: token 5 is out of range, expected tokens from 0 to 4"),
    (lambda: fnn.embedding(P, ids([[0, -1]])), ValueError, "embedding: token -1 is out of range.*the table has 5 rows"),
    (lambda: fnn.embedding(P, ids([255], np.uint8)), ValueError, "embedding: token 255 is out of range"),
    (lambda: fnn.embedding(P, ids([-128], np.int8)), ValueError, "embedding: token -128 is out of range"),
    (lambda: fnn.embedding(P, ids([-2], ">i4")), ValueError, "embedding: token -2 is out of range"),
    (lambda: fnn.embedding(P, ids([2**63], np.uint64)), ValueError, "embedding: token 9223372036854775808 is out of range"),
    (lambda: fnn.embedding(P, ids(7)), ValueError, "embedding: token 7 is out of range"),
    (lambda: bad.embedding(P, ids([1.0])), TypeError, r"embedding: tokens are f64\[1\], expected an integer array"),
    (lambda: bad.embedding(P, ids([True])), TypeError, r"embedding: tokens are bool\[1\], expected an integer array"),
    (lambda: bad.embedding(P, [1, 2]), TypeError, "embedding: tokens are a list, expected an integer array, as np.asarray"),
    (lambda: bad.embedding(P, 1), TypeError, "embedding: tokens are a int, expected an integer array"),
    (lambda: bad.embedding(P, (ids([1]), None)), TypeError, "embedding: tokens are a tuple"),
    (lambda: bad.embedding(ids([1]), P), TypeError, r"embedding: params is i64\[1\], expected EmbeddingParams; are arg"),
    (lambda: bad.embedding(T, ids([1])), TypeError, "embedding: params is PositionParams.*expected EmbeddingParams"),
    (lambda: bad.embedding(bad.EmbeddingParams(ids([[1]])), ids([0])), TypeError, "embedding: table is i64.*floating numbers"),
    (
        lambda: bad.embedding(bad.EmbeddingParams(FLOATS[0]), ids([0])),
        ValueError,
        r"embedding: table has shape \(3,\), expected",
    ),
    (lambda: fnn.embedding(fnn.EmbeddingParams(FLOATS[:0]), ids([0])), ValueError, "embedding: token 0 is out of range"),
    (lambda: bad.attend(X, P), TypeError, "attend: params is f32.*expected EmbeddingParams"),
    (lambda: bad.attend(P, ids([[1, 2, 3]])), TypeError, "attend: x is i64.*expected floating numbers"),
    (
        lambda: fnn.attend(P, X[..., :2]),
        ValueError,
        r"attend: x has shape \(2, 3, 2\) but table is \(5, 3\): x must be \[batch, 3",
    ),
    (lambda: bad.attend(P, X[0, 0]), ValueError, r"attend: x has shape \(3,\) but table is \(5, 3\)"),
    (lambda: fnn.attend(P, X.astype(np.float64)), TypeError, "attend: x is float64 but table is float32"),
    (
        lambda: fnn.one_hot(ids([3]), 3),
        ValueError,
        "one_hot: label 3 is out of range, expected labels from 0 to 2: there are 3",
    ),
    (lambda: fnn.one_hot(ids([-1]), 3), ValueError, "one_hot: label -1 is out of range"),
    (lambda: bad.one_hot(ids([1.0]), 3), TypeError, r"one_hot: labels are f64\[1\], expected an integer array"),
    (lambda: bad.one_hot([1], 3), TypeError, "one_hot: labels are a list"),
    (lambda: bad.one_hot(3, ids([1])), TypeError, "one_hot: n is .*a ndarray, expected an int"),
    (lambda: bad.one_hot(ids([1]), 3.0), TypeError, "one_hot: n is 3.0, a float, expected an int"),
    (lambda: bad.one_hot(ids([1]), True), TypeError, "one_hot: n is True, a bool, expected an int"),
    (lambda: fnn.one_hot(ids([0]), 0), ValueError, "one_hot: n is 0, expected at least 1"),
    (lambda: fnn.one_hot(ids([0]), 1, dtype=int), TypeError, "one_hot: dtype is int64, expected a floating one"),
    (lambda: fnn.sinusoidal_positions(-1, 2), ValueError, "sinusoidal_positions: length is -1, expected at least 0"),
    (lambda: fnn.sinusoidal_positions(2, 0), ValueError, "sinusoidal_positions: dim is 0, expected at least 1"),
    (lambda: fnn.sinusoidal_positions(2, 2, offset=-1), ValueError, "sinusoidal_positions: offset is -1, expected at least 0"),
    (lambda: bad.sinusoidal_positions(2.0, 2), TypeError, "sinusoidal_positions: length is 2.0, a float, expected an int"),
    (lambda: fnn.sinusoidal_positions(2, 2, dtype=int), TypeError, "sinusoidal_positions: dtype is int64, expected a floating"),
    (lambda: bad.add_positions(X, T), TypeError, "add_positions: params is f32.*expected PositionParams; are arguments swap"),
    (
        lambda: fnn.add_positions(T, X, offset=2),
        ValueError,
        "add_positions: x has 3 steps from position 2 on but the table has 4",
    ),
    (lambda: fnn.add_positions(T, X, offset=-1), ValueError, "add_positions: offset is -1, expected at least 0"),
    (lambda: bad.add_positions(T, X, offset=1.0), TypeError, "add_positions: offset is 1.0, a float, expected an int"),
    (lambda: fnn.add_positions(T, X[..., :2]), ValueError, r"add_positions: x has shape \(2, 3, 2\) but table is \(4, 3\)"),
    (lambda: bad.add_positions(T, X[0]), ValueError, r"add_positions: x has shape \(3, 3\) but table is \(4, 3\)"),
    (lambda: bad.add_positions(T, ids([[[1, 2, 3]]])), TypeError, "add_positions: x is i64.*expected floating numbers"),
    (lambda: fnn.add_positions(T, X.astype(np.float64)), TypeError, "add_positions: x is float64 but table is float32"),
    (lambda: bad.rotary(X), ValueError, r"rotary: x has shape \(2, 3, 3\), expected \[batch, time, heads, head_dim\]"),
    (lambda: bad.rotary(ids([[[[1, 2]]]])), TypeError, "rotary: x is i64.*expected floating numbers"),
    (lambda: fnn.rotary(Q[..., :3]), ValueError, "rotary: rotary_dim is 3, expected an even number up to head_dim, 3"),
    (lambda: fnn.rotary(Q, rotary_dim=6), ValueError, "rotary: rotary_dim is 6, expected an even number up to head_dim, 4"),
    (lambda: fnn.rotary(Q, rotary_dim=0), ValueError, "rotary: rotary_dim is 0, expected at least 2"),
    (lambda: bad.rotary(Q, rotary_dim=2.0), TypeError, "rotary: rotary_dim is 2.0, a float, expected an int"),
    (lambda: fnn.rotary(Q, base=0.0), ValueError, "rotary: base is 0.0, expected a positive number"),
    (lambda: fnn.rotary(Q, base=float("inf")), ValueError, "rotary: base is inf, expected a positive number"),
    (lambda: bad.rotary(Q, base="10000"), TypeError, "rotary: base is '10000', a str, expected a number"),
    (lambda: bad.rotary(Q, ids([0.0, 1, 2])), TypeError, r"rotary: positions are f64\[3\], expected an array of integers"),
    (lambda: bad.rotary(Q, 3), TypeError, "rotary: positions are a int, expected an array of integers"),
    (
        lambda: fnn.rotary(Q, ids([0, 1])),
        ValueError,
        r"rotary: positions have shape \(2,\) but x is .*expected \(3,\) or \(2, 3\)",
    ),
    (lambda: fnn.rotary(Q, ids([[0, 1, 2]])), ValueError, r"rotary: positions have shape \(1, 3\)"),
    (lambda: fnn.Embedding(0, 3), ValueError, "Embedding: vocab is 0, expected at least 1"),
    (lambda: bad.Embedding(5, 3.0), TypeError, "Embedding: dim is 3.0, a float, expected an int"),
    (lambda: bad.Embedding(5, 3, weight_init=0.02), TypeError, r"Embedding: weight_init is 0.02, expected an initializer, as"),
    (lambda: fnn.LearnedPositions(0, 3), ValueError, "LearnedPositions: max_length is 0, expected at least 1"),
    (lambda: bad.LearnedPositions(4, None), TypeError, "LearnedPositions: dim is None, a NoneType, expected an int"),
    (lambda: bad.LearnedPositions(4, 3, weight_init="normal"), TypeError, "LearnedPositions: weight_init is 'normal'"),
    (lambda: fnn.SinusoidalPositions(0), ValueError, "SinusoidalPositions: dim is 0, expected at least 1"),
    (
        lambda: fnn.forward(fnn.SinusoidalPositions(4), None, None, X),
        ValueError,
        r"SinusoidalPositions: x has shape \(2, 3, 3\)",
    ),
    (
        lambda: bad.forward(bad.SinusoidalPositions(3), None, None, X[0]),
        ValueError,
        r"SinusoidalPositions: x has shape \(3, 3\)",
    ),
    (
        lambda: bad.forward(bad.SinusoidalPositions(3), None, None, ids([[[1, 2, 3]]])),
        TypeError,
        "SinusoidalPositions: x is i64",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[message[:60] for _, _, message in BAD])
def test_bad_input(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        call()
    assert re.match(r"\w+: ", str(caught.value))


def test_errors_say_the_same_while_differentiating() -> None:
    calls: list[tuple[Callable[[Any], Any], Any, type[Exception], str]] = [
        (lambda p: fnn.embedding(p, ids([5])), P, ValueError, "embedding: token 5 is out of range"),
        (lambda x: bad.embedding(P, x), X, TypeError, r"embedding: tokens are f32\[2,3,3\], expected an integer array"),
        (lambda p: fnn.attend(p, X[..., :2]), P, ValueError, r"attend: x has shape \(2, 3, 2\) but table is \(5, 3\)"),
        (lambda p: fnn.add_positions(p, X, offset=3), T, ValueError, "add_positions: x has 3 steps from position 3 on"),
        (lambda x: bad.rotary(Q, x), X, TypeError, r"rotary: positions are f32\[2,3,3\]"),
        (lambda x: bad.one_hot(x, 3), X, TypeError, r"one_hot: labels are f32\[2,3,3\]"),
    ]
    for call, primal, error, message in calls:
        with pytest.raises(error, match=message):
            fnn.grad(lambda p, call=call: np.sum(call(p)))(primal)


def test_negative_numbers_of_few_bits_are_no_rows_of_large_tables() -> None:
    params = fnn.EmbeddingParams(np.zeros((300, 2), np.float32))
    for wrong in (np.array([-1], np.int8), np.array([3, -128], np.int8), np.array([-1]), np.array([300])):
        with pytest.raises(ValueError, match=f"token {wrong[-1]} is out of range"):
            fnn.embedding(params, wrong)
    with pytest.raises(ValueError, match="-100 is out of range"):
        fnn.one_hot(np.array([-100], np.int8), 200)
    assert fnn.embedding(params, np.array([127, 0], np.int8)).shape == (2, 2)
