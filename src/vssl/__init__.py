"""vssl: representations with usable uncertainty from unlabelled data.

The public API: the verbs are functions, with the same names and settings as on the command line. It is imported when it
is asked for: `vssl.runtime`, which decides on a computer without torch, stands in the same package.
"""

import os
import sys
from importlib import import_module
from types import ModuleType
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
    from vssl.decide.promise import Costs
    from vssl.errors import VsslError
    from vssl.run import Run
    from vssl.train.settings import Budget, Optimiser, Settings
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
    "vssl.decide.promise": ("Costs",),
    "vssl.errors": ("VsslError",),
    "vssl.run": ("Run",),
    "vssl.train.settings": ("Budget", "Optimiser", "Settings"),
    "vssl.types": ("Embeddings", "Gaussian", "Point"),
}

__all__ = [name for names in _HOMES.values() for name in names]


class _Package(ModuleType):
    """The package, whose public names are properties: they come before the modules embed, train, decide and others."""

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


def _public(home: str, name: str) -> property:
    def get(_package: ModuleType) -> Any:
        return getattr(import_module(home), name)

    def keep(_package: ModuleType, _module: ModuleType) -> None:
        """Importing `vssl.embed` sets the attribute `embed` of the package to the module; the verb stays."""

    return property(get, keep)


for _home, _names in _HOMES.items():
    for _name in _names:
        setattr(_Package, _name, _public(_home, _name))

sys.modules[__name__].__class__ = _Package
