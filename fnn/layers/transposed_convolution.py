"""The specs of transposed convolutions over one, two and three spatial axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Unpack, overload

from fnn.arrays import Array3, Array4, Array5
from fnn.functional.convolution import ConvParams, KernelParams
from fnn.functional.transposed_convolution import check_output_padding, conv_transpose1d, conv_transpose2d, conv_transpose3d
from fnn.functional.windows import Padding, Sizes
from fnn.initializers import Initializer, he_normal, zeros
from fnn.layers.convolution import CP, ConvBase, ConvOptions
from fnn.mode import Mode


class ConvTransposeOptions(ConvOptions, total=False):
    """The options that every transposed convolution has, with and without bias."""

    output_padding: Sizes


@dataclass(frozen=True, init=False, repr=False)
class _ConvTransposeBase(ConvBase[CP]):
    """What all have in common."""

    output_padding: tuple[int, ...]

    def _set_output_padding(self, output_padding: Sizes) -> None:
        """Checks it against the other options, which are set already."""
        name = type(self).__name__
        extra = check_output_padding(name, output_padding, self.padding, self.stride, self.dilation)
        self.__dict__["output_padding"] = extra


@dataclass(frozen=True, init=False, repr=False)
class ConvTranspose1d(_ConvTransposeBase[CP]):
    """Transposed convolution over time: see `conv_transpose1d`. [batch, time, n_in] to [batch, time', n_out].

    Parameters and options are those of `ConvTranspose2d`.

    >>> import fnn
    >>> fnn.ConvTranspose1d(8, 4, 4, stride=2)
    ConvTranspose1d(8, 4, 4, stride=2)
    """

    _rank = 1

    @overload
    def __init__(
        self: ConvTranspose1d[ConvParams],
        n_in: int,
        n_out: int,
        kernel_size: Sizes,
        *,
        bias: Literal[True] = True,
        bias_init: Initializer = ...,
        **options: Unpack[ConvTransposeOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: ConvTranspose1d[KernelParams],
        n_in: int,
        n_out: int,
        kernel_size: Sizes,
        *,
        bias: Literal[False],
        **options: Unpack[ConvTransposeOptions],
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
        output_padding: Sizes = 0,
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
        self._set_output_padding(output_padding)

    def forward(self, params: CP, state: None, x: Array3, mode: Mode, /) -> tuple[Array3, None]:
        """conv_transpose1d(params, x, ...)."""
        y = conv_transpose1d(
            params,
            x,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            output_padding=self.output_padding,
        )
        return y, None


@dataclass(frozen=True, init=False, repr=False)
class ConvTranspose2d(_ConvTransposeBase[CP]):
    """Transposed convolution of images: see `conv_transpose2d`. [batch, height, width, n_in] to larger ones, with n_out.

    Parameters and options are those of `Conv2d`, with the kernel [kh, kw, n_in // groups, n_out] as there; "same" padding
    gives size * stride outputs. output_padding adds outputs at the end where the padding is in numbers.

    >>> import fnn
    >>> fnn.init(fnn.ConvTranspose2d(8, 3, 4, stride=2), fnn.key(0))[0]
    ConvParams(kernel=f32[4,4,8,3], bias=f32[3])
    """

    _rank = 2

    @overload
    def __init__(
        self: ConvTranspose2d[ConvParams],
        n_in: int,
        n_out: int,
        kernel_size: Sizes,
        *,
        bias: Literal[True] = True,
        bias_init: Initializer = ...,
        **options: Unpack[ConvTransposeOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: ConvTranspose2d[KernelParams],
        n_in: int,
        n_out: int,
        kernel_size: Sizes,
        *,
        bias: Literal[False],
        **options: Unpack[ConvTransposeOptions],
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
        output_padding: Sizes = 0,
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
        self._set_output_padding(output_padding)

    def forward(self, params: CP, state: None, x: Array4, mode: Mode, /) -> tuple[Array4, None]:
        """conv_transpose2d(params, x, ...)."""
        y = conv_transpose2d(
            params,
            x,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            output_padding=self.output_padding,
        )
        return y, None


@dataclass(frozen=True, init=False, repr=False)
class ConvTranspose3d(_ConvTransposeBase[CP]):
    """Transposed convolution of volumes: see `conv_transpose3d`. [batch, depth, height, width, n_in] to larger ones.

    Parameters and options are those of `ConvTranspose2d`.

    >>> import fnn
    >>> fnn.init(fnn.ConvTranspose3d(4, 1, 2, stride=2, bias=False), fnn.key(0))[0]
    KernelParams(kernel=f32[2,2,2,4,1])
    """

    _rank = 3

    @overload
    def __init__(
        self: ConvTranspose3d[ConvParams],
        n_in: int,
        n_out: int,
        kernel_size: Sizes,
        *,
        bias: Literal[True] = True,
        bias_init: Initializer = ...,
        **options: Unpack[ConvTransposeOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: ConvTranspose3d[KernelParams],
        n_in: int,
        n_out: int,
        kernel_size: Sizes,
        *,
        bias: Literal[False],
        **options: Unpack[ConvTransposeOptions],
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
        output_padding: Sizes = 0,
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
        self._set_output_padding(output_padding)

    def forward(self, params: CP, state: None, x: Array5, mode: Mode, /) -> tuple[Array5, None]:
        """conv_transpose3d(params, x, ...)."""
        y = conv_transpose3d(
            params,
            x,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            output_padding=self.output_padding,
        )
        return y, None
