"""Reduce on plateau: an immutable state machine that says when to lower the learning rate."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from math import inf, isnan

from fnn.functional.checks import check_int, check_number
from fnn.optim.checks import check_hyper


@dataclass(frozen=True)
class ReduceOnPlateau:
    """After `patience` values in a row that are no better than the best so far, `reduced` is true: multiply the rate by
    `factor`. Better means by more than the part `threshold` of the best; after a reduction `cooldown` values do not count.

    `update(value)` is the machine after one more value. `maximize=True` is for metrics that should grow.
    PyTorch's ReduceLROnPlateau, with its defaults; only that the part of a negative best is that of its size, while
    PyTorch, with best * (1 - threshold), takes a somewhat worse value for better.

    >>> import fnn
    >>> plateau = fnn.optim.ReduceOnPlateau(factor=0.5, patience=1)
    >>> for loss in (1.0, 0.9, 0.9, 0.9):
    ...     plateau = plateau.update(loss)
    ...     print(plateau.reduced)
    False
    False
    False
    True

    In a loop: `if plateau.reduced: ts = dataclasses.replace(ts, opt=ts.opt.scale_learning_rate(plateau.factor))`.
    """

    factor: float = 0.1
    _: KW_ONLY
    patience: int = 10
    threshold: float = 1e-4
    cooldown: int = 0
    maximize: bool = False
    best: float | None = None
    waited: int = 0
    cooling: int = 0
    reduced: bool = False

    def __post_init__(self) -> None:
        check_hyper("ReduceOnPlateau", "factor", self.factor, 0, 1)
        check_hyper("ReduceOnPlateau", "threshold", self.threshold, 0)
        check_int("ReduceOnPlateau", "patience", self.patience, 0)
        check_int("ReduceOnPlateau", "cooldown", self.cooldown, 0)

    def update(self, value: float, /) -> ReduceOnPlateau:
        """The machine after one more value; a value that is not a number is never better."""
        check_number("ReduceOnPlateau.update", "the value", value)
        value = float(value)
        sign = -1.0 if self.maximize else 1.0
        best = inf if self.best is None else sign * self.best
        better = not isnan(value) and sign * value < best - abs(best) * self.threshold if best != inf else not isnan(value)
        waited = 0 if better or self.cooling else self.waited + 1
        reduced = waited > self.patience
        return replace(
            self,
            best=value if better else self.best,
            waited=0 if reduced else waited,
            cooling=self.cooldown if reduced else max(self.cooling - 1, 0),
            reduced=reduced,
        )
