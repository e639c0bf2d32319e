"""Laws of layers, over their table: every layer, every law."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn
from fnn.testing import LAYER_LAWS, check_layer
from tests.laws.families.case import LayerCase
from tests.laws.operations.case import away_from_zero
from tests.laws.registry import LAYERS

seeds = st.integers(0, 2**32)
every_layer = pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.name)
modes: list[Any] = [fnn.EVAL, fnn.Train(fnn.key(7))]
both_modes = pytest.mark.parametrize("mode", modes, ids=["eval", "train"])


def made(case: LayerCase, seed: int) -> tuple[Any, Any, Any, Any]:
    """A layer, its params and state in general position, and x of a rank that it takes, in float64."""
    rng = np.random.default_rng(seed)
    n = 3 if case.draw else int(rng.integers(1, 4))
    layer = case.make(n)
    params, state = fnn.tree.astype(fnn.init(layer, fnn.key(seed)), np.float64)
    params = fnn.tree.map(lambda p: p + 0.3 * rng.normal(size=p.shape), params)
    state = fnn.tree.map(lambda s: s + rng.uniform(0.1, 0.5, s.shape), state)
    if case.draw:
        return layer, params, state, case.draw(rng)
    rank = case.ranks[seed % len(case.ranks)]
    front = (*rng.integers(1, 4, max(rank - 2, 0)).tolist(), 4)[: rank - 1][::-1]
    return layer, params, state, away_from_zero(rng, (*front, n))


@every_layer
@given(seed=seeds)
def test_layers_keep_the_laws(case: LayerCase, seed: int) -> None:
    layer, params, state, x = made(case, seed)
    skip = ("aliasing",) if case.aliases else ()
    held = check_layer(layer, x, params=params, state=state, skip=skip, seed=seed)
    assert {*held, *skip} >= LAYER_LAWS.keys() - {"batch permutation", "row independence"}


@every_layer
@both_modes
@given(seed=seeds)
def test_state_is_read_only_and_stays_the_same_object_in_evaluation(case: LayerCase, mode: fnn.Mode, seed: int) -> None:
    layer, params, state, x = made(case, seed)
    after = fnn.forward(layer, params, state, x, mode)[1]
    assert not any(leaf.flags.writeable for leaf in fnn.tree.leaves(after))
    if mode is fnn.EVAL:
        assert after is state


@every_layer
@given(seed=seeds)
def test_init_makes_read_only_leaves_that_depend_on_the_key(case: LayerCase, seed: int) -> None:
    layer = case.make(3)
    params, state = fnn.init(layer, fnn.key(seed))
    assert not any(leaf.flags.writeable for leaf in fnn.tree.leaves((params, state)))
    other = fnn.init(layer, fnn.key(seed + 1))[0]
    assert fnn.tree.equal(params, other) == (case.plain or fnn.tree.size(params) == 0)
    assert layer == case.make(3)
    assert hash(layer) == hash(case.make(3))


@every_layer
@given(seed=seeds)
def test_only_layers_that_draw_look_at_the_key(case: LayerCase, seed: int) -> None:
    layer = case.make(3)
    params, state = fnn.init(layer, fnn.key(seed))
    rng = np.random.default_rng(seed)
    x = case.draw(rng) if case.draw else away_from_zero(rng, (*(50,) * (case.ranks[0] - 1), 3))
    x = fnn.tree.map(lambda leaf: leaf.astype(np.float32) if leaf.dtype.kind == "f" else leaf, x)
    first, *others = (fnn.forward(layer, params, state, x, fnn.Train(fnn.key(k)))[0] for k in range(8))
    assert all(fnn.tree.equal(first, other) for other in others) != case.draws


@every_layer
def test_a_batch_without_rows_gives_a_batch_without_rows(case: LayerCase) -> None:
    layer, params, state, x = made(case, 1)
    none = fnn.tree.map(lambda leaf: leaf[:0], x)

    def total(args: Any) -> Any:
        y = layer.forward(args[0], state, args[1], fnn.EVAL)[0]
        return sum([np.sum(leaf) for leaf in fnn.tree.leaves(y)])

    y = layer.forward(params, state, none, fnn.EVAL)[0]
    assert all(len(leaf) == 0 for leaf in fnn.tree.leaves(y))
    if fnn.tree.size(params) and all(leaf.dtype.kind == "f" for leaf in fnn.tree.leaves(x)):
        assert all(np.all(g == 0) for g in fnn.tree.leaves(fnn.grad(total)((params, none))))


# Batch norm


@given(seed=seeds, rank=st.integers(2, 4))
def test_batch_norm_dx_sums_to_0_and_is_orthogonal_to_the_normalised_x(seed: int, rank: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(5, 2, 3, 4)[4 - rank :] if rank > 1 else (5, 4)) * 3 + 1
    params = fnn.NormParams(rng.normal(size=4), rng.normal(size=4))
    state = fnn.BatchNormState(np.zeros(4), np.ones(4))
    u = rng.normal(size=x.shape)

    def f(x: Any) -> Any:
        return np.sum(u * fnn.batch_norm(params, state, x, fnn.Train(fnn.key(0)), eps=1e-12)[0])

    axes = tuple(range(rank - 1))
    dx = fnn.grad(f)(x)
    normalised = (x - x.mean(axes)) / x.std(axes)
    np.testing.assert_allclose(dx.sum(axes), 0, atol=1e-10)
    np.testing.assert_allclose((dx * normalised).sum(axes), 0, atol=1e-9)


def test_batch_norm_ignores_the_bias_of_a_layer_in_front_of_it() -> None:
    model = fnn.Dense(3, 4) >> fnn.BatchNorm(4)
    params, state = fnn.tree.astype(fnn.init(model, fnn.key(0)), np.float64)
    rng = np.random.default_rng(0)
    x, u = rng.normal(size=(6, 3)), rng.normal(size=(6, 4))

    def f(p: Any) -> Any:
        return np.sum(u * model.forward(p, state, x, fnn.Train(fnn.key(0)))[0])

    grads = fnn.grad(f)(params)
    np.testing.assert_allclose(grads[0].bias, 0, atol=1e-12)
    # y does not change with the size of the weights either (but for eps), so the gradient is orthogonal to them
    np.testing.assert_allclose(np.sum(grads[0].weight * params[0].weight, 0), 0, atol=1e-4)
    assert np.abs(grads[0].weight).max() > 0.1


@given(seed=seeds)
def test_batch_norm_normalises_in_training_and_uses_its_state_in_evaluation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(50, 3)) * 4 + 2
    params, state = fnn.tree.astype(fnn.init(fnn.BatchNorm(3), fnn.key(0)), np.float64)
    y, after = fnn.batch_norm(params, state, x, fnn.Train(fnn.key(0)), momentum=0.25)
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(0), 1, rtol=1e-5)
    np.testing.assert_allclose(after.mean, 0.25 * x.mean(0))
    np.testing.assert_allclose(after.var, 0.75 + 0.25 * x.var(0))
    z, same = fnn.batch_norm(params, after, x, fnn.EVAL)
    assert same is after
    np.testing.assert_allclose(z, (x - after.mean) / np.sqrt(after.var + 1e-5))


# Dropout


@given(seed=seeds, rate=st.floats(0.05, 0.95))
def test_dropout_keeps_the_mean_and_the_gradient_is_0_off_the_mask(seed: int, rate: float) -> None:
    mode = fnn.Train(fnn.key(seed))
    x = np.ones((100, 100), np.float32)
    y = fnn.dropout(x, rate, mode)
    dropped = y == 0
    # 10,000 coins: five standard deviations
    assert abs(dropped.mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / x.size)
    np.testing.assert_allclose(y[~dropped], 1 / (1 - round(rate * 65_536) / 65_536), rtol=1e-6)
    u = np.random.default_rng(seed).normal(size=x.shape).astype(np.float32)

    def f(x: fnn.Array2) -> fnn.Scalar:
        return np.sum(u * fnn.dropout(x, rate, mode))

    dx = fnn.grad(f)(x)
    assert np.array_equal(dx == 0, dropped | (u == 0))
    np.testing.assert_allclose(dx, u * y, rtol=1e-6)


def test_two_dropouts_in_a_chain_draw_different_masks() -> None:
    model = fnn.Dropout(0.5) >> fnn.Dropout(0.5)
    y = model.forward((None, None), (None, None), np.ones(10_000), fnn.Train(fnn.key(0)))[0]
    assert abs((y == 0).mean() - 0.75) < 0.03


def test_parts_of_a_chain_and_of_a_stack_start_with_different_parameters() -> None:
    model = fnn.Dense(4, 4) >> fnn.Dense(4, 4) >> fnn.stack(2, fnn.Dense(4, 4))
    params = fnn.init(model, fnn.key(0))[0]
    weights = [params[0].weight, params[1].weight, params[2][0].weight, params[2][1].weight]
    assert all(not np.array_equal(a, b) for i, a in enumerate(weights) for b in weights[:i])


def test_a_chain_is_flat_and_a_chain_on_the_right_is_one_part() -> None:
    a, b, c = fnn.Dense(2, 2), fnn.Dense(2, 3), fnn.Dense(3, 1)
    assert (a >> b >> c).layers == (a, b, c)
    nested = a >> (b >> c)
    assert len(nested.layers) == 2
    assert len(fnn.init(nested, fnn.key(0))[0][1]) == 2


def test_evaluation_in_batches_is_evaluation() -> None:
    model = fnn.Dense(3, 4) >> fnn.BatchNorm(4) >> fnn.Dropout(0.5) >> fnn.Dense(4, 2)
    params, state = fnn.init(model, fnn.key(0))
    x = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    whole = fnn.predict(model, params, state, x)
    assert fnn.tree.equal(whole, fnn.forward(model, params, state, x)[0])
    for size in (1, 3, 7, 100):
        np.testing.assert_allclose(fnn.predict(model, params, state, x, batch_size=size), whole, rtol=1e-5, atol=1e-6)
    assert fnn.predict(model, params, state, x[:0], batch_size=3).shape == (0, 2)
