"""Pytrees of immutable values: frozen dataclasses, tuples, NamedTuples, lists and dicts of read-only arrays."""

from fnn.tree.flat import Layout as Layout
from fnn.tree.flat import Segment as Segment
from fnn.tree.flat import ravel as ravel
from fnn.tree.operations import Record as Record
from fnn.tree.operations import astype as astype
from fnn.tree.operations import equal as equal
from fnn.tree.operations import freeze as freeze
from fnn.tree.operations import global_norm as global_norm
from fnn.tree.operations import leaves as leaves
from fnn.tree.operations import map as map
from fnn.tree.operations import paths as paths
from fnn.tree.operations import replace_at as replace_at
from fnn.tree.operations import show as show
from fnn.tree.operations import size as size
from fnn.tree.operations import zeros_like as zeros_like
from fnn.tree.selection import Selector as Selector
from fnn.tree.selection import everything as everything
from fnn.tree.selection import matrices as matrices
from fnn.tree.structure import PyTree as PyTree
from fnn.tree.structure import Structure as Structure
from fnn.tree.structure import flatten as flatten
