"""Dense, activations, batch norm and losses against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
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


def _labels(rng: Generator, ignored: int | None, *shape: int) -> Any:
    """Class numbers below 4; some of them are `ignored`."""
    labels = rng.integers(0, 4, shape)
    return labels if ignored is None else np.where(rng.random(shape) < 0.3, ignored, labels)


def _class_loss(
    name: str,
    *,
    front: tuple[int, ...] = (6,),
    smoothing: float = 0.0,
    weighted: bool = False,
    ignored: int | None = None,
    probabilities: bool = False,
    golden: bool = False,
) -> list[ParityCase]:
    """The mean and the rows of a loss with these options. PyTorch has the classes on axis 1, and ignores -100 by default."""
    weights = np.array([0.5, 2.0, 1.0, 1.5]) if weighted else None
    nll = name.startswith("nll")
    options: Any = {} if nll else {"label_smoothing": smoothing}

    def draw(rng: Generator) -> dict[str, Any]:
        x = rng.normal(size=(*front, 4))
        if not probabilities:
            return {"x": x, "y": _labels(rng, ignored, *front)}
        q = rng.uniform(0.1, 1, (*front, 4))
        return {"x": x, "y": q / q.sum(-1, keepdims=True)}

    def ours(a: Arrays, by_row: bool) -> Any:
        w = None if weights is None else weights.astype(a["x"].dtype)
        ends: Any = {True: "_per_example", False: ""}
        f = getattr(fnn, ("nll" if nll else "cross_entropy") + ends[by_row])
        return f(a["x"], a["y"], class_weights=w, ignore_index=ignored, **options)

    def theirs(torch: Any, t: Arrays, by_row: bool) -> Any:
        f = torch.nn.functional
        y = t["y"].movedim(-1, 1) if probabilities and len(front) > 1 else t["y"]
        return (f.nll_loss if nll else f.cross_entropy)(
            t["x"].movedim(-1, 1).contiguous() if len(front) > 1 else t["x"],
            y,
            weight=None if weights is None else torch.tensor(weights, dtype=t["x"].dtype),
            ignore_index=-100 if ignored is None else ignored,
            reduction="none" if by_row else "mean",
            **options,
        )

    return [
        ParityCase(name, draw, lambda a: ours(a, False), lambda torch, t: theirs(torch, t, False), golden),
        ParityCase(f"{name}, by row", draw, lambda a: ours(a, True), lambda torch, t: theirs(torch, t, True)),
    ]


_CLASS_LOSSES: list[ParityCase] = [
    *_class_loss("cross_entropy", smoothing=0.1, golden=True),
    *_class_loss("cross_entropy, plain"),
    *_class_loss("cross_entropy, weights", weighted=True, golden=True),
    *_class_loss("cross_entropy, ignored", ignored=-100),
    *_class_loss("cross_entropy, ignored class", ignored=2, smoothing=0.2),
    *_class_loss("cross_entropy, weights and smoothing", weighted=True, smoothing=0.3),
    *_class_loss("cross_entropy, everything", weighted=True, smoothing=0.3, ignored=-1, front=(3, 5, 2), golden=True),
    *_class_loss("cross_entropy over time", front=(3, 5)),
    *_class_loss("cross_entropy of images", front=(2, 3, 4), weighted=True, ignored=1),
    *_class_loss("cross_entropy, one row", front=(), smoothing=0.2),
    *_class_loss("cross_entropy, probabilities", probabilities=True, golden=True),
    *_class_loss("cross_entropy, weighted probabilities", probabilities=True, weighted=True),
    *_class_loss(
        "cross_entropy, smoothed weighted probabilities", probabilities=True, weighted=True, smoothing=0.3, front=(3, 2)
    ),
    *_class_loss("nll"),
    *_class_loss("nll, weights", weighted=True),
    *_class_loss("nll, everything", weighted=True, ignored=-100, front=(3, 5, 2), golden=True),
]

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
    *_CLASS_LOSSES,
]
