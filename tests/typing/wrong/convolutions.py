"""Convolutions of the wrong rank, without the bias that is asked for, or made wrongly."""

import fnn


def flatten(x: fnn.Array4) -> fnn.Array2:
    return x.reshape(len(x), -1)


def ranks(p: fnn.ConvParams, rows: fnn.Array2, time: fnn.Array3, images: fnn.Array4, volumes: fnn.Array5) -> None:
    fnn.conv2d(p, images)
    fnn.conv2d(p, time)  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.conv1d(p, images)  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.conv3d(p, images)  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.conv_transpose2d(p, volumes)  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.conv2d(images, p)  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.conv2d(p, images, padding="full")  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.conv2d(p, images, padding=((1, 2, 3), 1))  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.conv2d(p, images, stride=1.5)  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.conv2d(p, images, output_padding=1)  # mypy: [call-arg]  pyright: [reportCallIssue]
    fnn.predict(fnn.Conv2d(1, 2, 3), p, None, time)  # mypy: [misc]  pyright: [reportArgumentType]


print(fnn.Conv2d(1, 4, 3) >> fnn.relu >> fnn.Conv2d(4, 4, 3, bias=False) >> flatten >> fnn.Dense(4, 1))
print(fnn.Conv2d(1, 4, 3) >> fnn.Dense(4, 1))  # mypy: [operator]  pyright: [reportOperatorIssue]
print(fnn.Conv2d(1, 4, 3) >> fnn.Conv1d(4, 4, 3))  # mypy: [operator]  pyright: [reportOperatorIssue]
print(fnn.Dense(4, 4) >> fnn.Conv2d(4, 4, 3))  # mypy: [operator]  pyright: [reportOperatorIssue]
print(fnn.ConvTranspose1d(4, 4, 3) >> fnn.relu >> flatten)  # mypy: [operator]  pyright: [reportOperatorIssue]

params = fnn.init(fnn.Conv2d(1, 4, 3, bias=False), fnn.key(0))[0]
print(params.kernel, params.bias)  # mypy: [attr-defined]  pyright: [reportAttributeAccessIssue]
with_bias: fnn.Conv2d[fnn.ConvParams] = fnn.Conv2d(1, 4, 3, bias=False)  # mypy: [assignment]  pyright: [reportAssignmentType]
fnn.Conv2d(1, 4, 3, bias=False, bias_init=fnn.initializers.ones)  # mypy: [call-overload]  pyright: [reportArgumentType]
fnn.Conv2d(1, 4)  # mypy: [call-overload]  pyright: [reportCallIssue]
fnn.Conv2d(1, 4, 3, strides=2)  # mypy: [call-overload]  pyright: [reportCallIssue]
fnn.Conv2d(1, 4, 3, padding="full")  # mypy: [call-overload]  pyright: [reportArgumentType]
fnn.Conv2d(1, 4, 3, output_padding=1)  # mypy: [call-overload]  pyright: [reportCallIssue]
fnn.Conv2d(1, 4, 3).kernel_size = (5, 5)  # mypy: [misc]  pyright: [reportAttributeAccessIssue]
