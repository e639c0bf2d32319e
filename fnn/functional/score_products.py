"""The products of attention, of many small matrices.

Scores are [keys, examples, heads, group, times], where a group are the heads of queries that share one of the keys. With the
keys first, NumPy takes maxima and sums over them, and everything else that is done with a row, along the whole array. And a
product of the form A B^T of small matrices takes OpenBLAS longer than the others by two thirds: here is none.
"""

from __future__ import annotations

import numpy as np

from fnn.arrays import Value


def keys_first(x: Value) -> Value:
    """[examples, heads, group, times, keys] as [keys, examples, heads, group, times], a view."""
    return x.transpose(4, 0, 1, 2, 3)


def scaled_columns(rows: Value, factor: float) -> Value:
    """factor * rows, [examples, heads, group, times, f], as [examples, heads, f, group, times] in one piece of memory."""
    return np.multiply(rows.transpose(0, 1, 4, 2, 3), factor, order="C")


def keys_by_rows(keys: Value, columns: Value) -> Value:
    """For each head the products of keys [examples, heads, n, f] with columns [examples, heads, f, group, times]."""
    examples, heads, f, group, times = columns.shape
    s = np.empty((keys.shape[2], examples, heads, group, times), columns.dtype)
    by_head = s.reshape(len(s), examples, heads, group * times).transpose(1, 2, 0, 3)
    np.matmul(keys, columns.reshape(examples, heads, f, group * times), out=by_head)
    return s


def by_rows(p: Value, values: Value, out: Value) -> None:
    """out = p^T values, for each head: of [n, examples, heads, group, times] and [examples, heads, n, f]; out is [examples,
    heads, group, times, f]."""
    np.matmul(p.transpose(1, 2, 3, 4, 0), values[:, :, np.newaxis], out=out)


def add_by_keys(p: Value, rows: Value, out: Value, is_first: bool) -> None:
    """p rows, for each head, into the first keys of out, or added to them: of [n, examples, heads, group, times] and [examples,
    heads, group, times, f]; out is [examples, heads, keys, f]."""
    n, examples, heads, group, times = p.shape
    by_head = p.reshape(n, examples, heads, group * times).transpose(1, 2, 0, 3)
    rows = rows.reshape(examples, heads, group * times, rows.shape[4])
    if is_first:
        np.matmul(by_head, rows, out=out[:, :, :n])
    else:
        out[:, :, :n] += by_head @ rows
