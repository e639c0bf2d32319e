"""Linear algebra where it is delicate: kinks, singular and degenerate matrices, nothing in an array, views, float32, errors."""

from __future__ import annotations

from itertools import permutations
from math import prod
from typing import Any

import numpy as np
import pytest

import fnn
from fnn.autodiff.tape import Tape
from tests.laws import checks
from tests.laws.operations import Operation
from tests.laws.operations.linear_algebra import TABLE, regular

# Their types know nothing of functions that are made of Any
grad: Any = fnn.grad
vjp: Any = fnn.vjp
hessian: Any = fnn.hessian
linalg: Any = np.linalg
norm: Any = np.linalg.norm
LinAlgError = np.linalg.LinAlgError
ORDERS = (None, 1, 1.5, 2, 3, np.inf, -np.inf, -1, -2.5, 0.5, 0)
every_case = pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
MATRIX = np.array([[2.31, 0.43, 0.73], [0.57, 1.94, 0.61], [0.28, 0.16, 3.27]])


def arguments(case: Operation, dtype: Any = np.float64) -> tuple[Any, ...]:
    rng = np.random.default_rng(3)
    shapes = case.shapes(2, 3, 2)
    return tuple(np.asarray(draw(rng, shape), dtype) for draw, shape in zip(case.draws, shapes, strict=True))


def total(y: Any) -> Any:
    """A scalar that depends on every entry of every floating result."""
    return sum(np.sum(np.sin(part)) for part in (y if isinstance(y, tuple) else (y,)))


# Kinks


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_gradient_of_a_norm_is_zero_at_zero_without_a_warning(order: Any, dtype: Any) -> None:
    x: Any = np.zeros((3, 2), dtype)
    with np.errstate(all="raise", divide="warn" if order is not None and order < 0 else "raise"):
        try:
            norm(x, order, axis=0)
        except (RuntimeWarning, FloatingPointError):
            pytest.skip("NumPy itself warns about the value")
        found = grad(lambda x: np.sum(norm(x, order, axis=0)))(x)
        twice = grad(lambda x: np.sum(grad(lambda x: np.sum(norm(x, order, axis=0)))(x)))(x)
    for grads in (found, twice):
        assert grads.dtype == dtype
        np.testing.assert_array_equal(grads, x)


@pytest.mark.parametrize("order", ["fro", "nuc", 2, -2, 1, -1, np.inf, -np.inf])
def test_the_gradient_of_a_matrix_norm_is_zero_at_zero(order: Any) -> None:
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(grad(lambda x: norm(x, order))(np.zeros((3, 2))), np.zeros((3, 2)))


@pytest.mark.parametrize("order", [1, 1.5, 2, 3, 0.5])
def test_an_entry_of_zero_has_slope_zero_and_leaves_the_others_alone(order: Any) -> None:
    with np.errstate(all="raise"):
        found = grad(lambda x: norm(x, order))(np.array([0.0, 2.0, -1.0]))
    np.testing.assert_allclose(found, [0.0, *grad(lambda x: norm(x, order))(np.array([2.0, -1.0]))], rtol=1e-12)


def test_ties_of_an_infinite_norm_are_split_evenly() -> None:
    np.testing.assert_array_equal(grad(lambda x: norm(x, np.inf))(np.array([2.0, -2.0, 1.0])), [0.5, -0.5, 0.0])


def test_a_large_norm_neither_overflows_nor_loses_its_gradient() -> None:
    found = grad(lambda x: norm(x, 50))(np.array([3e5, 4e5]))
    np.testing.assert_allclose(found, [(3 / 4) ** 49, 1.0], rtol=1e-5)


def test_the_number_of_entries_other_than_zero_is_constant() -> None:
    np.testing.assert_array_equal(grad(lambda x: norm(x, 0) * x[0])(np.array([2.0, 0.0, 1.0])), [2.0, 0.0, 0.0])


# Singular and degenerate matrices


@pytest.mark.parametrize(
    "a",
    [
        np.array([[1.0, 2.0], [2.0, 4.0]]),
        np.zeros((2, 2)),
        np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]]),
        np.diag([1.0, 0.0, 0.0]),
        np.stack([MATRIX, np.zeros((3, 3))]),
        np.zeros((1, 1)),
    ],
)
def test_the_determinant_of_a_singular_matrix_has_exact_derivatives(a: Any) -> None:
    def by_leibniz(x: Any) -> Any:
        n = a.shape[-1]
        orders = list(permutations(range(n)))
        signs = [np.linalg.det(np.eye(n)[list(order)]) for order in orders]
        return sum(s * prod([x[i, order[i]] for i in range(n)]) for s, order in zip(signs, orders, strict=True))

    if a.ndim == 2:
        np.testing.assert_allclose(grad(np.linalg.det)(a), grad(by_leibniz)(a), atol=1e-13)
        np.testing.assert_allclose(hessian(np.linalg.det)(a), hessian(by_leibniz)(a), atol=1e-13)
    else:
        rng = np.random.default_rng(0)
        checks.check_gradient(np.linalg.det, a, rng)
        checks.check_second_order(np.linalg.det, a, rng)


@pytest.mark.parametrize("f", [linalg.inv, lambda x: linalg.solve(x, np.ones(2)), lambda x: linalg.matrix_power(x, -2)])
def test_a_singular_matrix_raises_the_error_of_numpy(f: Any) -> None:
    with pytest.raises(LinAlgError, match="Singular"):
        vjp(f, np.ones((2, 2)))


def test_a_matrix_that_is_not_positive_definite_raises_the_error_of_numpy() -> None:
    with pytest.raises(LinAlgError, match="positive definite"):
        vjp(np.linalg.cholesky, -np.eye(2))


def test_the_logarithm_of_a_determinant_of_zero_raises_where_its_gradient_is_asked_for() -> None:
    value, pullback = vjp(linalg.slogdet, np.zeros((2, 2)))
    assert value.logabsdet == -np.inf
    with pytest.raises(LinAlgError, match="Singular"):
        pullback(value)


@pytest.mark.parametrize("values", [[2.0, 2.0, 2.0], [1.0, 1.0, 3.0], [0.0, 0.0, 0.0], [1.0, 1.0 + 1e-16, 2.0]])
def test_functions_of_degenerate_matrices_have_their_gradient_where_it_exists(values: list[float]) -> None:
    q = np.linalg.qr(MATRIX).Q
    a: Any = q * values @ q.T
    a = (a + a.T) / 2

    def square_by_eigh(x: Any) -> Any:
        w, v = linalg.eigh((x + x.T) / 2)
        return v * w**2 @ v.T

    # of the eigenvalues alone, the trace of a power, it is exact
    expected = grad(lambda x: np.trace(linalg.matrix_power((x + x.T) / 2, 3)))(a)
    found = grad(lambda x: np.sum(linalg.eigvalsh((x + x.T) / 2) ** 3))(a)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    found = grad(lambda x: np.sum(linalg.eigh((x + x.T) / 2)[0] ** 3))(a)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    # of what eigenvectors span, too
    expected = vjp(lambda x: linalg.matrix_power((x + x.T) / 2, 2), a)[1](a)
    found = vjp(lambda x: square_by_eigh(x), a)[1](a)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def inverse_by_eigh(x: Any) -> Any:
    w, v = linalg.eigh(x)
    return v / w @ v.T


def same_by_svd(x: Any) -> Any:
    u, s, vh = linalg.svd(x)
    return u * s @ vh


@pytest.mark.parametrize("values", [[2.0, 2.0, 2.0], [1.0, 1.0, 3.0], [1.0, 1.0 + 1e-16, 2.0]])
@pytest.mark.parametrize("f", [inverse_by_eigh, same_by_svd])
def test_functions_of_values_that_coincide_and_of_their_vectors_are_refused(f: Any, values: list[float]) -> None:
    q = np.linalg.qr(MATRIX).Q
    a: Any = q * values @ q.T
    u = np.random.default_rng(0).normal(size=(2, 3, 3))
    for matrix, g in ((a, u[0]), (np.stack([MATRIX + MATRIX.T, a]), u)):
        with pytest.raises(
            ValueError, match=r"depends on values that coincide and on their vectors.*use functions of the matrix"
        ):
            vjp(lambda x: np.stack([f(part) for part in x]) if x.ndim == 3 else f(x), matrix)[1](g)
    apart = vjp(f, q * [1.0, 2.0, 3.0] @ q.T)[1](u[0])
    assert np.isfinite(apart).all()


def test_single_vectors_of_values_that_coincide_are_refused() -> None:
    for f in (lambda x: linalg.eigh(x)[1][:, 0], lambda x: linalg.svd(x)[0][:, 0]):
        with pytest.raises(ValueError, match="depends on single vectors of values that coincide"):
            vjp(f, 2 * np.eye(3))[1](np.array([1.0, 2.0, 3.0]))


def test_a_second_derivative_by_values_that_coincide_is_refused() -> None:
    for values in (linalg.eigvalsh, linalg.svdvals):
        with pytest.raises(ValueError, match="values that coincide"):
            hessian(lambda x, values=values: np.sum(values(x) ** 3))(2 * np.eye(3))
    hessian(lambda x: np.sum(linalg.svdvals(x)))(2 * np.eye(3))  # of no value: the polar factor's gradient
    a = np.diag([1.0, 2.0, 3.0])
    np.testing.assert_allclose(
        hessian(lambda x: np.sum(linalg.eigvalsh((x + x.T) / 2) ** 3))(a),
        hessian(lambda x: np.trace(linalg.matrix_power((x + x.T) / 2, 3)))(a),
        atol=1e-10,
    )


def test_a_projector_on_all_vectors_of_a_value_has_its_gradient() -> None:
    q = np.linalg.qr(MATRIX).Q
    a = q * [1.0, 1.0, 3.0] @ q.T

    def projector(x: Any) -> Any:
        v = linalg.eigh((x + x.T) / 2)[1][:, :2]
        return np.sum(v @ v.T * np.arange(9.0).reshape(3, 3))

    checks.check_gradient(projector, a, np.random.default_rng(0))


def test_the_identity_by_way_of_a_rank_deficient_svd_has_finite_gradients() -> None:
    a = np.outer([1.0, 2.0, 3.0], [1.0, -1.0])
    for f in (linalg.pinv, lambda x: linalg.svd(x, full_matrices=False), lambda x: linalg.lstsq(x, np.ones(3))[0]):
        grads = grad(lambda x, f=f: total(f(x)))(a)
        assert np.all(np.isfinite(grads))


def test_least_squares_of_a_rank_deficient_matrix_follow_those_that_keep_its_rank() -> None:
    rng = np.random.default_rng(0)

    def f(p: Any) -> Any:
        return linalg.lstsq(np.outer(p[0], p[1]), p[2], 1e-6)[0]

    checks.check_gradient(f, (rng.uniform(1, 2, 4), rng.uniform(1, 2, 3), rng.normal(size=(4, 2))), rng)


@pytest.mark.parametrize("f", [lambda x: linalg.svd(x)[0], lambda x: linalg.qr(x, "complete")[0]])
def test_columns_that_complete_a_basis_are_refused_unless_only_their_space_counts(f: Any) -> None:
    a = np.random.default_rng(0).normal(size=(4, 2))
    with pytest.raises(ValueError, match="not unique"):
        grad(lambda x: np.sum(f(x) * np.arange(16.0).reshape(4, 4)))(a)

    def of_their_space(x: Any) -> Any:
        u2 = f(x)[:, 2:]
        return u2 @ u2.T

    checks.check_gradient(of_their_space, a, np.random.default_rng(1))


@pytest.mark.parametrize(
    "f",
    [linalg.cholesky, lambda x: linalg.cholesky(x, upper=True), linalg.eigvalsh, lambda x: linalg.eigh(x, "U").eigenvectors],
)
def test_gradients_by_symmetric_matrices_are_symmetric(f: Any) -> None:
    a = MATRIX @ MATRIX.T
    u = np.random.default_rng(0).normal(size=f(a).shape)
    found = vjp(f, a)[1](u)
    np.testing.assert_allclose(found, found.T, rtol=1e-12)


# Nothing in an array, views, float32


@pytest.mark.parametrize(
    ("f", "shapes"),
    [
        (np.dot, [(0, 3), (3, 2)]),
        (np.dot, [(2, 0), (0, 3)]),
        (np.dot, [(2, 3, 0), (4, 0, 3)]),
        (np.inner, [(2, 0), (3, 0)]),
        (np.outer, [(0,), (3,)]),
        (np.kron, [(0, 2), (3, 2)]),
        (np.vecdot, [(2, 0), (2, 0)]),
        (np.matvec, [(2, 0), (0,)]),
        (np.vecmat, [(0,), (0, 3)]),
        (np.tensordot, [(2, 3, 0), (3, 0, 2)]),
        (np.cross, [(0, 3), (3,)]),
        (lambda a, b: np.einsum("ij,jk", a, b), [(2, 0), (0, 3)]),
        (lambda a, b: np.einsum("ii,ij->j", a, b), [(0, 0), (0, 3)]),
        (lambda a: np.einsum("ij->", a), [(0, 3)]),
        (np.linalg.inv, [(0, 0)]),
        (np.linalg.inv, [(0, 2, 2)]),
        (np.linalg.det, [(0, 0)]),
        (np.linalg.det, [(0, 2, 2)]),
        (lambda a: linalg.slogdet(a).logabsdet, [(0, 0)]),
        (np.linalg.solve, [(0, 0), (0,)]),
        (np.linalg.solve, [(2, 2), (2, 0)]),
        (np.linalg.cholesky, [(0, 0)]),
        (np.linalg.eigh, [(0, 0)]),
        (np.linalg.eigvalsh, [(0, 2, 2)]),
        (lambda a: linalg.svd(a, full_matrices=False), [(0, 3)]),
        (np.linalg.svdvals, [(3, 0)]),
        (np.linalg.qr, [(3, 0)]),
        (np.linalg.qr, [(0, 3)]),
        (np.linalg.pinv, [(0, 3)]),
        (norm, [(0,)]),
        (lambda a: norm(a, axis=0), [(0, 3)]),
        (lambda a: norm(a, 3, axis=1), [(0, 3)]),
        (np.trace, [(0, 0)]),
    ],
)
def test_arrays_of_size_zero_have_gradients_of_their_shape(f: Any, shapes: Any) -> None:
    args = tuple(regular(np.random.default_rng(0), shape) if len(shape) > 1 else np.ones(shape) for shape in shapes)
    for grads, x in zip(grad(lambda p: total(f(*p)) + 0 * np.sum(p[0]))(args), args, strict=True):
        assert grads.shape == x.shape
        assert np.all(np.isfinite(grads))


@every_case
def test_views_differentiate_like_copies(case: Operation) -> None:
    args = arguments(case)
    views = tuple(
        np.repeat(np.repeat(x, 2, -1), 2, 0)[::2, ..., ::2] if x.ndim > 1 else np.repeat(x, 2)[::2] if x.ndim else x
        for x in args
    )
    reverse = tuple(np.ascontiguousarray(x.T).T if x.ndim else x for x in args)
    expected = grad(lambda p: total(case.f(*p)))(args)
    for given in (views, reverse):
        found = grad(lambda p: total(case.f(*p)))(given)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


@every_case
def test_no_rule_makes_float64_of_float32(case: Operation, monkeypatch: pytest.MonkeyPatch) -> None:
    record = Tape.record

    def record_float32(self: Tape, value: Any, *args: Any) -> Any:
        assert value.dtype == np.float32, f"{case.name} makes {value.dtype}"
        return record(self, value, *args)

    args = arguments(case, np.float32)
    if total(case.f(*args)).dtype != np.float32:
        pytest.skip("NumPy's own result is float64")
    monkeypatch.setattr(Tape, "record", record_float32)
    f = grad(lambda p: total(case.f(*p)))
    grad(lambda p: sum(np.sum(g) for g in f(p)))(args)


# Errors


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda x: np.cross(x[:, :2], x[:, :2]), TypeError, "append a zero"),
        (lambda x: linalg.svd(x, hermitian=True), TypeError, "use np.linalg.eigh"),
        (lambda x: linalg.pinv(x, hermitian=True), TypeError, "hermitian"),
        (lambda x: linalg.qr(x, "raw"), TypeError, "mode='raw'"),
        (linalg.eig, TypeError, r"np\.linalg\.eig has no gradient"),
        (lambda x: np.matmul(x, x, axes=[(0, 1), (0, 1), (0, 1)]), TypeError, "with axes="),
        (lambda x: np.einsum("ij,jk", x, x, dtype=np.float32), TypeError, "with dtype="),
        (lambda x: np.einsum("ij->k", x), ValueError, "output"),
        (lambda x: np.einsum("ij,jk", x), ValueError, "operand"),
        (lambda x: np.einsum("...i->i", x), ValueError, "ellipsis|broadcast"),
        (lambda x: np.tensordot(x, np.ones((2, 3)), 1), ValueError, "don't agree"),
        (lambda x: linalg.outer(x, x), ValueError, "one each"),
        (lambda x: linalg.cross(x[:, :2], x[:, :2]), ValueError, "expected 3"),
        (lambda x: linalg.multi_dot([x]), ValueError, "at least two"),
        (lambda x: linalg.matrix_power(x[:2], 2), LinAlgError, "square"),
        (lambda x: norm(x, "else"), ValueError, "norm order"),
        (lambda x: norm(x[0], "fro"), ValueError, "norm order"),
        (lambda x: norm(x, 3), ValueError, "norm order"),
        (lambda x: norm(x, axis=(0, 0)), ValueError, "Duplicate"),
        (lambda x: norm(x[None], 2), ValueError, "dimensions"),
        (lambda x: np.dot(x, np.ones(2)), ValueError, "not aligned"),
    ],
)
def test_errors_help(f: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        vjp(f, MATRIX)


def test_the_rank_and_the_path_of_a_contraction_are_constants() -> None:
    def f(x: Any) -> Any:
        assert np.einsum_path("ij,jk", x, x)[0] == ["einsum_path", (0, 1)]
        return linalg.matrix_rank(x) * np.sum(x)

    np.testing.assert_array_equal(grad(f)(MATRIX), np.full((3, 3), 3.0))


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_the_gradient_of_the_polar_factor_where_all_singular_values_coincide(scale: float) -> None:
    weights = np.arange(9.0).reshape(3, 3)

    def polar(a: Any) -> Any:
        u, _, vh = np.linalg.svd(a, full_matrices=False)
        return np.sum(weights * (u @ vh))

    q = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    for a in (np.eye(3), q):
        h = 1e-5
        numeric = np.zeros((3, 3))
        for i, j in np.ndindex(3, 3):
            step = np.zeros((3, 3))
            step[i, j] = h
            numeric[i, j] = (polar(scale * a + step) - polar(scale * a - step)) / (2 * h)
        np.testing.assert_allclose(fnn.grad(polar)(scale * a), numeric, atol=1e-7)
