"""The table of optimisers that the laws run over. A new one is tested by being listed."""

from __future__ import annotations

from dataclasses import dataclass

import fnn
from fnn import optim


@dataclass(frozen=True)
class OptimizerCase:
    """An optimiser with a learning rate for the parabola of the laws, its moments' names, and laws that are not for it."""

    name: str
    opt: fnn.Optimizer
    moments: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    within: float = 2e-3
    valley: float = 1e-2


WHOLE = ("leaf independence",)


def matrices_or_root(path: str, shape: tuple[int, ...]) -> bool:
    return len(shape) >= 2 or not path


def all_but_gains(path: str, shape: tuple[int, ...]) -> bool:
    return path != ".gain"


OPTIMIZERS: list[OptimizerCase] = [
    OptimizerCase("Sgd", fnn.Sgd(0.1)),
    OptimizerCase("momentum", fnn.Sgd(0.02, momentum=0.9), ("momentum",)),
    OptimizerCase("Nesterov", fnn.Sgd(0.02, momentum=0.9, nesterov=True), ("momentum",)),
    OptimizerCase("Adam", fnn.Adam(0.05), ("mu", "nu")),
    OptimizerCase("Adam, other options", fnn.Adam(0.05, b1=0.8, b2=0.99, eps=1e-6), ("mu", "nu")),
    OptimizerCase("Adam, with a schedule", fnn.Adam(optim.Cosine(0.1, steps=400)), ("mu", "nu")),
    OptimizerCase("AdamW", fnn.AdamW(0.05, weight_decay=1e-4), ("mu", "nu")),
    OptimizerCase("AdamW, some leaves", optim.AdamW(0.05, weight_decay=1e-4, where=all_but_gains), ("mu", "nu"), WHOLE),
    OptimizerCase("Adamax", optim.Adamax(0.05), ("mu", "nu")),
    OptimizerCase("AMSGrad", optim.AMSGrad(0.05), ("mu", "nu", "top")),
    OptimizerCase("NAdam", optim.NAdam(0.05), ("mu", "nu")),
    OptimizerCase("RAdam", optim.RAdam(0.05), ("mu", "nu")),
    OptimizerCase("AdaBelief", optim.AdaBelief(0.05), ("mu", "nu")),
    OptimizerCase("RMSprop", optim.RMSprop(0.01), ("nu",)),
    OptimizerCase("RMSprop, centred", optim.RMSprop(0.01, centered=True), ("nu", "mu")),
    OptimizerCase("RMSprop, momentum", optim.RMSprop(0.005, momentum=0.5), ("nu", "momentum")),
    OptimizerCase("Adagrad", optim.Adagrad(0.3), ("total",)),
    OptimizerCase("Adadelta", optim.Adadelta(1.0, eps=1e-3), ("nu", "delta"), valley=1.0),
    OptimizerCase("Lion", optim.Lion(0.01), ("mu",)),
    OptimizerCase("Lion, decaying", optim.Lion(0.01, weight_decay=0.01), ("mu",), within=0.03),
    OptimizerCase("sign", optim.ScaleBySign() >> optim.ScaleByLearningRate(0.02), within=0.03, valley=0.2),
    OptimizerCase("Rprop", optim.Rprop(0.05), ("sizes", "before")),
    OptimizerCase("Rprop, warmed up", optim.Rprop(optim.WarmUp(10, then=0.05)), ("sizes", "before")),
    OptimizerCase("scaled", optim.Scale(optim.Polynomial(1.0, steps=2000, end=0.5)) >> fnn.Sgd(0.1)),
    OptimizerCase("clip by value", optim.ClipByValue(0.5) >> fnn.Sgd(0.1)),
    OptimizerCase("clip by norm", optim.ClipByNorm(1.0) >> fnn.Sgd(0.1)),
    OptimizerCase("clip by global norm", optim.ClipByGlobalNorm(1.0) >> fnn.Adam(0.05), ("mu",), WHOLE),
    OptimizerCase("adaptive clip", optim.AdaptiveClip(0.5, eps=0.5) >> fnn.Sgd(0.1)),
    OptimizerCase("centralised", optim.Centralize() >> fnn.Sgd(0.1)),
    OptimizerCase("noisy", optim.AddNoise(1e-4, seed=3) >> fnn.Sgd(0.1), (), WHOLE),
    OptimizerCase("L2", optim.AddDecayedWeights(1e-3) >> fnn.Sgd(0.1)),
    OptimizerCase("L1", optim.AddL1(1e-3) >> fnn.Sgd(0.1)),
    OptimizerCase("proximal L1", fnn.Sgd(0.1) >> optim.ProximalL1(1e-4)),
    OptimizerCase("accumulating", optim.Accumulate(fnn.Adam(0.1), 2), ("sum", "mu", "nu")),
    OptimizerCase("skipping", optim.SkipNonFinite(fnn.Sgd(0.05, momentum=0.5)), ("momentum",)),
    OptimizerCase("look-ahead", optim.Lookahead(fnn.Sgd(0.15)), ("slow",)),
    OptimizerCase("averaged", fnn.Sgd(0.1) >> optim.Ema(0.9), ("ema",)),
    OptimizerCase("max-norm", fnn.Sgd(0.1) >> optim.MaxNorm(100.0)),
    OptimizerCase("groups", optim.Groups((fnn.tree.everything, fnn.Adam(0.05))), ("mu", "nu")),
    OptimizerCase("two groups", optim.Groups((matrices_or_root, fnn.Adam(0.05)), rest=fnn.Adam(0.05)), ("mu", "nu"), WHOLE),
    OptimizerCase(
        "all around",
        optim.ClipByGlobalNorm(10.0)
        >> optim.SkipNonFinite(optim.Lookahead(optim.Accumulate(optim.Groups((fnn.tree.everything, fnn.Adam(0.1))), 2)))
        >> optim.Ema(0.5),
        ("mu", "nu", "slow", "sum", "ema"),
        WHOLE,
    ),
    OptimizerCase("masked", optim.Masked(fnn.tree.everything, optim.Trace(0.5)) >> fnn.Sgd(0.05), ("momentum",)),
    OptimizerCase(
        "long chain",
        optim.ClipByValue(10.0)
        >> optim.ScaleByAdam()
        >> optim.AddDecayedWeights(1e-4)
        >> optim.ScaleByLearningRate(0.05)
        >> optim.Ema(0.5),
        ("mu", "nu", "ema"),
    ),
]
