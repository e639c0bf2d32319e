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
    """A record of a run: what `curves` reads of it. It may also have other numbers, and mappings `metrics`, `validation`."""

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

_FEW = 40  # so many points get a mark each


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
    data: Series | Records | Mapping[str, Series | Records],
    *,
    validation: Series | Records | Mapping[str, Series | Records] | str | None = None,
    of: str = "loss",
    smooth: float = 0.0,
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Curves over the steps of a run, on a linear or a logarithmic axis; what belongs to the validation is dashed.

    data: the records of a run, as `fnn.fit` gives them or `fnn.io` reads them again (objects or mappings with `step`,
    `loss` and perhaps `metrics` and `validation`); or a row of values, one for each step; or a pair (steps, values); or
    several of these by name.

    of: what to draw of records: "loss", the name of a metric, or any other of their numbers. What they have of the same name
    from the validation is drawn with it. Records that lack both are left out.

    validation: the validation curve where data has none, in the same forms; or the name of the one to draw: of a validation
    metric of the records where that is another than `of`, or of one of several rows of values.

    smooth: 0 draws the values; otherwise (see `smoothed`) their average, and the values themselves faintly behind it.
    Validation curves are not smoothed. log: values that are not positive are gaps.

    Raises ValueError where steps and values differ in length, or nothing can be drawn; TypeError where data is no numbers.

    >>> ax = curves([2.0, 1.0, 0.5], validation=([0, 2], [2.2, 0.9]), log=True)
    >>> [line.get_label() for line in ax.lines], ax.get_yscale()
    (['train', 'validation'], 'log')
    """
    metric = validation if isinstance(validation, str) else of
    lines, others = _read("data", data, "train", of, metric)
    if isinstance(validation, str):
        if validation in lines and isinstance(data, Mapping) and validation not in others:
            others = {**others, validation: lines.pop(validation)}
        elif not others:
            raise ValueError(f"curves: validation is {validation!r} but data has {_names(data)}")
    elif validation is not None:
        solid, dashed = _read("validation", validation, "validation", of, of)
        others = {**others, **solid, **dashed}
        _check_lengths(data, validation)
    shown = [y for _, y in (*lines.values(), *others.values())]
    if log and not any([bool((y > 0).any()) for y in shown]):
        raise ValueError("curves: log=True but no value is positive; leave it out for a linear axis")
    if not any([bool(np.isfinite(y).any()) for y in shown]):
        raise ValueError("curves: no value is finite: there is nothing to draw")

    ax = one("curves", ax)
    colors = {label: COLORS[i % len(COLORS)] for i, label in enumerate(lines)}
    for label, (x, y) in lines.items():
        if smooth:
            ax.plot(x, _shown(y, log), color=colors[label], alpha=0.25, linewidth=0.8, label="_raw")
        average = _shown(smoothed(y, smooth), log)
        ax.plot(x, average, color=colors[label], marker=_marker(x), markersize=3, linewidth=1.6, label=label)
    for label, (x, y) in others.items():
        text = f"{label}, validation" if label in lines else label
        color = colors.get(label, ORANGE)
        ax.plot(x, _shown(y, log), "--", color=color, marker=_marker(x), markersize=4, linewidth=1.4, label=text)
    if log:
        ax.set_yscale("log")
    ax.set(xlabel="step", ylabel=of)
    if ax.get_xscale() == "linear":
        ax.locator_params(axis="x", integer=True, min_n_ticks=1)
    if len(lines) + len(others) > 1:
        ax.legend(frameon=False)
    tidy(ax)
    return ax


def _shown(y: Array1, log: bool) -> Array1:
    return np.where(y > 0, y, np.nan) if log else y


def _marker(x: Array1) -> str | None:
    """A mark for each of a few points: a point without neighbours is no line."""
    return "o" if len(x) <= _FEW else None


def _check_lengths(data: object, validation: object) -> None:
    """ValueError for rows of values of unlike lengths: nobody said at which steps those of validation are."""
    if _is_row(data) and _is_row(validation):
        n, m = np.size(data), np.size(validation)  # type: ignore[arg-type]  # a row is an array or a sequence
        if n != m:
            raise ValueError(
                f"curves: data has {n} values and validation {m}; say at which steps they are, as validation=(steps, values)"
            )


def _is_row(data: object) -> bool:
    return np.ndim(data) == 1 if isinstance(data, np.ndarray) else isinstance(data, Sequence) and np.isscalar(data[0])


def _read(what: str, data: object, label: str, of: str, metric: str) -> tuple[_Lines, _Lines]:
    """Steps and values of every line by its label: those of training (or whatever data is), and those of its validation."""
    by_name = isinstance(data, Mapping)
    named: Mapping[Any, object] = data if isinstance(data, Mapping) else {label: data}
    if not named:
        raise ValueError(f"curves: {what} is an empty mapping: there is nothing to draw")
    lines: _Lines = {}
    others: _Lines = {}
    for key, series in named.items():
        here = f"{what}[{key!r}]" if by_name else what
        if not (isinstance(series, Sequence) and series and _is_record(series[0])):
            lines[str(key)] = _pair(here, series)
            continue
        own, held = _of_records(here, series, of), _of_records(here, series, f"validation.{metric.removeprefix('epoch_')}")
        if held is None and metric != of:
            held = _of_records(here, series, metric)
        if own is None and held is None:
            raise ValueError(f"curves: no record of {here} has {of!r}, nor has its validation; the first has {_names(series)}")
        if own is not None:
            lines[str(key)] = own
        if held is not None:
            others[str(key) if by_name else "validation"] = held
    return lines, others


def _pair(what: str, series: object) -> tuple[Array1, Array1]:
    expected = "one value for each step, a pair (steps, values), or a list of records"
    if isinstance(series, tuple) and len(series) == 2 and np.ndim(series[0]) == 1:
        steps = numbers("curves", f"the steps of {what}", series[0], 1, "[steps]")
        values: Value = numbers("curves", f"the values of {what}", series[1], 1, "[steps]")
        if len(steps) != len(values):
            raise ValueError(f"curves: {what} has {len(steps)} steps but {len(values)} values")
    else:
        values = numbers("curves", what, series, 1, expected)
        steps = np.arange(len(values))
    return steps.astype(np.float64), values.astype(np.float64)


def _is_record(record: object) -> bool:
    return isinstance(record, Mapping) or (not isinstance(record, (tuple, list)) and getattr(record, "step", None) is not None)


def _look(record: object, key: str) -> object:
    """record[key] or record.key, or that of its metrics; "validation.loss" is the "loss" of its validation; else None."""

    row = getattr(record, "row", None)
    if callable(row):  # a record of `fit`
        record = row()

    def get(name: str) -> object:
        return record.get(name) if isinstance(record, Mapping) else getattr(record, name, None)

    if (found := get(key)) is not None:
        return found
    group = "validation" if key.startswith("validation.") else "metrics"
    numbers_of = get(group)
    return numbers_of.get(key.removeprefix("validation.")) if isinstance(numbers_of, Mapping) else None


def _of_records(what: str, records: Sequence[object], key: str) -> tuple[Array1, Array1] | None:
    """The steps and values of the records that have it; None where none has."""
    found = [(i if (step := _look(r, "step")) is None else step, _look(r, key)) for i, r in enumerate(records)]
    kept = [(step, value) for step, value in found if value is not None]
    return _pair(f"{key} of {what}", tuple(zip(*kept, strict=True))) if kept else None


def _names(data: object) -> str:
    """What data has by name, for an error."""
    record = data[0] if isinstance(data, Sequence) else data
    row = getattr(record, "row", None)
    found = row() if callable(row) else record
    return f"{sorted(map(str, found))}" if isinstance(found, Mapping) else f"a {type(found).__name__}"
