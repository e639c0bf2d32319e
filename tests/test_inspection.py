"""Differences of trees, and statistics of activations and gradients with their hints."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import fnn
from fnn.inspection import GradientStatistics, LayerStatistics

rng = np.random.default_rng(0)
x = rng.normal(size=(100, 4)).astype(np.float32)


def look(model: Any, x: Any = x, mode: fnn.Mode = fnn.EVAL, params: Any = None) -> LayerStatistics:
    made, state = fnn.init(model, fnn.key(0))
    return fnn.layer_statistics(model, made if params is None else params, state, x, mode)


# tree_diff


def test_a_tree_does_not_differ_from_itself() -> None:
    params, _ = fnn.init(fnn.Dense(2, 3) >> fnn.BatchNorm(3), fnn.key(0))
    found = fnn.tree_diff(params, fnn.tree.map(lambda a: a + 0, params))
    assert not found
    assert (found.same, str(found)) == (4, "no difference in 4 leaves")
    nan = {"a": np.array([np.nan, 1])}
    assert not fnn.tree_diff(nan, {"a": nan["a"].copy()})


def test_the_largest_difference_and_its_place() -> None:
    a = np.zeros((2, 3))
    b = a.copy()
    b[0, 1], b[1, 2] = 0.25, -0.5
    (row,) = fnn.tree_diff((a, 1), (b, 1)).rows
    assert (row.path, row.kind, row.first, row.second, row.largest, row.at) == (
        "[0]",
        "values",
        "f64[2,3]",
        "f64[2,3]",
        0.5,
        (1, 2),
    )
    b[0, 0] = np.nan
    (row,) = fnn.tree_diff(a, b).rows
    assert np.isnan(row.largest or 0)
    assert row.at == (0, 0)
    (row,) = fnn.tree_diff(np.array([np.inf, np.inf]), np.array([np.inf, -np.inf])).rows
    assert (row.largest, row.at) == (np.inf, (1,))


def test_every_kind_of_difference_in_the_order_of_the_first_tree() -> None:
    one = np.ones(2)
    a = {"dtype": one, "shape": one, "kind": one, "static": "a", "gone": one, "same": one, "n": 3, "int": np.array([1, 2])}
    b = {"new": 3, "dtype": one.astype(np.float32), "shape": np.ones((2, 1)), "kind": None, "static": "b", "same": one, "n": 3,
         "int": np.array([1, 5])}  # fmt: skip
    found = fnn.tree_diff(a, b)
    assert [(row.path, row.kind, row.first, row.second, row.largest) for row in found.rows] == [
        ("['dtype']", "dtype", "f64[2]", "f32[2]", 0.0),
        ("['shape']", "shape", "f64[2]", "f64[2,1]", None),
        ("['kind']", "kind", "f64[2]", "None", None),
        ("['static']", "static", "'a'", "'b'", None),
        ("['gone']", "only in the first", "f64[2]", "", None),
        ("['int']", "values", "i64[2]", "i64[2]", 3.0),
        ("['new']", "only in the second", "", "3", None),
    ]
    assert found.same == 1
    assert bool(found)
    assert "1 other leaves are the same" in str(found)
    assert repr(found) == str(found)


def test_integers_differ_exactly_and_long_texts_are_cut_in_the_table_alone() -> None:
    a, b = np.array([2**62, -(2**63)]), np.array([2**62 + 1, 2**63 - 1])
    assert [fnn.tree_diff(a[i : i + 1], b[i : i + 1]).rows[0].largest for i in range(2)] == [1.0, float(2**64 - 1)]
    bytes_: Any = np.array([[250, 1], [3, 1]], np.uint8)
    (row,) = fnn.tree_diff(bytes_[0], bytes_[1]).rows
    assert (row.largest, row.at) == (247.0, (0,))
    found = fnn.tree_diff({"a": "x" * 500}, {"a": "y"})
    assert len(found.rows[0].first) == 502
    assert max(map(len, str(found).splitlines())) < 120


def test_trees_of_another_structure_are_compared_by_path() -> None:
    short, long = fnn.init(fnn.Dense(2, 3) >> fnn.relu, fnn.key(0))[0], fnn.init(fnn.Dense(2, 3, bias=False), fnn.key(0))[0]
    assert {row.kind for row in fnn.tree_diff(short, long).rows} == {"only in the first", "only in the second"}


# layer_statistics


def test_numbers_are_those_of_what_the_layers_give() -> None:
    model = fnn.Dense(4, 8) >> fnn.tanh >> fnn.residual(fnn.Dense(8, 8) >> fnn.relu) >> fnn.Dropout(0.5) >> fnn.Dense(8, 2)
    params, state = fnn.init(model, fnn.key(0))
    mode = fnn.Train(fnn.key(1))
    found = fnn.layer_statistics(model, params, state, x, mode)
    assert [row.path for row in found.rows] == ["[0]", "[1]", "[2].body[0]", "[2].body[1]", "[3]", "[4]"]
    y: Any = x
    parts: Any = model.layers
    for i, layer in enumerate(parts):
        y, _ = layer.forward(params[i], state[i], y, mode.fold(i))
        row = next((row for row in found.rows if row.path == f"[{i}]"), None)
        if row is not None:
            assert row.mean == pytest.approx(np.mean(y, dtype=np.float64))
            assert row.std == pytest.approx(np.std(y, dtype=np.float64))
            assert row.zeros == np.mean(y == 0)
            assert row.output == f"f32[100,{y.shape[1]}]"
            assert (row.saturated is not None) == (i == 1)
    assert found.rows[3].zeros == pytest.approx(0.5, abs=0.2)
    assert found.hints == ()
    assert "[2].body[0]" in str(found)
    assert repr(found) == str(found)


def test_it_changes_nothing_and_looks_at_the_whole_of_one_layer() -> None:
    model = fnn.BatchNorm(4)
    params, state = fnn.init(model, fnn.key(0))
    (row,) = fnn.layer_statistics(model, params, state, x, fnn.Train(fnn.key(0))).rows
    assert (row.path, row.layer) == ("", "BatchNorm(4)")
    assert not state.mean.any()


def test_runs_of_a_stack_are_rows_of_their_own() -> None:
    found = look(fnn.stack(3, fnn.Dense(4, 4) >> fnn.relu))
    assert [(row.path, row.run) for row in found.rows] == [(f".body[{i}]", run) for run in range(3) for i in range(2)]


def dense_with(weight: float, bias: float) -> Any:
    return (fnn.DenseParams(np.full((4, 8), weight, np.float32), np.full(8, bias, np.float32)), None)


@pytest.mark.parametrize(
    ("model", "x", "params", "hint"),
    [
        (fnn.Dense(4, 8) >> fnn.relu, x, dense_with(0.1, -100), r"^\[1\] relu: 8 of 8 units are 0 in all 100 rows"),
        (fnn.Dense(4, 8) >> fnn.sigmoid, 100 * x, None, r"\[1\] sigmoid: 9\d% of the values are at the ends"),
        (fnn.Dense(4, 8) >> fnn.tanh, x, dense_with(0, 0.3), r"^\[0\] .*gives the same for every row"),
        (fnn.Dense(4, 8) >> fnn.relu, x, dense_with(1000, 0), r"values are \d+ times those of the input \(exploding\)"),
        (fnn.Dense(4, 8) >> fnn.relu, x, dense_with(1e-4, 0), r"values are 1/\d+ of those of the input \(vanishing\)"),
        (fnn.Dense(4, 8) >> fnn.relu, x, dense_with(np.nan, 0), r"800 of 800 values are NaN or infinite.*debug_nans"),
    ],
)
def test_hints(model: Any, x: Any, params: Any, hint: str) -> None:
    found = look(model, x, params=params)
    assert any(re.search(hint, text) for text in found.hints), found.hints
    assert found.hints[0] in str(found)


def test_what_comes_in_is_not_the_fault_of_a_layer() -> None:
    dead = look(fnn.Dense(4, 8) >> fnn.relu >> fnn.BatchNorm(8) >> fnn.Dense(8, 2), params=(*dense_with(0.1, -100), *[
        fnn.init(layer, fnn.key(0))[0] for layer in (fnn.BatchNorm(8), fnn.Dense(8, 2))
    ]))  # fmt: skip
    assert [row.path for row in dead.rows if "dead units" in row.hint] == ["[1]"]
    bad = look(fnn.Dense(4, 8) >> fnn.relu, np.where(np.arange(4) == 1, np.nan, x).astype(np.float32))
    assert [row.hint for row in bad.rows] == ["800 of 800 values are NaN or infinite, as some of what comes in already are"] * 2


def test_one_dead_unit_in_twenty_or_a_single_row_is_no_hint_and_saturation_needs_half() -> None:
    assert not look(fnn.Dense(4, 8) >> fnn.relu).hints
    assert "dead" not in " ".join(look(fnn.Dense(4, 8) >> fnn.relu, x[:1]).hints)
    row = look(fnn.Function(fnn.tanh), np.array([[0.0, 10.0, -10.0, 0.1]], np.float32)).rows[0]
    assert row.saturated == 0.5
    assert row.hint == ""


def test_tokens_and_trees_are_inputs_too() -> None:
    found = look(fnn.Embedding(5, 4) >> fnn.relu, np.array([[1, 2], [3, 4]]))
    assert found.rows[0].output == "f32[2,2,4]"
    with pytest.raises(ValueError, match="gives f32\\[0,8\\], which has no entries"):
        look(fnn.Dense(4, 8), x[:0])
    with pytest.raises(TypeError, match="layer_statistics: relu is not a layer"):
        fnn.layer_statistics(fnn.relu, None, None, x)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# gradient_statistics


def gradients(**leaves: Any) -> GradientStatistics:
    grads = {name: np.asarray(leaf, np.float32) for name, leaf in leaves.items()}
    return fnn.gradient_statistics(grads, fnn.tree.map(lambda g: np.full_like(g, 2), grads))


def test_gradients_in_numbers() -> None:
    found = gradients(a=[[3.0, -4.0]], b=[0.0, 12.0, 0.0, 0.0])
    assert [(r.path, r.shape, r.norm, r.largest, r.zeros) for r in found.rows] == [
        ("['a']", "f32[1,2]", 5.0, 4.0, 0.0),
        ("['b']", "f32[4]", 12.0, 12.0, 0.75),
    ]
    assert found.norm == 13
    assert repr(found) == str(found)
    assert [r.rms for r in found.rows] == pytest.approx([5 / 2**0.5, 6])
    assert [r.parameter_norm for r in found.rows] == pytest.approx([8**0.5, 4])
    assert found.hints == ()


def test_hints_of_gradients() -> None:
    found = gradients(a=[1.0, np.nan], b=[0.0, 0.0], c=[2000.0], d=[1e-3], e=[1.0])
    hints = found.hints
    assert len(hints) == 4
    assert hints[0].startswith("['a']: 1 of 2 entries are NaN or infinite")
    assert hints[1].startswith("['b']: gets no gradient")
    assert hints[2].startswith("['c']: its norm is 2e+03 (exploding)")
    assert hints[3].startswith("['d']: is 1/2000000 of the largest gradient (vanishing)")
    assert hints[3] in str(found)


def test_gradients_of_another_tree_are_an_error() -> None:
    with pytest.raises(ValueError, match="gradients and parameters differ: at the root one has the keys"):
        fnn.gradient_statistics({"a": x}, {"b": x})
    with pytest.raises(ValueError, match="the gradient \\['a'\\] is f32\\[100,4\\], but its parameter has 4 entries"):
        fnn.gradient_statistics({"a": x}, {"a": x[0]})
