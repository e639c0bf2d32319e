"""Accuracy: how often the right class is first, or among the first k."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fnn.arrays import Array, Bools, Ints, Value
from fnn.functional.checks import check_int
from fnn.metrics.checks import check_logits, class_numbers, winners
from fnn.metrics.metric import Average


@dataclass(frozen=True)
class Accuracy(Average[Array | Ints, Ints]):
    """The fraction of rows whose class is the label's.

    prediction: logits [..., classes], of which the largest wins (the first of several that are equal), or integer class
    numbers [...], as `(p > 0.5).astype(int)` for two classes by one probability. labels: integers [...].

    Raises ValueError where shapes do not fit, a label is out of range or the largest logit of a row is not finite;
    TypeError where labels are not integers.

    >>> Accuracy()(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1]))
    0.5
    >>> metric = Accuracy()
    >>> state = metric.update(metric.init(), np.array([1, 0, 2]), np.array([1, 1, 2]))
    >>> metric.compute(metric.update(state, np.array([1]), np.array([1])))
    0.75
    """

    def values(self, prediction: Array | Ints, target: Ints, /) -> Bools:
        """Whether each row's class is right."""
        found, labels = class_numbers("Accuracy", prediction, target)
        right: Bools = (found == labels).reshape(target.shape)
        return right


@dataclass(frozen=True)
class TopK(Average[Array, Ints]):
    """The fraction of rows whose label is among the k largest logits. `TopK(1)` is `Accuracy()`.

    logits: [..., classes]; labels: integers [...]. Of logits that are equal, those of lower class numbers come first
    (in scikit-learn, those of higher ones).

    Raises as `Accuracy` does, and ValueError where k is larger than the number of classes.

    >>> TopK(2)(np.array([[0.1, 0.7, 0.2], [0.8, 0.2, 0.1]]), np.array([2, 2]))
    0.5
    """

    k: int

    def __post_init__(self) -> None:
        check_int("TopK", "k", self.k)

    def values(self, prediction: Array, target: Ints, /) -> Bools:
        """Whether each row's label is among the first k."""
        x: Value = prediction
        check_logits("TopK", x, target)
        winners("TopK", x)
        if x.shape[-1] < self.k:
            raise ValueError(f"TopK: k is {self.k} but there are {x.shape[-1]} classes: every row would be right")
        own = np.take_along_axis(x, target[..., np.newaxis], -1)
        before = np.arange(x.shape[-1]) < target[..., np.newaxis]
        return np.asarray(np.count_nonzero((x > own) | ((x == own) & before), axis=-1) < self.k)
