"""The new function: what was written, compiled."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from fnn.specialise.names import nodes
from fnn.specialise.statements import Writer
from fnn.specialise.values import Name, Otherwise, Unsuited

_PLACE = {"lineno": 1, "col_offset": 0, "end_lineno": 1, "end_col_offset": 0}


def specialised(f: Callable[..., Any], n: int) -> Callable[..., Any] | None:
    """A function of n positional arguments that gives what f gives or raises `Otherwise`; None where f cannot be written out.

    `ast.unparse` of its attribute `module` is its source.
    """
    names = [f"a{i}" for i in range(n)]
    writer = Writer()
    try:
        writer.finish(writer.write_out(f, [Name(name) for name in names], {}))
    except Unsuited:
        return None
    module = ast.parse(f"def special({', '.join(names)}): pass")  # as this version of Python has definitions
    module.body[0].body = writer.block  # type: ignore[attr-defined]  # it is a FunctionDef
    for node in nodes(module):  # ast.fix_missing_locations in half of its time
        vars(node).update(_PLACE)
    space = {**writer.constants, "Otherwise": Otherwise, "__name__": getattr(f, "__module__", __name__)}
    exec(compile(module, "<written out by fnn.specialise>", "exec"), space)
    special: Any = space["special"]
    special.module = module
    return special  # type: ignore[no-any-return]  # which no type says has an attribute
