"""Looking at nets: what differs between two trees, and how activations and gradients are by layer."""

from fnn.inspection.diff import Difference as Difference
from fnn.inspection.diff import TreeDiff as TreeDiff
from fnn.inspection.diff import tree_diff as tree_diff
from fnn.inspection.statistics import GradientRow as GradientRow
from fnn.inspection.statistics import GradientStatistics as GradientStatistics
from fnn.inspection.statistics import LayerRow as LayerRow
from fnn.inspection.statistics import LayerStatistics as LayerStatistics
from fnn.inspection.statistics import gradient_statistics as gradient_statistics
from fnn.inspection.statistics import layer_statistics as layer_statistics
