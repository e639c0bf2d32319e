"""The law of fused kernels, over their table: values and gradients are those of the reference composition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn
from tests.laws.families.case import KernelCase
from tests.laws.registry import KERNELS


@pytest.mark.parametrize("case", KERNELS, ids=lambda case: case.name)
@given(seed=st.integers(0, 2**32))
def test_a_fused_kernel_equals_its_reference(case: KernelCase, seed: int) -> None:
    rng = np.random.default_rng(seed)
    args = case.draw(rng)

    def run(op: Any) -> Any:
        return fnn.vjp(lambda p: op(*p, *case.constants, **case.options), args)

    (y, pullback), (expected, pullback_of_reference) = run(case.op), run(case.op.reference)
    for a, b in zip(fnn.tree.leaves(y), fnn.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
    u = fnn.tree.map(lambda leaf: rng.normal(size=leaf.shape), y)
    for a, b in zip(pullback(u), pullback_of_reference(u), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("case", KERNELS, ids=lambda case: case.name)
def test_a_fused_kernel_computes_only_the_cotangents_that_are_wanted(case: KernelCase) -> None:
    """Each argument alone gives the same gradient as all together."""
    args = case.draw(np.random.default_rng(0))

    def f(p: Any) -> Any:
        leaves = fnn.tree.leaves(case.op(*p, *case.constants, **case.options))
        return sum([np.sum(np.sin(leaf)) for leaf in leaves if leaf.dtype.kind == "f"])

    every = fnn.grad(f)(args)
    for k, arg in enumerate(args):
        alone = fnn.grad(lambda a, k=k: f((*args[:k], a, *args[k + 1 :])))(arg)
        np.testing.assert_allclose(alone, every[k], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("case", KERNELS, ids=lambda case: case.name)
def test_what_runs_where_nothing_is_differentiated_gives_the_bits_of_the_kernel(case: KernelCase) -> None:
    args = case.draw(np.random.default_rng(1))
    *expected, _ = case.op.kernel(*args, *case.constants, **case.options)
    found = case.op(*args, *case.constants, **case.options)
    leaves = fnn.tree.leaves(expected)
    for a, b in zip(fnn.tree.leaves(found), leaves, strict=True):
        assert np.array_equal(a, b, equal_nan=True)
