"""The two ways to make an operation differentiable: `elementary` (`several`, where it has several results) and `fused`.
Each records one node on the tape.

Every function that this module makes takes plain arrays and tracers alike. Without a tracer among the differentiable
arguments it is the plain function and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar

import numpy as np

from fnn.arrays import Value
from fnn.autodiff.abstract import Abstract
from fnn.autodiff.tape import Parents, Tape
from fnn.autodiff.tracer import Tracer, value_of

# A kernel of `fused` gives (y, pull). pull(g, wanted) maps the cotangent g of y to that of each differentiable argument; where
# `wanted` is False for one, its entry is not used and may be None.
KernelPull: TypeAlias = Callable[[Value, Sequence[bool]], Sequence[Value]]


def elementary(function: Callable[..., Value], *rules: Callable[..., Value]) -> Callable[..., Value]:
    """A function with a backward rule for each of its first arguments: `rule(g, y, *args, **options)`.

    The rule gives the cotangent of its argument from g, that of the result y. Rules use operations that are themselves
    differentiable, so that derivatives of any order follow. They may leave out the sum over broadcast axes.
    """
    if len(rules) == 1:
        return _unary(function, rules[0])
    if len(rules) == 2:
        return _binary(function, *rules)
    return _variadic(function, rules)


# What follows is the hot path of every `grad`: an operation that has no options skips the unpacking of them, and values
# are plain arrays far more often than they are tracers of an outer tape.


_SEQUENCES = frozenset([list, tuple])
F = TypeVar("F", bound=Callable[..., Any])


# Some public functions check their arguments and then run an operation. For each of them: the operation's `vjp`, which gives
# (y, pull) of plain arrays where pull(g) is the cotangent of the first, and its `plain` form, which gives y. Neither checks
# anything: a planned step runs them on arguments like those that were checked before. They are no attributes of the functions,
# because functools.wraps would hand those on to a function that computes something else.
_VJPS: dict[object, tuple[Callable[..., Any], frozenset[str]]] = {}
_PLAIN: dict[object, Callable[..., Any]] = {}


def checked_form_of(op: Callable[..., Any], *options: str) -> Callable[[F], F]:
    """Decorates a function that checks its arguments and then runs `op`, an operation, or its vjp, which has these options."""

    def decorate(f: F) -> F:
        _VJPS[f] = getattr(op, "vjp", op), frozenset(options)
        _PLAIN[f] = getattr(op, "plain", f)
        return f

    return decorate


def unchecked_vjp(f: object) -> Callable[..., Any] | None:
    """That of a public function, or of `functools.partial` of it with options; None where there is none."""
    function, given = f, dict[str, Any]()
    if isinstance(f, partial) and not f.args:
        function, given = f.func, f.keywords
    try:
        found = _VJPS.get(function)
    except TypeError:  # it cannot be hashed
        return None
    if found is None or not found[1].issuperset(given):
        return None
    return partial(found[0], **given) if given else found[0]


def unchecked(f: Callable[..., Any]) -> Callable[..., Any]:
    """The plain form of a public function of one array; the function itself where there is none."""
    try:
        return _PLAIN.get(f, f)
    except TypeError:  # it cannot be hashed
        return f


def _unary(function: Callable[..., Value], rule: Callable[..., Value]) -> Callable[..., Value]:
    def op(x: Value, *args: Any, **options: Any) -> Value:
        return traced(x, *args, **options) if x.__class__ is Tracer else function(x, *args, **options)

    def traced(x: Tracer, *args: Any, **options: Any) -> Value:
        v = x.value
        if args or options:
            y = op(v, *args, **options)
            return x.tape.record(y, x.index, lambda g: rule(g, y, v, *args, **options))
        y = op(v) if v.__class__ is Tracer else function(v)
        return x.tape.record(y, x.index, rule, (y, v))

    def vjp(x: Value) -> tuple[Value, Callable[[Value], Value]]:
        y = function(x)
        return y, lambda g: rule(g, y, x)

    op.vjp = vjp  # type: ignore[attr-defined]  # for checked_form_of
    op.plain = function  # type: ignore[attr-defined]  # as above
    return op


def _binary(function: Callable[..., Value], rule_a: Callable[..., Value], rule_b: Callable[..., Value]) -> Callable[..., Value]:
    def rule_both(g: Value, *saved: Value, **options: Any) -> Sequence[Value]:
        return rule_a(g, *saved, **options), rule_b(g, *saved, **options)

    def op(a: Value, b: Value, **options: Any) -> Value:
        tape: Any
        tape_a = a.tape if a.__class__ is Tracer else None
        tape_b = b.tape if b.__class__ is Tracer else None
        if tape_a is tape_b:
            if tape_a is None:
                return function(a, b, **options)
            tape, rule = tape_a, rule_both
            parents: Parents = (a.index, b.index)
            a, b = a.value, b.value
        # Only one of the two is on the latest tape; to it the other is a constant.
        elif tape_b is None or (tape_a is not None and tape_a.birth > tape_b.birth):
            tape, rule = tape_a, rule_a
            parents = a.index
            a = a.value
        else:
            tape, rule = tape_b, rule_b
            parents = b.index
            b = b.value
        if a.__class__ in _SEQUENCES or b.__class__ in _SEQUENCES:  # NumPy takes lists of numbers; rules take arrays
            a, b = (np.asarray(c) if c.__class__ in _SEQUENCES else c for c in (a, b))
        y = op(a, b, **options) if a.__class__ is Tracer or b.__class__ is Tracer else function(a, b, **options)
        if options:
            return tape.record(y, parents, lambda g: rule(g, y, a, b, **options))
        return tape.record(y, parents, rule, (y, a, b))

    return op


def _variadic(function: Callable[..., Value], rules: Sequence[Callable[..., Value]]) -> Callable[..., Value]:
    n = len(rules)

    def op(*args: Value, **options: Any) -> Value:
        tape = latest_tape(args[:n])
        if tape is None:
            return function(*args, **options)
        inside = tuple(descend(args, tape))
        y = op(*inside, **options)
        on = [k for k in range(n) if args[k].__class__ is Tracer and args[k].tape is tape]
        return tape.record(y, tuple([args[k].index for k in on]), lambda g: [rules[k](g, y, *inside, **options) for k in on])

    return op


def several(function: Callable[..., Sequence[Value]], rule: Callable[..., Value], *, gaps: bool = False) -> Callable[..., Any]:
    """A function of one array with several results (a tuple), and its backward rule `rule(gs, ys, x, **options)`.

    The rule gives the cotangent of x from the list of those of the results, in operations that are themselves
    differentiable; where none flows that is zeros, or with gaps None. A NamedTuple of results stays one.
    """

    def op(x: Value, **options: Any) -> Any:
        if x.__class__ is not Tracer:
            return function(x, **options)
        v = x.value
        ys = op(v, **options)
        traced = x.tape.record_several(ys, (x.index,), lambda gs: (rule(gs, ys, v, **options),), gaps=gaps)
        return tuple.__new__(ys.__class__, traced) if isinstance(ys, tuple) else traced

    return op


def fused(
    n: int, reference: Callable[..., Value], *, has_aux: bool = False, forward: Callable[..., Value] | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a kernel one differentiable operation. Decorates `kernel(*args, **options)` that gives (y, pull).

    The first n arguments are differentiable. `pull(g, wanted)` gives a tuple of their n cotangents; an entry that is not
    wanted may be None. Kernels see plain arrays only, so they may work in place on what they have made themselves.

    `reference(*args, **options)` is the same function as a composition of differentiable operations. It runs in the
    kernel's place where an input, or the cotangent, is itself being differentiated (higher orders), and on abstract
    arrays; and it is what tests compare the kernel with.

    `forward(*args, **options)` is y alone, the same bits, for where nothing is differentiated, if that is quicker than a kernel
    that keeps what the way back needs.

    With has_aux, kernel gives (y, aux, pull) and reference (y, aux); aux is passed on as it is, without gradient. An
    operation with several results gives a tuple of them in place of y, all floating; then g is the list of their
    cotangents, zeros where none flows.
    """

    def pull_wanted(
        g: Value, pull: Callable[..., Sequence[Value]], wanted: Sequence[bool], args: Sequence[Value], options: dict[str, Any]
    ) -> Sequence[Value | None]:
        gs = g if g.__class__ is list else (g,)
        if not [part for part in gs if part.__class__ is Tracer]:
            parts = pull(g, wanted)
            return parts if all(wanted) else [part for part, want in zip(parts, wanted, strict=True) if want]
        # The cotangent is being differentiated: the reference on a tape of its own, walked backwards with it.
        tape = Tape()
        inputs = tape.variables([a for a, want in zip(args, wanted, strict=False) if want])
        rest = iter(inputs)
        out = reference(*[next(rest) if k < n and wanted[k] else a for k, a in enumerate(args)], **options)
        tape.close()
        seeds: dict[int, Value] = {}
        for y, part in zip(out if g.__class__ is list else (out[0] if has_aux else out,), gs, strict=True):
            if y.__class__ is Tracer and y.tape is tape:
                seeds[y.index] = seeds[y.index] + part if y.index in seeds else part
        return tape.backward(seeds, len(inputs))

    def make(kernel: Callable[..., Any]) -> Callable[..., Any]:
        def op(*args: Value, **options: Any) -> Any:
            for a in args:
                if a.__class__ is Tracer or a.__class__ is Abstract:
                    break
            else:
                if forward is not None:
                    return forward(*args, **options)
                made = kernel(*args, **options)
                return (made[0], made[1]) if has_aux else made[0]
            tape = None
            inside = list(args)
            wanted = [False] * n
            parents = []
            for k, a in enumerate(args):
                if a.__class__ is Tracer:
                    v = a.value
                    if k >= n or v.__class__ is Tracer or (tape is not None and a.tape is not tape):
                        return reference(*args, **options)
                    tape = a.tape
                    inside[k] = v
                    wanted[k] = True
                    parents.append(a.index)
            if tape is None:
                return reference(*args, **options)
            made = kernel(*inside, **options)
            saved = (made[-1], tuple(wanted), tuple(inside), options)
            if made[0].__class__ is tuple:
                return tuple(tape.record_several(made[0], parents, lambda gs: pull_wanted(gs, *saved)))
            traced = tape.record(made[0], tuple(parents), pull_wanted, saved)
            return (traced, made[1]) if has_aux else traced

        def vjp(*args: Value, **options: Any) -> tuple[Value, Callable[[Value], Value]]:
            y, pull = kernel(*args, **options)
            return y, lambda g: pull(g, only_first)[0]

        only_first = [k == 0 for k in range(n)]
        op.vjp = vjp  # type: ignore[attr-defined]  # for checked_form_of
        op.plain = forward or (lambda *args: kernel(*args)[0])  # type: ignore[attr-defined]  # as above
        op.kernel = kernel  # type: ignore[attr-defined]  # for tests and for layers that have a vjp, which share the kernels
        op.reference = reference  # type: ignore[attr-defined]  # as above
        return op

    return make


def latest_tape(args: Sequence[Value]) -> Tape | None:
    """The tape that began last among those of the tracers here; None without a tracer."""
    latest: Tape | None = None
    for a in args:
        if a.__class__ is Tracer and (latest is None or a.tape.birth > latest.birth):
            latest = a.tape
    return latest


def descend(args: Sequence[Value], tape: Tape) -> list[Value]:
    """The arguments as this tape sees them: its own tracers replaced by their values."""
    return [a.value if a.__class__ is Tracer and a.tape is tape else a for a in args]


def constant(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose derivative is zero everywhere: it sees the plain values and gives plain values."""

    def op(*args: Any, **options: Any) -> Any:
        return function(*[value_of(a) for a in args], **{name: value_of(a) for name, a in options.items()})

    op.kind = "constant"  # type: ignore[attr-defined]  # for the generated table of operations
    return op


def shape_of(x: Value) -> tuple[int, ...]:
    """The shape of an array, a tracer, a NumPy scalar or a Python number."""
    shape: tuple[int, ...] = x.shape if isinstance(x, (Tracer, np.ndarray, np.generic)) else np.shape(x)
    return shape
