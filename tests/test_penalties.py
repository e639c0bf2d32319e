"""Penalties on parameters: values, gradients, selectors, dtypes, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn
from fnn.testing import check_grads


def biases(path: str, shape: tuple[int, ...]) -> bool:
    return path.endswith("bias")


def params(seed: int = 0, dtype: Any = np.float64) -> tuple[fnn.DenseParams, None, fnn.NormParams]:
    rng = np.random.default_rng(seed)
    return fnn.tree.astype(
        (
            fnn.DenseParams(rng.normal(size=(3, 2)), rng.normal(size=2)),
            None,
            fnn.NormParams(rng.normal(size=2), rng.normal(size=2)),
        ),
        dtype,
    )


@given(seed=st.integers(0, 2**32), ratio=st.floats(0, 1))
def test_values_are_the_sums(seed: int, ratio: float) -> None:
    p = params(seed)
    flat = np.concatenate([leaf.ravel() for leaf in fnn.tree.leaves(p)])
    np.testing.assert_allclose(fnn.l1(p), np.abs(flat).sum())
    np.testing.assert_allclose(fnn.l2(p), 0.5 * (flat**2).sum())
    expected = ratio * np.abs(flat).sum() + (1 - ratio) * 0.5 * (flat**2).sum()
    np.testing.assert_allclose(fnn.elastic_net(p, ratio=ratio), expected)


def test_a_selector_chooses_leaves() -> None:
    p = params()
    np.testing.assert_allclose(fnn.l1(p, where=biases), np.abs(p[0].bias).sum())
    np.testing.assert_allclose(fnn.l2(p, where=fnn.tree.matrices), 0.5 * (p[0].weight ** 2).sum())
    only = fnn.elastic_net(p, ratio=1.0, where=fnn.tree.matrices)
    np.testing.assert_allclose(only, np.abs(p[0].weight).sum())
    half = fnn.elastic_net(p, where=biases)
    np.testing.assert_allclose(half, 0.5 * np.abs(p[0].bias).sum() + 0.25 * (p[0].bias ** 2).sum())


def test_gradients_are_the_sign_and_the_parameters_where_they_are_chosen() -> None:
    p = params()
    one, two = fnn.grad(lambda p: fnn.l1(p, where=biases))(p), fnn.grad(lambda p: fnn.l2(p, where=biases))(p)
    np.testing.assert_array_equal(one[0].bias, np.sign(p[0].bias))
    np.testing.assert_array_equal(two[0].bias, p[0].bias)
    for grads in (one, two):
        assert not grads[0].weight.any()
        assert not any(leaf.any() for leaf in fnn.tree.leaves(grads[2]))
    np.testing.assert_array_equal(fnn.grad(fnn.l1)(np.array([0.0, -2.0])), [0, -1])
    check_grads(lambda p: fnn.elastic_net(p, ratio=0.3), params(3))


def test_l2_in_the_loss_is_decay_of_the_weights_in_the_optimizer() -> None:
    p, opt = params(), fnn.Sgd(0.1)
    by_loss, _ = fnn.update(opt, fnn.grad(lambda p: 0.5 * fnn.l2(p))(p), opt.init(p), p)
    by_block = fnn.optim.AddDecayedWeights(0.5) >> opt
    by_optimizer, _ = fnn.update(by_block, fnn.tree.zeros_like(p), by_block.init(p), p)
    for a, b in zip(fnn.tree.leaves(by_loss), fnn.tree.leaves(by_optimizer), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_stays_also_with_a_ratio_of_numpys(dtype: Any) -> None:
    p = params(dtype=dtype)
    made = [fnn.l1(p), fnn.l2(p), fnn.elastic_net(p, ratio=np.float64(0.5))]
    assert [np.asarray(value).dtype for value in made] == [dtype] * 3
    assert {leaf.dtype for leaf in fnn.tree.leaves(fnn.grad(fnn.elastic_net)(p))} == {np.dtype(dtype)}


def test_integer_leaves_are_no_parameters() -> None:
    assert fnn.l1({"table": np.array([3, 4]), "w": np.array([-1.0])}) == 1.0


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: fnn.l1(params(), where=lambda path, shape: "bais" in path),
            ValueError,
            r"l1: no floating leaf is chosen; there are \['\[0\].weight'",
        ),
        (lambda: fnn.l2({"labels": np.array([1])}), ValueError, "l2: no floating leaf is chosen"),
        (lambda: fnn.elastic_net(params(), ratio=1.5), ValueError, "elastic_net: ratio is 1.5, the part of l1"),
        (lambda: fnn.elastic_net(params(), ratio=float("nan")), ValueError, "elastic_net: ratio is nan"),
        (lambda: fnn.elastic_net(params(), ratio=None), TypeError, "elastic_net: ratio is None"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ],
)
def test_mistakes_are_told(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
