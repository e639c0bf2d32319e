"""All comparisons with PyTorch, by family."""

from __future__ import annotations

from tests.parity import core
from tests.parity.case import ParityCase

FAMILIES: dict[str, list[ParityCase]] = {"core": core.CASES}
CASES: list[ParityCase] = [case for cases in FAMILIES.values() for case in cases]
