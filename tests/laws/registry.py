"""The tables that the laws run over. A new operation, activation, layer, loss or optimiser is tested by being listed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

import fnn

Draw = Callable[[Generator, tuple[int, ...]], Any]


def away_from_zero(rng: Generator, shape: tuple[int, ...]) -> Any:
    """Both signs, at least 0.2 from 0, where many functions have a kink."""
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.2, 2.0, shape)


def positive(rng: Generator, shape: tuple[int, ...]) -> Any:
    """In [0.3, 2]."""
    return rng.uniform(0.3, 2.0, shape)


def distinct(rng: Generator, shape: tuple[int, ...]) -> Any:
    """No two entries closer than 0.1: for functions with a kink where entries tie."""
    n = int(np.prod(shape))
    return (rng.permutation(n) * 0.37 - 0.15 * n + rng.uniform(0, 0.1)).reshape(shape)


@dataclass(frozen=True)
class Operation:
    """A NumPy function under `grad`: `f(*arrays)`, with a domain for each, of the shapes that `shapes` makes of [n, m, k]."""

    name: str
    f: Callable[..., Any]
    draws: tuple[Draw, ...]
    shapes: Callable[[int, int, int], tuple[tuple[int, ...], ...]] = lambda n, m, k: ((n, m),)


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


_one = (away_from_zero,)
_two = (away_from_zero, away_from_zero)
_cube = lambda n, m, k: ((n, m, k),)  # noqa: E731 (a table of shapes)

OPERATIONS: list[Operation] = [
    *_elementwise(),
    # operators and methods
    Operation("x ** 3", lambda x: x**3, _one),
    Operation("2.0 ** x", lambda x: 2.0**x, _one),
    Operation("1 / x - x / 2", lambda x: 1 / x - x / 2, _one),
    Operation("-x + abs(x)", lambda x: -x + abs(x), _one),
    Operation("x.T", lambda x: x.T, _one, _cube),
    Operation("x.mT", lambda x: x.mT * 2, _one, _cube),
    Operation("x.reshape", lambda x: x.reshape(-1) * x.ravel(), _one, _cube),
    Operation("x.transpose(1, 2, 0)", lambda x: x.transpose(1, 2, 0), _one, _cube),
    Operation("x.astype(float64)", lambda x: x.astype(np.float64), _one),
    Operation("x.copy, x.flatten, x.squeeze", lambda x: x.copy().flatten() + x[None].squeeze(0).flatten(), _one),
    Operation("iteration", lambda x: sum(row * (i + 1) for i, row in enumerate(x)), _one),
    # reductions
    Operation("np.sum", np.sum, _one),
    Operation("np.sum axis", lambda x: np.sum(x, axis=(0, -1)), _one, _cube),
    Operation("np.sum keepdims", lambda x: np.sum(x, 1, keepdims=True), _one, _cube),
    Operation("np.add.reduce", lambda x: np.add.reduce(x) + np.add.reduce(x, axis=0), _one),
    Operation("np.mean", np.mean, _one),
    Operation("np.mean axis", lambda x: x.mean(axis=-2), _one, _cube),
    Operation("np.mean keepdims", lambda x: np.mean(x, axis=(1, 2), keepdims=True), _one, _cube),
    Operation("np.max", np.max, (distinct,)),
    Operation("np.max axis", lambda x: x.max(axis=1, keepdims=True), (distinct,), _cube),
    Operation("np.min axis", lambda x: np.min(x, axis=0), (distinct,), _cube),
    Operation("np.maximum.reduce", lambda x: np.maximum.reduce(x, axis=0), (distinct,)),
    Operation("np.var", lambda x: np.var(x, axis=0), _one, _cube),
    Operation("np.var ddof", lambda x: np.var(x, ddof=0.5, keepdims=True), _one),
    Operation("np.std", lambda x: np.std(x, axis=-1), (distinct,), lambda n, m, k: ((n, m + 1),)),
    # products
    Operation("matrix @ matrix", np.matmul, _two, lambda n, m, k: ((n, m), (m, k))),
    Operation("batch @ matrix", np.matmul, _two, lambda n, m, k: ((2, n, m), (m, k))),
    Operation("batch @ batch, broadcast", np.matmul, _two, lambda n, m, k: ((3, 1, n, m), (2, m, k))),
    Operation("vector @ vector", np.matmul, _two, lambda n, m, k: ((n,), (n,))),
    Operation("vector @ matrix", np.matmul, _two, lambda n, m, k: ((n,), (n, m))),
    Operation("vector @ batch", np.matmul, _two, lambda n, m, k: ((n,), (k, n, m))),
    Operation("matrix @ vector", np.matmul, _two, lambda n, m, k: ((n, m), (m,))),
    Operation("batch @ vector", np.matmul, _two, lambda n, m, k: ((k, n, m), (m,))),
    Operation("np.dot", np.dot, _two, lambda n, m, k: ((n, m), (m, k))),
    Operation("np.dot scalar", np.dot, _two, lambda n, m, k: ((), (m, k))),
    Operation("einsum ij,jk->ik", lambda a, b: np.einsum("ij,jk->ik", a, b), _two, lambda n, m, k: ((n, m), (m, k))),
    Operation("einsum implicit", lambda a, b: np.einsum("ij,jk", a, b), _two, lambda n, m, k: ((n, m), (m, k))),
    Operation("einsum ellipsis", lambda a, b: np.einsum("...ij,j->...i", a, b), _two, lambda n, m, k: ((2, k, n, m), (m,))),
    Operation("einsum sums an axis away", lambda a, b: np.einsum("ij,k->i", a, b), _two, lambda n, m, k: ((n, m), (k,))),
    Operation("einsum of one", lambda a: np.einsum("ijk->kj", a), _one, _cube),
    Operation(
        "einsum of three",
        lambda a, b, c: np.einsum("ij,jk,k->i", a, b, c),
        (*_two, away_from_zero),
        lambda n, m, k: ((n, m), (m, k), (k,)),
    ),
    # selection
    Operation("np.where", lambda a, b: np.where(a > b, a * 2, b), _two, lambda n, m, k: ((n, m), (m,))),
    Operation("np.where number", lambda a: np.where(a > 0, 0.0, a), _one),
    Operation("np.clip", lambda x: np.clip(x, -1.01, 1.013), _one),
    Operation("np.clip one bound", lambda x: x.clip(min=0.01), _one),
    Operation("np.take", lambda x: np.take(x, [0, 0, -1], axis=1), _one, _cube),
    Operation("np.take flat", lambda x: x.take(np.array([[0, 1]])), _one, lambda n, m, k: ((n + 1, m),)),
    # indexing
    Operation("x[0]", lambda x: x[0], _one, _cube),
    Operation("x[..., -1]", lambda x: x[..., -1], _one, _cube),
    Operation("x[1:, None, ::-1]", lambda x: x[1:, None, ::-1], _one, lambda n, m, k: ((n + 1, m),)),
    Operation("x[integers]", lambda x: x[np.array([0, 0, -1])], _one),
    Operation("x[list]", lambda x: x[[0, 0, -1]], _one),
    Operation("x[pairs]", lambda x: x[np.array([0, -1, 0]), np.array([0, 0, 0])], _one),
    Operation("x[mixed]", lambda x: x[:, [0, 0, -1], None], _one, _cube),
    Operation("x[mask]", lambda x: x[np.abs(x) > 1], _one),
    # shape
    Operation("np.reshape", lambda x: np.reshape(x, (-1, 1)), _one, _cube),
    Operation("np.ravel", np.ravel, _one, _cube),
    Operation("np.transpose", lambda x: np.transpose(x, (2, 0, 1)), _one, _cube),
    Operation("np.swapaxes", lambda x: np.swapaxes(x, 0, -1), _one, _cube),
    Operation("np.moveaxis", lambda x: np.moveaxis(x, (0, 1), (-1, 0)), _one, _cube),
    Operation("np.matrix_transpose", np.matrix_transpose, _one, _cube),
    Operation("np.expand_dims", lambda x: np.expand_dims(x, (0, -1)), _one),
    Operation("np.squeeze", lambda x: np.squeeze(x, 1), _one, lambda n, m, k: ((n, 1, m),)),
    Operation("np.broadcast_to", lambda x: np.broadcast_to(x, (3, *x.shape)), _one),
    # joining
    Operation("np.concatenate", lambda a, b: np.concatenate([a, b]), _two, lambda n, m, k: ((n, m), (k, m))),
    Operation("np.concatenate axis", lambda a, b: np.concatenate((a, b, a), axis=-1), _two, lambda n, m, k: ((n, m), (n, k))),
    Operation("np.concatenate flat", lambda a, b: np.concatenate((a, b), None), _two, lambda n, m, k: ((n, m), (k,))),
    Operation("np.stack", lambda a, b: np.stack([a, b, a * 2]), _two, lambda n, m, k: ((n, m), (n, m))),
    Operation("np.stack axis", lambda a, b: np.stack([a, b], axis=-1), _two, lambda n, m, k: ((n, m), (n, m))),
]


@dataclass(frozen=True)
class Activation:
    """An elementwise or row-wise function; `aliases` where it may return its input."""

    name: str
    f: Callable[[Any], Any]
    aliases: bool = False


ACTIVATIONS: list[Activation] = [
    Activation("identity", fnn.identity, aliases=True),
    Activation("relu", fnn.relu),
    Activation("leaky_relu", fnn.leaky_relu),
    Activation("leaky_relu 0.3", lambda x: fnn.leaky_relu(x, 0.3)),
    Activation("sigmoid", fnn.sigmoid),
    Activation("tanh", fnn.tanh),
    Activation("softplus", fnn.softplus),
    Activation("elu", fnn.elu),
    Activation("elu 0.5", lambda x: fnn.elu(x, alpha=0.5)),
    Activation("selu", fnn.selu),
    Activation("gelu", fnn.gelu),
    Activation("gelu exact", lambda x: fnn.gelu(x, approximate=False)),
    Activation("silu", fnn.silu),
    Activation("softmax", fnn.softmax),
    Activation("softmax axis 0", lambda x: fnn.softmax(x, axis=0)),
    Activation("log_softmax", fnn.log_softmax),
    Activation("log_softmax axis 0", lambda x: fnn.log_softmax(x, 0)),
]


@dataclass(frozen=True)
class LayerCase:
    """A layer made for n features; the ranks of x that it takes; whether it draws, and whether it may return its input."""

    name: str
    make: Callable[[int], Any]
    ranks: tuple[int, ...] = (2, 3)
    draws: bool = False
    aliases: bool = False


def _scale_init(key: fnn.Key) -> fnn.Array1:
    return np.ones(3, np.float32) + key.generator().random(3, np.float32)


def _scale(weight: fnn.Array1, x: fnn.Array2) -> fnn.Array2:
    return x * np.mean(weight)


LAYERS: list[LayerCase] = [
    LayerCase("Dense", lambda n: fnn.Dense(n, 3)),
    LayerCase("Dense without bias", lambda n: fnn.Dense(n, 3, bias=False)),
    LayerCase("BatchNorm", lambda n: fnn.BatchNorm(n), ranks=(2, 3, 4)),
    LayerCase("BatchNorm, other options", lambda n: fnn.BatchNorm(n, momentum=0.3, eps=1e-3), ranks=(2, 3)),
    LayerCase("Dropout", lambda n: fnn.Dropout(0.4), ranks=(2, 1, 4), draws=True, aliases=True),
    LayerCase("Dropout of nothing", lambda n: fnn.Dropout(0.0), ranks=(2,), aliases=True),
    LayerCase("Function", lambda n: fnn.Function(fnn.tanh)),
    LayerCase("layer(init, apply)", lambda n: fnn.layer(_scale_init, _scale)),
    LayerCase("residual", lambda n: fnn.residual(fnn.Dense(n, n) >> fnn.tanh)),
    LayerCase("stack", lambda n: fnn.stack(2, fnn.Dense(n, n) >> fnn.silu)),
    LayerCase("chain", lambda n: fnn.Dense(n, 4) >> fnn.tanh >> fnn.Dense(4, 2)),
    LayerCase("norm behind dense", lambda n: fnn.Dense(n, 4) >> fnn.BatchNorm(4) >> fnn.gelu >> fnn.Dense(4, 1)),
    LayerCase(
        "all together",
        lambda n: (
            fnn.Dense(n, 4)
            >> fnn.BatchNorm(4)
            >> fnn.Dropout(0.3)
            >> fnn.residual(fnn.Dense(4, 4) >> fnn.softplus >> fnn.Dropout(0.2))
            >> fnn.Dense(4, 2)
        ),
        draws=True,
    ),
    LayerCase("chain(list)", lambda n: fnn.chain([fnn.Dense(n, 4), fnn.tanh, fnn.BatchNorm(4)])),
]


def unit(rng: Generator, shape: tuple[int, ...]) -> Any:
    """Probabilities away from 0 and 1."""
    return rng.uniform(0.1, 0.9, shape)


def rows_of_probabilities(rng: Generator, shape: tuple[int, ...]) -> Any:
    """Positive, adding up to 1 along the last axis."""
    x = rng.uniform(0.1, 1.0, shape)
    return x / x.sum(-1, keepdims=True)


def class_labels(rng: Generator, shape: tuple[int, ...]) -> Any:
    """A class number for each row."""
    return rng.integers(0, shape[-1], shape[:-1])


@dataclass(frozen=True)
class LossCase:
    """A loss, how prediction and target are drawn for a shape, and its formula per element or row in plain NumPy."""

    name: str
    f: Callable[[Any, Any], Any]
    prediction: Draw
    target: Draw
    formula: Callable[[Any, Any], Any]


def _log_softmax(x: Any) -> Any:
    return x - np.log(np.sum(np.exp(x), -1, keepdims=True))


def _one_hot(labels: Any, n: int) -> Any:
    return np.eye(n)[labels]


def _smooth(q: Any, s: float) -> Any:
    return (1 - s) * q + s / q.shape[-1]


LOSSES: list[LossCase] = [
    LossCase("mse", fnn.mse, away_from_zero, positive, lambda p, t: (p - t) ** 2),
    LossCase("half_mse", fnn.half_mse, away_from_zero, positive, lambda p, t: 0.5 * (p - t) ** 2),
    LossCase("mae", fnn.mae, away_from_zero, positive, lambda p, t: np.abs(p - t)),
    LossCase(
        "huber",
        fnn.huber,
        away_from_zero,
        positive,
        lambda p, t: np.where(np.abs(p - t) <= 1, 0.5 * (p - t) ** 2, np.abs(p - t) - 0.5),
    ),
    LossCase(
        "huber 0.3",
        lambda p, t: fnn.huber(p, t, delta=0.3),
        away_from_zero,
        positive,
        lambda p, t: np.where(np.abs(p - t) <= 0.3, 0.5 * (p - t) ** 2, 0.3 * (np.abs(p - t) - 0.15)),
    ),
    LossCase("bce", fnn.bce, unit, unit, lambda p, t: -(t * np.log(p) + (1 - t) * np.log(1 - p))),
    LossCase("bce_with_logits", fnn.bce_with_logits, away_from_zero, unit, lambda z, t: np.log(1 + np.exp(z)) - t * z),
    LossCase(
        "cross_entropy, labels",
        fnn.cross_entropy,
        away_from_zero,
        class_labels,
        lambda x, y: -np.sum(_one_hot(y, x.shape[-1]) * _log_softmax(x), -1),
    ),
    LossCase(
        "cross_entropy, smoothed labels",
        lambda x, y: fnn.cross_entropy(x, y, label_smoothing=0.2),
        away_from_zero,
        class_labels,
        lambda x, y: -np.sum(_smooth(_one_hot(y, x.shape[-1]), 0.2) * _log_softmax(x), -1),
    ),
    LossCase(
        "cross_entropy, probabilities",
        fnn.cross_entropy,
        away_from_zero,
        rows_of_probabilities,
        lambda x, q: -np.sum(q * _log_softmax(x), -1),
    ),
    LossCase(
        "cross_entropy, smoothed probabilities",
        lambda x, q: fnn.cross_entropy(x, q, label_smoothing=0.1),
        away_from_zero,
        rows_of_probabilities,
        lambda x, q: -np.sum(_smooth(q, 0.1) * _log_softmax(x), -1),
    ),
]


@dataclass(frozen=True)
class OptimizerCase:
    """An optimiser with a learning rate for the parabola of the laws, and its moments' names."""

    name: str
    opt: fnn.Optimizer
    moments: tuple[str, ...]


OPTIMIZERS: list[OptimizerCase] = [
    OptimizerCase("Sgd", fnn.Sgd(0.1), ()),
    OptimizerCase("momentum", fnn.Sgd(0.02, momentum=0.9), ("momentum",)),
    OptimizerCase("Nesterov", fnn.Sgd(0.02, momentum=0.9, nesterov=True), ("momentum",)),
    OptimizerCase("Adam", fnn.Adam(0.05), ("mu", "nu")),
    OptimizerCase("Adam, other options", fnn.Adam(0.05, b1=0.8, b2=0.99, eps=1e-6), ("mu", "nu")),
    OptimizerCase("AdamW", fnn.AdamW(0.05, weight_decay=1e-4), ("mu", "nu")),
]
