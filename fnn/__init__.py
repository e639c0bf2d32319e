"""fnn: functional, stateless neural nets on NumPy.

Parameters live in immutable dataclass pytrees; pure `init`, `forward`, `grad` and `update` are composed into a
`train_step`. See README.md for ten lines that train a net, and docs/design.md for how it is built.
"""

from typing import TYPE_CHECKING

from fnn import initializers as initializers
from fnn import optim as optim
from fnn import tree as tree
from fnn.arrays import Array as Array
from fnn.arrays import Array1 as Array1
from fnn.arrays import Array2 as Array2
from fnn.arrays import Array3 as Array3
from fnn.arrays import Array4 as Array4
from fnn.arrays import Array5 as Array5
from fnn.arrays import Bools as Bools
from fnn.arrays import Int1 as Int1
from fnn.arrays import Int2 as Int2
from fnn.arrays import Ints as Ints
from fnn.arrays import Scalar as Scalar
from fnn.autodiff.custom import checkpoint as checkpoint
from fnn.autodiff.custom import custom_vjp as custom_vjp
from fnn.autodiff.debug import debug_nans as debug_nans
from fnn.autodiff.higher_order import hessian as hessian
from fnn.autodiff.higher_order import hvp as hvp
from fnn.autodiff.higher_order import jacobian as jacobian
from fnn.autodiff.higher_order import jvp as jvp
from fnn.autodiff.transforms import grad as grad
from fnn.autodiff.transforms import stop_gradient as stop_gradient
from fnn.autodiff.transforms import value_and_grad as value_and_grad
from fnn.autodiff.transforms import vjp as vjp
from fnn.functional.activations import elu as elu
from fnn.functional.activations import gelu as gelu
from fnn.functional.activations import identity as identity
from fnn.functional.activations import leaky_relu as leaky_relu
from fnn.functional.activations import log_softmax as log_softmax
from fnn.functional.activations import relu as relu
from fnn.functional.activations import selu as selu
from fnn.functional.activations import sigmoid as sigmoid
from fnn.functional.activations import silu as silu
from fnn.functional.activations import softmax as softmax
from fnn.functional.activations import softplus as softplus
from fnn.functional.activations import tanh as tanh
from fnn.functional.cross_entropy import cross_entropy as cross_entropy
from fnn.functional.indexing import add_at as add_at
from fnn.functional.indexing import set_at as set_at
from fnn.functional.linear import DenseParams as DenseParams
from fnn.functional.linear import LinearParams as LinearParams
from fnn.functional.linear import dense as dense
from fnn.functional.losses import bce as bce
from fnn.functional.losses import bce_with_logits as bce_with_logits
from fnn.functional.losses import half_mse as half_mse
from fnn.functional.losses import huber as huber
from fnn.functional.losses import mae as mae
from fnn.functional.losses import mse as mse
from fnn.functional.metrics import accuracy as accuracy
from fnn.functional.noise import dropout as dropout
from fnn.functional.norms import BatchNormState as BatchNormState
from fnn.functional.norms import NormParams as NormParams
from fnn.functional.norms import batch_norm as batch_norm
from fnn.functional.numeric import abs as abs
from fnn.functional.numeric import concatenate as concatenate
from fnn.functional.numeric import einsum as einsum
from fnn.functional.numeric import exp as exp
from fnn.functional.numeric import log as log
from fnn.functional.numeric import logsumexp as logsumexp
from fnn.functional.numeric import matmul as matmul
from fnn.functional.numeric import max as max
from fnn.functional.numeric import mean as mean
from fnn.functional.numeric import min as min
from fnn.functional.numeric import safe_where as safe_where
from fnn.functional.numeric import sqrt as sqrt
from fnn.functional.numeric import square as square
from fnn.functional.numeric import sum as sum
from fnn.functional.numeric import take as take
from fnn.functional.numeric import var as var
from fnn.functional.numeric import where as where
from fnn.initializers import Initializer as Initializer
from fnn.later import attach
from fnn.layers.combinators import Residual as Residual
from fnn.layers.combinators import Stack as Stack
from fnn.layers.combinators import chain as chain
from fnn.layers.combinators import layer as layer
from fnn.layers.combinators import residual as residual
from fnn.layers.combinators import stack as stack
from fnn.layers.core import BatchNorm as BatchNorm
from fnn.layers.core import Dense as Dense
from fnn.layers.core import Dropout as Dropout
from fnn.layers.layer import Chain as Chain
from fnn.layers.layer import Composable as Composable
from fnn.layers.layer import Function as Function
from fnn.layers.layer import Layer as Layer
from fnn.layers.layer import forward as forward
from fnn.layers.layer import init as init
from fnn.mode import EVAL as EVAL
from fnn.mode import Eval as Eval
from fnn.mode import Mode as Mode
from fnn.mode import Train as Train
from fnn.optim.adam import Adam as Adam
from fnn.optim.optimizer import Optimizer as Optimizer
from fnn.optim.optimizer import update as update
from fnn.optim.sgd import Sgd as Sgd
from fnn.optim.state import OptState as OptState
from fnn.optim.state import Segments as Segments
from fnn.optim.state import Slots as Slots
from fnn.random import Key as Key
from fnn.random import key as key
from fnn.training.predict import predict as predict
from fnn.training.supervised import supervised as supervised
from fnn.training.train_state import TrainState as TrainState
from fnn.training.train_state import start as start
from fnn.training.train_state import train_state as train_state
from fnn.training.train_step import repeat as repeat
from fnn.training.train_step import train_step as train_step

if TYPE_CHECKING:  # what loads on first use, for checkers; the same names stand in _LATER
    from fnn import data as data
    from fnn import datasets as datasets
    from fnn import inspection as inspection
    from fnn import io as io
    from fnn import losses as losses
    from fnn import metrics as metrics
    from fnn import plot as plot
    from fnn import sklearn as sklearn
    from fnn import testing as testing
    from fnn.data.batching import batches as batches
    from fnn.data.csv_table import read_csv as read_csv
    from fnn.data.prefetching import prefetch as prefetch
    from fnn.data.scaling import Normalizer as Normalizer
    from fnn.functional.attention import AttentionParams as AttentionParams
    from fnn.functional.attention import KVCache as KVCache
    from fnn.functional.attention import attention as attention
    from fnn.functional.attention import cached_attention as cached_attention
    from fnn.functional.convolution import ConvParams as ConvParams
    from fnn.functional.convolution import KernelParams as KernelParams
    from fnn.functional.convolution import conv1d as conv1d
    from fnn.functional.convolution import conv2d as conv2d
    from fnn.functional.convolution import conv3d as conv3d
    from fnn.functional.cross_entropy import cross_entropy_per_example as cross_entropy_per_example
    from fnn.functional.dot_product_attention import dot_product_attention as dot_product_attention
    from fnn.functional.dot_product_attention import padding_mask as padding_mask
    from fnn.functional.embedding import EmbeddingParams as EmbeddingParams
    from fnn.functional.embedding import attend as attend
    from fnn.functional.embedding import embedding as embedding
    from fnn.functional.embedding import one_hot as one_hot
    from fnn.functional.gru import gru as gru
    from fnn.functional.gru import gru_cell as gru_cell
    from fnn.functional.layer_norms import ScaleParams as ScaleParams
    from fnn.functional.layer_norms import group_norm as group_norm
    from fnn.functional.layer_norms import instance_norm as instance_norm
    from fnn.functional.layer_norms import layer_norm as layer_norm
    from fnn.functional.layer_norms import rms_norm as rms_norm
    from fnn.functional.lstm import LSTMState as LSTMState
    from fnn.functional.lstm import lstm as lstm
    from fnn.functional.lstm import lstm_cell as lstm_cell
    from fnn.functional.nll import nll as nll
    from fnn.functional.nll import nll_per_example as nll_per_example
    from fnn.functional.noise import drop_path as drop_path
    from fnn.functional.noise import gaussian_noise as gaussian_noise
    from fnn.functional.noise import spatial_dropout as spatial_dropout
    from fnn.functional.penalties import elastic_net as elastic_net
    from fnn.functional.penalties import l1 as l1
    from fnn.functional.penalties import l2 as l2
    from fnn.functional.pooling import avg_pool1d as avg_pool1d
    from fnn.functional.pooling import avg_pool2d as avg_pool2d
    from fnn.functional.pooling import avg_pool3d as avg_pool3d
    from fnn.functional.pooling import global_avg_pool as global_avg_pool
    from fnn.functional.pooling import global_max_pool as global_max_pool
    from fnn.functional.pooling import max_pool1d as max_pool1d
    from fnn.functional.pooling import max_pool2d as max_pool2d
    from fnn.functional.pooling import max_pool3d as max_pool3d
    from fnn.functional.positions import PositionParams as PositionParams
    from fnn.functional.positions import add_positions as add_positions
    from fnn.functional.positions import rotary as rotary
    from fnn.functional.positions import sinusoidal_positions as sinusoidal_positions
    from fnn.functional.recurrence import RecurrentParams as RecurrentParams
    from fnn.functional.resize import flatten as flatten
    from fnn.functional.resize import last_step as last_step
    from fnn.functional.resize import pad as pad
    from fnn.functional.resize import upsample1d as upsample1d
    from fnn.functional.resize import upsample2d as upsample2d
    from fnn.functional.resize import upsample3d as upsample3d
    from fnn.functional.rnn import rnn as rnn
    from fnn.functional.rnn import rnn_cell as rnn_cell
    from fnn.functional.scan import scan as scan
    from fnn.functional.transposed_convolution import conv_transpose1d as conv_transpose1d
    from fnn.functional.transposed_convolution import conv_transpose2d as conv_transpose2d
    from fnn.functional.transposed_convolution import conv_transpose3d as conv_transpose3d
    from fnn.functional.windows import Padding as Padding
    from fnn.inspection.diff import TreeDiff as TreeDiff
    from fnn.inspection.diff import tree_diff as tree_diff
    from fnn.inspection.statistics import gradient_statistics as gradient_statistics
    from fnn.inspection.statistics import layer_statistics as layer_statistics
    from fnn.io.files import load as load
    from fnn.io.files import save as save
    from fnn.layers.attention import Attention as Attention
    from fnn.layers.attention import CrossAttention as CrossAttention
    from fnn.layers.convolution import Conv1d as Conv1d
    from fnn.layers.convolution import Conv2d as Conv2d
    from fnn.layers.convolution import Conv3d as Conv3d
    from fnn.layers.embedding import Embedding as Embedding
    from fnn.layers.noise import DropPath as DropPath
    from fnn.layers.noise import GaussianNoise as GaussianNoise
    from fnn.layers.noise import SpatialDropout as SpatialDropout
    from fnn.layers.norms import GroupNorm as GroupNorm
    from fnn.layers.norms import InstanceNorm as InstanceNorm
    from fnn.layers.norms import LayerNorm as LayerNorm
    from fnn.layers.norms import RMSNorm as RMSNorm
    from fnn.layers.over_time import OverTime as OverTime
    from fnn.layers.over_time import over_time as over_time
    from fnn.layers.parallel import Parallel as Parallel
    from fnn.layers.parallel import parallel as parallel
    from fnn.layers.pooling import AvgPool1d as AvgPool1d
    from fnn.layers.pooling import AvgPool2d as AvgPool2d
    from fnn.layers.pooling import AvgPool3d as AvgPool3d
    from fnn.layers.pooling import MaxPool1d as MaxPool1d
    from fnn.layers.pooling import MaxPool2d as MaxPool2d
    from fnn.layers.pooling import MaxPool3d as MaxPool3d
    from fnn.layers.positions import LearnedPositions as LearnedPositions
    from fnn.layers.positions import SinusoidalPositions as SinusoidalPositions
    from fnn.layers.recurrence import GRU as GRU
    from fnn.layers.recurrence import LSTM as LSTM
    from fnn.layers.recurrence import RNN as RNN
    from fnn.layers.recurrence import Bidirectional as Bidirectional
    from fnn.layers.recurrence import bidirectional as bidirectional
    from fnn.layers.resize import Pad as Pad
    from fnn.layers.resize import Upsample1d as Upsample1d
    from fnn.layers.resize import Upsample2d as Upsample2d
    from fnn.layers.resize import Upsample3d as Upsample3d
    from fnn.layers.sharing import Frozen as Frozen
    from fnn.layers.sharing import Tied as Tied
    from fnn.layers.sharing import frozen as frozen
    from fnn.layers.sharing import tied as tied
    from fnn.layers.summary import Summary as Summary
    from fnn.layers.summary import summary as summary
    from fnn.layers.transformer import DecoderBlock as DecoderBlock
    from fnn.layers.transformer import DecoderParams as DecoderParams
    from fnn.layers.transformer import PostNormParams as PostNormParams
    from fnn.layers.transformer import PreNormParams as PreNormParams
    from fnn.layers.transformer import encoder_block as encoder_block
    from fnn.layers.transposed_convolution import ConvTranspose1d as ConvTranspose1d
    from fnn.layers.transposed_convolution import ConvTranspose2d as ConvTranspose2d
    from fnn.layers.transposed_convolution import ConvTranspose3d as ConvTranspose3d
    from fnn.optim.adamw import AdamW as AdamW
    from fnn.optim.clipping import ClipByGlobalNorm as ClipByGlobalNorm
    from fnn.training.evaluate import evaluate as evaluate
    from fnn.training.fit import fit as fit
    from fnn.training.progress import Progress as Progress
    from fnn.training.records import FitRecord as FitRecord
    from fnn.training.stopping import EarlyStopping as EarlyStopping
    from fnn.training.stopping import KeepBest as KeepBest
    from fnn.training.stopping import StopOnNan as StopOnNan

__version__ = "0.1.0"

# What a small net does without: loaded when it is first named, so that `import fnn` stays quick.
_LATER: dict[str, str] = {
    "data.batching": "batches",
    "data.csv_table": "read_csv",
    "data.prefetching": "prefetch",
    "data.scaling": "Normalizer",
    "functional.penalties": "elastic_net l1 l2",
    "optim.adamw": "AdamW",
    "optim.clipping": "ClipByGlobalNorm",
    "inspection.diff": "TreeDiff tree_diff",
    "inspection.statistics": "gradient_statistics layer_statistics",
    "training.evaluate": "evaluate",
    "training.fit": "fit",
    "training.progress": "Progress",
    "training.records": "FitRecord",
    "training.stopping": "EarlyStopping KeepBest StopOnNan",
    "functional.convolution": "ConvParams KernelParams conv1d conv2d conv3d",
    "functional.transposed_convolution": "conv_transpose1d conv_transpose2d conv_transpose3d",
    "functional.windows": "Padding",
    "layers.convolution": "Conv1d Conv2d Conv3d",
    "layers.transposed_convolution": "ConvTranspose1d ConvTranspose2d ConvTranspose3d",
    "layers.over_time": "OverTime over_time",
    "layers.parallel": "Parallel parallel",
    "layers.sharing": "Tied Frozen frozen tied",
    "layers.summary": "Summary summary",
    "functional.cross_entropy": "cross_entropy_per_example",
    "functional.nll": "nll nll_per_example",
    "functional.noise": "drop_path gaussian_noise spatial_dropout",
    "functional.pooling": "avg_pool1d avg_pool2d avg_pool3d global_avg_pool global_max_pool max_pool1d max_pool2d max_pool3d",
    "functional.resize": "flatten last_step pad upsample1d upsample2d upsample3d",
    "layers.noise": "DropPath GaussianNoise SpatialDropout",
    "layers.pooling": "AvgPool1d AvgPool2d AvgPool3d MaxPool1d MaxPool2d MaxPool3d",
    "layers.resize": "Pad Upsample1d Upsample2d Upsample3d",
    "functional.gru": "gru gru_cell",
    "functional.lstm": "LSTMState lstm lstm_cell",
    "functional.recurrence": "RecurrentParams",
    "functional.rnn": "rnn rnn_cell",
    "functional.scan": "scan",
    "layers.recurrence": "GRU LSTM RNN Bidirectional bidirectional",
    "functional.layer_norms": "ScaleParams group_norm instance_norm layer_norm rms_norm",
    "layers.norms": "GroupNorm InstanceNorm LayerNorm RMSNorm",
    "functional.embedding": "EmbeddingParams attend embedding one_hot",
    "functional.positions": "PositionParams add_positions rotary sinusoidal_positions",
    "layers.embedding": "Embedding",
    "layers.positions": "LearnedPositions SinusoidalPositions",
    "functional.attention": "AttentionParams KVCache attention cached_attention",
    "functional.dot_product_attention": "dot_product_attention padding_mask",
    "layers.attention": "Attention CrossAttention",
    "layers.transformer": "PreNormParams PostNormParams DecoderBlock DecoderParams encoder_block",
    "io.files": "load save",
}
if not TYPE_CHECKING:  # with a __getattr__ in sight, a checker would take any name
    __getattr__, __dir__ = attach(
        "fnn", _LATER, ("data", "datasets", "inspection", "io", "losses", "metrics", "plot", "sklearn", "testing"), globals()
    )
