"""Names in a piece of code: those that it reads, and those that it gives a value."""

from __future__ import annotations

import ast


def load(name: str) -> ast.Name:
    """A name that is read."""
    return ast.Name(name, ast.Load())


def store(name: str) -> ast.Name:
    """A name that is assigned to."""
    return ast.Name(name, ast.Store())


def variables(statement: ast.AST) -> set[str]:
    """The variables of the new function in a statement."""
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and node.id.startswith("v")}


def given_values(statement: ast.stmt) -> set[str]:
    """The variables that surely have a value behind a statement."""
    if isinstance(statement, ast.Assign):
        return variables(statement.targets[0])
    if isinstance(statement, ast.If):
        body, orelse = (set[str]().union(*map(given_values, part)) for part in (statement.body, statement.orelse))
        return body & orelse
    return set()


def assigned(statement: ast.AST) -> set[str]:
    """The names that a statement, or something in it, gives a value."""
    names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return names | {node.name for node in ast.walk(statement) if isinstance(node, ast.FunctionDef)}
