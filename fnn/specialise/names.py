"""What is in a piece of code: its nodes, the names that it reads, and those that it gives a value."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

R = TypeVar("R")


def load(name: str) -> ast.Name:
    """A name that is read."""
    return ast.Name(name, ast.Load())


def store(name: str) -> ast.Name:
    """A name that is assigned to."""
    return ast.Name(name, ast.Store())


def nodes(root: ast.AST) -> list[ast.AST]:
    """A node and all within it but contexts: `ast.walk` in a third of its time, which was most of that of writing out."""
    found = [root]
    for node in found:  # while it grows
        for name in node._fields:
            part: Any = getattr(node, name, None)
            if part.__class__ is list:
                found += [entry for entry in part if isinstance(entry, ast.AST)]
            elif isinstance(part, ast.AST) and name != "ctx":
                found.append(part)
    return found


def _of_source(f: Callable[..., R]) -> Callable[..., R]:
    """Of nodes that never change, as those of source, and about which the same is asked in every call that is written out."""
    return lru_cache(maxsize=2_048)(f)


@_of_source
def has(node: ast.AST, kinds: tuple[type[ast.AST], ...]) -> bool:
    """Whether it has nodes of these kinds."""
    return any([isinstance(part, kinds) for part in nodes(node)])


@_of_source
def assigned(statement: ast.AST) -> frozenset[str]:
    """The names that a statement, or something in it, gives a value."""
    names: list[Any] = [
        node.id if isinstance(node, ast.Name) else node.name
        for node in nodes(statement)
        if isinstance(node, ast.FunctionDef) or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    ]
    return frozenset(names)


def variables(statement: ast.AST) -> set[str]:
    """The variables of the new function in a statement."""
    return {node.id for node in nodes(statement) if isinstance(node, ast.Name) and node.id.startswith("v")}


def given_values(statement: ast.stmt) -> set[str]:
    """The variables that surely have a value behind a statement."""
    if isinstance(statement, ast.Assign):
        return variables(statement.targets[0])
    if isinstance(statement, ast.If):
        body, orelse = (set[str]().union(*map(given_values, part)) for part in (statement.body, statement.orelse))
        return body & orelse
    return set()
