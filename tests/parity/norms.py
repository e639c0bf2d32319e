"""Layer norm, RMS norm, group norm and instance norm against PyTorch, on ranks 2 to 5."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.random import Generator

import fnn
from tests.parity.case import Arrays, ParityCase

_PLACES: dict[int, tuple[int, ...]] = {2: (), 3: (5,), 4: (3, 4), 5: (2, 3, 2)}


def _draw(rank: int, channels: int, offset: float) -> Callable[[Generator], dict[str, Any]]:
    def draw(rng: Generator) -> dict[str, Any]:
        x = rng.normal(size=(3, *_PLACES[rank], channels)) * 2 + offset
        return {"x": x, "scale": rng.normal(size=channels), "shift": rng.normal(size=channels)}

    return draw


def _params(a: Arrays) -> fnn.NormParams:
    return fnn.NormParams(a["scale"], a["shift"])


def _layer_norm(rank: int, eps: float) -> ParityCase:
    return ParityCase(
        f"layer_norm, rank {rank}, eps {eps}",
        _draw(rank, 6, 1.0),
        lambda a: fnn.layer_norm(_params(a), a["x"], eps=eps),
        lambda torch, t: torch.nn.functional.layer_norm(t["x"], (6,), t["scale"], t["shift"], eps),
        golden=rank == 3 and eps == 1e-5,
    )


def _rms_norm(rank: int, eps: float) -> ParityCase:
    def draw(rng: Generator) -> dict[str, Any]:
        return {name: a for name, a in _draw(rank, 6, 1.0)(rng).items() if name != "shift"}

    return ParityCase(
        f"rms_norm, rank {rank}, eps {eps}",
        draw,
        lambda a: fnn.rms_norm(fnn.ScaleParams(a["scale"]), a["x"], eps=eps),
        lambda torch, t: torch.nn.functional.rms_norm(t["x"], (6,), t["scale"], eps),
        golden=rank == 3 and eps == 1e-5,
    )


def _group_norm(rank: int, groups: int, eps: float) -> ParityCase:
    def theirs(torch: Any, t: Arrays) -> Any:
        y = torch.nn.functional.group_norm(t["x"].movedim(-1, 1), groups, t["scale"], t["shift"], eps)
        return y.movedim(1, -1)

    return ParityCase(
        f"group_norm, rank {rank}, {groups} groups, eps {eps}",
        _draw(rank, 6, -2.0),
        lambda a: fnn.group_norm(_params(a), a["x"], groups, eps=eps),
        theirs,
        golden=rank == 4 and groups == 3,
    )


def _instance_norm(rank: int, eps: float) -> ParityCase:
    def theirs(torch: Any, t: Arrays) -> Any:
        x = t["x"].movedim(-1, 1)
        y = torch.nn.functional.instance_norm(x, weight=t["scale"], bias=t["shift"], eps=eps)
        return y.movedim(1, -1)

    return ParityCase(
        f"instance_norm, rank {rank}, eps {eps}",
        _draw(rank, 4, 3.0),
        lambda a: fnn.instance_norm(_params(a), a["x"], eps=eps),
        theirs,
        golden=rank == 4 and eps == 1e-5,
    )


CASES: list[ParityCase] = [
    *[_layer_norm(rank, eps) for rank in (2, 3, 4, 5) for eps in (1e-5, 0.1)],
    *[_rms_norm(rank, eps) for rank in (2, 3, 4, 5) for eps in (1e-5, 0.1)],
    # (two values normalise to +-1 wherever they are: their gradient is nearly 0, so groups of two are left to higher ranks)
    *[_group_norm(rank, groups, 1e-5) for rank in (2, 3, 4, 5) for groups in (1, 2, 3) if rank > 2 or groups < 3],
    *[_group_norm(rank, 6, 0.1) for rank in (3, 4, 5)],
    *[_instance_norm(rank, eps) for rank in (3, 4, 5) for eps in (1e-5, 0.1)],
]
