"""The reference networks: from recorded weights fnn gives the loss histories of from-scratch tutorial networks, in float64.

And the scripts under examples/, which draw weights of their own, learn what they say they learn.
"""

import importlib.util
import json
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
import pytest

import fnn

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples"
RECORDED: dict[str, Any] = json.loads((HERE / "golden" / "seed_histories.json").read_text())

Net: TypeAlias = fnn.Layer[fnn.Array2, fnn.Array2, Any, Any]
P = TypeVar("P", bound=fnn.tree.PyTree)


def array(values: Any) -> fnn.Array2:
    return np.array(values, np.float64)


class Network(NamedTuple):
    entry: str
    model: Net
    criterion: Callable[[fnn.Array2, fnn.Array2], fnn.Scalar]
    rtol: float = 1e-7
    atol: float = 0.0
    gradient_of_sum: bool = False

    @property
    def record(self) -> dict[str, Any]:
        record: dict[str, Any] = RECORDED[self.entry]
        return record

    @property
    def data(self) -> tuple[fnn.Array2, fnn.Array2]:
        return array(self.record["x"]), array(self.record["y"])

    @property
    def learning_rate(self) -> float:
        # the gradient of a sum over n examples is n times that of their mean
        learning_rate: float = self.record["learning_rate"]
        return learning_rate * len(self.record["x"]) if self.gradient_of_sum else learning_rate

    def start(self, opt: fnn.Optimizer) -> fnn.TrainState[Any, Any]:
        params, state = fnn.init(self.model, fnn.key(0))
        return fnn.train_state(recorded_weights(params, self.record), state, opt, fnn.key(0))

    def train(self, learning_rate: float | None = None) -> tuple[fnn.TrainState[Any, Any], list[fnn.Scalar]]:
        opt = fnn.Sgd(self.learning_rate if learning_rate is None else learning_rate)
        step = fnn.train_step(fnn.supervised(self.model, self.criterion), opt)
        return fnn.repeat(self.record["epochs"], step, self.start(opt), *self.data)

    def check(self, losses: list[fnn.Scalar]) -> None:
        record = self.record
        recorded = array(record["losses"])
        np.testing.assert_allclose(array(losses[:: record["every"]]), recorded, self.rtol, self.atol)
        np.testing.assert_allclose(losses[-1], record.get("final_loss", losses[-1]), self.rtol, self.atol)


def recorded_weights(params: P, record: dict[str, Any]) -> P:
    """The same tree with the recorded weights and biases, which must have its shapes."""
    weights = [array(w) for w in record["weights"]] if "weights" in record else [array(w).T for w in record["weights_out_in"]]
    given = [array(leaf) for pair in zip(weights, record["biases"], strict=True) for leaf in pair]
    leaves, structure = fnn.tree.flatten(params)
    assert [leaf.shape for leaf in given] == [leaf.shape for leaf in leaves]
    return structure.unflatten(given)


def dense_net(*widths: int, hidden: Callable[[fnn.Array2], fnn.Array2], last: Callable[[fnn.Array2], fnn.Array2]) -> Net:
    layers: list[Any] = []
    for n_in, n_out in pairwise(widths):
        layers += [fnn.Dense(n_in, n_out), hidden]
    return fnn.chain([*layers[:-1], last])


LINE = Network("000_regression", dense_net(1, 16, 1, hidden=fnn.relu, last=fnn.identity), fnn.mse)
AND = Network("001_and", dense_net(2, 1, hidden=fnn.sigmoid, last=fnn.sigmoid), fnn.mse, gradient_of_sum=True)
XOR = Network("001_xor", dense_net(2, 2, 1, hidden=fnn.sigmoid, last=fnn.sigmoid), fnn.mse, gradient_of_sum=True)
SURFACE = Network("001_surface", dense_net(2, 10, 1, hidden=fnn.sigmoid, last=fnn.sigmoid), fnn.mse, gradient_of_sum=True)
# the records of 002 and 003 have small epsilons in their logarithms, which an exact cross-entropy has not
XOR_4 = Network("002_xor", dense_net(2, 4, 1, hidden=fnn.relu, last=fnn.identity), fnn.bce_with_logits, 0.0, 1e-6)
XOR_4_PROBABILITY = Network("002_xor", dense_net(2, 4, 1, hidden=fnn.relu, last=fnn.sigmoid), fnn.bce, 0.0, 1e-6)
XOR_5 = Network("003_xor", dense_net(2, 5, 1, hidden=fnn.relu, last=fnn.sigmoid), fnn.bce, 0.0, 1e-6)
LEAKY_2 = Network("004_1_1_1", dense_net(1, 1, 1, hidden=fnn.leaky_relu, last=fnn.identity), fnn.half_mse)
LEAKY_3 = Network("004_1_4_3_1", dense_net(1, 4, 3, 1, hidden=fnn.leaky_relu, last=fnn.identity), fnn.half_mse)
NETWORKS = [LINE, AND, XOR, SURFACE, XOR_4, XOR_4_PROBABILITY, XOR_5, LEAKY_2, LEAKY_3]


def test_every_recorded_network_is_tested() -> None:
    of_one_call = {"003_backprop", "003_batchnorm"}
    assert {network.entry for network in NETWORKS} == RECORDED.keys() - {"provenance"} - of_one_call


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: f"{network.entry}-{network.criterion.__name__}")
def test_train_step_gives_the_recorded_losses_and_predictions(network: Network) -> None:
    ts, losses = network.train()
    network.check(losses)
    predictions = fnn.predict(network.model, ts.params, ts.state, network.data[0])
    recorded = network.record.get("final_predictions", predictions)
    np.testing.assert_allclose(predictions, array(recorded), network.rtol, network.atol)


@pytest.mark.parametrize("network", [AND, LEAKY_3], ids=lambda network: network.entry)
def test_value_and_grad_and_update_give_the_recorded_losses(network: Network) -> None:
    x, y = network.data
    opt = fnn.Sgd(network.learning_rate)
    ts = network.start(opt)
    params, opt_state, losses = ts.params, ts.opt, list[fnn.Scalar]()

    def loss(params: Any) -> fnn.Scalar:
        return network.criterion(fnn.predict(network.model, params, ts.state, x), y)

    for _ in range(network.record["epochs"]):
        value, grads = fnn.value_and_grad(loss)(params)
        params, opt_state = fnn.update(opt, grads, opt_state, params)
        losses.append(value)
    network.check(losses)


def test_the_order_of_a_whole_batch_changes_no_recorded_loss() -> None:
    """003 shuffles every epoch, and its mini-batch of four is all there is."""
    x, y = XOR_5.data
    opt = fnn.Sgd(XOR_5.learning_rate)
    step = fnn.train_step(fnn.supervised(XOR_5.model, XOR_5.criterion), opt)
    ts, losses = XOR_5.start(opt), list[fnn.Scalar]()
    for epoch in range(XOR_5.record["epochs"]):
        order = fnn.key(0).fold(epoch).generator().permutation(4)
        ts, loss = step(ts, x[order], y[order])
        losses.append(loss)
    XOR_5.check(losses)


def test_the_line_history_is_the_one_the_tutorial_printed() -> None:
    np.testing.assert_allclose(array(LINE.train()[1][::100]), array(LINE.record["printed"]), rtol=0, atol=0.5001e-4)


def test_the_right_gradient_at_learning_rate_0_1_fits_the_line() -> None:
    """From the recorded weights, which with a gradient divided by the batch twice are still at 8.88 after 900 epochs."""
    assert LINE.train(learning_rate=0.1)[1][-1] < 1e-4


def losses_updating_before_passing_back(network: Network, epochs: int) -> list[fnn.Scalar]:
    """The wrong order: the output layer is updated, then the error is passed back through the updated weights."""
    x, y = network.data
    opt = fnn.Sgd(network.learning_rate)
    hidden: fnn.DenseParams
    out: fnn.DenseParams
    hidden, _, out, _ = network.start(opt).params

    def first(hidden: fnn.DenseParams) -> fnn.Array2:
        return fnn.relu(fnn.dense(hidden, x))

    def second(both: tuple[fnn.DenseParams, fnn.Array2]) -> fnn.Array2:
        return fnn.dense(*both)

    losses: list[fnn.Scalar] = []
    for _ in range(epochs):
        a1, back_through_first = fnn.vjp(first, hidden)
        z2, back_through_second = fnn.vjp(second, (out, a1))
        loss, dz2 = fnn.value_and_grad(fnn.bce_with_logits)(z2, y)
        out, _ = fnn.update(opt, back_through_second(dz2)[0], opt.init(out), out)
        _, back_through_updated = fnn.vjp(second, (out, a1))
        hidden, _ = fnn.update(opt, back_through_first(back_through_updated(dz2)[1]), opt.init(hidden), hidden)
        losses.append(loss)
    return losses


def test_no_layer_is_updated_before_the_error_has_passed_back_through_it() -> None:
    """The wrong order has a history of its own, which is not the one that train_step gives."""
    wrong = array(XOR_4.record["losses_as_written"])
    every = XOR_4.record["every"]
    reproduced = array(losses_updating_before_passing_back(XOR_4, epochs=2 * every + 1)[::every])
    np.testing.assert_allclose(reproduced, wrong[:3], rtol=0, atol=1e-6)
    right = array(XOR_4.train()[1][::every])
    assert right[0] == pytest.approx(wrong[0], abs=1e-6)
    assert np.all(right[1:] > 1.5 * wrong[1:])


def test_grad_gives_the_recorded_values_of_backpropagation() -> None:
    record = RECORDED["003_backprop"]
    x, y, w1, w2 = (array(record[name]) for name in ("x", "y", "W1", "W2"))

    model = fnn.Dense(2, 3, bias=False) >> fnn.relu >> fnn.Dense(3, 1, bias=False) >> fnn.sigmoid
    params, state = fnn.init(model, fnn.key(0))
    params = (fnn.LinearParams(w1), None, fnn.LinearParams(w2), None)

    def from_z2(z2: fnn.Array2) -> fnn.Scalar:
        return fnn.bce(fnn.sigmoid(z2), y)

    def from_a1(a1: fnn.Array2) -> fnn.Scalar:
        return from_z2(fnn.dense(params[2], a1))

    def loss(params: tuple[fnn.LinearParams, None, fnn.LinearParams, None]) -> fnn.Scalar:
        return fnn.bce(fnn.predict(model, params, state, x), y)

    a1 = fnn.relu(fnn.dense(params[0], x))
    dw1, _, dw2, _ = fnn.grad(loss)(params)
    found = {
        "a2": fnn.predict(model, params, state, x),
        "dz2": fnn.grad(from_z2)(fnn.dense(params[2], a1)),
        "da1": fnn.grad(from_a1)(a1),
        "dW1": dw1.weight,
        "dW2": dw2.weight,
    }
    for name, value in found.items():
        np.testing.assert_allclose(value, array(record[name]), rtol=0, atol=1e-6, err_msg=name)


def test_batch_norm_gives_the_recorded_outputs_and_running_statistics() -> None:
    record = RECORDED["003_batchnorm"]
    x = array(record["x"])
    model = fnn.BatchNorm(4, momentum=0.1, eps=1e-5)
    params, state = fnn.tree.astype(fnn.init(model, fnn.key(0)), np.float64)
    train_output, state = fnn.forward(model, params, state, x, fnn.Train(fnn.key(0)))
    eval_output, same = fnn.forward(model, params, state, x, fnn.EVAL)
    np.testing.assert_allclose(train_output, array(record["train_output"]), rtol=1e-7)
    np.testing.assert_allclose(state.mean, array(record["running_mean"]), rtol=1e-7)
    np.testing.assert_allclose(state.var, array(record["running_var"]), rtol=1e-7)
    np.testing.assert_allclose(eval_output, array(record["eval_output"]), rtol=1e-7)
    assert same == state


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"examples.{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.usefixtures("without_matplotlib")
@pytest.mark.parametrize(
    ("name", "shows"),
    [
        ("line", "right gradient"),
        ("logic_gates", "XOR, two layers"),
        ("surface", "--save FILE draws"),
        ("xor_cross_entropy", "mini-batches of 2"),
        ("leaky_regression", "half the mean squared error"),
        ("backpropagation", "dW1 agrees"),
    ],
)
def test_an_example_runs_without_matplotlib_and_writes_no_file(
    name: str, shows: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [f"{name}.py"])
    example(name).main()
    assert shows in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_the_line_example_fits_with_the_right_gradient_and_not_in_steps_far_too_short() -> None:
    line = example("line")
    truth = 3 * line.questions + 2
    losses, answers = line.train(0.1)
    assert losses[-1] < 1e-4
    np.testing.assert_allclose(answers, truth, atol=0.1)
    losses, answers = line.train(0.0001)
    assert losses[-1] > 5
    assert np.abs(answers - truth).max() > 1


def test_the_gates_example_solves_and_with_one_unit_and_xor_with_two_layers_only() -> None:
    gates = example("logic_gates")
    losses, answers = gates.train(gates.one_unit, gates.conjunction)
    np.testing.assert_allclose(answers, gates.conjunction, atol=0.1)
    assert losses[-1] < 0.005
    losses, answers = gates.train(gates.two_layers, gates.exclusive_or)
    np.testing.assert_allclose(answers, gates.exclusive_or, atol=0.1)
    assert losses[-1] < 0.005
    losses, answers = gates.train(gates.one_unit, gates.exclusive_or)
    np.testing.assert_allclose(answers, 0.5, atol=0.01)
    assert losses[-1] == pytest.approx(0.25, abs=1e-4)


def test_the_surface_example_fits_points_that_it_was_not_trained_on() -> None:
    result = example("surface").train()
    assert result.losses[-1] < 1e-3
    np.testing.assert_allclose(result.truth, result.x1**2 + result.x2**2, atol=1e-6)
    np.testing.assert_allclose(result.prediction, result.truth, atol=0.15)
    assert np.abs(result.prediction - result.truth).mean() < 0.02


def test_the_surface_example_saves_its_drawing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "surface.png"
    monkeypatch.setattr(sys, "argv", ["surface.py", "--save", str(path)])
    example("surface").main()
    assert f"drawn to {path}" in capsys.readouterr().out
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("without_matplotlib")
def test_the_surface_example_says_that_its_drawing_needs_matplotlib(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["surface.py", "--save", str(tmp_path / "surface.png")])
    with pytest.raises(SystemExit, match="pip install matplotlib"):
        example("surface").main()


@pytest.mark.parametrize("batch_size", [4, 2])
def test_the_cross_entropy_example_solves_xor_in_batches_of_any_size(batch_size: int) -> None:
    xor = example("xor_cross_entropy")
    losses, answers = xor.train(batch_size)
    assert losses[-1] < 0.02
    np.testing.assert_allclose(answers, xor.y, atol=0.05)


def test_the_leaky_example_goes_through_its_three_points() -> None:
    leaky = example("leaky_regression")
    losses, answers = leaky.train()
    assert losses[-1] < 1e-3
    np.testing.assert_allclose(answers, leaky.y, atol=0.05)


def test_the_backpropagation_example_gets_the_recorded_values_by_hand_and_by_grad() -> None:
    steps = example("backpropagation")
    values = steps.forward()
    by_hand, by_fnn = steps.backward(values), steps.backward_by_fnn(values)
    assert by_hand.keys() == by_fnn.keys() == {"dz2", "dW2", "da1", "dz1", "dW1"}
    for name in by_hand:
        np.testing.assert_allclose(by_fnn[name], by_hand[name], rtol=1e-12, err_msg=name)
    record = RECORDED["003_backprop"]
    for name in ("a2", "dz2", "dW2", "da1", "dW1"):
        np.testing.assert_allclose({**values, **by_hand}[name], array(record[name]), rtol=0, atol=1e-6, err_msg=name)
