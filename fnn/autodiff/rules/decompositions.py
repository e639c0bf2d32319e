"""Derivative rules of decompositions: cholesky, eigh, svd, qr, and of their values alone.

Matrices are the last two axes, `g` is the cotangent of the result, A^T is `a.mT`. The rules are found as in Giles (2008),
"Collected matrix derivative results for forward and reverse mode algorithmic differentiation": write dY by dA, and bring
<G, dY> into the form <dL/dA, dA>.

The functions of symmetric matrices (cholesky, eigh, eigvalsh) read one triangle only, and stand for functions of the
whole matrix: their gradient is symmetric, half of it in each triangle.

Vectors are defined up to a sign, and up to a rotation where their values coincide (closer than rounding errors are, see
`_rounding`). There the rules leave out how the vectors turn among themselves. That is right for functions of the values alone,
of projectors on whole spaces and of the polar factor U V^T; what depends on the rotation, or on values and vectors both, as
V diag(1 / w) V^T does, is refused: see `_check_turns`.
Columns that complete a basis (full_matrices of svd, mode="complete" of qr) are defined up to a rotation everywhere: what
depends on it is refused on the way back, see `_without_complement`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fnn.arrays import Value
from fnn.autodiff import registry
from fnn.autodiff.primitive import constant, elementary, several
from fnn.autodiff.registry import implements
from fnn.autodiff.tracer import Tracer, value_of


def _symmetric(x: Value) -> Value:
    return (x + x.mT) / 2


def _lower(x: Value, diagonal: float) -> Value:
    """The lower triangle of a square matrix, with its diagonal times a number."""
    n = x.shape[-1]
    return x * (np.tri(n, k=-1, dtype=x.dtype) + np.asarray(diagonal, x.dtype) * np.eye(n, dtype=x.dtype))


def _reciprocal(x: Value, floor: Value) -> Value:
    """1 / x, and 0 where x is 0 up to the rounding error `floor`."""
    vanishes = np.abs(value_of(x)) <= floor
    return np.where(vanishes, np.zeros((), x.dtype), 1 / np.where(vanishes, np.ones((), x.dtype), x))


def _rounding(values: Value, n: int) -> Value:
    """The rounding error of eigenvalues or singular values of an n x n matrix: eps n times the largest."""
    values = np.abs(value_of(values))
    return np.max(values, -1, keepdims=True, initial=0) * (n * np.finfo(values.dtype).eps)


def _without_complement(name: str, g: Value, u: Value, k: int) -> tuple[Value, Value]:
    """The cotangent of U = [U1, U2] as one of its first k columns alone, and these.

    U2 is a basis of what U1 leaves: dU2 = -U1 dU1^T U2 but for a rotation of U2, hence gU1 = G1 - U2 G2^T U1. What doesn't
    depend on the rotation, U2 -> U2 + U2 W with W = -W^T, has <G2, U2 W> = 0: U2^T G2 is symmetric. All else is refused.
    """
    if u.shape[-1] == k:
        return g, u
    u1, u2, g2 = u[..., :k], u[..., k:], g[..., k:]
    turn = value_of(u2.mT @ g2)
    if np.any(np.abs(turn - turn.mT) > np.finfo(turn.dtype).eps ** 0.5 * np.max(np.abs(value_of(g2)), initial=0)):
        raise ValueError(
            f"fnn: {name}: the result depends on columns from {k} on, which complete a basis and are not unique; use the "
            "reduced form, or functions of the space that they span, as u2 @ u2.T"
        )
    return g[..., :k] - u2 @ (g2.mT @ u1), u1


def _check_turns(name: str, tied: Value, turn: Value, along: Sequence[Value], slopes: Value | None) -> None:
    """ValueError where what depends on vectors of values that coincide has no gradient, or one that is not found from theirs.

    Vectors of such values may be turned, V -> V + V W with W = -W^T. What doesn't depend on it has <gV, V W> = 0: `turn`, the
    antisymmetric part of V^T gV, is 0 among them. And how they turn when the matrix changes depends on how their values part.
    A function of the space that they span doesn't see it. A smooth function of the matrix does, as soon as it depends on the
    values too: of V diag(h(w)) V^T with cotangent G are V^T gV = 2 V^T G V diag(h), and gw the diagonal of V^T G V times h'(w),
    of which all other entries are missing here. `along` are the V^T gV, `slopes` is gw, None where it depends on no value.
    """
    tied = tied & ~np.eye(tied.shape[-1], dtype=bool)
    if not tied.any():
        return
    along = [np.abs(value_of(part)) for part in along]
    rounding = np.finfo(along[0].dtype).eps ** 0.5 * np.max([np.max(part, initial=0) for part in along])
    if np.any(tied & (np.abs(value_of(turn)) > rounding)):
        how = "on single vectors of values that coincide, which may be turned among themselves"
    elif slopes is not None and np.any(tied & (np.maximum.reduce(along) > rounding)):
        how = "on values that coincide and on their vectors, from which no gradient is found"
    else:
        return
    raise ValueError(
        f"fnn: {name}: the result depends {how}; use functions of the matrix (np.linalg.inv, solve, cholesky, "
        "matrix_power), or add small different numbers to its diagonal"
    )


def _with_values(g: Value, values: Value) -> Value:
    """g; where it is being differentiated, it depends on the values, and `_check_turns` has to know."""
    return g + 0 * values if isinstance(g, Tracer) else g


# Symmetric matrices


def _cholesky_rule(g: Value, y: Value, a: Value, upper: bool) -> Value:
    """A = L L^T: dL = L P(L^-1 dA L^-T) (Murray 2016), with P(X) the lower triangle of X, its diagonal halved.

    Hence dA = L^-T P(L^T G) L^-1, made symmetric.
    """
    lower, g = (y.mT, g.mT) if upper else (y, g)
    half = np.linalg.solve(lower.mT, _lower(lower.mT @ g, 0.5))
    return _symmetric(np.linalg.solve(lower.mT, half.mT))


_cholesky = elementary(lambda a, *, upper: np.linalg.cholesky(a, upper=upper), _cholesky_rule)


@implements(np.linalg.cholesky)
def _np_cholesky(a: Value, /, *, upper: bool = False) -> Value:
    return _cholesky(a, upper=upper)


def _eigh_rule(gs: Value, ys: Value, a: Value, UPLO: Any) -> Value:  # noqa: N803 (NumPy's name)
    """A = V diag(w) V^T: with X = V^T dA V, dw = diag X and dV = V (F * X), F[i, j] = 1 / (w_j - w_i), 0 on the diagonal.

    Hence dA = V (diag(gw) + F * (V^T gV)) V^T, made symmetric.
    """
    (w, v), (gw, gv) = ys, gs
    if gv is None:
        return (v * np.expand_dims(gw, -2)) @ v.mT
    gaps, error = np.expand_dims(w, -2) - np.expand_dims(w, -1), _rounding(w, a.shape[-1])[..., None]
    p = v.mT @ gv
    _check_turns("np.linalg.eigh", np.abs(value_of(gaps)) <= error, p - p.mT, [p], gw)
    inner = _reciprocal(gaps, error) * p
    if gw is not None:
        inner = inner + np.expand_dims(gw, -2) * np.eye(a.shape[-1], dtype=a.dtype)
    return _symmetric(v @ inner @ v.mT)


_eigh = several(lambda a, *, UPLO: np.linalg.eigh(a, UPLO), _eigh_rule, gaps=True)  # noqa: N803


@implements(np.linalg.eigh)
def _np_eigh(a: Value, UPLO: str = "L") -> Value:  # noqa: N803 (NumPy's name)
    return _eigh(a, UPLO=UPLO)


def _eigvalsh_rule(g: Value, y: Value, a: Value, UPLO: Any) -> Value:  # noqa: N803 (NumPy's name)
    """dw = diag(V^T dA V), hence dA = V diag(g) V^T."""
    w, v = np.linalg.eigh(a, UPLO)
    return (v * np.expand_dims(_with_values(g, w), -2)) @ v.mT


_eigvalsh = elementary(lambda a, *, UPLO: np.linalg.eigvalsh(a, UPLO), _eigvalsh_rule)  # noqa: N803


@implements(np.linalg.eigvalsh)
def _np_eigvalsh(a: Value, UPLO: str = "L") -> Value:  # noqa: N803 (NumPy's name)
    return _eigvalsh(a, UPLO=UPLO)


# Singular values


def _svd_rule(gs: Value, ys: Value, a: Value) -> Value:
    """A = U S V^T, U and V with orthonormal columns (Townsend 2016, "Differentiating the singular value decomposition").

    With F[i, j] = 1 / (s_j^2 - s_i^2), 0 on the diagonal, P = U^T gU and Q = V^T gV:

        dA = U [diag(gs) + (F * (P - P^T)) S + S (F * (Q - Q^T))] V^T + (gU - U P) S^-1 V^T + U S^-1 (gV - V Q)^T

    With X = P - P^T and Y = Q - Q^T the part with F is (X + Y) / (2 (s_j - s_i)) + (X - Y) / (2 (s_j + s_i)), of which the
    second half is defined where singular values coincide: it is all there is of U V^T, the polar factor.

    The last terms are what leaves the spaces of the columns; there is none where U or V is square.
    """
    (u, s, vh), (gu, gs_, gvh) = ys, gs
    gu, u = _without_complement("np.linalg.svd", np.zeros_like(u) if gu is None else gu, u, s.shape[-1])
    gv, v = _without_complement("np.linalg.svd", np.zeros_like(vh.mT) if gvh is None else gvh.mT, vh.mT, s.shape[-1])
    p, q = u.mT @ gu, v.mT @ gv
    row, column = np.expand_dims(s, -2), np.expand_dims(s, -1)
    error, gaps = _rounding(s, max(a.shape[-2:])), row - column
    by_gap, by_sum = _reciprocal(gaps, error[..., None]), _reciprocal(row + column, error[..., None])
    x, y = p - p.mT, q - q.mT
    _check_turns("np.linalg.svd", np.abs(value_of(gaps)) <= error[..., None], x + y, [p, q], gs_)
    inner = ((x + y) * by_gap + (x - y) * by_sum) / 2
    if gs_ is not None:
        inner = inner + np.expand_dims(gs_, -2) * np.eye(s.shape[-1], dtype=a.dtype)
    made = u @ inner @ v.mT
    inverse = np.expand_dims(_reciprocal(s, error), -2)
    if a.shape[-2] > a.shape[-1]:
        made = made + ((gu - u @ p) * inverse) @ v.mT
    if a.shape[-2] < a.shape[-1]:
        made = made + u @ ((gv - v @ q) * inverse).mT
    return made


_svd = several(lambda a, *, full: np.linalg.svd(a, full_matrices=full), lambda gs, ys, a, full: _svd_rule(gs, ys, a), gaps=True)


def svdvals_rule(g: Value, y: Value, a: Value) -> Value:
    """ds = diag(U^T dA V), hence dA = U diag(g) V^T."""
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    return (u * np.expand_dims(_with_values(g, s), -2)) @ vh


_svdvals = elementary(lambda a: np.linalg.svd(a, compute_uv=False), svdvals_rule)
implements(np.linalg.svdvals)(lambda x, /: _svdvals(x))


@implements(np.linalg.svd)
def _np_svd(a: Value, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Value:
    if hermitian:
        registry.refuse("np.linalg.svd with hermitian=True (use np.linalg.eigh)")
    if not compute_uv:
        return _svdvals(a)
    return _svd(a, full=bool(full_matrices))


implements(np.linalg.matrix_rank)(constant(np.linalg.matrix_rank))


# Orthogonal columns and a triangle


def _qr_tall(gq: Value, gr: Value, q: Value, r: Value) -> Value:
    """A = Q R with R square: dA = (gQ + Q T(M)) R^-T with M = R gR^T - gQ^T Q (Walter and Lehmann 2012).

    T(M) is symmetric, with the lower triangle of M.
    """
    m = r @ gr.mT - gq.mT @ q
    return np.linalg.solve(r, (gq + q @ (_lower(m, 1) + _lower(m, 0).mT)).mT).mT


def _qr_rule(gs: Value, ys: Value, a: Value, mode: str) -> Value:
    """A matrix with more columns than rows is [X, Y] = [Q U, Q V]: V = Q^T Y, and Q depends on X alone."""
    (q, r), (gq, gr) = ys, gs
    rows, columns = a.shape[-2:]
    if rows >= columns:
        gq, q = _without_complement("np.linalg.qr", gq, q, columns)
        return _qr_tall(gq, gr[..., :columns, :], q, r[..., :columns, :])
    y, gv = a[..., rows:], gr[..., rows:]
    left = _qr_tall(gq + y @ gv.mT, gr[..., :rows], q, r[..., :rows])
    return np.concatenate([left, q @ gv], -1)


_qr = several(lambda a, *, mode: np.linalg.qr(a, mode), _qr_rule)


@implements(np.linalg.qr)
def _np_qr(a: Value, mode: str = "reduced") -> Value:
    if mode == "r":
        return _qr(a, mode="reduced").R
    if mode not in ("reduced", "complete"):
        registry.refuse(f"np.linalg.qr with mode={mode!r} (use mode='reduced', 'complete' or 'r')")
    return _qr(a, mode=mode)
