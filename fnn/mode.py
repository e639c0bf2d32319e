"""Training or evaluation, as a value that every layer is given: only training holds a key, so only it can draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from fnn.random import Key


@dataclass(frozen=True)
class Train:
    """Training: batch norm uses the batch's statistics, dropout drops by this key.

    >>> import fnn
    >>> mode = fnn.Train(fnn.key(0))
    >>> mode.fold(1) == mode.fold(2)
    False
    """

    key: Key

    def __post_init__(self) -> None:
        if not isinstance(self.key, Key):
            raise TypeError(f"Train: the key is {self.key!r}, a {type(self.key).__name__}; write fnn.Train(fnn.key(seed))")

    def fold(self, i: int, /) -> Train:
        """Training with the i-th key folded from this one: for the i-th part that draws."""
        made = object.__new__(Train)
        made.__dict__["key"] = self.key.fold(i)
        return made


@dataclass(frozen=True)
class Eval:
    """Evaluation: running statistics, nothing dropped, no randomness. There is one value of it, `fnn.EVAL`."""

    def fold(self, i: int, /) -> Eval:
        """Evaluation again."""
        return self


Mode: TypeAlias = Train | Eval
EVAL = Eval()
