"""Nodes of our own with random inputs, run by the reference implementation that the `onnx` package has.

The cases of some operators tell little: recurrent layers with one number in all weights, whatever the order of their gates,
and convolutions of one channel. These have what is missing there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from tests.onnx_cases import OnnxCase

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Drawn:
    """An operator, the shapes of its inputs (None for one that is left out), attributes, the number of its outputs."""

    op: str
    shapes: tuple[Shape | None, ...]
    attributes: Mapping[str, Any]
    outputs: int = 1

    def case(self, seed: int) -> OnnxCase:
        from onnx.helper import make_node  # noqa: PLC0415  # slow, and perhaps not installed
        from onnx.reference import ReferenceEvaluator  # noqa: PLC0415  # as above

        rng = np.random.default_rng(seed)
        inputs = tuple([None if s is None else rng.normal(size=s).astype(np.float32) for s in self.shapes])
        names = ["" if x is None else f"x{k}" for k, x in enumerate(inputs)]
        node = make_node(self.op, names, [f"y{k}" for k in range(self.outputs)], **self.attributes)
        given = {name: x for name, x in zip(names, inputs, strict=True) if name}
        results: Any = ReferenceEvaluator(node).run(None, given)
        return OnnxCase(f"{self.op}{self.shapes} {dict(self.attributes)}", self.op, 0, self.attributes, inputs, tuple(results))


def _recurrent(op: str, gates: int, states: int, **attributes: Any) -> list[Drawn]:
    """Every direction, with time or batch first, bare and with biases and initial states."""
    time, batch, n_in, n = 4, 2, 5, 3
    rows = []
    for direction, layout, full in product(("forward", "reverse", "bidirectional"), (0, 1), (False, True)):
        d = 2 if direction == "bidirectional" else 1
        x = (batch, time, n_in) if layout else (time, batch, n_in)
        shapes: list[Shape | None] = [x, (d, gates * n, n_in), (d, gates * n, n)]
        if full:
            start = (batch, d, n) if layout else (d, batch, n)
            shapes += [(d, 2 * gates * n), None, *[start] * states]
        options = {"hidden_size": n, "direction": direction, "layout": layout, **attributes}
        rows.append(Drawn(op, tuple(shapes), options, 1 + states))
    return rows


_CONV: list[Drawn] = [
    Drawn("Conv", ((2, 4, 9), (6, 2, 3), (6,)), {"group": 2, "strides": [2], "pads": [1, 0]}),
    Drawn("Conv", ((2, 3, 7, 6), (4, 3, 3, 2), (4,)), {"strides": [2, 1], "dilations": [1, 2], "pads": [1, 0, 2, 1]}),
    Drawn("Conv", ((2, 3, 5, 5), (6, 1, 3, 3)), {"group": 3}),
    Drawn("Conv", ((1, 4, 4, 5, 3), (6, 2, 2, 3, 2), (6,)), {"group": 2, "strides": [1, 2, 1]}),
    *[
        Drawn("Conv", ((2, 3, 7, 8), (4, 3, 4, 3), (4,)), {"auto_pad": auto, "strides": [2, 3]})
        for auto in ("SAME_UPPER", "SAME_LOWER", "VALID")
    ],
]

# the reference knows groups of one channel only
_CONV_TRANSPOSE: list[Drawn] = [
    Drawn("ConvTranspose", ((2, 3, 5), (3, 4, 3), (4,)), {"strides": [2], "pads": [1, 0], "output_padding": [1]}),
    Drawn("ConvTranspose", ((2, 3, 4, 3), (3, 2, 3, 2), (2,)), {"strides": [2, 3], "dilations": [2, 1], "pads": [1, 0, 2, 1]}),
    Drawn("ConvTranspose", ((2, 4, 2, 3, 2), (4, 1, 2, 2, 3)), {"group": 4, "strides": [1, 2, 1]}),
    Drawn("ConvTranspose", ((2, 3, 4, 5), (3, 2, 3, 4), (2,)), {"auto_pad": "SAME_UPPER", "strides": [2, 3]}),
]

_WINDOWS: list[dict[str, Any]] = [
    {"kernel_shape": [3, 2], "strides": [2, 3], "pads": [1, 0, 1, 1]},
    {"kernel_shape": [2, 3], "dilations": [2, 1], "pads": [0, 1, 1, 0]},
    # one more row and column: of two, the reference puts one before, unlike PyTorch and onnxruntime
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 1, 1, 1], "ceil_mode": 1},
    {"kernel_shape": [3, 4], "strides": [2, 3], "auto_pad": "SAME_UPPER"},
    {"kernel_shape": [3, 4], "strides": [2, 3], "auto_pad": "VALID"},
]
_SAME_LOWER: dict[str, Any] = {"kernel_shape": [3, 4], "strides": [2, 3], "auto_pad": "SAME_LOWER"}

DRAWN: list[Drawn] = [
    *_recurrent("RNN", 1, 1),
    *_recurrent("GRU", 3, 1, linear_before_reset=1),
    *_recurrent("LSTM", 4, 2),
    *_CONV,
    *_CONV_TRANSPOSE,
    *[Drawn("MaxPool", ((2, 3, 9, 8),), options) for options in _WINDOWS],
    *[
        Drawn("AveragePool", ((2, 3, 9, 8),), {**o, "count_include_pad": c})
        for o, c in product([*_WINDOWS, _SAME_LOWER], (0, 1))
    ],
]
