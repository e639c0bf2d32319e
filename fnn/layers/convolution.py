"""The specs of convolutions over one, two and three spatial axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Generic, Literal, TypedDict, TypeVar, Unpack, overload

from fnn.arrays import Array3, Array4, Array5, Value
from fnn.functional import pooled_convolution, winograd
from fnn.functional.checks import check_bool
from fnn.functional.convolution import ConvParams, KernelParams, check_channels, conv1d, conv2d, conv3d, geometry_of
from fnn.functional.correlation import correlate, gradients
from fnn.functional.sweeps import Windows as Pooling
from fnn.functional.windows import Geometry, Padding, Sizes, check_padding, spatial_tuple
from fnn.initializers import Initializer, he_normal, zeros
from fnn.layers.layer import Composable
from fnn.layers.pullback import Pull
from fnn.layers.spec import Spec
from fnn.mode import Mode
from fnn.random import Key

CP = TypeVar("CP", bound="ConvParams | KernelParams")


class ConvOptions(TypedDict, total=False):
    """The options that every convolution has, with and without bias."""

    stride: Sizes
    padding: Padding
    dilation: Sizes
    groups: int
    weight_init: Initializer


@dataclass(frozen=True, init=False, repr=False)
class ConvBase(Spec, Composable, Generic[CP]):
    """What all have in common. Sizes are stored with one number for each spatial axis, explicit paddings as pairs."""

    n_in: int
    n_out: int
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Padding
    dilation: tuple[int, ...]
    groups: int
    bias: bool
    weight_init: Initializer
    bias_init: Initializer

    _rank: ClassVar[int]  # how many spatial axes there are

    def _set(self, n_in: int, n_out: int, kernel_size: Sizes, options: dict[str, Any]) -> None:
        """Checks the hyper-parameters, and sets them."""
        name, n = type(self).__name__, self._rank
        check_channels(name, n_in, n_out, options["groups"])
        check_bool(name, "bias", options["bias"])
        for what in ("weight_init", "bias_init"):
            if not callable(options[what]):
                raise TypeError(f"{name}: {what} is {options[what]!r}, expected an initializer, as fnn.initializers.he_normal")
        sizes = {"kernel_size": kernel_size, "stride": options["stride"], "dilation": options["dilation"]}
        checked = {what: spatial_tuple(name, what, size, n) for what, size in sizes.items()}
        padding = check_padding(name, options["padding"], n)
        self.__dict__.update({**options, "n_in": int(n_in), "n_out": int(n_out), **checked, "padding": padding})

    def init(self, key: Key, /) -> tuple[CP, None]:
        """New parameters, and no state."""
        params: Any = (
            ConvParams.init(
                key,
                self.n_in,
                self.n_out,
                self.kernel_size,
                groups=self.groups,
                weight_init=self.weight_init,
                bias_init=self.bias_init,
            )
            if self.bias
            else KernelParams.init(
                key, self.n_in, self.n_out, self.kernel_size, groups=self.groups, weight_init=self.weight_init
            )
        )
        return params, None

    # What follows is for layers.pullback and for evaluation: the kernels without their checks. Each class takes them beside its
    # `forward`.

    def _geometry(self, x: tuple[int, ...]) -> Geometry:
        return geometry_of(
            type(self).__name__, x[1:-1], self.kernel_size, self.stride, self.padding, self.dilation, self.groups
        )

    def _takes(self, params: CP, x: Value, /) -> bool:
        shape = x.shape
        return x.dtype is params.kernel.dtype and len(shape) == self._rank + 2 and shape[-1] == self.n_in and 0 not in shape[1:]

    def _vjp(self, params: CP, state: None, x: Value, mode: Mode, wanted: bool, /) -> tuple[Value, None, Pull]:
        kernel, bias, geometry = params.kernel, _bias(params), self._geometry(x.shape)
        y = correlate(x, kernel, bias, geometry)
        return y, None, _pull(lambda g, every: gradients(x, g, kernel, geometry, every), wanted, bias is not None)

    def _evaluator(self, params: CP, state: None, /) -> Callable[[Value], Value]:
        kernel, bias = params.kernel, _bias(params)
        waves, geometry_of = self._waves(kernel), lru_cache(maxsize=16)(self._geometry)
        return lambda x: correlate(x, kernel, bias, geometry_of(x.shape), waves)

    def _waves(self, kernel: Value) -> Value | None:
        """The spectrum of the kernel, if Winograd's way may be the one to go."""
        padding = ((0, 0),) * self._rank  # none of a layer's cuts anything off
        geometry = Geometry(self.stride, padding, self.dilation, self.groups)
        return winograd.spectrum(kernel) if winograd.suits(kernel.shape, geometry) else None

    def _pooled(self, pool: Any) -> PooledConv[CP]:
        return PooledConv(self, pool)


def _bias(params: ConvParams | KernelParams) -> Value | None:
    return params.bias if isinstance(params, ConvParams) else None


def _pull(back: Callable[[Value, tuple[bool, bool, bool]], Sequence[Value]], wanted: bool, bias: bool) -> Pull:
    """The pullback of a layer, from that of a kernel."""

    def pull(g: Value, into: Any) -> Value:
        dx, into.kernel[...], db = back(g, (wanted, True, bias))
        if bias:
            into.bias[...] = db
        return dx

    return pull


@dataclass(frozen=True)
class PooledConv(Generic[CP]):
    """A convolution and the max-pooling behind it as one step of a chain: the same bits, and nothing in full size in memory."""

    conv: ConvBase[CP]
    pool: Any

    def geometries(self, x: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[Geometry, Pooling | None]:
        """Of arrays of these shapes. The pooling's is None if the two go one after the other."""
        geometry = self.conv._geometry(x)
        pooling = self.pool.geometry(geometry.out(x[1:-1], kernel[:-2]))
        return geometry, pooling if pooled_convolution.applies(kernel, geometry, pooling, x[0]) else None

    def takes(self, params: CP, x: Value, /) -> bool:
        """Whether the convolution does."""
        return self.conv._takes(params, x)

    def forward(self, params: CP, state: None, x: Value, mode: Mode, /) -> tuple[Value, None]:
        """One after the other, with all checks."""
        conv: Any = self.conv
        return self.pool.forward(None, None, conv.forward(params, None, x, mode)[0], mode)[0], None

    def vjp(self, params: CP, state: None, x: Value, mode: Mode, wanted: bool, /) -> tuple[Value, None, Pull]:
        """Through both and back."""
        kernel, bias = params.kernel, _bias(params)
        geometry, pooling = self.geometries(x.shape, kernel.shape)
        if pooling is None:
            y, _, back = self.conv._vjp(params, None, x, mode, wanted)
            z, _, first = self.pool.vjp(None, None, y, mode, True)
            return z, None, lambda g, into: back(first(g, None), into)
        y, pull = pooled_convolution.forward_and_pull(x, kernel, bias, geometry, pooling)
        return y, None, _pull(pull, wanted, bias is not None)

    def evaluator(self, params: CP, state: None, /) -> Callable[[Value], Value]:
        """Of both."""
        kernel, bias = params.kernel, _bias(params)
        waves, geometries_of = self.conv._waves(kernel), lru_cache(maxsize=16)(self.geometries)

        def evaluate(x: Value) -> Value:
            geometry, pooling = geometries_of(x.shape, kernel.shape)
            if pooling is None:
                return self.pool.evaluator(None, None)(correlate(x, kernel, bias, geometry, waves))
            return pooled_convolution.forward(x, kernel, bias, geometry, pooling, waves)

        return evaluate


@dataclass(frozen=True, init=False, repr=False)
class Conv1d(ConvBase[CP]):
    """Convolution over time: see `conv1d`. [batch, time, n_in] to [batch, time', n_out].

    Parameters and options are those of `Conv2d`; padding="causal" lets no output see what comes after it.

    >>> import fnn
    >>> fnn.Conv1d(8, 16, 5, padding="causal", dilation=2)
    Conv1d(8, 16, 5, padding='causal', dilation=2)
    """

    _rank = 1
    ignores_mode: ClassVar[bool] = True  # for layers.pullback, as what follows
    reads_x_once: ClassVar[bool] = True  # for Residual
    takes = ConvBase._takes
    vjp = ConvBase._vjp
    evaluator = ConvBase._evaluator
    pooled = ConvBase._pooled

    @overload
    def __init__(
        self: Conv1d[ConvParams],
        n_in: int,
        n_out: int,
        kernel_size: Sizes,
        *,
        bias: Literal[True] = True,
        bias_init: Initializer = ...,
        **options: Unpack[ConvOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: Conv1d[KernelParams],
        n_in: int,
        n_out: int,
        kernel_size: Sizes,
        *,
        bias: Literal[False],
        **options: Unpack[ConvOptions],
    ) -> None: ...
    def __init__(
        self,
        n_in: int,
        n_out: int,
        kernel_size: Sizes,
        *,
        stride: Sizes = 1,
        padding: Padding = "same",
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        weight_init: Initializer = he_normal,
        bias_init: Initializer = zeros,
    ) -> None:
        options = {
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "groups": groups,
            "bias": bias,
            "weight_init": weight_init,
            "bias_init": bias_init,
        }
        self._set(n_in, n_out, kernel_size, options)

    def forward(self, params: CP, state: None, x: Array3, mode: Mode, /) -> tuple[Array3, None]:
        """conv1d(params, x, ...)."""
        y = conv1d(params, x, stride=self.stride, padding=self.padding, dilation=self.dilation, groups=self.groups)
        return y, None


@dataclass(frozen=True, init=False, repr=False)
class Conv2d(ConvBase[CP]):
    """Convolution of images: see `conv2d`. [batch, height, width, n_in] to [batch, height', width', n_out].

    Parameters are `ConvParams(kernel, bias)`, or `KernelParams(kernel)` with bias=False. There is no state. kernel_size,
    stride and dilation are ints, or a tuple with one for each spatial axis; "same" padding gives ceil(size / stride) outputs.
    A depthwise convolution has groups = n_in. weight_init and bias_init are initialisers: he_normal (for relu) and zeros by
    default.

    >>> import fnn
    >>> fnn.init(fnn.Conv2d(3, 16, 5, stride=2), fnn.key(0))[0]
    ConvParams(kernel=f32[5,5,3,16], bias=f32[16])
    >>> fnn.init(fnn.Conv2d(16, 16, (3, 1), groups=16, bias=False), fnn.key(0))[0]
    KernelParams(kernel=f32[3,1,1,16])
    """

    _rank = 2
    ignores_mode: ClassVar[bool] = True  # for layers.pullback, as what follows
    reads_x_once: ClassVar[bool] = True  # for Residual
    takes = ConvBase._takes
    vjp = ConvBase._vjp
    evaluator = ConvBase._evaluator
    pooled = ConvBase._pooled

    @overload
    def __init__(
        self: Conv2d[ConvParams],
        n_in: int,
        n_out: int,
        kernel_size: Sizes,
        *,
        bias: Literal[True] = True,
        bias_init: Initializer = ...,
        **options: Unpack[ConvOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: Conv2d[KernelParams],
        n_in: int,
        n_out: int,
        kernel_size: Sizes,
        *,
        bias: Literal[False],
        **options: Unpack[ConvOptions],
    ) -> None: ...
    def __init__(
        self,
        n_in: int,
        n_out: int,
        kernel_size: Sizes,
        *,
        stride: Sizes = 1,
        padding: Padding = "same",
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        weight_init: Initializer = he_normal,
        bias_init: Initializer = zeros,
    ) -> None:
        options = {
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "groups": groups,
            "bias": bias,
            "weight_init": weight_init,
            "bias_init": bias_init,
        }
        self._set(n_in, n_out, kernel_size, options)

    def forward(self, params: CP, state: None, x: Array4, mode: Mode, /) -> tuple[Array4, None]:
        """conv2d(params, x, ...)."""
        y = conv2d(params, x, stride=self.stride, padding=self.padding, dilation=self.dilation, groups=self.groups)
        return y, None


@dataclass(frozen=True, init=False, repr=False)
class Conv3d(ConvBase[CP]):
    """Convolution of volumes: see `conv3d`. [batch, depth, height, width, n_in] to the same axes with n_out.

    Parameters and options are those of `Conv2d`.

    >>> import fnn
    >>> fnn.init(fnn.Conv3d(1, 4, 3), fnn.key(0))[0]
    ConvParams(kernel=f32[3,3,3,1,4], bias=f32[4])
    """

    _rank = 3
    ignores_mode: ClassVar[bool] = True  # for layers.pullback, as what follows
    reads_x_once: ClassVar[bool] = True  # for Residual
    takes = ConvBase._takes
    vjp = ConvBase._vjp
    evaluator = ConvBase._evaluator
    pooled = ConvBase._pooled

    @overload
    def __init__(
        self: Conv3d[ConvParams],
        n_in: int,
        n_out: int,
        kernel_size: Sizes,
        *,
        bias: Literal[True] = True,
        bias_init: Initializer = ...,
        **options: Unpack[ConvOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: Conv3d[KernelParams],
        n_in: int,
        n_out: int,
        kernel_size: Sizes,
        *,
        bias: Literal[False],
        **options: Unpack[ConvOptions],
    ) -> None: ...
    def __init__(
        self,
        n_in: int,
        n_out: int,
        kernel_size: Sizes,
        *,
        stride: Sizes = 1,
        padding: Padding = "same",
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        weight_init: Initializer = he_normal,
        bias_init: Initializer = zeros,
    ) -> None:
        options = {
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "groups": groups,
            "bias": bias,
            "weight_init": weight_init,
            "bias_init": bias_init,
        }
        self._set(n_in, n_out, kernel_size, options)

    def forward(self, params: CP, state: None, x: Array5, mode: Mode, /) -> tuple[Array5, None]:
        """conv3d(params, x, ...)."""
        y = conv3d(params, x, stride=self.stride, padding=self.padding, dilation=self.dilation, groups=self.groups)
        return y, None
