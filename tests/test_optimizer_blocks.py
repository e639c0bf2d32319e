"""What each block and each wrapper of `fnn.optim` does, by hand-computed values and by its properties."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn
from fnn import optim
from fnn.testing import OPTIMIZER_LAWS

seeds = st.integers(0, 2**32)
f64 = np.float64


@dataclass(frozen=True)
class Net:
    weight: fnn.Array2
    bias: fnn.Array1
    kernel: fnn.Array4
    gain: fnn.Array


def net(seed: int, dtype: Any = f64) -> Net:
    rng = np.random.default_rng(seed)
    return fnn.tree.astype(
        Net(rng.normal(size=(4, 3)), rng.normal(size=3), rng.normal(size=(2, 2, 3, 2)), np.asarray(rng.normal())), dtype
    )


def is_bias(path: str, shape: tuple[int, ...]) -> bool:
    return path.endswith("bias")


def through(transform: fnn.optim.Transform, grads: Any, params: Any, steps: int = 1) -> Any:
    """What a transform makes of the updates in its last step: by a step of -1 from there."""
    opt = transform >> optim.ScaleByLearningRate(1.0)
    state = opt.init(params)
    new = params
    for _ in range(steps):
        new, state = fnn.update(opt, grads, state, params)
    return fnn.tree.map(lambda a, b: a - b, params, new)


def bits(tree: Any) -> list[bytes]:
    return [leaf.tobytes() for leaf in fnn.tree.leaves(tree)]


# Clipping


def test_clip_by_value_bounds_every_entry() -> None:
    zero = np.zeros(4)
    np.testing.assert_array_equal(
        through(optim.ClipByValue(0.5), np.array([0.2, 3.0, -0.7, -0.5]), zero), [0.2, 0.5, -0.5, -0.5]
    )


@given(seed=seeds, bound=st.floats(1e-3, 10))
def test_clip_by_global_norm_keeps_the_direction_and_bounds_the_norm(seed: int, bound: float) -> None:
    grads = net(seed)
    clipped = through(optim.ClipByGlobalNorm(bound), grads, fnn.tree.zeros_like(grads))
    before, after = fnn.tree.global_norm(grads), fnn.tree.global_norm(clipped)
    np.testing.assert_allclose(after, min(float(before), bound), rtol=1e-12)
    for g, c in zip(fnn.tree.leaves(grads), fnn.tree.leaves(clipped), strict=True):
        np.testing.assert_allclose(c, g * (after / before), rtol=1e-10)


def test_clip_by_norm_looks_at_each_leaf_alone() -> None:
    grads = {"long": np.array([3.0, 4.0]), "short": np.array([[0.3]]), "empty": np.zeros((0, 2))}
    clipped = through(optim.ClipByNorm(1.0), grads, fnn.tree.zeros_like(grads))
    np.testing.assert_allclose(clipped["long"], [0.6, 0.8])
    np.testing.assert_array_equal(clipped["short"], [[0.3]])


@pytest.mark.parametrize("size", [1e-25, 1e25])
def test_norms_whose_squares_leave_the_dtype_are_right(size: float) -> None:
    grads = np.array([3 * size, 4 * size], np.float32)
    for clip in (optim.ClipByGlobalNorm(size), optim.ClipByNorm(size)):
        np.testing.assert_allclose(through(clip, grads, np.zeros(2, np.float32)), [0.6 * size, 0.8 * size], rtol=1e-5)


@pytest.mark.parametrize("bad", [np.inf, np.nan])
@pytest.mark.parametrize("clip", [optim.ClipByGlobalNorm(1.0), optim.ClipByNorm(1.0), optim.AdaptiveClip(0.1)])
def test_a_gradient_that_is_not_finite_passes_a_clip_by_norm_as_it_is(clip: Any, bad: float) -> None:
    grads = np.array([1.0, bad])
    layout = clip.__class__
    segments = (clip >> fnn.Sgd(1.0)).init(np.zeros(2)).layout.segments
    np.testing.assert_array_equal(clip.update_flat(grads, {}, np.zeros(2), 0, segments)[0], grads, err_msg=layout.__name__)


@given(seed=seeds)
def test_adaptive_clip_bounds_each_unit_by_its_parameters(seed: int) -> None:
    grads, params = net(seed), net(seed + 1)
    clipped = through(optim.AdaptiveClip(0.1), grads, params)
    for name in ("weight", "bias", "kernel", "gain"):
        g, c, p = (
            getattr(t, name).reshape(-1, getattr(t, name).shape[-1] if name in ("weight", "kernel") else 1)
            for t in (grads, clipped, params)
        )
        for unit in range(g.shape[1]):
            bound = 0.1 * max(float(np.linalg.norm(p[:, unit])), 1e-3)
            norm = np.linalg.norm(g[:, unit])
            np.testing.assert_allclose(c[:, unit], g[:, unit] * min(1, bound / norm), rtol=1e-8, atol=1e-14)


def test_adaptive_clip_counts_small_parameters_as_eps() -> None:
    np.testing.assert_allclose(through(optim.AdaptiveClip(0.5, eps=0.2), np.array([3.0, 4.0]), np.zeros(2)), [0.06, 0.08])


def test_centralize_makes_the_mean_over_inputs_0_and_leaves_vectors() -> None:
    grads = net(3)
    centred = through(optim.Centralize(), grads, fnn.tree.zeros_like(grads))
    np.testing.assert_allclose(np.mean(centred.weight, axis=0), 0, atol=1e-15)
    np.testing.assert_allclose(np.mean(centred.kernel, axis=(0, 1, 2)), 0, atol=1e-15)
    np.testing.assert_allclose(centred.weight - grads.weight, np.broadcast_to(-grads.weight.mean(axis=0), (4, 3)), atol=1e-15)
    assert bits((centred.bias, centred.gain)) == bits((grads.bias, grads.gain))


def test_empty_leaves_go_through_every_block() -> None:
    params = {"none": np.zeros((3, 0), np.float32), "w": np.ones((2, 2), np.float32), "rows": np.zeros((0, 2), np.float32)}
    opt = (
        optim.ClipByNorm(1.0)
        >> optim.AdaptiveClip()
        >> optim.Centralize()
        >> optim.AddL1(0.1, where=fnn.tree.matrices)
        >> optim.Muon(0.1)
        >> optim.MaxNorm(1.0)
        >> optim.Orthogonal()
        >> optim.ProximalL1(0.1)
    )
    new, _ = fnn.update(opt, params, opt.init(params), params)
    assert fnn.tree.show(new) == fnn.tree.show(params)


# Noise


def test_noise_has_the_variance_of_its_formula_and_goes_on_after_a_pickle() -> None:
    zeros = np.zeros(40_000)
    opt = optim.AddNoise(0.5, 2.0, seed=7) >> optim.ScaleByLearningRate(1.0)
    state = opt.init(zeros)
    drawn = []
    for t in range(3):
        noise, state = fnn.update(opt, zeros, pickle.loads(pickle.dumps(state)), zeros)
        np.testing.assert_allclose(np.var(noise), 0.5 / (1 + t) ** 2, rtol=0.05)
        np.testing.assert_allclose(np.mean(noise), 0, atol=0.02)
        drawn.append(noise)
    assert abs(np.corrcoef(drawn[0], drawn[1])[0, 1]) < 0.03
    again = opt.init(zeros)
    for noise in drawn:
        made, again = fnn.update(opt, zeros, again, zeros)
        assert bits(made) == bits(noise)
    other = optim.AddNoise(0.5, 2.0, seed=8) >> optim.ScaleByLearningRate(1.0)
    assert not np.array_equal(fnn.update(other, zeros, other.init(zeros), zeros)[0], drawn[0])


# Sizes, signs and scales


def test_scale_is_a_factor_by_number_or_by_step() -> None:
    grads = np.array([2.0, -4.0])
    np.testing.assert_array_equal(through(optim.Scale(0.25), grads, np.zeros(2)), [0.5, -1.0])
    half = optim.Scale(lambda step: 1 / (1 + step))
    np.testing.assert_array_equal(through(half, grads, np.zeros(2), steps=4), [0.5, -1.0])


def test_sign_keeps_only_the_sign() -> None:
    np.testing.assert_array_equal(through(optim.ScaleBySign(), np.array([2.0, -0.1, 0.0]), np.zeros(3)), [1, -1, 0])


def run(opt: fnn.Optimizer, grads: list[float], start: float = 1.0) -> list[float]:
    params, path = np.array([start]), []
    state = opt.init(params)
    for g in grads:
        params, state = fnn.update(opt, np.array([g]), state, params)
        path.append(float(params[0]))
    return path


GRADS = [0.5, -1.0, 2.0, 0.0, 0.3, 0.2]


def test_lion_by_its_rule() -> None:
    p, mu, expected = 1.0, 0.0, []
    for g in GRADS:
        p -= 0.1 * (np.sign(0.8 * mu + 0.2 * g) + 0.3 * p)
        mu = 0.9 * mu + 0.1 * g
        expected.append(p)
    np.testing.assert_allclose(run(optim.Lion(0.1, b1=0.8, b2=0.9, weight_decay=0.3), GRADS), expected, rtol=1e-14)


def test_rprop_by_its_rule_and_within_its_bounds() -> None:
    p, size, before, expected = 1.0, 0.1, 0.0, []
    for given_g in [*GRADS, 0.1, 0.1, 0.1, 0.1]:
        g = given_g
        if g * before > 0:
            size = min(size * 1.2, 0.12)
        elif g * before < 0:
            size, g = max(size * 0.5, 0.04), 0.0
        p -= np.sign(g) * size
        before = g
        expected.append(p)
    opt = optim.Rprop(0.1, smallest=0.04, largest=0.12)
    np.testing.assert_allclose(run(opt, [*GRADS, 0.1, 0.1, 0.1, 0.1]), expected, rtol=1e-12)


def test_rprop_with_a_schedule_from_0_moves_by_rate_times_size() -> None:
    opt = optim.Rprop(optim.WarmUp(2, then=0.1))
    np.testing.assert_allclose(run(opt, [1.0] * 4), 1 - np.cumsum([0.0, 0.05 * 1.2, 0.1 * 1.44, 0.1 * 1.728]))
    bounded = optim.Rprop(optim.WarmUp(2, then=0.1), largest=1.3)
    np.testing.assert_allclose(run(bounded, [1.0] * 4), 1 - np.cumsum([0.0, 0.05 * 1.2, 0.1 * 1.3, 0.1 * 1.3]))


def test_adabelief_by_its_rule() -> None:
    p, mu, nu, expected = 1.0, 0.0, 0.0, []
    for t, g in enumerate(GRADS, 1):
        mu = 0.9 * mu + 0.1 * g
        nu = 0.99 * nu + 0.01 * (g - mu) ** 2 + 1e-3
        p -= 0.1 * mu / (1 - 0.9**t) / (np.sqrt(nu / (1 - 0.99**t)) + 1e-3)
        expected.append(p)
    np.testing.assert_allclose(run(optim.AdaBelief(0.1, b2=0.99, eps=1e-3), GRADS), expected, rtol=1e-12)


def test_adagrad_leaves_an_entry_without_gradients_also_with_eps_0() -> None:
    opt = optim.Adagrad(0.1, eps=0.0)
    new, _ = fnn.update(opt, np.array([0.0, 2.0]), opt.init(np.ones(2)), np.ones(2))
    np.testing.assert_allclose(new, [1.0, 0.9])


# Decay and sparsity


def test_no_decay_on_biases_and_norms_in_one_line() -> None:
    model = fnn.Dense(2, 3) >> fnn.BatchNorm(3) >> fnn.Dense(3, 1)
    params = fnn.tree.map(lambda p: p + 1, fnn.init(model, fnn.key(0))[0])
    opt = fnn.AdamW(0.1, weight_decay=0.5, where=fnn.tree.matrices)
    new, _ = fnn.update(opt, fnn.tree.zeros_like(params), opt.init(params), params)
    for (path, p), q in zip(fnn.tree.paths(params), fnn.tree.leaves(new), strict=True):
        np.testing.assert_allclose(q, p * 0.95 if path.endswith("weight") else p, rtol=1e-6)
        assert path.endswith("weight") or bits(q) == bits(p)


def test_decay_and_l1_add_their_gradients_where_they_are_asked_to() -> None:
    params, grads = net(0), net(1)
    decayed = through(optim.AddDecayedWeights(0.5, where=is_bias), grads, params)
    pulled = through(optim.AddL1(0.5, where=is_bias), grads, params)
    np.testing.assert_allclose(decayed.bias, grads.bias + 0.5 * params.bias, rtol=1e-12)
    np.testing.assert_allclose(pulled.bias, grads.bias + 0.5 * np.sign(params.bias), rtol=1e-12)
    for made in (decayed, pulled):
        np.testing.assert_allclose(made.weight, grads.weight, atol=1e-15)
    np.testing.assert_allclose(through(optim.AddL1(0.5), np.zeros(3), np.array([2.0, 0.0, -2.0])), [0.5, 0, -0.5])


def test_proximal_l1_finds_the_lasso_with_exact_zeros() -> None:
    """min (p - target)^2 / 2 + 0.5 |p| is soft-thresholding of the target."""
    target = np.array([2.0, 0.3, -0.4, -3.0, 0.5])
    opt = fnn.Sgd(0.1) >> optim.ProximalL1(0.1 * 0.5)
    params = np.ones(5)
    state = opt.init(params)
    for _ in range(400):
        params, state = fnn.update(opt, params - target, state, params)
    np.testing.assert_allclose(params, [1.5, 0, 0, -2.5, 0], atol=1e-6)
    assert (params[[1, 2]] == 0).all()
    grown = fnn.Sgd(1.0) >> optim.ProximalL1(lambda step: 0.25 * step, where=fnn.tree.everything)
    np.testing.assert_allclose(run(grown, [0.0, 0.0, 0.0, 0.0]), [1.0, 0.75, 0.25, 0.0])


# Projections


@given(seed=seeds)
def test_max_norm_bounds_the_weights_of_each_output(seed: int) -> None:
    params, grads = net(seed), net(seed + 1)
    opt = fnn.Sgd(0.5) >> optim.MaxNorm(1.0)
    new, _ = fnn.update(opt, grads, opt.init(params), params)
    free, _ = fnn.update(fnn.Sgd(0.5), grads, fnn.Sgd(0.5).init(params), params)
    for name in ("weight", "kernel"):
        made, raw = (getattr(t, name).reshape(-1, getattr(t, name).shape[-1]) for t in (new, free))
        norms = np.linalg.norm(raw, axis=0)
        np.testing.assert_allclose(made, raw * np.minimum(1, 1 / norms), rtol=1e-9, atol=1e-12)
    assert bits((new.bias, new.gain)) == bits((free.bias, free.gain))


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (2, 2, 3)])
def test_orthogonal_gives_the_nearest_orthonormal_matrix(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    params, grads = rng.normal(size=shape), rng.normal(size=shape)
    opt = fnn.Sgd(0.1) >> optim.Orthogonal()
    new = fnn.update(opt, grads, opt.init(params), params)[0].reshape(-1, shape[-1])
    small = new.T @ new if new.shape[0] >= new.shape[1] else new @ new.T
    np.testing.assert_allclose(small, np.eye(len(small)), atol=1e-12)
    # the nearest: q^T a is symmetric and positive
    raw = (params - 0.1 * grads).reshape(-1, shape[-1])
    product = new.T @ raw if new.shape[0] >= new.shape[1] else raw @ new.T
    np.testing.assert_allclose(product, product.T, atol=1e-12)
    assert np.linalg.eigvalsh(product).min() > 0


# Muon


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (1, 3), (3, 1)])
def test_muon_brings_singular_values_near_1_and_keeps_the_vectors(shape: tuple[int, int]) -> None:
    from fnn.optim.muon import orthogonalized  # noqa: PLC0415  # not public

    matrix = np.random.default_rng(1).normal(size=shape)
    made = orthogonalized(matrix)
    values = np.linalg.svd(made, compute_uv=False)
    assert values.min() > 0.6
    assert values.max() < 1.3
    u, _, vh = np.linalg.svd(matrix, full_matrices=False)
    inside = u.T @ made @ vh.T
    np.testing.assert_allclose(inside, np.diag(np.diag(inside)), atol=1e-9)
    assert np.diag(inside).min() > 0


def test_muon_moves_matrices_and_kernels_and_leaves_the_rest_to_another() -> None:
    params, grads = net(0), net(1)
    opt = optim.Muon(0.1, weight_decay=0.0, rest=fnn.Sgd(0.5))
    new, state = fnn.update(opt, grads, opt.init(params), params)
    for name, scale in (("weight", 1.0), ("kernel", 1.0)):
        step = (getattr(params, name) - getattr(new, name)).reshape(-1, getattr(params, name).shape[-1]) / 0.1
        values = np.linalg.svd(step, compute_uv=False)
        assert 0.6 * scale < values.min() <= values.max() < 1.3 * scale
        assert np.sum(step * getattr(grads, name).reshape(step.shape)) > 0
    np.testing.assert_allclose(new.bias, params.bias - 0.5 * grads.bias)
    moment = state.moment("momentum")
    np.testing.assert_allclose(moment.kernel, 0.05 * grads.kernel)
    assert not moment.bias.any()
    wide = {"w": np.ones((2, 8)) + np.eye(2, 8)}
    one = optim.Muon(1.0, weight_decay=0.0)
    moved = fnn.update(one, wide, one.init(wide), fnn.tree.zeros_like(wide))[0]["w"]
    assert 0.6 * 2 < np.linalg.svd(moved, compute_uv=False).min() <= np.linalg.norm(moved, 2) < 1.3 * 2


@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_makes_the_momentum_orthogonal(nesterov: bool) -> None:
    from fnn.optim.muon import orthogonalized  # noqa: PLC0415  # not public

    opt = optim.Muon(0.1, momentum=0.8, weight_decay=0.5, nesterov=nesterov)
    params = expected = net(0).weight
    state, v = opt.init(params), np.zeros_like(params)
    for i in range(3):
        g = net(i + 1).weight
        params, state = fnn.update(opt, g, state, params)
        v = 0.8 * v + 0.2 * g
        along = orthogonalized(0.2 * g + 0.8 * v if nesterov else v)
        expected = expected - 0.1 * (along + 0.5 * expected)
        np.testing.assert_allclose(params, expected, rtol=1e-12)


def test_muon_descends_and_decays() -> None:
    target = np.random.default_rng(2).normal(size=(4, 3))
    opt = optim.Muon(optim.Cosine(0.1, steps=200), weight_decay=0.0)
    params = np.zeros((4, 3))
    state = opt.init(params)
    for _ in range(200):
        params, state = fnn.update(opt, params - target, state, params)
    np.testing.assert_allclose(params, target, atol=0.05)
    decaying = optim.Muon(0.1, weight_decay=0.5)
    ones = np.ones((2, 2))
    np.testing.assert_allclose(fnn.update(decaying, np.zeros((2, 2)), decaying.init(ones), ones)[0], 0.95)


# Some of the leaves


def test_masked_touches_only_its_leaves() -> None:
    params, grads = net(0), net(1)
    masked = optim.Masked(is_bias, optim.ClipByGlobalNorm(1e-3) >> optim.Trace(0.5))
    opt = masked >> optim.ScaleByLearningRate(1.0)
    plain, _ = fnn.update(fnn.Sgd(1.0), grads, fnn.Sgd(1.0).init(params), params)
    new, state = fnn.update(opt, grads, opt.init(params), params)
    assert bits(replace(new, bias=params.bias)) == bits(replace(plain, bias=params.bias))
    np.testing.assert_allclose(np.linalg.norm(new.bias - params.bias), 1e-3)
    assert np.linalg.norm(state.moment("momentum").bias) == pytest.approx(1e-3)
    assert not state.moment("momentum").weight.any()


def with_odd_numbers(tree: Net) -> Net:
    return replace(tree, weight=np.where(np.eye(4, 3) > 0, -0.0, np.where(np.eye(4, 3, 1) > 0, np.nan, tree.weight)))


def test_frozen_leaves_keep_every_bit_whatever_their_gradient_is() -> None:
    params, grads = with_odd_numbers(net(0)), with_odd_numbers(net(1))
    opt = optim.Groups((is_bias, fnn.Adam(0.1)), rest=optim.Freeze())
    state, new = opt.init(params), params
    for _ in range(3):
        new, state = fnn.update(opt, grads, state, new)
    assert bits(replace(new, bias=params.bias)) == bits(params)
    assert (new.bias != params.bias).all()
    assert state.learning_rate == 0.1


def test_each_group_is_as_if_it_were_alone() -> None:
    first = optim.ClipByGlobalNorm(0.1) >> fnn.Adam(optim.Cosine(0.1, steps=10))
    opt = optim.Groups((fnn.tree.matrices, first), (is_bias, fnn.Sgd(0.5)), rest=fnn.Adam(0.3))
    params = net(0)
    parts: list[Any] = [(params.weight, params.kernel), params.bias, params.gain]
    alone = [first, fnn.Sgd(0.5), fnn.Adam(0.3)]
    states: list[Any] = [o.init(p) for o, p in zip(alone, parts, strict=True)]
    state = opt.init(params)
    for i in range(3):
        g = net(i + 1)
        params, state = fnn.update(opt, g, state, params)
        for k, own in enumerate([(g.weight, g.kernel), g.bias, g.gain]):
            parts[k], states[k] = fnn.update(alone[k], own, states[k], parts[k])
    assert bits([(params.weight, params.kernel), params.bias, params.gain]) == bits(parts)
    # the moments of all groups are one tree; biases have none
    mu = state.moment("mu")
    assert bits([(mu.weight, mu.kernel), mu.gain]) == bits([states[0].moment("mu"), states[2].moment("mu")])
    assert not mu.bias.any()
    rates = state.learning_rates
    cosine = optim.Cosine(0.1, steps=10)(3)
    assert rates == pytest.approx({".weight": cosine, ".kernel": cosine, ".bias": 0.5, ".gain": 0.3})
    with pytest.raises(
        ValueError,
        match=r"OptState.learning_rate: Groups has 0.07.* for .weight, 0.3 for .gain, 0.5 for .bias; see learning_rates",
    ):
        _ = state.learning_rate


def test_groups_inside_groups_keep_their_places() -> None:
    inner = optim.Groups((is_bias, fnn.Adam(0.1)), rest=fnn.Sgd(0.1, momentum=0.5))
    opt = optim.ClipByValue(10.0) >> optim.Groups(
        (lambda path, shape: path in (".bias", ".kernel"), inner), rest=optim.Adagrad(0.1)
    )
    params, grads = net(0), net(1)
    new, state = fnn.update(opt, grads, opt.init(params), params)
    np.testing.assert_allclose(state.moment("momentum").kernel, grads.kernel)
    np.testing.assert_allclose(state.moment("mu").bias, 0.1 * grads.bias)
    np.testing.assert_allclose(state.moment("total").weight, grads.weight**2)
    assert not state.moment("total").kernel.any()
    np.testing.assert_allclose(new.kernel, params.kernel - 0.1 * grads.kernel)
    np.testing.assert_allclose(new.weight, params.weight - 0.1 * np.sign(grads.weight), rtol=1e-6)


# Around an optimiser


INNER: list[fnn.Optimizer] = [
    fnn.Sgd(0.1, momentum=0.9),
    fnn.Adam(optim.ExponentialDecay(0.1, steps=1, factor=0.5)),
    optim.AddNoise(0.1) >> fnn.Sgd(0.1),
]


@pytest.mark.parametrize("inner", INNER, ids=lambda opt: type(opt).__name__)
@pytest.mark.parametrize("n", [1, 3])
def test_accumulating_is_one_step_with_the_mean_batch(inner: fnn.Optimizer, n: int) -> None:
    opt = optim.Accumulate(inner, n)
    params = plain = net(0)
    state, own = opt.init(params), inner.init(params)
    for i in range(4):
        grads = [net(n * i + k + 1) for k in range(n)]
        before = params
        for k, g in enumerate(grads):
            assert state.learning_rate == own.learning_rate
            params, state = fnn.update(opt, g, state, params)
            assert k + 1 == n or bits(params) == bits(before)
        plain, own = fnn.update(inner, fnn.tree.map(lambda g, *more: (g + sum(more)) / n, *grads), own, plain)
        for p, q in zip(fnn.tree.leaves(params), fnn.tree.leaves(plain), strict=True):
            np.testing.assert_allclose(p, q, rtol=1e-12)
    assert (state.step, own.step) == (4 * n, 4)
    assert not any(leaf.any() for leaf in fnn.tree.leaves(state.moment("sum")))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_skipping_leaves_parameters_and_moments_bit_for_bit(bad: float) -> None:
    inner = fnn.Adam(optim.ExponentialDecay(0.1, steps=1, factor=0.5))
    opt = optim.SkipNonFinite(inner, most=2)
    params = plain = replace(net(0), bias=np.array([-0.0, 0.0, 1.0]))
    state, own = opt.init(params), inner.init(plain)
    broken = replace(net(5), gain=np.asarray(bad), bias=np.array([1.0, -bad, bad]))
    for i, g in enumerate([net(1), broken, net(2), broken, broken, net(3)]):
        before, moments = params, state
        params, state = fnn.update(opt, g, state, params)
        assert state.step == i + 1
        if g is broken:
            assert bits(params) == bits(before)
            assert bits([state.moment("mu"), state.moment("nu")]) == bits([moments.moment("mu"), moments.moment("nu")])
        else:
            plain, own = fnn.update(inner, g, own, plain)
            assert bits(params) == bits(plain)
        assert state.learning_rate == own.learning_rate
    assert state.slots["skipped"].tolist() == [3, 0]


def test_skipping_gives_up_after_too_many_in_a_row() -> None:
    opt = optim.SkipNonFinite(fnn.Sgd(0.1), most=2)
    params = np.ones(2)
    state = opt.init(params)
    for _ in range(2):
        params, state = fnn.update(opt, np.array([np.nan, 1.0]), state, params)
    with pytest.raises(
        FloatingPointError, match=r"SkipNonFinite: the gradient was not finite for 3 steps in a row; fnn.debug_nans"
    ):
        fnn.update(opt, np.array([np.nan, 1.0]), state, params)


def test_a_finite_gradient_whose_sum_overflows_is_not_skipped() -> None:
    params = np.ones(2, np.float32)
    huge = np.full(2, 3e38, np.float32)
    opt = optim.SkipNonFinite(optim.ScaleBySign() >> fnn.Sgd(0.5))
    assert fnn.update(opt, huge, opt.init(params), params)[0].tolist() == [0.5, 0.5]


def test_lookahead_by_its_algorithm() -> None:
    inner = fnn.Sgd(0.1, momentum=0.5)
    opt = optim.Lookahead(inner, n=3, rate=0.25)
    params = fast = slow = np.array([1.0, -2.0])
    state, own = opt.init(params), inner.init(fast)
    for i in range(7):
        g = np.array([np.sin(i), np.cos(i)])
        params, state = fnn.update(opt, g, state, params)
        fast, own = fnn.update(inner, g, own, fast)
        if i % 3 == 2:
            slow = slow + 0.25 * (fast - slow)
            fast = slow
        np.testing.assert_allclose(params, fast, rtol=1e-14)
        np.testing.assert_allclose(state.moment("slow"), slow, rtol=1e-14)


def test_ema_by_its_formula_and_the_steps_as_they_were() -> None:
    opt = fnn.Sgd(0.1) >> optim.Ema(0.8)
    params = mean = plain = net(0)
    state, own = opt.init(params), fnn.Sgd(0.1).init(plain)
    for i in range(4):
        params, state = fnn.update(opt, net(i), state, params)
        plain, own = fnn.update(fnn.Sgd(0.1), net(i), own, plain)
        mean = fnn.tree.map(lambda m, p: 0.8 * m + 0.2 * p, mean, params)
        for a, b in zip(fnn.tree.leaves(state.moment("ema")), fnn.tree.leaves(mean), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)
    assert bits(params) == bits(plain)


def test_a_chain_is_its_parts_in_order_however_it_was_joined() -> None:
    a, b, c, d, e = optim.ClipByValue(0.5), optim.Trace(0.9), optim.AddDecayedWeights(0.1), fnn.Adam(0.1), optim.Ema(0.9)
    chains: list[fnn.Optimizer] = [a >> b >> c >> d >> e, a >> (b >> c) >> (d >> e), (a >> b) >> ((c >> d) >> e)]
    assert chains[0] == chains[1] == chains[2]
    params, grads = net(0), net(1)
    by_hand = optim.ScaleByLearningRate(1.0)
    direction = fnn.tree.map(lambda g, p: np.clip(g, -0.5, 0.5) + 0.1 * p, grads, params)
    for chain in chains:
        new, state = fnn.update(chain, grads, chain.init(params), params)
        expected, _ = fnn.update(fnn.Adam(0.1), direction, fnn.Adam(0.1).init(params), params)
        for p, q in zip(fnn.tree.leaves(new), fnn.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(p, q, rtol=1e-12)
        assert state.moment("ema") is not None
    assert (a >> b >> by_hand).init(params).learning_rate == 1.0


def test_a_moment_of_several_parts_is_read_by_the_part() -> None:
    opt = optim.Trace(0.5) >> fnn.Sgd(0.1, momentum=0.9)
    _, state = fnn.update(opt, np.ones(3), opt.init(np.zeros(3)), np.zeros(3))
    with pytest.raises(
        KeyError, match=r"several parts have a moment 'momentum'; this optimizer keeps \['0.momentum', '1.0.momentum'\]"
    ):
        state.moment("momentum")
    np.testing.assert_array_equal(state.moment("0.momentum"), np.ones(3))
    with pytest.raises(KeyError, match=r"no moment 'mu'; this optimizer keeps"):
        state.moment("mu")
    with pytest.raises(KeyError, match=r"no moment 'learning_rate'; this optimizer keeps none"):
        fnn.Sgd(0.1).init(np.zeros(2)).moment("learning_rate")


# One's own


def test_the_example_of_ones_own_is_short_keeps_the_laws_and_learns() -> None:
    path = Path(__file__).resolve().parents[1] / "examples" / "own_optimizer.py"
    text = path.read_text()
    body = text[text.index("@dataclass(frozen=True)\nclass Yogi") : text.index("@dataclass(frozen=True)\nclass KeepAgreeing")]
    assert len([line for line in body.splitlines() if line.strip()]) <= 15
    # in a process of its own, where its classes pickle
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=True)
    found = re.findall(r"keeps (\d+) laws; the loss went from ([\d.]+) to ([\d.]+)", done.stdout)
    assert [int(laws) for laws, _, _ in found] == [len(OPTIMIZER_LAWS)] * 3
    assert all(float(last) < 0.25 * float(first) for _, first, last in found)


# What is wrong is told


def anything(thing: Any) -> Any:
    return thing


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: fnn.Adam(0.1) >> anything(fnn.Sgd(0.1)),
            TypeError,
            r">>: Adam\(.*\) and Sgd\(.*\) are both optimizers, and a chain has one",
        ),
        (
            lambda: optim.ClipByValue(1.0) >> anything(fnn.Adam),
            TypeError,
            r"class '.*Adam'> is neither a Transform nor an Optimizer; make one with Adam\(...\)",
        ),
        (lambda: fnn.Adam(0.1) >> anything(3), TypeError, ">>: 3 is neither a Transform nor an Optimizer"),
        (
            lambda: optim.Ema() >> fnn.Adam(0.1),
            TypeError,
            r">>: Ema\(decay=0.999\) looks at the new parameters, so it stands behind the optimizer: optimizer >> Ema",
        ),
        (
            lambda: optim.ClipByValue(1.0) >> optim.MaxNorm(1.0) >> fnn.Adam(0.1),
            TypeError,
            "MaxNorm.* stands behind the optimizer",
        ),
        (lambda: optim.ProximalL1(1.0) >> fnn.Adam(0.1) >> optim.Ema(), TypeError, "ProximalL1.* stands behind the optimizer"),
        (
            lambda: optim.Accumulate(anything(optim.Centralize()), 2),
            TypeError,
            r"Accumulate: Centralize\(\) is a Transform, .*end it with an optimizer: Centralize\(\) >> fnn.Sgd\(0.1\)",
        ),
        (
            lambda: optim.Lookahead(anything(fnn.Adam)),
            TypeError,
            r"Lookahead: the optimizer is <class .*make one with Adam\(...\)",
        ),
        (
            lambda: optim.SkipNonFinite(anything("adam")),
            TypeError,
            r"SkipNonFinite: the optimizer is 'adam', expected an Optimizer",
        ),
        (lambda: optim.Accumulate(fnn.Sgd(0.1), 0), ValueError, "Accumulate: n is 0, expected at least 1"),
        (lambda: optim.Accumulate(fnn.Sgd(0.1), anything(2.0)), TypeError, "Accumulate: n is 2.0, a float, expected an int"),
        (
            lambda: optim.Masked(is_bias, anything(fnn.Sgd(0.1))),
            TypeError,
            "Masked: the rule is .*for optimizers there is Groups",
        ),
        (lambda: optim.Groups(), TypeError, "Groups: there is no group"),
        (
            lambda: optim.Groups(anything(fnn.Adam(0.1))),
            TypeError,
            r"Groups: a group is Adam.*expected \(selector, optimizer\)",
        ),
        (lambda: optim.Groups((is_bias, anything(optim.Centralize()))), TypeError, "Groups: Centralize.* is a Transform"),
        (
            lambda: optim.Groups((is_bias, fnn.Adam(0.1)), rest=anything("freeze")),
            TypeError,
            "Groups: the optimizer is 'freeze'",
        ),
        (
            lambda: optim.Groups((is_bias, fnn.Adam(0.1))).init(net(0)),
            ValueError,
            r"Groups: .weight belongs to no group; give rest=optimizer, or rest=fnn.optim.Freeze\(\)",
        ),
        (
            lambda: optim.Groups((lambda path, shape: False, fnn.Adam(0.1)), rest=fnn.Adam(0.1)).init(net(0)),
            ValueError,
            r"Groups: group 0, the selector <lambda> chooses none of the leaves; there are .weight, .bias, .kernel, .gain",
        ),
        (
            lambda: optim.Groups((is_bias, fnn.Adam(0.1)), (is_bias, fnn.Adam(0.1)), rest=fnn.Adam(0.1)).init(net(0)),
            ValueError,
            "group 1, the selector is_bias chooses none of the leaves of those that no group before has; there are .weight",
        ),
        (
            lambda: (optim.Masked(lambda path, shape: False, optim.Trace(0.5)) >> fnn.Sgd(1.0)).init(net(0)),
            ValueError,
            "Masked: the selector <lambda> chooses none",
        ),
        (
            lambda: through(optim.AddDecayedWeights(0.1, where=lambda path, shape: "bais" in path), net(0), net(0)),
            ValueError,
            "the selector <lambda> chooses none of the leaves; there are .weight, .bias, .kernel, .gain",
        ),
        (lambda: fnn.Adam(-1.0), ValueError, r"Adam: learning_rate is -1.0, expected a number of at least 0"),
        (lambda: optim.ScaleByLearningRate(-1.0), ValueError, "ScaleByLearningRate: learning_rate is -1.0"),
        (lambda: optim.Rprop(float("nan")), ValueError, "Rprop: learning_rate is nan"),
        (
            lambda: fnn.Sgd(anything(optim.Cosine)),
            TypeError,
            r"Sgd: learning_rate is the class Cosine; make a schedule with Cosine\(...\)",
        ),
        (
            lambda: fnn.Sgd(anything("0.1")),
            TypeError,
            "Sgd: learning_rate is '0.1', a str, expected a number or a function of the step",
        ),
        (
            lambda: fnn.Sgd(lambda step: -1.0).init(np.ones(1)),
            ValueError,
            r"learning_rate: <function .* is -1.0 at step 0, expected a number of at least 0",
        ),
        (
            lambda: fnn.Sgd(anything(lambda step: None)).init(np.ones(1)),
            TypeError,
            "at step 0 is None, a NoneType, expected a number",
        ),
        (lambda: optim.Scale(-1.0), ValueError, "Scale: factor is -1.0"),
        (lambda: optim.ClipByGlobalNorm(-1.0), ValueError, "ClipByGlobalNorm: bound is -1.0"),
        (lambda: optim.AddNoise(0.1, seed=-1), ValueError, "AddNoise: seed is -1"),
        (lambda: optim.AddNoise(0.1, seed=2**63), ValueError, "AddNoise: seed is 9223372036854775808, expected less than"),
        (lambda: optim.Lion(b1=1.0), ValueError, r"ScaleByLion: b1 is 1.0, expected a number in \[0, 1\)"),
        (lambda: optim.Muon(momentum=1.5), ValueError, "ScaleByMuon: momentum is 1.5"),
        (lambda: optim.Muon(rest=anything(optim.Centralize())), TypeError, "Muon: Centralize.* is a Transform"),
        (
            lambda: (optim.ScaleByMuon() >> optim.ScaleByLearningRate(1.0)).init(net(0)),
            ValueError,
            r"ScaleByMuon: .bias has shape \[3\] and is no matrix; see Muon",
        ),
        (lambda: optim.Freeze().init(np.ones(2)).scale_learning_rate(0.5), ValueError, "Freeze keeps no learning rate"),
        (lambda: optim.Freeze().init(np.ones(2)).learning_rate, ValueError, "OptState.learning_rate: Freeze keeps none"),
        (lambda: fnn.Sgd(0.1).init(np.ones(2)).scale_learning_rate(-0.5), ValueError, "the factor is -0.5"),
        (
            lambda: fnn.update(anything(optim.Centralize()), np.ones(2), fnn.Sgd(0.1).init(np.ones(2)), np.ones(2)),
            TypeError,
            "update: Centralize.* is a Transform",
        ),
        (
            lambda: fnn.update(fnn.Adam(0.1), np.ones(2), fnn.Sgd(0.1).init(np.ones(2)), np.ones(2)),
            ValueError,
            "Adam was given the state of Sgd",
        ),
        (
            lambda: fnn.update(fnn.Sgd(0.1, momentum=0.9), np.ones(2), fnn.Sgd(0.1).init(np.ones(2)), np.ones(2)),
            ValueError,
            "no 'momentum', so it was made with other options",
        ),
        (
            lambda: fnn.train_step(anything(lambda p, s, m: (0.0, s)), anything(optim.ClipByValue(1.0))),
            TypeError,
            r"train_step: ClipByValue\(bound=1.0\) is a Transform, .*end it with an optimizer",
        ),
        (
            lambda: fnn.start(fnn.Dense(1, 1), anything(optim.Centralize()), fnn.key(0)),
            TypeError,
            "start: Centralize.* is a Transform",
        ),
        (
            lambda: fnn.start(fnn.Dense(1, 1), anything(fnn.Adam), fnn.key(0)),
            TypeError,
            r"start: the optimizer is <class.*make one with Adam\(...\)",
        ),
    ],
)
def test_mistakes_are_told(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_a_moment_of_another_shape_is_refused() -> None:
    class Shrinking(fnn.Optimizer):
        def init_flat(self, params: fnn.Array1, segments: fnn.Segments, /) -> fnn.Slots:
            return {"m": params.copy()}

        def update_flat(
            self, grads: fnn.Array1, slots: fnn.Slots, params: fnn.Array1, step: int, segments: fnn.Segments, /
        ) -> tuple[fnn.Array1, fnn.Slots]:
            return -grads, {"m": slots["m"][:1].copy()}

    with pytest.raises(ValueError, match=r"Shrinking.update_flat: the moment 'm' is f64\[1\], expected f64\[2\], as before"):
        fnn.update(Shrinking(), np.ones(2), Shrinking().init(np.ones(2)), np.ones(2))


def test_the_learning_rate_in_the_state_is_the_one_that_is_used() -> None:
    p = np.ones(2)
    state = fnn.Adam(0.1).init(p)
    p, state = fnn.update(fnn.Adam(0.2), p, state, p)
    assert state.learning_rate == 0.2
    state = state.with_learning_rate(0.05)
    assert state.learning_rate == 0.05
    q, state = fnn.update(fnn.Sgd(0.1), np.ones(2), fnn.Sgd(0.1).init(np.zeros(2)).with_learning_rate(0.05), np.zeros(2))
    np.testing.assert_allclose(q, -0.05)
    assert state.learning_rate == 0.05
    # switched off and on again
    state = state.scale_learning_rate(0.0)
    assert state.learning_rate == 0.0
    assert state.with_learning_rate(0.1).learning_rate == 0.1


def test_a_learning_rate_that_is_set_goes_on_with_the_schedule() -> None:
    opt = fnn.Sgd(optim.StepDecay(1.0, every=1, factor=0.5))
    p, state = fnn.update(opt, np.ones(1), opt.init(np.zeros(1)).with_learning_rate(0.2), np.zeros(1))
    np.testing.assert_allclose(p, -0.2)
    assert state.learning_rate == 0.1
    zero = fnn.Sgd(optim.WarmUp(10, then=1.0))
    with pytest.raises(ValueError, match="the schedule is 0 at this step"):
        zero.init(np.zeros(1)).with_learning_rate(0.1)
    with pytest.raises(ValueError, match="keeps no learning rate"):
        optim.Freeze().init(np.zeros(1)).with_learning_rate(0.1)


def test_schedules_in_groups_need_not_be_hashable() -> None:
    class Halving:
        __hash__ = None  # type: ignore[assignment]  # as of a dataclass that is not frozen

        def __call__(self, step: int) -> float:
            return 0.5**step

    opt = optim.Groups((fnn.tree.matrices, fnn.Sgd(Halving())), rest=fnn.Sgd(0.1))
    params = {"w": np.zeros((2, 2)), "b": np.zeros(2)}
    new, _ = fnn.update(opt, {"w": np.ones((2, 2)), "b": np.ones(2)}, opt.init(params), params)
    np.testing.assert_allclose(new["w"], -1.0)
    np.testing.assert_allclose(new["b"], -0.1)


def test_a_selector_that_is_no_function_or_chooses_nothing_is_refused() -> None:
    loose: Any = fnn
    for block, where in ((loose.AdamW, 0.1), (loose.optim.Lion, 0.1), (loose.optim.AddL1, "w")):
        with pytest.raises(TypeError, match=r"where is .*, expected a function \(path, shape\) -> bool"):
            block(0.1, where=where)
    blocks = loose.optim
    for block, args in ((blocks.Masked, (0.1, optim.Trace(0.9))), (blocks.Masked, ("w", optim.Trace(0.9)))):
        with pytest.raises(TypeError, match=r"where is .*, expected a function \(path, shape\) -> bool"):
            block(*args)
    for block, rate in ((blocks.MaxNorm, [1.0]), (blocks.Orthogonal, []), (blocks.Muon, [0.1])):
        with pytest.raises(TypeError, match=r"where is .*, expected a function \(path, shape\) -> bool"):
            block(*rate, where=[".weight"])
    nothing = fnn.Sgd(0.1) >> optim.MaxNorm(1.0, where=lambda path, shape: False)
    with pytest.raises(ValueError, match="MaxNorm: the selector <lambda> chooses none of the leaves"):
        nothing.init(np.ones((2, 2)))


def test_the_state_of_a_longer_chain_is_refused() -> None:
    shorter = optim.Trace(0.9) >> optim.ScaleByLearningRate(0.1)
    longer = shorter >> optim.Ema(0.9)
    params = np.ones(3)
    with pytest.raises(ValueError, match="the moments are"):
        fnn.update(shorter, params, longer.init(params), params)


class Marked(np.ndarray[Any, Any]):
    """A subclass of arrays."""


@dataclass(frozen=True)
class GivesSubclasses(fnn.Optimizer):
    """Its updates and its moment are arrays of a subclass."""

    def init_flat(self, params: Any, segments: Any, /) -> Any:
        return {"kept": np.zeros_like(params).view(Marked)}

    def update_flat(self, grads: Any, slots: Any, params: Any, step: int, segments: Any, /) -> Any:
        return (-grads).view(Marked), {"kept": grads.copy().view(Marked)}


def test_arrays_of_a_subclass_become_plain_and_read_only() -> None:
    opt = GivesSubclasses()
    params: Any = np.ones(3)
    state = opt.init(params)
    for _ in range(2):
        params, state = fnn.update(opt, np.ones(3), state, params)
    for array in (params, state.slots["kept"]):
        assert type(array) is np.ndarray
        assert not array.flags.writeable
    np.testing.assert_array_equal(params, -1)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 16, 50])
def test_adam_in_pieces_is_adam_at_once_to_the_bit(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(n)
    start, grads = rng.normal(size=n).astype(np.float32), rng.normal(size=(5, n)).astype(np.float32)

    def trained(piece: int) -> tuple[fnn.Array1, fnn.optim.OptState[fnn.Array1]]:
        monkeypatch.setattr("fnn.optim.adam._PIECE", piece)
        p, opt = start, fnn.AdamW(0.1)
        state = opt.init(p)
        for g in grads:
            p, state = fnn.update(opt, g, state, p)
        return p, state

    whole, in_pieces = trained(10**6), trained(8)
    assert fnn.tree.equal(whole[0], in_pieces[0])
    assert fnn.tree.equal(dict(whole[1].slots), dict(in_pieces[1].slots))


def test_the_learning_rate_writes_only_into_what_nothing_else_holds() -> None:
    """Alone it is given the gradient, behind a clip that does nothing the gradient too, behind Trace a moment."""
    g, p = np.array([0.5, -1.0], np.float32), np.zeros(2, np.float32)
    for before in (None, optim.ClipByGlobalNorm(1e6), optim.Trace(0.9), optim.ScaleByAdam()):
        rate = optim.ScaleByLearningRate(0.1)
        opt: fnn.Optimizer = rate if before is None else before >> rate
        state = opt.init(p)
        _, state = fnn.update(opt, g, state, p)
        kept = {name: moment.copy() for name, moment in state.slots.items()}
        fnn.update(opt, g, state, p)
        assert g.tolist() == [0.5, -1.0]
        assert fnn.tree.equal(kept, dict(state.slots))
        if "0.momentum" in kept:
            assert np.allclose(kept["0.momentum"], g)
