"""What optimisers and schedules check of their hyper-parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnn.functional.checks import check_number


def check_hyper(name: str, what: str, value: float, low: float, high: float = float("inf")) -> None:
    """ValueError unless low <= value < high, TypeError unless it is a number."""
    check_number(name, what, value)
    if not low <= value < high:
        bound = f"in [{low}, {high})" if high != float("inf") else f"of at least {low}, and finite"
        raise ValueError(f"{name}: {what} is {value}, expected a number {bound}")


def check_eps_of(name: str, eps: float, dtype: np.dtype[Any]) -> None:
    """ValueError where the parameters' dtype loses a positive eps, as float16 does 1e-8: a gradient of 0 would give 0 / 0."""
    least = float(np.finfo(dtype).tiny)
    if 0 < eps < least:
        raise ValueError(
            f"{name}: eps is {eps}, of which {dtype}, the dtype of the parameters, leaves nothing; take at least {least:.1e}, "
            f"or train float32 parameters and compute in {dtype}: fnn.tree.astype(params, np.{dtype}) in the loss"
        )


def check_selector(name: str, where: object) -> None:
    """TypeError unless this is a function of a leaf's path and shape."""
    if not callable(where):
        raise TypeError(
            f"{name}: where is {where!r}, a {type(where).__name__}, expected a function (path, shape) -> bool, as "
            "fnn.tree.matrices"
        )
