"""Nets as scikit-learn estimators (`pip install fnn[sklearn]`): in pipelines, grid searches and cross-validation."""

try:
    import sklearn as _sklearn  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("fnn.sklearn needs scikit-learn: pip install 'fnn[sklearn]'", name="sklearn") from error

from fnn.sklearn.classifier import Classifier as Classifier
from fnn.sklearn.regressor import Regressor as Regressor
