"""The folder of a demo: made anew, and nothing else is ever deleted."""

from __future__ import annotations

import shutil
from pathlib import Path

from vssl.errors import RunExistsError


def make_way(out: Path, overwrite: bool) -> None:
    """Remove an earlier demo at `out`, when that is asked for.

    Raises:
        RunExistsError: There is something at `out`, and it is no demo or `overwrite` is not given.
    """
    if not out.exists():
        return
    if not overwrite or not (out / "run" / "run.json").is_file():
        raise RunExistsError(f"{out} is there already. Start again: --overwrite (for an earlier demo). Or --out.")
    shutil.rmtree(out)
