"""Whether a run of the pieces (pieces.py) is slower than a saved one, in a measure that does not depend on the clock.

Each piece is timed beside a plain NumPy kernel, in the same process and within the same second. What is compared is the
ratio of the two, the best time of the piece over the best time of its kernel: a busy or slower machine slows both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TOLERANCE = 0.15


@dataclass(frozen=True)
class Comparison:
    """What became of each piece: now over then. `missing` were saved but did not run, `new` ran but were not saved."""

    slower: dict[str, float]
    faster: dict[str, float]
    level: dict[str, float]
    missing: list[str]
    new: list[str]

    def is_good(self) -> bool:
        """Nothing is slower, and nothing that was saved has vanished."""
        return not self.slower and not self.missing


def ratios(report: Mapping[str, Any]) -> dict[str, float]:
    """Piece -> its time in units of its kernel's, of a report as pytest-benchmark writes it.

    Floors, which are there to stand beside a piece, are left out: what NumPy takes is none of our business.
    """
    found = {}
    for entry in report["benchmarks"]:
        extra = entry["extra_info"]
        if extra["is_floor"]:
            continue
        kernel = extra["kernel_s"]
        if not kernel > 0:
            raise ValueError(f"{entry['name']}: its kernel took {kernel} s, expected a positive time")
        found[entry["name"]] = entry["stats"]["min"] / kernel
    return found


def best_of(*runs: Mapping[str, float]) -> dict[str, float]:
    """The smallest ratio of each piece over several runs: noise only ever adds."""
    found: dict[str, float] = {}
    for run in runs:
        for name, ratio in run.items():
            found[name] = min(ratio, found.get(name, ratio))
    return found


def compare(
    saved: Mapping[str, float], now: Mapping[str, float], tolerance: float = TOLERANCE, *, is_whole: bool = True
) -> Comparison:
    """Ratios now against those that were saved.

    Slower is more than 1 + tolerance times the saved ratio, faster is less than 1 / (1 + tolerance) times. With
    is_whole=False only some pieces ran, and the others are not missing.
    """
    slower: dict[str, float] = {}
    faster: dict[str, float] = {}
    level: dict[str, float] = {}
    for name in saved:
        if name in now:
            change = now[name] / saved[name]
            part = slower if change > 1 + tolerance else faster if change < 1 / (1 + tolerance) else level
            part[name] = change
    missing = [name for name in saved if name not in now] if is_whole else []
    return Comparison(slower, faster, level, missing, [name for name in now if name not in saved])


def told(comparison: Comparison, tolerance: float = TOLERANCE) -> str:
    """The comparison in lines of text, the worst first."""
    lines = []
    for what, part in (("SLOWER", comparison.slower), ("faster", comparison.faster)):
        for name, change in sorted(part.items(), key=lambda item: -item[1]):
            lines.append(f"{what}  {change:5.2f} x the saved ratio  {name}")
    lines += [f"MISSING  {name}: saved, but it did not run" for name in comparison.missing]
    lines += [f"new      {name}: not saved yet" for name in comparison.new]
    n = len(comparison.level)
    lines.append(f"{n} piece{'' if n == 1 else 's'} within {tolerance:.0%}, {len(comparison.slower)} slower")
    return "\n".join(lines)
