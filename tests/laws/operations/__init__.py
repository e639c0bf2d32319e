"""The table of operations: every function that differentiates has rows here, in a file for its family."""

from tests.laws.operations import core
from tests.laws.operations.case import Operation as Operation

OPERATIONS: list[Operation] = [*core.TABLE]
