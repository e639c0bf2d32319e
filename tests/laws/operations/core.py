"""Operators, methods, indexing, and the functions that layers and losses are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.laws.operations.case import ONE, TWO, Draw, Operation, away_from_zero, cube, distinct, positive


def _elementwise() -> list[Operation]:
    table: list[Operation] = []
    for f in (
        np.negative, np.positive, np.absolute, np.fabs, np.square, np.reciprocal, np.exp, np.exp2, np.expm1, np.sin, np.cos,
        np.tan, np.arctan, np.sinh, np.cosh, np.tanh,
    ):  # fmt: skip
        draw = (lambda rng, shape: 0.5 * away_from_zero(rng, shape)) if f is np.tan else away_from_zero
        table.append(Operation(f"np.{f.__name__}", f, (draw,)))
    for g in (np.sqrt, np.log, np.log2, np.log10, np.log1p):
        table.append(Operation(f"np.{g.__name__}", g, (positive,)))
    pairs: list[tuple[Any, Draw, Draw]] = [
        (np.add, away_from_zero, away_from_zero),
        (np.subtract, away_from_zero, away_from_zero),
        (np.multiply, away_from_zero, away_from_zero),
        (np.divide, away_from_zero, away_from_zero),
        (np.power, positive, away_from_zero),
        (np.logaddexp, away_from_zero, away_from_zero),
        (np.arctan2, away_from_zero, away_from_zero),
        (np.hypot, away_from_zero, away_from_zero),
        (np.maximum, away_from_zero, lambda rng, shape: rng.choice([-0.1, 0.1], shape)),
        (np.minimum, away_from_zero, lambda rng, shape: rng.choice([-0.1, 0.1], shape)),
    ]
    broadcasts: list[tuple[str, Callable[[int, int, int], tuple[tuple[int, ...], ...]]]] = [
        ("same", lambda n, m, k: ((n, m), (n, m))),
        ("row", lambda n, m, k: ((n, m), (m,))),
        ("column", lambda n, m, k: ((n, 1), (k, n, m))),
        ("scalar", lambda n, m, k: ((), (n, m))),
    ]
    for pair, a, b in pairs:
        table.extend([Operation(f"np.{pair.__name__} {kind}", pair, (a, b), shapes) for kind, shapes in broadcasts])
    return table


TABLE: list[Operation] = [
    *_elementwise(),
    # operators and methods
    Operation("x ** 3", lambda x: x**3, ONE),
    Operation("2.0 ** x", lambda x: 2.0**x, ONE),
    Operation("1 / x - x / 2", lambda x: 1 / x - x / 2, ONE),
    Operation("-x + abs(x)", lambda x: -x + abs(x), ONE),
    Operation("x.T", lambda x: x.T, ONE, cube),
    Operation("x.mT", lambda x: x.mT * 2, ONE, cube),
    Operation("x.reshape", lambda x: x.reshape(-1) * x.ravel(), ONE, cube),
    Operation("x.transpose(1, 2, 0)", lambda x: x.transpose(1, 2, 0), ONE, cube),
    Operation("x.astype(float64)", lambda x: x.astype(np.float64), ONE),
    Operation("x.copy, x.flatten, x.squeeze", lambda x: x.copy().flatten() + x[None].squeeze(0).flatten(), ONE),
    Operation("iteration", lambda x: sum(row * (i + 1) for i, row in enumerate(x)), ONE),
    # reductions
    Operation("np.sum", np.sum, ONE),
    Operation("np.sum axis", lambda x: np.sum(x, axis=(0, -1)), ONE, cube),
    Operation("np.sum keepdims", lambda x: np.sum(x, 1, keepdims=True), ONE, cube),
    Operation("np.add.reduce", lambda x: np.add.reduce(x) + np.add.reduce(x, axis=0), ONE),
    Operation("np.mean", np.mean, ONE),
    Operation("np.mean axis", lambda x: x.mean(axis=-2), ONE, cube),
    Operation("np.mean keepdims", lambda x: np.mean(x, axis=(1, 2), keepdims=True), ONE, cube),
    Operation("np.max", np.max, (distinct,)),
    Operation("np.max axis", lambda x: x.max(axis=1, keepdims=True), (distinct,), cube),
    Operation("np.min axis", lambda x: np.min(x, axis=0), (distinct,), cube),
    Operation("np.maximum.reduce", lambda x: np.maximum.reduce(x, axis=0), (distinct,)),
    Operation("np.var", lambda x: np.var(x, axis=0), ONE, cube),
    Operation("np.var ddof", lambda x: np.var(x, ddof=0.5, keepdims=True), ONE),
    Operation("np.std", lambda x: np.std(x, axis=-1), (distinct,), lambda n, m, k: ((n, m + 1),)),
    # products
    Operation("matrix @ matrix", np.matmul, TWO, lambda n, m, k: ((n, m), (m, k))),
    Operation("batch @ matrix", np.matmul, TWO, lambda n, m, k: ((2, n, m), (m, k))),
    Operation("batch @ batch, broadcast", np.matmul, TWO, lambda n, m, k: ((3, 1, n, m), (2, m, k))),
    Operation("vector @ vector", np.matmul, TWO, lambda n, m, k: ((n,), (n,))),
    Operation("vector @ matrix", np.matmul, TWO, lambda n, m, k: ((n,), (n, m))),
    Operation("vector @ batch", np.matmul, TWO, lambda n, m, k: ((n,), (k, n, m))),
    Operation("matrix @ vector", np.matmul, TWO, lambda n, m, k: ((n, m), (m,))),
    Operation("batch @ vector", np.matmul, TWO, lambda n, m, k: ((k, n, m), (m,))),
    Operation("np.dot", np.dot, TWO, lambda n, m, k: ((n, m), (m, k))),
    Operation("np.dot scalar", np.dot, TWO, lambda n, m, k: ((), (m, k))),
    Operation("einsum ij,jk->ik", lambda a, b: np.einsum("ij,jk->ik", a, b), TWO, lambda n, m, k: ((n, m), (m, k))),
    Operation("einsum implicit", lambda a, b: np.einsum("ij,jk", a, b), TWO, lambda n, m, k: ((n, m), (m, k))),
    Operation("einsum ellipsis", lambda a, b: np.einsum("...ij,j->...i", a, b), TWO, lambda n, m, k: ((2, k, n, m), (m,))),
    Operation("einsum sums an axis away", lambda a, b: np.einsum("ij,k->i", a, b), TWO, lambda n, m, k: ((n, m), (k,))),
    Operation("einsum of one", lambda a: np.einsum("ijk->kj", a), ONE, cube),
    Operation(
        "einsum of three",
        lambda a, b, c: np.einsum("ij,jk,k->i", a, b, c),
        (*TWO, away_from_zero),
        lambda n, m, k: ((n, m), (m, k), (k,)),
    ),
    # selection
    Operation("np.where", lambda a, b: np.where(a > b, a * 2, b), TWO, lambda n, m, k: ((n, m), (m,))),
    Operation("np.where number", lambda a: np.where(a > 0, 0.0, a), ONE),
    Operation("np.clip", lambda x: np.clip(x, -1.01, 1.013), ONE),
    Operation("np.clip one bound", lambda x: x.clip(min=0.01), ONE),
    Operation("np.take", lambda x: np.take(x, [0, 0, -1], axis=1), ONE, cube),
    Operation("np.take flat", lambda x: x.take(np.array([[0, 1]])), ONE, lambda n, m, k: ((n + 1, m),)),
    # indexing
    Operation("x[0]", lambda x: x[0], ONE, cube),
    Operation("x[..., -1]", lambda x: x[..., -1], ONE, cube),
    Operation("x[1:, None, ::-1]", lambda x: x[1:, None, ::-1], ONE, lambda n, m, k: ((n + 1, m),)),
    Operation("x[integers]", lambda x: x[np.array([0, 0, -1])], ONE),
    Operation("x[list]", lambda x: x[[0, 0, -1]], ONE),
    Operation("x[pairs]", lambda x: x[np.array([0, -1, 0]), np.array([0, 0, 0])], ONE),
    Operation("x[mixed]", lambda x: x[:, [0, 0, -1], None], ONE, cube),
    Operation("x[mask]", lambda x: x[np.abs(x) > 1], ONE),
    # shape
    Operation("np.reshape", lambda x: np.reshape(x, (-1, 1)), ONE, cube),
    Operation("np.ravel", np.ravel, ONE, cube),
    Operation("np.transpose", lambda x: np.transpose(x, (2, 0, 1)), ONE, cube),
    Operation("np.swapaxes", lambda x: np.swapaxes(x, 0, -1), ONE, cube),
    Operation("np.moveaxis", lambda x: np.moveaxis(x, (0, 1), (-1, 0)), ONE, cube),
    Operation("np.matrix_transpose", np.matrix_transpose, ONE, cube),
    Operation("np.expand_dims", lambda x: np.expand_dims(x, (0, -1)), ONE),
    Operation("np.squeeze", lambda x: np.squeeze(x, 1), ONE, lambda n, m, k: ((n, 1, m),)),
    Operation("np.broadcast_to", lambda x: np.broadcast_to(x, (3, *x.shape)), ONE),
    # joining
    Operation("np.concatenate", lambda a, b: np.concatenate([a, b]), TWO, lambda n, m, k: ((n, m), (k, m))),
    Operation("np.concatenate axis", lambda a, b: np.concatenate((a, b, a), axis=-1), TWO, lambda n, m, k: ((n, m), (n, k))),
    Operation("np.concatenate flat", lambda a, b: np.concatenate((a, b), None), TWO, lambda n, m, k: ((n, m), (k,))),
    Operation("np.stack", lambda a, b: np.stack([a, b, a * 2]), TWO, lambda n, m, k: ((n, m), (n, m))),
    Operation("np.stack axis", lambda a, b: np.stack([a, b], axis=-1), TWO, lambda n, m, k: ((n, m), (n, m))),
]
