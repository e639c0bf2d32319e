"""PyTorch's peer of forward.py: eager, `eval()` and `inference_mode`."""

from __future__ import annotations

from collections.abc import Callable

import forward_data
import torch  # type: ignore[import-not-found,unused-ignore]  # pyright: ignore[reportMissingImports]  # not in CI
from peer_torch import model_and_loss  # type: ignore[import-not-found]  # lies beside the benchmark's runner


def make(workload: str, batch: int) -> Callable[[], Callable[[], None]]:
    def factory() -> Callable[[], None]:
        torch.manual_seed(0)
        model = model_and_loss(workload)[0].eval()
        x = torch.from_numpy(forward_data.inputs(workload, batch))

        def run() -> None:
            with torch.inference_mode():
                model(x)

        return run

    return factory


WORKLOADS = forward_data.workloads(make)
