"""fnn's functions give the values of ONNX's conformance cases, in fnn's layouts. Adapters stand in tests/onnx by family."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

import numpy as np
import pytest

from tests.onnx import attention, basic, convolution, embedding, losses, norms, optimizers, pooling, recurrence
from tests.onnx.drawn import DRAWN
from tests.onnx.family import Adapter, Family
from tests.onnx_cases import OnnxCase, cases_of, cases_of_public_loader

pytestmark = pytest.mark.skipif(find_spec("onnx") is None, reason="the package onnx, which has the cases, is not installed")

_MODULES = (basic, norms, convolution, pooling, embedding, recurrence, attention, losses, optimizers)
FAMILIES: list[Family] = [module.FAMILY for module in _MODULES]
ADAPTERS: dict[str, Adapter] = {op: adapter for family in FAMILIES for op, adapter in family.adapters.items()}
NOT_APPLICABLE: dict[tuple[str, str], str] = {at: why for family in FAMILIES for at, why in family.not_applicable.items()}
NOT_RETURNED: dict[tuple[str, int], str] = {at: why for family in FAMILIES for at, why in family.not_returned.items()}
# how far an output may be off, as a part of its largest number
TOLERANCES = {"float32": 1e-5, "float16": 1e-3, "bfloat16": 1e-2, "int32": 0.0}
WRITTEN_WITH_FOUR_DIGITS = {"test_averagepool_2d_ceil_last_window_starts_on_pad": 2e-4}

every_operator = pytest.mark.parametrize("op", ADAPTERS)


def complaint(case: OnnxCase) -> str:
    """What is wrong with fnn's outputs for a case; nothing where they are ONNX's."""
    try:
        found = ADAPTERS[case.op](case)
    except Exception as error:  # every case is run, and all that fail are told
        return f"{type(error).__name__}: {error}"
    if len(found) != len(case.outputs):
        return f"{len(found)} outputs, expected {len(case.outputs)}"
    for k, (y, expected) in enumerate(zip(found, case.outputs, strict=True)):
        if expected is None:
            continue
        if y is None:
            if (case.op, k) not in NOT_RETURNED:
                return f"output {k} is missing"
            continue
        if y.shape != expected.shape or y.dtype != expected.dtype:
            return f"output {k} is {y.dtype}{y.shape}, expected {expected.dtype}{expected.shape}"
        tolerance = WRITTEN_WITH_FOUR_DIGITS.get(case.name, TOLERANCES[str(expected.dtype)])
        a, b = (np.asarray(array, np.float64) for array in (y, expected))
        scale = max(np.max(np.abs(b), initial=0.0), 1e-3)
        if not np.allclose(a, b, rtol=0, atol=tolerance * scale, equal_nan=True):
            return f"output {k} differs by {np.max(np.abs(a - b)):.2g}, of {scale:.2g}"
    return ""


def check(cases: Iterable[OnnxCase], op: str) -> None:
    """AssertionError that tells all cases that fail."""
    failed = {case.name: why for case in cases if (why := complaint(case))}
    assert not failed, f"{op}: {len(failed)} fail:\n" + "\n".join(f"{name}: {why}" for name, why in failed.items())


# one test for each operator: to make its cases takes onnx seconds for some
@every_operator
def test_each_case_runs_or_is_listed(op: str) -> None:
    cases = {case.name: case for case in cases_of(op)}
    assert len(cases) == len(cases_of(op)), f"{op}: two cases have the same name"
    listed = {name: why for (at, name), why in NOT_APPLICABLE.items() if at == op}
    assert len(cases) > len(listed), f"{op}: no case runs"
    check([case for name, case in cases.items() if name not in listed], op)
    for name, why in listed.items():
        assert name in cases, f"{name} is listed ({why}), but onnx has no such case"
        assert complaint(cases[name]), f"{name} is listed ({why}), but it runs"
    for k, why in [(k, why) for (at, k), why in NOT_RETURNED.items() if at == op]:
        asked = [case for case in cases.values() if len(case.outputs) > k and case.outputs[k] is not None]
        assert asked, f"{op}: no case has output {k}, which is listed ({why})"
        assert all(ADAPTERS[op](case)[k] is None for case in asked), f"{op}: output {k} is listed ({why}), but it is returned"


@pytest.mark.parametrize("op", dict.fromkeys(drawn.op for drawn in DRAWN))
def test_drawn_cases_run(op: str) -> None:
    check([drawn.case(seed) for seed, drawn in enumerate(DRAWN) if drawn.op == op], op)


def test_what_is_listed_is_of_operators_that_have_an_adapter() -> None:
    assert {op for op, _ in (*NOT_APPLICABLE, *NOT_RETURNED)} <= set(ADAPTERS)


@pytest.mark.slow
@every_operator
def test_the_cases_are_those_of_the_public_loader(op: str) -> None:
    names = [case.name for case in cases_of(op)]
    assert sorted(names) == sorted([case.name for case in cases_of_public_loader(op)])
