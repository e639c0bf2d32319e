"""Dense, activations, batch norm and losses against PyTorch."""

from __future__ import annotations

from typing import Any

from numpy.random import Generator

import fnn
from tests.parity.case import Arrays, ParityCase


def _x(rng: Generator) -> dict[str, Any]:
    return {"x": rng.normal(size=(4, 5))}


def _activation(name: str, ours: Any, theirs: Any, *, golden: bool = False) -> ParityCase:
    return ParityCase(name, _x, lambda a: ours(a["x"]), lambda torch, t: theirs(torch.nn.functional)(t["x"]), golden)


def _dense(a: Arrays) -> Any:
    return fnn.dense(fnn.DenseParams(a["weight"], a["bias"]), a["x"])


def _batch_norm(a: Arrays) -> Any:
    state = fnn.BatchNormState.init(3)
    return fnn.batch_norm(fnn.NormParams(a["scale"], a["shift"]), state, a["x"], fnn.Train(fnn.key(0)))[0]


def _torch_batch_norm(torch: Any, t: Arrays) -> Any:
    x = t["x"].movedim(-1, 1)
    y = torch.nn.functional.batch_norm(x, None, None, t["scale"], t["shift"], training=True)
    return y.movedim(1, -1)


CASES: list[ParityCase] = [
    _activation("leaky_relu", lambda x: fnn.leaky_relu(x, 0.2), lambda f: lambda x: f.leaky_relu(x, 0.2)),
    _activation("sigmoid", fnn.sigmoid, lambda f: f.sigmoid),
    _activation("softplus", fnn.softplus, lambda f: f.softplus),
    _activation("elu", lambda x: fnn.elu(x, 0.7), lambda f: lambda x: f.elu(x, 0.7)),
    _activation("selu", fnn.selu, lambda f: f.selu),
    _activation("gelu", fnn.gelu, lambda f: lambda x: f.gelu(x, approximate="tanh"), golden=True),
    _activation("gelu exact", lambda x: fnn.gelu(x, approximate=False), lambda f: f.gelu, golden=True),
    _activation("silu", fnn.silu, lambda f: f.silu),
    _activation("softmax", fnn.softmax, lambda f: lambda x: f.softmax(x, -1), golden=True),
    _activation("log_softmax", fnn.log_softmax, lambda f: lambda x: f.log_softmax(x, -1)),
    ParityCase(
        "dense",
        lambda rng: {"x": rng.normal(size=(2, 4, 3)), "weight": rng.normal(size=(3, 5)), "bias": rng.normal(size=5)},
        _dense,
        lambda torch, t: t["x"] @ t["weight"] + t["bias"],
        golden=True,
    ),
    ParityCase(
        "batch_norm",
        lambda rng: {"x": rng.normal(size=(4, 2, 5, 3)), "scale": rng.normal(size=3), "shift": rng.normal(size=3)},
        _batch_norm,
        _torch_batch_norm,
        golden=True,
    ),
    ParityCase(
        "cross_entropy",
        lambda rng: {"x": rng.normal(size=(6, 4)), "labels": rng.integers(0, 4, 6)},
        lambda a: fnn.cross_entropy(a["x"], a["labels"], label_smoothing=0.1),
        lambda torch, t: torch.nn.functional.cross_entropy(t["x"], t["labels"], label_smoothing=0.1),
        golden=True,
    ),
]
