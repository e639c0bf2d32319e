"""Values and gradients agree with PyTorch's recorded ones (made by tests/parity/record.py), without PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from tests.parity.case import ParityCase, assert_agree, run_ours
from tests.parity.record import FOLDER
from tests.parity.registry import FAMILIES

GOLDEN = [(family, case) for family, cases in FAMILIES.items() for case in cases if case.golden]


@pytest.mark.parametrize(("family", "case"), GOLDEN, ids=lambda x: x if isinstance(x, str) else x.name)
def test_values_and_gradients_agree_with_recorded_ones(family: str, case: ParityCase) -> None:
    with np.load(FOLDER / f"{family}.npz") as stored:
        prefix = f"{case.name}/"
        recorded = {name.removeprefix(prefix): stored[name] for name in stored.files if name.startswith(prefix)}
    arrays = {name.removeprefix("in "): a for name, a in recorded.items() if name.startswith("in ")}
    results = {name: a for name, a in recorded.items() if not name.startswith("in ")}
    assert results, f"{family}: nothing recorded for {case.name}; run python -m tests.parity.record {family}"
    for dtype, tolerance in ((np.float64, 1e-10), (np.float32, 1e-5)):
        assert_agree(case, run_ours(case, arrays, dtype), results, tolerance)


def test_recorded_files_are_small() -> None:
    assert all(path.stat().st_size < 100_000 for path in FOLDER.glob("*.npz"))
