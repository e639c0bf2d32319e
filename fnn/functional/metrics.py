"""Metrics: numbers to read, without gradient."""

from __future__ import annotations

import numpy as np

from fnn.arrays import Array, Ints, Value
from fnn.autodiff.tracer import value_of
from fnn.functional.checks import check_array
from fnn.functional.labels import check_labels


def accuracy(logits: Array, labels: Ints, /) -> float:
    """The fraction of rows whose largest logit is the label's (the first of several that are equal).

    logits: [..., classes]; labels: integers [...] in [0, classes). Over several batches of unequal sizes the mean of these
    is not the fraction of all rows: `fnn.metrics.Accuracy` counts them.

    Raises ValueError or TypeError where they do not fit, as `cross_entropy` does.

    >>> accuracy(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1]))
    0.5
    """
    x: Value = value_of(logits)
    check_array("accuracy", "logits", x)
    check_labels("accuracy", x, labels)
    return float(np.mean(np.argmax(x, axis=-1) == labels))
