"""The spec Embedding: tokens to vectors."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from fnn.arrays import Array3, Int2
from fnn.functional.checks import check_int
from fnn.functional.embedding import EmbeddingParams, embedding, standard_normal
from fnn.initializers import Initializer
from fnn.layers.layer import Composable
from fnn.layers.spec import Spec
from fnn.mode import Mode
from fnn.random import Key


def check_initializer(name: str, initializer: object) -> None:
    """TypeError unless this can be called."""
    if not callable(initializer):
        raise TypeError(f"{name}: weight_init is {initializer!r}, expected an initializer, as fnn.initializers.normal(0.02)")


@dataclass(frozen=True, repr=False)
class Embedding(Spec, Composable):
    """A vector of dim numbers for each of `vocab` tokens: [batch, time] integers to [batch, time, dim], see `embedding`.

    (Typed for these; at run time tokens may have any shape.) Parameters EmbeddingParams, no state. The table is standard
    normal unless weight_init says otherwise, as in PyTorch; GPT-2 takes normal(0.02).

    >>> import fnn, numpy as np
    >>> model = fnn.Embedding(65, 8) >> fnn.Dense(8, 65)
    >>> params, state = fnn.init(model, fnn.key(0))
    >>> fnn.predict(model, params, state, np.array([[3, 1, 4], [1, 5, 9]])).shape
    (2, 3, 65)
    """

    vocab: int
    dim: int
    _: KW_ONLY
    weight_init: Initializer = standard_normal

    def __post_init__(self) -> None:
        check_int("Embedding", "vocab", self.vocab)
        check_int("Embedding", "dim", self.dim)
        check_initializer("Embedding", self.weight_init)

    def init(self, key: Key, /) -> tuple[EmbeddingParams, None]:
        """A new table, and no state."""
        return EmbeddingParams.init(key, self.vocab, self.dim, weight_init=self.weight_init), None

    def forward(self, params: EmbeddingParams, state: None, x: Int2, mode: Mode, /) -> tuple[Array3, None]:
        """embedding(params, x)."""
        return embedding(params, x), None
