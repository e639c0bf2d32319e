"""Statements and calls: loops over what is known are unrolled, branches are chosen, functions written where they are called."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from fnn.specialise.expressions import Expressions
from fnn.specialise.names import assigned, given_values, has, load, store, variables
from fnn.specialise.source import function_of
from fnn.specialise.values import (
    NONE,
    Closure,
    Code,
    Const,
    Fields,
    Items,
    Meaning,
    Name,
    Scope,
    Unsuited,
    are_alike,
    parts_of,
    truth_of,
)

_JUMPS = (ast.Return, ast.Raise, ast.Break, ast.Continue)
_PAUSES = (ast.Yield, ast.YieldFrom, ast.Await)
_MOST_ROUNDS = 200


class _Jump(Exception):  # noqa: N818 (no error)
    """`break` or `continue` in a loop that is unrolled."""


class Writer(Expressions):
    """What `specialised` writes a function with."""

    def __init__(self) -> None:
        super().__init__()
        self._active: list[object] = []  # the functions that are being written out: none is written into itself
        self._maybe: set[str] = set()  # variables that one branch may have left without a value

    def finish(self, value: Meaning) -> None:
        """The end: the function returns this. Variables are deleted behind their last use, so that their arrays' memory is
        that of the next ones, as where each function has its own variables."""
        self.block.append(ast.Return(self.code(value)))
        have_values = set[str]().union(*[given_values(statement) for statement in self.block])
        used = variables(self.block[-1])
        for i in range(len(self.block) - 2, -1, -1):
            done = (variables(self.block[i]) - used) & have_values
            used |= done
            if done:
                self.block.insert(i + 1, ast.Delete([ast.Name(name, ast.Del()) for name in sorted(done)]))

    # Calls

    def write_out(self, f: Any, arguments: list[Meaning], options: dict[str, Meaning]) -> Meaning:
        """The value of a call whose statements are written here."""
        while isinstance(f, (MethodType, partial)):
            if isinstance(f, MethodType):
                f, arguments = f.__func__, [Const(f.__self__), *arguments]
            else:
                f, arguments, options = (
                    f.func,
                    [*[Const(value) for value in f.args], *arguments],
                    {**{name: Const(value) for name, value in f.keywords.items()}, **options},
                )
        if isinstance(f, Closure):
            node, scope = f.node, Scope(f.scope, assigned(f.node))
            if node.args.kwonlyargs or not all([isinstance(default, ast.Constant) for default in node.args.defaults]):
                raise Unsuited(f)  # they were evaluated where it was defined
            values, only = [self.evaluate(default, f.scope) for default in node.args.defaults], dict[str, Meaning]()
        elif isinstance(f, FunctionType) and str(f.__globals__.get("__name__")).startswith("fnn."):
            node, scope = function_of(f.__code__), Scope(f, frozenset(f.__code__.co_varnames + f.__code__.co_cellvars))
            values = [Const(value) for value in f.__defaults__ or ()]
            only = {name: Const(value) for name, value in (f.__kwdefaults__ or {}).items()}
        else:
            raise Unsuited(f)
        if any([f is active for active in self._active]) or has(node, _PAUSES):
            raise Unsuited(f)
        names = [a.arg for a in [*node.args.posonlyargs, *node.args.args]]
        given = {**dict(zip(names[len(names) - len(values) :], values, strict=True)), **only}
        given.update(zip(names, arguments, strict=False))
        scope.values.update(self._bound(node.args, names, given, len(arguments), arguments[len(names) :], options))
        self._active.append(f)
        place, self.place = self.place, object()
        try:
            value = self.evaluate(node.body, scope) if isinstance(node, ast.Lambda) else self._run(node.body, scope)
        finally:
            self._active.pop()
            self.place = place
        return NONE if value is None else value

    def _bound(
        self,
        expected: ast.arguments,
        names: list[str],
        given: dict[str, Meaning],
        n: int,
        rest: list[Meaning],
        options: dict[str, Meaning],
    ) -> dict[str, Meaning]:
        """The parameters and what they stand for; n are given by place."""
        known = {*names, *[a.arg for a in expected.kwonlyargs]}
        if options.keys() & {*names[:n], *[a.arg for a in expected.posonlyargs]}:
            raise Unsuited(expected)
        more = {name: value for name, value in options.items() if name not in known}
        given = {**given, **{name: value for name, value in options.items() if name in known}}
        if given.keys() != known or (rest and not expected.vararg) or (more and not expected.kwarg):
            raise Unsuited(expected)
        if expected.vararg:
            given[expected.vararg.arg] = Items(rest, False, self.place)
        if expected.kwarg:
            given[expected.kwarg.arg] = Fields(more, self.place)
        return given

    # Statements

    def _run(self, statements: Sequence[ast.stmt], scope: Scope) -> Meaning | None:
        """What the statements return; None where they do not."""
        for i, statement in enumerate(statements):
            if isinstance(statement, ast.Return):
                return NONE if statement.value is None else self.evaluate(statement.value, scope)
            if isinstance(statement, ast.If):
                rest = statements[i + 1 :]
                test = self.evaluate(statement.test, scope)
                known = truth_of(test)
                if known is not None:
                    return self._run([*(statement.body if known else statement.orelse), *rest], scope)
                if has(statement, _JUMPS):
                    return self._run_either(self.code(test), statement, rest, scope)
                self._run_branches(self.code(test), statement, scope)
            elif isinstance(statement, ast.For):
                value = self._run_loop(statement, scope)
                if value is not None:
                    return value
            elif isinstance(statement, (ast.Break, ast.Continue)):
                raise _Jump(isinstance(statement, ast.Break))
            else:
                self._run_simple(statement, scope)
        return None

    def _run_simple(self, statement: ast.stmt, scope: Scope) -> None:
        if isinstance(statement, ast.Expr):
            value = self.evaluate(statement.value, scope)
            if isinstance(value, Code):
                self.write(ast.Expr(value.code))
        elif isinstance(statement, ast.Assign):
            value = self.before(self.evaluate(statement.value, scope), statement.targets)
            if len(statement.targets) > 1:
                value = self.kept(value)
            for target in statement.targets:
                self._assign(target, value, scope)
        elif isinstance(statement, ast.AnnAssign):
            if statement.value is not None:
                self._assign(statement.target, self.evaluate(statement.value, scope), scope)
        elif isinstance(statement, ast.AugAssign):
            self._augment(statement, scope)
        elif isinstance(statement, ast.FunctionDef) and not statement.decorator_list:
            self._assign(store(statement.name), Closure(statement, scope), scope)
        elif not isinstance(statement, ast.Pass):
            raise Unsuited(statement)

    def _assign(self, target: ast.expr, value: Meaning, scope: Scope) -> None:
        if isinstance(target, ast.Name):
            name = target.id
            if name in scope.fixed:
                self.write(ast.Assign([store(scope.fixed[name])], self.code(value)))
            elif isinstance(value, Code):
                self._own(self.variable(value), scope, name)
            else:
                scope.values[name] = self.kept(value)
        elif isinstance(target, ast.Tuple):
            self._assign_each(target.elts, value, scope)
        elif isinstance(target, ast.Subscript):
            base, index = self.evaluate(target.value, scope), self.evaluate(target.slice, scope)
            if isinstance(base, Fields) and isinstance(index, Const) and isinstance(index.value, str):
                self.change(base)
                base.parts[index.value] = self.kept(value)
            elif isinstance(base, (Items, Fields)):
                raise Unsuited(target)
            else:
                self.write(ast.Assign([ast.Subscript(self.code(base), self.code(index), ast.Store())], self.code(value)))
        else:
            raise Unsuited(target)

    def _own(self, variable: str, scope: Scope, name: str) -> None:
        self.owners[variable] = scope, name
        scope.values[name] = Name(variable)

    def _assign_each(self, targets: list[ast.expr], value: Meaning, scope: Scope) -> None:
        parts = parts_of(value)
        if parts is None:
            if any([isinstance(target, ast.Starred) for target in targets]):
                raise Unsuited(value)
            variables = [self.new_name() for _ in targets]
            self.write(ast.Assign([ast.Tuple([store(name) for name in variables], ast.Store())], self.code(value)))
            parts = [Name(name) for name in variables]
        elif scope.fixed:  # a, b = b, a
            parts = [Name(self.variable(part)) if isinstance(part, (Name, Code)) else part for part in parts]
        for i, target in enumerate(targets):
            if isinstance(target, ast.Starred):
                stop = len(parts) - len(targets) + i + 1
                targets = [*targets[:i], target.value, *targets[i + 1 :]]
                rest: list[Meaning] = [*parts[i:stop]]
                parts = [*parts[:i], Items(rest, True, self.place), *parts[stop:]]
        if len(parts) != len(targets):
            raise Unsuited(value)
        for target, part in zip(targets, parts, strict=True):
            self._assign(target, part, scope)

    def _augment(self, statement: ast.AugAssign, scope: Scope) -> None:
        target = statement.target
        if isinstance(target, ast.Name):
            name = target.id
            value = self.evaluate(statement.value, scope)
            old = scope.values.get(name, NONE)
            if name in scope.fixed:
                variable = scope.fixed[name]
            elif isinstance(old, Name) and self.owners.get(old.name) == (scope, name):
                variable = old.name
            else:  # other names have it too, and would change with it if it is a number
                value = self.kept(value)
                variable = self.variable(old)
                self._own(variable, scope, name)
            self.write(ast.AugAssign(store(variable), statement.op, self.code(value)))
        elif isinstance(target, ast.Subscript):
            base = self.before(self.evaluate(target.value, scope), [target.slice])
            index = self.evaluate(target.slice, scope)
            value = self.evaluate(statement.value, scope)
            # the entry is read before the value is computed, which may change it
            if isinstance(base, (Items, Fields)) or has(statement.value, (ast.Call,)):
                raise Unsuited(target)
            place = ast.Subscript(self.code(base), self.code(index), ast.Store())
            self.write(ast.AugAssign(place, statement.op, self.code(value)))
        else:
            raise Unsuited(target)

    def _run_loop(self, loop: ast.For, scope: Scope) -> Meaning | None:
        parts = parts_of(self.evaluate(loop.iter, scope))
        if parts is None or loop.orelse or len(parts) > _MOST_ROUNDS:
            raise Unsuited(loop)
        n = len(parts)
        for part in list(parts):
            self._assign(loop.target, part, scope)
            try:
                value = self._run(loop.body, scope)
            except _Jump as jump:
                if jump.args[0]:
                    break
                continue
            if value is not None:
                return value
        if len(parts) != n:  # in the loop
            raise Unsuited(loop)
        return None

    # Branches that depend on a variable

    def _run_branches(self, test: ast.expr, statement: ast.If, scope: Scope) -> None:
        """None of which ends the function: names that they assign to have variables of their own."""
        around = dict(scope.fixed)
        given = set(around.values())
        for name in sorted(assigned(statement) - around.keys()):
            old = scope.values.get(name)
            if isinstance(old, Name) and old.name in self._maybe:
                raise Unsuited(statement)
            if old is None:
                variable = self.new_name()
            else:
                variable = self.variable(old)
                given.add(variable)
            scope.fixed[name] = variable
            scope.values[name] = Name(variable)
        body = self._apart(lambda: self._run(statement.body, scope))[1]
        orelse = self._apart(lambda: self._run(statement.orelse, scope))[1]
        made = ast.If(test, body or [ast.Pass()], orelse)
        self._maybe |= set(scope.fixed.values()) - given_values(made) - given
        scope.fixed = around
        self.write(made)

    def _run_either(self, test: ast.expr, statement: ast.If, rest: Sequence[ast.stmt], scope: Scope) -> Meaning | None:
        """Of which at least one ends the function, or a round of a loop."""
        body, orelse = statement.body, statement.orelse
        if not isinstance(body[-1], _JUMPS):
            test, body, orelse = ast.UnaryOp(ast.Not(), test), orelse, body
        if not body or not isinstance(body[-1], _JUMPS):
            raise Unsuited(statement)
        rest = [*orelse, *rest]
        if isinstance(body[-1], ast.Return) and len(rest) == 1 and isinstance(rest[0], ast.Return):
            first, block = self._seldom(body, scope)
            second, other = self._apart(lambda: self._run(rest, scope))
            if first is not None and second is not None and are_alike(first, second):
                value = self._joined(first, second, block, other)
                self.write(ast.If(test, block, other))
                return value
            self.write(ast.If(test, [ast.Raise(load("Otherwise"))], []))
            self.block.extend(other)
            return second
        self.write(ast.If(test, [ast.Raise(load("Otherwise"))], []))
        return self._run(rest, scope)

    def _seldom(self, body: Sequence[ast.stmt], scope: Scope) -> tuple[Meaning | None, list[ast.stmt]]:
        """A branch that ends the function early, in which calls stay calls: most of the time it only says what is wrong."""
        around, self.calls_stay = self.calls_stay, True
        try:
            return self._apart(lambda: self._run(body, scope.copy()))
        except Unsuited:
            return None, []
        finally:
            self.calls_stay = around

    def _apart(self, run: Callable[[], Meaning | None]) -> tuple[Meaning | None, list[ast.stmt]]:
        """What a branch returns, and its statements."""
        around, self.block = self.block, []
        place, self.place = self.place, object()
        try:
            value = run()
            return value, self.block
        except _Jump:
            raise Unsuited(run) from None
        finally:
            self.block = around
            self.place = place

    def _joined(self, first: Meaning, second: Meaning, block: list[ast.stmt], other: list[ast.stmt]) -> Meaning:
        """What is the one or the other, depending on the branch."""
        if isinstance(first, Items) and isinstance(second, Items):
            parts = [self._joined(a, b, block, other) for a, b in zip(first.parts, second.parts, strict=True)]
            return Items(parts, False, self.place)
        name = self.new_name()
        block.append(ast.Assign([store(name)], self.code(first)))
        other.append(ast.Assign([store(name)], self.code(second)))
        return Name(name)
