"""Optimisers agree with PyTorch's: live where it is installed, with recorded parameters elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnn
from fnn import optim
from tests.parity.optimizers import CASES, OptimizerParity, run_ours, run_theirs
from tests.parity.record import FOLDER

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
precisions: list[tuple[Any, float]] = [(np.float64, 1e-10), (np.float32, 1e-5)]


@every_case
def test_ten_steps_agree_with_pytorch(case: OptimizerParity) -> None:
    torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed; CI compares with recorded results instead")
    for dtype, tolerance in precisions:
        ours, theirs = run_ours(case, dtype), run_theirs(torch, case, dtype)
        for name, expected in theirs.items():
            np.testing.assert_allclose(ours[name], expected, rtol=tolerance, atol=tolerance)


@every_case
def test_ten_steps_agree_with_recorded_ones(case: OptimizerParity) -> None:
    with np.load(FOLDER / "optimizers.npz") as stored:
        for dtype, tolerance in precisions:
            for name, p in run_ours(case, dtype).items():
                np.testing.assert_allclose(p, stored[f"{case.name}/{name}"], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6)])
@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_agrees_with_pytorch_within_bfloat16(shape: tuple[int, int], nesterov: bool) -> None:
    """PyTorch's weights are [out, in], and it makes matrices orthogonal in bfloat16, of eight bits."""
    torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed; the singular values are tested elsewhere")
    rng = np.random.default_rng(0)
    params = rng.normal(size=shape).astype(np.float32)
    weight = torch.nn.Parameter(torch.tensor(params.T.copy()))
    theirs = torch.optim.Muon([weight], lr=0.1, momentum=0.8, weight_decay=0.5, nesterov=nesterov)
    opt = optim.Muon(0.1, momentum=0.8, weight_decay=0.5, nesterov=nesterov)
    state = opt.init(params)
    for _ in range(4):
        grads = rng.normal(size=shape).astype(np.float32)
        weight.grad = torch.tensor(grads.T.copy())
        theirs.step()
        params, state = fnn.update(opt, grads, state, params)
        np.testing.assert_allclose(params, weight.detach().numpy().T, atol=0.02)
