"""The tables that the laws run over. A new activation, layer, loss or optimiser is tested by being listed. Operations have a
table of their own, `tests.laws.operations`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import fnn
from tests.laws.families import (
    attention,
    combinators,
    convolution,
    core,
    embedding,
    losses,
    noise,
    norms,
    pooling,
    recurrence,
    resize,
)
from tests.laws.families.case import KernelCase, LayerCase
from tests.laws.losses import LOSSES as LOSSES
from tests.laws.losses import LossCase as LossCase

FAMILIES: list[Any] = [core, combinators, convolution, recurrence, noise, pooling, resize, norms, embedding, attention, losses]


@dataclass(frozen=True)
class Activation:
    """An elementwise or row-wise function; `aliases` where it may return its input."""

    name: str
    f: Callable[[Any], Any]
    aliases: bool = False


ACTIVATIONS: list[Activation] = [
    Activation("identity", fnn.identity, aliases=True),
    Activation("relu", fnn.relu),
    Activation("leaky_relu", fnn.leaky_relu),
    Activation("leaky_relu 0.3", lambda x: fnn.leaky_relu(x, 0.3)),
    Activation("sigmoid", fnn.sigmoid),
    Activation("tanh", fnn.tanh),
    Activation("softplus", fnn.softplus),
    Activation("elu", fnn.elu),
    Activation("elu 0.5", lambda x: fnn.elu(x, alpha=0.5)),
    Activation("selu", fnn.selu),
    Activation("gelu", fnn.gelu),
    Activation("gelu exact", lambda x: fnn.gelu(x, approximate=False)),
    Activation("silu", fnn.silu),
    Activation("softmax", fnn.softmax),
    Activation("softmax axis 0", lambda x: fnn.softmax(x, axis=0)),
    Activation("log_softmax", fnn.log_softmax),
    Activation("log_softmax axis 0", lambda x: fnn.log_softmax(x, 0)),
]


LAYERS: list[LayerCase] = [case for family in FAMILIES for case in family.LAYERS]

KERNELS: list[KernelCase] = [case for family in FAMILIES for case in family.KERNELS]
