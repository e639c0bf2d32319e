"""Optimisers agree with PyTorch's: live where it is installed, with recorded parameters elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.parity.optimizers import CASES, OptimizerParity, run_ours, run_theirs
from tests.parity.record import FOLDER

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
precisions: list[tuple[Any, float]] = [(np.float64, 1e-10), (np.float32, 1e-5)]


@every_case
def test_ten_steps_agree_with_pytorch(case: OptimizerParity) -> None:
    torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed; CI compares with recorded results instead")
    for dtype, tolerance in precisions:
        ours, theirs = run_ours(case, dtype), run_theirs(torch, case, dtype)
        for name, expected in theirs.items():
            np.testing.assert_allclose(ours[name], expected, rtol=tolerance, atol=tolerance)


@every_case
def test_ten_steps_agree_with_recorded_ones(case: OptimizerParity) -> None:
    with np.load(FOLDER / "optimizers.npz") as stored:
        for dtype, tolerance in precisions:
            for name, p in run_ours(case, dtype).items():
                np.testing.assert_allclose(p, stored[f"{case.name}/{name}"], rtol=tolerance, atol=tolerance)
