"""Weights of PyTorch's modules as parameters of fnn: one function per class, for a dict of arrays by name.

The dict is a `state_dict` as NumPy, from a file (`fnn.io.read_arrays`) or from PyTorch itself
(`{name: tensor.numpy() for name, tensor in module.state_dict().items()}`), and `prefix` says where in it the module is:

    weights = fnn.io.read_arrays("model.safetensors")
    params = (fnn.io.from_torch.conv(weights, "features.0"), None, fnn.io.from_torch.linear(weights, "head"))

What is laid out in another way in fnn is transposed: weights [in, out], kernels [*size, in, out]. The arrays that come out are
read-only copies with the dtype that they had.

Every function raises ValueError, with the name, where an array is missing or has another rank than that of such a module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, overload

import numpy as np

from fnn.arrays import describe, read_only
from fnn.functional.attention import AttentionParams
from fnn.functional.convolution import ConvParams, KernelParams
from fnn.functional.embedding import EmbeddingParams
from fnn.functional.layer_norms import ScaleParams
from fnn.functional.linear import DenseParams, LinearParams
from fnn.functional.norms import BatchNormState, NormParams
from fnn.functional.recurrence import RecurrentParams

# A state_dict as NumPy. It also holds integers, as batch norm's counter.
Weights: TypeAlias = Mapping[str, np.ndarray[Any, Any]]


@overload
def linear(weights: Weights, prefix: str = "", /, *, bias: Literal[True] = True) -> DenseParams: ...
@overload
def linear(weights: Weights, prefix: str = "", /, *, bias: Literal[False]) -> LinearParams: ...
def linear(weights: Weights, prefix: str = "", /, *, bias: bool = True) -> DenseParams | LinearParams:
    """nn.Linear, for `fnn.Dense`: PyTorch's weight is [out, in].

    >>> linear({"head.weight": np.ones((3, 2)), "head.bias": np.zeros(3)}, "head")
    DenseParams(weight=f64[2,3], bias=f64[3])
    """
    get = _Getter("linear", weights, prefix)
    weight = _copy(get("weight", 2).T)
    if bias:
        return DenseParams(weight, _copy(get("bias", 1)))
    get.without("bias", "bias=True")
    return LinearParams(weight)


@overload
def conv(weights: Weights, prefix: str = "", /, *, bias: Literal[True] = True) -> ConvParams: ...
@overload
def conv(weights: Weights, prefix: str = "", /, *, bias: Literal[False]) -> KernelParams: ...
def conv(weights: Weights, prefix: str = "", /, *, bias: bool = True) -> ConvParams | KernelParams:
    """nn.Conv1d, Conv2d or Conv3d, also with groups: PyTorch's weight is [out, in // groups, *size].

    >>> conv({"weight": np.ones((16, 3, 5, 5)), "bias": np.zeros(16)})
    ConvParams(kernel=f64[5,5,3,16], bias=f64[16])
    """
    get = _Getter("conv", weights, prefix)
    kernel = _copy(np.moveaxis(get("weight", 3, 4, 5), (1, 0), (-2, -1)))
    if bias:
        return ConvParams(kernel, _copy(get("bias", 1)))
    get.without("bias", "bias=True")
    return KernelParams(kernel)


@overload
def conv_transpose(weights: Weights, prefix: str = "", /, *, groups: int = 1, bias: Literal[True] = True) -> ConvParams: ...
@overload
def conv_transpose(weights: Weights, prefix: str = "", /, *, groups: int = 1, bias: Literal[False]) -> KernelParams: ...
def conv_transpose(weights: Weights, prefix: str = "", /, *, groups: int = 1, bias: bool = True) -> ConvParams | KernelParams:
    """nn.ConvTranspose1d, 2d or 3d: PyTorch's weight is [in, out // groups, *size], which does not tell the groups.

    >>> conv_transpose({"weight": np.ones((4, 3, 5, 5)), "bias": np.zeros(6)}, groups=2)
    ConvParams(kernel=f64[5,5,2,6], bias=f64[6])
    """
    get = _Getter("conv_transpose", weights, prefix)
    weight = get("weight", 3, 4, 5)
    if groups < 1 or len(weight) % groups:
        raise ValueError(f"from_torch.conv_transpose: groups is {groups}, but {get.prefix}weight has {len(weight)} inputs")
    # [groups, in, out, *size] to [*size, in, groups * out]
    grouped = weight.reshape(groups, len(weight) // groups, *weight.shape[1:])
    turned = np.moveaxis(grouped, (1, 0, 2), (-3, -2, -1))
    kernel = _copy(turned.reshape(*turned.shape[:-2], -1))
    if bias:
        return ConvParams(kernel, _copy(get("bias", 1)))
    get.without("bias", "bias=True")
    return KernelParams(kernel)


def embedding(weights: Weights, prefix: str = "", /) -> EmbeddingParams:
    """nn.Embedding, whose weight is the table."""
    return EmbeddingParams(_copy(_Getter("embedding", weights, prefix)("weight", 2)))


def norm(weights: Weights, prefix: str = "", /) -> NormParams:
    """nn.LayerNorm (over the last axis) or nn.GroupNorm, with weight and bias."""
    get = _Getter("norm", weights, prefix)
    return NormParams(_copy(get("weight", 1)), _copy(get("bias", 1)))


def rms_norm(weights: Weights, prefix: str = "", /) -> ScaleParams:
    """nn.RMSNorm over the last axis."""
    return ScaleParams(_copy(_Getter("rms_norm", weights, prefix)("weight", 1)))


def batch_norm(weights: Weights, prefix: str = "", /) -> tuple[NormParams, BatchNormState]:
    """nn.BatchNorm1d, 2d or 3d: parameters, and the running statistics as state.

    The running variance is taken as it is. PyTorch trains an unbiased one, a factor n / (n - 1) larger, fnn a biased one.
    """
    get = _Getter("batch_norm", weights, prefix)
    params = NormParams(_copy(get("weight", 1)), _copy(get("bias", 1)))
    return params, BatchNormState(_copy(get("running_mean", 1)), _copy(get("running_var", 1)))


def rnn(weights: Weights, prefix: str = "", /, *, layer: int = 0, reverse: bool = False) -> RecurrentParams:
    """nn.RNN: one of its layers, in one direction. Where it has no biases, they become zeros."""
    return _recurrent("rnn", weights, prefix, layer, reverse, 1)


def lstm(weights: Weights, prefix: str = "", /, *, layer: int = 0, reverse: bool = False) -> RecurrentParams:
    """nn.LSTM: one of its layers, in one direction. Where it has no biases, they become zeros.

    >>> w = {"weight_ih_l0": np.ones((20, 2)), "weight_hh_l0": np.ones((20, 5))}
    >>> lstm(w)
    RecurrentParams(input_weight=f64[2,20], hidden_weight=f64[5,20], input_bias=f64[20], hidden_bias=f64[20])
    """
    return _recurrent("lstm", weights, prefix, layer, reverse, 4)


def gru(weights: Weights, prefix: str = "", /, *, layer: int = 0, reverse: bool = False) -> RecurrentParams:
    """nn.GRU: one of its layers, in one direction. Where it has no biases, they become zeros."""
    return _recurrent("gru", weights, prefix, layer, reverse, 3)


def _recurrent(name: str, weights: Weights, prefix: str, layer: int, reverse: bool, gates: int) -> RecurrentParams:
    get = _Getter(name, weights, prefix)
    suffix = f"_l{layer}{'_reverse' if reverse else ''}"
    get.without(f"weight_hr{suffix}", "a projection, which fnn's LSTM lacks")
    w, u = get(f"weight_ih{suffix}", 2), get(f"weight_hh{suffix}", 2)
    if u.shape[0] != gates * u.shape[1]:
        raise ValueError(
            f"from_torch.{name}: {get.prefix}weight_hh{suffix} has shape {u.shape}, expected [{gates} * n_hidden, n_hidden]; "
            "is it of another kind of layer?"
        )
    if f"{get.prefix}bias_ih{suffix}" not in weights:
        zeros = read_only(np.zeros(len(u), u.dtype))
        return RecurrentParams(_copy(w.T), _copy(u.T), zeros, zeros)
    return RecurrentParams(_copy(w.T), _copy(u.T), _copy(get(f"bias_ih{suffix}", 1)), _copy(get(f"bias_hh{suffix}", 1)))


def multihead_attention(weights: Weights, prefix: str = "", /) -> AttentionParams:
    """nn.MultiheadAttention, for `fnn.Attention`, whose module was made with bias=True and one width for all."""
    get = _Getter("multihead_attention", weights, prefix)
    get.without("bias_k", "add_bias_kv=True, which fnn's Attention lacks")
    qkv = DenseParams(_copy(get("in_proj_weight", 2).T), _copy(get("in_proj_bias", 1)))
    return AttentionParams(qkv, DenseParams(_copy(get("out_proj.weight", 2).T), _copy(get("out_proj.bias", 1))))


def _copy(array: Any) -> Any:
    return read_only(np.array(array, order="C"))


class _Getter:
    """Arrays below a prefix."""

    def __init__(self, name: str, weights: Weights, prefix: str) -> None:
        if not isinstance(weights, Mapping):
            raise TypeError(f"from_torch.{name}: the weights are a {type(weights).__name__}, expected a dict of arrays")
        self.name = name
        self.weights = weights
        self.prefix = f"{prefix}." if prefix and not prefix.endswith(".") else prefix

    def __call__(self, what: str, *ranks: int) -> Any:
        """The array of this name; ValueError unless it is there and has one of these ranks."""
        full = self.prefix + what
        if full not in self.weights:
            there = [name for name in self.weights if name.startswith(self.prefix)] or list(self.weights)
            raise ValueError(f"from_torch.{self.name}: there is no {full!r}, but {there[:20]}")
        array = self.weights[full]
        if not isinstance(array, np.ndarray):
            raise TypeError(f"from_torch.{self.name}: {full} is a {type(array).__name__}, expected an ndarray: tensor.numpy()")
        if array.ndim not in ranks:
            expected = " or ".join(map(str, ranks))
            raise ValueError(f"from_torch.{self.name}: {full} is {describe(array)}, expected rank {expected}")
        return array

    def without(self, what: str, hint: str) -> None:
        """ValueError where there is an array of this name, which would be lost."""
        if self.prefix + what in self.weights:
            raise ValueError(f"from_torch.{self.name}: there is also {self.prefix + what!r}: {hint}")
