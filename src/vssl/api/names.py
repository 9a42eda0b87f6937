"""What the verbs take as a place, and a run from it."""

from __future__ import annotations

from pathlib import Path

from vssl.run import Run

Name = str | Path


def run_of(run: Run | Name) -> Run:
    return run if isinstance(run, Run) else Run(run)
