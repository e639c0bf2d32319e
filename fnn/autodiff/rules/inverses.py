"""Derivative rules of inverses and what they solve: inv, solve, det, slogdet, pinv, lstsq.

Matrices are the last two axes, `g` is the cotangent of the result. The rules are found as in Giles (2008), "Collected matrix
derivative results for forward and reverse mode algorithmic differentiation". Where a gradient needs the inverse of a
singular matrix, NumPy's LinAlgError is raised, on the way forwards or backwards.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fnn.arrays import Value
from fnn.autodiff import registry
from fnn.autodiff.primitive import elementary, several
from fnn.autodiff.registry import implements
from fnn.autodiff.rules.decompositions import svdvals_rule
from fnn.autodiff.rules.linear_algebra import operand
from fnn.autodiff.tracer import value_of

# A Y = I: dA Y + A dY = 0, hence dY = -Y dA Y
_inv = elementary(np.linalg.inv, lambda g, y, a: -(y.mT @ g @ y.mT))
implements(np.linalg.inv)(lambda a: _inv(a))

# A X = B: dX = A^-1 (dB - dA X), hence dB = A^-T G and dA = -(A^-T G) X^T
_solve = elementary(
    np.linalg.solve,
    lambda g, x, a, b: -(np.linalg.solve(a.mT, g) @ x.mT),
    lambda g, x, a, b: np.linalg.solve(a.mT, g),
)


@implements(np.linalg.solve)
def _np_solve(a: Value, b: Value) -> Value:
    """The right-hand side is a vector if it has one axis, else a stack of matrices: NumPy 2's rule."""
    a, b = operand(a), operand(b)
    if b.ndim == 1:
        return _solve(a, np.expand_dims(b, -1)).squeeze(-1)
    return _solve(a, b)


def _cofactors(a: Value) -> Value:
    """C[i, j] = (-1)^(i + j) det(A without row i and column j): the derivative of det for every matrix."""
    n = a.shape[-1]
    rest = np.array([[k for k in range(n) if k != i] for i in range(n)], np.intp).reshape(n, n - 1)
    minors = a[..., rest[:, None, :, None], rest[None, :, None, :]]
    signs = 1 - 2 * (np.add.outer(np.arange(n), np.arange(n)) % 2)
    return np.linalg.det(minors) * signs.astype(a.dtype)


def _det_rule(g: Value, y: Value, a: Value) -> Value:
    """d det A = <C, dA>, with C = det(A) A^-T where A has an inverse (Jacobi)."""
    weight = np.expand_dims(g, (-2, -1))
    if np.all(value_of(y)):
        return weight * np.expand_dims(y, (-2, -1)) * np.linalg.inv(a).mT
    return weight * _cofactors(a)


_det = elementary(np.linalg.det, _det_rule)
implements(np.linalg.det)(lambda a: _det(a))

# d log |det A| = <A^-T, dA>; the sign is constant
_slogdet = several(np.linalg.slogdet, lambda gs, ys, a: np.expand_dims(gs[1], (-2, -1)) * np.linalg.inv(a).mT)
implements(np.linalg.slogdet)(lambda a: _slogdet(a))


# Least squares


def _pinv_rule(g: Value, y: Value, a: Value, **options: Any) -> Value:
    """dY = -Y dA Y + Y Y^T dA^T (I - A Y) + (I - Y A) dA^T Y^T Y, while the rank stays (Golub and Pereyra 1973).

    Hence dA = -Y^T G Y^T + (I - A Y) G^T Y Y^T + Y^T Y G^T (I - Y A).
    """
    yt, gt = y.mT, g.mT
    left, right = gt @ y @ yt, yt @ y @ gt
    return left - a @ (y @ left) + right - (right @ y) @ a - yt @ g @ yt


_pinv = elementary(lambda a, **options: np.linalg.pinv(a, **options), _pinv_rule)


@implements(np.linalg.pinv)
def _np_pinv(a: Value, rcond: Any = None, hermitian: bool = False, *, rtol: Any = np._NoValue) -> Value:
    if hermitian:
        registry.refuse("np.linalg.pinv with hermitian=True (leave it out)")
    return _pinv(a, rcond=rcond) if rtol is np._NoValue else _pinv(a, rcond=rcond, rtol=rtol)


@implements(np.linalg.lstsq)
def _lstsq(a: Value, b: Value, rcond: float | None = None) -> Value:
    """x = P b with P = pinv(A), and r = b - A x. From dP, see `_pinv_rule`, with Z = P^T G:

        dB = Z        dA = -Z x^T + r (P Z)^T + P^T x ((I - P A) G)^T

    The residuals |r|^2 move by r alone, since x is where they are smallest: dB = 2 r g, dA = -2 r g x^T.
    """
    a, b = operand(a), operand(b)
    if b.ndim == 1:
        x, *rest = _lstsq(a, np.expand_dims(b, -1), rcond)
        return (x.squeeze(-1), *rest)
    x, residuals, rank, s = np.linalg.lstsq(value_of(a), value_of(b), rcond)
    # the same rank for pinv: the cut half-way between what lstsq kept and what it dropped
    n = int(rank)
    kept = 0.0 if n in (0, s.size) else float((s[n - 1] + s[n]) / (2 * s[0]))

    def pinv(a: Value) -> Value:
        return np.linalg.pinv(a, rcond=kept)

    def of_a(g: Value, x: Value, a: Value, b: Value) -> Value:
        p = pinv(a)
        z = p.mT @ g
        return (b - a @ x) @ (p @ z).mT - z @ x.mT + p.mT @ x @ (g - p @ (a @ g)).mT

    def of_squares(g: Value, y: Value, a: Value, b: Value) -> Value:
        return 2 * (b - a @ np.linalg.lstsq(a, b, rcond)[0]) * g

    def of_a_squares(g: Value, y: Value, a: Value, b: Value) -> Value:
        return -of_squares(g, y, a, b) @ np.linalg.lstsq(a, b, rcond)[0].mT

    return (
        elementary(lambda a, b: x, of_a, lambda g, x, a, b: pinv(a).mT @ g)(a, b),
        elementary(lambda a, b: residuals, of_a_squares, of_squares)(a, b) if residuals.size else residuals,
        rank,
        elementary(lambda a: s, svdvals_rule)(a),
    )
