"""Training in benchmarks: a run that was interrupted ends the benchmark before anything is recorded."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from vssl import Optimiser, api
from vssl.benchmarking.methods import method
from vssl.run import Run

UNTRAINED = "untrained"
"""The method whose encoder has learned nothing."""
BATCH = 256
"""Global batch size of the recorded runs, in view pairs per optimiser step."""


def settings_of(name: str) -> dict[str, Any]:
    """The training settings of a method, named as in `vssl bench`, or of `UNTRAINED`."""
    if name != UNTRAINED:
        return {"objective": method(name)}
    return {"minutes": None, "epochs": None, "steps": 1, "optimiser": Optimiser(learning_rate=1e-9)}


def train(data: Path, out: Path, **settings: Any) -> Run:
    """As `vssl.train`, with `BATCH`; ends the program when the training was interrupted."""
    run = api.train(data, out, **({"batch": BATCH} | settings))
    if run.info["status"] != "done":
        sys.exit(f"{out} is {run.info['status']}: not recorded.")
    return run


def train_once(data: Path, out: Path, **settings: Any) -> Run:
    """As `train`; a run that is done is taken as it is."""
    if out.is_dir() and Run(out).info["status"] == "done":
        return Run(out)
    return train(data, out, overwrite=True, **settings)
