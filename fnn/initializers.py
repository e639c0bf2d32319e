"""Initialisers: frozen values, called as `init(key, shape, dtype=np.float32)`, that give read-only arrays.

Fans are those of a weight [in, out], or of a kernel [height, width, in, out], where each counts times the area of the
kernel. Of a vector both fans are its length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import erf, exp, isfinite, pi, prod, sqrt
from operator import index
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from fnn.arrays import describe, read_only
from fnn.random import Key, check_key

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


class Initializer(Protocol):
    """Anything that is called as these are: a function of one's own will do."""

    # The result is typed loosely, because the rank of an array cannot be computed from the length of a tuple.
    def __call__(self, key: Key, shape: tuple[int, ...], dtype: DTypeLike = np.float32, /) -> np.ndarray[Any, Any]:
        """A new array of this shape and dtype, a function of the key alone."""
        ...


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) < 2:
        return prod(shape), prod(shape)
    area = prod(shape[:-2])
    return area * shape[-2], area * shape[-1]


def _check(shape: tuple[int, ...], dtype: DTypeLike) -> None:
    """TypeError unless the shape is a tuple of ints and the dtype floating; ValueError for a negative size."""
    if not isinstance(shape, (tuple, list)) or not all([hasattr(n, "__index__") for n in shape]):
        raise TypeError(f"initializers: the shape is {shape!r}, expected a tuple of ints, as (3,)")
    if any([index(n) < 0 for n in shape]):
        raise ValueError(f"initializers: the shape is {shape}, expected sizes of at least 0")
    if np.dtype(dtype).kind != "f":
        raise TypeError(f"initializers: the dtype is {np.dtype(dtype)}, expected a floating one, as np.float32")


def _check_number(name: str, what: str, value: float, low: float = float("-inf")) -> None:
    """TypeError unless value is a number, ValueError unless it is finite and at least low."""
    if not isinstance(value, (int, float, np.number)):
        raise TypeError(f"initializers.{name}: {what} is {value!r}, a {type(value).__name__}, expected a number")
    if not isfinite(value) or value < low:
        bound = "" if low == float("-inf") else f" of at least {low}"
        raise ValueError(f"initializers.{name}: {what} is {value}, expected a finite number{bound}")


@dataclass(frozen=True, repr=False)
class _Drawn:
    """An initialiser, called as `initializer(key, shape, dtype=np.float32)`: a new read-only array, a function of the key."""

    # draw(key, shape, *options); where the options are a user's, it is named like the function that takes them, with a "_"
    draw: Callable[..., np.ndarray[Any, Any]]
    options: tuple[float | str, ...] = ()

    def __call__(self, key: Key, shape: tuple[int, ...], dtype: DTypeLike = np.float32, /) -> np.ndarray[Any, Any]:
        _check(shape, dtype)
        made = np.asarray(self.draw(key, shape, *self.options), dtype)
        owned: np.ndarray[Any, Any] = read_only(made if made.base is None else made.copy())
        return owned

    def __repr__(self) -> str:
        """As one writes it: by its name in this module, or as the call that makes it."""
        named = [name for name, value in globals().items() if value.__class__ is _Drawn and value == self]
        return named[0] if named else f"{self.draw.__name__[1:]}({', '.join([repr(option) for option in self.options])})"


def drawn(name: str, initializer: Initializer, key: Key, shape: tuple[int, ...]) -> Any:
    """What an initialiser gives for a parameter. TypeError or ValueError where that is no float32 array of this shape."""
    check_key(name, key)
    makers: tuple[object, ...] = (constant, normal, uniform, truncated_normal)
    if any([initializer is maker for maker in makers]):
        made_by = getattr(initializer, "__name__", "")
        raise TypeError(f"{name}: initializers.{made_by} makes an initializer; write initializers.{made_by}(...)")
    made: object = initializer(key, shape)
    if not isinstance(made, np.ndarray) or made.dtype != np.float32:
        found = describe(made) if isinstance(made, (np.ndarray, np.generic)) else f"a {type(made).__name__}"
        raise TypeError(f"{name}: the initializer {initializer!r} gave {found}, expected a float32 array")
    if made.shape != shape:
        raise ValueError(f"{name}: the initializer {initializer!r} gave the shape {made.shape}, expected {shape}")
    return made


def _generator(key: Key) -> np.random.Generator:
    check_key("initializers", key)
    return key.generator()


def _constant(key: Key, shape: tuple[int, ...], value: float) -> np.ndarray[Any, Any]:
    return np.full(shape, value)


def _normal(key: Key, shape: tuple[int, ...], scale: float) -> np.ndarray[Any, Any]:
    return _generator(key).standard_normal(shape) * scale


def _uniform(key: Key, shape: tuple[int, ...], low: float, high: float) -> np.ndarray[Any, Any]:
    return _generator(key).uniform(low, high, shape)


# the standard deviation of a standard normal cut off at +-2
_CUT = 2.0
_DENSITY_AT_CUT = exp(-0.5 * _CUT**2) / sqrt(2 * pi)
_CUT_DEVIATION = sqrt(1 - 2 * _CUT * _DENSITY_AT_CUT / erf(_CUT / sqrt(2)))


def _truncated_normal(key: Key, shape: tuple[int, ...], scale: float) -> np.ndarray[Any, Any]:
    generator = _generator(key)
    values = generator.standard_normal(shape)
    while np.any(outside := np.abs(values) > _CUT):
        values[outside] = generator.standard_normal(int(outside.sum()))
    return values * (scale / _CUT_DEVIATION)


def _variance_scaling(
    key: Key, shape: tuple[int, ...], gain: float, fan: Literal["in", "average"], distribution: Literal["normal", "uniform"]
) -> np.ndarray[Any, Any]:
    """Variance gain / fan, with fan the number of inputs ("in") or the mean of inputs and outputs ("average")."""
    fan_in, fan_out = _fans(shape)
    deviation = sqrt(gain / max(fan_in if fan == "in" else (fan_in + fan_out) / 2, 1))
    if distribution == "normal":
        return _normal(key, shape, deviation)
    # uniform on [-a, a] has variance a^2 / 3
    bound = sqrt(3) * deviation
    return _uniform(key, shape, -bound, bound)


def _orthogonal(key: Key, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    generator = _generator(key)
    if len(shape) < 2:
        raise ValueError(f"initializers.orthogonal: the shape is {shape}, expected at least two axes")
    rows, columns = prod(shape[:-1]), shape[-1]
    tall = generator.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    # with the signs of r's diagonal, q is uniform over all orthogonal matrices (Mezzadri 2007, section 5)
    q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return np.ascontiguousarray(q if rows >= columns else q.T).reshape(shape)


zeros = _Drawn(_constant, (0.0,))
ones = _Drawn(_constant, (1.0,))
he_normal = kaiming_normal = _Drawn(_variance_scaling, (2.0, "in", "normal"))
"""Variance 2 / fan_in, which keeps the size of activations through relu (He et al. 2015, equation 10)."""
he_uniform = kaiming_uniform = _Drawn(_variance_scaling, (2.0, "in", "uniform"))
"""Uniform, with the variance of `he_normal`."""
glorot_normal = xavier_normal = _Drawn(_variance_scaling, (1.0, "average", "normal"))
"""Variance 2 / (fan_in + fan_out), between what keeps activations and what keeps gradients (Glorot and Bengio 2010,
equations 12 and 16)."""
glorot_uniform = xavier_uniform = _Drawn(_variance_scaling, (1.0, "average", "uniform"))
"""Uniform, with the variance of `glorot_normal`."""
lecun_normal = _Drawn(_variance_scaling, (1.0, "in", "normal"))
"""Variance 1 / fan_in, which keeps the size of activations through a linear layer, tanh or selu (LeCun et al. 1998,
equation 16)."""
lecun_uniform = _Drawn(_variance_scaling, (1.0, "in", "uniform"))
"""Uniform, with the variance of `lecun_normal`."""
orthogonal = _Drawn(_orthogonal)
"""A uniformly random matrix with orthonormal rows or columns, whichever are fewer; leading axes of a kernel count as rows
(Saxe et al. 2014)."""


def constant(value: float, /) -> Initializer:
    """Every entry the same.

    >>> import fnn
    >>> constant(0.5)(fnn.key(0), (2,))
    array([0.5, 0.5], dtype=float32)
    """
    _check_number("constant", "value", value)
    return _Drawn(_constant, (value,))


def normal(scale: float = 0.01, /) -> Initializer:
    """Normal with mean 0 and standard deviation `scale`, small by default."""
    _check_number("normal", "scale", scale, 0)
    return _Drawn(_normal, (scale,))


def uniform(low: float, high: float, /) -> Initializer:
    """Uniform on [low, high)."""
    _check_number("uniform", "low", low)
    _check_number("uniform", "high", high, low)
    return _Drawn(_uniform, (low, high))


def truncated_normal(scale: float = 0.01, /) -> Initializer:
    """Normal with mean 0 and standard deviation `scale`, values beyond two deviations (before rescaling) drawn again."""
    _check_number("truncated_normal", "scale", scale, 0)
    return _Drawn(_truncated_normal, (scale,))
