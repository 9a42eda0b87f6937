"""The verbs of vssl as functions. The command line, its help and the reference pages are made from them.

A newcomer adds a verb to the file where it belongs: a function with a docstring, and its name in the file's `__all__`.
"""

# ruff: noqa: F403
from typing import TYPE_CHECKING

from vssl.api import decisions, deployment, evaluation, inspection, pretrained, training
from vssl.api.decisions import *
from vssl.api.deployment import *
from vssl.api.evaluation import *
from vssl.api.inspection import *
from vssl.api.pretrained import *
from vssl.api.training import *

if not TYPE_CHECKING:  # type checkers follow the imports above; mypy cannot add lists of modules up
    modules = (inspection, training, pretrained, evaluation, decisions, deployment)
    __all__ = [name for module in modules for name in module.__all__]
