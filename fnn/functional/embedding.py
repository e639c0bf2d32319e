"""Integers as vectors: embeddings of tokens, one-hot vectors, and the output head that shares the embedding's table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Never, TypeAlias, overload

import numpy as np

from fnn.arrays import Array, Array2, Array3, Int1, Int2, Ints, Tokens, Traced, Value, describe, largest, total
from fnn.autodiff.primitive import fused
from fnn.autodiff.tracer import value_of
from fnn.functional.checks import check_array, check_int, check_not_wider
from fnn.functional.labels import unsigned_form
from fnn.functional.linear import LinearParams, dense
from fnn.initializers import Initializer, drawn, normal
from fnn.random import Key
from fnn.tree import Record, show

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

# Integers of unknown rank alone. They would fit each of the overloads below, of which mypy takes the first, whatever its rank.
_UnknownRank: TypeAlias = np.ndarray[tuple[Never, Never, Never], np.dtype[np.integer[Any]]]

# What a table is drawn from, unless one says otherwise.
standard_normal: Initializer = normal(1.0)


@dataclass(frozen=True, eq=False, repr=False)
class EmbeddingParams(Record):
    """Parameters of an embedding: `table` [vocab, dim], a vector for each token.

    >>> import fnn
    >>> fnn.EmbeddingParams.init(fnn.key(0), 65, 128)
    EmbeddingParams(table=f32[65,128])
    """

    table: Array2

    @classmethod
    def init(cls, key: Key, vocab: int, dim: int, /, *, weight_init: Initializer = standard_normal) -> EmbeddingParams:
        """New parameters: standard normal unless told otherwise."""
        return EmbeddingParams(drawn("EmbeddingParams.init", weight_init, key, (vocab, dim)))


def _check_indices(name: str, what: str, indices: Value, n: int, bound: str) -> None:
    """TypeError unless these are integers in an array, ValueError unless they lie in [0, n)."""
    if not isinstance(indices, np.ndarray) or indices.dtype.kind not in "iu":
        known = isinstance(indices, (np.ndarray, np.generic, Traced))
        found = describe(indices) if known else f"a {type(indices).__name__}"
        raise TypeError(f"{name}: {what}s are {found}, expected an integer array, as np.asarray({what}s, int)")
    # as for labels: one pass finds what is negative and what is too large
    unsigned, most = unsigned_form(indices.dtype)
    if indices.size and largest(indices.view(unsigned), None) >= min(n, most):
        wrong = indices[(indices < 0) | (indices >= n)].flat[0]
        raise ValueError(f"{name}: {what} {wrong} is out of range, expected {what}s from 0 to {n - 1}: {bound}")


def _embedding_reference(table: Value, tokens: Value) -> Value:
    return table[tokens]


def embedding_kernel(table: Value, tokens: Value) -> tuple[Value, Callable[..., Sequence[Value]]]:
    """The kernel of `embedding`; its pull fills the array `into`, if given."""
    # y_i = table[token_i], so that dtable[k] is the sum of the rows g_i with token_i = k.
    vocab, dim = table.shape

    def pull(g: Value, wanted: Sequence[bool], into: Value = None) -> Sequence[Value]:
        # Sorted by token, the rows of each are neighbours: several times as fast as np.add.at. Sorting is fastest in 16 bits.
        flat = tokens.reshape(-1)
        order = np.argsort(flat.astype(np.uint16) if vocab <= 1 << 16 else flat, kind="stable")
        ranked, rows = flat[order], np.take(g.reshape(len(flat), dim), order, 0)
        is_first = np.ones(len(flat), bool)
        np.not_equal(ranked[1:], ranked[:-1], out=is_first[1:])
        starts = np.flatnonzero(is_first)
        counts = np.diff(starts, append=len(flat))
        dtable = np.empty((vocab, dim), g.dtype) if into is None else into
        dtable[...] = 0
        dtable[ranked[starts]] = rows[starts]
        again = counts > 1
        for k, i, n in zip(ranked[starts[again]].tolist(), starts[again].tolist(), counts[again].tolist(), strict=True):
            total(rows[i : i + n], 0, None, dtable[k])
        return (dtable,)

    return np.take(table, tokens, 0), pull


_embedding = fused(1, _embedding_reference)(embedding_kernel)


@overload
def embedding(params: EmbeddingParams, tokens: _UnknownRank, /) -> Array: ...
@overload
def embedding(params: EmbeddingParams, tokens: Int1, /) -> Array2: ...
@overload
def embedding(params: EmbeddingParams, tokens: Int2, /) -> Array3: ...
@overload
def embedding(params: EmbeddingParams, tokens: Ints, /) -> Array: ...
def embedding(params: EmbeddingParams, tokens: Ints, /) -> Array:
    """The row of the table for each token: y[..., :] = table[tokens[...]].

    tokens: integers of any shape [...] in [0, vocab). Returns [..., dim]. The gradient is as large as the table; a row that
    occurs several times gets the sum.

    Raises ValueError for a token out of range, negative ones too, TypeError where tokens are not integers.

    >>> p = EmbeddingParams(np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]))
    >>> embedding(p, np.array([[2, 0]]))
    array([[[4., 5.],
            [0., 1.]]])
    """
    table = _table_of("embedding", params)
    check_tokens(value_of(table), tokens)
    return _embedding(table, tokens)  # type: ignore[no-any-return]  # a Value is untyped


def check_tokens(table: Value, tokens: Value) -> None:
    """TypeError unless these are integers, ValueError unless each has a row in the table."""
    vocab = len(table)
    _check_indices("embedding", "token", tokens, vocab, f"the table has {vocab} rows, its vocabulary")


def attend(params: EmbeddingParams, x: Tokens, /) -> Tokens:
    """x @ table.T, the logits of all tokens: an output layer that shares its weights with the embedding.

    x: [batch, dim] or [batch, time, dim]; the result has vocab in place of dim. The gradients of both uses add up in the
    one table. Logits have a sensible size where the table's entries are about 1 / sqrt(dim) (weight_init=normal(0.02), as
    in GPT-2), not with the standard normal default. Source: Press and Wolf 2017.

    Raises ValueError where the last axis does not fit, TypeError where x is not floating, or wider than the table.

    >>> p = EmbeddingParams(np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]))
    >>> attend(p, np.array([[1.0, 10.0]]))
    array([[10., 32., 54.]])
    """
    table = _table_of("attend", params)
    v, w = value_of(x), value_of(table)
    check_array("attend", "x", v)
    check_not_wider("attend", "x", v, "table", w)
    if v.ndim not in (2, 3) or v.shape[-1] != w.shape[1]:
        dim = w.shape[1]
        raise ValueError(
            f"attend: x has shape {v.shape} but table is {w.shape}: x must be [batch, {dim}] or [batch, time, {dim}]"
        )
    return dense(LinearParams(table.T), x)


def _table_of(name: str, params: EmbeddingParams) -> Value:
    """The table; TypeError unless it is one, of floating numbers, ValueError unless it is a matrix."""
    if not isinstance(params, EmbeddingParams):
        raise TypeError(f"{name}: params is {show(params)}, expected EmbeddingParams; are arguments swapped?")
    table = value_of(params.table)
    check_array(name, "table", table)
    if table.ndim != 2:
        raise ValueError(f"{name}: table has shape {table.shape}, expected [vocab, dim]")
    return params.table


@overload
def one_hot(labels: _UnknownRank, n: int, /, *, dtype: DTypeLike = ...) -> Array: ...
@overload
def one_hot(labels: Int1, n: int, /, *, dtype: DTypeLike = ...) -> Array2: ...
@overload
def one_hot(labels: Int2, n: int, /, *, dtype: DTypeLike = ...) -> Array3: ...
@overload
def one_hot(labels: Ints, n: int, /, *, dtype: DTypeLike = ...) -> Array: ...
def one_hot(labels: Ints, n: int, /, *, dtype: DTypeLike = np.float32) -> Array:
    """1 at the label's place and 0 elsewhere: y[..., k] = 1 where labels[...] = k.

    labels: integers of any shape [...] in [0, n). Returns [..., n].

    Raises ValueError for a label out of range, TypeError where labels are not integers or dtype is not floating.

    >>> one_hot(np.array([2, 0]), 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    check_int("one_hot", "n", n)
    if np.dtype(dtype).kind != "f":
        raise TypeError(f"one_hot: dtype is {np.dtype(dtype)}, expected a floating one, as np.float32")
    _check_indices("one_hot", "label", labels, n, f"there are {n} classes")
    y: Any = np.zeros((*labels.shape, n), dtype)
    y.reshape(labels.size, n)[np.arange(labels.size), labels.reshape(-1)] = 1
    return y  # type: ignore[no-any-return]  # a Value is untyped
