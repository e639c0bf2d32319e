"""check_layer: the laws of layers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from fnn.autodiff.transforms import grad, vjp
from fnn.layers.layer import Layer, init
from fnn.mode import EVAL, Mode, Train
from fnn.random import key
from fnn.testing.gradients import check_grads
from fnn.testing.laws import (
    Law,
    Tree,
    batch_size,
    broken,
    check_floats,
    check_laws,
    check_pure,
    check_spec_pickles,
    floating_as,
    pickled,
    rows_of,
    shares,
    unlike,
    without_fixed_points,
    writable,
)
from fnn.tree import leaves, map, paths, show

In = TypeVar("In")
Out = TypeVar("Out")
P = TypeVar("P")
S = TypeVar("S")

_PRECISIONS: tuple[Any, ...] = (np.float32, np.float64)


@dataclass(frozen=True)
class LayerSubject:
    """A layer with parameters and state in general position, in float64, an example input, and the modes to look at."""

    layer: Any
    params: Tree
    state: Tree
    x: Tree
    modes: Mapping[str, Mode]
    seed: int
    order: int

    def forward(self, params: Tree, state: Tree, x: Tree, mode: Mode) -> Tree:
        """The layer's own forward: (y, state)."""
        return self.layer.forward(params, state, x, mode)

    def inputs(self, dtype: Any = np.float64) -> tuple[Tree, Tree, Tree]:
        """(params, state, x) in a dtype, read-only."""
        given: tuple[Tree, Tree, Tree] = floating_as((self.params, self.state, self.x), dtype)
        return given

    @cached_property
    def draws(self) -> bool:
        """Whether the output in training depends on the key."""
        first, *others = [self.forward(*self.inputs(), Train(key(k)))[0] for k in range(8)]
        return any(unlike(first, y) for y in others)


def _train(seed: int) -> Train:
    return Train(key(seed).fold(1))


def init_law(subject: LayerSubject) -> None:
    """init is a pure function of the key, and makes float32 leaves.

    All of the randomness of a run is in its root key; and float64 leaves would silently widen every activation behind them.
    """
    layer, k = subject.layer, key(subject.seed)
    check_pure(lambda: layer.init(k))
    first = layer.init(k)
    assert isinstance(first, tuple) and len(first) == 2, f"init returned {show(first)}, expected (params, state)"  # noqa: PT018
    where = unlike(first, layer.init(k))
    assert not where, f"two calls with the same key differ: {where}"
    for path, leaf in paths(first[0]):
        assert leaf.dtype.kind == "f", f"params{path} is {leaf.dtype}: parameters are floating; put counters into the state"
    for path, leaf in paths(first):
        assert leaf.dtype.kind != "f" or leaf.dtype == np.float32, f"(params, state){path} is {leaf.dtype}, expected float32"


def purity(subject: LayerSubject) -> None:
    """forward changes no argument, no global generator and no global setting."""
    params, state, x = subject.inputs()
    for mode in subject.modes.values():
        check_pure(lambda params, state, x, mode=mode: subject.forward(params, state, x, mode), params=params, state=state, x=x)


def determinism(subject: LayerSubject) -> None:
    """forward gives the same bits for the same arguments; randomness comes from the key of the mode alone."""
    for name, mode in subject.modes.items():
        given = subject.inputs()
        where = unlike(subject.forward(*given, mode), subject.forward(*given, mode))
        assert not where, f"two calls in {name} mode with the same arguments differ: {where}; keep no generator in the layer"


def state_threading(subject: LayerSubject) -> None:
    """forward returns (y, state), with a state of the structure, shapes and dtypes of the one that it was given."""
    for name, mode in subject.modes.items():
        params, state, x = subject.inputs()
        result = subject.forward(params, state, x, mode)
        assert isinstance(result, tuple) and len(result) == 2, (  # noqa: PT018
            f"in {name} mode forward returned {show(result)}, expected (y, state)"
        )
        assert show(result[1]) == show(state), (
            f"in {name} mode the state that comes out is {show(result[1])}, but the one that went in is {show(state)}; "
            "return it as it is where it does not change"
        )


def mode_law(subject: LayerSubject) -> bool:
    """Evaluation leaves the state as it is."""
    for mode in subject.modes.values():
        if mode == EVAL:
            params, state, x = subject.inputs()
            where = unlike(state, subject.forward(params, state, x, mode)[1])
            assert not where, f"the state changed in evaluation: {where}; update it where isinstance(mode, fnn.Train)"
            return True
    return False


def dtype(subject: LayerSubject) -> bool:
    """Outputs and state have the dtype of parameters and input, in float32 and in float64."""
    if not any(leaf.dtype.kind == "f" for leaf in leaves((subject.params, subject.x))):
        return False
    for precision in _PRECISIONS:
        for mode in subject.modes.values():
            given = subject.inputs(precision)
            y, state = subject.forward(*given, mode)
            check_floats("the output", y, precision, "parameters and input")
            check_floats("the state", state, precision, "parameters and input")
    return True


def aliasing(subject: LayerSubject) -> None:
    """The output is not a view of an argument, nor the new state of the input, the parameters or the output."""
    for name, mode in subject.modes.items():
        params, state, x = subject.inputs()
        y, after = subject.forward(params, state, x, mode)
        for what, other in (("x", x), ("params", params), ("state", state)):
            where = shares(y, other)
            assert not where, f"in {name} mode the output shares memory with {what}: {where}; return a new array"
        for what, other in (("x", x), ("params", params), ("the output", y)):
            where = shares(after, other)
            assert not where, f"in {name} mode the new state shares memory with {what}: {where}; keep a copy"


def gradient_shapes(subject: LayerSubject) -> bool:
    """Gradients have the structure, shapes and dtypes of parameters and input, and are the same bits on every call."""
    for precision in _PRECISIONS:
        for name, mode in subject.modes.items():
            primal, f = _differentiable(subject, mode, precision)
            if not leaves(primal):
                return False
            y, pullback = vjp(f, primal)
            ones = map(lambda leaf: np.ones_like(leaf), y)
            grads = pullback(ones)
            assert show(grads) == show(primal), (
                f"in {name} mode the gradients are {show(grads)}, expected those of the primal, {show(primal)}"
            )
            where = unlike(grads, vjp(f, primal)[1](ones))
            assert not where, f"in {name} mode two gradients of the same arguments differ: {where}"
    return True


def gradients(subject: LayerSubject) -> bool:
    """Gradients by parameters and input agree with finite differences, at every order asked for."""
    for name, mode in subject.modes.items():
        primal, f = _differentiable(subject, mode, np.float64)
        if not leaves(primal):
            return False
        try:
            check_grads(f, primal, order=subject.order, seed=subject.seed)
        except AssertionError as error:
            raise AssertionError(f"in {name} mode, with args[0] = {{'params', 'x'}}: {error}") from error
    return True


def _differentiable(subject: LayerSubject, mode: Mode, precision: Any) -> tuple[Tree, Any]:
    """What can be differentiated of (params, x), by name, and the output as a function of it."""
    params, state, x = subject.inputs(precision)
    primal = {
        name: tree
        for name, tree in (("params", params), ("x", x))
        if leaves(tree) and all(leaf.dtype.kind == "f" for leaf in leaves(tree))
    }
    return primal, lambda p: subject.forward(p.get("params", params), state, p.get("x", x), mode)[0]


def batch_permutation(subject: LayerSubject) -> bool:
    """Other orders of the batch (the first axis) give the same rows in that order, and the same state and gradients.

    Of a layer that draws, in evaluation only: its mask belongs to the place in the batch, not to the example.
    """
    params, state, x = subject.inputs()
    n = batch_size(x)
    if n < 2:
        return False
    order = without_fixed_points(n, subject.seed)
    said = False
    for name, mode in subject.modes.items():
        if subject.draws and mode != EVAL:
            continue
        said = True
        (y, after), (z, after2) = (subject.forward(params, state, rows, mode) for rows in (x, rows_of(x, order)))
        assert batch_size(y) == n, f"in {name} mode the output is {show(y)}, expected {n} rows, those of x, {show(x)}"
        where = unlike(rows_of(y, order), z, rtol=1e-8, atol=1e-10)
        assert not where, f"in {name} mode the output depends on the order of the batch: {where}"
        where = unlike(after, after2, rtol=1e-8, atol=1e-10)
        assert not where, f"in {name} mode the new state depends on the order of the batch: {where}"
        if leaves(params):

            def f(p: Tree, rows: Tree, mode: Mode = mode) -> Any:
                return sum([np.sum(np.tanh(leaf)) for leaf in leaves(subject.forward(p, state, rows, mode)[0])])

            where = unlike(grad(f)(params, x), grad(f)(params, rows_of(x, order)), rtol=1e-7, atol=1e-9)
            assert not where, f"in {name} mode the gradient by the parameters depends on the order of the batch: {where}"
    return said


def row_independence(subject: LayerSubject) -> bool:
    """In evaluation a part of the batch gives the same rows as the whole: a prediction does not depend on its neighbours."""
    params, state, x = subject.inputs()
    n = batch_size(x)
    if n < 2 or EVAL not in subject.modes.values():
        return False
    for part in (slice(n // 2), slice(n // 2, n)):
        whole, alone = (subject.forward(params, state, given, EVAL)[0] for given in (x, rows_of(x, part)))
        assert batch_size(whole) == n, f"the output is {show(whole)}, expected {n} rows, those of x, {show(x)}"
        where = unlike(rows_of(whole, part), alone, rtol=1e-8, atol=1e-10)
        assert not where, (
            f"rows {part.start or 0} to {part.stop - 1} alone give another output than within the batch: {where}; statistics "
            "of the batch belong to training, in evaluation take those of the state"
        )
    return True


def pickling(subject: LayerSubject) -> None:
    """Layer, parameters and state pickle, to a layer that is equal, has the same hash and gives the same output."""
    params, state, x = subject.inputs()
    layer = check_spec_pickles("the layer", subject.layer)
    params2, state2 = pickled("params or state", (params, state))
    for name, mode in subject.modes.items():
        where = unlike(subject.forward(params, state, x, mode), layer.forward(params2, state2, x, mode))
        assert not where, f"in {name} mode the copy gives another result: {where}"


LAYER_LAWS: Mapping[str, Law[LayerSubject]] = MappingProxyType(
    {
        "init": init_law,
        "purity": purity,
        "determinism": determinism,
        "state": state_threading,
        "mode": mode_law,
        "dtype": dtype,
        "aliasing": aliasing,
        "gradient shapes": gradient_shapes,
        "gradients": gradients,
        "batch permutation": batch_permutation,
        "row independence": row_independence,
        "pickling": pickling,
    }
)


def check_layer(
    layer: Layer[In, Out, P, S],
    *inputs: In,
    modes: Collection[Mode] | None = None,
    params: P | None = None,
    state: S | None = None,
    order: int = 2,
    laws: Collection[str] | None = None,
    skip: Collection[str] = (),
    seed: int = 0,
) -> tuple[str, ...]:
    """Check that a layer keeps fnn's laws, for each of the example inputs; the names of the laws that had something to say.

    An input is an array or a tree of them, batch first; three rows or more show most. The laws run in evaluation and in
    training mode (or in `modes`). Parameters are those of `init` moved a little at random, so that no weight is 0 or 1 by
    accident, and the state is that after one training step; `params` and `state` replace them where such ones make no sense.
    Gradients are checked up to `order`. `laws` names those to run (all of `LAYER_LAWS` by default), `skip` those to leave
    out: "batch permutation" and "row independence" for a layer that mixes examples, "aliasing" for one that may return its
    input.

    Raises AssertionError that names the law, what was found and what to do; ValueError for a law that doesn't exist, and
    without inputs or modes.

    >>> import fnn
    >>> check_layer(fnn.Dense(3, 2) >> fnn.tanh, np.ones((4, 3), np.float32), laws=("purity", "gradients"))
    ('purity', 'gradients')
    """
    if not inputs:
        raise ValueError(f"check_layer: no example input for {layer!r}; write check_layer(layer, x)")
    chosen = (EVAL, _train(seed)) if modes is None else tuple(modes)
    if not chosen:
        raise ValueError(f"check_layer: no modes for {layer!r}; leave them out for evaluation and training")
    held: set[str] = set()
    for x in inputs:
        subject = _subject(layer, x, chosen, params, state, order, seed)
        held |= set(check_laws("check_layer", f"{layer!r} on {show(subject.x)}", LAYER_LAWS, subject, only=laws, skip=skip))
    return tuple([law for law in LAYER_LAWS if law in held])


def _subject(
    layer: Any, x: Tree, modes: Collection[Mode], params: Tree | None, state: Tree | None, order: int, seed: int
) -> LayerSubject:
    """The layer with parameters near its initial ones, and the state after one training step."""
    rng = np.random.Generator(np.random.PCG64(seed))
    try:
        made: Tree = init(layer, key(seed))
    except Exception as error:
        raise broken("check_layer", repr(layer), "init", init_law, error) from error
    if params is None:
        params = map(lambda p: p + 0.1 * rng.standard_normal(p.shape), floating_as(made[0], np.float64))
    wide, before, x = floating_as((params, made[1] if state is None else state, x), np.float64)
    if state is None and leaves(before):
        try:
            after = layer.forward(writable(wide), writable(before), writable(x), _train(seed))[1]
        except Exception:  # a law will run into it too, and says what is wrong; as it will where forward drops the state
            after = None
        before = after if show(after) == show(before) else before
    return LayerSubject(layer, wide, before, x, _named(modes), seed, order)


def _named(modes: Collection[Mode]) -> dict[str, Mode]:
    """Modes by names for messages: several of a kind are numbered."""
    found: dict[str, Mode] = {}
    for mode in modes:
        kind = "evaluation" if mode == EVAL else "training"
        n = sum([name.startswith(kind) for name in found])
        found[f"{kind} {n + 1}" if n else kind] = mode
    return found
