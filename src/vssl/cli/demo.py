"""The command that needs no data: `vssl demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console


def demo(
    out: Path = Path("vssl-demo"),
    modality: Literal["images", "sensors", "events"] = "images",
    steps: int | None = None,
    overwrite: bool = False,
    *,
    terminal: Console | None = None,
) -> None:
    """A first result in minutes on synthetic data: generate them, train, embed, calibrate, decide, report.

    Examples:
        vssl demo --out vssl-demo
        # Sensors of a spindle
        vssl demo --modality sensors --out spindle
        # The log of a controller
        vssl demo --modality events --out controller

    Args:
        out: Folder for the data and the run.
        modality: Images of an inspection line, sensors of a spindle, or the event log of a controller.
        steps: Optimiser steps of the training. By default as many as a good result takes, whatever the computer.
        overwrite: Replace an existing demo in the folder.
        terminal: A rich console for progress and results.
    """
    from vssl.demo import tour

    tour.demo(modality, out, steps, overwrite, terminal)
