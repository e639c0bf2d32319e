"""A net as a scikit-learn classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

import fnn
from fnn.sklearn.network import Network


class Classifier(ClassifierMixin, Network):  # type: ignore[misc]  # scikit-learn has no types
    """A multi-layer perceptron, or a net of your own, that learns classes by cross-entropy.

    hidden: sizes of the hidden layers, or that of the only one; activation: the function after each. model: in their place, a
    function of the numbers of inputs and outputs that makes a layer, whose last output are logits [batch, classes].
    optimizer: Adam(0.01) where none is given. epochs, batch_size: as for `fnn.fit`, but a last batch of a single row is left
    out, from which no batch norm can learn. random_state: a seed, as everywhere in scikit-learn; with an int two fits give the
    same bits. verbose: a line of progress.

    early_stopping: hold back `validation_fraction` of the rows (of each class alike), stop after `n_iter_no_change` epochs in
    which the score on them has not risen, and keep the parameters of the best epoch, as scikit-learn's MLPClassifier does.

    Inputs become float32; scale them (StandardScaler). Fitted attributes: classes_, n_features_in_, model_, params_, state_,
    loss_curve_ (the mean loss of every epoch), n_iter_ (epochs); with early stopping validation_scores_ (of every epoch) and
    best_validation_score_.

    There are no sample weights: in small batches they are not what scikit-learn asks of them, the same as repeated rows.

    For GridSearchCV and pickle the activation and the factory must be functions of a module, no lambdas.

    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from fnn.sklearn import Classifier
    >>> x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> net = make_pipeline(StandardScaler(), Classifier((8,), random_state=0)).fit(x, ["same", "other", "other", "same"])
    >>> net.predict(x).tolist()
    ['same', 'other', 'other', 'same']
    """

    def fit(self, X: Any, y: Any) -> Classifier:  # noqa: N803 (scikit-learn's name)
        """Learn from rows X [n, features] and labels y [n] of any kind. Returns self."""
        x, y = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"Classifier: y has one class only, {self.classes_[0]}; expected at least two classes")
        self._train(x, labels.astype(np.int64), len(self.classes_), fnn.cross_entropy, fnn.metrics.Accuracy())
        return self

    def predict_proba(self, X: Any) -> Any:  # noqa: N803
        """The probability of each class, [n, classes], in float64; the rows sum to 1."""
        return fnn.softmax(self._forward(X))

    def predict(self, X: Any) -> Any:  # noqa: N803
        """The most probable class of each row, [n]."""
        found = self._forward(X)
        return self.classes_[found.argmax(axis=1)]
