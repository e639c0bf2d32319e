"""Losses for classes that are rare: focal losses, where easy examples count less, and Dice, the overlap of two sets."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fnn.arrays import Array, Ints, SameRank, Scalar, Value
from fnn.autodiff.primitive import KernelPull, fused
from fnn.autodiff.tracer import value_of
from fnn.functional.activations import softplus
from fnn.functional.checks import check_array, check_number, check_range
from fnn.functional.labels import check_label_range, check_label_shapes, check_several_classes
from fnn.functional.loss_checks import check_alike, check_positive, check_probabilities
from fnn.functional.numeric import logsumexp
from fnn.functional.reduction import mean_of

# With p = s(z) and q = 1 - p: a = -log p = softplus(-z), b = -log q = softplus(z). The losses of a 1 and of a 0 are
#   f = q^gamma a,  h = p^gamma b,  where q^gamma = exp(-gamma b) and p^gamma = exp(-gamma a),
# which is finite for every gamma, also where p or q underflow. From da/dz = -q and db/dz = p:
#   df/dz = -q^gamma (q + gamma p a),  dh/dz = p^gamma (p + gamma q b).
# y = one t f + zero (1 - t) h, so dy/dz = one t df/dz + zero (1 - t) dh/dz and dy/dt = one f - zero h.


def _focal_reference(z: Value, t: Value, *, gamma: float, one: float, zero: float) -> Value:
    a, b = softplus(-z), softplus(z)
    return one * t * (a * np.exp(-gamma * b)) + zero * (1 - t) * (b * np.exp(-gamma * a))


@fused(2, _focal_reference)
def _focal(z: Value, t: Value, *, gamma: float, one: float, zero: float) -> tuple[Value, KernelPull]:
    e = np.exp(-np.abs(z))
    near = np.log1p(e)
    a, b = near - np.minimum(z, 0), near + np.maximum(z, 0)
    p_gamma, q_gamma = np.exp(-gamma * a), np.exp(-gamma * b)
    f, h = q_gamma * a, p_gamma * b
    of_ones, of_zeros = one * t, zero * (1 - t)

    def pull(g: Value, wanted: Sequence[bool]) -> Sequence[Value]:
        dz = None
        if wanted[0]:
            p, q = np.where(z >= 0, 1, e) / (1 + e), np.where(z >= 0, e, 1) / (1 + e)
            dz = g * (of_zeros * p_gamma * (p + gamma * q * b) - of_ones * q_gamma * (q + gamma * p * a))
        return dz, g * (one * f - zero * h) if wanted[1] else None

    return of_ones * f + of_zeros * h, pull


def focal(logits: SameRank, target: SameRank, /, *, gamma: float = 2.0, alpha: float | None = 0.25) -> Scalar:
    """The focal loss of two classes: the mean of -a (1 - p)^gamma log p, with p the probability of the class that is true.

    p is sigmoid(z) and a is alpha where the target is 1, p is sigmoid(-z) and a is 1 - alpha where it is 0; alpha=None
    weighs none. gamma=0 is the cross-entropy of `bce_with_logits`, larger ones take weight from what is classified well.
    For a target between 0 and 1 it is the mixture t * loss of 1 + (1 - t) * loss of 0. Exact for any finite z.

    logits z and target have the same shape. Source: Lin et al. 2017, equation 5; the defaults are those of section 4.1.

    Raises as `mse` does, and ValueError where gamma is negative or alpha not in [0, 1].

    >>> focal(np.array([0.0, 1e4]), np.array([1.0, 1.0])).round(4)
    np.float64(0.0217)
    """
    return mean_of("focal", _focal_values("focal", logits, target, gamma, alpha))


def focal_per_example(logits: SameRank, target: SameRank, /, *, gamma: float = 2.0, alpha: float | None = 0.25) -> SameRank:
    """The `focal` loss of each element: an array of the logits' shape, which may be empty.

    >>> focal_per_example(np.array([0.0, 1e4]), np.array([1.0, 0.0]), gamma=1.0, alpha=None).round(4)
    array([3.466e-01, 1.000e+04])
    """
    values: SameRank = _focal_values("focal_per_example", logits, target, gamma, alpha)
    return values


def _focal_values(name: str, z: Value, t: Value, gamma: float, alpha: float | None) -> Value:
    check_alike(name, logits=z, target=t)
    gamma = _checked_gamma(name, gamma)
    if alpha is not None:
        check_range(name, "alpha", alpha)
    one, zero = (1.0, 1.0) if alpha is None else (float(alpha), 1 - float(alpha))
    return _focal(z, t, gamma=gamma, one=one, zero=zero)


def focal_cross_entropy(logits: Array, labels: Ints, /, *, gamma: float = 2.0) -> Scalar:
    """The focal loss of several classes: the mean over all rows of -(1 - p)^gamma log p, with p = softmax(logits)[label].

    logits: [..., classes]. labels: integers [...] in [0, classes). gamma=0 is `cross_entropy`. Weights of classes are
    weights of rows: `weighted_mean(focal_cross_entropy_per_example(logits, labels), w[labels])`. Exact for any finite logits.

    Source: Lin et al. 2017, equation 4, of which the authors say that it extends to several classes; gamma of section 4.1.

    Raises ValueError where the shapes do not fit or are empty, a label is out of range, there is one class, or gamma is
    negative; TypeError where the logits are not floating or the labels not integers.

    >>> focal_cross_entropy(np.array([[0.0, 0.0], [0.0, 1e4]]), np.array([0, 1])).round(4)
    np.float64(0.0866)
    """
    return mean_of("focal_cross_entropy", _focal_rows("focal_cross_entropy", logits, labels, gamma))


def focal_cross_entropy_per_example(logits: Array, labels: Ints, /, *, gamma: float = 2.0) -> Array:
    """The `focal_cross_entropy` of each row: an array of the labels' shape, which may be empty.

    >>> focal_cross_entropy_per_example(np.array([[0.0, 0.0], [0.0, 1e4]]), np.array([0, 1])).round(4)
    array([0.1733, 0.    ])
    """
    values: Array = _focal_rows("focal_cross_entropy_per_example", logits, labels, gamma)
    return values


# With l the log-sum-exp of all logits and m that of all but the label's: log p = x_label - l and log(1 - p) = m - l
def _focal_rows(name: str, x: Value, labels: Value, gamma: float) -> Value:
    check_array(name, "logits", value_of(x))
    check_label_shapes(name, "logits", x, labels)
    check_several_classes(name, x)
    check_label_range(name, x, labels)
    gamma = _checked_gamma(name, gamma)
    rows = x.reshape(-1, x.shape[-1])
    at = np.arange(len(rows)), labels.reshape(-1)
    own = np.zeros(rows.shape, bool)
    own[at] = True
    both = logsumexp(rows, -1)
    others = logsumexp(np.where(own, -math.inf, rows), -1)
    return ((both - rows[at]) * np.exp(gamma * (others - both))).reshape(labels.shape)


def _checked_gamma(name: str, gamma: float) -> float:
    check_number(name, "gamma", gamma)
    if not 0 <= gamma < math.inf:
        raise ValueError(f"{name}: gamma is {gamma}, expected a finite number, 0 or more")
    return float(gamma)


def dice(probability: Array, target: Array, /, *, smooth: float = 1.0) -> Scalar:
    """The Dice loss of segmentations: the mean over the batch of 1 - (2 sum p t + smooth) / (sum p + sum t + smooth).

    probability p, in [0, 1], and target t, 0 or 1 or between: [batch, ...], the same shape. The sums go over all axes but
    the first: one overlap for each example. Of logits write dice(fnn.sigmoid(z), t). smooth counts as much overlap on both
    sides: two empty sets agree, with loss 0. For classes by channels, take the mean over dice(p[..., k], t[..., k]).

    Source: the coefficient of Dice 1945 as a loss, Milletari et al. 2016, with plain sums below, not squares; smooth=1 is
    the default of nnU-Net (Isensee et al. 2021).

    Raises as `mse` does, and ValueError where there is no axis but the batch, a probability is not in [0, 1], or smooth is
    not positive.

    >>> dice(np.array([[1.0, 1.0, 0.0]]), np.array([[1.0, 0.0, 0.0]]), smooth=1.0)
    np.float64(0.25)
    """
    return mean_of("dice", _dice_values("dice", probability, target, smooth))


def dice_per_example(probability: Array, target: Array, /, *, smooth: float = 1.0) -> Array:
    """The `dice` loss of each example: [batch]. There may be none.

    >>> dice_per_example(np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]), np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    array([0.25, 0.  ])
    """
    values: Array = _dice_values("dice_per_example", probability, target, smooth)
    return values


def _dice_values(name: str, p: Value, t: Value, smooth: float) -> Value:
    check_alike(name, probability=p, target=t)
    if p.ndim < 2:
        raise ValueError(f"{name}: probability has shape {p.shape}, expected [batch, ...]; for one example write p[np.newaxis]")
    check_positive(name, "smooth", smooth)
    check_probabilities(name, p, "dice(sigmoid(z), target)")
    smooth = float(smooth)
    axes = tuple(range(1, p.ndim))
    return 1 - (2 * np.sum(p * t, axes) + smooth) / (np.sum(p, axes) + np.sum(t, axes) + smooth)
