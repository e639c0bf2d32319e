"""Ten steps of every optimiser that PyTorch has too, on the same gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import fnn
from fnn import optim

STEPS = 10


@dataclass(frozen=True)
class OptimizerParity:
    """An optimiser here, and `theirs(torch, parameters)` there."""

    name: str
    opt: fnn.Optimizer
    theirs: Callable[[Any, Any], Any]


def problem(dtype: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Parameters, and a gradient for each step: some of them small, zero or of alternating sign."""
    rng = np.random.default_rng(5)
    params = {"w": rng.normal(size=(3, 4)), "b": rng.normal(size=4)}
    grads = [{name: rng.normal(size=p.shape) * 0.7**i for name, p in params.items()} for i in range(STEPS)]
    for i, g in enumerate(grads):
        g["b"][0] = 0.0
        g["b"][1] = (-1.0) ** i
        g["w"][0, 0] = 1e-6
    return (
        {name: p.astype(dtype) for name, p in params.items()},
        [{name: p.astype(dtype) for name, p in g.items()} for g in grads],
    )


def run_ours(case: OptimizerParity, dtype: Any) -> dict[str, Any]:
    params, grads = problem(dtype)
    state = case.opt.init(params)
    for g in grads:
        params, state = fnn.update(case.opt, g, state, params)
    return params


def run_theirs(torch: Any, case: OptimizerParity, dtype: Any) -> dict[str, Any]:
    params, grads = problem(dtype)
    torch.set_default_dtype(torch.float64 if dtype == np.float64 else torch.float32)
    tensors = {name: torch.tensor(p, requires_grad=True) for name, p in params.items()}
    opt = case.theirs(torch.optim, list(tensors.values()))
    for g in grads:
        for name, tensor in tensors.items():
            tensor.grad = torch.tensor(g[name])
        opt.step()
    torch.set_default_dtype(torch.float32)
    return {name: tensor.detach().numpy() for name, tensor in tensors.items()}


CASES: list[OptimizerParity] = [
    OptimizerParity("sgd", fnn.Sgd(0.1), lambda t, p: t.SGD(p, lr=0.1)),
    OptimizerParity("momentum", fnn.Sgd(0.1, momentum=0.9), lambda t, p: t.SGD(p, lr=0.1, momentum=0.9)),
    OptimizerParity(
        "nesterov", fnn.Sgd(0.1, momentum=0.9, nesterov=True), lambda t, p: t.SGD(p, lr=0.1, momentum=0.9, nesterov=True)
    ),
    OptimizerParity(
        "l2", optim.AddDecayedWeights(0.1) >> fnn.Sgd(0.1, momentum=0.9), lambda t, p: t.SGD(p, 0.1, 0.9, weight_decay=0.1)
    ),
    OptimizerParity("adam", fnn.Adam(0.1), lambda t, p: t.Adam(p, lr=0.1)),
    OptimizerParity("adam l2", optim.AddDecayedWeights(0.1) >> fnn.Adam(0.1), lambda t, p: t.Adam(p, 0.1, weight_decay=0.1)),
    OptimizerParity("adamw", fnn.AdamW(0.1, weight_decay=0.3), lambda t, p: t.AdamW(p, lr=0.1, weight_decay=0.3)),
    OptimizerParity(
        "amsgrad", optim.AMSGrad(0.1, b1=0.8, b2=0.9), lambda t, p: t.Adam(p, lr=0.1, betas=(0.8, 0.9), amsgrad=True)
    ),
    OptimizerParity("adamax", optim.Adamax(), lambda t, p: t.Adamax(p)),
    OptimizerParity("nadam", optim.NAdam(), lambda t, p: t.NAdam(p)),
    OptimizerParity(
        "nadam, other options",
        optim.NAdam(0.1, b1=0.8, momentum_decay=0.1),
        lambda t, p: t.NAdam(p, 0.1, (0.8, 0.999), momentum_decay=0.1),
    ),
    OptimizerParity("radam", optim.RAdam(0.1), lambda t, p: t.RAdam(p, lr=0.1)),
    OptimizerParity("radam, short memory", optim.RAdam(0.1, b2=0.9), lambda t, p: t.RAdam(p, lr=0.1, betas=(0.9, 0.9))),
    OptimizerParity("rmsprop", optim.RMSprop(), lambda t, p: t.RMSprop(p)),
    OptimizerParity("rmsprop centered", optim.RMSprop(0.1, centered=True), lambda t, p: t.RMSprop(p, lr=0.1, centered=True)),
    OptimizerParity(
        "rmsprop momentum", optim.RMSprop(0.1, decay=0.9, momentum=0.9), lambda t, p: t.RMSprop(p, 0.1, alpha=0.9, momentum=0.9)
    ),
    OptimizerParity("adagrad", optim.Adagrad(), lambda t, p: t.Adagrad(p)),
    OptimizerParity(
        "adagrad decay",
        optim.Adagrad(optim.InverseTime(0.1, decay=0.2), start=0.1),
        lambda t, p: t.Adagrad(p, 0.1, 0.2, initial_accumulator_value=0.1),
    ),
    OptimizerParity("adadelta", optim.Adadelta(), lambda t, p: t.Adadelta(p)),
    OptimizerParity("rprop", optim.Rprop(), lambda t, p: t.Rprop(p)),
    OptimizerParity(
        "rprop, other options",
        optim.Rprop(0.1, grow=1.5, shrink=0.4, smallest=0.03, largest=0.2),
        lambda t, p: t.Rprop(p, 0.1, (0.4, 1.5), (0.03, 0.2)),
    ),
]
