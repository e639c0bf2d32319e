"""Batches: every row once in an epoch, in an order that (key, epoch) alone decides, and resumed where a run stopped."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnn
from fnn.data import Rows, batches, batches_of, examples, map_npy, map_npz, order, stacked, subset
from fnn.data import rows as rows_of_data
from fnn.data.ordering import quotas
from fnn.data.rows import _read_mapped  # pyright: ignore[reportPrivateUsage]  # reads front to back

KEY = fnn.key(0)
# for calls that no checker lets through
loose: Any = fnn.data


@dataclass(frozen=True)
class Pair:
    x: fnn.Array2
    y: fnn.Int1
    note: str = "static"


class Named(NamedTuple):
    x: fnn.Array2
    y: fnn.Int1


class Source:
    """Rows that count how often each was read."""

    def __init__(self, n: int) -> None:
        self.read: list[int] = []
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, rows: fnn.Int1) -> tuple[fnn.Array1, fnn.Int1]:
        self.read += rows.tolist()
        return rows / 2, rows


def xy(n: int) -> tuple[fnn.Array2, fnn.Int1]:
    return np.arange(2.0 * n).reshape(n, 2), np.arange(n)


def flat(found: Any) -> list[int]:
    return [int(i) for ys in found for i in ys]


keys = st.integers(0, 2**40).map(fnn.key)
epochs = st.integers(0, 2**40)


# the order


@given(st.integers(0, 60), st.integers(1, 70), st.none() | keys, epochs)
def test_every_row_comes_once_in_an_epoch_and_batches_have_the_size(n: int, size: int, key: Any, epoch: int) -> None:
    ys = list(batches(np.arange(n), size, key, epoch))
    assert sorted(flat(ys)) == list(range(n))
    assert [len(y) for y in ys] == [size] * (n // size) + [n % size] * (n % size > 0)
    assert flat(ys) == order(n, size, key, epoch).tolist()
    if key is None:
        assert flat(ys) == list(range(n))


@given(st.integers(1, 60), st.integers(1, 9), keys, epochs, st.data())
def test_the_rest_of_an_epoch_is_what_one_that_went_on_reads(n: int, size: int, key: fnn.Key, epoch: int, data: Any) -> None:
    last = data.draw(st.sampled_from(["keep", "drop", "pad"]))
    options = data.draw(st.sampled_from([{}, {"weights": np.arange(n) + 1.0}, {"stratify": np.arange(n) % 3}]))
    whole = list(batches(np.arange(n), size, key, epoch, last=last, **options))
    start = data.draw(st.integers(0, len(whole)))
    rest = batches(np.arange(n), size, key, epoch, last=last, start=start, **options)
    assert fnn.tree.equal(list(rest), whole[start:])
    assert fnn.tree.equal(list(rest), whole[start:]), "a second loop gives something else"
    assert len(rest) == len(whole) - start


def test_the_order_depends_on_key_and_epoch_and_on_nothing_else() -> None:
    def run(key: fnn.Key = KEY, epoch: int = 0, factor: int = 1, size: int = 7) -> list[int]:
        return flat(batches(np.arange(50) * factor, size, key, epoch))

    state: Any = np.random.get_state(legacy=False)  # noqa: NPY002 (that the global generator is not used)
    assert run() == run() == run(size=13) == [i // 2 for i in run(factor=2)]
    assert len({tuple(run(key, epoch)) for key in (KEY, fnn.key(1)) for epoch in (0, 1, 2)}) == 6
    again: Any = np.random.get_state(legacy=False)  # noqa: NPY002
    assert np.array_equal(again["state"]["key"], state["state"]["key"])


def test_rows_that_were_skipped_are_not_read() -> None:
    source = Source(10)
    ahead = batches(source, 3, KEY, start=2)
    assert source.read == []
    assert sorted(source.read + flat([y for _, y in ahead])) == sorted(source.read * 2)
    assert len(source.read) == 4
    assert source.read == order(10, 3, KEY)[6:].tolist()


def test_all_orders_of_three_rows_are_as_likely() -> None:
    counts: dict[tuple[int, ...], int] = {}
    for epoch in range(1200):
        found = tuple(order(3, 1, KEY, epoch).tolist())
        counts[found] = counts.get(found, 0) + 1
    assert len(counts) == 6
    assert all(150 < count < 250 for count in counts.values()), counts


def test_the_order_takes_four_bytes_a_row() -> None:
    assert order(10, 2, KEY).dtype == np.int32
    assert order(10, 2).nbytes == 40
    with pytest.raises(ValueError, match="read-only"):
        order(3, 1, KEY)[0] = 1


@given(st.integers(1, 40), st.integers(1, 50), st.none() | keys)
def test_drop_and_pad_make_all_batches_of_one_size(n: int, size: int, key: Any) -> None:
    kept = flat(batches(np.arange(n), size, key))
    dropped = list(batches(np.arange(n), size, key, last="drop"))
    assert flat(dropped) == kept[: n // size * size]
    assert len(batches(np.arange(n), size, key, last="drop")) == len(dropped)
    padded = list(batches(np.arange(n), size, key, last="pad"))
    assert {len(y) for y in padded} == {size}
    assert flat(padded) == (kept * (1 + size))[: size * len(padded)]
    # which rows repeat, as the docstring says
    real = [i * size + j < n for i in range(len(padded)) for j in range(size)]
    assert sorted(np.array(flat(padded))[real]) == list(range(n))


# weights and strata


def test_weights_are_the_probability_of_a_row_and_zero_is_never() -> None:
    weights = [1.0, 0.0, 3.0, 0.0]
    drawn = np.concatenate([order(4, 2, KEY, epoch, weights=weights) for epoch in range(3000)])
    share = np.bincount(drawn, minlength=4) / len(drawn)
    np.testing.assert_allclose(share, [0.25, 0, 0.75, 0], atol=0.015)
    assert order(4, 2, KEY, weights=weights).dtype == np.int32
    assert len(order(4, 2, KEY, weights=weights)) == 4


def test_numbers_on_the_edge_of_an_interval_belong_to_a_row_with_a_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    class Always:
        def __init__(self, number: float) -> None:
            self.number = number

        def random(self, n: int) -> Any:
            return np.full(n, self.number)

    for number, row in ((0.0, 1), (0.5, 3), (1.0, 3)):
        monkeypatch.setattr(fnn.Key, "generator", lambda key, number=number: Always(number))
        assert order(5, 1, KEY, weights=[0.0, 1.0, 0.0, 1.0, 0.0]).tolist() == [row] * 5


@settings(max_examples=60)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(1, 20), keys)
def test_each_batch_has_its_share_of_every_label(labels: list[int], size: int, key: fnn.Key) -> None:
    n, y = len(labels), np.array(labels)
    rows = order(n, size, key, stratify=labels)
    assert sorted(rows.tolist()) == list(range(n))
    for end in [*range(size, n, size), n]:
        so_far = np.bincount(y[rows[:end]], minlength=6)
        assert (np.abs(so_far - end * np.bincount(y, minlength=6) / n) < 1).all()


def check_quotas(counts: list[int], ends: list[int]) -> None:
    n = sum(counts)
    before = np.zeros(len(counts), int)
    for end, quota in zip(ends, quotas(np.array(counts), ends), strict=True):
        assert quota.sum() == end
        assert (quota >= before).all()
        assert (np.abs(quota * n - end * np.array(counts)) < n).all()
        before = quota


def test_a_label_that_was_early_keeps_its_row() -> None:
    check_quotas([1, 1, 4, 4], [*range(11)])


@settings(max_examples=200)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.data())
def test_quotas_never_shrink_add_up_and_stay_within_one_of_the_share(counts: list[int], data: Any) -> None:
    n = sum(counts)
    ends = [*sorted(data.draw(st.sets(st.integers(0, n), max_size=12))), n]
    check_quotas(counts, ends)


def test_strata_are_shuffled_by_key_and_epoch_within_batches_too() -> None:
    labels = ["a"] * 50 + ["b"] * 50
    orders = [tuple(order(100, 20, KEY, epoch, stratify=labels).tolist()) for epoch in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    first = np.array(orders[0][:20]) < 50
    assert first.sum() == 10
    assert 3 < np.sum(first[1:] != first[:-1]) < 19, "the labels of a batch stand in blocks, or alternate"


# kinds of data


@pytest.mark.parametrize(
    "data",
    [
        xy(7),
        dict(zip("xy", xy(7), strict=True)),
        Pair(*xy(7)),
        Named(*xy(7)),
        [*xy(7)],
        (xy(7), {"more": xy(7)}, None, "static"),
        fnn.data.Table(np.ones((7, 2), np.float32), np.zeros((7, 1), np.int32), None, ("a", "b"), ("c",), (("d",),), ()),
    ],
    ids=lambda data: type(data).__name__,
)
def test_batches_are_trees_of_the_type_of_the_data(data: Any) -> None:
    structure = fnn.tree.flatten(data)[1]
    rows = order(7, 3, KEY)
    found = list(batches(data, 3, KEY))
    assert len(found) == 3
    for i, batch in enumerate(found):
        assert fnn.tree.flatten(batch)[1] == structure
        for leaf, whole in zip(fnn.tree.leaves(batch), fnn.tree.leaves(data), strict=True):
            assert type(leaf) is np.ndarray
            assert leaf.dtype == whole.dtype
            assert np.array_equal(leaf, whole[rows[3 * i : 3 * i + 3]])


@pytest.mark.parametrize("key", [None, KEY])
def test_batches_are_read_only_and_share_no_memory_with_the_data(key: Any) -> None:
    x = np.arange(6.0)
    for batch in batches(x, 2, key):
        assert not np.shares_memory(batch, x)
        with pytest.raises(ValueError, match="read-only"):
            batch[0] = 1
    assert x.flags.writeable


def test_rows_of_an_object_are_asked_for_by_an_array_of_integers_also_inside_a_tree() -> None:
    halves, rows = zip(*batches(Source(5), 2, KEY), strict=True)
    assert flat(rows) == order(5, 2, KEY).tolist() == [int(2 * h) for h in np.concatenate(halves)]
    mixed: Any = (Source(5), np.arange(5))
    for (half, row), y in batches(mixed, 2, KEY):
        assert (2 * half).tolist() == row.tolist() == y.tolist()


def test_single_examples_are_joined() -> None:
    items = [(np.full(3, i, np.float32), i) for i in range(5)]
    for x, y in batches(examples(items), 2, KEY):
        assert x.dtype == np.float32
        assert np.array_equal(x, np.repeat(np.array(y)[:, None], 3, 1))
    lengths = batches(examples(["a", "bb", "ccc"], lambda found: np.array([len(word) for word in found])), 2)
    assert [found.tolist() for found in lengths] == [[1, 2], [3]]


def test_a_subset_reads_its_rows_of_any_data() -> None:
    sources: list[Any] = [(np.arange(10), np.arange(10)), Source(10)]
    for data in sources:
        part = subset(data, np.array([7, 3, 5]))
        assert len(part) == 3
        assert [y.tolist() for _, y in batches(part, 2)] == [[7, 3], [5]]
    assert subset(np.arange(9) * 2, np.array([], int))[np.array([], int)].tolist() == []


def test_streams_are_collected_and_read_no_further_than_the_batch() -> None:
    read = []

    def stream() -> Iterator[tuple[fnn.Array, float]]:
        for i in range(7):
            read.append(i)
            yield np.full(2, i), float(i)

    it = batches_of(stream(), 3)
    assert read == []
    x, y = next(it)
    assert read == [0, 1, 2]
    assert np.shape(x) == (3, 2)
    assert np.asarray(y).dtype == np.float32
    assert [len(x) for x, _ in it] == [3, 1]
    assert [len(x) for x, _ in batches_of(stream(), 3, last="drop")] == [3, 3]
    assert list(batches_of(iter("abcde"), 2, collate=lambda found: "".join(found))) == ["ab", "cd", "e"]
    assert list(batches_of(iter([]), 2)) == []


def test_stacked_keeps_the_tree_and_takes_numbers() -> None:
    made: Any = stacked([Pair(np.ones((1, 2)), np.zeros(1, int)), Pair(np.zeros((1, 2)), np.ones(1, int))])
    assert (made.x.shape, made.y.tolist(), made.note) == ((2, 1, 2), [[0], [1]], "static")
    assert fnn.tree.show(stacked([(1.5, 2, True), (2.5, 3, False)])) == "(f32[2], i64[2], bool[2])"


def test_a_pass_over_the_digits_trains() -> None:
    data = fnn.datasets.digits()
    model = fnn.Dense(64, 10)
    step = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), fnn.Adam(0.01))
    ts = fnn.start(model, fnn.Adam(0.01), KEY)
    for epoch in range(3):
        for x, y in fnn.batches((data.train_x, data.train_y), 32, KEY, epoch, stratify=data.train_y):
            ts, _ = step(ts, x, y)
    assert fnn.accuracy(fnn.predict(model, ts.params, ts.state, data.test_x), data.test_y) > 0.9


# files larger than memory


def test_memory_maps_give_the_rows_of_the_array_and_are_read_in_order(tmp_path: Path) -> None:
    x = np.arange(60, dtype=np.float32).reshape(20, 3)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(20), f=np.asfortranarray(x), empty=np.empty((0, 2)))
    loaded = map_npz(tmp_path / "data.npz")
    assert list(loaded) == ["x", "y", "f", "empty"]
    assert np.array_equal(loaded["y"], np.arange(20))
    assert loaded["empty"].shape == (0, 2)
    for mapped in (map_npy(tmp_path / "x.npy"), np.load(tmp_path / "x.npy", mmap_mode="r"), loaded["x"], loaded["f"]):
        assert isinstance(mapped, np.memmap)
        assert not mapped.flags.writeable
        ways: list[dict[str, Any]] = [{}, {"weights": np.arange(20)}, {"last": "pad"}]
        for options in ways:
            for data in (mapped, np.asarray(mapped), mapped[:]):
                found, expected = batches(data, 6, KEY, **options), batches(x, 6, KEY, **options)
                for batch, same in zip(found, expected, strict=True):
                    assert type(batch) is np.ndarray
                    assert fnn.tree.equal(batch, same)
                    assert not batch.flags.writeable


def test_rows_of_a_map_are_read_from_front_to_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[int]] = []

    class Watched(np.ndarray):
        def __getitem__(self, rows: Any) -> Any:
            seen.append(rows.tolist())
            return np.asarray(self)[rows]

    np.save(tmp_path / "x.npy", np.arange(20))
    mapped = map_npy(tmp_path / "x.npy")
    kinds: list[tuple[Any, bool]] = [(mapped, True), (mapped[::2], True), (np.asarray(mapped), True), (np.array(mapped), False)]
    for data, in_a_file in kinds:
        calls: list[int] = []
        monkeypatch.setattr(rows_of_data, "_read_mapped", lambda x, rows, calls=calls: calls.append(len(rows)) or x[rows])
        assert len(list(batches(data, len(data), KEY))) == 1
        assert calls == [len(data)] * in_a_file
    found = _read_mapped(mapped.view(Watched), np.array([5, 1, 9, 1]))
    assert seen == [[1, 1, 5, 9]]
    assert found.tolist() == [5, 1, 9, 1]


TRAIN = """
import sys
import numpy as np
import fnn

path, rows, width, size = sys.argv[1], *map(int, sys.argv[2:])
def anonymous():
    with open("/proc/self/status") as file:
        return max([int(line.split()[1]) for line in file if line.startswith("RssAnon")])
x = np.lib.format.open_memmap(path, "w+", np.float32, (rows, width))
del x
x = fnn.data.map_npy(path)
y = np.zeros((rows, 1), np.float32)
model = fnn.Dense(width, 1)
step = fnn.train_step(fnn.supervised(model, fnn.mse), fnn.Sgd(1e-3))
ts = fnn.start(model, fnn.Sgd(1e-3), fnn.key(0))
most, before, steps = 0, anonymous(), 0
for batch in fnn.prefetch(fnn.batches((x, y), size, fnn.key(1))):
    ts, loss = step(ts, *batch)
    steps += 1
    most = max(most, anonymous())
print(steps, before // 1024, most // 1024)
"""


def train_on_a_file(path: Path, rows: int, width: int, size: int) -> list[int]:
    """Steps, and anonymous memory in MB before and at most while a process trains on a file of zeros."""
    if not sys.platform.startswith("linux"):
        pytest.skip("anonymous memory is read from /proc, which only Linux has")
    arguments = [sys.executable, "-W", "error", "-c", TRAIN, str(path), str(rows), str(width), str(size)]
    environment = {**os.environ, "PYTHONPATH": str(Path(fnn.__file__).parents[1]), "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False, timeout=600)
    finally:
        path.unlink(missing_ok=True)
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]


def test_a_file_of_200_mb_trains_in_a_fraction_of_its_size(tmp_path: Path) -> None:
    steps, before, most = train_on_a_file(tmp_path / "x.npy", 50_000, 1024, 1024)
    assert steps == 49
    assert most - before < 60, (before, most)


@pytest.mark.slow
def test_a_file_of_4_gb_trains_within_300_mb_of_anonymous_memory(tmp_path: Path) -> None:
    steps, before, most = train_on_a_file(tmp_path / "x.npy", 2**20, 1024, 512)
    assert steps == 2048
    assert most < 300, (before, most)


# errors


def one_by_one(n: int) -> Any:
    class Single:
        def __len__(self) -> int:
            return n

        def __getitem__(self, i: int) -> float:
            return ([0.5] * n)[i]

    return Single()


class Short:
    def __len__(self) -> int:
        return 3

    def __getitem__(self, rows: fnn.Int1) -> dict[str, fnn.Array1]:
        return {"a": np.zeros(1)}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: loose.batches((np.ones(3), np.ones(4)), 2), ValueError, r"batches: \[1\] has 4 rows but \[0\] has 3"),
        (lambda: loose.batches({"a": np.float32(3)}, 2), ValueError, r"batches: the leaf \['a'\] is f32\[\], expected an axis"),
        (lambda: loose.batches((), 2), TypeError, r"batches: the data is \(\), with nothing in it that has rows"),
        (lambda: loose.batches(iter([1]), 2), TypeError, "fnn.data.batches_of"),
        (lambda: loose.batches("rows", 2), TypeError, "the data is 'rows'"),
        (lambda: loose.batches(np.ones(3), 0), ValueError, "batches: size is 0, expected at least 1"),
        (lambda: loose.batches(np.ones(3), 1.5), TypeError, "batches: size is 1.5, a float, expected an int"),
        (lambda: loose.batches(np.ones(3), True), TypeError, "batches: size is True, a bool"),
        (
            lambda: loose.batches(np.ones(3), 2, 0),
            TypeError,
            r"batches: the key is 0, a int, expected a Key: write fnn.key\(seed\)",
        ),
        (lambda: loose.batches(np.ones(3), 2, KEY, -1), ValueError, "batches: epoch is -1, expected at least 0"),
        (
            lambda: loose.batches(np.ones(3), 2, KEY, last="cut"),
            ValueError,
            "batches: last is 'cut', expected 'keep', 'drop' or 'pad'",
        ),
        (lambda: loose.batches(np.ones(3), 2, KEY, start=3), ValueError, "batches: start is 3, but 3 rows make 2 batches of 2"),
        (lambda: loose.batches(np.ones(3), 2, KEY, last="drop", start=2), ValueError, "3 rows make 1 batches"),
        (lambda: loose.batches(np.ones(3), 2, KEY, start=-1), ValueError, "batches: start is -1"),
        (lambda: loose.batches(np.ones(3), 2, weights=[1, 1, 1]), ValueError, "weights are given without a key"),
        (lambda: loose.batches(np.ones(3), 2, stratify=[1, 1, 1]), ValueError, "stratify are given without a key"),
        (lambda: loose.batches(np.ones(3), 2, KEY, weights=[1, 1]), ValueError, r"weights has shape \(2,\), expected \(3,\)"),
        (
            lambda: loose.batches(np.ones(3), 2, KEY, stratify=[[1]] * 3),
            ValueError,
            r"stratify has shape \(3, 1\), expected \(3,\)",
        ),
        (
            lambda: loose.batches(np.ones(3), 2, KEY, weights=[0, 0, 0]),
            ValueError,
            "weights must be finite .* not all of them 0",
        ),
        (lambda: loose.batches(np.ones(3), 2, KEY, weights=[1, -1, 1]), ValueError, "weights must be"),
        (lambda: loose.batches(np.ones(3), 2, KEY, weights=[1, np.nan, 1]), ValueError, "weights must be"),
        (lambda: loose.batches(np.ones(3), 2, KEY, weights=["a"] * 3), ValueError, "weights must be"),
        (lambda: loose.batches(np.ones(2), 2, KEY, weights=[1, 1], stratify=[0, 1]), ValueError, "one of the two"),
        (
            lambda: list(batches(Short(), 2)),
            ValueError,
            r"was asked for 2 rows and gave f64\[1\] at \['a'\]; .*fnn.data.examples",
        ),
        (lambda: list(loose.batches(range(5), 2)), TypeError, "integer"),
        (lambda: loose.order(-1, 2), ValueError, "order: n is -1"),
        (lambda: loose.subset(np.ones(3), np.array([3])), ValueError, "subset: rows go from 3 to 3, but the data has 3 rows"),
        (lambda: loose.subset(np.ones(3), np.array([-1])), ValueError, "subset: rows go from -1"),
        (lambda: loose.subset(np.ones(3), np.array([0.5])), TypeError, r"subset: rows is f64\[1\]"),
        (lambda: loose.stacked([]), ValueError, "stacked: there is no example"),
        (
            lambda: loose.stacked([np.ones(2), np.ones(3)]),
            ValueError,
            r"stacked: example 1 is f64\[3\] but the first is f64\[2\]",
        ),
        (
            lambda: stacked([(np.ones(2),), np.ones(2)]),
            ValueError,
            r"stacked: example 1 is f64\[2\] but the first is \(f64\[2\],\)",
        ),
        (lambda: loose.batches_of([], 0), ValueError, "batches_of: size is 0"),
        (lambda: loose.batches_of([], 1, last="pad"), ValueError, "batches_of: last is 'pad', expected 'keep' or 'drop'"),
    ],
)
def test_errors_say_what_is_wrong_where_the_mistake_is_made(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()


def test_an_object_that_takes_one_number_is_told_apart() -> None:
    with pytest.raises(TypeError) as caught:
        list(batches(one_by_one(4), 2))
    assert re.search(r"Single, was indexed with an integer array .*fnn.data.examples\(it\)", caught.value.__notes__[0])
    assert [found.tolist() for found in batches(examples(one_by_one(3)), 2)] == [[0.5, 0.5], [0.5]]


def test_batches_print_what_they_are() -> None:
    assert repr(batches(np.ones(5), 2)) == "Batches(of 2 of 5 rows, key=None, epoch=0, last='keep', start=0)"
    source: Rows[tuple[fnn.Array1, fnn.Int1]] = Source(2)
    assert len(batches(source, 1)) == 2


def test_weights_may_be_as_large_or_as_small_as_numbers_are() -> None:
    weights = np.array([1.0, 2.0, 0.0, 3.0])
    expected = order(4, 2, fnn.key(0), weights=weights)
    for size in (2.0**1020, 2.0**-1040):
        np.testing.assert_array_equal(order(4, 2, fnn.key(0), weights=weights * size), expected)


def test_batches_pickle() -> None:
    made = batches((np.arange(6.0), np.arange(6)), 2, key=fnn.key(0))
    for a, b in zip(made, pickle.loads(pickle.dumps(made)), strict=True):
        np.testing.assert_array_equal(a[0], b[0])
