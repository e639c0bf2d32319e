"""The order of the rows in an epoch, as a pure function of (key, epoch): shuffled, weighted or stratified."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from fnn.arrays import Array1, Int1, read_only
from fnn.functional.checks import check_int
from fnn.random import Key, check_key

Labels: TypeAlias = "np.ndarray[tuple[Any, ...], np.dtype[Any]] | Sequence[int] | Sequence[str]"
Weights: TypeAlias = "Array1 | Int1 | Sequence[float]"


def order(
    n: int,
    size: int,
    key: Key | None = None,
    epoch: int = 0,
    /,
    *,
    weights: Weights | None = None,
    stratify: Labels | None = None,
) -> Int1:
    """The numbers of all n rows in the order in which `batches` of `size` rows reads them: [n], read-only.

    Without a key they come as they are; with one they are shuffled, anew in every epoch. With `weights` [n] every place is
    drawn independently with probability weights / sum(weights), so that rows repeat and others are left out. With
    `stratify`, a label for every row, each batch has its share of each label: after every batch the number of rows of a
    label so far differs by less than 1 from the share that it has of all rows. (This is Tijdeman's chairman assignment
    problem, solved by giving every turn to the label whose deadline is next.)

    It takes 4 bytes a row (8 from 2**31 rows on, about 16 more for a moment with weights or strata).

    Raises ValueError where weights or labels don't fit, or are given without a key.

    >>> import fnn
    >>> order(6, 2), order(6, 2, fnn.key(0))
    (array([0, 1, 2, 3, 4, 5], dtype=int32), array([4, 1, 3, 2, 0, 5], dtype=int32))
    >>> labels = np.array([0, 0, 0, 0, 1, 1])
    >>> labels[order(6, 3, fnn.key(0), stratify=labels)].reshape(2, 3).sum(axis=1)
    array([1, 1])
    """
    check_order("order", n, size, key, epoch, weights, stratify)
    return find_order(n, size, key, epoch, weights, stratify)


def check_order(name: str, n: object, size: object, key: object, epoch: object, weights: Any, stratify: Any) -> None:
    """TypeError or ValueError unless `find_order` takes these."""
    check_int(name, "n", n, 0)
    check_int(name, "size", size, 1)
    check_int(name, "epoch", epoch, 0)
    if key is not None:
        check_key(name, key)
    for what, given in (("weights", weights), ("stratify", stratify)):
        if given is not None and key is None:
            raise ValueError(f"{name}: {what} are given without a key; they are for a random order, which takes fnn.key(seed)")
        if given is not None and np.shape(given) != (n,):
            raise ValueError(f"{name}: {what} has shape {np.shape(given)}, expected ({n},): one for every row")
    if weights is not None and stratify is not None:
        raise ValueError(f"{name}: got weights and stratify, expected one of the two")
    if weights is not None:
        w = np.asarray(weights)
        if w.dtype.kind not in "fiub" or not (np.isfinite(w) & (w >= 0)).all() or not (w.size == 0 or w.any()):
            raise ValueError(f"{name}: weights must be finite numbers of at least 0, not all of them 0; found {w}")


def find_order(n: int, size: int, key: Key | None, epoch: int, weights: Any, stratify: Any) -> Int1:
    """`order`, with arguments that were checked."""
    rows: Int1 = np.arange(n, dtype=np.int32 if n < 2**31 else np.int64)
    if key is not None:
        generator = key.fold(epoch).generator()
        if weights is not None:
            rows = _draw(generator, np.asarray(weights, np.float64)).astype(rows.dtype)
        else:
            generator.shuffle(rows)
            if stratify is not None:
                rows = np.concatenate(deal(rows, stratify, [*range(size, n, size), n], generator)) if n else rows
    return read_only(rows)  # type: ignore[no-any-return]  # a Value is untyped


def _draw(generator: np.random.Generator, weights: Array1) -> Int1:
    """As many rows as there are weights, row i with probability w_i / sum(w): where a uniform number falls among the sums."""
    if not weights.size:
        return np.arange(0)
    sums = np.cumsum(np.ldexp(weights, -np.frexp(np.max(weights))[1]))  # exact, and no sum overflows
    drawn: Int1 = np.searchsorted(sums, generator.random(len(sums)) * sums[-1], side="right")
    # a number that rounding has put on the end of the last interval belongs to that interval
    inside: Int1 = np.minimum(drawn, np.flatnonzero(weights)[-1])
    return inside


def deal(rows: Int1, labels: Any, ends: Sequence[int], generator: np.random.Generator | None) -> list[Int1]:
    """Rows dealt out to parts that end at these counts, each with its share of every label, in the order of `rows`.

    With a generator every part is shuffled.
    """
    found, places = np.unique(np.asarray(labels), return_inverse=True)
    label = places[rows]
    by_label = rows[np.argsort(label, kind="stable")]
    counts = np.bincount(label, minlength=len(found))
    begins = np.cumsum(counts) - counts
    dealt: Int1 = np.zeros_like(counts)
    parts = []
    for quota in quotas(counts, ends):
        more = quota - dealt
        # the places begins + dealt, ..., begins + quota - 1 of every label, one label after the other
        places = np.repeat(begins + dealt - np.cumsum(more) + more, more) + np.arange(more.sum())
        part = by_label[places]
        if generator is not None:
            generator.shuffle(part)
        parts.append(part)
        dealt = quota
    return parts


def quotas(counts: Int1, ends: Sequence[int]) -> list[Int1]:
    """How many of each label have been dealt at each end m: whole numbers C_k with sum m, and |C_k - m counts_k / n| < 1."""
    # At an end m the share of label k is T = m counts_k / n. C_k must be floor(T) or ceil(T), and not less than before.
    # What is left over after the floors goes to the labels that must next have one more: the label k with C_k rows falls
    # due at the m where T reaches C_k + 1, that is in the order of (C_k + 1) / counts_k. Earliest deadline first finds a
    # solution where there is one (Jackson 1955), and there always is (Tijdeman 1980).
    n = max(int(counts.sum()), 1)
    dealt = np.zeros_like(counts)
    found = []
    for end in ends:
        shares = counts * end
        quota = np.maximum(dealt, shares // n)
        left = end - int(quota.sum())
        if left:
            able = np.flatnonzero(quota < -(-shares // n))
            deadlines = (quota[able] + 1) / counts[able]
            quota[able[np.argsort(deadlines, kind="stable")[:left]]] += 1
        found.append(quota)
        dealt = quota
    return found
