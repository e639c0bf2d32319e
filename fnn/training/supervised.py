"""The loss of a model on pairs of inputs and targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, overload

import numpy as np

from fnn.arrays import Array2, Scalar, Value
from fnn.layers.layer import Layer, check_layer, is_layer
from fnn.layers.pullback import bind, vjp_of_function
from fnn.mode import Mode
from fnn.promises import ignores_mode
from fnn.training.train_state import P, S

In = TypeVar("In")
Prediction = TypeVar("Prediction")
Target = TypeVar("Target")


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

    A criterion with options is best given by functools.partial: unlike a function of one's own, it needs no tape.

    >>> import fnn
    >>> step = fnn.train_step(fnn.supervised(fnn.Dense(2, 1), fnn.mse), fnn.Adam(1e-3))
    >>> from functools import partial
    >>> smooth = partial(fnn.cross_entropy, label_smoothing=0.1)
    >>> step = fnn.train_step(fnn.supervised(fnn.Dense(2, 3), smooth), fnn.Adam(1e-3))
    """
    if is_layer(criterion) and not is_layer(model):
        raise TypeError("supervised: the model comes first and then the criterion; are they swapped?")
    check_layer("supervised", model)
    # by its methods, which takes no loading of their room; a criterion may have some of these names too
    is_metric = all([hasattr(criterion, name) for name in ("init", "measure", "merge", "compute")])
    if not callable(criterion) or isinstance(criterion, type) or is_metric:
        hint = "; a metric is measured by fnn.evaluate" if is_metric else ""
        raise TypeError(f"supervised: the criterion is {criterion!r}, expected a function, as fnn.mse{hint}")
    return Supervised(model, criterion)


@dataclass(frozen=True)
class Supervised:
    """The loss of a model. Made by `supervised`."""

    model: Layer[Any, Any, Any, Any]
    criterion: Callable[..., Any]

    def __call__(self, params: Any, state: Any, mode: Mode, /, *batch: Any) -> tuple[Scalar, Any]:
        """(loss, new state) of a batch (x, target)."""
        if len(batch) != 2:
            raise TypeError(
                f"supervised: a batch is x and target, as in step(ts, x, target), got {len(batch)} value(s) in their place"
            )
        x, target = batch
        prediction, state = self.model.forward(params, state, x, mode)
        return self.criterion(prediction, target), state

    def bind(self, into: Any, /) -> Callable[..., tuple[Scalar, Any]]:
        """(leaves, state, mode, x, target) to (loss, new state); the gradient goes into `into`, a tree like params."""
        of_model, of_criterion = bind(self.model, into, False), vjp_of_function(self.criterion)

        def run(leaves: Sequence[Value], state: Any, mode: Mode, x: Any, target: Any) -> tuple[Scalar, Any]:
            prediction, state, through_model = of_model(leaves, state, x, mode)
            loss: Value
            loss, through_criterion = of_criterion(prediction, target)
            if loss.ndim:
                raise ValueError("the loss is not a scalar")
            if loss.__class__ is np.ndarray:
                loss = loss[()]
            through_model(through_criterion(_one(loss.dtype)))
            return loss, state

        return run

    @property
    def ignores_mode(self) -> bool:
        """Whether the model does: for train_step."""
        return ignores_mode(self.model, "forward")


@cache
def _one(dtype: np.dtype[Any]) -> Scalar:
    """The cotangent of a loss."""
    one: Scalar = dtype.type(1)
    return one
