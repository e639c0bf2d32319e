"""A folder of checkpoints: the last few and the best few."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from operator import index
from pathlib import Path
from typing import NamedTuple

from fnn.arrays import Scalar
from fnn.functional.checks import check_int, check_number
from fnn.io.atomic import force_folder
from fnn.io.files import inspect, load, write
from fnn.io.header import BadFileError
from fnn.io.safetensors import OURS, PathLike
from fnn.tree import PyTree
from fnn.tree.structure import T

_METRIC = f"{OURS}metric"
_FILE = re.compile(r"step-(\d{10}|[1-9]\d{10,18})\.safetensors", re.ASCII)


class Checkpoint(NamedTuple):
    """A file in the folder: its step, its path, and the metric it was saved with, or None."""

    step: int
    path: Path
    metric: float | None


@dataclass(frozen=True)
class Checkpoints:
    """Checkpoints in a folder, named by step, as step-0000000100.safetensors: the last and the best.

    keep_last: so many of the highest steps are kept, and keep_best: of those with a metric the best as well. maximize: the
    metric is one that should grow; a loss is better when it is lower. An older file is deleted only when the new one is safe
    on the disk.

    The object holds nothing but these settings; what there is, the folder says.

    >>> import fnn, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> checkpoints = Checkpoints(folder.name, keep_last=2)
    >>> ts = fnn.start(fnn.Dense(2, 3), fnn.Adam(1e-3), fnn.key(0))
    >>> checkpoints.save(ts).name
    'step-0000000000.safetensors'
    >>> checkpoints.restore(ts) == ts
    True
    >>> folder.cleanup()
    """

    folder: PathLike
    _: KW_ONLY
    keep_last: int = 3
    keep_best: int = 0
    maximize: bool = False

    def __post_init__(self) -> None:
        for what, low in (("keep_last", 1), ("keep_best", 0)):
            check_int("Checkpoints", what, getattr(self, what), low)
        object.__setattr__(self, "folder", Path(self.folder))

    def save(
        self,
        value: PyTree,
        /,
        *,
        metric: float | Scalar | None = None,
        step: int | None = None,
        metadata: Mapping[str, str] | None = None,
        spec: object = None,
    ) -> Path:
        """Save a TrainState, or any other tree, and delete what needs not be kept. The path of the file is returned.

        To go on with early stopping and the like too, put them in the tree: `save((ts, stopping), step=ts.step)`.

        step: value.step unless told otherwise. metric: what `best` looks at; NaN is worse than all else. metadata and spec: as
        in `fnn.save`. The folder is made where it is missing. A file of the same step is replaced.

        Raises what `fnn.save` raises; ValueError where the folder has later steps: `latest` would not find the new one.
        """
        step = _step_of(value, step)
        own: dict[str, str] = {}
        if metric is not None:
            check_number("Checkpoints.save", "the metric", metric)
            own[_METRIC] = repr(float(metric))
        folder = Path(self.folder)
        later = [there for there in self._files() if there > step]
        if later:
            raise ValueError(
                f"Checkpoints.save: the step is {step}, but {folder} has the later {later}, which `restore` would go on to "
                f"find. Use another folder, or delete the later ones with .drop_after({step})"
            )
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            force_folder(folder.parent)
        path = folder / _name_of(step)
        write("Checkpoints.save", path, value, metadata, spec, own)
        self._prune()
        return path

    def all(self) -> list[Checkpoint]:
        """What there is, by step. A file whose header cannot be read has no metric."""
        return [Checkpoint(step, path, _metric_of(path)) for step, path in self._files().items()]

    def latest(self) -> Checkpoint | None:
        """That of the highest step; None where there is none."""
        found = self._files()
        if not found:
            return None
        step = max(found)
        return Checkpoint(step, found[step], _metric_of(found[step]))

    def restore(self, like: T, /, *, step: int | None = None) -> T:
        """The value of the highest step, or of the step that is asked for: see `fnn.load`.

        Raises FileNotFoundError where there is none; ValueError where it is damaged or does not fit.
        """
        found = self._files()
        if not found or (step is not None and step not in found):
            there = f", but those of the steps {list(found)}" if found else ""
            wanted = "checkpoint" if step is None else f"checkpoint of step {step}"
            raise FileNotFoundError(f"Checkpoints.restore: there is no {wanted} in {self.folder}{there}")
        chosen = max(found) if step is None else step
        try:
            return load(found[chosen], like)
        except BadFileError as error:
            others = [other for other in found if other != chosen]
            hint = f". There are also the steps {others}, for .restore(like, step=...)" if others else ""
            raise BadFileError(f"{error}{hint}") from None

    def resume(self, like: T, /) -> T:
        """The value of the highest step, and `like` itself where there is none yet: `ts = checkpoints.resume(ts)` starts a
        run, and goes on with it after it was stopped. Raises as `restore` for a file that is damaged or does not fit.
        """
        return like if self.latest() is None else self.restore(like)

    def best(self, like: T, /) -> T:
        """The value with the best metric, of several the first. FileNotFoundError where none has a metric; see `restore`."""
        ranked = self._ranked()
        if not ranked:
            raise FileNotFoundError(
                f"Checkpoints.best: none in {self.folder} has a metric; save with .save(ts, metric=...) and keep_best=1"
            )
        return self.restore(like, step=ranked[0].step)

    def drop_after(self, step: int, /) -> None:
        """Delete the checkpoints of later steps, to go on from this one another way."""
        for there, path in self._files().items():
            if there > step:
                path.unlink(missing_ok=True)

    def _files(self) -> dict[int, Path]:
        """Path by step, in the order of steps."""
        folder = Path(self.folder)
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        steps = sorted([int(match[1]) for name in names if (match := _FILE.fullmatch(name))])
        return {step: folder / _name_of(step) for step in steps}

    def _ranked(self) -> list[Checkpoint]:
        """Those with a metric, the best first, of equal ones the first."""
        sign = -1 if self.maximize else 1
        found = [(checkpoint.metric, checkpoint) for checkpoint in self.all() if checkpoint.metric is not None]
        found.sort(key=lambda pair: (True, 0.0) if math.isnan(pair[0]) else (False, sign * pair[0]))
        return [checkpoint for _, checkpoint in found]

    def _prune(self) -> None:
        """Delete all but the last and the best."""
        found = self._files()
        if len(found) > self.keep_last:
            kept = {*list(found)[-self.keep_last :]}
            if self.keep_best:
                kept |= {checkpoint.step for checkpoint in self._ranked()[: self.keep_best]}
            for step, path in found.items():
                if step not in kept:
                    path.unlink(missing_ok=True)


def _name_of(step: int) -> str:
    return f"step-{step:010d}.safetensors"


def _step_of(value: object, step: int | None) -> int:
    given = getattr(value, "step", None) if step is None else step
    try:
        number = index(given)  # type: ignore[arg-type]  # what is no number is the error below
    except TypeError:
        raise TypeError(
            f"Checkpoints.save: the step is {given!r}, expected an int: save a TrainState, or say step=..."
        ) from None
    if not 0 <= number < 10**19:
        raise ValueError(f"Checkpoints.save: the step is {number}, expected at least 0 and below 1e19")
    return number


def _metric_of(path: Path) -> float | None:
    try:
        return float(inspect(path).metadata[_METRIC])
    except (KeyError, ValueError, FileNotFoundError):
        return None
