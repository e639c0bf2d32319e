"""The digits: the data as they are shipped, and the example that learns them."""

import importlib.util
import io
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fnn
from fnn.datasets import Digits, digits

PACKAGE = Path(fnn.__file__).parent
EXAMPLE = Path(__file__).parents[1] / "examples" / "digits.py"


def _load_example() -> Any:
    spec = importlib.util.spec_from_file_location("digits_example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _python(*arguments: str) -> str:
    """What a Python process of its own prints that finds the same fnn."""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    command = [sys.executable, "-W", "error", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _figures(printed: str) -> str:
    """All that the example prints but the time."""
    figures, found = re.subn(r"^time \d+\.\d+ s$", "", printed, flags=re.MULTILINE)
    assert found == 1, printed
    return figures


example = _load_example()
data = digits()


# the data


def test_shapes_dtypes_and_ranges_are_as_documented() -> None:
    assert (data.train_x.shape, data.train_y.shape) == ((1438, 64), (1438,))
    assert (data.test_x.shape, data.test_y.shape) == ((359, 64), (359,))
    for x, y in ((data.train_x, data.train_y), (data.test_x, data.test_y)):
        assert (str(x.dtype), str(y.dtype)) == ("float32", "int64")
        assert (x.min(), x.max()) == (0, 1)
        assert np.array_equal(16 * x, np.rint(16 * x))
        assert np.unique(y).tolist() == list(range(10))


def test_the_test_part_is_a_fifth_of_every_class() -> None:
    train, test = np.bincount(data.train_y), np.bincount(data.test_y)
    assert test.tolist() == [round(count / 5) for count in (train + test).tolist()]


def test_no_image_is_in_both_parts_or_twice_in_one() -> None:
    assert len(np.unique(np.concatenate([data.train_x, data.test_x]), axis=0)) == 1797


def test_neither_part_is_sorted_by_class() -> None:
    for y in (data.train_y, data.test_y):
        assert np.mean(y[1:] == y[:-1]) < 0.2


def test_arrays_cannot_be_written_to_also_after_pickling() -> None:
    for loaded in (data, pickle.loads(pickle.dumps(data))):
        for _, leaf in fnn.tree.paths(loaded):
            with pytest.raises(ValueError, match="read-only"):
                leaf[0] = 1


def test_loading_twice_gives_equal_data_that_share_no_memory() -> None:
    again = digits()
    assert again == data
    for one, other in zip(fnn.tree.leaves(data), fnn.tree.leaves(again), strict=True):
        assert not np.shares_memory(one, other)


def test_images_labels_and_split_are_those_drawn_from_scikit_learns_copy_with_the_first_seed() -> None:
    bundled = pytest.importorskip("sklearn.datasets").load_digits()
    test = np.zeros(1797, bool)
    for digit in range(10):
        rows = np.flatnonzero(bundled.target == digit)
        test[fnn.key(0).fold(digit).generator().permutation(rows)[: round(len(rows) / 5)]] = True
    x, y = (bundled.data / 16).astype(np.float32), bundled.target.astype(np.int64)
    assert data == Digits(x[~test], y[~test], x[test], y[test])


def test_the_file_is_small_and_its_attribution_lies_beside_it() -> None:
    assert (PACKAGE / "datasets" / "digits.npz").stat().st_size < 60_000
    notes = (PACKAGE / "datasets" / "digits.txt").read_text(encoding="utf-8")
    for words in ("Optical Recognition of Handwritten Digits", "E. Alpaydin", "C. Kaynak", "CC BY 4.0", "What was changed"):
        assert words in notes


def test_import_fnn_loads_no_data_sets_until_they_are_asked_for() -> None:
    loaded = "print('fnn.datasets' in sys.modules)"
    assert _python("-c", f"import fnn, sys; {loaded}; fnn.datasets.digits(); {loaded}") == "False\nTrue\n"


# the example


def test_every_seed_reaches_97_percent_on_the_test_part_and_their_mean_97_5() -> None:
    accuracies = []
    for seed in range(5):
        ts, accuracy, matrix = example.train(seed, 20)
        predicted = fnn.predict(example.model, ts.params, ts.state, data.test_x).argmax(axis=1)
        assert accuracy == np.mean(predicted == data.test_y)
        assert matrix.sum(axis=1).tolist() == np.bincount(data.test_y).tolist()
        assert matrix.sum(axis=0).tolist() == np.bincount(predicted, minlength=10).tolist()
        assert matrix.trace() == np.sum(predicted == data.test_y)
        accuracies.append(accuracy)
    assert min(accuracies) >= 0.97, accuracies
    assert np.mean(accuracies) >= 0.975, accuracies
    assert len(set(accuracies)) > 1, "the seed changes nothing"


def test_two_processes_print_the_same_figures_and_those_of_the_function() -> None:
    first, second = [_python(str(EXAMPLE), "--seed", "3") for _ in range(2)]
    assert _figures(first) == _figures(second)
    _, accuracy, matrix = example.train(3, 20)
    assert f"test accuracy {accuracy:.2%} ({matrix.trace()} of 359)\n" in first
    header, *rows = first.split("\n\n")[2].splitlines()
    assert header.split() == ["true", "\\", "predicted", *"0123456789"]
    assert [[int(word) for word in row.split()] for row in rows] == [[digit, *matrix[digit]] for digit in range(10)]
    assert {len(line) for line in (header, *rows)} == {len(header)}, "the columns are not aligned"


def test_the_same_seed_trains_the_same_bits_and_another_seed_others() -> None:
    def losses_and_state(seed: int) -> Any:
        losses: list[float] = []
        ts, accuracy, _ = example.train(seed, 2, lambda epoch, loss: losses.append(loss))
        return losses, accuracy, ts

    one, same, other = losses_and_state(0), losses_and_state(0), losses_and_state(1)
    assert one[:2] == same[:2]
    assert fnn.tree.equal(one[2], same[2])
    assert one[0] != other[0]


def test_a_run_that_was_pickled_and_resumed_has_the_bits_of_one_that_went_on() -> None:
    def steps(ts: Any, first: int, last: int) -> Any:
        # a step of its own: nothing is carried over but the TrainState
        step = fnn.train_step(fnn.supervised(example.model, example.criterion), example.optimizer)
        for i in range(first, last):
            ts, _ = step(ts, data.train_x[32 * i : 32 * (i + 1)], data.train_y[32 * i : 32 * (i + 1)])
        return ts

    start = fnn.start(example.model, example.optimizer, fnn.key(0))
    whole = steps(start, 0, 20)
    stopped = steps(start, 0, 7)
    resumed = steps(pickle.loads(pickle.dumps(stopped)), 7, 20)
    assert resumed.step == resumed.opt.step == 20
    assert fnn.tree.equal(resumed, whole)
    assert not fnn.tree.equal(stopped.state, whole.state)


class _Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_that_is_overwritten_on_a_terminal_and_a_few_lines_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["digits.py", "--epochs", "7"])
    for out, begins, epochs in ((_Screen(), "\r", [1, 2, 3, 4, 5, 6, 7]), (io.StringIO(), "", [5, 7])):
        monkeypatch.setattr(sys, "stdout", out)
        example.main()
        progress = out.getvalue().split("\n\n")[0]
        found = re.findall(r"(\r?)epoch +(\d+)/7  loss \d\.\d{4}", progress)
        assert found == [(begins, str(epoch)) for epoch in epochs]
        assert progress.count("\n") == (0 if begins else len(epochs) - 1)
