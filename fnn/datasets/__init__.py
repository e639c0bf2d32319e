"""Data sets that come with the package: loaded when they are asked for, never downloaded."""

from fnn.datasets.digits import Digits as Digits
from fnn.datasets.digits import digits as digits
