"""fnn's peer in the benchmark of whole training steps: the nets of W1 to W8 with the public API, as a user writes them.

The benchmark's runner imports this file beside its own `common` module, which holds data, sizes and learning rates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import common  # type: ignore[import-not-found]  # lies beside the benchmark's runner

import fnn

Step = Callable[[], fnn.Scalar]


def run(model: Any, criterion: Any, opt: fnn.Optimizer, workload: str, prepare: Callable[[Any], Any] = lambda x: x) -> Step:
    """A step without arguments that trains on the workload's batches in turn; `prepare` gives x fnn's layout, once."""
    step = fnn.train_step(fnn.supervised(model, criterion), opt)
    ts: Any = fnn.start(model, opt, fnn.key(0))
    batches = common.cycle([(prepare(x), y) for x, y in common.data(workload)])

    def one() -> fnn.Scalar:
        nonlocal ts
        ts, loss = step(ts, *batches())
        return loss

    return one


def w1() -> Step:
    model = fnn.Dense(2, 8) >> fnn.tanh >> fnn.Dense(8, 1)
    return run(model, fnn.bce_with_logits, fnn.Sgd(common.LR_SGD), "W1")


def w2() -> Step:
    model = fnn.Dense(64, 128) >> fnn.relu >> fnn.Dense(128, 10)
    return run(model, fnn.cross_entropy, fnn.Adam(common.LR_ADAM), "W2")


def w3() -> Step:
    model = (
        fnn.Dense(32, 256)
        >> fnn.BatchNorm(256)
        >> fnn.relu
        >> fnn.Dropout(0.1)
        >> fnn.Dense(256, 256)
        >> fnn.BatchNorm(256)
        >> fnn.relu
        >> fnn.Dropout(0.1)
        >> fnn.Dense(256, 1)
    )
    return run(model, fnn.mse, fnn.Adam(common.LR_ADAM), "W3")


def w4() -> Step:
    model = fnn.Dense(784, 512) >> fnn.relu >> fnn.Dense(512, 512) >> fnn.relu >> fnn.Dense(512, 10)
    return run(model, fnn.cross_entropy, fnn.Adam(common.LR_ADAM), "W4")


def w5() -> Step:
    model = fnn.Dense(1024, 2048) >> fnn.relu >> fnn.Dense(2048, 2048) >> fnn.relu >> fnn.Dense(2048, 1000)
    return run(model, fnn.cross_entropy, fnn.Sgd(common.LR_SGD, momentum=0.9), "W5")


def w6() -> Step:
    model = (
        fnn.Conv2d(1, 32, 3)
        >> fnn.relu
        >> fnn.MaxPool2d(2)
        >> fnn.Conv2d(32, 64, 3)
        >> fnn.relu
        >> fnn.MaxPool2d(2)
        >> fnn.flatten
        >> fnn.Dense(3136, 128)
        >> fnn.relu
        >> fnn.Dense(128, 10)
    )
    return run(model, fnn.cross_entropy, fnn.Adam(common.LR_ADAM), "W6", lambda x: x.transpose(0, 2, 3, 1).copy())


def w7() -> Step:
    model = fnn.LSTM(32, 128) >> fnn.last_step >> fnn.Dense(128, 10)
    return run(model, fnn.cross_entropy, fnn.Adam(common.LR_ADAM), "W7")


def w8() -> Step:
    model = (
        fnn.Embedding(65, 128)
        >> fnn.LearnedPositions(64, 128)
        >> fnn.stack(2, fnn.encoder_block(128, 4, causal=True))
        >> fnn.LayerNorm(128)
        >> fnn.Dense(128, 65)
    )
    return run(model, fnn.cross_entropy, fnn.AdamW(common.LR_ADAM), "W8")


WORKLOADS: dict[str, Callable[[], Step]] = {
    "W1": w1,
    "W2": w2,
    "W3": w3,
    "W4": w4,
    "W5": w5,
    "W6": w6,
    "W7": w7,
    "W8": w8,
}
