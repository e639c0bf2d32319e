"""The specs of pooling layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any, ClassVar

from fnn.arrays import Array3, Array4, Array5, Value
from fnn.functional.pooling import (
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    avg_pool_kernel,
    geometry_of,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    max_pool_kernel,
)
from fnn.functional.sweeps import Windows
from fnn.functional.windows import Padding, Sizes, check_padding, spatial_tuple
from fnn.layers.layer import Composable
from fnn.layers.pullback import Pull
from fnn.layers.spec import Spec, as_written
from fnn.mode import Mode
from fnn.random import Key


@dataclass(frozen=True, repr=False)
class _Pool(Spec, Composable):
    """The hyper-parameters of all pooling layers, with a tuple of one number for each spatial axis in place of a number."""

    size: Sizes
    _: KW_ONLY
    stride: Sizes | None = None
    padding: Padding = "valid"
    dilation: Sizes = 1
    ceil_mode: bool = False

    _rank: ClassVar[int]

    def __post_init__(self) -> None:
        name, n = type(self).__name__, self._rank
        size = spatial_tuple(name, "size", self.size, n)
        self.__dict__.update(
            size=size,
            stride=size if self.stride is None else spatial_tuple(name, "stride", self.stride, n),
            padding=check_padding(name, self.padding, n),
            dilation=spatial_tuple(name, "dilation", self.dilation, n),
            ceil_mode=bool(self.ceil_mode),
        )

    def init(self, key: Key, /) -> tuple[None, None]:
        """No parameters, no state."""
        return None, None

    def _takes(self, params: None, x: Value, /) -> bool:
        return x.dtype.kind == "f" and x.ndim == self._rank + 2 and 0 not in x.shape[1:]

    def geometry(self, sizes: tuple[int, ...]) -> Windows:
        """How the windows lie on spatial axes of these sizes."""
        options: Any = self.size, self.stride, self.padding, self.dilation, self.ceil_mode  # all with a number for each axis
        return geometry_of(type(self).__name__, sizes, *options)

    def __repr__(self) -> str:
        # what is not as it is by default
        default = type(self)(self.size)
        options = [f.name for f in fields(self)[1:] if getattr(self, f.name) != getattr(default, f.name)]
        parts = [as_written(self.size), *[f"{name}={as_written(getattr(self, name))}" for name in options]]
        return f"{type(self).__name__}({', '.join(parts)})"


@dataclass(frozen=True, repr=False)
class _MaxPool(_Pool):
    """The kernel without its checks, for layers.pullback and for evaluation. Each class takes them beside its `forward`."""

    def _vjp(self, params: None, state: None, x: Value, mode: Mode, wanted: bool, /) -> tuple[Value, None, Pull]:
        y, pull = max_pool_kernel(x, geometry=self.geometry(x.shape[1:-1]))
        return y, None, lambda g, into: pull(g, (True,))[0] if wanted else None

    def _evaluator(self, params: None, state: None, /) -> Callable[[Value], Value]:
        return lambda x: max_pool_kernel(x, geometry=self.geometry(x.shape[1:-1]))[0]


@dataclass(frozen=True, repr=False)
class MaxPool1d(_MaxPool):
    """Max pooling of [batch, time, channels]: see `max_pool1d`. No parameters, no state."""

    _rank = 1
    takes_maxima: ClassVar[bool] = True  # for layers.pullback, as what follows
    ignores_mode: ClassVar[bool] = True
    takes = _MaxPool._takes
    vjp = _MaxPool._vjp
    evaluator = _MaxPool._evaluator

    def forward(self, params: None, state: None, x: Array3, mode: Mode, /) -> tuple[Array3, None]:
        """max_pool1d(x, size)."""
        y = max_pool1d(
            x,
            self.size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            ceil_mode=self.ceil_mode,
        )
        return y, None


@dataclass(frozen=True, repr=False)
class MaxPool2d(_MaxPool):
    """Max pooling of [batch, height, width, channels]: see `max_pool2d`. No parameters, no state.

    >>> import fnn
    >>> fnn.MaxPool2d(3, stride=2, padding="same")
    MaxPool2d(3, stride=2, padding='same')
    """

    _rank = 2
    takes_maxima: ClassVar[bool] = True  # for layers.pullback, as what follows
    ignores_mode: ClassVar[bool] = True
    takes = _MaxPool._takes
    vjp = _MaxPool._vjp
    evaluator = _MaxPool._evaluator

    def forward(self, params: None, state: None, x: Array4, mode: Mode, /) -> tuple[Array4, None]:
        """max_pool2d(x, size)."""
        y = max_pool2d(
            x,
            self.size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            ceil_mode=self.ceil_mode,
        )
        return y, None


@dataclass(frozen=True, repr=False)
class MaxPool3d(_MaxPool):
    """Max pooling of [batch, depth, height, width, channels]: see `max_pool3d`. No parameters, no state."""

    _rank = 3
    takes_maxima: ClassVar[bool] = True  # for layers.pullback, as what follows
    ignores_mode: ClassVar[bool] = True
    takes = _MaxPool._takes
    vjp = _MaxPool._vjp
    evaluator = _MaxPool._evaluator

    def forward(self, params: None, state: None, x: Array5, mode: Mode, /) -> tuple[Array5, None]:
        """max_pool3d(x, size)."""
        y = max_pool3d(
            x,
            self.size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            ceil_mode=self.ceil_mode,
        )
        return y, None


@dataclass(frozen=True, repr=False)
class _AvgPool(_Pool):
    _: KW_ONLY
    count_include_pad: bool = False

    def _vjp(self, params: None, state: None, x: Value, mode: Mode, wanted: bool, /) -> tuple[Value, None, Pull]:
        y, pull = self._kernel(x)
        return y, None, lambda g, into: pull(g, (True,))[0] if wanted else None

    def _evaluator(self, params: None, state: None, /) -> Callable[[Value], Value]:
        return lambda x: self._kernel(x)[0]

    def _kernel(self, x: Value) -> Any:
        return avg_pool_kernel(x, geometry=self.geometry(x.shape[1:-1]), count_include_pad=bool(self.count_include_pad))


@dataclass(frozen=True, repr=False)
class AvgPool1d(_AvgPool):
    """Average pooling of [batch, time, channels]: see `avg_pool1d`. No parameters, no state."""

    _rank = 1
    ignores_mode: ClassVar[bool] = True  # for layers.pullback, as what follows
    takes = _AvgPool._takes
    vjp = _AvgPool._vjp
    evaluator = _AvgPool._evaluator

    def forward(self, params: None, state: None, x: Array3, mode: Mode, /) -> tuple[Array3, None]:
        """avg_pool1d(x, size)."""
        y = avg_pool1d(
            x,
            self.size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            ceil_mode=self.ceil_mode,
            count_include_pad=self.count_include_pad,
        )
        return y, None


@dataclass(frozen=True, repr=False)
class AvgPool2d(_AvgPool):
    """Average pooling of [batch, height, width, channels]: see `avg_pool2d`. No parameters, no state.

    >>> import fnn
    >>> fnn.AvgPool2d(3, stride=2, padding="same")
    AvgPool2d(3, stride=2, padding='same')
    """

    _rank = 2
    ignores_mode: ClassVar[bool] = True  # for layers.pullback, as what follows
    takes = _AvgPool._takes
    vjp = _AvgPool._vjp
    evaluator = _AvgPool._evaluator

    def forward(self, params: None, state: None, x: Array4, mode: Mode, /) -> tuple[Array4, None]:
        """avg_pool2d(x, size)."""
        y = avg_pool2d(
            x,
            self.size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            ceil_mode=self.ceil_mode,
            count_include_pad=self.count_include_pad,
        )
        return y, None


@dataclass(frozen=True, repr=False)
class AvgPool3d(_AvgPool):
    """Average pooling of [batch, depth, height, width, channels]: see `avg_pool3d`. No parameters, no state."""

    _rank = 3
    ignores_mode: ClassVar[bool] = True  # for layers.pullback, as what follows
    takes = _AvgPool._takes
    vjp = _AvgPool._vjp
    evaluator = _AvgPool._evaluator

    def forward(self, params: None, state: None, x: Array5, mode: Mode, /) -> tuple[Array5, None]:
        """avg_pool3d(x, size)."""
        y = avg_pool3d(
            x,
            self.size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            ceil_mode=self.ceil_mode,
            count_include_pad=self.count_include_pad,
        )
        return y, None
