# pyright: strict
"""A small GPT, an encoder and a decoder as compositions; the parameters keep their types through all of them."""

from typing import TypeAlias, assert_type

import numpy as np

import fnn

AttentionPart: TypeAlias = tuple[fnn.NormParams, fnn.AttentionParams, None]
Mlp: TypeAlias = tuple[fnn.DenseParams, None, None, fnn.DenseParams, None]
BlockParams: TypeAlias = tuple[AttentionPart, tuple[fnn.NormParams, Mlp]]

x = np.ones((2, 3, 8), np.float32)
key = fnn.key(0)

# a layer by itself, and in residuals as one writes them by hand
layer = fnn.Attention(8, 2, causal=True)
params, state = fnn.init(layer, key)
assert_type(params, fnn.AttentionParams)
assert_type(state, None)
assert_type(params.qkv.weight, fnn.Array2)
assert_type(fnn.predict(layer, params, state, x), fnn.Array3)
by_hand = fnn.residual(fnn.LayerNorm(8) >> fnn.Attention(8, 2)) >> fnn.residual(
    fnn.LayerNorm(8) >> fnn.Dense(8, 32) >> fnn.gelu >> fnn.Dense(32, 8)
)
hand_params, hand_state = fnn.init(by_hand, key)
assert_type(
    hand_params,
    tuple[tuple[fnn.NormParams, fnn.AttentionParams], tuple[fnn.NormParams, fnn.DenseParams, None, fnn.DenseParams]],
)
assert fnn.predict(by_hand, hand_params, hand_state, x).shape == (2, 3, 8)

# blocks of the library
block = fnn.encoder_block(8, 2, causal=True, drop_rate=0.1, kv_heads=1, rotary=True)
assert_type(fnn.init(block, key)[0], BlockParams)
last = fnn.encoder_block(8, 2, norm_first=False, hidden=16, activation=fnn.relu)
assert_type(fnn.init(last, key)[0], tuple[tuple[fnn.AttentionParams, None], fnn.NormParams, Mlp, fnn.NormParams])
assert_type(fnn.init(fnn.stack(2, block), key)[0], tuple[BlockParams, ...])

# tokens to logits
gpt = fnn.Embedding(11, 8) >> fnn.stack(2, block) >> fnn.LayerNorm(8) >> fnn.Dense(8, 11)
gpt_params, gpt_state = fnn.init(gpt, key)
assert_type(gpt_params, tuple[fnn.EmbeddingParams, tuple[BlockParams, ...], fnn.NormParams, fnn.DenseParams])
tokens = np.array([[1, 2, 3], [4, 5, 6]])
assert fnn.predict(gpt, gpt_params, gpt_state, tokens).shape == (2, 3, 11)
opt = fnn.AdamW(1e-3)
ts = fnn.train_state(gpt_params, gpt_state, opt, key)
step = fnn.train_step(fnn.supervised(gpt, fnn.cross_entropy), opt)
ts, _ = step(ts, tokens, tokens)
assert_type(ts.params[1][0][0][1], fnn.AttentionParams)

# a memory
cross = fnn.CrossAttention(8, 2)
cross_params = fnn.init(cross, key)[0]
assert_type(fnn.predict(cross, cross_params, None, (x, x)), fnn.Array3)
decoder = fnn.DecoderBlock(8, 2) >> fnn.DecoderBlock(8, 2)
decoder_params, decoder_state = fnn.init(decoder, key)
assert_type(decoder_params, tuple[fnn.DecoderParams, fnn.DecoderParams])
y, memory = fnn.forward(decoder, decoder_params, decoder_state, (x, x))[0]
assert_type(y, fnn.Array3)
assert_type(fnn.init(fnn.stack(2, fnn.DecoderBlock(8, 2)), key)[0], tuple[fnn.DecoderParams, ...])

# the functions
heads = np.ones((2, 3, 2, 4), np.float32)
assert_type(fnn.dot_product_attention(heads, heads, heads, mask=fnn.padding_mask(np.array([1, 3]), 3)), fnn.Array4)
assert_type(fnn.attention(params, x, heads=2, positions=np.arange(3), rotary=True), fnn.Array3)
cache = fnn.KVCache.empty(2, 2, 4)
y1, cache = fnn.cached_attention(params, x[:, :1], cache, heads=2)
assert_type(cache, fnn.KVCache)


def loss(p: fnn.AttentionParams) -> fnn.Scalar:
    return np.mean(fnn.attention(p, x, heads=2, causal=True))


assert_type(fnn.grad(loss)(params), fnn.AttentionParams)
