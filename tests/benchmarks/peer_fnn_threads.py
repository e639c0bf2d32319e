"""fnn's second peer where the benchmark gives it several threads: parts of a batch in threads, and one in each product."""

from __future__ import annotations

import os

THREADS = int(os.environ.get("BENCH_THREADS", "1"))
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is imported: as a user sets it for the process

from unittest.mock import patch  # noqa: E402 (after the line above)

import peer_fnn  # noqa: E402 (as above)

import fnn  # noqa: E402 (as above)


def in_parts(workload: str) -> peer_fnn.Step:
    """The workload's step with threads=n."""
    make = fnn.train_step
    with patch.object(fnn, "train_step", lambda loss, opt: make(loss, opt, threads=THREADS)):
        return peer_fnn.WORKLOADS[workload]()


# batch norm needs the whole batch (W3); the smallest nets have nothing to share
WORKLOADS = {w: lambda w=w: in_parts(w) for w in ("W4", "W5", "W6", "W7", "W8")}
