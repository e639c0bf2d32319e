"""What the tables of layers and of fused kernels are made of: one file beside this for each family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.random import Generator


@dataclass(frozen=True)
class LayerCase:
    """A layer made for n features, and what it takes: arrays of these ranks with n features last, or what `draw` gives.

    `draw(rng)` makes an input in float64 (or integers) for `make(3)`. `draws` says that training draws by the key,
    `aliases` that the layer may return its input, `plain` that `init` draws nothing, so that two keys give the same.
    """

    name: str
    make: Callable[[int], Any]
    ranks: tuple[int, ...] = (2, 3)
    draws: bool = False
    aliases: bool = False
    plain: bool = False
    draw: Callable[[Generator], Any] | None = None


@dataclass(frozen=True)
class KernelCase:
    """A fused primitive: `draw(rng)` gives its differentiable arguments, `constants` follow them.

    Law: values and gradients of the kernel are those of its reference composition.
    """

    name: str
    op: Any
    draw: Callable[[Generator], tuple[Any, ...]]
    options: Mapping[str, Any] = field(default_factory=dict)
    constants: tuple[Any, ...] = ()
