"""A function to differentiate gives a vector, a Python number or nothing."""

import fnn


def vector(p: fnn.DenseParams, x: fnn.Array2) -> fnn.Array1:
    return fnn.mean(fnn.dense(p, x), axis=1)


def number(p: fnn.DenseParams, x: fnn.Array2) -> float:
    return float(fnn.mean(fnn.dense(p, x)))


def nothing(p: fnn.DenseParams, x: fnn.Array2) -> None:
    print(fnn.mean(fnn.dense(p, x)))


def no_arguments() -> fnn.Scalar:
    return fnn.mean(fnn.initializers.ones(fnn.key(0), (2,)))


def of_a_name(name: str) -> fnn.Scalar:
    return fnn.mean(fnn.initializers.ones(fnn.key(len(name)), (2,)))


def step_loss(p: fnn.DenseParams, state: None, mode: fnn.Mode, x: fnn.Array2) -> tuple[fnn.Array1, None]:
    return vector(p, x), state


fnn.grad(vector)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.value_and_grad(vector)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.grad(number)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.grad(nothing)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.grad(no_arguments)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.grad(of_a_name)  # mypy: [type-var]  pyright: [reportArgumentType]
fnn.train_step(step_loss, fnn.Sgd(0.1))  # mypy: [arg-type]  pyright: [reportArgumentType]
