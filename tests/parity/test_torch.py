"""Values and gradients agree with PyTorch, where it is installed: to 1e-5 in float32 and 1e-10 in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.parity.case import ParityCase, assert_agree, run_ours, run_theirs
from tests.parity.registry import CASES

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed; CI compares with recorded results instead")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_values_and_gradients_agree_with_pytorch(case: ParityCase) -> None:
    torch.set_num_threads(1)
    arrays = case.arrays()
    for dtype, tolerance in ((np.float64, 1e-10), (np.float32, 1e-5)):
        assert_agree(case, run_ours(case, arrays, dtype), run_theirs(torch, case, arrays, dtype), tolerance)
