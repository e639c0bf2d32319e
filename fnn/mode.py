"""Training or evaluation, as a value that every layer is given: only training holds a key, so only it can draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from fnn.random import Key, check_key


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
        check_key("Train", self.key)

    def fold(self, i: int, /) -> Train:
        """Training with the key `self.key.fold(i)`: for the i-th part that draws."""
        made = object.__new__(Train)
        if i.__class__ is int and i >= 0:
            made.__dict__["_origin"] = (self, i)
        else:  # a NumPy integer, or what Key.fold refuses
            made.__dict__["key"] = self.key.fold(i)
        return made

    if not TYPE_CHECKING:  # a checker would take any attribute for a key

        def __getattr__(self, name: str) -> Key:
            # Most parts of a net never draw, so a folded mode derives its key when it is first asked for. A loop, because
            # modes may be folded deeper than Python recurses.
            if name != "key" or "_origin" not in self.__dict__:
                raise AttributeError(f"Train has no attribute {name!r}")
            mode = self
            folded: list[Train] = []
            while "key" not in mode.__dict__:
                folded.append(mode)
                mode = mode.__dict__["_origin"][0]
            key = mode.key
            for mode in reversed(folded):  # each keeps its own, for the other parts that are folded from it
                key = mode.__dict__["key"] = key.fold(mode.__dict__["_origin"][1])
            return key

    def __reduce__(self) -> tuple[type[Train], tuple[Key]]:
        return Train, (self.key,)


@dataclass(frozen=True)
class Eval:
    """Evaluation: running statistics, nothing dropped, no randomness. There is one value of it, `fnn.EVAL`."""

    def fold(self, i: int, /) -> Eval:
        """Evaluation again."""
        return self


Mode: TypeAlias = Train | Eval
EVAL = Eval()


def check_mode(name: str, mode: object) -> None:
    """TypeError unless this is a mode: the usual mistakes are a bool and the class."""
    if not isinstance(mode, (Train, Eval)):
        raise TypeError(f"{name}: the mode is {mode!r}, expected fnn.EVAL or fnn.Train(key)")
