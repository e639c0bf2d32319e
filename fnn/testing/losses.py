"""check_loss: the laws of losses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from fnn.arrays import Scalar
from fnn.autodiff.transforms import value_and_grad
from fnn.testing.gradients import check_grads
from fnn.testing.laws import (
    Law,
    Tree,
    batch_size,
    check_floats,
    check_laws,
    check_pure,
    floating_as,
    rows_of,
    unlike,
    without_fixed_points,
)
from fnn.tree import paths, show

Prediction = TypeVar("Prediction")
Target = TypeVar("Target")

_PRECISIONS: tuple[Any, ...] = (np.float32, np.float64)


@dataclass(frozen=True)
class LossSubject:
    """A loss, an example prediction and target, in float64."""

    loss: Callable[[Any, Any], Any]
    prediction: Tree
    target: Tree
    seed: int
    order: int

    def inputs(self, dtype: Any = np.float64) -> tuple[Tree, Tree]:
        """(prediction, target) in a dtype, read-only."""
        given: tuple[Tree, Tree] = floating_as((self.prediction, self.target), dtype)
        return given


def purity(subject: LossSubject) -> None:
    """The loss changes no argument, no global generator and no global setting."""
    prediction, target = subject.inputs()
    check_pure(lambda prediction, target: subject.loss(prediction, target), prediction=prediction, target=target)


def determinism(subject: LossSubject) -> None:
    """The loss gives the same bits for the same arguments, differentiated or not."""
    given = subject.inputs()
    first, second = subject.loss(*given), subject.loss(*given)
    assert first == second, f"two calls with the same arguments gave {first!r} and {second!r}"
    (value, grads), (_, again) = (value_and_grad(subject.loss)(*given) for _ in range(2))
    assert value == first, f"under grad the value is {value!r}, without it {first!r}"
    where = unlike(grads, again)
    assert not where, f"two gradients of the same arguments differ: {where}"


def scalar(subject: LossSubject) -> None:
    """The loss is one finite floating NumPy scalar."""
    value = subject.loss(*subject.inputs())
    assert isinstance(value, np.floating), (
        f"it returned {show(value)}, a {type(value).__name__}, expected a NumPy scalar; "
        "np.mean and np.sum over all axes give one"
    )
    assert np.isfinite(value), f"it returned {value!r}"


def dtype(subject: LossSubject) -> None:
    """The loss has the dtype of its arguments, in float32 and in float64."""
    for precision in _PRECISIONS:
        check_floats("the loss", subject.loss(*subject.inputs(precision)), precision, "prediction and target")


def gradient_shapes(subject: LossSubject) -> None:
    """The gradient has the structure, shapes and dtypes of the prediction, in float32 and in float64."""
    for precision in _PRECISIONS:
        prediction, target = subject.inputs(precision)
        grads = value_and_grad(subject.loss)(prediction, target)[1]
        assert show(grads) == show(prediction), f"the gradient is {show(grads)} for a prediction {show(prediction)}"


def gradients(subject: LossSubject) -> None:
    """Gradients by the prediction, and by a floating target, agree with finite differences, at every order asked for."""
    prediction, target = subject.inputs()
    # with a constant target, as in training, and with both on the tape
    check_grads(lambda p: subject.loss(p, target), prediction, order=subject.order, seed=subject.seed)
    check_grads(subject.loss, prediction, target, order=subject.order, seed=subject.seed)


def batch_permutation(subject: LossSubject) -> bool:
    """Other orders of the batch (the first axis) give the same loss, and the rows of the gradient in that order."""
    prediction, target = subject.inputs()
    n = batch_size(prediction, target)
    if n < 2:
        return False
    order = without_fixed_points(n, subject.seed)
    f = value_and_grad(subject.loss)
    (value, grads), (value2, grads2) = f(prediction, target), f(rows_of(prediction, order), rows_of(target, order))
    assert np.isclose(value, value2, rtol=1e-9, atol=1e-12), f"the loss depends on the order: {value!r} and {value2!r}"
    where = unlike(rows_of(grads, order), grads2, rtol=1e-9, atol=1e-12)
    assert not where, f"the gradient depends on the order of the batch: {where}"
    return True


LOSS_LAWS: Mapping[str, Law[LossSubject]] = MappingProxyType(
    {
        "purity": purity,
        "scalar": scalar,
        "dtype": dtype,
        "gradient shapes": gradient_shapes,
        "determinism": determinism,
        "gradients": gradients,
        "batch permutation": batch_permutation,
    }
)


def check_loss(
    loss: Callable[[Prediction, Target], Scalar],
    prediction: Prediction,
    target: Target,
    *,
    order: int = 2,
    laws: Collection[str] | None = None,
    skip: Collection[str] = (),
    seed: int = 0,
) -> tuple[str, ...]:
    """Check that a loss keeps fnn's laws, for an example prediction and target; the names of the laws that it keeps.

    Both are arrays or trees of them, batch first; a target of integers is labels, and held constant. Gradients are checked
    up to `order`; `laws` and `skip` choose from `LOSS_LAWS`, as for `check_layer`.

    Raises AssertionError that names the law, what was found and what to do; TypeError where the prediction is not floating.

    >>> import fnn
    >>> check_loss(fnn.cross_entropy, np.eye(3, dtype=np.float32), np.array([0, 2, 1]), laws=("scalar", "gradients"))
    ('scalar', 'gradients')
    """
    for path, leaf in paths(prediction):  # type: ignore[arg-type]  # a tree, which a free type variable can't say
        if leaf.dtype.kind != "f":
            raise TypeError(f"check_loss: prediction{path} is {leaf.dtype}, expected a floating array")
    subject = LossSubject(loss, prediction, target, seed, order)
    what = getattr(loss, "__name__", repr(loss))
    return check_laws("check_loss", what, LOSS_LAWS, subject, only=laws, skip=skip)
