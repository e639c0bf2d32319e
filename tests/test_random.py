"""Keys, modes and initialisers: randomness is a value, and it has the statistics that it says."""

from __future__ import annotations

import copy
import dataclasses
import math
import os
import pickle
import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnn
from fnn import initializers
from tests.laws.checks import global_state

seeds = st.integers(0, 2**130)
smalls = st.integers(0, 2**64 - 1)


def draws(key: fnn.Key, n: int = 4) -> list[float]:
    found: list[float] = key.generator().random(n).tolist()
    return found


# Keys


@given(seed=seeds, i=smalls)
def test_keys_are_values_and_deriving_them_is_pure(seed: int, i: int) -> None:
    root = fnn.key(seed)
    bits = root.bits
    assert root == fnn.key(seed)
    assert hash(root) == hash(fnn.key(seed))
    assert draws(root) == draws(root)
    assert root.split(3) == root.split(3)
    assert root.fold(i) == root.fold(i)
    assert root.bits == bits
    assert 0 <= bits < 2**128
    with pytest.raises(dataclasses.FrozenInstanceError):
        root.bits = 0  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]  # what the test is about


def test_the_derivation_is_fixed() -> None:
    """Protects runs that were seeded with an earlier version."""
    root = fnn.key(0)
    found = [root, fnn.key(1), *root.split(2), root.fold(0), root.fold(2**64 - 1), root.split()[1].fold(7)]
    assert [f"{key.bits:032x}" for key in found] == [
        "132cbbedd68b06a9418d5cea9f76f7bb",
        "8c212e94bf8f96f89df963003b728bac",
        "083b18b9630dec97bf438b13c016fdd6",
        "e876e8b6ed3e4d62e97398a31f508237",
        "7e5e59e1f754ba143df16728df8a9f0b",
        "7fba1cd3a3657a3be2afccd0fa443265",
        "0003eaf86cd626f4594f0868554dfa5c",
    ]


def test_all_ways_of_deriving_give_different_keys() -> None:
    root = fnn.key(0)
    derived = [root, *root.split(500), *[root.fold(i) for i in range(500)], *[fnn.key(seed) for seed in range(1, 500)]]
    for parent in (root.fold(0), root.split()[0], root.fold(1), root.split()[1]):
        derived += [*[parent.fold(i) for i in range(50)], *parent.split(50)]
    assert len(set(derived)) == len(derived)
    assert len({draws(key, 1)[0] for key in derived}) == len(derived)


@given(seed=seeds, n=st.integers(1, 9), m=st.integers(1, 9))
def test_a_longer_split_begins_with_a_shorter_one(seed: int, n: int, m: int) -> None:
    assert fnn.key(seed).split(n + m)[:n] == fnn.key(seed).split(n)
    assert len(fnn.key(seed).split(n)) == n


def test_the_order_of_deriving_and_drawing_does_not_matter() -> None:
    root = fnn.key(5)
    left, right = root.split()
    forwards = [draws(left), draws(right), draws(root.fold(3)), draws(root)]
    root = fnn.key(5)
    backwards = [draws(root), draws(root.fold(3)), draws(root.split()[1]), draws(root.split()[0])]
    assert forwards == backwards[::-1]


def test_a_generator_starts_at_the_beginning_however_many_there_are() -> None:
    key = fnn.key(1)
    first = key.generator()
    first.normal(size=100)
    assert key.generator().normal() == key.generator().normal()
    assert key.generator() is not first


def test_a_key_has_a_fixed_size_however_often_it_was_derived() -> None:
    key = fnn.key(0)
    size = len(pickle.dumps(key))
    for i in range(1000):
        key = key.fold(i).split()[i % 2]
    assert 0 <= key.bits < 2**128
    assert abs(len(pickle.dumps(key)) - size) <= 2
    assert vars(key).keys() == {"bits"}


def test_a_typed_split_unpacks() -> None:
    (a,) = fnn.key(0).split(1)
    b, c = fnn.key(0).split()
    d, e, f = fnn.key(0).split(3)
    g, h, i, j = fnn.key(0).split(4)
    assert a == b == d == g
    assert (c, e, f) == (h, h, i)
    assert j not in (a, c, f)


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.int64, np.uint8, np.uint64, np.array])
def test_integers_of_numpy_are_taken(kind: Any) -> None:
    root = fnn.key(3)
    assert fnn.key(kind(3)) == root
    assert root.fold(kind(3)) == root.fold(3)
    assert root.split(kind(3)) == root.split(3)
    assert fnn.Train(root).fold(kind(3)) == fnn.Train(root).fold(3)


@pytest.mark.parametrize("bad", [1.5, "a", None, np.float32(1), np.array([1, 2]), np.array(2.0), fnn.key(0), b"1", [1]])
def test_what_is_no_integer_is_refused_by_name(bad: Any) -> None:
    kind = type(bad).__name__
    with pytest.raises(TypeError, match=rf"key: the seed is .*, a {kind}, expected an int"):
        fnn.key(bad)
    with pytest.raises(TypeError, match=rf"Key\.fold: got .*, a {kind}, expected an int"):
        fnn.key(0).fold(bad)
    with pytest.raises(TypeError, match=rf"Key\.split: n is .*, a {kind}, expected an int"):
        fnn.key(0).split(bad)
    with pytest.raises(TypeError, match=rf"Key\.fold: got .*, a {kind}, expected an int"):
        fnn.Train(fnn.key(0)).fold(bad)


def test_integers_out_of_range_are_refused_by_name() -> None:
    for seed in (-1, np.int64(-7)):
        with pytest.raises(ValueError, match=rf"key: the seed is {seed}, expected an int of at least 0"):
            fnn.key(seed)  # type: ignore[arg-type]  # a NumPy integer is taken at run time
    for i in (-1, np.int32(-2), 2**64):
        with pytest.raises(ValueError, match=rf"Key\.fold: got {i}, expected an int in \[0, 2\*\*64\)"):
            fnn.key(0).fold(i)  # type: ignore[arg-type]  # as above
        if i < 2**64:
            with pytest.raises(ValueError, match=r"Key\.fold: got"):
                fnn.Train(fnn.key(0)).fold(i)  # type: ignore[arg-type]  # as above
    for n in (0, -3):
        with pytest.raises(ValueError, match=rf"Key\.split: n is {n}, expected at least 1"):
            fnn.key(0).split(n)


@pytest.mark.parametrize("bits", [-1, 2**128, 1.5, "a", None])
def test_a_key_of_bits_that_are_none_is_refused(bits: Any) -> None:
    with pytest.raises(
        ValueError if isinstance(bits, int) else TypeError, match=r"Key: the bits are .*make a key with fnn\.key\(seed\)"
    ):
        fnn.Key(bits)


@given(seed=seeds)
def test_keys_pickle_copy_and_print(seed: int) -> None:
    key = fnn.key(seed).fold(1)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(key, protocol)) == key
    assert copy.copy(key) == copy.deepcopy(key) == key
    assert eval(repr(key), {"Key": fnn.Key}) == key
    assert len(repr(key)) == len(repr(fnn.key(0)))


# Streams


def test_streams_of_related_keys_are_uniform_and_unrelated() -> None:
    n = 4000
    root = fnn.key(11)
    families: dict[str, list[fnn.Key]] = {
        "neighbouring seeds": [fnn.key(seed) for seed in range(n)],
        "split": list(root.split(n)),
        "fold": [root.fold(i) for i in range(n)],
        "first of split of fold": [root.fold(i).split()[0] for i in range(n)],
        "fold of fold": [root.fold(3).fold(i) for i in range(n)],
    }
    firsts = {}
    for name, keys in families.items():
        u = np.array([draws(key, 3) for key in keys])
        firsts[name] = u[:, 0]
        # six standard deviations of the mean and the variance of a uniform distribution, of the count in each of 20
        # boxes, and of a correlation: between draws of one stream, and between neighbouring streams
        assert np.all(np.abs(u.mean(0) - 1 / 2) < 6 / math.sqrt(12 * n)), name
        assert np.all(np.abs(u.var(0) - 1 / 12) < 6 / math.sqrt(180 * n)), name
        for column in u.T:
            counts = np.histogram(column, 20, (0, 1))[0]
            assert np.all(np.abs(counts - n / 20) < 6 * math.sqrt(n / 20)), name
            assert abs(np.corrcoef(column[1:], column[:-1])[0, 1]) < 6 / math.sqrt(n), name
        assert np.max(np.abs(np.corrcoef(u.T) - np.eye(3))) < 6 / math.sqrt(n), name
    between = np.corrcoef(np.array(list(firsts.values())))
    assert np.max(np.abs(between - np.eye(len(firsts)))) < 6 / math.sqrt(n)


def test_bits_of_keys_are_balanced() -> None:
    keys = [*[fnn.key(seed) for seed in range(1000)], *fnn.key(0).split(1000), *[fnn.key(0).fold(i) for i in range(1000)]]
    bits = np.array([[key.bits >> place & 1 for place in range(128)] for key in keys])
    assert np.all(np.abs(bits.mean(0) - 0.5) < 6 * 0.5 / math.sqrt(len(keys)))


def fingerprint() -> list[object]:
    """Something of everything that is random."""
    key = fnn.key(7)
    model = fnn.Dense(3, 5) >> fnn.BatchNorm(5) >> fnn.Dropout(0.5) >> fnn.Dense(5, 2)
    params, state = fnn.init(model, key)
    mode = fnn.Train(key.fold(9)).fold(2)
    y = fnn.dropout(np.ones(20), 0.5, mode)
    made = [
        init(key, (3, 3)) for init in (initializers.orthogonal, initializers.glorot_uniform, initializers.truncated_normal(1.0))
    ]
    arrays = [*fnn.tree.leaves(params), *fnn.tree.leaves(state), y, *made]
    return [repr(key), repr(mode), hash(key.split(3)), [array.tobytes().hex() for array in arrays]]


def test_bits_are_the_same_in_every_process() -> None:
    code = "from tests.test_random import fingerprint; print(fingerprint())"
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )
        assert done.stdout.strip() == repr(fingerprint())


def test_nothing_draws_from_or_seeds_a_global_generator() -> None:
    saved = np.random.get_state(), random.getstate()  # noqa: NPY002 (to see that nobody uses it)
    try:
        np.random.seed(123456)  # noqa: NPY002 (a state that nobody else would leave)
        random.seed(123456)
        before = global_state()
        fingerprint()
        model = fnn.Dense(2, 4) >> fnn.Dropout(0.5) >> fnn.Dense(4, 1)
        step = fnn.train_step(fnn.supervised(model, fnn.mse), fnn.Adam(0.1))
        x = np.ones((4, 2), np.float32)
        fnn.repeat(2, step, fnn.start(model, fnn.Adam(0.1), fnn.key(0)), x, x[:, :1])
        assert global_state() == before
    finally:
        np.random.set_state(saved[0])  # noqa: NPY002 (as above)
        random.setstate(saved[1])


# Modes


def test_training_needs_a_key() -> None:
    for bad in (0, None, "train", True, np.random.default_rng(0)):
        with pytest.raises(TypeError, match=rf"Train: the key is .*, a {type(bad).__name__}.*fnn\.key\(seed\)"):
            fnn.Train(bad)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # what the test is about


@given(seed=seeds, i=smalls, j=smalls)
def test_a_mode_folds_as_its_key_does(seed: int, i: int, j: int) -> None:
    mode = fnn.Train(fnn.key(seed))
    assert mode.fold(i).fold(j).key == mode.key.fold(i).fold(j)
    assert mode.fold(i).fold(j) == fnn.Train(mode.key.fold(i).fold(j))
    assert (mode.fold(i) == mode.fold(j)) == (i == j)
    assert hash(mode.fold(i)) == hash(fnn.Train(mode.key.fold(i)))
    assert repr(mode.fold(i)) == repr(fnn.Train(mode.key.fold(i)))
    for how in (copy.copy, copy.deepcopy, dataclasses.replace, lambda m: fnn.tree.map(np.copy, m)):
        assert how(mode.fold(i)) == mode.fold(i)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(mode.fold(i), protocol)) == mode.fold(i)
        assert pickle.loads(pickle.dumps(fnn.EVAL, protocol)) == fnn.EVAL


def test_a_mode_may_be_folded_deeper_than_python_recurses() -> None:
    mode = fnn.Train(fnn.key(0))
    key = mode.key
    for _ in range(3 * sys.getrecursionlimit()):
        mode = mode.fold(1)
        key = key.fold(1)
    assert mode.key == key


def test_evaluation_folds_to_itself_and_is_not_training() -> None:
    assert fnn.EVAL.fold(3) is fnn.EVAL
    assert fnn.Eval() == fnn.EVAL
    assert hash(fnn.Eval()) == hash(fnn.EVAL)
    both: list[fnn.Mode] = [fnn.EVAL, fnn.Train(fnn.key(0))]
    assert both[0] != both[1]
    with pytest.raises(AttributeError, match="Train has no attribute 'seed'"):
        fnn.Train(fnn.key(0)).seed  # type: ignore[attr-defined]  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]


# Initialisers

WEIGHT = (400, 250)  # fan in 400, fan out 250
KERNEL = (3, 5, 16, 60)  # fan in 15 * 16 = 240, fan out 15 * 60 = 900
VECTOR = (3000,)  # both fans 3000

# name, initialiser, and by shape its variance; then a bound that no value passes, in standard deviations
SQRT3 = math.sqrt(3)
RANDOM: list[tuple[str, Any, dict[tuple[int, ...], float], float]] = [
    ("he_normal", initializers.he_normal, {WEIGHT: 2 / 400, KERNEL: 2 / 240, VECTOR: 2 / 3000}, 6),
    ("he_uniform", initializers.he_uniform, {WEIGHT: 2 / 400, KERNEL: 2 / 240, VECTOR: 2 / 3000}, SQRT3),
    ("glorot_normal", initializers.glorot_normal, {WEIGHT: 2 / 650, KERNEL: 2 / 1140, VECTOR: 1 / 3000}, 6),
    ("glorot_uniform", initializers.glorot_uniform, {WEIGHT: 2 / 650, KERNEL: 2 / 1140, VECTOR: 1 / 3000}, SQRT3),
    ("lecun_normal", initializers.lecun_normal, {WEIGHT: 1 / 400, KERNEL: 1 / 240, VECTOR: 1 / 3000}, 6),
    ("lecun_uniform", initializers.lecun_uniform, {WEIGHT: 1 / 400, KERNEL: 1 / 240, VECTOR: 1 / 3000}, SQRT3),
    ("normal", initializers.normal(0.5), {WEIGHT: 0.25, VECTOR: 0.25}, 6),
    ("uniform", initializers.uniform(-0.5, 0.5), {WEIGHT: 1 / 12, VECTOR: 1 / 12}, SQRT3),
    # a normal cut off at 2 deviations has deviation 0.8796, so in units of that the bound is 2 / 0.8796
    ("truncated_normal", initializers.truncated_normal(0.5), {WEIGHT: 0.25, VECTOR: 0.25}, 2 / 0.87962566),
]
CASES = [
    pytest.param(init, shape, variance, bound, id=f"{name} {len(shape)}")
    for name, init, variances, bound in RANDOM
    for shape, variance in variances.items()
]


@pytest.mark.parametrize(("init", "shape", "variance", "bound"), CASES)
def test_mean_variance_and_bounds(init: Any, shape: tuple[int, ...], variance: float, bound: float) -> None:
    for seed in (0, 1):
        values = init(fnn.key(seed), shape, np.float64)
        n = values.size
        assert abs(values.mean()) < 6 * math.sqrt(variance / n)
        # the variance of a sample's variance is at most 2 v^2 / n, that of a normal
        assert abs(values.var() / variance - 1) < 6 * math.sqrt(2 / n)
        largest = np.abs(values).max() / math.sqrt(variance)
        assert largest <= bound * (1 + 1e-8)
        if bound != 6:
            assert largest > 0.98 * bound


def test_normal_values_are_normal() -> None:
    values = initializers.he_normal(fnn.key(0), (1, 100_000), np.float64) / math.sqrt(2)
    for deviations in (0.5, 1.0, 2.0, 3.0):
        expected = math.erf(deviations / math.sqrt(2))
        inside = np.mean(np.abs(values) < deviations)
        assert abs(inside - expected) < 6 * math.sqrt(expected * (1 - expected) / values.size)


def test_a_truncated_normal_has_the_shape_of_a_normal_inside() -> None:
    values = initializers.truncated_normal(0.87962566103423978)(fnn.key(0), (100_000,), np.float64)
    assert np.abs(values).max() <= 2
    expected = math.erf(1 / math.sqrt(2)) / math.erf(2 / math.sqrt(2))
    inside = np.mean(np.abs(values) < 1)
    assert abs(inside - expected) < 6 * math.sqrt(expected * (1 - expected) / values.size)


def test_uniform_values_lie_between_low_and_high() -> None:
    values = initializers.uniform(2.0, 3.0)(fnn.key(0), (10_000,), np.float64)
    assert values.min() >= 2
    assert values.max() < 3
    assert np.all(np.histogram(values, 10, (2, 3))[0] > 800)


@pytest.mark.parametrize("shape", [(5, 5), (8, 3), (3, 8), (2, 3, 4, 5), (2, 1, 2, 9), (1, 7), (7, 1)])
def test_orthogonal_has_orthonormal_rows_or_columns(shape: tuple[int, ...]) -> None:
    made = initializers.orthogonal(fnn.key(2), shape, np.float64)
    assert made.shape == shape
    q = made.reshape(-1, shape[-1])
    small = q.T @ q if q.shape[0] >= q.shape[1] else q @ q.T
    np.testing.assert_allclose(small, np.eye(len(small)), atol=1e-12)


def test_orthogonal_favours_no_direction() -> None:
    """Protects the signs: without them the QR decomposition alone gives a diagonal of one sign."""
    made = np.array([initializers.orthogonal(key, (2, 2), np.float64) for key in fnn.key(0).split(2000)])
    assert np.all(np.abs(made.mean(0)) < 6 * math.sqrt(0.5 / 2000))
    assert abs(np.mean(np.linalg.det(made))) < 6 / math.sqrt(2000)
    angle = np.arctan2(made[:, 1, 0], made[:, 0, 0])
    assert np.all(np.abs(np.histogram(angle, 8, (-np.pi, np.pi))[0] - 250) < 6 * math.sqrt(250))


VALUES: list[Any] = [
    initializers.zeros, initializers.ones, initializers.orthogonal, initializers.constant(0.5),
    *[init for _, init, _, _ in RANDOM],
]  # fmt: skip


@pytest.mark.parametrize("init", VALUES, ids=repr)
def test_initialisers_are_pure_and_give_read_only_arrays_of_the_dtype(init: Any) -> None:
    key = fnn.key(4)
    before = global_state()
    for shape in ((3, 4), (2, 2, 3, 4), (1, 1)):
        for dtype in (np.float32, np.float64, np.float16, "float32"):
            made = init(key, shape, dtype)
            assert (made.shape, made.dtype) == (shape, np.dtype(dtype))
            assert type(made) is np.ndarray
            assert not made.flags.writeable
            assert made.flags.c_contiguous
            assert made.base is None or not made.base.flags.writeable
            assert np.array_equal(made, init(key, shape, dtype))
        assert init(key, shape).dtype == np.float32
        np.testing.assert_array_equal(init(key, shape), init(key, shape, np.float64).astype(np.float32))
    assert global_state() == before
    if init not in (initializers.zeros, initializers.ones, initializers.constant(0.5)):
        assert not np.array_equal(init(key, (3, 4)), init(fnn.key(5), (3, 4)))


@pytest.mark.parametrize("init", [init for init in VALUES if init is not initializers.orthogonal], ids=repr)
def test_initialisers_take_vectors_scalars_and_nothing(init: Any) -> None:
    for shape in ((5,), (), (0,), (0, 3), (3, 0)):
        made = init(fnn.key(0), shape)
        assert type(made) is np.ndarray
        assert made.shape == shape
        assert not made.flags.writeable


@pytest.mark.parametrize("init", VALUES, ids=repr)
def test_initialisers_are_values(init: Any) -> None:
    for again in (copy.deepcopy(init), pickle.loads(pickle.dumps(init)), dataclasses.replace(init)):
        assert again == init
        assert hash(again) == hash(init)
    assert sum([init == other for other in VALUES]) == 1
    name = [field.name for field in dataclasses.fields(init)]
    if name:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(init, name[0], 1.0)


def test_initialisers_with_other_numbers_differ() -> None:
    makers: list[tuple[Callable[..., Any], tuple[float, ...], tuple[float, ...]]] = [
        (initializers.constant, (0.5,), (0.25,)),
        (initializers.normal, (0.5,), (0.25,)),
        (initializers.truncated_normal, (0.5,), (0.25,)),
        (initializers.uniform, (0.0, 1.0), (0.0, 2.0)),
    ]
    for make, a, b in makers:
        assert make(*a) == make(*a) != make(*b)
    assert fnn.Dense(2, 3, weight_init=initializers.normal(0.5)) == fnn.Dense(2, 3, weight_init=initializers.normal(0.5))
    assert fnn.Dense(2, 3, weight_init=initializers.normal(0.5)) != fnn.Dense(2, 3)
    assert initializers.kaiming_normal is initializers.he_normal
    assert initializers.xavier_uniform is initializers.glorot_uniform


def test_constants_and_scales_are_what_they_say() -> None:
    key = fnn.key(0)
    assert initializers.zeros(key, (2,)).tolist() == [0.0, 0.0]
    assert initializers.ones(key, (2,)).tolist() == [1.0, 1.0]
    assert initializers.constant(-3)(key, (1, 2)).tolist() == [[-3.0, -3.0]]
    assert not np.any(initializers.normal(0.0)(key, (9,)))
    for make in (initializers.normal, initializers.truncated_normal):
        np.testing.assert_allclose(make(2.0)(key, (9,), np.float64), 2 * make(1.0)(key, (9,), np.float64))
    assert initializers.normal() == initializers.normal(0.01)
    assert initializers.uniform(1.0, 1.0)(key, (2,)).tolist() == [1.0, 1.0]


def test_weights_and_biases_draw_from_keys_of_their_own() -> None:
    key = fnn.key(0)
    params = fnn.DenseParams.init(key, 3, 3, weight_init=initializers.normal(1.0), bias_init=initializers.normal(1.0))
    assert not set(params.weight.ravel().tolist()) & set(params.bias.tolist())
    model = fnn.Dense(3, 3) >> fnn.Dense(3, 3) >> fnn.stack(2, fnn.Dense(3, 3))
    weights = [leaf for leaf in fnn.tree.leaves(fnn.init(model, key)[0]) if leaf.ndim == 2]
    assert len({weight.tobytes() for weight in weights}) == len(weights) == 4


def test_initializers_are_shown_as_one_writes_them() -> None:
    known = fnn.initializers
    shown = [known.he_normal, known.glorot_uniform, known.zeros, known.constant(1.0), known.constant(0.5), known.normal(0.02)]
    assert [repr(one) for one in shown] == ["he_normal", "glorot_uniform", "zeros", "ones", "constant(0.5)", "normal(0.02)"]
    assert repr(known.uniform(-1, 1)) == "uniform(-1, 1)"
    assert repr(fnn.Dense(2, 3, weight_init=known.orthogonal)) == "Dense(2, 3, weight_init=orthogonal)"
