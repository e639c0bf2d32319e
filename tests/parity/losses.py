"""Losses against PyTorch: their means and their values by example, over a grid of options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.random import Generator

from fnn import losses
from tests.parity.case import Arrays, ParityCase

Draw = Callable[[Generator], dict[str, Any]]
# theirs(torch.nn.functional, tensors, reduction)
Theirs = Callable[[Any, Arrays, str], Any]


def _pair(name: str, draw: Draw, options: Mapping[str, Any], theirs: Theirs, *, golden: bool = False) -> list[ParityCase]:
    """The mean and the values of a loss of `fnn.losses`, whose arrays are drawn in the order of its arguments."""
    title = ", ".join([f"losses.{name}", *[f"{option} {value}" for option, value in options.items()]])

    def case(title: str, form: str, reduction: str, golden: bool) -> ParityCase:
        return ParityCase(
            title,
            draw,
            lambda a: getattr(losses, form)(*a.values(), **options),
            lambda torch, t: theirs(torch.nn.functional, t, reduction),
            golden,
        )

    return [case(title, name, "mean", golden), case(f"{title}, by example", f"{name}_per_example", "none", False)]


def _real(rng: Generator) -> dict[str, Any]:
    return {"x": 2 * rng.normal(size=(5, 4)), "t": 2 * rng.normal(size=(5, 4))}


def _logits(rng: Generator) -> dict[str, Any]:
    return {"x": 3 * rng.normal(size=(5, 4)), "t": rng.uniform(size=(5, 4))}


def _probabilities(rng: Generator) -> dict[str, Any]:
    return {"x": rng.uniform(0.05, 0.95, (5, 4)), "t": rng.uniform(0.05, 0.95, (5, 4))}


def _log_probabilities(rng: Generator) -> dict[str, Any]:
    x, t = rng.normal(size=(5, 4)), rng.uniform(0.05, 1, (5, 4))
    return {"x": x - np.log(np.sum(np.exp(x), -1, keepdims=True)), "t": t / np.sum(t, -1, keepdims=True)}


def _rates(rng: Generator) -> dict[str, Any]:
    # not 0: there PyTorch's gradient by the target is NaN where full=True
    return {"x": rng.uniform(0.2, 3, (5, 4)), "t": rng.choice([0.1, 0.5, 2.0, 7.0], (5, 4))}


def _normals(rng: Generator) -> dict[str, Any]:
    variance = rng.uniform(0.2, 2, (5, 4))
    variance[0, :2] = 0.0, 1e-3
    return {**_real(rng), "variance": variance}


def _classes(rng: Generator) -> dict[str, Any]:
    return {"x": rng.normal(size=(6, 4)), "y": rng.integers(0, 4, 6)}


def _labelled_pairs(rng: Generator) -> dict[str, Any]:
    return {"a": rng.normal(size=(6, 3)), "b": rng.normal(size=(6, 3)), "y": np.array([1, -1, 1, -1, -1, 1])}


def _triples(rng: Generator) -> dict[str, Any]:
    return {name: rng.normal(size=(6, 3)) for name in ("a", "p", "n")}


def _embeddings(rng: Generator) -> dict[str, Any]:
    return {"q": rng.normal(size=(4, 3)), "k": rng.normal(size=(6, 3))}


def _kl(f: Any, t: Arrays, reduction: str) -> Any:
    return f.kl_div(t["x"], t["t"], reduction="batchmean") if reduction == "mean" else f.kl_div(**_named(t)).sum(-1)


def _named(t: Arrays) -> dict[str, Any]:
    return {"input": t["x"], "target": t["t"], "reduction": "none"}


def _of_two(name: str, **options: Any) -> Theirs:
    """A loss of x and t."""
    return lambda f, t, reduction: getattr(f, name)(t["x"], t["t"], reduction=reduction, **options)


def _binary(weight: Any) -> Theirs:
    def theirs(f: Any, t: Arrays, reduction: str) -> Any:
        w = t["x"].new_tensor(weight)
        return f.binary_cross_entropy_with_logits(t["x"], t["t"], pos_weight=w, reduction=reduction)

    return theirs


def _info_nce(temperature: float) -> Theirs:
    def theirs(f: Any, t: Arrays, reduction: str) -> Any:
        logits = f.normalize(t["q"]) @ f.normalize(t["k"]).T / temperature
        return f.cross_entropy(logits, logits.new_tensor(range(4)).long(), reduction=reduction)

    return theirs


def _focal(gamma: float, alpha: float) -> Theirs:
    """With 0 and 1 in place of targets, as torchvision's sigmoid_focal_loss has it."""

    def theirs(f: Any, t: Arrays, reduction: str) -> Any:
        y = t["y"].to(t["x"].dtype)
        ce = f.binary_cross_entropy_with_logits(t["x"], y, reduction="none")
        p = t["x"].sigmoid()
        values = (alpha * y + (1 - alpha) * (1 - y)) * ce * (1 - (p * y + (1 - p) * (1 - y))) ** gamma
        return values.mean() if reduction == "mean" else values

    return theirs


def _focal_case(gamma: float, alpha: float, *, golden: bool = False) -> ParityCase:
    def draw(rng: Generator) -> dict[str, Any]:
        return {"x": 2 * rng.normal(size=(5, 4)), "y": rng.integers(0, 2, (5, 4))}

    def ours(a: Arrays) -> Any:
        return losses.focal_per_example(a["x"], a["y"].astype(a["x"].dtype), gamma=gamma, alpha=alpha)

    theirs = _focal(gamma, alpha)
    name = f"losses.focal, gamma {gamma}, alpha {alpha}"
    return ParityCase(name, draw, ours, lambda torch, t: theirs(torch.nn.functional, t, "none"), golden)


def _grid() -> list[ParityCase]:
    cases: list[ParityCase] = [
        *_pair("mse", _real, {}, _of_two("mse_loss")),
        *_pair("mae", _real, {}, _of_two("l1_loss")),
        *_pair("bce", _probabilities, {}, _of_two("binary_cross_entropy")),
        *_pair("kl_divergence", _log_probabilities, {}, _kl, golden=True),
        *_pair(
            "cosine",
            lambda rng: {"x": rng.normal(size=(5, 4)), "t": rng.normal(size=(5, 4))},
            {},
            lambda f, t, reduction: (
                (1 - f.cosine_similarity(t["x"], t["t"])).mean()
                if reduction == "mean"
                else 1 - f.cosine_similarity(t["x"], t["t"])
            ),
            golden=True,
        ),
        _focal_case(2.0, 0.25, golden=True),
        _focal_case(1.0, 0.6),
        _focal_case(0.0, 0.5),
        ParityCase(
            "losses.multi_margin, weights",
            _classes,
            lambda a: losses.multi_margin_per_example(a["x"], a["y"]) * _WEIGHTS.astype(a["x"].dtype)[a["y"]],
            lambda torch, t: torch.nn.functional.multi_margin_loss(
                t["x"], t["y"], weight=t["x"].new_tensor(_WEIGHTS), reduction="none"
            ),
        ),
    ]
    for delta in (1.0, 0.3):
        cases += _pair("huber", _real, {"delta": delta}, _of_two("huber_loss", delta=delta))
    for weight in (3.0, np.array([0.5, 2.0, 1.0, 0.0], np.float32)):
        golden = isinstance(weight, float)
        cases += _pair("bce_with_logits", _logits, {"pos_weight": weight}, _binary(weight), golden=golden)
    options: dict[str, Any]
    for full in (False, True):
        options = {"full": full}
        cases += _pair("poisson_nll", _rates, {"log_input": True, **options}, _of_two("poisson_nll_loss", **options))
        cases += _pair("gaussian_nll", _normals, options, _gaussian(full), golden=full)
    for eps in (1e-8, 0.1):
        options = {"log_input": False, "eps": eps}
        cases += _pair("poisson_nll", _rates, options, _of_two("poisson_nll_loss", **options), golden=eps == 0.1)
    for p in (1, 2):
        for margin in (1.0, 0.4):
            options = {"p": p, "margin": margin}
            cases += _pair("multi_margin", _classes, options, _multi_margin(p, margin), golden=p == 2 and margin == 0.4)
    for margin in (0.0, 0.3, -0.5):
        cases += _pair("cosine_embedding", _labelled_pairs, {"margin": margin}, _cosine_embedding(margin), golden=margin == 0.3)
    for swap in (False, True):
        for margin in (1.0, 0.1):
            options = {"margin": margin, "swap": swap}
            cases += _pair("triplet", _triples, options, _triplet(margin, swap), golden=swap and margin == 1.0)
    for temperature in (0.1, 1.0):
        options = {"temperature": temperature}
        cases += _pair("info_nce", _embeddings, options, _info_nce(temperature), golden=temperature == 1.0)
    return cases


_WEIGHTS: Any = np.array([0.5, 2.0, 1.0, 1.5])


def _gaussian(full: bool) -> Theirs:
    return lambda f, t, reduction: f.gaussian_nll_loss(t["x"], t["t"], t["variance"], full=full, reduction=reduction)


def _multi_margin(p: int, margin: float) -> Theirs:
    return lambda f, t, reduction: f.multi_margin_loss(t["x"], t["y"], p=p, margin=margin, reduction=reduction)


def _cosine_embedding(margin: float) -> Theirs:
    return lambda f, t, reduction: f.cosine_embedding_loss(t["a"], t["b"], t["y"], margin=margin, reduction=reduction)


def _triplet(margin: float, swap: bool) -> Theirs:
    return lambda f, t, reduction: f.triplet_margin_loss(t["a"], t["p"], t["n"], margin=margin, swap=swap, reduction=reduction)


CASES: list[ParityCase] = _grid()
