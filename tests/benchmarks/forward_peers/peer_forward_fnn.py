"""fnn's peer of forward.py: the nets of the benchmark of steps, forward only, as a user writes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import forward_data
import peer_fnn

import fnn


def model_of(workload: str) -> Any:
    """The net that the benchmark of steps trains."""
    with patch.object(peer_fnn, "run", lambda model, *rest: model):
        return peer_fnn.WORKLOADS[workload]()


def make(workload: str, batch: int) -> Callable[[], Callable[[], None]]:
    def factory() -> Callable[[], None]:
        model = model_of(workload)
        params, state = fnn.init(model, fnn.key(0))
        x = forward_data.inputs(workload, batch)
        if workload == "W6":  # channels last
            x = x.transpose(0, 2, 3, 1).copy()
        forward = fnn.forward

        def run() -> None:
            forward(model, params, state, x)[0]

        return run

    return factory


WORKLOADS = forward_data.workloads(make)
