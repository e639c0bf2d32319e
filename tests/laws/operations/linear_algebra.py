"""Products, inverses, decompositions and norms. Matrices are well-conditioned, singular values and eigenvalues apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

from tests.laws.operations.case import ONE, TWO, Operation, away_from_zero, cube


def regular(rng: Generator, shape: tuple[int, ...]) -> Any:
    """Matrices, also stacked, with 2, 3, ... on the diagonal and less than 0.3 beside it."""
    return rng.uniform(-0.3, 0.3, shape) + np.eye(shape[-2], shape[-1]) * (2.0 + np.arange(shape[-1]))


def symmetric(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """f of the symmetric part: the functions of symmetric matrices read one triangle alone."""
    return lambda x: f((x + x.mT) / 2)


def unsigned(*vectors: Any) -> tuple[Any, ...]:
    """What doesn't depend on the sign of eigenvectors: products of entries of one column."""
    return tuple([v * v[..., :1, :] for v in vectors])


# Their types know nothing of arguments in all their forms
linalg: Any = np.linalg
norm: Any = np.linalg.norm
einsum: Any = np.einsum
vecdot: Any = np.vecdot

ONE_REGULAR = (regular,)
REGULAR_AND_ANY = (regular, away_from_zero)


def square(n: int, m: int, k: int) -> tuple[tuple[int, ...], ...]:
    return ((n, n),)


def squares(n: int, m: int, k: int) -> tuple[tuple[int, ...], ...]:
    return ((k, n, n),)


def tall(n: int, m: int, k: int) -> tuple[tuple[int, ...], ...]:
    return ((n + m, n),)


def wide(n: int, m: int, k: int) -> tuple[tuple[int, ...], ...]:
    return ((k, n, n + m),)


def eigh_of(x: Any) -> Any:
    w, v = linalg.eigh(x)
    return (w, *unsigned(v))


def svd_of(x: Any) -> Any:
    u, s, vh = linalg.svd(x, full_matrices=False)
    return (*unsigned(u, vh.mT), s, u * np.sin(s)[..., None, :] @ vh)


def full(u: Any, s: Any, vh: Any) -> Any:
    """Of the columns that complete a basis only the space that they span is unique."""
    k = s.shape[-1]
    u2, v2 = u[..., k:], vh.mT[..., k:]
    return (s, *unsigned(u[..., :k], vh.mT[..., :k]), u2 @ u2.mT, v2 @ v2.mT)


def complete(q: Any, r: Any) -> Any:
    n = r.shape[-1]
    return (r, q[..., :n], q[..., n:] @ q[..., n:].mT)


def gufuncs() -> list[Operation]:
    return [
        Operation("np.vecdot", np.vecdot, TWO, lambda n, m, k: ((n, m), (m,))),
        Operation("np.vecdot broadcast", np.vecdot, TWO, lambda n, m, k: ((n, 1, m), (k, m))),
        Operation("np.vecdot axis", lambda a, b: vecdot(a, b, axis=0), TWO, lambda n, m, k: ((n, m), (n, m))),
        Operation("np.vecdot keepdims", lambda a, b: vecdot(a, b, axis=-2, keepdims=True), TWO, lambda n, m, k: ((n, m),) * 2),
        Operation("np.matvec", np.matvec, TWO, lambda n, m, k: ((n, m), (m,))),
        Operation("np.matvec broadcast", np.matvec, TWO, lambda n, m, k: ((k, 1, n, m), (2, m))),
        Operation("np.vecmat", np.vecmat, TWO, lambda n, m, k: ((n,), (n, m))),
        Operation("np.vecmat broadcast", np.vecmat, TWO, lambda n, m, k: ((2, n), (k, 1, n, m))),
        Operation("np.matmul of a list", lambda a: np.matmul([[1.0, 2.0]], a) @ [[1.0], [2.0]], ONE, lambda n, m, k: ((2, 2),)),
    ]


def products() -> list[Operation]:
    ranks: list[tuple[str, Callable[[int, int, int], tuple[tuple[int, ...], ...]]]] = [
        ("vector, vector", lambda n, m, k: ((n,), (n,))),
        ("matrix, vector", lambda n, m, k: ((n, m), (m,))),
        ("vector, matrix", lambda n, m, k: ((n,), (n, m))),
        ("three, two", lambda n, m, k: ((2, n, m), (m, k))),
        ("three, one", lambda n, m, k: ((2, n, m), (m,))),
        ("one, three", lambda n, m, k: ((m,), (2, m, k))),
        ("two, three", lambda n, m, k: ((n, m), (2, m, k))),
        ("three, four", lambda n, m, k: ((n, k, m), (2, 1, m, k))),
        ("array, number", lambda n, m, k: ((n, m), ())),
        ("numbers", lambda n, m, k: ((), ())),
    ]
    return [
        *[Operation(f"np.dot {name}", np.dot, TWO, shapes) for name, shapes in ranks],
        Operation("x.dot", lambda x: x.dot(x.T), ONE),
        Operation("np.dot of one array twice", lambda a: np.dot(a, a.T), ONE),
        Operation("np.inner vectors", np.inner, TWO, lambda n, m, k: ((n,), (n,))),
        Operation("np.inner", np.inner, TWO, lambda n, m, k: ((2, n, m), (k, m))),
        Operation("np.inner vector", np.inner, TWO, lambda n, m, k: ((m,), (2, k, m))),
        Operation("np.inner number", np.inner, TWO, lambda n, m, k: ((), (n, m))),
        Operation("np.vdot", np.vdot, TWO, lambda n, m, k: ((n, m), (m, n))),
        Operation("np.outer", np.outer, TWO, lambda n, m, k: ((n, m), (k,))),
        Operation("np.outer number", np.outer, TWO, lambda n, m, k: ((), (k,))),
        Operation("np.kron", np.kron, TWO, lambda n, m, k: ((n, m), (k, 2))),
        Operation("np.kron more axes on the left", np.kron, TWO, lambda n, m, k: ((k, n, m), (2,))),
        Operation("np.kron more axes on the right", np.kron, TWO, lambda n, m, k: ((n,), (2, m, k))),
        Operation("np.kron number", np.kron, TWO, lambda n, m, k: ((), (m, k))),
        Operation("np.tensordot", np.tensordot, TWO, lambda n, m, k: ((2, n, m), (n, m, k))),
        Operation("np.tensordot 0", lambda a, b: np.tensordot(a, b, 0), TWO, lambda n, m, k: ((n, m), (k,))),
        Operation("np.tensordot 1", lambda a, b: np.tensordot(a, b, axes=1), TWO, lambda n, m, k: ((n, m), (m, k, 2))),
        Operation(
            "np.tensordot pairs",
            lambda a, b: np.tensordot(a, b, ((0, -1), (1, 0))),
            TWO,
            lambda n, m, k: ((n, k, m), (m, n, 2)),
        ),
        Operation("np.tensordot axis", lambda a, b: np.tensordot(a, b, (0, -1)), TWO, lambda n, m, k: ((n, m), (k, n))),
        Operation("np.tensordot to a number", lambda a, b: np.tensordot(b=b, a=a), TWO, lambda n, m, k: ((n, m), (n, m))),
        Operation("np.cross", np.cross, TWO, lambda n, m, k: ((3,), (3,))),
        Operation("np.cross broadcast", np.cross, TWO, lambda n, m, k: ((n, 1, 3), (m, 3))),
        Operation("np.cross axis", lambda a, b: np.cross(a, b, axis=0), TWO, lambda n, m, k: ((3, n), (3, n))),
        Operation(
            "np.cross axes", lambda a, b: np.cross(a, b, axisa=0, axisb=1, axisc=0), TWO, lambda n, m, k: ((3, n), (n, 3))
        ),
        Operation("np.trace", np.trace, ONE),
        Operation("np.trace axes", lambda x: np.trace(x, 1, axis1=-1, axis2=0), ONE, lambda n, m, k: ((n, m, k + 1),)),
        Operation("x.trace", lambda x: x.trace(offset=-1), ONE, lambda n, m, k: ((n + 1, m),)),
        Operation("np.linalg.matmul", linalg.matmul, TWO, lambda n, m, k: ((k, n, m), (m, k))),
        Operation("np.linalg.outer", linalg.outer, TWO, lambda n, m, k: ((n,), (m,))),
        Operation("np.linalg.tensordot", lambda a, b: linalg.tensordot(a, b, axes=1), TWO, lambda n, m, k: ((n, m), (m, k))),
        Operation("np.linalg.vecdot", lambda a, b: linalg.vecdot(a, b, axis=0), TWO, lambda n, m, k: ((n, m), (n, m))),
        Operation("np.linalg.cross", lambda a, b: linalg.cross(a, b, axis=0), TWO, lambda n, m, k: ((3, n), (3, n))),
        Operation("np.linalg.trace", lambda x: linalg.trace(x, offset=1), ONE, lambda n, m, k: ((k, n, m + 1),)),
        Operation("np.linalg.diagonal", lambda x: linalg.diagonal(x, offset=-1) * 2, ONE, lambda n, m, k: ((k, n + 1, m),)),
        Operation("np.linalg.matrix_transpose", lambda x: linalg.matrix_transpose(x) * 2, ONE, cube),
        Operation("np.linalg.multi_dot two", lambda *x: linalg.multi_dot(x), TWO, lambda n, m, k: ((n, m), (m, k))),
        Operation(
            "np.linalg.multi_dot three", lambda *x: linalg.multi_dot(x), TWO + ONE, lambda n, m, k: ((n, m), (m, k), (k, 2))
        ),
        Operation(
            "np.linalg.multi_dot four",
            lambda *x: linalg.multi_dot(x),
            TWO + TWO,
            lambda n, m, k: ((n, m), (m, k), (k, 2), (2, n)),
        ),
        Operation(
            "np.linalg.multi_dot vectors",
            lambda *x: linalg.multi_dot(x),
            TWO + TWO,
            lambda n, m, k: ((n,), (n, m), (m, k), (k,)),
        ),
        Operation("np.linalg.multi_dot row", lambda *x: linalg.multi_dot(x), TWO + ONE, lambda n, m, k: ((n,), (n, m), (m, k))),
        *[
            Operation(f"np.linalg.matrix_power {n}", lambda x, n=n: linalg.matrix_power(x / 2, n), ONE_REGULAR, squares)
            for n in (-3, -1, 0, 1, 2, 3, 5, 6)
            if n != 0
        ],
    ]


def einsums() -> list[Operation]:
    of_one: list[tuple[str, Callable[[int, int, int], tuple[tuple[int, ...], ...]]]] = [
        ("ii", square),
        ("ii->i", square),
        ("iij->j", lambda n, m, k: ((n, n, m),)),
        ("iii->i", lambda n, m, k: ((n, n, n),)),
        ("ijij->ji", lambda n, m, k: ((n, m, n, m),)),
        ("ba", lambda n, m, k: ((n, m),)),
        ("i...->...", cube),
        ("...ii->...i", squares),
        ("ij->", lambda n, m, k: ((n, m),)),
    ]
    of_two: list[tuple[str, Callable[[int, int, int], tuple[tuple[int, ...], ...]]]] = [
        ("ij,jj", lambda n, m, k: ((n, m), (m, m))),
        ("ii,ij->j", lambda n, m, k: ((n, n), (n, m))),
        ("ij,jk->ik", lambda n, m, k: ((n, 1), (m, k))),
        ("ij,ij->i", lambda n, m, k: ((n, m), (1, m))),
        ("ij,kj->k", lambda n, m, k: ((n, m), (k, 1))),
        ("...ij,...jk", lambda n, m, k: ((2, 1, n, m), (3, m, k))),
        ("...i,...i->...", lambda n, m, k: ((2, n), (k, 1, n))),
        ("Ab , bA -> A", lambda n, m, k: ((n, m), (m, n))),
        (",ij->ji", lambda n, m, k: ((), (n, m))),
        ("ii,jj->", lambda n, m, k: ((n, n), (m, m))),
    ]
    return [
        *[Operation(f"einsum {s}", lambda a, s=s: einsum(s, a) * 1, ONE, shapes) for s, shapes in of_one],
        *[Operation(f"einsum {s}", lambda a, b, s=s: einsum(s, a, b), TWO, shapes) for s, shapes in of_two],
        Operation("einsum lists", lambda a, b: einsum(a, [0, 1], b, [1, 2], [2, 0]), TWO, lambda n, m, k: ((n, m), (m, k))),
        Operation(
            "einsum implicit lists",
            lambda a, b: einsum(a, [..., 3, 1], b, [1, 2]),
            TWO,
            lambda n, m, k: ((k, n, m), (m, k)),
        ),
        Operation(
            "einsum optimize",
            lambda a, b, c: np.einsum("ij,jk,kl->il", a, b, c, optimize=True),
            TWO + ONE,
            lambda n, m, k: ((n, m), (m, k), (k, 2)),
        ),
        Operation(
            "einsum optimize with a path",
            lambda a, b, c: np.einsum("ij,jk,ki->i", a, b, c, optimize=["einsum_path", (1, 2), (0, 1)]),
            TWO + ONE,
            lambda n, m, k: ((n, m), (m, k), (k, n)),
        ),
    ]


def inverses() -> list[Operation]:
    inv, solve, det = linalg.inv, linalg.solve, linalg.det
    return [
        Operation("np.linalg.inv", inv, ONE_REGULAR, square),
        Operation("np.linalg.inv stacked", inv, ONE_REGULAR, squares),
        Operation("np.linalg.solve vector", solve, REGULAR_AND_ANY, lambda n, m, k: ((n, n), (n,))),
        Operation("np.linalg.solve matrix", solve, REGULAR_AND_ANY, lambda n, m, k: ((n, n), (n, m))),
        Operation("np.linalg.solve stacked", solve, REGULAR_AND_ANY, lambda n, m, k: ((k, 1, n, n), (2, n, m))),
        Operation("np.linalg.solve stacked, vector", solve, REGULAR_AND_ANY, lambda n, m, k: ((k, n, n), (n,))),
        Operation("np.linalg.det", det, ONE_REGULAR, square),
        Operation("np.linalg.det stacked", det, ONE_REGULAR, squares),
        Operation("np.linalg.slogdet", lambda x: linalg.slogdet(-x), ONE_REGULAR, square),
        Operation("np.linalg.slogdet stacked", linalg.slogdet, ONE_REGULAR, squares),
        Operation("np.linalg.pinv square", linalg.pinv, ONE_REGULAR, square),
        Operation("np.linalg.pinv tall", linalg.pinv, ONE_REGULAR, tall),
        Operation("np.linalg.pinv wide", lambda x: linalg.pinv(x, rtol=1e-6), ONE_REGULAR, wide),
        Operation(
            "np.linalg.pinv of rank 1",
            lambda a, b: linalg.pinv(np.outer(a, b), rcond=1e-5),
            TWO,
            lambda n, m, k: ((n,), (m,)),
        ),
        Operation("np.linalg.lstsq square", lstsq, REGULAR_AND_ANY, lambda n, m, k: ((n, n), (n, m))),
        Operation("np.linalg.lstsq tall", lstsq, REGULAR_AND_ANY, lambda n, m, k: ((n + m, n), (n + m, k))),
        Operation("np.linalg.lstsq wide", lstsq, REGULAR_AND_ANY, lambda n, m, k: ((n, n + m), (n, k))),
        Operation("np.linalg.lstsq vector", lstsq, REGULAR_AND_ANY, lambda n, m, k: ((n + m, n), (n + m,))),
    ]


def lstsq(a: Any, b: Any) -> Any:
    x, residuals, _, s = linalg.lstsq(a, b)
    return (x, residuals, s)


def decompositions() -> list[Operation]:
    svd, qr = linalg.svd, linalg.qr
    return [
        Operation("np.linalg.cholesky", symmetric(linalg.cholesky), ONE_REGULAR, square),
        Operation("np.linalg.cholesky stacked", symmetric(linalg.cholesky), ONE_REGULAR, squares),
        Operation("np.linalg.cholesky upper", symmetric(lambda x: linalg.cholesky(x, upper=True)), ONE_REGULAR, squares),
        Operation("np.linalg.cholesky of a product", lambda x: linalg.cholesky(x @ x.T + np.eye(len(x), dtype=x.dtype)), ONE),
        Operation("np.linalg.eigh", symmetric(linalg.eigh), ONE_REGULAR, square),
        Operation("np.linalg.eigh stacked", symmetric(eigh_of), ONE_REGULAR, squares),
        Operation("np.linalg.eigh upper", symmetric(lambda x: linalg.eigh(x, UPLO="U")), ONE_REGULAR, squares),
        Operation("np.linalg.eigvalsh", symmetric(linalg.eigvalsh), ONE_REGULAR, squares),
        Operation("np.linalg.eigvalsh upper", symmetric(lambda x: linalg.eigvalsh(x, "U")), ONE_REGULAR, square),
        Operation("np.linalg.svd square", svd, ONE_REGULAR, square),
        Operation("np.linalg.svd tall", svd_of, ONE_REGULAR, tall),
        Operation("np.linalg.svd wide", svd_of, ONE_REGULAR, wide),
        Operation("np.linalg.svd values", lambda x: svd(x, compute_uv=False), ONE_REGULAR, wide),
        Operation(
            "np.linalg.svd full, one more row", lambda x: svd(x, full_matrices=True), ONE_REGULAR, lambda n, m, k: ((n + 1, n),)
        ),
        Operation("np.linalg.svd full, one more column", lambda x: svd(x), ONE_REGULAR, lambda n, m, k: ((k, n, n + 1),)),
        Operation("np.linalg.svd full tall", lambda x: full(*svd(x)), ONE_REGULAR, tall),
        Operation("np.linalg.svd full wide", lambda x: full(*svd(x)), ONE_REGULAR, wide),
        Operation("np.linalg.svdvals", linalg.svdvals, ONE_REGULAR, tall),
        Operation("np.linalg.qr square", qr, ONE_REGULAR, squares),
        Operation("np.linalg.qr tall", qr, ONE_REGULAR, tall),
        Operation("np.linalg.qr wide", qr, ONE_REGULAR, wide),
        Operation("np.linalg.qr r", lambda x: qr(x, mode="r"), ONE_REGULAR, tall),
        Operation("np.linalg.qr complete wide", lambda x: qr(x, "complete"), ONE_REGULAR, wide),
        Operation("np.linalg.qr complete tall", lambda x: complete(*qr(x, "complete")), ONE_REGULAR, tall),
    ]


def norms() -> list[Operation]:
    table = [
        Operation("np.linalg.norm", norm, ONE, cube),
        Operation("np.linalg.norm keepdims", lambda x: norm(x, keepdims=True), ONE, cube),
        Operation("np.linalg.norm number", norm, ONE, lambda n, m, k: ((),)),
        Operation("np.linalg.norm axis", lambda x: norm(x, axis=-2), ONE, cube),
        Operation("np.linalg.norm axes", lambda x: norm(axis=(2, 0), x=x, keepdims=True), ONE, cube),
        Operation("np.linalg.norm of distances", lambda x: norm(x[:, None] - x[None], axis=-1) ** 2, ONE),
        Operation("np.linalg.vector_norm", linalg.vector_norm, ONE, cube),
        Operation("np.linalg.vector_norm axes", lambda x: linalg.vector_norm(x, axis=(0, -1), ord=3), ONE, cube),
        Operation("np.linalg.vector_norm keepdims", lambda x: linalg.vector_norm(x, axis=1, keepdims=True), ONE, cube),
        Operation("np.linalg.matrix_norm", linalg.matrix_norm, ONE, cube),
        Operation("np.linalg.matrix_norm nuc", lambda x: linalg.matrix_norm(x, ord="nuc", keepdims=True), (regular,), wide),
    ]
    for p in (0.5, 1, 1.5, 2, 3, 7.0, -1, -2.5, np.inf, -np.inf):
        table.append(Operation(f"np.linalg.norm vector {p}", lambda x, p=p: norm(x, p), ONE, lambda n, m, k: ((n,),)))
        table.append(Operation(f"np.linalg.norm rows {p}", lambda x, p=p: norm(x, ord=p, axis=1, keepdims=True), ONE, cube))
    for order in (2, -2, 1, -1, np.inf, -np.inf, "fro", "nuc"):
        table.append(Operation(f"np.linalg.norm matrix {order}", lambda x, p=order: norm(x, p), ONE_REGULAR, tall))
        table.append(Operation(f"np.linalg.norm matrices {order}", lambda x, p=order: norm(x, p, (-1, -2)), ONE_REGULAR, wide))
    table.append(Operation("np.linalg.norm matrices keepdims", lambda x: norm(x, 1, (0, 2), keepdims=True), ONE, cube))
    return table


TABLE: list[Operation] = [*gufuncs(), *products(), *einsums(), *inverses(), *decompositions(), *norms()]
