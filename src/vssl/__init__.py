"""vssl: representations with usable uncertainty from unlabelled data.

The public API: the verbs of the command line are functions with the same names and settings, all listed in `vssl.api`.
They are imported on first use, since `vssl.runtime`, in the same package, decides on a computer without torch.
"""

# ruff: noqa: F403
import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vssl.api import *
    from vssl.decisions.guarantee import Costs as Costs
    from vssl.errors import VsslError as VsslError
    from vssl.run import Run as Run
    from vssl.training.settings import Budget as Budget
    from vssl.training.settings import Optimiser as Optimiser
    from vssl.training.settings import Settings as Settings
    from vssl.types import Embeddings as Embeddings
    from vssl.types import Gaussian as Gaussian
    from vssl.types import Point as Point
else:
    _TYPES = {
        "Budget": "vssl.training.settings",
        "Costs": "vssl.decisions.guarantee",
        "Embeddings": "vssl.types",
        "Gaussian": "vssl.types",
        "Optimiser": "vssl.training.settings",
        "Point": "vssl.types",
        "Run": "vssl.run",
        "Settings": "vssl.training.settings",
        "VsslError": "vssl.errors",
    }

    def __getattr__(name: str) -> Any:
        if name in _TYPES:
            return getattr(import_module(_TYPES[name]), name)
        api = import_module("vssl.api")
        if name == "__all__":
            return sorted([*api.__all__, *_TYPES])
        if name in api.__all__:
            return getattr(api, name)
        raise AttributeError(f"module 'vssl' has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__getattr__("__all__")})


# onnxruntime, from 1.29 on, tells its maker about models and machines unless this is set before it is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
