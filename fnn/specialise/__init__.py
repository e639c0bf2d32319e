"""Partial evaluation: a plain Python function with the calls, loops and branches that never change written out.

A planned step is many small functions that were put together once: a chain runs through its layers, a layer calls its kernel,
the kernel gives a pullback that is called later. On small nets those calls, loops and tuples take a fifth of the time, so what
was called often is written out: from the source of the function, and of the library's functions that it calls, one is made that
makes the same calls of NumPy in the same order with the same arguments, and gives the same bits. For example

    def affine(x, w, b):
        y = x.dot(w)
        if b is None:                                            def special(a0):
            return y                                                 v1 = a0.dot(c0)
        return y + b                                  becomes        v2 = c1(v1)
                                                                     return (v2, v2 * v2)
    def f(x):
        y = np.tanh(affine(x, weight, None))
        return y, square(y)

Known beforehand, and taken as fixed, are what a function closes over, globals, and the fields of frozen dataclasses; all else
is a variable of the new function. What cannot be written out stays a call. Where a branch that depends on a variable ends in an
error or a loop, or in another result than the way after it, the new function raises `Otherwise` in its place, and the function
itself is called.

Files: `function` makes the new function; `statements` and `expressions` write it; `values` has what an expression may stand
for, `names` the names in a piece of code; `source` finds a function's source.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

# Calls after which a function is written out. On small nets that takes 15 to 35 milliseconds, on deep ones a multiple: what it
# saves in one to four thousand calls.
AFTER = 2_000
# Failures after which it is given up again: each takes part of a call, all of them what writing out took.
_MOST_FAILURES = 1_000
LOADED = time.time()  # source that is younger is not that of what runs


def hot(f: Callable[..., Any]) -> Callable[..., Any]:
    """The same function of positional arguments, written out after many calls.

    Where what was written fails, the function itself is called: it, and what it calls of the user's, is pure, or only writes
    into arrays that the second call writes again. What fails at once, or a thousand times, is given up.
    """
    calls = failures = 0
    special: Callable[..., Any] | None = None

    def run(*arguments: Any) -> Any:
        nonlocal calls, failures, special
        if special is not None:
            try:
                return special(*arguments)
            except Exception:  # Otherwise, or what f runs into as well
                pass
            made = f(*arguments)
            failures += 1
            if failures > _MOST_FAILURES:
                special = None
            return made
        calls += 1
        if calls == AFTER:
            from fnn.specialise.function import specialised  # noqa: PLC0415 (what runs a few steps does not load it)

            with suppress(Exception):  # as RecursionError of a deep net: what only saves time ends no run
                written = specialised(f, len(arguments))
                if written is not None:
                    made = written(*arguments)
                    special = written
                    return made
        return f(*arguments)

    return run
