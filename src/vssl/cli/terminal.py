"""The terminal for people: standard error, so that standard output stays free for results."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def terminal() -> Console:
    """The console for progress and messages; of several processes under torchrun only the first prints."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, quiet=os.environ.get("RANK", "0") != "0")


def say(sentence: str) -> None:
    """Print a sentence for people. Square brackets are printed as they are, as names of files may hold them."""
    terminal().print(sentence, markup=False, soft_wrap=True)
