"""Attention and transformer blocks against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

import fnn
from tests.parity.case import Arrays, ParityCase

BATCH, TIME, MEMORY, HEADS, SIZE = 2, 5, 7, 4, 2
DIM = HEADS * SIZE

Draw = Callable[[Generator], dict[str, Any]]


def _bias(rng: Generator, shape: tuple[int, ...]) -> Any:
    """Numbers, and -inf for a third, but never in the first column."""
    bias = np.where(rng.random(shape) < 0.3, -np.inf, rng.normal(size=shape))
    bias[..., 0] = 0.5
    return bias


def _seen(rng: Generator, shape: tuple[int, ...]) -> Any:
    """True for two thirds, and in the first column."""
    return np.isfinite(_bias(rng, shape))


# The primitive


def _qkv(time: int, memory_time: int, heads: int, kv_heads: int, mask: Any = None) -> Draw:
    def draw(rng: Generator) -> dict[str, Any]:
        arrays = {
            "q": rng.normal(size=(BATCH, time, heads, SIZE)),
            "k": rng.normal(size=(BATCH, memory_time, kv_heads, SIZE)),
            "v": rng.normal(size=(BATCH, memory_time, kv_heads, 3)),
        }
        return arrays | ({"mask": mask(rng)} if mask else {})

    return draw


def _primitive(name: str, draw: Draw, *, golden: bool = False, causal: bool = False, scale: float | None = None) -> ParityCase:
    def ours(a: Arrays) -> Any:
        return fnn.dot_product_attention(a["q"], a["k"], a["v"], mask=a.get("mask"), causal=causal, scale=scale)

    def theirs(torch: Any, t: Arrays) -> Any:
        q, k, v = (t[name].transpose(1, 2) for name in "qkv")
        y = torch.nn.functional.scaled_dot_product_attention(
            q, k, v, attn_mask=t.get("mask"), is_causal=causal, scale=scale, enable_gqa=q.shape[1] != k.shape[1]
        )
        return y.transpose(1, 2)

    return ParityCase(f"dot_product_attention, {name}", draw, ours, theirs, golden)


# Modules of PyTorch: weights are [out, in] there


def _dense(rng: Generator, name: str, n_in: int, n_out: int) -> dict[str, Any]:
    return {f"{name}.weight": rng.normal(size=(n_in, n_out)) / np.sqrt(n_in), f"{name}.bias": rng.normal(size=n_out)}


def _norm(rng: Generator, name: str) -> dict[str, Any]:
    return {f"{name}.scale": rng.normal(size=DIM), f"{name}.shift": rng.normal(size=DIM)}


def _attention(rng: Generator, name: str) -> dict[str, Any]:
    return _dense(rng, f"{name}.qkv", DIM, 3 * DIM) | _dense(rng, f"{name}.out", DIM, DIM)


def _dense_of(a: Arrays, name: str) -> fnn.DenseParams:
    return fnn.DenseParams(a[f"{name}.weight"], a[f"{name}.bias"])


def _norm_of(a: Arrays, name: str) -> fnn.NormParams:
    return fnn.NormParams(a[f"{name}.scale"], a[f"{name}.shift"])


def _attention_of(a: Arrays, name: str) -> fnn.AttentionParams:
    return fnn.AttentionParams(_dense_of(a, f"{name}.qkv"), _dense_of(a, f"{name}.out"))


# what each array is called in PyTorch: of attention, of the blocks
ATTENTION = {
    "qkv.weight": "in_proj_weight",
    "qkv.bias": "in_proj_bias",
    "out.weight": "out_proj.weight",
    "out.bias": "out_proj.bias",
}
PARTS = {
    "self": "self_attn",
    "cross": "multihead_attn",
    "hidden": "linear1",
    "last": "linear2",
    "n1": "norm1",
    "n2": "norm2",
    "n3": "norm3",
}
LEAVES = {"scale": "weight", "shift": "bias"}


def _name_in_torch(name: str) -> str:
    part, _, rest = name.partition(".")
    if part in ("self", "cross"):
        return f"{PARTS[part]}.{ATTENTION[rest]}"
    return f"{PARTS[part]}.{LEAVES.get(rest, rest)}"


def _call(torch: Any, module: Any, t: Arrays, inputs: tuple[Any, ...], names: Callable[[str], str], **options: Any) -> Any:
    given = {names(name): a.T if name.endswith("weight") and a.ndim == 2 else a for name, a in t.items() if "." in name}
    return torch.func.functional_call(module, given, inputs, options)


def _module(name: str, cross: bool, *, mask: str = "", golden: bool = False) -> ParityCase:
    """nn.MultiheadAttention."""

    def draw(rng: Generator) -> dict[str, Any]:
        arrays = {"x": rng.normal(size=(BATCH, TIME, DIM))} | _attention(rng, "self")
        if cross:
            arrays["memory"] = rng.normal(size=(BATCH, MEMORY, DIM))
        keys = MEMORY if cross else TIME
        if mask == "padding":
            arrays["lengths"] = np.array([3, keys])
        elif mask:
            arrays["mask"] = _seen(rng, (TIME, keys))
        return arrays

    def ours(a: Arrays) -> Any:
        m = fnn.padding_mask(a["lengths"], MEMORY if cross else TIME) if mask == "padding" else a.get("mask")
        return fnn.attention(_attention_of(a, "self"), a["x"], a.get("memory"), heads=HEADS, mask=m)

    def theirs(torch: Any, t: Arrays) -> Any:
        module = torch.nn.MultiheadAttention(DIM, HEADS, batch_first=True, dtype=t["x"].dtype)
        memory = t.get("memory", t["x"])
        options: dict[str, Any] = {"need_weights": False}
        if mask == "padding":
            options["key_padding_mask"] = torch.arange(memory.shape[1])[None] >= t["lengths"][:, None]
        elif mask:
            options["attn_mask"] = ~t["mask"]  # True means "may not look" there
        return _call(torch, module, t, (t["x"], memory, memory), lambda n: ATTENTION[n.partition(".")[2]], **options)[0]

    return ParityCase(f"attention, {name}", draw, ours, theirs, golden)


def _mlp(rng: Generator) -> dict[str, Any]:
    return _dense(rng, "hidden", DIM, 6) | _dense(rng, "last", 6, DIM)


def _encoder(norm_first: bool, causal: bool) -> ParityCase:
    """nn.TransformerEncoderLayer."""

    def draw(rng: Generator) -> dict[str, Any]:
        x = rng.normal(size=(BATCH, TIME, DIM))
        return {"x": x} | _attention(rng, "self") | _mlp(rng) | _norm(rng, "n1") | _norm(rng, "n2")

    def ours(a: Arrays) -> Any:
        to_itself, n1, n2 = _attention_of(a, "self"), _norm_of(a, "n1"), _norm_of(a, "n2")
        mlp = (_dense_of(a, "hidden"), None, None, _dense_of(a, "last"), None)
        if norm_first:
            block = fnn.encoder_block(DIM, HEADS, hidden=6, activation=fnn.relu, causal=causal)
            return block.forward(((n1, to_itself, None), (n2, mlp)), fnn.init(block, fnn.key(0))[1], a["x"], fnn.EVAL)[0]
        last = fnn.encoder_block(DIM, HEADS, hidden=6, activation=fnn.relu, causal=causal, norm_first=False)
        return last.forward(((to_itself, None), n1, mlp, n2), fnn.init(last, fnn.key(0))[1], a["x"], fnn.EVAL)[0]

    def theirs(torch: Any, t: Arrays) -> Any:
        module = torch.nn.TransformerEncoderLayer(
            DIM, HEADS, 6, dropout=0.0, batch_first=True, norm_first=norm_first, dtype=t["x"].dtype
        )
        future = torch.ones(TIME, TIME, dtype=torch.bool).triu(1) if causal else None
        return _call(torch, module, t, (t["x"],), _name_in_torch, src_mask=future)

    name = f"encoder_block, norm {'first' if norm_first else 'last'}{', causal' if causal else ''}"
    return ParityCase(name, draw, ours, theirs, golden=causal and norm_first)


def _decoder(norm_first: bool, causal: bool) -> ParityCase:
    """nn.TransformerDecoderLayer."""

    def draw(rng: Generator) -> dict[str, Any]:
        arrays = {"x": rng.normal(size=(BATCH, TIME, DIM)), "memory": rng.normal(size=(BATCH, MEMORY, DIM))}
        norms = _norm(rng, "n1") | _norm(rng, "n2") | _norm(rng, "n3")
        return arrays | _attention(rng, "self") | _attention(rng, "cross") | _mlp(rng) | norms

    def ours(a: Arrays) -> Any:
        params = fnn.DecoderParams(
            _norm_of(a, "n1"), _attention_of(a, "self"), _norm_of(a, "n2"), _attention_of(a, "cross"), _norm_of(a, "n3"),
            _dense_of(a, "hidden"), _dense_of(a, "last"),
        )  # fmt: skip
        block = fnn.DecoderBlock(DIM, HEADS, hidden=6, activation=fnn.relu, causal=causal, norm_first=norm_first)
        return block.forward(params, None, (a["x"], a["memory"]), fnn.EVAL)[0][0]

    def theirs(torch: Any, t: Arrays) -> Any:
        module = torch.nn.TransformerDecoderLayer(
            DIM, HEADS, 6, dropout=0.0, batch_first=True, norm_first=norm_first, dtype=t["x"].dtype
        )
        future = torch.ones(TIME, TIME, dtype=torch.bool).triu(1) if causal else None
        return _call(torch, module, t, (t["x"], t["memory"]), _name_in_torch, tgt_mask=future)

    name = f"DecoderBlock, norm {'first' if norm_first else 'last'}{', causal' if causal else ''}"
    return ParityCase(name, draw, ours, theirs)


CASES: list[ParityCase] = [
    _primitive("plain", _qkv(TIME, MEMORY, HEADS, HEADS)),
    _primitive("scale", _qkv(TIME, MEMORY, HEADS, HEADS), scale=0.3),
    _primitive("causal", _qkv(TIME, TIME, HEADS, HEADS), causal=True),
    _primitive("grouped", _qkv(TIME, MEMORY, HEADS, 2), golden=True),
    _primitive("multi-query, causal", _qkv(TIME, TIME, HEADS, 1), causal=True),
    _primitive("long", _qkv(1100, 1000, 1, 1), scale=0.5),
    _primitive("long, causal", _qkv(1050, 1050, 2, 1), causal=True),
    _primitive("boolean mask", _qkv(TIME, MEMORY, HEADS, 2, lambda rng: _seen(rng, (BATCH, HEADS, TIME, MEMORY))), golden=True),
    _primitive("boolean mask of keys", _qkv(TIME, MEMORY, HEADS, HEADS, lambda rng: _seen(rng, (BATCH, 1, 1, MEMORY)))),
    _primitive("boolean mask of pairs", _qkv(TIME, MEMORY, HEADS, HEADS, lambda rng: _seen(rng, (TIME, MEMORY)))),
    _primitive(
        "bias", _qkv(TIME, MEMORY, HEADS, HEADS, lambda rng: rng.normal(size=(BATCH, HEADS, TIME, MEMORY))), golden=True
    ),
    _primitive("bias of heads", _qkv(TIME, MEMORY, HEADS, 2, lambda rng: _bias(rng, (HEADS, TIME, MEMORY)))),
    _primitive("bias of examples", _qkv(TIME, MEMORY, HEADS, HEADS, lambda rng: _bias(rng, (BATCH, 1, TIME, MEMORY)))),
    _module("self", cross=False, golden=True),
    _module("cross", cross=True),
    _module("self, mask", cross=False, mask="pairs"),
    _module("self, padding", cross=False, mask="padding"),
    _module("cross, padding", cross=True, mask="padding"),
    *[_encoder(norm_first, causal) for norm_first in (True, False) for causal in (False, True)],
    *[_decoder(norm_first, causal) for norm_first in (True, False) for causal in (False, True)],
]
