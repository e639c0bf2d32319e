"""Training steps: tensors of several parameters in one list of inputs, with a step count, and L2 as `norm_coefficient`."""

from __future__ import annotations

from math import sqrt
from typing import Any

from fnn import optim
from fnn.optim.optimizer import updater
from tests.onnx.family import Family
from tests.onnx_cases import OnnxCase


def _step(case: OnnxCase, opt: Any, moments: tuple[str, ...]) -> tuple[Any, ...]:
    """The parameters after one step, and the moments, each a list of tensors, one behind the other as ONNX has them.

    Inputs are rate, step, and then lists of parameters, gradients and each moment.
    """
    kinds = 2 + len(moments)
    tensors = case.inputs[2:]
    n = len(tensors) // kinds
    params, grads, *before = [tensors[k * n : (k + 1) * n] for k in range(kinds)]
    state = opt.init(params)
    own = {key: name for key in state.slots for name in moments if key.rpartition(".")[2] == name}
    assert sorted(own.values()) == sorted(moments)
    given = {key: state.layout.pack(before[moments.index(name)]) for key, name in own.items()}
    object.__setattr__(state, "slots", {**state.slots, **given})
    new, after = updater(opt)(state.layout.pack(grads), state, state.layout.pack(params))
    return (*state.layout.unpack(new), *[tensor for name in moments for tensor in after.moment(name)])


def _l2(case: OnnxCase) -> Any:
    assert not case.get("norm_coefficient_post", 0.0)
    return optim.AddDecayedWeights(case.get("norm_coefficient", 0.0))


def _adam(case: OnnxCase) -> tuple[Any, ...]:
    """ONNX doesn't correct the bias of the moments at its step 0; the correction is in fnn's step, and taken back here."""
    assert case.inputs[1] == 0
    b1, b2 = case.get("alpha", 0.9), case.get("beta", 0.999)
    root = sqrt(1 - b2)
    direction = optim.ScaleByAdam(b1, b2, case.get("epsilon", 0.0) / root)
    return _step(
        case, _l2(case) >> direction >> optim.ScaleByLearningRate(case.inputs[0].item() * (1 - b1) / root), ("mu", "nu")
    )


def _adagrad(case: OnnxCase) -> tuple[Any, ...]:
    rate = optim.InverseTime(case.inputs[0].item(), decay=case.get("decay_factor", 0.0))(case.inputs[1].item())
    return _step(case, _l2(case) >> optim.Adagrad(rate, eps=case.get("epsilon", 0.0)), ("total",))


def _momentum(case: OnnxCase) -> tuple[Any, ...]:
    """beta, which weighs the gradient in the moment, is 1 at ONNX's first step."""
    weight = case.get("beta", 1.0) if case.inputs[1] > 0 else 1.0
    trace = optim.Trace(case.get("alpha", 0.9), nesterov=case.get("mode", "standard") == "nesterov")
    return _step(
        case, _l2(case) >> optim.Scale(weight) >> trace >> optim.ScaleByLearningRate(case.inputs[0].item()), ("momentum",)
    )


FAMILY = Family({"Adam": _adam, "Adagrad": _adagrad, "Momentum": _momentum})
