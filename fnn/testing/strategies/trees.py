"""Pytrees: of any frozen dataclass type, from its annotations; like an example."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn, TypeAlias, TypeVar, Union, Unpack

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from fnn.functional.linear import DenseParams
from fnn.functional.norms import BatchNormState, NormParams
from fnn.random import Key
from fnn.testing.strategies.arrays import Entries, arrays, bools, integers
from fnn.testing.strategies.randomness import keys
from fnn.tree import leaves

T = TypeVar("T")
Dims: TypeAlias = Mapping[str, tuple[str | int, ...]]
Parts: TypeAlias = Mapping[str, SearchStrategy[object]]
Make: TypeAlias = Callable[[], Any]

# Sizes that agree within fnn's own records, and fields that are positive.
_DIMS: dict[type, dict[str, tuple[str, ...]]] = {
    DenseParams: {"weight": ("n_in", "n_out"), "bias": ("n_out",)},
    NormParams: {"scale": ("n",), "shift": ("n",)},
    BatchNormState: {"mean": ("n",), "var": ("n",)},
}
POSITIVE: dict[type, tuple[str, ...]] = {BatchNormState: ("var",)}

# Types that contain themselves end here: nothing where there may be nothing, and no more parts.
_MAX_DEPTH = 4


def trees(
    cls: type[T],
    /,
    *,
    dims: Dims | None = None,
    parts: Parts | None = None,
    min_side: int = 1,
    max_side: int = 3,
    **entries: Unpack[Entries],
) -> SearchStrategy[T]:
    """Trees of a type, from its annotations: any frozen dataclass, NamedTuple, or a type such as `tuple[fnn.Array2, ...]`.

    Understood are fnn's array types (Array .. Array4, Scalar, Ints, Int1, Int2, Bools) and NumPy's with a dtype, which they
    keep; nested and generic dataclasses, tuples of fixed and any length, NamedTuples, lists, dicts with keys str or int,
    unions and None, fnn.Key and fnn.Mode; int, float, str; and whatever `hypothesis.strategies.from_type` knows, as bool,
    Literal and Enum. Integer entries lie in [0, 9].

    dims: sizes by path, as `fnn.tree.paths` writes it, with `[*]` for any index or key. Axes with the same name are of the
    same size; an int is that size. All other axes are drawn from [min_side, max_side]. Within DenseParams, NormParams and
    BatchNormState the sizes agree, and variances are positive.
    parts: strategies for parts by path, for what the annotation does not say (a rate in [0, 1), say).
    The rest is as in `Entries`.

    Drawing raises TypeError, with the path, where an annotation is not understood; ValueError where dims do not fit.

    >>> import fnn
    >>> from hypothesis import find
    >>> nets = trees(tuple[fnn.DenseParams, fnn.DenseParams], dims={"[0].weight": (4, "width"), "[1].weight": ("width", 1)})
    >>> find(nets, lambda net: net[0].bias.size > 1)
    (DenseParams(weight=f32[4,2], bias=f32[2]), DenseParams(weight=f32[2,1], bias=f32[1]))
    """
    return _tree(cls, dims or {}, parts or {}, (min_side, max_side), entries)


@st.composite
def _tree(draw: DrawFn, cls: Any, dims: Dims, parts: Parts, sides: tuple[int, int], entries: Entries) -> Any:
    # Structure and shapes are drawn first and all numbers after them: where Hypothesis takes a part away or makes an axis
    # shorter, the choices behind it still mean what they meant.
    make = _Plan(draw, dims, parts, st.integers(*sides), entries).part(cls, "", 0)
    made = make()
    leaves(made)  # refuses what is no tree: a dataclass that is not frozen
    return made


@st.composite
def _perhaps(draw: DrawFn, plan: _Plan, kind: Any, path: str, depth: int) -> tuple[Any, ...]:
    # The choice whether there is a part, its structure and its numbers in one strategy: Hypothesis can take it away as a whole.
    if depth >= _MAX_DEPTH or not draw(st.booleans()):
        return ()
    return (dataclasses.replace(plan, draw=draw).part(kind, path, depth)(),)


@dataclass(frozen=True)
class _Plan:
    """The structure of one tree, drawn part by part: a part is a function that draws its numbers and puts it together.

    The sizes of the named axes are drawn when they first occur.
    """

    draw: DrawFn
    dims: Dims
    parts: Parts
    side: SearchStrategy[int]
    entries: Entries
    sizes: dict[str, int] = field(default_factory=dict)

    def part(self, kind: Any, path: str, depth: int, dims: tuple[str | int, ...] | None = None) -> Make:
        """What makes a value of the type `kind`. dims: the names of the axes, where the record that it is part of knows."""
        given = _at(self.parts, path)
        if given is not None:
            return partial(self.draw, given)
        kind = getattr(kind, "__value__", kind)  # `type Weight = fnn.Array2` of Python 3.12
        origin, args = typing.get_origin(kind) or kind, typing.get_args(kind)
        if origin is Union or origin is types.UnionType:
            return self.one_of(args, path, depth)
        if origin is typing.Literal:
            return partial(self.draw, st.sampled_from(args))
        if origin is tuple and kind is not tuple and Ellipsis not in args:
            fixed = [self.part(arg, f"{path}[{i}]", depth) for i, arg in enumerate(args)]
            return lambda: tuple([make() for make in fixed])
        if origin in (tuple, list) and args:
            return self.several(args[0], [f"{path}[{i}]" for i in range(3)], depth, origin)
        if origin is dict and args and args[0] in (str, int):
            names: list[Any] = list("abc") if args[0] is str else [0, 1, 2]
            places = [f"{path}[{name!r}]" for name in names]
            return self.several(args[1], places, depth, lambda made: dict(zip(names, made, strict=False)))
        if not isinstance(origin, type) or origin in (tuple, list, dict, object, Any):
            self.refuse(kind, path)
        if issubclass(origin, (np.ndarray, np.generic)):
            return self.leaf(origin, args, path, dims or _at(self.dims, path))
        if origin is Key:
            return partial(self.draw, keys())
        if dataclasses.is_dataclass(origin):
            return self.record(origin, args, path, depth + 1)
        if issubclass(origin, tuple) and "_fields" in vars(origin):
            return self.record(origin, (), path, depth + 1)
        return partial(self.draw, _STATIC[origin] if origin in _STATIC else st.from_type(origin if not args else kind))

    def one_of(self, options: tuple[Any, ...], path: str, depth: int) -> Make:
        """One of the types of a union, None first."""
        kinds = [kind for kind in options if kind is not type(None)]
        if len(kinds) == len(options):
            return self.part(self.draw(st.sampled_from(kinds)), path, depth)
        some = self.draw(_perhaps(self, Union[tuple(kinds)], path, depth))  # noqa: UP007 (of a tuple)
        return lambda: some[0] if some else None

    def several(self, kind: Any, paths: list[str], depth: int, container: Callable[[list[Any]], Any]) -> Make:
        """Parts of one type, any number."""
        made: list[Any] = []
        for path in paths:
            part = self.draw(_perhaps(self, kind, path, depth + 1))
            if not part:
                break
            made += part
        return lambda: container(made)

    def record(self, cls: type, args: tuple[Any, ...], path: str, depth: int) -> Make:
        """A dataclass or NamedTuple from its annotations."""
        kinds = _kinds(cls, args, path)
        names = [f.name for f in dataclasses.fields(cls) if f.init] if dataclasses.is_dataclass(cls) else list(kinds)
        dims = self.dims_of(cls, path)
        fields = {}
        for name in names:
            above_zero = name in POSITIVE.get(cls, ())
            plan = dataclasses.replace(self, entries=positive(self.entries)) if above_zero else self
            fields[name] = plan.part(kinds[name], f"{path}.{name}", depth, dims.get(name))

        def make() -> Any:
            made = {name: field() for name, field in fields.items()}
            try:
                return cls(**made)
            except Exception as error:
                where = path or "the root"
                error.add_note(f"strategies.trees: made {cls.__name__} at {where}; say how to draw a part with parts=")
                raise

        return make

    def dims_of(self, cls: type, path: str) -> dict[str, tuple[str | int, ...]]:
        """The names of the axes of fnn's own records, by field: what the caller calls them, or names of this record only."""
        rule = _DIMS.get(cls, {})
        known: dict[str, str | int] = {}
        for name, own in rule.items():
            for axis, called in zip(own, _at(self.dims, f"{path}.{name}") or (), strict=False):
                if known.setdefault(axis, called) != called:
                    raise ValueError(
                        f"trees: dims calls the axis {axis} of {path or cls.__name__} both {known[axis]!r} and {called!r}"
                    )
        return {name: tuple([known.get(axis, f"{path}:{axis}") for axis in own]) for name, own in rule.items()}

    def leaf(self, cls: type, args: tuple[Any, ...], path: str, dims: tuple[str | int, ...] | None) -> Make:
        """An array or a NumPy scalar."""
        array = issubclass(cls, np.ndarray)
        kind = _dtype(args[1] if array and len(args) > 1 else np.floating if array else cls)
        shape = self.shape(args[0] if array and args else None, path, dims) if array else ()
        if issubclass(kind, np.floating):
            concrete: Entries = {**self.entries, "dtype": kind}
            entries: SearchStrategy[Any] = arrays(shape, **(self.entries if kind in _ABSTRACT else concrete))
        elif issubclass(kind, np.integer):
            entries = integers(shape, 0, 9, np.int64 if kind in _ABSTRACT else kind)
        elif issubclass(kind, np.bool_):
            entries = bools(shape)
        else:
            self.refuse(kind, path)
        return lambda: self.draw(entries) if array else self.draw(entries)[()]

    def shape(self, annotated: Any, path: str, dims: tuple[str | int, ...] | None) -> tuple[int, ...]:
        """The shape of an array whose type says the rank, or does not."""
        ranks = typing.get_args(annotated)
        rank = len(ranks) if ranks and Ellipsis not in ranks else None
        if dims is None:
            return tuple([self.draw(self.side) for _ in range(self.draw(st.integers(1, 3)) if rank is None else rank)])
        if rank not in (None, len(dims)):
            raise ValueError(f"trees: dims has {dims} for {path or 'the root'}, which has rank {rank}")
        return tuple([self.size(dim) for dim in dims])

    def size(self, dim: str | int) -> int:
        """The size of an axis, by name."""
        if isinstance(dim, int):
            return dim
        if dim not in self.sizes:
            self.sizes[dim] = self.draw(self.side)
        return self.sizes[dim]

    def refuse(self, kind: Any, path: str) -> NoReturn:
        """TypeError for an annotation that does not say what to draw."""
        raise TypeError(
            f"trees: {path or 'the root'} is annotated {kind}, which does not say what to draw: annotate it with an array "
            f"type, a frozen dataclass or a container of such, or give a strategy: parts={{{path!r}: ...}}"
        )


_ABSTRACT = (np.floating, np.integer, np.signedinteger, np.unsignedinteger, np.inexact, np.number)
_STATIC: dict[type, SearchStrategy[Any]] = {
    int: st.integers(-9, 9),
    float: st.floats(-2, 2, width=16),
    str: st.text("abcdefghijklmnopqrstuvwxyz", max_size=3),
}


def _at(by_path: Mapping[str, Any], path: str) -> Any:
    return by_path.get(path, by_path.get(re.sub(r"\[[^]]*]", "[*]", path)))


def _parameters(kind: Any) -> tuple[Any, ...]:
    """The type parameters of a generic class or annotation."""
    return getattr(kind, "__parameters__", ())


def _kinds(cls: Any, args: tuple[Any, ...], path: str) -> dict[str, Any]:
    """The types of the fields of a class, its type parameters and those of its bases replaced."""
    arguments = dict(zip(_parameters(cls), args, strict=False))
    kinds: dict[str, Any] = {}
    for base in reversed(vars(cls).get("__orig_bases__", cls.__bases__)):
        origin = typing.get_origin(base) or base
        if dataclasses.is_dataclass(origin):
            kinds |= _kinds(origin, tuple([_substitute(arg, arguments) for arg in typing.get_args(base)]), path)
    hints = _annotations(cls, path)
    return kinds | {name: _substitute(hints[name], arguments) for name in inspect.get_annotations(cls)}


def _substitute(kind: Any, arguments: dict[Any, Any]) -> Any:
    """An annotation with the type parameters replaced."""
    if isinstance(kind, TypeVar):
        return arguments.get(kind, kind)
    free = _parameters(kind)
    return kind[tuple([arguments.get(parameter, parameter) for parameter in free])] if free else kind


def _annotations(cls: type, path: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls)
    except NameError as error:
        raise TypeError(
            f"trees: an annotation of {cls.__name__}, at {path or 'the root'}, names {error.name!r}, which its module does not "
            "have at run time: move the class out of the function, or the import out of `if TYPE_CHECKING`"
        ) from None


def _dtype(kind: Any) -> type[np.generic]:
    """The scalar type of `np.dtype[np.floating[Any]]`, `np.floating[Any]` or `np.float32`."""
    inner = typing.get_args(kind)
    origin = typing.get_origin(kind) or kind
    found: Any = _dtype(inner[0]) if origin is np.dtype and inner else origin
    return found if isinstance(found, type) and issubclass(found, np.generic) else np.floating


def positive(entries: Entries) -> Entries:
    """The same, from a quarter up."""
    return {**entries, "low": max(entries.get("low", 0.25), 0.25), "high": max(entries.get("high", 2.0), 2.0)}
