"""The specs of pooling layers."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, fields
from typing import ClassVar

from fnn.arrays import Array3, Array4, Array5
from fnn.functional.pooling import avg_pool1d, avg_pool2d, avg_pool3d, max_pool1d, max_pool2d, max_pool3d
from fnn.functional.windows import Padding, Sizes, check_padding, spatial_tuple
from fnn.layers.layer import Composable
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

    def __repr__(self) -> str:
        # what is not as it is by default
        default = type(self)(self.size)
        options = [f.name for f in fields(self)[1:] if getattr(self, f.name) != getattr(default, f.name)]
        parts = [as_written(self.size), *[f"{name}={as_written(getattr(self, name))}" for name in options]]
        return f"{type(self).__name__}({', '.join(parts)})"


@dataclass(frozen=True, repr=False)
class MaxPool1d(_Pool):
    """Max pooling of [batch, time, channels]: see `max_pool1d`. No parameters, no state."""

    _rank = 1
    takes_maxima: ClassVar[bool] = True

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
class MaxPool2d(_Pool):
    """Max pooling of [batch, height, width, channels]: see `max_pool2d`. No parameters, no state.

    >>> import fnn
    >>> fnn.MaxPool2d(3, stride=2, padding="same")
    MaxPool2d(3, stride=2, padding='same')
    """

    _rank = 2
    takes_maxima: ClassVar[bool] = True

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
class MaxPool3d(_Pool):
    """Max pooling of [batch, depth, height, width, channels]: see `max_pool3d`. No parameters, no state."""

    _rank = 3
    takes_maxima: ClassVar[bool] = True

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


@dataclass(frozen=True, repr=False)
class AvgPool1d(_AvgPool):
    """Average pooling of [batch, time, channels]: see `avg_pool1d`. No parameters, no state."""

    _rank = 1

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
