"""An optimiser and a transform of one's own, each a frozen dataclass with two pure methods on vectors.

All parameters of a net lie in one vector, so a rule is a few lines of NumPy, whatever the net is. `init_flat` gives the
moments before the first step, `update_flat` what is added to the parameters, and the moments after. Nothing that comes in
may be written to. `fnn.testing.check_optimizer` checks that, and seven more laws.

Here: Yogi (Zaheer et al. 2018), Adam whose second moment moves by a bounded amount; and a transform that leaves out the
entries of the gradient whose sign is not that of the step before.
"""

import argparse
from dataclasses import dataclass

import numpy as np

import fnn
from fnn import optim
from fnn.testing import check_optimizer


@dataclass(frozen=True)
class Yogi(fnn.Optimizer):
    learning_rate: float

    def init_flat(self, params: fnn.Array1, segments: fnn.Segments, /) -> fnn.Slots:
        return {"mu": np.zeros_like(params), "nu": np.full_like(params, 1e-6)}

    def update_flat(
        self, grads: fnn.Array1, slots: fnn.Slots, params: fnn.Array1, step: int, segments: fnn.Segments, /
    ) -> tuple[fnn.Array1, fnn.Slots]:
        square = grads * grads
        mu = 0.9 * slots["mu"] + 0.1 * grads
        nu = slots["nu"] - 0.001 * np.sign(slots["nu"] - square) * square
        return -self.learning_rate * mu / (np.sqrt(nu) + 1e-3), {"mu": mu, "nu": nu}


@dataclass(frozen=True)
class KeepAgreeing(optim.Transform):
    def init_flat(self, params: fnn.Array1, segments: fnn.Segments, /) -> fnn.Slots:
        return {"before": np.zeros_like(params)}

    def update_flat(
        self, grads: fnn.Array1, slots: fnn.Slots, params: fnn.Array1, step: int, segments: fnn.Segments, /
    ) -> tuple[fnn.Array1, fnn.Slots]:
        return grads * (grads * slots["before"] >= 0), {"before": grads.copy()}


OPTIMIZERS: dict[str, fnn.Optimizer] = {
    "Yogi": Yogi(0.01),
    "KeepAgreeing >> Yogi": KeepAgreeing() >> Yogi(0.01),
    "KeepAgreeing >> Adam": KeepAgreeing() >> fnn.Adam(0.01),
}


def train(opt: fnn.Optimizer, steps: int = 300) -> list[fnn.Scalar]:
    """The losses of a small net that learns a sine."""
    x = np.linspace(-3, 3, 64, dtype=np.float32)[:, None]
    model = fnn.Dense(1, 16) >> fnn.tanh >> fnn.Dense(16, 1)
    step = fnn.train_step(fnn.supervised(model, fnn.mse), opt)
    return fnn.repeat(steps, step, fnn.start(model, opt, fnn.key(0)), x, np.sin(x))[1]


def main() -> None:
    for name, opt in OPTIMIZERS.items():
        laws = check_optimizer(opt)
        losses = train(opt)
        print(f"{name:22} keeps {len(laws)} laws; the loss went from {losses[0]:.4f} to {losses[-1]:.6f}")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
