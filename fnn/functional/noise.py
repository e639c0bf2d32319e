"""Dropout as a function of x and mode."""

from __future__ import annotations

import numpy as np

from fnn.arrays import SameRank, Value
from fnn.functional.checks import check_array, check_number
from fnn.mode import Eval, Mode, check_mode


def check_drop_rate(name: str, drop_rate: float) -> None:
    """ValueError unless 0 <= drop_rate < 1, TypeError unless it is a number."""
    check_number(name, "drop_rate", drop_rate)
    if not 0 <= drop_rate < 1:
        raise ValueError(f"{name}: drop_rate is {drop_rate}, the fraction that is dropped, expected 0 <= drop_rate < 1")


def dropout(x: SameRank, drop_rate: float, mode: Mode, /) -> SameRank:
    """In training, each entry is set to 0 with probability `drop_rate` and the others are divided by 1 - drop_rate, so
    that the mean is kept; in evaluation (or with rate 0) x itself.

    The mask comes from the mode's key alone: the same key drops the same entries. Two dropouts in one function take
    `mode.fold(0)` and `mode.fold(1)`; in a chain that happens by itself.

    Raises ValueError where drop_rate is not in [0, 1), TypeError where the mode is neither fnn.EVAL nor fnn.Train(key).
    Source: Srivastava et al. 2014, section 10 (scaled in training).

    >>> import fnn
    >>> sorted(set(fnn.dropout(np.ones(100), 0.75, fnn.Train(fnn.key(0))).tolist()))
    [0.0, 4.0]
    """
    check_drop_rate("dropout", drop_rate)
    check_array("dropout", "x", x)
    check_mode("dropout", mode)
    if isinstance(mode, Eval) or drop_rate == 0:
        return x
    kept = mode.key.generator().random(x.shape, np.float32) >= drop_rate
    v: Value = x
    # the factor is made in x's dtype; the derivative is the same factor
    return v * (kept * np.asarray(1 / (1 - drop_rate), x.dtype))  # type: ignore[no-any-return]  # a Value is untyped
