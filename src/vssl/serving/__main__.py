"""python -m vssl.serving EXPORT: `vssl serve` for a computer without torch."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from vssl.errors import VsslError
from vssl.serving.start import Settings, serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer until interrupted; errors end with status 2 and a message on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m vssl.serving",
        description="Decide over HTTP by an export, and keep every decision in a database, until Ctrl-C.",
    )
    parser.add_argument("export", type=Path, help="the export folder")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; any other needs a token")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on")
    parser.add_argument("--database", default="", help="by default decisions.sqlite in the export folder")
    parser.add_argument(
        "--review-dir", dest="samples", type=Path, help="folder for samples to review; by default in the export folder"
    )
    parser.add_argument(
        "--audit-rate", dest="audit", type=float, default=0.02, help="share that is drawn at random for review, 0 to 1"
    )
    parser.add_argument("--token-file", type=Path, help="a file with a word that every request must carry")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="cores for one batch; all by default")
    asked = parser.parse_args(arguments)

    settings = Settings(**{name: value for name, value in vars(asked).items() if name != "export"})
    try:
        serve(asked.export, settings, lambda message: print(message, file=sys.stderr))
    except VsslError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
