"""Pytrees: taking apart and putting together, the functions over trees, and that nobody's arrays are touched."""

from __future__ import annotations

import collections
import copy
import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn
from fnn import tree
from fnn.tree import Layout, flatten

Tree = Any  # a pytree of any type
T = TypeVar("T")


class Pair(NamedTuple):
    first: Any
    second: Any


@dataclass(frozen=True)
class Net:
    hidden: Any
    out: Any


@dataclass(frozen=True, slots=True)
class Slotted:
    weight: Any
    scale: Any


@dataclass(frozen=True)
class Parent:
    a: Any


@dataclass(frozen=True, slots=True)
class SlottedChild(Parent):
    b: Any


@dataclass(frozen=True)
class Box(Generic[T]):
    content: T
    label: str = "box"


@dataclass(frozen=True)
class Empty:
    pass


@dataclass
class Thawed:
    weight: Any


def draw(dtype: Any, shape: tuple[int, ...], seed: int) -> Any:
    return np.asarray(10 * np.random.default_rng(seed).normal(size=shape), np.float64).astype(dtype)


arrays = st.builds(
    draw,
    st.sampled_from([np.float32, np.float64, np.int64, np.bool_]),
    st.sampled_from([(), (3,), (2, 2), (0,), (1, 2, 1)]),
    st.integers(0, 99),
)
floats = st.builds(
    draw,
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from([(), (3,), (2, 2), (0,)]),
    st.integers(0, 99),
)
scalars = st.sampled_from([np.float32(1.5), np.float64(-2.0)])
statics = st.sampled_from([None, 3, "relu", 0.5, True, np.tanh, frozenset({1})])


def trees_of(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves | statics,
        lambda part: st.one_of(
            st.lists(part, max_size=3),
            st.lists(part, max_size=3).map(tuple),
            st.dictionaries(st.sampled_from(["w", "b", "it's"]), part, max_size=3),
            st.builds(Pair, part, part),
            st.builds(Net, part, part),
            st.builds(Slotted, part, part),
            st.builds(SlottedChild, part, part),
            st.builds(Box, part),
            st.builds(Empty),
        ),
        max_leaves=8,
    )


trees = trees_of(arrays | scalars)
floating_trees = trees_of(floats | scalars)


def skeleton(part: Tree) -> object:
    """The types, keys and static values of a tree, found without fnn: what every function over trees keeps."""
    if isinstance(part, (np.ndarray, np.generic)):
        return "leaf"
    if isinstance(part, dict):
        return (dict, [(key, skeleton(value)) for key, value in part.items()])
    if isinstance(part, (tuple, list)):
        return (type(part), [skeleton(value) for value in part])
    if dataclasses.is_dataclass(part):
        return (type(part), [skeleton(getattr(part, field.name)) for field in dataclasses.fields(part)])
    return part


def scalar_leaves(t: Tree) -> list[bool]:
    return [isinstance(leaf, np.generic) for leaf in tree.leaves(t)]


def flags(t: Tree) -> list[bool]:
    return [leaf.flags.writeable for leaf in tree.leaves(t)]


def shares_memory(a: Tree, b: Tree) -> bool:
    return any(np.shares_memory(x, y) for x in tree.leaves(a) for y in tree.leaves(b))


# Taking apart and putting together


@given(t=trees)
def test_flatten_and_unflatten_are_inverse(t: Tree) -> None:
    leaves, structure = flatten(t)
    again = structure.unflatten(leaves)
    assert skeleton(again) == skeleton(t)
    assert [id(leaf) for leaf in tree.leaves(again)] == [id(leaf) for leaf in leaves]
    assert structure.n_leaves == len(leaves)


@given(t=trees)
def test_paths_are_what_a_reader_writes_behind_the_name(t: Tree) -> None:
    found = tree.paths(t)
    assert len({path for path, _ in found}) == len(found)
    assert [id(leaf) for _, leaf in found] == [id(leaf) for leaf in tree.leaves(t)]
    for path, leaf in found:
        assert eval(f"t{path}", {"t": t}) is leaf


@given(t=trees, other=trees)
def test_structures_are_values(t: Tree, other: Tree) -> None:
    leaves, structure = flatten(t)
    assert structure == flatten(t)[1]
    assert hash(structure) == hash(flatten(t)[1])
    assert (structure == flatten(other)[1]) == (skeleton(t) == skeleton(other))
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(structure, protocol))
        assert again == structure
        assert skeleton(again.unflatten(leaves)) == skeleton(t)
        assert [id(leaf) for leaf in again.leaves_of(t)] == [id(leaf) for leaf in leaves]


def test_structures_differ_by_type_key_size_and_static_value() -> None:
    x = np.ones(1)
    alike: list[Tree] = [
        (x,),
        [x],
        {"a": x},
        {"b": x},
        (x, x),
        Pair(x, x),
        Net(x, x),
        Slotted(x, x),
        (x, None),
        (x, 3),
        (x, 3.0),
        x,
        None,
    ]
    for i, a in enumerate(alike):
        for j, b in enumerate(alike):
            assert (flatten(a)[1] == flatten(b)[1]) == (i == j)
            assert tree.equal(a, b) == (i == j)


def test_structure_shows_the_tree_with_stars() -> None:
    assert repr(flatten({"a": np.ones(2), "b": (np.zeros(1), 3)})[1]) == "Structure({'a': *, 'b': (*, 3)})"
    assert repr(flatten(fnn.DenseParams.init(fnn.key(0), 2, 3))[1]) == "Structure(DenseParams(weight=*, bias=*))"


def test_unflatten_wants_as_many_leaves_as_there_were() -> None:
    structure = flatten((np.ones(1), np.ones(2)))[1]
    for n in (0, 1, 3):
        with pytest.raises(ValueError, match=f"unflatten got {n} leaves for a structure with 2"):
            structure.unflatten([np.ones(1)] * n)


def test_a_dict_keeps_its_order_and_meets_another_by_key() -> None:
    a = {"w": np.array([1.0]), "b": np.array([2.0])}
    b = {"b": np.array([20.0]), "w": np.array([10.0])}
    assert [path for path, _ in tree.paths(a)] == ["['w']", "['b']"]
    total = tree.map(np.add, a, b)
    assert [(key, float(value[0])) for key, value in total.items()] == [("w", 11.0), ("b", 22.0)]
    assert tree.equal(a, {"b": a["b"], "w": a["w"]})


def test_generic_and_inherited_dataclasses_keep_their_fields() -> None:
    boxed = tree.map(np.negative, Box[Any](np.ones(2), "mine"))
    assert (boxed.label, boxed.content.tolist()) == ("mine", [-1.0, -1.0])
    child = tree.map(np.negative, SlottedChild(np.ones(1), np.ones(2)))
    assert (child.a.tolist(), child.b.tolist()) == ([-1.0], [-1.0, -1.0])


# What is no tree


def test_a_dataclass_that_is_not_frozen_is_refused_with_the_fix() -> None:
    expected = r"Thawed is a dataclass that is not frozen(.|\n)*@dataclass\(frozen=True\)\n    class Thawed"
    thawed = Thawed(np.ones(2))
    calls: list[Callable[[], object]] = [
        lambda: tree.leaves(thawed),
        lambda: tree.map(np.negative, (np.ones(1), thawed)),
        lambda: tree.equal(thawed, thawed),
        lambda: tree.freeze([thawed]),
        lambda: fnn.vjp(lambda p: p, thawed),
        lambda: fnn.Sgd(0.1).init(thawed),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=expected):
            call()


class Tuple(tuple[Any, ...]):
    __slots__ = ()


class List(list[Any]):
    pass


@pytest.mark.parametrize(
    ("part", "name", "base"),
    [
        (Tuple((np.ones(1),)), "Tuple", "tuple"),
        (List([np.ones(1)]), "List", "list"),
        (collections.OrderedDict(a=np.ones(1)), "OrderedDict", "dict"),
        (collections.defaultdict(int, a=1), "defaultdict", "dict"),
        (collections.Counter(), "Counter", "dict"),
    ],
)
def test_subclasses_of_containers_are_refused_with_the_fix(part: Tree, name: str, base: str) -> None:
    for t in (part, (part,), {"a": part}):
        with pytest.raises(TypeError, match=f"{name} is a subclass of {base}.*use a plain {base} or a frozen dataclass"):
            tree.leaves(t)


def test_a_field_that_was_never_set_is_named() -> None:
    half: Any = object.__new__(Net)
    half.__dict__["hidden"] = np.ones(1)
    with pytest.raises(TypeError, match="Net has a field out that was never set"):
        tree.leaves(half)


# map


@given(t=trees)
def test_map_keeps_types_static_parts_and_scalars(t: Tree) -> None:
    for f in (np.copy, np.sum, np.zeros_like, lambda leaf: leaf, lambda leaf: np.zeros(())):
        mapped = tree.map(f, t)
        assert skeleton(mapped) == skeleton(t)
        assert scalar_leaves(mapped) == scalar_leaves(t)
        assert not any(flags(mapped))
    assert tree.equal(tree.map(lambda leaf: leaf, t), t)


@given(t=trees)
def test_map_of_several_trees_takes_the_leaves_at_the_same_place(t: Tree) -> None:
    two = tree.map(lambda leaf: np.asarray(leaf * 2), tree.map(lambda leaf: leaf.astype(np.float64), t))
    three = tree.map(lambda a, b, c: a - b + c, two, two, tree.map(lambda leaf: leaf + 1, two))
    for a, b in zip(tree.leaves(two), tree.leaves(three), strict=True):
        np.testing.assert_array_equal(a + 1, b)
    four: Tree = tree.map(lambda *leaves: np.asarray(len(leaves)), t, t, t, t)
    assert all(leaf == 4 for leaf in tree.leaves(four))


@given(t=trees)
def test_map_touches_no_array_of_the_caller(t: Tree) -> None:
    before, values = flags(t), [leaf.copy() for leaf in tree.leaves(t)]
    everything = [
        lambda leaf: leaf,
        lambda leaf: leaf.reshape(-1),
        lambda leaf: leaf[...],
        lambda leaf: np.broadcast_to(leaf, (2, *leaf.shape)),
    ]
    for f in everything:
        mapped = tree.map(f, t)
        assert not any(flags(mapped))
        assert not shares_memory(mapped, t)
    assert flags(t) == before
    assert all(np.array_equal(a, b) for a, b in zip(values, tree.leaves(t), strict=True))


def test_map_shares_what_nobody_can_write_to() -> None:
    kept = tree.freeze(np.ones(3))
    assert tree.map(lambda leaf: leaf, (kept,))[0] is kept


def test_map_copies_an_array_that_f_still_holds() -> None:
    mine = np.zeros(2)
    mapped = tree.map(lambda leaf: mine, (np.ones(1),))
    mine[0] = 5
    assert mapped[0].tolist() == [0.0, 0.0]


x1 = np.ones(1)


@pytest.mark.parametrize(
    ("a", "b", "where"),
    [
        ((x1, x1), (x1,), "at the root one has 2 parts and the other 1"),
        ([x1], (x1,), "at the root one has a list and the other a tuple"),
        ({"a": x1}, {"b": x1}, "at the root one has the keys ['a'] and the other ['b']"),
        ({"a": (x1, None)}, {"a": (x1, x1)}, "at ['a'][1] one has None and the other an array"),
        (Net(x1, x1), Net(x1, [x1]), "at .out one has an array and the other a list"),
        (Net(x1, x1), Slotted(x1, x1), "at the root one has a Net and the other a Slotted"),
        (Net(x1, "relu"), Net(x1, "tanh"), "at .out one has the static value 'relu' and the other 'tanh'"),
        (Pair(x1, (x1, x1)), Pair(x1, (x1, 3)), "at .second[1] one has an array and the other 3"),
        ((x1, 1), (x1, 1.0), "at [1] one has 1 and the other 1.0"),
        ((x1, 1), (x1, True), "at [1] one has 1 and the other True"),
    ],
)
def test_unlike_trees_are_told_apart_with_the_path(a: Tree, b: Tree, where: str) -> None:
    with pytest.raises(ValueError, match=r"tree\.map: the trees differ: at") as caught:
        tree.map(np.add, a, b)
    assert where in str(caught.value)
    assert not tree.equal(a, b)


@pytest.mark.parametrize(("value", "kind"), [(1.0, "float"), (None, "NoneType"), ([1.0], "list"), (x1 > 0, None)])
def test_map_wants_arrays_back(value: Any, kind: str | None) -> None:
    t: Tree = {"a": Net(None, (x1,))}
    if kind is None:
        assert tree.map(lambda leaf: value, t)["a"].out[0].dtype == np.bool_
        return
    with pytest.raises(TypeError, match=rf"tree\.map: f returned {kind} for \['a'\]\.out\[0\], expected an array"):
        tree.map(lambda leaf: value, t)
    with pytest.raises(TypeError, match="for the root"):
        tree.map(lambda leaf: value, x1)


# Functions of whole trees


@given(t=trees, other=trees)
def test_equal_compares_structure_dtype_shape_and_bits(t: Tree, other: Tree) -> None:
    assert tree.equal(t, copy.deepcopy(t))
    by_hand = skeleton(t) == skeleton(other) and all(
        (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
        for a, b in zip(tree.leaves(t), tree.leaves(other), strict=True)
    )
    assert tree.equal(t, other) == by_hand


def test_equal_sees_one_bit_and_nan_equals_nan() -> None:
    a = np.array([1.0, np.nan, np.inf])
    assert tree.equal((a,), (a.copy(),))
    for b in (np.array([1.0, np.nan, -np.inf]), np.array([np.nextafter(1, 2), np.nan, np.inf]), a[:2], a.astype(np.float32)):
        assert not tree.equal((a,), (b,))
    assert not tree.equal((np.ones((1, 2)),), (np.ones((2, 1)),))


def test_equal_has_no_gradient() -> None:
    def f(p: fnn.Array1) -> fnn.Scalar:
        tree.equal(p, np.ones(2))
        return np.sum(p)

    with pytest.raises(TypeError, match=r"tree\.equal.*being differentiated"):
        fnn.grad(f)(np.zeros(2))


@given(t=trees)
def test_size_zeros_like_and_astype(t: Tree) -> None:
    assert tree.size(t) == sum([leaf.size for leaf in tree.leaves(t)])
    zeros = tree.zeros_like(t)
    assert skeleton(zeros) == skeleton(t)
    assert [(leaf.shape, leaf.dtype) for leaf in tree.leaves(zeros)] == [(leaf.shape, leaf.dtype) for leaf in tree.leaves(t)]
    assert not any(np.any(leaf) for leaf in tree.leaves(zeros))
    for dtype in (np.float32, "float64"):
        cast = tree.astype(t, dtype)
        assert skeleton(cast) == skeleton(t)
        assert scalar_leaves(cast) == scalar_leaves(t)
        for a, b in zip(tree.leaves(t), tree.leaves(cast), strict=True):
            assert b.dtype == (np.dtype(dtype) if a.dtype.kind == "f" else a.dtype)
            np.testing.assert_array_equal(a.astype(b.dtype), b)


@given(t=floating_trees)
def test_ravel_and_unravel_are_inverse(t: Tree) -> None:
    vector, unravel = tree.ravel(t)
    leaves = tree.leaves(t)
    assert (vector.ndim, vector.size) == (1, tree.size(t))
    assert vector.dtype == (np.result_type(*[leaf.dtype for leaf in leaves]) if leaves else np.float32)
    np.testing.assert_array_equal(vector, np.concatenate([np.zeros(0), *[leaf.reshape(-1) for leaf in leaves]]))
    again = unravel(vector)
    assert tree.equal(again, t)
    assert scalar_leaves(again) == scalar_leaves(t)
    assert not vector.flags.writeable
    assert not any(flags(again))
    assert not shares_memory((vector, again), t)


def test_ravel_says_what_does_not_fit() -> None:
    with pytest.raises(TypeError, match=r"tree\.ravel: the leaf \['n'\] is i64\[2\], expected floating numbers"):
        tree.ravel({"w": np.ones(1), "n": np.arange(2)})
    _, unravel = tree.ravel((np.ones(2), np.ones(1)))
    with pytest.raises(ValueError, match=r"unravel got shape \(2,\), expected \(3,\)"):
        unravel(np.ones(2))
    with pytest.raises(TypeError, match="unravel got a list, expected a vector of 3 numbers"):
        unravel([1.0, 2.0, 3.0])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # what the test is about


def test_ravel_can_be_differentiated_both_ways() -> None:
    t = {"w": np.array([[1.0, 2.0]]), "b": np.float64(3.0)}
    weights = np.array([5.0, 6.0, 7.0])

    def by_vector(p: Any) -> Any:
        return np.sum(tree.ravel(p)[0] * weights)

    grads = fnn.grad(by_vector)(t)
    assert (grads["w"].tolist(), float(grads["b"])) == ([[5.0, 6.0]], 7.0)
    vector, unravel = tree.ravel(t)

    def by_tree(v: Any) -> Any:
        p: Tree = unravel(v)
        return np.sum(p["w"]) * 2 + p["b"]

    assert fnn.grad(by_tree)(vector).tolist() == [2.0, 2.0, 1.0]


@given(t=trees, seed=st.integers(0, 99))
def test_replace_at_replaces_one_leaf_and_shares_the_others(t: Tree, seed: int) -> None:
    found = tree.paths(t)
    if not found:
        return
    chosen, _ = found[seed % len(found)]
    mine = np.array([np.pi])
    new = tree.replace_at(t, chosen, mine)
    assert skeleton(new) == skeleton(t)
    for (path, before), (same, after) in zip(found, tree.paths(new), strict=True):
        assert path == same
        if path == chosen:
            assert after.tolist() == [np.pi]
            assert not np.shares_memory(after, mine)
            assert not after.flags.writeable
        else:
            assert after is before


def test_replace_at_takes_parts_static_values_and_the_root() -> None:
    t: Tree = {"net": Net((x1, None), "relu"), "n": 3}
    assert tree.replace_at(t, "['net'].hidden", [x1])["net"].hidden == [x1]
    assert tree.replace_at(t, "['net'].out", "tanh")["net"].out == "tanh"
    assert tree.replace_at(t, "['net'].hidden[1]", x1)["net"].hidden[1] is not None
    assert tree.replace_at(t, "", None) is None
    assert (t["net"].out, t["n"]) == ("relu", 3)


def test_replace_at_names_the_paths_there_are() -> None:
    for path in ("['b']", ".a", "['a'][2]", "a"):
        with pytest.raises(KeyError, match=r"tree\.replace_at: no part at") as caught:
            tree.replace_at({"a": (x1, x1)}, path, x1)
        assert path.replace("'", "") in str(caught.value).replace("'", "").replace("\\", "")
        assert "[a][0]" in str(caught.value).replace("'", "").replace("\\", "")


@given(t=floating_trees)
def test_global_norm_is_that_of_all_entries(t: Tree) -> None:
    vector, _ = tree.ravel(tree.astype(t, np.float64))
    np.testing.assert_allclose(tree.global_norm(t), np.linalg.norm(vector), rtol=1e-6)


def test_global_norm_has_slope_zero_at_zero_and_the_unit_vector_elsewhere() -> None:
    def norm(t: Any) -> fnn.Scalar:
        return tree.global_norm(t)

    grads = fnn.grad(norm)({"a": np.array([3.0]), "b": np.array([0.0, 4.0])})
    np.testing.assert_allclose(tree.ravel(grads)[0], [0.6, 0.0, 0.8], rtol=1e-15)
    assert fnn.grad(norm)(np.zeros(3)).tolist() == [0.0, 0.0, 0.0]
    assert tree.global_norm((None, 3)) == 0


@pytest.mark.parametrize(
    ("t", "text"),
    [
        (np.ones((2, 3), np.float32), "f32[2,3]"),
        (np.float64(1), "f64[]"),
        ((x1,), "(f64[1],)"),
        ((x1, None), "(f64[1], None)"),
        ([np.arange(2), "relu"], "[i64[2], 'relu']"),
        ({"w": x1 > 0, 3: ()}, "{'w': bool[1], 3: ()}"),
        (Pair(x1, 0.5), "Pair(first=f64[1], second=0.5)"),
        (Net(Slotted(x1, None), Empty()), "Net(hidden=Slotted(weight=f64[1], scale=None), out=Empty())"),
    ],
)
def test_show_writes_dtype_and_shape_in_place_of_arrays(t: Tree, text: str) -> None:
    assert tree.show(t) == text


def test_parameters_print_dtype_and_shape() -> None:
    model = fnn.Dense(64, 128) >> fnn.BatchNorm(128) >> fnn.relu
    params, state = fnn.init(model, fnn.key(0))
    assert repr(params[0]) == "DenseParams(weight=f32[64,128], bias=f32[128])"
    assert repr(params) == f"({params[0]!r}, NormParams(scale=f32[128], shift=f32[128]), None)"
    assert repr(state) == "(None, BatchNormState(mean=f32[128], var=f32[128]), None)"
    assert str(fnn.LinearParams(np.ones((2, 3)))) == "LinearParams(weight=f64[2,3])"


# Read-only


@given(t=trees)
def test_freeze_copies_what_can_be_written_to_and_never_flips_a_flag(t: Tree) -> None:
    before = flags(t)
    kept = tree.freeze(t)
    assert flags(t) == before
    assert tree.equal(kept, t)
    assert skeleton(kept) == skeleton(t)
    assert not any(flags(kept))
    assert not shares_memory(kept, t)
    assert [id(leaf) for leaf in tree.leaves(tree.freeze(kept))] == [id(leaf) for leaf in tree.leaves(kept)]
    # itself where nothing can be written to: a list or dict would be shared
    assert (tree.freeze(kept) is kept) == tree.flatten(kept)[1].immutable


def read_only_view(a: Any) -> Any:
    view = a[...]
    view.flags.writeable = False
    return view


@pytest.mark.parametrize("handle", [lambda a: a, read_only_view, lambda a: read_only_view(a[:, ::-1]), lambda a: a.T])
def test_a_constructor_copies_what_somebody_could_write_to(handle: Callable[[Any], Any]) -> None:
    mine = np.ones((2, 2))
    given_array = handle(mine)
    flag = given_array.flags.writeable
    params = fnn.LinearParams(given_array)
    frozen = tree.freeze(Net(given_array, None))
    mine[:] = 7
    for kept in (params.weight, frozen.hidden):
        assert kept.tolist() == [[1.0, 1.0], [1.0, 1.0]]
        with pytest.raises(ValueError, match="read-only"):
            kept[0, 0] = 3
    assert (mine.flags.writeable, given_array.flags.writeable) == (True, flag)


def test_a_constructor_shares_what_nobody_can_write_to() -> None:
    kept = tree.freeze(np.ones((2, 2)))
    assert fnn.LinearParams(kept).weight is kept


def library_values() -> list[Any]:
    model = fnn.Dense(2, 3) >> fnn.BatchNorm(3) >> fnn.tanh >> fnn.Dense(3, 1, bias=False)
    x = np.linspace(-1, 1, 8, dtype=np.float32).reshape(4, 2)
    values: list[Any] = []
    for opt in (fnn.Sgd(0.1), fnn.Sgd(0.1, momentum=0.9), fnn.Adam(0.1)):
        ts = fnn.start(model, opt, fnn.key(1))
        ts, _ = fnn.train_step(fnn.supervised(model, fnn.mse), opt)(ts, x, x[:, :1])
        values.append(ts)
    dense, norm, _, linear = values[-1].params
    return [dense, norm, linear, values[-1].state[1], values[-1].opt, *values]


LIBRARY_VALUES = library_values()
COPIES: list[tuple[str, Callable[[Any], Any]]] = [
    *[
        (f"pickle {protocol}", lambda value, protocol=protocol: pickle.loads(pickle.dumps(value, protocol)))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ],
    ("copy", copy.copy),
    ("deepcopy", copy.deepcopy),
    ("replace", dataclasses.replace),
    ("map", lambda value: tree.map(np.copy, value)),
]


@pytest.mark.parametrize("value", LIBRARY_VALUES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("how", [how for _, how in COPIES], ids=[name for name, _ in COPIES])
def test_values_of_the_library_stay_equal_and_read_only(value: Any, how: Callable[[Any], Any]) -> None:
    again = how(value)
    assert type(again) is type(value)
    assert again == value
    assert tree.equal(again, value)
    assert tree.size(value) > 0
    assert not any(flags(again))
    assert flatten(again)[1] == flatten(value)[1]
    assert repr(again) == repr(value)


@pytest.mark.parametrize("value", LIBRARY_VALUES, ids=lambda value: type(value).__name__)
def test_values_of_the_library_are_compared_by_content(value: Any) -> None:
    path, leaf = tree.paths(value)[-1]
    other = tree.replace_at(value, path, leaf + 1)
    assert other != value
    assert value != tree.leaves(value)
    with pytest.raises(TypeError, match="unhashable"):
        hash(value)
    field = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, field, None)


def test_replace_copies_a_writable_array() -> None:
    mine = np.zeros(3, np.float32)
    params = dataclasses.replace(fnn.DenseParams.init(fnn.key(0), 2, 3), bias=mine)
    mine[0] = 9
    assert params.bias.tolist() == [0.0, 0.0, 0.0]
    assert mine.flags.writeable


def test_a_pickled_run_goes_on_with_the_same_bits() -> None:
    model = fnn.Dense(2, 4) >> fnn.BatchNorm(4) >> fnn.Dropout(0.5) >> fnn.Dense(4, 1)
    opt = fnn.Adam(0.1)
    step = fnn.train_step(fnn.supervised(model, fnn.mse), opt)
    x = np.linspace(-1, 1, 8, dtype=np.float32).reshape(4, 2)
    ts, _ = fnn.repeat(3, step, fnn.start(model, opt, fnn.key(3)), x, x[:, :1])
    resumed = pickle.loads(pickle.dumps(ts))
    fresh_step = fnn.train_step(fnn.supervised(model, fnn.mse), opt)
    a, losses_a = fnn.repeat(3, step, ts, x, x[:, :1])
    b, losses_b = fnn.repeat(3, fresh_step, resumed, x, x[:, :1])
    assert a == b
    assert losses_a == losses_b


# Layouts


def test_layouts_are_values() -> None:
    params, _ = fnn.init(fnn.Dense(2, 3) >> fnn.relu >> fnn.Dense(3, 1), fnn.key(0))
    layout = Layout.of("test", params)
    assert layout == Layout.of("test", tree.zeros_like(params))
    assert hash(layout) == hash(Layout.of("test", params))
    assert repr(layout) == "Layout(float32[13] in 4 leaves)"
    for other in (tree.astype(params, np.float64), params[:2], tree.map(lambda leaf: leaf[:1], params)):
        assert layout != Layout.of("test", other)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(layout, protocol))
        assert again == layout
        assert tree.equal(again.unpack(again.pack(tree.leaves(params))), params)


def test_a_layout_lays_the_leaves_one_behind_the_other() -> None:
    params = {"w": np.arange(6.0).reshape(2, 3), "none": None, "b": np.array([7.0])}
    layout = Layout.of("test", params)
    assert [tuple(segment) for segment in layout.segments] == [("['w']", 0, 6, (2, 3)), ("['b']", 6, 7, (1,))]
    vector = layout.pack(tree.leaves(params))
    assert vector.tolist() == [0, 1, 2, 3, 4, 5, 7]
    assert all(np.shares_memory(leaf, vector) for leaf in tree.leaves(layout.unpack(vector)))
    assert tree.equal(layout.unpack(vector), params)
    empty = Layout.of("test", (None, 3))
    assert (empty.size, empty.unpack(empty.pack([]))) == (0, (None, 3))


def test_a_layout_says_what_does_not_fit() -> None:
    layout = Layout.of("test", {"w": np.ones(2), "b": np.ones(1)})
    unlike: list[tuple[type[Exception], str, Tree]] = [
        (ValueError, "at the root one has", {"w": np.ones(2)}),
        (ValueError, r"f64\[3\] at \['w'\].*shape \[2\]", {"w": np.ones(3), "b": np.ones(1)}),
        (TypeError, r"f32\[1\] at \['b'\].*float64", {"w": np.ones(2), "b": np.ones(1, np.float32)}),
    ]
    for error, message, t in unlike:
        with pytest.raises(error, match=message):
            layout.leaves_of("test", "grads", t)
    with pytest.raises(TypeError, match=r"test: \[1\] is float64 but \[0\] is float32.*fnn\.tree\.astype"):
        Layout.of("test", (np.ones(1, np.float32), np.ones(1)))
    with pytest.raises(TypeError, match=r"test: the leaf \[0\] is i64\[2\]"):
        Layout.of("test", (np.arange(2),))


def test_the_vector_of_leaves_is_theirs_only_where_they_are_its_views() -> None:
    params: Any = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": (np.arange(2, dtype=np.float32), np.float32(7))}
    layout = Layout.of("test", params)
    vector = layout.pack(tree.leaves(params))
    views = layout.views(vector)
    others: list[list[Any]] = [
        views,  # somebody may still write to it
        [*views[:2], views[2] + 1],
        [views[0].T.reshape(2, 3), *views[1:]],
        [np.array(views[0]), *views[1:]],
        list(tree.leaves(params)),
    ]
    for leaves in others:
        made = layout.vector_of(leaves)
        assert not np.shares_memory(made, vector)
        np.testing.assert_array_equal(made, layout.pack(leaves))
    vector.flags.writeable = False
    assert layout.vector_of(layout.views(vector)) is vector
    assert layout.vector_of([*layout.views(vector)[:2], np.float32(8)])[-1] == 8
    double = np.concatenate([vector, vector])
    double.flags.writeable = False
    assert layout.vector_of(layout.views(double[: layout.size])) is not double
