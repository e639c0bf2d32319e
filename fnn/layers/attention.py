"""The specs Attention and CrossAttention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from fnn.arrays import Array3, Value
from fnn.functional.attention import AttentionParams, attention, check_dim, check_heads, self_attention_vjp
from fnn.functional.checks import check_bool, check_int
from fnn.functional.noise import check_drop_rate
from fnn.layers.layer import Composable
from fnn.layers.pullback import Pull
from fnn.layers.spec import Spec
from fnn.mode import Mode
from fnn.random import Key


def _of_dtype(params: AttentionParams, dtype: np.dtype[Any]) -> bool:
    return all([leaf.dtype is dtype for dense in (params.qkv, params.out) for leaf in (dense.weight, dense.bias)])


@dataclass(frozen=True, repr=False)
class Attention(Spec, Composable):
    """Multi-head self attention, [batch, time, dim] to the same: see `attention`. Parameters AttentionParams, no state.

    kv_heads, a divisor of heads and equal to it by default: grouped- or multi-query attention. rotary: positions by rotary
    embedding. drop_rate: of the attention probabilities.

    >>> import fnn
    >>> block = fnn.residual(fnn.LayerNorm(8) >> fnn.Attention(8, 2, causal=True))
    """

    dim: int
    heads: int
    _: KW_ONLY
    causal: bool = False
    drop_rate: float = 0.0
    kv_heads: int | None = None
    rotary: bool = False
    reads_x_once: ClassVar[bool] = True  # for Residual

    def __post_init__(self) -> None:
        check_int("Attention", "dim", self.dim)
        check_heads("Attention", self.heads, self.kv_heads)
        head_dim = check_dim("Attention", self.dim, self.heads)
        check_drop_rate("Attention", self.drop_rate)
        check_bool("Attention", "causal", self.causal)
        check_bool("Attention", "rotary", self.rotary)
        if self.rotary and head_dim % 2:
            raise ValueError(f"Attention: dim / heads is {head_dim}, but rotary turns pairs: it must be even")

    def init(self, key: Key, /) -> tuple[AttentionParams, None]:
        """lecun_normal weights and zero biases."""
        return AttentionParams.init(key, self.dim, heads=self.heads, kv_heads=self.kv_heads), None

    def forward(self, params: AttentionParams, state: None, x: Array3, mode: Mode, /) -> tuple[Array3, None]:
        """attention(params, x)."""
        y = attention(
            params,
            x,
            heads=self.heads,
            kv_heads=self.kv_heads,
            causal=self.causal,
            rotary=self.rotary,
            drop_rate=self.drop_rate,
            mode=mode,
        )
        return y, None

    def takes(self, params: AttentionParams, x: Value, /) -> bool:
        """Whether x is surely for the kernels: see layers.pullback."""
        return bool(x.ndim == 3 and x.shape[2] == self.dim and _of_dtype(params, x.dtype))

    def vjp(self, params: AttentionParams, state: None, x: Value, mode: Mode, wanted: bool, /) -> tuple[Value, None, Pull]:
        """The kernels of `attention`."""
        y, back = self_attention_vjp(params, x, drop_rate=self.drop_rate, mode=mode, **self._options())
        return y, None, lambda g, into: back(g, into, wanted)

    def evaluator(self, params: AttentionParams, state: None, /) -> Callable[[Value], Value]:
        """The same, forwards."""
        options = self._options()
        return lambda x: self_attention_vjp(params, x, **options)[0]

    def _options(self) -> dict[str, Any]:
        return {"heads": self.heads, "kv_heads": self.kv_heads, "causal": self.causal, "rotary": self.rotary}


@dataclass(frozen=True, repr=False)
class CrossAttention(Spec, Composable):
    """Multi-head attention of x to a memory: (x, memory), [batch, time, dim] and [batch, memory_time, dim], to the shape of x.

    The other arguments are those of `Attention`.

    >>> import fnn
    >>> fnn.init(fnn.CrossAttention(8, 2), fnn.key(0))[0]
    AttentionParams(qkv=DenseParams(weight=f32[8,24], bias=f32[24]), out=DenseParams(weight=f32[8,8], bias=f32[8]))
    """

    dim: int
    heads: int
    _: KW_ONLY
    drop_rate: float = 0.0
    kv_heads: int | None = None

    def __post_init__(self) -> None:
        check_int("CrossAttention", "dim", self.dim)
        check_heads("CrossAttention", self.heads, self.kv_heads)
        check_dim("CrossAttention", self.dim, self.heads)
        check_drop_rate("CrossAttention", self.drop_rate)

    def init(self, key: Key, /) -> tuple[AttentionParams, None]:
        """lecun_normal weights and zero biases."""
        return AttentionParams.init(key, self.dim, heads=self.heads, kv_heads=self.kv_heads), None

    def forward(self, params: AttentionParams, state: None, x: tuple[Array3, Array3], mode: Mode, /) -> tuple[Array3, None]:
        """attention(params, *x)."""
        queries, memory = check_pair_of_sequences("CrossAttention", x)
        y = attention(params, queries, memory, heads=self.heads, kv_heads=self.kv_heads, drop_rate=self.drop_rate, mode=mode)
        return y, None


def check_pair_of_sequences(name: str, x: tuple[Array3, Array3]) -> tuple[Array3, Array3]:
    """x itself; TypeError unless it is (x, memory)."""
    if not isinstance(x, tuple) or len(x) != 2:
        found = f"a tuple of {len(x)}" if isinstance(x, tuple) else f"a {type(x).__name__}"
        raise TypeError(f"{name}: the input is {found}, expected a tuple of two arrays, (x, memory)")
    return x
