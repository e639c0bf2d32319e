"""What the peers of forward.py share: nets, batches and inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import common  # type: ignore[import-not-found]  # lies beside the benchmark's runner
import numpy as np

NETS = ("W1", "W2", "W3", "W4", "W6", "W7", "W8")
BATCHES = (1, 256)

Run = Callable[[], None]


def inputs(workload: str, batch: int) -> Any:
    """Inputs of the benchmark of steps, as many as the batch takes."""
    x = np.concatenate([x for x, _ in common.data(workload)])
    return np.concatenate([x] * -(-batch // len(x)))[:batch]


def layer_sizes(workload: str) -> list[tuple[int, int]]:
    """(inputs, outputs) of each layer of an MLP."""
    sizes = common.MLP[workload][0]
    return list(pairwise(sizes))


def workloads(make: Callable[[str, int], Callable[[], Run]], nets: Iterable[str] = NETS) -> dict[str, Callable[[], Run]]:
    """What the benchmark's worker reads of a peer, by net and batch."""
    return {f"{net}/{batch}": make(net, batch) for net in nets for batch in BATCHES}
