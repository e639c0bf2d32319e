"""Derivative rules of products: matmul, dot and einsum."""

from __future__ import annotations

import numpy as np

from fnn.arrays import Value
from fnn.autodiff import registry
from fnn.autodiff.primitive import elementary, shape_of
from fnn.autodiff.registry import implements


def _matmul_left(g: Value, y: Value, a: Value, b: Value) -> Value:
    """Y = A B: dA = G B^T, over the last two axes. A vector counts as one row on the left, one column on the right."""
    if b.ndim == 1:
        return np.expand_dims(g, -1) * b if a.ndim > 1 else g * b
    if a.ndim == 1:  # y[..., j] = sum_i a[i] b[..., i, j]
        return (b @ np.expand_dims(g, -1)).squeeze(-1)
    return g @ np.swapaxes(b, -1, -2)


def _matmul_right(g: Value, y: Value, a: Value, b: Value) -> Value:
    """Y = A B: dB = A^T G, over the last two axes."""
    if a.ndim == 1:
        return a.reshape(-1, 1) * np.expand_dims(g, -2) if b.ndim > 1 else a * g
    if b.ndim == 1:  # y[..., i] = sum_j a[..., i, j] b[j]
        return (np.swapaxes(a, -1, -2) @ np.expand_dims(g, -1)).squeeze(-1)
    return np.swapaxes(a, -1, -2) @ g


_matmul = elementary(np.matmul, _matmul_left, _matmul_right)
implements(np.matmul)(_matmul)


@implements(np.dot)
def _dot(a: Value, b: Value, out: None = None) -> Value:
    """What np.dot is for up to two axes: a product by a number, or matmul."""
    if len(shape_of(a)) == 0 or len(shape_of(b)) == 0:
        return a * b
    if len(shape_of(b)) > 2:
        registry.refuse("np.dot with more than two axes on the right (use np.matmul or np.einsum)")
    return _matmul(a, b)


@implements(np.einsum)
def _np_einsum(subscripts: Value, *operands: Value, optimize: Value = False) -> Value:
    if not isinstance(subscripts, str):
        registry.refuse("np.einsum with lists of axes (write the subscripts as a string)")
    inputs, output = _explicit(subscripts, [len(shape_of(x)) for x in operands])
    if any(len(set(term)) != len(term) for term in inputs):
        registry.refuse("np.einsum with a subscript twice in one operand")
    return _einsum_of(len(operands))(*operands, inputs=inputs, output=output, optimize=optimize)


def _explicit(subscripts: str, ranks: list[int]) -> tuple[tuple[str, ...], str]:
    """The subscripts with an ellipsis written out as capital letters that are not used, and with an explicit output."""
    left, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise ValueError(f"np.einsum: {subscripts!r} has {len(terms)} terms for {len(ranks)} operands")
    free = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in subscripts]
    widths = [rank - len(term.replace("...", "")) if "..." in term else 0 for term, rank in zip(terms, ranks, strict=True)]
    dots = "".join(free[: max(widths, default=0)])
    if not arrow:
        letters = sorted(set(left) - set(".,"))
        output = "..." + "".join([c for c in letters if left.count(c) == 1])
    terms = [term.replace("...", dots[len(dots) - width :]) for term, width in zip(terms, widths, strict=True)]
    return tuple(terms), output.replace("...", dots)


def _einsum(*operands: Value, inputs: tuple[str, ...], output: str, optimize: Value) -> Value:
    return np.einsum(f"{','.join(inputs)}->{output}", *operands, optimize=optimize)


def _einsum_rule(k: int, g: Value, operands: tuple[Value, ...], inputs: tuple[str, ...], output: str, optimize: Value) -> Value:
    """The product is linear in each operand: its cotangent is the product of g and the others, summed to its subscripts.

    A subscript that only this operand has is summed away in y, hence spread again; the sum over axes of size 1 that were
    broadcast happens where cotangents meet.
    """
    others = [i for i in range(len(operands)) if i != k]
    terms = [output, *[inputs[i] for i in others]]
    mine = inputs[k]
    known = set("".join(terms))
    reachable = "".join([c for c in mine if c in known])
    made = np.einsum(f"{','.join(terms)}->{reachable}", g, *[operands[i] for i in others], optimize=optimize)
    if reachable == mine:
        return made
    sizes = dict(zip(mine, operands[k].shape, strict=True))
    reached = dict(zip(reachable, made.shape, strict=True))
    spread = made.reshape(tuple([reached.get(c, 1) for c in mine]))
    return np.broadcast_to(spread, tuple([reached.get(c, sizes[c]) for c in mine]))


_einsums: dict[int, object] = {}


def _einsum_of(n: int) -> Value:
    """einsum of n operands as an operation with n rules."""
    made = _einsums.get(n)
    if made is None:
        rules = [
            lambda g, y, *operands, k=k, inputs, output, optimize: _einsum_rule(k, g, operands, inputs, output, optimize)
            for k in range(n)
        ]
        made = _einsums[n] = elementary(_einsum, *rules)
    return made
