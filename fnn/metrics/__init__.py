"""Metrics: frozen specs with pure methods over states that can be merged, exact for batches of any size and order."""

from fnn.metrics.confusion import ClassCounts as ClassCounts
from fnn.metrics.confusion import ConfusionMatrix as ConfusionMatrix
from fnn.metrics.confusion import FBeta as FBeta
from fnn.metrics.confusion import PairCounts as PairCounts
from fnn.metrics.confusion import Precision as Precision
from fnn.metrics.confusion import Recall as Recall
from fnn.metrics.hits import Accuracy as Accuracy
from fnn.metrics.hits import TopK as TopK
from fnn.metrics.likelihood import BinSums as BinSums
from fnn.metrics.likelihood import CalibrationError as CalibrationError
from fnn.metrics.likelihood import LogLoss as LogLoss
from fnn.metrics.likelihood import Perplexity as Perplexity
from fnn.metrics.metric import Average as Average
from fnn.metrics.metric import Mean as Mean
from fnn.metrics.metric import Metric as Metric
from fnn.metrics.metric import OneVsRest as OneVsRest
from fnn.metrics.metric import Several as Several
from fnn.metrics.metric import Weights as Weights
from fnn.metrics.ranking import AveragePrecision as AveragePrecision
from fnn.metrics.ranking import RocAuc as RocAuc
from fnn.metrics.ranking import ScoreCounts as ScoreCounts
from fnn.metrics.regression import MAE as MAE
from fnn.metrics.regression import MSE as MSE
from fnn.metrics.regression import R2 as R2
from fnn.metrics.regression import RMSE as RMSE
from fnn.metrics.regression import Moments as Moments
