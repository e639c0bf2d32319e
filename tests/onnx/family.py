"""What a file of adapters tells the tests, and the moves between ONNX's layouts and fnn's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.onnx_cases import OnnxCase

# Runs fnn's function for a case: the outputs in ONNX's layouts, None for one that fnn's function doesn't return.
Adapter = Callable[[OnnxCase], tuple[Any, ...]]


@dataclass(frozen=True)
class Family:
    """Adapters by operator.

    `not_applicable` gives a reason for each case, by operator and name, that can't run; `not_returned` for each output, by
    operator and number, that fnn's function computes inside but doesn't return.
    """

    adapters: Mapping[str, Adapter]
    not_applicable: Mapping[tuple[str, str], str] = field(default_factory=dict)
    not_returned: Mapping[tuple[str, int], str] = field(default_factory=dict)


def channels_last(x: Any) -> Any:
    """[batch, channels, ...] -> [batch, ..., channels]."""
    return np.moveaxis(x, 1, -1)


def channels_first(x: Any) -> Any:
    """[batch, ..., channels] -> [batch, channels, ...]."""
    return np.moveaxis(x, -1, 1)
