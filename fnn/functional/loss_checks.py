"""What losses check of their arguments beside what all functions do."""

from __future__ import annotations

import numpy as np

from fnn.arrays import Value, describe
from fnn.autodiff.tracer import value_of
from fnn.functional.checks import check_array, check_not_empty, check_not_wider, check_number


def check_same_shape(name: str, prediction: Value, target: Value) -> None:
    """`check_alike`, and ValueError where there is nothing."""
    check_alike(name, prediction=prediction, target=target)
    check_not_empty(name, prediction)


def check_alike(name: str, **arrays: Value) -> None:
    """ValueError where arrays, by the caller's names for them, differ in shape; TypeError where one is not floating, or wider
    than the first. They may be empty.
    """
    (first, reference), *others = [(what, value_of(a)) for what, a in arrays.items()]
    check_array(name, first, reference)
    for what, a in others:
        check_array(name, what, a)
        if a.shape != reference.shape:
            raise ValueError(
                f"{name}: {first} has shape {reference.shape} but {what} has {a.shape}; they must be equal, because "
                "broadcasting one against the other would compare every row with every other"
            )
        check_not_wider(name, what, a, first, reference)


def check_rows_alike(name: str, **arrays: Value) -> None:
    """As `check_alike`, of arrays that have rows along their last axis."""
    check_alike(name, **arrays)
    for what, a in arrays.items():
        if a.ndim == 0:
            raise ValueError(f"{name}: {what} is a scalar, expected rows along a last axis")


def check_probabilities(name: str, p: Value, of_logits: str) -> None:
    """ValueError unless p is in [0, 1]; `of_logits` is what to write if p are logits."""
    v = value_of(p)
    if v.size and (v.min() < 0 or v.max() > 1):
        raise ValueError(f"{name}: probabilities go from {v.min()} to {v.max()}, expected [0, 1]; for logits use {of_logits}")


def check_not_negative(name: str, what: str, x: Value, expected: str) -> None:
    """ValueError where an entry of x is negative."""
    v = value_of(x)
    if (v < 0).any():
        raise ValueError(f"{name}: {what} goes down to {v.min()}, expected {expected}")


def check_positive(name: str, what: str, value: float) -> None:
    """TypeError unless a hyper-parameter is a number, ValueError unless it is positive."""
    check_number(name, what, value)
    if not value > 0:
        raise ValueError(f"{name}: {what} is {value}, expected a positive number")


def checked_signs(name: str, signs: Value, dtype: np.dtype[np.floating], shape: tuple[int, ...]) -> Value:
    """A target of -1 and +1, floating or integers, of this shape: in this dtype. It is a label, and has no gradient."""
    v = value_of(signs)
    if not isinstance(v, np.ndarray) or v.dtype.kind not in "fi":
        found = describe(v) if isinstance(v, (np.ndarray, np.generic)) else f"a {type(v).__name__}"
        raise TypeError(f"{name}: target is {found}, expected an array of -1 and +1")
    if v.shape != shape:
        raise ValueError(f"{name}: target has shape {v.shape}, expected {shape}, a -1 or +1 for each value")
    if not (np.abs(v) == 1).all():
        wrong = v[np.abs(v) != 1].flat[0]
        raise ValueError(f"{name}: target has an entry {wrong}, expected -1 or +1; of labels 0 and 1 write 2 * labels - 1")
    return v.astype(dtype)
