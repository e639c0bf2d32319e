"""Shapes, the order of axes, broadcasting, and what moves entries by their places."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.laws.operations.case import ONE, TWO, Operation, cube, tied

pair: Any = lambda n, m, k: ((n, m), (k,))  # noqa: E731

TABLE: list[Operation] = [
    Operation("np.reshape order F", lambda x: np.reshape(x, (-1, x.shape[0]), order="F"), ONE, cube),
    Operation("np.reshape order A of a transposed", lambda x: np.reshape(x.T, (-1,), "A"), ONE, cube),
    Operation("x.reshape order F", lambda x: x.reshape(x.size, 1, order="F"), ONE, cube),
    Operation("np.ravel order F", lambda x: np.ravel(order="F", a=x), ONE, cube),
    Operation("np.ravel order K", lambda x: np.transpose(x, (2, 0, 1)).ravel("K"), ONE, cube),
    Operation("x.flatten order F", lambda x: x.flatten("F"), ONE, cube),
    Operation("x.flat", lambda x: x.flat[0] * x.flat[-1], ONE, cube),
    Operation("np.transpose none", np.transpose, ONE, cube),
    Operation("np.transpose negative", lambda x: np.transpose(axes=(-1, 0, -2), a=x), ONE, cube),
    Operation("np.permute_dims", lambda x: np.permute_dims(x, (1, 2, 0)), ONE, cube),
    Operation("np.swapaxes negative", lambda x: np.swapaxes(x, -2, 2), ONE, cube),
    Operation("np.moveaxis one", lambda x: np.moveaxis(source=-1, destination=0, a=x), ONE, cube),
    Operation("np.rollaxis", lambda x: np.rollaxis(x, 2), ONE, cube),
    Operation("np.rollaxis start", lambda x: np.rollaxis(x, -3, start=2), ONE, cube),
    Operation("np.expand_dims one", lambda x: np.expand_dims(axis=-1, a=x), ONE, cube),
    Operation("np.squeeze all", np.squeeze, ONE, lambda n, m, k: ((1, n, 1),)),
    Operation("np.squeeze some", lambda x: np.squeeze(x, (0, -1)), ONE, lambda n, m, k: ((1, n, 1, 1),)),
    Operation("np.atleast_1d", lambda x: np.atleast_1d(x), ONE, lambda n, m, k: ((),)),
    Operation("np.atleast_2d", lambda x, y: np.atleast_2d(x, y), TWO, lambda n, m, k: ((), (n,))),
    Operation("np.atleast_3d", lambda x, y: np.atleast_3d(x, y), TWO, pair),
    Operation("np.broadcast_to int", lambda x: np.broadcast_to(shape=4, array=x), ONE, lambda n, m, k: ((1,),)),
    Operation("np.broadcast_arrays", np.broadcast_arrays, TWO, lambda n, m, k: ((n, 1), (m,))),
    Operation("np.meshgrid", np.meshgrid, TWO, lambda n, m, k: ((n,), (m,))),
    Operation("np.meshgrid ij", lambda x, y: np.meshgrid(x, np.arange(2.0), y, indexing="ij"), TWO, lambda n, m, k: ((n,), ())),
    Operation("np.meshgrid sparse", lambda x, y: np.meshgrid(x, y, sparse=True, copy=False), TWO, lambda n, m, k: ((n,), (m,))),
    Operation("np.full_like", lambda x, y: np.full_like(tied(x, y), y) * x, TWO, lambda n, m, k: ((n, m), (m,))),
    Operation("np.full_like shape", lambda y: np.full_like(y, fill_value=y, shape=(2, *y.shape)), ONE),
    Operation("constants like", lambda x: (np.full_like(x, 2) + np.ones_like(x) + np.zeros_like(x)) * x, ONE),
    Operation("np.astype", lambda x: np.astype(x, np.float64) * x.astype(int, casting="unsafe", copy=False), ONE),
    Operation("np.copy", lambda x: np.copy(x, order="F") * x.copy("C"), ONE),
    # places
    Operation("np.flip", np.flip, ONE, cube),
    Operation("np.flip axes", lambda x: np.flip(x, (0, -1)), ONE, cube),
    Operation("np.flip axis", lambda x: np.flip(axis=-2, m=x), ONE, cube),
    Operation("np.fliplr", np.fliplr, ONE, cube),
    Operation("np.flipud", np.flipud, ONE, lambda n, m, k: ((n,),)),
    Operation("np.rot90", np.rot90, ONE, cube),
    Operation("np.rot90 k axes", lambda x: np.rot90(x, k=-1, axes=(2, 0)), ONE, cube),
    Operation("np.roll", lambda x: np.roll(x, 2), ONE, cube),
    Operation("np.roll axis", lambda x: np.roll(x, -1, axis=-1), ONE, cube),
    Operation("np.roll axes", lambda x: np.roll(x, (1, 2, 1), axis=(0, 1, 0)), ONE, cube),
    Operation("np.repeat", lambda x: np.repeat(x, 2), ONE, cube),
    Operation("np.repeat axis", lambda x: x.repeat(3, axis=-2), ONE, cube),
    Operation("np.repeat counts", lambda x: np.repeat(x, np.arange(x.shape[1]), 1), ONE, cube),
    Operation("np.tile", lambda x: np.tile(x, 2), ONE, cube),
    Operation("np.tile more axes", lambda x: np.tile(reps=(2, 1, 3), A=x), ONE),
    Operation("np.resize", lambda x: np.resize(x, (2, 5)), ONE),
    Operation("np.resize smaller", lambda x: np.resize(x, 1), ONE),
    Operation("np.diag of a vector", lambda x: np.diag(x, 1), ONE, lambda n, m, k: ((n,),)),
    Operation("np.diag of a matrix", lambda x: np.diag(x, k=-1), ONE),
    Operation("np.diagonal", np.diagonal, ONE, cube),
    Operation("np.diagonal offset", lambda x: x.diagonal(-1, axis1=2, axis2=0), ONE, cube),
    Operation("np.diagflat", lambda x: np.diagflat(x, -1), ONE),
    Operation("np.tril", np.tril, ONE, cube),
    Operation("np.triu k", lambda x: np.triu(k=-1, m=x), ONE),
    Operation("np.tril of a vector", lambda x: np.tril(x, 1) + np.triu(x), ONE, lambda n, m, k: ((n,),)),
    # padding
    Operation("np.pad", lambda x: np.pad(x, 2), ONE),
    Operation("np.pad widths", lambda x: np.pad(x, ((1, 0), (0, 2)), mode="constant", constant_values=3.0), ONE),
    Operation("np.pad constants", lambda x: np.pad(x, (1, 2), constant_values=((1.0, 2.0), (3.0, 4.0))), ONE),
    Operation(
        "np.pad traced constants", lambda x, c: np.pad(tied(x, c), 1, constant_values=c), TWO, lambda n, m, k: ((n, m), (2, 2))
    ),
    Operation("np.pad edge", lambda x: np.pad(x, 2, "edge"), ONE, cube),
    Operation("np.pad reflect", lambda x: np.pad(x, (2, 1), mode="reflect"), ONE),
    Operation("np.pad symmetric", lambda x: np.pad(x, ((3, 1), (0, 4)), "symmetric", reflect_type="even"), ONE),
    Operation("np.pad wrap", lambda x: np.pad(x, 3, "wrap"), ONE),
]
