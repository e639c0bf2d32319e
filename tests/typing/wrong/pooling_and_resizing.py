"""Pooling meets arrays of another rank, and options that it does not have."""

import fnn


def forward(p: fnn.DenseParams, time: fnn.Array3, images: fnn.Array4) -> None:
    fnn.max_pool2d(time, 2)  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.max_pool1d(images, 2)  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.avg_pool2d(images, 2.0)  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.avg_pool2d(images, 2, 1)  # mypy: [call-arg]  pyright: [reportCallIssue]
    fnn.max_pool2d(images, 2, padding="full")  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.max_pool2d(images, 2, count_include_pad=True)  # mypy: [call-arg]  pyright: [reportCallIssue]
    fnn.upsample2d(images, 2, method="linear")  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.pad(images, 1, mode="constant")  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.last_step(images)  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.spatial_dropout(images, 0.5, True)  # mypy: [arg-type]  pyright: [reportArgumentType]
    fnn.predict(fnn.MaxPool2d(2), None, None, time)  # mypy: [misc]  pyright: [reportArgumentType]
    fnn.dense(p, fnn.max_pool2d(images, 2))  # mypy: [type-var]  pyright: [reportArgumentType]


right = fnn.MaxPool2d(2) >> fnn.Upsample2d(2) >> fnn.global_max_pool >> fnn.Dense(3, 2)
print(fnn.MaxPool2d(2) >> fnn.Dense(3, 2))  # mypy: [operator]  pyright: [reportOperatorIssue]
print(fnn.MaxPool2d(2) >> fnn.MaxPool1d(2))  # mypy: [operator]  pyright: [reportOperatorIssue]
print(fnn.MaxPool2d(2) >> fnn.last_step)  # mypy: [operator]  pyright: [reportOperatorIssue]
print(fnn.MaxPool2d(2) >> fnn.flatten >> fnn.flatten >> fnn.Upsample1d(2))  # mypy: [operator]  pyright: [reportOperatorIssue]
print(fnn.MaxPool2d(2, 2))  # mypy: [call-arg]  pyright: [reportCallIssue]
print(fnn.MaxPool2d(2, count_include_pad=True))  # mypy: [call-arg]  pyright: [reportCallIssue]
print(fnn.AvgPool2d("2"))  # mypy: [arg-type]  pyright: [reportArgumentType]
print(fnn.Upsample1d(2, method="bilinear"))  # mypy: [arg-type]  pyright: [reportArgumentType]
