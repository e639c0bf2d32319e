"""What a class promises of one of its methods, so that a quicker way may stand in for it."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def beside(cls: type, method: str, name: str) -> Any:
    """What is called `name` in the class of the hierarchy that has `method`; None where it has nothing of that name.

    A subclass that overrides the method inherits no promise about its parent's.

    >>> class Parent:
    ...     quick = True
    ...     def run(self): ...
    >>> class Child(Parent):
    ...     def run(self): ...
    >>> beside(Parent, "run", "quick"), beside(Child, "run", "quick")
    (True, None)
    """
    owner = next((base for base in cls.__mro__ if method in vars(base)), cls)
    return vars(owner).get(name)


def ignores_mode(what: Any, method: str) -> bool:
    """Whether a layer or a loss surely never looks at the mode: beside its `method` it has a true `ignores_mode`."""
    return beside(what.__class__, method, "ignores_mode") is not None and bool(what.ignores_mode)
