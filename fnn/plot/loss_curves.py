"""Loss and metric curves of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from fnn.arrays import Array1, Scalar, Value
from fnn.functional.checks import check_range
from fnn.plot.canvas import COLORS, ORANGE, Numbers, numbers, one, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class HasLoss(Protocol):
    """A record of a run: what `curves` reads of it. It may also have other numbers, and a mapping `metrics` of them."""

    @property
    def step(self) -> int:
        """The number of steps done."""
        ...

    @property
    def loss(self) -> float | Scalar:
        """The training loss."""
        ...


Series: TypeAlias = Numbers | tuple[Numbers, Numbers]
Records: TypeAlias = Sequence[HasLoss] | Sequence[Mapping[str, object]]
_Lines: TypeAlias = dict[str, tuple[Array1, Array1]]

_FEW = 40  # so many points of a validation curve get a mark each


def smoothed(values: Numbers, smooth: float) -> Array1:
    """The exponential average s_t = sum_k smooth^k v_(t-k) / sum_k smooth^k, k = 0 to t, which starts without a bias.

    values: [steps]; 0 <= smooth < 1, where 0 changes nothing and 0.9 averages over about 10 steps. A value that is not
    finite has no weight; until the first finite one the result is NaN.

    >>> smoothed([4.0, 1.0, 1.0], 0.5)
    array([4.        , 2.        , 1.42857143])
    """
    check_range("smoothed", "smooth", smooth)
    if smooth == 1:
        raise ValueError("smoothed: smooth is 1, which averages over everything; expected a number in [0, 1)")
    v: Array1 = numbers("smoothed", "values", values, 1, "[steps]").astype(np.float64)
    total = weight = 0.0
    result = np.full(v.shape, np.nan)
    for i, value in enumerate(v.tolist()):
        counts = np.isfinite(value)
        total = smooth * total + (value if counts else 0.0)
        weight = smooth * weight + (1.0 if counts else 0.0)
        if weight:
            result[i] = total / weight
    return result


def curves(
    data: Series | Mapping[str, Series] | Records,
    *,
    validation: Series | Mapping[str, Series] | Records | str | None = None,
    of: str = "loss",
    smooth: float = 0.0,
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Curves over the steps of a run, on a linear or a logarithmic axis.

    data: a row of values, one for each step; or a pair (steps, values); or several of these by name; or the records of a
    run (objects or mappings with `step`, `loss` and perhaps `metrics`), of which `of` says what to draw. validation: the
    same, drawn dashed; as a string, the name of the validation metric in the same records or mapping. Records that lack
    what is drawn are left out.

    smooth: 0 draws the values; otherwise (see `smoothed`) their average, and the values themselves faintly behind it.
    Validation curves are not smoothed. log: values that are not positive are gaps.

    Raises ValueError where steps and values differ in length, or nothing can be drawn; TypeError where data is no numbers.

    >>> ax = curves([2.0, 1.0, 0.5], validation=([0, 2], [2.2, 0.9]), log=True)
    >>> [line.get_label() for line in ax.lines], ax.get_yscale()
    (['train', 'validation'], 'log')
    """
    lines = _read("data", data, of, "train")
    others: _Lines = {}
    if isinstance(validation, str):
        # of records of `fit`, "loss" means what they have as "validation.loss"
        makers: list[Any] = [getattr(record, "row", None) for record in data] if isinstance(data, Sequence) else []
        rows: list[Any] = [make() for make in makers if callable(make)]
        of_fit = any([f"validation.{validation}" in row for row in rows])
        whole = _read("data", data, f"validation.{validation}" if of_fit else validation, "validation")
        if isinstance(data, Mapping):
            if validation not in whole:
                raise ValueError(f"curves: validation is {validation!r} but data has {list(whole)}")
            lines.pop(validation)
            whole = {validation: whole[validation]}
        others = whole
    elif validation is not None:
        others = _read("validation", validation, of, "validation")
        _check_lengths(lines, others, data, validation)
    if log and not any([bool((y > 0).any()) for _, y in (*lines.values(), *others.values())]):
        raise ValueError("curves: log=True but no value is positive; leave it out for a linear axis")

    ax = one("curves", ax)
    colors = {label: COLORS[i % len(COLORS)] for i, label in enumerate(lines)}
    for label, (x, y) in lines.items():
        if smooth:
            ax.plot(x, _shown(y, log), color=colors[label], alpha=0.25, linewidth=0.8, label="_raw")
        ax.plot(x, _shown(smoothed(y, smooth), log), color=colors[label], linewidth=1.6, label=label)
    for label, (x, y) in others.items():
        marker = "o" if len(x) <= _FEW else None
        text = f"{label}, validation" if label in lines else label
        color = colors.get(label, ORANGE)
        ax.plot(x, _shown(y, log), "--", color=color, marker=marker, markersize=4, linewidth=1.4, label=text)
    if log:
        ax.set_yscale("log")
    ax.set(xlabel="step", ylabel=of)
    if len(lines) + len(others) > 1:
        ax.legend(frameon=False)
    tidy(ax)
    return ax


def _shown(y: Array1, log: bool) -> Array1:
    return np.where(y > 0, y, np.nan) if log else y


def _check_lengths(lines: _Lines, others: _Lines, data: object, validation: object) -> None:
    """ValueError for rows of values of unlike lengths: nobody said at which steps those of validation are."""
    if _is_row(data) and _is_row(validation):
        n, m = len(next(iter(lines.values()))[0]), len(next(iter(others.values()))[0])
        if n != m:
            raise ValueError(
                f"curves: data has {n} values and validation {m}; say at which steps they are, as validation=(steps, values)"
            )


def _is_row(data: object) -> bool:
    return np.ndim(data) == 1 if isinstance(data, np.ndarray) else isinstance(data, Sequence) and np.isscalar(data[0])


def _read(what: str, data: object, of: str, label: str) -> _Lines:
    """Steps and values of every line, by its label."""
    if isinstance(data, Mapping):
        if not data:
            raise ValueError(f"curves: {what} is an empty mapping: there is nothing to draw")
        return {str(key): _pair(f"{what}[{key!r}]", series) for key, series in data.items()}
    if isinstance(data, Sequence) and not isinstance(data, str) and data and _is_record(data[0]):
        return {label: _of_records(what, data, of)}
    return {label: _pair(what, data)}


def _pair(what: str, series: object) -> tuple[Array1, Array1]:
    if isinstance(series, tuple) and len(series) == 2 and np.ndim(series[0]) == 1:
        steps = numbers("curves", f"the steps of {what}", series[0], 1, "[steps]")
        values: Value = numbers("curves", f"the values of {what}", series[1], 1, "[steps]")
        if len(steps) != len(values):
            raise ValueError(f"curves: {what} has {len(steps)} steps but {len(values)} values")
    else:
        values = numbers("curves", what, series, 1, "one value for each step, a pair (steps, values), or records")
        steps = np.arange(len(values))
    return steps.astype(np.float64), values.astype(np.float64)


def _is_record(record: object) -> bool:
    return isinstance(record, Mapping) or (not isinstance(record, (tuple, list)) and getattr(record, "step", None) is not None)


def _look(record: object, key: str) -> object:
    """record[key], record.key, or that of its metrics; None where it has none. Of a record of `fit`, what its row has."""
    row = getattr(record, "row", None)
    if callable(row):
        record = row()
    if isinstance(record, Mapping):
        found, metrics = record.get(key), record.get("metrics")
    else:
        found, metrics = getattr(record, key, None), getattr(record, "metrics", None)
    return metrics.get(key) if found is None and isinstance(metrics, Mapping) else found


def _of_records(what: str, records: Sequence[object], of: str) -> tuple[Array1, Array1]:
    steps, values = [], []
    for i, record in enumerate(records):
        value = _look(record, of)
        if value is not None:
            step = _look(record, "step")
            steps.append(i if step is None else step)
            values.append(value)
    if not values:
        row = getattr(records[0], "row", None)
        first = row() if callable(row) else records[0]
        has = sorted(map(str, first)) if isinstance(first, Mapping) else f"a {type(first).__name__}"
        raise ValueError(f"curves: no record of {what} has {of!r} (nor its metrics); the first is or has {has}")
    return _pair(f"{of} of {what}", (steps, values))
