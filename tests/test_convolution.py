"""Convolutions beyond their laws: against loops, by hand, at the edges, and what they refuse."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn
from fnn.functional import correlation
from fnn.functional import windows as sliding
from fnn.functional.windows import check_padding, output_size, resolve_padding, spatial_tuple, windows

CONV: dict[int, Any] = {1: fnn.conv1d, 2: fnn.conv2d, 3: fnn.conv3d}
TRANSPOSED: dict[int, Any] = {1: fnn.conv_transpose1d, 2: fnn.conv_transpose2d, 3: fnn.conv_transpose3d}


def of_ones(*size: int) -> fnn.KernelParams:
    return fnn.KernelParams(np.ones((*size, 1, 1)))


def ramp(*sizes: int) -> Any:
    """1, 2, 3, ... in one channel of one example."""
    return np.arange(1.0, 1 + np.prod(sizes)).reshape(1, *sizes, 1)


# What the formula says, position by position.


def looped(x: Any, kernel: Any, bias: Any, stride: Any, pads: Any, dilation: Any, groups: int) -> Any:
    *size, n, m = kernel.shape
    out = [
        (k + before + after - d * (t - 1) - 1) // s + 1
        for k, (before, after), d, t, s in zip(x.shape[1:-1], pads, dilation, size, stride, strict=True)
    ]
    y = np.zeros((len(x), *out, m)) + bias
    for b, o, t in product(range(len(x)), np.ndindex(*out), np.ndindex(*size)):
        at = [s * i + d * j - before for s, i, d, j, (before, _) in zip(stride, o, dilation, t, pads, strict=True)]
        if all(0 <= i < k for i, k in zip(at, x.shape[1:-1], strict=True)):
            for g in range(groups):
                outs = slice(g * m // groups, (g + 1) * m // groups)
                y[(b, *o, outs)] += x[(b, *at, slice(g * n, (g + 1) * n))] @ kernel[(*t, slice(None), outs)]
    return y


def looped_transposed(x: Any, kernel: Any, bias: Any, sizes: Any, stride: Any, pads: Any, dilation: Any, groups: int) -> Any:
    *size, n, m = kernel.shape
    y = np.zeros((len(x), *sizes, m)) + bias
    for b, o, t in product(range(len(x)), np.ndindex(x.shape[1:-1]), np.ndindex(*size)):
        at = [s * i + d * j - before for s, i, d, j, (before, _) in zip(stride, o, dilation, t, pads, strict=True)]
        if all(0 <= i < k for i, k in zip(at, sizes, strict=True)):
            for g in range(groups):
                outs = slice(g * m // groups, (g + 1) * m // groups)
                y[(b, *at, outs)] += x[(b, *o, slice(g * n, (g + 1) * n))] @ kernel[(*t, slice(None), outs)]
    return y


@st.composite
def settings(draw: Any) -> dict[str, Any]:
    n = draw(st.sampled_from([1, 2, 2, 3]))
    groups = draw(st.sampled_from([1, 1, 2, 3]))

    def several(low: int, high: int) -> tuple[int, ...]:
        return tuple([draw(st.integers(low, high)) for _ in range(n)])

    return {
        "n": n,
        "groups": groups,
        "size": several(1, 3),
        "sizes": several(1, 6 if n < 3 else 4),
        "stride": several(1, 3),
        "dilation": several(1, 2),
        "pads": tuple(zip(several(0, 4), several(0, 4), strict=True)),
        "n_in": groups * draw(st.sampled_from([1, 2, 4])),
        "n_out": groups * draw(st.sampled_from([1, 2, 8, 33])),
        "batch": draw(st.integers(1, 3)),
        "seed": draw(st.integers(0, 2**32)),
    }


def arrays_of(s: dict[str, Any]) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(s["seed"])
    x = rng.normal(size=(s["batch"], *s["sizes"], s["n_in"]))
    return x, rng.normal(size=(*s["size"], s["n_in"] // s["groups"], s["n_out"])), rng.normal(size=s["n_out"])


def checked(f: Callable[..., Any], x: Any, kernel: Any, bias: Any, options: dict[str, Any]) -> Any:
    """The result, when the gradients are those of a function that is linear in x and in the kernel."""
    y, pullback = fnn.vjp(lambda a: f(a[0], a[1], **options), (fnn.ConvParams(kernel, bias), x))
    u = np.sin(1.0 + np.arange(y.size)).reshape(y.shape)
    grads, dx = pullback(u)
    product = np.sum(u * (y - bias))
    np.testing.assert_allclose([np.sum(dx * x), np.sum(grads.kernel * kernel)], product, atol=1e-9)
    np.testing.assert_allclose(grads.bias, u.sum(tuple(range(u.ndim - 1))), atol=1e-9)
    return y


@given(s=settings())
def test_convolution_equals_the_loops(s: dict[str, Any]) -> None:
    x, kernel, bias = arrays_of(s)
    reach = [d * (k - 1) + 1 for d, k in zip(s["dilation"], s["size"], strict=True)]
    pads = tuple((max(a, r), b) for (a, b), r in zip(s["pads"], reach, strict=True))
    options = {"stride": s["stride"], "padding": pads, "dilation": s["dilation"], "groups": s["groups"]}
    y = checked(CONV[s["n"]], x, kernel, bias, options)
    np.testing.assert_allclose(y, looped(x, kernel, bias, s["stride"], pads, s["dilation"], s["groups"]), atol=1e-12)


@given(s=settings())
def test_transposed_convolution_equals_the_loops(s: dict[str, Any]) -> None:
    x, kernel, bias = arrays_of(s)
    full = [
        st * (k - 1) + d * (t - 1) + 1 for st, k, d, t in zip(s["stride"], s["sizes"], s["dilation"], s["size"], strict=True)
    ]
    pads = tuple((min(a, (k - 1) // 2), min(b, (k - 1) // 2)) for (a, b), k in zip(s["pads"], full, strict=True))
    extra = tuple(s["seed"] % max(a, b) for a, b in zip(s["stride"], s["dilation"], strict=True))
    sizes = [k - a - b + e for k, (a, b), e in zip(full, pads, extra, strict=True)]
    options = {"stride": s["stride"], "padding": pads, "dilation": s["dilation"], "groups": s["groups"]}
    y = checked(TRANSPOSED[s["n"]], x, kernel, bias, {**options, "output_padding": extra})
    expected = looped_transposed(x, kernel, bias, sizes, s["stride"], pads, s["dilation"], s["groups"])
    np.testing.assert_allclose(y, expected, atol=1e-12)


# The adjoint identity <z, conv(y)> = <conv_transpose(z), y>, with the last two axes of the kernel swapped.
@pytest.mark.parametrize(("size", "stride", "padding"), list(product([7, 8, 12], [1, 2, 3], ["same", "valid", ((1, 0),)])))
@pytest.mark.parametrize("dilation", [1, 2])
def test_the_transposed_one_is_the_adjoint(size: int, stride: int, padding: Any, dilation: int) -> None:
    rng = np.random.default_rng(0)
    y, kernel = rng.normal(size=(2, stride * size, 3)), rng.normal(size=(4, 3, 2))
    forth = fnn.conv1d(fnn.KernelParams(kernel), y, stride=stride, padding=padding, dilation=dilation)
    z = rng.normal(size=forth.shape)
    reach = dilation * 3 + 1
    full = stride * (z.shape[1] - 1) + reach - (sum(padding[0]) if isinstance(padding, tuple) else 0)
    extra = 0 if padding == "same" else y.shape[1] - full
    back = fnn.conv_transpose1d(
        fnn.KernelParams(kernel.swapaxes(1, 2)), z, stride=stride, padding=padding, dilation=dilation, output_padding=extra
    )
    np.testing.assert_allclose(np.sum(z * forth), np.sum(back * y))


def loss_of(f: Callable[..., Any], stride: int, groups: int) -> Callable[[Any], Any]:
    return lambda a: np.sum(np.sin(f(a[0], a[1], stride=stride, groups=groups)))


@pytest.mark.parametrize("block", [1, 700, 5000])
@pytest.mark.parametrize("channels", [(1, 9), (9, 1), (5, 4), (4, 4)])
def test_work_in_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch, block: int, channels: tuple[int, int]) -> None:
    """Blocks of some rows of an image, of whole images, with and without a rest."""
    rng = np.random.default_rng(0)
    n_in, n_out = channels
    x = rng.normal(size=(5, 7, 6, n_in))

    def run(groups: int, stride: int) -> Any:
        kernel = np.random.default_rng(1).normal(size=(3, 2, n_in // groups, n_out))
        p = fnn.ConvParams(kernel, rng.normal(size=n_out) * 0 + 0.5)
        f = fnn.value_and_grad(loss_of(fnn.conv2d, stride, groups))
        g = fnn.value_and_grad(loss_of(fnn.conv_transpose2d, stride, groups))
        return f((p, x)), g((p, x))

    for stride, groups in product((1, 2), (1, 2, 4) if channels == (4, 4) else (1,)):
        whole = run(groups, stride)
        with monkeypatch.context() as patch:
            patch.setattr(sliding, "BLOCK", block)
            parts = run(groups, stride)
        for a, b in zip(fnn.tree.leaves(whole), fnn.tree.leaves(parts), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_blocks_cover_all_rows_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for block, batch, rows in product((1, 99, 1000, 10**6), (0, 1, 7), (1, 5, 13)):
        monkeypatch.setattr(sliding, "BLOCK", block)
        seen = np.zeros((batch, rows), int)
        for part in sliding.blocks(batch, rows, 40):
            seen[part] += 1
            assert seen[part].size * 40 <= max(block, 40)
        assert np.all(seen == 1)


def test_both_ways_to_the_gradient_by_x_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    g, kernel = rng.normal(size=(2, 5, 4, 6)), rng.normal(size=(3, 2, 2, 6))
    geometry = sliding.Geometry((1, 1), ((1, 3), (0, 2)), (1, 2), 2)
    gathered = correlation.correlate_by_x(g, kernel, (3, 4), geometry)
    monkeypatch.setattr(correlation, "MANY_OUTPUTS", 0)
    np.testing.assert_allclose(correlation.correlate_by_x(g, kernel, (3, 4), geometry), gathered, atol=1e-12)


# By hand.


def test_values_by_hand() -> None:
    x = ramp(3, 3)
    y = fnn.conv2d(
        fnn.ConvParams(np.array([[1.0, 10.0], [100.0, 1000.0]])[..., None, None], np.array([0.5])), x, padding="valid"
    )
    assert y[0, ..., 0].tolist() == [[5421.5, 6532.5], [8754.5, 9865.5]]


@pytest.mark.parametrize(
    ("time", "size", "stride", "dilation", "expected"),
    [
        (4, 3, 1, 1, [3, 6, 9, 7]),
        (4, 2, 1, 1, [3, 5, 7, 4]),  # an even kernel: the odd zero at the end
        (4, 3, 2, 1, [6, 7]),  # not 3, 9: one zero is needed, and it stands at the end
        (5, 3, 2, 1, [3, 9, 9]),
        (5, 4, 3, 1, [6, 12]),  # two zeros: one on either side
        (5, 1, 2, 1, [1, 3, 5]),
        (5, 1, 3, 1, [1, 4]),  # the stride jumps over the rest
        (5, 2, 1, 3, [3, 5, 7, 3, 4]),
    ],
)
def test_same_padding_with_a_stride_by_hand(time: int, size: int, stride: int, dilation: int, expected: list[int]) -> None:
    y = fnn.conv1d(of_ones(size), ramp(time), stride=stride, dilation=dilation)
    assert y.ravel().tolist() == expected


def test_causal_padding_looks_at_nothing_that_comes_later() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 9, 3))
    later = x.copy()
    later[:, 5:] += 1.0
    p = fnn.ConvParams(rng.normal(size=(3, 3, 4)), rng.normal(size=4))
    for stride, dilation in product((1, 2), (1, 3)):
        y, z = (fnn.conv1d(p, v, padding="causal", stride=stride, dilation=dilation) for v in (x, later))
        first = -(-5 // stride)  # the first output that sees step 5
        assert y.shape == (2, -(-9 // stride), 4)
        np.testing.assert_array_equal(y[:, :first], z[:, :first])
        assert np.all(y[:, first] != z[:, first])
        y, z = (fnn.conv_transpose1d(p, v, padding="causal", stride=stride, dilation=dilation) for v in (x, later))
        assert y.shape == (2, 9 * stride, 4)
        np.testing.assert_array_equal(y[:, : 5 * stride], z[:, : 5 * stride])
        assert np.all(y[:, 5 * stride] != z[:, 5 * stride])


@pytest.mark.parametrize(("size", "stride", "dilation"), list(product([1, 2, 3, 4, 5], [1, 2, 3], [1, 2])))
def test_same_padding_of_the_transposed_one_multiplies_the_size(size: int, stride: int, dilation: int) -> None:
    p = fnn.ConvParams(np.ones((size, size, 1, 2)), np.ones(2))
    x = ramp(3, 2)
    assert fnn.conv_transpose2d(p, x, stride=stride, dilation=dilation).shape == (1, 3 * stride, 2 * stride, 2)


def test_a_transposed_kernel_smaller_than_its_stride_leaves_the_bias_between() -> None:
    p = fnn.ConvParams(np.full((1, 1, 1), 10.0), np.array([0.5]))
    assert fnn.conv_transpose1d(p, ramp(2), stride=3).ravel().tolist() == [10.5, 0.5, 0.5, 20.5, 0.5, 0.5]
    assert fnn.conv_transpose1d(p, ramp(2), stride=3, padding="valid").ravel().tolist() == [10.5, 0.5, 0.5, 20.5]
    padded = fnn.conv_transpose1d(p, ramp(2), stride=3, padding=0, output_padding=1)
    assert padded.ravel().tolist() == [10.5, 0.5, 0.5, 20.5, 0.5]


def test_one_tap_is_a_dense_layer() -> None:
    rng = np.random.default_rng(0)
    x, weight, bias = rng.normal(size=(3, 4, 5)), rng.normal(size=(5, 2)), rng.normal(size=2)
    dense = fnn.dense(fnn.DenseParams(weight, bias), x)
    np.testing.assert_allclose(fnn.conv1d(fnn.ConvParams(weight[None], bias), x), dense)
    np.testing.assert_allclose(fnn.conv_transpose1d(fnn.ConvParams(weight[None], bias), x), dense)


@pytest.mark.parametrize(("groups", "n_out"), [(2, 4), (3, 9), (6, 6), (6, 12)])
def test_groups_are_convolutions_side_by_side(groups: int, n_out: int) -> None:
    rng = np.random.default_rng(0)
    n, m = 6 // groups, n_out // groups
    x, kernel = rng.normal(size=(2, 5, 5, 6)), rng.normal(size=(3, 3, n, n_out))
    for f, stride in product((fnn.conv2d, fnn.conv_transpose2d), (1, 2)):
        parts = [
            f(fnn.KernelParams(kernel[..., m * g : m * g + m]), x[..., n * g : n * g + n], stride=stride) for g in range(groups)
        ]
        y = f(fnn.KernelParams(kernel), x, stride=stride, groups=groups)
        np.testing.assert_allclose(y, np.concatenate(parts, -1), atol=1e-12)


# Edges.


@pytest.mark.parametrize("f", [fnn.conv2d, fnn.conv_transpose2d])
@pytest.mark.parametrize(("groups", "stride"), list(product([1, 4], [1, 2])))
def test_an_empty_batch_gives_an_empty_result_and_zero_gradients(f: Callable[..., Any], groups: int, stride: int) -> None:
    p = fnn.ConvParams(np.ones((3, 3, 4 // groups, 4)), np.ones(4))
    x = np.ones((0, 6, 6, 4))
    y, pullback = fnn.vjp(lambda a: f(a[0], a[1], stride=stride, groups=groups), (p, x))
    assert y.shape == f(p, np.ones((1, 6, 6, 4)), stride=stride, groups=groups)[:0].shape
    grads, dx = pullback(y)
    assert dx.shape == x.shape
    assert not np.any(grads.kernel)
    assert not np.any(grads.bias)


@pytest.mark.parametrize("f", [fnn.conv1d, fnn.conv_transpose1d])
def test_one_step(f: Callable[..., Any]) -> None:
    assert f(of_ones(3), ramp(1)).tolist() == [[[1.0]]]


@pytest.mark.parametrize("f", [fnn.conv2d, fnn.conv_transpose2d])
@pytest.mark.parametrize(("groups", "stride"), list(product([1, 2, 4], [1, 2])))
def test_dtypes(f: Callable[..., Any], groups: int, stride: int) -> None:
    wide = fnn.ConvParams(np.ones((2, 2, 4 // groups, 4)), np.ones(4))
    narrow = fnn.tree.astype(wide, np.float32)
    x = np.ones((2, 4, 4, 4))

    def run(params: Any, x: Any) -> Any:
        y, pullback = fnn.vjp(lambda a: f(a[0], a[1], stride=stride, groups=groups), (params, x))
        grads = pullback(np.ones_like(y))
        assert grads[0].kernel.dtype == params.kernel.dtype
        assert grads[1].dtype == x.dtype
        return y.dtype

    assert run(wide, x) == np.float64
    assert run(narrow, x.astype(np.float32)) == np.float32
    assert run(wide, x.astype(np.float32)) == np.float64
    half_bias = fnn.ConvParams(wide.kernel, narrow.bias)
    assert run(half_bias, x) == np.float64
    with pytest.raises(TypeError, match=r"x is float64 but kernel is float32"):
        f(narrow, x, groups=groups)
    with pytest.raises(TypeError, match=r"bias is float64 but kernel is float32"):
        f(fnn.ConvParams(narrow.kernel, wide.bias), x.astype(np.float32), groups=groups)


@pytest.mark.parametrize("f", [fnn.conv1d, fnn.conv_transpose1d])
def test_inputs_in_any_memory_order_and_read_only(f: Callable[..., Any]) -> None:
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(3, 6, 4)), rng.normal(size=(3, 4, 2))
    expected = f(fnn.KernelParams(kernel), x)
    turned = np.ascontiguousarray(x.transpose(2, 1, 0)).transpose(2, 1, 0)
    turned.flags.writeable = False
    backwards = np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1]
    for v in (turned, backwards):
        y, pullback = fnn.vjp(lambda a: f(a[0], a[1]), (fnn.KernelParams(kernel[::-1].copy()[::-1]), v))
        np.testing.assert_allclose(y, expected)
        pullback(np.broadcast_to(np.ones(2), y.shape))
        assert not np.shares_memory(y, v)
        assert y.flags.c_contiguous


@pytest.mark.parametrize("padding", ["same", "valid", 1])
def test_one_tap_shares_no_memory(padding: Any) -> None:
    x = np.ones((2, 3, 1))
    for f in (fnn.conv1d, fnn.conv_transpose1d):
        y, pullback = fnn.vjp(partial(f, of_ones(1), padding=padding), x)
        g = np.ones_like(y)
        assert not np.shares_memory(y, x)
        assert not np.shares_memory(pullback(g), g)


def test_infinities_stay_where_they_are_seen() -> None:
    x = ramp(7)
    x[0, 3] = np.inf
    assert np.isinf(fnn.conv1d(of_ones(3), x)).ravel().tolist() == [False, False, True, True, True, False, False]
    assert np.isinf(fnn.conv_transpose1d(of_ones(3), x)).ravel().tolist() == [False, False, True, True, True, False, False]


def test_the_first_layer_computes_no_gradient_by_x(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError("the gradient by x is not wanted")

    monkeypatch.setattr(correlation, "correlate_by_x", refuse)

    def loss(p: fnn.KernelParams) -> fnn.Scalar:
        return np.sum(fnn.conv1d(p, ramp(4)))

    fnn.grad(loss)(of_ones(3))


# Windows.


def test_windows_are_a_view() -> None:
    x = np.random.default_rng(0).normal(size=(2, 7, 6, 3))
    view = windows(x, (3, 2), (2, 1), (1, 3))
    assert view.shape == (2, 3, 3, 3, 2, 3)
    assert np.shares_memory(view, x)
    assert not view.flags.writeable
    for i, j, k, m in np.ndindex(3, 3, 3, 2):
        np.testing.assert_array_equal(view[:, i, j, k, m], x[:, 2 * i + k, j + 3 * m])


@given(n=st.integers(1, 12), k=st.integers(1, 5), s=st.integers(1, 4), d=st.integers(1, 3))
def test_same_padding_gives_as_many_windows_as_strides(n: int, k: int, s: int, d: int) -> None:
    ((before, after),) = resolve_padding("f", "same", (n,), (k,), (s,), (d,))
    assert output_size(n, (before, after), k, s, d) == -(-n // s)
    assert 0 <= after - before <= 1
    assert before + after == 0 or output_size(n, (before, after - 1), k, s, d) < -(-n // s)


def test_paddings_and_sizes_become_tuples() -> None:
    assert check_padding("f", 2, 2) == ((2, 2), (2, 2))
    assert check_padding("f", (1, (0, 3)), 2) == ((1, 1), (0, 3))
    assert check_padding("f", "causal", 1) == "causal"
    assert spatial_tuple("f", "stride", 2, 3) == (2, 2, 2)
    assert spatial_tuple("f", "stride", (2, 1), 2) == (2, 1)


# Layers.


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (fnn.Conv2d(1, 32, 3), "Conv2d(1, 32, 3)"),
        (fnn.Conv2d(1, 32, (3, 3), stride=(2, 2)), "Conv2d(1, 32, 3, stride=2)"),
        (fnn.Conv2d(1, 32, (3, 1), padding=(1, 0), bias=False), "Conv2d(1, 32, (3, 1), padding=(1, 0), bias=False)"),
        (fnn.Conv2d(4, 8, 3, padding=((1, 1), (1, 1)), groups=2), "Conv2d(4, 8, 3, padding=1, groups=2)"),
        (fnn.Conv1d(4, 8, 3, padding=((1, 0),)), "Conv1d(4, 8, 3, padding=((1, 0),))"),
        (fnn.Conv1d(4, 8, 3, padding="causal", dilation=2), "Conv1d(4, 8, 3, padding='causal', dilation=2)"),
        (fnn.ConvTranspose2d(4, 8, 4, stride=2), "ConvTranspose2d(4, 8, 4, stride=2)"),
        (
            fnn.ConvTranspose2d(4, 8, 4, stride=2, padding=1, output_padding=(1, 0)),
            "ConvTranspose2d(4, 8, 4, stride=2, padding=1, output_padding=(1, 0))",
        ),
    ],
)
def test_a_layer_is_a_value_that_shows_what_is_unusual(layer: Any, text: str) -> None:
    assert repr(layer) == text
    assert eval(text, vars(fnn) | {name: getattr(fnn, name) for name in dir(fnn) if name.startswith("Conv")}) == layer
    assert pickle.loads(pickle.dumps(layer)) == layer
    assert hash(pickle.loads(pickle.dumps(layer))) == hash(layer)


def test_layers_that_differ_are_not_equal() -> None:
    layers = [
        fnn.Conv2d(4, 4, 3),
        fnn.Conv2d(4, 4, (3, 1)),
        fnn.Conv2d(4, 4, 3, stride=2),
        fnn.Conv2d(4, 4, 3, padding="valid"),
        fnn.Conv2d(4, 4, 3, dilation=2),
        fnn.Conv2d(4, 4, 3, groups=2),
        fnn.Conv2d(4, 4, 3, bias=False),
        fnn.Conv2d(4, 4, 3, weight_init=fnn.initializers.zeros),
        fnn.ConvTranspose2d(4, 4, 3),
        fnn.ConvTranspose2d(4, 4, 3, stride=2, padding=1),
        fnn.ConvTranspose2d(4, 4, 3, stride=2, padding=1, output_padding=1),
        fnn.Conv1d(4, 4, 3),
        fnn.Conv3d(4, 4, 3),
    ]
    assert len(set(layers)) == len(layers)


def test_a_layer_equals_its_function() -> None:
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 4)).astype(np.float32)
    options: dict[str, Any] = {"stride": (2, 1), "padding": ((2, 1), 1), "dilation": (1, 2), "groups": 2}
    layer = fnn.Conv2d(4, 6, (3, 2), bias_init=fnn.initializers.ones, **options)
    params, state = fnn.init(layer, fnn.key(0))
    assert np.all(params.bias == 1)
    np.testing.assert_array_equal(fnn.forward(layer, params, state, x)[0], fnn.conv2d(params, x, **options))
    options["output_padding"] = (1, 1)
    back = fnn.ConvTranspose2d(4, 6, (3, 2), bias_init=fnn.initializers.ones, **options)
    np.testing.assert_array_equal(fnn.forward(back, params, state, x)[0], fnn.conv_transpose2d(params, x, **options))


def test_he_normal_counts_all_taps_of_a_group() -> None:
    for layer in (fnn.Conv2d(32, 64, (5, 3), groups=2), fnn.ConvTranspose2d(32, 64, (5, 3), groups=2)):
        kernel = fnn.init(layer, fnn.key(0))[0].kernel
        assert kernel.shape == (5, 3, 16, 64)
        np.testing.assert_allclose(np.std(kernel), np.sqrt(2 / (5 * 3 * 16)), rtol=0.02)


def test_an_autoencoder_learns() -> None:
    model = fnn.Conv2d(1, 4, 3, stride=2) >> fnn.relu >> fnn.ConvTranspose2d(4, 1, 4, stride=2)
    opt = fnn.Adam(0.02)
    step = fnn.train_step(fnn.supervised(model, fnn.mse), opt)
    x = fnn.datasets.digits().train_x[:32].reshape(-1, 8, 8, 1)
    ts = fnn.start(model, opt, fnn.key(0))
    ts, losses = fnn.repeat(60, step, ts, x, x)
    assert losses[-1] < 0.3 * losses[0]


# What is refused.

params = fnn.ConvParams(np.ones((3, 3, 2, 4), np.float32), np.ones(4, np.float32))
image = np.ones((1, 5, 6, 2), np.float32)


@pytest.mark.parametrize("f", [fnn.conv2d, fnn.conv_transpose2d])
@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        ((image, params), {}, r"params is .*expected ConvParams or KernelParams; are arguments swapped"),
        ((params, np.ones((1, 5, 6, 3), np.float32)), {}, r"x must be \[batch, height, width, 2\]$"),
        ((params, np.ones((1, 2, 5, 6), np.float32)), {}, r"x looks like channels-first: write np.moveaxis\(x, 1, -1\)"),
        ((params, image[0]), {}, r"x has shape \(5, 6, 2\).*for one example write x\[np.newaxis\]"),
        ((of_ones(3, 3), np.ones((7, 5, 6))), {}, r"for one channel write x\[..., np.newaxis\]"),
        ((params, image[:, :0]), {}, r"x has shape \(1, 0, 6, 2\): only the batch may be empty"),
        ((params, image.astype(int)), {}, r"x is i64\[1,5,6,2\], expected floating numbers"),
        ((params, image), {"groups": 3}, r"groups is 3, which does not divide the 4 outputs"),
        ((params, image), {"groups": 2}, r"kernel is \(3, 3, 2, 4\) in 2 groups: x must be \[batch, height, width, 4\]"),
        ((params, image), {"groups": 0}, r"groups is 0, expected at least 1"),
        ((params, image), {"groups": True}, r"groups is True, a bool, expected an int"),
        ((params, image), {"stride": 0}, r"stride is 0, expected at least 1"),
        ((params, image), {"stride": 1.0}, r"stride is 1.0, a float, expected an int or a tuple of 2 ints"),
        ((params, image), {"stride": True}, r"stride is True, a bool, expected an int"),
        ((params, image), {"stride": (1, 2, 3)}, r"stride is \(1, 2, 3\), expected an int or a tuple of 2"),
        ((params, image), {"dilation": (1, 0)}, r"dilation\[1\] is 0, expected at least 1"),
        ((params, image), {"padding": "causal"}, r'padding is "causal", which is for one spatial axis'),
        ((params, image), {"padding": "full"}, r"padding is 'full', expected one of 'same', 'valid', or numbers"),
        ((params, image), {"padding": -1}, r"padding is -1, expected at least 0"),
        ((params, image), {"padding": None}, r"padding is None, a NoneType"),
        ((params, image), {"padding": (1, 1, 1)}, r"padding is \(1, 1, 1\), expected an int, or a tuple of 2"),
        ((params, image), {"padding": ((1, 1, 1), 1)}, r"padding\[0\] is \(1, 1, 1\), expected an int or a pair"),
        ((params, image), {"padding": ((1, 0.5), 1)}, r"padding\[0\] is 0.5, a float, expected an int"),
        ((fnn.KernelParams(np.ones((3, 2, 4))), image), {}, r"kernel has shape \(3, 2, 4\), expected 4 axes"),
        ((fnn.KernelParams(np.ones((0, 3, 2, 4))), image), {}, r"kernel has shape \(0, 3, 2, 4\), expected 4 axes.*not empty"),
        ((fnn.ConvParams(np.ones((3, 3, 2, 4)), np.ones(3)), image), {}, r"bias must be \(4,\)"),
    ],
)
def test_bad_arguments(f: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any], message: str) -> None:
    kind = TypeError if "expected floating" in message or "are arguments" in message or ", a " in message else ValueError
    with pytest.raises(kind, match=rf"^{f.__name__}: .*{message}"):
        f(*args, **options)


@pytest.mark.parametrize(
    ("padding", "dilation"), [("valid", 3), (((0, 0), (5, 5)), 3), (0, 3)], ids=["valid", "one axis", "numbers"]
)
def test_a_kernel_must_fit_into_the_padded_input(padding: Any, dilation: int) -> None:
    with pytest.raises(ValueError, match=r"^conv2d: x has spatial shape \(5, 6\), padded by .* does not fit"):
        fnn.conv2d(params, image, padding=padding, dilation=dilation)


def test_a_kernel_may_just_fit() -> None:
    assert fnn.conv1d(of_ones(3), ramp(3), padding="valid").ravel().tolist() == [6.0]
    assert fnn.conv1d(of_ones(2), ramp(3), padding="valid", dilation=2).ravel().tolist() == [4.0]
    with pytest.raises(ValueError, match="does not fit"):
        fnn.conv1d(of_ones(4), ramp(3), padding="valid")
    with pytest.raises(ValueError, match="does not fit"):
        fnn.conv1d(of_ones(2), ramp(3), padding="valid", dilation=3)
    with pytest.raises(ValueError, match="does not fit"):
        fnn.conv1d(of_ones(5), ramp(3), padding=((1, 0),))


def test_causal_padding_of_a_pair_is_explained() -> None:
    with pytest.raises(ValueError, match=r"for zeros before and after write \(\(2, 0\),\)"):
        fnn.conv1d(of_ones(3), ramp(4), padding=(2, 0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output_padding": 1}, r"output_padding is 1 but padding is 'same', which gives size \* stride outputs"),
        ({"output_padding": 1, "padding": 0}, r"output_padding is 1, expected less than the stride \(1, 1\)"),
        ({"output_padding": (1, 2), "padding": 0, "stride": 2}, r"output_padding is \(1, 2\), expected less than"),
        ({"output_padding": -1, "padding": 0}, r"output_padding is -1, expected at least 0"),
        ({"padding": ((3, 4), 0)}, r"padding \(\(3, 4\), \(0, 0\)\) cuts off all of the result"),
        ({"padding": 4}, r"padding \(\(4, 4\), \(4, 4\)\) cuts off all of the result"),
    ],
)
def test_bad_output_sizes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=rf"^conv_transpose2d: {message}"):
        fnn.conv_transpose2d(params, image, **options)
    if "cuts off" not in message:
        with pytest.raises(ValueError, match=rf"^ConvTranspose2d: {message}"):
            fnn.ConvTranspose2d(2, 4, 3, **options)


@pytest.mark.parametrize("layer", [fnn.Conv2d, fnn.ConvTranspose2d])
@pytest.mark.parametrize(
    ("args", "options", "kind", "message"),
    [
        ((0, 4, 3), {}, ValueError, r"n_in is 0, expected at least 1"),
        ((2, 4.0, 3), {}, TypeError, r"n_out is 4.0, a float, expected an int"),
        ((2, True, 3), {}, TypeError, r"n_out is True, a bool"),
        ((2, 4, 0), {}, ValueError, r"kernel_size is 0, expected at least 1"),
        ((2, 4, True), {}, TypeError, r"kernel_size is True, a bool"),
        ((2, 4, (3, 3, 3)), {}, ValueError, r"kernel_size is \(3, 3, 3\), expected an int or a tuple of 2"),
        ((2, 4, "3"), {}, TypeError, r"kernel_size is '3', a str"),
        ((2, 4, 3), {"stride": (2, 0)}, ValueError, r"stride\[1\] is 0"),
        ((2, 4, 3), {"padding": "causal"}, ValueError, r'padding is "causal"'),
        ((3, 4, 3), {"groups": 2}, ValueError, r"groups is 2, which does not divide n_in, 3"),
        ((2, 5, 3), {"groups": 2}, ValueError, r"groups is 2, which does not divide n_out, 5"),
        ((2, 4, 3), {"bias": 1}, TypeError, r"bias is 1, expected True or False"),
        ((2, 4, 3), {"weight_init": 0.1}, TypeError, r"weight_init is 0.1, expected an initializer"),
    ],
)
def test_bad_layers(layer: Any, args: tuple[Any, ...], options: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=rf"^{layer.__name__}: {message}"):
        layer(*args, **options)


@pytest.mark.parametrize("kind", [fnn.ConvParams, fnn.KernelParams])
@pytest.mark.parametrize(
    ("args", "groups", "error", "message"),
    [
        ((2, 4, 3), 1, TypeError, r"size is 3, expected a tuple with the size along each spatial axis, as \(3, 3\)"),
        ((2, 4, (3, 0)), 1, ValueError, r"size\[1\] is 0, expected at least 1"),
        ((3, 4, (3, 3)), 2, ValueError, r"groups is 2, which does not divide n_in, 3"),
        ((2, -4, (3, 3)), 1, ValueError, r"n_out is -4, expected at least 1"),
    ],
)
def test_bad_sizes_of_parameters(kind: Any, args: Any, groups: int, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=rf"^{kind.__name__}.init: {message}"):
        kind.init(fnn.key(0), *args, groups=groups)
