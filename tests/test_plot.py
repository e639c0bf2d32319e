"""Pictures by their structure: which artists there are, with which data, labels, limits and text."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fnn
from fnn.arrays import Value

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib.figure import Figure  # noqa: E402 (after the skip)

ROOT = Path(__file__).parents[1]
plot: Any = fnn.plot  # bad input is passed on purpose; tests/typing/right/plot.py checks the types
rng = np.random.default_rng(0)
Z = rng.normal(size=(4, 4))
LINE = plot.RateSearch(np.array([0.1, 1.0, 2.0]), np.array([2.0, 1.0, 9.0]), np.array([2.0, 1.2, 8.0]), 0.5)
NET = fnn.Dense(2, 3) >> fnn.tanh >> fnn.Dense(3, 1)
PARAMS = fnn.tree.astype(fnn.init(NET, fnn.key(0))[0], np.float64)

# every function, and how many Axes its picture has
PICTURES: dict[str, tuple[int, Callable[..., Any]]] = {
    "curves": (1, lambda **o: plot.curves([3.0, 2.0, 1.0], **o)),
    "learning_rates": (1, lambda **o: plot.learning_rates(LINE, **o)),
    "decision_boundary": (1, lambda **o: plot.decision_boundary(lambda x: x[:, 0], Z[:, :2], np.arange(4) % 2, **o)),
    "surfaces": (2, lambda **o: plot.surfaces(Z, Z, {"a": Z, "b": Z}, **o)),
    "activations": (2, lambda **o: plot.activations([fnn.relu, fnn.tanh], **o)),
    "histograms": (4, lambda **o: plot.histograms(PARAMS, **o)),
    "confusion_matrix": (1, lambda **o: plot.confusion_matrix(np.eye(3), **o)),
    "filters": (1, lambda **o: plot.filters(np.ones((4, 3)), **o)),
    "network": (1, lambda **o: plot.network(NET, PARAMS, np.ones(2), **o)),
    "attention_maps": (3, lambda **o: plot.attention_maps(np.full((3, 2, 2), 0.5), **o)),
}
SEVERAL = [name for name, (n, _) in PICTURES.items() if n > 1]


def texts(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts]


def labels(ax: Any) -> list[str]:
    return [line.get_label() for line in ax.lines]


def colors(ax: Any) -> list[str]:
    return [line.get_color() for line in ax.lines]


# what holds for all


def test_the_table_has_every_function_that_draws() -> None:
    drawing = {name for name in dir(plot) if getattr(getattr(plot, name), "__annotations__", {}).get("ax")}
    assert drawing == set(PICTURES)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_drawn_on_a_new_figure_and_leaves_no_trace(name: str) -> None:
    from matplotlib import pyplot as plt  # noqa: PLC0415

    settings = dict(matplotlib.rcParams)
    n, draw = PICTURES[name]
    made = draw()
    axes = made if isinstance(made, tuple) else (made,)
    assert len(axes) == n
    assert isinstance(made, tuple) == (n > 1)
    assert plt.get_fignums() == []
    assert dict(matplotlib.rcParams) == settings
    axes[0].figure.canvas.draw()  # what cannot be laid out warns, and warnings are errors


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_drawn_on_the_axes_that_are_given(name: str) -> None:
    n, draw = PICTURES[name]
    kind: Any = {"projection": "3d"} if name == "surfaces" else {}
    figure = Figure(figsize=(9, 9))
    given = figure.subplots(1, n, subplot_kw=kind)
    made = draw(ax=given)
    assert list(made if n > 1 else [made]) == list(np.ravel(given))


@pytest.mark.parametrize("name", SEVERAL)
def test_too_few_axes_are_refused(name: str) -> None:
    n, draw = PICTURES[name]
    kind: Any = {"projection": "3d"} if name == "surfaces" else {}
    with pytest.raises(ValueError, match=f"{name}: ax has {n - 1} Axes but there are {n} pictures"):
        draw(ax=Figure().subplots(1, n - 1, squeeze=False, subplot_kw=kind))


@pytest.mark.parametrize("kind", ["3d", "polar"])
@pytest.mark.parametrize("name", [name for name in PICTURES if name != "surfaces"])
def test_axes_of_another_kind_are_refused(name: str, kind: str) -> None:
    n, draw = PICTURES[name]
    with pytest.raises(ValueError, match=f"{name}: ax is {kind}, but this picture is flat"):
        draw(ax=Figure().subplots(1, n, subplot_kw={"projection": kind}))


@pytest.mark.parametrize("name", PICTURES)
def test_what_is_no_axes_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name}: ax is or has a Figure, expected Axes"):
        PICTURES[name][1](ax=Figure())


def test_the_room_loads_without_matplotlib_and_says_which_extra_a_picture_needs() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = sys.modules['matplotlib.figure'] = None; import fnn, numpy as np;"
        "assert 'fnn.plot' not in sys.modules; fnn.plot.find_learning_rate\n"
        "try: fnn.plot.curves([1.0])\n"
        "except ImportError as error: print(error)"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert told == "fnn.plot.curves needs matplotlib, the extra `plot`; install it with: pip install 'fnn[plot]'\n"
    code = "import sys, fnn; fnn.plot.curves; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# curves


def test_curves_draw_values_over_steps_smoothed_with_the_raw_line_behind() -> None:
    ax = plot.curves([4.0, 1.0, 1.0], smooth=0.5, validation=([0, 2], [5.0, 2.0]))
    raw, smooth, validation = ax.lines
    assert labels(ax) == ["_raw", "train", "validation"]
    np.testing.assert_allclose(raw.get_ydata(), [4, 1, 1])
    np.testing.assert_allclose(smooth.get_ydata(), [4, 2, 10 / 7])
    np.testing.assert_allclose(smooth.get_xdata(), [0, 1, 2])
    np.testing.assert_allclose(validation.get_xdata(), [0, 2])
    np.testing.assert_allclose(validation.get_ydata(), [5, 2])
    assert raw.get_alpha() < 0.5
    assert validation.get_linestyle() == "--"
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("step", "loss", "linear")
    assert plot.curves([1.0, 2.0]).get_legend() is None


def test_smoothed_is_the_weighted_mean_of_the_past_without_what_is_not_finite() -> None:
    v = rng.normal(size=9)
    v[[0, 4]] = np.nan
    found = plot.smoothed(v, 0.7)
    assert np.isnan(found[0])
    for t in range(1, 9):
        past = [(0.7 ** (t - k), v[k]) for k in range(t + 1) if np.isfinite(v[k])]
        assert found[t] == pytest.approx(sum(w * x for w, x in past) / sum(w for w, _ in past))
    np.testing.assert_array_equal(plot.smoothed(v, 0), v)
    with pytest.raises(ValueError, match="smooth is 1"):
        plot.smoothed(v, 1)


def test_a_value_that_is_not_positive_is_a_gap_on_a_logarithmic_axis() -> None:
    ax = plot.curves([2.0, 0.0, 1.0], log=True)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [2, np.nan, 1])
    assert ax.get_yscale() == "log"
    with pytest.raises(ValueError, match="log=True but no value is positive"):
        plot.curves([0.0, -1.0], log=True)


def test_series_by_name_share_their_colour_with_their_validation() -> None:
    ax = plot.curves({"adam": [2.0, 1.0], "sgd": [3.0, 2.0]}, validation={"sgd": [4.0, 3.0]})
    assert labels(ax) == ["adam", "sgd", "sgd, validation"]
    assert colors(ax)[1] == colors(ax)[2] != colors(ax)[0]
    ax = plot.curves({"train": [2.0, 1.0], "held out": [3.0, 2.0]}, validation="held out")
    assert [line.get_linestyle() for line in ax.lines] == ["-", "--"]


@pytest.mark.parametrize("as_mapping", [False, True])
def test_records_are_drawn_by_name_where_they_have_it(as_mapping: bool) -> None:
    make: Any = dict if as_mapping else SimpleNamespace
    records = [
        make(step=10, loss=2.0, metrics={"hits": 0.1}),
        make(step=20, loss=1.0, metrics={"hits": 0.4, "val_hits": 0.3}),
        make(step=30, loss=0.5, metrics={"hits": 0.7, "val_hits": None}),
    ]
    ax = plot.curves(records)
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[10.0, 2.0], [20.0, 1.0], [30.0, 0.5]])
    ax = plot.curves(records, of="hits", validation="val_hits")
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [0.1, 0.4, 0.7])
    np.testing.assert_allclose(ax.lines[1].get_xydata(), [[20, 0.3]])
    assert ax.get_ylabel() == "hits"
    with pytest.raises(ValueError, match="no record of data has 'nothing', nor has its validation; the first has "):
        plot.curves(records, of="nothing")


def run_of_fit(**options: Any) -> list[fnn.FitRecord[Any, Any]]:
    model, opt = fnn.Dense(2, 1), fnn.Sgd(0.1)
    step = fnn.train_step(fnn.supervised(model, fnn.mse), opt)
    x, y = np.ones((8, 2), np.float32), np.zeros((8, 1), np.float32)
    ts = fnn.start(model, opt, fnn.key(0))

    def validate(ts: fnn.TrainState[Any, Any]) -> dict[str, float]:
        return {"loss": 0.5, "hits": ts.step / 10}

    return list(fnn.fit(step, ts, (x, y), epochs=3, batch_size=4, validation=validate, progress=False, **options))


def ys(ax: Any) -> list[list[float]]:
    return [line.get_ydata().tolist() for line in ax.lines]


@pytest.mark.parametrize("as_rows", [False, True])
@pytest.mark.parametrize("how", ["by itself", "by name", "as records"])
def test_records_of_fit_give_curves_of_training_and_validation(how: str, as_rows: bool) -> None:
    run = run_of_fit()
    records: Any = [record.row() for record in run] if as_rows else run  # rows are what a log gives back
    options = {"by itself": {}, "by name": {"validation": "loss"}, "as records": {"validation": records}}[how]
    ax = plot.curves(records, **options)
    assert ys(ax) == [[record.loss for record in run], [0.5, 0.5, 0.5]]
    assert labels(ax) == ["train", "validation"]
    assert [line.get_linestyle() for line in ax.lines] == ["-", "--"]


def test_a_metric_of_the_validation_alone_is_drawn_and_another_than_that_of_training() -> None:
    records = run_of_fit(log_every=1)
    ax = plot.curves(records, of="hits")
    assert (labels(ax), ax.get_ylabel(), ys(ax)) == (["validation"], "hits", [[0.2, 0.4, 0.6]])
    assert ax.lines[0].get_xdata().tolist() == [2, 4, 6]
    assert ys(plot.curves(records, validation="hits"))[1] == [0.2, 0.4, 0.6]
    ax = plot.curves(records, of="epoch_loss")  # known where an epoch ends; beside it the loss of the validation
    assert ys(ax) == [[record.epoch_loss for record in records[1::2]], [0.5, 0.5, 0.5]]
    with pytest.raises(ValueError, match=r"has 'accuracy', .*; the first has \['epoch'"):
        plot.curves(records, of="accuracy")
    with pytest.raises(ValueError, match="validation is 'accuracy' but data has"):
        plot.curves([1.0, 2.0], validation="accuracy")


def test_several_runs_by_name_have_a_colour_each() -> None:
    ax = plot.curves({"one": run_of_fit(), "two": run_of_fit()})
    assert labels(ax) == ["one", "two", "one, validation", "two, validation"]
    assert colors(ax)[:2] == colors(ax)[2:]


def test_few_points_have_marks_and_steps_are_whole() -> None:
    for values in ([1.0], [1.0, np.nan, 2.0]):  # none of these has a neighbour to be joined to
        ax = plot.curves(values)
        assert ax.lines[0].get_marker() == "o"
        assert all(float(tick).is_integer() for tick in ax.get_xticks())
    assert plot.curves(np.ones(100)).lines[0].get_marker() == "None"


# learning rates


def quadratic(w: fnn.Array1, state: None, mode: fnn.Mode) -> tuple[fnn.Scalar, None]:
    return fnn.mean(w * w), state


def search(**options: Any) -> fnn.plot.RateSearch:
    ts = fnn.train_state(np.ones(3), None, fnn.Sgd(1.0), fnn.key(0))
    found: fnn.plot.RateSearch = plot.find_learning_rate(
        lambda rate: fnn.train_step(quadratic, fnn.Sgd(rate)), ts, [()], **options
    )
    return found


def test_the_search_trains_with_each_rate_and_stops_where_the_loss_explodes() -> None:
    found = search(low=1e-3, high=1e3, n=60)
    assert len(found.rates) == len(found.losses) == len(found.smoothed) < 60
    np.testing.assert_allclose(found.rates, np.geomspace(1e-3, 1e3, 60)[: len(found.rates)])
    w: Any = 1.0
    for rate, loss in zip(found.rates, found.losses, strict=True):
        assert loss == pytest.approx(w * w)
        w -= rate * 2 * w / 3
    assert found.suggestion is not None
    assert 0.02 < found.suggestion < 1.5  # the quadratic is stable below 3
    assert found.suggestion < found.rates[found.smoothed.argmin()]


def test_the_suggestion_lies_where_the_loss_falls_most() -> None:
    from fnn.plot.learning_rate import _steepest  # noqa: PLC0415

    rates = np.geomspace(1, 64, 7)
    assert _steepest(rates, np.array([5.0, 5, 4, 1, 0.5, 9, 3])) == pytest.approx(4)
    assert _steepest(rates, np.array([1.0, 2, 3, 4, 5, 6, 7])) is None


def test_a_search_is_pure_and_repeats() -> None:
    a, b = search(n=10), search(n=10)
    np.testing.assert_array_equal(a.losses, b.losses)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"low": 0}, "0 < low < high"), ({"low": 2.0, "high": 1.0}, "0 < low < high"), ({"n": 3}, "n is 3, expected at least 8")],
)
def test_a_search_refuses_bad_bounds(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        search(**options)


def test_batches_of_a_generator_must_suffice() -> None:
    ts = fnn.train_state(np.ones(3), None, fnn.Sgd(1.0), fnn.key(0))
    with pytest.raises(ValueError, match="the batches ended after 2 of 8 steps"):
        plot.find_learning_rate(lambda rate: fnn.train_step(quadratic, fnn.Sgd(rate)), ts, iter([(), ()]), n=8)


def test_a_search_says_what_its_step_and_batches_should_be() -> None:
    ts = fnn.train_state(np.ones(3), None, fnn.Sgd(1.0), fnn.key(0))
    with pytest.raises(TypeError, match="make_step is a Sgd, expected a function of the rate"):
        plot.find_learning_rate(fnn.Sgd(0.1), ts, [()])
    with pytest.raises(TypeError, match=r"a batch is f64\[4\], expected the arguments of a step.*\[\(x, y\)\]"):
        plot.find_learning_rate(lambda rate: fnn.train_step(quadratic, fnn.Sgd(rate)), ts, (np.ones(4), np.ones(4)))


def test_the_picture_of_a_search_marks_the_suggestion_and_shows_the_fall() -> None:
    ax = plot.learning_rates(LINE)
    assert labels(ax) == ["_raw", "loss, smoothed", "suggestion: 5.0e-01"]
    assert ax.get_xscale() == "log"
    assert ax.get_ylim()[1] < 3
    assert len(plot.learning_rates(LINE._replace(suggestion=None)).lines) == 2


# decision boundary


def test_regions_and_lines_of_logits_are_exact_between_the_points_of_the_grid() -> None:
    def predict(x: Any) -> Any:  # a diagonal line, and one region of each of classes 0 and 2 without 1 between them
        score = x[:, 0] - x[:, 1] / 3
        return np.stack([-score, np.full(len(x), -99.0), score], 1)

    ax = plot.decision_boundary(predict, Z[:, :2], np.arange(4) % 3, resolution=11)
    regions, line = [c for c in ax.collections[:3] if c.get_alpha()], [c for c in ax.collections[:3] if not c.get_alpha()]
    assert (len(regions), len(line)) == (2, 1)
    points = np.concatenate([path.vertices for path in line[0].get_paths()])
    np.testing.assert_allclose(points[:, 0], points[:, 1] / 3, atol=1e-9)


def test_labels_and_predictions_may_be_booleans_and_the_legend_covers_no_point() -> None:
    x = np.array([[0.0, 0.0], [1.0, 1.0], [1.0, 0.9]])  # the upper right is taken
    ax = plot.decision_boundary(lambda x: x[:, 0] > 0.5, x, x[:, 0] > 0.5)
    ax.figure.canvas.draw()
    box = ax.get_legend().get_window_extent()
    assert not any(box.contains(*place) for place in ax.transData.transform(x))
    np.testing.assert_allclose(ax.collections[-1].get_offsets(), x[1:])


@pytest.mark.parametrize("kind", ["logits", "score", "numbers", "probability"])
def test_the_boundary_of_a_plane_is_where_the_model_changes_its_mind(kind: str) -> None:
    predict: dict[str, Callable[[Any], Any]] = {
        "logits": lambda x: np.stack([0 * x[:, 0], x[:, 0] - 1], 1),
        "score": lambda x: x[:, :1] - 1,
        "numbers": lambda x: (x[:, 0] > 1).astype(int),
        "probability": lambda x: fnn.sigmoid(x[:, 0] - 1),
    }
    x = np.array([[0.0, 0.0], [2.0, 1.0], [2.0, 0.0]])
    ax = plot.decision_boundary(
        predict[kind], x, np.array([0, 1, 1]), names=["no", "yes"], threshold=0.5 if kind == "probability" else 0, resolution=51
    )
    left, right, boundary, no, yes = ax.collections
    vertices = np.concatenate([path.vertices for path in boundary.get_paths()])
    np.testing.assert_allclose(vertices[:, 0], 1, atol=0.05)
    np.testing.assert_allclose(no.get_offsets(), x[:1])
    np.testing.assert_allclose(yes.get_offsets(), x[1:])
    assert ax.get_legend_handles_labels()[1] == ["no", "yes"]
    np.testing.assert_allclose([*ax.get_xlim(), *ax.get_ylim()], [-0.2, 2.2, -0.1, 1.1])
    for region, first, last in ((left, -0.2, 1), (right, 1, 2.2)):
        edge = region.get_paths()[0].vertices[:, 0]
        np.testing.assert_allclose([edge.min(), edge.max()], [first, last], atol=0.05)


def test_the_model_sees_the_dtype_of_the_data() -> None:
    seen = []

    def predict(x: fnn.Array2) -> fnn.Array:
        seen.append(x.dtype)
        return x[:, 0]

    plot.decision_boundary(predict, Z[:, :2].astype(np.float32), np.zeros((4, 1)), resolution=4)
    assert seen == [np.float32]


# surfaces


def test_surfaces_share_limits_and_colours() -> None:
    a, b = plot.surfaces(Z, Z, {"low": 0 * Z - 1, "high": 0 * Z + 5})
    assert a.get_zlim() == b.get_zlim() == (-1, 5)
    assert a.collections[0].get_clim() == b.collections[0].get_clim() == (-1, 5)
    assert (a.get_title(), b.get_title()) == ("low", "high")


def test_what_is_not_finite_is_a_hole_in_a_surface() -> None:
    (ax,) = plot.surfaces(Z, Z, {"a": np.where(Z > 0.5, np.inf, Z)})
    assert ax.get_zlim() == (Z[Z <= 0.5].min(), Z[Z <= 0.5].max())


def test_flat_axes_are_refused_for_surfaces() -> None:
    with pytest.raises(ValueError, match="surfaces: ax is not three-dimensional"):
        plot.surfaces(Z, Z, {"a": Z}, ax=Figure().add_subplot())


# activations


@pytest.mark.parametrize("f", [fnn.tanh, fnn.sigmoid, fnn.gelu, fnn.relu])
def test_the_derivative_is_that_of_the_function(f: Callable[[Value], Value]) -> None:
    (ax,) = plot.activations(f, low=-2, high=3)
    value, slope = ax.lines[:2]
    x = np.asarray(value.get_xdata())
    np.testing.assert_allclose(value.get_ydata(), f(x))
    h = 1e-6
    smooth = np.abs(x) > 1e-3
    np.testing.assert_allclose(np.asarray(slope.get_ydata())[smooth], ((f(x + h) - f(x - h)) / 2 / h)[smooth], atol=1e-6)
    assert ax.get_title() == f.__name__
    assert ax.get_xlim() == (-2, 3)
    assert labels(ax)[:2] == ["f", "f\N{PRIME}"]


def test_functions_of_one_name_are_all_drawn_and_where_one_is_not_defined_there_is_a_gap() -> None:
    axes = plot.activations([lambda x: 2 * x, lambda x: 3 * x])
    assert [ax.lines[1].get_ydata()[0] for ax in axes] == [2, 3]
    (ax,) = plot.activations(fnn.log)
    assert np.isnan(ax.lines[0].get_ydata()[:200]).all()


# histograms


def test_histograms_count_every_finite_number_by_path() -> None:
    params = {"w": np.array([1.0, 2.0, 2.0, np.nan]), "b": (np.zeros(3),)}
    grads = {"w": np.array([5.0, 6.0, 7.0, 8.0]), "b": (np.ones(3),)}
    axes = plot.histograms(params, grads, bins=4)
    assert [ax.get_title() for ax in axes] == [
        "['w']  [4]",
        "gradient of ['w']  [4]",
        "['b'][0]  [3]",
        "gradient of ['b'][0]  [3]",
    ]
    assert [sum(bar.get_height() for bar in ax.patches) for ax in axes] == [3, 4, 3, 3]
    assert texts(axes[0]) == ["mean 1.7\nstd 0.47\n1 not finite"]
    assert texts(axes[1]) == ["mean 6.5\nstd 1.1"]
    assert axes[0].patches[0].get_facecolor() != axes[1].patches[0].get_facecolor()
    assert all(float(tick).is_integer() for ax in axes for tick in ax.get_yticks())


def test_a_gradient_that_has_exploded_is_still_drawn() -> None:
    (ax,) = plot.histograms(np.array([1e300, -1e300]))
    assert texts(ax) == ["mean 0\nstd inf"]


# confusion matrix


def test_the_cells_have_counts_and_shares_of_the_true_class() -> None:
    ax = plot.confusion_matrix(np.array([[6, 2], [1, 3]]), names=["a", "bees"])
    assert texts(ax) == ["6\n75%", "2\n25%", "1\n25%", "3\n75%"]
    np.testing.assert_allclose(ax.images[0].get_array(), [[0.75, 0.25], [0.25, 0.75]])
    assert ax.images[0].get_clim() == (0, 1)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "bees"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "bees"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "true")
    assert [text.get_color() for text in ax.texts] == ["white", "black", "black", "white"]


def test_large_counts_are_written_in_full() -> None:
    assert texts(plot.confusion_matrix([[1234567, 0], [0.25, 0.75]]))[::2] == ["1234567\n100%", "0.25\n25%"]


def test_a_class_that_never_came_and_many_classes() -> None:
    assert texts(plot.confusion_matrix([[0, 0], [1, 1]])) == ["0", "0", "1\n50%", "1\n50%"]
    ax = plot.confusion_matrix(np.eye(50))
    assert texts(ax) == []
    assert len(ax.get_xticks()) <= 20


# filters


def test_dense_filters_are_the_columns_as_images() -> None:
    weight = np.arange(24.0).reshape(6, 4) - 12
    ax = plot.filters(weight, shape=(2, 3), columns=2)
    image = ax.images[0].get_array()
    assert image is not None
    assert image.shape == (2 * 2 + 1, 3 * 2 + 1)
    np.testing.assert_allclose(image[:2, :3], weight[:, 0].reshape(2, 3))
    np.testing.assert_allclose(image[:2, 4:], weight[:, 1].reshape(2, 3))
    np.testing.assert_allclose(image[3:, :3], weight[:, 2].reshape(2, 3))
    assert image.mask[2].all()
    assert ax.images[0].get_clim() == (-12, 12)


def test_kernels_have_a_row_for_each_input_channel() -> None:
    kernel = rng.normal(size=(3, 2, 2, 5))
    image = plot.filters(kernel).images[0].get_array()
    assert image is not None
    assert image.shape == (2 * 3 + 1, 5 * 2 + 4)
    np.testing.assert_allclose(image[4:, 3:5], kernel[:, :, 1, 1])


# network


def test_the_graph_has_the_numbers_of_a_backpropagation() -> None:
    x, y = np.array([[0.5, -1.5]]), np.array([[2.0]])

    def loss(params: Any, x: Any) -> Any:
        return fnn.mse(fnn.predict(NET, params, (None, None, None), x), y)

    def of_both(both: Any) -> Any:
        return loss(*both)

    grads, dx = fnn.grad(of_both)((PARAMS, x))
    ax = plot.network(NET, PARAMS, x, lambda p: fnn.mse(p, y), inputs=["left", "right"])
    written = texts(ax)
    hidden = np.tanh(x @ PARAMS[0].weight + PARAMS[0].bias)
    from_hidden: Any = lambda h: fnn.mse(fnn.dense(PARAMS[2], h), y)  # noqa: E731 (typed as anything)
    d_hidden = fnn.grad(from_hidden)(hidden)
    for array in (
        x,
        hidden,
        *fnn.tree.leaves(PARAMS),
        *fnn.tree.leaves(grads),
        dx,
        d_hidden,
    ):
        for value in np.ravel(array):
            assert any(number(value) == text.removeprefix("b ") for text in written), value
    assert {"left", "right", "input", "tanh", "linear", f"loss\n{number(loss(PARAMS, x))}"} <= set(written)
    orange = [text for text in ax.texts if text.get_color() == "#D55E00"]
    assert len(orange) == fnn.tree.size(PARAMS) + 2 + 3 + 1
    weights = np.concatenate([PARAMS[0].weight.ravel(), PARAMS[2].weight.ravel()])
    assert [line.get_linestyle() for line in ax.lines[:9]] == ["--" if w < 0 else "-" for w in weights]


def number(value: Any) -> str:
    v = float(value)
    return (f"{v:.2f}" if v == 0 or abs(v) >= 0.095 else f"{v:.1g}").replace("-", "\N{MINUS SIGN}")


def test_without_a_loss_there_are_values_only() -> None:
    ax = plot.network(fnn.Dense(2, 2, bias=False), fnn.LinearParams(np.eye(2)), np.array([3.0, 4.0]))
    assert texts(ax) == ["1.00", "0.00", "0.00", "1.00", "3.00", "4.00", "input", "3.00", "4.00", "linear"]
    assert len(ax.patches) == 4


def test_an_example_may_be_a_list_or_whole_numbers() -> None:
    params = fnn.init(NET, fnn.key(0))[0]
    for x in ([1.0, 2.0], np.array([1, 2])):
        assert "2.00" in texts(plot.network(NET, params, x))


@pytest.mark.parametrize("model", [NET, NET[0]])
def test_the_legend_of_the_graph_fits_into_its_figure(model: Any) -> None:
    ax = plot.network(model, fnn.init(model, fnn.key(0))[0], np.ones(2, np.float32), fnn.mean)
    figure: Any = ax.figure
    figure.canvas.draw()
    box = ax.get_legend().get_window_extent()
    assert figure.bbox.x0 <= box.x0
    assert box.x1 <= figure.bbox.x1


@pytest.mark.parametrize("widths", [(2, 3, 1), (4, 5, 3), (3, 8, 2)])
def test_no_text_of_the_graph_covers_another(widths: tuple[int, int, int]) -> None:
    a, b, c = widths
    model = fnn.Dense(a, b) >> fnn.tanh >> fnn.Dense(b, c)
    ax = plot.network(model, fnn.init(model, fnn.key(0))[0], np.ones(a, np.float32), fnn.mean)
    figure: Any = ax.figure
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    for i, box in enumerate(boxes):
        for j in range(i):
            w = min(box.x1, boxes[j].x1) - max(box.x0, boxes[j].x0)
            h = min(box.y1, boxes[j].y1) - max(box.y0, boxes[j].y0)
            assert min(w, h) < 4, f"{texts(ax)[i]!r} on {texts(ax)[j]!r}"  # pixels; the boxes have some air in them


# attention


def test_attention_maps_have_a_head_each_on_one_scale() -> None:
    weights = np.abs(rng.normal(size=(2, 2, 3)))
    axes = plot.attention_maps(weights, ["who", "what"], ["a", "b", "c"], names=["first", "second"])
    assert [ax.get_title() for ax in axes] == ["first", "second"]
    for ax, values in zip(axes, weights, strict=True):
        np.testing.assert_allclose(ax.images[0].get_array(), values)
        assert ax.images[0].get_clim() == (0, weights.max())
        assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b", "c"]
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["who", "what"]
    (one,) = plot.attention_maps(np.eye(2), ["x", "y"])
    assert [label.get_text() for label in one.get_xticklabels()] == ["x", "y"]


# what is refused


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (lambda: plot.curves([]), ValueError, "curves: data is empty"),
        (lambda: plot.curves({}), ValueError, "empty mapping"),
        (lambda: plot.curves("loss"), TypeError, "curves: data is a str"),
        (lambda: plot.curves([1.0, None]), TypeError, "data is a list that holds a NoneType, expected one value for each"),
        (lambda: plot.curves(iter([1.0])), TypeError, "data is a list_iterator, expected .* a list of records"),
        (lambda: plot.curves([np.nan, np.inf]), ValueError, "no value is finite"),
        (lambda: plot.curves(([0, 1], [1.0])), ValueError, "2 steps but 1 values"),
        (lambda: plot.curves(np.ones((2, 2))), ValueError, r"data has shape \(2, 2\)"),
        (lambda: plot.curves([1.0, 2.0, 3.0], validation=[1.0]), ValueError, r"validation=\(steps, values\)"),
        (lambda: plot.curves({"a": [1.0]}, validation="b"), ValueError, "validation is 'b' but data has"),
        (lambda: plot.curves([1.0], smooth=2.0), ValueError, "smooth is 2.0"),
        (lambda: plot.learning_rates([1.0]), TypeError, "expected what find_learning_rate returns"),
        (lambda: plot.decision_boundary(len, np.ones((2, 3)), [0, 1]), ValueError, r"\(2, 3\), expected \[n, 2\]"),
        (lambda: plot.decision_boundary(len, np.ones((2, 2)), [0]), ValueError, r"labels has shape \(1,\)"),
        (lambda: plot.decision_boundary(len, np.ones((2, 2)), [0, 0.5]), ValueError, "labels has 0.5, expected class"),
        (lambda: plot.decision_boundary(lambda x: x[:3], Z[:, :2], [0] * 4), ValueError, "predict returned shape"),
        (lambda: plot.decision_boundary(lambda x: x[:, 0], Z[:, :2], [0, 1, 2, 9]), ValueError, "10 classes are too many"),
        (lambda: plot.decision_boundary(NET, Z[:, :2], [0] * 4), TypeError, "predict is a Chain, expected .*fnn.predict"),
        (lambda: plot.decision_boundary(lambda x: (x, None), Z[:, :2], [0] * 4), TypeError, "predict returned a tuple"),
        (lambda: plot.decision_boundary(lambda x: x * np.nan, Z[:, :2], [0] * 4), ValueError, "predict .* not finite"),
        (lambda: plot.decision_boundary(lambda x: -(x[:, 0] > 0).astype(int), Z[:, :2], [0] * 4), ValueError, "the class -1"),
        (lambda: plot.decision_boundary(lambda x: np.full(len(x), 10**9), Z[:, :2], [0] * 4), ValueError, "too many"),
        (lambda: plot.decision_boundary(len, Z[:, :2] * np.inf, [0] * 4), ValueError, "x has numbers that are not finite"),
        (lambda: plot.decision_boundary(len, Z[:, :2], [0, np.nan, 0, 1]), ValueError, "labels has nan, expected class"),
        (lambda: plot.decision_boundary(len, Z[:, :2], np.array(list("abab"))), TypeError, "np.unique.labels, return_inverse"),
        (lambda: plot.decision_boundary(len, Z[:, :2], np.eye(4)), ValueError, r"labels.argmax\(1\)"),
        (lambda: plot.decision_boundary(len, Z[:, :2], [0] * 4, resolution=9.5), TypeError, "resolution is 9.5, a float"),
        (lambda: plot.surfaces(Z, Z, Z), TypeError, "heights is a ndarray, expected surfaces by name"),
        (lambda: plot.surfaces(Z, Z, {"a": Z * np.nan}), ValueError, r"heights\['a'\] has no finite number"),
        (lambda: plot.surfaces(Z, Z, {"a": Z[:2]}), ValueError, r"heights\['a'\] has shape \(2, 4\)"),
        (lambda: plot.surfaces(Z, Z, {}), ValueError, "heights is empty"),
        (lambda: plot.activations(fnn.softmax), ValueError, "softmax is not elementwise"),
        (lambda: plot.activations(NET[0]), TypeError, r"Dense\(2, 3\) is a Dense, expected a function"),
        (lambda: plot.activations("relu"), TypeError, "'relu' is a str, expected a function"),
        (lambda: plot.activations([]), ValueError, "nothing to draw"),
        (lambda: plot.activations(fnn.relu, low=1, high=1), ValueError, "low < high"),
        (lambda: plot.histograms({"a": np.arange(3)}), TypeError, r"\['a'\] is i64\[3\]"),
        (lambda: plot.histograms(np.ones(2), (np.ones(2),)), ValueError, "unlike structure"),
        (lambda: plot.histograms([np.ones(2)] * 49), ValueError, "49 pictures are too many"),
        (lambda: plot.histograms(np.ones(2), bins=2.5), TypeError, "bins is 2.5, a float"),
        (lambda: plot.confusion_matrix([0, 1, 1]), ValueError, r"as fnn.metrics.ConfusionMatrix\(classes\)"),
        (lambda: plot.confusion_matrix(np.ones((2, 3))), ValueError, r"shape \(2, 3\)"),
        (lambda: plot.confusion_matrix([[1, -1], [0, 1]]), ValueError, "negative or not finite"),
        (lambda: plot.confusion_matrix(np.eye(2), names=["a"]), ValueError, "names has 1 names, expected 2"),
        (lambda: plot.confusion_matrix(np.eye(2), names="ab"), TypeError, "is the string 'ab'"),
        (lambda: plot.filters(np.ones((6, 2))), ValueError, r"6 rows, .*say shape="),
        (lambda: plot.filters(np.ones((4, 2)), shape=2), TypeError, r"shape is 2, expected \(height, width\)"),
        (lambda: plot.filters(np.ones((4, 2)), columns=0), ValueError, "columns is 0"),
        (lambda: plot.filters(np.ones((4, 300))), ValueError, "300 images are too many"),
        (lambda: plot.filters(np.ones(3)), ValueError, r"\[pixels, units\] or \[kh, kw, in, out\]"),
        (lambda: plot.filters(np.full((4, 1), np.nan)), ValueError, "not finite"),
        (lambda: plot.network(NET, PARAMS, np.ones((2, 2))), ValueError, "expected one example"),
        (lambda: plot.network(NET, PARAMS, np.ones(3)), ValueError, "x has 3 values, but the weight"),
        (lambda: plot.network(NET, PARAMS[0], np.ones(2)), ValueError, "not the parameters of"),
        (lambda: plot.network(fnn.BatchNorm(2) >> NET[0], PARAMS[:2], np.ones(2)), TypeError, r"part \[0\].*BatchNorm"),
        (
            lambda: plot.network(fnn.Dense(2, 9), fnn.init(fnn.Dense(2, 9), fnn.key(0))[0], np.ones(2)),
            ValueError,
            "too many to draw: expected at most 8 units",
        ),
        (lambda: plot.attention_maps(np.ones((1, 2, 2, 2))), ValueError, r"of one example: weights\[0\]"),
        (lambda: plot.attention_maps(-np.ones((2, 2))), ValueError, "after the softmax"),
        (lambda: plot.attention_maps(np.ones((2, 2)), ["a"]), ValueError, "tokens has 1 names, expected 2"),
        (lambda: plot.attention_maps(np.ones((33, 1, 1))), ValueError, "33 heads are too many"),
        (lambda: plot.attention_maps(np.ones((41, 41)), ["a"] * 41), ValueError, "41 labels are too many"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_words(draw: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        draw()


# the gallery


def test_the_gallery_shows_every_picture_and_is_small() -> None:
    page = (ROOT / "docs" / "plots.md").read_text()
    names = set(runpy.run_path(str(ROOT / "examples" / "gallery.py"))["PICTURES"])
    assert set(re.findall(r"\]\(pictures/(\w+)\.png\)", page)) == names >= set(PICTURES)
    files = {path.stem: path.stat().st_size for path in (ROOT / "docs" / "pictures").glob("*.png")}
    assert set(files) == names
    assert max(files.values()) < 60_000
    assert sum(files.values()) < 700_000


def test_the_gallery_writes_what_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["gallery.py", "--save", str(tmp_path / "new"), "--only", "network", "activations"])
    runpy.run_path(str(ROOT / "examples" / "gallery.py"))["main"]()
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["activations.png", "network.png"]
    assert "network.png: " in capsys.readouterr().out


def test_histograms_of_neighbouring_numbers() -> None:
    (ax,) = fnn.plot.histograms({"a": np.array([1.0, np.nextafter(1.0, 2.0)])})
    assert sum(bar.get_height() for bar in ax.patches) == 2  # type: ignore[attr-defined]  # rectangles


def test_activations_that_are_partial_have_gaps_or_are_not_elementwise() -> None:
    names = [ax.get_title() for ax in fnn.plot.activations([partial(fnn.elu, alpha=0.5), np.log])]
    assert names == ["elu", "log"]
    ax = fnn.plot.activations(np.log)[0]
    curve, slope = (np.asarray(line.get_ydata()) for line in ax.lines[:2])
    np.testing.assert_array_equal(np.isnan(curve), np.isnan(slope))
    with pytest.raises(ValueError, match="not elementwise"):
        fnn.plot.activations(lambda x: x[::-1])
