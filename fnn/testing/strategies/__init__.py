"""Hypothesis strategies for nets: arrays away from kinks, pytrees of any type, whole models with matching inputs.

Needs the extra `testing`: `pip install "fnn[testing]"`. Every array that is drawn is read-only, float32 unless told
otherwise, and shrinks to ones; counterexamples print as code that makes them. See docs/strategies.md.

>>> from hypothesis import find
>>> from fnn.testing import strategies as nets
>>> find(nets.models(), lambda case: case.x.shape[1] > 1)
ModelCase(
    model=Dense(2, 1, bias=False),
    params=LinearParams(weight=np.array([[1.], [1.]], np.float32)),
    state=None,
    x=np.array([[1., 1.]], np.float32),
)
"""

try:
    import hypothesis as _hypothesis  # noqa: F401 (to say what is missing)
except ModuleNotFoundError as error:
    if error.name != "hypothesis":
        raise
    raise ImportError('fnn.testing.strategies needs hypothesis, which is not installed: pip install "fnn[testing]"') from None

from fnn.testing.strategies.arrays import Entries as Entries
from fnn.testing.strategies.arrays import arrays as arrays
from fnn.testing.strategies.arrays import batches as batches
from fnn.testing.strategies.arrays import broadcastable as broadcastable
from fnn.testing.strategies.arrays import labels as labels
from fnn.testing.strategies.arrays import shapes as shapes
from fnn.testing.strategies.code import code as code
from fnn.testing.strategies.like import like as like
from fnn.testing.strategies.models import ModelCase as ModelCase
from fnn.testing.strategies.models import cases as cases
from fnn.testing.strategies.models import layers as layers
from fnn.testing.strategies.models import models as models
from fnn.testing.strategies.randomness import keys as keys
from fnn.testing.strategies.randomness import modes as modes
from fnn.testing.strategies.trees import trees as trees
