"""Weights of PyTorch in fnn: each kind of module gives the output that PyTorch recorded; see tests/parity/torch_weights.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fnn
from fnn.io import from_torch
from tests.parity.torch_weights import FILE

RECORDED = fnn.io.read_arrays(FILE)


def channels_last(x: Any) -> Any:
    return np.moveaxis(x, 1, -1)


def conv2d(x: Any, p: str) -> Any:
    return fnn.conv2d(from_torch.conv(RECORDED, p), x, padding="valid", groups=2)


def lstm(x: Any, p: str) -> Any:
    for layer in range(2):
        ahead, _ = fnn.lstm(from_torch.lstm(RECORDED, p, layer=layer), x)
        back, _ = fnn.lstm(from_torch.lstm(RECORDED, p, layer=layer, reverse=True), x, reverse=True)
        x = np.concatenate([ahead, back], -1)
    return x


def batch_norm(x: Any, p: str) -> Any:
    params, state = from_torch.batch_norm(RECORDED, p)
    return fnn.batch_norm(params, state, x, fnn.EVAL)[0]


IMAGES = {
    "conv1d",
    "conv2d",
    "conv2d_without_bias",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "batch_norm",
    "group_norm",
}
CASES: dict[str, Callable[[Any, str], Any]] = {
    "linear": lambda x, p: fnn.dense(from_torch.linear(RECORDED, p), x),
    "linear_without_bias": lambda x, p: fnn.dense(from_torch.linear(RECORDED, p, bias=False), x),
    "conv1d": lambda x, p: fnn.conv1d(from_torch.conv(RECORDED, p), x, padding="valid"),
    "conv2d": conv2d,
    "conv2d_without_bias": lambda x, p: fnn.conv2d(from_torch.conv(RECORDED, p, bias=False), x, padding="valid"),
    "conv3d": lambda x, p: fnn.conv3d(from_torch.conv(RECORDED, p), x, padding="valid"),
    "conv_transpose1d": lambda x, p: fnn.conv_transpose1d(from_torch.conv_transpose(RECORDED, p), x, stride=2, padding="valid"),
    "conv_transpose2d": lambda x, p: fnn.conv_transpose2d(
        from_torch.conv_transpose(RECORDED, p, groups=2), x, stride=2, padding="valid", groups=2
    ),
    "embedding": lambda x, p: fnn.embedding(from_torch.embedding(RECORDED, p), x),
    "layer_norm": lambda x, p: fnn.layer_norm(from_torch.norm(RECORDED, p), x),
    "group_norm": lambda x, p: fnn.group_norm(from_torch.norm(RECORDED, p), x, 2),
    "rms_norm": lambda x, p: fnn.rms_norm(from_torch.rms_norm(RECORDED, p), x, eps=1e-6),
    "batch_norm": batch_norm,
    "rnn": lambda x, p: fnn.rnn(from_torch.rnn(RECORDED, p), x)[0],
    "lstm": lstm,
    "lstm_without_bias": lambda x, p: fnn.lstm(from_torch.lstm(RECORDED, p), x)[0],
    "gru": lambda x, p: fnn.gru(from_torch.gru(RECORDED, p), x)[0],
    "attention": lambda x, p: fnn.attention(from_torch.multihead_attention(RECORDED, p), x, heads=2),
}


@pytest.mark.parametrize("name", CASES)
def test_a_module_gives_what_pytorch_gave(name: str) -> None:
    x, expected = RECORDED[f"{name}.x"], RECORDED[f"{name}.y"]
    if name in IMAGES:
        x, expected = channels_last(x), channels_last(expected)
    y = CASES[name](x, f"{name}.module")
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def test_every_module_that_was_recorded_is_tested() -> None:
    assert {name.split(".")[0] for name in RECORDED} == CASES.keys()
    assert FILE.stat().st_size < 60_000


def test_params_are_read_only_contiguous_copies_with_the_dtype_of_the_weights() -> None:
    weights = {"weight": np.arange(6.0).reshape(3, 2), "bias": np.zeros(3)}
    params = from_torch.linear(weights)
    assert params.weight.dtype == np.float64
    assert params.weight.flags.c_contiguous
    for kept, mine in zip((params.weight, params.bias), weights.values(), strict=True):
        assert not kept.flags.writeable
        assert not np.shares_memory(kept, mine)
    weights["weight"][0, 0] = 9
    assert params.weight[0, 0] == 0


def test_a_prefix_may_end_with_its_dot() -> None:
    assert from_torch.embedding(RECORDED, "embedding.module.") == from_torch.embedding(RECORDED, "embedding.module")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda w: from_torch.linear(w, "nothing"), r"from_torch.linear: there is no 'nothing.weight', but \['weight'"),
        (lambda w: from_torch.linear(w, bias=False), "from_torch.linear: there is also 'bias': bias=True"),
        (lambda w: from_torch.conv(w), r"from_torch.conv: weight is f64\[3,2\], expected rank 3 or 4 or 5"),
        (lambda w: from_torch.conv({**w, "weight": np.ones((2, 2, 2))}, bias=False), "from_torch.conv: there is also 'bias'"),
        (lambda w: from_torch.conv_transpose({"weight": np.ones((4, 3, 5))}, groups=3), "groups is 3, but weight has 4 inputs"),
        (lambda w: from_torch.conv_transpose({"weight": np.ones((4, 3, 5))}, groups=0), "groups is 0"),
        (lambda w: from_torch.gru(RECORDED, "lstm.module"), r"hh_l0 has shape \(20, 5\), expected \[3 \* n_hidden, n_hidden\]"),
        (lambda w: from_torch.lstm({"weight_hr_l0": np.ones((1, 1))}), "there is also 'weight_hr_l0': a projection"),
        (lambda w: from_torch.batch_norm(w), r"batch_norm: weight is f64\[3,2\], expected rank 1"),
    ],
)
def test_what_does_not_fit_is_named(call: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call({"weight": np.ones((3, 2)), "bias": np.zeros(3)})


def test_what_is_no_array_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"embedding: weight is a list, expected an ndarray: tensor.numpy\(\)"):
        from_torch.embedding({"weight": [1.0]})  # type: ignore[dict-item]  # what the test is about
    with pytest.raises(TypeError, match="the weights are a list, expected a dict of arrays"):
        from_torch.embedding([1])  # type: ignore[arg-type]  # what the test is about


def test_attention_with_biases_of_its_own_for_keys_is_refused() -> None:
    weights = {"bias_k": np.zeros((1, 1, 8), np.float32)}
    with pytest.raises(ValueError, match="add_bias_kv=True"):
        from_torch.multihead_attention(weights)
