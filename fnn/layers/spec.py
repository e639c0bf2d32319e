"""How the library's layers are shown: as one writes them."""

from __future__ import annotations

from inspect import Parameter, signature
from types import FunctionType
from typing import Any, ClassVar

import numpy as np


class Spec:
    """Base of the library's layers: shown as they are written, with the options that are not the usual ones.

    `_maker` is the name of the function that makes such a layer, where it is not the class itself.
    """

    _maker: ClassVar[str] = ""

    def __repr__(self) -> str:
        parts = []
        for name, parameter in signature(type(self)).parameters.items():
            text = as_written(getattr(self, name))
            if parameter.kind is not Parameter.KEYWORD_ONLY:
                parts.append(text)
            elif text != repr(parameter.default):
                parts.append(f"{name}={text}")
        return f"{self._maker or type(self).__name__}({', '.join(parts)})"


def as_written(value: Any) -> str:
    """A tuple of equal numbers, or of equal pairs of equal numbers, as one of them; a function by its name."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, FunctionType):
        return value.__name__
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        value = tuple([pair[0] if len(set(pair)) == 1 else pair for pair in value])
    if isinstance(value, tuple) and value and isinstance(value[0], int) and len(set(value)) == 1:
        value = value[0]
    return repr(value)
