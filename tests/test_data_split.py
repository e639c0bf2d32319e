"""Splits and folds are disjoint and complete; scalers and categories are frozen values that invert."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import fnn
from fnn.data import MinMax, Normalizer, OneHot, k_fold, scaling, split, subset

KEY = fnn.key(0)
# for calls that no checker lets through
loose: Any = fnn.data
keys = st.integers(0, 2**40).map(fnn.key)
fractions = st.lists(st.integers(0, 20), min_size=1, max_size=5).filter(sum).map(lambda found: [f / sum(found) for f in found])


# splits


@settings(max_examples=50)
@given(st.integers(0, 80), fractions, st.none() | keys)
def test_parts_are_disjoint_and_complete_and_sizes_within_one(n: int, parts: list[float], key: Any) -> None:
    found = split(n, parts, key)
    assert sorted(np.concatenate(found).tolist()) == list(range(n))
    assert len(found) == len(parts)
    for rows, fraction in zip(found, parts, strict=True):
        assert abs(len(rows) - fraction * n) <= 1
        assert (np.diff(rows) > 0).all()
        assert not rows.flags.writeable
        assert rows.dtype == np.int64
    if key is None:
        assert np.concatenate(found).tolist() == list(range(n))


@settings(max_examples=50)
@given(st.lists(st.sampled_from("abc"), max_size=60), fractions, keys)
def test_stratified_parts_have_their_share_of_each_label(labels: list[str], parts: list[float], key: fnn.Key) -> None:
    n, y = len(labels), np.array(labels, "U1")
    found = split(n, parts, key, stratify=labels)
    assert sorted(np.concatenate(found).tolist()) == list(range(n))
    assert [len(rows) for rows in found] == [len(rows) for rows in split(n, parts, key)]
    for rows in found:
        for label in set(labels):
            assert abs(np.sum(y[rows] == label) - len(rows) * np.mean(y == label)) < 2


@settings(max_examples=50)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=60), keys, st.booleans(), st.data())
def test_every_row_is_in_one_validation_part_and_sizes_differ_by_one(
    labels: list[int], key: fnn.Key, by_label: bool, data: Any
) -> None:
    n, y = len(labels), np.array(labels)
    k = data.draw(st.integers(2, n))
    folds = list(k_fold(n, k, key, stratify=labels if by_label else None))
    assert len(folds) == k
    assert sorted(np.concatenate([validation for _, validation in folds]).tolist()) == list(range(n))
    for train, validation in folds:
        assert sorted([*train.tolist(), *validation.tolist()]) == list(range(n))
        assert (np.diff(train) > 0).all()
    sizes = [len(validation) for _, validation in folds]
    assert max(sizes) - min(sizes) <= 1
    if by_label:
        for label in range(4):
            counts = [np.sum(y[validation] == label) for _, validation in folds]
            assert max(counts) - min(counts) <= 1


def test_sizes_are_exact_where_they_can_be_and_labels_too() -> None:
    assert [len(part) for part in split(10, (0.7, 0.1, 0.2), KEY)] == [7, 1, 2]
    labels = np.arange(400) % 4
    for seed in range(5):
        for part in split(400, (0.5, 0.25, 0.25), fnn.key(seed), stratify=labels):
            assert len(set(np.bincount(labels[part]).tolist())) == 1
        for _, part in k_fold(400, 5, fnn.key(seed), stratify=labels):
            assert np.bincount(labels[part]).tolist() == [20] * 4


def test_parts_and_folds_have_the_type_of_the_data() -> None:
    data: dict[str, Any] = {"x": np.arange(20.0).reshape(10, 2), "y": (np.arange(10), "static")}
    train, test = split(data, (0.7, 0.3), KEY)
    rows = split(10, (0.7, 0.3), KEY)
    for part, chosen in zip((train, test), rows, strict=True):
        assert fnn.tree.equal(part, {"x": data["x"][chosen], "y": (chosen, "static")})
        assert all([not leaf.flags.writeable for leaf in fnn.tree.leaves(part)])
    for (a, b), (c, d) in zip(k_fold(data, 3, KEY), k_fold(10, 3, KEY), strict=True):
        assert fnn.tree.equal((a["y"][0], b["y"][0]), (c, d))
    halves = split(subset(np.arange(10) * 10, np.array([1, 3, 5])), (1 / 3, 2 / 3), None)
    assert [half.tolist() for half in halves] == [[10], [30, 50]]


def test_the_key_decides_which_rows() -> None:
    found = [split(100, (0.5, 0.5), fnn.key(seed))[0].tolist() for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]
    first = [next(k_fold(100, 2, fnn.key(seed)))[1].tolist() for seed in (0, 0, 1)]
    assert first[0] == first[1] != first[2]
    assert [validation.tolist() for _, validation in k_fold(5, 2, None)] == [[0, 2, 4], [1, 3]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: loose.split(10, (0.5, 0.4), KEY), ValueError, r"split: the fractions are \(0.5, 0.4\), .*add up to 1"),
        (lambda: loose.split(10, (1.5, -0.5), KEY), ValueError, "split: the fractions"),
        (lambda: loose.split(10, (), KEY), ValueError, "split: the fractions"),
        (lambda: loose.split(10, 0.8, KEY), TypeError, r"split: the fractions are 0.8, expected one .*, as \(0.8, 0.2\)"),
        (lambda: loose.split(10, KEY, 0.8), TypeError, r"split: the fractions are .*expected one for each part"),
        (lambda: loose.split(10, (float("nan"), 1), KEY), ValueError, "split: the fractions"),
        (lambda: loose.split(10, ("a", 1), KEY), TypeError, "split: a fraction is 'a'"),
        (lambda: loose.split(-1, (0.5, 0.5), KEY), ValueError, "the number of rows is -1"),
        (lambda: loose.split(10, (0.5, 0.5), 0), TypeError, r"split: the key is 0"),
        (
            lambda: loose.split(10, (0.5, 0.5), KEY, stratify=[1]),
            ValueError,
            r"split: stratify has shape \(1,\), expected \(10,\)",
        ),
        (lambda: loose.split(2, (0.5, 0.5), None, stratify=[1, 2]), ValueError, "split: stratify are given without a key"),
        (lambda: loose.split((np.ones(2), np.ones(3)), (0.5, 0.5), KEY), ValueError, r"split: \[1\] has 3 rows"),
        (lambda: loose.k_fold(10, 1, KEY), ValueError, "k_fold: k is 1, expected at least 2"),
        (lambda: loose.k_fold(3, 4, KEY), ValueError, "k_fold: k is 4, but there are 3 rows"),
        (lambda: loose.k_fold(3, 2.0, KEY), TypeError, "k_fold: k is 2.0"),
        (lambda: loose.k_fold(3, 2, KEY, stratify=[1]), ValueError, "k_fold: stratify has shape"),
    ],
)
def test_errors_of_splits(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


# scaling


def matrices(dtype: Any, width: Literal[32, 64]) -> st.SearchStrategy[Any]:
    shapes = st.tuples(st.integers(1, 9), st.integers(1, 4))
    return arrays(dtype, shapes, elements=st.floats(-1e6, 1e6, width=width))


@settings(max_examples=60)
@given(matrices(np.float32, 32) | matrices(np.float64, 64), st.sampled_from([Normalizer, MinMax]))
def test_scalers_invert_and_keep_the_dtype(x: Any, scaler: Any) -> None:
    fitted = scaler.fit(x)
    y = fitted.apply(x)
    back = fitted.invert(y)
    assert x.dtype == y.dtype == back.dtype
    assert all([leaf.dtype == x.dtype and not leaf.flags.writeable for leaf in fnn.tree.leaves(fitted)])
    scale = np.abs(x).max(axis=0)
    assert (np.abs(back - x) <= 8 * np.finfo(x.dtype).eps * scale).all()
    constant = x.min(axis=0) == x.max(axis=0)
    assert (y[:, constant] == 0).all()
    if scaler is MinMax:
        assert y.min() >= 0
        assert y.max() <= 1


def test_normalized_features_have_mean_zero_and_std_one() -> None:
    x = (KEY.generator().normal(size=(500, 3)) * [1, 100, 1e-3] + [1e3, 0, 5]).astype(np.float32)
    scaled = Normalizer.fit(x).apply(x).astype(np.float64)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=2e-3)
    np.testing.assert_allclose(scaled.std(axis=0), 1, rtol=1e-3)
    wide = x.astype(np.float64)
    fitted = Normalizer.fit(wide)
    np.testing.assert_allclose(fitted.mean, wide.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(fitted.std, wide.std(axis=0), rtol=1e-12)


def test_sums_are_in_float64() -> None:
    x = np.full((200_000, 1), 0.1, np.float32)
    x[::2] += 1e-3
    fitted = Normalizer.fit(x)
    np.testing.assert_allclose(fitted.mean, x.astype(np.float64).mean(), rtol=1e-7)
    np.testing.assert_allclose(fitted.std, x.astype(np.float64).std(), rtol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_features_become_zero_whatever_rounding_does(dtype: Any) -> None:
    x = np.full((49, 2), 0.1, dtype)
    fitted = Normalizer.fit(x)
    assert fitted.mean.tolist() == x[0].tolist()
    assert fitted.std.tolist() == [1, 1]
    assert (fitted.apply(x) == 0).all()
    assert (fitted.invert(fitted.apply(x)) == x).all()
    tiny = np.array([[0.0], [1e-45], [0.0], [0.0]], np.float32)
    assert np.isfinite(Normalizer.fit(tiny).apply(tiny)).all()


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_fitting_in_pieces_is_fitting_at_once(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x = KEY.generator().normal(size=(1000, 2, 3)).astype(np.float32)
    whole = Normalizer.fit(x), MinMax.fit(x)
    monkeypatch.setattr(scaling, "_AT_ONCE", rows * 6)
    for one, other in zip(fnn.tree.leaves(whole), fnn.tree.leaves((Normalizer.fit(x), MinMax.fit(x))), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
        assert one.shape == (3,)


def test_vectors_are_scaled_as_one_feature() -> None:
    y = np.array([1.0, 2.0, 6.0])
    fitted = Normalizer.fit(y)
    assert fitted.mean.shape == ()
    np.testing.assert_allclose(fitted.invert(fitted.apply(y)), y)
    np.testing.assert_allclose(MinMax.fit(y).apply(y), [0, 0.2, 1])


def test_scalers_are_values_that_differentiate_and_pickle() -> None:
    x = np.array([[1.0, 5.0], [3.0, 6.0]])
    fitted = Normalizer.fit(x)
    assert pickle.loads(pickle.dumps(fitted)) == fitted
    assert len(fnn.tree.leaves(fitted)) == 2

    def total(v: fnn.Array2) -> fnn.Scalar:
        return fnn.sum(fitted.apply(v))

    slope = fnn.grad(total)(x)
    np.testing.assert_allclose(slope, 1 / np.broadcast_to(fitted.std, (2, 2)))
    assert fitted.apply(x.astype(np.float32)).dtype == np.float32
    assert MinMax.fit(x).apply(x.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("scaler", [Normalizer, MinMax])
def test_errors_of_scalers(scaler: Any) -> None:
    name, fitted = scaler.__name__, scaler.fit(np.ones((2, 3)))
    with pytest.raises(ValueError, match=rf"{name}.fit: x has shape \(0, 3\), expected rows"):
        scaler.fit(np.ones((0, 3)))
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match=rf"{name}.fit: feature 2 of x has a value that is not finite.*np.nanmean"):
            scaler.fit(np.array([[1, 2, bad], [1, 2, 3.0]]))
    with pytest.raises(TypeError, match=rf"{name}.fit: x is i64\[2\], expected floating numbers"):
        scaler.fit(np.array([1, 2]))
    with pytest.raises(ValueError, match=rf"{name}.apply: x has shape \(2, 2\), but it was fitted to 3 features"):
        fitted.apply(np.ones((2, 2)))
    with pytest.raises(ValueError, match=rf"{name}.invert: x has shape \(3,\), but it was fitted to 3 features"):
        fitted.invert(np.ones(3))
    with pytest.raises(ValueError, match=r"fitted to a vector; expected \[rows\]"):
        scaler.fit(np.ones(3)).apply(np.ones((2, 3)))


# categories


@given(st.lists(st.text(max_size=3), min_size=1, max_size=20) | st.lists(st.integers(-9, 9), min_size=1, max_size=20))
def test_one_hot_inverts_and_has_a_single_one(values: list[Any]) -> None:
    fitted = OneHot.fit(values)
    y = fitted.apply(values)
    assert (y.sum(axis=1) == 1).all()
    assert y.shape == (len(values), len(set(values)))
    assert y.dtype == np.float32
    assert fitted.invert(y) == values
    assert list(fitted.categories) == sorted(set(values))
    assert [fitted.categories[i] for i in fitted.codes(values)] == values


@pytest.mark.parametrize("values", [np.array(["b", "a", "b"]), np.array([7, -1, 7]), np.array(["b", "a", "b"], object)])
def test_arrays_of_categories_are_as_lists(values: Any) -> None:
    assert OneHot.fit(values) == OneHot.fit(values.tolist())
    assert OneHot.fit(values).codes(values).tolist() == [1, 0, 1]
    assert OneHot.fit(values).codes(values.tolist()).tolist() == [1, 0, 1]


def test_unseen_categories_are_errors_or_zeros() -> None:
    strict, lax = OneHot.fit(["a", "b"]), OneHot.fit(["a", "b"], unseen="zeros")
    with pytest.raises(ValueError, match=r"OneHot: 'c' is none of the 2 categories \('a', 'b'\); with unseen='zeros'"):
        strict.apply(["a", "c"])
    assert lax.apply(["c", "b"]).tolist() == [[0, 0], [0, 1]]
    assert lax.codes(np.array(["c", "b"])).tolist() == [-1, 1]
    with pytest.raises(ValueError, match="OneHot: 'd' is none"):
        strict.codes(np.array(["b", "d", "a"]))
    assert strict.apply([]).shape == (0, 2)


def test_one_hot_is_a_value() -> None:
    fitted = OneHot.fit(["a", "b"])
    assert fitted == pickle.loads(pickle.dumps(fitted))
    assert hash(fitted) == hash(OneHot(("a", "b")))
    assert fnn.tree.leaves(fitted) == []
    assert not fitted.apply(["a"]).flags.writeable
    assert OneHot(["a", "b"]) == fitted  # type: ignore[arg-type]  # a list becomes a tuple


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: loose.OneHot.fit([]), ValueError, "expected at least one"),
        (lambda: loose.OneHot(("a", "a")), ValueError, "each once"),
        (lambda: loose.OneHot(("a",), "skip"), ValueError, "unseen is 'skip'"),
        (lambda: loose.OneHot.fit(["a", 1]), TypeError, "expected all categories to be strings, or all integers"),
        (lambda: loose.OneHot.fit([1.5]), TypeError, "OneHot.fit: 1.5 is a float"),
        (lambda: loose.OneHot.fit("abc"), TypeError, "the values are the string 'abc'"),
        (lambda: loose.OneHot.fit(np.ones(2)), TypeError, "the values are float64"),
        (lambda: loose.OneHot.fit(np.ones((2, 2), int)), ValueError, r"the values have shape \(2, 2\)"),
        (lambda: loose.OneHot.fit(["a"]).invert(np.ones((2, 3))), ValueError, r"y has shape \(2, 3\), expected \[rows, 1\]"),
    ],
)
def test_errors_of_one_hot(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_fractions_may_be_an_array_and_messages_name_the_function() -> None:
    halves: Any = np.array([0.5, 0.5])
    for a, b in zip(split(np.arange(10), halves, fnn.key(0)), split(np.arange(10), (0.5, 0.5), fnn.key(0)), strict=True):
        np.testing.assert_array_equal(a, b)
    loose: Any = k_fold
    with pytest.raises(TypeError, match="k_fold: the number of rows is True"):
        loose(True, 2, fnn.key(0))


def test_subsets_pickle() -> None:
    kept = subset((np.arange(6.0), np.arange(6)), np.array([4, 1]))
    again = pickle.loads(pickle.dumps(kept))
    np.testing.assert_array_equal(again[np.array([0, 1])][0], [4.0, 1.0])
