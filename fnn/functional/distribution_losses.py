"""Losses that compare with a distribution: Kullback-Leibler divergence, and the likelihoods of Poisson and Gauss."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fnn.arrays import Array, SameRank, Scalar, Value, largest
from fnn.autodiff.primitive import KernelPull, elementary, fused
from fnn.autodiff.tracer import value_of
from fnn.autodiff.transforms import stop_gradient
from fnn.functional.loss_checks import check_alike, check_not_negative, check_positive, check_rows_alike
from fnn.functional.reduction import mean_of


def _positive_log(x: Value) -> Value:
    """log x where x > 0, and 0 elsewhere."""
    inside = value_of(x) > 0
    return np.where(inside, np.log(np.where(inside, x, 1)), 0)


# x log x, with slope 1 + log x; both are 0 at x = 0
_x_log_x = elementary(
    lambda x: x * _positive_log(x),
    lambda g, y, x: g * ((value_of(x) > 0) + _positive_log(x)),
)


def kl_divergence(log_probabilities: Array, target: Array, /) -> Scalar:
    """The Kullback-Leibler divergence of prediction and target: the mean over all rows of sum_k t_k (log t_k - x_k).

    log_probabilities x: [..., classes], as `log_softmax` gives. target t: probabilities of the same shape, whose rows should
    add up to 1; where t_k = 0 the term is 0. It is the cross-entropy less the entropy of the target. As PyTorch's kl_div
    with reduction="batchmean", but that the mean is over all rows. Source: Kullback and Leibler 1951.

    The slope of t log t at t = 0 is taken as 0.

    Raises as `mse` does, and ValueError where a target is negative.

    >>> kl_divergence(np.log(np.array([[0.5, 0.5]])), np.array([[1.0, 0.0]])).round(4)
    np.float64(0.6931)
    """
    return mean_of("kl_divergence", _kl_values("kl_divergence", log_probabilities, target))


def kl_divergence_per_example(log_probabilities: Array, target: Array, /) -> Array:
    """The `kl_divergence` of each row: an array [...] for log-probabilities [..., classes]. There may be no rows.

    >>> kl_divergence_per_example(np.log(np.array([[0.5, 0.5]])), np.array([[0.5, 0.5]]))
    array([0.])
    """
    values: Array = _kl_values("kl_divergence_per_example", log_probabilities, target)
    return values


def _kl_values(name: str, x: Value, t: Value) -> Value:
    check_rows_alike(name, log_probabilities=x, target=t)
    check_not_negative(name, "target", t, "probabilities")
    # a log-probability of -inf is right where the target is 0; 0 times it would be NaN
    x = np.where((value_of(t) == 0) & (value_of(x) == -math.inf), 0, x)
    return np.sum(_x_log_x(t) - t * x, -1)


def poisson_nll(
    prediction: SameRank, target: SameRank, /, *, log_input: bool = True, full: bool = False, eps: float = 1e-8
) -> Scalar:
    """Negative log-likelihood of counts under Poisson distributions of the predicted rates: the mean over all elements.

    With a prediction z of log-rates (log_input=True) the loss is exp(z) - t z; with one of rates r (log_input=False) it is
    r - t log(r + eps), where eps is at least the smallest normal number of the dtype. Both leave out log t!, which the
    prediction doesn't change; full=True adds Stirling's formula for it, t log t - t + log(2 pi t) / 2, where t > 1. Options
    and defaults are those of PyTorch's PoissonNLLLoss.

    Raises as `mse` does, and ValueError where a target or a rate is negative, or exp(z) overflows.

    >>> poisson_nll(np.log(np.array([2.0, 3.0])), np.array([2.0, 5.0])).round(4)
    np.float64(-0.9397)
    """
    return mean_of("poisson_nll", _poisson_values("poisson_nll", prediction, target, log_input, full, eps))


def poisson_nll_per_example(
    prediction: SameRank, target: SameRank, /, *, log_input: bool = True, full: bool = False, eps: float = 1e-8
) -> SameRank:
    """The `poisson_nll` of each element: an array of the prediction's shape, which may be empty.

    >>> poisson_nll_per_example(np.array([2.0, 1.0]), np.array([0.0, 3.0]), log_input=False).round(4)
    array([2., 1.])
    """
    values: SameRank = _poisson_values("poisson_nll_per_example", prediction, target, log_input, full, eps)
    return values


def _poisson_values(name: str, x: Value, t: Value, log_input: bool, full: bool, eps: float) -> Value:
    check_alike(name, prediction=x, target=t)
    check_positive(name, "eps", eps)
    check_not_negative(name, "target", t, "counts")
    if log_input:
        v = value_of(x)
        top = largest(v, None, initial=0)
        if top > math.log(np.finfo(v.dtype).max):
            raise ValueError(
                f"{name}: a log-rate is {top}, of which exp overflows {v.dtype}; clip the log-rates, or give rates and "
                "log_input=False"
            )
        values = np.exp(x) - t * x
    else:
        check_not_negative(name, "prediction", x, "rates; for log-rates use log_input=True")
        values = x - t * np.log(x + max(float(eps), float(np.finfo(x.dtype).tiny)))
    if not full:
        return values
    large = value_of(t) > 1
    count = np.where(large, t, 1)
    log_count = np.log(count)
    return values + large * (count * log_count - count + 0.5 * (log_count + math.log(2 * math.pi)))


def _gaussian_reference(mean: Value, t: Value, variance: Value, *, constant: float, eps: float) -> Value:
    variance = variance + stop_gradient(np.maximum(eps - variance, 0))
    d = mean - t
    return 0.5 * (np.log(variance) + d * d / variance) + constant


# d = mean - t, w = max(variance, eps): y = (log w + d^2 / w) / 2 + c; dy/dmean = d / w, dy/dt = -d / w, and, as if w were
# the variance, dy/dvariance = (1 - d^2 / w) / (2 w)
@fused(3, _gaussian_reference)
def _gaussian(mean: Value, t: Value, variance: Value, *, constant: float, eps: float) -> tuple[Value, KernelPull]:
    w = np.maximum(variance, eps)
    d = mean - t
    r = d / w

    def pull(g: Value, wanted: Sequence[bool]) -> Sequence[Value]:
        dm = g * r
        dv = (0.5 * g) * (1 - d * r) / w if wanted[2] else None
        return dm, -dm if wanted[1] else None, dv

    return 0.5 * (np.log(w) + d * r) + constant, pull


def gaussian_nll(mean: SameRank, target: SameRank, variance: SameRank, /, *, full: bool = False, eps: float = 1e-6) -> Scalar:
    """Negative log-likelihood under normal distributions: the mean over all elements of (log v + (mean - target)^2 / v) / 2.

    v is the variance where that is more than eps, else eps: the gradient passes as if there were no such bound, so that a
    variance that fell below it can grow again. full=True adds the constant log(2 pi) / 2. All three have the same shape.
    Options and defaults are those of PyTorch's GaussianNLLLoss. Source: Nix and Weigend 1994.

    Raises as `mse` does, and ValueError where a variance is negative.

    >>> gaussian_nll(np.array([1.0, 2.0]), np.array([1.0, 4.0]), np.array([1.0, 4.0])).round(4)
    np.float64(0.5966)
    """
    return mean_of("gaussian_nll", _gaussian_values("gaussian_nll", mean, target, variance, full, eps))


def gaussian_nll_per_example(
    mean: SameRank, target: SameRank, variance: SameRank, /, *, full: bool = False, eps: float = 1e-6
) -> SameRank:
    """The `gaussian_nll` of each element: an array of the mean's shape, which may be empty.

    >>> gaussian_nll_per_example(np.array([1.0, 2.0]), np.array([1.0, 4.0]), np.array([1.0, 1.0]))
    array([0., 2.])
    """
    values: SameRank = _gaussian_values("gaussian_nll_per_example", mean, target, variance, full, eps)
    return values


def _gaussian_values(name: str, mean: Value, t: Value, variance: Value, full: bool, eps: float) -> Value:
    check_alike(name, mean=mean, target=t, variance=variance)
    check_positive(name, "eps", eps)
    check_not_negative(name, "variance", variance, "variances; softplus or exp makes them of any numbers")
    return _gaussian(mean, t, variance, constant=0.5 * math.log(2 * math.pi) if full else 0.0, eps=float(eps))
