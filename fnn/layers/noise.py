"""The specs of noise in training besides Dropout: of whole channels, of whole examples, and added."""

from __future__ import annotations

from dataclasses import dataclass

from fnn.arrays import SameRank
from fnn.functional.noise import check_drop_rate, check_noise_scale, drop_path, gaussian_noise, spatial_dropout
from fnn.layers.layer import ComposableAnyRank
from fnn.layers.spec import Spec
from fnn.mode import Mode
from fnn.random import Key


@dataclass(frozen=True, repr=False)
class SpatialDropout(Spec, ComposableAnyRank):
    """In training, drops each channel of an example with probability `drop_rate`: see `spatial_dropout`.

    >>> import fnn
    >>> fnn.SpatialDropout(0.2)
    SpatialDropout(0.2)
    """

    drop_rate: float

    def __post_init__(self) -> None:
        check_drop_rate("SpatialDropout", self.drop_rate)

    def init(self, key: Key, /) -> tuple[None, None]:
        """No parameters, no state."""
        return None, None

    def forward(self, params: None, state: None, x: SameRank, mode: Mode, /) -> tuple[SameRank, None]:
        """spatial_dropout(x, drop_rate, mode)."""
        return spatial_dropout(x, self.drop_rate, mode), None


@dataclass(frozen=True, repr=False)
class DropPath(Spec, ComposableAnyRank):
    """Stochastic depth: in training, drops each example with probability `drop_rate`: see `drop_path`.

    >>> import fnn
    >>> block = fnn.residual(fnn.Dense(8, 8) >> fnn.relu >> fnn.DropPath(0.1))
    """

    drop_rate: float

    def __post_init__(self) -> None:
        check_drop_rate("DropPath", self.drop_rate)

    def init(self, key: Key, /) -> tuple[None, None]:
        """No parameters, no state."""
        return None, None

    def forward(self, params: None, state: None, x: SameRank, mode: Mode, /) -> tuple[SameRank, None]:
        """drop_path(x, drop_rate, mode)."""
        return drop_path(x, self.drop_rate, mode), None


@dataclass(frozen=True, repr=False)
class GaussianNoise(Spec, ComposableAnyRank):
    """In training, adds normal noise with standard deviation `scale`: see `gaussian_noise`.

    >>> import fnn
    >>> model = fnn.GaussianNoise(0.1) >> fnn.Dense(8, 1)
    """

    scale: float

    def __post_init__(self) -> None:
        check_noise_scale("GaussianNoise", self.scale)

    def init(self, key: Key, /) -> tuple[None, None]:
        """No parameters, no state."""
        return None, None

    def forward(self, params: None, state: None, x: SameRank, mode: Mode, /) -> tuple[SameRank, None]:
        """gaussian_noise(x, scale, mode)."""
        return gaussian_noise(x, self.scale, mode), None
