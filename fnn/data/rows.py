"""Reading rows of data: of arrays, trees of arrays, memory maps, and any object with a length that can be indexed."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar, overload

import numpy as np

from fnn.arrays import Int1, Value, describe, read_only
from fnn.tree import Structure, flatten, leaves, paths, show
from fnn.tree.structure import is_leaf, rebuild

if TYPE_CHECKING:
    from fnn.tree.structure import DataclassInstance

    Data: TypeAlias = np.ndarray[Any, Any] | DataclassInstance | tuple[Any, ...] | list[Any] | dict[str, Any]
else:
    Data = object

D = TypeVar("D", bound=Data)
B = TypeVar("B")
Item = TypeVar("Item")
B_co = TypeVar("B_co", covariant=True)


class Rows(Protocol[B_co]):
    """What can be read by rows: `len(source)` rows, and `source[rows]`, with rows an integer array, reads some of them."""

    def __len__(self) -> int: ...
    def __getitem__(self, rows: Int1, /) -> B_co: ...


class Items(Protocol[B_co]):
    """What can be read one by one: `len(items)` of them, and `items[i]` is one."""

    def __len__(self) -> int: ...
    def __getitem__(self, i: int, /) -> B_co: ...


class Reader(Generic[B]):
    """Data taken apart once, so that rows are read quickly: `len(reader)` rows; `reader.rows(rows)` reads some."""

    __slots__ = ("_n", "_name", "_sources", "_structure")

    def __init__(self, name: str, data: Any) -> None:
        sources: list[tuple[str, Any]] = []
        lists: dict[str, int] = {}

        def take_out(path: str, part: Any) -> tuple[bool, Any]:
            if part.__class__ is list and all([isinstance(each, (bool, int, float, str)) for each in part]):
                lists[path] = len(part)
            elif isinstance(part, Mapping) and part.__class__ is not dict:
                what = f"{path or 'the data'} is a {type(part).__name__}, a mapping that is no dict"
                raise TypeError(f"{name}: {what}; a dict of arrays is data: write dict(it)")
            if not (is_leaf(part) or _is_source(part)):
                return False, part
            sources.append((path, part))
            return True, _PLACE

        structure: Structure[Any] = flatten(rebuild(data, "", take_out))[1]
        self._name = name
        self._structure = structure
        self._n = _count(name, data, sources)
        for path, length in lists.items():
            if length == self._n:  # it would be the same in every batch
                raise TypeError(f"{name}: {path} is a list of {length} values, as many as there are rows; write np.array(it)")
        self._sources = [_reader(name, path, part) for path, part in sources]

    def __len__(self) -> int:
        return self._n

    def rows(self, rows: Int1) -> B:
        """A tree of the same type with these rows, in this order: arrays of its own, read-only."""
        made: B = self._structure.unflatten([read(rows) for read in self._sources])
        return made


_PLACE = read_only(np.empty(0))


def _is_source(part: Any) -> bool:
    """Whether this is not a tree, and can be indexed: what a tree would carry along as one static thing."""
    cls = part.__class__
    if cls in (tuple, list, dict, str, bytes) or hasattr(cls, "__dataclass_fields__") or isinstance(part, (type, tuple)):
        return False
    return hasattr(cls, "__len__") and hasattr(cls, "__getitem__")


def _count(name: str, data: Any, sources: list[tuple[str, Any]]) -> int:
    if not sources:
        raise TypeError(
            f"{name}: the data is {show(data)}, with nothing in it that has rows; expected arrays, a tree of arrays, or an "
            "object with __len__ and __getitem__ that is no dataclass, which is a tree; for a list of numbers: np.array(it), "
            "of examples: fnn.data.examples(it); for a generator: fnn.data.batches_of"
        )
    for path, part in sources:
        if is_leaf(part) and not part.shape:
            raise ValueError(f"{name}: the leaf {path or 'at the root'} is {describe(part)}, expected an axis of rows first")
    lengths = [len(part) for _, part in sources]
    for (path, _), length in zip(sources, lengths, strict=True):
        if length != lengths[0]:
            raise ValueError(
                f"{name}: {path} has {length} rows but {sources[0][0]} has {lengths[0]}; all parts must have equal first axes"
            )
    return lengths[0]


def _reader(name: str, path: str, part: Any) -> Callable[[Int1], Any]:
    if not is_leaf(part):
        return partial(_read_object, name, path, part)
    x: Value = np.asarray(part)
    return partial(_read_mapped if _is_mapped(x) else _read_array, x)


def _read_array(x: Value, rows: Int1) -> Value:
    return read_only(x[rows])


def _read_mapped(x: Value, rows: Int1) -> Value:
    """Rows of a file: read from front to back, and put in their order in memory."""
    back = np.argsort(rows, kind="stable")
    y = np.empty((len(rows), *x.shape[1:]), x.dtype)
    y[back] = x[rows[back]]
    return read_only(y)


def _is_mapped(x: Value) -> bool:
    owner = x
    while owner is not None and not isinstance(owner, mmap.mmap):
        owner = getattr(owner, "base", None)
    return owner is not None


def _read_object(name: str, path: str, source: Any, rows: Int1) -> Any:
    what = f"{path or 'the data'}, a {type(source).__name__},"
    advice = (
        "an object that gives one example for one number is read with fnn.data.examples(it), one that has arrays by the "
        "names of columns becomes one array by it.to_numpy()"
    )
    try:
        found = source[rows]
    except (TypeError, LookupError) as error:
        if not isinstance(source, (Examples, Subset)):
            error.add_note(f"{name}: {what} was indexed with an integer array of {len(rows)} rows; {advice}")
        raise
    if isinstance(source, Examples):  # what its function makes of examples is its own business
        return found
    for at, leaf in paths(found):
        if np.shape(leaf)[:1] != (len(rows),):
            raise ValueError(
                f"{name}: {what} was asked for {len(rows)} rows and gave {describe(leaf)}{' at ' + at if at else ''}; {advice}"
            )
    if not leaves(found):
        raise TypeError(f"{name}: {what} was asked for {len(rows)} rows and gave {show(found)}, without an array; {advice}")
    return found


class Subset(Generic[B]):
    """Some rows of data, read when they are asked for: see `subset`."""

    __slots__ = ("_chosen", "_reader")

    def __init__(self, reader: Reader[B], chosen: Int1, /) -> None:
        self._reader = reader
        self._chosen = chosen

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, rows: Int1, /) -> B:
        return self._reader.rows(self._chosen[rows])


@overload
def subset(data: D, rows: Int1, /) -> Subset[D]: ...
@overload
def subset(data: Rows[B], rows: Int1, /) -> Subset[B]: ...
def subset(data: Any, rows: Int1, /) -> Subset[Any]:
    """These rows of the data, as data: nothing is copied. A part of data that is larger than memory, with `split(n, ...)`.

    Raises ValueError where the data has no such row.

    >>> import fnn
    >>> train, test = fnn.data.split(10, (0.8, 0.2), fnn.key(0))
    >>> for x, y in fnn.batches(subset((np.arange(10) * 10, np.arange(10)), test), 2):
    ...     print(x, y)
    [ 0 50] [0 5]
    """
    reader: Reader[Any] = Reader("subset", data)
    chosen = np.asarray(rows)
    if chosen.dtype.kind not in "iu" or chosen.ndim != 1:
        raise TypeError(f"subset: rows is {describe(chosen)}, expected the numbers of rows, as fnn.data.split(n, ...) gives")
    if chosen.size and (chosen.min() < 0 or chosen.max() >= len(reader)):
        raise ValueError(f"subset: rows go from {chosen.min()} to {chosen.max()}, but the data has {len(reader)} rows")
    return Subset(reader, read_only(np.array(chosen)))


class Examples(Generic[B]):
    """Single examples, read and joined when they are asked for: see `examples`."""

    __slots__ = ("_collate", "_items")

    def __init__(self, items: Items[Any], collate: Callable[[Sequence[Any]], B], /) -> None:
        self._items = items
        self._collate = collate

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, rows: Int1, /) -> B:
        return self._collate([self._items[i] for i in rows.tolist()])


@overload
def examples(items: Items[Any], /) -> Examples[Any]: ...
@overload
def examples(items: Items[Item], collate: Callable[[Sequence[Item]], B], /) -> Examples[B]: ...
def examples(items: Any, collate: Callable[[Sequence[Any]], Any] | None = None, /) -> Examples[Any]:
    """Data of single examples: of any object with a length that gives one example for a number, as a list does.

    collate makes one batch of a list of examples, and says its type; the default, `fnn.data.stacked`, stacks their arrays and
    numbers, and its batches are Any to a type checker.

    >>> import fnn
    >>> words = examples(["a", "bcd", "ef"], lambda found: np.array([len(word) for word in found]))
    >>> [lengths.tolist() for lengths in fnn.batches(words, 2)]
    [[1, 3], [2]]
    """
    return Examples(items, stacked if collate is None else collate)


def stacked(found: Sequence[Any], /) -> Any:
    """Examples of one kind, as one tree: their arrays and numbers stacked along a new first axis. A float becomes float32.

    Every rank is one higher than in an example, which no type can say: annotate the batch.

    Raises ValueError where there is no example or they differ in structure or shape.

    >>> stacked([(np.zeros(2), 3), (np.ones(2), 4)])
    (array([[0., 0.],
           [1., 1.]]), array([3, 4]))
    """
    if not found:
        raise ValueError("stacked: there is no example; its shapes are not known")
    trees: list[Any] = [rebuild(example, "", _as_array) for example in found]
    first, structure = flatten(trees[0])
    columns = [structure.leaves_of(tree) for tree in trees]
    for i, column in enumerate(columns):
        if column is None or any([a.shape != b.shape for a, b in zip(column, first, strict=True)]):
            raise ValueError(f"stacked: example {i} is {show(trees[i])} but the first is {show(trees[0])}; all must be alike")
    return structure.unflatten([read_only(np.stack(parts)) for parts in zip(*[c or () for c in columns], strict=True)])


def _as_array(path: str, part: Any) -> tuple[bool, Any]:
    if isinstance(part, float):
        return True, np.asarray(part, np.float32)
    return (True, np.asarray(part)) if isinstance(part, (int, bool)) else (False, part)
