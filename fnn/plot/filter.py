"""What the units of a first layer look for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fnn.arrays import Array2, Array4, Value
from fnn.functional.checks import check_int
from fnn.plot.canvas import numbers, one

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 256


def filters(
    weight: Array2 | Array4, *, shape: tuple[int, int] | None = None, columns: int | None = None, ax: Axes | None = None
) -> Axes:
    """The weights of a layer as a grid of small images, on one scale of colours in which 0 is white.

    weight: of a dense layer [pixels, units], where `shape` is the (height, width) of the images it sees (square, unless
    told otherwise); or the kernel of a convolution [kh, kw, in, out]. Images are in the order of the units; a convolution
    of several channels has a row for each input channel, a column for each output. columns: how many images in a row.

    Raises ValueError where shape doesn't fit, a weight is not finite, or there are more than 256 images.

    >>> import fnn
    >>> params, _ = fnn.init(fnn.Dense(64, 20), fnn.key(0))
    >>> filters(params.weight).get_title()
    '20 filters of 8 x 8'
    """
    found = numbers("filters", "weight", weight)
    if found.ndim not in (2, 4):
        raise ValueError(f"filters: weight has shape {found.shape}, expected [pixels, units] or [kh, kw, in, out]")
    if not np.isfinite(found).all():
        raise ValueError("filters: weight has numbers that are not finite")
    if found.ndim == 2:
        images = _of_dense(found, shape)
        row = columns
    else:
        if shape is not None:
            raise ValueError("filters: shape is for a dense weight; a kernel has its own")
        kh, kw, n_in, n_out = found.shape
        images = found.transpose(2, 3, 0, 1).reshape(n_in * n_out, kh, kw)
        row = n_out if columns is None and n_in > 1 else columns
    n, h, w = images.shape
    if n > MOST:
        raise ValueError(f"filters: {n} images are too many to see, expected at most {MOST}; draw a part, as weight[..., :16]")
    per_row = min(check_int("filters", "columns", int(np.ceil(np.sqrt(2 * n))) if row is None else row), n)
    rows = -(-n // per_row)
    gap = max(1, h // 8)
    mosaic: Value = np.full((rows * (h + gap) - gap, per_row * (w + gap) - gap), np.nan)
    for i, image in enumerate(images):
        top, left = i // per_row * (h + gap), i % per_row * (w + gap)
        mosaic[top : top + h, left : left + w] = image

    width = min(9.0, max(3.0, 0.75 * per_row + 0.9))
    ax = one("filters", ax, width, max(1.6, (width - 0.9) * mosaic.shape[0] / mosaic.shape[1] + 0.4))
    limit = float(np.abs(images).max()) or 1.0
    shown = ax.imshow(np.ma.masked_invalid(mosaic), cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    ax.set_facecolor("0.8")  # between the images, so that white stays a weight
    ax.set(title=f"{n} filter{'s' * (n > 1)} of {h} x {w}", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.figure.colorbar(shown, ax=ax, shrink=0.8, label="weight")
    return ax


def _of_dense(weight: Value, shape: tuple[int, int] | None) -> Value:
    pixels = weight.shape[0]
    side = round(pixels**0.5)
    if shape is not None and not (isinstance(shape, tuple) and len(shape) == 2):
        raise TypeError(f"filters: shape is {shape!r}, expected (height, width)")
    h, w = (side, side) if shape is None else shape
    if h * w != pixels:
        advice = "" if shape else "; say shape=(height, width)"
        raise ValueError(f"filters: weight has {pixels} rows, which are no image of {h} x {w}{advice}")
    return weight.T.reshape(-1, h, w)
