"""The verbs of vssl as functions; the command line has the same verbs with the same names and settings.

A newcomer adds a verb to the file where it belongs, here, and to `vssl/__init__` and `vssl.cli`.
"""

from vssl.api.deciding import calibrate, decide, export, probe
from vssl.api.judging import embed, evaluate, report
from vssl.api.serving import serve
from vssl.api.training import bench, load, resume, train, views
