"""Strategies: what they draw is what they say, it shrinks to the simplest, and counterexamples can be pasted."""

from __future__ import annotations

import enum
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Generic, Literal, NamedTuple, TypeVar, assert_type

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from hypothesis.strategies import SearchStrategy

import fnn
from fnn.testing import strategies as nets

T = TypeVar("T")
A = TypeVar("A")
ROOT = Path(__file__).parents[1]

float_types: list[Any] = [np.float16, np.float32, np.float64]
every_float = pytest.mark.parametrize("dtype", float_types[1:])


def simplest(strategy: SearchStrategy[T], condition: Callable[[T], bool] = lambda value: True) -> T:
    """What the strategy shrinks to where a condition must hold: the same from whatever was found first."""
    found = [
        find(strategy, condition, settings=settings(max_examples=500, database=None), random=Random(seed)) for seed in (1, 2)
    ]
    assert nets.code(found[0]) == nets.code(found[1])  # type: ignore[arg-type]  # all strategies here draw trees
    return found[0]


def assert_frozen(tree: Any) -> None:
    assert all([not leaf.flags.writeable for leaf in fnn.tree.leaves(tree)])
    assert all([a is b for a, b in zip(fnn.tree.leaves(tree), fnn.tree.leaves(fnn.tree.freeze(tree)), strict=True)])


# Arrays


@pytest.mark.parametrize("dtype", float_types)
@given(data=st.data(), gap=st.sampled_from([0.1, 0.3, 1e-3]))
def test_no_entry_is_within_the_gap_of_a_kink_or_outside_the_range(dtype: Any, data: st.DataObject, gap: float) -> None:
    kinks = data.draw(st.lists(st.sampled_from([0.0, 0.1, 0.7, 1.0, -1.2, 5.0]), max_size=3))
    x = data.draw(nets.arrays(dtype=dtype, low=-1.7, high=1.9, away_from=kinks, gap=gap))
    assert x.dtype == dtype
    assert_frozen(x)
    wide = x.astype(np.float64)
    assert np.all((wide >= -1.7) & (wide <= 1.9))
    assert all([np.all(np.abs(wide - kink) >= gap) for kink in kinks])


def test_the_numbers_next_to_a_gap_are_drawn() -> None:
    x = simplest(nets.arrays((1,), away_from=(0.0,), gap=0.1), lambda x: bool(0 < x[0] < 0.100001))
    assert np.nextafter(x, np.float32(0))[0] < 0.1 <= x[0] < 0.100001


@every_float
@given(data=st.data())
def test_entries_apart(dtype: Any, data: st.DataObject) -> None:
    x = data.draw(nets.arrays(dtype=dtype, apart=0.05))
    assert x.dtype == dtype
    assert_frozen(x)
    assert np.all(np.diff(np.sort(x.ravel())) >= 0.05)
    assert np.all(np.abs(x) >= 0.1)


@given(nets.arrays((4,), low=0.5, high=2.0, apart=0.3))
def test_all_numbers_that_are_apart_may_be_needed(x: fnn.Array1) -> None:
    assert np.sort(x).tolist() == [0.5, 1.0, 1.5, 2.0]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nets.arrays((2,), low=-1, high=1, gap=1.5), ValueError, "widen the range"),
        (lambda: simplest(nets.arrays((100,), apart=0.5)), ValueError, r"100 entries but the range only \d+ numbers"),
        (lambda: nets.arrays((2,), dtype=np.longdouble), TypeError, "np.float64"),
        (lambda: nets.labels(3, 0), ValueError, "classes is 0"),
    ],
)
def test_errors_of_arrays(make: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_arrays_shrink_to_ones() -> None:
    assert nets.code(simplest(nets.arrays())) == "np.array([1.], np.float32)"
    assert nets.code(simplest(nets.arrays(), lambda x: bool((x > 1).any()))) == "np.array([2.], np.float32)"
    assert simplest(nets.arrays((2, 2)), lambda x: bool((x < 0).any())).tolist() == [[1, 1], [1, -1]]
    assert nets.code(simplest(nets.arrays((3,), low=-0.5, high=0.5))) == "np.array([0.5, 0.5, 0.5], np.float32)"


@given(nets.broadcastable(3, dtype=np.float64))
def test_broadcastable_arrays_broadcast(group: tuple[fnn.Array, fnn.Array, fnn.Array]) -> None:
    np.broadcast_shapes(*[x.shape for x in group])
    assert_frozen(group)


def test_broadcastable_arrays_differ_in_rank_and_in_size() -> None:
    a, b = find(nets.broadcastable(2), lambda pair: 0 < pair[0].ndim < pair[1].ndim)
    assert (a.shape, b.shape) == ((1,), (1, 1))
    pair = find(nets.broadcastable(2, min_rank=1, max_rank=1), lambda pair: pair[0].shape < pair[1].shape)
    assert [x.shape for x in pair] == [(1,), (2,)]


@given(nets.batches(features=2, classes=4, min_rows=2, dtype=np.float64))
def test_batches(batch: tuple[fnn.Array2, fnn.Int1]) -> None:
    x, labels = batch
    assert x.shape == (len(labels), 2)
    assert len(x) >= 2
    assert x.dtype == np.float64
    assert np.isfinite(fnn.cross_entropy(x @ np.ones((2, 4)), labels))
    assert_frozen(batch)


def test_every_label_is_drawn() -> None:
    assert simplest(nets.labels(2), lambda y: y[1] == 1).tolist() == [0, 1]
    assert simplest(nets.labels(2), lambda y: y[1] == 2).tolist() == [0, 2]


# Trees


class Pair(NamedTuple):
    first: fnn.Array1
    rest: tuple[fnn.DenseParams, ...]


@dataclass(frozen=True)
class Box(Generic[A]):
    content: A
    other: A | None


@dataclass(frozen=True)
class Child(Box[tuple[A, int]], Generic[A]):
    more: list[A]


class Colour(enum.Enum):
    RED = 1


@dataclass(frozen=True)
class Node:
    x: fnn.Array1
    children: tuple[Node, ...]
    next: Node | None = None


@dataclass(frozen=True)
class Everything:
    any_rank: fnn.Array
    ranks: tuple[fnn.Array1, fnn.Array2, fnn.Array3, fnn.Array4]
    scalar: fnn.Scalar
    integers: tuple[fnn.Ints, fnn.Int1, fnn.Int2]
    bools: fnn.Bools
    exact: np.ndarray[tuple[int], np.dtype[np.float32]]
    bare: np.ndarray[Any, Any]
    statics: tuple[int, float, bool, str, Colour, Literal["same", "valid"]]
    key: fnn.Key
    mode: fnn.Mode
    by_name: dict[str, fnn.Array1]
    by_number: dict[int, fnn.Scalar]
    pairs: list[Pair]
    box: Box[fnn.Array2]
    child: Child[fnn.Array1]
    nothing: None
    state: fnn.BatchNormState
    empty: tuple[()] = ()


def names() -> dict[str, Any]:
    """What pasted counterexamples may name."""
    return {**globals(), **vars(fnn)}


@every_float
@given(data=st.data())
def test_a_tree_is_what_its_annotations_say(dtype: Any, data: st.DataObject) -> None:
    tree = data.draw(nets.trees(Everything, dtype=dtype))
    assert_frozen([leaf for leaf in fnn.tree.leaves(tree) if isinstance(leaf, np.ndarray)])
    assert tree.any_rank.dtype == tree.scalar.dtype == tree.bare.dtype == dtype
    assert tree.exact.dtype == np.float32
    assert [x.ndim for x in tree.ranks] == [1, 2, 3, 4]
    assert [x.dtype.kind for x in (*tree.integers, tree.bools)] == ["i", "i", "i", "b"]
    assert isinstance(tree.scalar, np.floating)
    assert [type(x) for x in tree.statics] == [int, float, bool, str, Colour, str]
    assert isinstance(tree.key, fnn.Key)
    assert tree.mode == fnn.EVAL or isinstance(tree.mode, fnn.Train)
    assert all([type(pair) is Pair and x.weight.shape[1:] == x.bias.shape for pair in tree.pairs for x in pair.rest])
    assert tree.box.content.ndim == 2
    assert isinstance(tree.child.content, tuple)
    assert isinstance(tree.child.content[1], int)
    assert all([x.ndim == 1 for x in (tree.child.content[0], *tree.child.more)])
    assert tree.state.mean.shape == tree.state.var.shape
    assert np.all(tree.state.var > 0)
    assert fnn.tree.equal(eval(nets.code(tree), names()), tree)


@given(tree=nets.trees(Everything, dtype=np.float64), data=st.data())
def test_like_keeps_all_but_the_numbers(tree: Everything, data: st.DataObject) -> None:
    other = data.draw(nets.like(tree))
    assert fnn.tree.show(other) == fnn.tree.show(tree)
    assert np.all(other.state.var > 0)
    assert_frozen([leaf for leaf in fnn.tree.leaves(other) if isinstance(leaf, np.ndarray)])
    assert other.integers[0].max() <= tree.integers[0].max()
    assert data.draw(nets.like(tree.any_rank, dtype=np.float32)).dtype == np.float32


def test_trees_shrink() -> None:
    assert nets.code(simplest(nets.trees(Node))) == "Node(x=np.array([1.], np.float32), children=(), next=None)"
    some = simplest(nets.trees(tuple[fnn.Array2, ...]), lambda tree: fnn.tree.size(tree) > 0)
    assert nets.code(some) == "(np.array([[1.]], np.float32),)"
    tree = simplest(nets.trees(Node), lambda tree: tree.next is not None and bool(tree.next.x[0] > 1))
    assert nets.code(tree.next) == "Node(x=np.array([2.], np.float32), children=(), next=None)"
    assert simplest(nets.trees(dict[str, fnn.Array1]), lambda tree: len(tree) == 2).keys() == {"a", "b"}


def test_empty_leaves_on_request() -> None:
    assert simplest(nets.trees(fnn.NormParams, min_side=0)).scale.shape == (0,)
    assert nets.code(simplest(nets.trees(fnn.Array2, min_side=0))) == "np.zeros((0, 0), np.float32)"


@dataclass(frozen=True)
class Net:
    hidden: fnn.DenseParams
    blocks: tuple[fnn.DenseParams, ...]
    norm: fnn.NormParams
    rate: float


dims: dict[str, tuple[str | int, ...]] = {
    ".hidden.weight": (4, "width"),
    ".blocks[*].weight": ("width", "width"),
    ".norm.scale": ("width",),
}


@given(nets.trees(Net, dims=dims, parts={".rate": st.floats(0.25, 0.5)}))
def test_named_dimensions_agree(net: Net) -> None:
    n = net.norm.shift.size
    assert net.hidden.weight.shape == (4, n)
    assert net.hidden.bias.shape == (n,)
    assert all([block.weight.shape == (n, n) and block.bias.shape == (n,) for block in net.blocks])
    assert 0.25 <= net.rate <= 0.5


@dataclass
class Melting:
    x: fnn.Array1


@dataclass(frozen=True)
class Checked:
    n: int

    def __post_init__(self) -> None:
        raise ValueError("never right")


@pytest.mark.parametrize(
    ("strategy", "error", "message"),
    [
        (nets.trees(Box[Any]), TypeError, r"\.content is annotated .*Any.*parts=\{'\.content': \.\.\.\}"),
        (nets.trees(Box), TypeError, r"\.content is annotated ~A"),
        (nets.trees(dict), TypeError, "the root is annotated"),
        (nets.trees(Melting), TypeError, "not frozen"),
        (nets.trees(fnn.Array2, dims={"": ("n",)}), ValueError, "has rank 2"),
        (nets.trees(fnn.DenseParams, dims={".weight": (2, 3), ".bias": (4,)}), ValueError, "n_out of .* both 3 and 4"),
        (nets.trees(np.complex64), TypeError, "complex64"),
    ],
)
def test_errors_of_trees(strategy: SearchStrategy[object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        find(strategy, lambda tree: True)


def test_a_class_that_refuses_its_parts_is_named() -> None:
    with pytest.raises(ValueError, match="never right") as caught:
        find(nets.trees(tuple[Checked]), lambda tree: True)
    assert "made Checked at [0]" in "".join(caught.value.__notes__)


def test_an_annotation_that_cannot_be_resolved() -> None:
    @dataclass(frozen=True)
    class Inner:
        x: fnn.Array1

    @dataclass(frozen=True)
    class Outer:
        inner: Inner

    with pytest.raises(TypeError, match=r"names 'Inner'.*move the class"):
        find(nets.trees(Outer), lambda tree: True)


# Models


@every_float
@given(data=st.data(), mode=nets.modes())
def test_models_run_and_have_gradients(dtype: Any, data: st.DataObject, mode: fnn.Mode) -> None:
    case = data.draw(nets.models(n_out=2, dtype=dtype))
    assert_frozen((case.params, case.state, case.x))
    y, state = fnn.forward(case.model, case.params, case.state, case.x, mode)
    assert y.shape == (len(case.x), 2)
    assert np.all(np.isfinite(y))
    assert all([leaf.dtype == dtype for leaf in fnn.tree.leaves((case.params, y, state))])

    def loss(params: Any) -> fnn.Scalar:
        return np.sum(fnn.forward(case.model, params, case.state, case.x, mode)[0])

    assert fnn.tree.show(fnn.grad(loss)(case.params)) == fnn.tree.show(case.params)


@every_float
@given(data=st.data())
def test_a_model_can_be_pasted(dtype: Any, data: st.DataObject) -> None:
    case = data.draw(nets.models(dtype=dtype))
    pasted = eval(repr(case), {**names(), "ModelCase": nets.ModelCase})
    assert pasted.model == case.model
    assert fnn.tree.equal((pasted.params, pasted.state, pasted.x), (case.params, case.state, case.x))


@given(data=st.data(), n_in=st.integers(1, 4), n_out=st.none() | st.integers(1, 4))
def test_layers_fit(data: st.DataObject, n_in: int, n_out: int | None) -> None:
    layer = data.draw(nets.layers(n_in, n_out, max_width=2, draws=False))
    params, state = fnn.init(layer, fnn.key(0))
    width = fnn.forward(layer, params, state, np.ones((2, n_in), np.float32), fnn.Train(fnn.key(0)))[0].shape[1]
    assert width == n_out or (n_out is None and width in (1, 2, n_in))
    assert "Dropout" not in repr(layer)


@pytest.mark.parametrize("word", ["relu", "Dropout"])
def test_smooth_models_have_no_kinks_and_those_that_do_not_draw_no_dropout(word: str) -> None:
    with pytest.raises(NoSuchExample):
        find(nets.models(smooth=True, draws=False), lambda case: word in repr(case.model), settings=settings(max_examples=500))


KINDS = ["Dense", "BatchNorm", "Dropout", "residual(", "stack(", ">> (", "relu", "log_softmax"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_layer_is_in_some_model(kind: str) -> None:
    unshrunk = settings(max_examples=500, database=None, phases=[Phase.generate])
    find(nets.models(), lambda case: kind in repr(case.model), settings=unshrunk)


def test_models_shrink_to_the_fewest_numbers() -> None:
    assert repr(simplest(nets.models()).model) == "Dense(1, 1, bias=False)"
    assert repr(simplest(nets.models(), lambda case: "Dense(" in repr(case.model)).model) == "Dense(1, 1, bias=False)"
    assert repr(simplest(nets.models(), lambda case: "relu" in repr(case.model)).model) == "Dense(1, 1, bias=False) >> relu"
    case = simplest(nets.models(), lambda case: bool((case.x > 1).any()))
    assert (repr(case.model), case.params.weight.tolist(), case.x.tolist()) == ("Dense(1, 1, bias=False)", [[1.0]], [[2.0]])
    assert repr(simplest(nets.layers(2), lambda layer: isinstance(layer, fnn.Residual))) == "residual(Dense(2, 2) >> relu)"


def test_cases_of_a_layer_of_ones_own() -> None:
    def make(key: fnn.Key) -> fnn.Array1:
        return np.ones(2, np.float32)

    def scale(weight: fnn.Array1, x: fnn.Array2) -> fnn.Array2:
        return x * weight

    strategy = nets.cases(fnn.layer(make, scale), nets.arrays((3, 2), dtype=np.float64), dtype=np.float64)
    assert_type(strategy, SearchStrategy[nets.ModelCase[fnn.Array2, fnn.Array2, fnn.Array1, None]])
    case = simplest(strategy, lambda case: bool(case.params[0] > 1))
    assert case.params.tolist() == [2.0, 1.0]
    assert case.params.dtype == np.float64


# Counterexamples


def counterexample(strategy: SearchStrategy[Any]) -> str:
    """What Hypothesis prints for a property that never holds."""

    @settings(max_examples=5)
    @given(value=strategy)
    def fails(value: object) -> None:
        raise AssertionError

    with pytest.raises(AssertionError) as caught:
        fails()
    note = "".join(caught.value.__notes__)
    found = re.search(r"value=(.*?),(?:  #[^\n]*)?\n\)", note, re.DOTALL)
    assert found, note
    return re.sub(r"\s+", " ", found[1])


@pytest.mark.parametrize(
    ("strategy", "text"),
    [
        (nets.keys(), "key(0)"),
        (nets.modes(), "Eval()"),
        (nets.arrays((2,)), "array([1., 1.], dtype=float32)"),
        (nets.layers(2), "Dense(2, 1, bias=False)"),
        (nets.trees(fnn.NormParams), "NormParams(scale=array([1.], dtype=float32), shift=array([1.], dtype=float32))"),
        (nets.like(fnn.NormParams.init(1)), "NormParams(scale=array([1.], dtype=float32), shift=array([1.], dtype=float32))"),
        (nets.labels(2), "array([0, 0])"),
        (
            nets.models(),
            "ModelCase( model=Dense(1, 1, bias=False), params=LinearParams(weight=np.array([[1.]], np.float32)), state=None, "
            "x=np.array([[1.]], np.float32), )",
        ),
    ],
)
def test_counterexamples_print_as_code(strategy: SearchStrategy[object], text: str) -> None:
    assert counterexample(strategy) == text


def test_code_is_exact() -> None:
    x = np.random.default_rng(0).normal(size=(20, 70))
    for dtype in float_types:
        y = eval(nets.code(x.astype(dtype)), {"np": np})
        assert fnn.tree.equal(y, x.astype(dtype))


# The module


def test_types() -> None:
    assert_type(nets.arrays((2,)), SearchStrategy[fnn.Array1])
    assert_type(nets.arrays((2, 3), apart=0.1), SearchStrategy[fnn.Array2])
    assert_type(nets.arrays(nets.shapes()), SearchStrategy[fnn.Array])
    assert_type(nets.broadcastable(2), SearchStrategy[tuple[fnn.Array, fnn.Array]])
    assert_type(nets.trees(Net), SearchStrategy[Net])
    assert_type(nets.trees(Box[fnn.Array1]), SearchStrategy[Box[fnn.Array1]])
    assert_type(nets.like(fnn.NormParams.init(1)), SearchStrategy[fnn.NormParams])
    assert_type(nets.modes(), SearchStrategy[fnn.Mode])
    assert_type(nets.batches(2), SearchStrategy[tuple[fnn.Array2, fnn.Int1]])


def test_only_the_strategies_import_hypothesis_and_say_what_to_install_where_it_is_missing() -> None:
    code = """
import sys
import fnn, fnn.testing
assert "hypothesis" not in sys.modules
sys.modules["hypothesis"] = None
try:
    import fnn.testing.strategies
except ImportError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert 'pip install "fnn[testing]"' in run.stdout
    assert 'testing = ["hypothesis' in (ROOT / "pyproject.toml").read_text()
