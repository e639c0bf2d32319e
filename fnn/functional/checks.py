"""What every function checks of its arguments, with one wording for all."""

from __future__ import annotations

import numpy as np

from fnn.arrays import Traced, Value, describe


def check_array(name: str, what: str, x: Value) -> None:
    """TypeError unless x is a floating array (or is being differentiated)."""
    if isinstance(x, tuple):
        raise TypeError(
            f"{name}: {what} is a tuple of {len(x)}, expected a floating array; forward gives (y, state): unpack it"
        )
    if x.__class__ is not np.ndarray and not isinstance(x, (np.ndarray, Traced, np.generic)):
        raise TypeError(
            f"{name}: {what} is a {type(x).__name__}, expected a floating array; write np.asarray({what}, np.float32)"
        )
    if x.__class__ is not np.ndarray and type(x).__name__ in ("matrix", "MaskedArray"):
        raise TypeError(
            f"{name}: {what} is a {type(x).__name__}, which computes unlike an array; use np.asarray or .filled(...)"
        )
    if x.dtype.kind != "f":
        raise TypeError(
            f"{name}: {what} is {describe(x)}, expected floating numbers; integers are labels or tokens: "
            f"where they are quantities write {what}.astype(np.float32)"
        )


def check_not_wider(name: str, what: str, x: Value, reference_name: str, reference: Value) -> None:
    """TypeError where x has a wider dtype than what it meets: the result would silently be widened."""
    if x.dtype != reference.dtype and x.dtype.itemsize > reference.dtype.itemsize:
        raise TypeError(
            f"{name}: {what} is {x.dtype} but {reference_name} is {reference.dtype}, and mixing them would silently widen the "
            f"net; cast {what} with .astype(np.{reference.dtype}), or the net with fnn.tree.astype(params, np.{x.dtype})"
        )


def check_not_empty(name: str, x: Value) -> None:
    """ValueError for a batch without an element: its mean does not exist."""
    if x.size == 0:
        raise ValueError(f"{name}: the batch is empty (shape {x.shape}); its mean does not exist")


def check_number(name: str, what: str, value: object) -> None:
    """TypeError unless a hyper-parameter is a real number."""
    if not isinstance(value, (int, float, np.floating, np.integer)):
        raise TypeError(f"{name}: {what} is {value!r}, a {type(value).__name__}, expected a number")


def check_range(name: str, what: str, value: float, low: float = 0, high: float = 1) -> None:
    """TypeError unless a hyper-parameter is a number, ValueError unless low <= value <= high."""
    check_number(name, what, value)
    if not low <= value <= high:
        raise ValueError(f"{name}: {what} is {value}, expected a number in [{low}, {high}]")


def check_bool(name: str, what: str, value: object) -> None:
    """TypeError unless a hyper-parameter is True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name}: {what} is {value!r}, expected True or False")


def check_int(name: str, what: str, value: object, low: int = 1) -> int:
    """The value as an int; TypeError unless it is one (or one of NumPy's), ValueError unless it is at least `low`."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
        raise TypeError(f"{name}: {what} is {value!r}, a {type(value).__name__}, expected an int")
    if value < low:
        raise ValueError(f"{name}: {what} is {value}, expected at least {low}")
    return int(value)
