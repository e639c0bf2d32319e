"""Optimisers, the blocks that they are made of, and schedules."""

from typing import TYPE_CHECKING

from fnn.later import attach
from fnn.optim.adam import Adam as Adam
from fnn.optim.adam import ScaleByAdam as ScaleByAdam
from fnn.optim.learning_rate import Rate as Rate
from fnn.optim.learning_rate import ScaleByLearningRate as ScaleByLearningRate
from fnn.optim.learning_rate import Schedule as Schedule
from fnn.optim.optimizer import AfterUpdate as AfterUpdate
from fnn.optim.optimizer import Composed as Composed
from fnn.optim.optimizer import Optimizer as Optimizer
from fnn.optim.optimizer import Transform as Transform
from fnn.optim.optimizer import update as update
from fnn.optim.sgd import Sgd as Sgd
from fnn.optim.sgd import Trace as Trace
from fnn.optim.state import OptState as OptState
from fnn.optim.state import Segments as Segments
from fnn.optim.state import Slots as Slots

if TYPE_CHECKING:  # what loads on first use, for checkers; the same names stand in _LATER
    from fnn.optim.adam_variants import AdaBelief as AdaBelief
    from fnn.optim.adam_variants import Adamax as Adamax
    from fnn.optim.adam_variants import AMSGrad as AMSGrad
    from fnn.optim.adam_variants import NAdam as NAdam
    from fnn.optim.adam_variants import RAdam as RAdam
    from fnn.optim.adam_variants import ScaleByAdamax as ScaleByAdamax
    from fnn.optim.adam_variants import ScaleByAmsgrad as ScaleByAmsgrad
    from fnn.optim.adam_variants import ScaleByBelief as ScaleByBelief
    from fnn.optim.adam_variants import ScaleByNadam as ScaleByNadam
    from fnn.optim.adam_variants import ScaleByRadam as ScaleByRadam
    from fnn.optim.adamw import AdamW as AdamW
    from fnn.optim.adaptive import Adadelta as Adadelta
    from fnn.optim.adaptive import Adagrad as Adagrad
    from fnn.optim.adaptive import RMSprop as RMSprop
    from fnn.optim.adaptive import ScaleByAdadelta as ScaleByAdadelta
    from fnn.optim.adaptive import ScaleByAdagrad as ScaleByAdagrad
    from fnn.optim.adaptive import ScaleByRms as ScaleByRms
    from fnn.optim.clipping import AdaptiveClip as AdaptiveClip
    from fnn.optim.clipping import AddNoise as AddNoise
    from fnn.optim.clipping import Centralize as Centralize
    from fnn.optim.clipping import ClipByGlobalNorm as ClipByGlobalNorm
    from fnn.optim.clipping import ClipByNorm as ClipByNorm
    from fnn.optim.clipping import ClipByValue as ClipByValue
    from fnn.optim.decay import AddDecayedWeights as AddDecayedWeights
    from fnn.optim.decay import AddL1 as AddL1
    from fnn.optim.decay import ProximalL1 as ProximalL1
    from fnn.optim.groups import Freeze as Freeze
    from fnn.optim.groups import Groups as Groups
    from fnn.optim.groups import Masked as Masked
    from fnn.optim.muon import Muon as Muon
    from fnn.optim.muon import ScaleByMuon as ScaleByMuon
    from fnn.optim.plateau import ReduceOnPlateau as ReduceOnPlateau
    from fnn.optim.projections import MaxNorm as MaxNorm
    from fnn.optim.projections import Orthogonal as Orthogonal
    from fnn.optim.projections import Projection as Projection
    from fnn.optim.quasi_newton import LbfgsResult as LbfgsResult
    from fnn.optim.quasi_newton import lbfgs as lbfgs
    from fnn.optim.scale import Scale as Scale
    from fnn.optim.schedules import Constant as Constant
    from fnn.optim.schedules import Cosine as Cosine
    from fnn.optim.schedules import ExponentialDecay as ExponentialDecay
    from fnn.optim.schedules import InverseTime as InverseTime
    from fnn.optim.schedules import Joined as Joined
    from fnn.optim.schedules import OneCycle as OneCycle
    from fnn.optim.schedules import Piecewise as Piecewise
    from fnn.optim.schedules import Polynomial as Polynomial
    from fnn.optim.schedules import StepDecay as StepDecay
    from fnn.optim.schedules import WarmUp as WarmUp
    from fnn.optim.signs import Lion as Lion
    from fnn.optim.signs import Rprop as Rprop
    from fnn.optim.signs import ScaleByLion as ScaleByLion
    from fnn.optim.signs import ScaleByRprop as ScaleByRprop
    from fnn.optim.signs import ScaleBySign as ScaleBySign
    from fnn.optim.wrappers import Accumulate as Accumulate
    from fnn.optim.wrappers import Ema as Ema
    from fnn.optim.wrappers import Lookahead as Lookahead
    from fnn.optim.wrappers import SkipNonFinite as SkipNonFinite

_LATER: dict[str, str] = {
    "optim.adam_variants": "AdaBelief Adamax AMSGrad NAdam RAdam "
    "ScaleByAdamax ScaleByAmsgrad ScaleByBelief ScaleByNadam ScaleByRadam",
    "optim.adamw": "AdamW",
    "optim.adaptive": "Adadelta Adagrad RMSprop ScaleByAdadelta ScaleByAdagrad ScaleByRms",
    "optim.clipping": "AdaptiveClip AddNoise Centralize ClipByGlobalNorm ClipByNorm ClipByValue",
    "optim.decay": "AddDecayedWeights AddL1 ProximalL1",
    "optim.groups": "Freeze Groups Masked",
    "optim.quasi_newton": "LbfgsResult lbfgs",
    "optim.muon": "Muon ScaleByMuon",
    "optim.plateau": "ReduceOnPlateau",
    "optim.projections": "MaxNorm Orthogonal Projection",
    "optim.scale": "Scale",
    "optim.schedules": "Constant Cosine ExponentialDecay InverseTime Joined OneCycle Piecewise Polynomial StepDecay WarmUp",
    "optim.signs": "Lion Rprop ScaleByLion ScaleByRprop ScaleBySign",
    "optim.wrappers": "Accumulate Ema Lookahead SkipNonFinite",
}
if not TYPE_CHECKING:  # with a __getattr__ in sight, a checker would take any name
    __getattr__, __dir__ = attach("fnn.optim", _LATER, (), globals())
