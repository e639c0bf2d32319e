"""What the classifier and the regressor share: the parameters of an estimator, the default net, and the loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

import fnn
from fnn.functional.checks import check_int, check_range
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
        hidden: int | Sequence[int] = (64,),
        *,
        activation: Activation = fnn.relu,
        model: Factory | None = None,
        optimizer: fnn.Optimizer | None = None,
        epochs: int = 100,
        batch_size: int = 32,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.model = model
        self.optimizer = optimizer
        self.epochs = epochs
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state
        self.verbose = verbose

    def _train(self, x: Any, y: Any, outputs: int, criterion: Callable[[Any, Any], Any], score: Any) -> None:
        """Fit `model_`, `params_` and `state_` to rows x and targets y; `score` is the metric that early stopping looks at."""
        name = type(self).__name__
        for what in ("epochs", "batch_size", "n_iter_no_change"):
            check_int(name, what, getattr(self, what))
        key = fnn.key(int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max)))
        held = None
        for of_validation in ("validation_scores_", "best_validation_score_"):  # of an earlier fit
            self.__dict__.pop(of_validation, None)
        if self.early_stopping:
            check_range(name, "validation_fraction", self.validation_fraction)
            parts = (1 - self.validation_fraction, self.validation_fraction)
            rows, labels = len(x), y if y.dtype.kind == "i" else None
            (x, y), held = fnn.data.split((x, y), parts, key.fold(0), stratify=labels)
            if not 0 < len(x) < rows:
                raise ValueError(
                    f"{name}: validation_fraction is {self.validation_fraction}, which leaves {len(x)} rows to train on of "
                    f"n_samples = {rows}; both parts need some"
                )
        model: Any = self._net(x.shape[1], outputs)
        opt = fnn.Adam(1e-2) if self.optimizer is None else self.optimizer
        ts = fnn.start(model, opt, key)
        made = np.shape(fnn.predict(model, ts.params, ts.state, x[:1]))
        if made != (1, outputs):
            raise ValueError(f"{name}: the model gives {list(made)} for one row, expected {[1, outputs]}: an output each")
        step = fnn.train_step(fnn.supervised(model, criterion), opt)
        stopping = fnn.EarlyStopping(self.n_iter_no_change, ts, maximize=True)
        losses: list[float] = []
        scores: list[float] = []
        # one row alone has no variance for a batch norm; each epoch leaves out another
        last: Any = "drop" if len(x) % self.batch_size == 1 < len(x) else "keep"
        run = fnn.fit(step, ts, (x, y), epochs=self.epochs, batch_size=self.batch_size, last=last, progress=bool(self.verbose))
        for record in run:
            ts = record.state
            losses.append(record.loss)
            if held is not None:
                scores.append(fnn.evaluate(model, ts, held, score))
                stopping = stopping.update(scores[-1], ts)
                if stopping.stopped:
                    break
        if held is not None:
            ts = stopping.best_state
            self.validation_scores_, self.best_validation_score_ = scores, max(scores)
        self.model_, self.params_, self.state_ = model, ts.params, ts.state
        self.loss_curve_, self.n_iter_ = losses, len(losses)

    def _net(self, inputs: int, outputs: int) -> Any:
        name = type(self).__name__
        if self.model is not None:
            if not callable(self.model):
                raise TypeError(
                    f"{name}: model is {self.model!r}, expected a function that makes it from the numbers of inputs and "
                    "outputs: lambda n_in, n_out: fnn.Dense(n_in, n_out)"
                )
            return self.model(inputs, outputs)
        if not callable(self.activation):
            raise TypeError(f"{name}: activation is {self.activation!r}, expected a function, as fnn.relu")
        parts: list[Any] = []
        width = inputs
        for n in [self.hidden] if isinstance(self.hidden, (int, np.integer)) else self.hidden:
            parts += [fnn.Dense(width, check_int(name, "a size in hidden", n)), self.activation]
            width = int(n)
        return fnn.chain([*parts, fnn.Dense(width, outputs)])

    def _forward(self, x: Any) -> Any:
        """What the net gives for rows x, which are checked; in float64, where a row doesn't depend on those beside it."""
        check_is_fitted(self)
        rows: Any = validate_data(self, x, reset=False, dtype=np.float32)
        params, state = fnn.tree.astype((self.params_, self.state_), np.float64)
        return fnn.predict(self.model_, params, state, rows.astype(np.float64), batch_size=1024)
