"""What the classifier and the regressor share: the parameters of an estimator, the default net, and the loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

import fnn
from fnn.layers.layer import Layer

try:
    from sklearn.base import BaseEstimator
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError("fnn.sklearn needs scikit-learn 1.6 or newer: pip install 'fnn[sklearn]'") from error

# makes the net for this number of inputs and outputs
Factory: TypeAlias = Callable[[int, int], Layer[Any, Any, Any, Any]]
Activation: TypeAlias = Callable[[Any], Any]


class Network(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Base of both estimators. See those."""

    def __init__(
        self,
        hidden: Sequence[int] = (64,),
        *,
        activation: Activation = fnn.relu,
        model: Factory | None = None,
        optimizer: fnn.Optimizer | None = None,
        epochs: int = 100,
        batch_size: int = 32,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.model = model
        self.optimizer = optimizer
        self.epochs = epochs
        self.batch_size = batch_size
        self.random_state = random_state
        self.verbose = verbose

    def _train(self, x: Any, y: Any, outputs: int, criterion: Callable[[Any, Any], Any]) -> None:
        """Fit `model_`, `params_` and `state_` to rows x and targets y."""
        model: Any = self._net(x.shape[1], outputs)
        opt = fnn.Adam(1e-2) if self.optimizer is None else self.optimizer
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        ts = fnn.start(model, opt, fnn.key(seed))
        losses = []
        step = fnn.train_step(fnn.supervised(model, criterion), opt)
        for record in fnn.fit(step, ts, (x, y), epochs=self.epochs, batch_size=self.batch_size, progress=self.verbose):
            ts = record.state
            losses.append(record.loss)
        self.model_, self.params_, self.state_ = model, ts.params, ts.state
        self.loss_curve_, self.n_iter_ = losses, len(losses)

    def _net(self, inputs: int, outputs: int) -> Any:
        if self.model is not None:
            return self.model(inputs, outputs)
        parts: list[Any] = []
        width = inputs
        for n in self.hidden:
            parts += [fnn.Dense(width, n), self.activation]
            width = n
        return fnn.chain([*parts, fnn.Dense(width, outputs)])

    def _forward(self, x: Any) -> Any:
        """What the net gives for rows x, which are checked."""
        check_is_fitted(self)
        x = validate_data(self, x, reset=False, dtype=np.float32)
        return fnn.predict(self.model_, self.params_, self.state_, x, batch_size=1024)
