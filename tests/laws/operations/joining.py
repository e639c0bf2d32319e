"""Joining and cutting."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.laws.operations.case import ONE, TWO, Operation, away_from_zero, cube

rows: Any = lambda n, m, k: ((n, m), (k, m))  # noqa: E731
columns: Any = lambda n, m, k: ((n, m), (n, k))  # noqa: E731
same: Any = lambda n, m, k: ((n, m), (n, m))  # noqa: E731
vectors: Any = lambda n, m, k: ((n,), (m,))  # noqa: E731
even: Any = lambda n, m, k: ((2 * n, 2 * m, 2 * k),)  # noqa: E731

TABLE: list[Operation] = [
    Operation("np.concat", lambda a, b: np.concat([a, b, np.ones((1, a.shape[1]))], axis=0), TWO, rows),
    Operation("np.concatenate dtype", lambda a, b: np.concatenate([a, b], dtype=np.float64, casting="safe"), TWO, rows),
    Operation("np.concatenate array", lambda a: np.concatenate(a), ONE, cube),
    Operation("np.stack keyword", lambda a, b: np.stack(axis=-2, arrays=(a, b)), TWO, same),
    Operation("np.stack scalars", lambda a: np.stack([a, a * a, 1.0]), ONE, lambda n, m, k: ((),)),
    Operation("np.vstack", lambda a, b: np.vstack((a, b)), TWO, lambda n, m, k: ((m,), (k, m))),
    Operation("np.vstack dtype", lambda a, b: np.vstack([a, b], dtype=np.float64), TWO, rows),
    Operation("np.hstack", lambda a, b: np.hstack((a, b)), TWO, columns),
    Operation("np.hstack vectors", lambda a, b: np.hstack(tup=[a, b, 1.0]), TWO, lambda n, m, k: ((), (m,))),
    Operation("np.dstack", lambda a, b: np.dstack((a, b)), TWO, same),
    Operation("np.dstack vectors", lambda a, b: np.dstack((a, b)), TWO, lambda n, m, k: ((n,), (n,))),
    Operation("np.column_stack", lambda a, b: np.column_stack((a, b)), TWO, lambda n, m, k: ((n,), (n, m))),
    Operation(
        "np.block",
        lambda a, b, c: np.block([[a, b], [c, np.ones((c.shape[0], b.shape[1]), c.dtype)]]),
        (*TWO, away_from_zero),
        lambda n, m, k: ((n, m), (n, k), (2, m)),
    ),
    Operation("np.block flat", lambda a, b: np.block([a, b, a[0]]), TWO, vectors),
    Operation("np.append", lambda a, b: np.append(a, b), TWO, lambda n, m, k: ((n, m), (k,))),
    Operation("np.append axis", lambda a, b: np.append(values=b, arr=a, axis=-1), TWO, columns),
    Operation("np.insert", lambda a, b: np.insert(a, 1, b), TWO, lambda n, m, k: ((n, m), ())),
    Operation("np.insert axis", lambda a, b: np.insert(a, [0, 1, 0], b, axis=0), TWO, lambda n, m, k: ((n, m), (m,))),
    Operation("np.insert slice", lambda a, b: np.insert(a, slice(0, 1), b, 1), TWO, lambda n, m, k: ((n, m), (n, 1))),
    Operation("np.delete", lambda a: np.delete(a, 0), ONE),
    Operation("np.delete list", lambda a: np.delete(a, [0, -1], axis=1), ONE, cube),
    Operation("np.delete slice", lambda a: np.delete(obj=slice(None, None, 2), arr=a, axis=0), ONE),
    Operation("np.split", lambda a: np.split(a, 2), ONE, even),
    Operation("np.split places", lambda a: np.split(a, [1, 2], axis=-1), ONE, cube),
    Operation("np.split overlapping", lambda a: np.split(a, [2, 1], axis=1), ONE, cube),
    Operation("np.array_split", lambda a: np.array_split(axis=1, indices_or_sections=2, ary=a), ONE, cube),
    Operation("np.hsplit", lambda a: np.hsplit(a, 2), ONE, even),
    Operation("np.hsplit vector", lambda a: np.hsplit(a, [1])[1], ONE, lambda n, m, k: ((n,),)),
    Operation("np.vsplit", lambda a: np.vsplit(a, 2)[0], ONE, even),
    Operation("np.dsplit", lambda a: np.dsplit(a, [1]), ONE, cube),
    Operation("np.unstack", lambda a: np.unstack(a), ONE, cube),
    Operation("np.unstack axis", lambda a: np.unstack(a, axis=-1)[0], ONE, cube),
]
