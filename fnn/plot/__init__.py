"""Pictures of nets and of their training, drawn by matplotlib (`pip install 'fnn[plot]'`), see docs/plots.md.

Each function draws on `ax`, or on a new figure that is no part of pyplot's, and returns the Axes (a tuple where there are
several). None shows or saves anything: write `ax.figure.savefig("loss.png")`, or give Axes of pyplot's and plt.show().
"""

from fnn.plot.activation import activations as activations
from fnn.plot.attention_map import attention_maps as attention_maps
from fnn.plot.boundary import decision_boundary as decision_boundary
from fnn.plot.confusion import confusion_matrix as confusion_matrix
from fnn.plot.filter import filters as filters
from fnn.plot.histogram import histograms as histograms
from fnn.plot.learning_rate import RateSearch as RateSearch
from fnn.plot.learning_rate import find_learning_rate as find_learning_rate
from fnn.plot.learning_rate import learning_rates as learning_rates
from fnn.plot.loss_curves import curves as curves
from fnn.plot.loss_curves import smoothed as smoothed
from fnn.plot.network_graph import network as network
from fnn.plot.surface import surfaces as surfaces
