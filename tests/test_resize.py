"""Upsampling, padding, flattening and the last step beyond the laws: values by hand, a slow loop, edges and bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnn

grad: Any = fnn.grad  # of lambdas, whose arguments have no type
UPSAMPLE: tuple[Any, ...] = (fnn.upsample1d, fnn.upsample2d, fnn.upsample3d)
LINEAR = ("linear", "bilinear", "trilinear")
NUMPY_MODES: dict[Any, Any] = {"zeros": "constant", "reflect": "reflect", "edge": "edge", "wrap": "wrap"}


def slow_line(values: Any, scale: int, linear: bool) -> Any:
    """Upsampling of one row: each new position is looked up among the old ones."""
    n = len(values)
    if not linear:
        return [values[i // scale] for i in range(n * scale)]
    at = [min(max((i + 0.5) / scale - 0.5, 0), n - 1) for i in range(n * scale)]
    return np.interp(at, np.arange(n), values)


@settings(max_examples=40)
@given(data=st.data(), rank=st.integers(1, 3), linear=st.booleans())
def test_upsampling_is_what_a_slow_loop_gives(data: Any, rank: int, linear: bool) -> None:
    shape = data.draw(st.tuples(*[st.integers(1, 4)] * rank))
    scale = data.draw(st.tuples(*[st.integers(1, 4)] * rank))
    x = np.random.default_rng(0).normal(size=(2, *shape, 2))
    method = LINEAR[rank - 1] if linear else "nearest"
    y, pullback = fnn.vjp(lambda x: UPSAMPLE[rank - 1](x, scale, method=method), x)
    expected = x
    for axis, s in enumerate(scale, 1):
        expected = np.apply_along_axis(slow_line, axis, expected, s, linear)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-14)
    # it is linear, so its gradient is the adjoint: <g, A v> = <A^T g, v>
    g, v = np.random.default_rng(1).normal(size=y.shape), np.random.default_rng(2).normal(size=x.shape)
    moved = np.vdot(g, UPSAMPLE[rank - 1](v, scale, method=method))
    np.testing.assert_allclose(np.vdot(pullback(g), v), moved, rtol=1e-10, atol=1e-12)


def test_upsampling_by_hand() -> None:
    x = np.array([1.0, 5.0]).reshape(1, 2, 1)
    assert fnn.upsample1d(x, 3).ravel().tolist() == [1, 1, 1, 5, 5, 5]
    assert fnn.upsample1d(x, 2, method="linear").ravel().tolist() == [1, 2, 4, 5]
    assert fnn.upsample1d(x, 4, method="linear").ravel().tolist() == [1, 1, 1.5, 2.5, 3.5, 4.5, 5, 5]
    square = np.array([[0.0, 4.0], [8.0, 12.0]]).reshape(1, 2, 2, 1)
    assert fnn.upsample2d(square, 2, method="bilinear")[0, :, 0, 0].tolist() == [0, 2, 6, 8]
    assert fnn.upsample2d(square, 2, method="bilinear")[0, 1, :, 0].tolist() == [2, 3, 5, 6]
    assert fnn.upsample2d(square, (1, 2))[0, :, :, 0].tolist() == [[0, 0, 4, 4], [8, 8, 12, 12]]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_upsampling_keeps_constants_and_is_undone_by_average_pooling(rank: int) -> None:
    average: Any = (fnn.avg_pool1d, fnn.avg_pool2d, fnn.avg_pool3d)[rank - 1]
    x = np.random.default_rng(0).normal(size=(2, *(3,) * rank, 2))
    np.testing.assert_allclose(average(UPSAMPLE[rank - 1](x, 2), 2), x, rtol=1e-12)
    ones = np.ones(x.shape)
    assert (UPSAMPLE[rank - 1](ones, 3, method=LINEAR[rank - 1]) == 1).all()


@pytest.mark.parametrize("method", ["nearest", "bilinear"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_upsampling_keeps_the_dtype_and_shares_no_memory(method: Any, dtype: Any) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 2, 2)).astype(dtype)
    x.flags.writeable = False
    for scale in (1, 2, (1, 3)):
        y, pullback = fnn.vjp(lambda x, scale=scale: fnn.upsample2d(x, scale, method=method), x)  # type: ignore[misc]  # mypy infers no lambda with a default
        g = np.ones(y.shape, dtype)
        dx = pullback(g)
        assert y.dtype == dx.dtype == dtype
        assert not np.shares_memory(x, y)
        assert not np.shares_memory(dx, g)
    for empty in (x[:0], x[:, :0], x[..., :0]):
        b, h, w, c = empty.shape
        assert fnn.upsample2d(empty, 2, method=method).shape == (b, 2 * h, 2 * w, c)
        assert grad(lambda x: np.sum(fnn.upsample2d(x, 2, method=method)))(empty).shape == empty.shape


@settings(max_examples=60)
@given(data=st.data(), mode=st.sampled_from(list(NUMPY_MODES)), rank=st.integers(1, 3))
def test_padding_is_what_numpy_pads_and_its_gradient_the_adjoint(data: Any, mode: Any, rank: int) -> None:
    shape = data.draw(st.tuples(*[st.integers(1, 4)] * rank))
    most = [n - 1 if mode == "reflect" else n for n in shape]
    pairs: Any = tuple([(data.draw(st.integers(0, m)), data.draw(st.integers(0, m))) for m in most])
    x = np.random.default_rng(0).normal(size=(2, *shape, 2))
    y, pullback = fnn.vjp(lambda x: fnn.pad(x, pairs, mode=mode), x)
    np.testing.assert_array_equal(y, np.pad(x, ((0, 0), *pairs, (0, 0)), NUMPY_MODES[mode]))
    g, v = np.random.default_rng(1).normal(size=y.shape), np.random.default_rng(2).normal(size=x.shape)
    np.testing.assert_allclose(np.vdot(pullback(g), v), np.vdot(g, fnn.pad(v, pairs, mode=mode)), rtol=1e-10, atol=1e-12)


def test_padding_by_hand() -> None:
    x = np.array([1.0, 2.0, 3.0]).reshape(1, 3, 1)
    assert fnn.pad(x, 1).ravel().tolist() == [0, 1, 2, 3, 0]
    assert fnn.pad(x, (2,), mode="reflect").ravel().tolist() == [3, 2, 1, 2, 3, 2, 1]
    assert fnn.pad(x, ((0, 4),), mode="edge").ravel().tolist() == [1, 2, 3, 3, 3, 3, 3]
    assert fnn.pad(x, ((3, 1),), mode="wrap").ravel().tolist() == [1, 2, 3, 1, 2, 3, 1]
    assert fnn.pad(np.ones((2, 3, 4, 5)), (1, (0, 2))).shape == (2, 5, 6, 5)
    assert fnn.pad(np.ones((2, 1, 2, 3, 4)), 2, mode="edge").shape == (2, 5, 6, 7, 4)


@pytest.mark.parametrize("mode", list(NUMPY_MODES))
def test_padding_keeps_the_dtype_shares_no_memory_and_takes_an_empty_batch(mode: Any) -> None:
    for dtype in (np.float16, np.float32, np.float64):
        x = np.ones((2, 3, 4), dtype)
        for amount in (0, 2):
            y, pullback = fnn.vjp(lambda x, amount=amount: fnn.pad(x, amount, mode=mode), x)  # type: ignore[misc]  # mypy infers no lambda with a default
            g = np.ones(y.shape, dtype)
            assert y.dtype == pullback(g).dtype == dtype
            assert not np.shares_memory(y, x)
    assert fnn.pad(np.ones((0, 3, 4)), 1, mode=mode).shape == (0, 5, 4)


def test_flatten_is_row_major_and_takes_an_empty_batch() -> None:
    x = np.arange(24.0).reshape(2, 3, 2, 2)
    assert fnn.flatten(x).tolist() == [list(range(12)), list(range(12, 24))]
    assert fnn.flatten(x[:0]).shape == (0, 12)
    assert fnn.flatten(x[:, :0]).shape == (2, 0)
    assert fnn.flatten(x[:, :, 0, 0]).shape == (2, 3)
    assert np.array_equal(grad(lambda x: np.sum(fnn.flatten(x)[:, :2]))(x)[:, 0, 0], np.ones((2, 2)))


def test_last_step() -> None:
    x = np.arange(24.0).reshape(3, 4, 2)
    assert fnn.last_step(x).tolist() == x[:, 3].tolist()
    lengths = np.array([1, 4, 2])
    assert fnn.last_step(x, lengths).tolist() == [[0, 1], [14, 15], [18, 19]]
    assert fnn.last_step(x, lengths.astype(np.uint8)).tolist() == [[0, 1], [14, 15], [18, 19]]
    for y in (fnn.last_step(x), fnn.last_step(x, lengths)):
        assert not np.shares_memory(x, y)
    dx = grad(lambda x: np.sum(fnn.last_step(x, lengths) ** 2))(x)
    expected = np.zeros(x.shape)
    for i, n in enumerate(lengths):
        expected[i, n - 1] = 2 * x[i, n - 1]
    np.testing.assert_array_equal(dx, expected)
    np.testing.assert_array_equal(grad(lambda x: np.sum(fnn.last_step(x)))(x).sum((0, 2)), [0, 0, 0, 6])
    assert fnn.last_step(x[:0]).shape == fnn.last_step(x[:0], lengths[:0]).shape == (0, 2)
    assert fnn.last_step(x[:, :1]).tolist() == x[:, 0].tolist()


def test_specs_that_mean_the_same_are_equal() -> None:
    assert fnn.Upsample2d(2) == fnn.Upsample2d((2, 2)) != fnn.Upsample2d((2, 3))
    assert fnn.Pad(((1, 1), 2)) == fnn.Pad((1, (2, 2))) != fnn.Pad((1, 1))
    listed: Any = [1, [2, 2]]
    assert hash(fnn.Pad(listed)) == hash(fnn.Pad((1, 2)))
    images = np.ones((1, 2, 2, 1))
    assert fnn.predict(fnn.Pad(1), None, None, images).shape == (1, 4, 4, 1)


untyped: Any = fnn  # much of what follows is what types refuse
IMAGE = np.ones((2, 4, 5, 3))
BAD: list[tuple[Any, type[Exception], str]] = [
    (lambda: untyped.upsample2d(IMAGE[0], 2), ValueError, r"upsample2d: x has shape \(4, 5, 3\), expected .*height, width"),
    (lambda: untyped.upsample1d(IMAGE, 2), ValueError, r"upsample1d: x has .*expected \[batch, time, channels\]"),
    (lambda: untyped.upsample3d(IMAGE, 2), ValueError, "upsample3d: x has .*depth, height, width"),
    (lambda: untyped.upsample2d(IMAGE.astype(int), 2), TypeError, "upsample2d: x is i64"),
    (lambda: untyped.upsample2d(IMAGE, 0), ValueError, "upsample2d: scale is 0"),
    (lambda: untyped.upsample2d(IMAGE, 1.5), TypeError, "upsample2d: scale is 1.5, a float"),
    (lambda: untyped.upsample2d(IMAGE, (2, 2, 2)), ValueError, "upsample2d: scale is .*tuple of 2"),
    (
        lambda: untyped.upsample2d(IMAGE, 2, method="linear"),
        ValueError,
        "upsample2d: method is 'linear', expected .*\"bilinear\"",
    ),
    (lambda: untyped.upsample1d(IMAGE[0], 2, method="bilinear"), ValueError, 'upsample1d: method is .*or "linear"'),
    (lambda: untyped.Upsample2d(2, method="cubic"), ValueError, "Upsample2d: method is 'cubic'"),
    (lambda: untyped.Upsample3d(2, method="bilinear"), ValueError, "Upsample3d: method is 'bilinear'.*trilinear"),
    (lambda: untyped.Upsample1d(-1), ValueError, "Upsample1d: scale is -1"),
    (lambda: untyped.pad(IMAGE, -1), ValueError, "pad: padding is -1"),
    (lambda: untyped.pad(IMAGE, "same"), TypeError, "pad: padding is 'same', expected an int"),
    (lambda: untyped.pad(IMAGE, (1, 1, 1)), ValueError, r"pad: padding is \(1, 1, 1\)"),
    (lambda: untyped.pad(IMAGE, 1, mode="constant"), ValueError, "pad: mode is 'constant', expected one of 'zeros', 'reflect'"),
    (
        lambda: untyped.pad(IMAGE, (4, 0), mode="reflect"),
        ValueError,
        r"pad: axis 1 of x, .*by \(4, 4\), .* at most 3 positions",
    ),
    (lambda: untyped.pad(IMAGE, (0, (0, 6)), mode="wrap"), ValueError, "pad: axis 2 of x.*at most 5 positions"),
    (lambda: untyped.pad(IMAGE[:, :0], 1, mode="edge"), ValueError, "pad: axis 1 of x.*at most 0 positions"),
    (lambda: untyped.pad(IMAGE[:, 0, 0], 1), ValueError, r"pad: x has shape \(2, 3\), expected \[batch, \.\.\., channels\]"),
    (lambda: untyped.pad([1.0], 1), TypeError, "pad: x is a list"),
    (lambda: untyped.Pad(1, mode="circular"), ValueError, "Pad: mode is 'circular'"),
    (lambda: untyped.Pad(-1), ValueError, "Pad: padding is -1"),
    (lambda: untyped.Pad("valid"), TypeError, "Pad: padding is 'valid'"),
    (lambda: untyped.Pad(((1, 2, 3),)), ValueError, r"Pad: padding\[0\] is \(1, 2, 3\)"),
    (lambda: untyped.flatten(np.ones(3)), ValueError, r"flatten: x has shape \(3,\), expected \[batch, \.\.\.\]"),
    (lambda: untyped.flatten(np.ones((2, 3), int)), TypeError, "flatten: x is i64"),
    (
        lambda: untyped.last_step(np.ones((2, 3))),
        ValueError,
        r"last_step: x has shape \(2, 3\), expected \[batch, time, features\]",
    ),
    (lambda: untyped.last_step(np.ones((2, 0, 3))), ValueError, "last_step: x has .*at least one step"),
    (lambda: untyped.last_step(IMAGE[0], [1, 1]), TypeError, r"last_step: lengths is \[1, 1\], expected an array of integers"),
    (lambda: untyped.last_step(IMAGE[0], np.ones(4)), TypeError, "last_step: lengths is array"),
    (lambda: untyped.last_step(IMAGE[0], np.ones(3, int)), ValueError, r"last_step: lengths has shape \(3,\).*must be \(4,\)"),
    (lambda: untyped.last_step(IMAGE[0], np.array([0, 1, 1, 5])), ValueError, r"last_step: .*from 0 to 5 .*5 steps.*\[1, 5\]"),
    (lambda: untyped.last_step(IMAGE[0], np.array([1, 1, 1, 6])), ValueError, r"last_step: .*from 1 to 6"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[message for *_, message in BAD])
def test_bad_input(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
