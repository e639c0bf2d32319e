"""What a law is, and running a table of them over one object with messages that name the law."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias, TypeVar

import numpy as np

from fnn.arrays import describe
from fnn.tree import equal, map, paths
from fnn.tree.structure import difference, take_apart

Subject = TypeVar("Subject")
Tree: TypeAlias = Any  # a pytree of any type: laws are written for all of them

# Raises AssertionError where the subject breaks it; False where it has nothing to say about this subject.
Law: TypeAlias = Callable[[Subject], bool | None]


def check_laws(
    name: str,
    what: str,
    laws: Mapping[str, Law[Subject]],
    subject: Subject,
    *,
    only: Collection[str] | None,
    skip: Collection[str],
) -> tuple[str, ...]:
    """Run the laws of a table, in its order; the names of those that had something to say.

    AssertionError where one is broken, ValueError for names that the table doesn't have.
    """
    for option, names in (("laws", only or ()), ("skip", skip)):
        unknown = [law for law in ((names,) if isinstance(names, str) else names) if law not in laws]
        if unknown or isinstance(names, str):
            raise ValueError(f"{name}: {option}={names!r}, expected a collection of the names {list(laws)}")
    held = []
    for law, check in laws.items():
        if law in skip or (only is not None and law not in only):
            continue
        try:
            said = check(subject)
        except Exception as error:
            raise broken(name, what, law, check, error) from error
        if said is not False:
            held.append(law)
    return tuple(held)


def broken(name: str, what: str, law: str, check: Law[Subject], error: Exception) -> AssertionError:
    """What says that a law is broken, as an error showed."""
    found = str(error) if isinstance(error, AssertionError) else f"it raised {type(error).__name__}: {error}"
    advice = f"where it cannot hold on purpose: {name}(..., skip=({law!r},))"
    if not isinstance(error, AssertionError):
        advice += "; an error that comes whatever the law is a mistake in the object, or in what it was given"
    return AssertionError(f"{name}: {what} breaks the law {law!r}: {found}\n  the law: {first_line(check)}\n  {advice}")


def first_line(f: Callable[..., object]) -> str:
    """The first paragraph of the docstring, in one line."""
    return " ".join((f.__doc__ or "").split("\n\n")[0].split())


def global_state() -> tuple[object, ...]:
    """What a pure function leaves alone: NumPy's global generator and error handling, Python's generator."""
    kind, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 (to see that nobody uses it)
    return kind, np.asarray(keys).tobytes(), tuple(rest), tuple(sorted(np.geterr().items())), random.getstate()


_DRAW = "; all randomness comes from keys, in a layer as mode.key.generator()"
_GLOBALS = (
    *[f"NumPy's global generator{_DRAW}"] * 3,
    "NumPy's error handling (np.seterr); write `with np.errstate(...):` around what needs it",
    f"Python's global generator{_DRAW}",
)


def check_pure(call: Callable[..., object], /, **inputs: Tree) -> None:
    """AssertionError where call(**inputs) writes to an input, each given as a writable copy, or to a global."""
    given = {name: writable(value) for name, value in inputs.items()}
    before = global_state()
    call(**given)
    after = global_state()
    for what, old, new in zip(_GLOBALS, before, after, strict=True):
        assert old == new, f"it changed {what}"
    for name, value in inputs.items():
        where = unlike(given[name], value)
        assert not where, f"it wrote to its argument {name}: {where}; make a new array, as x = x + y for x += y"


def writable(tree: Tree) -> Tree:
    """The tree with leaves that may be written to."""
    leaves, structure = take_apart(tree)
    return structure.unflatten([leaf.copy() for leaf in leaves])


def unlike(a: Tree, b: Tree, *, rtol: float = 0.0, atol: float = 0.0) -> str:
    """Where two trees differ, in words: in structure, dtype, shape, or values (NaN equals NaN); empty where they don't."""
    where = difference(a, b)
    if where:
        return where
    for (path, x), (_, y) in zip(paths(a), paths(b), strict=True):
        name = path or "the root"
        if describe(x) != describe(y):
            return f"{name} is {describe(x)} and {describe(y)}"
        if rtol or atol:
            if not np.allclose(x, y, rtol=rtol, atol=atol, equal_nan=True):
                return f"{name} differs by up to {np.max(np.abs(np.asarray(x, np.float64) - y)):.3g}"
        elif not equal(x, y):
            return f"{name} differs at {int(np.sum(np.asarray(x != y)))} of {x.size} entries"
    return ""


def shares(result: Tree, given: Tree) -> str:
    """The paths of a leaf of the result and of a leaf of what was given that share memory; empty where none do."""
    for path, a in paths(result):
        for other, b in paths(given):
            if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and np.may_share_memory(a, b):
                return f"{path or 'the root'} and {other or 'the root'}"
    return ""


def pickled(what: str, value: Tree) -> Tree:
    """A copy through pickle; AssertionError with advice where that fails."""
    try:
        return pickle.loads(pickle.dumps(value))
    except Exception as error:
        raise AssertionError(
            f"{what} does not pickle ({type(error).__name__}: {error}); classes and functions must stand at the top of a module"
        ) from error


def check_spec_pickles(what: str, spec: object) -> Any:
    """The copy of a spec, which must be equal to it and have its hash."""
    copy = pickled(what, spec)
    assert copy == spec, f"the copy of {what} is not equal to it; make the class a frozen dataclass, which compares by value"
    try:
        same = hash(copy) == hash(spec)
    except TypeError as error:
        raise AssertionError(f"{what} has no hash ({error}); make it a frozen dataclass of values, tuples for lists") from error
    assert same, f"the copy of {what} has another hash; make the class a frozen dataclass, which hashes by value"
    return copy


def floating_as(tree: Tree, dtype: Any) -> Tree:
    """The tree with its floating leaves in another dtype, all leaves read-only."""
    return map(lambda leaf: leaf.astype(dtype) if leaf.dtype.kind == "f" else leaf, tree)


def check_floats(what: str, tree: Tree, dtype: Any, given: str) -> None:
    """AssertionError with the path of a floating leaf of another dtype."""
    for path, leaf in paths(tree):
        assert leaf.dtype.kind != "f" or leaf.dtype == dtype, (
            f"{what} {path or ''} is {describe(leaf)} for {given} in {np.dtype(dtype)}; "
            "constants from np.zeros and the like are float64: give them x.dtype"
        )


def batch_size(*trees: Tree) -> int:
    """The length of the first axis that all leaves share; 0 where they don't."""
    sizes = {leaf.shape[0] if leaf.ndim else 0 for tree in trees for _, leaf in paths(tree)}
    return sizes.pop() if len(sizes) == 1 else 0


def without_fixed_points(n: int, seed: int) -> Any:
    """A random order of n rows in which none is in its place: each has that of the one before it in another order."""
    order = np.random.Generator(np.random.PCG64(seed)).permutation(n)
    moved = np.empty_like(order)
    moved[order] = np.roll(order, 1)
    return moved


def rows_of(tree: Tree, which: Any) -> Tree:
    """The tree with some rows of every leaf, a slice or numbers of rows in their order."""
    return map(lambda leaf: leaf[which], tree)
