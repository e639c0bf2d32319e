# pyright: strict
"""Saving, loading and resuming keep the type of the tree; logs take records of several kinds."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias, assert_type

import numpy as np

import fnn

Net: TypeAlias = fnn.TrainState[tuple[fnn.DenseParams, None], tuple[None, None]]


@dataclass(frozen=True)
class Epoch:
    step: int
    loss: fnn.Scalar
    state: Net


class Row(NamedTuple):
    step: int
    loss: float


model = fnn.Dense(2, 3) >> fnn.relu
opt = fnn.Adam(1e-2)
ts = fnn.start(model, opt, fnn.key(0))
with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    fnn.save(folder / "ts", ts, metadata={"epoch": "1"}, spec=model)
    fnn.save(f"{name}/params", ts.params)
    assert_type(fnn.load(folder / "ts", ts), Net)
    assert_type(fnn.load(f"{name}/params", ts.params), tuple[fnn.DenseParams, None])
    assert_type(fnn.io.read_metadata(folder / "ts"), dict[str, str])
    assert_type(fnn.io.inspect(folder / "ts").arrays["params.0.weight"].shape, tuple[int, ...])
    arrays = fnn.io.read_arrays(folder / "params")
    assert_type(arrays, dict[str, fnn.Array])
    assert_type(fnn.io.from_dict(arrays, ts.params), tuple[fnn.DenseParams, None])
    assert_type(fnn.io.to_dict(ts.params), dict[str, fnn.Array])

    checkpoints = fnn.io.Checkpoints(folder / "run", keep_last=2, keep_best=1, maximize=True)
    ts = checkpoints.resume(ts)
    assert_type(checkpoints.save(ts, metric=0.5), Path)
    checkpoints.save(ts, metric=fnn.mse(np.ones((1, 1)), np.zeros((1, 1))))
    assert_type(checkpoints.save((ts, {"best": 0.5}), step=1), Path)
    assert_type(checkpoints.restore((ts, {"best": 0.0})), tuple[Net, dict[str, float]])
    assert_type(checkpoints.best(ts), Net)
    whole = (ts, fnn.EarlyStopping(3, ts), fnn.KeepBest(2, ts), fnn.optim.ReduceOnPlateau())
    resumed = fnn.io.Checkpoints(folder / "whole").resume(whole)
    assert_type(resumed, tuple[Net, fnn.EarlyStopping[Net], fnn.KeepBest[Net], fnn.optim.ReduceOnPlateau])
    assert_type(resumed[2].states, tuple[Net, ...])
    assert_type(resumed[2].update(0.5, ts).entries, tuple[tuple[float, Net], ...])
    latest = checkpoints.latest()
    assert latest is not None
    assert_type(latest.metric, float | None)

    with fnn.io.JsonLines(folder / "log") as log, fnn.io.CsvLog(folder / "table") as table:
        assert_type(log, fnn.io.JsonLines)
        log.append(Epoch(1, np.float32(0.5), ts))
        log.append(Row(2, 0.5))
        log.append({"step": 3, "loss": np.float32(0.5), "metrics": {"accuracy": 0.5}})
        table.append(Row(1, 0.5))
    assert_type(fnn.io.read_csv_log(folder / "table"), list[dict[str, bool | int | float | str | None]])
    assert [record["step"] for record in fnn.io.read_json_lines(folder / "log")] == [1, 2, 3]

weights = {"weight": np.ones((3, 2)), "bias": np.ones(3)}
assert_type(fnn.io.from_torch.linear(weights), fnn.DenseParams)
assert_type(fnn.io.from_torch.linear({"weight": np.ones((3, 2))}, bias=False), fnn.LinearParams)
kernel = {"weight": np.ones((3, 2, 5)), "bias": np.ones(3)}
assert_type(fnn.io.from_torch.conv(kernel), fnn.ConvParams)
