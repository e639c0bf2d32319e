# pyright: strict
"""The typed twins of NumPy functions keep or reduce the rank where NumPy's own stubs may say Any."""

from typing import assert_type

import numpy as np

import fnn


def elementwise(v: fnn.Array1, m: fnn.Array2, t: fnn.Array3, c: fnn.Scalar) -> None:
    assert_type(fnn.exp(m), fnn.Array2)
    assert_type(fnn.log(t), fnn.Array3)
    assert_type(fnn.sqrt(c), fnn.Scalar)
    assert_type(fnn.square(v), fnn.Array1)
    assert_type(fnn.abs(m), fnn.Array2)
    assert_type(fnn.where(m > 0, 0.0, m), fnn.Array2)
    assert_type(fnn.where(m > 0, -m, m), fnn.Array2)


def reductions(v: fnn.Array1, m: fnn.Array2, t: fnn.Array3) -> None:
    assert_type(fnn.sum(m), fnn.Scalar)
    assert_type(fnn.sum(m, 1), fnn.Array1)
    assert_type(fnn.sum(t, axis=0), fnn.Array2)
    assert_type(fnn.sum(t, axis=(0, 1)), fnn.Array)
    assert_type(fnn.sum(m, keepdims=True), fnn.Array2)
    assert_type(fnn.mean(v), fnn.Scalar)
    assert_type(fnn.mean(m, axis=-1), fnn.Array1)
    assert_type(fnn.mean(t, axis=(0, 1), keepdims=True), fnn.Array3)
    assert_type(fnn.max(m, axis=0), fnn.Array1)
    assert_type(fnn.max(t), fnn.Scalar)
    assert_type(fnn.min(t, axis=2), fnn.Array2)
    assert_type(fnn.var(m, axis=0, keepdims=True), fnn.Array2)
    assert_type(fnn.var(t, axis=1), fnn.Array2)


def joined(v: fnn.Array1, m: fnn.Array2) -> None:
    assert_type(fnn.concatenate([m, m], axis=1), fnn.Array2)
    assert_type(fnn.stack([v, v]), fnn.Array2)
    assert_type(fnn.stack([m, m], axis=1), fnn.Array3)
    assert_type(fnn.stack([fnn.mean(m), fnn.sum(m)]), fnn.Array)


def products(m: fnn.Array2, t: fnn.Array3) -> None:
    assert_type(fnn.matmul(m, m.T), fnn.Array2)
    assert_type(fnn.matmul(t, m.T), fnn.Array3)
    assert_type(fnn.einsum("ij,kj->ik", m, m), fnn.Array)


def rows(table: fnn.Array2, one: fnn.Int1, many: fnn.Int2) -> None:
    assert_type(fnn.take(table, one), fnn.Array2)
    assert_type(fnn.take(table, many), fnn.Array3)


vector, matrix, batch = np.ones(3), np.ones((2, 3)), np.ones((4, 2, 3))
elementwise(vector, matrix, batch, np.float64(2.0))
reductions(vector, matrix, batch)
joined(vector, matrix)
products(matrix, batch)
rows(matrix, np.array([0, 1, 1]), np.zeros((2, 2), np.int64))
