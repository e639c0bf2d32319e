"""The function returns (loss, aux) and has_aux is not set; or it is, and there is no aux."""

import fnn


def loss(p: fnn.DenseParams, x: fnn.Array2) -> fnn.Scalar:
    return fnn.mean(fnn.dense(p, x))


def loss_and_output(p: fnn.DenseParams, x: fnn.Array2) -> tuple[fnn.Scalar, fnn.Array2]:
    y = fnn.dense(p, x)
    return fnn.mean(y), y


def output_and_loss(p: fnn.DenseParams, x: fnn.Array2) -> tuple[fnn.Array2, fnn.Scalar]:
    y = fnn.dense(p, x)
    return y, fnn.mean(y)


def step_loss(p: fnn.DenseParams, s: None, mode: fnn.Mode, x: fnn.Array2) -> tuple[fnn.Scalar, None]:
    return loss(p, x), s


def step_loss_and_norm(p: fnn.DenseParams, s: None, mode: fnn.Mode, x: fnn.Array2) -> tuple[fnn.Scalar, tuple[None, float]]:
    return loss(p, x), (s, float(fnn.tree.global_norm(p)))


def flat_triple(p: fnn.DenseParams, s: None, mode: fnn.Mode, x: fnn.Array2) -> tuple[fnn.Scalar, None, float]:
    return loss(p, x), s, 0.0


opt = fnn.Sgd(0.1)
fnn.grad(loss_and_output)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.value_and_grad(loss_and_output)  # mypy: [arg-type]  pyright: [reportArgumentType]
fnn.value_and_grad(loss, has_aux=True)  # mypy: [call-overload]  pyright: [reportArgumentType, reportCallIssue]
fnn.grad(loss, has_aux=True)  # mypy: [call-overload]  pyright: [reportArgumentType, reportCallIssue]
fnn.grad(output_and_loss, has_aux=True)  # mypy: [call-overload]  pyright: [reportArgumentType, reportCallIssue]
fnn.train_step(step_loss_and_norm, opt)  # mypy: [misc]  pyright: [reportArgumentType]
fnn.train_step(step_loss, opt, has_aux=True)  # mypy: [call-overload]  pyright: [reportArgumentType, reportCallIssue]
fnn.train_step(flat_triple, opt, has_aux=True)  # mypy: [call-overload]  pyright: [reportArgumentType, reportCallIssue]


def used_wrongly(p: fnn.DenseParams, x: fnn.Array2) -> None:
    value, grads = fnn.value_and_grad(loss_and_output, has_aux=True)(p, x)
    print(value.dtype)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
    print(grads.weight)
    gradient = fnn.grad(loss_and_output, has_aux=True)
    alone: fnn.DenseParams = gradient(p, x)  # mypy: [assignment]  pyright: [reportAssignmentType]
    print(alone.weight)
