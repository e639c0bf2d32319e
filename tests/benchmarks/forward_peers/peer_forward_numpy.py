"""The peer of forward.py without a library: MLPs in NumPy by hand, in place where that can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import forward_data
import numpy as np

f4 = np.float32


def make(workload: str, batch: int) -> Callable[[], Callable[[], None]]:
    def factory() -> Callable[[], None]:
        rng = np.random.default_rng(0)
        weights, biases, norms = [], [], []
        for n_in, n_out in forward_data.layer_sizes(workload):
            weights.append((rng.standard_normal((n_in, n_out)) / np.sqrt(n_in)).astype(f4))
            biases.append(np.zeros(n_out, f4))
            norms.append([np.ones(n_out, f4), np.zeros(n_out, f4), np.zeros(n_out, f4), np.ones(n_out, f4)])
        x = forward_data.inputs(workload, batch)

        def mlp(h: Any) -> Any:
            for w, b in zip(weights[:-1], biases[:-1], strict=True):
                h = h @ w
                h += b
                if workload == "W1":
                    np.tanh(h, out=h)
                else:
                    np.maximum(h, f4(0), out=h)
            h = h @ weights[-1]
            h += biases[-1]
            return h

        def tabular(h: Any) -> Any:
            for w, b, (scale, shift, mean, var) in zip(weights[:-1], biases[:-1], norms[:-1], strict=True):
                h = h @ w
                factor = scale / np.sqrt(var + f4(1e-5))
                h *= factor
                h += (b - mean) * factor + shift
                np.maximum(h, f4(0), out=h)
            h = h @ weights[-1]
            h += biases[-1]
            return h

        f = tabular if workload == "W3" else mlp

        def run() -> None:
            f(x)

        return run

    return factory


WORKLOADS = forward_data.workloads(make, ("W1", "W2", "W3", "W4"))
