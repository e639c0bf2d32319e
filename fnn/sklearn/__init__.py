"""Nets as scikit-learn estimators (`pip install fnn[sklearn]`): in pipelines, grid searches and cross-validation."""

from fnn.sklearn.classifier import Classifier as Classifier
from fnn.sklearn.regressor import Regressor as Regressor
