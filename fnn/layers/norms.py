"""The specs LayerNorm, RMSNorm, GroupNorm and InstanceNorm. None has a state: training and evaluation are the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from math import prod
from typing import Any, ClassVar, TypeAlias

from fnn.arrays import SameRank, Value
from fnn.autodiff.primitive import KernelPull
from fnn.functional.checks import check_int
from fnn.functional.layer_norms import (
    ScaleParams,
    check_eps,
    check_groups,
    group_norm,
    group_norm_kernel,
    instance_norm,
    layer_norm,
    layer_norm_kernel,
    rms_norm,
    rms_norm_kernel,
)
from fnn.functional.norms import NormParams
from fnn.layers.layer import ComposableAnyRank
from fnn.layers.pullback import Pull
from fnn.layers.spec import Spec
from fnn.mode import Mode
from fnn.random import Key

_Kernel: TypeAlias = Callable[[Any, Value, Any], tuple[Value, KernelPull]]


def _methods_of(
    kernel: _Kernel,
) -> tuple[Callable[..., tuple[Value, None, Pull]], Callable[..., Callable[[Value], Value]]]:
    """The methods `vjp` and `evaluator` (see layers.pullback) of a norm with this kernel: (layer, x, params) to (y, pull)."""

    def vjp(self: Any, params: Any, state: None, x: Value, mode: Mode, wanted: bool, /) -> tuple[Value, None, Pull]:
        """The kernel, there and back."""
        y, pull = kernel(self, x, params)

        def back(g: Value, into: Any) -> Value:
            dx, into.scale[...], *shift = pull(g, (wanted, True, True))
            if shift:
                into.shift[...] = shift[0]
            return dx

        return y, None, back

    def evaluator(self: Any, params: Any, state: None, /) -> Callable[[Value], Value]:
        """The kernel."""
        return lambda x: kernel(self, x, params)[0]

    return vjp, evaluator


def _takes(self: Any, params: NormParams | ScaleParams, x: Value, /) -> bool:
    """Whether x is surely for the kernels: see layers.pullback."""
    return x.ndim > 1 and x.shape[-1:] == params.scale.shape and all([leaf.dtype is x.dtype for leaf in vars(params).values()])


def _takes_groups(self: GroupNorm | InstanceNorm, params: NormParams, x: Value, /) -> bool:
    """Also whether each group has two values, which a variance takes."""
    groups = self.groups if isinstance(self, GroupNorm) else self.n
    return _takes(self, params, x) and prod(x.shape[1:]) >= 2 * groups


@dataclass(frozen=True, repr=False)
class LayerNorm(Spec, ComposableAnyRank):
    """Normalises each row over the last axis of n features: see `layer_norm`. Parameters NormParams, no state.

    >>> import fnn
    >>> block = fnn.residual(fnn.LayerNorm(8) >> fnn.Dense(8, 8) >> fnn.gelu)
    """

    n: int
    _: KW_ONLY
    eps: float = 1e-5
    ignores_mode: ClassVar[bool] = True  # for layers.pullback
    reads_x_once: ClassVar[bool] = True  # for Residual

    def __post_init__(self) -> None:
        check_int("LayerNorm", "n", self.n)
        check_eps("LayerNorm", self.eps)

    def init(self, key: Key, /) -> tuple[NormParams, None]:
        """Scale 1 and shift 0, and no state."""
        return NormParams.init(self.n), None

    def forward(self, params: NormParams, state: None, x: SameRank, mode: Mode, /) -> tuple[SameRank, None]:
        """layer_norm(params, x)."""
        return layer_norm(params, x, eps=self.eps), None

    takes = _takes
    vjp, evaluator = _methods_of(lambda self, x, p: layer_norm_kernel(x, p.scale, p.shift, eps=float(self.eps)))


@dataclass(frozen=True, repr=False)
class RMSNorm(Spec, ComposableAnyRank):
    """Divides each row by its root mean square over the last axis of n features: see `rms_norm`. Parameters ScaleParams.

    >>> import fnn
    >>> fnn.init(fnn.RMSNorm(8), fnn.key(0))
    (ScaleParams(scale=f32[8]), None)
    """

    n: int
    _: KW_ONLY
    eps: float = 1e-5
    ignores_mode: ClassVar[bool] = True  # for layers.pullback
    reads_x_once: ClassVar[bool] = True  # for Residual

    def __post_init__(self) -> None:
        check_int("RMSNorm", "n", self.n)
        check_eps("RMSNorm", self.eps)

    def init(self, key: Key, /) -> tuple[ScaleParams, None]:
        """Scale 1, and no state."""
        return ScaleParams.init(self.n), None

    def forward(self, params: ScaleParams, state: None, x: SameRank, mode: Mode, /) -> tuple[SameRank, None]:
        """rms_norm(params, x)."""
        return rms_norm(params, x, eps=self.eps), None

    takes = _takes
    vjp, evaluator = _methods_of(lambda self, x, p: rms_norm_kernel(x, p.scale, eps=float(self.eps)))


@dataclass(frozen=True, repr=False)
class GroupNorm(Spec, ComposableAnyRank):
    """Normalises each of `groups` runs of the n channels, over them and all axes between batch and channels: see
    `group_norm`. Parameters NormParams, no state.

    >>> import fnn
    >>> import numpy as np
    >>> images = np.ones((2, 4, 4, 6), np.float32)
    >>> norm = fnn.GroupNorm(3, 6)
    >>> fnn.predict(norm, *fnn.init(norm, fnn.key(0)), images).shape
    (2, 4, 4, 6)
    """

    groups: int
    n: int
    _: KW_ONLY
    eps: float = 1e-5
    ignores_mode: ClassVar[bool] = True  # for layers.pullback
    reads_x_once: ClassVar[bool] = True  # for Residual

    def __post_init__(self) -> None:
        check_int("GroupNorm", "n", self.n)
        check_groups("GroupNorm", self.groups, self.n)
        check_eps("GroupNorm", self.eps)

    def init(self, key: Key, /) -> tuple[NormParams, None]:
        """Scale 1 and shift 0, and no state."""
        return NormParams.init(self.n), None

    def forward(self, params: NormParams, state: None, x: SameRank, mode: Mode, /) -> tuple[SameRank, None]:
        """group_norm(params, x, groups)."""
        return group_norm(params, x, self.groups, eps=self.eps), None

    takes = _takes_groups
    vjp, evaluator = _methods_of(
        lambda self, x, p: group_norm_kernel(x, p.scale, p.shift, groups=self.groups, eps=float(self.eps))
    )


@dataclass(frozen=True, repr=False)
class InstanceNorm(Spec, ComposableAnyRank):
    """Normalises each of n channels of each example by itself: see `instance_norm`. Parameters NormParams, no state.

    PyTorch's has no scale and shift unless told so (affine=True).

    >>> import fnn
    >>> norm = fnn.InstanceNorm(3)
    """

    n: int
    _: KW_ONLY
    eps: float = 1e-5
    ignores_mode: ClassVar[bool] = True  # for layers.pullback
    reads_x_once: ClassVar[bool] = True  # for Residual

    def __post_init__(self) -> None:
        check_int("InstanceNorm", "n", self.n)
        check_eps("InstanceNorm", self.eps)

    def init(self, key: Key, /) -> tuple[NormParams, None]:
        """Scale 1 and shift 0, and no state."""
        return NormParams.init(self.n), None

    def forward(self, params: NormParams, state: None, x: SameRank, mode: Mode, /) -> tuple[SameRank, None]:
        """instance_norm(params, x)."""
        return instance_norm(params, x, eps=self.eps), None

    takes = _takes_groups
    vjp, evaluator = _methods_of(lambda self, x, p: group_norm_kernel(x, p.scale, p.shift, groups=self.n, eps=float(self.eps)))
