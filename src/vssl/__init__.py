"""vssl: representations with usable uncertainty from unlabelled data.

The public API: the verbs are functions, with the same names and settings as on the command line.
"""

# After all else: the verbs train, embed, evaluate, decide, report and bench take their names from the packages they
# stand on.
from vssl.decide.promise import Costs
from vssl.errors import VsslError
from vssl.run import Run
from vssl.train.settings import Budget, Optimiser, Settings
from vssl.types import Embeddings, Gaussian, Point

from vssl.api import bench, calibrate, decide, embed, evaluate, load, probe, report, resume, train, views  # isort: skip

__all__ = [
    "Budget",
    "Costs",
    "Embeddings",
    "Gaussian",
    "Optimiser",
    "Point",
    "Run",
    "Settings",
    "VsslError",
    "bench",
    "calibrate",
    "decide",
    "embed",
    "evaluate",
    "load",
    "probe",
    "report",
    "resume",
    "train",
    "views",
]
