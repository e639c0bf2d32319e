"""For users' tests: gradients against finite differences, and the laws of fnn for layers, losses and optimisers of one's own.

Every function here raises AssertionError with a message that says what is wrong, where, and what to do; docs/testing.md has
examples. `fnn.testing.strategies` (which needs Hypothesis) draws trees, keys and shapes for property tests.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fnn.testing.gradients import GradReport as GradReport
from fnn.testing.gradients import check_grads as check_grads
from fnn.testing.layers import LAYER_LAWS as LAYER_LAWS
from fnn.testing.layers import check_layer as check_layer
from fnn.testing.losses import LOSS_LAWS as LOSS_LAWS
from fnn.testing.losses import check_loss as check_loss
from fnn.testing.metrics import METRIC_LAWS as METRIC_LAWS
from fnn.testing.metrics import check_metric as check_metric
from fnn.testing.optimizers import OPTIMIZER_LAWS as OPTIMIZER_LAWS
from fnn.testing.optimizers import check_optimizer as check_optimizer
from fnn.testing.slopes import Kink as Kink
from fnn.testing.taylor import TaylorReport as TaylorReport
from fnn.testing.taylor import check_taylor as check_taylor

if TYPE_CHECKING:
    from fnn.testing import strategies as strategies


def __getattr__(name: str) -> Any:
    if name == "strategies":  # it needs Hypothesis, which the rest does not
        return import_module("fnn.testing.strategies")
    raise AttributeError(f"module 'fnn.testing' has no attribute {name!r}")
