"""Pooling against PyTorch, over its options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.random import Generator

import fnn
from tests.laws.operations.case import distinct
from tests.parity.case import Arrays, ParityCase

_OURS: dict[str, tuple[Any, ...]] = {
    "max": (fnn.max_pool1d, fnn.max_pool2d, fnn.max_pool3d),
    "avg": (fnn.avg_pool1d, fnn.avg_pool2d, fnn.avg_pool3d),
}


def _draw(*shape: int) -> Callable[[Generator], dict[str, Any]]:
    return lambda rng: {"x": distinct(rng, shape)}


def _case(kind: str, rank: int, size: Any, *, golden: bool = False, **options: Any) -> ParityCase:
    """In PyTorch padding is a number for both sides of an axis, and so it is here; there it counts unless told otherwise."""

    def ours(a: Arrays) -> Any:
        return _OURS[kind][rank - 1](a["x"], size, **options)

    def theirs(torch: Any, t: Arrays) -> Any:
        given = options | ({"count_include_pad": options.get("count_include_pad", False)} if kind == "avg" else {})
        y = getattr(torch.nn.functional, f"{kind}_pool{rank}d")(t["x"].movedim(-1, 1), size, **given)
        return y.movedim(1, -1)

    told = ", ".join([f"{name}={value}" for name, value in options.items()])
    return ParityCase(
        f"{kind}_pool{rank}d({size}{', ' if told else ''}{told})", _draw(2, *(7, 8, 5)[:rank], 3), ours, theirs, golden
    )


def _grid() -> list[ParityCase]:
    cases = []
    for kind in ("max", "avg"):
        for rank in (1, 2, 3):
            cases += [
                _case(kind, rank, 2, golden=rank == 2),
                _case(kind, rank, 3, golden=rank == 1),
                _case(kind, rank, 3, stride=1),
                _case(kind, rank, 3, stride=2, padding=1, golden=rank == 2),
                _case(kind, rank, 2, stride=3),
                _case(kind, rank, 4, stride=1, padding=2),
                _case(kind, rank, 2, ceil_mode=True),
                _case(kind, rank, 3, stride=2, padding=1, ceil_mode=True, golden=rank == 2),
                _case(kind, rank, 2, stride=3, padding=1, ceil_mode=True),
                _case(kind, rank, 3, stride=3, padding=1, ceil_mode=True),
            ]
        cases += [
            _case(kind, 2, (3, 2), stride=(1, 2), padding=(1, 0)),
            _case(kind, 3, (1, 3, 2), stride=(2, 1, 1), padding=(0, 1, 1)),
        ]
    for rank in (1, 2, 3):
        cases += [
            _case("max", rank, 2, stride=1, dilation=2, golden=rank == 2),
            _case("max", rank, 3, stride=2, dilation=2, padding=1),
            _case("max", rank, 2, stride=2, dilation=3, padding=1, ceil_mode=True),
            _case("avg", rank, 3, stride=2, padding=1, count_include_pad=True, golden=rank == 1),
            _case("avg", rank, 3, stride=2, padding=1, ceil_mode=True, count_include_pad=True),
            _case("avg", rank, 2, stride=2, padding=1, ceil_mode=True, count_include_pad=True),
            _case("avg", rank, 3, stride=4, padding=1, ceil_mode=True, count_include_pad=True),
        ]
    return cases


CASES: list[ParityCase] = [
    *_grid(),
    ParityCase(
        "global_max_pool",
        _draw(2, 3, 4, 2),
        lambda a: fnn.global_max_pool(a["x"]),
        lambda torch, t: torch.nn.functional.adaptive_max_pool2d(t["x"].movedim(-1, 1), 1)[:, :, 0, 0],
    ),
    ParityCase(
        "global_avg_pool",
        _draw(2, 3, 4, 2),
        lambda a: fnn.global_avg_pool(a["x"]),
        lambda torch, t: torch.nn.functional.adaptive_avg_pool2d(t["x"].movedim(-1, 1), 1)[:, :, 0, 0],
    ),
]
