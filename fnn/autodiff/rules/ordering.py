"""Derivative rules of sorting and padding: moves whose places depend on the values, or that fill in what is around."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fnn.arrays import Value
from fnn.autodiff import registry
from fnn.autodiff.primitive import constant, elementary
from fnn.autodiff.registry import implements
from fnn.autodiff.rules.moves import moved
from fnn.autodiff.tracer import Tracer, value_of


def _rearranged(a: Value, axis: int | None, rearrange: Callable[[Value, int], Value]) -> Value:
    """rearrange(a, axis), a permutation along the axis that depends on the values.

    Entries of a and of the result match by their rank: that holds however the function breaks ties.
    """
    if axis is None:
        a, axis = np.ravel(a), -1
    plain = value_of(a)
    before = np.argsort(plain, axis, kind="stable")
    after = np.argsort(rearrange(plain, axis), axis, kind="stable")
    order = np.empty_like(before)
    np.put_along_axis(order, after, before, axis)
    return np.take_along_axis(a, order, axis)


@implements(np.sort)
def _sort(a: Value, axis: int | None = -1, kind: Any = None, order: None = None, *, stable: bool | None = None) -> Value:
    return _rearranged(a, axis, lambda v, axis: np.sort(v, axis, kind, order, stable=stable))


@implements(np.partition)
def _partition(a: Value, kth: Any, axis: int | None = -1, kind: Any = "introselect", order: None = None) -> Value:
    return _rearranged(a, axis, lambda v, axis: np.partition(v, kth, axis, kind, order))


@implements(np.unique)
def _unique(
    ar: Value,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: None = None,
    **options: Any,
) -> Any:
    """The cotangent of a value goes to its first entry; indices and counts are constants."""
    if axis is not None:
        registry.refuse("np.unique with axis=")
    unique: Any = np.unique  # its stubs have an overload for each set of flags
    plain = unique(value_of(ar), True, return_inverse, return_counts, **options)
    values = np.ravel(ar)[plain[1]]
    results = (values, *plain[1 if return_index else 2 :])
    return results if len(results) > 1 else values


# Padding. Constants all around are the common case; its way back is to cut them off.
_pad = elementary(
    lambda x, *, width, value: np.pad(x, width, constant_values=value),
    lambda g, y, x, width, value: g[
        tuple([slice(low, low + n) for low, n in zip(np.broadcast_to(width, (x.ndim, 2))[:, 0].tolist(), x.shape, strict=True)])
    ],
)


@implements(np.pad)
def _np_pad(array: Value, pad_width: Any, mode: Any = "constant", **options: Any) -> Value:
    """Modes that copy entries. Where `constant_values` is differentiated the constants are entries, too."""
    if mode == "constant":
        value = options.pop("constant_values", 0)
        if not options and not isinstance(pad_width, dict) and value.__class__ is not Tracer:
            return _pad(array, width=pad_width, value=value)
        return moved(lambda v, c: np.pad(v, pad_width, mode, constant_values=c, **options), array, value)
    if mode not in ("edge", "reflect", "symmetric", "wrap") or options.get("reflect_type", "even") != "even":
        registry.refuse(f"np.pad with mode={mode!r}" + (" and reflect_type='odd'" if "reflect_type" in options else ""))
    return moved(lambda v: np.pad(v, pad_width, mode, **options), array)


# Places and counts: integers, which have no gradient


_lexsort = constant(lambda *keys, axis: np.lexsort(keys, axis))


@implements(np.lexsort)
def _np_lexsort(keys: Any, axis: int = -1) -> Value:
    return _lexsort(*keys, axis=axis)


for _function in (np.argpartition, np.argwhere, np.flatnonzero, np.digitize):
    implements(_function)(constant(_function))
