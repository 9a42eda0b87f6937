"""Training that is worth judging: a run that somebody interrupted ends the benchmark before it is recorded."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from vssl import api
from vssl.run import Run


def trained(data: Path, out: Path, **settings: Any) -> Run:
    """As `vssl.api.train`, which returns an interrupted run too, because it is usable."""
    run = api.train(data, out, **settings)
    if run.info["status"] != "done":
        sys.exit(f"{out} is {run.info['status']}: not recorded.")
    return run
