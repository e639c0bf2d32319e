"""Upsampling and padding against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.random import Generator

import fnn
from tests.parity.case import Arrays, ParityCase

_UPSAMPLE: tuple[Any, ...] = (fnn.upsample1d, fnn.upsample2d, fnn.upsample3d)
_MODES = {"zeros": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}


def _draw(*shape: int) -> Callable[[Generator], dict[str, Any]]:
    return lambda rng: {"x": rng.normal(size=shape)}


def _upsample(rank: int, scale: Any, method: str, *, golden: bool = False) -> ParityCase:
    def theirs(torch: Any, t: Arrays) -> Any:
        factors = tuple(map(float, scale)) if isinstance(scale, tuple) else float(scale)
        y = torch.nn.functional.interpolate(t["x"].movedim(-1, 1), scale_factor=factors, mode=method)
        return y.movedim(1, -1)

    name = f"upsample{rank}d({scale}, {method})"
    draw = _draw(2, *(3, 4, 2)[:rank], 3)
    return ParityCase(name, draw, lambda a: _UPSAMPLE[rank - 1](a["x"], scale, method=method), theirs, golden)


def _pad(mode: Any, *pairs: tuple[int, int], golden: bool = False) -> ParityCase:
    def theirs(torch: Any, t: Arrays) -> Any:
        widths = [n for pair in reversed(pairs) for n in pair]
        return torch.nn.functional.pad(t["x"].movedim(-1, 1), widths, mode=_MODES[mode]).movedim(1, -1)

    draw = _draw(2, *(4, 5, 3)[: len(pairs)], 2)
    return ParityCase(f"pad({pairs}, {mode})", draw, lambda a: fnn.pad(a["x"], pairs, mode=mode), theirs, golden)


CASES: list[ParityCase] = [
    _upsample(1, 2, "nearest"),
    _upsample(1, 3, "linear"),
    _upsample(1, 4, "linear"),
    _upsample(2, 2, "nearest", golden=True),
    _upsample(2, (3, 1), "nearest"),
    _upsample(2, 2, "bilinear", golden=True),
    _upsample(2, (3, 4), "bilinear"),
    _upsample(2, (1, 5), "bilinear"),
    _upsample(3, 2, "nearest"),
    _upsample(3, (2, 1, 3), "trilinear"),
    *[_pad(mode, (2, 1)) for mode in _MODES],
    *[_pad(mode, (1, 3), (0, 2), golden=mode == "reflect") for mode in _MODES],
    *[_pad(mode, (1, 1), (2, 0), (2, 1)) for mode in _MODES],
    _pad("reflect", (3, 3), (4, 4)),
    _pad("wrap", (4, 4), (5, 5)),
]
