"""vssl: representations with usable uncertainty from unlabelled data.

The public API: the verbs are functions, with the same names and settings as on the command line. It is imported when it
is asked for: `vssl.runtime`, which decides on a computer without torch, stands in the same package.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vssl.api import (
        bench,
        calibrate,
        decide,
        embed,
        evaluate,
        export,
        load,
        probe,
        report,
        resume,
        serve,
        train,
        views,
    )
    from vssl.decisions.guarantee import Costs
    from vssl.errors import VsslError
    from vssl.run import Run
    from vssl.training.settings import Budget, Optimiser, Settings
    from vssl.types import Embeddings, Gaussian, Point

# onnxruntime, from 1.29 on, tells its maker about models and machines unless this is set before it is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

_HOMES = {
    "vssl.api": (
        "bench",
        "calibrate",
        "decide",
        "embed",
        "evaluate",
        "export",
        "load",
        "probe",
        "report",
        "resume",
        "serve",
        "train",
        "views",
    ),
    "vssl.decisions.guarantee": ("Costs",),
    "vssl.errors": ("VsslError",),
    "vssl.run": ("Run",),
    "vssl.training.settings": ("Budget", "Optimiser", "Settings"),
    "vssl.types": ("Embeddings", "Gaussian", "Point"),
}

__all__ = [name for names in _HOMES.values() for name in names]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'vssl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
