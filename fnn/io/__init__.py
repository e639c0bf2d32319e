"""Files: trees saved and loaded, folders of checkpoints, logs that survive a kill, weights of PyTorch."""

from fnn.io import from_torch as from_torch
from fnn.io.checkpoints import Checkpoint as Checkpoint
from fnn.io.checkpoints import Checkpoints as Checkpoints
from fnn.io.csv_log import CsvLog as CsvLog
from fnn.io.csv_log import read_csv_log as read_csv_log
from fnn.io.files import ArrayInfo as ArrayInfo
from fnn.io.files import FileInfo as FileInfo
from fnn.io.files import inspect as inspect
from fnn.io.files import load as load
from fnn.io.files import read_arrays as read_arrays
from fnn.io.files import read_metadata as read_metadata
from fnn.io.files import save as save
from fnn.io.fitting import from_dict as from_dict
from fnn.io.json_lines import JsonLines as JsonLines
from fnn.io.json_lines import read_json_lines as read_json_lines
from fnn.io.names import to_dict as to_dict
