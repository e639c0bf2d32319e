"""Reductions, their keywords, running sums, order statistics, and the functions that leave NaN out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

import fnn
from tests.laws.operations.case import ONE, TWO, Operation, away_from_zero, cube, distinct, positive

_np: Any = np  # untyped, because the stubs of reductions differ from version to version


def _mask(x: Any) -> Any:
    """About two thirds of the entries, the first ones of the last axis always."""
    place = np.arange(x.size).reshape(x.shape)
    return (place % 3 != 1) | (place % max(x.shape[-1], 1) == 0)


def _row_mask(x: Any) -> Any:
    return np.arange(x.shape[-1]) % 2 == 0


def with_nan(f: Callable[..., Any]) -> Callable[..., Any]:
    """f of the array with NaN in some places, never in the first of the last axis."""
    return lambda x: f(np.where(np.arange(x.size).reshape(x.shape) % x.shape[-1] % 3 == 1, np.nan, x))


def with_nan_of(f: Callable[..., Any]) -> Callable[..., Any]:
    """As `with_nan`, for a function with more arguments."""
    return lambda x, *args, **options: with_nan(lambda x: f(x, *args, **options))(x)


def _nan_variants(f: Any) -> list[tuple[str, Callable[..., Any]]]:
    initial = {np.nanmax: {"initial": -100.0}, np.nanmin: {"initial": 100.0}}.get(f, {})
    return [
        ("all", f),
        ("axis", lambda x: f(x, -1) + f(x, axis=2, keepdims=False)),
        ("axes", lambda x: f(x, axis=(2, 0), keepdims=True)),
        ("where", lambda x: f(x, axis=(1, 2), where=_mask(x), **initial)),
    ]


def one_zero(rng: Generator, shape: tuple[int, ...]) -> Any:
    """Away from zero but for one entry, which is zero."""
    return away_from_zero(rng, shape) * (rng.permutation(int(np.prod(shape))) > 0).reshape(shape)


def _longer(n: int, m: int, k: int) -> tuple[tuple[int, ...], ...]:
    return ((n, m, k + 1),)


def _variants(name: str, f: Any, draws: Any, *, dtype: bool = True, initial: bool = True) -> list[Operation]:
    """The signature that sums, products and extremes share."""
    rows = [
        Operation(f"np.{name} all", f, draws, cube),
        Operation(f"np.{name} 0-d", f, draws, lambda n, m, k: ((),)),
        Operation(f"np.{name} axis", lambda x: f(x, 1), draws, cube),
        Operation(f"np.{name} axes", lambda x: f(x, axis=(-1, 0), keepdims=True), draws, cube),
        Operation(f"np.{name} where", lambda x: f(keepdims=False, where=_mask(x), axis=-1, a=x, **more), draws, cube),
        Operation(f"np.{name} where row", lambda x: f(x, (0, 2), where=_row_mask(x), **more), draws, cube),
    ]
    more: dict[str, Any] = {"initial": 0.7} if initial else {}
    if initial:
        rows.append(Operation(f"np.{name} initial", lambda x: f(x, axis=0, initial=0.7, keepdims=True), draws, cube))
        rows.append(Operation(f"np.{name} of nothing", lambda x: f(x, 0, initial=2.0), draws, lambda n, m, k: ((0, m),)))
    if dtype:
        rows.append(Operation(f"np.{name} dtype", lambda x: f(x, 0, dtype=np.float64), draws, cube))
    return rows


def _spreads(name: str, f: Any) -> list[Operation]:
    """The signature of var and std."""
    return [
        Operation(f"np.{name} all", f, (distinct,), _longer),
        Operation(f"np.{name} axes", lambda x: f(x, axis=(0, -1), keepdims=True, ddof=0.5), (distinct,), _longer),
        Operation(f"np.{name} correction", lambda x: f(x, -1, correction=1), (distinct,), _longer),
        Operation(f"np.{name} where", lambda x: f(x, axis=(1, 2), where=_row_mask(x) | (x > -1e9)), (distinct,), _longer),
        Operation(f"np.{name} dtype", lambda x: f(x, 2, np.float64), (distinct,), _longer),
    ]


def _quantiles(name: str, f: Any, unit: float) -> list[Operation]:
    return [
        Operation(f"np.{name}", lambda x: f(x, 0.37 * unit), (distinct,), cube),
        Operation(f"np.{name} array", lambda x: f(x, np.array([[0.0, 0.21], [0.5, 1.0]]) * unit, axis=-1), (distinct,), cube),
        Operation(f"np.{name} axes", lambda x: f(x, [0.3 * unit], axis=(2, 0), keepdims=True), (distinct,), cube),
        *[
            Operation(f"np.{name} {method}", lambda x, method=method: f(x, 0.64 * unit, -1, method=method), (distinct,), cube)
            for method in ("lower", "higher", "nearest", "midpoint", "median_unbiased", "inverted_cdf", "hazen")
        ],
    ]


TABLE: list[Operation] = [
    *_variants("sum", np.sum, ONE),
    *_variants("prod", np.prod, ONE),
    *_variants("prod with a zero", np.prod, (one_zero,)),
    *_variants("mean", np.mean, ONE, initial=False),
    *_variants("max", np.max, (distinct,), dtype=False),
    *_variants("min", np.min, (distinct,), dtype=False),
    *_variants("amax", np.amax, (distinct,), dtype=False)[:3],
    *_variants("amin", np.amin, (distinct,), dtype=False)[:3],
    *_spreads("var", np.var),
    *_spreads("std", np.std),
    Operation("np.var mean", lambda x, m: _np.var(x, 0, mean=m, keepdims=True), TWO, lambda n, m, k: ((n, m), (1, m))),
    Operation("np.std mean", lambda x: _np.std(x, 0, mean=np.mean(x, 0, keepdims=True) + 2), ONE, cube),
    Operation(
        "methods",
        lambda x: x.prod(0) + x.sum(0) + x.min(0) + x.max(0) * x.std() + x.var(axis=0, ddof=-1),
        (distinct,),
        lambda n, m, k: ((n + 1, n + 1),),
    ),
    Operation("np.ptp", np.ptp, (distinct,), _longer),
    Operation("np.ptp axis", lambda x: np.ptp(x, axis=-1, keepdims=True), (distinct,), _longer),
    # ufunc.reduce and ufunc.accumulate
    Operation("np.multiply.reduce", lambda x: np.multiply.reduce(x) * np.multiply.reduce(x, axis=(0, 1)), ONE),
    Operation("np.minimum.reduce", lambda x: np.minimum.reduce(x, axis=-1, keepdims=True, initial=100.0), (distinct,), cube),
    Operation("np.fmax.reduce", lambda x: np.fmax.reduce(x, axis=0) + np.fmin.reduce(x), (distinct,)),
    Operation("np.logaddexp.reduce", lambda x: np.logaddexp.reduce(x, axis=1), ONE, cube),
    Operation("np.logaddexp.reduce where", lambda x: np.logaddexp.reduce(x, axis=-1, initial=0.5, where=_mask(x)), ONE, cube),
    Operation("np.add.reduce where", lambda x: np.add.reduce(x, where=_mask(x), dtype=np.float64), ONE, cube),
    Operation("np.add.accumulate", lambda x: np.add.accumulate(x) + np.add.accumulate(x, axis=1), ONE),
    Operation("np.multiply.accumulate", lambda x: np.multiply.accumulate(x, -1), ONE, cube),
    # running sums and products
    Operation("np.cumsum", np.cumsum, ONE, cube),
    Operation("np.cumsum axis", lambda x: np.cumsum(x, axis=-2, dtype=np.float64), ONE, cube),
    Operation("np.cumsum 0-d", lambda x: np.cumsum(x) + x.cumsum(0), ONE, lambda n, m, k: ((),)),
    Operation("np.cumprod", np.cumprod, ONE, cube),
    Operation(
        "np.cumprod axis", lambda x: x.cumprod(axis=0, dtype=np.float64) + x.cumsum(0), ONE, lambda n, m, k: ((3 * n, m),)
    ),
    Operation("np.cumprod with a zero", lambda x: np.cumprod(x, -1), (one_zero,), lambda n, m, k: ((n, m + k + 1),)),
    Operation("np.cumulative_sum", lambda x: np.cumulative_sum(x, axis=1, include_initial=True), ONE, cube),
    Operation("np.cumulative_sum of a row", np.cumulative_sum, ONE, lambda n, m, k: ((n,),)),
    Operation("np.cumulative_prod", lambda x: np.cumulative_prod(x, axis=-1, include_initial=True), (one_zero,), cube),
    Operation("np.nancumsum", with_nan(lambda x: np.nancumsum(x, axis=-1)), ONE, cube),
    Operation("np.nancumprod", with_nan(np.nancumprod), ONE, cube),
    # averages
    Operation("np.average", np.average, ONE, cube),
    Operation("np.average axis", lambda x: np.average(x, axis=(0, 2), keepdims=True), ONE, cube),
    Operation(
        "np.average weights", lambda x, w: np.average(x, weights=w), (away_from_zero, positive), lambda n, m, k: ((n, m),) * 2
    ),
    Operation(
        "np.average row of weights",
        lambda x, w: np.average(x, -2, w),
        (away_from_zero, positive),
        lambda n, m, k: ((n, m, k), (m,)),
    ),
    Operation(
        "np.average, axes of the weights in another order",
        lambda x, w: np.average(x, (2, 0), weights=w, keepdims=True),
        (away_from_zero, positive),
        lambda n, m, k: ((n, m, k), (k, n)),
    ),
    Operation(
        "np.average returned",
        lambda x, w: [2 * part for part in np.average(x, 1, w, returned=True)],
        (away_from_zero, positive),
        lambda n, m, k: ((n, m), (n, m)),
    ),
    Operation("np.average of integers", lambda w: np.average([1, 2, 4], weights=w), (positive,), lambda n, m, k: ((3,),)),
    # order statistics
    Operation("np.median", np.median, (distinct,), cube),
    Operation("np.median 0-d", np.median, (distinct,), lambda n, m, k: ((),)),
    Operation("np.median axis", lambda x: np.median(x, axis=-1), (distinct,), _longer),
    Operation("np.median axes", lambda x: np.median(x, axis=(0, 2), keepdims=True), (distinct,), cube),
    *_quantiles("quantile", np.quantile, 1),
    *_quantiles("percentile", np.percentile, 100),
    *_quantiles("nanquantile", with_nan_of(np.nanquantile), 1),
    *_quantiles("nanpercentile", with_nan_of(np.nanpercentile), 100)[:3],
    Operation("np.nanmedian", with_nan(np.nanmedian), (distinct,), cube),
    Operation("np.nanmedian axis", with_nan(lambda x: np.nanmedian(x, axis=(0, -1), keepdims=True)), (distinct,), cube),
    # without NaN
    *[
        Operation(f"np.{f.__name__} {kind}", with_nan(g), (distinct,), _longer)
        for f in (np.nansum, np.nanprod, np.nanmean, np.nanmax, np.nanmin, np.nanvar, np.nanstd)
        for kind, g in _nan_variants(f)
    ],
    # log(sum(exp(x)))
    Operation("logsumexp", fnn.logsumexp, ONE, cube),
    Operation("logsumexp 0-d", fnn.logsumexp, ONE, lambda n, m, k: ((),)),
    Operation("logsumexp axis", lambda x: fnn.logsumexp(x * 300, axis=-2), ONE, cube),
    Operation("logsumexp axes", lambda x: fnn.logsumexp(x, (0, 2), keepdims=True), ONE, cube),
]
