"""The spec Embedding: tokens to vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

import numpy as np

from fnn.arrays import Array3, Int2, Value
from fnn.functional.checks import check_int
from fnn.functional.embedding import EmbeddingParams, check_tokens, embedding, embedding_kernel, standard_normal
from fnn.initializers import Initializer
from fnn.layers.layer import Composable
from fnn.layers.pullback import Pull
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
    ignores_mode: ClassVar[bool] = True  # for layers.pullback

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

    def vjp(self, params: EmbeddingParams, state: None, x: Value, mode: Mode, wanted: bool, /) -> tuple[Value, None, Pull]:
        """The kernel of `embedding`; tokens have no cotangent."""
        check_tokens(params.table, x)
        y, pull = embedding_kernel(params.table, x)

        def back(g: Value, into: EmbeddingParams) -> None:
            pull(g, (True,), into.table)

        return y, None, back

    def evaluator(self, params: EmbeddingParams, state: None, /) -> Callable[[Value], Value]:
        """Rows of the table; whether the tokens have some is checked."""
        table = params.table

        def run(x: Value) -> Value:
            check_tokens(table, x)
            return np.take(table, x, 0)

        return run
