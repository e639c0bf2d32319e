"""All losses by name: each is the mean over the batch, and `<name>_per_example` gives the values that it is the mean of.

Losses of elements (mse, bce, hinge, ...) have values of the prediction's shape, losses of rows (cross_entropy, cosine, ...)
one for each row. `weighted_mean(values, weights)` weighs them by example.
"""

from typing import TYPE_CHECKING

from fnn.functional.cross_entropy import cross_entropy as cross_entropy
from fnn.functional.cross_entropy import cross_entropy_per_example as cross_entropy_per_example
from fnn.functional.losses import bce as bce
from fnn.functional.losses import bce_per_example as bce_per_example
from fnn.functional.losses import bce_with_logits as bce_with_logits
from fnn.functional.losses import bce_with_logits_per_example as bce_with_logits_per_example
from fnn.functional.losses import half_mse as half_mse
from fnn.functional.losses import half_mse_per_example as half_mse_per_example
from fnn.functional.losses import huber as huber
from fnn.functional.losses import huber_per_example as huber_per_example
from fnn.functional.losses import mae as mae
from fnn.functional.losses import mae_per_example as mae_per_example
from fnn.functional.losses import mse as mse
from fnn.functional.losses import mse_per_example as mse_per_example
from fnn.later import attach

if TYPE_CHECKING:  # what loads on first use, for checkers; the same names stand in _LATER
    from fnn.functional.distribution_losses import gaussian_nll as gaussian_nll
    from fnn.functional.distribution_losses import gaussian_nll_per_example as gaussian_nll_per_example
    from fnn.functional.distribution_losses import kl_divergence as kl_divergence
    from fnn.functional.distribution_losses import kl_divergence_per_example as kl_divergence_per_example
    from fnn.functional.distribution_losses import poisson_nll as poisson_nll
    from fnn.functional.distribution_losses import poisson_nll_per_example as poisson_nll_per_example
    from fnn.functional.imbalance_losses import dice as dice
    from fnn.functional.imbalance_losses import dice_per_example as dice_per_example
    from fnn.functional.imbalance_losses import focal as focal
    from fnn.functional.imbalance_losses import focal_cross_entropy as focal_cross_entropy
    from fnn.functional.imbalance_losses import focal_cross_entropy_per_example as focal_cross_entropy_per_example
    from fnn.functional.imbalance_losses import focal_per_example as focal_per_example
    from fnn.functional.margin_losses import hinge as hinge
    from fnn.functional.margin_losses import hinge_per_example as hinge_per_example
    from fnn.functional.margin_losses import multi_margin as multi_margin
    from fnn.functional.margin_losses import multi_margin_per_example as multi_margin_per_example
    from fnn.functional.margin_losses import squared_hinge as squared_hinge
    from fnn.functional.margin_losses import squared_hinge_per_example as squared_hinge_per_example
    from fnn.functional.nll import nll as nll
    from fnn.functional.nll import nll_per_example as nll_per_example
    from fnn.functional.reduction import weighted_mean as weighted_mean
    from fnn.functional.regression_losses import log_cosh as log_cosh
    from fnn.functional.regression_losses import log_cosh_per_example as log_cosh_per_example
    from fnn.functional.regression_losses import quantile as quantile
    from fnn.functional.regression_losses import quantile_per_example as quantile_per_example
    from fnn.functional.similarity_losses import cosine as cosine
    from fnn.functional.similarity_losses import cosine_embedding as cosine_embedding
    from fnn.functional.similarity_losses import cosine_embedding_per_example as cosine_embedding_per_example
    from fnn.functional.similarity_losses import cosine_per_example as cosine_per_example
    from fnn.functional.similarity_losses import info_nce as info_nce
    from fnn.functional.similarity_losses import info_nce_per_example as info_nce_per_example
    from fnn.functional.similarity_losses import triplet as triplet
    from fnn.functional.similarity_losses import triplet_per_example as triplet_per_example

_LATER: dict[str, str] = {
    "functional.distribution_losses": "gaussian_nll gaussian_nll_per_example "
    "kl_divergence kl_divergence_per_example poisson_nll poisson_nll_per_example",
    "functional.imbalance_losses": "dice dice_per_example "
    "focal focal_per_example focal_cross_entropy focal_cross_entropy_per_example",
    "functional.margin_losses": "hinge hinge_per_example "
    "multi_margin multi_margin_per_example squared_hinge squared_hinge_per_example",
    "functional.nll": "nll nll_per_example",
    "functional.reduction": "weighted_mean",
    "functional.regression_losses": "log_cosh log_cosh_per_example quantile quantile_per_example",
    "functional.similarity_losses": "cosine cosine_per_example cosine_embedding cosine_embedding_per_example "
    "info_nce info_nce_per_example triplet triplet_per_example",
}
if not TYPE_CHECKING:  # with a __getattr__ in sight, a checker would take any name
    __getattr__, __dir__ = attach("fnn.losses", _LATER, (), globals())
