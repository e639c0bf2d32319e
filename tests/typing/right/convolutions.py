# pyright: strict
"""Convolutional nets: ranks are checked, and what bias=False leaves out is not there for anybody's gradients."""

from typing import assert_type

import numpy as np

import fnn


def flatten(x: fnn.Array4) -> fnn.Array2:
    return x.reshape(len(x), -1)


def ranks(p: fnn.ConvParams, q: fnn.KernelParams, time: fnn.Array3, images: fnn.Array4, volumes: fnn.Array5) -> None:
    assert_type(fnn.conv1d(p, time, padding="causal", dilation=2), fnn.Array3)
    assert_type(fnn.conv2d(q, images, stride=(2, 1), padding=((1, 0), 2)), fnn.Array4)
    assert_type(fnn.conv3d(p, volumes, padding=1, groups=2), fnn.Array5)
    assert_type(fnn.conv_transpose1d(q, time, stride=2), fnn.Array3)
    assert_type(fnn.conv_transpose2d(p, images, stride=2, padding=(1, 1), output_padding=(1, 0)), fnn.Array4)
    assert_type(fnn.conv_transpose3d(p, volumes, padding="valid"), fnn.Array5)


net = (
    fnn.Conv2d(1, 4, 3, bias=False)
    >> fnn.BatchNorm(4)
    >> fnn.relu
    >> fnn.Conv2d(4, 8, (3, 3), stride=2, padding="same")
    >> fnn.relu
    >> flatten
    >> fnn.Dense(32, 3)
)
opt = fnn.Adam(1e-3)
ts = fnn.start(net, opt, fnn.key(0))
params = ts.params
assert_type(params[0], fnn.KernelParams)
assert_type(params[3], fnn.ConvParams)
x: fnn.Array4 = np.ones((2, 4, 4, 1), np.float32)
labels = np.zeros(2, int)
step = fnn.train_step(fnn.supervised(net, fnn.cross_entropy), opt)
ts, loss = step(ts, x, labels)
assert_type(loss, fnn.Scalar)
assert_type(fnn.predict(net, ts.params, ts.state, x), fnn.Array2)

same: fnn.Conv2d[fnn.ConvParams] = fnn.Conv2d(1, 4, 3, bias_init=fnn.initializers.ones, weight_init=fnn.initializers.zeros)
thin: fnn.Conv1d[fnn.KernelParams] = fnn.Conv1d(4, 4, 3, bias=False, groups=4)
decoder = fnn.ConvTranspose2d(8, 4, 4, stride=2) >> fnn.relu >> fnn.ConvTranspose2d(4, 1, 4, stride=2, bias=False)
assert_type(fnn.init(decoder, fnn.key(0))[0], tuple[fnn.ConvParams, None, fnn.KernelParams])
assert_type(fnn.init(fnn.Conv3d(1, 2, 3), fnn.key(0))[0], fnn.ConvParams)
assert_type(fnn.init(fnn.ConvTranspose1d(1, 2, 3, padding=0, output_padding=0, bias=False), fnn.key(0))[0], fnn.KernelParams)
assert_type(fnn.init(fnn.ConvTranspose3d(1, 2, 3), fnn.key(0))[0], fnn.ConvParams)
assert_type(fnn.ConvParams.init(fnn.key(0), 3, 8, (3, 3)).kernel, fnn.Array)


def loss_of(p: fnn.ConvParams, images: fnn.Array4) -> fnn.Scalar:
    return np.mean(fnn.square(fnn.conv2d(p, images)))


grads = fnn.grad(loss_of)(fnn.ConvParams.init(fnn.key(0), 1, 2, (3, 3)), x)
assert_type(grads, fnn.ConvParams)
assert_type(grads.bias, fnn.Array1)
