"""Winograd's way to convolve against the direct one: the same numbers, about the same errors, and only where it may run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnn
from fnn.functional import correlation, winograd
from fnn.functional import windows as sliding
from fnn.functional.windows import Geometry, Pairs


def unit_steps(padding: Pairs) -> Geometry:
    n = len(padding)
    return Geometry((1,) * n, padding, (1,) * n, 1)


def drawn(batch: int, sizes: tuple[int, ...], n_in: int, n_out: int, geometry: Geometry, dtype: Any = np.float64) -> list[Any]:
    """x, a kernel, a bias and a cotangent."""
    rng = np.random.default_rng(0)
    n = len(sizes)
    shapes = (batch, *sizes, n_in), (*[3] * n, n_in, n_out), (n_out,), (batch, *geometry.out(sizes, (3,) * n), n_out)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def directly(monkeypatch: pytest.MonkeyPatch, arrays: list[Any], geometry: Geometry) -> tuple[Any, ...]:
    """y and its gradients by x and by the kernel, by windows copied into matrices."""
    x, kernel, bias, g = arrays
    with monkeypatch.context() as patch:
        patch.setattr(winograd, "applies", lambda *_: False)
        y = correlation.correlate(x, kernel, bias, geometry)
        return y, *correlation.gradients(x, g, kernel, geometry, (True, True, True))


def by_winograd(arrays: list[Any], geometry: Geometry) -> tuple[Any, ...]:
    x, kernel, bias, g = arrays
    y = np.empty(g.shape, g.dtype)
    winograd.correlate(x, winograd.spectrum(kernel), bias, geometry, y)
    return y, *gradients(x, kernel, g, geometry)


def gradients(x: Any, kernel: Any, g: Any, geometry: Geometry, by: tuple[bool, bool] = (True, True)) -> tuple[Any, ...]:
    return winograd.gradients(winograd.tiles_of(g), g.dtype, g.shape[1:-1], geometry, x, kernel, by)


# Room for all images, for one, for some rows of one, for one row.
@pytest.mark.parametrize("block", [2_000_000, 20_000, 5_000, 1])
@pytest.mark.parametrize(
    ("sizes", "padding"),
    [
        ((5,), ((1, 1),)),
        ((6,), ((0, 3),)),
        ((6, 4), ((1, 1), (1, 1))),
        ((5, 8), ((1, 1), (0, 0))),
        ((8, 5), ((0, 0), (2, 0))),
        ((9, 3), ((2, 2), (0, 0))),
        ((1, 1), ((1, 1), (4, 4))),
        ((4, 5, 3), ((1, 1), (0, 1), (2, 2))),
    ],
)
def test_it_is_the_direct_way(monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, ...], padding: Pairs, block: int) -> None:
    geometry = unit_steps(padding)
    arrays = drawn(3, sizes, 4, 5, geometry)
    expected = directly(monkeypatch, arrays, geometry)
    monkeypatch.setattr(sliding, "BLOCK", block)
    for found, right in zip(by_winograd(arrays, geometry), expected, strict=True):
        np.testing.assert_allclose(found, right, rtol=0, atol=1e-12)


def test_one_gradient_alone_has_the_same_bits() -> None:
    geometry = unit_steps(((1, 1), (1, 1)))
    x, kernel, _, g = drawn(2, (6, 5), 4, 3, geometry)
    dx, dk, db = gradients(x, kernel, g, geometry)
    only_x, only_kernel = (gradients(x, kernel, g, geometry, by) for by in ((True, False), (False, True)))
    assert only_x[1] is only_x[2] is None
    assert only_kernel[0] is None
    np.testing.assert_array_equal(only_x[0], dx)
    np.testing.assert_array_equal(only_kernel[1], dk)
    np.testing.assert_array_equal(only_kernel[2], db)


@pytest.mark.parametrize("channels", [32, 256])
def test_errors_of_rounding_are_about_those_of_the_direct_way(monkeypatch: pytest.MonkeyPatch, channels: int) -> None:
    geometry = unit_steps(((1, 1), (1, 1)))
    arrays = drawn(4, (14, 14), channels, channels, geometry, np.float32)
    exact = directly(monkeypatch, [a.astype(np.float64) for a in arrays], geometry)
    both = by_winograd(arrays, geometry), directly(monkeypatch, arrays, geometry)
    for found, direct, right in zip(*both, exact, strict=True):
        assert found.dtype == np.float32
        assert np.linalg.norm(found - right) < 4 * np.linalg.norm(direct - right)
        assert np.abs(found - right).max() < 1e-5 * np.abs(right).max()


@pytest.mark.parametrize(
    ("shape", "kernel", "options", "used"),
    [
        ((1, 14, 14, 32), (3, 3, 32, 32), {}, True),
        ((1, 17, 14, 32), (3, 3, 32, 64), {"padding": ((0, 1), 1)}, True),
        ((1, 140, 128), (3, 128, 128), {}, True),
        ((1, 14, 14, 32), (3, 3, 32, 32), {"stride": (1, 2)}, False),
        ((1, 14, 14, 32), (3, 3, 32, 32), {"dilation": (2, 1)}, False),
        ((1, 14, 14, 32), (3, 3, 16, 32), {"groups": 2}, False),
        ((1, 14, 14, 32), (3, 1, 32, 32), {}, False),
        ((1, 14, 14, 32), (5, 5, 32, 32), {}, False),
        ((1, 14, 14, 31), (3, 3, 31, 32), {}, False),
        ((1, 12, 12, 32), (3, 3, 32, 32), {}, False),
        ((9, 5, 5, 32), (3, 3, 32, 32), {}, False),
        ((1, 14, 14, 256), (3, 3, 256, 256), {}, False),
        ((0, 14, 14, 32), (3, 3, 32, 32), {}, False),
    ],
)
def test_where_it_runs(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], kernel: tuple[int, ...], options: Any, used: bool
) -> None:
    rng = np.random.default_rng(0)
    x, p = rng.normal(size=shape), fnn.ConvParams(rng.normal(size=kernel), rng.normal(size=kernel[-1]))
    f: Any = fnn.conv1d if len(shape) == 3 else fnn.conv2d
    ran: list[str] = []

    def watched(name: str, original: Any) -> Any:
        def run(*args: Any) -> Any:
            ran.append(name)
            return original(*args)

        return run

    def both() -> list[Any]:
        y, pull = fnn.vjp(lambda a: f(*a, **options), (p, x))
        return [y, *fnn.tree.leaves(pull(np.cos(y)))]

    with monkeypatch.context() as patch:
        for name in ("outputs_in_tiles", "gradients"):
            patch.setattr(winograd, name, watched(name, getattr(winograd, name)))
        found = both()
    assert ran == (["outputs_in_tiles", "gradients"] if used else [])
    monkeypatch.setattr(winograd, "applies", lambda *_: False)
    for a, b in zip(found, both(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_a_padding_that_cuts_off_goes_the_direct_way() -> None:
    shape, y = (3, 3, 32, 32), (4, 14, 14, 32)
    assert winograd.applies(shape, unit_steps(((0, 0), (1, 1))), y)
    assert not winograd.applies(shape, unit_steps(((0, -1), (1, 1))), y)


def test_inputs_in_any_memory_order() -> None:
    geometry = unit_steps(((0, 0), (1, 1)))
    x, kernel, bias, g = drawn(2, (6, 5), 4, 3, geometry)
    expected = by_winograd([x, kernel, bias, g], geometry)
    strange = [np.asfortranarray(x), np.asfortranarray(kernel), bias[::-1].copy()[::-1], g[:, ::-1].copy()[:, ::-1]]
    for a in strange:
        a.flags.writeable = False
    for found, right in zip(by_winograd(strange, geometry), expected, strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-12)


def test_products_of_small_matrices_go_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    for groups, shape in ((1, (3, 3, 1, 4)), (2, (3, 3, 1, 4)), (1, (2, 2, 5, 3))):
        x, kernel, bias = rng.normal(size=(4, 6, 6, shape[2] * groups)), rng.normal(size=shape), rng.normal(size=shape[-1])
        geometry = Geometry((1, 1), ((1, 1), (0, 1)), (1, 1), groups)
        y = correlation.correlate(x, kernel, bias, geometry)
        g = rng.normal(size=y.shape)
        expected: Any = (y, *correlation.gradients(x, g, kernel, geometry, (True, True, True)))
        with monkeypatch.context() as patch:
            patch.setattr(correlation, "SMALL_PRODUCT", 1000)
            correlation._number_of_pieces.cache_clear()
            assert len(correlation._pieces(np.zeros((groups, 120, 9)), np.zeros((groups, 120, 4)))[0][0]) == 5
            found: Any = (
                correlation.correlate(x, kernel, bias, geometry),
                *correlation.gradients(x, g, kernel, geometry, (True, True, True)),
            )
        correlation._number_of_pieces.cache_clear()
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
