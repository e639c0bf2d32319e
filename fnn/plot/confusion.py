"""Which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fnn.arrays import Array, Array2, Ints
from fnn.plot.canvas import check_names, light, numbers, one

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CLASSES_WITH_TEXT = 20


def confusion_matrix(
    counts: Array | Ints | Sequence[Sequence[float]], *, names: Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """Counts, and the share of each true class, in the cells of a confusion matrix; the colour is the share.

    counts: [true class, predicted class], as `fnn.metrics.ConfusionMatrix` gives it; names: of the classes. Up to 20 classes
    the numbers are written; with more there are colours only.

    Raises ValueError where counts is not square, or has a negative number or one that is not finite.

    >>> ax = confusion_matrix([[8, 2], [0, 5]], names=["cat", "dog"])
    >>> [text.get_text() for text in ax.texts]
    ['8\\n80%', '2\\n20%', '0', '5\\n100%']
    """
    expected = "[true class, predicted class], as fnn.metrics.ConfusionMatrix(classes)(logits, labels) gives it"
    found = numbers("confusion_matrix", "counts", counts, 2, expected)
    n = len(found)
    if found.shape != (n, n):
        raise ValueError(f"confusion_matrix: counts has shape {found.shape}, expected as many predicted as true classes")
    if not np.isfinite(found).all() or (found < 0).any():
        raise ValueError("confusion_matrix: counts has a number that is negative or not finite; these are no counts")
    labels = check_names("confusion_matrix", "names", names, n)
    rows = found.sum(1, keepdims=True)
    shares: Array2 = found / np.where(rows > 0, rows, 1)

    written = n <= MOST_CLASSES_WITH_TEXT
    size = 1.6 + 0.52 * n if written else 7.0
    ax = one("confusion_matrix", ax, size + 0.8, size)
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    step = 1 if written else -(-n // MOST_CLASSES_WITH_TEXT)
    slanted = max(map(len, labels)) > 3
    places = range(0, n, step)
    ax.set_xticks(
        places, labels[::step], rotation=45 if slanted else 0, ha="right" if slanted else "center", rotation_mode="anchor"
    )
    ax.set_yticks(places, labels[::step])
    if not slanted:
        ax.tick_params(axis="x", pad=8)
    ax.set(xlabel="predicted", ylabel="true")
    if written:
        for (i, j), count in np.ndenumerate(found):
            number = f"{count:.3g}" if count % 1 else f"{count:.0f}"
            text = f"{number}\n{shares[i, j]:.0%}" if count else "0"
            color = "black" if light(image.cmap(shares[i, j])) else "white"
            ax.text(j, i, text, ha="center", va="center", color=color, fontsize=8)
    ax.figure.colorbar(image, ax=ax, shrink=0.8, label="share of the true class")
    return ax
