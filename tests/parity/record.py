"""Record PyTorch's results for the cases marked golden: `python -m tests.parity.record`, where PyTorch is installed.

One file for each family in tests/golden/torch, with inputs, values and gradients in float64 under "case/array".
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.parity import optimizers
from tests.parity.case import run_theirs
from tests.parity.registry import FAMILIES

FOLDER = Path(__file__).resolve().parent.parent / "golden" / "torch"


def record(torch: Any, family: str) -> None:
    found: dict[str, Any] = {"version": np.array(torch.__version__)}
    for case in FAMILIES[family]:
        if case.golden:
            arrays = case.arrays()
            results = run_theirs(torch, case, arrays, np.float64)
            found |= {f"{case.name}/in {name}": a for name, a in arrays.items()}
            found |= {f"{case.name}/{name}": a for name, a in results.items()}
    save(family, found)


def save(family: str, found: dict[str, Any]) -> None:
    path = FOLDER / f"{family}.npz"
    np.savez_compressed(path, allow_pickle=False, **found)
    print(f"{path.name}: {path.stat().st_size} bytes")


def record_optimizers(torch: Any) -> None:
    found: dict[str, Any] = {"version": np.array(torch.__version__)}
    for case in optimizers.CASES:
        found |= {f"{case.name}/{name}": p for name, p in optimizers.run_theirs(torch, case, np.float64).items()}
    save("optimizers", found)


if __name__ == "__main__":
    import torch  # type: ignore[import-not-found,unused-ignore]  # pyright: ignore[reportMissingImports]  # not in CI

    torch.set_num_threads(1)
    for name in sys.argv[1:] or [*FAMILIES, "optimizers"]:
        if name == "optimizers":
            record_optimizers(torch)
        else:
            record(torch, name)
