"""Every function of NumPy, every method of arrays, every operator, all of `math`: under grad each is right or refuses.

Right means that the value is that of plain arrays, that the gradient is that of central differences, and that a result
without gradient does not depend on the input. To refuse is to raise, where it is called, an error that says what to do.
"""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any, TypeAlias

import numpy as np
import numpy.fft  # its functions are among those listed below once it is imported
import pytest
from numpy.testing.overrides import get_overridable_numpy_array_functions

import fnn
from fnn.autodiff.tracer import Tracer, value_of

MATRIX = np.array([[2.31, 0.43, 0.73], [0.57, 1.94, 0.61], [0.28, 0.16, 3.27]])
OTHER_MATRIX = np.array([[1.13, 0.84, 0.35], [0.92, 2.21, 0.47], [0.53, 0.11, 1.78]])
VECTOR = np.array([0.37, 1.21, 0.64])
OTHER_VECTOR = np.array([1.13, 0.55, 2.2])
POINTS: list[tuple[Any, Any]] = [(MATRIX, OTHER_MATRIX), (VECTOR, OTHER_VECTOR), (np.float64(0.37), np.float64(1.13))]


Arguments: TypeAlias = Callable[[Any, Any], tuple[Any, ...]]


def subscripted(name: str) -> Arguments:
    return lambda x, c: (name, x, c)


PATTERNS: dict[str, Arguments] = {
    "x": lambda x, c: (x,),
    "x, x": lambda x, c: (x, x),
    "x, array": lambda x, c: (x, c),
    "array, x": lambda x, c: (c, x),
    "x, 1": lambda x, c: (x, 1),
    "1, x": lambda x, c: (1, x),
    "x, 2.5": lambda x, c: (x, 2.5),
    "x, 0, 1": lambda x, c: (x, 0, 1),
    "x, array, x": lambda x, c: (x, c, x),
    "x, 2.5, array": lambda x, c: (x, 2.5, c),
    "[x, x]": lambda x, c: ([x, x],),
    "[array, x]": lambda x, c: ([c, x],),
    "(x, array), 0": lambda x, c: ((x, c), 0),
    "x, [0, 1]": lambda x, c: (x, [0, 1]),
    "x, ints, 0": lambda x, c: (x, np.array([0, 2]), 0),
    "x, ints, axis": lambda x, c: (x, np.argsort(c, -1), -1),
    "x, shape": lambda x, c: (x, (3, *c.shape)),
    "x, np.float32": lambda x, c: (x, np.float32),
    "x, complex": lambda x, c: (x, complex),
    "x, int": lambda x, c: (x, int),
    "mask, x": lambda x, c: (c > 0.6, x),
    "x, mask": lambda x, c: (x, c > 0.6),
    "mask, x, array": lambda x, c: (c > 0.6, x, c),
    "x, mask, x": lambda x, c: (x, c > 0.6, x),
}
SPECIAL: dict[str, dict[str, Arguments]] = {
    "einsum": {"'...j,...j', x, array": subscripted("...j,...j"), "'...j,...j->...'": subscripted("...j,...j->...")},
    "einsum_path": {"'...j,...j', x, array": subscripted("...j,...j")},
    "apply_along_axis": {"f, 0, x": lambda x, c: (np.sum, 0, x)},
    "apply_over_axes": {"f, x, [0]": lambda x, c: (np.sum, x, [0])},
    "piecewise": {"x, [mask], [f, f]": lambda x, c: (x, [c > 0.6], [np.square, np.negative])},
}
# keyword arguments, made from the array that is not differentiated
KEYWORDS: dict[str, Callable[[Any], Any]] = {
    "a_max": lambda c: 0.7, "a_min": lambda c: 0.7, "append": lambda c: 0.5, "axes": lambda c: (0,), "axis": lambda c: -1,
    "casting": lambda c: "unsafe", "copy": lambda c: False, "correction": lambda c: 1, "ddof": lambda c: 1,
    "decimals": lambda c: 1, "dtype": lambda c: np.float64, "equal_nan": lambda c: True, "initial": lambda c: 0.5,
    "k": lambda c: 1, "keepdims": lambda c: True, "kind": lambda c: "stable", "max": lambda c: 0.7, "mean": np.mean,
    "min": lambda c: 0.7, "mode": lambda c: "wrap", "n": lambda c: 2, "offset": lambda c: 1, "optimize": lambda c: True,
    "ord": lambda c: 1, "order": lambda c: "F", "out": np.empty_like, "prepend": lambda c: 0.5, "shape": lambda c: (1, -1),
    "subok": lambda c: True, "weights": lambda c: c, "where": lambda c: c > 0.6,
}  # fmt: skip
EVERY_UFUNC = sorted({f for f in vars(np).values() if isinstance(f, np.ufunc)}, key=lambda f: f.__name__)
EVERY_FUNCTION = sorted(get_overridable_numpy_array_functions(), key=lambda f: (f.__module__, f.__name__))
EVERY_METHOD = [name for name in dir(np.ndarray) if not name.startswith("_") and name not in ("dump", "tofile")]
EVERY_OPERATOR = [
    getattr(operator, name)
    for name in sorted(operator.__all__)
    if name not in ("attrgetter", "itemgetter", "methodcaller", "call", "is_", "is_not")
]
EVERY_MATH = [f for name, f in sorted(vars(math).items()) if callable(f) and not name.startswith("_")]
PLAIN_ERRORS = (TypeError, ValueError, IndexError, AttributeError, ZeroDivisionError)
"""How NumPy refuses arguments; LinAlgError and AxisError are among them."""
SYMMETRIC = ("cholesky", "eigh", "eigvalsh")
"""Functions of symmetric matrices, which read one triangle: their gradients may be shared out between the two."""
UNDEFINED = ("empty", "empty_like")
"""Results without a value that could be compared."""


def parts(result: Any) -> list[Any]:
    """What a result is made of."""
    if isinstance(result, (tuple, list)):
        return [part for inner in result for part in parts(inner)]
    if isinstance(result, dict):
        return [part for inner in result.values() for part in parts(inner)]
    return [result]


def is_helpful(error: BaseException) -> bool:
    """One of fnn's own messages, also as the cause of NumPy's; or NumPy's and Python's that only an array will do."""
    words = ("fnn:", "being differentiated", "Tracer", "output must be an array")
    return any(word in str(e) for e in (error, error.__cause__) for word in words)


def attempt(call: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return call(), None
    except Exception as error:
        return None, error


def is_numeric(part: Any) -> bool:
    return isinstance(part, (np.ndarray, np.generic)) and part.dtype.kind in "biufc"


def check(name: str, function: Callable[..., Any], arguments: Arguments, x: Any, c: Any) -> None:
    """That a function of an array that is being differentiated is right in value and gradient, or refuses."""
    rng = np.random.default_rng(0)
    v = np.asarray(rng.normal(size=x.shape))
    if name.startswith(SYMMETRIC) and x.ndim == 2:
        x, v = x + x.T, v + v.T

    def plain(at: Any) -> list[Any]:
        return parts(function(*arguments(at[()] if at.ndim == 0 else at, np.copy(c)[()])))

    expected, plain_error = attempt(lambda: plain(np.array(x)))
    found: list[Any] = []

    def f(t: Any) -> list[Any]:
        found[:] = parts(function(*arguments(t, np.copy(c)[()])))
        return [part for part in found if isinstance(part, Tracer)]

    # what plain arrays refuse, or take for objects
    nonsense = plain_error is not None or any(isinstance(part, np.ndarray) and part.dtype == object for part in expected)
    made, error = attempt(lambda: fnn.vjp(f, x))
    if error is not None:
        like_plain = nonsense and isinstance(error, (*PLAIN_ERRORS, type(plain_error)))
        assert is_helpful(error) or like_plain, f"{name}: {error!r}"
        return
    for k, part in enumerate(found):
        if isinstance(part, np.ndarray) and part.dtype == object:
            # as np.logical_or(x, int) of plain arrays gives
            assert plain_error is None, f"{name} gives objects: {part!r}"
            assert expected[k].dtype == object, f"{name} gives objects: {part!r}"
            assert not any(isinstance(entry, Tracer) for entry in part.flat), f"{name} hides tracers: {part!r}"
    if plain_error is not None or name.startswith(UNDEFINED):
        return
    assert len(found) == len(expected), name
    us, numeric = [], 0.0
    after, before = plain(x + 1e-6 * v), plain(x - 1e-6 * v)
    for part, value, right, left in zip(found, expected, after, before, strict=True):
        if not is_numeric(value):
            continue
        mine = value_of(part)
        assert (mine.shape, mine.dtype) == (value.shape, value.dtype), f"{name}: {mine!r}, expected {value!r}"
        np.testing.assert_allclose(mine, value, rtol=1e-12, err_msg=name)
        if isinstance(part, Tracer):
            us.append(np.asarray(rng.normal(size=value.shape)))
            numeric += float(np.sum(us[-1] * (right.astype(float) - left) / 2e-6))
        else:
            np.testing.assert_allclose(right, left, rtol=1e-9, atol=1e-9, err_msg=f"{name} loses the gradient in silence")
    if us:
        pulled, error = attempt(lambda: float(np.sum(made[1](us) * v)))
        assert error is None, f"{name} fails only on the way back: {error!r}"
        if np.isfinite(numeric) and all(part.dtype == np.float64 for part in found if isinstance(part, Tracer)):
            np.testing.assert_allclose(pulled, numeric, rtol=1e-5, atol=1e-6, err_msg=name)


def sweep(name: str, function: Callable[..., Any], patterns: dict[str, Arguments], *, scalars: bool = False) -> None:
    for what, arguments in patterns.items():
        for x, c in POINTS if scalars else POINTS[:2]:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                check(f"{name}({what})", function, arguments, x, c)


def chosen(*names: str) -> dict[str, Arguments]:
    return {name: PATTERNS[name] for name in names}


def sweep_keywords(name: str, function: Callable[..., Any], *names: str) -> None:
    """Every keyword argument that a function has, with some patterns of the others."""
    try:
        parameters = signature(function).parameters
        known = KEYWORDS.keys() if any(p.kind is p.VAR_KEYWORD for p in parameters.values()) else parameters.keys()
    except ValueError:  # a function in C that does not tell
        known = KEYWORDS.keys()
    for keyword in KEYWORDS.keys() & known:
        make = KEYWORDS[keyword]

        def with_keyword(*args: Any, keyword: str = keyword, make: Callable[[Any], Any] = make) -> Any:
            return function(*args[:-1], **{keyword: make(args[-1])})

        patterns = {what: append(arguments) for what, arguments in chosen(*names).items()}
        sweep(f"{name} {keyword}=", with_keyword, patterns)


def append(arguments: Arguments) -> Arguments:
    return lambda x, c: (*arguments(x, c), c)


def at(ufunc: np.ufunc, operands: list[Any], position: int) -> Callable[[Any], Any]:
    """ufunc.at(array, indices, operand) with a tracer in one place: it always writes."""
    return lambda t: ufunc.at(*[t if k == position else operand for k, operand in enumerate(operands)])


@pytest.mark.parametrize("ufunc", EVERY_UFUNC, ids=lambda f: f.__name__)
def test_every_ufunc_is_right_or_refuses(ufunc: Any) -> None:
    sweep(ufunc.__name__, ufunc, PATTERNS, scalars=True)
    sweep_keywords(ufunc.__name__, ufunc, "x", "x, x", "x, array", "array, x")
    if ufunc.nout != 1 or ufunc.signature is not None:
        return
    if ufunc.nin == 2:
        for method in ("reduce", "accumulate", "outer"):
            sweep(f"{ufunc.__name__}.{method}", getattr(ufunc, method), chosen("x", "x, 1", "x, array", "array, x"))
        sweep_keywords(f"{ufunc.__name__}.reduce", ufunc.reduce, "x")
    operands = [np.zeros(3), [0], 1.0][: ufunc.nin + 1]
    for position in (0, ufunc.nin) if ufunc.nin == 2 else (0,):
        _, error = attempt(partial(fnn.vjp, at(ufunc, operands, position), VECTOR))
        assert error is not None
        assert is_helpful(error)


@pytest.mark.parametrize("function", EVERY_FUNCTION, ids=lambda f: f"{f.__module__}.{f.__name__}")
def test_every_function_is_right_or_refuses(function: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # some write files, where they succeed
    sweep(function.__name__, function, PATTERNS | SPECIAL.get(function.__name__, {}))
    sweep_keywords(function.__name__, function, "x", "x, x", "x, array", "array, x", "x, 1", "[array, x]", "mask, x, array")


@pytest.mark.parametrize("name", EVERY_METHOD)
def test_every_array_method_is_right_or_refuses(name: str) -> None:
    def method(x: Any, *args: Any) -> Any:
        found = getattr(x, name)
        return found(*args) if callable(found) else found

    def method_with_keywords(x: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(x, name)(*args, **kwargs)

    sweep(f".{name}", method, PATTERNS)
    if callable(getattr(np.ndarray, name)):
        sweep_keywords(f".{name}", method_with_keywords, "x", "x, 1", "x, array")


@pytest.mark.parametrize("function", EVERY_OPERATOR, ids=lambda f: f.__name__)
def test_every_operator_is_right_or_refuses(function: Any) -> None:
    sweep(f"operator.{function.__name__}", function, PATTERNS, scalars=True)


@pytest.mark.parametrize("function", EVERY_MATH, ids=lambda f: f.__name__)
def test_every_function_of_math_is_right_or_refuses(function: Any) -> None:
    patterns = chosen("x", "x, x", "x, array", "array, x", "x, 1", "1, x", "[x, x]", "[array, x]")
    sweep(f"math.{function.__name__}", function, patterns, scalars=True)
