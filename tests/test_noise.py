"""The dropout family beyond the laws: what is dropped together, how often, and how the rest is scaled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnn

# the shape of the mask, by the shape of x
MASKS: dict[Any, Any] = {
    fnn.dropout: lambda shape: shape,
    fnn.spatial_dropout: lambda shape: (shape[0], *(1,) * (len(shape) - 2), shape[-1]),
    fnn.drop_path: lambda shape: (shape[0], *(1,) * (len(shape) - 1)),
}
every_drop = pytest.mark.parametrize("drop", MASKS, ids=lambda f: f.__name__)
TRAIN = fnn.Train(fnn.key(3))


@every_drop
@pytest.mark.parametrize("shape", [(40, 30), (20, 5, 30), (12, 3, 4, 20), (10, 2, 3, 2, 25)])
@pytest.mark.parametrize("rate", [0.2, 0.7])
def test_entries_under_one_coin_are_dropped_together(drop: Any, shape: Any, rate: float) -> None:
    y = drop(np.ones(shape), rate, TRAIN)
    coins = MASKS[drop](shape)
    one = y[tuple([slice(0, n) for n in coins])]
    np.testing.assert_array_equal(y, np.broadcast_to(one, shape))
    drawn = round(rate * 65_536) / 65_536  # coins have 16 bits
    assert set(y.ravel().tolist()) == {0.0, 1 / (1 - drawn)}
    assert one.size == np.prod(coins)


@every_drop
def test_coins_are_independent_and_fall_at_the_rate(drop: Any) -> None:
    dropped = drop(np.ones((10_000, 2, 1)), 0.3, TRAIN)[:, 0, 0] == 0
    # five standard deviations of 10,000 coins
    assert abs(dropped.mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / 10_000)
    assert abs((dropped[1:] & dropped[:-1]).mean() - 0.09) < 0.02


def test_channels_of_an_example_are_independent_of_one_another_and_of_other_examples() -> None:
    dropped = fnn.spatial_dropout(np.ones((400, 3, 50)), 0.5, TRAIN)[:, 0] == 0
    assert np.abs(dropped.mean(0) - 0.5).max() < 0.15
    assert np.abs(dropped.mean(1) - 0.5).max() < 0.4
    assert len(np.unique(dropped, axis=0)) == 400


@every_drop
def test_the_gradient_is_the_mask(drop: Any) -> None:
    rng = np.random.default_rng(0)
    x, u = rng.normal(size=(4, 3, 5)), rng.normal(size=(4, 3, 5))
    mask = drop(np.ones(x.shape), 0.4, TRAIN)
    y, pullback = fnn.vjp(lambda x: drop(x, 0.4, TRAIN), x)
    np.testing.assert_allclose(y, x * mask, rtol=1e-15)
    np.testing.assert_allclose(pullback(u), u * mask, rtol=1e-15)


@every_drop
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_dtype_is_kept_and_the_mask_does_not_depend_on_it(drop: Any, dtype: Any) -> None:
    for rate in (0.5, np.float64(0.5)):
        y = drop(np.ones((6, 2, 3), dtype), rate, TRAIN)
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, drop(np.ones((6, 2, 3)), 0.5, TRAIN))


@pytest.mark.parametrize("f", [*MASKS, fnn.gaussian_noise], ids=lambda f: f.__name__)
def test_evaluation_and_nothing_to_draw_give_x_itself(f: Any) -> None:
    x = np.ones((3, 2, 4), np.float32)
    assert f(x, 0.5, fnn.EVAL) is x
    assert f(x, 0, TRAIN) is x
    assert f(x[:0], 0.5, TRAIN).shape == (0, 2, 4)


def test_drop_path_leaves_an_example_to_the_residual_connection() -> None:
    model = fnn.residual(fnn.Dense(3, 3) >> fnn.DropPath(0.5))
    params, state = fnn.init(model, fnn.key(0))
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    y = fnn.forward(model, params, state, x, TRAIN)[0]
    kept = (y != x).any(1)
    assert 5 < kept.sum() < 35
    np.testing.assert_array_equal(y[~kept], x[~kept])
    whole = fnn.predict(model, params, state, x)
    np.testing.assert_allclose((y - x)[kept], 2 * (whole - x)[kept], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_gaussian_noise_is_added_and_normal(dtype: Any) -> None:
    x = np.full((200, 100), 3, dtype)
    y = fnn.gaussian_noise(x, np.float64(0.5), TRAIN)
    assert y.dtype == dtype
    noise = (y - x).astype(np.float64) / 0.5
    assert abs(noise.mean()) < 0.04
    assert abs(noise.std() - 1) < 0.03
    assert abs((np.abs(noise) < 1).mean() - 0.6827) < 0.02
    np.testing.assert_allclose(
        y, fnn.gaussian_noise(x.astype(np.float64), 0.5, TRAIN), rtol=1e-7 if dtype != np.float16 else 2e-3
    )


def test_noise_scales_and_lets_the_gradient_through() -> None:
    x = np.zeros((4, 3))
    y, pullback = fnn.vjp(lambda x: fnn.gaussian_noise(x, 0.25, TRAIN), x)
    np.testing.assert_allclose(4 * y, fnn.gaussian_noise(x, 1, TRAIN), rtol=1e-6)
    u = np.arange(12.0).reshape(4, 3)
    np.testing.assert_array_equal(pullback(u), u)
    assert np.array_equal(y, fnn.gaussian_noise(x, 0.25, TRAIN))
    assert not np.array_equal(y, fnn.gaussian_noise(x, 0.25, TRAIN.fold(1)))


untyped: Any = fnn  # much of what follows is what types refuse
X = np.ones((2, 3, 4))
BAD: list[tuple[Any, type[Exception], str]] = [
    (lambda: untyped.spatial_dropout(X, 1, TRAIN), ValueError, "spatial_dropout: drop_rate is 1, .*0 <= drop_rate < 1"),
    (lambda: untyped.drop_path(X, -0.1, TRAIN), ValueError, "drop_path: drop_rate is -0.1"),
    (lambda: untyped.drop_path(X, float("nan"), TRAIN), ValueError, "drop_path: drop_rate is nan"),
    (lambda: untyped.drop_path(X, "1", TRAIN), TypeError, "drop_path: drop_rate is '1', a str"),
    (
        lambda: untyped.spatial_dropout(X[0, 0], 0.5, TRAIN),
        ValueError,
        r"spatial_dropout: x has shape \(4,\), expected .*channels",
    ),
    (lambda: untyped.drop_path(np.float64(1), 0.5, TRAIN), ValueError, r"drop_path: x has shape \(\), expected \[batch"),
    (lambda: untyped.drop_path(X.astype(int), 0.5, TRAIN), TypeError, "drop_path: x is i64"),
    (lambda: untyped.spatial_dropout(X, 0.5, True), TypeError, "spatial_dropout: .*mode"),
    (lambda: untyped.gaussian_noise(X, 0.5, fnn.key(0)), TypeError, "gaussian_noise: .*mode"),
    (lambda: untyped.gaussian_noise(X, -1, TRAIN), ValueError, "gaussian_noise: scale is -1, the standard deviation"),
    (lambda: untyped.gaussian_noise(X, float("inf"), TRAIN), ValueError, "gaussian_noise: scale is inf"),
    (lambda: untyped.gaussian_noise(X, X, TRAIN), TypeError, "gaussian_noise: scale is array"),
    (lambda: untyped.gaussian_noise([1.0], 0.5, TRAIN), TypeError, "gaussian_noise: x is a list"),
    (lambda: untyped.SpatialDropout(1.0), ValueError, "SpatialDropout: drop_rate is 1.0"),
    (lambda: untyped.DropPath(2), ValueError, "DropPath: drop_rate is 2"),
    (lambda: untyped.DropPath(None), TypeError, "DropPath: drop_rate is None"),
    (lambda: untyped.GaussianNoise(-0.5), ValueError, "GaussianNoise: scale is -0.5"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[message for *_, message in BAD])
def test_bad_input(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_rate_next_to_one_gives_numbers_in_float16() -> None:
    assert np.isfinite(fnn.dropout(np.ones(200_000, np.float16), 1 - 1e-9, TRAIN)).all()
