"""grad, value_and_grad, vjp and stop_gradient: from a pure function of a tree to its derivatives."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, Literal, NamedTuple, ParamSpec, TypeVar, overload

import numpy as np

from fnn.arrays import Scalar, Value, describe, frozen, read_only
from fnn.autodiff import debug, rules  # noqa: F401 (importing the rules registers them)
from fnn.autodiff.tape import Tape
from fnn.autodiff.tracer import Tracer, value_of
from fnn.tree.operations import check_floating, paths, show
from fnn.tree.structure import PyTree, Structure, difference, take_apart

P = TypeVar("P", bound=PyTree)
Q = TypeVar("Q", bound=PyTree)
Aux = TypeVar("Aux")
Rest = ParamSpec("Rest")


class Gradient(NamedTuple):
    """What one run of a function forwards and backwards gives.

    `leaves` holds a cotangent, or None, for each leaf. `aux` may hold tracers of `tape`, which is closed: see `detach`.
    """

    loss: Value
    aux: Any
    leaves: list[Value | None]
    tape: Tape


def differentiate(
    name: str,
    f: Callable[..., Any],
    structure: Structure[Any],
    leaves: list[Value],
    args: Any,
    kwargs: Any,
    *,
    has_aux: bool,
) -> Gradient:
    """Run f on tracers for the leaves, then the tape backwards. All of `grad` and `train_step` goes through here."""
    tape = Tape()
    inputs = tape.variables(leaves)
    try:
        out = f(structure.unflatten(inputs), *args, **kwargs)
    finally:
        tape.close()
    if has_aux and not (isinstance(out, tuple) and len(out) == 2):
        pair = (
            "(loss, state), or with has_aux=True (loss, (state, aux))"
            if name == "train_step"
            else "(loss, aux), as has_aux=True says"
        )
        raise TypeError(f"{name}: the function must return {pair}; got {_kind_of(out)}")
    loss: Value
    loss, aux = out if has_aux else (out, None)
    on_tape = loss.__class__ is Tracer and loss.tape is tape
    if not on_tape:
        _refuse_leaked([loss], tape)
    value = loss.value if on_tape else loss
    if not isinstance(value, (np.ndarray, np.generic, Tracer)) or value.dtype.kind != "f" or value.shape != ():
        _refuse_loss(name, loss)
    parts: list[Value | None] = [None] * len(leaves)
    if on_tape:
        one = value.dtype.type(1)

        def again(inputs: list[Tracer]) -> list[Value]:
            out = f(structure.unflatten(inputs), *args, **kwargs)
            return [out[0] if has_aux else out]

        parts = _backward(tape, {loss.index: one}, again, structure, leaves, [value], [one])
    if isinstance(value, np.ndarray):
        value = value[()]
    return Gradient(value, aux, parts, tape)


def _backward(
    tape: Tape,
    seeds: dict[int, Value],
    again: Callable[[list[Tracer]], list[Value]],
    structure: Structure[Any],
    leaves: list[Value],
    values: list[Value],
    cotangents: list[Value | None],
) -> list[Value | None]:
    """The tape backwards. `again` runs the function once more, to find the line where something went wrong."""
    try:
        parts = tape.backward(seeds, len(leaves))
    except Exception as error:
        found = debug.replay(again, leaves, _paths_of(structure, leaves), cotangents, only_errors=True)
        for note in getattr(found, "__notes__", ()):
            error.add_note(note)
        raise
    if debug.is_active() and not debug.all_finite([*values, *parts]):
        found = debug.replay(again, leaves, _paths_of(structure, leaves), cotangents)
        raise found or FloatingPointError("a result is not finite, though every operation on the way is")
    return parts


def _paths_of(structure: Structure[Any], leaves: list[Value]) -> list[str]:
    return [path for path, _ in paths(structure.unflatten(leaves))]


def watch(f: Callable[[P], Q], primal: P, /) -> Q:
    """f(primal); inside of `debug_nans`, an error that names the operation where the result is not finite."""
    result = f(primal)
    if debug.is_active() and not debug.all_finite(take_apart(result)[0]):
        leaves, structure = take_apart(primal)
        floating = [i for i, leaf in enumerate(leaves) if leaf.dtype.kind == "f"]

        def again(inputs: list[Tracer]) -> list[Value]:
            whole = list(leaves)
            for i, tracer in zip(floating, inputs, strict=True):
                whole[i] = tracer
            f(structure.unflatten(whole))
            return []

        names = _paths_of(structure, leaves)
        found = debug.replay(again, [leaves[i] for i in floating], [names[i] for i in floating], [])
        raise found or FloatingPointError("a result is not finite, though every operation on the way is")
    return result


def _refuse_leaked(results: list[Value], tape: Tape) -> None:
    """RuntimeError where a result is a tracer of a tape that has ended: what flows to it would be lost."""
    for result in results:
        if result.__class__ is Tracer and result.tape is not tape:
            result.tape.check_open()


def _refuse_loss(name: str, loss: object) -> None:
    if isinstance(loss, tuple):
        hint = "; if it returns (loss, aux), say has_aux=True"
    elif isinstance(loss, (int, float)):
        hint = "; a Python number has lost its gradient, so don't use float() or .item() inside"
    elif isinstance(loss, (np.ndarray, Tracer)) and loss.shape != ():
        hint = "; take its mean or sum"
    else:
        hint = ""
    raise TypeError(f"{name}: the function must return a scalar loss (a floating NumPy scalar), got {_kind_of(loss)}{hint}")


def _kind_of(x: object) -> str:
    return show(x) if isinstance(x, (np.ndarray, np.generic, Tracer, tuple)) else f"a {type(x).__name__}"


def detach(tree: Any, tape: Tape, *, freeze: bool = False) -> Any:
    """A tree with the tracers of this tape replaced by their values, read-only; with freeze, the other leaves too."""
    if tree is None:
        return None
    leaves, structure = take_apart(tree)
    left = [
        _leave(leaf) if leaf.__class__ is Tracer and leaf.tape is tape else frozen(leaf) if freeze else leaf for leaf in leaves
    ]
    if all([a is b for a, b in zip(left, leaves, strict=True)]):
        return tree
    return structure.unflatten(left)


def _leave(tracer: Tracer) -> Value:
    """The value, read-only. It may be an input of the user's or share memory with one (then its flag stays as it is)."""
    value = tracer.value
    if isinstance(value, np.ndarray) and value.flags.writeable:
        value = value.view()
        value.flags.writeable = False
    return value


def fill(leaves: list[Value], parts: list[Value | None]) -> list[Value]:
    """The cotangents as gradient leaves: zeros where nothing flowed, fresh read-only arrays of the leaves' shape and dtype."""
    filled: list[Value] = []
    for leaf, part in zip(leaves, parts, strict=True):
        if isinstance(leaf, np.generic) and part.__class__ is not Tracer:
            filled.append(leaf.dtype.type(0) if part is None else np.asarray(part)[()])
        elif part is None:
            filled.append(read_only(np.zeros(leaf.shape, leaf.dtype)))
        elif part.__class__ is np.ndarray and part.base is None:
            filled.append(read_only(part))
        elif part.__class__ is Tracer:
            filled.append(part)
        else:  # a view of something, perhaps of an input, or a NumPy scalar where the leaf is an array
            filled.append(read_only(np.array(part)))
    return filled


def _inputs(name: str, primal: Any) -> tuple[list[Value], Structure[Any]]:
    leaves, structure = take_apart(primal)
    if not leaves:
        raise TypeError(
            f"{name}: the first argument is {show(primal)}, which has no arrays in it to differentiate; a Python number must "
            "be a NumPy one, as np.float64(2.0), and an object with arrays a frozen dataclass"
        )
    check_floating(name, primal, "differentiate floating arrays only, and pass the rest as further arguments")
    return leaves, structure


@overload
def value_and_grad(
    f: Callable[Concatenate[P, Rest], Scalar], /, *, has_aux: Literal[False] = False
) -> Callable[Concatenate[P, Rest], tuple[Scalar, P]]: ...
@overload
def value_and_grad(
    f: Callable[Concatenate[P, Rest], tuple[Scalar, Aux]], /, *, has_aux: Literal[True]
) -> Callable[Concatenate[P, Rest], tuple[tuple[Scalar, Aux], P]]: ...
def value_and_grad(f: Callable[..., Any], /, *, has_aux: bool = False) -> Callable[..., Any]:
    """A function that gives the value of f and its gradient with respect to the first argument.

    f is any pure function of a tree of floating arrays (and of whatever else follows) to a scalar, written with fnn's
    functions or plain NumPy. The gradient is a tree of the same type, shapes and dtypes, with read-only leaves; a leaf
    that f does not use has gradient 0. With has_aux=True, f returns (loss, aux) and the result is ((loss, aux), grads).

    Raises TypeError where a leaf is not floating, where f does not return a floating scalar, and where f does what has
    no gradient, at the place where it does it.

    >>> import fnn
    >>> def f(p: fnn.Array1, x: fnn.Array1) -> fnn.Scalar:
    ...     return np.sum(p * p * x)
    >>> value_and_grad(f)(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    (np.float64(19.0), array([ 6., 16.]))
    """

    return _value_and_grad("value_and_grad", f, has_aux)


def _value_and_grad(name: str, f: Callable[..., Any], has_aux: bool) -> Callable[..., Any]:
    @wraps(f)
    def value_and_gradient(params: Any, /, *args: Any, **kwargs: Any) -> Any:
        leaves, structure = _inputs(name, params)
        found = differentiate(name, f, structure, leaves, args, kwargs, has_aux=has_aux)
        grads = structure.unflatten(fill(leaves, found.leaves))
        return ((found.loss, detach(found.aux, found.tape)), grads) if has_aux else (found.loss, grads)

    return value_and_gradient


@overload
def grad(
    f: Callable[Concatenate[P, Rest], Scalar], /, *, has_aux: Literal[False] = False
) -> Callable[Concatenate[P, Rest], P]: ...
@overload
def grad(
    f: Callable[Concatenate[P, Rest], tuple[Scalar, Aux]], /, *, has_aux: Literal[True]
) -> Callable[Concatenate[P, Rest], tuple[P, Aux]]: ...
def grad(f: Callable[..., Any], /, *, has_aux: bool = False) -> Callable[..., Any]:
    """A function that gives the gradient of f with respect to its first argument, as a tree of the same type.

    As `value_and_grad`, without the value; with has_aux=True the result is (grads, aux). To differentiate several
    arguments, pass them as a tuple. `grad` nests: grad(grad(f)) is the second derivative.

    >>> import fnn
    >>> def cube(x: fnn.Scalar) -> fnn.Scalar:
    ...     return x * x * x
    >>> grad(cube)(np.float64(2.0)), grad(grad(cube))(np.float64(2.0))
    (np.float64(12.0), np.float64(12.0))
    """
    return grad_by("grad", f, has_aux)


def grad_by(name: str, f: Callable[..., Any], has_aux: bool = False) -> Callable[..., Any]:
    """`grad`, with errors by another name."""
    both = _value_and_grad(name, f, has_aux)

    @wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, grads = both(*args, **kwargs)
        return (grads, value[1]) if has_aux else grads

    return gradient


def vjp(f: Callable[[P], Q], primal: P, /) -> tuple[Q, Callable[[Q], P]]:
    """The value of f at `primal`, and its pullback: cotangents of the result to cotangents of `primal`.

    The pullback is linear and may be called any number of times. A cotangent is a tree like the result, with its shapes
    (ValueError where not); it is cast to the result's dtypes. The pullback keeps the arrays of `primal`, and no copies:
    don't write to them before its last call.

    >>> y, pullback = vjp(lambda x: x * x, np.array([1.0, 2.0]))
    >>> y, pullback(np.array([1.0, 10.0]))
    (array([1., 4.]), array([ 2., 40.]))
    """
    leaves, structure = _inputs("vjp", primal)
    tape = Tape()
    inputs = tape.variables(leaves)
    try:
        result: Any = f(structure.unflatten(inputs))
    finally:
        tape.close()
    outs, out_structure = take_apart(result)
    _refuse_leaked(outs, tape)

    def again(inputs: list[Tracer]) -> list[Value]:
        return take_apart(f(structure.unflatten(inputs)))[0]

    if debug.is_active() and not debug.all_finite(outs):
        found = debug.replay(again, leaves, _paths_of(structure, leaves), [None] * len(outs))
        raise found or FloatingPointError("a result is not finite, though every operation on the way is")

    def pullback(cotangent: Q, /) -> P:
        given = out_structure.leaves_of(cotangent)
        if given is None:
            raise ValueError(f"vjp: the cotangent does not fit the result: {difference(cotangent, result)}")
        seeds: dict[int, Value] = {}
        for (path, _), out, g in zip(paths(result), outs, given, strict=True):
            if out.shape != g.shape:
                raise ValueError(
                    f"vjp: the cotangent {path or 'at the root'} is {describe(g)}, but the result is {describe(out)}"
                )
            if out.__class__ is Tracer and out.tape is tape:
                part = frozen(g if g.dtype == out.dtype else g.astype(out.dtype))  # the identity gives it back as it is
                seeds[out.index] = seeds[out.index] + part if out.index in seeds else part
        parts = _backward(tape, seeds, again, structure, leaves, [], list(given))
        grads: P = structure.unflatten(fill(leaves, parts))
        return grads

    value = out_structure.unflatten([_leave(o) if o.__class__ is Tracer and o.tape is tape else o for o in outs])
    return value, pullback


def stop_gradient(x: P, /) -> P:
    """x, an array or a tree of them, as a constant: no gradient flows through it. Outside of `grad` it is x itself.

    >>> import fnn
    >>> def f(x: fnn.Scalar) -> fnn.Scalar:
    ...     return x * stop_gradient(x)
    >>> grad(f)(np.float64(3.0))
    np.float64(3.0)
    """
    if isinstance(x, (Tracer, np.ndarray, np.generic)):
        value: P = value_of(x)
        return value
    leaves, structure = take_apart(x)
    values = [value_of(leaf) for leaf in leaves]
    if all([a is b for a, b in zip(values, leaves, strict=True)]):
        return x
    made: P = structure.unflatten(values)
    return made
