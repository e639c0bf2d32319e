"""Where a number stopped being finite, and which line of the forward pass an error in the backward pass belongs to.

Nothing is watched while all is well. When a result is not finite under `debug_nans`, or a backward rule raises, the pure
function is run again on a tape that knows for each operation its name and the line of the user's code that made it.
"""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from os.path import basename, dirname, join
from types import FrameType
from typing import Any

import numpy as np

from fnn.arrays import Value, describe
from fnn.autodiff.tape import Node, Parents, Pull, Tape
from fnn.autodiff.tracer import Tracer, value_of

_active: ContextVar[bool] = ContextVar("fnn.debug_nans", default=False)
_PACKAGE = dirname(dirname(__file__))
_NUMPY = dirname(np.__file__)
# What makes a recorded operation of a function; the frame above them is the function
_MACHINERY = {join(_PACKAGE, "autodiff", f"{name}.py") for name in ("debug", "tape", "primitive", "registry")}


@contextmanager
def debug_nans() -> Iterator[None]:
    """Inside of `with fnn.debug_nans():`, the first NaN or infinity of a forward or backward pass is an error.

    FloatingPointError names the operation, the line of your code that made it, the shapes, and the parameters concerned
    by their tree path. It covers grad, value_and_grad, vjp and what is made of them, train_step, and forward and predict.
    While all numbers are finite it costs one look at each result.

    >>> import fnn, numpy as np
    >>> def loss(p: dict[str, fnn.Array1]) -> fnn.Scalar:
    ...     return np.sum(np.log(p["rate"]))
    >>> with fnn.debug_nans(), np.errstate(divide="ignore"):
    ...     fnn.grad(loss)({"rate": np.array([1.0, 0.0])})
    Traceback (most recent call last):
    FloatingPointError: np.log gave -inf, first at [1] of f64[2], from f64[2]...
    """
    token = _active.set(True)
    try:
        yield
    finally:
        _active.reset(token)


def is_active() -> bool:
    """Whether a `debug_nans` block is running here."""
    return _active.get()


def all_finite(values: Sequence[Value]) -> bool:
    """Whether every entry of every floating array here is finite; None counts as finite."""
    return all([v is None or v.dtype.kind != "f" or bool(np.all(np.isfinite(v))) for v in map(value_of, values)])


class Watcher(Tape):
    """A tape that knows where each operation came from, and refuses numbers that are not finite."""

    __slots__ = ("only_errors", "paths", "sources")

    def __init__(self, paths: Sequence[str], *, only_errors: bool = False) -> None:
        super().__init__()
        self.paths = paths
        self.only_errors = only_errors
        # for each node the numbers of the parameters that it depends on
        self.sources: list[frozenset[int]] = []

    def variables(self, values: Sequence[Value]) -> list[Tracer]:
        """As of a Tape."""
        self.sources = [frozenset([i]) for i in range(len(values))]
        for path, value in zip(self.paths, values, strict=True):
            if not self.only_errors and not all_finite([value]):
                raise FloatingPointError(f"{path} holds {_first(value)}, before any operation")
        return super().variables(values)

    def record(self, value: Value, parents: Parents, pull: Pull, saved: tuple[Any, ...] = ()) -> Tracer:
        """As of a Tape."""
        tell = self._teller((parents,) if isinstance(parents, int) else parents)
        if not self.only_errors and not all_finite([value]):
            raise FloatingPointError(tell("{} gave " + _first(value)))
        return super().record(value, parents, self._watched(pull, tell), saved)

    def record_several(
        self, values: Sequence[Value], parents: Sequence[int], pull: Pull, *, gaps: bool = False
    ) -> list[Tracer]:
        """As of a Tape."""
        return super().record_several(values, parents, self._watched(pull, self._teller(parents)), gaps=gaps)

    def _teller(self, parents: Sequence[int]) -> Callable[[str], str]:
        """What to say of the operation that is being recorded: a function of a text with {} for its name."""
        sources = frozenset().union(*[self.sources[p] for p in parents])
        self.sources.append(sources)
        name, place = _origin()
        shapes = ", ".join([_describe_node(self.nodes[p]) for p in parents])
        names = ", ".join([self.paths[i] for i in sorted(sources)[:6]]) + (", ..." if len(sources) > 6 else "")
        return lambda what: f"{what.format(name)}, from {shapes}, {place}; it depends on {names}"

    def _watched(self, pull: Pull, tell: Callable[[str], str]) -> Pull:
        def watched(g: Value, *saved: Any) -> Value:
            try:
                pulled = pull(g, *saved)
            except Exception as error:
                if not getattr(error, "__notes__", None):
                    error.add_note(tell("in the backward pass of {}"))
                raise
            for part in pulled if isinstance(pulled, (tuple, list)) else (pulled,):
                if not self.only_errors and not isinstance(part, tuple) and not all_finite([part]):
                    raise FloatingPointError(tell("the backward pass of {} gave " + _first(part)))
            return pulled

        return watched


def _describe_node(node: Node) -> str:
    """dtype and shape of a node of the tape."""
    shape, dtype, _, _, _ = node
    return "several results" if shape is None else describe(np.broadcast_to(np.zeros((), dtype), shape))


def _first(value: Value) -> str:
    """The first entry that is not finite, and where it is."""
    x = np.asarray(value_of(value))
    index = tuple(np.argwhere(~np.isfinite(x))[0].tolist())
    return f"{x[index]}" + (f", first at {list(index)} of {describe(x)}" if index else "")


def _origin() -> tuple[str, str]:
    """The name of the operation that is being recorded, and the line of the user's code that called for it."""
    frame: FrameType | None = sys._getframe(2)
    name = ""
    while frame is not None:
        file = frame.f_code.co_filename
        if not name and file not in _MACHINERY:
            name = _name_of(frame)
        if not file.startswith((_PACKAGE, _NUMPY)):
            line = linecache.getline(file, frame.f_lineno).strip()
            return name, f"at {file}:{frame.f_lineno}" + (f": {line}" if line else "")
        frame = frame.f_back
    return name, "at a line that is not known"


def _name_of(frame: FrameType) -> str:
    """How the user calls the operation: the tracer's frames hold the NumPy function, others are named for themselves."""
    if basename(frame.f_code.co_filename) == "custom.py":
        return str(frame.f_locals.get("name"))
    if basename(frame.f_code.co_filename) == "tracer.py":
        function = frame.f_locals.get("ufunc") or frame.f_locals.get("function")
        if function is not None:
            return f"np.{function.__name__}"
    return frame.f_code.co_name.lstrip("_").removeprefix("np_")


def replay(
    run: Callable[[list[Tracer]], Sequence[Value]],
    leaves: Sequence[Value],
    paths: Sequence[str],
    cotangents: Sequence[Value | None],
    *,
    only_errors: bool = False,
) -> Exception | None:
    """Run forwards and backwards again on a watching tape: the error that this raises, or None.

    `run` maps tracers for the leaves to outputs, each with a cotangent (None: not pulled back).
    """
    tape = Watcher([path or "the first argument" for path in paths], only_errors=only_errors)
    try:
        outs = run(tape.variables(leaves))
        tape.close()
        seeds = {
            out.index: g
            for out, g in zip(outs, cotangents, strict=True)
            if g is not None and out.__class__ is Tracer and out.tape is tape
        }
        tape.backward(seeds, len(leaves))
    except Exception as error:
        return error
    finally:
        tape.close()
    return None
