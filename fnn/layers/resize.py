"""The specs of upsampling and padding."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Literal

from fnn.arrays import Array3, Array4, Array5, SameRank
from fnn.functional.resize import PadMode, Sides, check_method, check_pad, pad, upsample1d, upsample2d, upsample3d
from fnn.functional.windows import Sizes, spatial_tuple
from fnn.layers.layer import Composable, ComposableAnyRank
from fnn.layers.spec import Spec
from fnn.mode import Mode
from fnn.random import Key


@dataclass(frozen=True, repr=False)
class Upsample1d(Spec, Composable):
    """Sequences `scale` times as large: see `upsample1d`. No parameters, no state."""

    scale: Sizes
    _: KW_ONLY
    method: Literal["nearest", "linear"] = "nearest"

    def __post_init__(self) -> None:
        self.__dict__["scale"] = spatial_tuple("Upsample1d", "scale", self.scale, 1)
        check_method("Upsample1d", self.method, 1)

    def init(self, key: Key, /) -> tuple[None, None]:
        """No parameters, no state."""
        return None, None

    def forward(self, params: None, state: None, x: Array3, mode: Mode, /) -> tuple[Array3, None]:
        """upsample1d(x, scale, method=method)."""
        return upsample1d(x, self.scale, method=self.method), None


@dataclass(frozen=True, repr=False)
class Upsample2d(Spec, Composable):
    """Images `scale` times as large: see `upsample2d`. No parameters, no state.

    >>> import fnn
    >>> decoder = fnn.Upsample2d(2, method="bilinear") >> fnn.relu
    """

    scale: Sizes
    _: KW_ONLY
    method: Literal["nearest", "bilinear"] = "nearest"

    def __post_init__(self) -> None:
        self.__dict__["scale"] = spatial_tuple("Upsample2d", "scale", self.scale, 2)
        check_method("Upsample2d", self.method, 2)

    def init(self, key: Key, /) -> tuple[None, None]:
        """No parameters, no state."""
        return None, None

    def forward(self, params: None, state: None, x: Array4, mode: Mode, /) -> tuple[Array4, None]:
        """upsample2d(x, scale, method=method)."""
        return upsample2d(x, self.scale, method=self.method), None


@dataclass(frozen=True, repr=False)
class Upsample3d(Spec, Composable):
    """Volumes `scale` times as large: see `upsample3d`. No parameters, no state."""

    scale: Sizes
    _: KW_ONLY
    method: Literal["nearest", "trilinear"] = "nearest"

    def __post_init__(self) -> None:
        self.__dict__["scale"] = spatial_tuple("Upsample3d", "scale", self.scale, 3)
        check_method("Upsample3d", self.method, 3)

    def init(self, key: Key, /) -> tuple[None, None]:
        """No parameters, no state."""
        return None, None

    def forward(self, params: None, state: None, x: Array5, mode: Mode, /) -> tuple[Array5, None]:
        """upsample3d(x, scale, method=method)."""
        return upsample3d(x, self.scale, method=self.method), None


@dataclass(frozen=True, repr=False)
class Pad(Spec, ComposableAnyRank):
    """More positions around the spatial axes of [batch, ..., channels], of any rank from 3: see `pad`.

    >>> import fnn
    >>> fnn.Pad(1, mode="reflect")
    Pad(1, mode='reflect')
    """

    padding: Sides
    _: KW_ONLY
    mode: PadMode = "zeros"

    def __post_init__(self) -> None:
        if isinstance(self.padding, (tuple, list)):
            self.__dict__["padding"] = check_pad("Pad", self.padding, self.mode, len(self.padding))
        else:
            check_pad("Pad", self.padding, self.mode, 1)

    def init(self, key: Key, /) -> tuple[None, None]:
        """No parameters, no state."""
        return None, None

    def forward(self, params: None, state: None, x: SameRank, mode: Mode, /) -> tuple[SameRank, None]:
        """pad(x, padding, mode=mode)."""
        return pad(x, self.padding, mode=self.mode), None
