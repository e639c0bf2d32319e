"""A net as a scikit-learn regressor."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import validate_data

import fnn
from fnn.sklearn.network import Network


class Regressor(RegressorMixin, Network):  # type: ignore[misc]  # scikit-learn has no types
    """A multi-layer perceptron, or a net of your own, that learns numbers by the mean squared error.

    The parameters are those of `Classifier`; a `model` gives [batch, outputs], and the score of early stopping is
    R^2 against the variance of all targets. Targets y are [n] or [n, outputs]; the net learns them with mean 0 and variance 1,
    and `predict` gives them back in their own units (`y_mean_`, `y_scale_`).

    >>> import numpy as np
    >>> from fnn.sklearn import Regressor
    >>> x = np.linspace(-1, 1, 50).reshape(-1, 1)
    >>> Regressor((16,), random_state=0).fit(x, 100 * x[:, 0] ** 2).score(x, 100 * x[:, 0] ** 2) > 0.95
    True
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any) -> Regressor:  # noqa: N803 (scikit-learn's name)
        """Learn from rows X [n, features] and targets y [n] or [n, outputs]. Returns self."""
        x, y = validate_data(self, X, y, dtype=np.float32, multi_output=True, y_numeric=True)
        self._is_flat = y.ndim == 1
        target = np.asarray(y, np.float64).reshape(len(x), -1)
        # first by a power of 2, which changes no digit, so that no square overflows or vanishes
        unit = np.ldexp(1.0, np.frexp(np.abs(target).max(axis=0))[1] - 1)
        target = target / unit
        mean, spread = target.mean(axis=0), target.std(axis=0)
        scaled = ((target - mean) / np.where(spread > 0, spread, 1.0)).astype(np.float32)
        self.y_mean_, self.y_scale_ = mean * unit, np.where(spread > 0, spread * unit, 1.0)
        self._train(x, scaled, scaled.shape[1], fnn.mse, lambda found, target: 1 - fnn.mse(found, target))
        return self

    def predict(self, X: Any) -> Any:  # noqa: N803
        """The targets of rows X, shaped as those of `fit`, in float64."""
        found = self._forward(X) * self.y_scale_ + self.y_mean_
        return found[:, 0] if self._is_flat else found
