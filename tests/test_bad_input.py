"""What a user may get wrong, and what fnn says: one table of mistakes with the error, where, found, expected and advice."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest

import fnn as typed_fnn
from tests.laws.checks import global_state

fnn: Any = typed_fnn  # untyped, because most of these calls are what the types forbid

KEY = fnn.key(0)
TRAIN = fnn.Train(KEY)
X = np.linspace(-1, 1, 8, dtype=np.float32).reshape(4, 2)
Y = np.full((4, 1), 0.25, np.float32)
LOGITS = np.zeros((3, 4), np.float32)
LABELS = np.array([0, 1, 3])
MODEL = fnn.Dense(2, 3) >> fnn.relu >> fnn.Dense(3, 1)
PARAMS, STATE = fnn.init(MODEL, KEY)
DENSE = PARAMS[0]
NORM, RUNNING = fnn.init(fnn.BatchNorm(2), KEY)
SGD = fnn.Sgd(0.1)
TS = fnn.start(MODEL, SGD, KEY)
STEP = fnn.train_step(fnn.supervised(MODEL, fnn.mse), SGD)
GRADS = fnn.tree.zeros_like(PARAMS)
NAN, INF = float("nan"), float("inf")


@dataclass
class Thawed:
    weight: Any


@dataclass(frozen=True)
class Mistake:
    """What the user did, the call, the error, and what its message and notes must contain."""

    what: str
    call: Callable[[], object]
    error: type[Exception]
    says: tuple[str, ...]


def row(what: str, call: Callable[[], object], error: type[Exception], *says: str) -> Mistake:
    return Mistake(what, call, error, says)


def forward(layer: Any, x: Any, mode: Any = fnn.EVAL) -> object:
    return fnn.forward(layer, *fnn.init(layer, KEY), x, mode)


V, T, K = ValueError, TypeError, KeyError
FLOATING = ("expected a floating array", "np.asarray(", "np.float32)")
QUANTITIES = ("expected floating numbers", "integers are labels or tokens", ".astype(np.float32)")
INTEGERS = ("expected an integer array of class numbers",)
WIDER = ("float64", "float32", ".astype(np.float32)", "fnn.tree.astype(params, np.float64)")

DENSE_ROWS = [
    row("a list", lambda: fnn.dense(DENSE, [[1.0, 2.0]]), T, "dense: x is a list", *FLOATING),
    row("integers", lambda: fnn.dense(DENSE, np.ones((4, 2), int)), T, "dense: x is i64[4,2]", *QUANTITIES),
    row("booleans", lambda: fnn.dense(DENSE, X > 0), T, "dense: x is bool[4,2]", *QUANTITIES),
    row("float64 data", lambda: fnn.dense(DENSE, X.astype(float)), T, "dense: x", "weight", *WIDER),
    row("other width", lambda: fnn.dense(DENSE, X[:, :1]), V, "dense: x has shape (4, 1)", "weight is (2, 3)", "must be 2"),
    row("one example", lambda: fnn.dense(DENSE, X[0]), V, "dense: x has shape (2,)", "[batch, 2]", "write x[np.newaxis]"),
    row(
        "images", lambda: fnn.dense(DENSE, X.reshape(2, 1, 2, 2)), V,
        "dense: x has shape (2, 1, 2, 2)", "flatten images first",
    ),
    row("a scalar", lambda: fnn.dense(DENSE, X[0, 0]), V, "dense: x has shape ()", "the last axis of x must be 2"),
    row("a number", lambda: fnn.dense(DENSE, 1.0), T, "dense: x is a float", *FLOATING),
    row("None", lambda: fnn.dense(DENSE, None), T, "dense: x is a NoneType", *FLOATING),
    row("float64 inside", lambda: forward(MODEL, X.astype(float)), T, "dense: x", *WIDER, "part [0] of the chain, Dense(2, 3)"),
]  # fmt: skip

NORM_ROWS = [
    row("a list", lambda: fnn.batch_norm(NORM, RUNNING, [[1.0, 2.0]], TRAIN), T, "batch_norm: x is a list", *FLOATING),
    row(
        "integers", lambda: fnn.batch_norm(NORM, RUNNING, np.ones((4, 2), int), TRAIN), T,
        "batch_norm: x is i64[4,2]", *QUANTITIES,
    ),
    row("float64", lambda: fnn.batch_norm(NORM, RUNNING, X.astype(float), TRAIN), T, "batch_norm: x", "scale", *WIDER),
    row("width", lambda: fnn.batch_norm(NORM, RUNNING, X[:, :1], TRAIN), V, "batch_norm: x has shape (4, 1)", "scale is (2,)"),
    row("rank", lambda: fnn.batch_norm(NORM, RUNNING, X[0], fnn.EVAL), V, "batch_norm: x has shape (2,)", "[batch, ..., 2]"),
    row(
        "a batch of one", lambda: fnn.batch_norm(NORM, RUNNING, X[:1], TRAIN), V,
        "batch_norm: x has shape (1, 2)", "1 value(s) per channel", "at least 2", "larger batch", "fnn.EVAL",
    ),
    row("an empty batch", lambda: fnn.batch_norm(NORM, RUNNING, X[:0], TRAIN), V, "shape (0, 2)", "0 value(s)", "at least 2"),
    row(
        "one in a chain", lambda: forward(MODEL >> fnn.BatchNorm(1), X[:1], TRAIN), V,
        "batch_norm: x", "part [3] of the chain",
    ),
    row(
        "mode=True", lambda: fnn.batch_norm(NORM, RUNNING, X, True), T,
        "batch_norm: the mode is True", "fnn.EVAL or fnn.Train(key)",
    ),
    row(
        "mode a class", lambda: fnn.batch_norm(NORM, RUNNING, X, fnn.Train), T,
        "the mode is <class", "fnn.EVAL or fnn.Train(key)",
    ),
]  # fmt: skip

DROPOUT_ROWS = [
    row("a list", lambda: fnn.dropout([1.0], 0.5, TRAIN), T, "dropout: x is a list", *FLOATING),
    row("integers", lambda: fnn.dropout(np.arange(3), 0.5, TRAIN), T, "dropout: x is i64[3]", *QUANTITIES),
    row("integers in eval", lambda: fnn.dropout(np.arange(3), 0.5, fnn.EVAL), T, "dropout: x is i64[3]", *QUANTITIES),
    row("mode=True", lambda: fnn.dropout(X, 0.5, True), T, "dropout: the mode is True", "fnn.EVAL or fnn.Train(key)"),
    row("mode a key", lambda: fnn.dropout(X, 0.5, KEY), T, "dropout: the mode is Key", "fnn.EVAL or fnn.Train(key)"),
    row("no mode", lambda: fnn.dropout(X, 0.5, None), T, "dropout: the mode is None", "fnn.EVAL or fnn.Train(key)"),
    *[row(f"rate {r}", partial(fnn.dropout, X, r, TRAIN), V, f"dropout: drop_rate is {r}", "< 1") for r in (-0.1, 1, 1.5, NAN)],
    *[row(f"spec {r}", partial(fnn.Dropout, r), V, f"Dropout: drop_rate is {r}", "< 1") for r in (-0.1, 1, 1.5, NAN)],
    *[row(f"unused {r}", partial(fnn.dropout, X, r, fnn.EVAL), V, f"dropout: drop_rate is {r}") for r in (-0.1, 1)],
]  # fmt: skip

ACTIVATIONS = (
    "relu", "leaky_relu", "sigmoid", "tanh", "softplus", "elu", "selu", "gelu", "silu", "softmax", "log_softmax",
)  # fmt: skip
ACTIVATION_ROWS = [
    *[row(f"{n} list", partial(getattr(fnn, n), [1.0]), T, f"{n}: x is a list", *FLOATING) for n in ACTIVATIONS],
    *[row(f"{n} float", partial(getattr(fnn, n), 1.0), T, f"{n}: x is a float", *FLOATING) for n in ACTIVATIONS],
    *[row(f"{n} integers", partial(getattr(fnn, n), LABELS), T, f"{n}: x is i64[3]", *QUANTITIES) for n in ACTIVATIONS],
    *[row(f"{n} booleans", partial(getattr(fnn, n), X > 0), T, f"{n}: x is bool[4,2]", *QUANTITIES) for n in ACTIVATIONS],
    *[row(f"{n} scalar", partial(getattr(fnn, n), X[0, 0]), V, f"{n}: x is a scalar", "axis") for n in ACTIVATIONS[-2:]],
    row(
        "in a chain", lambda: forward(fnn.Function(fnn.tanh) >> fnn.relu, LABELS), T,
        "tanh: x is i64[3]", "part [0] of", "tanh",
    ),
]  # fmt: skip

PAIRS = ("mse", "half_mse", "mae", "huber", "bce", "bce_with_logits")


def loss_rows(n: str) -> list[Mistake]:
    f = getattr(fnn, n)
    return [
        row(f"{n} of [n, 1] and [n]", lambda: f(Y, Y[:, 0]), V, f"{n}: ", "(4, 1)", "(4,)", "must be equal", "broadcasting"),
        row(f"{n} of [n] and [n, 1]", lambda: f(Y[:, 0], Y), V, f"{n}: ", "(4,)", "(4, 1)", "must be equal"),
        row(f"{n} of [n, 1] and [1, 1]", lambda: f(Y, Y[:1]), V, f"{n}: ", "(4, 1)", "(1, 1)", "must be equal"),
        row(f"{n} of an array and a scalar", lambda: f(Y, Y[0, 0]), V, f"{n}: ", "(4, 1)", "()", "must be equal"),
        row(f"{n} of nothing", lambda: f(Y[:0], Y[:0]), V, f"{n}: the batch is empty", "(0, 1)"),
        row(f"{n} of a list", lambda: f([0.5], Y), T, f"{n}: ", "is a list", *FLOATING),
        row(f"{n} against a list", lambda: f(Y, [[0.5]] * 4), T, f"{n}: target is a list", *FLOATING),
        row(f"{n} against a number", lambda: f(Y, 0.5), T, f"{n}: target is a float", *FLOATING),
        row(f"{n} of integers", lambda: f(np.ones((4, 1), int), Y), T, f"{n}: ", "is i64[4,1]", *QUANTITIES),
        row(f"{n} against integers", lambda: f(Y, np.ones((4, 1), int)), T, f"{n}: target is i64[4,1]", *QUANTITIES),
        row(f"{n} against booleans", lambda: f(Y, Y > 0), T, f"{n}: target is bool[4,1]", *QUANTITIES),
        row(
            f"{n} against float64", lambda: f(Y, Y.astype(float)), T,
            f"{n}: target is float64", "is float32", ".astype(np.float32)",
        ),
        row(f"{n} in grad", lambda: fnn.grad(lambda p: f(p, Y[:, 0]))(Y), V, f"{n}: ", "must be equal"),
    ]  # fmt: skip


def label_rows(n: str) -> list[Mistake]:
    f = getattr(fnn, n)
    return [
        row(f"{n} too large", lambda: f(LOGITS, LABELS + 1), V, f"{n}: label 4 is out of range", "from 0 to 3"),
        row(f"{n} negative", lambda: f(LOGITS, LABELS - 1), V, f"{n}: label -1 is out of range", "from 0 to 3"),
        row(f"{n} negative int8", lambda: f(LOGITS, (LABELS - 2).astype(np.int8)), V, f"{n}: label -2 is out of range"),
        row(f"{n} unsigned", lambda: f(LOGITS, (LABELS + 250).astype(np.uint8)), V, f"{n}: label 250 is out of range"),
        row(f"{n} big-endian", lambda: f(LOGITS, (LABELS + 1).astype(">i4")), V, f"{n}: label 4 is out of range"),
        row(f"{n} of one class", lambda: f(LOGITS[:, :1], LABELS), V, f"{n}: logits have shape (3, 1)", "bce_with_logits"),
        row(
            f"{n} rank", lambda: f(LOGITS, LABELS[:, None]), V,
            f"{n}: ", "(3, 4)", "(3, 1)", "expected (3,)", "one class number per row",
        ),
        row(f"{n} one-hot integers", lambda: f(LOGITS, np.eye(4, dtype=int)[:3]), V, f"{n}: ", "expected (3,)"),
        row(f"{n} length", lambda: f(LOGITS, LABELS[:2]), V, f"{n}: ", "(3, 4)", "(2,)", "expected (3,)"),
        row(f"{n} scalar logits", lambda: f(LOGITS[0, 0], np.array(1)), V, f"{n}: ", "shape ()"),
        row(f"{n} empty", lambda: f(LOGITS[:0], LABELS[:0]), V, f"{n}: the batch is empty", "(0, 4)"),
        row(f"{n} no classes", lambda: f(LOGITS[:, :0], LABELS), V, f"{n}: ", "empty", "(3, 0)"),
        row(f"{n} list", lambda: f(LOGITS, [0, 1, 3]), T, f"{n}: labels are a list", *INTEGERS),
        row(f"{n} booleans", lambda: f(LOGITS, LABELS > 0), T, f"{n}: labels are bool[3]", *INTEGERS),
        row(f"{n} None", lambda: f(LOGITS, None), T, f"{n}: labels are a NoneType", *INTEGERS),
        row(f"{n} list of logits", lambda: f(LOGITS.tolist(), LABELS), T, f"{n}: logits is a list", *FLOATING),
        row(f"{n} integer logits", lambda: f(LOGITS.astype(int), LABELS), T, f"{n}: logits is i64[3,4]", *QUANTITIES),
    ]  # fmt: skip


LOSS_ROWS = [
    *[mistake for name in PAIRS for mistake in loss_rows(name)],
    *[mistake for name in ("cross_entropy", "accuracy") for mistake in label_rows(name)],
    row(
        "float labels", lambda: fnn.cross_entropy(LOGITS, LABELS.astype(float)), T,
        "cross_entropy: labels are f64[3]", *INTEGERS,
    ),
    row(
        "accuracy float labels", lambda: fnn.accuracy(LOGITS, LABELS.astype(float)), T,
        "accuracy: labels are f64[3]", *INTEGERS,
    ),
    row("probabilities", lambda: fnn.cross_entropy(LOGITS, LOGITS[:, :2]), V, "cross_entropy: ", "(3, 4)", "(3, 2)"),
    row("one row of them", lambda: fnn.cross_entropy(LOGITS, LOGITS[:1]), V, "cross_entropy: ", "(3, 4)", "(1, 4)"),
    row("wide", lambda: fnn.cross_entropy(LOGITS, LOGITS.astype(float)), T, "cross_entropy: target is float64", *WIDER),
    row("none of them", lambda: fnn.cross_entropy(LOGITS[:0], LOGITS[:0]), V, "cross_entropy: the batch is empty"),
    *[
        row(f"smoothing {s}", partial(fnn.cross_entropy, LOGITS, LABELS, label_smoothing=s), V,
            f"cross_entropy: label_smoothing is {s}", "in [0, 1]")
        for s in (-0.1, 1.1, NAN)
    ],
    *[row(f"delta {d}", partial(fnn.huber, Y, Y, delta=d), V, f"huber: delta is {d}", "positive") for d in (0, -1.0, NAN)],
]  # fmt: skip

SIZES: list[tuple[str, Callable[[Any], object]]] = [
    ("Dense: n_in", lambda n: fnn.Dense(n, 2)),
    ("Dense: n_out", lambda n: fnn.Dense(2, n)),
    ("BatchNorm: n", fnn.BatchNorm),
    ("RecurrentParams.init: n_in", lambda n: fnn.RecurrentParams.init(fnn.key(0), n, 2, gates=4)),
    ("RecurrentParams.init: n_hidden", lambda n: fnn.RecurrentParams.init(fnn.key(0), 2, n, gates=4)),
    ("RecurrentParams.init: gates", lambda n: fnn.RecurrentParams.init(fnn.key(0), 2, 2, gates=n)),
]
COUNTS: list[tuple[str, Callable[[Any], object]]] = [  # of which there may be none
    ("NormParams.init: n", fnn.NormParams.init),
    ("BatchNormState.init: n", fnn.BatchNormState.init),
    ("ScaleParams.init: n", fnn.ScaleParams.init),
]
SPEC_ROWS = [
    *[row(f"{name} of {n}", partial(make, n), V, f"{name} is {n}", "at least 1") for name, make in SIZES for n in (0, -3)],
    *[
        row(f"{name} of {n!r}", partial(make, n), T, f"{name} is {n!r}, a {type(n).__name__}, expected an int")
        for name, make in (*SIZES, *COUNTS)
        for n in (2.0, "2", True, None)
    ],
    *[row(f"{name} of -1", partial(make, -1), V, f"{name} is -1", "at least 0") for name, make in COUNTS],
    *[row(f"momentum {m}", partial(fnn.BatchNorm, 2, momentum=m), V, f"momentum is {m}", "[0, 1]") for m in (-0.1, 2, NAN)],
    *[row(f"eps {e}", partial(fnn.BatchNorm, 2, eps=e), V, f"BatchNorm: eps is {e}", "positive") for e in (0, -1e-5, NAN)],
    *[
        row(f"{opt.__name__} rate {r}", partial(opt, r), V, f"{opt.__name__}: learning_rate is {r}", "expected a number")
        for opt in (fnn.Sgd, fnn.Adam, fnn.AdamW)
        for r in (-0.1, NAN, INF)
    ],
    *[
        row(f"{opt.__name__} {name} {value}", partial(opt, 0.1, **{name: value}), V,
            f"{opt.__name__}: {name} is {value}", "expected a number")
        for opt, name, values in [
            (fnn.Sgd, "momentum", (-0.1, 1, NAN)),
            (fnn.Adam, "b1", (-0.1, 1, NAN)),
            (fnn.Adam, "b2", (-0.1, 1.5, NAN)),
            (fnn.Adam, "eps", (-1e-8, NAN)),
            (fnn.AdamW, "b1", (-0.1, 1)),
            (fnn.AdamW, "b2", (-0.1, 1)),
            (fnn.AdamW, "eps", (-1e-8,)),
            (fnn.AdamW, "weight_decay", (-0.1, NAN)),
        ]
        for value in values
    ],
    row("nesterov alone", lambda: fnn.Sgd(0.1, nesterov=True), V, "Sgd: nesterov=True needs a momentum", "momentum=0.9"),
    row("seed for a key", lambda: fnn.Train(0), T, "Train: the key is 0, a int", "fnn.key(seed)"),
]  # fmt: skip

LAYER_ROWS = [
    row("a bias that is no bool", lambda: fnn.Dense(2, 3, bias="no"), T, "Dense: bias is 'no', expected True or False"),
    row("causal that is no bool", lambda: fnn.Attention(4, 2, causal=1), T, "Attention: causal is 1, expected True or False"),
    row("a number in a chain", lambda: fnn.Dense(2, 3) >> 3, T, ">>: 3 is neither a layer", "nor a function"),
    row("None in a chain", lambda: MODEL >> None, T, ">>: None is neither a layer"),
    row("a class", lambda: fnn.Dense(2, 3) >> fnn.Dense, T, ">>: ", "Dense", "neither a layer", "make one with Dense(...)"),
    row("a class in chain()", lambda: fnn.chain([fnn.Dropout]), T, "Dropout", "make one with Dropout(...)"),
    row("params in chain()", lambda: fnn.chain([fnn.Dense(2, 3), DENSE]), T, "DenseParams", "neither a layer"),
    row("chain([])", lambda: fnn.chain([]), V, "chain: the list of layers is empty", "fnn.chain([fnn.identity])"),
    row("stack(0)", lambda: fnn.stack(0, fnn.Dense(2, 2)), V, "stack: n is 0", "at least 1"),
    row("stack(-1)", lambda: fnn.stack(-1, fnn.Dense(2, 2)), V, "stack: n is -1", "at least 1"),
    row(
        "fewer params", lambda: fnn.forward(MODEL, PARAMS[:2], STATE, X), V,
        "chain: params", "3 parts", "got 2 parts", "Dense(2, 3)",
    ),
    row("more params", lambda: fnn.forward(MODEL, (*PARAMS, None), STATE, X), V, "chain: params", "3 parts", "got 4 parts"),
    row("fewer states", lambda: fnn.forward(MODEL, PARAMS, STATE[:2], X), V, "chain: state", "3 parts", "got 2 parts"),
    row(
        "a list of params", lambda: fnn.forward(MODEL, list(PARAMS), STATE, X), V,
        "chain: params must be a tuple", "got a list",
    ),
    row("params of one", lambda: fnn.forward(MODEL, DENSE, STATE, X), V, "chain: params must be a tuple", "got a DenseParams"),
    row("a TrainState", lambda: fnn.predict(MODEL, TS, STATE, X), V, "chain: params must be a tuple", "got a TrainState"),
    row("params and state swapped", lambda: fnn.predict(MODEL, STATE, PARAMS, X), T, "dense: params is None", "swapped"),
    row("stack parts", lambda: forward(Stacked(), X), V, "stack: params and state must have 2 parts each, got 1 and 2"),
    row("residual", lambda: forward(fnn.residual(MODEL), X), V, "residual: x has shape (4, 2)", "(4, 1)", "must be equal"),
    row("residual wider", lambda: forward(fnn.residual(fnn.Dense(2, 3)), X), V, "residual: ", "(4, 2)", "(4, 3)"),
    row("predict 0", lambda: fnn.predict(MODEL, PARAMS, STATE, X, batch_size=0), V, "predict: batch_size is 0", "at least 1"),
    row(
        "predict -1", lambda: fnn.predict(MODEL, PARAMS, STATE, X, batch_size=-1), V,
        "predict: batch_size is -1", "at least 1",
    ),
    row("float ids", lambda: fnn.take(X, np.array([0.0])), T, "take: ids are float64", "expected an integer array"),
    row("list of ids", lambda: fnn.take(X, [0]), T, "take: ids are list", "expected an integer array"),
    row("id too large", lambda: fnn.take(X, np.array([1, 4])), V, "take: ids go from 1 to 4", "rows 0 to 3"),
    row("negative id", lambda: fnn.take(X, np.array([-1])), V, "take: ids go from -1 to -1", "rows 0 to 3"),
]  # fmt: skip


class Stacked:
    """Two layers given the parameters of one."""

    layer = fnn.stack(2, fnn.Dense(2, 2))

    def init(self, key: Any) -> Any:
        params, state = self.layer.init(key)
        return params[:1], state

    def forward(self, params: Any, state: Any, x: Any, mode: Any) -> Any:
        return self.layer.forward(params, state, x, mode)


TREE_ROWS = [
    row("thawed", lambda: fnn.train_state(Thawed(X), None, SGD, KEY), T, "Thawed", "not frozen", "@dataclass(frozen=True)"),
    row("thawed map", lambda: fnn.tree.map(np.square, Thawed(X)), T, "Thawed", "not frozen", "@dataclass(frozen=True)"),
    row("unlike", lambda: fnn.tree.map(np.add, PARAMS, PARAMS[:2]), V, "tree.map", "at the root", "3 parts", "2"),
    row(
        "unlike inside", lambda: fnn.tree.map(np.add, PARAMS, (PARAMS[0], None, fnn.LinearParams(X))), V,
        "tree.map", "at [2]", "a DenseParams", "a LinearParams",
    ),
    row(
        "f gives numbers", lambda: fnn.tree.map(float, (X[0, 0],)), T,
        "tree.map: f returned float for [0]", "expected an array",
    ),
    row("no such path", lambda: fnn.tree.replace_at(PARAMS, "[0].kernel", X), K, "replace_at", "[0].kernel", "[0].weight"),
    row("ravel of integers", lambda: fnn.tree.ravel({"n": LABELS}), T, "tree.ravel", "['n']", "i64[3]", "floating"),
    row("grad of integers", lambda: fnn.grad(lambda p: np.sum(X))((X, {"n": LABELS})), T, "grad", "[1]['n']", "i64[3]"),
    row("optimiser of integers", lambda: SGD.init({"n": LABELS}), T, "Sgd.init", "['n']", "i64[3]", "state"),
    row(
        "mixed dtypes", lambda: SGD.init((X, Y.astype(float))), T,
        "Sgd.init", "[1] is float64", "[0] is float32", "fnn.tree.astype",
    ),
    row(
        "mixed at start", lambda: fnn.train_state((X, Y.astype(float)), None, SGD, KEY), T,
        "[1] is float64", "fnn.tree.astype",
    ),
]  # fmt: skip

OTHER = fnn.Dense(2, 4) >> fnn.relu >> fnn.Dense(4, 1)
OTHER_TS = fnn.start(OTHER, SGD, KEY)


def update(grads: Any, params: Any = PARAMS, opt: Any = SGD) -> object:
    return fnn.update(opt, grads, TS.opt, params)


def step(loss: Any, **options: Any) -> object:
    return fnn.train_step(loss, SGD, **options)(TS, X, Y)


TRAINING_ROWS = [
    row("fewer grads", lambda: update(GRADS[:2]), V, "update: grads do not fit", "at the root", "2 parts", "3"),
    row("no grads", lambda: update(None), V, "update: grads do not fit", "at the root", "None", "a tuple"),
    row("list of grads", lambda: update(list(GRADS)), V, "update: grads do not fit", "a list", "a tuple"),
    row(
        "shape of grads", lambda: update(fnn.init(OTHER, KEY)[0]), V,
        "update: grads", "f32[2,4] at [0].weight", "[2, 3]", "optimizer.init(params)",
    ),
    row(
        "dtype of grads", lambda: update(fnn.tree.astype(GRADS, float)), T,
        "update: grads", "f64[2,3] at [0].weight", "float32", "fnn.tree.astype",
    ),
    row(
        "shape of params", lambda: update(GRADS, fnn.init(OTHER, KEY)[0]), V,
        "update: params", "f32[2,4] at [0].weight", "[2, 3]",
    ),
    row("dtype of params", lambda: update(GRADS, fnn.tree.astype(PARAMS, float)), T, "update: params", "f64[2,3]", "float32"),
    row(
        "state of Sgd in Adam", lambda: update(GRADS, opt=fnn.Adam(0.1)), V,
        "Adam was given the state of Sgd", "optimizer.init(params)",
    ),
    row(
        "state without momentum", lambda: update(GRADS, opt=fnn.Sgd(0.1, momentum=0.9)), V,
        "Sgd: the state has the moments [] and no 'momentum'", "optimizer.init(params)",
    ),
    row(
        "state of another model", lambda: STEP(dataclasses.replace(TS, opt=OTHER_TS.opt), X, Y), V,
        "train_step: the parameters", "f32[2,3] at [0].weight", "[2, 4]", "optimizer.init(params)",
    ),
    row(
        "state of another structure", lambda: STEP(dataclasses.replace(TS, opt=SGD.init(DENSE)), X, Y), V,
        "train_step: the parameters do not fit", "at the root", "a tuple", "a DenseParams",
    ),
    row(
        "step of another optimiser", lambda: fnn.train_step(fnn.supervised(MODEL, fnn.mse), fnn.Adam(0.1))(TS, X, Y), V,
        "Adam was given the state of Sgd",
    ),
    row("no such moment", lambda: TS.opt.moment("mu"), K, "OptState.moment: no moment 'mu'", "none"),
    row("other moments", lambda: fnn.Adam(0.1).init(X).moment("m"), K, "OptState.moment: no moment 'm'", "['mu', 'nu']"),
    row("other data", lambda: STEP(TS, X[:, :1], Y), V, "dense: x has shape (4, 1)", "part [0] of the chain, Dense(2, 3)"),
    row("float64 data", lambda: STEP(TS, X.astype(float), Y), T, "dense: x", *WIDER, "part [0] of the chain"),
    row("flat target", lambda: STEP(TS, X, Y[:, 0]), V, "mse: ", "(4, 1)", "(4,)", "must be equal"),
    row(
        "loss without state", lambda: step(lambda p, s, mode, x, y: np.sum(p[0].bias)), T,
        "train_step: ", "must return (loss, state)", "f32[]",
    ),
    row(
        "loss a number", lambda: step(lambda p, s, mode, x, y: (1.0, s)), T,
        "train_step: ", "scalar loss", "a float", "has lost its gradient",
    ),
    row(
        "loss a vector", lambda: step(lambda p, s, mode, x, y: (p[0].bias, s)), T,
        "train_step: ", "f32[3]", "take its mean or sum",
    ),
]  # fmt: skip

SHAPES: list[tuple[Any, type[Exception], str]] = [
    (3, T, "the shape is 3, expected a tuple of ints, as (3,)"),
    (None, T, "the shape is None, expected a tuple of ints"),
    ("ab", T, "the shape is 'ab', expected a tuple of ints"),
    ((2.0, 3), T, "the shape is (2.0, 3), expected a tuple of ints"),
    ((2, None), T, "the shape is (2, None), expected a tuple of ints"),
    ((-1, 3), V, "the shape is (-1, 3), expected sizes of at least 0"),
]
I = fnn.initializers  # noqa: E741 (as mathematics has it)
INITIALIZERS = [
    I.zeros,
    I.constant(2.0),
    I.he_normal,
    I.glorot_uniform,
    I.normal(),
    I.uniform(0, 1),
    I.truncated_normal(),
    I.orthogonal,
]
ARGUMENT_ROWS = [
    row("mode=True", lambda: forward(MODEL, X, True), T, "mode is True", "fnn.EVAL or fnn.Train(key)"),
    row("mode=True for dense", lambda: forward(fnn.Dense(2, 3), X, True), T, "mode is True", "fnn.EVAL or fnn.Train(key)"),
    row("mode a class", lambda: forward(MODEL, X, fnn.Train), T, "mode is <class", "fnn.EVAL or fnn.Train(key)"),
    row("seed for init", lambda: fnn.init(MODEL, 0), T, "the key is 0, a int", "fnn.key(seed)"),
    row("seed for Dense", lambda: fnn.init(fnn.Dense(2, 3), 0), T, "the key is 0, a int", "fnn.key(seed)"),
    row("seed for start", lambda: fnn.start(MODEL, SGD, 0), T, "the key is 0, a int", "fnn.key(seed)"),
    row("seed for train_state", lambda: fnn.train_state(PARAMS, STATE, SGD, 0), T, "the key is 0, a int", "fnn.key(seed)"),
    row("a function in stack", lambda: fnn.stack(2, fnn.relu), T, "stack: ", "relu", "layer"),
    row("a class in stack", lambda: fnn.stack(2, fnn.Dense), T, "stack: ", "Dense", "make one with Dense(...)"),
    row("a class in residual", lambda: fnn.residual(fnn.Dense), T, "residual: ", "Dense", "make one with Dense(...)"),
    row("narrow bias", lambda: fnn.dense(fnn.DenseParams(DENSE.weight, X[0, :1]), X), V, "dense: ", "bias", "(1,)", "(3,)"),
    row("wide bias", lambda: fnn.dense(fnn.DenseParams(DENSE.weight, np.ones(4, np.float32)), X), V, "dense: ", "bias", "(4,)"),
    row("vector for weight", lambda: fnn.dense(fnn.DenseParams(X[0], X[0]), X), V, "dense: ", "weight", "(2,)"),
    row("list for weight", lambda: fnn.dense(fnn.DenseParams([[1.0], [2.0]], [0.0]), X), T, "dense: ", "weight is a list"),
    row("integer weight", lambda: fnn.dense(fnn.LinearParams(np.ones((2, 3), int)), X), T, "dense: ", "weight is i64[2,3]"),
    row(
        "narrow running mean", lambda: fnn.batch_norm(NORM, fnn.BatchNormState.init(1), X, fnn.EVAL), V,
        "batch_norm: ", "mean", "(1,)", "(2,)",
    ),
    row(
        "running mean in training", lambda: fnn.batch_norm(NORM, fnn.BatchNormState.init(1), X, TRAIN), V,
        "batch_norm: ", "(1,)",
    ),
    row("norm of None", lambda: fnn.batch_norm(NORM, None, X, TRAIN), T, "batch_norm: ", "state is None"),
    row("eps of bce", lambda: fnn.bce(Y, Y, eps=0.7), V, "bce: eps is 0.7"),
    row(
        "momentum of batch_norm", lambda: fnn.batch_norm(NORM, RUNNING, X, TRAIN, momentum=5.0), V,
        "batch_norm: momentum is 5.0",
    ),
    row("a string for a rate", lambda: fnn.Sgd("0.1"), T, "Sgd: learning_rate is '0.1', a str", "number"),
    row("a string for a drop rate", lambda: fnn.Dropout("0.5"), T, "Dropout: drop_rate is '0.5', a str", "number"),
    row("params for the optimiser state", lambda: fnn.update(SGD, GRADS, PARAMS, TS.opt), T, "update: ", "tuple", "OptState"),
    row("params for the TrainState", lambda: STEP(PARAMS, X, Y), T, "train_step: ", "tuple", "TrainState"),
    row("aux forgotten", lambda: step(fnn.supervised(MODEL, fnn.mse), has_aux=True), T, "train_step: ", "(loss, (state, aux))"),
    row("a function for a model", lambda: fnn.supervised(fnn.relu, fnn.mse), T, "supervised: ", "relu", "layer"),
    row("half a batch", lambda: fnn.predict(MODEL, PARAMS, STATE, X, batch_size=1.5), T, "predict: batch_size is 1.5"),
]  # fmt: skip
INITIALIZER_ROWS = [
    *[
        row(f"{init} {shape}", partial(init, KEY, shape), error, "initializers: ", message)
        for init in INITIALIZERS
        for shape, error, message in SHAPES
    ],
    *[
        row(f"{init} of {dtype}", partial(init, KEY, (2, 2), dtype), T, f"the dtype is {np.dtype(dtype)}", "floating")
        for init in INITIALIZERS
        for dtype in (int, bool, complex, object)
    ],
    *[
        row(f"{init} of a seed", partial(init, 0, (2, 2)), T, "initializers: the key is 0, a int", "fnn.key(seed)")
        for init in INITIALIZERS[2:]
    ],
    row(
        "orthogonal vector", lambda: I.orthogonal(KEY, (3,)), V,
        "initializers.orthogonal: the shape is (3,)", "at least two axes",
    ),
    row("negative scale", lambda: I.normal(-1.0), V, "initializers.normal: scale is -1.0", "at least 0"),
    row(
        "negative truncated", lambda: I.truncated_normal(-1.0), V,
        "initializers.truncated_normal: scale is -1.0", "at least 0",
    ),
    row("infinite scale", lambda: I.normal(INF), V, "initializers.normal: scale is inf", "finite"),
    row("nan", lambda: I.constant(NAN), V, "initializers.constant: value is nan", "finite"),
    row("a string", lambda: I.constant("1"), T, "initializers.constant: value is '1', a str", "number"),
    row("an array", lambda: I.normal(X), T, "initializers.normal: scale is", "a ndarray", "number"),
    row("high below low", lambda: I.uniform(1.0, 0.5), V, "initializers.uniform: high is 0.5", "at least 1.0"),
]  # fmt: skip

TABLE: dict[str, list[Mistake]] = {
    "dense": DENSE_ROWS,
    "norm": NORM_ROWS,
    "dropout": DROPOUT_ROWS,
    "activation": ACTIVATION_ROWS,
    "loss": LOSS_ROWS,
    "spec": SPEC_ROWS,
    "layer": LAYER_ROWS,
    "tree": TREE_ROWS,
    "training": TRAINING_ROWS,
    "initializer": INITIALIZER_ROWS,
    "argument": ARGUMENT_ROWS,
}


def check(mistake: Mistake) -> None:
    with pytest.raises(mistake.error) as caught:
        mistake.call()
    assert type(caught.value) is mistake.error
    text = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])
    for fragment in mistake.says:
        assert fragment in text, f"{fragment!r} is not in {text!r}"


@pytest.mark.parametrize("mistake", [pytest.param(m, id=f"{part}: {m.what}") for part, rows in TABLE.items() for m in rows])
def test_a_mistake_is_told_with_place_found_expected_and_advice(mistake: Mistake) -> None:
    before = global_state()
    check(mistake)
    assert global_state() == before


# Mistakes that are not told well yet, each with what should be said.
# Notes of chains


def notes(call: Callable[[], object]) -> list[str]:
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    return list(getattr(caught.value, "__notes__", []))


def test_an_error_inside_a_chain_names_the_part() -> None:
    wrong = X[:, :1]
    assert notes(lambda: forward(MODEL, wrong)) == ["in part [0] of the chain, Dense(2, 3)"]
    last = fnn.Dense(2, 3) >> fnn.relu >> fnn.Dense(2, 1)
    assert notes(lambda: forward(last, X)) == ["in part [2] of the chain, Dense(2, 1)"]
    assert notes(lambda: forward(fnn.Dropout(0.5) >> fnn.BatchNorm(3), X)) == ["in part [1] of the chain, BatchNorm(3)"]

    def flatten_all(x: Any) -> Any:
        return x.reshape(3, 3)

    assert notes(lambda: forward(fnn.Dense(2, 3) >> flatten_all, X)) == ["in part [1] of the chain, flatten_all"]


def test_an_error_inside_a_nested_chain_names_every_part_from_the_inside() -> None:
    inner = fnn.Dense(3, 3) >> fnn.Dense(2, 1)
    outer = fnn.Dense(2, 3) >> inner
    assert notes(lambda: forward(outer, X)) == [
        "in part [1] of the chain, Dense(2, 1)",
        "in part [1] of the chain, Dense(3, 3) >> Dense(2, 1)",
    ]
    step = fnn.train_step(fnn.supervised(outer, fnn.mse), SGD)
    assert len(notes(lambda: step(fnn.start(outer, SGD, KEY), X, Y))) == 2
    assert notes(lambda: fnn.predict(outer, *fnn.init(outer, KEY), X, batch_size=2))[0].startswith("in part [1]")


def test_a_failed_step_leaves_the_train_state_as_it_was() -> None:
    before = [leaf.copy() for leaf in fnn.tree.leaves(TS)]
    for _ in range(2):
        with pytest.raises(ValueError, match="mse"):
            STEP(TS, X, Y[:, 0])
    assert all(np.array_equal(a, b) for a, b in zip(before, fnn.tree.leaves(TS), strict=True))
    after, _ = STEP(TS, X, Y)
    assert after.step == 1


def test_a_step_without_its_target_says_what_a_batch_is() -> None:
    model: Any = fnn.Dense(3, 2)
    step: Any = fnn.train_step(fnn.supervised(model, fnn.mse), fnn.Sgd(0.1))
    ts = fnn.start(model, fnn.Sgd(0.1), fnn.key(0))
    x = np.ones((4, 3), np.float32)
    for batch in ((x,), (x, x, x)):
        with pytest.raises(TypeError, match=rf"a batch is x and target, as in step\(ts, x, target\), got {len(batch)} value"):
            step(ts, *batch)


# Found by a user


class OfOneOwn:
    """As a tensor of another library."""

    def __array__(self) -> Any:
        return np.ones(2)


def test_arrays_of_other_libraries_are_no_constants() -> None:
    loose: Any = fnn
    for use in (loose.grad(lambda p: np.sum(p["a"] ** 2)), loose.tree.leaves, fnn.Sgd(0.1).init):
        with pytest.raises(TypeError, match=r"OfOneOwn is no NumPy array, .* np\.asarray"):
            use({"a": np.ones(2), "b": OfOneOwn()})


def test_arrays_that_compute_unlike_arrays_are_refused() -> None:
    x: Any = np.ones((4, 2), np.float32)
    model = fnn.Dense(2, 1)
    ts = fnn.start(model, fnn.Sgd(0.1), fnn.key(0))
    step = fnn.train_step(fnn.supervised(model, fnn.mse), fnn.Sgd(0.1))
    for _ in range(3):
        ts, _ = step(ts, x, x[:, :1])
    for given in (np.ma.masked_array(x, x > 2), x.view(np.matrix)):
        with pytest.raises(TypeError, match=r"dense: x is a (MaskedArray|matrix), which computes unlike"):
            step(ts, given, x[:, :1])
        with pytest.raises(TypeError, match=r"mse: target is a (MaskedArray|matrix)"):
            fnn.mse(x, given)


@pytest.mark.parametrize(
    ("init", "error", "message"),
    [
        (
            lambda k, s: np.zeros(s),
            TypeError,
            r"DenseParams\.init: the initializer .* gave f64\[2,3\], expected a float32 array",
        ),
        (lambda k, s: 0.0, TypeError, "gave a float, expected a float32 array"),
        (lambda k, s: np.zeros((3, 2), np.float32), ValueError, r"gave the shape \(3, 2\), expected \(2, 3\)"),
        (fnn.initializers.normal, TypeError, r"makes an initializer; write initializers\.normal\(\.\.\.\)"),
    ],
)
def test_what_an_initialiser_gives_is_looked_at(init: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fnn.init(fnn.Dense(2, 3, weight_init=init), fnn.key(0))


PARAMS_OF_KEYS: dict[str, Callable[[Any], Any]] = {
    "DenseParams": lambda key: fnn.DenseParams.init(key, 2, 3),
    "LinearParams": lambda key: fnn.LinearParams.init(key, 2, 3),
    "ConvParams": lambda key: fnn.ConvParams.init(key, 2, 3, (3, 3)),
    "KernelParams": lambda key: fnn.KernelParams.init(key, 2, 3, (3, 3)),
    "EmbeddingParams": lambda key: fnn.EmbeddingParams.init(key, 2, 3),
    "RecurrentParams": lambda key: fnn.RecurrentParams.init(key, 2, 3, gates=4),
    "AttentionParams": lambda key: fnn.AttentionParams.init(key, 4, heads=2),
    "Chain": lambda key: (fnn.Dense(2, 3) >> fnn.relu).init(key),
}


@pytest.mark.parametrize("name", PARAMS_OF_KEYS)
def test_parameters_are_made_with_a_key(name: str) -> None:
    for key in (0, np.random.default_rng(0)):
        with pytest.raises(TypeError, match=rf"{name}\.init: the key is .*fnn\.key\(seed\)"):
            PARAMS_OF_KEYS[name](key)


def test_calls_the_wrong_way_round_say_so() -> None:
    loose: Any = fnn
    x = np.ones((4, 2), np.float32)
    model, opt = fnn.Dense(2, 1), fnn.Sgd(0.1)
    loss = fnn.supervised(model, fnn.mse)
    ts, step = fnn.start(model, opt, fnn.key(0)), fnn.train_step(loss, opt)
    for arguments in ((step, 3, ts), (3, ts, step), (2.0, step, ts), (True, step, ts)):
        with pytest.raises(TypeError, match=r"write fnn\.repeat\(n, step, ts, \*batch\)"):
            loose.repeat(*arguments, x, x[:, :1])
    with pytest.raises(ValueError, match="repeat: n is -2"):
        fnn.repeat(-2, step, ts, x, x[:, :1])
    with pytest.raises(TypeError, match=r"tree\.map: the function comes first, and here is DenseParams"):
        loose.tree.map(ts.params, np.tanh)
    with pytest.raises(TypeError, match=r"fit: the step is a loss, .*write fnn\.train_step\(loss, opt\)"):
        loose.fit(loss, ts, (x, x[:, :1]))
    with pytest.raises(TypeError, match=r"the criterion is MSE.*a metric is measured by fnn\.evaluate"):
        loose.supervised(model, fnn.metrics.MSE())

    class Measured:
        measure = "its own"

        def __call__(self, y: Any, target: Any) -> Any:
            return fnn.mse(y, target)

    assert loose.supervised(model, Measured()) is not None
    for _ in range(2):  # ordinary, planned
        with pytest.raises(TypeError, match=r"opt is Adam\(.*replace\(ts, opt=new_opt\.init\(ts\.params\)\)"):
            step(dataclasses.replace(ts, opt=loose.Adam(0.1)), x, x[:, :1])
        ts, _ = step(ts, x, x[:, :1])


def test_what_a_loss_is_called_with_is_said_where_it_takes_something_else() -> None:
    loose: Any = fnn
    opt = fnn.Sgd(0.1)
    ts = fnn.start(fnn.Dense(2, 1), opt, fnn.key(0))

    def of_two(params: Any, x: Any) -> Any:
        return np.sum(x)

    with pytest.raises(TypeError, match="takes 2 positional arguments but 5 were given") as raised:
        loose.train_step(of_two, opt)(ts, np.ones(2), np.ones(2))
    assert raised.value.__notes__[-1].startswith("train_step: a loss is called as loss(params, state, mode, *batch)")

    def fails_inside(params: Any, state: Any, mode: Any) -> Any:
        return len(3)  # type: ignore[arg-type]  # the mistake

    with pytest.raises(TypeError) as raised:
        loose.train_step(fails_inside, opt)(ts)
    assert not any("is called as" in note for note in getattr(raised.value, "__notes__", []))

    def of_three(params: Any, state: Any, mode: Any) -> Any:
        return np.sum(params.weight), state, 1

    with pytest.raises(TypeError, match=r"must return \(loss, state\), or with has_aux=True \(loss, \(state, aux\)\)"):
        loose.train_step(of_three, opt, has_aux=True)(ts)


def test_data_as_lists_do_not_fill_the_screen() -> None:
    loose: Any = fnn
    rows = np.ones((500, 10)).tolist()
    for call in (
        lambda: list(loose.batches((rows, rows), 32)),
        lambda: loose.dense(None, rows),
        lambda: loose.grad(np.sum)(rows),
    ):
        with pytest.raises((TypeError, ValueError)) as raised:
            call()
        assert len(str(raised.value)) < 2_000
    assert fnn.tree.show([0.5] * 500) == "[0.5, 0.5, 0.5, ... 500 in all]"
    assert len(fnn.tree.show([np.ones(2)] * 30).split(", ")) == 30
