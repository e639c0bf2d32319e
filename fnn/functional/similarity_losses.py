"""Losses of embeddings: vectors of what belongs together shall be near each other, those of others far apart."""

from __future__ import annotations

import numpy as np

from fnn.arrays import Array, Array1, Array2, Ints, Scalar, Value
from fnn.autodiff.tracer import value_of
from fnn.functional.activations import relu
from fnn.functional.checks import check_array, check_not_wider, check_number, check_range
from fnn.functional.cross_entropy import cross_entropy, cross_entropy_per_example
from fnn.functional.loss_checks import check_positive, check_rows_alike, checked_signs
from fnn.functional.reduction import mean_of

# PyTorch's, in CosineEmbeddingLoss (added to squared lengths) and TripletMarginLoss (added to differences): a vector of
# zeros has similarity 0 with everything, equal vectors a distance that can be differentiated
_COSINE_EPS = 1e-12
_DISTANCE_EPS = 1e-6


def _length(x: Value) -> Value:
    return np.sqrt(np.sum(x * x, -1) + _COSINE_EPS)


def _similarity(a: Value, b: Value) -> Value:
    """a . b / (|a| |b|) of each row."""
    return np.sum(a * b, -1) / (_length(a) * _length(b))


def cosine(prediction: Array, target: Array, /) -> Scalar:
    """The cosine distance: the mean over all rows of 1 - p . t / (|p| |t|), between 0 (same direction) and 2 (opposite).

    prediction p and target t: [..., features]. |p| is sqrt(p . p + 1e-12): the similarity of a row of zeros is 0.

    Raises as `mse` does.

    >>> cosine(np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([[3.0, 0.0], [-1.0, 1.0]])).round(4)
    np.float64(0.5)
    """
    return mean_of("cosine", _cosine_values("cosine", prediction, target))


def cosine_per_example(prediction: Array, target: Array, /) -> Array:
    """The `cosine` distance of each row: an array [...] for vectors [..., features]. There may be no rows.

    >>> cosine_per_example(np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([[3.0, 0.0], [-1.0, 1.0]])).round(4)
    array([0., 1.])
    """
    values: Array = _cosine_values("cosine_per_example", prediction, target)
    return values


def _cosine_values(name: str, p: Value, t: Value) -> Value:
    check_rows_alike(name, prediction=p, target=t)
    return 1 - _similarity(p, t)


def cosine_embedding(first: Array, second: Array, target: Array | Ints, /, *, margin: float = 0.0) -> Scalar:
    """Pairs that are alike or not: the mean over all rows of 1 - s for target +1, max(0, s - margin) for target -1.

    s is the similarity first . second / (|first| |second|), as in `cosine`. first and second: [..., features]; target: [...]
    of -1 and +1, floating or integers; margin in [-1, 1]. The loss of PyTorch's CosineEmbeddingLoss, and its default.

    Raises ValueError where shapes do not fit or are empty, a target is not -1 or +1, or margin is out of range; TypeError
    where an array is not floating.

    >>> a, b = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> cosine_embedding(a, b, np.array([1, -1])).round(4)
    np.float64(1.0)
    """
    return mean_of("cosine_embedding", _cosine_embedding_values("cosine_embedding", first, second, target, margin))


def cosine_embedding_per_example(first: Array, second: Array, target: Array | Ints, /, *, margin: float = 0.0) -> Array:
    """The `cosine_embedding` loss of each row: an array of the target's shape, which may be empty.

    >>> a, b = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> cosine_embedding_per_example(a, b, np.array([-1, -1]), margin=0.5).round(4)
    array([0. , 0.5])
    """
    values: Array = _cosine_embedding_values("cosine_embedding_per_example", first, second, target, margin)
    return values


def _cosine_embedding_values(name: str, a: Value, b: Value, target: Value, margin: float) -> Value:
    check_rows_alike(name, first=a, second=b)
    signs = checked_signs(name, target, a.dtype, a.shape[:-1])
    check_range(name, "margin", margin, -1, 1)
    s = _similarity(a, b)
    return np.where(signs > 0, 1 - s, relu(s - float(margin)))


def triplet(anchor: Array, positive: Array, negative: Array, /, *, margin: float = 1.0, swap: bool = False) -> Scalar:
    """The positive shall be nearer to the anchor than the negative: the mean of max(0, d(a, p) - d(a, n) + margin).

    All three: [..., features]. d is the Euclidean distance |a - b + 1e-6|, whose gradient is finite at a = b. With swap,
    min(d(a, n), d(p, n)) stands in place of d(a, n). The loss of PyTorch's TripletMarginLoss, and its defaults.
    Source: Balntas et al. 2016, which has the swap; with squared distances, Schroff et al. 2015 (FaceNet).

    Raises ValueError where the shapes differ or are empty, TypeError where an array is not floating or wider than anchor.

    >>> a, p, n = np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]]), np.array([[0.0, 2.0]])
    >>> triplet(a, p, n).round(4)
    np.float64(4.0)
    """
    return mean_of("triplet", _triplet_values("triplet", anchor, positive, negative, margin, swap))


def triplet_per_example(
    anchor: Array, positive: Array, negative: Array, /, *, margin: float = 1.0, swap: bool = False
) -> Array:
    """The `triplet` loss of each row: an array [...] for vectors [..., features]. There may be no rows.

    >>> a, p, n = np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]]), np.array([[0.0, 2.0]])
    >>> triplet_per_example(a, p, n, margin=0.0).round(4)
    array([3.])
    """
    values: Array = _triplet_values("triplet_per_example", anchor, positive, negative, margin, swap)
    return values


def _triplet_values(name: str, anchor: Value, positive: Value, negative: Value, margin: float, swap: bool) -> Value:
    check_rows_alike(name, anchor=anchor, positive=positive, negative=negative)
    check_number(name, "margin", margin)
    far = _distance(anchor, negative)
    if swap:
        far = np.minimum(far, _distance(positive, negative))
    return relu(_distance(anchor, positive) - far + float(margin))


def _distance(a: Value, b: Value) -> Value:
    d = a - b + _DISTANCE_EPS
    return np.sqrt(np.sum(d * d, -1))


def info_nce(queries: Array2, keys: Array2, /, *, temperature: float = 0.1) -> Scalar:
    """The contrastive loss InfoNCE: each query shall find its key among all keys; row i of the keys belongs to query i.

    It is the mean cross-entropy of the logits s(query_i, key_j) / temperature against the label i, where s is the
    similarity of `cosine`. queries: [batch, features]; keys: [batch, features], or more rows, which are further negatives
    (a queue, as in MoCo). To ask in both directions, as CLIP does, take the mean of info_nce(a, b) and info_nce(b, a).

    Source: van den Oord et al. 2018, equation 4, with the similarity and a temperature of Chen et al. 2020 (SimCLR). For
    plain inner products write cross_entropy(queries @ keys.T / temperature, np.arange(len(queries))).

    Raises ValueError where the shapes do not fit, there are fewer than 2 keys, or temperature is not positive; TypeError
    where an array is not floating, or the keys are wider than the queries.

    >>> info_nce(np.eye(2), np.eye(2), temperature=1.0).round(4)
    np.float64(0.3133)
    """
    return cross_entropy(*_info_nce_logits("info_nce", queries, keys, temperature))


def info_nce_per_example(queries: Array2, keys: Array2, /, *, temperature: float = 0.1) -> Array1:
    """The `info_nce` loss of each query: [batch].

    >>> info_nce_per_example(np.eye(2), np.eye(2), temperature=1.0).round(4)
    array([0.3133, 0.3133])
    """
    return cross_entropy_per_example(*_info_nce_logits("info_nce_per_example", queries, keys, temperature))


def _info_nce_logits(name: str, queries: Value, keys: Value, temperature: float) -> tuple[Value, Value]:
    """Logits and labels."""
    q, k = value_of(queries), value_of(keys)
    check_array(name, "queries", q)
    check_array(name, "keys", k)
    check_not_wider(name, "keys", k, "queries", q)
    if q.ndim != 2 or k.ndim != 2 or q.shape[1] != k.shape[1] or not 0 < len(q) <= len(k) or len(k) < 2:
        raise ValueError(
            f"{name}: queries have shape {q.shape} and keys have {k.shape}, expected [batch, features] both, with the key of "
            "query i in row i; keys may have more rows, and must have 2 or more"
        )
    check_positive(name, "temperature", temperature)
    queries, keys = (x / _length(x)[:, np.newaxis] for x in (queries, keys))
    return queries @ keys.T / float(temperature), np.arange(len(q))
