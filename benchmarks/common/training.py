"""Training that is worth judging: a run that somebody interrupted ends the benchmark before it is recorded."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from vssl import Optimiser, api
from vssl.benchmarking.methods import method
from vssl.run import Run

UNTRAINED = "untrained"
# The default until version 0.4, with which the recorded figures were made.
BATCH = 256


def learner(name: str) -> dict[str, Any]:
    """The settings of a method as `vssl bench` takes it; or of untrained, an encoder that has learned nothing."""
    if name != UNTRAINED:
        return {"objective": method(name)}
    return {"minutes": None, "epochs": None, "steps": 1, "optimiser": Optimiser(learning_rate=1e-9)}


def trained(data: Path, out: Path, **settings: Any) -> Run:
    """As `vssl.api.train`, which returns an interrupted run too, because it is usable; with `BATCH`."""
    run = api.train(data, out, **({"batch": BATCH} | settings))
    if run.info["status"] != "done":
        sys.exit(f"{out} is {run.info['status']}: not recorded.")
    return run
