"""Functions that are written out do what they did before: the same values, aliases and errors, in any combination."""

from __future__ import annotations

import ast
import gc
import linecache
import os
import weakref
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn
from fnn import specialise
from fnn.optim.optimizer import updater
from fnn.specialise.function import specialised
from fnn.specialise.source import function_of
from fnn.specialise.values import Otherwise, Unsuited
from tests.laws.optimizers import OPTIMIZERS

numbers = count()


def module_of(source: str) -> dict[str, Any]:
    """The globals of a piece of source, whose functions count as the library's own."""
    name = f"<source {next(numbers)}>"
    linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name
    space: dict[str, Any] = {"__name__": "fnn.written", "np": np, "partial": partial}
    exec(compile(source, name, "exec"), space)
    return space


def programs_of(text: str) -> dict[str, str]:
    """Programs by the comments before them."""
    return {program.partition("\n")[0]: program.partition("\n")[2] for program in text.strip().removeprefix("# ").split("\n# ")}


def special(source: str, n: int = 2) -> tuple[Any, Any, str]:
    """f of a piece of source, f written out, and the source of that."""
    f = module_of(source)["f"]
    made: Any = specialised(f, n)
    assert made is not None
    source = ast.unparse(made.module)
    compile(source, "", "exec")
    return f, made, source


def outcome(f: Callable[..., Any], *arguments: Any) -> Any:
    """What comes out, and what has become of the arguments."""
    copies = [np.array(a) if isinstance(a, np.ndarray) else a for a in arguments]
    try:
        made = f(*copies)
    except Otherwise:
        return None
    except Exception as error:  # whatever it is, it must be the same
        made = type(error)
    return repr(made), repr(copies)


ARGUMENTS = [(np.array([1, 2, 3]), np.array([4, 5, 6])), (np.array([1, 2, 3]), 2), (3, 2), (0, 0), (np.array([0, 0, 0]), 0)]

SAME = programs_of("""
# a number that two names have
def f(a, b):
    x = a
    x += b
    return x, a

# a slice that is given to a function
def part(x, which):
    y = x[which]
    return y, x[which]
def f(a, b):
    return part((a, b), slice(1)), [[1, 2, 3][1:b if b.__class__ is int else None]], part([a, b], slice(None))

# a slice that has a name
def part(x, *which):
    return x[which]
def f(a, b):
    return part(np.arange(6).reshape(2, 3) + a.sum() if hasattr(a, "sum") else np.ones((2, 3)), 0)[:2]

# a sum that two names have
def f(a, b):
    x = a + 1
    y = x
    x += b
    return x, y

# a sum that a list has
def f(a, b):
    x = a + 1
    c = [x]
    x += b
    return x, c[0]

# an array that a call changes
def g(x):
    x += 1
    return x
def f(a, b):
    return g(a), a, b

# names that change places
def f(a, b):
    a, b = b, a
    return a - b

# names that change places in a branch
def f(a, b):
    c = a
    if np.sum(b) > 3:
        a, b = b, a
        c += 1
    else:
        a = a + 1
    return a, b, c

# a name that branches give a value one after the other
def f(a, b):
    for i in (0, 1):
        if np.sum(b) > 3:
            c = a + i
        else:
            c = b
    return c

# a list that a call changes
def g(x):
    try:
        x.append(1)
    finally:
        pass
def f(a, b):
    c = [a]
    g(c)
    return len(c), c[-1], not c

# a name that only one branch gives a value
def f(a, b):
    if np.sum(b) > 3:
        c = a
    return c

# the branch that is known
def g(x, y=None):
    if y is None:
        return x
    return x - y
def f(a, b):
    return g(a), g(a, b)

# a branch in a branch
def f(a, b):
    c = 0
    if np.sum(b) > 3:
        c = 1
        if np.sum(a) > 3:
            c += a
        else:
            c = b
    return c, a

# either of two returns
def g(x):
    if np.sum(x) > 3:
        return x, 1
    return x + 1, 2
def f(a, b):
    c, n = g(a)
    return c, n, g(b)

# a comparison that stops early
def g(x):
    x += 1
    return x
def f(a, b):
    return 99 < np.sum(b) < np.sum(g(a)), a

# a star before what is not known
def f(a, b):
    c = (1, *np.shape(a))
    return len(c), c[-1], bool((*np.shape(a),)), a

# a name given by place and by name
def g(x, /, **more):
    return x, more
def f(a, b):
    return g(a, y=b)

# numbers that are NumPy's
k = np.float64(0.5)
def f(a, b):
    return a * k, k > 0.25, float(k)

# a list that a global has
calls = [1, 2]
def f(a, b):
    n = len(calls)
    calls.append(1)
    m = len(calls) - n
    del_ = calls.pop()
    return m, a

# an argument given twice
def g(x, y=1):
    return x - y
def f(a, b):
    return g(a, b, y=3)

# a generator behind a branch that is known
def g(x, k=None):
    if k is None:
        return x
    yield x
def f(a, b):
    return g(a)

# a list that is changed by a call that stays one
def make(a):
    return [a]
def g(c, b):
    c.append(b)
    try:
        pass
    finally:
        pass
    return c
def f(a, b):
    c = make(a)
    return g(c, b)

# an error in a sum of numbers
def f(a, b):
    if np.sum(a) > 1000:
        return 1 / 0
    return a

# an expression that may not run
def g(x):
    x += 1
    return x
def f(a, b):
    return g(a) if np.sum(b) > 3 else b, a

# or
def g(x):
    x += 1
    return x
def f(a, b):
    return (b is None or np.sum(g(a)) > 3 or np.sum(g(a)) > 2), a

# the order of a sum
def g(x):
    x += 1
    return x
def f(a, b):
    return (a + b) * g(a) + g(b) - a

# the order of arguments
def g(x):
    x += 1
    return x
def f(a, b):
    return np.add(np.negative(a), g(a)), np.add(a, b)

# the order of a comparison
def g(x):
    x += 1
    return x
def f(a, b):
    return np.sum(a * 1 < g(a)), a

# a loop
def f(a, b):
    for i, c in ((0, 1), (1, 2)):
        a = a * c + i
    return a

# a loop that ends
def f(a, b):
    for i in range(9):
        if i == 1:
            continue
        if i == 3:
            break
        a = a * i + b
    return a, i

# a loop that returns
def f(a, b):
    for i in range(9):
        if i == 3:
            return a
        a = a + i

# functions in a list
def g(k):
    def pull(x):
        return x * k
    return pull
def f(a, b):
    found = []
    for k in (2, 3):
        found.append(g(k))
    for i in range(len(found) - 1, -1, -1):
        a = found[i](a)
    return a

# a function that sees a later value
def f(a, b):
    g = lambda x: x + c
    c = a
    c += 1
    y = g(b)
    c = b
    return y, g(b), a

# fields
def g(own):
    return {'x': own['x'] + 1}
def f(a, b):
    own = {'x': a}
    own['y'] = b
    new = g(own)
    return new, new is own, len(own)

# fields that are the same
def g(own):
    return own
def f(a, b):
    own = {}
    own['x'] = a
    return g(own) is own, own.keys() == g(own).keys(), own.keys() == {}.keys()

# any arguments
def g(x, *rest, **more):
    return x, rest, more
def f(a, b):
    return g(a, b, 1, k=2), g(*(a, b), **{'k': 3})

# options that are bound
def g(x, y, *, k=1):
    return x * k - y
h = partial(g, k=3)
def f(a, b):
    return h(a, b), partial(h, k=4)(a, b)

# a default
def g(x, y=3, *, k=1):
    return x * k - y
def f(a, b):
    return g(a), g(a, 4), g(y=1, x=b), g(a, k=2)

# a method
class C:
    k = 3
    def g(self, x):
        return x * self.k
c = C()
def f(a, b):
    return c.g(a) + b

# recursion
def g(x, n):
    return x if n == 0 else g(x, n - 1) + 1
def f(a, b):
    return g(a, 3)

# what cannot be written out
def g(x):
    try:
        return 1 / x.missing
    except AttributeError:
        return x
def h(x):
    return [i + 1 for i in (1, 2)], x
def f(a, b):
    return g(a), h(b)

# an entry
def f(a, b):
    if np.ndim(a) == 0:
        a = np.zeros(3, int)
    a[1] = 7
    a[:2] += 1
    a[(a > 1)] -= 1
    return a, a[1], a[..., None]

# a name without a value
def f(a, b):
    if np.sum(a) > 3:
        c = 1
    return c

# two lambdas in a line
g, h = (lambda x: x + 1), (lambda x: x * 2)
def f(a, b):
    return g(a), h(b)

# several targets
def g(x):
    x += 1
    return x
def f(a, b):
    c = d = g(a)
    c += 1
    return c, d, a

# an annotation
def f(a, b):
    c: int = 3
    d: int
    return a * c

# not
def f(a, b):
    return not a is None, not np.sum(a) > 3, -3, not (), not []

# numbers
def f(a, b):
    k = 2
    k += 1
    return a * (1 - k) * 2 ** k, k == 3, 1 < k < 5, round(2.6), float(k)

# a star before a target
def g(x):
    return x, x + 1, x + 2
def f(a, b):
    c, *d = g(a)
    *e, h = g(b)
    return c, d[0], d[1], e[1], len(d), h

# a star in a tuple
def f(a, b):
    c = (1, *(a, b), *np.shape(a))
    return c, np.reshape(a, (*np.shape(a), 1)), [*(a, b)]

# a list that two calls are given
def g(x):
    try:
        x.append(1)
    finally:
        return x
def f(a, b):
    c = [a]
    return g(c), g(c), c

# a default of a function inside
def f(a, b):
    g = lambda x, y=3: x + y
    return g(a), g(a, b)

# a function in itself
def g(n):
    def run(x):
        return x + n if n == 0 else inner(x) + n
    inner = g(n - 1) if n else None
    return run
h = g(3)
def f(a, b):
    return h(a)

# a list that is handed on
def f(a, b):
    c = [a]
    c.append(b)
    return np.concatenate([np.ravel(x) for x in c]) if False else c
""")


@pytest.mark.parametrize("source", SAME.values(), ids=SAME.keys())
def test_a_function_that_is_written_out_does_the_same(source: str) -> None:
    f, made, _ = special(source)
    for arguments in ARGUMENTS:
        found = outcome(made, *arguments)
        assert found is None or found == outcome(f, *arguments)
    assert outcome(made, *ARGUMENTS[-1]) is not None


def test_calls_loops_and_branches_are_gone() -> None:
    _, _, source = special(
        "def affine(x, w, b):\n y = x.dot(w)\n if b is None:\n  return y\n y += b\n return y\n"
        "def square(x):\n return x * x\n"
        "def f(x, w):\n for _ in range(2):\n  x = square(affine(x, w, None))\n return x, lambda: 1\n".replace(", lambda: 1", "")
    )
    assert source.count("dot") == 2
    for gone in ("affine", "square", "for ", "if ", "None"):
        assert gone not in source


OTHERWISE = programs_of("""
# an error
def f(a, b):
    if np.sum(a) > 3:
        raise ValueError('large')
    return a

# a loop that ends early
def f(a, b):
    for i in range(3):
        a = a + 1
        if np.sum(a) > 3:
            break
    return a

# another function
def g(x):
    if np.sum(x) > 3:
        return x, lambda y: y
    z = x + 1
    return z, lambda y: y * z
def f(a, b):
    y, pull = g(a)
    return pull(y)
""")


@pytest.mark.parametrize("source", OTHERWISE.values(), ids=OTHERWISE.keys())
def test_what_it_was_not_made_for_is_refused(source: str) -> None:
    f, made, _ = special(source)
    assert outcome(made, 0, 0) == outcome(f, 0, 0)
    with pytest.raises(Otherwise):
        made(9, 0)


NOT = programs_of("""
# a list that a branch changes after a call made it
def g(a):
    return [a]
def f(a, b):
    c = g(a)
    if np.sum(b) > 3:
        c.append(b)
    return c

# a change that may not happen
def f(a, b):
    c = [a]
    np.sum(b) > 3 and c.append(b)
    return c

# functions of one name in two branches
def f(a, b):
    if np.sum(b) > 3:
        def g(x): return x + 1
    else:
        def g(x): return x - 1
    return g(a)

# a loop over a list that grows
def f(a, b):
    c = [a]
    for x in c:
        if len(c) < 3:
            c.append(b)
    return c

# keys that are kept
def f(a, b):
    c = {"x": a, "a": b}
    return list(c.keys())

# a local name without a value that is a global's too
c = 1
def f(a, b):
    a = c + a
    c = a
    return c

# a comparison of a list in a global
calls = []
def f(a, b):
    calls.append(1)
    n = len(calls)
    return [c for c in calls]

# an entry that changes while it is added to
def g(x):
    x += 1
    return x
def f(a, b):
    b[0] += g(b[::-1])[0]
    return b

# a generator
def f(a, b):
    yield a

# a function as result
def f(a, b):
    return lambda: a

# an error for sure
def f(a, b):
    raise ValueError

# a list that one branch changes
def f(a, b):
    c = []
    if np.sum(a) > 3:
        c.append(b)
    return c

# fields that one branch changes
def f(a, b):
    c = {}
    if np.sum(a) > 3:
        c['x'] = b
    return c

# a function that one branch defines
def f(a, b):
    if np.sum(a) > 3:
        g = lambda: a
    else:
        g = lambda: b
    return g()

# a name without a value
def f(a, b):
    return nothing

# nonlocal
def f(a, b):
    c = a
    def g():
        nonlocal c
        c = b
    g()
    return c

# a default of its own
def f(a, b):
    g = lambda x=a: x
    return g()

# too many values
def f(a, b):
    c, d = (a, b, a)
    return c

# an entry of a list
def f(a, b):
    c = [a]
    c[0] = b
    return c[0]

# an entry of a list, and more
def f(a, b):
    c = [a]
    c[0] += b
    return c[0]

# a list that only one branch makes
def f(a, b):
    c = [a]
    d = []
    if np.sum(a) > 3:
        d = np.sum(c)
    return c, d
""")


@pytest.mark.parametrize("source", NOT.values(), ids=NOT.keys())
def test_what_is_left_as_it_is(source: str) -> None:
    assert specialised(module_of(source)["f"], 2) is None


def test_a_function_without_source_and_one_of_somebody_else_are_left_as_they_are() -> None:
    space: dict[str, Any] = {"__name__": "fnn.written"}
    exec("def f(a): return a", space)
    assert specialised(space["f"], 1) is None
    with pytest.raises(Unsuited):
        function_of(space["f"].__code__)
    assert specialised(lambda a: a, 1) is None
    assert specialised(len, 1) is None


def test_source_that_was_changed_since_is_not_believed(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text("def f(a):\n    return a + 1\n")
    space: dict[str, Any] = {"__name__": "fnn.written"}
    exec(compile(file.read_text(), str(file), "exec"), space)
    os.utime(file, (specialise.LOADED - 9, specialise.LOADED - 9))
    made = specialised(space["f"], 1)
    assert made is not None
    assert made(2) == 3
    function_of.cache_clear()
    file.write_text("def f(a):\n    return a + 2\n")
    os.utime(file, (specialise.LOADED + 9, specialise.LOADED + 9))
    assert specialised(space["f"], 1) is None


def test_an_array_lives_no_longer_than_before() -> None:
    space = module_of(
        "def g(x, seen):\n y = x + 1\n seen(y)\n return y * 2\ndef f(x, seen, check):\n y = g(x, seen)\n check()\n return y\n"
    )
    made: Any = specialised(space["f"], 3)
    refs: list[Any] = []
    alive: list[bool] = []
    gc.collect()
    made(np.ones(3), lambda y: refs.append(weakref.ref(y)), lambda: alive.append(refs[0]() is not None))
    assert alive == [False]


# Programs


@st.composite
def statements(draw: st.DrawFn, names: list[str], calls: int, depth: int = 0) -> list[str]:
    """Lines of a function whose variables so far are `names`; it may call g0, g1, ... of these many functions."""

    def value(plain: bool = False) -> str:
        kind = draw(st.integers(0, 2 if plain or not calls else 5))
        a, b = draw(st.sampled_from(names)), draw(st.sampled_from(names))
        if kind < 3:
            return [a, f"{a} + {b}", f"{draw(st.integers(0, 3))} - {a}"][kind]
        if kind == 3:
            return f"({value(True)} if {test()} else {value()})"
        return f"g{draw(st.integers(0, calls - 1))}({value()}, {value()})"

    def test() -> str:
        return draw(st.sampled_from(["True", "K is None", "K > 1", f"np.sum({value(True)}) > 4", f"np.sum({value()}) > 0"]))

    lines: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.integers(0, 8))
        name = draw(st.sampled_from([*names, "x", "y"]))
        if kind < 2:
            lines.append(f"{name} = {value()}")
            names = sorted({*names, name})
        elif kind < 4:
            lines.append(f"{draw(st.sampled_from(names))} += {value()}")
        elif kind == 4:
            a, b = draw(st.sampled_from(names)), draw(st.sampled_from(names))
            lines.append(f"{a}, {b} = {value()}, {value()}")
        elif kind == 5 and depth < 2:
            lines.append(f"if {test()}:")
            lines.extend(f" {line}" for line in draw(statements(names, calls, depth + 1)))
            if draw(st.booleans()):
                lines.append("else:")
                lines.extend(f" {line}" for line in draw(statements(names, calls, depth + 1)))
        elif kind == 6:
            lines.extend([f"if {test()}:", f" return {value()}"])
        elif kind == 7 and depth < 2:
            lines.append("for i in (0, 2):")
            lines.extend(f" {line}" for line in draw(statements([*names, "i"], calls, depth + 1)))
        elif kind == 8:
            lines.extend([f"h = lambda t: t + {draw(st.sampled_from(names))}", f"{name} = h({value()})"])
            names = sorted({*names, name})
    return lines or ["pass"]


@st.composite
def programs(draw: st.DrawFn) -> str:
    """f, and functions that it calls."""
    lines = ["K = 2"]
    n = draw(st.integers(0, 3))
    for i in range(n):
        lines.extend([f"def g{i}(a, b):", *[f" {line}" for line in draw(statements(["a", "b"], i))], " return a + b"])
    lines.extend(["def f(a, b):", *[f" {line}" for line in draw(statements(["a", "b"], n))], " return a, b"])
    return "\n".join(lines) + "\n"


@given(programs())
def test_any_program(source: str) -> None:
    f = module_of(source)["f"]
    made = specialised(f, 2)
    if made is None:
        return
    for arguments in ARGUMENTS:
        with np.errstate(all="ignore"):
            found = outcome(made, *arguments)
            assert found is None or found == outcome(f, *arguments), ast.unparse(made.module)  # type: ignore[attr-defined]


# hot


def test_a_function_is_written_out_when_it_was_called_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(specialise, "AFTER", 3)
    space = module_of(
        "calls = []\ndef f(a):\n if a > 5:\n  raise ValueError('large')\n return g(a)\ndef g(a):\n return a + 1\n"
    )
    run = specialise.hot(space["f"])
    space["g"] = lambda a: a + 1
    assert [run(i) for i in range(5)] == [1, 2, 3, 4, 5]
    space["g"] = lambda a: -1  # a global, which is taken as fixed
    assert run(1) == 2
    with pytest.raises(ValueError, match="large"):  # f says what is wrong
        run(9)
    assert run(1) == 2


def test_one_that_is_refused_is_the_function_itself_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(specialise, "AFTER", 1)
    monkeypatch.setattr(specialise, "_MOST_FAILURES", 0)
    space = module_of("def f(a):\n for i in range(3):\n  if a > i:\n   break\n return g(i)\ndef g(i):\n return i\n")
    run = specialise.hot(space["f"])
    assert [run(0), run(2)] == [2, 0]
    space["g"] = lambda i: -1
    assert run(0) == -1


@pytest.mark.parametrize("number", range(len(OPTIMIZERS)))
def test_every_optimizer(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(specialise, "AFTER", 2)
    opt = OPTIMIZERS[number].opt
    rng = np.random.default_rng(number)
    params = (rng.standard_normal((3, 2)), rng.standard_normal(4))
    state = other = opt.init(params)
    once = vector = state.layout.pack([leaf.reshape(-1) for leaf in params])
    apply = updater(opt)
    for _ in range(5):
        grads = rng.standard_normal(10)
        vector, state = apply(grads, state, vector)
        once, other = updater(opt)(grads, other, once)
        assert vector.tobytes() == once.tobytes()
        assert {key: slot.tobytes() for key, slot in state.slots.items()} == {k: s.tobytes() for k, s in other.slots.items()}
        assert not vector.flags.writeable
        assert not any([slot.flags.writeable for slot in state.slots.values()])


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was written out, and "again" for each call that then went back to the function itself."""
    found: list[str] = []

    def watched(f: Any, n: int) -> Any:
        made: Any = specialised(f, n)
        found.append("nothing" if made is None else ast.unparse(made.module))

        def run(*arguments: Any) -> Any:
            try:
                return made(*arguments) if made else None
            except Exception:
                found.append("again")
                raise

        return None if made is None else run

    monkeypatch.setattr("fnn.specialise.function.specialised", watched)
    monkeypatch.setattr(specialise, "AFTER", 1)
    return found


USUAL = [fnn.Sgd(0.1), fnn.Sgd(0.1, momentum=0.9), fnn.Adam(0.1), fnn.Adam(fnn.optim.Cosine(0.1, steps=9)), fnn.AdamW(0.1)]


@pytest.mark.parametrize("opt", USUAL, ids=["Sgd", "momentum", "Adam", "Adam, with a schedule", "AdamW"])
def test_the_usual_optimizers_are_written_out(opt: fnn.Optimizer, written: list[str]) -> None:
    state, apply = opt.init(np.ones(4)), updater(opt)
    vector: fnn.Array1 = np.ones(4)
    for _ in range(4):
        vector, state = apply(np.ones(4), state, vector)
    (source,) = written
    assert "setflags(write=False)" in source
    assert "update_flat(" not in source


def test_the_step_of_a_small_net_is_written_out(written: list[str]) -> None:
    model, opt = fnn.Dense(2, 8) >> fnn.tanh >> fnn.Dense(8, 1), fnn.Sgd(0.1)
    step, ts = fnn.train_step(fnn.supervised(model, fnn.bce_with_logits), opt), fnn.start(model, opt, fnn.key(0))
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    for _ in range(4):
        ts, _ = step(ts, x, x[:, :1])
    source = max(written, key=len)
    assert "again" not in written
    assert source.count("dot(") == 8  # the products of weights, the sums for biases, and that of the loss


D: Any = fnn.Dense
NETS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "norm and dropout": (D(5, 8) >> fnn.BatchNorm(8) >> fnn.relu >> fnn.Dropout(0.2) >> D(8, 3), (4, 5)),
    "layer norm": (D(5, 8) >> fnn.LayerNorm(8) >> fnn.gelu >> D(8, 3), (4, 5)),
    "silu, softplus": (D(5, 8) >> fnn.silu >> D(8, 8) >> fnn.softplus >> D(8, 3), (4, 5)),
    "residual": (D(5, 8) >> fnn.residual(D(8, 8) >> fnn.relu) >> D(8, 3), (4, 5)),
    "over time": (D(5, 8) >> fnn.relu >> fnn.last_step >> D(8, 3), (4, 6, 5)),
    "convolution": (fnn.Conv2d(1, 4, 3) >> fnn.relu >> fnn.MaxPool2d(2) >> fnn.flatten >> D(36, 3), (4, 6, 6, 1)),
    "convolution 1d": (fnn.Conv1d(2, 4, 3) >> fnn.BatchNorm(4) >> fnn.relu >> fnn.flatten >> D(32, 3), (4, 8, 2)),
    "group norm": (fnn.Conv2d(1, 4, 3) >> fnn.GroupNorm(2, 4) >> fnn.relu >> fnn.flatten >> D(144, 3), (4, 6, 6, 1)),
    "lstm": (fnn.LSTM(2, 4) >> fnn.last_step >> D(4, 3), (4, 8, 2)),
    "gru": (fnn.GRU(2, 4) >> fnn.last_step >> D(4, 3), (4, 8, 2)),
    "transformer": (fnn.encoder_block(8, 2) >> fnn.last_step >> D(8, 3), (4, 5, 8)),
    "transformer with dropout": (fnn.encoder_block(8, 2, drop_rate=0.1) >> fnn.last_step >> D(8, 3), (4, 5, 8)),
}


@pytest.mark.parametrize("name", NETS)
def test_the_steps_of_the_usual_nets_run_as_they_are_written_out(name: str, written: list[str]) -> None:
    model, shape = NETS[name]
    opt, rng = fnn.Adam(0.01), np.random.default_rng(0)
    step, ts = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), opt), fnn.start(model, opt, fnn.key(0))
    for _ in range(5):
        batch = rng.normal(size=shape).astype(np.float32), rng.integers(0, 3, len(shape) and shape[0])
        once = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), opt)(ts, *batch)[0]
        ts, _ = step(ts, *batch)
        assert [a.tobytes() for a in fnn.tree.leaves(ts.params)] == [a.tobytes() for a in fnn.tree.leaves(once.params)]
    assert len(written[-1]) > 1_000
    assert "again" not in written
    assert "nothing" not in written


def test_a_few_batches_that_it_was_not_written_for_do_not_end_it(written: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(specialise, "_MOST_FAILURES", 20)
    model, opt = D(3, 4) >> fnn.relu >> D(4, 3), fnn.Adam(0.1)
    step, ts = fnn.train_step(fnn.supervised(model, fnn.mse), opt), fnn.start(model, opt, fnn.key(0))
    float32, float16 = (np.ones((4, 3), dtype) for dtype in (np.float32, np.float16))
    for _ in range(6):
        ts, _ = step(ts, float32, float32)
    for _ in range(4):
        ts, _ = step(ts, float16, float16)
    back = written.count("again")
    assert back > 0
    for _ in range(6):
        ts, _ = step(ts, float32, float32)
    assert written.count("again") == back
    for _ in range(40):
        ts, _ = step(ts, float16, float16)
    assert back < written.count("again") < 40  # then it was given up


def test_an_error_in_the_data_is_not_one_of_the_plan(written: list[str]) -> None:
    model, opt = D(3, 4) >> fnn.relu >> D(4, 3), fnn.Adam(0.1)
    step, ts = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), opt), fnn.start(model, opt, fnn.key(0))
    x = np.ones((4, 3), np.float32)
    for i in range(30):
        if i % 5 == 4:
            with pytest.raises(ValueError, match="label 9"):
                step(ts, x, np.array([0, 1, 9, 0]))
        else:
            ts, _ = step(ts, x, np.zeros(4, int))
    assert len([source for source in written if source != "again"]) <= 2  # the update of the first step, and the step
