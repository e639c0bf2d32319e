"""Keys and modes."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from fnn.mode import EVAL, Mode, Train
from fnn.random import Key, key


def keys() -> SearchStrategy[Key]:
    """Keys of small seeds. Printed as `key(7)`; the simplest is `key(0)`.

    >>> from hypothesis import find
    >>> find(keys(), lambda k: True) == key(0)
    True
    """
    return st.builds(key, st.integers(0, 2**16))


def modes() -> SearchStrategy[Mode]:
    """Evaluation, or training with a drawn key. The simplest is `EVAL`, printed as `Eval()`.

    >>> from hypothesis import find
    >>> find(modes(), lambda mode: mode != EVAL) == Train(key(0))
    True
    """
    return st.just(EVAL) | st.builds(Train, keys())
