"""The pieces one by one, for pytest-benchmark: python tests/benchmarks/pieces.py runs them and compares with the saved run.

The ordinary tests do not run them. A group holds what belongs side by side: a piece and its floor, the bare matrix products
or the one pass over memory that it cannot do without. "both" is forward and backward through `fnn.vjp`, tape and all.
Right before and after each piece, a plain NumPy kernel of the same kind is timed, in whose time comparison.py measures.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from optimizers import OPTIMIZERS, Run
from pytest_benchmark.fixture import BenchmarkFixture
from tape_overhead import CASES, N

import fnn

rng = np.random.default_rng(0)
KEY = fnn.key(0)
f4 = np.float32


def normal(*shape: int) -> Any:
    return rng.standard_normal(shape).astype(f4)


# Making a train_step tells the C library to keep large blocks. Done first, so that the pieces do not depend on their order.
fnn.train_step(fnn.supervised(fnn.Dense(1, 1), fnn.mse), fnn.Sgd(0.1))


# The kernels: one each for what takes Python's time, the processor's and the memory's.

_few, _half, _square, _large = normal(4), normal(256, 256), normal(256, 256), normal(1 << 16)
_out, _wide, _vast, _vast_out = np.empty((256, 256), f4), np.empty(1 << 16, f4), normal(1 << 20), np.empty(1 << 20, f4)


def _calls() -> None:
    x = _few
    for _ in range(200):
        x = np.negative(x)


def _products() -> None:
    np.matmul(_half, _square, out=_out)


def _elements() -> None:
    np.multiply(_large, _large, out=_wide)
    np.tanh(_wide, out=_wide)


def _memory() -> None:
    np.multiply(_vast, _vast, out=_vast_out)


KERNELS: dict[str, Callable[[], None]] = {
    "calls": _calls,
    "products": _products,
    "elements": _elements,
    "memory": _memory,
}


def _best(run: Callable[[], None], seconds: float = 0.02) -> float:
    best = float("inf")
    end = time.perf_counter() + seconds
    while True:
        began = time.perf_counter()
        run()
        now = time.perf_counter()
        best = min(best, now - began)
        if now > end:
            return best


def measure(benchmark: BenchmarkFixture, group: str, kernel: str, run: Callable[[], object], *, is_floor: bool = False) -> None:
    """One benchmark, with the kernel's best time in its report."""
    benchmark.group = group
    before = _best(KERNELS[kernel])
    benchmark(run)
    benchmark.extra_info.update(kernel=kernel, is_floor=is_floor, kernel_s=min(before, _best(KERNELS[kernel])))


# The tape, by operation


@pytest.mark.parametrize(("name", "f", "by_hand", "x"), CASES, ids=[case.name for case in CASES])
@pytest.mark.parametrize("way", ["tape", "by hand"])
def test_tape(benchmark: BenchmarkFixture, name: str, f: Any, by_hand: Any, x: Any, way: str) -> None:
    gradient = fnn.grad(f) if way == "tape" else by_hand
    measure(benchmark, f"tape, {N} times {name}", "calls", lambda: gradient(x), is_floor=way != "tape")


# Fused primitives, beside what they cannot do without


class Primitive(NamedTuple):
    """f of a tree of primals, and its floor: NumPy calls of forward, and those of backward."""

    kernel: str
    f: Callable[[Any], Any]
    primals: Any
    forward: list[Callable[[], object]]
    backward: list[Callable[[], object]]


def product(m: int, k: int, n: int, times: int = 1) -> Callable[[], object]:
    a, b, out = normal(m, k), normal(k, n), np.empty((m, n), f4)

    def run() -> None:
        for _ in range(times):
            np.matmul(a, b, out=out)

    return run


def products(m: int, k: int, n: int, times: int = 1) -> tuple[list[Callable[[], object]], list[Callable[[], object]]]:
    """Those of y = x @ w forward, and backward for both x and w."""
    return [product(m, k, n, times)], [product(m, n, k, times), product(k, m, n, times)]


def one_pass(size: int) -> list[Callable[[], object]]:
    a, out = normal(size), np.empty(size, f4)
    return [lambda: np.multiply(a, a, out=out)]


def _dense() -> Primitive:
    params = fnn.DenseParams.init(KEY, 512, 512)
    return Primitive("products", lambda p: fnn.dense(*p), (params, normal(128, 512)), *products(128, 512, 512))


def _conv2d() -> Primitive:
    params = fnn.ConvParams.init(KEY, 32, 64, (3, 3))
    x = normal(16, 14, 14, 32)
    # its floor is the products with all windows, than which Winograd's way needs fewer
    return Primitive("products", lambda p: fnn.conv2d(*p), (params, x), *products(16 * 14 * 14, 288, 64))


def _lstm() -> Primitive:
    params, x = fnn.RecurrentParams.init(KEY, 32, 128, gates=4), normal(32, 20, 32)
    inputs, hidden = products(640, 32, 512), products(32, 128, 512, 20)
    return Primitive("products", lambda p: fnn.lstm(*p)[0], (params, x), inputs[0] + hidden[0], inputs[1] + hidden[1])


def _attention() -> Primitive:
    params, x = fnn.AttentionParams.init(KEY, 128, heads=4), normal(4, 64, 128)
    parts = [products(256, 128, 384), products(64, 32, 64, 16), products(64, 64, 32, 16), products(256, 128, 128)]
    forward, backward = ([call for part in parts for call in part[i]] for i in (0, 1))
    return Primitive("products", lambda p: fnn.attention(*p, heads=4, causal=True), (params, x), forward, backward)


def _layer_norm() -> Primitive:
    params, x = fnn.NormParams.init(128), normal(1024, 128)
    return Primitive("elements", lambda p: fnn.layer_norm(*p), (params, x), one_pass(x.size), one_pass(x.size))


def _batch_norm() -> Primitive:
    params, state, x, mode = fnn.NormParams.init(256), fnn.BatchNormState.init(256), normal(256, 256), fnn.Train(KEY)
    passes = one_pass(x.size)
    return Primitive("elements", lambda p: fnn.batch_norm(p[0], state, p[1], mode)[0], (params, x), passes, passes)


def _cross_entropy() -> Primitive:
    x, labels = normal(1024, 65), rng.integers(0, 65, 1024)
    return Primitive("elements", lambda x: fnn.cross_entropy(x, labels), x, one_pass(x.size), one_pass(x.size))


def _elementwise(f: Callable[[Any], Any]) -> Primitive:
    x = normal(256, 512)
    return Primitive("elements", f, x, one_pass(x.size), one_pass(x.size))


PRIMITIVES: dict[str, Callable[[], Primitive]] = {
    "dense": _dense,
    "conv2d": _conv2d,
    "lstm": _lstm,
    "attention": _attention,
    "layer_norm": _layer_norm,
    "batch_norm": _batch_norm,
    "cross_entropy": _cross_entropy,
    "relu": lambda: _elementwise(fnn.relu),
    "gelu": lambda: _elementwise(fnn.gelu),
    "dropout": lambda: _elementwise(lambda x: fnn.dropout(x, 0.1, fnn.Train(KEY))),
}


@pytest.mark.parametrize("what", ["fnn", "floor"])
@pytest.mark.parametrize("part", ["forward", "both"])
@pytest.mark.parametrize("name", PRIMITIVES)
def test_primitive(benchmark: BenchmarkFixture, name: str, part: str, what: str) -> None:
    made = PRIMITIVES[name]()
    y = made.f(made.primals)
    g = np.ones_like(y)
    calls = made.forward if part == "forward" else made.forward + made.backward

    def floor() -> None:
        for call in calls:
            call()

    def both() -> Any:
        _, pull = fnn.vjp(made.f, made.primals)
        return pull(g)

    run = floor if what == "floor" else both if part == "both" else lambda: made.f(made.primals)
    measure(benchmark, f"{name}, {part}", made.kernel, run, is_floor=what == "floor")


# Optimisers, by a million parameters


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer(benchmark: BenchmarkFixture, name: str) -> None:
    measure(benchmark, "optimizer, a million parameters", "memory", Run(OPTIMIZERS[name], 1_000_000, 1).step)


# Trees and keys

NET = fnn.chain([fnn.Dense(8, 8) for _ in range(50)])
PARAMS = fnn.init(NET, KEY)[0]
LEAVES, STRUCTURE = fnn.tree.flatten(PARAMS)
LAYOUT = fnn.Adam(1e-5).init(PARAMS).layout
VECTOR = LAYOUT.pack(LEAVES)

TREES: dict[str, Callable[[], object]] = {
    "flatten": lambda: fnn.tree.flatten(PARAMS),
    "unflatten": lambda: STRUCTURE.unflatten(LEAVES),
    "map": lambda: fnn.tree.map(lambda leaf: leaf, PARAMS),
    "pack": lambda: LAYOUT.pack(LEAVES),
    "unpack": lambda: LAYOUT.unpack(VECTOR),
}


@pytest.mark.parametrize("name", TREES)
def test_tree(benchmark: BenchmarkFixture, name: str) -> None:
    measure(benchmark, "tree of 100 leaves", "calls", TREES[name])


KEYS: dict[str, Callable[[], object]] = {
    "fold": lambda: KEY.fold(3),
    "split": lambda: KEY.split(),
    "generator": lambda: KEY.generator(),
    "10,000 bits16": lambda: KEY.bits16(10_000),
}


@pytest.mark.parametrize("name", KEYS)
def test_key(benchmark: BenchmarkFixture, name: str) -> None:
    measure(benchmark, "key", "calls", KEYS[name])


# Whole steps: planned, as a supervised loss runs, and unplanned, as any other function of the same values

NETS: dict[str, tuple[Any, Any, Any, Any]] = {
    "2-8-1": (fnn.Dense(2, 8) >> fnn.tanh >> fnn.Dense(8, 1), fnn.mse, normal(4, 2), normal(4, 1)),
    "64-128-10": (
        fnn.Dense(64, 128) >> fnn.relu >> fnn.Dense(128, 10),
        fnn.cross_entropy,
        normal(32, 64),
        rng.integers(0, 10, 32),
    ),
}


@pytest.mark.parametrize("way", ["planned", "unplanned"])
@pytest.mark.parametrize("net", NETS)
def test_train_step(benchmark: BenchmarkFixture, net: str, way: str) -> None:
    model, criterion, x, y = NETS[net]
    loss: Any = fnn.supervised(model, criterion)

    def unplanned(params: Any, state: Any, mode: fnn.Mode, x: Any, y: Any) -> Any:
        return loss(params, state, mode, x, y)

    chosen: Any = loss if way == "planned" else unplanned
    step = fnn.train_step(chosen, fnn.Adam(1e-5))
    ts = fnn.start(model, fnn.Adam(1e-5), KEY)

    def one() -> None:
        nonlocal ts
        ts, _ = step(ts, x, y)

    one()
    measure(benchmark, f"step of {net}", "calls", one)
