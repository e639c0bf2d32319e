"""What an expression of a function stands for while the function is written out."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any, TypeAlias

import numpy as np


class Otherwise(Exception):  # noqa: N818 (no error, and neither is the next)
    """A function that was written out was given something else than it was made for."""


class Unsuited(Exception):  # noqa: N818
    """What cannot be written out."""


@dataclass(frozen=True, eq=False)
class Const:
    """An object that is known."""

    value: Any


@dataclass(frozen=True, eq=False)
class Name:
    """A variable of the new function."""

    name: str


@dataclass(frozen=True, eq=False)
class Code:
    """An expression of the new function, to be used once."""

    code: ast.expr


@dataclass(frozen=True, eq=False)
class Items:
    """A list or tuple that need not exist when the new function runs, and the call or branch in which it was made."""

    parts: list[Meaning]
    is_list: bool
    place: object


@dataclass(frozen=True, eq=False)
class Fields:
    """The same of a dict with strings as keys."""

    parts: dict[str, Meaning]
    place: object


@dataclass(frozen=True, eq=False)
class Closure:
    """A function that is defined in one that is written out, and the variables that it sees."""

    node: ast.FunctionDef | ast.Lambda
    scope: Scope


Meaning: TypeAlias = "Const | Name | Code | Items | Fields | Closure"

NONE = Const(None)
LITERALS = (int, float, str, bool, type(None), type(...))
# Of literals these are called now.
_NOW: tuple[Callable[..., Any], ...] = (float, int, bool, len, range, round, min, max)


class Scope:
    """The local variables of a call, and around them a scope or a function with its closure and globals."""

    def __init__(self, around: Scope | FunctionType, local: frozenset[str] = frozenset()) -> None:
        self.local = local
        self.values: dict[str, Meaning] = {}
        self.fixed: dict[str, str] = {}  # in a branch: names that it assigns to, and their variables in both
        self.around = around

    def copy(self) -> Scope:
        """The same variables, for a branch that ends the function."""
        made = Scope(self.around, self.local)
        made.values.update(self.values)
        made.fixed.update(self.fixed)
        return made

    def find(self, name: str) -> Meaning:
        """What a name stands for."""
        if name in self.fixed:
            return Code(ast.Name(self.fixed[name], ast.Load()))  # as it is now
        if name in self.values:
            return self.values[name]
        if name in self.local:  # without a value, so far
            raise Unsuited(name)
        return self.around.find(name) if isinstance(self.around, Scope) else Const(_free(self.around, name))


def _free(function: FunctionType, name: str) -> Any:
    """What a name of a function stands for that is none of its variables."""
    cells = function.__code__.co_freevars
    if name in cells:
        try:
            return (function.__closure__ or ())[cells.index(name)].cell_contents
        except ValueError:  # nothing yet
            raise Unsuited(name) from None
    for there in (function.__globals__, vars(builtins)):
        if name in there:
            return there[name]
    raise Unsuited(name)


def truth_of(value: Meaning) -> bool | None:
    """Whether it is true; None where that is not known."""
    if isinstance(value, Const):
        return bool(value.value) if type(value.value) in (*LITERALS, tuple) else None
    if isinstance(value, (Items, Fields)):
        return bool(value.parts)
    return True if isinstance(value, Closure) else None


def is_same(a: Meaning, b: Meaning) -> bool | None:
    """Whether two are one object; None where that is not known."""
    if isinstance(a, Const) and isinstance(b, Const):
        return a.value is b.value
    if isinstance(a, (Items, Fields, Closure)) or isinstance(b, (Items, Fields, Closure)):
        return a is b
    return None


def parts_of(value: Meaning) -> list[Meaning] | None:
    """What a loop over it runs through; None where that is not known."""
    if isinstance(value, Items):
        return value.parts
    if isinstance(value, Fields):
        return [Const(key) for key in value.parts]
    if isinstance(value, Const) and isinstance(value.value, (tuple, range)):
        return [Const(part) for part in value.value]
    return None


def is_plain(value: Meaning) -> bool:
    """Whether it can be one of two values that a variable has, depending on a branch."""
    if isinstance(value, Items):
        return not value.is_list and all([is_plain(part) for part in value.parts])
    return isinstance(value, (Const, Name, Code))


def are_alike(a: Meaning, b: Meaning) -> bool:
    """Whether variables can have the one or the other."""
    if isinstance(a, Items) and isinstance(b, Items):
        return len(a.parts) == len(b.parts) and all([are_alike(*pair) for pair in zip(a.parts, b.parts, strict=True)])
    return not isinstance(a, Items) and not isinstance(b, Items) and is_plain(a) and is_plain(b)


def is_fixed(value: Any) -> bool:
    """Whether the attributes of an object stay as they are."""
    if isinstance(value, (ModuleType, type, FunctionType, np.ufunc)):
        return True
    params = getattr(type(value), "__dataclass_params__", None)
    return params is not None and params.frozen and type(value).__module__.startswith("fnn.")


def result_of(f: Any, arguments: list[Meaning]) -> Meaning | None:
    """The result of a call, where it is known now."""
    first, *rest = arguments or [NONE]
    if isinstance(first, (Items, Fields)):
        if f is len:
            return Const(len(first.parts))
        if f is isinstance and isinstance(rest[0], Const):
            made = dict if isinstance(first, Fields) else list if first.is_list else tuple
            return Const(issubclass(made, rest[0].value))
        return None
    known = [value.value for value in arguments if isinstance(value, Const)]
    if len(known) < len(arguments):
        return None
    if f is callable:
        return Const(callable(known[0]))
    if not any([f is now for now in _NOW]) or not all([type(value) in (*LITERALS, tuple, range) for value in known]):
        return None
    try:
        return Const(f(*known))
    except Exception as error:  # an error of the function, which may never come to this
        raise Unsuited(f) from error
