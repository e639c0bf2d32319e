"""What metrics check of predictions, targets and weights, with one wording for all."""

from __future__ import annotations

from math import prod

import numpy as np

from fnn.arrays import Value, describe
from fnn.autodiff.tracer import value_of
from fnn.functional.checks import check_array
from fnn.functional.labels import check_label_range, check_label_shapes, check_several_classes


def check_counted(name: str, weight: Value) -> None:
    """ValueError for a state in which nothing has been counted."""
    if not weight > 0:
        raise ValueError(
            f"{name}.compute: nothing has been counted, so there is no value; update the state with at least one row "
            "whose weight is not 0"
        )


def kept_rows(name: str, prediction: Value, target: Value, weights: Value) -> tuple[Value, Value, Value]:
    """Prediction and target without the rows whose weight is 0, and the weights of the others: None where all are 1.

    weights: one for each entry of the first axes of both, [batch] for labels [batch, time]. ValueError where they do not
    fit or are not finite numbers of at least 0, TypeError for other things than arrays.
    """
    prediction, target = value_of(prediction), value_of(target)
    for what, x in (("prediction", prediction), ("target", target)):
        if not isinstance(x, np.ndarray):
            raise TypeError(f"{name}: {what} is a {type(x).__name__}, expected an array; write np.asarray({what})")
    if weights is None:
        return prediction, target, None
    w = value_of(weights)
    if not isinstance(w, np.ndarray) or w.dtype.kind not in "fiub":
        found = describe(w) if isinstance(w, np.ndarray) else f"a {type(w).__name__}"
        raise TypeError(f"{name}: weights are {found}, expected an array of numbers, or of booleans that say what counts")
    if not w.shape == target.shape[: w.ndim] == prediction.shape[: w.ndim] or w.ndim < min(target.ndim, 1):
        raise ValueError(
            f"{name}: weights have shape {w.shape}, prediction {prediction.shape} and target {target.shape}; expected "
            "a weight for each row, hence the shape of their first axes"
        )
    w = w.astype(np.float64)
    if not (np.isfinite(w) & (w >= 0)).all():
        raise ValueError(f"{name}: weights go from {w.min()} to {w.max()}, expected finite numbers, 0 or more")
    keep = w > 0
    return (prediction, target, w) if keep.all() else (prediction[keep], target[keep], w[keep])


def spread_weights(w: Value, shape: tuple[int, ...]) -> Value:
    """The weight of every entry of an array of this shape, in a vector; None for None."""
    if w is None:
        return None
    return np.repeat(w.reshape(-1), prod(shape[w.ndim :]))


def check_logits(name: str, x: Value, labels: Value) -> None:
    """ValueError or TypeError unless x are logits [..., classes], of several classes, for integer labels [...] among them.

    The largest logit of a row must be finite; others may be -inf.
    """
    check_array(name, "logits", x)
    check_label_shapes(name, "logits", x, labels)
    check_several_classes(name, x)
    check_label_range(name, x, labels)


def winners(name: str, x: Value) -> Value:
    """The class of the largest logit of each row, the first of several; ValueError where that logit is not finite."""
    best = np.argmax(x, axis=-1)  # of a NaN, where there is one
    top = np.take_along_axis(x, best[..., np.newaxis], -1)
    if not np.isfinite(top).all():
        raise ValueError(
            f"{name}: the largest logit of a row is {top[~np.isfinite(top)][0]}, expected a finite number (a class that "
            "cannot be may have -inf); fnn.debug_nans finds where a NaN arose"
        )
    return best


def class_numbers(name: str, prediction: Value, labels: Value, classes: int | None = None) -> tuple[Value, Value]:
    """(predicted, true) classes in vectors of int64: those of the largest logits, or the prediction where it is integers."""
    if prediction.dtype.kind in "iu":
        check_label_shapes(name, "class numbers", prediction[..., np.newaxis], labels)
        found = prediction
    elif prediction.dtype.kind == "f":
        check_logits(name, prediction, labels)
        if classes is not None and prediction.shape[-1] != classes:
            raise ValueError(
                f"{name}: logits have shape {prediction.shape}, expected {(*prediction.shape[:-1], classes)}: "
                f"the metric was made for {classes} classes"
            )
        return winners(name, prediction).reshape(-1), labels.reshape(-1).astype(np.int64)
    else:
        raise TypeError(
            f"{name}: prediction is {describe(prediction)}, expected logits [..., classes] or integers, as "
            "prediction.astype(int)"
        )
    if classes is not None:
        for what, numbers in (("class", found), ("label", labels)):
            wrong = numbers[(numbers < 0) | (numbers >= classes)]
            if wrong.size:
                raise ValueError(f"{name}: {what} {wrong[0]} is out of range, expected class numbers from 0 to {classes - 1}")
    return found.reshape(-1).astype(np.int64), labels.reshape(-1).astype(np.int64)


def check_scores(name: str, scores: Value, labels: Value) -> None:
    """ValueError or TypeError unless there is a score, not NaN, for each label, 0 or 1."""
    check_array(name, "scores", scores)
    if isinstance(labels, np.ndarray) and scores.shape != labels.shape:
        raise ValueError(
            f"{name}: scores have shape {scores.shape} but labels have {labels.shape}, expected one for each label; of two "
            f"logits x of a row that is x[:, 1] - x[:, 0], and several classes need OneVsRest({name}(), classes)"
        )
    check_label_shapes(name, "scores", scores[..., np.newaxis], labels)
    wrong = labels[(labels != 0) & (labels != 1)]
    if wrong.size:
        raise ValueError(
            f"{name}: label {wrong[0]} is neither 0 nor 1; for several classes write OneVsRest({name}(), classes), with a "
            "score for each class"
        )
    if np.isnan(scores).any():
        raise ValueError(f"{name}: a score is nan, which has no place in the order")


def quantities(name: str, prediction: Value, target: Value) -> tuple[Value, Value]:
    """Both in float64. ValueError unless they have one shape and are finite, TypeError unless they are floating."""
    check_array(name, "prediction", prediction)
    check_array(name, "target", target)
    if prediction.shape != target.shape:
        raise ValueError(
            f"{name}: prediction has shape {prediction.shape} but target has {target.shape}; they must be equal, because "
            "broadcasting one against the other would compare every row with every other"
        )
    for what, x in (("prediction", prediction), ("target", target)):
        if not np.isfinite(x).all():
            raise ValueError(f"{name}: {what} holds {x[~np.isfinite(x)][0]}, expected finite numbers")
    return prediction.astype(np.float64), target.astype(np.float64)


def scores_of_classes(name: str, x: Value, labels: Value, *, probabilities: bool) -> Value:
    """Probabilities, or logits minus the largest of their row: [..., classes] in float64, checked.

    For two classes x may be [...], what belongs to class 1.
    """
    check_array(name, "prediction", x)
    x = x.astype(np.float64)
    if x.shape == labels.shape:
        x = np.stack([1 - x if probabilities else np.zeros_like(x), x], -1)
    check_logits(name, x, labels)
    if not probabilities:
        return x - np.take_along_axis(x, winners(name, x)[..., np.newaxis], -1)
    if not ((x >= 0) & (x <= 1)).all() or not (np.abs(np.sum(x, -1) - 1) <= 1e-3).all():
        raise ValueError(
            f"{name}: expected probabilities, in [0, 1] and with a sum of 1 in each row; for logits write {name}()"
        )
    return x
