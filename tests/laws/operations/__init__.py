"""The table of operations: every function that differentiates has rows here, in a file for its family."""

from tests.laws.operations import core, elementwise, joining, linear_algebra, numerics, reductions, selection, shape
from tests.laws.operations.case import Operation as Operation

OPERATIONS: list[Operation] = [
    *core.TABLE,
    *elementwise.TABLE,
    *linear_algebra.TABLE,
    *shape.TABLE,
    *joining.TABLE,
    *selection.TABLE,
    *numerics.TABLE,
    *reductions.TABLE,
]
