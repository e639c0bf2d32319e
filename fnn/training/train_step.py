"""train_step: loss, gradient and update composed into one pure function; and the loss of a supervised model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, overload

import numpy as np

from fnn.arrays import Array2, Scalar, Value
from fnn.autodiff.transforms import detach, differentiate
from fnn.layers.layer import Layer, check_layer, is_layer
from fnn.mode import Mode, Train
from fnn.optim.optimizer import Optimizer, apply_flat, check_is_optimizer
from fnn.training.train_state import P, S, TrainState
from fnn.tree import leaves as leaves_of
from fnn.tree import show

Aux = TypeVar("Aux")
Batch = ParamSpec("Batch")
In = TypeVar("In")
Prediction = TypeVar("Prediction")
Target = TypeVar("Target")
Stepped = TypeVar("Stepped")
Result = TypeVar("Result")


@overload
def train_step(
    loss: Callable[Concatenate[P, S, Train, Batch], tuple[Scalar, S]],
    opt: Optimizer,
    /,
    *,
    has_aux: Literal[False] = False,
) -> Callable[Concatenate[TrainState[P, S], Batch], tuple[TrainState[P, S], Scalar]]: ...
@overload
def train_step(
    loss: Callable[Concatenate[P, S, Train, Batch], tuple[Scalar, tuple[S, Aux]]],
    opt: Optimizer,
    /,
    *,
    has_aux: Literal[True],
) -> Callable[Concatenate[TrainState[P, S], Batch], tuple[TrainState[P, S], tuple[Scalar, Aux]]]: ...
def train_step(loss: Callable[..., Any], opt: Optimizer, /, *, has_aux: bool = False) -> Callable[..., Any]:
    """A pure function `step(ts, *batch) -> (new ts, loss)`: one update of a TrainState.

    loss is a pure function (params, state, mode, *batch) -> (scalar, new state), or with has_aux=True -> (scalar, (new
    state, aux)), and then the step gives (new ts, (scalar, aux)). The mode is Train(ts.key.fold(ts.step)), the first with
    step 0: randomness is a function of the TrainState, so that a run can be stopped and resumed with the same bits.

    The loss that is returned is that before the update.

    Raises ValueError or TypeError where the parameters do not fit the optimiser's state, and where loss returns
    something else.

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
    # What the last step made: its parameters, their leaves and the vector they are views of. Only a cache: parameters
    # that come from elsewhere are packed anew. One name bound to one tuple, so that threads cannot see half of it.
    last: tuple[Any, list[Value], Value] = (object(), [], None)

    def step(ts: TrainState[Any, Any], /, *batch: Any, **options: Any) -> Any:
        nonlocal last
        if not isinstance(ts, TrainState):
            raise TypeError(
                f"train_step: the first argument is a {type(ts).__name__}, expected a TrainState, as fnn.start or "
                "fnn.train_state makes it"
            )
        opt_state = ts.opt
        layout = opt_state.layout
        params, leaves, vector = last
        if params is not ts.params or not layout.structure.immutable:
            leaves = layout.leaves_of("train_step", "the parameters", ts.params)
            vector = layout.pack(leaves)
        mode = Train(ts.key).fold(ts.step)
        found = differentiate("train_step", loss, layout.structure, leaves, (ts.state, mode, *batch), options, has_aux=True)
        if has_aux and not (isinstance(found.aux, tuple) and len(found.aux) == 2):
            raise TypeError(f"train_step: with has_aux=True the loss must return (loss, (state, aux)), got {show(found.aux)}")
        state, aux = found.aux if has_aux else (found.aux, None)
        if state is not ts.state:
            state = detach(state, found.tape, freeze=True)
            _check_state(ts.state, state)
        grads = layout.pack(
            [np.zeros(leaf.shape, leaf.dtype) if g is None else g for leaf, g in zip(leaves, found.leaves, strict=True)]
        )
        vector, new_opt = apply_flat(opt, grads, opt_state, vector)
        leaves = layout.views(vector)
        params = layout.structure.unflatten(leaves)
        last = (params, leaves, vector)
        new: Any = object.__new__(TrainState)
        new.__dict__.update(params=params, state=state, opt=new_opt, key=ts.key, step=ts.step + 1)
        return new, ((found.loss, detach(aux, found.tape)) if has_aux else found.loss)

    return step


def _check_state(before: Any, after: Any) -> None:
    """TypeError where a loss returns a state of another kind than it was given."""
    old, new = leaves_of(before), leaves_of(after)
    unlike = type(before) is not type(after) or (isinstance(after, tuple) and len(before) != len(after))
    if unlike or [leaf.dtype for leaf in old] != [leaf.dtype for leaf in new]:
        raise TypeError(
            f"train_step: the loss returned the state {show(after)} for {show(before)}, which is of another kind or dtype; "
            "if it returns (loss, (state, aux)), say has_aux=True"
        )


@overload
def supervised(  # type: ignore[overload-overlap]  # rank 2 first, so that a Dense at both ends is solved as [batch, n]
    model: Layer[Array2, Array2, P, S], criterion: Callable[[Array2, Target], Scalar], /
) -> Callable[[P, S, Mode, Array2, Target], tuple[Scalar, S]]: ...
@overload
def supervised(
    model: Layer[In, Prediction, P, S], criterion: Callable[[Prediction, Target], Scalar], /
) -> Callable[[P, S, Mode, In, Target], tuple[Scalar, S]]: ...
def supervised(model: Any, criterion: Any, /) -> Any:
    """The loss of a model on (x, target) pairs, for `train_step`: criterion(model(x), target), and the new state.

    >>> import fnn
    >>> step = fnn.train_step(fnn.supervised(fnn.Dense(2, 1), fnn.mse), fnn.Adam(1e-3))
    """
    if is_layer(criterion) and not is_layer(model):
        raise TypeError("supervised: the model comes first and then the criterion; are they swapped?")
    check_layer("supervised", model)
    if not callable(criterion):
        raise TypeError(f"supervised: the criterion is {criterion!r}, expected a function, as fnn.mse")
    run = model.forward

    def loss(params: Any, state: Any, mode: Mode, x: Any, target: Any, /) -> Any:
        prediction, state = run(params, state, x, mode)
        return criterion(prediction, target), state

    return loss


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
    results = []
    for _ in range(n):
        ts, result = step(ts, *batch, **options)
        results.append(result)
    return ts, results
