"""The tables from NumPy functions to what runs in their place on tracers. The rules fill them; the tracer reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import numpy as np

from fnn.arrays import Value

Function = TypeVar("Function", bound=Callable[..., Any])

UFUNCS: dict[np.ufunc, Callable[..., Value]] = {}
FUNCTIONS: dict[Callable[..., Any], Callable[..., Value]] = {}
# np.add.reduce is np.sum
REDUCTIONS: dict[np.ufunc, Callable[..., Any]] = {}


def getitem(x: Value, key: Any) -> Value:
    """x[key], as the rule for indexing has registered it."""
    return FUNCTIONS[getitem](x, key)


def implements(*functions: Callable[..., Any]) -> Callable[[Function], Function]:
    """Register a function as what runs when one of these NumPy functions meets a tracer. It has their signature."""

    def register(rule: Function) -> Function:
        for function in functions:
            if isinstance(function, np.ufunc):
                UFUNCS[function] = rule
            else:
                FUNCTIONS[function] = rule
        return rule

    return register


def refuse(name: str, error: type[Exception] = TypeError) -> NoReturn:
    """Raise for what cannot be differentiated, by name."""
    raise error(
        f"fnn: {name} has no gradient here. Write it with functions that fnn differentiates (docs/design.md lists them), or, "
        "where no gradient should flow, apply it to fnn.stop_gradient(x)"
    )
