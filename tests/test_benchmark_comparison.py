"""The logic of the benchmarks, with made-up numbers: what counts as slower, and how a law is fitted. Nothing is timed."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parent / "benchmarks"


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where a dataclass looks for its module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


comparison = load("comparison")
laws = load("laws")


def report(clock: float = 1.0, **times: float) -> dict[str, Any]:
    """As pytest-benchmark writes it, of a machine on which all takes `clock` times as long; floors begin with floor."""
    return {
        "benchmarks": [
            {
                "name": name,
                "stats": {"min": clock * seconds, "median": 9 * clock * seconds},
                "extra_info": {"kernel": "calls", "kernel_s": 0.5 * clock, "is_floor": name.startswith("floor")},
            }
            for name, seconds in times.items()
        ]
    }


def compared(then: dict[str, Any], now: dict[str, Any], **options: Any) -> Any:
    return comparison.compare(comparison.ratios(then), comparison.ratios(now), **options)


def test_a_ratio_is_the_best_time_in_units_of_the_kernel_and_floors_have_none() -> None:
    assert comparison.ratios(report(relu=2.0, floor_of_relu=1.0)) == {"relu": 4.0}


@pytest.mark.parametrize("clock", [0.2, 1.0, 7.0])
def test_a_slower_machine_is_no_regression_and_a_faster_one_hides_none(clock: float) -> None:
    found = compared(report(relu=1.0, dense=1.0, pack=1.0), report(clock, relu=1.1, dense=1.2, pack=0.5))
    assert (list(found.level), list(found.slower), list(found.faster)) == (["relu"], ["dense"], ["pack"])
    assert found.slower["dense"] == pytest.approx(1.2)
    assert not found.is_good()


@pytest.mark.parametrize(("change", "is_good"), [(1.0, True), (1.149, True), (1.151, False), (0.5, True)])
def test_the_limit_is_fifteen_percent(change: float, is_good: bool) -> None:
    assert compared(report(relu=1.0), report(relu=change)).is_good() is is_good


def test_another_tolerance() -> None:
    assert not compared(report(relu=1.0), report(relu=1.1), tolerance=0.05).is_good()
    assert compared(report(relu=1.0), report(relu=1.4), tolerance=0.5).is_good()


def test_a_piece_that_vanished_fails_and_a_new_one_does_not() -> None:
    found = compared(report(relu=1.0, gelu=1.0), report(relu=1.0, selu=1.0))
    assert (found.missing, found.new, found.is_good()) == (["gelu"], ["selu"], False)
    assert compared(report(relu=1.0), report(relu=1.0, selu=1.0)).is_good()


def test_of_a_part_of_the_pieces_none_is_missing() -> None:
    found = compared(report(relu=1.0, gelu=1.0), report(relu=1.0), is_whole=False)
    assert found.missing == []
    assert found.is_good()


def test_what_runs_again_counts_with_its_best() -> None:
    again = comparison.best_of({"relu": 3.0, "dense": 1.0}, {"relu": 2.0}, {"relu": 2.5})
    assert again == {"relu": 2.0, "dense": 1.0}


def test_a_kernel_without_a_time_is_an_error() -> None:
    broken = report(relu=1.0)
    broken["benchmarks"][0]["extra_info"]["kernel_s"] = 0.0
    with pytest.raises(ValueError, match=re.escape("relu: its kernel took 0.0 s")):
        comparison.ratios(broken)


def test_what_is_told_names_the_worst_first() -> None:
    found = compared(report(a=1.0, b=1.0, c=1.0, d=1.0, e=1.0), report(a=1.3, b=2.0, c=1.0, d=0.5, f=1.0))
    lines = comparison.told(found).splitlines()
    assert [line.split()[0] for line in lines] == ["SLOWER", "SLOWER", "faster", "MISSING", "new", "1"]
    assert lines[0].endswith("b")
    assert lines[-1] == "1 piece within 15%, 2 slower"


@pytest.mark.parametrize(("law", "power"), [("linear", 1), ("quadratic", 2)])
@pytest.mark.parametrize("constant", [0.0, 3.0])
def test_a_curve_that_follows_its_law_is_fitted_exactly(law: str, power: int, constant: float) -> None:
    sizes = [2**i for i in range(13)]
    found = laws.fit(sizes, [constant + 0.5 * n**power for n in sizes], law)
    assert found["constant"] == pytest.approx(constant, abs=1e-9)
    assert found["slope"] == pytest.approx(0.5)
    assert found["worst"] < 1e-9
    assert found["exponent"] == pytest.approx(power, abs=0.05)
    assert found["expected_exponent"] == power


def test_a_curve_that_does_not_follow_its_law_is_far_from_it() -> None:
    sizes = [2**i for i in range(11)]
    found = laws.fit(sizes, [float(n**2) for n in sizes], "linear")
    assert found["exponent"] == pytest.approx(2)
    assert found["worst"] > 0.5


def test_no_law_is_fitted_with_a_negative_constant_or_slope() -> None:
    sizes = [1, 2, 4, 8, 16]
    for costs in ([1.0, 3.0, 7.0, 15.0, 31.0], [5.0, 4.0, 3.0, 2.0, 1.0]):
        found = laws.fit(sizes, costs, "linear")
        assert min(found["constant"], found["slope"]) >= 0
        assert np.isfinite(found["worst"])


@pytest.mark.parametrize("name", ["digits_numpy.py", "forward_peers/peer_forward_numpy.py"])
def test_anchors_are_made_without_fnn(name: str) -> None:
    assert not re.search(r"^\s*(import|from) fnn", (BENCHMARKS / name).read_text(), re.MULTILINE)


def test_the_anchor_of_the_digits_job_learns_what_the_example_learns() -> None:
    accuracy, matrix = load("digits_numpy").train(0, 12, lambda epoch, loss: None)
    assert accuracy >= 0.975
    assert matrix.sum() == 359
    assert matrix.trace() == round(359 * accuracy)
