"""All comparisons with PyTorch, by family."""

from __future__ import annotations

from tests.parity import attention, convolution, core, embedding, losses, norms, pooling, recurrence, resize
from tests.parity.case import ParityCase

FAMILIES: dict[str, list[ParityCase]] = {
    "core": core.CASES,
    "losses": losses.CASES,
    "attention": attention.CASES,
    "recurrence": recurrence.CASES,
    "convolution": convolution.CASES,
    "pooling": pooling.CASES,
    "resize": resize.CASES,
    "norms": norms.CASES,
    "embedding": embedding.CASES,
}
CASES: list[ParityCase] = [case for cases in FAMILIES.values() for case in cases]
