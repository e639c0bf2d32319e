"""Choosing entries: indices of every kind, masks, sorting; new arrays with entries written."""

from __future__ import annotations

from typing import Any

import numpy as np

import fnn
from tests.laws.operations.case import ONE, TWO, Operation, away_from_zero, cube, distinct, tied

SORTED = (distinct,)
same: Any = lambda n, m, k: ((n, m), (n, m))  # noqa: E731
three: Any = lambda n, m, k: ((n, m), (m,), (1,))  # noqa: E731
longer: Any = lambda n, m, k: ((n + 2, m + 1),)  # noqa: E731
at_zero = np.array(0)

TABLE: list[Operation] = [
    Operation("np.choose", lambda a, b: np.choose([[0], [1], [0]], [a, b]), TWO, lambda n, m, k: ((m,), (3, 1))),
    Operation(
        "np.choose wrap", lambda a, b: np.choose(np.array([5, -3]), (a, b, 1.5), mode="wrap"), TWO, lambda n, m, k: ((), ())
    ),
    Operation("np.choose array", lambda a: np.choose(np.array([0, 9]), a, mode="clip"), ONE, lambda n, m, k: ((n, 2),)),
    Operation(
        "np.select",
        lambda a, b, c: np.select([a > 1, b < 0], [tied(a, c), b * 2], default=c),
        (*TWO, away_from_zero),
        three,
    ),
    Operation("np.unique", np.unique, SORTED),
    Operation(
        "np.unique with counts",
        lambda a: np.unique(np.concatenate([a, a]), return_index=True, return_counts=True)[0] * 2,
        SORTED,
    ),
    Operation("np.select number", lambda a: np.select([a > 1], [a], 0.5), ONE),
    Operation("np.take wrap", lambda x: np.take(x, [[7], [-5]], axis=-1, mode="wrap"), ONE, cube),
    Operation("np.take clip", lambda x: np.take(indices=np.array([-4, 9]), a=x, mode="clip"), ONE),
    Operation("np.take 0-d", lambda x: np.take(x, at_zero, axis=1), ONE, cube),
    Operation("np.take number", lambda x: x.take(-1, axis=0), ONE, cube),
    Operation("np.take nothing", lambda x: np.take(x, np.zeros((0, 2), int), 0), ONE, cube),
    Operation("np.take_along_axis", lambda x: np.take_along_axis(x, np.argsort(x, 1), 1), SORTED, cube),
    Operation("np.take_along_axis repeats", lambda x: np.take_along_axis(x, np.array([[0, -1, 0]]), axis=-1), ONE),
    Operation("np.take_along_axis flat", lambda x: np.take_along_axis(x, np.array([0, 0]), axis=None), ONE),
    Operation("np.compress", lambda x: np.compress([True], x), ONE),
    Operation("x.compress axis", lambda x: x.compress(np.arange(x.shape[1]) % 2 == 0, axis=1), ONE, cube),
    Operation("np.extract", lambda x: np.extract(x > 0, x), ONE),
    Operation("np.where nonzero", lambda x: x[np.where(x > 0)] + x[np.nonzero(x > 0)] + x.flat[np.flatnonzero(x > 0)], ONE),
    Operation("np.argwhere", lambda x: x[tuple(np.argwhere(x > 0).T)], ONE),
    Operation("np.argmax", lambda x: x[np.argmax(x, 0), np.arange(x.shape[1])] * x.flat[x.argmin()], SORTED),
    # order
    Operation("np.sort", np.sort, SORTED, cube),
    Operation("np.sort axis", lambda x: np.sort(x, axis=0, kind="stable"), SORTED, cube),
    Operation("np.sort flat", lambda x: np.sort(axis=None, a=x), SORTED, cube),
    Operation("np.sort stable", lambda x: np.sort(x, stable=True), SORTED, cube),
    Operation("np.partition", lambda x: np.partition(x, 1, axis=1), SORTED, lambda n, m, k: ((n, m + 1, k),)),
    Operation("np.partition flat", lambda x: np.partition(x, (0, -1), None), SORTED),
    Operation(
        "np.argsort, np.argpartition", lambda x: x[x.argsort()[0]] * x[np.argpartition(x, 0)], SORTED, lambda n, m, k: ((n,),)
    ),
    Operation("np.lexsort", lambda x, y: x[np.lexsort((x, y))], (distinct, distinct), lambda n, m, k: ((n,), (n,))),
    Operation("np.searchsorted", lambda x: x * np.searchsorted([0.0, 1.0], x) * np.digitize(x, [0.0, 1.0]), ONE),
    # indexing
    Operation("x[...]", lambda x: x[...] * x[()], ONE, lambda n, m, k: ((),)),
    Operation("x[None]", lambda x: x[None, ..., np.newaxis], ONE, cube),
    Operation("x[-1, ::2]", lambda x: x[-1, ::2, ...], ONE, longer),
    Operation("x[5:]", lambda x: x[5:], ONE),
    Operation("x[::-2]", lambda x: x[::-2, -2:], ONE, longer),
    Operation("x[np.int64]", lambda x: x[np.int64(0)], ONE, cube),
    Operation("x[0-d]", lambda x: x[at_zero] + x[..., at_zero][0], ONE, lambda n, m, k: ((n, n),)),
    Operation("x[empty]", lambda x: x[np.zeros(0, int)], ONE),
    Operation("x[[]]", lambda x: x[:, []], ONE),
    Operation("x[true]", lambda x: x[True], ONE),
    Operation("x[np.False_]", lambda x: x[np.False_], ONE),
    Operation("x[0-d mask]", lambda x: x[np.array(True), 0], ONE),
    Operation("x[mask list]", lambda x: x[[True] + [False] * (x.shape[0] - 1)], ONE),
    Operation("x[mask of an axis]", lambda x: x[:, np.arange(x.shape[1]) % 2 == 0], ONE, cube),
    Operation("x[mask, ints]", lambda x: x[np.arange(x.shape[0]) < 1, [0, 0]], ONE),
    Operation("x[np.ix_]", lambda x: x[np.ix_([0, -1, 0], [0, 0])], ONE, cube),
    Operation("x[ints, :, ints]", lambda x: x[[0, 0], :, np.array([[0], [-1]])], ONE, cube),
    Operation("x[uint8]", lambda x: x[np.array([0, 0], np.uint8)], ONE),
    Operation("x[nested list]", lambda x: x[[[0, -1], [0, 0]]], ONE, cube),
    # writing
    Operation("fnn.set_at", lambda x, v: fnn.set_at(x, 0, v), TWO, lambda n, m, k: ((n, m), (m,))),
    Operation("fnn.set_at number", lambda x: fnn.set_at(x, (..., slice(None, None, 2)), 1.5), ONE, cube),
    Operation("fnn.set_at mask", lambda x, v: fnn.set_at(x, x > 1, v), TWO, lambda n, m, k: ((n, m), ())),
    Operation("fnn.set_at repeats", lambda x, v: fnn.set_at(x, [0, -1, 0], v), TWO, lambda n, m, k: ((n, m), (3, 1))),
    Operation(
        "fnn.set_at constant", lambda v: fnn.set_at(np.ones((3, 2), v.dtype), ([0, 0], [1, 1]), v), ONE, lambda n, m, k: ((2,),)
    ),
    Operation("fnn.add_at", lambda x, v: fnn.add_at(x, [0, -1, 0], v), TWO, lambda n, m, k: ((n, m), (3, m))),
    Operation("fnn.add_at slice", lambda x, v: fnn.add_at(x, slice(1, None), v), TWO, lambda n, m, k: ((n, m), ())),
]
