"""Pooling beyond the laws: a slow loop as the oracle, ties, NaN, edges and bad input."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import fnn

MAX: tuple[Any, ...] = (fnn.max_pool1d, fnn.max_pool2d, fnn.max_pool3d)
AVG: tuple[Any, ...] = (fnn.avg_pool1d, fnn.avg_pool2d, fnn.avg_pool3d)


def slow(x: Any, kind: str, size: Any, stride: Any, pads: Any, dilation: Any, ceil: bool, include: bool) -> tuple[Any, Any]:
    """Pooling, and its gradient for a cotangent of 1, 2, 3, ..., window by window."""
    rank = x.ndim - 2
    out = []
    for a in range(rank):
        n, reach = x.shape[1 + a], dilation[a] * (size[a] - 1) + 1
        starts = range(-pads[a][0], n + pads[a][1] - reach + 1, stride[a])
        beyond = starts[-1] + stride[a]
        # a further window where the last one does not reach the end of the padding, if it begins in x or before it
        further = ceil and starts[-1] + reach < n + pads[a][1] and beyond < n
        out.append([*starts, *([beyond] if further else [])])
    y = np.empty((x.shape[0], *map(len, out), x.shape[-1]))
    dx = np.zeros(x.shape)
    g = np.arange(1.0, y.size + 1).reshape(y.shape)
    for b, c in product(range(x.shape[0]), range(x.shape[-1])):
        for w in np.ndindex(y.shape[1:-1]):
            inside, count = [], 0
            for k in np.ndindex(size):
                at = [out[a][w[a]] + k[a] * dilation[a] for a in range(rank)]
                real = all(0 <= p < n for p, n in zip(at, x.shape[1:-1], strict=True))
                near = all(-pads[a][0] <= at[a] < x.shape[1 + a] + pads[a][1] for a in range(rank))
                count += near if include else real
                if real:
                    inside.append((b, *at, c))
            values = [x[i] for i in inside]
            if not values:
                y[(b, *w, c)] = np.nan
                continue
            if kind == "max":
                first = values.index(max(values))
                y[(b, *w, c)] = values[first]
                dx[inside[first]] += g[(b, *w, c)]
            else:
                y[(b, *w, c)] = sum(values) / count
                for i in inside:
                    dx[i] += g[(b, *w, c)] / count
    return y, dx


def swapped(pool: Any, size: Any, x: Any, **options: Any) -> Any:
    """For `partial`, which a loop needs: a function of x."""
    return pool(x, size, **options)


def per_axis(rank: int, low: int, high: int) -> Any:
    return st.tuples(*[st.integers(low, high)] * rank)


@settings(max_examples=120)
@given(data=st.data(), rank=st.integers(1, 3), kind=st.sampled_from(["max", "avg"]), ceil=st.booleans(), include=st.booleans())
def test_pooling_is_what_a_slow_loop_gives_even_with_ties(data: Any, rank: int, kind: str, ceil: bool, include: bool) -> None:
    size = data.draw(per_axis(rank, 1, 3))
    stride = data.draw(per_axis(rank, 1, 3))
    dilation = data.draw(per_axis(rank, 1, 2))
    reach = [d * (k - 1) for k, d in zip(size, dilation, strict=True)]
    pads = tuple([(data.draw(st.integers(0, r)), data.draw(st.integers(0, r))) for r in reach])
    spatial = [data.draw(st.integers(max(1, r + 1 - sum(pad)), 6)) for r, pad in zip(reach, pads, strict=True)]
    # few values, so that most windows have ties
    x = np.random.default_rng(data.draw(st.integers(0, 99))).integers(-2, 2, (2, *spatial, 2)).astype(float)
    options = {"stride": stride, "padding": pads, "dilation": dilation, "ceil_mode": ceil}
    if kind == "avg":
        options["count_include_pad"] = include
    pool = (MAX if kind == "max" else AVG)[rank - 1]
    expected, gradient = slow(x, kind, size, stride, pads, dilation, ceil, include)
    assume(not np.isnan(expected).any())  # with dilation a window can step over a short x
    y, pullback = fnn.vjp(lambda x: pool(x, size, **options), x)
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    np.testing.assert_allclose(pullback(np.arange(1.0, y.size + 1).reshape(y.shape)), gradient, rtol=1e-12)


@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 1), (3, 3), (4, 2)])
def test_the_first_of_equal_maxima_takes_the_gradient_at_every_order(size: int, stride: int) -> None:
    x = np.random.default_rng(0).integers(0, 3, (2, 7, 6, 3)).astype(float)
    u = np.random.default_rng(1).normal(size=fnn.max_pool2d(x, size, stride=stride).shape)

    def cubes(x: Any) -> Any:
        return np.sum(u * fnn.max_pool2d(x, size, stride=stride) ** 3)

    dx = fnn.grad(cubes)(x)
    pair = (size, size)
    y, _ = slow(x, "max", pair, (stride, stride), ((0, 0),) * 2, (1, 1), False, False)
    np.testing.assert_array_equal(fnn.max_pool2d(x, size, stride=stride), y)
    # at a window's first maximum and nowhere else: 3 u y^2 and, once more, 6 u y
    first = np.zeros(x.shape)
    second = np.zeros(x.shape)
    for b, i, j, c in np.ndindex(y.shape):
        box = x[b, i * stride : i * stride + size, j * stride : j * stride + size, c]
        k, m = divmod(int(np.argmax(box)), size)
        first[b, i * stride + k, j * stride + m, c] += 3 * u[b, i, j, c] * y[b, i, j, c] ** 2
        second[b, i * stride + k, j * stride + m, c] += 6 * u[b, i, j, c] * y[b, i, j, c]
    np.testing.assert_allclose(dx, first, atol=1e-12)
    v = np.random.default_rng(2).normal(size=x.shape)
    # the Hessian is diagonal
    np.testing.assert_allclose(fnn.hvp(cubes, x, v), second * v, atol=1e-12)


def test_values_by_hand() -> None:
    x = np.array([[1.0, 5.0, 2.0], [7.0, 0.0, 3.0], [4.0, 6.0, 8.0]]).reshape(1, 3, 3, 1)
    assert fnn.max_pool2d(x, 2).ravel().tolist() == [7]
    assert fnn.max_pool2d(x, 2, ceil_mode=True).ravel().tolist() == [7, 3, 6, 8]
    assert fnn.max_pool2d(x, 2, padding="same").ravel().tolist() == [7, 3, 6, 8]
    assert fnn.max_pool2d(x, 2, stride=1).ravel().tolist() == [7, 5, 7, 8]
    assert fnn.max_pool2d(x, 2, dilation=2).ravel().tolist() == [8]
    assert fnn.max_pool2d(x, (1, 3), stride=1).ravel().tolist() == [5, 7, 8]
    assert fnn.avg_pool2d(x, 2).ravel().tolist() == [13 / 4]
    assert fnn.avg_pool2d(x, 2, padding="same").ravel().tolist() == [13 / 4, 5 / 2, 5, 8]
    assert fnn.avg_pool2d(x, 2, padding=((0, 1), (0, 1)), count_include_pad=True).ravel().tolist() == [13 / 4, 5 / 4, 10 / 4, 2]
    assert fnn.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=True).ravel().tolist() == [13 / 4, 5 / 2, 5, 8]
    assert fnn.max_pool1d(-x[:, 0], 2, padding=1).ravel().tolist() == [-1, -2]  # zeros would win
    assert fnn.max_pool1d(x[:, 0], 2, stride=1, padding="causal").ravel().tolist() == [1, 5, 5]


def test_padding_never_wins_even_over_minus_infinity() -> None:
    x = np.full((1, 3, 1), -np.inf)
    y, pullback = fnn.vjp(lambda x: fnn.max_pool1d(x, 3, stride=1, padding=1), x)
    assert y.ravel().tolist() == [-np.inf] * 3
    assert pullback(np.array([[[1.0], [2.0], [4.0]]])).ravel().tolist() == [3, 4, 0]


@pytest.mark.parametrize("size", [2, 3])
def test_nan_in_a_window_gives_nan_and_keeps_the_gradient_in_the_window(size: int) -> None:
    x = np.arange(36.0).reshape(1, 6, 6, 1)
    x[0, 1, 1] = np.nan
    y, pullback = fnn.vjp(lambda x: fnn.max_pool2d(x, size), x)
    assert np.isnan(y[0, 0, 0, 0])
    assert np.isnan(y).sum() == 1
    dx = pullback(np.ones(y.shape))
    assert dx[0, :size, :size].sum() == 1
    assert dx.sum() == y.size
    assert np.isnan(fnn.global_max_pool(x)).all()
    assert np.isnan(fnn.avg_pool2d(x, size)).sum() == 1


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("pool", [*MAX, *AVG])
def test_the_dtype_is_kept(pool: Any, dtype: Any) -> None:
    rank = (*MAX, *AVG).index(pool) % 3 + 1
    x = np.random.default_rng(0).normal(size=(2, *(4,) * rank, 3)).astype(dtype)
    for options in ({}, {"stride": 1, "padding": 1}):
        y, pullback = fnn.vjp(partial(swapped, pool, 3, **options), x)
        assert y.dtype == pullback(np.ones(y.shape, dtype)).dtype == dtype


@pytest.mark.parametrize("pool", [*MAX, *AVG])
def test_an_empty_batch_and_no_channels(pool: Any) -> None:
    rank = (*MAX, *AVG).index(pool) % 3 + 1
    for shape in ((0, *(4,) * rank, 3), (2, *(4,) * rank, 0)):
        y, pullback = fnn.vjp(lambda x: pool(x, 2), np.ones(shape))
        assert y.shape == (shape[0], *(2,) * rank, shape[-1])
        assert pullback(y).shape == shape


@pytest.mark.parametrize("pool", [fnn.max_pool2d, fnn.avg_pool2d])
def test_nothing_shares_memory_with_x_and_x_is_not_written(pool: Any) -> None:
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 3))
    x.flags.writeable = False
    for size in (1, 2, 3):
        y, pullback = fnn.vjp(partial(swapped, pool, size, stride=1), x)
        assert not np.shares_memory(x, y)
        g = np.ones(y.shape)
        assert not np.shares_memory(pullback(g), g)
        np.testing.assert_array_equal(pullback(g), pullback(g))


def test_views_and_other_orders_of_memory_give_the_same() -> None:
    x = np.random.default_rng(0).normal(size=(3, 8, 6, 4))
    for other in (np.asfortranarray(x), np.repeat(x, 2, 1)[:, ::2], x[::-1].copy()[::-1]):
        for size in (2, 3):
            y, pullback = fnn.vjp(partial(swapped, fnn.max_pool2d, size), other)
            expected, pullback_of_x = fnn.vjp(partial(swapped, fnn.max_pool2d, size), x)
            np.testing.assert_array_equal(y, expected)
            np.testing.assert_array_equal(pullback(y), pullback_of_x(y))


def test_a_constant_stays_constant_under_average_pooling_with_padding() -> None:
    x = np.full((1, 5, 7, 2), 3.0)
    np.testing.assert_allclose(fnn.avg_pool2d(x, 3, stride=2, padding=1), 3.0, rtol=1e-15)
    assert fnn.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=True).min() == pytest.approx(3 * 4 / 9)
    # a window of padding only is allowed where padding counts: its mean is 0
    assert fnn.avg_pool1d(x[:, 0], 2, padding=2, count_include_pad=True)[0, 0, 0] == 0


def test_large_windows_take_one_sweep_per_axis_and_agree_with_small_ones() -> None:
    x = np.random.default_rng(0).normal(size=(2, 12, 9, 3))
    np.testing.assert_array_equal(fnn.max_pool2d(x, (12, 9))[:, 0, 0], fnn.global_max_pool(x))
    np.testing.assert_allclose(fnn.avg_pool2d(x, (12, 9))[:, 0, 0], fnn.global_avg_pool(x), rtol=1e-12)
    np.testing.assert_array_equal(fnn.max_pool2d(fnn.max_pool2d(x, (2, 1)), (2, 3)), fnn.max_pool2d(x, (4, 3)))


def test_global_pooling() -> None:
    x = np.array([[3.0, 1.0], [3.0, 4.0], [0.0, 4.0]]).reshape(1, 3, 2)
    for shape in ((1, 3, 2), (1, 3, 1, 2), (1, 1, 3, 1, 2)):
        y, pullback = fnn.vjp(fnn.global_max_pool, x.reshape(shape))
        assert y.tolist() == [[3, 4]]
        assert pullback(np.array([[10.0, 20.0]])).reshape(3, 2).tolist() == [[10, 0], [0, 20], [0, 0]]
        assert fnn.global_avg_pool(x.reshape(shape)).tolist() == [[2, 3]]
    assert fnn.global_max_pool(np.ones((0, 3, 2))).shape == fnn.global_avg_pool(np.ones((0, 3, 2))).shape == (0, 2)
    for pool in (fnn.global_max_pool, fnn.global_avg_pool):
        assert pool(np.ones((2, 3, 4), np.float32)).dtype == np.float32
        assert fnn.grad(lambda x, pool=pool: np.sum(pool(x)))(np.ones((0, 3, 2))).shape == (0, 3, 2)


def test_layers_are_the_functions() -> None:
    options: Any = {"stride": 2, "padding": 1, "dilation": 2, "ceil_mode": True}
    pairs: list[Any] = [(fnn.MaxPool1d, fnn.AvgPool1d), (fnn.MaxPool2d, fnn.AvgPool2d), (fnn.MaxPool3d, fnn.AvgPool3d)]
    for rank, (mx, avg) in enumerate(pairs, 1):
        v = np.random.default_rng(0).normal(size=(2, *(6, 7, 5)[:rank], 3)).astype(np.float32)
        np.testing.assert_array_equal(fnn.predict(mx(3, **options), None, None, v), MAX[rank - 1](v, 3, **options))
        y: Any = fnn.predict(avg(3, count_include_pad=True, **options), None, None, v)
        np.testing.assert_array_equal(y, AVG[rank - 1](v, 3, count_include_pad=True, **options))


def test_specs_that_mean_the_same_are_equal() -> None:
    spec = fnn.MaxPool2d(2)
    assert spec == fnn.MaxPool2d((2, 2), stride=2) == fnn.MaxPool2d(2, stride=(2, 2), dilation=1)
    assert len({spec, fnn.MaxPool2d((2, 2), stride=2)}) == 1
    assert spec != fnn.MaxPool2d(2, stride=1)
    assert fnn.MaxPool2d(2, padding=1) == fnn.MaxPool2d(2, padding=((1, 1), 1))
    assert repr(spec) == "MaxPool2d(2)"
    assert repr(fnn.AvgPool1d(3, padding="same", count_include_pad=True)) == (
        "AvgPool1d(3, padding='same', count_include_pad=True)"
    )
    assert eval(repr(fnn.AvgPool2d(3, stride=1, padding=1)), {**vars(fnn)}) == fnn.AvgPool2d(3, stride=1, padding=1)


untyped: Any = fnn  # much of what follows is what types refuse
IMAGE = np.ones((2, 4, 5, 3))
BAD: list[tuple[Any, type[Exception], str]] = [
    (lambda: untyped.max_pool2d(IMAGE[0], 2), ValueError, r"max_pool2d: x has shape \(4, 5, 3\), .*height, width.*newaxis"),
    (lambda: untyped.max_pool1d(IMAGE, 2), ValueError, r"max_pool1d: x has shape \(2, 4, 5, 3\), expected .*time, channels\]$"),
    (lambda: untyped.avg_pool3d(IMAGE, 2), ValueError, r"avg_pool3d: x has .*depth, height, width, channels.*newaxis"),
    (lambda: untyped.max_pool2d(IMAGE.astype(int), 2), TypeError, "max_pool2d: x is i64.*floating"),
    (lambda: untyped.max_pool2d([[1.0]], 2), TypeError, "max_pool2d: x is a list"),
    (lambda: untyped.max_pool2d(IMAGE, 5), ValueError, r"max_pool2d: .*\(5, 5\).* does not fit"),
    (lambda: untyped.avg_pool2d(IMAGE, 3, dilation=2), ValueError, "avg_pool2d: .* does not fit"),
    (lambda: untyped.max_pool2d(IMAGE, 0), ValueError, "max_pool2d: size is 0, expected at least 1"),
    (lambda: untyped.max_pool2d(IMAGE, (2, 2, 2)), ValueError, r"max_pool2d: size is \(2, 2, 2\), expected .* a tuple of 2"),
    (lambda: untyped.max_pool2d(IMAGE, 2.0), TypeError, "max_pool2d: size is 2.0, a float"),
    (lambda: untyped.max_pool2d(IMAGE, 2, stride=0), ValueError, "max_pool2d: stride is 0"),
    (lambda: untyped.max_pool2d(IMAGE, 2, dilation=0), ValueError, "max_pool2d: dilation is 0"),
    (lambda: untyped.max_pool2d(IMAGE, 2, padding=-1), ValueError, "max_pool2d: padding is -1"),
    (lambda: untyped.max_pool2d(IMAGE, 2, padding="full"), ValueError, "max_pool2d: padding is 'full'"),
    (lambda: untyped.max_pool2d(IMAGE, 2, padding="causal"), ValueError, 'max_pool2d: padding is "causal"'),
    (lambda: untyped.max_pool2d(IMAGE, 2, padding=2), ValueError, "max_pool2d: .*nothing but padding; pad less"),
    (lambda: untyped.avg_pool2d(IMAGE, 2, padding=2), ValueError, "avg_pool2d: .*nothing but padding"),
    (lambda: untyped.max_pool1d(IMAGE[:, 0, :1], 2, dilation=2, padding=1), ValueError, "max_pool1d: .*nothing but padding"),
    (lambda: untyped.global_max_pool(np.ones((2, 3))), ValueError, r"global_max_pool: x has shape \(2, 3\), expected .*\.\.\."),
    (lambda: untyped.global_avg_pool(np.ones((2, 0, 3))), ValueError, "global_avg_pool: .*nothing to pool over"),
    (lambda: untyped.global_avg_pool(np.ones((2, 2, 3), int)), TypeError, "global_avg_pool: x is i64"),
    (lambda: untyped.MaxPool2d(0), ValueError, "MaxPool2d: size is 0"),
    (lambda: untyped.MaxPool1d((2, 2)), ValueError, "MaxPool1d: size is"),
    (lambda: untyped.AvgPool3d(2, stride=(1, 2)), ValueError, "AvgPool3d: stride is"),
    (lambda: untyped.AvgPool2d(2, padding=(1, 2, 3)), ValueError, "AvgPool2d: padding is"),
    (lambda: untyped.MaxPool2d("2"), TypeError, "MaxPool2d: size is '2'"),
    (lambda: untyped.MaxPool2d(2, dilation=-1), ValueError, "MaxPool2d: dilation is -1"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[message for *_, message in BAD])
def test_bad_input(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
