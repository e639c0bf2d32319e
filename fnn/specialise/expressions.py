"""Expressions: what is known is computed now, the rest becomes code."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from fnn.specialise.names import has, load, store
from fnn.specialise.values import (
    LITERALS,
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
    is_fixed,
    is_same,
    parts_of,
    result_of,
    truth_of,
)

_MOST_STATEMENTS = 2_000


class Expressions(ABC):
    """The statements of a new function and the constants that they name, and how expressions get into them.

    Expressions are evaluated in Python's order. Where one needs statements of its own, what comes before it is put into
    variables first.
    """

    def __init__(self) -> None:
        self.block: list[ast.stmt] = []
        self.constants: dict[str, Any] = {}
        self.place = object()  # a new one for each call and branch
        self.calls_stay = False
        self._names: dict[int, str] = {}  # of constants, by identity
        self._count = 0
        self._held = False  # where no statement may be written: in an expression that may not run
        # Lists and dicts that the new function makes, by identity: they change no more. With their variables, and the blocks
        # in which these have a value.
        self._made: dict[int, tuple[Meaning, str, list[ast.stmt]]] = {}
        # Of a variable that one name alone stands for, that name; so that `+=` may work on the variable itself.
        self.owners: dict[str, tuple[Scope, str]] = {}

    @abstractmethod
    def write_out(self, f: Any, arguments: list[Meaning], options: dict[str, Meaning]) -> Meaning:
        """The value of a call whose statements are written here."""

    def write(self, statement: ast.stmt) -> None:
        """The next statement."""
        if self._held or len(self.block) >= _MOST_STATEMENTS:
            raise Unsuited(statement)
        self.block.append(statement)

    def new_name(self) -> str:
        """A variable without a value."""
        self._count += 1
        return f"v{self._count}"

    def variable(self, value: Meaning) -> str:
        """A new variable with this value."""
        code = self.code(value)
        if isinstance(code, ast.Slice):  # which has no syntax outside of brackets
            ends = [ast.Constant(None) if end is None else end for end in (code.lower, code.upper, code.step)]
            code = ast.Call(self._code_of_constant(slice), ends, [])
        name = self.new_name()
        self.write(ast.Assign([store(name)], code))
        return name

    def kept(self, value: Meaning) -> Meaning:
        """The value, to be used more than once."""
        if isinstance(value, Code):
            return Name(self.variable(value))
        if isinstance(value, Name):
            self.owners.pop(value.name, None)
        return value

    def before(self, value: Meaning, later: Sequence[ast.AST | None]) -> Meaning:
        """The value, computed before any calls in what comes later."""
        if isinstance(value, Code) and not self._held:
            for node in later:
                if node is not None and has(node, (ast.Call,)):
                    return Name(self.variable(value))
        return value

    def change(self, container: Items | Fields) -> None:
        """A list or dict is about to change: only where it was made, not in a branch or in a call that may be undone."""
        if container.place is not self.place or self._held or id(container) in self._made:
            raise Unsuited(container)

    def code(self, value: Meaning) -> ast.expr:
        """The expression for a value."""
        if isinstance(value, Name):
            return load(value.name)
        if isinstance(value, Code):
            return value.code
        if isinstance(value, Const):
            return self._code_of_constant(value.value)
        if isinstance(value, Closure):
            raise Unsuited(value)
        if isinstance(value, Items) and not value.is_list:
            return ast.Tuple([self.code(part) for part in value.parts], ast.Load())
        if id(value) not in self._made:
            parts = [self.code(part) for part in (value.parts.values() if isinstance(value, Fields) else value.parts)]
            keys: list[ast.expr | None] = [ast.Constant(key) for key in value.parts] if isinstance(value, Fields) else []
            made = ast.Dict(keys, parts) if isinstance(value, Fields) else ast.List(parts, ast.Load())
            self._made[id(value)] = value, self.variable(Code(made)), self.block
        _, name, block = self._made[id(value)]
        if block is not self.block:  # a branch, which may not have been taken
            raise Unsuited(value)
        return load(name)

    def _code_of_constant(self, value: Any) -> ast.expr:
        if type(value) in LITERALS:
            return ast.Constant(value)
        name = self._names.get(id(value))
        if name is None:
            name = self._names[id(value)] = f"c{len(self._names)}"
            self.constants[name] = value
        return load(name)

    # A method for each kind of node

    def evaluate(self, node: ast.expr, scope: Scope) -> Meaning:
        """What an expression stands for."""
        rule: Callable[[Any, Scope], Meaning] | None = getattr(self, f"_{type(node).__name__.lower()}", None)
        if rule is None:
            raise Unsuited(node)
        value = rule(node, scope)
        return Code(self.code(value)) if id(value) in self._made else value  # a call may have changed it

    def _all(self, nodes: Sequence[ast.expr], scope: Scope) -> list[Meaning]:
        return [self.before(self.evaluate(node, scope), nodes[i + 1 :]) for i, node in enumerate(nodes)]

    def _if_needed(self, nodes: Sequence[ast.expr], scope: Scope) -> list[ast.expr]:
        """Code that may not run."""
        held, self._held = self._held, True
        try:
            return [self.code(self.evaluate(node, scope)) for node in nodes]
        finally:
            self._held = held

    def _constant(self, node: ast.Constant, scope: Scope) -> Meaning:
        return Const(node.value)

    def _name(self, node: ast.Name, scope: Scope) -> Meaning:
        return scope.find(node.id)

    def _tuple(self, node: ast.Tuple | ast.List, scope: Scope) -> Meaning:
        nodes = [part.value if isinstance(part, ast.Starred) else part for part in node.elts]
        values = [self.kept(value) for value in self._all(nodes, scope)]
        parts: list[Meaning] = []
        for value, part in zip(values, node.elts, strict=True):
            parts.extend(self._each(value) if isinstance(part, ast.Starred) else [value])
        if any([isinstance(part, Code) for part in parts]):  # nobody knows how many
            return Code(type(node)([self.code(part) for part in parts], ast.Load()))
        return Items(parts, isinstance(node, ast.List), self.place)

    _list = _tuple

    def _each(self, value: Meaning) -> list[Meaning]:
        """The entries of what has a star before it."""
        parts = parts_of(value)
        return [Code(ast.Starred(self.code(value), ast.Load()))] if parts is None else parts

    def _dict(self, node: ast.Dict, scope: Scope) -> Meaning:
        keys = [key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
        if len(keys) < len(node.keys):
            raise Unsuited(node)
        values = [self.kept(value) for value in self._all(node.values, scope)]
        return Fields(dict(zip(keys, values, strict=True)), self.place)

    def _lambda(self, node: ast.Lambda, scope: Scope) -> Meaning:
        return Closure(node, scope)

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Meaning:
        return self._attribute_of(self.evaluate(node.value, scope), node.attr)

    def _attribute_of(self, base: Meaning, name: str) -> Meaning:
        if isinstance(base, Const) and is_fixed(base.value) and hasattr(base.value, name):
            return Const(getattr(base.value, name))
        return Code(ast.Attribute(self.code(base), name, ast.Load()))

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Meaning:
        base = self.before(self.evaluate(node.value, scope), [node.slice])
        index = self.evaluate(node.slice, scope)
        if isinstance(index, Const):
            if isinstance(base, Fields) and index.value in base.parts:
                return base.parts[index.value]
            parts = parts_of(base)
            if parts is not None and isinstance(index.value, int) and -len(parts) <= index.value < len(parts):
                return parts[index.value]
        return Code(ast.Subscript(self.code(base), self.code(index), ast.Load()))

    def _slice(self, node: ast.Slice, scope: Scope) -> Meaning:
        ends = [None if end is None else self.code(self.evaluate(end, scope)) for end in (node.lower, node.upper, node.step)]
        return Code(ast.Slice(*ends))

    def _ifexp(self, node: ast.IfExp, scope: Scope) -> Meaning:
        test = self.evaluate(node.test, scope)
        known = truth_of(test)
        if known is not None:
            return self.evaluate(node.body if known else node.orelse, scope)
        return Code(ast.IfExp(self.code(test), *self._if_needed([node.body, node.orelse], scope)))

    def _boolop(self, node: ast.BoolOp, scope: Scope) -> Meaning:
        for i, part in enumerate(node.values[:-1]):
            value = self.evaluate(part, scope)
            known = truth_of(value)
            if known is isinstance(node.op, ast.Or):
                return value
            if known is None:
                return Code(ast.BoolOp(node.op, [self.code(value), *self._if_needed(node.values[i + 1 :], scope)]))
        return self.evaluate(node.values[-1], scope)

    def _unaryop(self, node: ast.UnaryOp, scope: Scope) -> Meaning:
        value = self.evaluate(node.operand, scope)
        known = truth_of(value)
        if isinstance(node.op, ast.Not) and known is not None:
            return Const(not known)
        return self._now(ast.UnaryOp(node.op, self.code(value)), [value])

    def _binop(self, node: ast.BinOp, scope: Scope) -> Meaning:
        a, b = self._all([node.left, node.right], scope)
        return self._now(ast.BinOp(self.code(a), node.op, self.code(b)), [a, b])

    def _compare(self, node: ast.Compare, scope: Scope) -> Meaning:
        if isinstance(node.ops[0], (ast.Eq, ast.NotEq)) and len(node.ops) == 1:
            values = [self.before(self._keys_or_value(node.left, scope), node.comparators)]
            values.append(self._keys_or_value(node.comparators[0], scope))
        else:
            values = self._all([node.left, node.comparators[0]], scope)
        if isinstance(node.ops[0], (ast.Is, ast.IsNot)) and len(node.ops) == 1:
            same = is_same(*values)
            if same is not None:
                return Const(same is isinstance(node.ops[0], ast.Is))
        first, second = [self.code(value) for value in values]
        if len(node.ops) > 1:
            return Code(ast.Compare(first, node.ops, [second, *self._if_needed(node.comparators[1:], scope)]))
        return self._now(ast.Compare(first, node.ops, [second]), values)

    def _keys_or_value(self, node: ast.expr, scope: Scope) -> Meaning:
        """One side of == or !=: the keys of a dict may stand there."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "keys" and not node.args:
            base = self.evaluate(node.func.value, scope)
            if isinstance(base, Fields):
                return Const(frozenset(base.parts))
            return Code(ast.Call(ast.Attribute(self.code(base), "keys", ast.Load()), [], []))
        return self.evaluate(node, scope)

    def _now(self, code: ast.expr, values: Sequence[Meaning]) -> Meaning:
        """The value of an operation on literals, else its code."""
        if all([isinstance(value, Const) and type(value.value) in (*LITERALS, frozenset) for value in values]):
            expression = ast.fix_missing_locations(ast.Expression(code))
            try:
                return Const(eval(compile(expression, "", "eval"), self.constants))
            except Exception as error:  # an error of the function, which may never come to this
                raise Unsuited(code) from error
        return Code(code)

    # Calls

    def _call(self, node: ast.Call, scope: Scope) -> Meaning:
        later = [*node.args, *[keyword.value for keyword in node.keywords]]
        if isinstance(node.func, ast.Attribute):
            base = self.before(self.evaluate(node.func.value, scope), later)
            if isinstance(base, (Items, Fields)):
                return self._method_of(base, node, scope)
            f = self._attribute_of(base, node.func.attr)
        else:
            f = self.before(self.evaluate(node.func, scope), later)
        arguments: list[Meaning] = []
        options: dict[str, Meaning] = {}
        for i, part in enumerate(node.args):
            if not isinstance(part, ast.Starred):
                arguments.append(self.before(self.evaluate(part, scope), later[i + 1 :]))
                continue
            arguments.extend(self._each(self.before(self.evaluate(part.value, scope), later[i + 1 :])))
        for i, keyword in enumerate(node.keywords, len(node.args)):
            value = self.before(self.evaluate(keyword.value, scope), later[i + 1 :])
            if keyword.arg is not None:
                options[keyword.arg] = value
            elif isinstance(value, Fields):
                options.update(value.parts)
            else:
                raise Unsuited(node)
        return self._call_of(f, arguments, options)

    def _method_of(self, base: Items | Fields, node: ast.Call, scope: Scope) -> Meaning:
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if isinstance(base, Items) and method == "append" and len(node.args) == 1:
            value = self.kept(self.evaluate(node.args[0], scope))
            self.change(base)
            base.parts.append(value)
            return NONE
        raise Unsuited(node)

    def _call_of(self, f: Meaning, arguments: list[Meaning], options: dict[str, Meaning]) -> Meaning:
        called: Any = f.value if isinstance(f, Const) else f
        if not options:
            known = result_of(called, arguments)
            if known is not None:
                return known
        is_starred = any([isinstance(value, Code) and isinstance(value.code, ast.Starred) for value in arguments])
        if not (self._held or self.calls_stay or is_starred) and isinstance(f, (Const, Closure)):
            arguments = [self.kept(value) for value in arguments]
            options = {name: self.kept(value) for name, value in options.items()}
            block, n, made = self.block, len(self.block), dict(self._made)
            try:
                return self.write_out(called, arguments, options)
            except Unsuited:  # it stays a call
                self.block, self._made = block, made
                del block[n:]
        keywords = [ast.keyword(name, self.code(value)) for name, value in options.items()]
        return Code(ast.Call(self.code(f), [self.code(value) for value in arguments], keywords))
