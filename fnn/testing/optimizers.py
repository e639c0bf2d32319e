"""check_optimizer: the laws of optimisers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from fnn.optim.optimizer import Optimizer, update
from fnn.testing.laws import (
    Law,
    Tree,
    check_floats,
    check_laws,
    check_pure,
    check_spec_pickles,
    floating_as,
    pickled,
    shares,
    unlike,
)
from fnn.tree import leaves, map, show
from fnn.tree.structure import PyTree

_PRECISIONS: tuple[Any, ...] = (np.float32, np.float64)


@dataclass(frozen=True)
class OptimizerSubject:
    """An optimiser, parameters, and a gradient like them."""

    opt: Optimizer
    params: Tree
    grads: Tree

    def inputs(self, dtype: Any = np.float64) -> tuple[Tree, Tree, Tree]:
        """(grads, state after one step, params), in a dtype, read-only."""
        grads, params = floating_as((self.grads, self.params), dtype)
        params, state = update(self.opt, grads, self.opt.init(params), params)
        return grads, state, params


def purity(subject: OptimizerSubject) -> None:
    """init and update, and the two methods on vectors, change no argument, no global generator and no global setting.

    The moments that `update_flat` returns are made read-only: they must be fresh, not the gradient.
    """
    opt = subject.opt
    grads, state, params = subject.inputs()
    check_pure(lambda params: opt.init(params), params=params)
    check_pure(lambda grads, state, params: update(opt, grads, state, params), grads=grads, state=state, params=params)
    # which sees copies of the trees only: train_step gives the vectors themselves
    segments, step = state.layout.segments, state.step
    g, p = (state.layout.pack(leaves(tree)) for tree in (grads, params))
    check_pure(lambda params: opt.init_flat(params, segments), params=p)
    check_pure(
        lambda grads, slots, params: opt.update_flat(grads, slots, params, step, segments),
        grads=g,
        slots=dict(state.slots),
        params=p,
    )


def determinism(subject: OptimizerSubject) -> None:
    """init and update give the same bits for the same arguments."""
    grads, state, params = subject.inputs()
    where = unlike(subject.opt.init(params), subject.opt.init(params))
    assert not where, f"two calls of init differ: {where}"
    where = unlike(*[update(subject.opt, grads, state, params) for _ in range(2)])
    assert not where, f"two updates with the same arguments differ: {where}; what changes belongs into the slots"


def dtype(subject: OptimizerSubject) -> None:
    """Parameters, moments and delta keep dtype and shape, in float32 and in float64."""
    for precision in _PRECISIONS:
        grads, state, params = subject.inputs(precision)
        new, after = update(subject.opt, grads, state, params)
        assert show(new) == show(params), f"the new parameters are {show(new)}, expected {show(params)}"
        check_floats("the state", after, precision, "parameters")
        g, p = (state.layout.pack(leaves(tree)) for tree in (grads, params))
        delta = subject.opt.update_flat(g, state.slots, p, state.step, state.layout.segments)[0]
        check_floats("the delta", delta, precision, "parameters")


def state_threading(subject: OptimizerSubject) -> None:
    """update counts its steps, and returns the moments that init made, by name, shape and dtype."""
    for precision in _PRECISIONS:
        grads, params = floating_as((subject.grads, subject.params), precision)
        state = subject.opt.init(params)
        for step in range(3):
            assert state.step == step, f"after {step} updates state.step is {state.step}"
            after: Any
            params, after = update(subject.opt, grads, state, params)
            assert show(after.slots) == show(state.slots), (
                f"the moments that come out are {show(after.slots)}, but those that went in are {show(state.slots)}"
            )
            state = after


def aliasing(subject: OptimizerSubject) -> None:
    """update_flat returns a delta that shares no memory with anything, and moments that share none with grads or params."""
    grads, state, params = subject.inputs()
    layout = state.layout
    g, p = (layout.pack(leaves(tree)).copy() for tree in (grads, params))
    delta, slots = subject.opt.update_flat(g, dict(state.slots), p, state.step, layout.segments)
    for what, given in (("grads", g), ("params", p), ("the moments", slots)):
        assert not shares(delta, given), f"the delta shares memory with {what}; return a new vector"
    for what, given in (("grads", g), ("params", p)):
        where = shares(slots, given)
        assert not where, f"the new moments share memory with {what}: {where}; keep a copy"


def leaf_independence(subject: OptimizerSubject) -> None:
    """A leaf is updated as if it were alone: no leaf sees another."""
    grads, _, params = subject.inputs()
    whole = update(subject.opt, grads, subject.opt.init(params), params)[0]
    for i, (p, g, expected) in enumerate(zip(leaves(params), leaves(grads), leaves(whole), strict=True)):
        where = unlike(update(subject.opt, g, subject.opt.init(p), p)[0], expected, rtol=1e-12, atol=1e-15)
        assert not where, f"leaf {i} alone gets another update than among the others: {where}"


def descent(subject: OptimizerSubject) -> None:
    """A hundred steps on a parabola of curvatures 1 to 5 end lower than they began."""
    curvature, target = np.arange(1, 6, dtype=np.float64), np.linspace(-1, 1, 5)
    params = np.full(5, 2.0)
    state = subject.opt.init(params)

    def height(p: Any) -> float:
        return float(np.sum(curvature * (p - target) ** 2) / 2)

    start = height(params)
    for _ in range(100):
        params, state = update(subject.opt, curvature * (params - target), state, params)
    end = height(params)
    assert end < start, (
        f"it went from {start:.4g} to {end:.4g}; is the sign of the update right (delta is what is added), and is the "
        "learning rate below 2 / 5?"
    )


def pickling(subject: OptimizerSubject) -> None:
    """Optimiser and state pickle, to an optimiser that is equal, has the same hash and goes on with the same bits."""
    grads, state, params = subject.inputs()
    opt = check_spec_pickles("the optimizer", subject.opt)
    where = unlike(update(subject.opt, grads, state, params), update(opt, grads, pickled("the state", state), params))
    assert not where, f"the copy goes on differently: {where}"


OPTIMIZER_LAWS: Mapping[str, Law[OptimizerSubject]] = MappingProxyType(
    {
        "purity": purity,
        "determinism": determinism,
        "state": state_threading,
        "dtype": dtype,
        "aliasing": aliasing,
        "leaf independence": leaf_independence,
        "descent": descent,
        "pickling": pickling,
    }
)


def check_optimizer(
    opt: Optimizer,
    params: PyTree = None,
    *,
    laws: Collection[str] | None = None,
    skip: Collection[str] = (),
    seed: int = 0,
) -> tuple[str, ...]:
    """Check that an optimiser keeps fnn's laws, on `params` (by default a small tree) and random gradients.

    `laws` and `skip` choose from `OPTIMIZER_LAWS`, as for `check_layer`: skip "leaf independence" for one that looks at the
    norm of the whole gradient.

    Raises AssertionError that names the law, what was found and what to do; ValueError for a law that doesn't exist.

    >>> import fnn
    >>> check_optimizer(fnn.Adam(0.05), laws=("purity", "descent"))
    ('purity', 'descent')
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    tree: Any = params
    if tree is None:
        tree = {
            "weight": rng.standard_normal((3, 4)),
            "rest": (rng.standard_normal(4), None, np.asarray(rng.standard_normal())),
        }
    grads = map(lambda p: np.asarray(rng.standard_normal(p.shape), p.dtype), tree)
    subject = OptimizerSubject(opt, tree, grads)
    return check_laws("check_optimizer", repr(opt), OPTIMIZER_LAWS, subject, only=laws, skip=skip)
