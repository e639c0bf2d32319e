"""Attention takes [batch, time, dim] of floats: no tokens, no rows, no images; and a memory comes in a pair."""

from typing import assert_type

import numpy as np

import fnn

x = np.ones((2, 3, 8), np.float32)
key = fnn.key(0)
layer = fnn.Attention(8, 2)
params, state = fnn.init(layer, key)
cross = fnn.CrossAttention(8, 2)
decoder = fnn.DecoderBlock(8, 2)


def rows(a: fnn.Array2, image: fnn.Array4, tokens: fnn.Int2, ids: fnn.Ints) -> None:
    fnn.predict(layer, params, state, a)  # mypy: [misc]  pyright: [reportArgumentType]
    fnn.predict(layer, params, state, image)  # mypy: [misc]  pyright: [reportArgumentType]
    fnn.predict(layer, params, state, tokens)  # mypy: [misc]  pyright: [reportArgumentType]
    fnn.attention(params, a, heads=2)  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.attention(params, x, tokens, heads=2)  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.attention(params, x, heads=2, mask=ids)  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.dot_product_attention(a, a, a)  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.padding_mask(tokens, 3)  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.predict(cross, params, state, x)  # mypy: [misc]  pyright: [reportArgumentType]
    fnn.predict(decoder, fnn.init(decoder, key)[0], None, x)  # mypy: [misc]  pyright: [reportArgumentType]


fnn.attention(params, x, 2)  # mypy: [arg-type, call-arg]  pyright: [reportCallIssue]
fnn.attention(fnn.DenseParams.init(key, 8, 8), x, heads=2)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.Attention(8)  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.Attention(8, 2, True)  # mypy: [call-arg]  pyright: [reportCallIssue]
fnn.Attention(8, 2, causal="no")  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.encoder_block(8, 2, norm_first="no")  # mypy: [call-overload]  pyright: [reportArgumentType, reportCallIssue]
fnn.encoder_block(8, 2, hiden=16)  # mypy: [call-overload]  pyright: [reportCallIssue]
fnn.AttentionParams.init(key, 8)  # mypy: [call-arg]  pyright: [reportCallIssue]
print(fnn.encoder_block(8, 2) >> fnn.DecoderBlock(8, 2))  # mypy: [operator]  pyright: [reportOperatorIssue]
block_params = fnn.init(fnn.encoder_block(8, 2, norm_first=False), key)[0]
assert_type(block_params, tuple[fnn.NormParams, fnn.AttentionParams])  # mypy: [assert-type]  pyright: [reportAssertTypeFailure]
fnn.cached_attention(params, x, heads=2)  # mypy: [call-arg]  pyright: [reportCallIssue]
layer.heads = 4  # mypy: [misc]  pyright: [reportAttributeAccessIssue]
