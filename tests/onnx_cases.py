"""The conformance cases that the `onnx` package ships: inputs and outputs of one operator each, forward values only.

onnx makes the cases of an operator while it imports that operator's module, with random numbers from seed 0. So the cases
of one operator load in milliseconds and are the same in every process; onnx's public loader takes seconds to make all 1900.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class OnnxCase:
    """One case: arrays in ONNX's layouts (None for an optional one that is left out), attributes that were given."""

    name: str
    op: str
    opset: int
    attributes: Mapping[str, Any]
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]

    def input(self, k: int) -> Any:
        """Input number k, None where it is left out."""
        return self.inputs[k] if k < len(self.inputs) else None

    def get(self, attribute: str, default: Any) -> Any:
        """An attribute, or its default in ONNX."""
        return self.attributes.get(attribute, default)


@cache
def cases_of(op: str) -> tuple[OnnxCase, ...]:
    """All cases of an operator, but those of its expansion into other operators."""
    with _as_it_was():
        from onnx.backend.test.case import node  # noqa: PLC0415  # slow, and perhaps not installed

        for module, source in _sources(node.__path__[0]).items():
            if f'"{op}"' in source:
                import_module(f"{node.__name__}.{module}")
        return _cases(node._NodeTestCases, op)


@cache
def _sources(folder: str) -> Mapping[str, str]:
    """The text of each module, by name: which operators it makes cases of stands there in quotes."""
    return {
        path.stem: path.read_text(encoding="utf-8") for path in sorted(Path(folder).glob("*.py")) if path.stem != "__init__"
    }


def cases_of_public_loader(op: str) -> tuple[OnnxCase, ...]:
    """The same, slowly: from all that onnx has."""
    with _as_it_was():
        from onnx.backend.test.loader import load_model_tests  # noqa: PLC0415  # as above

        return _cases(load_model_tests(kind="node"), op)


def _cases(tests: Any, op: str) -> tuple[OnnxCase, ...]:
    return tuple(
        [
            case
            for test in tests
            if len(test.model.graph.node) == 1 and test.model.graph.node[0].op_type == op and "_expanded" not in test.name
            for case in _read(test)
        ]
    )


@contextmanager
def _as_it_was() -> Iterator[None]:
    """onnx seeds NumPy's global generator, and its cases overflow on purpose."""
    state = np.random.get_state()  # noqa: NPY002  # what onnx changes
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        np.random.set_state(state)  # noqa: NPY002  # as above


def _read(test: Any) -> Iterator[OnnxCase]:
    from onnx.helper import get_attribute_value  # noqa: PLC0415  # as above

    (node,) = test.model.graph.node
    values = {a.name: get_attribute_value(a) for a in node.attribute}
    attributes = {name: v.decode() if isinstance(v, bytes) else v for name, v in values.items()}
    opset = next(o.version for o in test.model.opset_import if o.domain == node.domain)
    for inputs, outputs in test.data_sets:
        yield OnnxCase(test.name, node.op_type, opset, attributes, _named(node.input, inputs), _named(node.output, outputs))


def _named(names: Any, values: Any) -> tuple[Any, ...]:
    """A value for each name; an empty name is something optional that is left out."""
    from onnx import TensorProto, numpy_helper  # noqa: PLC0415  # as above

    rest = iter([numpy_helper.to_array(v) if isinstance(v, TensorProto) else np.asarray(v) for v in values])
    return tuple([next(rest) if name else None for name in names])
