"""Shapes, joining, selection and numerics at their edges: no entries, one entry, repeats, mixed dtypes, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fnn
from tests.laws import checks

# untyped, because lambdas infer nothing
grad: Any = fnn.grad
vjp: Any = fnn.vjp
window: Any = np.lib.stride_tricks.sliding_window_view

ANY_SHAPE: list[Callable[[Any], Any]] = [
    np.ravel, np.transpose, np.atleast_1d, np.atleast_2d, np.atleast_3d, np.flip, np.copy, np.squeeze,
    lambda x: x.flatten("F"),
    lambda x: np.reshape(x, x.shape, "F"),
    lambda x: np.ravel(x, "K"),
    lambda x: np.expand_dims(x, (0, -1)),
    lambda x: np.broadcast_to(x, (2, *x.shape)),
    lambda x: np.broadcast_arrays(x, np.ones((2, *x.shape))),
    lambda x: np.meshgrid(x, [1.0, 2.0], x),
    lambda x: np.roll(x, 3),
    lambda x: np.repeat(x, 2),
    lambda x: np.tile(x, (2, 2)),
    lambda x: np.resize(x, (2, 2)),
    lambda x: np.diagflat(x),
    lambda x: np.pad(x, 1),
    lambda x: np.full_like(x, 3.0) * x,
    lambda x: np.concatenate([x, x], None),
    lambda x: np.stack([x, x], -1),
    lambda x: np.hstack([x, x]),
    lambda x: np.append(x, 1.0),
    lambda x: np.insert(x, 0, 2.0),
    lambda x: np.block([x, x]),
    lambda x: np.select([x > 0, x < -1], [x, x * 2], x),
    lambda x: np.extract(x > 0, x),
    lambda x: np.sort(x, None),
    lambda x: x[x > 0],
    lambda x: x[...],
    lambda x: x[None],
    lambda x: x[np.array(False)],
    lambda x: fnn.set_at(x, x > 0, 1.0) * x,
    lambda x: fnn.add_at(x, ..., x),
    lambda x: np.ediff1d(x),
    lambda x: np.polyval([1.0, 2.0], x),
    lambda x: np.linspace(x, 1.0, 3),
    lambda x: np.interp(x, [-1.0, 0.03, 1.0], [0.0, 3.0, 1.0]),
]  # fmt: skip
NEED_AXES: list[Callable[[Any], Any]] = [
    lambda x: np.swapaxes(x, 0, 1),
    lambda x: np.rollaxis(x, 1),
    lambda x: np.rot90(x),
    lambda x: np.tril(x) + np.triu(x),
    lambda x: np.diag(x),
    lambda x: np.diagonal(x),
    lambda x: np.vstack([x, x]),
    lambda x: np.split(x, [1]),
    lambda x: np.array_split(x, 3, axis=1),
    lambda x: np.unstack(x),
    lambda x: np.delete(x, slice(0, 1), 0),
    lambda x: np.take(x, np.zeros((0, 2), int), axis=1),
    lambda x: np.take_along_axis(x, np.argsort(x, 1), 1),
    lambda x: np.compress([], x, axis=0),
    lambda x: np.sort(x, 0),
    lambda x: x[:0],
    lambda x: np.diff(x),
    lambda x: np.trapezoid(x),
    lambda x: np.pad(x, 1, "edge") if x.size else x,
]
VIEWS: dict[str, Any] = {
    "zero by three": np.zeros((0, 3)),
    "three by zero": np.zeros((3, 0)),
    "one by one": np.array([[0.7]]),
    "strided": np.random.default_rng(0).normal(size=(6, 8))[::2, ::-3],
    "transposed": np.random.default_rng(1).normal(size=(4, 3)).T,
    "broadcast": np.broadcast_to(np.array([0.4, -1.3]), (3, 2)),
    "Fortran": np.asfortranarray(np.random.default_rng(2).normal(size=(2, 3))),
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_of_every_layout_differentiate_like_copies_and_size_zero_gives_size_zero(view: str, dtype: Any) -> None:
    x = VIEWS[view]
    x = x if dtype == np.float64 else x.astype(np.float32, order="K")
    for f in [*ANY_SHAPE, *NEED_AXES]:
        y, pullback = vjp(f, x)
        assert fnn.tree.equal(list(y) if isinstance(y, tuple) else y, list(p) if isinstance(p := f(x), tuple) else p)
        u = checks.like(np.random.default_rng(3), y)
        found = pullback(u)
        assert (found.shape, found.dtype) == (x.shape, x.dtype)
        if f is not ANY_SHAPE[10]:  # order="K" is about the layout
            np.testing.assert_array_equal(found, vjp(f, x.copy())[1](u))


def test_scalars_differentiate() -> None:
    rng = np.random.default_rng(0)
    for x in (np.float64(0.7), np.array(0.7), np.array([0.7])):
        for f in ANY_SHAPE:
            checks.check_adjoint(f, x, rng)
            checks.check_second_order(f, x, rng)


def test_any_rank() -> None:
    x = np.random.default_rng(0).normal(size=(1,) * 30 + (2, 3))
    for f in (lambda x: np.moveaxis(x, 0, -1), np.transpose, np.squeeze, lambda x: np.rollaxis(x, 5), lambda x: x[..., 0]):
        found = grad(lambda x, f=f: np.sum(f(x) * f(x)))(x)
        assert found.shape == x.shape


# Repeats: what was used twice gets both cotangents, what was written over gets none


def test_entries_that_are_used_twice_add_up() -> None:
    x = np.array([1.0, 2.0, 3.0])
    assert grad(lambda x: np.sum(np.pad(x, (0, 4), "edge")))(x).tolist() == [1.0, 1.0, 5.0]
    assert grad(lambda x: np.sum(np.resize(x, 7)))(x).tolist() == [3.0, 2.0, 2.0]
    assert grad(lambda x: np.sum(window(x, 2)))(x).tolist() == [1.0, 2.0, 1.0]
    assert grad(lambda x: np.sum(np.split(x, [2, 1])[2] + np.split(x, [2, 1])[0]))(x).tolist() == [1.0, 2.0, 1.0]
    assert grad(lambda x: np.sum(np.choose([0, 0], [x[:2], 1.0])))(x).tolist() == [1.0, 1.0, 0.0]


def test_sums_of_many_float32_cotangents_keep_their_precision() -> None:
    n = 2**24 + 2**20  # from here on adding 1 to a float32 changes nothing
    found = grad(lambda x: np.sum(np.repeat(x, n)))(np.ones(1, np.float32))
    assert found.dtype == np.float32
    assert found.tolist() == [n]


def test_of_several_values_for_one_entry_set_at_keeps_the_last_and_add_at_adds_all() -> None:
    x, v, index = np.zeros(3), np.array([1.0, 2.0, 3.0, 4.0]), [0, 2, 0, -1]
    assert fnn.set_at(x, index, v).tolist() == [3.0, 0.0, 4.0]
    assert fnn.add_at(x, index, v).tolist() == [4.0, 0.0, 6.0]
    u = np.array([5.0, 6.0, 7.0])
    gx, gv = grad(lambda p: np.sum(fnn.set_at(p[0], index, p[1]) * u))((x, v))
    assert (gx.tolist(), gv.tolist()) == ([0.0, 6.0, 0.0], [0.0, 0.0, 5.0, 7.0])
    gx, gv = grad(lambda p: np.sum(fnn.add_at(p[0], index, p[1]) * u))((x, v))
    assert (gx.tolist(), gv.tolist()) == ([5.0, 6.0, 7.0], [5.0, 7.0, 5.0, 7.0])
    # one value for several entries
    assert float(grad(lambda s: np.sum(fnn.set_at(x, [0, 0, 2], s) * u))(np.float64(1))) == 12.0


def test_set_at_and_add_at_make_new_arrays_of_the_dtype_of_x() -> None:
    x = np.ones(3, np.float32)
    for f in (fnn.set_at, fnn.add_at):
        for y in (f(x, 1, 2.0), f(x, 0, np.float64(3)), f(x, [], np.zeros(0)), f(x, slice(3, None), 1)):
            assert y.dtype == np.float32
            assert not np.may_share_memory(x, y)
    assert x.tolist() == [1.0, 1.0, 1.0]
    gx, gv = grad(lambda p: np.sum(fnn.set_at(p[0], 1, p[1])))((x, np.float64(2)))
    assert (gx.dtype, gv.dtype) == (np.float32, np.float64)


@pytest.mark.parametrize("f", [fnn.set_at, fnn.add_at])
def test_errors_of_set_at_and_add_at(f: Any) -> None:
    name = f.__name__
    x = np.ones((2, 3))
    with pytest.raises(ValueError, match=rf"{name}: the values are f64\[2\], but x\[index\] has shape \[3\]"):
        f(x, 0, np.ones(2))
    with pytest.raises(ValueError, match=rf"{name}: the values are f64\[1,3\], but x\[index\] has shape \[3\]"):
        f(x, 0, np.ones((1, 3)))
    with pytest.raises(TypeError, match=rf"{name}: the values are c128\[\] and x is f64\[2,3\]"):
        f(x, 0, np.array(1j))
    with pytest.raises(TypeError, match=rf"{name}: the values are f64\[\] and x is i64\[2\]"):
        f(np.arange(2), 0, 0.5)
    with pytest.raises(IndexError, match="out of bounds"):
        f(x, 5, 1.0)
    with pytest.raises(TypeError, match="an index must be integers"):
        grad(lambda t: np.sum(f(x, t, 1.0)))(np.float64(0))


# dtypes


@pytest.mark.parametrize(
    "join",
    [
        lambda a, b: np.concatenate([a, b]),
        lambda a, b: np.stack([a, b]),
        lambda a, b: np.append(a, b),
        lambda a, b: np.block([a, b]),
        lambda a, b: np.choose([0, 1, 0], [a, b]),
        lambda a, b: np.select([a > 1], [a], b),
        lambda a, b: np.convolve(a, b),
        lambda a, b: np.linspace(a, b, 3),
        lambda a, b: np.polyval(a, b),
        lambda a, b: np.insert(b, 1, a),
        lambda a, b: np.pad(b, 1, constant_values=a[0]),
    ],
)
def test_joining_promotes_as_numpy_does_and_gradients_keep_the_dtype_of_their_input(join: Any) -> None:
    a, b = np.array([1, 2, 3], np.float32), np.array([4, 5, 6], np.float64)
    y, pullback = vjp(lambda p: join(*p), (a, b))
    assert y.dtype == join(a, b).dtype
    ga, gb = pullback(np.ones_like(y))
    assert (ga.dtype, gb.dtype) == (np.float32, np.float64)


def test_lists_may_hold_arrays_that_are_differentiated_and_numbers() -> None:
    x = np.array([1.0, 2.0])
    assert grad(lambda x: np.sum(np.block([[x[0], 5.0], [1.0, x[1]]]) ** 2))(x).tolist() == [2.0, 4.0]
    assert grad(lambda x: np.sum(np.insert(x, [0, 1], [x[0], x[1] * 3])))(x).tolist() == [2.0, 4.0]
    assert grad(lambda x: np.sum(np.hstack([x, 1.0, [2.0]])))(x).tolist() == [1.0, 1.0]


# Ties and ranges


def test_of_entries_that_tie_each_gets_one_place_when_sorted() -> None:
    x = np.array([2.0, 1.0, 2.0, 1.0])
    for f in (np.sort, lambda x: np.partition(x, 2)):
        y, pullback = vjp(f, x)
        assert sorted(y.tolist()) == [1.0, 1.0, 2.0, 2.0]
        found = pullback(np.array([1.0, 10.0, 100.0, 1000.0]))
        assert sorted(found.tolist()) == [1.0, 10.0, 100.0, 1000.0]
        assert found[[1, 3]].sum() == 11.0


def test_sorting_with_nan_and_signed_zeros_gives_what_numpy_gives() -> None:
    x = np.array([np.nan, 0.0, -0.0, 1.0, np.nan, -np.inf])
    y, pullback = vjp(np.sort, x)
    np.testing.assert_array_equal(y, np.sort(x))
    assert sorted(pullback(np.arange(6.0)).tolist()) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_interpolation_at_points_beyond_them_and_in_float32() -> None:
    xp, fp = np.array([0.0, 1.0, 3.0]), np.array([0.0, 2.0, 4.0])
    x = np.array([-1.0, 0.0, 1.0, 2.0, 3.0, 5.0])
    assert grad(lambda x: np.sum(np.interp(x, xp, fp)))(x).tolist() == [0.0, 2.0, 1.0, 1.0, 1.0, 0.0]
    y, pullback = vjp(lambda x: np.interp(x, xp, fp), x.astype(np.float32))
    assert y.dtype == np.float64
    assert pullback(np.ones(6)).dtype == np.float32


# Refused where it happens, with what to do

REFUSED: list[tuple[Callable[[Any], Any], str]] = [
    (lambda x: np.pad(x, 1, "mean"), "np.pad with mode='mean' has no gradient"),
    (lambda x: np.pad(x, 1, "linear_ramp"), "np.pad with mode='linear_ramp' has no gradient"),
    (lambda x: np.pad(x, 1, "reflect", reflect_type="odd"), "np.pad with mode='reflect' and reflect_type='odd'"),
    (lambda x: np.unique(x, axis=0), "np.unique with axis= has no gradient here"),
    (lambda x: np.histogram(x, 3), "np.histogram has no gradient here"),
    (lambda x: np.put(x, 0, 1.0), "np.put writes into an array.*fnn.set_at"),
    (lambda x: np.place(np.ones(3), x > 0, x), "np.place writes into an array.*fnn.set_at"),
    (lambda x: np.putmask(x, x > 0, 1.0), "np.putmask writes into an array.*fnn.set_at"),
    (lambda x: np.put_along_axis(x, np.array([0]), 1.0, 0), "np.put_along_axis writes into an array.*fnn.set_at"),
    (lambda x: np.fill_diagonal(x, 1.0), "np.fill_diagonal writes into an array.*fnn.set_at"),
    (lambda x: np.copyto(x, 1.0), "np.copyto writes into an array.*fnn.set_at"),
    (lambda x: x.sort(), r"x.sort\(\) writes into ~f64\[3\].*np.sort"),
    (lambda x: x.partition(1), r"x.partition\(\) writes into .*np.partition"),
    (lambda x: x.fill(1.0), r"x.fill\(\) writes into .*np.full_like"),
    (lambda x: x.put(0, 1.0), r"x.put\(\) writes into .*fnn.set_at"),
    (lambda x: x.resize(2), r"x.resize\(\) writes into .*np.resize"),
    (lambda x: np.take(x, x), "an index must be integers"),
    (lambda x: np.gradient(x, np.array([True, False, True])), "np.gradient with a spacing of booleans"),
    (lambda x: np.full_like(np.ones(3), x), "np.copyto writes into an array"),
    (lambda x: x.astype(np.int64, casting="safe"), "cannot cast"),
]


@pytest.mark.parametrize(("f", "message"), REFUSED)
def test_what_has_no_gradient_says_what_to_use(f: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        grad(lambda x: f(x) or np.sum(x))(np.array([1.0, 2.0, 3.0]))


def test_no_function_keeps_what_it_was_given_alive_in_a_cycle() -> None:
    """The tape holds the backward rules: one that holds a tracer of the tape is freed only by the collector."""
    import gc  # noqa: PLC0415
    import weakref  # noqa: PLC0415

    gc.collect()
    gc.disable()
    try:
        for f in [*ANY_SHAPE, *NEED_AXES, lambda x: np.gradient(x), lambda x: np.pad(x, 1, "wrap"), lambda x: window(x, 2, 0)]:
            x = np.array([[0.3, 0.9], [0.2, 1.4]])
            seen: list[Any] = []

            def g(x: Any, f: Any = f, seen: Any = seen) -> Any:
                h = x * 2
                seen.append(weakref.ref(h.value))
                return f(h)

            _, pullback = vjp(g, x)
            del pullback, _
            assert seen[0]() is None
    finally:
        gc.enable()
