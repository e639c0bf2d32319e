"""Every picture that fnn.plot draws, from nets that are trained for it in half a minute.

`python examples/gallery.py --save docs/pictures` makes those in docs/plots.md again.
"""

import argparse
import io
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import fnn
from fnn.datasets import digits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

plot = fnn.plot
WORDS = ["the", "cat", "sat", "on", "the", "old", "mat", "."]


def spirals(n: int, key: fnn.Key) -> tuple[fnn.Array2, fnn.Int1]:
    """Three arms that wind around each other: points [3 n, 2] and the number of each one's arm."""
    rng = key.generator()
    arm = np.repeat(np.arange(3), n)
    along = np.tile(np.linspace(0.1, 1, n), 3)
    angle = 2 * np.pi * arm / 3 + 4 * along + rng.normal(0, 0.12, 3 * n)
    return np.stack([along * np.cos(angle), along * np.sin(angle)], 1).astype(np.float32), arm


def curves() -> "Axes":
    data = digits()
    model = fnn.Dense(64, 64) >> fnn.relu >> fnn.Dropout(0.3) >> fnn.Dense(64, 10)
    opt = fnn.Adam(2e-3)
    step = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), opt)
    ts = fnn.start(model, opt, fnn.key(0))

    def validate(ts: fnn.TrainState[Any, Any]) -> dict[str, float]:
        return fnn.evaluate(model, ts, (data.test_x, data.test_y), {"loss": fnn.cross_entropy})

    train = (data.train_x, data.train_y)
    run = fnn.fit(step, ts, train, epochs=13, log_every=1, validation=validate, validate_every=40, progress=False)
    return plot.curves(list(run), smooth=0.9, log=True)


def learning_rates() -> "Axes":
    data = digits()
    model = fnn.Dense(64, 64) >> fnn.relu >> fnn.Dense(64, 10)
    loss = fnn.supervised(model, fnn.cross_entropy)
    rows = fnn.key(1).generator().integers(len(data.train_y), size=(100, 64))
    batches = [(data.train_x[batch], data.train_y[batch]) for batch in rows]
    ts = fnn.start(model, fnn.Adam(1e-3), fnn.key(0))
    found = plot.find_learning_rate(lambda rate: fnn.train_step(loss, fnn.Adam(rate)), ts, batches, low=1e-5, high=3.0)
    return plot.learning_rates(found)


def decision_boundary() -> "Axes":
    x, y = spirals(60, fnn.key(0))
    model = fnn.Dense(2, 32) >> fnn.tanh >> fnn.Dense(32, 32) >> fnn.tanh >> fnn.Dense(32, 3)
    opt = fnn.Adam(0.01)
    step = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), opt)
    ts, _ = fnn.repeat(400, step, fnn.start(model, opt, fnn.key(1)), x, y)
    names = ["first arm", "second arm", "third arm"]
    return plot.decision_boundary(partial(fnn.predict, model, ts.params, ts.state), x, y, names=names)


def surfaces() -> "Axes":
    axis = np.linspace(-2, 2, 33, dtype=np.float32)
    x1, x2 = np.meshgrid(axis, axis)
    truth: fnn.Array2 = np.sin(2 * x1) * np.cos(x2)
    x = np.stack([x1.ravel(), x2.ravel()], 1)
    model = fnn.Dense(2, 32) >> fnn.tanh >> fnn.Dense(32, 1)
    opt = fnn.Adam(0.02)
    step = fnn.train_step(fnn.supervised(model, fnn.mse), opt)
    ts, _ = fnn.repeat(600, step, fnn.start(model, opt, fnn.key(0)), x, truth.reshape(-1, 1))
    prediction = fnn.predict(model, ts.params, ts.state, x).reshape(x1.shape)
    return plot.surfaces(x1, x2, {"truth: $\\sin 2x_1 \\cos x_2$": truth, "prediction": prediction})[0]


def activations() -> "Axes":
    return plot.activations(
        [fnn.relu, fnn.leaky_relu, fnn.elu, fnn.selu, fnn.gelu, fnn.silu, fnn.sigmoid, fnn.tanh], low=-3.5, high=3.5
    )[0]


def histograms() -> "Axes":
    data = digits()
    model = fnn.Dense(64, 32) >> fnn.relu >> fnn.Dense(32, 10)
    opt = fnn.Adam(2e-3)
    loss = fnn.supervised(model, fnn.cross_entropy)
    ts, _ = fnn.repeat(60, fnn.train_step(loss, opt), fnn.start(model, opt, fnn.key(0)), data.train_x, data.train_y)
    grads, _ = fnn.grad(loss, has_aux=True)(ts.params, ts.state, fnn.EVAL, data.train_x[:64], data.train_y[:64])
    return plot.histograms(ts.params, grads)[0]


def confusion_matrix() -> "Axes":
    data = digits()
    model = fnn.Dense(64, 10)
    opt = fnn.Adam(1e-2)
    step = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), opt)
    ts, _ = fnn.repeat(40, step, fnn.start(model, opt, fnn.key(0)), data.train_x, data.train_y)
    return plot.confusion_matrix(fnn.evaluate(model, ts, (data.test_x, data.test_y), fnn.metrics.ConfusionMatrix(10)))


def filters() -> "Axes":
    data = digits()
    model = fnn.Dense(64, 24) >> fnn.relu >> fnn.Dense(24, 10)
    opt = fnn.AdamW(3e-3, weight_decay=0.3)
    step = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), opt)
    ts, _ = fnn.repeat(300, step, fnn.start(model, opt, fnn.key(0)), data.train_x, data.train_y)
    return plot.filters(ts.params[0].weight, columns=8)


def kernels() -> "Axes":
    data = digits()
    x, y = data.train_x[:500].reshape(-1, 8, 8, 1), data.train_y[:500]
    model = fnn.Conv2d(1, 12, 5) >> fnn.relu >> fnn.flatten >> fnn.Dense(8 * 8 * 12, 10)
    opt = fnn.AdamW(3e-3, weight_decay=0.3)
    step = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), opt)
    ts, _ = fnn.repeat(60, step, fnn.start(model, opt, fnn.key(0)), x, y)
    return plot.filters(ts.params[0].kernel, columns=6)


def network() -> "Axes":
    model = fnn.Dense(2, 3) >> fnn.tanh >> fnn.Dense(3, 1) >> fnn.sigmoid
    params, _ = fnn.init(model, fnn.key(6))
    y = np.ones((1, 1), np.float32)
    x = np.array([1.0, 2.0], np.float32)
    return plot.network(model, params, x, lambda p: fnn.bce(p, y), inputs=["$x_1$", "$x_2$"])


def attention_maps() -> "Axes":
    """A net that learns to write sentences backwards: each place has to look at its mirror image."""
    n, size = len(WORDS), 32
    model = (
        fnn.Embedding(20, size)
        >> fnn.LearnedPositions(n, size)
        >> fnn.residual(fnn.LayerNorm(size) >> fnn.Attention(size, 2))
        >> fnn.Dense(size, 20)
    )
    opt = fnn.Adam(0.01)
    step = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), opt)
    ts = fnn.start(model, opt, fnn.key(0))
    for tokens in fnn.key(1).generator().integers(20, size=(300, 64, n)):
        ts, _ = step(ts, tokens, tokens[:, ::-1])
    vocabulary = sorted(set(WORDS))
    sentence = np.array([[vocabulary.index(word) for word in WORDS]])
    before = fnn.predict(model[:2], ts.params[:2], ts.state[:2], sentence)
    norm, attention = ts.params[2]
    q, k, _ = np.split(fnn.dense(attention.qkv, fnn.layer_norm(norm, before)).reshape(1, n, 6, size // 2), 3, axis=2)
    # attention to one-hot values gives the weights themselves
    one_hot = np.broadcast_to(np.eye(n, dtype=np.float32)[np.newaxis, :, np.newaxis], (1, n, 2, n))
    weights = fnn.dot_product_attention(q, k, one_hot)[0].transpose(1, 0, 2)
    return plot.attention_maps(weights, WORDS)[0]


PICTURES: dict[str, Callable[[], "Axes"]] = {
    draw.__name__: draw
    for draw in (
        curves, learning_rates, decision_boundary, surfaces, activations, histograms, confusion_matrix, filters, kernels,
        network, attention_maps,
    )
}  # fmt: skip


def compress(figure: "Figure", path: Path) -> None:
    """The figure as a PNG of at most 256 colours, less than half of the size of what savefig writes."""
    from PIL import Image  # noqa: PLC0415 (comes with matplotlib)

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    with Image.open(buffer) as image:
        colours = image.convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        colours.save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw every picture of fnn.plot.")
    parser.add_argument(
        "--save", type=Path, metavar="FOLDER", default=Path("pictures"), help="where to write them, as .png (default: pictures)"
    )
    parser.add_argument("--only", choices=PICTURES, nargs="+", metavar="NAME", default=[*PICTURES], help="some of the pictures")
    arguments = parser.parse_args()
    folder: Path = arguments.save
    folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.only:
        path = folder / f"{name}.png"
        try:
            figure = PICTURES[name]().get_figure(root=True)
        except ImportError as error:
            sys.exit(f"gallery.py: {error}")
        assert figure is not None
        compress(figure, path)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
