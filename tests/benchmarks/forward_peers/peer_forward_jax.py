"""JAX's peer of forward.py: `jax.jit` of pure functions with the parameters as arguments; nets by hand, no library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import forward_data
import jax  # type: ignore[import-not-found,unused-ignore]  # pyright: ignore[reportMissingImports]  # not in CI
import jax.numpy as jnp  # type: ignore[import-not-found,unused-ignore]  # pyright: ignore[reportMissingImports]
import numpy as np


def linear(p: Any, x: Any) -> Any:
    return x @ p["w"] + p["b"]


def mlp(ps: Any, x: Any) -> Any:
    for p in ps[:-1]:
        x = jax.nn.relu(linear(p, x))
    return linear(ps[-1], x)


def xor(ps: Any, x: Any) -> Any:
    return linear(ps[1], jnp.tanh(linear(ps[0], x)))


def tabular(ps: Any, x: Any) -> Any:
    for p in ps[:-1]:
        y = (linear(p, x) - p["mean"]) * jax.lax.rsqrt(p["var"] + 1e-5)
        x = jax.nn.relu(y * p["scale"] + p["shift"])
    return linear(ps[-1], x)


def cnn(ps: Any, x: Any) -> Any:
    for p in ps[:2]:
        x = jax.lax.conv_general_dilated(x, p["w"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        n, h, w, c = x.shape
        x = jax.nn.relu(x + p["b"]).reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))
    return linear(ps[3], jax.nn.relu(linear(ps[2], x.reshape(len(x), -1))))


def lstm(ps: Any, x: Any) -> Any:
    z = linear(ps[0], x.transpose(1, 0, 2))

    def cell(carry: Any, zt: Any) -> Any:
        h, s = carry
        i, f, g, o = jnp.split(zt + h @ ps[1]["w"], 4, -1)
        s = jax.nn.sigmoid(f) * s + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(s), s), None

    start = jnp.zeros((x.shape[0], 128))
    return linear(ps[2], jax.lax.scan(cell, (start, start), z)[0][0])


def norm(p: Any, x: Any) -> Any:
    mean = x.mean(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-5) * p["scale"] + p["shift"]


def gpt(ps: Any, x: Any) -> Any:
    h = ps["tokens"][x] + ps["positions"]
    n, t, d = h.shape
    seen = np.tril(np.ones((t, t), bool))
    for p in ps["blocks"]:
        q, k, v = linear(p["qkv"], norm(p["norm1"], h)).reshape(n, t, 3, 4, d // 4).transpose(2, 0, 3, 1, 4)
        scores = jnp.where(seen, q @ k.swapaxes(-1, -2) / np.float32(np.sqrt(d // 4)), -1e30)
        mixed = (jax.nn.softmax(scores, -1) @ v).transpose(0, 2, 1, 3).reshape(n, t, d)
        h = h + linear(p["out"], mixed)
        h = h + linear(p["down"], jax.nn.gelu(linear(p["up"], norm(p["norm2"], h))))
    return linear(ps["head"], norm(ps["norm"], h))


def dense_params(rng: np.random.Generator, n_in: int, n_out: int) -> dict[str, Any]:
    bound = 1 / np.sqrt(n_in)
    return {"w": rng.uniform(-bound, bound, (n_in, n_out)).astype(np.float32), "b": np.zeros(n_out, np.float32)}


def norm_params(n: int) -> dict[str, Any]:
    return {"scale": np.ones(n, np.float32), "shift": np.zeros(n, np.float32)}


def net(workload: str) -> tuple[Callable[[Any, Any], Any], Any]:
    """(function of parameters and x, parameters)."""
    rng = np.random.default_rng(0)

    def dense(n_in: int, n_out: int) -> dict[str, Any]:
        return dense_params(rng, n_in, n_out)

    def kernel(n_in: int, n_out: int) -> dict[str, Any]:
        w = rng.standard_normal((3, 3, n_in, n_out)) / np.sqrt(9 * n_in)
        return {"w": w.astype(np.float32), "b": np.zeros(n_out, np.float32)}

    if workload == "W6":
        return cnn, [kernel(1, 32), kernel(32, 64), dense(3136, 128), dense(128, 10)]
    if workload == "W7":
        return lstm, [dense(32, 512), dense(128, 512), dense(128, 10)]
    if workload == "W8":
        blocks = [
            {
                "norm1": norm_params(128),
                "norm2": norm_params(128),
                "qkv": dense(128, 384),
                "out": dense(128, 128),
                "up": dense(128, 512),
                "down": dense(512, 128),
            }
            for _ in range(2)
        ]
        tables = {"tokens": rng.standard_normal((65, 128)), "positions": rng.standard_normal((64, 128))}
        params: dict[str, Any] = {name: table.astype(np.float32) for name, table in tables.items()}
        return gpt, {**params, "blocks": blocks, "norm": norm_params(128), "head": dense(128, 65)}
    layers = [dense(*sizes) for sizes in forward_data.layer_sizes(workload)]
    if workload == "W3":
        for p in layers[:-1]:
            n = len(p["b"])
            p.update(norm_params(n), mean=np.zeros(n, np.float32), var=np.ones(n, np.float32))
    return {"W1": xor, "W3": tabular}.get(workload, mlp), layers


def make(workload: str, batch: int) -> Callable[[], Callable[[], None]]:
    def factory() -> Callable[[], None]:
        f, params = net(workload)
        params = jax.tree_util.tree_map(jnp.asarray, params)
        x = forward_data.inputs(workload, batch)
        if workload == "W6":  # channels last
            x = x.transpose(0, 2, 3, 1).copy()
        x = jax.device_put(x)
        compiled = jax.jit(f)

        def run() -> None:
            compiled(params, x).block_until_ready()

        return run

    return factory


WORKLOADS = forward_data.workloads(make)
