"""Layers made of layers: what the laws over their table don't see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnn

# for calls that a checker refuses
loose: Any = fnn


def project(p: fnn.DenseParams, h: fnn.Array2) -> fnn.Array2:
    return fnn.matmul(h, p.weight.T)


def run(layer: Any, x: Any, mode: Any = fnn.EVAL, seed: int = 0) -> Any:
    params, state = fnn.init(layer, fnn.key(seed))
    return fnn.forward(layer, params, state, x, mode)[0]


X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


def test_branches_are_added_or_joined_in_order() -> None:
    a, b = fnn.Dense(3, 2), fnn.Dense(3, 2) >> fnn.tanh
    both = fnn.parallel(a, b)
    (pa, pb), (sa, sb) = fnn.init(both, fnn.key(0))
    ya, yb = fnn.predict(a, pa, sa, X), fnn.predict(b, pb, sb, X)
    assert fnn.tree.equal(fnn.predict(both, (pa, pb), (sa, sb), X), ya + yb)
    joined = fnn.parallel(a, b, join="concatenate")
    assert fnn.tree.equal(fnn.predict(joined, (pa, pb), (sa, sb), X), np.concatenate([ya, yb], -1))
    assert not fnn.tree.equal(pa.weight, pb[0].weight)


def test_branches_draw_different_masks() -> None:
    y = run(fnn.parallel(fnn.Dropout(0.5), fnn.Dropout(0.5)), np.ones((100, 100), np.float32), fnn.Train(fnn.key(1)))
    assert abs((y == 2).mean() - 0.5) < 0.03


def test_state_of_branches_is_threaded_and_stays_in_evaluation() -> None:
    layer = fnn.parallel(fnn.BatchNorm(3), fnn.Dense(3, 3) >> fnn.relu)
    params, state = fnn.init(layer, fnn.key(0))
    assert fnn.forward(layer, params, state, X)[1] is state
    after = fnn.forward(layer, params, state, X, fnn.Train(fnn.key(0)))[1]
    np.testing.assert_allclose(after[0].mean, 0.1 * X.mean(0), rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: loose.parallel(loose.Dense(3, 1)), ValueError, r"parallel: got 1 branch\(es\), expected two or more"),
        (
            lambda: loose.parallel(loose.Dense(3, 1), loose.tanh),
            TypeError,
            "parallel: tanh is not a layer .*; write fnn.Function",
        ),
        (lambda: loose.parallel(loose.Dense(3, 1), loose.Dense(3, 1), join="product"), ValueError, "join is 'product'"),
        (
            lambda: run(loose.parallel(loose.Dense(3, 1), loose.Dense(3, 2)), X),
            ValueError,
            "the shapes .* must be equal",
        ),
        (
            lambda: run(loose.parallel(loose.Dense(3, 1), loose.Function(lambda x: x[1:]), join="concatenate"), X),
            ValueError,
            "agree in all axes but the last",
        ),
        (
            lambda: loose.parallel(loose.Dense(3, 1), loose.Dense(3, 1)).forward((None,), (None,), X, loose.EVAL),
            ValueError,
            "2 branches",
        ),
        (lambda: loose.over_time(loose.relu), TypeError, "over_time: relu is not a layer"),
        (
            lambda: run(loose.over_time(loose.Dense(3, 1)), X),
            ValueError,
            r"over_time: x has shape \(4, 3\), expected",
        ),
        (
            lambda: loose.tied(loose.Dense(3, 2), loose.BatchNorm(2), loose.Dense(2, 3)),
            TypeError,
            "tied: the last argument is Dense",
        ),
        (lambda: loose.tied(loose.Dense, loose.BatchNorm(2), project), TypeError, "tied: Dense is not a layer"),
        (
            lambda: loose.tied(loose.Dense(3, 2), loose.BatchNorm(2), project).forward((None,), None, X, loose.EVAL),
            ValueError,
            "tied: params and state must be pairs",
        ),
        (lambda: loose.frozen(loose.relu), TypeError, "frozen: relu is not a layer"),
        (lambda: (loose.Dense(3, 2) >> loose.relu)[5:], ValueError, r"chain: \[5:None\] of 2 parts leaves none"),
    ],
)
def test_mistakes_are_explained(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_parameters_of_another_number_of_branches_are_refused() -> None:
    with pytest.raises(ValueError, match="a slot for each of the 2 branches"):
        loose.parallel(loose.Dense(3, 1), loose.Dense(3, 1)).forward((None,), (None,), X, loose.EVAL)


def test_over_time_is_the_body_on_each_step() -> None:
    body = fnn.Dense(3, 2) >> fnn.tanh
    layer = fnn.over_time(body)
    params, state = fnn.init(layer, fnn.key(0))
    x = np.random.default_rng(1).normal(size=(4, 5, 3)).astype(np.float32)
    y = fnn.predict(layer, params, state, x)
    for t in range(5):
        np.testing.assert_allclose(y[:, t], fnn.predict(body, params, state, x[:, t]), rtol=1e-6)
    images = fnn.over_time(fnn.BatchNorm(2))
    frames = np.random.default_rng(1).normal(size=(2, 3, 4, 4, 2)).astype(np.float32)
    assert run(images, frames).shape == frames.shape


def test_the_gradient_of_tied_parameters_is_the_sum_of_both_uses() -> None:
    layer = fnn.tied(fnn.Dense(3, 2), fnn.Dense(2, 2), project)
    (first, body), state = fnn.tree.astype(fnn.init(layer, fnn.key(0)), np.float64)
    x = X.astype(np.float64)

    def apart(both: tuple[fnn.DenseParams, fnn.DenseParams]) -> fnn.Scalar:
        h = fnn.dense(body, fnn.dense(both[0], x))
        return np.sum(np.sin(project(both[1], h)))

    def together(p: fnn.DenseParams) -> fnn.Scalar:
        return np.sum(np.sin(layer.forward((p, body), state, x, fnn.EVAL)[0]))

    one, two = fnn.grad(apart)((first, first))
    np.testing.assert_allclose(fnn.grad(together)(first).weight, one.weight + two.weight, rtol=1e-12)


def test_frozen_parameters_stay_bit_for_bit_and_x_gets_its_gradient() -> None:
    model = fnn.Dense(3, 4) >> fnn.frozen(fnn.Dense(4, 4) >> fnn.BatchNorm(4)) >> fnn.Dense(4, 1)
    opt = fnn.Adam(0.1)
    step = fnn.train_step(fnn.supervised(model, fnn.mse), opt)
    before = fnn.start(model, opt, fnn.key(0))
    after, _ = fnn.repeat(3, step, before, X, np.ones((4, 1), np.float32))
    assert fnn.tree.equal(before.params[1], after.params[1])
    assert not fnn.tree.equal(before.params[0], after.params[0])
    assert not fnn.tree.equal(before.state[1], after.state[1])


def test_frozen_runs_as_its_body() -> None:
    body = fnn.Dense(3, 4) >> fnn.Dropout(0.5) >> fnn.BatchNorm(4)
    for mode in (fnn.EVAL, fnn.Train(fnn.key(3))):
        assert fnn.tree.equal(run(fnn.frozen(body), X, mode), run(body, X, mode))


def test_parts_of_a_chain_run_on_parts_of_its_parameters() -> None:
    model = fnn.Dense(3, 4) >> fnn.BatchNorm(4) >> fnn.relu >> fnn.Dense(4, 2)
    params, state = fnn.init(model, fnn.key(0))
    assert len(model) == 4
    assert model[0] == fnn.Dense(3, 4)
    assert model[-1] == fnn.Dense(4, 2)
    assert list(model) == list(model.layers)
    hidden = fnn.predict(model[:3], params[:3], state[:3], X)
    assert fnn.tree.equal(fnn.predict(model[3:], params[3:], state[3:], hidden), fnn.predict(model, params, state, X))
    assert fnn.tree.equal(fnn.init(model[:2], fnn.key(0))[0], params[:2])


def test_a_function_or_a_bare_layer_may_stand_in_front_of_a_layer() -> None:
    class Bare:
        def init(self, key: fnn.Key, /) -> tuple[None, None]:
            return None, None

        def forward(self, params: None, state: None, x: fnn.Array2, mode: fnn.Mode, /) -> tuple[fnn.Array2, None]:
            return x * 2, None

    model: Any = fnn.flatten >> fnn.Dense(3, 2)
    assert repr(model) == "flatten >> Dense(3, 2)"
    assert run(model, X.reshape(4, 3, 1)).shape == (4, 2)
    bare: Any = Bare() >> fnn.Dense(3, 2)
    params = fnn.init(bare, fnn.key(0))[0]
    np.testing.assert_allclose(fnn.predict(bare, params, (None, None), X), fnn.dense(params[1], 2 * X))
    with pytest.raises(TypeError, match="3 is neither a layer"):
        _ = loose.tanh >> fnn.Dense(3, 2) >> 3
    with pytest.raises(TypeError, match="'text' is neither a layer"):
        "text" >> fnn.Dense(3, 2)  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue]  # what the test is about


def test_composites_are_shown_as_they_are_written_and_errors_say_which_part() -> None:
    block = fnn.stack(2, fnn.residual(fnn.Dense(3, 3) >> fnn.tanh))
    assert repr(block) == "stack(2, residual(Dense(3, 3) >> tanh))"
    assert repr(fnn.parallel(block, fnn.Dense(3, 3), join="concatenate")).endswith(", Dense(3, 3), join='concatenate')")
    assert repr(fnn.tied(fnn.Dense(3, 2), fnn.BatchNorm(2), project)) == "tied(Dense(3, 2), BatchNorm(2), project)"
    assert repr(fnn.frozen(fnn.MaxPool2d((2, 3), stride=1))) == "frozen(MaxPool2d((2, 3), stride=1))"
    assert repr(fnn.Conv2d(1, 2, 3, padding=((1, 1), (2, 2)))) == "Conv2d(1, 2, 3, padding=(1, 2))"
    for layer, where in ((block, "in body [0] of the stack"), (fnn.parallel(block, block), "in branch [0] of the parallel")):
        with pytest.raises(ValueError, match="dense: x has shape") as caught:
            run(layer, X[:, :2])
        assert any(note.startswith(where) for note in caught.value.__notes__)
    with pytest.raises(TypeError, match=r"stack: the first argument is Dense\(3, 3\); write stack\(n, body\)"):
        loose.stack(fnn.Dense(3, 3), 2)
