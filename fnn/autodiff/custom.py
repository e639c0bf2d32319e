"""custom_vjp and checkpoint: a user's own backward rule, and backward that computes forward again to save memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from fnn.arrays import Value, describe
from fnn.autodiff.primitive import latest_tape
from fnn.autodiff.tape import Tape
from fnn.autodiff.tracer import Tracer
from fnn.autodiff.transforms import vjp
from fnn.tree.structure import difference, take_apart

Rest = ParamSpec("Rest")
Y = TypeVar("Y")


def custom_vjp(f: Callable[Rest, tuple[Y, Callable[[Y], tuple[Any, ...]]]], /) -> Callable[Rest, Y]:
    """An operation with a backward rule of its own. Decorates `f(*args)` that gives (y, pull).

    `pull(g)` maps the cotangent g of y to a tuple with the cotangent of each positional argument: a tree like the
    argument, or None where no gradient flows to it. Arguments and y are trees of arrays; keyword arguments are options,
    to which no gradient flows. What pull needs, it keeps from f. In plain calls, without `grad`, only y is used.

    f runs on the values: plain arrays at first order, arrays that are being differentiated themselves at higher ones. For
    higher orders f and pull must therefore be written in functions that fnn differentiates.

    Raises, when it is differentiated, TypeError where f gives no pair or pull no tuple of the right length, and
    ValueError where a cotangent has not the structure or the shape of its argument.

    >>> import fnn, numpy as np
    >>> @fnn.custom_vjp
    ... def clip_gradient(x: fnn.Array1) -> tuple[fnn.Array1, Callable[[fnn.Array1], tuple[fnn.Array1]]]:
    ...     return x, lambda g: (np.clip(g, -1.0, 1.0),)
    >>> fnn.grad(lambda x: np.sum(clip_gradient(x) * np.array([0.5, 7.0])))(np.array([1.0, 1.0]))
    array([0.5, 1. ])
    """
    name = getattr(f, "__name__", "custom_vjp")
    run: Any = f  # what comes out of a structure has lost the types of f's arguments

    @wraps(f)
    def op(*args: Rest.args, **options: Rest.kwargs) -> Any:
        leaves, structure = take_apart((args, options))
        tape = latest_tape(leaves)
        if tape is None:
            return _pair(name, f(*args, **options))[0]
        parents = [leaf.index for leaf in leaves if _is_on(leaf, tape)]
        inside, inside_options = structure.unflatten([leaf.value if _is_on(leaf, tape) else leaf for leaf in leaves])
        if any([_is_on(leaf, tape) for leaf in take_apart(options)[0]]):
            raise TypeError(f"{name}: a keyword argument is being differentiated; pass it by position")
        y, pull = _pair(name, run(*inside, **inside_options))
        return record_tree(name, tape, y, parents, lambda g: _cotangents(name, pull(g), args, tape))

    return op


def _is_on(leaf: Value, tape: Tape) -> bool:
    return leaf.__class__ is Tracer and leaf.tape is tape


def _pair(name: str, made: Any) -> tuple[Any, Any]:
    if not isinstance(made, tuple) or len(made) != 2 or not callable(made[1]):
        raise TypeError(f"{name}: a function under custom_vjp must return (y, pull), got a {type(made).__name__}")
    return made


def record_tree(name: str, tape: Tape, y: Any, parents: Sequence[int], pull: Callable[[Any], Sequence[Value | None]]) -> Any:
    """A tree of results as one operation on the tape; `pull` takes a tree of cotangents. Leaves not floating are constants."""
    leaves, structure = take_apart(y)
    if any([_is_on(leaf, tape) for leaf in leaves]):
        raise TypeError(
            f"{name}: the function uses an array that is being differentiated and is none of its arguments, so that its "
            "gradient would be lost; pass it as an argument"
        )
    floating = [i for i, leaf in enumerate(leaves) if leaf.dtype.kind == "f"]

    def pull_leaves(gs: Sequence[Value]) -> Sequence[Value | None]:
        whole = list(leaves)
        for i, g in zip(floating, gs, strict=True):
            whole[i] = g
        return pull(structure.unflatten(whole))

    traced = tape.record_several([leaves[i] for i in floating], parents, pull_leaves)
    whole = list(leaves)
    for i, tracer in zip(floating, traced, strict=True):
        whole[i] = tracer
    return structure.unflatten(whole)


def _cotangents(name: str, given: Any, args: tuple[Any, ...], tape: Tape) -> list[Value | None]:
    """The cotangents of the arguments' leaves that are on the tape, in order."""
    if not isinstance(given, tuple) or len(given) != len(args):
        got = f"{len(given)} cotangents" if isinstance(given, tuple) else f"a {type(given).__name__}"
        raise TypeError(f"{name}: pull must return a tuple with a cotangent for each of the {len(args)} arguments, got {got}")
    parts: list[Value | None] = []
    for k, (arg, cotangent) in enumerate(zip(args, given, strict=True)):
        leaves, structure = take_apart(arg)
        found: Any = [None] * len(leaves) if cotangent is None else structure.leaves_of(cotangent)
        if found is None:
            raise ValueError(f"{name}: the cotangent of argument {k} is not like it: {difference(arg, cotangent)}")
        for leaf, part in zip(leaves, found, strict=True):
            if _is_on(leaf, tape):
                if part is not None and part.shape != leaf.shape:
                    raise ValueError(
                        f"{name}: the cotangent of argument {k} is {describe(part)}, expected the shape of {leaf!r}"
                    )
                parts.append(part)
    return parts


def checkpoint(f: Callable[Rest, Y], /) -> Callable[Rest, Y]:
    """The same function, whose backward pass runs it again instead of keeping what it computed on the way.

    Memory for a deep net falls from the values of all its layers to those between checkpoints and those inside of one,
    for one more forward pass. Values and gradients are the same bits. f must be pure, and every array that is
    differentiated must be one of its arguments (TypeError where it is not): trees of arrays, by position.

    >>> import fnn, numpy as np
    >>> def block(w: fnn.Array2, x: fnn.Array2) -> fnn.Array2:
    ...     return np.tanh(np.tanh(x @ w) @ w)
    >>> def loss(w: fnn.Array2, x: fnn.Array2) -> fnn.Scalar:
    ...     return np.mean(fnn.checkpoint(block)(w, x))
    >>> fnn.grad(loss)(np.eye(2), np.ones((3, 2))).shape
    (2, 2)
    """
    name = getattr(f, "__name__", "checkpoint")

    @wraps(f)
    def op(*args: Rest.args, **options: Rest.kwargs) -> Any:
        leaves, structure = take_apart(args)
        tape = latest_tape(leaves)
        if tape is None:
            return f(*args, **options)
        on = [i for i, leaf in enumerate(leaves) if _is_on(leaf, tape)]
        inside = [leaf.value if _is_on(leaf, tape) else leaf for leaf in leaves]
        y = op(*structure.unflatten(inside), **options)

        def pull(g: Any) -> Sequence[Value | None]:
            def again(inputs: Any) -> Any:
                whole = list(inside)
                for i, leaf in zip(on, inputs, strict=True):
                    whole[i] = leaf
                return f(*structure.unflatten(whole), **options)

            cotangents: list[Value | None] = vjp(again, [inside[i] for i in on])[1](g)
            return cotangents

        return record_tree(name, tape, y, [leaves[i].index for i in on], pull)

    return op
