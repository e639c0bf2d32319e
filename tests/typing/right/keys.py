# pyright: strict
"""split gives as many keys as it is asked for, and the checker counts them."""

from typing import assert_type

import fnn

key = fnn.key(0)
a, b = key.split()
c, d = key.split(2)
e, f, g = key.split(3)
h, i, j, k = key.split(4)
assert_type(key.split(), tuple[fnn.Key, fnn.Key])
assert_type(key.split(2), tuple[fnn.Key, fnn.Key])
assert_type(key.split(3), tuple[fnn.Key, fnn.Key, fnn.Key])
assert_type(key.split(4), tuple[fnn.Key, fnn.Key, fnn.Key, fnn.Key])
assert_type(key.split(5), tuple[fnn.Key, ...])
assert_type(key.fold(7), fnn.Key)
assert_type(fnn.Train(key).fold(1), fnn.Train)
assert_type(fnn.EVAL.fold(1), fnn.Eval)


def as_many(n: int) -> tuple[fnn.Key, ...]:
    keys = key.split(n)
    assert_type(keys, tuple[fnn.Key, ...])
    return keys


assert len(as_many(6)) == 6
assert len({a, b, c, d, e, f, g, h, i, j, k}) == 4
