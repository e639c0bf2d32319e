"""Writes docs/operations.md, the table of what fnn differentiates, from the registry: python -m tests.laws.operations.page"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.fft  # its functions are among those that NumPy hands over once it is imported
from numpy.testing.overrides import get_overridable_numpy_array_functions

from fnn.autodiff import registry

PAGE = Path(__file__).parents[3] / "docs" / "operations.md"

HEAD = """# What differentiates

This page is generated from the registry (`python -m tests.laws.operations.page`) with NumPy {version}; a test compares the
two. Every function is in one of three lists. Those that differentiate do so by every floating argument, to any order;
where `eigh` and `svd` find values that coincide, what their vectors do not decide raises an error.
Constants take arrays that are being differentiated and give plain results, whose derivative is zero wherever it exists:
comparisons, rounding, positions, shapes. The rest raise an error where they are called, which says what to use.
"""


def dispatched() -> list[Callable[..., Any]]:
    """Every ufunc and every function that NumPy hands to an array of another kind."""
    ufuncs = {f for f in vars(np).values() if isinstance(f, np.ufunc)}
    # whatever else happens to be imported
    modules = {"numpy", "numpy.linalg", "numpy.fft", "numpy.lib.stride_tricks"}
    return [*ufuncs, *[f for f in get_overridable_numpy_array_functions() if f.__module__ in modules]]


def kind(function: Any) -> str:
    """The list that a function belongs to."""
    table = registry.UFUNCS if isinstance(function, np.ufunc) else registry.FUNCTIONS
    if function not in table:
        return "refused"
    return getattr(table[function], "kind", "differentiated")


def listed(names: Iterable[str]) -> str:
    return " ".join([f"`{name}`" for name in sorted(set(names))])


def page() -> str:
    functions = dispatched()
    text = [HEAD.format(version=".".join(np.__version__.split(".")[:2]))]
    for title, wanted in (("Differentiated", "differentiated"), ("Constant", "constant"), ("Refused", "refused")):
        text.append(f"## {title}\n")
        chosen = [f for f in functions if kind(f) == wanted]
        ufuncs = [f"np.{f.__name__}" for f in chosen if isinstance(f, np.ufunc)]
        others = [registry.name_of(f) for f in chosen if not isinstance(f, np.ufunc)]
        text.append(f"Ufuncs: {listed(ufuncs)}\n")
        text.append(f"Functions: {listed(others)}\n")
        if wanted == "differentiated":
            ways = {"reduce": registry.REDUCTIONS, "accumulate": registry.ACCUMULATIONS}
            names = [
                f"np.{f.__name__}.{way}" for way, table in ways.items() for f, rule in table.items() if kind(rule) == wanted
            ]
            text.append(f"Methods of ufuncs: {listed(names)}\n")
            text.append("Operators, indexing, and the methods of arrays that correspond to these functions.\n")
    return "\n".join(text)


if __name__ == "__main__":
    PAGE.write_text(page())
