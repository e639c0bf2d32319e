"""The derivative rule of einsum, which is einsum again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from operator import index

import numpy as np

from fnn.arrays import Value
from fnn.autodiff.primitive import constant
from fnn.autodiff.registry import implements
from fnn.autodiff.rules.linear_algebra import operand, operation_of_many

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _written(args: Sequence[Value]) -> tuple[str, list[Value]]:
    """The form einsum(a, [0, 1], b, [1, 2], [0, 2]) as subscripts and operands. Letters are in the order of numbers."""

    def term(axes: Value) -> str:
        return "".join(["..." if i is Ellipsis else _LETTERS[index(i)] for i in axes])

    inputs = ",".join([term(axes) for axes in args[1::2]])
    if len(args) % 2:
        return f"{','.join([term(axes) for axes in args[1::2]])}->{term(args[-1])}", list(args[:-1:2])
    return inputs, list(args[::2])


@cache
def _explicit(subscripts: str, ranks: tuple[int, ...]) -> tuple[tuple[str, ...], str]:
    """The subscripts with an ellipsis written out in letters that are not used, and with an explicit output."""
    left, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    free = [c for c in _LETTERS if c not in subscripts]
    widths = [rank - len(term.replace("...", "")) if "..." in term else 0 for term, rank in zip(terms, ranks, strict=True)]
    dots = "".join(free[: max(widths, default=0)])
    if not arrow:
        letters = sorted(set(left) - set(".,"))
        output = "..." + "".join([c for c in letters if left.count(c) == 1])
    terms = [term.replace("...", dots[len(dots) - width :]) for term, width in zip(terms, widths, strict=True)]
    return tuple(terms), output.replace("...", dots)


def _einsum_rule(k: int, g: Value, operands: Sequence[Value], subscripts: str, optimize: Value) -> Value:
    """The cotangent of operand k is the product of g and the others, summed to its subscripts.

    A subscript that this operand has twice reads its diagonal: the second one gets a name of its own, c -> d, and the
    product one more factor, the identity [c, d]. A subscript that only this operand has was summed away in y, and one of
    size 1 elsewhere was repeated: both are spread again.
    """
    inputs, output = _explicit(subscripts, tuple([x.ndim for x in operands]))
    x, mine = operands[k], ""
    terms = [output, *[term for i, term in enumerate(inputs) if i != k]]
    factors = [g, *[other for i, other in enumerate(operands) if i != k]]
    free = [c for c in _LETTERS if c not in "".join([output, *inputs])]
    for c, size in zip(inputs[k], x.shape, strict=True):
        mine += c
        if c in mine[:-1]:
            mine = mine[:-1] + free.pop()
            terms.append(c + mine[-1])
            factors.append(np.eye(size, dtype=x.dtype))
    known = set("".join(terms))
    reachable = "".join([c for c in mine if c in known])
    made = np.einsum(f"{','.join(terms)}->{reachable}", *factors, optimize=optimize is not False)
    reached = dict(zip(reachable, made.shape, strict=True))
    shape = tuple([size if reached.get(c, 1) == 1 else reached[c] for c, size in zip(mine, x.shape, strict=True)])
    return made if made.shape == shape else np.broadcast_to(made.reshape([reached.get(c, 1) for c in mine]), shape)


_einsum = operation_of_many(
    lambda *operands, subscripts, optimize: np.einsum(subscripts, *operands, optimize=optimize), _einsum_rule
)


@implements(np.einsum)
def _np_einsum(*operands: Value, out: None = None, optimize: Value = False) -> Value:
    subscripts, arrays = (operands[0], operands[1:]) if isinstance(operands[0], str) else _written(operands)
    return _einsum(len(arrays))(*[operand(x) for x in arrays], subscripts=subscripts, optimize=optimize)


implements(np.einsum_path)(constant(np.einsum_path))
