"""Data sets that come with the package, toy data drawn from a key, and readers of MNIST's files: never downloaded."""

from fnn.datasets.digits import Digits as Digits
from fnn.datasets.digits import digits as digits
from fnn.datasets.idx import Mnist as Mnist
from fnn.datasets.idx import mnist as mnist
from fnn.datasets.idx import read_idx as read_idx
from fnn.datasets.toys import Points as Points
from fnn.datasets.toys import Samples as Samples
from fnn.datasets.toys import blobs as blobs
from fnn.datasets.toys import bowl as bowl
from fnn.datasets.toys import friedman as friedman
from fnn.datasets.toys import ripple as ripple
from fnn.datasets.toys import sine as sine
from fnn.datasets.toys import spirals as spirals
from fnn.datasets.toys import two_moons as two_moons
