"""Optimisers around an optimiser: steps over several batches, steps left out, look-ahead; and averages of parameters."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from fnn.arrays import Array1
from fnn.functional.checks import check_int
from fnn.optim.checks import check_hyper
from fnn.optim.optimizer import AfterUpdate, Optimizer, check_is_optimizer, init_parts, no_updates, update_parts
from fnn.optim.state import Segments, Slots


def _inside(slots: Slots) -> dict[str, Any]:
    """The moments of the optimiser inside, as update_parts has them."""
    return {key: vector for key, vector in slots.items() if key.startswith("0.")}


@dataclass(frozen=True)
class Accumulate(Optimizer):
    """One step of `opt` with the mean of the gradients of n steps, and none in between: as one batch n times as large.

    Schedules of `opt` count its own steps.

    >>> import fnn
    >>> opt = fnn.optim.Accumulate(fnn.Sgd(1.0), 2)
    >>> p, state = np.zeros(1), opt.init(np.zeros(1))
    >>> for g in (1.0, 3.0):
    ...     p, state = fnn.update(opt, np.array([g]), state, p)
    ...     print(p)
    [0.]
    [-2.]
    """

    opt: Optimizer
    n: int

    def __post_init__(self) -> None:
        check_is_optimizer("Accumulate", self.opt)
        check_int("Accumulate", "n", self.n)

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """sum = 0, and the moments of the optimiser."""
        return {"sum": np.zeros_like(params), **init_parts((self.opt,), params, segments)}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        total = slots["sum"] + grads
        if (step + 1) % self.n:
            return no_updates(params), {**slots, "sum": total}
        mean = total * (1 / self.n)
        delta, inside = update_parts((self.opt,), mean, _inside(slots), params, step // self.n, segments)
        return delta, {"sum": np.zeros_like(params), **inside}


@dataclass(frozen=True)
class SkipNonFinite(Optimizer):
    """Steps of `opt` that are left out where the gradient has an entry that is not finite: parameters and moments stay.

    The state counts in "skipped" how many. After `most` in a row the step is FloatingPointError: the run has diverged.
    """

    opt: Optimizer
    _: KW_ONLY
    most: int = 10

    def __post_init__(self) -> None:
        check_is_optimizer("SkipNonFinite", self.opt)
        check_int("SkipNonFinite", "most", self.most)

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """No step skipped so far, of all and in a row; and the moments of the optimiser."""
        skipped: Any = np.zeros(2, np.int64)
        return {"skipped": skipped, **init_parts((self.opt,), params, segments)}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        every, in_a_row = (int(count) for count in slots["skipped"])
        with np.errstate(all="ignore"):  # the sum of finite numbers may overflow, and then the entries tell
            finite = bool(np.isfinite(np.sum(grads)) or np.all(np.isfinite(grads)))
        if finite:
            delta, inside = update_parts((self.opt,), grads, _inside(slots), params, step - every, segments)
            return delta, {"skipped": np.array([every, 0]), **inside}
        if in_a_row + 1 > self.most:
            raise FloatingPointError(
                f"SkipNonFinite: the gradient was not finite for {in_a_row + 1} steps in a row; fnn.debug_nans shows where"
            )
        return no_updates(params), {**slots, "skipped": np.array([every + 1, in_a_row + 1])}


@dataclass(frozen=True)
class Lookahead(Optimizer):
    """Every n steps of `opt` the parameters go back to slow ones that have moved the part `rate` of the way: slow = slow +
    rate * (fast - slow), fast = slow. Source: Zhang et al. 2019, algorithm 1. The moment is "slow".
    """

    opt: Optimizer
    _: KW_ONLY
    n: int = 5
    rate: float = 0.5

    def __post_init__(self) -> None:
        check_is_optimizer("Lookahead", self.opt)
        check_int("Lookahead", "n", self.n)
        check_hyper("Lookahead", "rate", self.rate, 0)

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """slow = the parameters, and the moments of the optimiser."""
        return {"slow": params.copy(), **init_parts((self.opt,), params, segments)}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        delta, inside = update_parts((self.opt,), grads, _inside(slots), params, step, segments)
        slow = slots["slow"]
        if (step + 1) % self.n == 0:
            slow = slow + (params + delta - slow) * float(self.rate)
            delta = slow - params
        return delta, {"slow": slow, **inside}


@dataclass(frozen=True)
class Ema(AfterUpdate):
    """Behind an optimiser: a moment "ema" with the running mean of the parameters, decay * ema + (1 - decay) * params.

    The mean begins with the parameters themselves, those at `init`. Evaluate with `ts.opt.moment("ema")` in place of
    `ts.params` (Polyak and Juditsky 1992; Tarvainen and Valpola 2017).

    >>> import fnn
    >>> opt = fnn.Adam(1e-3) >> fnn.optim.Ema(0.99)
    """

    decay: float = 0.999

    def __post_init__(self) -> None:
        check_hyper("Ema", "decay", self.decay, 0, 1)

    def init_flat(self, params: Array1, segments: Segments, /) -> Slots:
        """ema = the parameters."""
        return {"ema": params.copy()}

    def update_flat(
        self, grads: Array1, slots: Slots, params: Array1, step: int, segments: Segments, /
    ) -> tuple[Array1, Slots]:
        """See the class."""
        ema = params + grads
        ema -= slots["ema"]
        ema *= 1 - float(self.decay)
        ema += slots["ema"]
        return grads, {"ema": ema}
