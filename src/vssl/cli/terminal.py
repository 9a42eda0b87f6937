"""What the verbs share: data and run folders as arguments, and the terminal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import Positional, arg

from vssl.training.progress import console

Data = Annotated[Positional[Path], arg(metavar="DATA")]
RunFolder = Annotated[Positional[Path], arg(metavar="RUN")]


def terminal() -> Console:
    """The terminal for people; of several processes under torchrun only the first speaks."""
    return console(quiet=os.environ.get("RANK", "0") != "0")


def say(words: str) -> None:
    # Names of files are the user's: square brackets in them are no markup.
    terminal().print(words, markup=False, soft_wrap=True)
