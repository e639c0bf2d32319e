"""float16: what ends at 65,504 is not what a loss or a norm ends at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import fnn

RNG = np.random.default_rng(0)
MANY = RNG.uniform(0.1, 0.9, (600, 200)).astype(np.float16)  # 120,000 entries
OTHERS = RNG.uniform(0.1, 0.9, (600, 200)).astype(np.float16)
LABELS = RNG.integers(0, 200, 600)
FAR = RNG.normal(1000, 300, (32, 8)).astype(np.float16)  # squares overflow


@pytest.mark.parametrize(
    ("loss", "target"),
    [
        (fnn.mse, OTHERS),
        (fnn.half_mse, OTHERS),
        (fnn.mae, OTHERS),
        (fnn.huber, OTHERS),
        (fnn.bce, OTHERS),
        (fnn.bce_with_logits, OTHERS),
        (fnn.cross_entropy, LABELS),
        (fnn.cross_entropy, OTHERS / OTHERS.sum(1, keepdims=True)),
        (lambda x, t: fnn.cross_entropy(x, t, label_smoothing=0.1), LABELS),
    ],
)
def test_losses_of_many_entries(loss: Any, target: Any) -> None:
    x = MANY * 30 if loss in (fnn.mse, fnn.half_mse, fnn.mae, fnn.huber) else MANY  # sums far beyond 65,504
    wide = target.astype(np.float64) if target.dtype.kind == "f" else target
    value, grad = fnn.value_and_grad(loss)(x, target)
    expected, slope = fnn.value_and_grad(loss)(x.astype(np.float64), wide)
    assert value.dtype == grad.dtype == np.float16
    np.testing.assert_allclose(value, expected, rtol=2e-3)
    np.testing.assert_allclose(grad, slope, rtol=2e-3, atol=1e-7)  # 6e-8 is the smallest number


@pytest.mark.parametrize("loss", [fnn.mse, fnn.bce, fnn.bce_with_logits])
def test_the_gradient_of_a_target(loss: Any) -> None:
    grad = fnn.grad(lambda t: loss(MANY, t))(OTHERS)
    slope = fnn.grad(lambda t: loss(MANY.astype(np.float64), t))(OTHERS.astype(np.float64))
    assert grad.dtype == np.float16
    np.testing.assert_allclose(grad, slope, rtol=2e-3, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("norm", ["layer_norm", "rms_norm", "group_norm", "instance_norm", "batch_norm"])
def test_norms_of_large_entries(norm: str, dtype: Any) -> None:
    def apply(p: Any, x: Any) -> Any:
        if norm == "rms_norm":
            return fnn.rms_norm(fnn.ScaleParams(p.scale), x)
        if norm == "layer_norm":
            return fnn.layer_norm(p, x)
        if norm == "batch_norm":
            state = fnn.tree.astype(fnn.BatchNormState.init(8), p.scale.dtype)
            return fnn.batch_norm(p, state, x, fnn.Train(fnn.key(0)))[0]
        x = x.reshape(4, 8, 8)
        return fnn.group_norm(p, x, 2) if norm == "group_norm" else fnn.instance_norm(p, x)

    params = fnn.tree.astype(fnn.NormParams.init(8), dtype)
    y = apply(params, FAR)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, apply(fnn.tree.astype(params, np.float64), FAR.astype(np.float64)), rtol=2e-3, atol=2e-3)

    def loss(tree: Any) -> Any:
        y = apply(*tree)
        return np.sum(y * np.cos(np.arange(y.size).reshape(y.shape)).astype(y.dtype))

    grads = fnn.grad(loss)((params, FAR))
    exact = fnn.grad(loss)(fnn.tree.astype((params, FAR), np.float64))
    for found, expected, leaf in zip(
        fnn.tree.leaves(grads), fnn.tree.leaves(exact), fnn.tree.leaves((params, FAR)), strict=True
    ):
        assert found.dtype == leaf.dtype
        np.testing.assert_allclose(found, expected, rtol=2e-2, atol=2e-2 if found.ndim == 1 else 1e-4)


def test_the_running_variance_of_a_net_in_float16() -> None:
    state = fnn.tree.astype(fnn.BatchNormState.init(8), np.float16)
    params = fnn.tree.astype(fnn.NormParams.init(8), np.float16)
    _, state = fnn.batch_norm(params, state, FAR / 10, fnn.Train(fnn.key(0)))
    assert state.var.dtype == np.float16
    np.testing.assert_allclose(state.var, 0.9 + 0.1 * (FAR.astype(float) / 10).var(0), rtol=5e-3)


@pytest.mark.parametrize(
    "opt",
    [fnn.Adam(0.1), fnn.AdamW(0.1), fnn.optim.AMSGrad(0.1), fnn.optim.NAdam(0.1), fnn.optim.RMSprop(0.1), fnn.optim.Adadelta()],
    ids=lambda opt: type(opt).__name__,
)
def test_an_eps_that_float16_loses_is_refused_and_a_larger_one_is_not(opt: Any) -> None:
    params = np.ones(3, np.float16)
    with pytest.raises(ValueError, match=r"eps is 1e-.*of which float16.*take at least 6.1e-05.*tree.astype"):
        opt.init(params)
    opt = replace(opt, eps=1e-4)
    new, _ = fnn.update(opt, np.array([0, 1e-3, 1], np.float16), opt.init(params), params)
    assert np.isfinite(new).all()
    assert abs(new[0] - 1) < 2e-3  # AdamW decays


def test_rates_of_zero_in_float16() -> None:
    zero = np.zeros(3, np.float16)
    assert fnn.losses.poisson_nll(zero, zero, log_input=False) == 0


def test_planned_steps_in_float16_are_the_ordinary_ones() -> None:
    model = fnn.Dense(8, 8) >> fnn.BatchNorm(8) >> fnn.relu >> fnn.LayerNorm(8) >> fnn.Dense(8, 8)
    opt = fnn.Sgd(0.01, momentum=0.9)
    step = fnn.train_step(fnn.supervised(model, fnn.mse), opt)
    params, state = fnn.tree.astype(fnn.init(model, fnn.key(0)), np.float16)
    ts = fnn.train_state(params, state, opt, fnn.key(1))
    x = FAR / np.float16(100)
    for _ in range(8):
        fresh, again = fnn.train_step(fnn.supervised(model, fnn.mse), opt)(ts, x, x)
        ts, loss = step(ts, x, x)
        assert np.isfinite(loss)
        assert loss == again
        assert fnn.tree.equal(ts, fresh)
