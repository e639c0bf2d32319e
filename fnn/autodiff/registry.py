"""The tables from NumPy functions to what runs in their place on tracers. The rules fill them; the tracer reads them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from inspect import Parameter, signature
from typing import Any, NoReturn, TypeVar

import numpy as np

from fnn.arrays import Value

Function = TypeVar("Function", bound=Callable[..., Any])


class _Rules(dict[Any, Callable[..., Value]]):
    """A table of rules that refuses, by name, a function that it does not have."""

    def __missing__(self, function: Callable[..., Any]) -> NoReturn:
        refuse(name_of(function))


UFUNCS = _Rules()
FUNCTIONS = _Rules()
# np.add.reduce is np.sum
REDUCTIONS: dict[np.ufunc, Callable[..., Any]] = {}
# np.add.accumulate is np.cumsum
ACCUMULATIONS: dict[np.ufunc, Callable[..., Any]] = {}


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


def name_of(function: Callable[..., Any]) -> str:
    """How a user writes a NumPy function: `np.linalg.svd`."""
    module = (getattr(function, "__module__", None) or "numpy").replace("numpy", "np", 1)
    return f"{module}.{function.__name__}"


@cache
def position_of_out(function: Callable[..., Any]) -> int | None:
    """The place of `out` among the positional arguments of a NumPy function; None where it has none."""
    for f in (FUNCTIONS[function], function):
        try:
            parameters = signature(f).parameters
        except ValueError:  # a function in C that does not tell
            continue
        if "out" in parameters and parameters["out"].kind is Parameter.POSITIONAL_OR_KEYWORD:
            return list(parameters).index("out")
    return None


def unsupported(function: Callable[..., Any], args: Any, kwargs: Any) -> str:
    """The arguments that the rule of a NumPy function does not take, in words; "" where it takes them all."""
    wanted = signature(FUNCTIONS[function])
    try:
        wanted.bind(*args, **kwargs)
    except TypeError:
        return ", ".join([f"{name}=" for name in kwargs if name not in wanted.parameters]) or "these arguments"
    return ""


def refuse(name: str, error: type[Exception] = TypeError) -> NoReturn:
    """Raise for what cannot be differentiated, by name."""
    raise error(
        f"fnn: {name} has no gradient here. Write it with functions that fnn differentiates (docs/operations.md lists them), "
        "or, where no gradient should flow, apply it to fnn.stop_gradient(x)"
    )
