"""What a comparison with PyTorch is made of, and how both sides are run."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

import fnn

Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class ParityCase:
    """The same computation in fnn and in PyTorch, on the same arrays.

    `draw(rng)` gives named arrays in fnn's layouts (channels last, weights [in, out]), float64 or integers; all floating
    ones are differentiated. `ours(arrays)` is the result in fnn, an array or a tuple of arrays. `theirs(torch, tensors)`
    is that in PyTorch, which permutes what it takes and gives, so that values and gradients are in fnn's layouts.
    `golden` cases are recorded, small ones, for machines without PyTorch.
    """

    name: str
    draw: Callable[[Generator], dict[str, Any]]
    ours: Callable[[Arrays], Any]
    theirs: Callable[[Any, Arrays], Any]
    golden: bool = False

    def arrays(self) -> dict[str, Any]:
        """The inputs: a function of the name."""
        return self.draw(np.random.default_rng(zlib.crc32(self.name.encode())))


def cotangent(shape: tuple[int, ...]) -> Any:
    """The same for both sides, with no symmetry."""
    return np.sin(1.0 + 0.7 * np.arange(np.prod(shape, dtype=int))).reshape(shape)


def as_tuple(y: Any) -> tuple[Any, ...]:
    return tuple(y) if isinstance(y, (tuple, list)) else (y,)


def run_ours(case: ParityCase, arrays: Arrays, dtype: Any) -> dict[str, Any]:
    """Values as "out0", ... and gradients as "grad x", ..., computed in a dtype."""
    given = {name: a.astype(dtype) if a.dtype.kind == "f" else a for name, a in arrays.items()}
    floating = {name: a for name, a in given.items() if a.dtype.kind == "f"}
    ys, pullback = fnn.vjp(lambda p: as_tuple(case.ours({**given, **p})), floating)
    grads = pullback(tuple([cotangent(y.shape).astype(dtype) for y in ys]))
    assert all(y.dtype == dtype for y in ys), f"{case.name}: results are {[y.dtype for y in ys]}, expected {dtype}"
    return {f"out{i}": y for i, y in enumerate(ys)} | {f"grad {name}": g for name, g in grads.items()}


def run_theirs(torch: Any, case: ParityCase, arrays: Arrays, dtype: Any) -> dict[str, Any]:
    """The same in PyTorch."""
    floating = {name: a.dtype.kind == "f" for name, a in arrays.items()}
    given = {
        name: torch.tensor(a.astype(dtype) if floating[name] else a, requires_grad=floating[name]) for name, a in arrays.items()
    }
    ys = as_tuple(case.theirs(torch, given))
    weighed: Any = sum([(y * torch.tensor(cotangent(tuple(y.shape)).astype(dtype))).sum() for y in ys])
    weighed.backward()
    found = {f"out{i}": y.detach().numpy() for i, y in enumerate(ys)}
    for name, a in given.items():
        if floating[name]:
            found[f"grad {name}"] = np.zeros_like(arrays[name]) if a.grad is None else a.grad.numpy()
    return found


def assert_agree(case: ParityCase, ours: Arrays, theirs: Arrays, tolerance: float) -> None:
    """Each array within `tolerance` of the other, relative to its largest entry."""
    for name, b in theirs.items():
        a = ours[name]
        assert a.shape == b.shape, f"{case.name}: {name} has shape {a.shape}, PyTorch's has {b.shape}"
        worst = np.max(np.abs(a - b), initial=0.0)
        assert worst <= tolerance * max(np.max(np.abs(b), initial=0.0), 1e-3), f"{case.name}: {name} differs by {worst}"
