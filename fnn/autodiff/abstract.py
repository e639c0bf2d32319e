"""Arrays of a shape and dtype that take no memory: running a function on them shows the shapes of its results.

An `Abstract` is a constant array whose strides are all 0. Elementwise functions compute one entry; products of matrices
compute nothing, and count their multiply-adds. So a function written in NumPy runs in microseconds whatever the shapes
are, and fails where the shapes do not fit, as it would on real arrays. A fused primitive runs its reference composition.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from fnn.arrays import Value


class Abstract(np.ndarray[Any, Any]):
    """See above. All arrays of one run share a `tally`: a list with the number of multiply-adds so far."""

    tally: list[int]

    def __array_finalize__(self, source: Value) -> None:
        self.tally = getattr(source, "tally", None) or [0]

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Value, **options: Any) -> Any:
        tally = _tally(inputs)
        outs: Sequence[Value] = options.get("out", ())
        options = {name: value for name, value in options.items() if name not in {"out", "where"}}
        if ufunc is np.matmul and method == "__call__":
            shape, inner = _matmul_shape(*[np.shape(a) for a in inputs])
            tally[0] += prod(shape) * inner
            return abstract(shape, _entry(inputs[0]) * _entry(inputs[1]), tally)
        with np.errstate(all="ignore"):
            if method == "reduce":
                made = ufunc.reduce(_entry(inputs[0]).reshape(-1))
                return abstract(_reduced(inputs[0].shape, inputs[1:], options, ufunc), made, tally)
            if method != "__call__" or ufunc.signature is not None:
                return _lift(getattr(ufunc, method)(*_plain(inputs), **options), tally)
            made = ufunc(*[_entry(a) if isinstance(a, np.ndarray) else a for a in inputs], **options)
        shape = np.broadcast_shapes(*[np.shape(a) for a in inputs])
        several = isinstance(made, tuple)
        entries = [np.asarray(one) for one in (made if several else (made,))]
        for i, out in enumerate(outs):
            entries[i] = entries[i].astype(out.dtype)
        found = tuple([abstract(shape, entry, tally) for entry in entries])
        return found if several else found[0]

    def __array_function__(self, func: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        rule = _RULES.get(func)
        if rule is not None:
            found = rule(*args, **kwargs)
            if found is not None:
                return found
        return _lift(super().__array_function__(func, types, args, kwargs), _tally((*args, *kwargs.values())))

    def __getitem__(self, index: Any) -> Any:
        return _lift(super().__getitem__(index), self.tally)

    def astype(self, dtype: Any, *args: Any, **options: Any) -> Any:
        """Another dtype, without memory."""
        return abstract(self.shape, _entry(self).astype(dtype), self.tally)


def abstract(shape: Sequence[int], value: Value, tally: list[int]) -> Abstract:
    """A constant array of this shape, with the value and the dtype of `value`."""
    made = np.broadcast_to(np.asarray(value).reshape(()), tuple(shape)).view(Abstract)
    made.tally = tally
    return made


def _entry(x: Value) -> Value:
    """One entry as a plain array of rank 0, also of an empty array."""
    plain = np.asarray(x).view(np.ndarray)
    return plain[(0,) * plain.ndim].reshape(()) if plain.size else np.zeros((), plain.dtype)


def _tally(values: Sequence[Value]) -> list[int]:
    for value in values:
        if isinstance(value, Abstract):
            return value.tally
        if isinstance(value, (list, tuple)):
            inner = [v for v in value if isinstance(v, Abstract)]
            if inner:
                return inner[0].tally
    return [0]


def _plain(values: Sequence[Value]) -> list[Value]:
    return [v.view(np.ndarray) if isinstance(v, Abstract) else v for v in values]


def _lift(made: Any, tally: list[int]) -> Any:
    """Results of a function that ran on the values: arrays lose their memory again."""
    if isinstance(made, (list, tuple)):
        lifted = [_lift(one, tally) for one in made]
        return lifted if isinstance(made, list) else tuple.__new__(made.__class__, lifted)
    if isinstance(made, np.ndarray) and made.dtype.kind in "fiub":
        return abstract(made.shape, _entry(made), tally)
    return made


def _matmul_shape(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    """The shape of a @ b, and the length of the axis that is summed over."""
    if not a or not b or a[-1] != b[-2 if len(b) > 1 else 0]:
        raise ValueError(f"matmul: the shapes {a} and {b} do not fit: the last axis of the first must be that which is summed")
    front = np.broadcast_shapes(a[:-2], b[:-2])
    return (*front, *a[-2:-1], *(b[-1:] if len(b) > 1 else ())), a[-1]


def _reduced(shape: tuple[int, ...], rest: Sequence[Any], options: dict[str, Any], ufunc: np.ufunc) -> tuple[int, ...]:
    axis = rest[0] if rest else options.get("axis", 0)
    axes = range(len(shape)) if axis is None else (axis if isinstance(axis, tuple) else (axis,))
    reduced = {a % len(shape) if -len(shape) <= a < len(shape) else _no_axis(a, shape) for a in axes}
    if ufunc.identity is None and any([shape[a] == 0 for a in reduced]):
        raise ValueError(f"{ufunc.__name__}: an axis of shape {shape} that is reduced has no entries")
    keep = options.get("keepdims", False)
    return tuple([1 if i in reduced else n for i, n in enumerate(shape) if keep or i not in reduced])


def _no_axis(axis: int, shape: tuple[int, ...]) -> int:
    raise ValueError(f"axis {axis} is out of bounds for an array of shape {shape}")


def _einsum(subscripts: Any, *operands: Value, **_: Any) -> Any:
    if not isinstance(subscripts, str) or "..." in subscripts or "->" not in subscripts:
        return None
    left, right = subscripts.replace(" ", "").split("->")
    sizes: dict[str, int] = {}
    for term, operand in zip(left.split(","), operands, strict=True):
        for letter, n in zip(term, np.shape(operand), strict=True):
            if sizes.setdefault(letter, n) not in {n, 1} and n != 1:
                raise ValueError(f"einsum: axis {letter!r} of {subscripts!r} has the lengths {sizes[letter]} and {n}")
            sizes[letter] = max(sizes[letter], n)
    tally = _tally(operands)
    tally[0] += prod(sizes.values()) if len(operands) > 1 else 0
    return abstract([sizes[letter] for letter in right], np.result_type(*operands).type(0), tally)


def _where(condition: Value, *choices: Value) -> Any:
    if len(choices) != 2:
        return None
    made = np.where(_entry(condition), *[_entry(c) if isinstance(c, np.ndarray) else c for c in choices])
    return abstract(np.broadcast_shapes(*[np.shape(a) for a in (condition, *choices)]), made, _tally((condition, *choices)))


def _concatenate(arrays: Sequence[Value], axis: int | None = 0, **_: Any) -> Any:
    if axis is None:
        return None
    shapes = [np.shape(a) for a in arrays]
    first = list(shapes[0])
    if len({len(s) for s in shapes}) > 1 or len({tuple(np.delete(s, axis)) for s in shapes}) > 1:
        raise ValueError(f"concatenate: the shapes {shapes} differ in an axis other than {axis}")
    first[axis] = sum([s[axis] for s in shapes])
    return abstract(first, np.concatenate([_entry(a).reshape(1) for a in arrays])[0], _tally(arrays))


def _pad(array: Value, pad_width: Any, *_: Any, **__: Any) -> Any:
    widths = np.broadcast_to(pad_width, (array.ndim, 2))
    return abstract([n + int(sum(w)) for n, w in zip(array.shape, widths, strict=True)], _entry(array), array.tally)


def _like(value: Value) -> Callable[..., Any]:
    def rule(x: Value, *_: Any, dtype: Any = None, shape: Any = None, **__: Any) -> Any:
        return abstract(np.shape(x) if shape is None else shape, np.asarray(value, dtype or x.dtype), _tally((x,)))

    return rule


_RULES: dict[Any, Callable[..., Any]] = {
    np.einsum: _einsum,
    np.where: _where,
    np.concatenate: _concatenate,
    np.pad: _pad,
    np.empty_like: _like(0),
    np.zeros_like: _like(0),
    np.ones_like: _like(1),
}
