"""The specs SinusoidalPositions and LearnedPositions: they add to each vector of a sequence one for its position."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from fnn.arrays import Array2, Array3, Value, read_only, total
from fnn.functional.checks import check_array, check_int
from fnn.functional.embedding import standard_normal
from fnn.functional.positions import PositionParams, add_positions, sinusoidal_positions
from fnn.initializers import Initializer
from fnn.layers.embedding import check_initializer
from fnn.layers.layer import Composable
from fnn.layers.pullback import Pull
from fnn.layers.spec import Spec
from fnn.mode import Mode
from fnn.random import Key


@lru_cache(maxsize=16)
def _sinusoids(time: int, dim: int, dtype: np.dtype[Any]) -> Array2:
    """Kept, because every step asks for the same."""
    table: Array2 = read_only(sinusoidal_positions(time, dim, dtype=dtype))
    return table


@dataclass(frozen=True, repr=False)
class SinusoidalPositions(Spec, Composable):
    """Adds `sinusoidal_positions` to x [batch, time, dim], for sequences of any length. No parameters, no state.

    >>> import fnn
    >>> model = fnn.Embedding(65, 8) >> fnn.SinusoidalPositions(8)
    """

    dim: int
    ignores_mode: ClassVar[bool] = True  # for layers.pullback
    reads_x_once: ClassVar[bool] = True  # for Residual

    def __post_init__(self) -> None:
        check_int("SinusoidalPositions", "dim", self.dim)

    def init(self, key: Key, /) -> tuple[None, None]:
        """No parameters, no state."""
        return None, None

    def forward(self, params: None, state: None, x: Array3, mode: Mode, /) -> tuple[Array3, None]:
        """x + sinusoidal_positions(time, dim)."""
        check_array("SinusoidalPositions", "x", x)
        if x.ndim != 3 or x.shape[-1] != self.dim:
            raise ValueError(f"SinusoidalPositions: x has shape {x.shape}, expected [batch, time, {self.dim}]")
        y: Value = x + _sinusoids(x.shape[1], self.dim, x.dtype)
        return y, None

    def takes(self, params: None, x: Value, /) -> bool:
        """Whether x is surely for the kernels: see layers.pullback."""
        return bool(x.dtype.kind == "f" and x.ndim == 3 and x.shape[2] == self.dim)

    def vjp(self, params: None, state: None, x: Value, mode: Mode, wanted: bool, /) -> tuple[Value, None, Pull]:
        """g itself comes back."""
        return x + _sinusoids(x.shape[1], self.dim, x.dtype), None, lambda g, into: g if wanted else None

    def evaluator(self, params: None, state: None, /) -> Callable[[Value], Value]:
        """The same sum."""
        return lambda x: x + _sinusoids(x.shape[1], self.dim, x.dtype)


@dataclass(frozen=True, repr=False)
class LearnedPositions(Spec, Composable):
    """Adds a learned vector for each position to x [batch, time, dim], time up to max_length: see `add_positions`.

    Parameters PositionParams, no state. The table is standard normal unless weight_init says otherwise, as that of
    `Embedding`, whose vectors it is added to: give both the same.

    >>> import fnn
    >>> model = fnn.Embedding(65, 8) >> fnn.LearnedPositions(32, 8)
    """

    max_length: int
    dim: int
    _: KW_ONLY
    weight_init: Initializer = standard_normal
    ignores_mode: ClassVar[bool] = True  # for layers.pullback
    reads_x_once: ClassVar[bool] = True  # for Residual

    def __post_init__(self) -> None:
        check_int("LearnedPositions", "max_length", self.max_length)
        check_int("LearnedPositions", "dim", self.dim)
        check_initializer("LearnedPositions", self.weight_init)

    def init(self, key: Key, /) -> tuple[PositionParams, None]:
        """A new table, and no state."""
        return PositionParams.init(key, self.max_length, self.dim, weight_init=self.weight_init), None

    def forward(self, params: PositionParams, state: None, x: Array3, mode: Mode, /) -> tuple[Array3, None]:
        """add_positions(params, x)."""
        return add_positions(params, x), None

    def takes(self, params: PositionParams, x: Value, /) -> bool:
        """Whether x is surely for the kernels: see layers.pullback."""
        table = params.table
        return x.dtype is table.dtype and x.ndim == 3 and x.shape[1] <= len(table) and x.shape[2] == table.shape[1]

    def vjp(self, params: PositionParams, state: None, x: Value, mode: Mode, wanted: bool, /) -> tuple[Value, None, Pull]:
        """The sum over examples is the cotangent of the rows that were added; g itself comes back."""
        time = x.shape[1]

        def back(g: Value, into: PositionParams) -> Value:
            total(g, 0, None, into.table[:time])
            into.table[time:] = 0
            return g if wanted else None

        return x + params.table[:time], None, back

    def evaluator(self, params: PositionParams, state: None, /) -> Callable[[Value], Value]:
        """The same sum."""
        return lambda x: x + params.table[: x.shape[1]]
