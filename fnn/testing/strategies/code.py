"""A tree as the expression that makes it, values and all: what a counterexample prints."""

from __future__ import annotations

import dataclasses
import re
import sys
from enum import Enum
from typing import Any

import numpy as np

from fnn.tree import PyTree, leaves


def code(tree: PyTree, /) -> str:
    """The expression that makes a tree: arrays in full and to the last bit, on one line.

    It can be pasted where NumPy is `np` and the classes are known by their names. (`fnn.tree.show` has dtype and shape
    in place of the values.)

    >>> import fnn
    >>> print(code((fnn.NormParams.init(2), {"n": 3, "lr": np.float32(0.1)})))
    (NormParams(scale=np.array([1., 1.], np.float32), shift=np.array([0., 0.], np.float32)), {'n': 3, 'lr': np.float32(0.1)})
    """
    return _code(tree)


def _code(tree: Any) -> str:
    if isinstance(tree, np.ndarray):
        return _array(tree)
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type) and leaves(tree):
        return _call(tree, {f.name: getattr(tree, f.name) for f in dataclasses.fields(tree) if f.init})
    if isinstance(tree, dict):
        return "{" + ", ".join([f"{key!r}: {_code(part)}" for key, part in tree.items()]) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join([_code(part) for part in tree]) + "]"
    if isinstance(tree, tuple):
        names = getattr(tree, "_fields", None)
        if names is not None:
            return _call(tree, dict(zip(names, tree, strict=True)))
        return "(" + ", ".join([_code(part) for part in tree]) + (",)" if len(tree) == 1 else ")")
    return f"{type(tree).__name__}.{tree.name}" if isinstance(tree, Enum) else repr(tree)


def _call(tree: object, fields: dict[str, Any]) -> str:
    return f"{type(tree).__name__}({', '.join([f'{name}={_code(part)}' for name, part in fields.items()])})"


def _array(x: np.ndarray[Any, Any]) -> str:
    dtype = f"np.{x.dtype.name}" if x.dtype != bool else "bool"
    if x.size == 0:
        return f"np.zeros({x.shape}, {dtype})"
    text = np.array2string(x, separator=", ", floatmode="unique", threshold=sys.maxsize, max_line_width=sys.maxsize)
    one_line = re.sub(r"\s*\n\s*", " ", text)
    return f"np.array({one_line}, {dtype})"
