"""Chains without an optimiser, in the wrong order, and options of other kinds."""

import numpy as np

import fnn
from fnn import optim

model = fnn.Dense(2, 1)
loss = fnn.supervised(model, fnn.mse)
clip = optim.ClipByValue(1.0)
fnn.train_step(loss, clip)  # mypy: [call-overload]  pyright: [reportArgumentType]
fnn.train_step(loss, clip >> optim.Trace(0.9))  # mypy: [call-overload]  pyright: [reportArgumentType]
fnn.start(model, clip, fnn.key(0))  # mypy: [arg-type]  pyright: [reportArgumentType]
clip.init(np.ones(2))  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
fnn.Adam(0.1) >> fnn.Sgd(0.1)  # mypy: [operator]  pyright: [reportOperatorIssue, reportUnusedExpression]
fnn.Adam(0.1) >> 3  # mypy: [operator]  pyright: [reportOperatorIssue, reportUnusedExpression]
clip >> fnn.relu  # mypy: [operator]  pyright: [reportOperatorIssue, reportUnusedExpression]
clip >> fnn.Adam  # mypy: [operator]  pyright: [reportOperatorIssue, reportUnusedExpression]
optim.Accumulate(clip, 2)  # mypy: [arg-type]  pyright: [reportArgumentType]
optim.Masked(fnn.tree.matrices, fnn.Sgd(0.1))  # mypy: [arg-type]  pyright: [reportArgumentType]
optim.Groups(fnn.Adam(0.1))  # mypy: [arg-type]  pyright: [reportArgumentType]
optim.Groups((fnn.tree.matrices, clip))  # mypy: [arg-type]  pyright: [reportArgumentType]
optim.Groups((fnn.tree.matrices, fnn.Adam(0.1)), fnn.Adam(0.1))  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.AdamW(0.1, where="weight")  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.Adam(optim.Cosine)  # mypy: [arg-type]  pyright: [reportArgumentType]
optim.RMSprop(0.1, 0.9)  # mypy: [call-arg]  pyright: [reportCallIssue]
optim.Cosine(0.1)  # mypy: [call-arg]  pyright: [reportCallIssue]
optim.Cosine(0.1, steps=2.5)  # mypy: [arg-type]  pyright: [reportArgumentType]
optim.WarmUp(5)  # mypy: [call-arg]  pyright: [reportCallIssue]
optim.Muon(rest=clip)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.Sgd(0.1).init(np.ones(2)).scale_learning_rate("half")  # mypy: [arg-type]  pyright: [reportArgumentType]
wrong: float = fnn.Sgd(0.1).init(np.ones(2)).learning_rates  # mypy: [assignment]  pyright: [reportAssignmentType]
optim.lbfgs(lambda p: np.sum(p), np.ones(2), tolerance="small")  # mypy: [arg-type]  pyright: [reportArgumentType]
found: str = optim.lbfgs(lambda p: np.sum(p), np.ones(2)).converged  # mypy: [assignment]  pyright: [reportAssignmentType]
