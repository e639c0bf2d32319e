"""What the laws don't see of layer norm, RMS norm, group norm and instance norm: values, edges, precision and errors."""

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


def params_for(rng: np.random.Generator, n: int, dtype: Any = np.float64) -> fnn.NormParams:
    return fnn.NormParams(rng.normal(size=n).astype(dtype), rng.normal(size=n).astype(dtype))


def group_norm_by_loops(x: Any, scale: Any, shift: Any, groups: int, eps: float) -> Any:
    """One group after the other, in float64."""
    x = x.astype(np.float64)
    y = np.empty_like(x)
    width = x.shape[-1] // groups
    for b in range(len(x)):
        for k in range(0, x.shape[-1], width):
            group = x[b, ..., k : k + width]
            y[b, ..., k : k + width] = (group - group.mean()) / np.sqrt(group.var() + eps)
    return y * scale + shift


def layer_norm_by_loops(x: Any, scale: Any, shift: Any, eps: float) -> Any:
    y = np.empty(x.shape)
    for i in np.ndindex(x.shape[:-1]):
        row = x[i].astype(np.float64)
        y[i] = (row - row.mean()) / np.sqrt(row.var() + eps) * scale + shift
    return y


@given(seed=seeds, rank=st.integers(1, 5), eps=st.sampled_from([1e-5, 1e-2, 3.0]))
def test_layer_norm_and_rms_norm_row_by_row(seed: int, rank: int, eps: float) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(*rng.integers(0, 4, rank - 1), rng.integers(1, 7))) * 3 + 1
    p = params_for(rng, x.shape[-1])
    np.testing.assert_allclose(fnn.layer_norm(p, x, eps=eps), layer_norm_by_loops(x, p.scale, p.shift, eps), atol=1e-10)
    root = np.sqrt((x**2).mean(-1, keepdims=True) + eps)
    np.testing.assert_allclose(fnn.rms_norm(fnn.ScaleParams(p.scale), x, eps=eps), x / root * p.scale, atol=1e-12)


@given(seed=seeds, rank=st.integers(2, 5), groups=st.integers(1, 3), width=st.integers(1, 3))
def test_group_norm_and_instance_norm_group_by_group(seed: int, rank: int, groups: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rng.integers(0, 4), *rng.integers(1, 4, rank - 2), groups * width)) * 3 + 1
    p = params_for(rng, groups * width)
    if np.prod(x.shape[1:]) == groups:  # one value in each
        return
    y = fnn.group_norm(p, x, groups, eps=0.01)
    np.testing.assert_allclose(y, group_norm_by_loops(x, p.scale, p.shift, groups, 0.01), atol=1e-10)
    if width == 1:
        assert np.array_equal(fnn.instance_norm(p, x, eps=0.01), y)


def test_the_defaults_of_eps() -> None:
    x = np.array([[1e-3, -1e-3]])
    unit = fnn.NormParams(np.ones(2), np.zeros(2))
    expected = x / np.sqrt(1e-6 + 1e-5)
    for y in (
        fnn.layer_norm(unit, x),
        fnn.rms_norm(fnn.ScaleParams(np.ones(2)), x),
        fnn.group_norm(unit, x, 1),
        fnn.instance_norm(unit, x.T.reshape(1, 2, 1).repeat(2, 2))[..., 0],
        fnn.LayerNorm(2).forward(unit, None, x, fnn.EVAL)[0],
        fnn.RMSNorm(2).forward(fnn.ScaleParams(np.ones(2)), None, x, fnn.EVAL)[0],
        fnn.GroupNorm(1, 2).forward(unit, None, x, fnn.EVAL)[0],
    ):
        np.testing.assert_allclose(y, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("layer", "function"),
    [
        (fnn.LayerNorm(6, eps=0.2), lambda p, x: fnn.layer_norm(p, x, eps=0.2)),
        (fnn.RMSNorm(6, eps=0.2), lambda p, x: fnn.rms_norm(p, x, eps=0.2)),
        (fnn.GroupNorm(3, 6, eps=0.2), lambda p, x: fnn.group_norm(p, x, 3, eps=0.2)),
        (fnn.InstanceNorm(6, eps=0.2), lambda p, x: fnn.instance_norm(p, x, eps=0.2)),
    ],
)
def test_a_layer_is_its_function_and_starts_as_a_plain_normalisation(layer: Any, function: Callable[[Any, Any], Any]) -> None:
    params, state = fnn.init(layer, fnn.key(0))
    assert state is None
    assert all(p.dtype == np.float32 and p.shape == (6,) for p in fnn.tree.leaves(params))
    assert np.all(params.scale == 1)
    assert np.all(getattr(params, "shift", 0) == 0)
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 6)).astype(np.float32)
    for mode in (fnn.EVAL, fnn.Train(fnn.key(0))):
        y, after = fnn.forward(layer, params, state, x, mode)
        assert after is None
        assert y.dtype == np.float32
        assert np.array_equal(y, function(params, x))


# All of them, with their groups of features, as functions of (params, x): x is [2, 3, 4, 6].
NORMS: dict[str, tuple[Callable[..., Any], tuple[int, ...]]] = {
    "layer_norm": (fnn.layer_norm, (24, 1, 6)),
    "group_norm": (lambda p, x, **options: fnn.group_norm(p, x, 2, **options), (2, 12, 2, 3)),
    "instance_norm": (fnn.instance_norm, (2, 12, 6, 1)),
}
each_norm = pytest.mark.parametrize("name", NORMS)


def grouped(name: str, x: Any) -> Any:
    """Each group as a row."""
    shape = NORMS[name][1]
    rows = x.reshape(shape)
    return rows.reshape(24, 6) if len(shape) == 3 else rows.swapaxes(1, 2).reshape(shape[0] * shape[2], -1)


@each_norm
@given(seed=seeds)
def test_groups_have_mean_0_and_deviation_1(name: str, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(2, 3, 4, 6)) * 5 - 2
    y = NORMS[name][0](fnn.NormParams(np.ones(6), np.zeros(6)), x, eps=1e-12)
    np.testing.assert_allclose(grouped(name, y).mean(1), 0, atol=1e-12)
    np.testing.assert_allclose(grouped(name, y).std(1), 1, rtol=1e-9)


@each_norm
@given(seed=seeds, factor=st.floats(0.1, 50), offset=st.floats(-50, 50))
def test_offset_and_size_of_x_do_not_matter(name: str, seed: int, factor: float, offset: float) -> None:
    rng = np.random.default_rng(seed)
    p, x = params_for(rng, 6), rng.normal(size=(2, 3, 4, 6))
    norm = NORMS[name][0]
    np.testing.assert_allclose(norm(p, factor * x + offset, eps=1e-14), norm(p, x, eps=1e-14), atol=1e-8)
    scaled = fnn.rms_norm(fnn.ScaleParams(p.scale), factor * x, eps=1e-14)
    np.testing.assert_allclose(scaled, fnn.rms_norm(fnn.ScaleParams(p.scale), x, eps=1e-14), atol=1e-8)


@each_norm
@given(seed=seeds)
def test_dx_sums_to_0_in_each_group_and_is_orthogonal_to_x(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, x, u = params_for(rng, 6), rng.normal(size=(2, 3, 4, 6)), rng.normal(size=(2, 3, 4, 6))
    _, pullback = fnn.vjp(lambda x: NORMS[name][0](p, x, eps=1e-13), x)
    dx = pullback(u)
    np.testing.assert_allclose(grouped(name, dx).sum(1), 0, atol=1e-9)
    np.testing.assert_allclose(grouped(name, dx * x).sum(1), 0, atol=1e-8)
    assert np.array_equal(pullback(u), dx)  # the kernel keeps what it needs for a second call


@each_norm
@pytest.mark.parametrize("offset", [1e4, -3e5])
def test_a_far_mean_costs_no_digits_in_float32(name: str, offset: float) -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(2, 3, 4, 6)) + offset).astype(np.float32)
    p, u = params_for(rng, 6, np.float32), rng.normal(size=x.shape).astype(np.float32)
    y, pullback = fnn.vjp(lambda x: NORMS[name][0](p, x), x)
    wide, wide_pullback = fnn.vjp(lambda x: NORMS[name][0](fnn.tree.astype(p, np.float64), x), x.astype(np.float64))
    np.testing.assert_allclose(y, wide, atol=2e-6)
    np.testing.assert_allclose(pullback(u), wide_pullback(u.astype(np.float64)), atol=1e-5)


def test_layer_norm_of_long_rows_with_a_far_mean() -> None:
    x = (np.random.default_rng(0).normal(size=(4, 1000)) + 1e4).astype(np.float32)
    wide = x.astype(np.float64)
    expected = (wide - wide.mean(1, keepdims=True)) / wide.std(1, keepdims=True)
    np.testing.assert_allclose(fnn.layer_norm(fnn.NormParams.init(1000), x), expected, atol=1e-4)
    images = x.reshape(4, 100, 10)
    y = fnn.group_norm(fnn.NormParams.init(10), images, 1)
    np.testing.assert_allclose(y.reshape(4, 1000), expected, atol=1e-4)


@each_norm
@pytest.mark.parametrize("value", [0.0, 0.1, -7e4, 1e30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_group_gives_the_shift_exactly(name: str, value: float, dtype: Any) -> None:
    rng = np.random.default_rng(0)
    p, x, u = params_for(rng, 6, dtype), np.full((2, 3, 4, 6), value, dtype), rng.normal(size=(2, 3, 4, 6)).astype(dtype)
    y, pullback = fnn.vjp(lambda q: NORMS[name][0](*q), (p, x))
    assert np.array_equal(y, np.broadcast_to(p.shift, y.shape))
    dp, dx = pullback(u)
    assert np.all(dp.scale == 0)
    assert np.all(np.isfinite(dx))


def test_rms_norm_of_zeros_is_0_and_has_a_finite_slope() -> None:
    p = fnn.ScaleParams(np.array([2.0, 3.0]))
    y, pullback = fnn.vjp(lambda x: fnn.rms_norm(p, x, eps=1e-4), np.zeros((1, 2)))
    assert np.all(y == 0)
    np.testing.assert_allclose(pullback(np.ones((1, 2))), [[200.0, 300.0]])


def test_layer_norm_of_one_feature_is_the_shift() -> None:
    p = fnn.NormParams(np.array([2.0]), np.array([0.5]))
    assert fnn.layer_norm(p, np.array([[3.0], [-1e9]])).tolist() == [[0.5], [0.5]]


@each_norm
def test_examples_do_not_see_one_another(name: str) -> None:
    rng = np.random.default_rng(0)
    p, x = params_for(rng, 6), rng.normal(size=(2, 3, 4, 6))
    norm = NORMS[name][0]
    for i in range(2):
        np.testing.assert_allclose(norm(p, x[i : i + 1])[0], norm(p, x)[i], rtol=1e-12)


@each_norm
def test_an_empty_batch(name: str) -> None:
    p = fnn.NormParams.init(6)
    y, pullback = fnn.vjp(lambda q: NORMS[name][0](*q), (p, np.ones((0, 3, 4, 6), np.float32)))
    assert y.shape == (0, 3, 4, 6)
    dp, dx = pullback(y)
    assert dx.shape == y.shape
    assert np.all(dp.scale == 0)
    assert np.all(dp.shift == 0)
    assert fnn.rms_norm(fnn.ScaleParams.init(6), y).shape == y.shape


@each_norm
def test_strided_arrays(name: str) -> None:
    rng = np.random.default_rng(0)
    p, x = params_for(rng, 6), rng.normal(size=(2, 3, 4, 6))
    turned = np.asfortranarray(x)[:, ::-1]
    u = np.asfortranarray(x)
    _, pullback = fnn.vjp(lambda x: NORMS[name][0](p, x), turned)
    _, expected = fnn.vjp(lambda x: NORMS[name][0](p, x), np.ascontiguousarray(turned))
    np.testing.assert_allclose(pullback(u), expected(x), rtol=1e-12)


@each_norm
def test_float64_parameters_widen_a_float32_input(name: str) -> None:
    rng = np.random.default_rng(0)
    p, x = params_for(rng, 6), rng.normal(size=(2, 3, 4, 6)).astype(np.float32)
    y, pullback = fnn.vjp(lambda q: NORMS[name][0](*q), (p, x))
    assert y.dtype == np.float64
    dp, dx = pullback(y)
    assert dx.dtype == np.float32
    assert dp.scale.dtype == dp.shift.dtype == np.float64
    scaled = fnn.ScaleParams(p.scale)
    assert fnn.rms_norm(scaled, x).dtype == np.float64


@each_norm
def test_numpy_numbers_as_eps_do_not_widen(name: str) -> None:
    x = np.ones((2, 3, 4, 6), np.float32)
    eps: Any = np.float64(1e-3)
    assert NORMS[name][0](fnn.NormParams.init(6), x, eps=eps).dtype == np.float32
    assert fnn.rms_norm(fnn.ScaleParams.init(6), x, eps=eps).dtype == np.float32


def test_batch_norm_of_volumes() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 2, 2, 4))
    params, state = fnn.tree.astype(fnn.init(fnn.BatchNorm(4), fnn.key(0)), np.float64)
    y, _ = fnn.batch_norm(params, state, x, fnn.Train(fnn.key(0)))
    expected = (x - x.mean((0, 1, 2, 3))) / np.sqrt(x.var((0, 1, 2, 3)) + 1e-5)
    np.testing.assert_allclose(y, expected, rtol=1e-10)


# Bad input

P = fnn.NormParams.init(6)
X: Any = np.ones((2, 3, 6), np.float32)
bad: Any = fnn

BAD: list[tuple[Callable[[], object], type[Exception], str]] = [
    (
        lambda: bad.layer_norm(X, P),
        TypeError,
        r"layer_norm: params is f32\[2,3,6\], expected NormParams; are arguments swapped",
    ),
    (lambda: bad.layer_norm(fnn.ScaleParams.init(6), X), TypeError, "layer_norm: params is ScaleParams.*expected NormParams"),
    (lambda: bad.rms_norm(P, X), TypeError, "rms_norm: params is NormParams.*expected ScaleParams"),
    (lambda: bad.group_norm(X, P, 2), TypeError, "group_norm: params is .*expected NormParams"),
    (lambda: bad.instance_norm(X, P), TypeError, "instance_norm: params is .*expected NormParams"),
    (lambda: fnn.layer_norm(P, X[..., :5]), ValueError, r"layer_norm: x has shape \(2, 3, 5\) but scale is \(6,\): x must be"),
    (lambda: fnn.rms_norm(fnn.ScaleParams.init(6), X[0, 0, 0]), ValueError, r"rms_norm: x has shape \(\) but scale is \(6,\)"),
    (lambda: fnn.group_norm(P, X[..., :5], 2), ValueError, r"group_norm: x has shape \(2, 3, 5\).*\[batch, ..., channels\]"),
    (
        lambda: fnn.layer_norm(fnn.NormParams(X[0, 0], X[0, 0, :5]), X),
        ValueError,
        r"layer_norm: shift has shape \(5,\) but scale",
    ),
    (lambda: bad.layer_norm(fnn.NormParams(X[0], X[0]), X), ValueError, r"layer_norm: .*scale is \(3, 6\)"),
    (
        lambda: fnn.layer_norm(fnn.NormParams(X[0, 0, :0], X[0, 0, :0]), X[..., :0]),
        ValueError,
        r"layer_norm: x has shape \(2, 3, 0\)",
    ),
    (lambda: bad.layer_norm(P, np.ones((2, 6), int)), TypeError, "layer_norm: x is i64.*expected floating numbers"),
    (lambda: bad.rms_norm(fnn.ScaleParams.init(6), [[1.0] * 6]), TypeError, "rms_norm: x is a list, expected a floating array"),
    (lambda: bad.group_norm(P, (X, None), 2), TypeError, "group_norm: x is a tuple of 2.*unpack it"),
    (lambda: fnn.layer_norm(P, X.astype(np.float64)), TypeError, "layer_norm: x is float64 but scale is float32"),
    (lambda: fnn.rms_norm(fnn.ScaleParams.init(6), X.astype(np.float64)), TypeError, "rms_norm: x is float64 but scale is"),
    (lambda: fnn.instance_norm(P, X.astype(np.float64)), TypeError, "instance_norm: x is float64 but scale is float32"),
    (lambda: fnn.layer_norm(fnn.NormParams(P.scale, np.zeros(6)), X), TypeError, "layer_norm: shift is float64 but scale is"),
    (lambda: fnn.layer_norm(P, X, eps=0), ValueError, "layer_norm: eps is 0, expected a positive number"),
    (lambda: fnn.rms_norm(fnn.ScaleParams.init(6), X, eps=-1), ValueError, "rms_norm: eps is -1, expected a positive number"),
    (lambda: fnn.group_norm(P, X, 2, eps=float("nan")), ValueError, "group_norm: eps is nan, expected a positive number"),
    (lambda: bad.instance_norm(P, X, eps="small"), TypeError, "instance_norm: eps is 'small', a str, expected a number"),
    (lambda: fnn.group_norm(P, X, 4), ValueError, "group_norm: groups is 4, expected a divisor of the number of channels, 6"),
    (lambda: fnn.group_norm(P, X, 0), ValueError, "group_norm: groups is 0, expected at least 1"),
    (lambda: fnn.group_norm(P, X, -2), ValueError, "group_norm: groups is -2, expected at least 1"),
    (lambda: bad.group_norm(P, X, 2.0), TypeError, "group_norm: groups is 2.0, a float, expected an int"),
    (lambda: bad.group_norm(P, X, True), TypeError, "group_norm: groups is True, a bool, expected an int"),
    (lambda: fnn.group_norm(P, X[0, 0], 2), ValueError, r"group_norm: x has shape \(6,\), expected .*x\[np.newaxis\]"),
    (lambda: fnn.group_norm(P, X[:, 0], 6), ValueError, r"group_norm: x has shape \(2, 6\), 1 value\(s\) in each of 6 groups"),
    (
        lambda: fnn.instance_norm(P, X[:, 0]),
        ValueError,
        r"instance_norm: x has shape \(2, 6\), 1 value\(s\) in each of 6 groups",
    ),
    (lambda: fnn.instance_norm(P, X[:, :0]), ValueError, r"instance_norm: x has shape \(2, 0, 6\), 0 value\(s\) in each"),
    (lambda: fnn.LayerNorm(0), ValueError, "LayerNorm: n is 0, expected at least 1"),
    (lambda: bad.RMSNorm(6.0), TypeError, "RMSNorm: n is 6.0, a float, expected an int"),
    (lambda: bad.InstanceNorm((6,)), TypeError, "InstanceNorm: n is .*expected an int"),
    (lambda: fnn.GroupNorm(4, 6), ValueError, "GroupNorm: groups is 4, expected a divisor of the number of channels, 6"),
    (lambda: fnn.GroupNorm(6, 3), ValueError, "GroupNorm: groups is 6, expected a divisor of the number of channels, 3"),
    (lambda: fnn.GroupNorm(2, 0), ValueError, "GroupNorm: n is 0, expected at least 1"),
    (lambda: bad.GroupNorm(None, 6), TypeError, "GroupNorm: groups is None"),
    (lambda: fnn.LayerNorm(6, eps=0.0), ValueError, "LayerNorm: eps is 0.0, expected a positive number"),
    (lambda: bad.RMSNorm(6, eps=None), TypeError, "RMSNorm: eps is None, a NoneType, expected a number"),
    (lambda: fnn.GroupNorm(2, 6, eps=-1e-5), ValueError, "GroupNorm: eps is -1e-05, expected a positive number"),
    (lambda: fnn.InstanceNorm(6, eps=0), ValueError, "InstanceNorm: eps is 0, expected a positive number"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[message[:60] for _, _, message in BAD])
def test_bad_input(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        call()
    assert re.match(r"\w+: ", str(caught.value))


def test_errors_say_the_same_while_differentiating() -> None:
    for call in (
        lambda x: fnn.layer_norm(P, x),
        lambda x: fnn.rms_norm(fnn.ScaleParams.init(6), x),
        lambda x: fnn.group_norm(P, x, 2),
        lambda x: fnn.instance_norm(P, x),
    ):
        with pytest.raises(ValueError, match=r"x has shape \(2, 3, 5\) but scale is \(6,\)"):
            fnn.grad(lambda x, call=call: np.sum(call(x)))(X[..., :5])
