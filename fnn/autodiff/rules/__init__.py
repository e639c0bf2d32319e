"""The derivative rules of NumPy's functions, a file for each family. Importing them fills the registry."""

from fnn.autodiff.rules import cumulative as cumulative
from fnn.autodiff.rules import decompositions as decompositions
from fnn.autodiff.rules import einsum as einsum
from fnn.autodiff.rules import elementwise as elementwise
from fnn.autodiff.rules import indexing as indexing
from fnn.autodiff.rules import inverses as inverses
from fnn.autodiff.rules import joining as joining
from fnn.autodiff.rules import linear_algebra as linear_algebra
from fnn.autodiff.rules import moves as moves
from fnn.autodiff.rules import norms as norms
from fnn.autodiff.rules import numerics as numerics
from fnn.autodiff.rules import ordering as ordering
from fnn.autodiff.rules import reductions as reductions
from fnn.autodiff.rules import shape as shape
from fnn.autodiff.rules import statistics as statistics
