"""The source of a function, as a syntax tree."""

from __future__ import annotations

import ast
import linecache
import os
from functools import lru_cache
from types import CodeType
from typing import TypeAlias

from fnn.specialise import LOADED
from fnn.specialise.names import nodes
from fnn.specialise.values import Unsuited

Function: TypeAlias = "ast.FunctionDef | ast.Lambda"


@lru_cache(maxsize=64)  # a kernel is often written out several times
def function_of(code: CodeType) -> Function:
    """The definition of which this is the code. Unsuited where its source is not at hand."""
    try:
        if os.stat(code.co_filename).st_mtime > LOADED:  # not what runs
            raise Unsuited(code)
    except OSError:  # source that is no file
        pass
    first = code.co_firstlineno
    lines = linecache.getlines(code.co_filename)
    own = "".join(lines[first - 1 : _last_line(code)])
    try:  # its own lines alone, in a tenth of the time of all; with a line before them, under which they may be indented
        found = _functions_in(f"{'if 1:' if own[:1] == ' ' else ''}\n{own}", first - 2, code)
    except SyntaxError:  # the middle of a statement
        found = []
    found = found or _functions_in("".join(lines), 0, code)
    if len(found) != 1:
        raise Unsuited(code)
    return found[0]


def _functions_in(source: str, lines_before: int, code: CodeType) -> list[Function]:
    """The functions in a piece of source that may have this code."""
    found: list[Function] = []
    places = {(line, column) for line, _, column, _ in code.co_positions()}
    for node in nodes(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *[decorator.lineno for decorator in node.decorator_list]])
            if node.name == code.co_name and first + lines_before == code.co_firstlineno:
                found.append(node)
        elif isinstance(node, ast.Lambda) and (node.body.lineno + lines_before, node.body.col_offset) in places:
            found += [node] if code.co_name == "<lambda>" else []
    return found


def _last_line(code: CodeType) -> int:
    """The line in which a function ends."""
    ends = [end for _, end, _, _ in code.co_positions() if end]
    return max([code.co_firstlineno, *ends, *[_last_line(inner) for inner in code.co_consts if isinstance(inner, CodeType)]])
