"""Transformer blocks: an encoder block (with causal=True the block of a GPT) as a chain of layers, and a decoder block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Literal, TypeAlias, TypedDict, Unpack, overload

from fnn.arrays import Array, Array3
from fnn.functional.activations import gelu
from fnn.functional.attention import AttentionParams
from fnn.functional.checks import check_int
from fnn.functional.linear import DenseParams, dense
from fnn.functional.noise import check_drop_rate, dropout
from fnn.functional.norms import NormParams
from fnn.initializers import glorot_uniform
from fnn.layers.attention import Attention, CrossAttention, check_pair_of_sequences
from fnn.layers.combinators import chain, residual
from fnn.layers.core import Dense, Dropout
from fnn.layers.layer import Chain, Composable
from fnn.layers.norms import LayerNorm
from fnn.layers.spec import Spec
from fnn.mode import Mode
from fnn.random import Key
from fnn.tree import Record

# Parameters and state of each residual branch; both in one chain are those of a block.
_Mlp: TypeAlias = tuple[DenseParams, None, None, DenseParams, None]
_Nothing: TypeAlias = tuple[None, None, None, None, None]
PreNormParams: TypeAlias = tuple[tuple[NormParams, AttentionParams, None], tuple[NormParams, _Mlp]]
PreNormState: TypeAlias = tuple[tuple[None, None, None], tuple[None, _Nothing]]
PostNormParams: TypeAlias = tuple[tuple[AttentionParams, None], NormParams, _Mlp, NormParams]
PostNormState: TypeAlias = tuple[tuple[None, None], None, _Nothing, None]


class _Options(TypedDict, total=False):
    hidden: int | None
    causal: bool
    drop_rate: float
    activation: Callable[[Array], Array]
    kv_heads: int | None
    rotary: bool


def _mlp(
    dim: int, hidden: int, drop_rate: float, activation: Callable[[Array], Array]
) -> Chain[Array3, Array3, _Mlp, _Nothing]:
    # A chain that begins with Dense is typed as one of [batch, n]; this one is of [batch, time, n].
    return chain(
        [
            Dense(dim, hidden, weight_init=glorot_uniform),
            activation,
            Dropout(drop_rate),
            Dense(hidden, dim, weight_init=glorot_uniform),
            Dropout(drop_rate),
        ]
    )


@overload
def encoder_block(
    dim: int, heads: int, *, norm_first: Literal[True] = True, **options: Unpack[_Options]
) -> Chain[Array3, Array3, PreNormParams, PreNormState]: ...
@overload
def encoder_block(
    dim: int, heads: int, *, norm_first: Literal[False], **options: Unpack[_Options]
) -> Chain[Array3, Array3, PostNormParams, PostNormState]: ...
def encoder_block(
    dim: int,
    heads: int,
    *,
    norm_first: bool = True,
    hidden: int | None = None,
    causal: bool = False,
    drop_rate: float = 0.0,
    activation: Callable[[Array], Array] = gelu,
    kv_heads: int | None = None,
    rotary: bool = False,
) -> Chain[Array3, Array3, PreNormParams, PreNormState] | Chain[Array3, Array3, PostNormParams, PostNormState]:
    """One block of a transformer's encoder, or with causal=True of a GPT: attention, then an MLP, each beside a residual.

    [batch, time, dim] to the same. Nothing but a composition, as one would write it by hand:

        residual(LayerNorm(dim) >> Attention(dim, heads) >> Dropout(r)) >> residual(LayerNorm(dim) >> mlp)     norm_first
        residual(Attention(dim, heads) >> Dropout(r)) >> LayerNorm(dim) >> residual(mlp) >> LayerNorm(dim)     otherwise
        mlp = Dense(dim, hidden) >> activation >> Dropout(r) >> Dense(hidden, dim) >> Dropout(r)

    hidden is 4 * dim unless told otherwise. drop_rate is that of the attention probabilities too. Dense layers begin with
    glorot_uniform weights.

    Source: Vaswani et al. 2017, section 3.1, where the norm comes last; norm first: Radford et al. 2019, Xiong et al. 2020.

    >>> import fnn
    >>> gpt = fnn.stack(2, fnn.encoder_block(8, 2, causal=True)) >> fnn.LayerNorm(8) >> fnn.Dense(8, 65)
    """
    hidden = 4 * dim if hidden is None else check_int("encoder_block", "hidden", hidden)
    attend = Attention(dim, heads, causal=causal, drop_rate=drop_rate, kv_heads=kv_heads, rotary=rotary)
    mlp = _mlp(dim, hidden, drop_rate, activation)
    if norm_first:
        first: Chain[Array3, Array3, tuple[NormParams, AttentionParams, None], tuple[None, None, None]]
        first = chain([LayerNorm(dim), attend, Dropout(drop_rate)])
        second: Chain[Array3, Array3, tuple[NormParams, _Mlp], tuple[None, _Nothing]] = chain([LayerNorm(dim), mlp])
        return residual(first) >> residual(second)
    return residual(attend >> Dropout(drop_rate)) >> LayerNorm(dim) >> residual(mlp) >> LayerNorm(dim)


@dataclass(frozen=True, eq=False, repr=False)
class DecoderParams(Record):
    """Parameters of a decoder block: a norm for each of its three branches, two attentions, and the MLP's dense layers."""

    self_norm: NormParams
    self_attention: AttentionParams
    cross_norm: NormParams
    cross_attention: AttentionParams
    mlp_norm: NormParams
    hidden: DenseParams
    out: DenseParams

    @classmethod
    def init(
        cls, key: Key, dim: int, /, *, heads: int, hidden: int | None = None, kv_heads: int | None = None
    ) -> DecoderParams:
        """glorot_uniform weights of the dense layers, of 4 * dim hidden units unless told otherwise; the others as usual."""
        k1, k2, k3, k4 = key.split(4)
        norm = NormParams.init(dim)
        width = 4 * dim if hidden is None else hidden
        return DecoderParams(
            norm,
            AttentionParams.init(k1, dim, heads=heads, kv_heads=kv_heads),
            norm,
            AttentionParams.init(k2, dim, heads=heads, kv_heads=kv_heads),
            norm,
            DenseParams.init(k3, dim, width, weight_init=glorot_uniform),
            DenseParams.init(k4, width, dim, weight_init=glorot_uniform),
        )


@dataclass(frozen=True, repr=False)
class DecoderBlock(Spec, Composable):
    """One block of a transformer's decoder: causal attention to itself, attention to the memory, an MLP, each beside a
    residual. (x, memory) to (y, memory), all [batch, time, dim], so that blocks stack.

    norm_first, hidden, drop_rate and activation are those of `encoder_block`, and so is the order of their dropouts.
    Source: Vaswani et al. 2017, section 3.1.

    >>> import fnn
    >>> decoder = fnn.stack(2, fnn.DecoderBlock(8, 2)) >> (lambda pair: pair[0]) >> fnn.Dense(8, 65)
    """

    dim: int
    heads: int
    _: KW_ONLY
    hidden: int | None = None
    causal: bool = True
    drop_rate: float = 0.0
    norm_first: bool = True
    activation: Callable[[Array3], Array3] = gelu
    kv_heads: int | None = None
    rotary: bool = False

    def __post_init__(self) -> None:
        if self.hidden is not None:
            check_int("DecoderBlock", "hidden", self.hidden)
        check_drop_rate("DecoderBlock", self.drop_rate)
        if not callable(self.activation):
            raise TypeError(f"DecoderBlock: activation is {self.activation!r}, expected a function of one array, as fnn.gelu")
        self._attentions()

    def _attentions(self) -> tuple[Attention, CrossAttention]:
        dim, heads, drop_rate, kv_heads = self.dim, self.heads, self.drop_rate, self.kv_heads
        return (
            Attention(dim, heads, causal=self.causal, drop_rate=drop_rate, kv_heads=kv_heads, rotary=self.rotary),
            CrossAttention(dim, heads, drop_rate=drop_rate, kv_heads=kv_heads),
        )

    def init(self, key: Key, /) -> tuple[DecoderParams, None]:
        """DecoderParams.init, and no state."""
        return DecoderParams.init(key, self.dim, heads=self.heads, hidden=self.hidden, kv_heads=self.kv_heads), None

    def forward(
        self, params: DecoderParams, state: None, x: tuple[Array3, Array3], mode: Mode, /
    ) -> tuple[tuple[Array3, Array3], None]:
        """(y, memory)."""
        y, memory = check_pair_of_sequences("DecoderBlock", x)
        to_itself, to_memory = self._attentions()

        def branch(i: int, norm: NormParams, f: Callable[[Array3, Mode], Array3], y: Array3) -> Array3:
            def normed(y: Array3) -> Array3:
                return LayerNorm(self.dim).forward(norm, None, y, mode)[0]

            inside = mode.fold(i)
            change = dropout(f(normed(y) if self.norm_first else y, inside.fold(0)), self.drop_rate, inside.fold(1))
            return y + change if self.norm_first else normed(y + change)

        def mlp(y: Array3, mode: Mode) -> Array3:
            return dense(params.out, dropout(self.activation(dense(params.hidden, y)), self.drop_rate, mode))

        y = branch(0, params.self_norm, lambda y, m: to_itself.forward(params.self_attention, None, y, m)[0], y)
        y = branch(1, params.cross_norm, lambda y, m: to_memory.forward(params.cross_attention, None, (y, memory), m)[0], y)
        return (branch(2, params.mlp_norm, mlp, y), memory), None
