"""Arrays that are being differentiated: they work, or say at once what does not; nothing is lost in silence."""

from __future__ import annotations

import copy
import gc
import math
import operator
import pickle
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import fnn
from fnn.autodiff.tracer import Tracer, value_of
from tests.laws.checks import global_state

# untyped, because many of these calls are what the types forbid, and lambdas infer nothing
grad: Any = fnn.grad
value_and_grad: Any = fnn.value_and_grad
vjp: Any = fnn.vjp

X = np.array([0.3, 0.7, 1.1])
SCALAR = np.float64(0.37)


def under_grad(f: Callable[[Any], Any], x: Any = X) -> Any:
    """What f gives for an array that is being differentiated."""
    kept = []

    def loss(t: Any) -> Any:
        kept.append(f(t))
        return np.sum(t)

    grad(loss)(x)
    return kept[0]


# What has no gradient is refused where it happens, by name, with what to do instead

JOIN = ("being differentiated", "np.stack or np.concatenate", "fnn.stop_gradient(x)")
NUMBER = ("being differentiated", "np.exp(x) for math.exp(x)", "fnn.stop_gradient(x)")
WRITES = ("existing array", "x = x + y, not x += y")
UNKNOWN = ("no gradient here", "docs/operations.md", "fnn.stop_gradient(x)")
OUT = ("out=", "writes into an array", "use its result")
REAL = ("only real floating numbers",)


def add_in_place(t: Any) -> Any:
    t += 1
    return t


def floor_divide_in_place(t: Any) -> Any:
    t //= 2
    return t


def add_to_an_array(t: Any) -> Any:
    h = np.zeros(3)
    h += t @ np.eye(3)
    return h


def put_into_an_array(key: Any) -> Callable[[Any], Any]:
    def f(t: Any) -> Any:
        h = np.zeros((3, 3))
        h[key] = t
        return h

    return f


def put_into_the_tracer(t: Any) -> None:
    t[0] = 1.0


REFUSED: list[tuple[str, Callable[[Any], Any], type[Exception], tuple[str, ...]]] = [
    # NumPy functions, ufuncs and array methods that have no rule
    ("function", np.fft.fft, TypeError, ("np.fft.fft", *UNKNOWN)),
    ("function of numpy", np.histogram, TypeError, ("np.histogram", *UNKNOWN)),
    ("function of linalg", lambda t: np.linalg.eig(np.stack([t, t, t])), TypeError, ("np.linalg.eig", *UNKNOWN)),
    ("ufunc", np.spacing, TypeError, ("np.spacing", *UNKNOWN)),
    ("ufunc of two", lambda t: np.nextafter(1.0, t), TypeError, ("np.nextafter", *UNKNOWN)),
    ("reduction", np.hypot.reduce, TypeError, ("np.hypot.reduce", *UNKNOWN)),
    ("accumulate", np.hypot.accumulate, TypeError, ("np.hypot.accumulate", *UNKNOWN)),
    ("outer", lambda t: np.hypot.outer(X, t), TypeError, ("np.hypot.outer", *UNKNOWN)),
    ("method", lambda t: t.byteswap(), AttributeError, (".byteswap", *UNKNOWN)),
    ("attribute", lambda t: t.strides, AttributeError, (".strides", *UNKNOWN)),
    ("no attribute of arrays", lambda t: t.weight, AttributeError, ("no attribute 'weight'",)),
    ("frompyfunc", lambda t: np.frompyfunc(math.exp, 1, 1)(t), TypeError, ("exp", *UNKNOWN)),
    ("vectorize", lambda t: np.vectorize(math.exp)(t), TypeError, JOIN),
    # arguments that a rule does not take
    ("ufunc where=", lambda t: np.add(t, 1, where=X > 0.5), TypeError, ("np.add with where=", *UNKNOWN)),
    ("mode", lambda t: np.pad(t, 1, mode="mean"), TypeError, ("np.pad with mode='mean'", *UNKNOWN)),
    # writing into arrays
    ("x += y", add_in_place, TypeError, ("x += y writes into ~f64[3]", "write x = x + y")),
    ("x //= y", floor_divide_in_place, TypeError, ("x //= y writes into", "write x = x // y")),
    ("array += x", add_to_an_array, TypeError, ("np.add", *WRITES)),
    ("ufunc out=", lambda t: np.multiply(t, 2, out=np.zeros(3)), TypeError, ("np.multiply", *WRITES)),
    ("ufunc out", lambda t: np.multiply(t, 2, np.zeros(3)), TypeError, ("np.multiply", *WRITES)),
    ("ufunc.at", lambda t: np.add.at(np.zeros(3), [0], t[0]), TypeError, ("np.add", ".at", *WRITES)),
    ("ufunc.at the tracer", lambda t: np.add.at(t, [0], 1.0), TypeError, ("np.add", ".at", *WRITES)),
    ("reduce out=", lambda t: np.add.reduce(t, out=np.zeros(())), TypeError, ("np.add", *WRITES)),
    ("function out=", lambda t: np.sum(t, out=np.zeros(())), TypeError, ("np.sum", *OUT)),
    ("function out", lambda t: np.sum(t, 0, None, np.zeros(())), TypeError, ("np.sum", *OUT)),
    ("clip out", lambda t: np.clip(t, 0, 1, np.zeros(3)), TypeError, ("np.clip", *OUT)),
    ("concatenate out", lambda t: np.concatenate([t, t], 0, np.zeros(6)), TypeError, ("np.concatenate", *OUT)),
    ("method out=", lambda t: t.sum(out=np.zeros(())), TypeError, ("np.sum", *OUT)),
    ("method out", lambda t: t.mean(0, None, np.zeros(())), TypeError, ("np.mean", *OUT)),
    ("array[:] = x", put_into_an_array(slice(None)), TypeError, JOIN),
    ("array[mask] = x", put_into_an_array(np.eye(3) > 0), TypeError, JOIN),
    ("array[ints] = x", put_into_an_array((0, [0, 1, 2])), TypeError, JOIN),
    ("np.copyto", lambda t: np.copyto(np.zeros(3), t), TypeError, ("np.copyto writes into an array", "fnn.set_at")),
    ("x[0] = 1", put_into_the_tracer, TypeError, ("x[...] = value writes into ~f64[3]", "fnn.set_at(x, index, value)")),
    # leaving for plain arrays
    ("np.array", np.array, TypeError, ("np.array", *JOIN)),
    ("np.asarray", np.asarray, TypeError, ("np.asarray", *JOIN)),
    ("np.asarray dtype", lambda t: np.asarray(t, np.float32), TypeError, ("np.asarray", *JOIN)),
    ("np.array of tracers", lambda t: np.array([t, t]), TypeError, JOIN),
    ("np.array of scalars", lambda t: np.array([t[0], 1.0, t[1]]), TypeError, JOIN),
    ("np.array of objects", lambda t: np.array([t, t], dtype=object), TypeError, JOIN),
    ("list + list of tracers", lambda t: operator.add(t, [t[0], t[1], t[2]]), TypeError, JOIN),
    ("np.full", lambda t: np.full(3, t[0]), TypeError, JOIN),
    ("np.float64()", lambda t: np.float64(t[0]), TypeError, JOIN),
    ("generator", lambda t: fnn.key(0).generator().normal(t), TypeError, JOIN),
    ("array.dot(x)", X.dot, TypeError, (*JOIN, "np.dot(a, x) for a.dot(x)")),
    # leaving for Python
    ("float", lambda t: float(t[0]), TypeError, ("float()", *NUMBER)),
    ("int", lambda t: int(t[0]), TypeError, ("int()", *NUMBER)),
    ("complex", lambda t: complex(t[0]), TypeError, ("complex()", *NUMBER)),
    ("round", lambda t: round(t[0], 2), TypeError, ("round()", *NUMBER)),
    ("math.exp", lambda t: math.exp(t[0]), TypeError, NUMBER),
    ("math.floor", lambda t: math.floor(t[0]), TypeError, NUMBER),
    ("math.trunc", lambda t: math.trunc(t[0]), TypeError, NUMBER),
    (".item", lambda t: t[0].item(), TypeError, (".item()", *NUMBER)),
    (".item(0)", lambda t: t.item(0), TypeError, (".item()", *NUMBER)),
    (".tolist", lambda t: t.tolist(), TypeError, (".tolist()", *NUMBER)),
    ("pickle", pickle.dumps, TypeError, ("pickle", "being differentiated")),
    ("copy.copy", copy.copy, TypeError, ("copy", "being differentiated")),
    ("copy.deepcopy", lambda t: copy.deepcopy({"a": (t,)}), TypeError, ("copy.deepcopy", "being differentiated")),
    # as an index
    ("x[x]", lambda t: t[t], TypeError, ("an index", "integers, slices or a mask")),
    ("x[x, 0]", lambda t: np.stack([t, t])[t[0], 0], TypeError, ("an index", "integers, slices or a mask")),
    ("x[:x]", lambda t: t[: t[0]], TypeError, ("use as an index", "integers, slices or a mask")),
    ("array[x]", lambda t: X[t], TypeError, ("an index", "being differentiated")),
    ("list[x]", lambda t: [1, 2][t[0]], TypeError, ("use as an index", "integers, slices or a mask")),
    ("range(x)", lambda t: range(t[0]), TypeError, ("use as an index", "integers, slices or a mask")),
    # what is not a real floating number
    ("complex numbers", lambda t: t * 1j, TypeError, REAL),
    ("fractions", lambda t: t * Fraction(1, 2), TypeError, REAL),
    ("an array of objects", lambda t: t * np.array([1, 2, 3], dtype=object), TypeError, REAL),
    (".astype(complex)", lambda t: t.astype(complex), TypeError, (".astype(complex128)", *UNKNOWN)),
    (".astype(object)", lambda t: t.astype(object), TypeError, (".astype(object)", *UNKNOWN)),
]


@pytest.mark.parametrize(("f", "error", "fragments"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_has_no_gradient_is_refused(f: Callable[[Any], Any], error: type[Exception], fragments: tuple[str, ...]) -> None:
    for x in (X, X.astype(np.float32)):
        with pytest.raises(error) as caught:
            under_grad(f, x)
        assert type(caught.value) is error
        for fragment in fragments:
            assert fragment.replace("f64", fnn.tree.show(x)[:3]) in str(caught.value)


@pytest.mark.parametrize(
    "f",
    [put_into_an_array((0, 0)), lambda t: np.zeros(2).fill(t), lambda t: np.fromiter([t], float)],
    ids=["a[0]", "fill", "iter"],
)
def test_one_entry_of_an_array_cannot_be_set(f: Callable[[Any], Any]) -> None:
    """NumPy asks for a float and reports in its own words; the reason is the cause."""
    with pytest.raises(ValueError, match="setting an array element") as caught:
        under_grad(f, SCALAR)
    assert all(fragment in str(caught.value.__cause__) for fragment in ("float()", *NUMBER))


def test_arrays_of_objects_that_a_user_makes_lose_nothing() -> None:
    def loss(t: Any) -> Any:
        boxes = np.empty(2, object)
        boxes[0], boxes[1] = t[0] * t[1], t[2]
        return boxes[0] * boxes.sum()

    def plain(t: Any) -> Any:
        return t[0] * t[1] * (t[0] * t[1] + t[2])

    np.testing.assert_allclose(grad(loss)(X), grad(plain)(X), rtol=1e-14)


# What is allowed without a gradient


def test_a_tracer_knows_what_an_array_knows() -> None:
    x = np.ones((2, 3), np.float32)

    def f(t: Any) -> list[Any]:
        return [t.shape, t.ndim, t.size, t.dtype, t.itemsize, t.nbytes, len(t), t.T.shape, t.mT.shape, repr(t), str(t), f"{t}"]

    expected = [(2, 3), 2, 6, np.float32, 4, 24, 2, (3, 2), (3, 2), "~f32[2,3]", "~f32[2,3]", "~f32[2,3]"]
    assert under_grad(f, x) == expected
    assert under_grad(lambda t: f"{t:.2f} {t}", np.float64(0.375)) == "0.38 ~f64[]"


def test_comparisons_give_plain_values_and_choose_branches() -> None:
    def f(t: Any) -> list[Any]:
        return [t > 0.5, t[0] < t[1], t == t * 1, t != X, t[0] <= 0.5, np.float64(0.5) > t[0], 0.3 in t, np.isfinite(t).all()]

    found = under_grad(f)
    assert not any(isinstance(value, Tracer) for value in found)
    assert [np.all(value) for value in found] == [False, True, True, False, True, True, True, True]

    def piecewise(t: Any) -> Any:
        return np.sum(t * t) if t[0] > 0 else np.sum(-t)

    assert grad(piecewise)(np.array([2.0])).tolist() == [4.0]
    assert grad(piecewise)(np.array([-2.0])).tolist() == [-1.0]
    with pytest.raises(ValueError, match="truth value of an array"):
        under_grad(bool)


def test_iteration_and_python_functions_of_sequences_differentiate() -> None:
    def f(t: Any) -> Any:
        a, b, c = t
        return sum(t * t) + max(t) * a + math.prod([b, c]) + abs(-a) + sorted(t)[0]

    x = X
    assert grad(f)(x).tolist() == pytest.approx([2 * 0.3 + 1.1 + 2, 2 * 0.7 + 1.1, 2 * 1.1 + 0.3 + 0.7])


def test_the_other_operand_may_be_a_number_a_list_or_a_scalar_on_either_side() -> None:
    def f(t: Any) -> Any:
        return np.sum(
            np.float64(2) * t + [1, 2, 3] * t + (t - (1.0, 2.0, 3.0)) + 2 / t + t / [1.0, 2.0, 4.0] - np.float32(1) ** t
        )

    expected = 2 + np.array([1, 2, 3]) + 1 - 2 / X**2 + 1 / np.array([1, 2, 4])
    np.testing.assert_allclose(grad(f)(X), expected, rtol=1e-14)


# Errors of grad, value_and_grad and vjp

GRAD_ERRORS: list[tuple[str, Callable[[], object], str]] = [
    (
        "integer leaf",
        lambda: grad(lambda p: np.sum(p[0]))((X, {"n": np.arange(2)})),
        r"grad: the leaf \[1\]\['n'\] is i64\[2\], expected floating numbers; .*further arguments",
    ),
    ("integer array", lambda: grad(np.sum)(np.arange(3)), r"grad: the leaf at the root is i64\[3\]"),
    ("boolean array", lambda: grad(np.sum)(X > 0), r"grad: the leaf at the root is bool\[3\]"),
    ("complex array", lambda: grad(np.sum)(X.astype(complex)), r"grad: the leaf at the root is c128\[3\]"),
    ("objects", lambda: grad(np.sum)(X.astype(object)), r"grad: the leaf at the root is object\[3\]"),
    ("python float", lambda: grad(lambda x: x * x)(2.0), r"grad: the first argument is 2\.0.*np\.float64\(2\.0\)"),
    ("python list", lambda: grad(np.sum)([1.0, 2.0]), r"grad: the first argument is \[1\.0, 2\.0\].*no arrays in it"),
    ("nothing", lambda: grad(lambda p: np.sum(X))((None, {})), r"grad: the first argument is \(None, \{\}\).*no arrays"),
    ("vector", lambda: grad(lambda x: x)(X), r"grad: .*scalar loss.*, got f64\[3\]; take its mean or sum"),
    ("constant vector", lambda: grad(lambda x: X)(X), r"grad: .*scalar loss.*, got f64\[3\]; take its mean or sum"),
    ("tuple", lambda: grad(lambda x: (np.sum(x), x))(X), r"grad: .*got \(f64\[\], f64\[3\]\).*say has_aux=True"),
    ("python number", lambda: grad(lambda x: 1.0)(X), r"grad: .*got a float; a Python number has lost its gradient"),
    ("integer", lambda: grad(np.argmax)(X), r"grad: .*floating NumPy scalar.*, got i64\[\]"),
    ("None", lambda: grad(lambda x: None)(X), r"grad: .*got a NoneType"),
    ("no tuple", lambda: grad(np.sum, has_aux=True)(X), r"grad: .*must return \(loss, aux\), as has_aux=True.*got f64\[\]"),
    (
        "three",
        lambda: value_and_grad(lambda x: (np.sum(x), 1, 2), has_aux=True)(X),
        r"grad: .*must return \(loss, aux\), as has_aux=True says; got \(f64\[\], 1, 2\)",
    ),
    ("aux first", lambda: grad(lambda x: (x, np.sum(x)), has_aux=True)(X), r"grad: .*got f64\[3\]; take its mean or sum"),
    ("vjp of integers", lambda: vjp(lambda x: x, np.arange(2)), r"vjp: the leaf at the root is i64\[2\]"),
    ("vjp of a number", lambda: vjp(lambda x: x, 2.0), r"vjp: the first argument is 2\.0"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), [row[1:] for row in GRAD_ERRORS], ids=[row[0] for row in GRAD_ERRORS])
def test_errors_of_grad_and_vjp(call: Callable[[], object], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call()


def test_errors_of_a_pullback() -> None:
    y, pullback = vjp(lambda x: (x * x, {"s": np.sum(x)}), X)
    one = np.float64(1)
    unlike: list[tuple[Any, str]] = [
        ((np.ones(2), {"s": one}), r"vjp: the cotangent \[0\] is f64\[2\], but the result is f64\[3\]"),
        ((np.ones(3), {"s": np.ones(1)}), r"vjp: the cotangent \[1\]\['s'\] is f64\[1\], but the result is f64\[\]"),
        (np.ones(3), "vjp: the cotangent does not fit the result: at the root one has an array and the other a tuple"),
        ((np.ones(3), {"t": one}), r"vjp: the cotangent does not fit the result: at \[1\] one has the keys \['t'\]"),
        (
            (np.ones(3), {"s": 1.0}),
            r"vjp: the cotangent does not fit the result: at \[1\]\['s'\] one has 1\.0 and the other an arr",
        ),
        ((np.ones(3), None), r"vjp: the cotangent does not fit the result: at \[1\] one has None and the other a dict"),
    ]
    for cotangent, message in unlike:
        with pytest.raises(ValueError, match=message):
            pullback(cotangent)
    good = pullback((np.ones(3), {"s": np.array(2)}))
    np.testing.assert_allclose(good, 2 * X + 2)
    assert (type(y[0]), y[0].flags.writeable) == (np.ndarray, False)


def test_an_error_inside_leaves_nothing_behind() -> None:
    before = global_state()
    for f in (lambda t: t.tolist(), lambda t: 1 / 0, lambda t: np.fft.fft(t)):
        with pytest.raises((TypeError, ZeroDivisionError)):
            grad(f)(X)
        assert grad(lambda t: np.sum(t * t))(X).tolist() == (2 * X).tolist()
    assert global_state() == before


# Aux and results


def test_aux_is_detached_and_read_only() -> None:
    x = X.copy()

    def f(t: Any, other: Any) -> Any:
        h = np.tanh(t)
        params = fnn.LinearParams(np.ones((1, 1)))
        return np.sum(h), {"h": (h, None), "x": t, "n": 3, "first": h[0], "other": other, "params": params, "view": h[1:]}

    other = np.ones(2)
    grads, aux = grad(f, has_aux=True)(x, other)
    (value, again), _ = value_and_grad(f, has_aux=True)(x, other)
    assert fnn.tree.equal(aux, again)
    assert not any(isinstance(leaf, Tracer) for leaf in fnn.tree.leaves(aux))
    np.testing.assert_array_equal(aux["h"][0], np.tanh(X))
    assert (aux["n"], aux["h"][1], aux["other"] is other, type(aux["params"])) == (3, None, True, fnn.LinearParams)
    assert type(aux["first"]) is type(value) is np.float64
    for name in ("h", "x", "params", "view"):
        assert not any(leaf.flags.writeable for leaf in fnn.tree.leaves(aux[name]))
    assert x.flags.writeable
    assert other.flags.writeable
    assert not grads.flags.writeable
    grad(np.sum)(aux["h"][0] * 2)


def test_results_share_no_memory_with_what_a_user_can_write_to() -> None:
    x, c = X.copy(), np.array([1.0, 2.0, 3.0])
    functions: list[Callable[[Any], Any]] = [
        lambda t: np.sum(t * c),
        lambda t: np.sum(t),
        lambda t: t[0],
        lambda t: np.sum(t.reshape(3, 1) * c),
        lambda t: np.sum(fnn.stop_gradient(t)),
        lambda t: np.dot(c, t),
    ]
    for f in functions:
        grads = grad(f)(x)
        assert type(grads) is np.ndarray
        assert not grads.flags.writeable
        assert not np.shares_memory(grads, x)
        assert not np.shares_memory(grads, c)
    y, pullback = vjp(lambda t: t, x)
    assert not y.flags.writeable
    pulled = pullback(c)
    assert not np.shares_memory(pulled, c)
    assert c.flags.writeable
    assert x.flags.writeable


# Tracers that outlive their function


def leak(x: Any = X) -> Any:
    """A tracer whose grad has ended."""
    kept = []

    def f(t: Any) -> Any:
        kept.append(t)
        return np.sum(t * t)

    grad(f)(x)
    return kept[0]


USES: list[tuple[str, Callable[[Any], Any]]] = [
    ("+", lambda t: t + 1),
    ("np.exp", np.exp),
    ("[0]", lambda t: t[0]),
    (".sum", lambda t: t.sum()),
    (".reshape", lambda t: t.reshape(1, 3)),
    ("np.where", lambda t: np.where(X > 0.5, t, 0.0)),
    ("np.concatenate", lambda t: np.concatenate([X, t])),
    ("np.einsum", lambda t: np.einsum("i,i,i->", t, X, X)),
    ("fused", lambda t: fnn.mse(t, X)),
    ("activation", fnn.relu),
    ("in another grad", lambda t: grad(lambda s: np.sum(s * t))(X)),
    ("fused in another grad", lambda t: grad(lambda s: fnn.mse(s, t))(X)),
    ("as parameters", lambda t: grad(lambda s: np.sum(s * s))(t)),
    ("in vjp", lambda t: vjp(lambda s: s + t, X)),
    ("tree.map", lambda t: fnn.tree.map(lambda leaf: leaf * 2, (t,))),
]


@pytest.mark.parametrize("use", [use for _, use in USES], ids=[name for name, _ in USES])
def test_a_tracer_that_outlives_its_grad_is_refused(use: Callable[[Any], Any]) -> None:
    with pytest.raises(RuntimeError, match=r"after that function ended\. Return what you need as aux .*fnn\.stop_gradient"):
        use(leak())


@pytest.mark.parametrize("use", [lambda t: grad(lambda s: t)(X), lambda t: vjp(lambda s: t, X)], ids=["loss", "result of vjp"])
def test_a_tracer_that_outlives_its_grad_is_no_result_of_another(use: Callable[[Any], Any]) -> None:
    with pytest.raises(RuntimeError, match="after that function ended"):
        use(leak(SCALAR))


def test_a_tracer_that_outlives_its_grad_still_tells_its_value() -> None:
    leaked = leak()
    assert (leaked.shape, repr(leaked), leaked.size) == ((3,), "~f64[3]", 3)
    assert fnn.stop_gradient(leaked) is X
    with pytest.raises(TypeError, match="being differentiated"):
        float(leaked)


def test_tracers_of_a_failed_function_and_of_vjp_are_closed_too() -> None:
    kept = []

    def fails(t: Any) -> Any:
        kept.append(t)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        grad(fails)(X)
    vjp(lambda t: kept.append(t) or t, X)  # type: ignore[func-returns-value]  # append gives None
    for leaked in kept:
        with pytest.raises(RuntimeError, match="after that function ended"):
            operator.mul(leaked, 2)


def test_a_tracer_of_an_inner_grad_is_refused_outside_of_it() -> None:
    def outer(x: Any) -> Any:
        kept = []

        def inner(y: Any) -> Any:
            kept.append(x * y)
            return np.sum(x * y)

        g = grad(inner)(X)
        return np.sum(g + kept[0])

    with pytest.raises(RuntimeError, match="after that function ended"):
        grad(outer)(X)


def test_a_tracer_kept_in_train_state_is_detached() -> None:
    def loss(p: Any, state: Any, mode: fnn.Mode) -> Any:
        return np.sum(p * p), (p * 2, {"aux": p})

    opt = fnn.Sgd(0.1)
    ts, (value, aux) = fnn.train_step(loss, opt, has_aux=True)(fnn.train_state(X, X, opt, fnn.key(0)))
    assert type(value) is np.float64
    for found, expected in ((ts.state, 2 * X), (aux["aux"], X)):
        assert type(found) is np.ndarray
        assert not found.flags.writeable
        np.testing.assert_array_equal(found, expected)


# Nesting


def test_levels_are_not_confused() -> None:
    x = np.float64(3.0)

    def sum_with_inner(x: Any) -> Any:
        return x * grad(lambda y: x + y)(np.float64(1.0))  # x * 1

    def product_with_inner(x: Any) -> Any:
        return x * grad(lambda y: x * y * y)(np.float64(5.0))  # x * 2 * 5 x = 10 x^2

    def inner_of_outer(x: Any) -> Any:
        return grad(lambda y: x * x * x)(np.float64(1.0)) + x  # 0 + x

    def three_levels(x: Any) -> Any:
        return grad(lambda y: grad(lambda z: x * x * y * y * z * z)(y) * y)(x)  # d/dy 2 x^2 y^4 at x = 8 x^5

    assert grad(sum_with_inner)(x) == 1.0
    assert grad(product_with_inner)(x) == 60.0
    assert grad(inner_of_outer)(x) == 1.0
    assert grad(three_levels)(x) == pytest.approx(40 * 3.0**4)
    assert grad(grad(grad(lambda x: x**4)))(x) == pytest.approx(24 * 3.0)


def test_the_gradient_of_a_gradient_through_closures_and_trees() -> None:
    params = {"w": np.array([0.5, -0.3]), "b": np.float64(0.2)}

    def loss(p: Any) -> Any:
        return np.sum(np.tanh(p["w"] * p["b"]) ** 2)

    def penalty(p: Any) -> Any:
        g = grad(loss)(p)
        return fnn.tree.global_norm(g) ** 2 + fnn.stop_gradient(g["b"]) * p["b"]

    found = grad(penalty)(params)
    h = 1e-6
    slope_b = grad(loss)(params)["b"]
    for path, leaf in fnn.tree.paths(params):
        for index in np.ndindex(leaf.shape):
            ends = []
            for sign in (1, -1):
                moved = np.array(leaf)
                moved[index] += sign * h
                q = fnn.tree.replace_at(params, path, moved)
                ends.append(fnn.tree.global_norm(grad(loss)(q)) ** 2 + slope_b * q["b"])
            numeric = (ends[0] - ends[1]) / (2 * h)
            assert dict(fnn.tree.paths(found))[path][index] == pytest.approx(numeric, rel=1e-6)


def test_aux_of_an_inner_grad_belongs_to_the_outer() -> None:
    def outer(x: Any) -> Any:
        (value, aux), g = value_and_grad(lambda y: (y * y, {"thrice": 3 * y}), has_aux=True)(x)
        return value + aux["thrice"] + g  # x^2 + 3 x + 2 x

    assert grad(outer)(np.float64(5.0)) == 15.0


def test_a_pullback_can_be_differentiated_and_used_many_times() -> None:
    y, pullback = vjp(lambda x: x**3, X)
    for scale in (1.0, -2.0):
        np.testing.assert_allclose(pullback(np.full(3, scale)), scale * 3 * X**2)
    # d/dg <g * 3 x^2, v> = 3 x^2 v
    v = np.array([1.0, -1.0, 2.0])
    np.testing.assert_allclose(grad(lambda g: np.sum(pullback(g) * v))(y), 3 * X**2 * v)

    def by_vjp(x: Any) -> Any:
        return np.sum(vjp(lambda z: z**3, x)[1](v))  # sum of 3 v x^2

    np.testing.assert_allclose(grad(by_vjp)(X), 6 * v * X)


# Threads, memory, length


def test_threads_do_not_disturb_one_another() -> None:
    n = 6
    start = threading.Barrier(n)
    found: dict[int, Any] = {}
    failures: list[BaseException] = []

    def loss(x: Any, i: int) -> Any:
        for _ in range(20):
            x = np.tanh(x * (i + 1))
        return np.sum(x * grad(lambda y: np.sum(y * y * x))(X))

    model = fnn.Dense(3, 4) >> fnn.BatchNorm(4) >> fnn.relu >> fnn.Dropout(0.5) >> fnn.Dense(4, 1)
    opt = fnn.Adam(0.1)
    step = fnn.train_step(fnn.supervised(model, fnn.mse), opt)
    data = np.linspace(-1, 1, 24, dtype=np.float32).reshape(8, 3)

    def work(i: int) -> Any:
        ts, losses = fnn.repeat(10, step, fnn.start(model, opt, fnn.key(i)), data, data[:, :1])
        return [grad(loss)(X, i) for _ in range(10)], ts, losses

    def run(i: int) -> None:
        try:
            start.wait(timeout=60)
            found[i] = work(i)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    for i in range(n):
        assert fnn.tree.equal(found[i], work(i))


@contextmanager
def no_collector() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


BODIES: list[tuple[str, Callable[[Any], Any]]] = [
    ("elementwise", lambda h: np.sum(np.exp(h) * h / (h + 1.0))),
    ("reductions", lambda h: np.var(h) + np.max(h) + np.mean(h)),
    ("shapes", lambda h: np.sum(np.concatenate([h[1:], np.stack([h, h]).reshape(-1)]))),
    ("products", lambda h: np.einsum("i,i,i->", h, h, h) + h @ h),
    ("fused", lambda h: fnn.mse(h, X) + fnn.cross_entropy(h.reshape(1, 3), np.array([1]))),
    ("nested", lambda h: np.sum(grad(lambda y: np.sum(y * y * h))(h))),
    ("global norm", lambda h: fnn.tree.global_norm({"h": h})),
]


@pytest.mark.parametrize("body", [body for _, body in BODIES], ids=[name for name, _ in BODIES])
def test_memory_is_freed_without_the_collector(body: Callable[[Any], Any]) -> None:
    seen: list[weakref.ref[Any]] = []

    def f(t: Any) -> Any:
        h = np.tanh(t)
        seen.append(weakref.ref(value_of(h)))
        return body(h)

    with no_collector():
        grad(f)(X)
        value_and_grad(lambda t: (f(t), 3), has_aux=True)(X)
        grad(lambda t: np.sum(grad(f)(t)))(X)
        _, pullback = vjp(f, X)
        pullback(np.float64(1.0))
        assert seen[-1]() is not None
        del pullback
        assert len(seen) == 4
        assert [ref() for ref in seen] == [None] * 4
        with pytest.raises(ZeroDivisionError):
            grad(lambda t: f(t) * (1 / 0))(X)
    assert gc.isenabled()


def test_a_train_step_frees_its_tape_and_its_old_states() -> None:
    seen: list[weakref.ref[Any]] = []

    def loss(p: Any, state: Any, mode: fnn.Mode, x: Any) -> Any:
        h = fnn.relu(fnn.dense(p, x))
        seen.append(weakref.ref(value_of(h)))
        return np.mean(h * h), state

    opt = fnn.Adam(0.1)
    step = fnn.train_step(loss, opt)
    with no_collector():
        ts = fnn.train_state(fnn.DenseParams.init(fnn.key(0), 3, 2), None, opt, fnn.key(1))
        for _ in range(3):
            seen.append(weakref.ref(ts.params.weight))
            ts, _ = step(ts, np.ones((2, 3), np.float32))
        assert [ref() for ref in seen] == [None] * 6


@pytest.mark.parametrize("order", [1, 2])
def test_ten_thousand_operations_in_a_row(order: int) -> None:
    n = 10_000

    def f(x: Any) -> Any:
        for i in range(n // 4):
            x = fnn.identity(-np.negative(x) * 1.0 / 1.0) if i % 2 else x + 0.0 - 0.0 + np.float64(0.0) + 0.0
        return x * x * x

    derivative = grad(f) if order == 1 else grad(grad(f))
    assert derivative(np.float64(2.0)) == 12.0
    _, pullback = vjp(f, np.float64(2.0))
    assert pullback(np.float64(1.0)) == 12.0
    del pullback
