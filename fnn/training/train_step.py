"""train_step: loss, gradient and update composed into one pure function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeAlias, TypeVar, overload

import numpy as np

from fnn.arrays import Array1, Scalar, Value, is_frozen, reuse_large_blocks
from fnn.autodiff import debug
from fnn.autodiff.transforms import detach, differentiate
from fnn.functional.checks import check_int
from fnn.mode import Mode, Train
from fnn.optim.optimizer import Optimizer, check_is_optimizer, updater
from fnn.optim.state import OptState
from fnn.promises import ignores_mode
from fnn.training.plan import Planned, Shapes, gradient_of, planned_parts, planned_step, shapes_of, updated
from fnn.training.train_state import P, S, TrainState, stepped
from fnn.tree import Record, freeze, show
from fnn.tree import leaves as leaves_of

if TYPE_CHECKING:
    from fnn.training.parts import Parts

Aux = TypeVar("Aux")
Batch = ParamSpec("Batch")
Stepped = TypeVar("Stepped")
Result = TypeVar("Result")


@overload
def train_step(
    loss: Callable[Concatenate[P, S, Train, Batch], tuple[Scalar, S]],
    opt: Optimizer,
    /,
    *,
    has_aux: Literal[False] = False,
    threads: int = 1,
) -> Callable[Concatenate[TrainState[P, S], Batch], tuple[TrainState[P, S], Scalar]]: ...
@overload
def train_step(
    loss: Callable[Concatenate[P, S, Train, Batch], tuple[Scalar, tuple[S, Aux]]],
    opt: Optimizer,
    /,
    *,
    has_aux: Literal[True],
) -> Callable[Concatenate[TrainState[P, S], Batch], tuple[TrainState[P, S], tuple[Scalar, Aux]]]: ...
def train_step(loss: Callable[..., Any], opt: Optimizer, /, *, has_aux: bool = False, threads: int = 1) -> Callable[..., Any]:
    """A pure function `step(ts, *batch) -> (new ts, loss)`: one update of a TrainState.

    loss is a pure function (params, state, mode, *batch) -> (scalar, new state), or with has_aux=True -> (scalar, (new
    state, aux)), and then the step gives (new ts, (scalar, aux)). The mode is Train(ts.key.fold(ts.step)), the first with
    step 0: randomness is a function of the TrainState, so that a run can be stopped and resumed with the same bits.

    The loss that is returned is that before the update.

    With threads=n each batch is cut into n parts of nearly equal size along the first axis of its arrays; their gradients are
    computed at the same time, part i in mode.fold(i), and the step takes their mean, weighted by rows. For a loss that is a
    mean over examples that is the gradient of the batch, up to rounding; the bits are the same each time. The state must not
    change, as batch norm's does. It pays for steps of some milliseconds; begin the process with OPENBLAS_NUM_THREADS=1, so that
    the threads of each product do not get in the way.

    Raises ValueError or TypeError where the parameters do not fit the optimiser's state, and where loss returns
    something else; ValueError for threads together with has_aux, because each part would have an aux of its own.

    >>> import fnn
    >>> def loss(w: fnn.Array1, state: None, mode: fnn.Mode, x: fnn.Array1) -> tuple[fnn.Scalar, None]:
    ...     return np.mean((w - x) ** 2), state
    >>> opt = fnn.Sgd(0.5)
    >>> step = train_step(loss, opt)
    >>> ts, value = step(fnn.train_state(np.zeros(2), None, opt, fnn.key(0)), np.ones(2))
    >>> value, ts.params, ts.step
    (np.float64(1.0), array([0.5, 0.5]), 1)
    """
    if not callable(loss):
        raise TypeError(
            f"train_step: the loss is {loss!r}, expected a function; of a model write fnn.supervised(model, criterion)"
        )
    check_is_optimizer("train_step", opt)
    parts = _parts(check_int("train_step", "threads", threads), has_aux)
    reuse_large_blocks()
    apply = updater(opt)
    gradient = None if has_aux else gradient_of(loss)
    plan: Planned | None = None
    if gradient is not None:
        plan = planned_step(gradient, opt) if parts is None else planned_parts(gradient, apply, parts)
    no_mode = ignores_mode(loss, "__call__")
    last: _Last | None = None  # only a cache; a step reads it once, so that no other thread changes it under way

    def step(ts: TrainState[Any, Any], /, *batch: Any, **options: Any) -> Any:
        nonlocal last, plan
        if not isinstance(ts, TrainState):
            raise TypeError(
                f"train_step: the first argument is a {type(ts).__name__}, expected a TrainState, as fnn.start or "
                "fnn.train_state makes it"
            )
        remembered, before = last, ts.state
        made, leaves, vector, known, root = (
            remembered if remembered is not None and _goes_on(ts, remembered[0]) else _looked_at(ts)
        )
        if made.state is not before:
            known = _NONE
        if root.key is not ts.key:
            root = Train(ts.key)
        mode = root if no_mode else root.fold(ts.step)
        given = None if plan is None or options else shapes_of(batch)
        planner = plan if given in known and not debug.is_active() else None
        aux = None
        done = None if planner is None else planner(ts, leaves, vector, mode, batch)
        if done is None:
            by_tape = partial(_by_tape, loss, has_aux, ts, leaves)
            value, state, grads, aux = (
                by_tape(mode, batch, options) if parts is None else parts.mean(by_tape, before, mode, batch, options)  # type: ignore[misc]  # never None
            )
            done = updated(apply, ts.opt.layout.views, grads, ts, vector, value, state)
            if planner is not None:  # only the plan runs into an error: a layer that it does not suit
                plan = None
            elif given is not None:
                known = known | {given} if len(known) < _MOST_SHAPES else frozenset({given})
        value, new, leaves, vector = done
        if new.state is not before and not _same_kind(before, new.state):
            new, is_like = _settled(before, new, leaves)
            known = known if is_like else _NONE
        last = (new, leaves, vector, known, root)
        return new, ((value, aux) if has_aux else value)

    return step


def _parts(threads: int, has_aux: bool) -> Parts | None:
    """What computes in several threads; None for one."""
    if threads == 1:
        return None
    if has_aux:
        raise ValueError(f"train_step: with threads={threads} each part of a batch would have an aux of its own; leave one out")
    from fnn.training.parts import Parts  # noqa: PLC0415 (loads when it is used)

    return Parts(threads)


def _by_tape(
    loss: Callable[..., Any],
    has_aux: bool,
    ts: TrainState[Any, Any],
    leaves: list[Value],
    mode: Mode,
    batch: Sequence[Any],
    options: dict[str, Any],
) -> tuple[Any, Any, Array1, Any]:
    """(loss, new state, gradient, aux) of any loss."""
    layout = ts.opt.layout
    try:
        found = differentiate("train_step", loss, layout.structure, leaves, (ts.state, mode, *batch), options, has_aux=True)
    except TypeError as error:
        at = error.__traceback__
        while at is not None and at.tb_next is not None:
            at = at.tb_next
        if at is not None and at.tb_frame.f_code is differentiate.__code__:  # by the call itself, not by something in it
            error.add_note("train_step: a loss is called as loss(params, state, mode, *batch), and gives (loss, state)")
        raise
    state, aux = _state_and_aux(found.aux) if has_aux else (found.aux, None)
    aux = detach(aux, found.tape)
    if state is not ts.state:
        state = detach(state, found.tape, freeze=True)
        _check_state(ts.state, state)
    grads = [np.zeros(leaf.shape, leaf.dtype) if g is None else g for leaf, g in zip(leaves, found.leaves, strict=True)]
    return found.loss, state, layout.pack(grads), aux


# What the last step made: the new TrainState, the leaves of its parameters, and the vector they are views of; shapes and dtypes
# of batches that ordinary steps have taken, one after the other, for parameters and a state like these; and training with its
# key. The next step need not check them again.
_Last: TypeAlias = "tuple[TrainState[Any, Any], list[Value], Array1, _Known, Train]"
_Known: TypeAlias = frozenset[Shapes | None]
_NONE: _Known = frozenset()
_MOST_SHAPES = 1_000


def _looked_at(ts: TrainState[Any, Any]) -> _Last:
    """The same of a TrainState that the last step did not make."""
    if not isinstance(ts.opt, OptState):
        raise TypeError(
            f"train_step: the TrainState's opt is {show(ts.opt)}, expected the state of an optimizer; to go on with another, "
            "make its step and replace(ts, opt=new_opt.init(ts.params))"
        )
    layout = ts.opt.layout
    leaves = layout.leaves_of("train_step", "the parameters", ts.params)
    return ts, leaves, layout.vector_of(leaves), _NONE, Train(ts.key)


def _goes_on(ts: TrainState[Any, Any], made: TrainState[Any, Any]) -> bool:
    """Whether the parameters are those that a step made; something else may have been replaced."""
    if ts is not made and (ts.opt.__class__ is not OptState or ts.params is not made.params):
        return False
    layout = made.opt.layout
    return layout.structure.immutable and ts.opt.layout is layout


def _same_kind(before: Any, after: Any) -> bool:
    """Whether a state has the kind and shapes of another, and is read-only; where it says no, a closer look may say yes."""
    if after is before:
        return True
    cls = after.__class__
    if cls is not before.__class__:
        return False
    if cls is np.ndarray:
        return after.dtype is before.dtype and after.shape == before.shape and is_frozen(after)
    if cls is tuple and len(after) == len(before):
        pairs = zip(before, after, strict=True)
    elif isinstance(after, Record):
        pairs = zip(vars(before).values(), [vars(after)[name] for name in vars(before)], strict=True)
    else:
        return False
    for a, b in pairs:  # noqa: SIM110 (a loop is twice as fast as all())
        if a is not b and not _same_kind(a, b):
            return False
    return True


def _state_and_aux(made: Any) -> tuple[Any, Any]:
    if not (isinstance(made, tuple) and len(made) == 2):
        raise TypeError(f"train_step: with has_aux=True the loss must return (loss, (state, aux)), got {show(made)}")
    return made


def _settled(before: Any, new: TrainState[Any, Any], leaves: list[Value]) -> tuple[TrainState[Any, Any], bool]:
    """A new TrainState whose state may be unlike that before: with the state read-only, and whether its shapes are the same."""
    state = freeze(new.state)
    is_like = _check_state(before, state)
    return (new if state is new.state else stepped(leaves, state, new.opt, new.key, new.step)), is_like


def _check_state(before: Any, after: Any) -> bool:
    """TypeError where a loss returns a state of another kind than it was given; else whether its shapes are the same too."""
    old, new = leaves_of(before), leaves_of(after)
    unlike = type(before) is not type(after) or (isinstance(after, tuple) and len(before) != len(after))
    if unlike or [leaf.dtype for leaf in old] != [leaf.dtype for leaf in new]:
        raise TypeError(
            f"train_step: the loss returned the state {show(after)} for {show(before)}, which is of another kind or dtype; "
            "if it returns (loss, (state, aux)), say has_aux=True"
        )
    return [leaf.shape for leaf in old] == [leaf.shape for leaf in new]


def repeat(
    n: int,
    step: Callable[Concatenate[Stepped, Batch], tuple[Stepped, Result]],
    ts: Stepped,
    /,
    *batch: Batch.args,
    **options: Batch.kwargs,
) -> tuple[Stepped, list[Result]]:
    """n steps on the same batch: the last TrainState, and what each step gave.

    >>> import fnn
    >>> fnn.repeat(3, lambda total, x: (total + x, total), 0, 5)
    (15, [0, 5, 10])
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or not callable(step):
        raise TypeError(f"repeat: n is {show(n)} and the step {show(step)}; write fnn.repeat(n, step, ts, *batch)")
    check_int("repeat", "n", n, 0)
    results = []
    for _ in range(n):
        ts, result = step(ts, *batch, **options)
        results.append(result)
    return ts, results
