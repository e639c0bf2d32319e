"""Laws of `evaluation.evaluator_of`: it computes, bit for bit, what the forward computes in evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn
from fnn.layers.evaluation import evaluator_of
from fnn.promises import beside
from tests.laws.families.case import LayerCase
from tests.laws.registry import LAYERS
from tests.laws.test_layers import made
from tests.laws.test_vjp import COMPOSED, Negated, bits, cast

seeds = st.integers(0, 2**32)
dtypes = st.sampled_from([(np.float32, np.float32), (np.float64, np.float64), (np.float64, np.float32)])  # of params, of x


def check_evaluator(layer: Any, params: Any, state: Any, x: Any) -> None:
    """The bits of the forward, in fresh memory, as often as it is called."""
    expected = layer.forward(params, state, x, fnn.EVAL)[0]
    run = evaluator_of(layer, params, state)
    first, second = run(x), run(x)
    assert bits(first) == bits(second) == bits(expected)
    cls: Any = type(layer)  # mypy takes an object's class for one that may not be hashed
    if beside(cls, "forward", "evaluator"):
        for a in fnn.tree.leaves(first):
            assert not any(np.shares_memory(a, b) for b in fnn.tree.leaves((params, state)))
            if not np.shares_memory(a, x):  # as identity may
                assert not any(np.shares_memory(a, b) for b in fnn.tree.leaves(second))


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.name)
@given(seed=seeds, dtypes=dtypes)
def test_every_layer_of_the_table(case: LayerCase, seed: int, dtypes: Any) -> None:
    layer, params, state, x = made(case, seed)
    params, state = cast((params, state), dtypes[0])
    check_evaluator(layer, params, state, cast(x, dtypes[1]))


@pytest.mark.parametrize("name", COMPOSED)
@given(seed=seeds, dtypes=dtypes)
def test_every_composition(name: str, seed: int, dtypes: Any) -> None:
    layer = COMPOSED[name]()
    params, state = fnn.init(layer, fnn.key(seed))
    x = np.random.default_rng(seed).normal(size=(4, 3))
    params, state = cast((params, state), dtypes[0])
    x = cast(x, dtypes[1])
    assert bits(evaluator_of(layer, params, state)(x)) == bits(layer.forward(params, state, x, fnn.EVAL)[0])


class NegatedNorm(Negated, fnn.LayerNorm):
    """Mixed of two: overrides the forward alone, and so has no evaluator."""


class NegatedResidual(Negated, fnn.Residual[Any, Any, Any]):
    """Mixed of two."""


def test_a_subclass_with_a_forward_of_its_own_does_not_inherit_it() -> None:
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    for layer in (
        NegatedNorm(3),
        NegatedResidual(fnn.LayerNorm(3)),
        fnn.residual(NegatedNorm(3)),
        fnn.stack(2, NegatedNorm(3)),
    ):
        check_evaluator(layer, *fnn.init(layer, fnn.key(0)), x)


@pytest.mark.parametrize("bad", [10, -1])
def test_the_evaluator_of_an_embedding_checks_tokens(bad: int) -> None:
    layer = fnn.Embedding(10, 2)
    run = evaluator_of(layer, *fnn.init(layer, fnn.key(0)))
    with pytest.raises(ValueError, match=f"embedding: token {bad} is out of range"):
        run(np.array([[0, bad]]))


def test_a_transformer_of_several_lengths() -> None:
    """One evaluator for all of them, also where attention is cut into blocks."""
    layer: Any = fnn.Embedding(10, 8) >> fnn.LearnedPositions(300, 8) >> fnn.stack(2, fnn.encoder_block(8, 2, causal=True))
    params, state = fnn.init(layer, fnn.key(0))
    runs = [evaluator_of(part, p, s) for part, p, s in zip(layer.layers, params, state, strict=True)]
    for shape in ((1, 1), (3, 7), (9, 64), (2, 300)):
        y = x = np.random.default_rng(0).integers(0, 10, shape)
        for run in runs:
            y = run(y)
        assert bits(y) == bits(layer.forward(params, state, x, fnn.EVAL)[0])
